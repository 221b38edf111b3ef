"""What in a question has a capital and is nothing that it asks about. Pure.

Rules this module keeps, before what is left is looked through for names:

1. Whom a question greets ("Dear Anna, ..."), the language and the form of the answer ("in French", "as a PDF", "as
   JSON") are no subject of it. Languages and forms are a short list: another one after "in" is a name.
2. In doubt is what has a capital after an English article or the like ("the Policy", but "the Netherlands" too), and
   what stands alone after the last comma ("..., Anna?", but "..., France?" too).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.language.words import ANY, LANGUAGES, one_of

_CAPITAL = "A-ZÀ-ÖØ-Þ"
_GREETING = re.compile(
    rf"\W*{one_of(ANY.greetings)}\b"
    rf"(?:(?:[^\S\n]+[^\s,;:!?]+){{0,5}}[^\S\n]*[,;:!\n]|(?-i:\s+[{_CAPITAL}][^\W\d_]*\.?)*)",
    re.IGNORECASE,
)
_LANGUAGE = one_of(name for name in ANY.languages if name[0].isupper())
FORMAT = r"(?:PDF|JSON|CSV|XML|YAML|HTML|Markdown|Excel|Word|LaTeX)"
_OF_THE_ANSWER = re.compile(
    r"\b(?:[Aa]s an? [^\W\d_]+\b|[Aa]s [A-Z]{2,}\b"  # in English
    rf"|{one_of(ANY.before_languages)} (?:{_LANGUAGE}|{FORMAT})\b(?:(?:, and| and|, or| or|,) {_LANGUAGE}\b)*"
    r"(?!\s+(?!please\b|and\b|or\b|format\b)[^\W\d_]))"
)
_CAPITALISED = rf"[{_CAPITAL}][a-zß-öø-ÿ]+\b"


def _in_doubt(leading: Sequence[str]) -> re.Pattern[str]:
    """What is in doubt behind these words, and alone at the end."""
    return re.compile(
        rf"\b{one_of((*leading, *map(str.capitalize, leading)))}\s+{_CAPITALISED}(?:\s+{_CAPITALISED})*"
        rf"|,\s+[{_CAPITAL}][^\W_]*(?:[ -][{_CAPITAL}][^\W_]*){{0,2}}(?=\W*\Z)"
    )


_IN_DOUBT_ANYWHERE = _in_doubt(ANY.before_doubtful_names)
_IN_DOUBT = {code: _in_doubt(its.words.before_doubtful_names) for code, its in LANGUAGES.items()}


def without_asides(asking: str, language: str, *, in_doubt: bool = False) -> str:
    """A question without its greeting, and in small letters whatever else has a capital and is nothing it asks about.

    Args:
        asking: The question.
        language: Its language (two letters): "a" is an article in English, and stands before a place in Italian.
        in_doubt: Whether what is in doubt keeps its capitals.
    """
    greeting = _GREETING.match(asking)
    asked = _OF_THE_ANSWER.sub(_in_small_letters, asking[greeting.end() :] if greeting else asking)
    return asked if in_doubt else _IN_DOUBT.get(language, _IN_DOUBT_ANYWHERE).sub(_in_small_letters, asked)


def _in_small_letters(found: re.Match[str]) -> str:
    return found[0].lower()
