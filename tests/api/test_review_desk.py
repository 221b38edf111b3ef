"""Review queue, cases and evidence packages over HTTP, with two officers."""

from __future__ import annotations

import contextlib
import io
import re
import sqlite3
import zipfile
from typing import Any

import pytest
from pypdf import PdfReader
from starlette.testclient import TestClient

from appliance.audit import verifier
from appliance.audit.entries import LogExported, LogRead
from appliance.audit.telling import DAMAGED
from appliance.wiring import Appliance
from tests.api.conftest import BASE, PASSWORD, Client, approve
from tests.api.test_ask import ask

QUESTION = "What may a hotel in Zurich cost?"


@pytest.fixture
def drawn(client: Client) -> str:
    """The id of a question whose answer was drawn."""
    officer = client("compliance")
    made = officer.post("/api/compliance/rules", json={"selects": "all"})
    assert made.status_code == 201, made.text
    query_id = str(ask(client, "employee", QUESTION)["query_id"])
    assert officer.delete(f"/api/compliance/rules/{made.json()['id']}").status_code == 204
    assert query_id in reviews(officer, "waiting")
    return query_id


def reviews(officer: Any, state: str) -> dict[str, Any]:
    found = officer.get("/api/compliance/reviews", params={"state": state, "limit": 100}).json()
    return {review["query_id"]: review for review in found["reviews"]}


