"""Searching the questions on record by what their entries hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.audit.entries import ModelUsed, PassagesRetrieved, RaisedFlag
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from tests.appliance.audit.conftest import Ask, Close


@pytest.fixture
def two(log: QueryLog, asked: Ask, searched: PassagesRetrieved, closed: Close) -> QueryLog:
    """Two questions that differ in everything one can search by."""
    log.append(replace(asked("q1", 'What does "net" mean?'), groups=("everyone", "finance")))
    log.append(replace(searched, query_id="q1", model=ModelUsed("ollama", "small")))
    log.append(replace(closed("q1"), flags=(RaisedFlag("personal_data.iban", "question"),)))
    passage = replace(searched.retrieved[0], document_id="d-2", title="Räumung", path="rules/eviction.pdf")
    log.append(replace(asked("q2", "Who signs?"), groups=("everyone", "finance team"), actor_name="netty"))
    log.append(replace(searched, query_id="q2", retrieved=(passage,), model=ModelUsed("ollama", "small-2")))
    log.append(replace(closed("q2", kind="abstained"), flags=()))
    return log


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LogFilter(group="finance"), ["q1"]),  # and not the "finance team"
        (LogFilter(group="everyone"), ["q2", "q1"]),
        (LogFilter(model="small"), ["q1"]),
        (LogFilter(document="d-2"), ["q2"]),
        (LogFilter(document="RÄUMUNG"), ["q2"]),
        (LogFilter(document="rules/evict"), ["q2"]),
        (LogFilter(flag="personal_data.iban"), ["q1"]),
        (LogFilter(flag="personal_data"), []),
        (LogFilter(kind="abstained", group="finance team"), ["q2"]),
        (LogFilter(kind="abstained", group="finance"), []),
        (LogFilter(text='"NET"'), ["q1"]),
        (LogFilter(text="mean net"), ["q1"]),  # words in any order, and parts of words
        (LogFilter(text="NET wha"), ["q1"]),
        (LogFilter(text="mean signs"), []),  # each in another question
        (LogFilter(text="signs eviction.pdf"), ["q2"]),  # each in another entry of the same question
        (LogFilter(text='"what does"'), ["q1"]),
        (LogFilter(text='"does what"'), []),  # a phrase as it stands
        (LogFilter(text="“what does” mean"), ["q1"]),
        (LogFilter(text='"what does" signs'), []),
        (LogFilter(text='signs "'), ["q2"]),  # a mark that has no other one
        (LogFilter(text='""'), ["q2", "q1"]),
        (LogFilter(text="mean net", kind="abstained"), []),
        (LogFilter(text="personal_data"), []),
    ],
)
def test_questions_are_found_by_what_their_entries_hold(two: QueryLog, wanted: LogFilter, expected: list[str]) -> None:
    assert [query.query_id for query in two.queries(wanted)] == expected


def test_nobody_is_found_by_the_name_they_sign_in_with(two: QueryLog) -> None:
    assert two.queries(LogFilter(text="netty")) == ()


def test_a_text_in_another_unicode_form_is_found_wherever_it_stands(log: QueryLog, asked: Ask, closed: Close) -> None:
    log.append(asked("q1", "Bu\u0308rgschaft"))
    log.append(closed("q1", "\u0303 on its own, after a line\n\u0303"))
    assert [query.query_id for query in log.queries(LogFilter(text="bürgschaft"))] == ["q1"]
    assert [query.query_id for query in log.queries(LogFilter(text="line\n\u0303"))] == ["q1"]


def test_a_search_stops_when_its_time_is_up_and_goes_on_from_there(log: QueryLog, asked: Ask) -> None:
    for number in range(6):
        log.append(asked(f"q{number}", f"Question {number}"))
    wanted, before, seen, rounds = LogFilter(text="question"), None, [], 0
    while True:
        found = log.search(wanted, limit=50, before_seq=before, budget_s=0.0)
        seen += [query.query_id for query in found.queries]
        rounds += 1
        before = found.next_before
        if before is None:
            break
        assert found.hurried
        assert found.reached is not None
    assert seen == [f"q{number}" for number in reversed(range(6))]
    assert rounds > 3
    assert not log.search(wanted, limit=2).hurried
    assert log.search(wanted, limit=6).next_before is None  # full, and at the end
