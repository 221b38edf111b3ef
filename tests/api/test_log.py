"""The compliance desk over HTTP."""

from __future__ import annotations

import contextlib
import html
import json
import re
import socket
import sqlite3
import time
from dataclasses import replace

import pytest

from appliance.api import checkpoints
from appliance.api.log_wire import event_out, query_out
from appliance.api.opening import session_name
from appliance.api.qr import qr_code
from appliance.audit import signatures
from appliance.audit.entries import (
    AdminAction,
    DeskOpened,
    Entry,
    EvaluationEnded,
    LogExported,
    LogOpened,
    LogRead,
    QueryReplayed,
    QuestionReceived,
)
from appliance.audit.records import LogFilter, QueryRecord, Recorded
from appliance.audit.tree import verify_inclusion
from appliance.audit.verifier import verify as verify_export
from appliance.audit.verify import verify
from appliance.config import RetrievalSettings
from appliance.config.in_force import digest
from appliance.server import create_headless_app
from appliance.wiring import Appliance
from appliance.wording import moment
from tests.api.conftest import Client
from tests.api.test_ask import ask
from tests.appliance.audit.test_signing import wait_until
from tests.ui.test_client import Served


def pseudonym_of(appliance: Appliance, name: str) -> str:
    person = next(person for person in appliance.accounts.people() if person.name == name)
    return appliance.pseudonyms.of(person.id)


def test_a_query_is_found_by_everything_one_can_search_for(client: Client, appliance: Appliance) -> None:
    answer = ask(client, "hr", "Which retention period holds for job applications?")
    client("hr").post(f"/api/queries/{answer['query_id']}/feedback", json={"verdict": "down"})
    officer, hr = client("compliance"), pseudonym_of(appliance, "hr")
    for params in (
        {"text": "job APPLICATIONS"},
        {"person": hr, "feedback": "down"},
        {"person": hr.lower(), "group": "hr"},
        {"kind": answer["kind"], "person": hr},
        {"document": "retention.txt", "text": "job applications"},
        {"since": "2000-01-01T00:00:00", "person": hr},
    ):
        found = officer.get("/api/log/queries", params=params).json()["queries"]
        assert answer["query_id"] in {item["query_id"] for item in found}, params
    for params in (
        {"person": hr, "group": "finance"},
        {"person": hr, "document": "no-such.pdf", "text": "job applications"},
        {"model": "no-such-model"},
        {"flag": "personal_data.iban", "text": "job applications"},
        {"person": "P-00000-00000"},
        {"until": "2000-01-01T00:00:00"},
    ):
        assert officer.get("/api/log/queries", params=params).json()["queries"] == [], params


