"""What in a question has a capital and is nothing that it asks about. Pure.

Rules this module keeps, before what is left is looked through for names:

1. Whom a question greets ("Dear Anna, ..."), the language and the form of the answer ("in French", "as a PDF", "as
   JSON") are no subject of it. Languages and forms are a short list: another one after "in" is a name.
2. In doubt is what has a capital after an English article or the like ("the Policy", but "the Netherlands" too), and
   what stands alone after the last comma ("..., Anna?", but "..., France?" too).
"""

from __future__ import annotations

import re

_CAPITAL = "A-ZÀ-ÖØ-Þ"
_GREETING = re.compile(
    r"\W*(?:hello|hi|hey|dear|good (?:morning|afternoon|evening|day)|hallo|liebe[rs]?|guten (?:tag|morgen|abend)|grüezi"
    r"|bonjour|salut|chère?s?|buongiorno|ciao|car[oaie]|hola|buenos días|estimad[oa]s?)\b"
    rf"(?:(?:[^\S\n]+[^\s,;:!?]+){{0,5}}[^\S\n]*[,;:!\n]|(?-i:\s+[{_CAPITAL}][^\W\d_]*\.?)*)",
    re.IGNORECASE,
)
LANGUAGE = (
    r"(?:English|German|French|Italian|Spanish|Portuguese|Dutch|Romansh|Polish|Czech|Russian|Ukrainian|Turkish|Arabic"
    r"|Chinese|Japanese|Deutsch|Englisch|Französisch|Italienisch|Spanisch|Français|Anglais|Allemand)"
)
FORMAT = r"(?:PDF|JSON|CSV|XML|YAML|HTML|Markdown|Excel|Word|LaTeX)"
_OF_THE_ANSWER = re.compile(
    r"\b(?:[Aa]s an? [^\W\d_]+\b|[Aa]s [A-Z]{2,}\b"
    rf"|(?:as|in|into|to|en|auf) (?:{LANGUAGE}|{FORMAT})\b(?:(?:, and| and|, or| or|,) {LANGUAGE}\b)*"
    r"(?!\s+(?!please\b|and\b|or\b|format\b)[^\W\d_]))"
)
_CAPITALISED = rf"[{_CAPITAL}][a-zß-öø-ÿ]+\b"
_IN_DOUBT = re.compile(
    r"\b(?:[Tt]he|[Aa]n?|[Tt]his|[Tt]hat|[Tt]hese|[Tt]hose|[Ee]ach|[Ee]very|[Aa]ny|[Ss]ome|[Nn]o|[Mm]y|[Oo]ur|[Yy]our|[Hh]is"
    rf"|[Hh]er|[Tt]heir|[Ii]ts)\s+{_CAPITALISED}(?:\s+{_CAPITALISED})*"
    rf"|,\s+[{_CAPITAL}][^\W_]*(?:[ -][{_CAPITAL}][^\W_]*){{0,2}}(?=\W*\Z)"
)


def without_asides(asking: str, *, in_doubt: bool = False) -> str:
    """A question without its greeting, and in small letters whatever else has a capital and is nothing it asks about.

    Args:
        asking: The question.
        in_doubt: Whether what is in doubt keeps its capitals.
    """
    greeting = _GREETING.match(asking)
    asked = _OF_THE_ANSWER.sub(_in_small_letters, asking[greeting.end() :] if greeting else asking)
    return asked if in_doubt else _IN_DOUBT.sub(_in_small_letters, asked)


def _in_small_letters(found: re.Match[str]) -> str:
    return found[0].lower()
