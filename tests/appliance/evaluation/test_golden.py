"""Golden sets as people write them: what is taken, and what is refused with the line and the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import InvalidRequest
from appliance.evaluation.golden import Evidence, GoldenQuestion, GoldenSet, read_golden

GOOD: dict[str, Any] = {"id": "q1", "question": "How long?", "evidence": [{"doc": "policy.pdf", "page": 3}]}


def read(*lines: object, limit: int | None = None) -> GoldenSet:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return read_golden("set.jsonl", text.encode(), limit=limit)


def test_every_kind_of_evidence_is_read() -> None:
    golden = read(
        {
            "question": " How long? ",
            "evidence": [
                {"doc": "a.pdf", "page": 3, "quote": None},
                {"doc": "b.md", "quote": " ten years "},
                {"passage": "p-7"},
                {"doc": "c.txt"},
            ],
        },
        {"id": 7, "question": "Who?", "answerable": False},
    )
    assert golden.questions == (
        GoldenQuestion(
            "line 1",
            "How long?",
            (Evidence("a.pdf", 3), Evidence("b.md", quote="ten years"), Evidence(passage="p-7"), Evidence("c.txt")),
        ),
        GoldenQuestion("7", "Who?", (), answerable=False),
    )


def test_keys_that_nobody_knows_and_empty_lines_are_passed_over() -> None:
    noted = GOOD | {"answer": "Ten years.", "lang": "en", "split": "dev", "meta": {"by": "me"}, "colour": [1]}
    assert read("", noted, "  ").questions == read(GOOD).questions
    assert read("\ufeff" + json.dumps(GOOD)).questions == read(GOOD).questions


def test_a_question_names_the_groups_of_the_person_who_asks_it() -> None:
    (question,) = read(GOOD | {"groups": ["hr", "everyone", "hr"]}).questions
    assert question.groups == ("everyone", "hr")
    assert read(GOOD | {"groups": None}).questions[0].groups == read(GOOD).questions[0].groups == ()
    for wrong in ("hr", [1], ["hr;"], [""], ["hr\n"], [f"g{at}" for at in range(101)]):
        with pytest.raises(InvalidRequest, match="Line 1 of the golden set has 'groups'"):
            read(GOOD | {"groups": wrong})


def test_a_set_is_for_so_many_readers_and_no_more() -> None:
    lines = [GOOD | {"id": at, "groups": [f"g{at}"]} for at in range(101)]
    assert len(read(*lines[:100]).questions) == 100
    with pytest.raises(InvalidRequest, match="for 101 readers"):
        read(*lines)


def test_the_hash_of_a_set_without_groups_is_what_it_was_before_there_were_such() -> None:
    was = "73eded8a"
    assert read(GOOD).sha256.startswith(was)
    assert read(GOOD | {"groups": ["hr"]}).sha256 != read(GOOD).sha256


def test_the_same_evidence_twice_is_once() -> None:
    assert (
        len(
            read(GOOD | {"evidence": [{"doc": "a", "page": 1}, {"page": 1, "doc": "a", "quote": ""}]})
            .questions[0]
            .evidence
        )
        == 1
    )


def test_evidence_of_an_unanswerable_question_is_none() -> None:
    assert read(GOOD | {"answerable": False}).questions[0].evidence == ()


def test_a_question_may_be_answerable_without_evidence_if_it_says_so() -> None:
    assert read({"question": "How long?", "answerable": True, "evidence": []}).questions[0].answerable


def test_a_limit_takes_the_first_questions() -> None:
    golden = read(GOOD, GOOD | {"id": "q2"}, limit=1)
    assert [question.id for question in golden.questions] == ["q1"]
    assert golden.sha256 == read(GOOD).sha256


def test_the_hash_tells_what_matters_and_nothing_else() -> None:
    same = dict(reversed(list(GOOD.items()))) | {"meta": "a note"}
    assert read(same).sha256 == read(GOOD).sha256
    for other in (
        GOOD | {"question": "How long then?"},
        GOOD | {"evidence": [{"doc": "policy.pdf", "page": 4}]},
        GOOD | {"answerable": False},
    ):
        assert read(other).sha256 != read(GOOD).sha256


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{not json", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "not a JSON object"),
        ({}, "no 'question'"),
        ({"question": "   "}, "no 'question'"),
        ({"question": 5}, "'question' that is not a text"),
        ({"question": "x" * 20_001}, "20,000 characters"),
        ({"question": "How?"}, "names no 'evidence'"),
        (GOOD | {"answerable": "yes"}, "neither true nor false"),
        (GOOD | {"id": ["q"]}, "'id' that is not a text"),
        (GOOD | {"evidence": {"doc": "a"}}, "not a list"),
        (GOOD | {"evidence": ["a.pdf"]}, "not an object"),
        (GOOD | {"evidence": [{"page": 3}]}, "without 'doc'"),
        (GOOD | {"evidence": [{"doc": "a", "page": 0}]}, "whole number from 1"),
        (GOOD | {"evidence": [{"doc": "a", "page": "3"}]}, "whole number from 1"),
        (GOOD | {"evidence": [{"doc": "a", "page": True}]}, "whole number from 1"),
        (GOOD | {"evidence": [{"doc": "a", "quote": 3}]}, "'quote' that is not a text"),
        (GOOD | {"evidence": [{"doc": "a", "quote": "x" * 1_001}]}, "'quote' that is not a text of at most 1,000"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_to_do(line: object, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Line 3 of the golden set .*{words}"):
        read(GOOD, "", line)


@pytest.mark.parametrize(
    ("quote", "page", "is_read"),
    [
        ("ten years after closing", None, False),
        ("ten -- years: after (closing)", None, False),
        ("ten years after the closing", None, True),
        ("ten years", 3, True),  # the page is what counts
        ("", None, True),
    ],
)
def test_quotes_may_be_asked_to_have_a_number_of_words(quote: str, page: int | None, is_read: bool) -> None:
    line = json.dumps(GOOD | {"evidence": [{"doc": "a", "page": page, "quote": quote}]}).encode()
    assert read_golden("set.jsonl", line).questions
    if is_read:
        assert read_golden("set.jsonl", line, shortest_quote=5).questions
        return
    with pytest.raises(InvalidRequest, match="Line 1 of the golden set has a 'quote' of fewer than 5 words"):
        read_golden("set.jsonl", line, shortest_quote=5)


def test_the_same_id_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Line 2 of the golden set has the same 'id' as line 1"):
        read(GOOD, GOOD)


def test_a_file_that_is_no_text_is_refused_with_the_line() -> None:
    with pytest.raises(InvalidRequest, match="Line 2 of the golden set is not UTF-8"):
        read_golden("set.jsonl", json.dumps(GOOD).encode() + b"\n\xff\xfe")


@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_a_set_without_a_question_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="holds no question"):
        read_golden("set.jsonl", text)


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_is_read_or_refused_with_a_sentence(content: bytes) -> None:
    try:
        assert read_golden("set.jsonl", content).questions
    except InvalidRequest as error:
        assert "golden set" in str(error)


def test_no_error_repeats_what_a_question_says() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read({"question": "secret", "evidence": [{"quote": "secret"}]})
    assert "secret" not in str(caught.value)