def test_people_go_by_a_pseudonym_and_nobody_is_found_by_name(client: Client, appliance: Appliance) -> None:
    answer = ask(client, "hr", "How long are the papers of an applicant kept?")
    officer, hr = client("compliance"), pseudonym_of(appliance, "hr")
    account = next(person.id for person in appliance.accounts.people() if person.name == "hr")
    listed = officer.get("/api/log/queries", params={"text": "papers of an applicant"})
    detail = officer.get(f"/api/log/queries/{answer['query_id']}")
    events = officer.get("/api/log/events", params={"limit": 500})
    assert listed.json()["queries"][0]["person"] == detail.json()["person"] == hr
    assert hr in {event["actor"] for event in events.json()["events"]}
    for response in (listed, detail, events):
        assert account not in response.text
        assert '"hr"' not in response.text.replace('"groups":["everyone","hr"]', "")
    refused = officer.get("/api/log/queries", params={"person": "hr"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert officer.get("/api/log/queries", params={"text": account}).json()["queries"] == []


def test_an_entry_tells_what_its_reader_saw_marked(client: Client) -> None:
    answer = ask(client, "employee", "How long are invoices kept by us?")
    detail = client("compliance").get(f"/api/log/queries/{answer['query_id']}").json()
    assert answer["highlights"]
    assert (detail["answer"], detail["highlights"]) == (answer["text"], answer["highlights"])


def test_acts_on_people_name_them_by_their_pseudonym(client: Client, appliance: Appliance) -> None:
    appliance.log.append(AdminAction("operator", "person.unlocked", "HR"))
    appliance.log.append(AdminAction("operator", "person.disabled", "somebody.long.gone"))
    events = client("compliance").get("/api/log/events", params={"limit": 10}).json()["events"]
    told = [(event["words"], event["detail"]) for event in events if event["type"] == "admin.action"]
    assert ("Let a person try to sign in again", pseudonym_of(appliance, "hr")) in told
    assert ("Disabled an account", "somebody whose account is gone") in told


def test_what_a_reader_found_of_an_answer_is_told_in_the_words_of_the_screens(client: Client) -> None:
    answer = ask(client, "hr", "Which retention period holds for job applications?")
    client("hr").post(f"/api/queries/{answer['query_id']}/feedback", json={"verdict": "down", "comment": "Too short."})
    events = client("compliance").get("/api/log/events", params={"limit": 10}).json()["events"]
    told = next(event["detail"] for event in events if event["type"] == "feedback.given")
    assert "verdict: not helpful; comment: Too short." in told


def test_a_page_of_events_is_full_however_many_questions_were_asked_since(client: Client, appliance: Appliance) -> None:
    officer = client("compliance")
    before = officer.get("/api/log/events", params={"limit": 500}).json()["events"]
    question = QuestionReceived("", "u-1", "somebody", ("everyone",), "", "Is this drawn?", "browser")
    for number in range(12):
        appliance.log.append(replace(question, query_id=f"besides-{number}"))
    page = officer.get("/api/log/events", params={"limit": 3}).json()
    later = page["events"][1:]  # behind the entry of this reading
    assert [event["seq"] for event in later] == [event["seq"] for event in before[:2]]
    assert page["next_before"] == page["events"][-1]["seq"]


def test_a_time_that_is_not_known_is_none(appliance: Appliance) -> None:
    altered = Recorded(3, "", None, "", None, damaged=True)
    assert event_out(appliance, altered, {}).time is None
    assert query_out(appliance, QueryRecord("q-altered", altered, None, None, ())).asked_at is None


def test_an_officer_is_told_of_a_document_that_is_not_theirs_no_more_than_its_title(client: Client) -> None:
    question = "What does a senior engineer earn?"
    answer = ask(client, "hr", question)
    passages = client("compliance").get(f"/api/log/queries/{answer['query_id']}").json()["passages"]
    closed = next(item for item in passages if item["title"] == "Salary bands")
    assert (closed["readable"], closed["path"]) == (False, "")
    assert closed["version_sha256"] and closed["chunk_id"]
    assert client("compliance").get(f"/api/passages/{closed['chunk_id']}").status_code == 404
    opened = [item for item in passages if item["readable"]]
    assert all(item["path"] for item in opened)


def test_what_an_officer_looks_at_of_documents_is_on_record_and_what_a_reader_looks_at_is_not(
    client: Client, appliance: Appliance
) -> None:
    answer = ask(client, "employee", "How often is the hydraulic filter replaced?")
    passages = client("compliance").get(f"/api/log/queries/{answer['query_id']}").json()["passages"]
    chunk = next(item["chunk_id"] for item in passages if item["page"] == 2)
    before = appliance.log.size()
    for path in (f"/api/passages/{chunk}", f"/api/passages/{chunk}/page.png"):
        assert client("employee").get(path).status_code == 200
        assert client("compliance").get(path).status_code == 200
    read = [found.entry for found in appliance.log.entries(limit=10) if found.seq >= before][::-1]
    told = [(entry.what.split(" of ")[0], entry.actor) for entry in read if isinstance(entry, LogRead)]
    officer = appliance.accounts.named("compliance").id
    assert told == [("a passage", officer), ("the page with a passage", officer)]
    assert len(read) == 2
    assert all(isinstance(entry, LogRead) and entry.session_id and chunk in entry.what for entry in read)


def test_the_list_pages_without_gap_or_repetition(client: Client) -> None:
    for number in range(5):
        ask(client, "employee", f"How long are invoices kept, asked {number} times?")
    officer, seen, before = client("compliance"), [], None
    while True:
        params = {"limit": 2, "text": "asked", **({"before": before} if before is not None else {})}
        page = officer.get("/api/log/queries", params=params).json()
        seen += [item["question"] for item in page["queries"]]
        before = page["next_before"]
        if before is None:
            break
    assert len(seen) == len(set(seen)) == 5


def test_the_detail_holds_everything_on_record(client: Client) -> None:
    answer = ask(client, "employee", "What may a hotel cost?")
    detail = client("compliance").get(f"/api/log/queries/{answer['query_id']}").json()
    assert detail["question"] == "What may a hotel cost?"
    assert detail["answer"] == answer["text"]
    assert detail["groups"] == ["everyone"]
    assert detail["passages"][0]["cited"] is True
    assert len(detail["passages"][0]["version_sha256"]) == 64
    assert detail["latency_ms"]["total"] >= detail["latency_ms"]["retrieval"] > 0
    proof = detail["proof"]
    hashes = [bytes.fromhex(part) for part in proof["path"]]
    leaf, root = bytes.fromhex(proof["leaf_hash"]), bytes.fromhex(proof["root"])
    assert verify_inclusion(detail["seq"], proof["size"], leaf, hashes, root)
    assert (detail["reranker_digest"], detail["passages"][0]["reranking"]) == ("", None)
    assert detail["answerable_above"] == RetrievalSettings().answerable_above <= detail["answerable"]
    assert client("compliance").get("/api/log/queries/unknown").status_code == 404


def test_reading_and_exporting_the_log_is_itself_recorded(client: Client, appliance: Appliance) -> None:
    officer = client("compliance")
    before = appliance.log.size()
    officer.get("/api/log/queries", params={"text": "salary"})
    officer.get("/api/log/charts")
    officer.get("/api/log/export")
    types = [appliance.log.entry(seq).entry for seq in range(before, appliance.log.size())]
    assert any(isinstance(entry, LogRead) and "salary" in entry.what for entry in types)
    assert any(isinstance(entry, LogRead) and "charts of the last 4 weeks" in entry.what for entry in types)
    assert any(isinstance(entry, LogExported) for entry in types)
    events = officer.get("/api/log/events").json()["events"]
    assert {"log.read", "log.exported"} <= {event["type"] for event in events}


def test_a_sentence_in_an_event_stays_as_it_was_written_and_a_code_is_told_in_words(appliance: Appliance) -> None:
    why = "There is no model at http://127.0.0.1:11434 (qwen3_8b)."
    ended = EvaluationEnded("a", "e1", "set", "ab" * 32, (), 3, True, (), error=why)
    assert f"error: {why}" in detail_of(appliance, ended)
    assert "error: audit unavailable" in detail_of(
        appliance, AdminAction("a", "source.added", "s", error="audit_unavailable")
    )
    replayed = QueryReplayed("a", "q1", "impossible", ("model.changed", "document.text_changed"))
    assert "findings: model: changed, document: text changed" in detail_of(appliance, replayed)


def detail_of(appliance: Appliance, entry: Entry) -> str:
    return event_out(appliance, Recorded(1, entry.type, None, "", entry, damaged=False), {}).detail


def test_with_which_settings_the_appliance_started_is_told_in_words(appliance: Appliance) -> None:
    (opening, *_) = appliance.log.entries(LogFilter(type=LogOpened.type), limit=1)
    assert isinstance(opening.entry, LogOpened)
    assert opening.entry.settings_sha256 == digest(appliance.settings)
    told = event_out(appliance, opening, {}).detail
    assert "model.provider is none" in told
    assert "settings: not as delivered: " in told
    assert opening.entry.settings_sha256 not in told
    as_delivered = Recorded(1, LogOpened.type, None, "", LogOpened("1", "ab" * 32), damaged=False)
    assert event_out(appliance, as_delivered, {}).detail == "release: 1; settings: all as delivered"
    older = Recorded(1, LogOpened.type, None, "", LogOpened("1"), damaged=False)
    assert event_out(appliance, older, {}).detail == "release: 1"


def test_every_reading_names_the_opening_that_let_it(client: Client, appliance: Appliance) -> None:
    query_id = ask(client, "employee", "What may a hotel in Zurich cost?")["query_id"]
    officer = client("compliance")
    before = appliance.log.size()
    officer.post("/api/log/openings", json={"reason": "Complaint of a customer"})
    for path in ("queries", f"queries/{query_id}", "charts", "events", "export"):
        assert officer.get(f"/api/log/{path}").status_code == 200
    assert officer.post(f"/api/log/queries/{query_id}/replay").status_code == 200
    for path in ("reviews", "cases"):
        assert officer.get(f"/api/compliance/{path}").status_code == 200
    opening, *read = [appliance.log.entry(seq).entry for seq in range(before, appliance.log.size())]
    assert isinstance(opening, DeskOpened)
    assert len(read) == 8
    assert {getattr(entry, "session_id", "") for entry in read} == {opening.session_id} != {""}


def test_the_export_of_the_proof_verifies_without_the_appliance(client: Client, appliance: Appliance) -> None:
    response = client("compliance").get("/api/log/export")
    assert "attachment" in response.headers["content-disposition"]
    lines = response.text.splitlines()
    assert verify_export(lines).complete
    assert json.loads(lines[0])["complete"] is True


def test_verification_says_that_all_is_well(client: Client) -> None:
    result = client("compliance").post("/api/log/verify").json()
    assert result["ok"] is True
    assert result["first_bad"] is None
    assert result["size"] > 0
    assert len(result["root"]) == 64


def test_a_verification_that_fails_is_on_record_whoever_asked_for_it(client: Client, appliance: Appliance) -> None:
    path = signatures.notes_path(appliance.log.path)
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"\n\n", b"\n\nforged ", 1))
    try:
        found = client("compliance").post("/api/log/verify").json()
    finally:
        path.write_bytes(kept)
    assert not found["ok"]
    entry = appliance.log.entry(appliance.log.size() - 1).entry
    assert isinstance(entry, AdminAction)
    officer = next(person.id for person in appliance.accounts.people() if person.name == "compliance")
    assert (entry.actor, entry.action, entry.detail) == (officer, "log.not_verified", found["message"])
    assert client("compliance").post("/api/log/verify").json()["ok"]


