"""What in a question has a capital and is nothing that it asks about."""

from __future__ import annotations

import pytest

from appliance.answering.asides import without_asides
from appliance.answering.named import names
from tests.growth import assert_linear


@pytest.mark.parametrize(
    "question",
    [
        "Hello Anna, how many days of leave do I get?",
        "Hi Anna how many days of leave do I get?",
        "Dear Strongroom, how many days of leave do I get?",
        "Cher Paul, combien de jours de congé ai-je ?",
        "Chers collègues de Vevey, combien de jours de congé avons-nous ?",
        "Dear Ms. Miller, how many days of leave do I get?",
        "Good morning Strongroom! How many days of leave do I get?",
        "Please answer in French: how many days of leave do I get?",
        "How many days of leave do I get (in English please)?",
        "How many days of leave do I get, in German or French?",
        "And as a PDF?",
        "And as JSON, or as Markdown?",
        "What does it say in Excel format?",
        "What does the Policy say about paid days?",
        "Who signs our Travel Policy?",
        "And what about that, ChatGPT?",
    ],
)
def test_it_names_nothing(question: str) -> None:
    assert not names(question, "en")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Hello Anna, how many days of leave are there in Vienna?", {"vienna"}),
        ("Dear all, and in Paris?", {"paris"}),
        ("And in Vienna, please answer as JSON?", {"vienna"}),
        ("And in French offices?", {"french"}),
        ("And for German employees?", {"german"}),
        ("And as of 2021?", {"2021"}),
        ("And in Paris, France?", {"paris"}),
        ("And for the CEO?", {"ceo"}),
        ("Is it dearer in Paris?", {"paris"}),
    ],
)
def test_what_it_does_ask_about_is_still_named(question: str, named: set[str]) -> None:
    assert set(names(question, "en")) == named


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What does the Policy say?", {"policy"}),
        ("And in Paris, France?", {"paris", "france"}),
        ("Hello Anna, and in the Netherlands?", {"netherlands"}),
    ],
)
def test_what_is_in_doubt_is_named_where_it_is_asked_for(question: str, named: set[str]) -> None:
    assert set(names(question, "en", in_doubt=True)) == named


def test_a_question_is_read_in_time_linear_in_its_length() -> None:
    for piece in ("the Policy ", ", Anna Anna Anna", "in English, French, ", "Dear Anna "):
        assert_linear(
            lambda asked: without_asides(asked, "en"), lambda size, piece=piece: "Dear " + piece * size, 4_000
        )
