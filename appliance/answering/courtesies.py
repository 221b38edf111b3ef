"""Tells a message that asks nothing ("Thank you!", "Guten Morgen"), and what is said to it. Pure.

Rules this module keeps:

1. A message asks nothing if it is made of greetings, thanks and farewells, and of what stands beside them ("Great,
   thanks"): "Hello, who signs?" asks, and so does what greets and thanks nobody ("Great", "Vale"), or a single word
   that greets and is something else too ("Care"). Accents may be left out.
2. It is answered in its own language, by the phrases that no other language has, and stands for no question: none is
   searched for it, and none follows it up.
"""

from __future__ import annotations

import re

from appliance import dates
from appliance.language.words import ANY, LANGUAGES, one_of
from appliance.letter_case import without_accents


def _plain(text: str) -> str:
    """A text in small letters without accents, with single blanks and straight apostrophes."""
    return " ".join(without_accents(dates.folded(text)).replace("’", "'").split())


_COURTESIES = frozenset(map(_plain, ANY.courtesies))
_OF = {
    code: frozenset(map(_plain, (*its.words.courtesies, *its.words.beside_courtesies)))
    for code, its in LANGUAGES.items()
}
_PHRASE = rf"{one_of(frozenset[str]().union(*_OF.values()))}(?!\w)"
_PHRASES = re.compile(_PHRASE)
_MADE_OF = re.compile(rf"\W*+(?:{_PHRASE}\W*+)++")


def reply_to(message: str) -> str:
    """What is said to a message that asks nothing, in its language; nothing to a question."""
    said = _plain(message)
    if not _MADE_OF.fullmatch(said):
        return ""
    phrases = _PHRASES.findall(said)
    if _COURTESIES.isdisjoint(phrases):
        return ""
    own = [[code for code, its in _OF.items() if phrase in its] for phrase in phrases]
    return LANGUAGES[max(LANGUAGES, key=lambda code: own.count([code]))].nothing_asked
