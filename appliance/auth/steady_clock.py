"""The time by which what people were given comes to an end: a machine's clock that is set back does not bring it back.

Rules this module keeps:

1. Time never goes back. While the process runs and the clock of the machine is behind, time goes on as the processor
   counts it.
2. Nor at a start: it is then no earlier than any sign-in, use of a session, word of a directory or handing over of an
   account on record, nor than what else it is told to look at.
3. Codes of a second factor, the query log and retention go by the machine's clock as it is: a phone has the right time,
   the log notes that the clock was set back, and what is erased cannot be brought back once the clock is right again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, func, select

from appliance.auth.accounts import now_utc
from appliance.auth.tables import people, sessions, sign_outs
from appliance.database import Database

_NEVER = datetime.min.replace(tzinfo=UTC)


class SteadyClock:
    """Gives the time, in UTC. Threads may share it."""

    def __init__(
        self,
        database: Database,
        wall: Callable[[], datetime] = now_utc,
        steady_s: Callable[[], float] = time.monotonic,
        *,
        also: Collection[Column[datetime]] = (),
    ) -> None:
        """Begin no earlier than what is on record, in the columns of `also` too."""
        self._wall = wall
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._latest, self._at_s = _latest_on_record(database, also), steady_s()

    def __call__(self) -> datetime:
        """This moment."""
        with self._lock:
            at_s = self._steady_s()
            self._latest = max(self._wall(), self._latest + timedelta(seconds=at_s - self._at_s))
            self._at_s = at_s
            return self._latest

    def ahead(self) -> timedelta:
        """How far the clock of the machine is behind."""
        return self() - self._wall()


def _latest_on_record(database: Database, also: Collection[Column[datetime]]) -> datetime:
    of_sessions = (sessions.c.created_at, sessions.c.last_seen_at)
    stamps = (*of_sessions, people.c.created_at, people.c.heard_at, people.c.handed_over_at, sign_outs.c.at, *also)
    with database.read() as connection:
        found = (connection.execute(select(func.max(stamp))).scalar() for stamp in stamps)
        return max((at for at in found if at is not None), default=_NEVER)
