"""A feed: outlines of the log's entries, and alarms, to one place outside; in order, and from where it was.

Rules this module keeps:

1. The log itself is the queue. A feed reads what is committed, in a thread of its own: no answer waits for it or knows
   of it, however slow or far away its place is.
2. How far it is stands in a file, moved on only when a batch was delivered. After an outage or a restart it goes on
   from there; what may have arrived already is sent again, and recognised by its number.
3. Alarms do not wait for the log, which may be what they are about. The last hundred are kept until they are sent; how
   many were lost is counted.
4. It begins with what is recorded after it was set up. A log that got shorter, because a backup was restored, is
   followed from its end.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance.audit import checkpoint
from appliance.audit.log import QueryLog
from appliance.audit.outline import Outline
from appliance.errors import ApplianceError
from appliance.monitoring.alarms import Alarm

_log = logging.getLogger(__name__)

BATCH = 200
WAITING_ALARMS = 100
_LOOK_EVERY_S = 1.0
_AGAIN_AT_MOST_S = 30.0
_BEAT_EVERY_S = 300.0
_END_S = 5.0


class Outlet(Protocol):
    """A place that lines go to, and the form that they have there."""

    name: str

    def entry(self, outline: Outline) -> bytes:
        """The line about an entry of the log."""

    def alarm(self, alarm: Alarm) -> bytes:
        """The line about an alarm."""

    def beat(self, size: int, root: str) -> bytes:
        """The line that says that the feed is alive, and how far the log is."""

    def examine(self) -> None:
        """Find out whether the place is there, as far as that shows without a line. Raises as `send`."""

    def send(self, lines: Sequence[bytes]) -> None:
        """Deliver lines. Raises OSError or ApplianceError, and may be called again with the same ones."""

    def close(self) -> None:
        """Let go of the place."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a feed is: how many entries it is behind, what it sent and lost, and why it stands still, if it does."""

    name: str
    behind: int
    sent: int
    lost: int
    problem: str


class Feed:
    """Sends the log to an outlet. Threads may share it."""

    def __init__(self, log: QueryLog, outlet: Outlet, place: Path, *, look_every_s: float = _LOOK_EVERY_S) -> None:
        """Send nothing yet. `place` is the file that says how far the feed is.

        Raises:
            OSError: It cannot be written.
        """
        self._log = log
        self._outlet = outlet
        self._place = place
        self._look_every_s = look_every_s
        self._next = _read(place, log.known_size)
        _keep(place, self._next)
        self._alarms: deque[Alarm] = deque(maxlen=WAITING_ALARMS)
        self._sent = self._lost = 0
        self._problem = ""
        self._beat_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{outlet.name}", daemon=True)

    @property
    def state(self) -> FeedState:
        """How it is now."""
        behind = max(0, self._log.known_size - self._next)
        return FeedState(self._outlet.name, behind, self._sent, self._lost, self._problem)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what is there, if that takes no time, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def tell(self, alarm: Alarm) -> None:
        """Have an alarm sent as soon as possible. Returns at once."""
        if len(self._alarms) == WAITING_ALARMS:
            self._lost += 1
        self._alarms.append(alarm)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = self._look_every_s if self._try() else min(max(2 * wait_s, 1.0), _AGAIN_AT_MOST_S)
        self._try()
        with contextlib.suppress(OSError):
            self._outlet.close()

    def _try(self) -> bool:
        try:
            self._send_all()
            problem = ""
        except ApplianceError as error:
            problem = str(error)
        except OSError as error:
            told = error.strerror or str(error) or type(error).__name__
            problem = f"The feed '{self._outlet.name}' stands still: {told}. Look after its receiver; nothing is lost."
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
            problem = f"The feed '{self._outlet.name}' stands still: {type(error).__name__}. Report this defect."
        if problem and not self._problem:
            _log.error("%s", problem)
        self._problem = problem
        return not problem

    def _send_all(self) -> None:
        self._outlet.examine()  # with nothing to send for minutes, nobody would notice that it is gone
        while self._alarms:
            self._outlet.send([self._outlet.alarm(self._alarms[0])])
            self._alarms.popleft()
        if time.monotonic() >= self._beat_at:
            now = self._log.checkpoint()
            self._outlet.send([self._outlet.beat(now.size, now.root.hex())])
            self._beat_at = time.monotonic() + _BEAT_EVERY_S
        self._next = min(self._next, self._log.known_size)
        while self._next < self._log.known_size:
            outlines = self._log.outlines(self._next, limit=BATCH)
            if not outlines:
                return
            self._outlet.send([self._outlet.entry(outline) for outline in outlines])
            self._next = outlines[-1].seq + 1
            self._sent += len(outlines)
            _keep(self._place, self._next)


def _read(place: Path, otherwise: int) -> int:
    try:
        return int(place.read_text("ascii"))
    except (OSError, ValueError):
        return otherwise


def _keep(place: Path, position: int) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    checkpoint.put(place, f"{position}\n".encode("ascii"))
