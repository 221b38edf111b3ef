"""Verifies the whole log once a day, and whenever somebody asks; the result is kept.

Rules this module keeps:

1. The result lies in a file beside the log, replaced whole: it is there also when the log takes no more entries.
2. What was missed, because the machine was off at the hour, is made up for when it runs again.
3. That a verification was made by itself is on record, and that one failed whoever asked for it, if the log takes an
   entry: what is found altered does not go unsaid because it was found by hand.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.audit import checkpoint
from appliance.audit.entries import ITSELF, AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.signatures import checked
from appliance.audit.verify import verify
from appliance.errors import AuditBroken, AuditUnavailable

_log = logging.getLogger(__name__)

VERIFIED, NOT_VERIFIED = "log.verified", "log.not_verified"
"""The acts on record that say how a verification went; a good one that somebody asked for is a reading of the log."""

_LOOK_EVERY_S = 30.0
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Verification:
    """How a verification went. `first_bad` is the first entry that does not verify, None where no single one is."""

    at: datetime
    ok: bool
    size: int
    root: str
    first_bad: int | None
    told: str


class DailyVerification:
    """Verifies a log every day at an hour. Threads may share it."""

    def __init__(
        self, log: QueryLog, *, hour: int, now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    ) -> None:
        self._log = log
        self._hour = hour
        self._now = now
        self._path = log.path.with_name(f"{log.path.stem}.verified.json")
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="verification", daemon=True)
        self._latest = _read(self._path)

    @property
    def latest(self) -> Verification | None:
        """How the latest verification went, None before the first."""
        return self._latest

    @property
    def is_due(self) -> bool:
        """Whether the hour has come again since the latest one. One of the future, of a wrong clock, is none."""
        now = self._now()
        hour = now.replace(hour=self._hour, minute=0, second=0, microsecond=0)
        last_hour = hour if hour <= now else hour - timedelta(days=1)
        return self._latest is None or not last_hour <= self._latest.at <= now

    def start(self) -> None:
        """Begin to verify by itself."""
        self._thread.start()

    def close(self) -> None:
        """Begin no more; one that runs is not waited for for ever, it only reads."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def run(self) -> Verification:
        """Verify now, every entry and the whole tree, and keep the result.

        Raises:
            AuditUnavailable: The log cannot be read now, which says nothing about it.
        """
        with self._one_at_a_time:
            found = self._verified()
            self._latest = found
            with contextlib.suppress(OSError):  # a full disk: the result is known in this process all the same
                data = json.dumps({**asdict(found), "at": found.at.isoformat()})
                checkpoint.put(self._path, data.encode())
            return found

    def run_by_itself(self) -> None:
        """Verify now, and put on record how it went."""
        found = self.run()
        if found.ok:
            with contextlib.suppress(AuditUnavailable, AuditBroken):
                self._log.append(AdminAction(ITSELF, VERIFIED, "log", found.told))
        else:
            self.put_failure_on_record(ITSELF, found)

    def put_failure_on_record(self, actor: str, found: Verification) -> None:
        """Put on record that a verification failed, if the log takes an entry: it may be what is wrong."""
        with contextlib.suppress(AuditUnavailable, AuditBroken):
            self._log.append(AdminAction(actor, NOT_VERIFIED, "log", found.told))

    def _verified(self) -> Verification:
        now = datetime.now(UTC)
        try:
            found = verify(self._log.store, *checked(self._log.path))
        except AuditBroken as error:
            return Verification(now, False, 0, "", error.seq, str(error))
        return Verification(now, True, found.size, found.root.hex(), None, f"All {found.size} entries verify.")

    def _keep(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            try:
                if self.is_due:
                    self.run_by_itself()
            except AuditUnavailable as error:
                _log.error("The query log could not be verified: %s", error)
            except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
                _log.error("The query log could not be verified: %s", type(error).__name__)


def _read(path: Path) -> Verification | None:
    """What was kept; None when there is nothing, or nothing that can be read: then it is due."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Verification(**{**kept, "at": datetime.fromisoformat(kept["at"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
