"""Completes a follow-up question with what it leaves out, by rules. Pure.

"And for trainees?" finds nothing by itself. A question that is short or points back with a pronoun is searched together
with the question before it; the reader is shown what was searched for. The words the model sees are the reader's own.
A language model completes it better (`rewriting`); these rules decide when it is asked, and stand in for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.domain import Turn

_WORD = re.compile(r"\w+")
_FEW_WORDS = 4
_LONGEST = 20_000  # characters to search for, as many as one question may have
# English, German, French, Italian, Spanish. Words that mean something else in another of these languages, or in another
# use, are not here (German "das" and "es", Italian "il", Spanish "es" and "y", the polite "Sie" and "Ihr", English
# "there" and "one"): they stand in questions that need no completing.
_POINTS_BACK = re.compile(
    r"\b(it|its|they|them|their|this|that|these|those|he|she|him|her|ones|same|such|else|instead"
    r"|er|ihn|ihm|dies|diese|dieser|dieses|dazu|davon|dafür|damit|darin|daran|dabei|auch|sonst"
    r"|elle|ils|elles|leur|ce|cela|ceci|celui|celle|ceux|celles|aussi"
    r"|esso|essa|essi|lui|lei|loro|questo|questa|questi|queste|quello|quella|ciò|anche"
    r"|él|ella|ellos|ellas|eso|esto|este|esta|estos|estas|aquel|aquello|también)\b",
    re.IGNORECASE,
)
_BEGINS_LIKE_ONE = re.compile(
    r"^[\s¿]*(and|but|or|what about|how about|und|aber|oder|was ist mit|wie steht es|et|mais|e|y(?! a-t)|pero)\s",
    re.IGNORECASE,
)


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """What to search for: the question itself, or with the question it follows up.

    A follow-up of a follow-up belongs to the question both of them follow. What is too long together is asked alone.
    """
    if not turns or not is_follow_up(question):
        return question
    followed = next((turn for turn in reversed(turns) if not is_follow_up(turn.question)), turns[0])
    together = f"{followed.question} {question}"
    return together if len(together) <= _LONGEST else question


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the one before it."""
    few_words = len(_WORD.findall(question)) <= _FEW_WORDS
    return few_words or bool(_BEGINS_LIKE_ONE.match(question)) or bool(_POINTS_BACK.search(question))
