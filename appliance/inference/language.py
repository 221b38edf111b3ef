"""Which language a text is in, found offline with py3langid (BSD; its model comes inside the wheel)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any

from appliance.language import words

LANGUAGES = tuple(words.LANGUAGES)
"""Two-letter codes of the languages with a stemmer and stop words of their own."""

TOLD_APART = ("da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "ru", "sv", "tr")
"""Those that are told apart; more than have a stemmer, so that the others are not taken for one that has."""

_ENOUGH_LETTERS = 12
_SAMPLE_CHARACTERS = 4000
_SURE = 0.9  # probability among all that are told apart
_RATHER_SURE = 0.7  # among those with words of their own
_SOME = 2  # common words that tell a language, however long the question is; one may be part of a name

_WORD = re.compile(r"[^\W\d_]+")
_COMMON_WORDS = {
    code: frozenset((*its.words.common_words, *its.words.short_common_words, *its.words.question_words))
    for code, its in words.LANGUAGES.items()
}


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
    if not _is_readable(text, languages, letters):
        return ""
    language, certainty = _identifier(tuple(languages)).classify(text[:_SAMPLE_CHARACTERS])
    return str(language) if certainty >= probability else ""


def question_language(question: str) -> str:
    """The language of a question, one of `TOLD_APART`; "" when that is not clear, as of few words it often is not.

    It is the likeliest of all if that is sure, or if it is one of `LANGUAGES` and rather sure among those; else the one
    whose words that say nothing by themselves ("the", "der", "what") stand in it twice or are half of it. Of keywords
    with fewer ("Pizza delivery Zurich", "Las Vegas trip") the likeliest would be wrong for every tenth question.
    """
    if not _is_readable(question, TOLD_APART, _ENOUGH_LETTERS):
        return _most_common_words(question)
    ranked = _identifier(TOLD_APART).rank(question[:_SAMPLE_CHARACTERS])
    (likeliest, certainty), own = ranked[0], [share for language, share in ranked if language in LANGUAGES]
    is_clear = certainty >= _SURE or (likeliest in LANGUAGES and max(own) >= _RATHER_SURE * sum(own))
    return str(likeliest) if is_clear else _most_common_words(question)


def _is_readable(text: str, languages: Sequence[str], letters: int) -> bool:
    found = [character for character in text[:_SAMPLE_CHARACTERS] if character.isalpha()]
    end_of_script = "\u0530" if "ru" in languages else "\u0250"  # where Cyrillic ends, and where Latin does
    readable = sum(character < end_of_script for character in found)
    return readable >= letters and readable >= 0.8 * len(found)


def _most_common_words(question: str) -> str:
    words = _WORD.findall(question[:_SAMPLE_CHARACTERS])
    asked = [word.casefold() for word in words if not word.isupper()]  # "IT" is no English word
    counts = {code: sum(word in common for word in asked) for code, common in _COMMON_WORDS.items()}
    most = max(counts.values())
    best = [code for code, count in counts.items() if count == most]
    return best[0] if most and len(best) == 1 and (most >= _SOME or 2 * most >= len(words)) else ""


@cache
def _identifier(languages: tuple[str, ...]) -> Any:
    identifier = copy(_loaded())  # what tells the languages apart is shared; only which ones differs
    identifier.set_languages(list(languages))
    return identifier


@cache
def _loaded() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
