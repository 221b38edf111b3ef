"""Words that are taken for the same whatever their endings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.endings import beginning, singular, stem, without_ending

WORDS = st.text("abcdefgsäéß", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("word", "one"), [("rules", "rule"), ("gas", "gas"), ("process", "process"), ("rule", "rule"), ("sites", "site")]
)
def test_the_s_of_a_plural(word: str, one: str) -> None:
    assert singular(word) == one


@pytest.mark.parametrize(
    ("word", "without", "begun", "stemmed"),
    [
        ("law", "law", "law", "law"),
        ("rule", "rule", "rule", "rule"),
        ("rules", "rule", "rule", "rule"),
        ("contract", "contra", "contra", "contr"),
        ("regulation", "regulati", "regulat", "regul"),
        ("congés", "cong", "cong", "conge"),
        ("process", "proce", "proce", "proce"),
    ],
)
def test_what_is_left_of_a_word(word: str, without: str, begun: str, stemmed: str) -> None:
    assert (without_ending(word), beginning(word), stem(word)) == (without, begun, stemmed)


@given(WORDS)
def test_a_short_word_is_kept_whole_and_none_grows(word: str) -> None:
    assert word.startswith(beginning(word))
    assert without_ending(word).startswith(beginning(word))
    assert word.startswith(singular(word))
    assert len(stem(word)) <= min(5, len(word))
    assert beginning(word) == word or len(beginning(word)) >= 4


@given(WORDS)
def test_the_beginning_of_a_word_is_as_it_was_measured(word: str) -> None:
    measured = word if len(word) < 5 else word[: max(4, len(word) - 2)] if len(word) < 9 else word[:7]
    assert beginning(word) == measured
