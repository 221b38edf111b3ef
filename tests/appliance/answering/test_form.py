"""What at the end of a question tells only how the answer is to look."""

from __future__ import annotations

import pytest

from appliance.answering.form import without_form
from tests.growth import assert_linear


@pytest.mark.parametrize(
    "form",
    [
        "Format the date as YYYY-MM-DD.",
        "Answer in one sentence.",
        "please answer in at most 50 words",
        "Answer in French.",
        "Round your answer to two decimal places.",
        "Answer in units of percents and round to one decimal place.",
        'The answer shall be formatted as a list, for example, ["Chapter 5", "Chapter 8"].',
        'Please write the answer in list format, e.g., ["3","2"]',
        "Return me a rounded integer.",
        "Answer in one sentence, please. Format the date as YYYY-MM.",
        "Bitte in einem Satz antworten.",
        "Gib die Antwort in Millionen an.",
        "Répondez en une phrase, s'il vous plaît.",
        "Rispondi in una frase.",
        "Responde en una frase.",
    ],
)
@pytest.mark.parametrize("between", [" ", "", "\n"])
def test_sentences_about_the_form_are_left_out(form: str, between: str) -> None:
    question = "What is the date of the contract?"
    if between or form[0].isupper():
        assert without_form(f"{question}{between}{form}") == question
        assert without_form(f"{question}{between}{form}\n") == question


@pytest.mark.parametrize(
    "question",
    [
        "What is the date of the contract?",
        "Answer in one sentence.",
        "... Answer in one sentence.",
        "Format the date as YYYY-MM-DD. What is the date of the contract?",
        "How do I apply? List the documents in a table.",
        "Who signs? Give the date of the contract in the format YYYY-MM-DD.",
        "Who signs? Answer in one sentence and name the department.",
        "Who signs? Answer in one sentence, and tell me who approves.",
        "Who signs? Answer for Geneva.",
        "Who signs? Can you answer in one sentence?",
        "What does the U.S. Answer in its reports?",
        "What was sold? Answer in millions for the year 2025.",
        "Who pays? Round trips are paid in one sum.",
    ],
)
def test_in_doubt_a_question_is_left_as_it_is(question: str) -> None:
    assert without_form(question) == question


def test_the_time_grows_with_the_length_and_no_faster() -> None:
    for piece in ("Answer in one sentence. ", "Round the answer of the answer to ", "Write it as it as it "):

        def made(size: int, piece: str = piece) -> str:
            return "Who signs? " + piece * (size // len(piece))

        assert_linear(without_form, made, 40_000)
