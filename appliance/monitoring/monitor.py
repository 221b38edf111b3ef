"""Watches that everything is recorded, and raises an alarm within a minute when it is not.

Rules this module keeps:

1. Every fifteen seconds it tries whether the log would take an entry. When one could not be written and the log takes
   entries again, an entry says that it had stopped; also when others were written in between, and when nobody looked.
2. Whoever reads an alarm learns what is wrong and what to do, and nothing of an entry.
3. It keeps watching whatever fails.
4. That an alarm was raised, and that it is over, are entries, as soon as the log takes them: weeks without a signature
   can be seen when they are long past. What an alarm says may change while it lasts; that is no entry.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.audit.entries import ITSELF, AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.signing import Signing
from appliance.config.monitoring import MonitoringSettings
from appliance.errors import ApplianceError, AuditBroken, AuditUnavailable
from appliance.monitoring.alarms import TITLES, Alarm, AlarmName, Alarms
from appliance.monitoring.feed import WAITING_ALARMS, Feed, Outlet
from appliance.monitoring.ocsf import OcsfFile
from appliance.monitoring.syslog import Syslog
from appliance.monitoring.tally import Tally
from appliance.monitoring.verification import DailyVerification
from appliance.wording import moment_to_the_second

_log = logging.getLogger(__name__)

RESUMED = "log.resumed"
"""The act on record that says that the log had stopped before."""

RAISED, OVER = "alarm.raised", "alarm.over"
"""The acts on record that say how long an alarm lasted."""

WATCH_EVERY_S = 15.0
_UNVERIFIED_AFTER = timedelta(days=2)
_END_S = 5.0


class Monitor:
    """Everything that watches over one log. Threads may share it."""

    def __init__(
        self, log: QueryLog, signing: Signing, settings: MonitoringSettings, *, watch_every_s: float = WATCH_EVERY_S
    ) -> None:
        """Watch nothing yet.

        Raises:
            ConfigurationError: A feed cannot be set up.
            OSError: Where a feed is cannot be kept.
        """
        self._log = log
        self._signing = signing
        self._watch_every_s = watch_every_s
        self._began = datetime.now(UTC)
        self._failures_told = 0
        self.alarms = Alarms()
        self._to_record: deque[Alarm] = deque(maxlen=WAITING_ALARMS)
        self._on_record: set[AlarmName] = set()
        self.alarms.tell(self._to_record.append)
        self.verification = DailyVerification(log, hour=settings.verify_at_hour)
        self.tally = Tally(log)
        places = log.path.parent / "feeds"
        self._feeds = [Feed(log, outlet, places / f"{outlet.name}.txt") for outlet in _outlets(settings)]
        for feed in self._feeds:
            self.alarms.tell(feed.tell)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    @property
    def log_size(self) -> int:
        """How many entries the log has."""
        return self._log.known_size

    @property
    def feeds(self) -> Sequence[Feed]:
        """The feeds that are set up."""
        return tuple(self._feeds)

    def start(self) -> None:
        """Begin to watch, to verify and to feed."""
        for feed in self._feeds:
            feed.start()
        self.verification.start()
        self._thread.start()

    def close(self) -> None:
        """End all of it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        self.verification.close()
        for feed in self._feeds:
            feed.close()

    def look(self) -> None:
        """Look at everything once, and raise and end alarms."""
        self.alarms.put(AlarmName.LOG_STOPPED, self._why_stopped())
        self.alarms.put(AlarmName.LOG_BROKEN, self._why_broken())
        self.alarms.put(AlarmName.LOG_UNVERIFIED, self._why_unverified())
        self.alarms.put(AlarmName.LOG_UNSIGNED, self._signing.problem)
        self.alarms.put(AlarmName.FEED_STOPPED, self._why_not_fed())
        with contextlib.suppress(AuditUnavailable, AuditBroken):  # the next look says so, and tries again
            self._record_alarms()

    def _run(self) -> None:
        while not self._stop.wait(self._watch_every_s):
            for step in (self.look, self.tally.catch_up):
                self._guarded(step)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except ApplianceError as error:
            _log.error("Watching over the log: %s", error)
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
            _log.error("Watching over the log: %s", type(error).__name__)

    def _why_stopped(self) -> str:
        try:
            self._log.examine()
            self._tell_of_lost_entries()
        except (AuditUnavailable, AuditBroken) as error:
            return str(error)
        return ""

    def _tell_of_lost_entries(self) -> None:
        """Whoever hears of alarms learns of them too, however short it was."""
        failures, problem = self._log.failures, self._log.problem
        if failures > self._failures_told:
            self.alarms.put(AlarmName.LOG_STOPPED, problem)
            self._log.append(AdminAction(ITSELF, RESUMED, "log", problem))
            self._failures_told = failures

    def _record_alarms(self) -> None:
        while self._to_record and AlarmName.LOG_STOPPED not in {alarm.name for alarm in self.alarms.raised}:
            alarm = self._to_record[0]
            if alarm.is_over == (alarm.name in self._on_record):  # not when it only says something else
                act = OVER if alarm.is_over else RAISED
                told = f"{moment_to_the_second(alarm.since)}: {alarm.told}"
                self._log.append(AdminAction(ITSELF, act, TITLES[alarm.name], told))
                self._on_record ^= {alarm.name}
            self._to_record.popleft()

    def _why_broken(self) -> str:
        latest = self.verification.latest
        return latest.told if latest and not latest.ok else ""

    def _why_not_fed(self) -> str:
        return " ".join(feed.state.problem for feed in self._feeds if feed.state.problem)

    def _why_unverified(self) -> str:
        latest = self.verification.latest
        if datetime.now(UTC) - (latest.at if latest else self._began) < _UNVERIFIED_AFTER:
            return ""
        return (
            "The query log was not verified for two days. Verify it (Query log > Verify the log), and see what it says."
        )


def _outlets(settings: MonitoringSettings) -> list[Outlet]:
    outlets: list[Outlet] = []
    if settings.syslog:
        outlets.append(Syslog(settings))
    if settings.ocsf_file:
        outlets.append(OcsfFile(Path(settings.ocsf_file)))
    return outlets
