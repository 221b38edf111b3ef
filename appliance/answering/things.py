"""Tells numbers that name a thing ("note 123", "Section 4.2", "Building 4", "HP-300") from those that measure. Pure.

Rules this module keeps:

1. A number names when it follows a word that things are counted by ("note", "Artikel"), or a word with a capital inside
   a sentence that is no currency, month or weekday (not in German, where every noun has one: "dem Antrag 3 Kopien
   beilegen"), or when it is part of a code with a capital.
2. It measures when a measure or a currency comes after it ("Level 3 years"), and years belong to dates.
"""

from __future__ import annotations

import re

from appliance.answering.numbers import CURRENCIES, MEASURES
from appliance.dates import MONTHS, WEEKDAYS
from appliance.index.names import begins_sentence
from appliance.language.endings import singular
from appliance.language.words import ANY, nouns_have_capitals, one_of

_COUNTING = frozenset(ANY.counting_words)
_CALENDAR = frozenset(map(singular, (*MONTHS, *WEEKDAYS)))  # as `_singular` has them: "Lunes 8"
_CURRENCY = rf"(?:aud|cad|chf|cny|dkk|eur|gbp|jpy|nok|sek|usd|fr|{one_of(CURRENCIES)})"
MONEY = re.compile(rf"{_CURRENCY}[\d.,]*", re.IGNORECASE)
"""A currency, with a sum behind it or not."""

_YEAR = re.compile(r"(?:19|20)\d\d")
_AFTER_WORD = re.compile(r"(?<![\w-])([^\W\d_]+)(?:\. ?| #| )(\d+(?:[.:]\d+)*[a-z]?)(?![\w%]|[.,:]\d)", re.IGNORECASE)
_MEASURED = re.compile(rf"\s?(?:[%€$£]|(?:{MEASURES}|{_CURRENCY})\b)", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w-])[^\W\d_]\w*(?:[-/]\w+)*|§+ ?\d+(?:\.\d+)*[a-z]?\b")


def things_in(text: str, language: str = "") -> tuple[frozenset[str], str]:
    """The things that numbers name in a text of this language, in one spelling, and the text without these numbers."""
    found: set[str] = set()

    def without_code(written: re.Match[str]) -> str:
        if not _is_code(written[0]):
            return written[0]
        found.add(written[0].replace(" ", "").casefold())
        return " "

    def without_number(written: re.Match[str]) -> str:
        if not _names(written, language):
            return written[0]
        found.add(f"{_singular(written[1])} {written[2].casefold()}")
        return f"{written[1]} "

    rest = _AFTER_WORD.sub(without_number, _CODE.sub(without_code, text))
    return frozenset(found), rest


def _is_code(written: str) -> bool:
    is_coded = any(map(str.isdigit, written)) and (written[0] == "§" or any(map(str.isupper, written)))
    return is_coded and not MONEY.fullmatch(written)


def _names(written: re.Match[str], language: str) -> bool:
    word, number = _singular(written[1]), written[2]
    if _YEAR.fullmatch(number) or _MEASURED.match(written.string, written.end()):
        return False
    if word in _COUNTING:
        return True
    tells = not nouns_have_capitals(language) and not begins_sentence(written.string, written.start())
    return tells and written[1][0].isupper() and word not in _CALENDAR and not MONEY.fullmatch(word)


def _singular(word: str) -> str:
    folded = word.casefold()
    return folded if folded in _COUNTING else singular(folded)
