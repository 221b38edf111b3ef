"""Everything about a person is found, and nothing about anybody else."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pypdfium2 as pdfium
import pytest

from appliance.access_requests import AccessRequests
from appliance.audit.entries import (
    AdminAction,
    AnswerClosed,
    AnswerReviewed,
    CitedPassage,
    DeskOpened,
    Entry,
    FeedbackGiven,
    Latency,
    LogExported,
    LogRead,
    ModelUsed,
    PassagesRetrieved,
    QueryReplayed,
    QuestionReceived,
    RaisedFlag,
    RetrievedPassage,
    SignedIn,
    SignInFailed,
)
from appliance.auth.accounts import Accounts
from appliance.auth.standing import Person
from appliance.compliance.naming import Naming
from appliance.compliance.pseudonyms import pseudonyms_of
from appliance.compliance.subject_access import About, as_json, gather
from appliance.compliance.subject_paper import on_paper
from appliance.conversations import Conversations
from appliance.domain import Role
from appliance.wording import ON_RECORD_FIRST
from tests.appliance.compliance.conftest import Office


@pytest.fixture
def ann(office: Office) -> Person:
    accounts = Accounts(office.database)
    accounts.add_service("ann", [Role.EMPLOYEE], ["claims"])  # without a password, which takes a second to make
    return accounts.named("Ann")


def about(office: Office, person: Person) -> About:
    requests = AccessRequests(office.database, office.log, office.clock)
    pseudonyms = pseudonyms_of(office.log.path)
    return gather(office.log, person, pseudonyms, Conversations(office.database, office.log), requests, 3600)


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
    AccessRequests(office.database, office.log, office.clock).ask(ann.id, "legal", "I need it.")
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


def test_whoever_was_searched_for_by_their_pseudonym_or_named_is_told_so(office: Office, ann: Person) -> None:
    pseudonyms, accounts = pseudonyms_of(office.log.path), Accounts(office.database)
    naming = Naming(office.four_eyes, office.log, accounts, pseudonyms, 3600)
    hers, of_another = pseudonyms.of(ann.id), pseudonyms.of("u-hanna")
    assert "No entry of others names you" in words_on_paper(office, ann)[0]
    office.asks("u-hanna", f"Who is {hers}?")  # what another asked is theirs, whomever it names
    recorded(
        office,
        LogRead("officer-1", f"queries matching person '{hers.lower()}'"),
        LogRead("officer-1", f"queries matching person '{of_another}'"),
        LogRead("officer-1", f"queries matching text 'x{hers}'"),
    )
    office.approved(naming.ask("officer-1", hers, "Complaint 2026-14"))
    (granted,) = naming.granted("officer-1")
    naming.tell("officer-1", granted.id)
    found = about(office, ann)
    assert [each.type for each in found.by_others] == ["log.read", "act.proposed", "act.decided", "person.named"]
    first, *_ = words_on_paper(office, ann)
    assert "A compliance officer Was told who is behind a pseudonym 1" in first
    assert "A compliance officer Read the query log 1" in first
    assert "No entry of others names you" not in first
    assert "officer-1" not in as_json(found)


def test_a_sign_in_that_was_refused_under_a_name_is_of_its_account_whoever_tried(office: Office, ann: Person) -> None:
    recorded(office, SignInFailed(ann.id, "", "203.0.113.7", "not_signed_in"), SignInFailed("", "ab" * 32, "", "x"))
    (found,) = about(office, ann).own
    assert isinstance(found.entry, SignInFailed) and found.entry.actor == ann.id
    told = "".join(words_on_paper(office, ann))
    assert "may have been tried by somebody else" in told
    assert "203.0.113.7" in told
    office.erased(ann.id)
    assert about(office, ann).own == ()


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


def test_no_secret_is_handed_out(office: Office) -> None:
    accounts = Accounts(office.database)
    accounts.add("ann", "seven brass keys on a ring", [Role.EMPLOYEE], ["claims"])
    text = as_json(about(office, accounts.named("ann")))
    assert "argon2" not in text
    assert "totp" not in text


def words_on_paper(office: Office, person: Person) -> list[str]:
    """The words of each page."""
    document = pdfium.PdfDocument(io.BytesIO(on_paper(about(office, person))))
    pages = [" ".join(page.get_textpage().get_text_range().split()) for page in document]
    document.close()
    return pages


def words_of(paper: bytes) -> str:
    document = pdfium.PdfDocument(io.BytesIO(paper))
    words = " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
    document.close()
    return words


def answered(office: Office, query_id: str, person: str, answer: str) -> None:
    """Three passages found, of which the answer cites the second."""
    passages = tuple(
        RetrievedPassage(
            f"chunk-{n}", f"d-{n}", f"v-{n}", "ab" * 32, f"p/{n}.pdf", f"Policy {n}", 6 + n, n, 0.5, 0.4, n
        )
        for n in (1, 2, 3)
    )
    model = ModelUsed("ollama", "qwen3:8b", "fe" * 32)
    recorded(
        office,
        PassagesRetrieved(query_id, person, "as searched", passages, model, "cd" * 32, "template-3", None),
        AnswerClosed(
            query_id, person, answer, "ef" * 32, "generated", (CitedPassage(2, "chunk-2"),), (), (), Latency(1, None, 2)
        ),
    )


def test_the_paper_tells_a_question_with_all_that_came_of_it_and_why_it_was_looked_at(
    office: Office, ann: Person
) -> None:
    query_id = office.asks(ann.id, "How long are treaties kept?")
    answered(office, query_id, ann.id, "For ten years [2].")
    recorded(
        office,
        FeedbackGiven(query_id, ann.id, "down", "It does not say where."),
        DeskOpened("officer-1", "An older matter", "s-1"),
        DeskOpened("officer-1", "Complaint 2026-14", "s-1"),
        DeskOpened("officer-1", "The matter of somebody else", "s-2"),
        DeskOpened("officer-2", "The matter of somebody else", "s-3"),
        LogRead("officer-1", "one query", query_id, "s-1"),
    )
    first, *others = words_on_paper(office, ann)
    assert "1, from 15 Mar 2026 to 15 Mar 2026" in first
    assert "A compliance officer Read the query log 1" in first
    assert "Question 1 · 15 Mar 2026, 09:00 UTC How long are treaties kept?" in others[0]
    assert "Answer, written by the language model For ten years [2]." in others[0]
    assert "Documents cited [2] Policy 2, page 8" in others[0]
    assert "Policy 1, page 7; Policy 3, page 9" in others[0]
    assert "Not helpful: It does not say where." in others[0]
    assert "Read the query log. Reason: Complaint 2026-14" in others[0]
    whole = " ".join([first, *others])
    assert f"Page 1 of {1 + len(others)}" in first
    assert not any(reason in whole for reason in ("An older matter", "somebody else", "officer-1"))


def test_a_reading_that_does_not_name_its_session_has_a_reason_only_where_no_other_can_be_meant(
    office: Office, ann: Person
) -> None:
    query_id = office.asks(ann.id, "How long are treaties kept?")
    recorded(office, DeskOpened("officer-1", "Complaint 2026-14", "s-1"))
    office.clock.forward(minutes=59)
    recorded(office, LogRead("officer-1", "one query", query_id))
    recorded(office, DeskOpened("officer-1", "The matter of somebody else", "s-2"))
    recorded(office, LogRead("officer-1", "one query", query_id))
    office.clock.forward(minutes=2)
    recorded(office, LogRead("officer-1", "one query", query_id))
    office.clock.forward(minutes=60)
    recorded(office, LogRead("officer-1", "one query", query_id))
    found = about(office, ann)
    assert [found.reasons.get(each.seq) for each in found.by_others] == [
        "Complaint 2026-14", None, "The matter of somebody else", None,
    ]  # fmt: skip


def test_nothing_tells_who_it_was_that_acted_for_the_organisation(office: Office, ann: Person) -> None:
    query_id = office.asks(ann.id, "How long are treaties kept?")
    recorded(
        office,
        AnswerReviewed(query_id, "officer-1", "Cora Kern", "fine"),
        DeskOpened("officer-1", "Complaint 2026-14", "s-1"),
        LogRead("officer-1", "one query", query_id, "s-1"),
    )
    told = as_json(about(office, ann))
    assert "Complaint 2026-14" in told
    assert not any(who in told for who in ("officer-1", "Cora Kern", "s-1"))


def test_what_is_for_programs_stands_in_the_file_for_them_alone(office: Office, ann: Person) -> None:
    query_id = office.asks(ann.id, "How long are treaties kept?")
    answered(office, query_id, ann.id, "For ten years [2].")
    told, file = "".join(words_on_paper(office, ann)), as_json(about(office, ann))
    for of_programs in (query_id, "chunk-2", "ab" * 32, "cd" * 32, "ef" * 32, "fe" * 32, "template-3"):
        assert of_programs in file
        assert of_programs not in told
    assert "They are in the file for programs (JSON)" in told


def test_a_question_that_was_not_answered_or_cannot_be_read_says_so_where_it_stands(
    office: Office, ann: Person
) -> None:
    office.asks(ann.id, "And this one?")
    found = about(office, ann)
    (unanswered,) = found.own
    erased = replace(unanswered, seq=9, entry=None, sealed=True, erased=True)
    words = words_of(on_paper(replace(found, own=(unanswered, erased))))
    assert "And this one? Asked by way of the screens Answer There is none on record" in words
    assert "Question 2 · 15 Mar 2026, 09:00 UTC What this entry held was erased." in words
    assert "1 cannot be read any more" in words


def test_the_paper_tells_the_flags_the_groups_of_then_and_what_was_searched_for(office: Office, ann: Person) -> None:
    flagged = (RaisedFlag("personal_data.email", "question"), RaisedFlag("low_grounding", "answer", "20% of it stands"))
    recorded(
        office,
        QuestionReceived("q1", ann.id, "ann", ("hr", "claims"), "c1", "And of ten years?", "openai-api", ("public",)),
        PassagesRetrieved("q1", ann.id, "treaties of ten years", (), ModelUsed(), "", "", None),
        AnswerClosed("q1", ann.id, "Ten.", "ef" * 32, "abstained", (), (), (), Latency(1, None, 2), flags=flagged),
    )
    words = words_of(on_paper(about(office, ann)))
    assert "Your groups then claims, hr Cleared for then public Asked by way of a program" in words
    assert words.count("Searched for treaties of ten years") == 1
    assert "The question holds an e-mail address. Found in: question" in words
    assert "by its words and numbers. Found in: answer. 20% of it stands" in words


def test_an_act_that_failed_is_counted_once_and_its_rows_say_how_they_are_read(office: Office, ann: Person) -> None:
    act = AdminAction("u-admin", "person.groups_set", "ann", "claims")
    recorded(office, act, replace(act, error="conflict"))
    first, second = words_on_paper(office, ann)
    assert first.count("Set the groups of a person") == 1
    assert "An administrator Set the groups of a person (it failed) 1" in first
    assert second.count("Set the groups of a person") == 2
    assert second.count(ON_RECORD_FIRST) == 1


def test_letters_that_stand_by_their_numbers_are_explained_wherever_they_stand_and_only_then(
    office: Office, ann: Person
) -> None:
    office.asks(ann.id, "How long are treaties kept?")
    recorded(office, SignedIn(ann.id, "文", "文", "10.0.0.7"))
    assert "in square brackets" not in words_of(on_paper(about(office, ann)))  # neither of them is printed
    AccessRequests(office.database, office.log, office.clock).ask(ann.id, "legal", "For case 文")
    words = words_of(on_paper(about(office, ann)))
    assert "For case [U+6587]" in words
    assert words.count("Those stand in square brackets by their numbers") == 1
    named = replace(ann, display_name="文", groups=frozenset())
    assert "Those stand in square brackets" in words_of(on_paper(replace(about(office, named), requests=())))


def test_the_paper_never_says_that_nobody_looked_since_lists_do_not_name_the_questions_they_showed(
    office: Office, ann: Person
) -> None:
    office.asks(ann.id, "How long are treaties kept?")
    recorded(office, LogRead("officer-1", "queries matching anything"), LogExported("officer-1", "the whole log"))
    first, *others = words_on_paper(office, ann)
    assert "No entry of others names you or a question of yours. Lists, searches, the review queue" in first
    assert others[-1].count("No entry of others names you or a question of yours.") == 1
    assert "Nobody" not in " ".join([first, *others])


def test_a_look_at_a_question_whose_entry_was_altered_is_told_all_the_same(office: Office, ann: Person) -> None:
    query_id = office.asks(ann.id, "How long are treaties kept?")
    answered(office, query_id, ann.id, "For ten years [2].")
    recorded(office, LogRead("officer-1", "one query", query_id))
    found = about(office, ann)
    altered = replace(found.own[0], entry=None, damaged=True)
    words = words_of(on_paper(replace(found, own=(altered, *found.own[1:]))))
    assert "Question 1 · 15 Mar 2026, 09:00 UTC This entry was altered" in words
    assert "A compliance officer Read the query log" in words.partition("What others did that concerns you")[2]
    assert not any(claim in words for claim in ("Nobody", "No entry of others"))


def test_twenty_questions_are_a_few_pages_and_not_one_each(office: Office, ann: Person) -> None:
    for number in range(20):
        answered(office, office.asks(ann.id, f"How long is number {number} kept?"), ann.id, "For ten years [2].")
    assert len(words_on_paper(office, ann)) <= 8
