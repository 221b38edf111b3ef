"""Completes a follow-up question with what it leaves out, by rules. Pure.

"And for trainees?" finds nothing by itself. A question that leans on the one before it is searched together with that;
the reader is shown what was searched for. The words the model sees are the reader's own. A language model completes it
better (`rewriting`); these rules decide when it is asked, and stand in for it.

Rules this module keeps:

1. A question leans if it begins like one that goes on ("And", "What about").
2. It leans if it is of four words at most and says less than two things of its own ("How long?", not "Who signs
   contracts?"), and does not ask what something is ("What are clades?").
3. It leans if a word in it points back and can find nothing there to point at: hardly anything stands before the word,
   no name, and the whole question says little. "How long must it be kept?" leans; "What did Fabrikam pay its
   suppliers?" and whatever is told at length do not.

How often they err on questions of others: docs/performance.md (`bench/followups.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.answering.form import without_form
from appliance.answering.sentences import COMMON, words
from appliance.domain import Turn

_WORD = re.compile(r"[^\W_]+")
_FEW_WORDS = 4
_MOST_BEFORE = 2  # words of its own before one that points back; with more there is something to point at
_MOST_IN_ALL = 6
_FEWEST_LETTERS = 4
_LONGEST = 20_000  # characters to search for, as many as one question may have
# English, German, French, Italian, Spanish. Words that mean something else in another of these languages, or in another
# use, are not here (German "es", Italian "il", Spanish "es" and "y", the polite "Sie" and "Ihr", English "there" and
# "one"), or only where they cannot ("that" after a noun, "das" before one): they stand in questions that need no
# completing.
_THAT = (
    r"(?:(?:^|\b(?:is|was|are|were|does|did|do|can|could|will|would|should|has|have|of|for|about|to|in|on|at|by|with|from"
    r"|after|before|like|than|under|without|if|because|and|or|but|why|how|when|where))\s*\bthat\b"
    r"|\bthat(?=\s*\W*\Z|\s+(?:in|for|to|of|on|at|with|by|from|again)\b))"
)
_DAS = r"\bdas\b(?=\s*\W*\Z|\s+(?:auch|noch|nicht|beim|bei|für|so)\b|(?:\s+[a-zäöüß]+)?\s+(?-i:[a-zäöüß]+en)\s*\W*\Z)"
_POINTS_BACK = re.compile(
    rf"{_THAT}"
    r"|\b(?:it|its|they|them|their|this|these|those(?! (?:who|which|whose|that|with|under)\b)|he|she|him|her|ones|same"
    r"|such|else|instead"
    r"|elle|ils|elles|leur|ce|cet|cette|ces|cela|ceci|celui|celle|ceux|celles|lesquels|lesquelles|aussi|ensuite"
    r"|esso|essa|essi|lui|lei|loro|questo|questa|questi|queste|quello|quella|ciò|anche"
    r"|él|ella|ellos|ellas|eso|ese|esa|esos|esas|esto|este|esta|estos|estas|aquel|aquello|también)\b",
    re.IGNORECASE,
)
_POINTS_BACK_IN_GERMAN = re.compile(
    rf"{_DAS}"
    r"|\b(?:er|ihn|ihm|(?-i:sie)|dies|diese[mnrs]?|dasselbe|dieselben?|dazu|davon|dafür|damit|darin|daran|dabei|danach|auch"
    r"|sonst)\b",
    re.IGNORECASE,
)
_BEGINS_LIKE_ONE = re.compile(
    r"^[\s¿]*(and|but|or|what about|how about|und|aber|oder|was ist mit|wie steht es|et|mais|e|y(?! a-t)|pero)\s",
    re.IGNORECASE,
)
_ASKS_WHAT_IS = re.compile(
    r"^[\s¿]*(?:what (?:is|are|was|were)"
    r"|was (?:ist|sind|war|waren)|qu['’]est-ce qu\w*|(?:che )?cos['’]è|qué (?:es|son))"
    r"\s+(?!the\b|der\b|die\b|das\b)",
    re.IGNORECASE,
)
_QUESTION_WORDS = """
many much long often when whom whose could might lange viel viele hoch weit wann wieso weshalb kannst können könnte
welcher welche welches welchem welchen combien temps quel quels quelle quelles peut peuvent pouvez quanto quanta quanti
quante puoi potete cuánto cuánta cuántos cuántas cuándo cuál cuáles quién quiénes desde puede puedes
"""
_SAYING_NOTHING = COMMON | frozenset(_QUESTION_WORDS.split())


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """What to search for: the question itself, or with the question it follows up.

    A follow-up of a follow-up belongs to the question both of them follow. What is too long together is asked alone.
    """
    if not turns or not is_follow_up(question):
        return question
    followed = next((turn for turn in reversed(turns) if not is_follow_up(turn.question)), turns[0])
    together = f"{followed.question} {question}"
    return together if len(together) <= _LONGEST else question


def as_follow_up(question: str, searched_for: str) -> str:
    """A question as it was asked, where it was completed; else nothing.

    Without the form of the answer at its end, if it was searched so (`enough`).
    """
    asked = without_form(question)
    if searched_for in (question, asked):
        return ""
    return question if searched_for.endswith(question) or not searched_for.endswith(asked) else asked


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the one before it."""
    if _BEGINS_LIKE_ONE.match(question):
        return True
    said = len(_own_words(question))
    if said < 2 and len(_WORD.findall(question)) <= _FEW_WORDS and not (said and _ASKS_WHAT_IS.match(question)):
        return True
    return said <= _MOST_IN_ALL and _points_back(question)


def own_stems(question: str) -> frozenset[str]:
    """The stems of the words that a question says of its own, without those of asking."""
    return words(" ".join(_own_words(question)))


def _points_back(question: str) -> bool:
    """Whether a word of the question points at something that does not stand before it there."""
    before = [question[: found.start()] for found in _POINTS_BACK.finditer(question)]
    in_german = [question[: found.start()] for found in _POINTS_BACK_IN_GERMAN.finditer(question)]
    return any(len(_own_words(text)) <= _MOST_BEFORE and not _has_name(text) for text in before) or any(
        len(_own_words(text)) <= _MOST_BEFORE
        for text in in_german  # where every noun has a capital
    )


def _own_words(text: str) -> list[str]:
    """What a text says of its own: numbers, names in capitals, and words that are not among the commonest."""
    return [
        word
        for word in _WORD.findall(text)
        if (len(word) >= _FEWEST_LETTERS and word.casefold() not in _SAYING_NOTHING)
        or any(map(str.isdigit, word))
        or (len(word) > 1 and word.isupper())
    ]


def _has_name(text: str) -> bool:
    """Whether a word after the first is a name or a number."""
    return any(word[0].isupper() or word[0].isdigit() for word in _WORD.findall(text)[1:] if len(word) > 1)
