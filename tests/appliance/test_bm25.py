"""What BM25 makes of text: which questions find which words."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from appliance.dates import days_and_months
from appliance.index.bm25 import SparseTerms, document_terms, query_terms, whole_terms


def found(text: str, question: str, *, text_language: str = "en", question_language: str | None = None) -> bool:
    """Whether a chunk and a question have a term in common."""
    asked = query_terms(question, text_language if question_language is None else question_language)
    return not set(document_terms(text, text_language).indices).isdisjoint(asked.indices)


def score(text: str, question: str) -> float:
    """The BM25 score with every IDF at 1."""
    document = document_terms(text, "en")
    weights = dict(zip(document.indices, document.values, strict=True))
    return sum(weights.get(index, 0.0) for index in query_terms(question, "en").indices)


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("en", "The policies were reviewed.", "policy review"),
        ("de", "Die Verträge wurden gekündigt.", "Vertrag"),
        ("de", "Häuser", "Haus"),
        ("fr", "les sécurités sociales", "sécurité"),
        ("it", "le attività aziendali", "attivita"),
        ("es", "las políticas de información", "politica"),
    ],
)
def test_a_word_is_found_in_another_form_in_its_language(language: str, text: str, question: str) -> None:
    assert found(text, question, text_language=language)


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("de", "Größe", "Grösse"),
        ("de", "Müller", "Muller"),
        ("fr", "état", "ETAT"),
        ("es", "información", "informacion"),
        ("pt", "informação", "informacao"),
    ],
)
def test_accents_and_umlauts_do_not_matter(language: str, text: str, question: str) -> None:
    assert found(text, question, text_language=language)
    assert found(question, text, text_language=language)


@pytest.mark.parametrize("guess", ["en", "de", "fr", "it", "es", "pt", ""])
@pytest.mark.parametrize(
    ("language", "text", "question"),
    [("en", "policies", "policies"), ("de", "Verträge", "Vertrag"), ("fr", "les sécurités", "sécurité")],
)
def test_a_wrong_guess_of_the_questions_language_loses_nothing(
    language: str, text: str, question: str, guess: str
) -> None:
    assert found(text, question, text_language=language, question_language=guess)


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es", ""])
@pytest.mark.parametrize(
    "name", ["ISO-27001", "4.2.1", "2026-11-23", "report_final_v2.pdf", "AB-1234/5", "12.500,00", "1984", "a@b.ch"]
)
def test_numbers_codes_dates_and_file_names_are_found_whole_in_every_language(language: str, name: str) -> None:
    assert found(f"see ({name}), page", name, text_language=language, question_language="en")


@pytest.mark.parametrize(
    ("right", "wrong", "question"),
    [
        ("clause 4.2.1", "clause 1.2.4", "what does clause 4.2.1 say"),
        ("on 2026-11-23", "on 2023-11-26", "2026-11-23"),
        ("ISO-27001", "27001 pieces, ISO", "iso-27001"),
    ],
)
def test_a_code_weighs_more_than_its_parts_in_another_order(right: str, wrong: str, question: str) -> None:
    assert score(right, question) > score(wrong, question) > 0


def test_a_part_of_a_code_is_found() -> None:
    assert found("ISO-27001", "27001")
    assert found("report_final_v2.pdf", "final report")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Daten\u00adschutz", "Datenschutz"),  # soft hyphen
        ("Daten\u200bschutz", "Datenschutz"),  # zero-width space
        ("ISO\u201127001", "ISO-27001"),  # non-breaking hyphen
        ("ISO\u201327001", "ISO-27001"),  # en dash
        ("e\u0301tat", "état"),  # decomposed accent
        ("\ufb01nance", "finance"),  # ligature
        ("FINANCE", "finance"),
    ],
)
def test_spellings_that_look_alike_are_the_same_word(written: str, asked: str) -> None:
    assert document_terms(written, "en") == document_terms(asked, "en")


def test_stop_words_are_left_out_in_their_language() -> None:
    assert document_terms("the and of", "en") == SparseTerms((), ())
    assert document_terms("und der die über", "de") == SparseTerms((), ())
    assert query_terms("und der die über", "de") == SparseTerms((), ())
    assert document_terms("the and of", "de") != SparseTerms((), ())


@pytest.mark.parametrize("text", ["", "   ", "?!", "\u00ad", "\n"])
def test_text_without_a_word_gives_an_empty_vector(text: str) -> None:
    assert document_terms(text, "en") == SparseTerms((), ())
    assert query_terms(text, "xx") == SparseTerms((), ())


@pytest.mark.parametrize("text", ["a" * 100_000, "\ud800 budget", "1." * 50_000, "\x00budget", "日本語", "😀 budget"])
def test_odd_text_is_encoded_and_still_found(text: str) -> None:
    assert found(text, text)


def test_terms_are_distinct_and_in_order_and_a_querys_weights_are_one() -> None:
    text = "ISO-27001 policies and 4.2.1 policies, policy_v2.pdf"
    for terms in (document_terms(text, "en"), query_terms(text, "de")):
        assert list(terms.indices) == sorted(set(terms.indices))
        assert len(terms.indices) == len(terms.values)
    assert set(query_terms(text, "de").values) == {1.0}


def test_a_word_that_comes_often_weighs_more_but_never_without_bound() -> None:
    once, often, always = (score("budget " * times, "budget") for times in (1, 5, 5_000))
    assert once < often
    assert always <= 2.2


def test_the_weights_of_a_chunk_depend_on_nothing_but_itself() -> None:
    before = document_terms("the annual budget", "en")
    document_terms("budget " * 1_000, "en")
    assert document_terms("the annual budget", "en") == before


@pytest.mark.parametrize(
    "text",
    [
        "03.03.2024",
        "3. 3. 2024",
        "3.März 2024",
        "3-Mar-2024",
        "2024.03.03",
        "03.03.24",
        "3. März 2024",
        "3 de marzo de 2024",
        "3 mars 2024",
        "March 3, 2024",
        "2024-03-03",
        "3/3/24",
    ],
)
def test_a_date_is_found_however_it_is_written(text: str) -> None:
    asked = "What was agreed on 3 March 2024?"
    assert score(f"Agreed on {text}", asked) > score("Agreed on 05.02.2024", asked)
    assert score(f"Agreed on {text}", "March 2024") > score("Agreed on 05.04.24", "March 2024")


def test_a_date_that_may_be_read_in_two_ways_is_found_by_either() -> None:
    for asked in ("3 April 2024", "4 March 2024"):
        assert score("due 03/04/2024", asked) > score("due 05/06/2024", asked)


def test_a_date_that_is_written_as_it_is_called_counts_once() -> None:
    (date,) = whole_terms(["2024-03-03"]).indices
    weights = dict(zip(*astuple(document_terms("due 2024-03-03", "en")), strict=True))
    assert weights[date] == 1.0


@pytest.mark.parametrize("text", ["Clause 4.2.10", "10.0.19", "2024-13-45", "2024-03-99", "32.01.2024"])
def test_what_is_no_date_is_found_as_none(text: str) -> None:
    assert not days_and_months(text)


def test_two_digits_are_a_year_of_either_century() -> None:
    assert days_and_months("31.12.99") == {"2099-12-31", "2099-12", "1999-12-31", "1999-12"}
