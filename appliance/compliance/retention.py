"""Retention: the content of a month is erased when the time for which it is kept is over.

Rules this module keeps:

1. Content is kept for so many whole months after its own, as the profile in force says; without one, for ever. Of what
   a person did in a month that is the profile of the groups they asked with then, the longest, or that of everybody.
2. What expires was announced `NOTICE` before, in the log and on the screen. A profile that is changed by mistake
   therefore erases nothing before somebody can see it; what it announced is taken back with it.
3. What a hold covers stays, and expires at the next run after its release.
4. Heads and tree are never removed: that something was asked, and when, is proved as long as the log is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, String, Table, delete, insert, select

from appliance.audit.entries import ExpiryAnnounced
from appliance.audit.log import QueryLog
from appliance.audit.records import month_of
from appliance.auth.accounts import now_utc
from appliance.compliance.eraser import Eraser, PersonMonth
from appliance.compliance.months import begins, later
from appliance.config import RetentionSettings
from appliance.database import Database, Moment, metadata

NOTICE = timedelta(days=7)

expiries = Table(
    "expiries",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("profile", String(64), primary_key=True),
    Column("expires_at", Moment, nullable=False),
)


Falling = tuple[str, str]  # a month, and the profile under which what was done in it falls


@dataclass(frozen=True, slots=True)
class Expiry:
    """What of a month is announced to expire under a profile, and of how many people a hold keeps it."""

    month: str
    profile: str
    expires_at: datetime
    people: int
    entries: int
    turns: int
    held: int


class Retention:
    """Announces what is to expire, and has it erased when its day has come."""

    def __init__(
        self,
        database: Database,
        log: QueryLog,
        eraser: Eraser,
        settings: RetentionSettings,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._database = database
        self._log = log
        self._eraser = eraser
        self.settings = settings
        self._clock = clock
        self._groups: dict[PersonMonth, frozenset[str]] = {}

    def preview(self) -> tuple[Expiry, ...]:
        """What is announced, the oldest month first."""
        announced = self._announced()
        months = {month for month, _ in announced}
        falling = self._falling(each for each in self._eraser.present() if each.month in months)
        return tuple(self._expiry(what, at, falling.get(what, [])) for what, at in sorted(announced.items()))

    def run(self) -> None:
        """Announce what is due to be, and erase what was announced long enough ago. Once a day is enough."""
        now, soon = self._clock(), self._clock() + NOTICE
        past = (each for each in self._eraser.present() if each.month < month_of(soon))
        falling = self._falling(past)
        coming = {what for what in falling if (over := self._over_at(what)) is not None and over <= soon}
        announced = self._announced()
        self._take_back(announced.keys() - coming)
        self._announce(coming - announced.keys(), soon)
        due = [what for what in coming & announced.keys() if announced[what] <= now]
        self._eraser.erase([each for what in due for each in falling[what]])

    def _falling(self, present: Iterable[PersonMonth]) -> dict[Falling, list[PersonMonth]]:
        """What there is, by month and by the profile it falls under."""
        found: dict[Falling, list[PersonMonth]] = {}
        for each in present:
            found.setdefault((each.month, self.settings.profile_of(self._groups_of(each))), []).append(each)
        return found

    def _groups_of(self, each: PersonMonth) -> frozenset[str]:
        """The groups a person asked with in a month. Once the month is over they stay as they were."""
        if not self.settings.groups:
            return frozenset()
        if each in self._groups:
            return self._groups[each]
        groups = self._log.groups_asked_with(each.person_id, each.month)
        if each.month < month_of(self._clock()):
            self._groups[each] = groups
        return groups

    def _expiry(self, what: Falling, at: datetime, present: list[PersonMonth]) -> Expiry:
        kept = self._eraser.look(present)
        return Expiry(*what, at, len(present) - len(kept.held), kept.entries, kept.turns, len(kept.held))

    def _over_at(self, what: Falling) -> datetime | None:
        """When the time of a month is over; None: never."""
        month, profile = what
        months = self.settings.months_of(profile)
        return None if months is None else begins(later(month, months + 1))

    def _announced(self) -> dict[Falling, datetime]:
        with self._database.read() as connection:
            rows = connection.execute(select(expiries))
            return {(row.month, row.profile): row.expires_at for row in rows}

    def _announce(self, coming: Iterable[Falling], at: datetime) -> None:
        """Say what is to be erased at that moment, by profile. What comes is over by then."""
        together: dict[str, list[str]] = {}
        for month, profile in sorted(coming):
            together.setdefault(profile, []).append(month)
        for profile, months in together.items():
            self._log.append(ExpiryAnnounced(tuple(months), at.date().isoformat(), profile))
            rows = [{"month": month, "profile": profile, "expires_at": at} for month in months]
            with self._database.write() as connection:
                connection.execute(insert(expiries), rows)

    def _take_back(self, announced: Iterable[Falling]) -> None:
        with self._database.write() as connection:
            for month, profile in announced:
                connection.execute(delete(expiries).where(expiries.c.month == month, expiries.c.profile == profile))
