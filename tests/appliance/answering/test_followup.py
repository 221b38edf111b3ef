"""Follow-up questions: completed when they lean on the one before, and left alone when they stand by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.answering.followup import is_follow_up, standalone
from appliance.domain import Turn

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
