"""Entries stay readable as releases come and go."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from appliance.audit import entries
from appliance.audit.entries import (
    CheckedAnswer,
    CheckedStatement,
    FeedbackGiven,
    GenerationParameters,
    LogExported,
    LogOpened,
    LogRead,
    ModelUsed,
    PassagesRetrieved,
    QueryReplayed,
    QuestionCompleted,
    QuestionRewritten,
    SettingInForce,
    SignedIn,
)

from .conftest import Close


def test_an_entry_is_the_same_after_a_way_through_json(searched: PassagesRetrieved, closed: Close) -> None:
    for entry in (searched, closed()):
        head, content = json.loads(json.dumps(entries.split(entry)))
        assert head == {"query_id": "q1", "actor": "u-records"}
        assert entries.join(entry.type, head, content) == entry


def test_a_pair_is_two_numbers_and_nothing_else(searched: PassagesRetrieved) -> None:
    head, content = json.loads(json.dumps(entries.split(searched)))
    read = entries.join(searched.type, head, {**content, "differing": [[0, 1], [1, 2]]})
    assert read == replace(searched, differing=((0, 1), (1, 2)))
    for told in ([0, 1, 2], [3], [], [0, "1"], 4):
        with pytest.raises(ValueError, match="A recorded value"):
            entries.join(searched.type, head, {**content, "differing": [[0, 1], told]})


def test_what_a_newer_release_added_is_passed_over() -> None:
    head = {"actor": "u1", "query_id": "q1", "tenant": "north"}
    content = {"verdict": "up", "comment": "", "stars": 5}
    assert entries.join("feedback.given", head, content) == FeedbackGiven("q1", "u1", "up")


def test_what_an_older_release_did_not_know_gets_its_default() -> None:
    assert entries.join("session.opened", {"actor": "u1"}, {}) == SignedIn("u1", "", "", "")


def test_readings_recorded_before_they_named_their_session_are_still_read() -> None:
    for entry in (LogRead("u1", "one query", "q1"), QueryReplayed("u1", "q1", "reproduced"), LogExported("u1", "it")):
        head, content = json.loads(json.dumps(entries.split(replace(entry, session_id="s1"))))
        assert head.pop("session_id") == "s1"
        assert entries.join(entry.type, head, content) == entry


def test_starts_recorded_before_they_told_the_settings_are_still_read() -> None:
    told = LogOpened("1", "ab" * 32, (SettingInForce("log.opening_lasts_s", "60.0"),))
    head, content = json.loads(json.dumps(entries.split(told)))
    assert entries.join(told.type, head, content) == told
    assert entries.join(told.type, head, {"release": "1"}) == LogOpened("1", "", ())


def test_answers_recorded_before_they_were_checked_are_still_read(searched: PassagesRetrieved, closed: Close) -> None:
    for entry, added in ((searched, ("answerable", "rewritten")), (closed(), ("checked",))):
        head, content = entries.split(entry)
        for name in added:
            del content[name]
        read = entries.join(entry.type, head, json.loads(json.dumps(content)))
        assert [getattr(read, name) for name in added] == [None] * len(added)
        assert read == entry


def test_answers_recorded_before_reranking_was_are_still_read(searched: PassagesRetrieved) -> None:
    reranked = replace(
        searched,
        reranker_digest="ee" * 32,
        retrieved=tuple(replace(passage, reranking=1.5) for passage in searched.retrieved),
    )
    head, content = json.loads(json.dumps(entries.split(reranked)))
    assert entries.join(searched.type, head, content) == reranked
    del content["reranker_digest"]
    for passage in content["retrieved"]:
        del passage["reranking"]
    assert entries.join(searched.type, head, content) == searched


def test_how_an_answer_was_checked_is_the_same_after_a_way_through_json(
    searched: PassagesRetrieved, closed: Close
) -> None:
    statement = CheckedStatement(0, 14, (1,), 0.5, False, True, ("10", "7"))
    rewritten = QuestionRewritten(
        "How long?", True, ModelUsed("ollama", "qwen"), "00" * 32, "rewrite/1", GenerationParameters(0.0, 1, 96, 4096)
    )
    for entry in (
        replace(closed(), checked=CheckedAnswer(0.25, (statement,))),
        replace(searched, answerable=0.62, rewritten=rewritten),
        QuestionCompleted("q1", "u-records", "How long?", rewritten),
    ):
        head, content = json.loads(json.dumps(entries.split(entry)))
        assert entries.join(entry.type, head, content) == entry


@pytest.mark.parametrize(
    ("head", "content"),
    [
        ({"actor": "u1", "query_id": "q1"}, {}),
        ({"actor": "u1"}, {"verdict": "up"}),
        ({"actor": "u1", "query_id": 7}, {"verdict": "up"}),
        ({"actor": "u1", "query_id": "q1"}, {"verdict": ["up"]}),
        ({"actor": "u1", "query_id": "q1"}, {"verdict": None}),
    ],
)
def test_an_entry_with_a_field_missing_or_of_another_kind_is_not_read(
    head: dict[str, object], content: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="recorded"):
        entries.join("feedback.given", head, content)


def test_an_entry_of_an_unknown_type_is_not_read() -> None:
    with pytest.raises(ValueError, match="no entry type"):
        entries.join("gossip.heard", {}, {})


def test_answers_recorded_before_flags_were_are_still_read(closed: Close) -> None:
    head, content = json.loads(json.dumps(entries.split(closed())))
    del content["flags"]
    assert entries.join("answer.closed", head, content) == replace(closed(), flags=())
