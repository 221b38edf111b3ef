"""Legal holds: what must not be erased, whoever asks for it and however old it is.

Rules this module keeps:

1. One officer places a hold, with a reason. Two release it (`four_eyes`).
2. While something is erased no hold is placed, and the other way round: what a hold covers when it was placed is there.
3. Placing and releasing are entries of the log before they act.
4. The reason of a hold that was released goes with what else is on record of whoever placed it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, String, Table, Text, and_, insert, select, update

from appliance.audit.entries import HoldPlaced
from appliance.audit.log import QueryLog
from appliance.auth.accounts import now_utc
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.months import is_month
from appliance.database import Database, Moment, metadata, month_in
from appliance.errors import Conflict, InvalidRequest, NotFound

RELEASED = "hold.released"
"""The act that two officers do."""

holds = Table(
    "holds",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("person_id", String(64), nullable=False),  # empty: everybody
    Column("since", String(7), nullable=False),  # a month; empty: from the beginning
    Column("until", String(7), nullable=False),  # a month; empty: no end
    Column("reason", Text, nullable=False),
    Column("placed_by", String(64), nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("released_at", Moment, nullable=True),
)

_MONTH = month_in(holds.c.placed_at)
_OVER = and_(holds.c.released_at.is_not(None), holds.c.reason != "")


@dataclass(frozen=True, slots=True)
class Hold:
    """What must not be erased: of a person (of everybody, if empty), of the months `since` to `until` (no limit)."""

    id: str
    person_id: str
    since: str
    until: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_at: datetime | None = None

    def covers(self, person_id: str, month: str) -> bool:
        """Whether the hold is on this month of this person."""
        in_time = (not self.since or self.since <= month) and (not self.until or month <= self.until)
        return in_time and self.person_id in ("", person_id)


class Holds:
    """The holds there are. `erasing` is held by whoever erases, from before they look until it is done."""

    def __init__(
        self, database: Database, log: QueryLog, four_eyes: FourEyes, clock: Callable[[], datetime] = now_utc
    ) -> None:
        self._database = database
        self._log = log
        self._four_eyes = four_eyes
        self._clock = clock
        self.erasing = threading.RLock()

    def place(self, officer: str, person_id: str, since: str, until: str, reason: str) -> Hold:
        """Forbid that something is erased, from now on.

        Raises:
            InvalidRequest: No reason is given, or a month is none.
            AuditUnavailable: It cannot be recorded, so it is not placed.
        """
        if not reason.strip():
            raise InvalidRequest("Write down the reason of the hold: it stays on record.")
        if not all(not month or is_month(month) for month in (since, until)) or (until and until < since):
            raise InvalidRequest("Write months as 2026-03, the first one not after the last one.")
        hold = Hold(str(uuid.uuid4()), person_id, since, until, reason.strip(), officer, self._clock())
        with self.erasing:
            self._log.append(HoldPlaced(officer, hold.id, person_id, since, until, hold.reason))
            with self._database.write() as connection:
                connection.execute(insert(holds).values(**{name: getattr(hold, name) for name in holds.c.keys()}))  # noqa: SIM118
        return hold

    def propose_release(self, officer: str, hold_id: str, reason: str) -> Proposal:
        """Put the release of a hold before a second officer. Raises NotFound, Conflict, InvalidRequest."""
        if self.one(hold_id).released_at is not None:
            raise Conflict("This hold was released already.")
        return self._four_eyes.propose(officer, RELEASED, hold_id, reason)

    def release(self, hold_id: str) -> None:
        """End a hold, once two officers want it."""
        with self._database.write() as connection:
            connection.execute(update(holds).where(holds.c.id == hold_id).values(released_at=self._clock()))

    def one(self, hold_id: str) -> Hold:
        """One hold. Raises NotFound."""
        found = self._found(holds.c.id == hold_id)
        if not found:
            raise NotFound("There is no such hold.")
        return found[0]

    def in_force(self) -> tuple[Hold, ...]:
        """The holds that nobody released, the newest first."""
        return self._found(holds.c.released_at.is_(None))

    def months(self) -> list[tuple[str, str]]:
        """Who placed in which month ("2026-03") a hold that was released, as far as its reason is there."""
        with self._database.read() as connection:
            found = connection.execute(select(holds.c.placed_by, _MONTH).where(_OVER).distinct())
            return [(officer, month) for officer, month in found]

    def erase(self, officer: str, month: str) -> None:
        """Remove the reasons of the released holds that an officer placed in a month."""
        theirs = (holds.c.placed_by == officer) & (month == _MONTH) & _OVER
        with self._database.write() as connection:
            connection.execute(update(holds).where(theirs).values(reason=""))

    def _found(self, condition: Any) -> tuple[Hold, ...]:
        query = select(holds).where(condition).order_by(holds.c.placed_at.desc(), holds.c.id)
        with self._database.read() as connection:
            return tuple(_hold(row) for row in connection.execute(query))


def _hold(row: Row[Any]) -> Hold:
    return Hold(**row._mapping)
