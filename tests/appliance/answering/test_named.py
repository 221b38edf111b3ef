"""What a question names, and whether passages hold it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.answering.named import are_missing, held, names, unnamed
from tests.data.builders import make_hit
from tests.growth import assert_linear

HOTELS = "City | Highest rate\nGeneva | 230\nVienna | 155"
GENEVA = "What is the hotel limit in Geneva?"


@pytest.mark.parametrize(
    ("question", "language", "named"),
    [
        ("And in Paris?", "en", {"paris"}),
        ("What about Foot Locker in 2023?", "en", {"foot", "locker", "2023"}),
        ("And for the HP-400, by 2024/25?", "en", {"hp 400", "2024"}),
        ("What does FY2021 or Q3 say of iPhones?", "en", {"fy2021", "q3", "iphones"}),
        ("Et pour Zürich ?", "fr", {"zurich"}),
        ("Und für Auszubildende in Wien?", "de", set()),
        ("Und beim HP-400 im Jahr 2019?", "de", {"hp 400", "2019"}),
        ("And after 9 hours, or 2nd class?", "en", set()),
        ("And on Wednesdays, or in May?", "en", set()),
        ("And for trainees?", "en", set()),
        ("Paris?", "en", set()),
        ("AND IN PARIS?", "en", set()),
        ("And in 2019? Answer in EUR.", "en", {"2019"}),
        ("", "", set()),
        ("And of Ms. Miller, or Herr Dr. Meier?", "en", {"miller", "meier"}),
        ("And of Prof. Dr. J. Smith of Contoso Inc. or Frau Huber?", "en", {"smith", "contoso", "huber"}),
        ("And in CA?", "en", {"ca"}),
        ("And for Wi-Fi, E-Mail, Wi-fi or Zurich-based staff?", "en", {"wi fi", "e mail", "zurich"}),
        ("And from Geneva–Bern?", "en", {"geneva", "bern"}),
    ],
)
def test_names_are_capitals_inside_a_sentence_years_and_codes(question: str, language: str, named: set[str]) -> None:
    assert set(names(question, language)) == named


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fabrikam", "Fabrikams board"),
        ("activisions", "Activision met."),
        ("zurich", "in Zürich"),
        ("paris", "PARIS_2023.pdf"),
        ("hp 400", "the HP 400"),
        ("hp 400", "the HP400"),
        ("hp400", "the HP-400"),
        ("zx 4471 b", "Valve ZX-4471-B"),
        ("fy2021", "in 2021"),
        ("celeron", "the expedition of Céloron"),
        ("netfilx", "Netflix"),
        ("2021", "FY2021"),
        ("2021", "the 2021Q3 report"),
        ("wi fi", "WiFi"),
        ("wifi", "Wi-Fi"),
        ("wi fi", "Wi Fi"),
        ("e mail", "emails"),
    ],
)
def test_a_name_is_found_in_other_spellings(name: str, text: str) -> None:
    assert held([name], text) == {name}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("paris", "parity and parishes"),
        ("hp 400", "HP-300 costs EUR 400"),
        ("fy2021", "in 2020"),
        ("2021", "12021"),
        ("vienna", "Geneva"),
        ("abb", "abbey"),
        ("wi fi", "wide and fine"),
        ("2021", "HP-20215"),
    ],
)
def test_another_name_is_not_taken_for_it(name: str, text: str) -> None:
    assert not held([name], text)


def test_a_follow_up_wants_each_of_its_names_and_a_question_one() -> None:
    hits = [make_hit("Fabrikam paid EUR 3 million in 2021.")]
    asked = "What did Fabrikam pay in 2021?"
    for follow_up, missing in (
        ("And in 2021?", False),
        ("And in 2019?", True),
        ("And Contoso in 2021?", True),
        ("And the board?", False),
    ):
        assert are_missing(f"{asked} {follow_up}", follow_up, hits) == missing, follow_up
    assert not are_missing("What did Contoso pay in 2021?", "", hits)
    assert are_missing("What did Contoso pay in 2019?", "", hits)
    assert not are_missing("What did they pay?", "", hits)
    assert are_missing(asked, "", [])


def test_an_abbreviation_or_a_code_alone_tells_nothing_unless_the_same_stands_there_with_another_number() -> None:
    hits = [make_hit("The lid screws of the HLT-40 are tightened with 14 Nm. Gross domestic product rose.")]
    assert not are_missing("How far did the GDP rise?", "", hits)
    assert not are_missing("What is an M2-like state of CPT?", "", hits)
    assert are_missing("What is the torque of the screws on the HLT-60 bench?", "", hits)
    assert are_missing("And for GDP?", "And for GDP?", hits)  # a follow-up says nothing else of its own
    faults = [make_hit("E-133: the filament is broken. E-158: the lid is open. Only plan B 4 helps.")]
    assert are_missing("What does the fault code E-150 mean?", "", faults)
    assert not are_missing("What does the fault code E-133 mean?", "", faults)
    assert not are_missing("What is a B-12 state?", "", faults)


def test_of_a_name_in_two_parts_a_follow_up_wants_both_and_a_question_one() -> None:
    hits = [make_hit("Baden is on the Limmat.")]
    assert are_missing("Where is Baden? And for Baden-Thun?", "And for Baden-Thun?", hits)
    assert not are_missing("Where is Baden-Thun?", "", hits)
    assert are_missing("Where is Bern-Thun?", "", hits)


def test_what_may_be_a_name_is_missing_only_where_it_counts() -> None:
    hits = [make_hit("Employees get 25 days of paid leave a year.")]
    for question in (
        "What does the Policy say about paid days?",
        "How many days of leave do I get, Anna?",
        "Hotel in Paris?",
        "Budget in Zurich?",
    ):
        assert not are_missing(question, "", hits), question
        assert are_missing(question, "", hits, in_doubt=True), question
    for question in ("Wer bekommt Urlaub?", "Please answer in French: how many days of paid leave?"):
        assert not are_missing(question, "", hits, in_doubt=True), question


def test_so_many_names_count_of_a_question() -> None:
    assert len(names("And in " + " and ".join(f"Xa{'b' * number}" for number in range(100)), "en")) == 64


def test_a_name_of_a_passage_title_path_or_heading_counts() -> None:
    for hit in (make_hit("155", title="Vienna"), make_hit("155", context="Hotels > Vienna")):
        assert not are_missing(f"{GENEVA} And in Vienna?", "And in Vienna?", [hit])
    assert are_missing(f"{GENEVA} And in Paris?", "And in Paris?", [make_hit(HOTELS)])


def test_a_german_noun_is_no_name_so_nothing_is_missing() -> None:
    asked, follow_up = "Wie viele Urlaubstage haben Mitarbeitende im Jahr?", "Und für Auszubildende?"
    assert not are_missing(f"{asked} {follow_up}", follow_up, [make_hit("Mitarbeitende haben 25 Tage Urlaub.")])


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Und in Paris?", {"paris"}),
        ("Und in „Wien“ oder in Bern?", {"wien", "bern"}),
        ("Und im Büro, in der Probezeit und für Auszubildende?", set()),
        ("Und in Bearbeitung, in Kraft, in Prozent, in Euro oder in Ausnahmefällen?", set()),
        ("Und in welchen Monaten?", set()),
        ("UND IN PARIS?", set()),
    ],
)
def test_in_german_what_follows_in_without_an_article_may_be_a_place(question: str, named: set[str]) -> None:
    assert set(names(question, "de", german_places=True)) == named
    assert set(names(question, "de")) == set()


def test_a_place_of_a_german_follow_up_must_stand_in_what_was_found_if_that_is_german() -> None:
    asked = "Wie viele Tage mobiles Arbeiten sind in Brunnfels im Monat möglich?"
    [german] = [make_hit("Mobiles Arbeiten ist an acht Tagen möglich, auch in Bern.")]
    german = replace(german, chunk=replace(german.chunk, language="de"))
    english = replace(german, chunk=replace(german.chunk, language="en"))
    for follow_up, hit, missing in (
        ("Und in Paris?", german, True),
        ("Und in Bern?", german, False),
        ("Und in Paris?", english, False),  # where it may be called something else
    ):
        assert are_missing(f"{asked} {follow_up}", follow_up, [hit]) == missing, follow_up
    assert not are_missing(asked, "", [german])  # nor does a question by itself want them


def test_a_very_long_question_is_read_in_time_linear_in_its_length() -> None:
    text = "word and another " * 100
    assert_linear(lambda question: held(names(question, "en"), text), lambda size: "And " + "Paris7x " * size, 4_000)


@pytest.mark.parametrize(
    ("question", "follow_up", "told"),
    [
        ("What is the limit in Paris and Geneva?", "", ("Paris",)),
        ("What is the Paris limit for FY2021 or 2019?", "", ("Paris", "2019")),
        ("What does the HP-300 cost in Geneva?", "", ("HP-300",)),
        ("What does the XY-300 cost in Geneva?", "", ()),
        ("What is the limit at Foot-Locker?", "", ("Foot-Locker",)),
        ("What is the limit of the Geneva-Paris train?", "", ()),
        ("What is the limit in Genf?", "", ("Genf",)),
        (f"{GENEVA} And in Paris?", "And in Paris?", ("Paris",)),
        ("Wie hoch ist die Grenze für ein Hotel in Paris?", "", ("Paris",)),
        ("Wie hoch ist die Obergrenze für das Zimmer?", "", ()),
        ("what is the limit?", "", ()),
    ],
)
def test_names_that_stand_in_none_of_the_passages_are_told_as_they_were_written(
    question: str, follow_up: str, told: tuple[str, ...]
) -> None:
    assert unnamed(question, follow_up, [make_hit(f"{HOTELS}\nThe HP-400 travels free.")]) == told
