"""Being told who is behind a pseudonym, over HTTP."""

from __future__ import annotations

from starlette.testclient import TestClient

from appliance.audit.entries import PersonNamed
from appliance.audit.verifier import verify as verify_export
from appliance.wiring import Appliance
from tests.api.conftest import Client, approve, officer
from tests.api.test_ask import ask
from tests.api.test_log import pseudonym_of


def test_two_officers_are_told_a_name_once_both_agreed(
    client: Client, second: TestClient, appliance: Appliance
) -> None:
    first, hr = client("compliance"), pseudonym_of(appliance, "hr")
    asked = first.post("/api/compliance/namings", json={"person": hr.lower(), "reason": "Complaint about an answer"})
    assert asked.status_code == 202
    assert first.get("/api/compliance/namings").json() == second.get("/api/compliance/namings").json() == []
    approve(second, hr)
    for one in (first, second):
        (granted,) = one.get("/api/compliance/namings").json()
        assert granted["person"] == hr
        assert '"hr"' not in str(granted)
        told = one.post(f"/api/compliance/namings/{granted['id']}/telling").json()
        assert (told["pseudonym"], told["name"]) == (hr, "hr")
        last = appliance.log.entry(appliance.log.size() - 1).entry
        assert last is not None and isinstance(last, PersonNamed)
        assert (last.pseudonym, last.proposal_id) == (hr, granted["id"])


def test_the_pseudonym_of_a_name_is_told_in_the_same_way(
    client: Client, second: TestClient, appliance: Appliance
) -> None:
    first = client("compliance")
    assert first.post("/api/compliance/namings", json={"person": "Employee", "reason": "Requested by her"}).is_success
    events = first.get("/api/log/events", params={"limit": 5}).json()["events"]
    asked = next(event["detail"] for event in events if event["type"] == "act.proposed")
    assert asked.startswith("employee; ")
    assert pseudonym_of(appliance, "employee") not in asked  # that would be the answer
    approve(second, "employee")
    granted = next(item for item in first.get("/api/compliance/namings").json() if item["person"] == "employee")
    told = first.post(f"/api/compliance/namings/{granted['id']}/telling").json()
    assert told["pseudonym"] == pseudonym_of(appliance, "employee")


def test_what_nobody_has_is_not_asked_for_and_what_was_not_approved_is_not_told(
    client: Client, second: TestClient
) -> None:
    first = client("compliance")
    wanted = {"person": "P-00000-00000", "reason": "Complaint about an answer"}
    assert first.post("/api/compliance/namings", json=wanted).status_code == 404
    unknown = first.post("/api/compliance/namings", json={**wanted, "person": "no-such-name"})
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Nobody signs in with that name.")
    assert all(item["subject"] != "no-such-name" for item in first.get("/api/compliance/proposals").json())
    assert first.post("/api/compliance/namings", json={**wanted, "person": "admin"}).status_code == 202
    proposal = next(item for item in first.get("/api/compliance/proposals").json() if item["subject"] == "admin")
    assert first.post(f"/api/compliance/namings/{proposal['id']}/telling").status_code == 404
    decision = {"approve": False}
    assert second.post(f"/api/compliance/proposals/{proposal['id']}/decision", json=decision).status_code == 200
    assert first.post(f"/api/compliance/namings/{proposal['id']}/telling").status_code == 404


def test_what_the_log_holds_is_taken_out_by_two_officers_and_its_proof_by_one(
    client: Client, second: TestClient, appliance: Appliance
) -> None:
    first = officer(appliance, "third-officer")
    proof = first.get("/api/log/export")
    assert verify_export(proof.text.splitlines()).without_content == appliance.log.size()
    assert first.get("/api/log/export", params={"content": True}).status_code == 403
    query_id = str(ask(client, "employee", "How long are invoices kept?")["query_id"])
    assert first.get("/api/compliance/package", params={"query_id": query_id}).status_code == 403
    case = first.post("/api/compliance/cases", json={"title": "T", "reason": "R", "query_ids": [query_id]}).json()
    assert first.get(f"/api/compliance/cases/{case['id']}/package").status_code == 403
    assert first.post("/api/log/exports", json={"reason": "Handed to the auditor"}).status_code == 202
    for one, own in ((first, True), (second, False)):
        mine = one.get("/api/log/exports/mine").json()
        assert mine["until"] is None
        assert (mine["waits"]["asked_by"], mine["waits"]["own"]) == ("third-officer", own)
    approve(second, "what the log holds")
    assert first.get("/api/log/exports/mine").json()["waits"] is None
    for one in (first, second):
        assert one.get("/api/log/exports/mine").json()["until"] is not None
        whole = one.get("/api/log/export", params={"content": True}).text.splitlines()
        erased = sum('"without":"erased"' in line.replace(" ", "") for line in whole)  # by other tests
        assert verify_export(whole).without_content == erased < len(whole) // 2
        for package in (f"package?query_id={query_id}", f"cases/{case['id']}/package"):
            assert one.get(f"/api/compliance/{package}").headers["content-type"] == "application/zip"


def test_no_other_act_of_an_officer_turns_a_name_into_a_pseudonym(
    client: Client, second: TestClient, appliance: Appliance
) -> None:
    first, admin = client("compliance"), pseudonym_of(appliance, "admin")
    refused = first.post("/api/compliance/rules", json={"selects": "flag", "subject": "admin"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    asked = first.post("/api/compliance/erasures", json={"person": "admin", "reason": "To see what is said of it"})
    assert asked.is_success, asked.text
    told = first.get("/api/log/events", params={"limit": 3}).text
    account = next(person.id for person in appliance.accounts.people() if person.name == "admin")
    assert "Proposed to erase a person" in told
    assert not any(words in told for words in (admin, account))


def test_what_two_officers_were_told_is_not_told_to_a_third(
    client: Client, second: TestClient, appliance: Appliance
) -> None:
    first, admin = client("compliance"), pseudonym_of(appliance, "admin")
    assert first.post(
        "/api/compliance/namings", json={"person": "admin", "reason": "An audit of what was changed"}
    ).is_success
    approve(second, "admin")
    granted = next(item for item in first.get("/api/compliance/namings").json() if item["person"] == "admin")
    assert first.post(f"/api/compliance/namings/{granted['id']}/telling").json()["pseudonym"] == admin
    told = client("compliance").get("/api/log/events", params={"limit": 3}).json()["events"]
    (named,) = (event for event in told if event["type"] == "person.named")
    assert admin not in named["detail"]
