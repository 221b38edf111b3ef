"""Data protection over the API, with two officers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import LogRead
from appliance.audit.records import LogFilter
from appliance.config import RetentionSettings
from appliance.domain import Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance
from tests.api import conftest
from tests.api.conftest import BASE, PASSWORD, Client, events

REASON = {"reason": "There is a good reason."}


@pytest.fixture(scope="module")
def second(appliance: Appliance) -> TestClient:
    """A second officer, who has not opened the log."""
    appliance.accounts.add("officer-3", PASSWORD, (Role.COMPLIANCE,), ())
    made = TestClient(create_headless_app(appliance), base_url=BASE)
    made.cookies.set(SESSION_COOKIE, appliance.sessions.sign_in("officer-3", PASSWORD, "127.0.0.1").token)
    return made


def asked(client: Client, words: str) -> str:
    answer = client("hr").post("/api/ask", json={"question": words})
    return str(json.loads(dict(events(answer))["started"])["query_id"])


def approve(officer: TestClient, proposal_id: str) -> None:
    answer = officer.post(f"/api/compliance/proposals/{proposal_id}/decision", json={"approve": True})
    assert answer.status_code == 200, answer.text


def test_a_hold_keeps_an_erasure_waiting_until_two_officers_release_it(
    appliance: Appliance, client: Client, second: TestClient
) -> None:
    first, words = client("compliance"), "How much may a hotel cost in the Ultramarin project?"
    query_id = asked(client, words)
    hold = first.post("/api/compliance/holds", json={"person": "hr", **REASON})
    assert (hold.status_code, hold.json()["person"]) == (201, "hr")
    order = first.post("/api/compliance/erasures", json={"person": "hr", **REASON})
    assert order.status_code == 202, order.text
    month = order.json()["held"]
    assert month == [f"{datetime.now(UTC):%Y-%m}"]
    proposals = second.get("/api/compliance/proposals").json()
    [proposed] = [one for one in proposals if one["id"] == order.json()["proposal_id"]]
    assert f"A legal hold keeps {month[0]} until two officers release it" in proposed["about"]
    approve(second, order.json()["proposal_id"])
    (waiting,) = first.get("/api/compliance/erasures").json()
    assert waiting["completed_at"] is None
    assert waiting["held"] == month
    assert waiting["person"] == "hr"
    assert words in first.get(f"/api/log/queries/{query_id}").text
    certificate = f"/api/compliance/erasures/{waiting['id']}/certificate"
    assert first.get(certificate).status_code == 409
    release = first.post(f"/api/compliance/holds/{hold.json()['id']}/release", json=REASON)
    approve(second, release.json()["proposal_id"])
    assert first.get("/api/compliance/holds").json() == []
    assert words not in first.get(f"/api/log/queries/{query_id}").text
    assert "erased" in first.get(f"/api/log/queries/{query_id}").json()["question"]
    assert client("hr").get("/api/conversations").json() == []
    pdf = first.get(certificate)
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    facts = first.get(certificate, params={"form": "json"}).json()
    assert facts["account"] == waiting["account"]
    assert facts["log_entries_erased"] >= 3
    assert "officer" not in json.dumps(facts)
    read = [item.entry for item in appliance.log.entries(LogFilter(type=LogRead.type), limit=10)]
    taken = [entry for entry in read if isinstance(entry, LogRead) and "certificate" in entry.what]
    assert [entry.what for entry in taken] == [f"the certificate of the erasure {waiting['id']}"] * 2
    assert first.post("/api/log/verify").json()["ok"]
    files = [path for path in appliance.folder.path.rglob("*") if path.is_file()]
    assert [path for path in files if words.encode() in path.read_bytes()] == []


def test_everything_about_a_person_comes_as_a_file_for_programs_and_for_people(
    client: Client, appliance: Appliance, second: TestClient
) -> None:
    asked(client, "How long are invoices kept?")
    officer = conftest.officer(appliance, "officer-of-subjects")
    for name in ("hr", "hr/account", "nobody", "nobody/account"):  # nor whether there is somebody of that name
        assert officer.get(f"/api/log/subjects/{name}").status_code == 403
    assert officer.post("/api/log/exports", json={"reason": "She asked for it"}).status_code == 202
    (waiting,) = [item for item in second.get("/api/compliance/proposals").json() if item["act"] == "log.exported"]
    for opened in ("whole query log", "evidence packages", "everything about every person"):
        assert opened in waiting["about"]
    conftest.approve(second, "what the log holds")
    officer.get("/api/log/queries", params={"person": appliance.pseudonyms.of(appliance.accounts.named("hr").id)})
    found = officer.get("/api/log/subjects/HR")
    assert found.headers["content-disposition"] == 'attachment; filename="subject-access.json"'
    facts = found.json()
    assert facts["account"]["name"] == "hr"
    assert "question.received" in {entry["type"] for entry in facts["own_entries"]}
    assert officer.get("/api/log/subjects/hr", params={"form": "pdf"}).content[:5] == b"%PDF-"
    assert officer.get("/api/log/subjects/HR/account").json() == {"name": "hr", "display_name": "hr"}
    for name in ("nobody", "nobody/account"):
        unknown = officer.get(f"/api/log/subjects/{name}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        assert "There is nobody with this name." in unknown.text
    about = [each for each in facts["entries_by_others"] if "everything about" in each["content"].get("what", "")]
    assert [each["why"] for each in about] == ["Tests of the compliance desk"]
    assert any("matching person 'P-" in each["content"].get("what", "") for each in facts["entries_by_others"])
    latest = officer.get("/api/log/events").text
    assert "everything about the account somebody" in latest
    assert "whether there is an account of a name" in latest
    assert facts["account"]["id"] not in latest


def test_who_is_unknown_cannot_be_held_or_erased(client: Client) -> None:
    officer = client("compliance")
    assert officer.post("/api/compliance/holds", json={"person": "nobody", **REASON}).status_code == 404
    assert officer.post("/api/compliance/erasures", json={"person": "nobody", **REASON}).status_code == 404
    assert officer.post("/api/compliance/holds", json={"since": "March", **REASON}).status_code == 422


def test_an_officer_sees_that_nothing_expires_without_a_profile(client: Client) -> None:
    assert client("compliance").get("/api/compliance/retention").json() == {
        "profile": "", "months": None, "groups": [], "notice_days": 7, "coming": [], "problems": [],
    }  # fmt: skip


def test_an_officer_sees_the_profiles_of_groups(
    client: Client, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RetentionSettings(profile="standard", groups={"trading": "bank"})
    monkeypatch.setattr(appliance.protection.retention, "settings", settings)
    told = client("compliance").get("/api/compliance/retention").json()
    assert (told["profile"], told["months"]) == ("standard", 6)
    assert told["groups"] == [{"group": "trading", "profile": "bank", "months": 60}]
