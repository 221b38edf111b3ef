"""What in a question is a name, and how the names of documents are spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.index.names import begins_sentence, name_terms, naming_terms


def common(names: str, question: str) -> int:
    """How many terms of the question stand in the names."""
    return len(set(name_terms(names).indices) & set(naming_terms(question).indices))


@pytest.mark.parametrize(
    ("names", "question"),
    [
        ("FOOTLOCKER_2022_10K", "What did Foot Locker earn?"),
        ("Travel-Policy-v3", "What does the Travel rule say?"),
        ("JahresberichtQ3", "Was steht im JahresberichtQ3?"),
        ("report2024", "the report of FY2024"),
        ("Überblick", "Was sagt der Überblick?"),
        ("3M_2018", "capex of 3M"),
    ],
)
def test_a_name_is_found_however_it_is_written(names: str, question: str) -> None:
    assert common(names, question) > 0


@pytest.mark.parametrize(
    "question",
    [
        "when do I get my bonus?",
        "Bonus and salary",
        "What now? Bonus it is.",
        "I do. Will it?",
        "",
        "??",
        '"Bonus" rules',
    ],
)
def test_what_is_no_name_names_nothing(question: str) -> None:
    assert common("Bonus What I do Will", question) == 0


@pytest.mark.parametrize("before", ["", "«\u00a0", "¿", "Who? ", 'Who said so. "', "One: (", "One;\n", "1.\t"])
def test_a_sentence_begins_here(before: str) -> None:
    assert begins_sentence(f"{before}Revenue of Borealis", len(before))


@pytest.mark.parametrize("before", ["the ", 'the "', "the (", "one, ", "of\u00a0"])
def test_no_sentence_begins_here(before: str) -> None:
    assert not begins_sentence(f"{before}Revenue of Borealis", len(before))


def test_names_weigh_one_each_however_often_they_stand_there() -> None:
    assert name_terms("Plan plan PLAN").values == (1.0,)


@given(st.text(max_size=2_000))
def test_any_text_gives_a_sorted_vector_of_bounded_size(text: str) -> None:
    for terms in (name_terms(text), naming_terms(text)):
        assert list(terms.indices) == sorted(set(terms.indices))
        assert len(terms.indices) <= 64
