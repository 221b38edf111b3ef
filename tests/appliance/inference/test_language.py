"""Telling the language of a question, offline."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.inference.language import LANGUAGES, TOLD_APART, detect_language, question_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How long are inspection records kept?", "en"),
        ("Wie lange werden Prüfberichte aufbewahrt?", "de"),
        ("Combien de temps les rapports sont-ils conservés ?", "fr"),
        ("Per quanto tempo si conservano i rapporti?", "it"),
        ("¿Cuánto tiempo se conservan los informes?", "es"),
    ],
)
def test_a_question_is_told_in_each_language(text: str, language: str) -> None:
    assert detect_language(text) == language
    assert question_language(text) == language


@pytest.mark.parametrize(
    "keywords",
    [
        "ISO 27001 certificate Bologna",
        "Pizza delivery Zurich",
        "Bonus policy Tokyo",
        "printer error E-999",
        "Nobel prize Einstein",
        "Hotel limit Geneva?",
        "UserDatagram Protocol",
        "Las Vegas trip",
        "Van der Berg",
        "IT Kosten",
        "US Reise",
    ],
)
def test_keywords_are_not_taken_for_a_language_by_how_they_look(keywords: str) -> None:
    assert detect_language(keywords) != "en"  # the likeliest is a wrong one, or none
    assert question_language(keywords) == ""


@pytest.mark.parametrize(
    ("question", "language"),
    [("Wer ist das?", "de"), ("the limit", "en"), ("Reisekosten Zürich", "de"), ("limite di spesa albergo", "it")],
)
def test_a_short_question_is_told_by_its_common_words_or_where_it_is_clear(question: str, language: str) -> None:
    assert question_language(question) == language


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Qual é o limite de hotel em Genebra?", "pt"),
        ("Wat is het hotellimiet in Genève?", "nl"),
        ("Vad är hotellgränsen i Genève?", "sv"),
    ],
)
def test_a_question_in_a_language_without_words_of_its_own_is_not_taken_for_its_neighbour(
    question: str, language: str
) -> None:
    assert detect_language(question) in LANGUAGES  # forced among ours
    assert question_language(question) == language


@pytest.mark.parametrize("text", ["", "Urlaub?", "2026-11-23 12:00, 4.2.1 / 77", "?!" * 500, "ISO 27001"])
def test_too_few_letters_tell_nothing(text: str) -> None:
    assert detect_language(text) == ""
    assert question_language(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "検査報告書はどのくらいの期間保管されますか。",
        "Как долго хранятся протоколы проверки?",
        "كم مدة حفظ تقارير التفتيش؟",
    ],
)
def test_another_script_is_not_taken_for_one_of_our_languages(text: str) -> None:
    assert detect_language(text) == ""


def test_a_foreign_name_in_a_question_does_not_matter() -> None:
    assert detect_language("Wie lange werden die Prüfberichte von 株式会社 aufbewahrt?") == "de"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_gives_a_known_language_or_none(text: str) -> None:
    assert detect_language(text) in {*LANGUAGES, ""}
    assert detect_language(text + "\ud800" * 20) in {*LANGUAGES, ""}  # half characters too
    assert question_language(text) in {*TOLD_APART, ""}
    assert question_language(text + "\ud800" * 20) in {*TOLD_APART, ""}


def test_a_long_text_is_told_by_its_beginning() -> None:
    assert detect_language("Wie lange werden Prüfberichte aufbewahrt? " * 100 + "How long? " * 50_000) == "de"


def test_importing_loads_no_model() -> None:
    code = "import sys, appliance.inference.language; print('py3langid' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
