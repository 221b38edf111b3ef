"""An answer without a language model: the part of each of the best passages that is nearest to the question, quoted.

Nothing is rephrased, so nothing can be made up; each quotation carries its [n]. A document's own bracketed numbers
("as shown in [4]") are put in round brackets, or they would pass for citations of ours.

A quotation is a run of whole lines and sentences around the best one, so that a table row keeps its neighbours and a
sentence what leads up to it. The best one is near the question in meaning and holds its words: a name or a number that
the question asks for decides between rows that otherwise say the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.answering.citations import in_round_brackets
from appliance.domain import Citation
from appliance.inference.port import Embedder

_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+(?=[^\sa-z])")
_WORD = re.compile(r"\w{2,}")
_MAX_PASSAGES = 3
_MAX_CHARACTERS = 500
_WORDS_WEIGHT = 0.5  # of holding all of the question's words, against a cosine of 1
_WORTH_KEEPING = 0.75  # of the best passage's score


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence or a line of a passage. `opens_line` tells how it is joined to the one before."""

    text: str
    opens_line: bool


def extract(question: str, passages: Sequence[Citation], embedder: Embedder) -> str:
    """Quotations from the best passages, in the order of their rank. Raises ModelUnavailable."""
    quoted = [(citation, _parts(citation.hit.chunk.text)) for citation in passages[:_MAX_PASSAGES]]
    scores = iter(_scores(question, [part.text for _, parts in quoted for part in parts], embedder))
    scored = [(citation, parts, [next(scores) for _ in parts]) for citation, parts in quoted if parts]
    best = max((max(own) for _, _, own in scored), default=0.0)
    at_least = best - (1 - _WORTH_KEEPING) * abs(best)  # below the best, also when all are negative
    return "\n\n".join(
        f"“{in_round_brackets(_quotation(parts, own))}” [{citation.number}]"
        for citation, parts, own in scored
        if max(own) >= at_least
    )


def _parts(text: str) -> list[_Part]:
    return [
        _Part(sentence.strip(), opens_line=number == 0)
        for line in text.split("\n")
        for number, sentence in enumerate(_SENTENCE_END.split(line.strip()))
        if sentence.strip()
    ]


def _scores(question: str, texts: Sequence[str], embedder: Embedder) -> list[float]:
    if not texts:
        return []
    likeness = embedder.embed_passages(texts) @ embedder.embed_query(question)
    asked = _words(question)
    return [
        float(cosine) + _WORDS_WEIGHT * len(asked & _words(text)) / max(1, len(asked))
        for cosine, text in zip(likeness, texts, strict=True)
    ]


def _quotation(parts: Sequence[_Part], scores: Sequence[float]) -> str:
    """The best part and, while there is room, its neighbours: what follows first, then what comes before."""
    first = last = max(range(len(parts)), key=lambda number: scores[number])
    room = _MAX_CHARACTERS - len(parts[first].text)
    grown = True
    while grown:
        grown = False
        if last + 1 < len(parts) and len(parts[last + 1].text) < room:
            last, grown = last + 1, True
            room -= len(parts[last].text) + 1
        if first and len(parts[first - 1].text) < room:
            first, grown = first - 1, True
            room -= len(parts[first].text) + 1
    text = _joined(parts[first : last + 1])
    cut = len(text) > _MAX_CHARACTERS  # a single part that is too long
    if cut:
        text = text[:_MAX_CHARACTERS].rsplit(" ", 1)[0]
    return ("… " if first else "") + text + (" …" if cut or last + 1 < len(parts) else "")


def _joined(parts: Sequence[_Part]) -> str:
    text = parts[0].text
    for part in parts[1:]:
        text += ("\n" if part.opens_line else " ") + part.text
    return text


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}
