"""Messages that ask nothing. (What becomes of them: `test_answerer`, `test_followup`.)"""

from __future__ import annotations

import pytest

from appliance.answering.courtesies import reply_to
from appliance.language.words import LANGUAGES
from tests.growth import assert_linear


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_phrase_of_a_language_asks_nothing_if_one_greets_or_thanks(code: str) -> None:
    words = LANGUAGES[code].words
    for phrase in words.courtesies:
        assert reply_to(f"{phrase.capitalize()}!")
    for phrase in words.beside_courtesies:
        assert reply_to(f"{phrase.capitalize()}!") == ""
        assert reply_to(f"{phrase}, {words.courtesies[0]}")
    assert reply_to(LANGUAGES[code].nothing_asked) == ""


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("hi", "en"),
        ("Hi, danke", "de"),
        ("Super, merci", "fr"),
        ("OK grazie", "it"),
        ("Hi, grazie", "it"),
        ("Vale, gracias", "es"),
        ("Thank\nyou", "en"),
        ("Thank  you", "en"),
        ("buenos dias", "es"),
        ("Wie geht\u2019s?", "de"),
    ],
)
def test_what_asks_nothing_is_answered_in_the_language_of_the_words_that_are_of_no_other(
    message: str, code: str
) -> None:
    assert reply_to(message) == LANGUAGES[code].nothing_asked


@pytest.mark.parametrize("said", ["Vale", "Super!", "OK", "Perfect, great", "mille fois", "Vale S.A.", "Hello-World"])
def test_what_greets_and_thanks_nobody_is_a_question(said: str) -> None:
    assert reply_to(said) == ""


@pytest.mark.parametrize("said", ["thank you", "thank you thanks, ", "ok! ", "!", "danke merci "])
def test_the_time_to_tell_grows_with_the_message_and_no_faster(said: str) -> None:
    assert_linear(reply_to, lambda size: said * size + "who?", 400)
    assert_linear(reply_to, lambda size: said * size, 400)
