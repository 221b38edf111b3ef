"""What is wrong now, as alarms: raised once, shown for as long as they last, and told to whoever wants to hear."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

_log = logging.getLogger(__name__)


class AlarmName(StrEnum):
    """The alarms there are, by the names that feeds and metrics know them by."""

    LOG_STOPPED = "log.stopped"
    LOG_BROKEN = "log.broken"
    LOG_UNVERIFIED = "log.unverified"
    LOG_UNSIGNED = "log.unsigned"
    FEED_STOPPED = "feed.stopped"


TITLES = {
    AlarmName.LOG_STOPPED: "Nothing is recorded",
    AlarmName.LOG_BROKEN: "The query log was altered",
    AlarmName.LOG_UNVERIFIED: "The query log was not verified",
    AlarmName.LOG_UNSIGNED: "Checkpoints are not signed",
    AlarmName.FEED_STOPPED: "A feed has stopped",
}
"""What they are called for people."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong `since` a moment, in a sentence that says what to do. `is_over`: it was, until then."""

    name: AlarmName
    since: datetime
    told: str
    is_over: bool = False


class Alarms:
    """Those that are raised now. Threads may share it."""

    def __init__(self) -> None:
        self._raised: dict[AlarmName, Alarm] = {}
        self._listeners: list[Callable[[Alarm], object]] = []
        self._lock = threading.Lock()

    @property
    def raised(self) -> tuple[Alarm, ...]:
        """What is wrong now, the oldest first."""
        return tuple(sorted(self._raised.values(), key=lambda alarm: alarm.since))

    def tell(self, listener: Callable[[Alarm], object]) -> None:
        """Have `listener` told of every alarm that is raised or over from now on. It must return at once."""
        self._listeners.append(listener)

    def put(self, name: AlarmName, told: str) -> None:
        """Raise an alarm that says `told`, or end it if that is empty. What is so already is left alone."""
        with self._lock:
            before = self._raised.get(name)
            if (before.told if before else "") == told:
                return
            now = datetime.now(UTC)
            if told:
                changed = self._raised[name] = Alarm(name, before.since if before else now, told)
            else:
                changed = Alarm(name, now, "It is over.", is_over=True)
                del self._raised[name]
        _log.log(logging.INFO if changed.is_over else logging.ERROR, "Alarm %s: %s", name.value, changed.told)
        for listener in self._listeners:
            listener(changed)
