"""Feeds over real sockets: nothing of content leaves, nothing is lost, and no answer waits for them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.audit.entries import LogRead
from appliance.audit.log import QueryLog
from appliance.config.monitoring import MonitoringSettings
from appliance.errors import ConfigurationError
from appliance.monitoring.alarms import Alarm, AlarmName
from appliance.monitoring.feed import WAITING_ALARMS, Feed
from appliance.monitoring.ocsf import VERSION, OcsfFile
from appliance.monitoring.syslog import Syslog
from tests.appliance.monitoring.conftest import SECRETS, entries, fill
from tests.appliance.monitoring.receivers import Receiver, certified

pytestmark = pytest.mark.integration

ALARM = Alarm(AlarmName.LOG_STOPPED, datetime(2026, 1, 2, tzinfo=UTC), 'The disk is "full"; free some space.]')
Feeding = Callable[..., Feed]


@pytest.fixture
def feeding(log: QueryLog, tmp_path: Path) -> Iterator[Feeding]:
    begun: list[Feed] = []

    def feed(address: str, ca_file: str = "") -> Feed:
        outlet = Syslog(MonitoringSettings(syslog=address, syslog_ca_file=ca_file))
        made = Feed(log, outlet, tmp_path / "feeds" / "syslog.txt", look_every_s=0.05)
        begun.append(made)
        return made

    yield feed
    for one in begun:
        one.close()


def numbers(receiver: Receiver, count: int) -> list[int]:
    return [int(message["seq"]) for message in receiver.messages(count)]


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls", "unix"])
def test_every_entry_arrives_in_order_without_what_it_holds(
    kind: str, log: QueryLog, feeding: Feeding, tmp_path: Path
) -> None:
    context, ca = certified(tmp_path) if kind == "tls" else (None, "")
    path = tmp_path / "dev-log" if kind == "unix" else None
    receiver = Receiver(kind, path=path, tls=context)
    feed = feeding(f"unix://{path}" if path else f"{kind}://127.0.0.1:{receiver.port}", str(ca))
    feed.start()
    fill(log)
    found = receiver.messages(len(entries()))
    assert [int(message["seq"]) for message in found] == list(range(len(entries())))
    assert [message["id"] for message in found] == [entry.type for entry in entries()]
    assert found[4]["flags"] == "personal_data.iban,no_citation"
    assert (found[4]["query"], found[4]["kind"], found[5]["code"]) == ("q1", "generated", "internal")
    assert found[6]["act"] == "source.added"
    assert found[3]["leaf"] == log.inclusion_proof(3).leaf_hash.hex()
    assert found[1]["actor"] == found[3]["actor"] != found[2]["actor"]
    sent = b"".join(receiver.lines).decode("ascii")
    assert [secret for secret in SECRETS if secret in sent] == []
    receiver.hang_up()


def test_severity_tells_flags_and_refused_sign_ins_from_the_rest(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("udp")
    feeding(f"udp://127.0.0.1:{receiver.port}").start()
    fill(log)
    severities = [int(message["pri"]) - 13 * 8 for message in receiver.messages(7)]
    assert severities == [6, 6, 4, 6, 5, 5, 6]
    receiver.hang_up()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_after_an_outage_it_goes_on_from_where_it_was(
    kind: str, log: QueryLog, feeding: Feeding, tmp_path: Path
) -> None:
    context, ca = certified(tmp_path) if kind == "tls" else (None, "")
    receiver = Receiver(kind, tls=context)
    feed = feeding(f"{kind}://127.0.0.1:{receiver.port}", str(ca))
    feed.start()
    fill(log)
    assert len(receiver.messages(7)) == 7
    receiver.hang_up()
    fill(log)
    deadline = time.monotonic() + 20
    while not feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "nothing is lost" in feed.state.problem
    assert feed.state.behind == 7
    receiver.listen()
    fill(log)
    assert sorted(set(numbers(receiver, 21))) == list(range(21))
    receiver.hang_up()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_receiver_that_hangs_up_is_noticed_although_there_is_nothing_to_send(
    kind: str, feeding: Feeding, tmp_path: Path
) -> None:
    context, ca = certified(tmp_path) if kind == "tls" else (None, "")
    receiver = Receiver(kind, tls=context)
    feed = feeding(f"{kind}://127.0.0.1:{receiver.port}", str(ca))
    feed.start()
    deadline = time.monotonic() + 20
    while not receiver.lines and time.monotonic() < deadline:  # that it is alive
        time.sleep(0.02)
    assert feed.state.problem == ""
    receiver.hang_up()
    while not feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "stands still" in feed.state.problem
    receiver.listen()
    while feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert feed.state.problem == ""
    receiver.hang_up()


def test_after_a_restart_it_goes_on_from_where_it_was(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("tcp")
    address = f"tcp://127.0.0.1:{receiver.port}"
    first = feeding(address)
    first.start()
    fill(log)
    assert numbers(receiver, 7) == list(range(7))
    first.close()
    fill(log)
    feeding(address).start()
    assert numbers(receiver, 14) == list(range(14))
    receiver.hang_up()


def test_it_begins_with_what_comes_after_it_was_set_up(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("tcp")
    fill(log)
    feeding(f"tcp://127.0.0.1:{receiver.port}").start()
    log.append(LogRead("u1", "events"))
    assert numbers(receiver, 1) == [7]
    receiver.hang_up()


def test_a_receiver_that_is_away_holds_up_nothing(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("tcp")
    port = receiver.port
    receiver.hang_up()
    feed = feeding(f"tcp://127.0.0.1:{port}")
    feed.start()
    for _ in range(200):
        log.append(LogRead("u1", "events"))
    assert (log.size(), feed.state.behind, feed.state.sent) == (200, 200, 0)


def test_alarms_come_first_are_bounded_and_what_is_lost_is_counted(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("tcp")
    feed = feeding(f"tcp://127.0.0.1:{receiver.port}")
    for _ in range(WAITING_ALARMS + 3):
        feed.tell(ALARM)
    fill(log)
    feed.start()
    found = receiver.messages(WAITING_ALARMS + 7)
    assert [message["id"] for message in found[: WAITING_ALARMS + 1]] == ["alarm"] * WAITING_ALARMS + ["log.opened"]
    assert (found[0]["alarm"], found[0]["state"], found[0]["told"]) == ("log.stopped", "raised", ALARM.told)
    assert int(found[0]["pri"]) == 13 * 8 + 1
    assert feed.state.lost == 3
    receiver.hang_up()


def test_a_line_says_that_the_feed_is_alive_and_how_far_the_log_is(log: QueryLog, feeding: Feeding) -> None:
    receiver = Receiver("udp")
    log.append(LogRead("u1", "events"))
    feeding(f"udp://127.0.0.1:{receiver.port}").start()
    deadline = time.monotonic() + 10
    while not receiver.lines and time.monotonic() < deadline:
        time.sleep(0.02)
    assert f'size="1" root="{log.root().hex()}"'.encode() in receiver.lines[0]
    receiver.hang_up()


def test_a_receiver_that_nobody_vouches_for_is_told_nothing(log: QueryLog, feeding: Feeding, tmp_path: Path) -> None:
    context, _ = certified(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    receiver = Receiver("tls", tls=context)
    feed = feeding(f"tls://127.0.0.1:{receiver.port}", str(certified(other)[1]))
    feed.start()
    fill(log)
    deadline = time.monotonic() + 10
    while not feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "CERTIFICATE_VERIFY_FAILED" in feed.state.problem
    assert receiver.lines == []
    receiver.hang_up()


def test_a_name_that_leads_out_of_the_house_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 601))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: outside)
    with pytest.raises(ConfigurationError, match="private network"):
        Syslog(MonitoringSettings(syslog="tcp://siem.example")).send([b"x"])


@pytest.mark.parametrize(
    "address",
    [
        "tcp://8.8.8.8:601", "udp://[2606:4700::1111]", "http://10.0.0.5", "tcp://", "tcp://10.0.0.5:0", "unix://log",
        "tcp://10.0.0.5/x", "tcp://a@10.0.0.5", "tcp://10.0.0.5:70000", "udp://224.0.0.1", "udp://0.0.0.0", "10.0.0.5",
    ],
)  # fmt: skip
def test_addresses_outside_of_the_house_and_other_nonsense_are_refused_at_the_start(address: str) -> None:
    with pytest.raises(ValueError, match="syslog"):
        MonitoringSettings(syslog=address)


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("tcp://10.0.0.5", ("10.0.0.5", 601)),
        ("tls://siem.example.internal:6515", ("siem.example.internal", 6515)),
        ("udp://[fd00::5]", ("fd00::5", 514)),
        ("tls://192.168.1.1", ("192.168.1.1", 6514)),
    ],
)
def test_addresses_of_the_house_are_taken_with_the_usual_ports(address: str, called: tuple[str, int]) -> None:
    assert MonitoringSettings(syslog=address).syslog_address == called


# OCSF

_ALWAYS = {"time", "severity_id", "metadata", "category_uid", "class_uid", "activity_id", "type_uid"}
_REQUIRED = {
    3002: _ALWAYS | {"user", "service"},
    6002: _ALWAYS | {"app"},
    6003: _ALWAYS | {"api", "actor", "src_endpoint"},
    2004: _ALWAYS | {"finding_info"},
}
"""What version 1.8.0 of the schema requires of each class; of Authentication, one of two."""


def ocsf(path: Path, count: int) -> list[dict[str, object]]:
    deadline = time.monotonic() + 20
    while True:
        lines = path.read_text("ascii").splitlines() if path.exists() else []
        found = [event for event in map(json.loads, lines) if event.get("api", {}).get("operation") != "feed.alive"]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


@pytest.fixture
def filing(log: QueryLog, tmp_path: Path) -> Iterator[tuple[Feed, Path]]:
    path = tmp_path / "siem" / "events.jsonl"
    path.parent.mkdir()
    feed = Feed(log, OcsfFile(path), tmp_path / "feeds" / "ocsf.txt", look_every_s=0.05)
    yield feed, path
    feed.close()


def test_events_have_what_their_class_requires_and_nothing_of_content(log: QueryLog, filing: tuple[Feed, Path]) -> None:
    feed, path = filing
    feed.tell(ALARM)
    feed.start()
    fill(log)
    found = ocsf(path, 8)
    assert [event["class_uid"] for event in found] == [2004, 6002, 3002, 3002, 6003, 6003, 6003, 6003]
    for event in found:
        assert not _REQUIRED[int(str(event["class_uid"]))] - event.keys()
        assert event["type_uid"] == int(str(event["class_uid"])) * 100 + int(str(event["activity_id"]))
        assert int(str(event["class_uid"])) // 1000 == event["category_uid"]
        metadata = event["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["version"] == VERSION
        assert metadata["product"]["name"] == "Strongroom"
    assert found[5]["metadata"]["labels"] == ["personal_data.iban", "no_citation"]  # type: ignore[index]
    assert found[7]["api"] == {"operation": "admin.action/source.added"}
    assert (found[3]["status_id"], found[6]["status_code"]) == (2, "internal")
    told = path.read_text("ascii")
    assert [secret for secret in SECRETS if secret in told] == []


def test_a_file_that_was_rotated_away_is_begun_anew(log: QueryLog, filing: tuple[Feed, Path]) -> None:
    feed, path = filing
    feed.start()
    fill(log)
    assert len(ocsf(path, 7)) == 7
    path.rename(path.with_suffix(".1"))
    fill(log)
    assert [event["metadata"]["sequence"] for event in ocsf(path, 7)] == list(range(7, 14))  # type: ignore[index]


def test_a_folder_that_goes_is_noticed_although_there_is_nothing_to_send(filing: tuple[Feed, Path]) -> None:
    feed, path = filing
    feed.start()
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:  # it said that it is alive
        time.sleep(0.02)
    path.parent.rename(path.parent.with_name("elsewhere"))
    while not feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "No such file" in feed.state.problem
    path.parent.with_name("elsewhere").rename(path.parent)


def test_a_folder_that_is_missing_is_said_and_made_up_for(log: QueryLog, filing: tuple[Feed, Path]) -> None:
    feed, path = filing
    path.parent.rmdir()
    feed.start()
    fill(log)
    deadline = time.monotonic() + 10
    while not feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "No such file" in feed.state.problem
    path.parent.mkdir()
    assert len(ocsf(path, 7)) == 7
    while feed.state.problem and time.monotonic() < deadline:
        time.sleep(0.02)
    assert feed.state.problem == ""
