"""Follow-up questions: completed when they lean on the one before, and left alone when they stand by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.answering.followup import REMEMBERED_TURNS, is_follow_up, remembered, standalone
from appliance.domain import Turn
from tests.growth import assert_linear

BEFORE = [Turn("Who signs contracts?", "The board."), Turn("How long is parental leave?", "16 weeks [1].")]


@pytest.mark.parametrize(
    "question",
    [
        "And for trainees?",
        "why?",
        "",
        "What about people who work part time in Basel?",
        "How many days of it can be taken in the following year?",
        "Und wie ist die Regelung für Mitarbeitende in Teilzeit?",
        "Wie lange kann man diesen Anspruch auch im Folgejahr noch geltend machen?",
        "Et pour les apprentis qui travaillent à temps partiel ?",
        "Combien de temps dure celui des apprentis de première année ?",
        "E per i tirocinanti che lavorano a tempo parziale?",
        "Quanto dura quello dei tirocinanti del primo anno di lavoro?",
        "¿Y para los aprendices que trabajan a tiempo parcial?",
        "¿Cuánto dura este permiso para los aprendices de primer año?",
        "Is breakfast included there?",
        "Can I park my car there on weekends?",
        "Ist das Frühstück dort inbegriffen?",
        "Le café est-il compris là-bas ?",
        "La colazione è inclusa lì?",
        "¿Se incluye allí el desayuno?",
        "What do people there need?",
        "Si può parcheggiare là di notte?",
        "Hello, who works there?",
    ],
)
def test_a_question_that_leans_on_the_one_before_is_searched_with_it(question: str) -> None:
    assert standalone(question, BEFORE) == f"How long is parental leave? {question}"


@pytest.mark.parametrize(
    "question",
    [
        "What is the notice period for permanent employees?",
        "Is there a policy on working from home abroad?",
        "Which one of the offices keeps the fire safety plan?",
        "How many vacation days are there?",
        "Why isn't there a canteen in the main building?",
        "Which limits have there been on travel?",
        "Can there be two deputies?",
        "How many days off work are there?",
        "Which rule says there must be two signatures?",
        "What if there isn't a receipt?",
        "What if there isn’t a receipt?",
        "What if there weren't two signatures?",
        "What if there won't be a receipt?",
        "What if there hasn't been a receipt?",
        "What if there cannot be two signatures?",
        "Why hasn't there been a raise?",
        "Do there need to be two signatures?",
        "Did there use to be a canteen?",
        "What if there remain doubts?",
        "What if there seems to be a doubt?",
        "Hello there, what is the leave policy?",
        "What did the Geneva office buy there in 2023?",
        "Wer arbeitet dort, wo Gefahrstoffe lagern?",
        "D'ici là, qui signe les contrats ?",
        "Si può lavorare al di là delle 40 ore?",
        "Può il lavoro andare là dove serve?",
        "¿Se puede prolongar el permiso más allá de seis meses?",
        "¿Quién trabaja allí donde hay riesgo?",
        "Wie beantrage ich das Elterngeld für Mitarbeitende in Zürich?",
        "Gibt es eine Richtlinie zum Umgang mit Geschenken von Lieferanten?",
        "Können Sie mir sagen, wer Dienstreisen nach Übersee genehmigt?",
        "E-Mail-Richtlinie: Wer darf Anhänge an externe Empfänger senden?",
        "Ma demande de remboursement a été refusée par le service comptable, que faire ?",
        "Y a-t-il une politique pour le travail depuis l'étranger ?",
        "Qual è il termine di disdetta per i contratti a tempo indeterminato?",
        "¿Cuál es el plazo de preaviso para empleados con contrato indefinido?",
        "¿Quién aprueba los viajes y las dietas del personal directivo?",
        "Who signs contracts?",
        "Parental leave abroad?",
        "What are debentures?",
        "Was ist ein Sammelkonto?",
        "What did Fabrikam pay its suppliers in 2023?",
        "Does the auditor confirm that the accounts give a true and fair view?",
        "Must an authorised firm notify clients before it changes the terms of an agreement that they signed?",
        "In which cases may those who hold client money use it for their own account?",
        "Welche Frist gilt, damit eine Kündigung während der Probezeit wirksam wird?",
        "Kann das Unternehmen Daten von Lieferanten auch ohne deren Einwilligung speichern, wenn diese veröffentlicht sind?",
    ],
)
def test_a_question_that_stands_by_itself_is_searched_alone(question: str) -> None:
    assert standalone(question, BEFORE) == question


WRITTEN = Path(__file__).parents[3] / "bench" / "followups.txt"


def test_of_the_follow_ups_that_were_written_down_hardly_any_is_missed() -> None:
    """`bench/followups.py` measures the other side too, on questions that stand by themselves."""
    written = [line.split("\t")[1] for line in WRITTEN.read_text("utf-8").splitlines() if "\t" in line]
    missed = [question for question in written if not is_follow_up(question)]
    assert len(written) > 150
    assert len(missed) <= 0.05 * len(written), missed


def test_the_first_question_of_a_conversation_is_never_completed() -> None:
    assert standalone("And for trainees?", []) == "And for trainees?"


def test_a_follow_up_of_a_very_long_question_is_searched_alone() -> None:
    assert standalone("And for trainees?", [Turn("Who works here? " * 1250, "All [1].")]) == "And for trainees?"


def test_a_follow_up_of_a_follow_up_belongs_to_the_first_question() -> None:
    turns = (Turn("How many vacation days do employees get?", "25 [1]."), Turn("And for trainees?", "27 [1]."))
    assert standalone("And for interns?", turns) == "How many vacation days do employees get? And for interns?"


@pytest.mark.parametrize(
    ("asked", "searched_for"),
    [
        (("And in Vienna?", "And who approves it?"), "What is the hotel limit in Vienna? And who approves it?"),
        (("And in Vienna?", "Is breakfast included there?"), "What is the hotel limit in Vienna? Is breakfast included there?"),
        (("What about New York?", "Who approves it?"), "What is the hotel limit in New York? Who approves it?"),
        (("And in Vienna?", "And in Paris?", "Why?"), "What is the hotel limit in Paris? Why?"),
        (("And in Vienna?", "And who approves it?", "Why?"), "What is the hotel limit in Vienna? Why?"),
        (("And in Vienna?", "And for interns?"), "What is the hotel limit in Vienna? And for interns?"),
        (("And in Vienna?", "And in 2025?"), "What is the hotel limit in Vienna? And in 2025?"),
        (("And in Vienna?", "And in Paris?"), "What is the hotel limit in Geneva? And in Paris?"),  # in the place of both
        (("And for interns?", "Who approves it?"), "What is the hotel limit in Geneva? And for interns? Who approves it?"),
        (("And for Anna?", "Who approves it?"), "What is the hotel limit in Geneva? And for Anna? Who approves it?"),
        (("And for interns?", "And for trainees?", "Why?"), "What is the hotel limit in Geneva? And for trainees? Why?"),
        (("And for interns?", "And in 2023?"), "What is the hotel limit in Geneva? And for interns? And in 2023?"),
        (("And in 2023?", "And in Vienna?"), "What is the hotel limit in Geneva? And in 2023? And in Vienna?"),
        (("And in 2023?", "And for interns?", "And in 2024?", "Why?"), "What is the hotel limit in Geneva? And for interns? And in 2024? Why?"),
        (("And for interns?", "And in Vienna?"), "What is the hotel limit in Geneva? And for interns? And in Vienna?"),
        (("Thank you very much for your help!", "Who approves it?"), "What is the hotel limit in Geneva? Who approves it?"),
        (("Hello", "Who approves it?"), "What is the hotel limit in Geneva? Who approves it?"),
        (("Thanks!", "Who approves it?"), "What is the hotel limit in Geneva? Who approves it?"),
        (("And for interns?", "ok", "Who approves it?"), "What is the hotel limit in Geneva? And for interns? Who approves it?"),
        (("And for interns?", "Really?", "Danke", "Why?"), "What is the hotel limit in Geneva? And for interns? Why?"),
        (("And who pays?", "How long does it take?"), "What is the hotel limit in Geneva? How long does it take?"),
    ],
)  # fmt: skip
def test_what_was_said_between_a_question_and_its_second_follow_up_is_kept(
    asked: tuple[str, ...], searched_for: str
) -> None:
    turns = [Turn(question, "x") for question in ("What is the hotel limit in Geneva?", *asked[:-1])]
    assert standalone(asked[-1], turns) == searched_for


def test_a_follow_up_is_completed_from_the_latest_turns_that_asked_anything() -> None:
    asked = ["What is the hotel limit?", *["Thanks!"] * REMEMBERED_TURNS]
    assert standalone("Why?", [Turn(question, "x") for question in asked]) == "What is the hotel limit? Why?"
    asked += ["What is the meal limit in Rome?"] * REMEMBERED_TURNS
    turns = [Turn(question, "x") for question in asked]
    assert remembered(turns) == turns[-REMEMBERED_TURNS:]


@pytest.mark.parametrize(
    ("between", "question", "followed"),
    [
        (["And in 2023?"], "And in Vienna?", "What is the limit in Geneva in 2023?"),
        (["And in Vienna?"], "And in 2023?", "What is the limit in Vienna in 2022?"),
        (["And in Vienna?", "And in 2023?"], "And in Paris?", "What is the limit in Geneva in 2023?"),
        (["And in Vienna?", "And in 2023?"], "And in 2024?", "What is the limit in Vienna in 2022?"),
        (["And in Vienna?", "And in 2023?"], "Why?", "What is the limit in Vienna in 2023?"),
    ],
)
def test_a_follow_up_displaces_only_the_name_in_its_place(between: list[str], question: str, followed: str) -> None:
    turns = [Turn(asked, "x") for asked in ("What is the limit in Geneva in 2022?", *between)]
    assert standalone(question, turns) == f"{followed} {question}"


@pytest.mark.parametrize(
    ("followed", "between", "kept"),
    [
        ("What was the revenue of Fabrikam in 2023?", "And in 2024?", "What was the revenue of Fabrikam in 2024?"),
        ("What does a flight from Geneva to Rome cost?", "And to Oslo?", "What does a flight from Geneva to Oslo cost?"),
        ("What does a flight from Geneva to Rome cost?", "What about Oslo?", "What does a flight from Geneva to Rome cost? What about Oslo?"),
        ("What did Fabrikam pay?", "And in Vienna?", "What did Fabrikam pay? And in Vienna?"),
        ("Was kostet ein Hotel in Genf?", "Und in Wien?", "Was kostet ein Hotel in Wien?"),
        ("Combien coûte un hôtel à Genève ?", "Et à Vienne ?", "Combien coûte un hôtel à Vienne ?"),
        ("Quanto costa l'albergo a Ginevra?", "E a Vienna?", "Quanto costa l'albergo a Vienna?"),
        ("¿Cuánto cuesta un hotel en Ginebra?", "¿Y en Viena?", "¿Cuánto cuesta un hotel en Viena?"),
    ],
)  # fmt: skip
def test_a_name_goes_to_the_place_of_the_one_behind_the_same_word(followed: str, between: str, kept: str) -> None:
    assert standalone("Why?", [Turn(followed, "x"), Turn(between, "x")]) == f"{kept} Why?"


@pytest.mark.parametrize("word", ["it ", "there "])
def test_whether_a_question_leans_is_told_in_time_linear_in_its_length(word: str) -> None:
    assert_linear(is_follow_up, lambda size: ("Annual leave limits " + word * size)[:size], 20_000)


@pytest.mark.parametrize("sentence", ["Is it Geneva, or Rome? ", "Der Hund und die Katze ", "it there "])
def test_a_follow_up_of_a_very_long_question_is_completed_in_time_linear_in_its_length(sentence: str) -> None:
    def work(followed: str) -> str:
        return standalone("And in Oslo?", [Turn(followed, "x"), Turn("And in Vienna?", "x"), Turn("Why?", "x")])

    work("Who?")  # the model that tells languages is loaded once
    assert_linear(work, lambda size: ("Annual leave limits: " + sentence * size)[:size], 19_000)
