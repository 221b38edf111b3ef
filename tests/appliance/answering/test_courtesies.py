"""Messages that ask nothing. (What becomes of them: `test_answerer`, `test_followup`.)"""

from __future__ import annotations

import pytest

from appliance.answering.courtesies import reply_to
from appliance.language.words import LANGUAGES
from tests.growth import assert_linear


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_phrase_of_a_language_asks_nothing(code: str) -> None:
    for phrase in LANGUAGES[code].words.courtesies:
        assert reply_to(f"{phrase.capitalize()}!")
    assert reply_to(LANGUAGES[code].nothing_asked) == ""


@pytest.mark.parametrize("said", ["thank you", "thank you thanks, ", "ok! ", "!", "danke merci "])
def test_the_time_to_tell_grows_with_the_message_and_no_faster(said: str) -> None:
    assert_linear(reply_to, lambda size: said * size + "who?", 400)
