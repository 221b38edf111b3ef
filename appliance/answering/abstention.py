"""Decides, before any model is asked, whether the documents can say anything to a question at all. Pure.

One of the best hits must be near the question in meaning (`min_similarity`, a cosine of the embedding model) or hold
most of its words. Neither proves that the answer is there: a model that reads the passages can still say no.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.domain import Hit

_WORD = re.compile(r"\w{3,}")
_ENOUGH_WORDS = 0.75
_LOOK_AT = 3


def documents_may_say(question: str, hits: Sequence[Hit], *, min_similarity: float) -> bool:
    """Whether the hits are worth an answer."""
    best = hits[:_LOOK_AT]
    if any(hit.similarity is not None and hit.similarity >= min_similarity for hit in best):
        return True
    words = {word.lower() for word in _WORD.findall(question)}
    return bool(words) and any(_share(words, hit) >= _ENOUGH_WORDS for hit in best)


def answerability(question: str, hits: Sequence[Hit]) -> float:
    """How likely it is that the hits answer the question, from 0 to 1: the score behind the decision, for measuring."""
    words = {word.lower() for word in _WORD.findall(question)}
    best = hits[:_LOOK_AT]
    similarities = [hit.similarity for hit in best if hit.similarity is not None]
    shares = [_share(words, hit) for hit in best] if words else []
    return min(1.0, max(0.0, *similarities, *shares)) if similarities or shares else 0.0


def _share(words: set[str], hit: Hit) -> float:
    found = {word.lower() for word in _WORD.findall(hit.chunk.search_text)}
    return len(words & found) / len(words)
