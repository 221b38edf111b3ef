"""How the log is, for officers, and numbers for Prometheus, over HTTP."""

from __future__ import annotations

from appliance.doctor import Status, examine
from appliance.wiring import Appliance
from tests.api.conftest import PEOPLE, Client
from tests.api.test_ask import ask
from tests.appliance.monitoring.test_monitor import no_room
from tests.appliance.monitoring.test_tally import samples


def test_metrics_count_what_is_asked_and_hold_neither_content_nor_person(client: Client) -> None:
    before = samples(client("admin").get("/api/metrics").text)
    ask(client, "hr", "What does the senior engineer with DE89370400440532013000 earn, Zinnober?")
    told = client("admin").get("/api/metrics")
    after = samples(told.text)
    flag = 'strongroom_flags_total{flag="personal_data.iban"}'
    assert after[flag] == before.get(flag, 0) + 1
    assert after['strongroom_documents{state="indexed"}'] >= 4
    assert after['strongroom_alarm{alarm="log.stopped"}'] == 0
    assert after["strongroom_log_entries"] > before["strongroom_log_entries"]
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for word in ("Zinnober", "DE89", "salaries", "Handbook", "travel", *(f'"{name}"' for name in PEOPLE)):
        assert word not in told.text


def test_an_officer_sees_the_alarm_of_a_log_that_stopped_and_an_admin_does_too(
    appliance: Appliance, client: Client
) -> None:
    officer, admin = client("compliance"), client("admin")
    with no_room():
        appliance.monitor.look()  # what its thread does every fifteen seconds
    (alarm,) = officer.get("/api/log/condition").json()["alarms"]
    assert (alarm["name"], alarm["title"]) == ("log.stopped", "Nothing is recorded")
    assert "not usable" in alarm["told"]
    checks = {check["name"]: check for check in admin.get("/api/health").json()["checks"]}
    assert checks["alarms"]["status"] == "error"
    assert 'strongroom_alarm{alarm="log.stopped"} 1' in admin.get("/api/metrics").text
    appliance.monitor.look()
    assert officer.get("/api/log/condition").json()["alarms"] == []


def test_the_latest_verification_is_shown_to_the_officer_and_by_the_doctor(
    appliance: Appliance, client: Client
) -> None:
    officer = client("compliance")
    verified = officer.post("/api/log/verify").json()
    assert verified["ok"]
    condition = officer.get("/api/log/condition").json()
    assert condition["verified"] == verified
    assert condition["verify_at_hour"] == 3
    found = {check.name: check for check in examine(appliance)}["verification of the log"]
    assert (found.status, "no fault in the" in found.detail) == (Status.OK, True)


def test_to_ask_how_the_log_is_reads_nothing_of_it_and_leaves_no_entry(appliance: Appliance, client: Client) -> None:
    officer = client("compliance")
    size = appliance.log.size()
    officer.get("/api/log/condition")
    assert appliance.log.size() == size