def test_a_checkpoint_is_carried_out_as_a_page_and_as_a_file(client: Client, appliance: Appliance) -> None:
    officer = client("compliance")
    before = appliance.log.size()
    response = officer.get("/api/log/checkpoint")
    page = response.text
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["cache-control"] == "no-store"
    assert "<script" not in page
    assert '<a href="/compliance">Back to the query log</a>' in page
    last = appliance.log.entry(before - 1)
    assert f"entries 0 to {before - 1:,}; the last one is of {moment(last.time)}" in page  # of now, not of minutes ago
    assert '<p class="later"></p>' in page
    signed = html.unescape(page.partition("<pre>")[2].partition("</pre>")[0])
    key = html.unescape(page.rpartition("<pre>")[2].partition("</pre>")[0])
    assert signed in signatures.signed_notes(appliance.log.path)
    assert verify(appliance.log.path, *signatures.checked(appliance.log.path, [signed], key)).size > 0
    assert [text for text in (signed, key) if qr_code(text, "").partition("<path")[2] in page] == [signed, key]
    file = officer.get("/api/log/checkpoint/file")
    assert file.text.split("\n")[1] == str(before + 1)
    assert file.text in signatures.signed_notes(appliance.log.path)
    assert "attachment" in file.headers["content-disposition"]
    taken = [appliance.log.entry(seq).entry for seq in range(before, appliance.log.size())]
    assert [entry.what.rpartition(", ")[2] for entry in taken if isinstance(entry, LogRead)] == [
        "to print",
        "as a file",
    ]


