"""Passages of different documents that say the same thing differently."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.answering.conflicts import Difference, differences
from appliance.domain import Citation
from tests.data.builders import make_passages

QUESTION = "What may a hotel cost per night?"


def conflicts(question: str, passages: list[Citation]) -> list[Difference]:
    return [found for found in differences(question, passages) if found.is_conflict]


def pairs(*texts: str, question: str = QUESTION) -> list[tuple[int, int]]:
    return [(found.one.number, found.other.number) for found in conflicts(question, make_passages(*texts))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "A hotel in Zurich may cost at most 200 CHF per night.",
            "A hotel in Zurich may cost at most 240 CHF per night.",
        ),
        ("Hotel costs are refunded by 3 March 2024.", "Hotel costs are refunded by 4 March 2024."),
        ("The hotel rate per night is 6 francs less.", "The hotel rate per night is 12 francs less."),
        ("Section 4.2 allows hotel nights at 200 CHF.", "Section 4.2 allows hotel nights at 240 CHF."),
        ("Hotel nights in Zurich cost CHF 200.", "Hotel nights in Zurich cost CHF 240."),
        ("Hotel nights before May 2024 are refunded.", "Hotel nights before June 2024 are refunded."),
        ("Hotel nights abroad are refunded with breakfast.", "Hotel nights abroad are not refunded with breakfast."),
    ],
)
def test_the_same_sentence_with_another_number_date_or_denial_is_a_conflict(one: str, other: str) -> None:
    assert pairs(one, "Trains are booked second class.", other) == [(1, 3)]


def test_a_sentence_is_compared_across_the_line_breaks_of_wrapped_prose() -> None:
    long = "Whoever stays abroad for the firm may book a hotel that costs at most {}\nfrancs per night, breakfast included."
    assert pairs(long.format(200), long.format(240)) == [(1, 2)]


def test_both_sentences_are_told() -> None:
    text = "Book early. A hotel in Zurich may cost at most {} CHF per night."
    (found,) = conflicts(QUESTION, make_passages(text.format(200), text.format(240)))
    assert (found.one_says, found.other_says) == (
        "A hotel in Zurich may cost at most 200 CHF per night.",
        "A hotel in Zurich may cost at most 240 CHF per night.",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "A hotel in Zurich may cost at most 200 CHF per night.",
            "A hotel in Geneva may cost at most 240 CHF per night.",
        ),
        ("A hotel may cost at most 1,200 CHF per night.", "A hotel may cost at most 1'200 CHF per night."),
        ("Hotel | Zurich | 200", "Hotel | Zurich | 240"),
        ("Hotel, page 3", "Hotel, page 4"),
        ("Note 123: a hotel night abroad was booked.", "Note 43: a hotel night abroad was booked."),
        ("Section 4.2 is about hotel nights abroad.", "Section 4.3 is about hotel nights abroad."),
        ("A hotel night in Building 4 costs 200 CHF.", "A hotel night in Building 5 costs 240 CHF."),
        ("The hotel of project HP-300 costs 200 CHF a night.", "The hotel of project HP-400 costs 240 CHF a night."),
        ("Nach Art. 5 kostet das Hotel 200 CHF.", "Nach Art. 6 kostet das Hotel 240 CHF."),
        ("Book a hotel night abroad at http://a.example/873.", "Book a hotel night abroad at http://a.example/814."),
        ("NOTE 18 - HOTEL COST PER NIGHT ABROAD", "NOTE 20 - HOTEL COST PER NIGHT ABROAD"),
        ("In 2022 a hotel night cost 200 CHF on average.", "In 2023 a hotel night cost 240 CHF on average."),
        ("By 3 May 2022 hotel costs per night were 7 million.", "By 3 May 2023 hotel costs per night were 8 million."),
        ("A parking place may cost at most 20 CHF a day.", "A parking place may cost at most 40 CHF a day."),
        ("Hotel rates: 1, 2, 3, 4, 5 in Zurich offices.", "Hotel rates: 6, 7, 8, 9, 10 in Zurich offices."),
    ],
)
def test_other_things_tables_short_lines_and_what_was_not_asked_are_no_conflict(one: str, other: str) -> None:
    assert pairs(one, other) == []


def test_a_passage_that_says_both_does_not_contradict_the_other() -> None:
    old = "A hotel in Zurich may cost at most 200 CHF per night."
    new = "A hotel in Zurich may cost at most 240 CHF per night."
    assert pairs(f"{old} {new}", new) == [(1, 2)] or pairs(f"{old} {new}", new) == []
    assert pairs(new, new) == []


def test_passages_of_one_document_are_not_held_against_each_other() -> None:
    one, other = make_passages(
        "A hotel in Zurich may cost at most 200 CHF per night.", "A hotel in Zurich may cost at most 240 CHF per night."
    )
    same = replace(other.hit, chunk=replace(other.hit.chunk, document_id=one.hit.chunk.document_id))
    assert conflicts(QUESTION, [one, Citation(2, same)]) == []
