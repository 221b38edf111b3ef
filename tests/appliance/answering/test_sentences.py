"""Statements of a text, and the words that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.answering.sentences import denies, has_words, statements, words
from tests.growth import assert_linear

ANSWER = """\
## Retention

Invoices are kept for 10.5 years [1]. Applications, e.g. those of Dr. Meier, are deleted. [2] It is so.[1][2]
The following applies:

- Receipts are kept [3]
  1. Tickets too [1]

| What | How long |
|---|---|
| Rent | 1,250 CHF [1] |

Am 3. Januar wird bezahlt, z. B. in bar [2].
```
"""


def test_sentences_items_and_rows_are_statements_and_what_leads_to_them_is_not() -> None:
    assert [statement.text for statement in statements(ANSWER)] == [
        "Invoices are kept for 10.5 years [1].",
        "Applications, e.g. those of Dr. Meier, are deleted. [2]",
        "It is so.[1][2]",
        "Receipts are kept [3]",
        "Tickets too [1]",
        "| Rent | 1,250 CHF [1] |",
        "Am 3. Januar wird bezahlt, z. B. in bar [2].",
    ]


def test_a_statement_has_its_markers_and_knows_whether_it_is_a_row() -> None:
    found = statements(ANSWER)
    assert [statement.markers for statement in found] == [(1,), (2,), (1, 2), (3,), (1,), (1,), (2,)]
    assert [statement.is_row for statement in found] == [False] * 5 + [True, False]


@given(st.text(alphabet="ab .!?\n[1]|-*#:Ä", max_size=120))
def test_a_statement_keeps_its_place_and_none_overlaps_another(text: str) -> None:
    end = 0
    for statement in statements(text):
        assert text[statement.start : statement.end] == statement.text
        assert statement.start >= end
        end = statement.end


def test_endings_accents_and_common_words_make_no_difference() -> None:
    assert words("The applications are deleted") == words("APPLICATION which deleting") - words("which")
    assert words("Gebühr") == words("gebuhr")
    assert words("12 of 1.5") == frozenset()


@pytest.mark.parametrize("text", ["It is not allowed.", "Das ist nicht erlaubt.", "Ce n'est pas permis.", "You can’t."])
def test_a_denial_is_recognised(text: str) -> None:
    assert denies(text)
    assert not denies("It is allowed; notable knots.")


@pytest.mark.parametrize("before", ["a\n", ""], ids=["blanks after a line", "blanks before a line"])
def test_cutting_takes_no_more_than_linear_time(before: str) -> None:
    assert_linear(statements, lambda blanks: f"{before}{' ' * blanks}x", 400_000)


def test_signs_alone_are_no_words() -> None:
    assert has_words("日本") and has_words("a") and has_words("7")
    assert not any(map(has_words, ["", "?!", "🙂🙂", "\x00\u200b", "---"]))
