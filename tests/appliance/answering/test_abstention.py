"""How likely the documents answer a question, before a model reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.answering.abstention import ALL_WORDS_FOUND, answerability, signs
from appliance.config import RetrievalSettings
from appliance.domain import Hit
from tests.data.builders import make_hit
from tests.growth import assert_linear

QUESTION = "What was the revenue of Borealis in 2021?"
THRESHOLD = RetrievalSettings().answerable_above


def hit(text: str, similarity: float | None = 0.5, *, rank: int = 1, title: str = "Report") -> Hit:
    return make_hit(text, rank=rank, similarity=similarity, title=title)


def test_nothing_found_means_the_documents_do_not_say() -> None:
    assert answerability(QUESTION, []) == 0.0


def test_the_nearer_the_best_passage_the_likelier_an_answer() -> None:
    judged = [answerability(QUESTION, [hit("Sales went up.", near)]) for near in (0.1, 0.3, 0.5, 0.7)]
    assert judged == sorted(judged)
    assert judged[0] < THRESHOLD < judged[-1]


def test_a_very_long_question_is_judged_in_time_linear_in_its_length() -> None:
    def question(words: int) -> str:
        return " ".join(f"Word{number}" for number in range(words))

    hits = [hit("The revenue of Borealis.")]
    assert signs(question(2_000), hits).names == 0.0
    assert_linear(lambda text: signs(text, hits), question, 2_000)


def test_a_passage_about_somebody_else_speaks_against_an_answer() -> None:
    same = answerability(QUESTION, [hit("The revenue of Borealis in 2021 went up.")])
    other = answerability(QUESTION, [hit("The revenue of Meridian in 2019 went up.")])
    assert other < THRESHOLD < same


def test_a_name_counts_where_title_or_path_has_it() -> None:
    inside = signs(QUESTION, [hit("Revenue in 2021 went up.", title="Borealis annual report")])
    assert inside.names == 1.0
    assert signs(QUESTION, [hit("Revenue in 2021 went up.")]).names == 0.5


def test_names_must_stand_in_one_passage_together() -> None:
    apart = [hit("Borealis is a company."), hit("In 2021 it rained.", rank=2)]
    assert signs(QUESTION, apart).names == 0.5


def test_a_name_that_stands_nowhere_may_be_one_of_the_others_of_a_table() -> None:
    table = hit("The hotel limits.\nCity | Limit\nGeneva | 230\nOther cities | 120")
    assert signs("What is the hotel limit in Paris?", [table]).names == 1.0
    assert signs("What is the hotel limit in Paris and Geneva?", [table]).names == 0.5
    assert signs("What is the hotel limit in 2019?", [table]).names == 0.0
    for question in (
        "What is the hotel limit for Directors?",
        "What did Fabrikam pay for a hotel in Paris?",
        "Who is Anna Meier's hotel manager?",
        "Can I book hotels through Airbnb?",
        "Who is the hotel's head of Marketing?",
    ):
        assert signs(question, [table]).names == 0.0, question
    assert signs("Who is the mayor of Paris?", [table]).names == 0.0
    assert signs("What is the hotel limit in Paris?", [hit("The hotel limits."), table]).names == 0.0


def test_a_plural_or_genitive_is_still_the_name_and_a_longer_word_is_not() -> None:
    assert signs("Who runs Activision now?", [hit("Activisions board met.")]).names == 1.0
    assert signs("Who runs Activision now?", [hit("The activity of the board.")]).names == 0.0


def test_a_capital_tells_no_name_in_german_or_at_the_beginning_of_a_sentence() -> None:
    german = "Wie lange werden die Rechnungen und Belege des Unternehmens aufbewahrt?"
    assert signs(german, [hit("Zehn Jahre.")]).names == 1.0
    for question in ("Revenue went up how far? Tell me.", 'How far? "Tell me."', "How far; (tell me)\nRevenue?"):
        assert signs(question, [hit("Nothing.")]).names == 1.0, question


def test_what_follows_the_question_and_what_is_shouted_names_nothing() -> None:
    told_how = "What was the revenue of Borealis? Format it as EUR 1,234 in a list like ['A1', 'B2']."
    assert signs(told_how, [hit("The revenue of Borealis went up.")]).names == 1.0
    assert signs(told_how, [hit("The revenue of Meridian went up.")]).names == 0.0
    assert signs("WHAT IS THE LAST YEAR IN TABLE 17?", [hit("Table 17 ends there.")]).names == 1.0
    assert signs("WHAT IS THE LAST YEAR IN TABLE 17?", [hit("Table 18 ends there.")]).names == 0.0
    assert signs("Borealis? Tell me of Meridian", [hit("Meridian is a company.")]).names == 1.0
    assert signs("NATO?", [hit("The board met.")]).names == 0.0


@pytest.mark.parametrize(
    ("text", "denial"),
    [("Invoices of Borealis may not be deleted.", 1.0), ("Invoices of Borealis may be deleted.", 0.0)],
)
def test_a_sentence_that_denies_what_the_question_does_not_is_noticed(text: str, denial: float) -> None:
    assert signs("Which invoices of Borealis may be deleted?", [hit(text)]).denial == denial


def test_a_passage_with_every_word_is_shown_however_far_its_meaning_seems() -> None:
    code = hit("Valve ZX-4471-B is replaced after 800 hours.", similarity=None)
    assert answerability("ZX-4471-B", [code]) == ALL_WORDS_FOUND > THRESHOLD
    assert answerability("ZX-9999-C", [code]) < THRESHOLD


def test_words_of_asking_need_not_stand_in_a_passage_with_accents_or_without() -> None:
    limit = make_hit("El límite del hotel: 230 francos.", similarity=0.0)
    assert answerability("¿Cuál es el límite del hotel?", [limit]) == ALL_WORDS_FOUND
    assert answerability("¿Cuál es el límite del vuelo?", [limit]) < ALL_WORDS_FOUND


def test_the_fused_score_does_not_matter() -> None:
    one = hit("The revenue of Borealis went up.")
    assert answerability(QUESTION, [one]) == answerability(QUESTION, [replace(one, score=900.0)])


@pytest.mark.parametrize("question", ["", "?", "a", "is it ok", "🙂", "\x00", "'; DROP TABLE documents; --", "日本語"])
def test_an_odd_question_gets_a_number_between_0_and_1(question: str) -> None:
    assert 0.0 <= answerability(question, [hit("anything", 0.1)]) <= 1.0


def test_a_question_of_50000_characters_is_judged_in_time() -> None:
    assert answerability("Borealis 2021? " * 3_500, [hit("word " * 300, rank=rank) for rank in range(1, 61)]) > 0
