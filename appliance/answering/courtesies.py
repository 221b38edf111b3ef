"""Tells a message that asks nothing ("Thank you!", "Guten Morgen"), and what is said to it. Pure.

Rules this module keeps:

1. A message asks nothing if it is made of greetings, thanks and farewells alone, in one language: "Hello, who signs?"
   asks, and so does a single word that greets and is something else too ("Care").
2. It is answered in its own language and stands for no question: none is searched for it, and none follows it up.
"""

from __future__ import annotations

import re

from appliance.language.words import LANGUAGES, one_of

_MADE_OF = {
    code: re.compile(rf"\W*+(?:{one_of(its.words.courtesies, blank=r' +')}(?!\w)\W*+)++", re.IGNORECASE)
    for code, its in LANGUAGES.items()
}


def reply_to(message: str) -> str:
    """What is said to a message that asks nothing, in its language; nothing to a question."""
    return next((LANGUAGES[code].nothing_asked for code, made in _MADE_OF.items() if made.fullmatch(message)), "")
