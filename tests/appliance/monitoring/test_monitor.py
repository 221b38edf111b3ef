"""When the log stops, or does not verify, an alarm says so; and it says so too when that is over."""

from __future__ import annotations

import json
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.audit import signer, signing
from appliance.audit.entries import AdminAction, LogRead, SignInFailed
from appliance.audit.keys import keys_path
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.audit.signing import Signing
from appliance.audit.sqlite import PATIENCE_S
from appliance.config.monitoring import MonitoringSettings
from appliance.errors import AuditUnavailable
from appliance.monitoring.alarms import TITLES, Alarm, AlarmName, Alarms
from appliance.monitoring.monitor import OVER as ALARM_OVER
from appliance.monitoring.monitor import RAISED as ALARM_RAISED
from appliance.monitoring.monitor import RESUMED, WATCH_EVERY_S, Monitor
from appliance.monitoring.syslog import TIMEOUT_S
from appliance.monitoring.verification import NOT_VERIFIED, VERIFIED, DailyVerification
from tests.appliance.monitoring.conftest import fill
from tests.appliance.monitoring.receivers import Receiver

BUSY_S = 0.05


class Signed:
    """Stands for the signing of the log, whose process no alarm but one is about."""

    problem = ""


Watching = Callable[..., Monitor]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[QueryLog]:
    with QueryLog(tmp_path / "log" / "queries.db", busy_timeout_s=BUSY_S) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def watching(log: QueryLog) -> Iterator[Watching]:
    made: list[Monitor] = []

    def monitor(settings: MonitoringSettings = MonitoringSettings(), signing: Signed = Signed()) -> Monitor:
        made.append(Monitor(log, signing, settings, watch_every_s=0.05))  # type: ignore[arg-type]
        return made[-1]

    yield monitor
    for one in made:
        one.close()


def raised(monitor: Monitor) -> list[str]:
    monitor.look()
    return [alarm.name.value for alarm in monitor.alarms.raised]


def acts(log: QueryLog) -> list[str]:
    """Every act on record, in its order."""
    found = reversed(log.entries(LogFilter(type=AdminAction.type)))
    return [recorded.entry.action for recorded in found if isinstance(recorded.entry, AdminAction)]


