"""Which language a text is in, found offline with py3langid (BSD; its model comes inside the wheel)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any

from appliance.language import words

LANGUAGES = tuple(words.LANGUAGES)
"""Two-letter codes of the languages with a stemmer and stop words of their own."""

_ENOUGH_LETTERS = 12
_SAMPLE_CHARACTERS = 4000


def detect_language(
    text: str, languages: Sequence[str] = LANGUAGES, *, letters: int = _ENOUGH_LETTERS, probability: float = 0.0
) -> str:
    """The most likely of `languages`, or "" when that is not clear.

    Args:
        text: Its beginning is looked at.
        languages: The choices; fewer make short texts come out right more often.
        letters: How many letters of the languages' scripts the text must have.
        probability: How sure the answer must be.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    found = [character for character in sample if character.isalpha()]
    end_of_script = "\u0530" if "ru" in languages else "\u0250"  # where Cyrillic ends, and where Latin does
    readable = sum(character < end_of_script for character in found)
    if readable < letters or readable < 0.8 * len(found):
        return ""
    language, certainty = _identifier(tuple(languages)).classify(sample)
    return str(language) if certainty >= probability else ""


@cache
def _identifier(languages: tuple[str, ...]) -> Any:
    identifier = copy(_loaded())  # what tells the languages apart is shared; only which ones differs
    identifier.set_languages(list(languages))
    return identifier


@cache
def _loaded() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