def test_a_checkpoint_that_the_signer_is_behind_with_says_what_it_does_not_cover(
    client: Client, appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = client("compliance")
    assert officer.get("/api/log/checkpoint/file").status_code == 200
    signed = signatures.signed_notes(appliance.log.path)  # one more, perhaps: every hundredth entry is a reason
    covered = int(signed[-1].split("\n")[1])
    monkeypatch.setattr(signatures, "signed_notes", lambda path: signed)  # whatever is signed by and by
    officer.get("/api/log/events")
    with monkeypatch.context() as slow:
        slow.setattr(appliance.signing, "wait_for_all", lambda patience_s: None)  # it does not sign in time
        page = officer.get("/api/log/checkpoint").text
    assert "not covered by this sheet. Print another one to cover what came later." in page
    with monkeypatch.context() as broken:
        broken.setattr(appliance.signing, "_sign", _unreachable)  # and so does the thread that signs now and then
        broken.setattr(checkpoints, "_PATIENCE_S", 0.01)
        appliance.signing.hurry()
        wait_until(lambda: appliance.signing.problem)
        least = appliance.log.size() - covered
        page = officer.get("/api/log/checkpoint").text
        most = appliance.log.size() - 1 - covered
        assert f"entries 0 to {covered - 1:,}" in page
        told = re.search(r"(\d+) entries were written later and not covered by this sheet\.", page)
        assert told
        assert least <= int(told[1]) <= most
        assert "The signer does not sign; ask an administrator." in page
        assert str(appliance.folder.path) not in page
        broken.setattr(signatures, "signed_notes", lambda path: [])
        refused = officer.get("/api/log/checkpoint").json()["message"]
        assert refused.startswith("Nothing has been signed yet.")
        assert refused.endswith("The signer does not sign: ask an administrator to look at Administration > Health.")
    appliance.signing.hurry()
    wait_until(lambda: not appliance.signing.problem)


def _unreachable() -> None:
    raise OSError("nobody listens there")


def test_whoever_stops_fetching_an_export_by_token_keeps_the_side_file_of_the_log_from_nothing(
    client: Client, appliance: Appliance
) -> None:
    """Over a real socket: much more is to come than its buffers take, so the export has not ended."""
    wanted = {"label": "archive", "scopes": ["log"], "days": 1}
    token = client("compliance").post("/api/tokens", json=wanted).json()["token"]
    appliance.openings.open(agreed_by_two(appliance), session_name(token), "Copied to the archive of the house")
    for _ in range(120):
        appliance.log.append(AdminAction("u-admin", "test.written", "long", "x" * 100_000))
    with Served(create_headless_app(appliance)) as url, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        slow.sendall(
            b"GET /api/log/export?content=true HTTP/1.1\r\nHost: testserver\r\n"
            + f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert slow.recv(12) == b"HTTP/1.1 200"
        appliance.log.append(AdminAction("u-admin", "test.written", "while it is fetched"))
        with contextlib.closing(sqlite3.connect(appliance.log.path)) as connection:
            deadline = time.monotonic() + 30
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                assert time.monotonic() < deadline, "somebody reads the log without an end"
                time.sleep(0.05)
        assert appliance.log.path.with_name("queries.db-wal").stat().st_size == 0


def agreed_by_two(appliance: Appliance) -> str:
    """Two officers agree that what the log holds is taken out; the first of them."""
    one, other = (next(p.id for p in appliance.accounts.people() if p.name == name) for name in ("compliance", "admin"))
    proposal = appliance.exporting.ask(one, "To the archive of the house")
    appliance.four_eyes.decide(other, proposal.id, True)
    return one