def _paper(package: bytes) -> str:
    """The words of the paper in an evidence package, its lines joined."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        pages = PdfReader(io.BytesIO(archive.read("report.pdf"))).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def agree_to_take_out(officer: TestClient, other: TestClient) -> None:
    granted = [each.get("/api/log/exports/mine").json()["until"] for each in (officer, other)]
    if None in granted:  # one of them may have agreed on it with somebody else, in another test
        assert officer.post("/api/log/exports", json={"reason": "Handed to the auditor"}).status_code == 202
        approve(other, "what the log holds")


def test_rules_are_made_listed_in_words_and_ended(client: Client, appliance: Appliance) -> None:
    officer = client("compliance")
    (source,) = appliance.catalog.sources()
    made = officer.post(
        "/api/compliance/rules", json={"selects": "source", "subject": source.id, "share_percent": 12.5}
    ).json()
    listed = officer.get("/api/compliance/rules").json()
    assert listed["rules"] == [made]
    assert (made["words"], made["share_percent"]) == (f"12.5 % of the answers that cite {source.name}", 12.5)
    assert {"id": source.id, "name": source.name} in listed["sources"]
    assert "personal_data.iban" in listed["flags"]
    assert "secret" not in str(listed)
    assert officer.delete(f"/api/compliance/rules/{made['id']}").status_code == 204
    assert officer.get("/api/compliance/rules").json()["rules"] == []
    for wrong in (
        {"selects": "source", "subject": "unknown"},
        {"selects": "all", "share_percent": 0},
        {"selects": "x"},
    ):
        assert officer.post("/api/compliance/rules", json=wrong).status_code in (404, 422)


def test_what_was_drawn_is_shown_without_whose_it_is(client: Client, drawn: str, appliance: Appliance) -> None:
    before = appliance.log.size()
    review = reviews(client("compliance"), "waiting")[drawn]
    assert review["question"] == QUESTION
    assert "240 CHF" in review["answer"]
    assert review["cited"][0].startswith("[1] ")
    assert review["drawn_by"] == ["All answers"]
    person = next(person for person in appliance.accounts.people() if person.name == "employee")
    assert person.id not in str(review)
    assert any(isinstance(appliance.log.entry(seq).entry, LogRead) for seq in range(before, appliance.log.size()))


def test_wrong_is_closed_by_another_officer_who_opened_the_log(
    client: Client, second: TestClient, drawn: str, appliance: Appliance
) -> None:
    officer = client("compliance")
    path = f"/api/compliance/reviews/{drawn}"
    assert officer.post(path, json={"verdict": "wrong"}).status_code == 422
    judged = officer.post(path, json={"verdict": "wrong", "notes": "The limit was raised."})
    assert judged.json() == {"state": "second", "case_id": ""}
    assert officer.post(path, json={"verdict": "fine"}).status_code == 409
    seen = reviews(second, "second")[drawn]
    assert (seen["notes"], seen["reviewed_by"], seen["own"]) == ("The limit was raised.", "compliance", False)
    assert reviews(officer, "second")[drawn]["own"]
    decision = f"/api/compliance/proposals/{seen['proposal_id']}/decision"
    assert officer.post(decision, json={"approve": True}).status_code == 403
    unread = TestClient(second.app, base_url=BASE)
    token = appliance.sessions.sign_in("second-officer", PASSWORD, "127.0.0.1").token
    unread.cookies.set("strongroom_session", token, domain="testserver.local", path="/")
    refused = unread.post(decision, json={"approve": True})
    assert (refused.status_code, refused.json()["code"]) == (403, "log_not_opened")
    assert second.post(decision, json={"approve": True}).status_code == 200
    assert reviews(second, "closed")[drawn]["verdict"] == "wrong"


def test_a_leak_becomes_a_case_that_two_officers_close_and_take_out(
    client: Client, second: TestClient, drawn: str, appliance: Appliance
) -> None:
    officer = client("compliance")
    given = {"verdict": "leak", "notes": "Nobody may know.", "title": "Hotels seen"}
    case_id = officer.post(f"/api/compliance/reviews/{drawn}", json=given).json()["case_id"]
    path = f"/api/compliance/cases/{case_id}"
    other = str(ask(client, "hr", "Which trains are booked?")["query_id"])
    assert second.post(f"{path}/queries", json={"query_id": other}).status_code == 204
    assert second.post(f"{path}/notes", json={"note": "The label was wrong."}).status_code == 204
    detail = officer.get(path).json()
    assert (detail["title"], detail["state"], detail["queries"]) == ("Hotels seen", "open", 2)
    assert [entry["kind"] for entry in detail["entries"]] == ["opened", "query", "query", "note"]
    assert {query["question"] for query in detail["contents"]} == {QUESTION, "Which trains are booked?"}
    in_cases = [officer.get(f"/api/log/queries/{query_id}").json()["cases"] for query_id in (drawn, other)]
    assert in_cases == [[{"number": detail["number"], "title": "Hotels seen"}]] * 2
    assert officer.post(f"{path}/closing", json={"note": "Put right."}).status_code == 204
    seen = second.get(path).json()
    assert (seen["state"], seen["own"], officer.get(path).json()["own"]) == ("closing", False, True)
    listed = second.get("/api/compliance/proposals")
    assert [waiting["about"] for waiting in listed.json() if waiting["act"] == "case.closed"] == [
        f"Case {seen['number']}"
    ]
    assert not {"Hotels seen", "Put right."} & {value for waiting in listed.json() for value in waiting.values()}
    approved = second.post(f"/api/compliance/proposals/{seen['proposal_id']}/decision", json={"approve": True})
    assert approved.status_code == 200
    assert second.get(path).json()["state"] == "closed"
    agree_to_take_out(officer, second)
    taken = officer.get(f"{path}/package")
    assert "attachment" in taken.headers["content-disposition"]
    assert taken.content == second.get(f"{path}/package").content
    words = _paper(taken.content)
    told = words[words.index("Proposed to close a case") : words.index("Question 1")]
    assert re.findall(r"Officer (\S+)", told) == ["compliance", "second-officer"]  # who proposed it, and who agreed
    exported = appliance.log.entry(appliance.log.size() - 1).entry
    assert isinstance(exported, LogExported)
    assert exported.what.startswith("evidence package, Case")
    assert exported.session_id


def test_a_case_of_another_log_or_a_question_that_cannot_be_found_keeps_no_other_from_being_shown(
    client: Client, drawn: str, appliance: Appliance
) -> None:
    officer = client("compliance")
    old, new = (
        officer.post("/api/compliance/cases", json={"title": title, "reason": "R", "query_ids": [drawn]}).json()["id"]
        for title in ("Of a log that was lost", "Of this one")
    )
    with contextlib.closing(sqlite3.connect(appliance.folder.database)) as connection, connection:
        connection.execute("UPDATE cases SET log = 'ab' WHERE id = ?", (old,))
        connection.execute("UPDATE case_entries SET log = 'ab' WHERE case_id = ?", (old,))
        connection.execute("UPDATE case_entries SET query_id = 'altered' WHERE case_id = ? AND query_id <> ''", (new,))
        connection.execute("UPDATE reviews SET query_id = 'altered' WHERE query_id = ?", (drawn,))
    titles = {case["id"]: case["title"] for case in officer.get("/api/compliance/cases").json()}
    assert titles[new] == "Of this one"
    assert "moved away" in titles[old]
    detail = officer.get(f"/api/compliance/cases/{old}").json()
    assert (detail["entries"], detail["contents"]) == ([], [])
    (altered,) = officer.get(f"/api/compliance/cases/{new}").json()["contents"]
    assert altered == {"query_id": "altered", "seq": None, "question": DAMAGED, "answer": ""}
    shown = reviews(officer, "waiting")["altered"]
    assert (shown["question"], "was altered" in shown["unread"]) == ("", True)
    with contextlib.closing(sqlite3.connect(appliance.folder.database)) as connection, connection:
        connection.execute("DELETE FROM reviews WHERE query_id = 'altered'")
        connection.execute("DELETE FROM cases WHERE id IN (?, ?)", (old, new))


def test_a_selection_of_questions_is_taken_out_and_verifies(client: Client, second: TestClient) -> None:
    agree_to_take_out(client("compliance"), second)
    asked = [str(ask(client, "employee", f"How long are invoices kept, year {year}?")["query_id"]) for year in (1, 2)]
    taken = client("compliance").get("/api/compliance/package", params={"query_id": asked})
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        lines = archive.read("entries.jsonl").decode().splitlines(keepends=True)
        key, signed = (archive.read(name).decode() for name in ("signer-key.txt", "checkpoint.txt"))
    report = verifier.verify(lines, [signed], key)
    assert (report.complete, report.entries, report.remarks) == (False, 6, [])
    assert client("compliance").get("/api/compliance/package", params={"query_id": ["unknown"]}).status_code == 404


def test_before_evidence_is_asked_for_it_is_said_that_there_is_no_such_question(
    client: Client, drawn: str, appliance: Appliance
) -> None:
    officer, path = client("compliance"), "/api/compliance/package/questions"
    assert officer.get(path, params={"query_id": [drawn]}).status_code == 204
    before = appliance.log.size()
    refused = officer.get(path, params={"query_id": [drawn, "unknown"]})
    assert (refused.status_code, refused.json()) == (404, officer.get("/api/log/queries/unknown").json())
    assert officer.get(path).status_code == 422
    assert appliance.log.size() == before


def test_nothing_is_shown_to_an_officer_who_gave_no_reason(client: Client, appliance: Appliance, drawn: str) -> None:
    token = appliance.sessions.sign_in("compliance", PASSWORD, "127.0.0.1").token
    officer = client("")
    officer.cookies.set("strongroom_session", token, domain="testserver.local", path="/")
    case = client("compliance").post("/api/compliance/cases", json={"title": "T", "reason": "R"}).json()
    for path in ("reviews", "cases", f"cases/{case['id']}", f"cases/{case['id']}/package", f"package?query_id={drawn}"):
        refused = officer.get(f"/api/compliance/{path}")
        assert (refused.status_code, refused.json()["code"]) == (403, "log_not_opened"), path
