"""Opening the query log: an officer writes down why, before anything it holds is shown to them.

Rules this module keeps:

1. The reason is an entry of the log before it opens anything. No file but the log
   keeps it.
2. An opening is for one session, or one token, and ends by itself. What it was opened with last is what counts.
3. Openings live in this process. After a restart everybody is asked again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.audit.entries import DeskOpened
from appliance.audit.log import QueryLog
from appliance.auth.accounts import now_utc
from appliance.errors import InvalidRequest, LogNotOpened

MIN_WORDS = 3
_WORD = re.compile(r"\w*[^\W\d_]\w*")


@dataclass(frozen=True, slots=True)
class Opening:
    """Why the log is open to a session, and until when."""

    officer: str
    reason: str
    until: datetime


class Openings:
    """Who has opened the log. Threads may share it."""

    def __init__(self, log: QueryLog, lasts_s: float, clock: Callable[[], datetime] = now_utc) -> None:
        self._log = log
        self._lasts = timedelta(seconds=lasts_s)
        self._clock = clock
        self._opened: dict[str, Opening] = {}
        self._changing = threading.Lock()

    def open(self, officer: str, session: str, reason: str) -> Opening:
        """Open the log to a session.

        Args:
            officer: The account id.
            session: A name for the session or token, which does not open it.
            reason: Why, in the officer's words.

        Raises:
            InvalidRequest: The reason is not one.
            AuditUnavailable: It cannot be recorded, so nothing is opened.
        """
        reason = checked_reason(reason)
        self._log.append(DeskOpened(officer, reason, session))
        now = self._clock()
        opening = Opening(officer, reason, now + self._lasts)
        with self._changing:
            self._opened = {name: other for name, other in self._opened.items() if other.until > now}
            self._opened[session] = opening
        return opening

    def of(self, session: str) -> Opening | None:
        """What the log is open to a session with; None when it is not."""
        found = self._opened.get(session)
        return found if found is not None and found.until > self._clock() else None

    def require(self, session: str) -> Opening:
        """What the log is open to a session with. Raises LogNotOpened."""
        found = self.of(session)
        if found is None:
            raise LogNotOpened
        return found


def checked_reason(reason: str) -> str:
    """A reason as it goes on record. Raises InvalidRequest: it is no more than a word or two."""
    reason = " ".join(reason.split())
    if len(_WORD.findall(reason)) < MIN_WORDS:
        raise InvalidRequest(
            f"Write the reason in at least {MIN_WORDS} words, such as 'Complaint 2026-14 of a customer': it stays on "
            "record, and others judge by it."
        )
    return reason
