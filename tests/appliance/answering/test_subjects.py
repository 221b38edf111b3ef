"""Whether two passages that say nearly the same contradict each other, or speak of different things."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.answering import notices
from appliance.answering.conflicts import Difference, differences
from appliance.domain import Citation, Place
from tests.data.builders import make_hit

OPENS = "The canteen of the site opens at {} on every working day."
QUESTION = "When does the canteen of the site open?"


def said(
    rank: int, text: str, title: str, *, path: str = "", headings: tuple[str, ...] = (), language: str = "en"
) -> Citation:
    hit = make_hit(text, rank=rank, title=title, place=Place(page=1, headings=headings))
    return Citation(rank, replace(hit, path=path or hit.path, chunk=replace(hit.chunk, language=language)))


def found(*passages: Citation, question: str = QUESTION) -> list[Difference]:
    return differences(question, passages)


def of_titles(one: str, other: str, *, question: str = QUESTION, paths: tuple[str, str] = ("", "")) -> list[Difference]:
    ours = said(1, OPENS.format("11:15"), one, path=paths[0])
    return found(ours, said(2, OPENS.format("11:30"), other, path=paths[1]), question=question)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Canteen rules", "Canteen rules"),
        ("Parking notice for the Geneva site", "Parking rules of the Geneva site"),
        ("Canteen Geneva", "Canteen notice Geneva, final"),
        ("Canteen", "Canteen Geneva"),
        ("Canteen policy 2023", "Canteen policy 2024"),
        ("Site services", "House rules"),
        ("Kantine Genf: Merkblatt", "Kantine Genf: Aushang"),
    ],
)
def test_documents_about_the_same_thing_contradict_each_other(one: str, other: str) -> None:
    [difference] = of_titles(one, other)
    assert difference.is_conflict


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Canteen Geneva", "Canteen Zurich"),
        ("Canteen of Building 4", "Canteen of Building 5"),
        ("HP-300 user manual", "HP-400 user manual"),
        ("Medical leave policy", "Paid parental leave policy"),
        ("Annual report 2024", "Annual report 2025"),
        ("Kantine Genf", "Kantine Ulm"),
    ],
)
def test_documents_of_one_series_tell_the_same_of_different_things(one: str, other: str) -> None:
    [difference] = of_titles(one, other)
    assert difference.things == (one, other)


def test_names_of_files_tell_things_where_titles_do_not() -> None:
    paths = ("a/opening-hours-geneva.html", "a/opening-hours-zurich.html")
    [difference] = of_titles("Opening hours", "Opening hours", paths=paths)
    assert difference.things == paths


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Geneva site", "Zurich site"),
        ("Opening hours in Geneva", "Opening hours in Zurich"),
        ("Canteen in building 4", "Canteen in building 5"),
    ],
)
def test_headings_tell_things_by_their_names(one: str, other: str) -> None:
    [difference] = found(
        said(1, OPENS.format("11:15"), "Handbook", headings=("Handbook", one)),
        said(2, OPENS.format("11:30"), "Handbook", headings=("Handbook", other)),
    )
    assert difference.things == (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Site opening", "Site closing"),
        ("Canteen", "Opening hours"),
        ("Canteen hours", "Canteen hours in general"),
        ("CANTEEN HOURS", "CANTEEN TIMES"),
        ("Share option", "Share options programme"),
    ],
)
def test_headings_that_are_only_worded_otherwise_tell_nothing(one: str, other: str) -> None:
    text = f"{OPENS} Opening and closing times are told here."
    [difference] = found(
        said(1, text.format("11:15"), "Handbook", headings=("Handbook", one)),
        said(2, text.format("11:30"), "Handbook", headings=("Handbook", other)),
    )
    assert difference.is_conflict


@pytest.mark.parametrize(
    ("text", "language", "names", "question"),
    [
        (
            "For a hotel night in {} the firm refunds at most {} CHF with breakfast included.",
            "en",
            ("Geneva", "Zurich"),
            "What is refunded for a hotel night?",
        ),
        (
            "Für eine Hotelnacht in {} erstattet die Firma höchstens {} Franken mit Frühstück.",
            "de",
            ("Genf", "Basel"),
            "Was erstattet die Firma für eine Hotelnacht?",
        ),
    ],
)
def test_names_in_the_sentences_tell_things(text: str, language: str, names: tuple[str, str], question: str) -> None:
    passages = [
        said(rank, text.format(name, 200 + rank), "Travel", language=language)
        for rank, name in enumerate(names, start=1)
    ]
    [difference] = found(*passages, question=question)
    assert difference.things == names


@pytest.mark.parametrize(
    ("text", "language", "values"),
    [
        ("A lunch in the canteen of the site costs {} for every employee.", "en", ("EUR 10", "CHF 12")),
        ("The canteen of the site is open for lunch until {} on working days.", "en", ("3 PM", "11 AM")),
        ("The menu of the canteen of the site may be up to {} in size.", "en", ("20 MB", "2 GB")),
        (
            "The canteen of the site and all of its kitchens are cleaned at {} in every week of a year.",
            "en",
            ("22:00 on Monday", "23:00 on Tuesday"),
        ),
        (
            "Die Kantine des Werks erstattet den Angestellten am Monatsende höchstens {} für jedes bezahlte Mittagessen.",
            "de",
            ("20 Franken", "25 Euro"),
        ),
        (
            "Die Kantine des Werks erstattet am Monatsende höchstens je {} für jedes bezahlte und belegte Mittagessen.",
            "de",
            ("Gast 20 Franken", "Besucher 25 Franken"),
        ),
    ],
)
def test_what_something_is_measured_in_is_no_thing_of_its_own(
    text: str, language: str, values: tuple[str, str]
) -> None:
    passages = [
        said(rank, text.format(value), "Canteen", path=f"{rank}.txt", language=language)
        for rank, value in enumerate(values, start=1)
    ]
    question = "What about the canteen of the site?" if language == "en" else "Was erstattet die Kantine des Werks?"
    [difference] = found(*passages, question=question)
    assert difference.is_conflict


def test_other_words_in_the_sentences_are_the_same_thing_said_otherwise() -> None:
    text = "For a hotel night in Geneva the firm {} at most {} CHF with breakfast included."
    passages = [said(1, text.format("refunds", 200), "Travel"), said(2, text.format("reimburses", 240), "Travel")]
    [difference] = found(*passages, question="What about a hotel night of the firm?")
    assert difference.is_conflict


@pytest.mark.parametrize(
    ("titles", "question"),
    [
        (("Canteen Geneva", "Canteen Zurich"), "When does the canteen of the Geneva site open?"),
        (("Canteen Geneva", "Canteen Zurich"), "When do the canteens of the sites Geneva and Zurich open?"),
        (("Canteen policy 2023", "Canteen policy 2024"), "When did the canteen of the site open in 2023?"),
        (("Canteen of Building 4", "Canteen of Building 5"), "When does the canteen of the site open in building 4?"),
    ],
)
def test_whoever_says_which_one_is_meant_is_told_nothing_of_the_others(titles: tuple[str, str], question: str) -> None:
    assert of_titles(*titles, question=question) == []


def test_a_contradiction_counts_before_what_is_said_of_different_things() -> None:
    text = "In {} a hotel night is refunded by the firm with {} CHF, breakfast included."
    ours = f"{text.format('Geneva', 220)} {text.format('Basel', 190)}"
    theirs = f"{text.format('Zurich', 230)} {text.format('Basel', 195)}"
    [difference] = found(said(1, ours, "Travel"), said(2, theirs, "Travel"), question="What hotel night is refunded?")
    assert (difference.one_says, difference.other_says) == (text.format("Basel", 190), text.format("Basel", 195))


def test_documents_of_one_title_are_told_by_their_files() -> None:
    [difference] = of_titles("Canteen rules", "Canteen rules", paths=("rules-2025.md", "rules-2026.md"))
    told = notices.of_conflict(difference)
    assert told.startswith("Passages [1] (rules-2025.md) and [2] (rules-2026.md) differ: ")
    assert "working day.” [2] is the newer edition" in told
