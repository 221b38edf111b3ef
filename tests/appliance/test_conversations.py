"""Conversations: one's own, in order, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.audit.log import QueryLog
from appliance.conversations import Conversations, StoredTurn
from appliance.database import Database
from appliance.domain import AnswerKind
from appliance.errors import AuditUnavailable, Conflict, InvalidRequest, NotFound

START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def conversations(database: Database, log: QueryLog) -> Conversations:
    return Conversations(database, log)


def turn(number: int, question: str = "How long is leave?") -> StoredTurn:
    return StoredTurn(
        query_id=f"q{number}",
        question=question,
        answer=f"Answer {number} [1].",
        kind=AnswerKind.GENERATED,
        citations=((1, "chunk-1"), (3, "chunk-3")),
        notices=("Said carefully, “quoted”.",),
        asked_at=START + timedelta(minutes=number),
        drew_on=("chunk-1", "chunk-2", "chunk-3"),
    )


def test_turns_come_back_as_they_were_in_the_order_of_asking(conversations: Conversations) -> None:
    turns = [turn(2), turn(1), turn(3, "nul \0 and 😀")]  # the order of adding counts, not the clock
    for item in turns:
        conversations.add("c", "me", item)
    assert list(conversations.turns("c", "me")) == turns


def test_a_conversation_that_was_only_started_is_not_stored(conversations: Conversations) -> None:
    key = conversations.start()
    assert key != conversations.start()
    assert conversations.recent("me", limit=10) == []
    with pytest.raises(NotFound):
        conversations.turns(key, "me")


def test_a_conversation_is_called_by_its_first_question_on_one_short_line(conversations: Conversations) -> None:
    conversations.add("c", "me", turn(1, "  How\n long\tis " + "very " * 40))
    conversations.add("c", "me", turn(2, "And for trainees?"))
    (summary,) = conversations.recent("me", limit=10)
    assert summary.title.startswith("How long is very very")
    assert len(summary.title) == 80
    assert summary.updated_at == START + timedelta(minutes=2)


def test_a_conversation_that_begins_with_a_greeting_is_called_by_what_is_asked_then(
    conversations: Conversations,
) -> None:
    for number, question in enumerate(("Hello!", "Good morning!", "How long is leave?", "And for trainees?"), start=1):
        kind = AnswerKind.COURTESY if question.endswith("!") else AnswerKind.EXTRACTIVE
        conversations.add("c", "me", replace(turn(number, question), kind=kind))
        titles = [summary.title for summary in conversations.recent("me", limit=10)]
        assert titles == ["Hello!" if number < 3 else "How long is leave?"]


def test_the_history_is_newest_first_and_no_longer_than_asked_for(conversations: Conversations) -> None:
    for number, key in enumerate(["a", "b", "c"]):
        conversations.add(key, "me", turn(number))
    conversations.add("a", "me", turn(9))
    assert [item.id for item in conversations.recent("me", limit=2)] == ["a", "c"]


def test_a_conversation_is_found_by_words_of_its_first_question_in_any_order_and_case(
    conversations: Conversations,
) -> None:
    for number, question in enumerate(["How long is LEAVE?", "Wer darf in die Straße?", "Leave of trainees?"]):
        conversations.add(f"c{number}", "me", turn(number, question))
    conversations.add("c1", "me", turn(8, "And leave?"))
    conversations.add("theirs", "them", turn(9))
    found = {
        words: [item.id for item in conversations.recent("me", limit=2, words=words)]
        for words in ("leave", "long leave", "  leave\tHOW ", "strasse", "trainee", "leave pay", "")
    }
    assert found == {
        "leave": ["c2", "c0"],
        "long leave": ["c0"],
        "  leave\tHOW ": ["c0"],
        "strasse": ["c1"],
        "trainee": ["c2"],
        "leave pay": [],
        "": ["c1", "c2"],
    }
    assert [item.id for item in conversations.recent("me", limit=1, words="leave")] == ["c2"]


def test_a_conversation_of_somebody_else_is_not_there_for_any_call(conversations: Conversations) -> None:
    conversations.add("c", "them", turn(1))
    assert conversations.recent("me", limit=10) == []
    for call in (
        lambda: conversations.turns("c", "me"),
        lambda: conversations.delete("c", "me"),
        lambda: conversations.set_feedback("q1", "me", "up"),
        lambda: conversations.add("c", "me", turn(2)),
    ):
        with pytest.raises(NotFound) as theirs:
            call()
        with pytest.raises(NotFound) as missing:
            conversations.turns("no such conversation", "me")
        assert str(theirs.value) == str(missing.value)
    assert list(conversations.turns("c", "them")) == [turn(1)]


def test_feedback_is_kept_with_its_answer_and_can_be_changed(conversations: Conversations) -> None:
    conversations.add("c", "me", turn(1))
    conversations.add("c", "me", turn(2))
    conversations.set_feedback("q2", "me", "up")
    conversations.set_feedback("q2", "me", "down")
    assert [item.feedback for item in conversations.turns("c", "me")] == ["", "down"]


def test_a_deleted_conversation_is_gone_with_its_turns_and_leaves_the_others(conversations: Conversations) -> None:
    conversations.add("c", "me", turn(1))
    conversations.add("d", "me", turn(2))
    conversations.delete("c", "me")
    assert [item.id for item in conversations.recent("me", limit=10)] == ["d"]
    with pytest.raises(NotFound):
        conversations.set_feedback("q1", "me", "up")
    conversations.add("c", "me", turn(1))  # neither the conversation nor its turn is in the way
    with pytest.raises(NotFound):
        conversations.delete("unknown", "me")


def test_a_conversation_deleted_while_its_answer_is_written_does_not_come_back(conversations: Conversations) -> None:
    conversations.add("c", "me", turn(1))
    conversations.add("c", "me", turn(2), goes_on=True)
    conversations.delete("c", "me")
    conversations.add("c", "me", turn(3), goes_on=True)
    assert conversations.recent("me", limit=10) == []
    assert conversations.all_turns("me") == []


def test_the_same_answer_is_not_stored_twice_and_the_attempt_changes_nothing(conversations: Conversations) -> None:
    conversations.add("c", "me", turn(1))
    with pytest.raises(Conflict):
        conversations.add("c", "me", replace(turn(1), asked_at=START + timedelta(days=1)))
    (summary,) = conversations.recent("me", limit=10)
    assert summary.updated_at == START + timedelta(minutes=1)


def test_half_a_character_is_refused_in_words_and_nothing_is_stored(conversations: Conversations) -> None:
    for bad in (turn(1, "half a \ud83d smile"), replace(turn(1), answer="\udc00")):
        with pytest.raises(InvalidRequest, match="lone surrogate"):
            conversations.add("c", "me", bad)
    assert conversations.recent("me", limit=10) == []


# sealed


def test_the_database_holds_nothing_of_a_turn_that_can_be_read(conversations: Conversations, tmp_path: Path) -> None:
    conversations.add("c", "me", replace(turn(1, "Ultramarin?"), answer="Zinnober", searched_for="Ocker"))
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for words in ("Ultramarin", "Zinnober", "Ocker", "chunk-1", "Said carefully"):
        assert [words.encode() in content for content in files] == [False] * len(files)


def test_a_turn_whose_key_is_gone_says_so_and_leaves_the_others(conversations: Conversations, log: QueryLog) -> None:
    april, may = replace(turn(1), asked_at=START - timedelta(days=3), feedback="up"), replace(turn(2), feedback="up")
    for item in (april, may):
        conversations.add("c", "me", item)
    (gone,) = [held for held in log.holdings() if held.month == "2026-04"]
    log.erase([gone])
    lost, kept = conversations.turns("c", "me")
    assert kept == may
    assert (lost.question, lost.answer, lost.is_readable) == (
        "This question cannot be read any more: its key is gone.",
        "This answer cannot be read any more: its key is gone.",
        False,
    )
    assert (lost.query_id, lost.asked_at, lost.citations, lost.drew_on) == ("q1", april.asked_at, (), ())
    assert conversations.all_turns("me") == [lost, kept]
    assert [item.title for item in conversations.recent("me", limit=9)] == [lost.question]
    assert [item.turn for item in conversations.praised()] == [kept]
    again = replace(april, query_id="q3")
    conversations.add("c", "me", again)  # there is another key for that month now
    assert conversations.turns("c", "me") == [lost, kept, again]
    conversations.erase("me", "2026-04")
    assert conversations.turns("c", "me") == [kept]


def test_without_any_key_the_history_is_shown_all_the_same(conversations: Conversations, tmp_path: Path) -> None:
    conversations.add("c", "me", turn(1))
    (tmp_path / "log" / "keys").rename(tmp_path / "elsewhere")
    assert [item.is_readable for item in conversations.turns("c", "me")] == [False]
    assert [item.title for item in conversations.recent("me", limit=9)] == [
        "This question cannot be read any more: its key is gone."
    ]
    with pytest.raises(AuditUnavailable):  # nor is anything sealed with keys that are not there any more
        conversations.add("c", "me", turn(2))
    (tmp_path / "elsewhere").rename(tmp_path / "log" / "keys")
    assert conversations.turns("c", "me") == [turn(1)]


@pytest.mark.parametrize("column", ["question", "shown"])
def test_what_is_sealed_opens_in_its_own_row_alone(
    conversations: Conversations, database: Database, column: str
) -> None:
    for number in (1, 2):
        conversations.add("c", "me", turn(number))
    with database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE turns SET {column} = (SELECT {column} FROM turns WHERE query_id = 'q1') WHERE query_id = 'q2'"
        )
    first, second = conversations.turns("c", "me")
    assert first == turn(1)
    assert turn(1).question != second.question or turn(1).answer != second.answer
    assert "cannot be read any more" in second.question + second.answer
