"""Editions that say the same are shown once, and nothing that differs is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain import Hit, Place
from appliance.retrieval.said_once import each_said_once
from ingest.similar import signature_of
from tests.data.builders import make_hit

RULE = "Hotels in Zurich may cost at most 200 CHF per night. Breakfast is paid by the company, lunch is not."
MORE = f"Book early.\n{RULE}\nAsk before you book a suite."
BODY = [f"word{number} of the rules" for number in range(100)]
ALIKE, OTHER = signature_of(BODY), signature_of([f"else{number} or other things" for number in range(100)])


def hit(
    text: str, path: str, score: float = 1.0, headings: tuple[str, ...] = (), title: str = "", number: int = 0
) -> Hit:
    made = make_hit(text, title=title or path, place=Place(1, headings=headings))
    chunk = replace(made.chunk, id=f"{path} {number}", document_id=path, version_id=path)
    return replace(made, chunk=chunk, path=path, score=score)


def shown(*hits: Hit, question: str = "What may a hotel cost?", unlike: Sequence[str] = ()) -> list[tuple[str, str]]:
    signatures = {each.chunk.version_id: (OTHER if each.path in unlike else ALIKE).values for each in hits}
    found = each_said_once(question, hits, signatures)
    assert [each.rank for each in found] == list(range(1, len(found) + 1))
    return [(each.path, each.chunk.text) for each in found]


def test_what_another_edition_says_word_for_word_is_left_out_however_it_is_set() -> None:
    written = "Hotels in  ZURICH may cost at most 200 CHF per night!\n• Breakfast is paid by the company; lunch is not"
    written = written.replace(";", ",")
    assert shown(hit(RULE, "Travel.docx"), hit(written, "Travel copy.pdf", 0.5)) == [("Travel.docx", RULE)]


def test_what_stands_inside_a_longer_passage_of_another_edition_is_left_out() -> None:
    assert shown(hit(MORE, "Travel.docx"), hit(RULE, "Travel copy.pdf", 0.5)) == [("Travel.docx", MORE)]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("200", "220"),
        ("200", "-200"),
        ("200", "200.5"),
        ("CHF", "EUR"),
        ("Zurich", "Geneva"),
        ("may", "must"),
        ("is not", "is"),
        ("per night.", "per night, but in August."),
        ("Hotels in Zurich may cost at most 200 CHF per night. ", ""),
    ],
)
def test_what_differs_in_a_word_a_number_or_a_sign_stays_in_both(was: str, becomes: str) -> None:
    other = f"{RULE.replace(was, becomes)} Ask."
    assert len(shown(hit(f"{RULE} Ask before.", "Travel 2024.docx"), hit(other, "Travel 2025.docx", 0.5))) == 2


def test_the_same_sentences_in_another_order_or_under_other_headings_stay() -> None:
    one, swapped = (
        "Zurich:\n200 CHF per night\nGeneva:\n180 CHF per night",
        "Zurich:\n180 CHF per night\nGeneva:\n200 CHF per night",
    )
    assert len(shown(hit(one, "a 2024"), hit(swapped, "a 2025", 0.5))) == 2
    assert len(shown(hit(MORE, "a 2024", 1, ("Staff",)), hit(RULE, "a 2025", 0.5, ("Guests",)))) == 2


def test_headings_that_differ_in_the_year_alone_are_the_same() -> None:
    old = hit(f"Travel 2024\n{RULE}", "Travel 2024.docx", 1, ("Travel 2024",))
    new = hit(f"Travel 2025\n{RULE}", "Travel 2025.docx", 0.99, ("Travel 2025",))
    assert [path for path, _ in shown(old, new)] == ["Travel 2025.docx"]


def test_documents_that_are_not_alike_are_not_compared_but_for_the_same_text() -> None:
    assert len(shown(hit(MORE, "Travel 2024"), hit(RULE, "Travel 2025"), unlike=["Travel 2025"])) == 2
    assert shown(hit(RULE, "a"), hit(RULE, "b"), unlike=["b"]) == [("a", RULE)]


def test_a_few_words_are_not_taken_for_a_repetition() -> None:
    assert (
        len(shown(hit("Staff:\nNot applicable.\nGuests:\nAsk.", "a 2024"), hit("Not applicable.", "a 2025", 0.5))) == 2
    )


def test_the_newest_edition_stands_for_all_where_it_is_hardly_ranked_lower() -> None:
    editions = [hit(RULE, f"Travel {year}", score) for year, score in ((2023, 1), (2025, 0.97), (2024, 0.96))]
    assert shown(*editions) == [("Travel 2025", RULE)]
    assert shown(*editions, question="And in 2023?") == [("Travel 2023", RULE)]
    assert shown(hit(RULE, "Travel 2023"), hit(RULE, "Travel 2025", 0.9)) == [("Travel 2023", RULE)]


def test_of_passages_that_differ_the_newer_comes_first_where_it_is_hardly_ranked_lower() -> None:
    old, new = hit(RULE, "Travel 2024"), hit(RULE.replace("200", "240"), "Travel 2025", 0.96)
    between = hit("Parking is paid for by the guests themselves.", "Parking", 0.98)
    paths = [path for path, _ in shown(old, between, new)]
    assert paths == ["Travel 2025", "Travel 2024", "Parking"]
    assert [path for path, _ in shown(old, new, question="hotels in 2024")] == ["Travel 2024", "Travel 2025"]
    assert [path for path, _ in shown(old, replace(new, score=0.9))] == ["Travel 2024", "Travel 2025"]


def test_of_short_documents_without_a_signature_the_newer_edition_comes_first_too() -> None:
    text = "Every employee has {} days of holiday in a calendar year, taken in agreement with the supervisor."
    old, new = hit(text.format(24), "leave-2024.md"), hit(text.format(26), "leave-2025.md", 0.97)
    other = hit("Parking is paid for by the guests themselves, before they leave the house.", "leave-2026.md", 0.96)
    found = each_said_once("How many days of holiday?", [old, new, other], {})
    assert [each.path for each in found] == ["leave-2025.md", "leave-2024.md", "leave-2026.md"]
    signed = {"leave-2024.md": ALIKE.values, "leave-2026.md": ALIKE.values}
    assert [each.path for each in each_said_once("", [old, new], signed)] == ["leave-2025.md", "leave-2024.md"]
    unlike_named = replace(new, path="x", title="x")
    assert [each.path for each in each_said_once("", [old, unlike_named], {})] == ["leave-2024.md", "x"]


def test_what_the_newer_edition_took_out_does_not_hide_what_it_says() -> None:
    old, new = hit(MORE, "Travel 2024"), hit(RULE, "Travel 2025", 0.5)
    assert [path for path, _ in shown(old, new)] == ["Travel 2024", "Travel 2025"]


def test_a_newer_edition_that_says_all_and_more_takes_the_place_of_the_older() -> None:
    assert shown(hit(RULE, "Travel 2024"), hit(MORE, "Travel 2025", 0.98)) == [("Travel 2025", MORE)]


def test_the_same_text_far_down_is_left_out_too() -> None:
    many = [hit(f"Rule number {number}.", f"doc{number}", 1 - number / 1000) for number in range(120)]
    assert shown(*many, hit("Rule number 3.", "copy", 0)) == shown(*many)


texts = st.lists(
    st.sampled_from(["Hotels cost 200.", "Hotels cost 240.", "Ask before you book.", "Trains go."]), max_size=6
)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.sampled_from(["Travel 2024", "Travel 2025", "Parking"])), max_size=12))
def test_no_sentence_is_lost_and_no_text_shown_twice(found: list[tuple[list[str], str]]) -> None:
    hits = [hit("\n".join(lines), path, 1 - rank / 100, number=rank) for rank, (lines, path) in enumerate(found)]
    kept = [text for _, text in shown(*hits)]
    assert len(kept) == len(set(kept))
    assert {line for text in kept for line in text.split("\n")} == {
        line for each in hits for line in each.chunk.text.split("\n")
    }
