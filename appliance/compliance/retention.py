"""Retention: the content of a month is erased when the time for which it is kept is over.

Rules this module keeps:

1. Content is kept for so many whole months after its own, as the profile in force says; without one, for ever.
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
    Column("expires_at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Expiry:
    """A month that is announced to expire: what will be erased of it then, and of how many people a hold keeps it."""

    month: str
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

    def preview(self) -> tuple[Expiry, ...]:
        """What is announced, the oldest month first."""
        present = self._eraser.present()
        return tuple(
            self._expiry(month, at, [each for each in present if each.month == month])
            for month, at in sorted(self._announced().items())
        )

    def run(self) -> None:
        """Announce what is due to be, and erase what was announced long enough ago. Once a day is enough."""
        now, present = self._clock(), self._eraser.present()
        coming = {each.month for each in present if self._is_over(each.month, now + NOTICE)}
        announced = self._announced()
        self._take_back(announced.keys() - coming)
        self._announce({month: max(now + NOTICE, self._over_at(month)) for month in coming - announced.keys()})
        over = {month for month in coming & announced.keys() if announced[month] <= now}
        self._eraser.erase([each for each in present if each.month in over])

    def _expiry(self, month: str, at: datetime, present: list[PersonMonth]) -> Expiry:
        kept = self._eraser.look(present)
        return Expiry(month, at, len(present) - len(kept.held), kept.entries, kept.turns, len(kept.held))

    def _over_at(self, month: str) -> datetime:
        return begins(later(month, (self.settings.months or 0) + 1))

    def _is_over(self, month: str, at: datetime) -> bool:
        return self.settings.months is not None and month < month_of(at) and self._over_at(month) <= at

    def _announced(self) -> dict[str, datetime]:
        with self._database.read() as connection:
            return {row.month: row.expires_at for row in connection.execute(select(expiries))}

    def _announce(self, coming: dict[str, datetime]) -> None:
        by_day: dict[datetime, list[str]] = {}
        for month, at in sorted(coming.items()):
            by_day.setdefault(at, []).append(month)
        for at, months in by_day.items():
            self._log.append(ExpiryAnnounced(tuple(months), at.date().isoformat(), self.settings.profile))
            with self._database.write() as connection:
                connection.execute(insert(expiries), [{"month": month, "expires_at": at} for month in months])

    def _take_back(self, months: Iterable[str]) -> None:
        gone = list(months)
        if gone:
            with self._database.write() as connection:
                connection.execute(delete(expiries).where(expiries.c.month.in_(gone)))
