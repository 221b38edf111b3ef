"""Everything about a person is found, and nothing about anybody else."""

from __future__ import annotations

import io
import json

import pypdfium2 as pdfium
import pytest

from appliance.audit.entries import (
    AdminAction,
    AnswerClosed,
    Entry,
    FeedbackGiven,
    Latency,
    LogRead,
    QueryReplayed,
    SignedIn,
)
from appliance.auth.access_requests import AccessRequests
from appliance.auth.accounts import Accounts
from appliance.auth.standing import Person
from appliance.compliance.subject_access import About, as_json, gather, on_paper
from appliance.conversations import Conversations
from appliance.domain import Role
from tests.appliance.compliance.conftest import Office


@pytest.fixture
def ann(office: Office) -> Person:
    accounts = Accounts(office.database)
    accounts.add("ann", "seven brass keys on a ring", [Role.EMPLOYEE], ["claims"])
    return accounts.named("Ann")


def about(office: Office, person: Person) -> About:
    requests = AccessRequests(office.database, office.clock)
    return gather(office.log, person, Conversations(office.database), requests)


def recorded(office: Office, *entries: Entry) -> None:
    for entry in entries:
        office.log.append(entry)


def test_everything_a_person_did_and_others_did_about_them_is_found_and_nothing_else(
    office: Office, ann: Person
) -> None:
    mine = office.asks(ann.id, "What is mine? Ünïcode ЖΩ")
    theirs = office.asks("u-hanna", "What is theirs?")
    recorded(
        office,
        AnswerClosed(mine, ann.id, "Yours.", "ab" * 32, "extractive", (), (), (), Latency(1, None, 2)),
        FeedbackGiven(mine, ann.id, "down", "Not so."),
        SignedIn(ann.id, "ann", "s1", "10.0.0.7"),
        LogRead("officer-1", "one query", mine),
        LogRead("officer-1", "one query", theirs),
        LogRead("officer-1", f"queries matching actor '{ann.id}'"),
        LogRead("officer-1", "queries matching actor 'hannah', joann"),
        AdminAction("u-admin", "person.groups_set", "Ann", "claims"),
        AdminAction("u-admin", "person.groups_set", "annabel", "claims"),
        QueryReplayed("officer-1", mine, "reproduced"),
        QueryReplayed("officer-1", theirs, "reproduced"),
    )
    AccessRequests(office.database, office.clock).ask(ann.id, "legal", "I need it.")
    office.clock.forward(days=60)
    later = office.asks(ann.id, "And in May?")
    found = about(office, ann)
    assert [each.type for each in found.own] == [
        "question.received", "answer.closed", "feedback.given", "session.opened", "question.received",
    ]  # fmt: skip
    assert [each.seq for each in found.by_others] == [5, 7, 9, 11]
    assert {turn.query_id for turn in found.turns} == {mine, later}
    facts = json.loads(as_json(found))
    assert facts["account"]["groups"] == ["claims"]
    assert facts["access_requests"][0]["reason"] == "I need it."
    assert "officer-1" not in as_json(found)
    assert "theirs" not in as_json(found)


def test_the_paper_says_in_letters_what_the_file_says(office: Office, ann: Person) -> None:
    office.asks(ann.id, "<b>What</b> is mine & <font color='red'>yours</font>?\x00")
    document = pdfium.PdfDocument(io.BytesIO(on_paper(about(office, ann))))
    text = " ".join(page.get_textpage().get_text_range() for page in document)
    assert "<b>What</b> is mine & <font color='red'>yours</font>?" in " ".join(text.split())
    assert "claims" in text


def test_what_was_erased_is_named_as_such(office: Office, ann: Person) -> None:
    office.asks(ann.id, "In March?")
    office.erased(ann.id)
    office.asks(ann.id, "And after it?")
    found = about(office, ann)
    assert [each.type for each in found.own] == ["question.received"]
    assert "And after it?" in as_json(found)
    assert [each.type for each in found.by_others] == ["act.proposed", "act.decided"]


def test_no_secret_is_handed_out(office: Office, ann: Person) -> None:
    text = as_json(about(office, ann))
    assert "argon2" not in text
    assert "totp" not in text