@contextmanager
def locked(log: QueryLog) -> Iterator[None]:
    """Another program that keeps the log locked."""
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def no_room() -> Iterator[None]:
    """A disk that takes no more than a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_is_well_raises_no_alarm(watching: Watching) -> None:
    assert raised(watching()) == []


def test_a_look_and_what_it_may_have_to_wait_for_take_less_than_a_minute() -> None:
    assert WATCH_EVERY_S + 2 * PATIENCE_S + TIMEOUT_S < 60  # the log waits for a lock, twice; a feed for its receiver
    the_signer = signing.LOOK_EVERY_S + signing.STARTING_S + 2 * (2 * signer.PATIENCE_S)  # looked at, then tried
    assert WATCH_EVERY_S + the_signer < 60


def test_a_log_that_another_program_keeps_locked_raises_an_alarm_until_it_is_free(
    log: QueryLog, watching: Watching
) -> None:
    monitor = watching()
    with locked(log):
        assert raised(monitor) == ["log.stopped"]
        assert "another program keeps it locked" in monitor.alarms.raised[0].told
    assert raised(monitor) == []


def test_a_disk_without_room_raises_an_alarm_before_an_entry_is_lost(log: QueryLog, watching: Watching) -> None:
    monitor, size = watching(), log.size()
    with no_room():
        assert raised(monitor) == ["log.stopped"]
    assert raised(monitor) == []
    assert acts(log)[-2:] == [ALARM_RAISED, ALARM_OVER]
    assert log.size() == size + 2
    assert sorted(path.name for path in log.path.parent.glob("*.room")) == []


def test_a_log_that_was_exchanged_raises_an_alarm(log: QueryLog, watching: Watching, tmp_path: Path) -> None:
    monitor = watching()
    (tmp_path / "other.db").write_bytes(b"")
    log.path.rename(tmp_path / "kept.db")
    (tmp_path / "other.db").rename(log.path)
    assert "log.stopped" in raised(monitor)
    assert "exchanged" in monitor.alarms.raised[0].told
    log.path.unlink()
    (tmp_path / "kept.db").rename(log.path)


def test_an_entry_that_could_not_be_written_is_told_of_in_the_log_itself_later(
    log: QueryLog, watching: Watching
) -> None:
    monitor = watching()
    with locked(log), pytest.raises(AuditUnavailable):
        log.append(LogRead("u1", "events"))
    before = log.size()
    assert raised(monitor) == []
    entry = log.entry(before).entry
    assert isinstance(entry, AdminAction)
    assert (entry.action, "locked" in entry.detail) == (RESUMED, True)
    monitor.look()
    assert acts(log).count(RESUMED) == 1  # not once more: the problem is over


def test_an_entry_that_was_lost_is_told_of_although_the_next_one_was_written_before_anybody_looked(
    log: QueryLog, watching: Watching
) -> None:
    monitor, told = watching(), list[Alarm]()
    monitor.alarms.tell(told.append)
    with locked(log), pytest.raises(AuditUnavailable):
        log.append(LogRead("u1", "events"))
    log.append(LogRead("u2", "events"))
    assert raised(monitor) == []
    assert [(alarm.name.value, alarm.is_over) for alarm in told] == [("log.stopped", False), ("log.stopped", True)]
    assert "locked" in told[0].told
    assert acts(log)[-3:] == [RESUMED, ALARM_RAISED, ALARM_OVER]


def test_a_log_that_does_not_verify_raises_an_alarm_until_it_does(log: QueryLog, watching: Watching) -> None:
    monitor = watching()
    assert monitor.verification.run().ok
    _alter(log, 4)
    found = monitor.verification.run()
    assert (found.ok, found.first_bad) == (False, 4)
    assert raised(monitor) == ["log.broken"]
    assert "Entry 4" in monitor.alarms.raised[0].told


def test_a_log_that_nobody_verified_for_two_days_raises_an_alarm(log: QueryLog, watching: Watching) -> None:
    monitor = watching()
    monitor.verification.run()
    path = log.path.with_name("queries.verified.json")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "at": (datetime.now(UTC) - timedelta(days=3)).isoformat()}))
    assert raised(watching()) == ["log.unverified"]


def test_a_signer_that_does_not_sign_raises_an_alarm(watching: Watching) -> None:
    signing = Signed()
    signing.problem = "The signer is away."
    assert raised(watching(signing=signing)) == ["log.unsigned"]


def test_how_long_an_alarm_lasted_is_on_record_whatever_it_said_meanwhile(log: QueryLog, watching: Watching) -> None:
    signing = Signed()
    monitor = watching(signing=signing)
    for problem in ("The signer is away.", "The signer is away.", "It refuses.", "", ""):
        signing.problem = problem
        monitor.look()
    found = [log.entry(seq).entry for seq in range(log.size() - 2, log.size())]
    assert all(isinstance(entry, AdminAction) and entry.actor == "appliance" for entry in found)
    told = [(entry.action, entry.subject, entry.detail) for entry in found if isinstance(entry, AdminAction)]
    assert [act[:2] for act in told] == [
        (ALARM_RAISED, "Checkpoints are not signed"),
        (ALARM_OVER, "Checkpoints are not signed"),
    ]
    assert told[0][2].endswith("UTC: The signer is away.")
    assert acts(log).count(ALARM_RAISED) == 1


def test_an_alarm_about_the_log_waits_until_the_log_takes_it(log: QueryLog, watching: Watching) -> None:
    monitor, size = watching(), log.size()
    with locked(log):
        assert raised(monitor) == ["log.stopped"]
        assert raised(monitor) == ["log.stopped"]
        since = monitor.alarms.raised[0].since
    assert raised(monitor) == []
    entry = log.entry(size).entry
    assert isinstance(entry, AdminAction)
    assert f"{since:%H:%M:%S}" in entry.detail
    assert (acts(log)[-2:], log.failures) == ([ALARM_RAISED, ALARM_OVER], 0)


def test_an_alarm_is_told_once_and_so_is_its_end() -> None:
    alarms, told = Alarms(), list[Alarm]()
    alarms.tell(told.append)
    for what in ("", "The disk is full.", "The disk is full.", "It is locked.", "", ""):
        alarms.put(AlarmName.LOG_STOPPED, what)
    assert [(alarm.told, alarm.is_over) for alarm in told] == [
        ("The disk is full.", False),
        ("It is locked.", False),
        ("It is over.", True),
    ]
    assert told[0].since == told[1].since


@pytest.mark.integration
def test_a_running_monitor_tells_the_feed_of_an_alarm_and_of_its_end(log: QueryLog, watching: Watching) -> None:
    receiver = Receiver("tcp")
    monitor = watching(MonitoringSettings(syslog=f"tcp://127.0.0.1:{receiver.port}"))
    monitor.start()
    with locked(log):
        (alarm, *_) = receiver.messages(1)
    assert (alarm["id"], alarm["alarm"], alarm["state"]) == ("alarm", "log.stopped", "raised")
    messages = receiver.messages(4)  # the alarm, its end, and the entries about both
    assert [message["state"] for message in messages if message["id"] == "alarm"] == ["raised", "over"]
    assert [message.get("act") for message in messages if message["id"] != "alarm"] == [ALARM_RAISED, ALARM_OVER]
    receiver.hang_up()


@pytest.mark.integration
def test_a_feed_that_stands_still_raises_an_alarm(watching: Watching) -> None:
    receiver = Receiver("tcp")
    receiver.hang_up()
    monitor = watching(MonitoringSettings(syslog=f"tcp://127.0.0.1:{receiver.port}"))
    monitor.start()
    deadline = time.monotonic() + 10
    while not monitor.alarms.raised and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [alarm.name.value for alarm in monitor.alarms.raised] == ["feed.stopped"]


@pytest.mark.integration
def test_a_signer_that_is_started_signs_and_raises_no_alarm(log: QueryLog, tmp_path: Path) -> None:
    with closing(Signing(log, tmp_path / "signer")) as own:
        deadline = time.monotonic() + 20
        while not list(log.path.parent.glob("checkpoints/*.signed.txt")) and time.monotonic() < deadline:
            time.sleep(0.05)
        with closing(Monitor(log, own, MonitoringSettings())) as monitor:
            assert raised(monitor) == []


# the daily verification


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        ("2026-03-01T03:00", "2026-03-01T23:59", False),
        ("2026-03-01T03:00", "2026-03-02T02:59", False),
        ("2026-03-01T03:00", "2026-03-02T03:00", True),
        ("2026-03-01T14:00", "2026-03-02T02:00", False),
        ("2026-03-01T14:00", "2026-03-02T04:00", True),
        ("2026-02-01T03:00", "2026-03-02T01:00", True),
        (None, "2026-03-02T01:00", True),
        ("2031-01-01T03:00", "2026-03-02T04:00", True),  # the clock was wrong
    ],
)
def test_it_is_due_when_the_hour_has_come_since_the_last_time(
    log: QueryLog, last: str | None, now: str, due: bool
) -> None:
    if last:
        kept = {"at": f"{last}+00:00", "ok": True, "size": 1, "root": "", "first_bad": None, "told": ""}
        log.path.with_name("queries.verified.json").write_text(json.dumps(kept))
    moment = datetime.fromisoformat(f"{now}+00:00")
    assert DailyVerification(log, hour=3, now=lambda: moment).is_due is due


def test_its_result_is_kept_and_on_record(log: QueryLog) -> None:
    verification = DailyVerification(log, hour=3)
    assert verification.latest is None
    verification.run_by_itself()
    assert verification.latest == DailyVerification(log, hour=3).latest
    assert verification.latest is not None
    assert (verification.latest.ok, verification.latest.size) == (True, log.size() - 1)
    entry = log.entry(log.size() - 1).entry
    assert isinstance(entry, AdminAction)
    assert (entry.actor, entry.action) == ("appliance", VERIFIED)
    _alter(log, 4)
    verification.run_by_itself()
    latest = DailyVerification(log, hour=3).latest
    assert latest is not None
    assert (latest.ok, latest.first_bad) == (False, 4)
    last = log.entry(log.size() - 1).entry
    assert isinstance(last, AdminAction)
    assert last.action == NOT_VERIFIED


def test_a_result_that_cannot_be_read_counts_for_none(log: QueryLog) -> None:
    log.path.with_name("queries.verified.json").write_text("{}")
    assert DailyVerification(log, hour=3).latest is None


def _alter(log: QueryLog, seq: int) -> None:
    """Change one bit of what an entry holds, as somebody with the file can."""
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        triggers = [name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            other.execute(f"DROP TRIGGER {name}")
        (payload,) = other.execute("SELECT payload FROM payloads WHERE seq = ?", (seq,)).fetchone()
        other.execute("UPDATE payloads SET payload = ? WHERE seq = ?", (bytes([payload[0] ^ 1]) + payload[1:], seq))


def test_every_alarm_is_called_something_and_the_manual_knows_it() -> None:
    assert set(TITLES) == set(AlarmName)
    manual = (Path(__file__).parents[3] / "docs" / "operations" / "monitoring.md").read_text("utf-8")
    for name, title in TITLES.items():
        assert f"| `{name.value}` | {title} |" in manual


def test_a_refused_sign_in_that_cannot_be_put_on_record_is_told_too(log: QueryLog, watching: Watching) -> None:
    monitor, path = watching(), keys_path(log.path)
    away = path.rename(path.with_name("away"))
    with pytest.raises(AuditUnavailable, match="keys of the query log were exchanged"):
        log.append_refusal(SignInFailed("", "ab"))
    away.rename(path)
    monitor.look()
    assert log.failures == 1
    assert acts(log)[-3:] == [RESUMED, ALARM_RAISED, ALARM_OVER]
    assert log.append_refusal(SignInFailed("", "ab")).seq
