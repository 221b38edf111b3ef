"""What a language model is told to do, in the language of the question.

A model that is told in German answers a German question in German, and names what is missing as a German would; told in
English it falls back into English when the passages are English. Every wording asks for the same things. A question in
another language gets the English one, which asks for the language of the question like all of them.

The words stand around what nobody may forge; what keeps that from being forged (`prompt`) looks at signs, not at words.
"""

from __future__ import annotations

from appliance.language.words import LANGUAGES, Instructions

TEMPLATE = "answer/3"
"""The name on record of the words for answers (in the files of `language`), with what `prompt` makes of them; changing
either means changing the name."""

REWRITING_TEMPLATE = "rewrite/2"
"""The same for the words that have a follow-up rewritten."""

NOT_IN_DOCUMENTS = "NOT_IN_DOCUMENTS"
"""What the model is asked to say, and nothing else, when the passages do not answer the question."""


def instructions(language: str) -> Instructions:
    """The wording for a question in `language` (a two-letter code, "" when it is not clear)."""
    return LANGUAGES.get(language, LANGUAGES["en"]).instructions
