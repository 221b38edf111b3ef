"""Takes words for the same whatever their endings, where their language is not known. Pure.

Search goes by Snowball's stems (`index.bm25`), one stemmer for each language. Where a question, an answer and a passage
are held against each other the language of a word is a guess, so their beginnings are compared. There are four ways
to do so, the strictest first, because what is taken for the same wrongly costs something else in each place:

1. `singular`: names. "Rule" and "rules" are one, "Zürich" and "Zürcher" are two things.
2. `without_ending`: words of a question, looked for in a text. An ending has two letters at most.
3. `beginning`: the same, of which a long word may differ in more ("regulation", "regulatory").
4. `stem`: words of a statement, a share of which must stand in what it cites. It may say it in other forms.

The lengths of the latter were measured where they are used; another one changes what is found or judged there.
"""

from __future__ import annotations

from appliance.letter_case import without_accents

LONGEST_ENDING = 2
SHORTEST_BEGINNING = 4
_LONGEST_BEGINNING = 7
_STEM = 5


def singular(word: str) -> str:
    """A word without the s of a plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def without_ending(word: str) -> str:
    """What is left of a word without the longest ending; a short word is kept whole."""
    return word[: max(SHORTEST_BEGINNING, len(word) - LONGEST_ENDING)]


def beginning(word: str) -> str:
    """What a word has in common with its other forms, nearly enough; a short word is kept whole."""
    return without_ending(word)[:_LONGEST_BEGINNING]


def stem(word: str) -> str:
    """The first letters of a word, without accents and the s of a plural."""
    plain = without_accents(word)
    return (plain[:-1] if len(plain) > SHORTEST_BEGINNING and plain.endswith("s") else plain)[:_STEM]
