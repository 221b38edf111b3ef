"""An answer without a language model: the part of each of the best passages that is nearest to the question, quoted.

Nothing is rephrased, so nothing can be made up; each quotation carries its [n]. A document's own bracketed numbers
("as shown in [4]") are put in round brackets, or they would pass for citations of ours.

A quotation is a run of whole lines and sentences around the best one, so that a table row keeps its neighbours and a
sentence what leads up to it; a row that is quoted without the beginning of its table follows the table's first row,
which names the columns. The best one is near the question in meaning and holds its words: a name or a number that
the question has decides between rows that otherwise say the same. A heading says nothing by itself: it brings its
passage forward, and what is marked is below it. Where it asks for a number or a time ("how many",
"since when"), a part with a number of its own comes first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from appliance.answering.citations import in_round_brackets
from appliance.answering.sentence_ends import sentence_ends
from appliance.answering.sentences import words
from appliance.domain import Chunk, Citation
from appliance.inference.port import Embedder

_HALT = re.compile(r"[:;](?=\s+[^\sa-zà-ÿ])")
_NUMBER = re.compile(r"\d+")
_ASKS_FOR_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|high|large)|when"
    r"|(?:what|which) (?:year|date|day|amount|number|percentage)"
    r"|wie ?(?:viele?|lange|alt|weit|oft|hoch|gross|groß)|wann|welche[sm]? (?:jahr|datum|betrag)"
    r"|combien|quand|quelle (?:année|date|somme)|quant[oaie]|quando|in che anno|cuánt[oa]s?|cuándo|(?:en )?qué año)\b",
    re.IGNORECASE,
)
_CELL_BORDER = " | "  # as tables of documents are kept, a row on a line
_LEFT_OUT = "…"
_MAX_PASSAGES = 3
_MAX_CHARACTERS = 500
_WORDS_WEIGHT = 0.5  # of holding all of the question's words, against a cosine of 1
_NUMBER_WEIGHT = 0.2  # of holding a number of its own where one is asked for; measured by `bench/extraction.py`
_WORTH_KEEPING = 0.75  # of the best passage's score


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence or a line of a passage. `opens_line` tells how it is joined to the one before."""

    text: str
    opens_line: bool
    is_row: bool = False
    is_heading: bool = False


@dataclass(frozen=True, slots=True)
class Quotations:
    """What is shown, and where in it (start, end) the part of each quotation stands that is nearest to the question."""

    text: str
    highlights: tuple[tuple[int, int], ...]


def extract(question: str, passages: Sequence[Citation], embedder: Embedder) -> Quotations:
    """Quotations from the best passages, in the order of their rank. Raises ModelUnavailable."""
    quoted = [(citation, _parts(citation.hit.chunk)) for citation in passages[:_MAX_PASSAGES]]
    scores = iter(_scores(question, [part.text for _, parts in quoted for part in parts], embedder))
    scored = [(citation, parts, [next(scores) for _ in parts]) for citation, parts in quoted if parts]
    best = max((max(own) for _, _, own in scored), default=0.0)
    at_least = best - (1 - _WORTH_KEEPING) * abs(best)  # below the best, also when all are negative
    text, highlights = "", []
    for citation, parts, own in scored:
        if max(own) < at_least:
            continue
        before, nearest, after = map(in_round_brackets, _quotation(parts, own))
        text += f"\n\n{before}" if text else before
        highlights.append((len(text), len(text) + len(nearest)))
        text += f"{nearest}{after} [{citation.number}]"
    return Quotations(text, tuple(highlights))


def _parts(chunk: Chunk) -> list[_Part]:
    headings = frozenset(chunk.place.headings)
    return [part for line in chunk.text.split("\n") for part in _parts_of_line(line.strip(), headings)]


def _parts_of_line(line: str, headings: Collection[str]) -> list[_Part]:
    if line and line.lstrip("# ") in headings:
        return [_Part(line, opens_line=True, is_heading=True)]
    if _CELL_BORDER in line:
        return [_Part(line, opens_line=True, is_row=True)]
    sentences = [sentence.strip() for sentence in _sentences(line) if sentence.strip()]
    return [_Part(sentence, opens_line=number == 0) for number, sentence in enumerate(sentences)]


def _sentences(line: str) -> list[str]:
    """The sentences of a line; what stands before a colon or a semicolon is one by itself."""
    ends = {*sentence_ends(line, 0, len(line)), *(halt.end() for halt in _HALT.finditer(line))}
    return [line[start:end] for start, end in pairwise((0, *sorted(ends), len(line)))]


def _scores(question: str, texts: Sequence[str], embedder: Embedder) -> list[float]:
    if not texts:
        return []
    likeness = embedder.embed_passages(texts) @ embedder.embed_query(question)
    asked = _words(question)
    return [
        float(cosine) + _WORDS_WEIGHT * len(asked & _words(text)) / max(1, len(asked)) + _of_number(question, text)
        for cosine, text in zip(likeness, texts, strict=True)
    ]


def _quotation(parts: Sequence[_Part], scores: Sequence[float]) -> tuple[str, str, str]:
    """The best part and, while there is room, its neighbours: what follows first, then what comes before."""
    best = max(range(len(parts)), key=lambda number: (not parts[number].is_heading, scores[number]))
    head, room = _head_row(parts, best), _MAX_CHARACTERS - len(parts[best].text)
    if head < best and len(parts[head].text) >= room:
        head = best
    room -= len(parts[head].text) if head < best else 0
    first, last = _grown(parts, best, room)
    before = "".join(part.text + _joint(following) for part, following in pairwise(parts[first : best + 1]))
    nearest = parts[best].text
    cut = len(nearest) > _MAX_CHARACTERS  # a single part that is too long
    if cut:
        nearest = nearest[:_MAX_CHARACTERS].rsplit(" ", 1)[0]
    after = "".join(_joint(part) + part.text for part in parts[best + 1 : last + 1])
    return _opening(parts, first, head) + before, nearest, after + _closing(parts, last, cut=cut)


def _grown(parts: Sequence[_Part], best: int, room: int) -> tuple[int, int]:
    """From where to where a quotation reaches around its best part."""
    first = last = best
    grown = True
    while grown:
        grown = False
        if last + 1 < len(parts) and len(parts[last + 1].text) < room:
            last, grown = last + 1, True
            room -= len(parts[last].text) + 1
        if first and len(parts[first - 1].text) < room:
            first, grown = first - 1, True
            room -= len(parts[first].text) + 1
    return first, last


def _head_row(parts: Sequence[_Part], number: int) -> int:
    """The first row of the table that a row belongs to (a line alone between two rows too); else the part itself."""
    head = number
    while parts[head].is_row and head and (parts[head - 1].is_row or (head > 1 and parts[head - 2].is_row)):
        head -= 1 if parts[head - 1].is_row else 2
    return head


def _opening(parts: Sequence[_Part], first: int, head: int) -> str:
    """How a quotation opens: rows stand on lines of their own; what is left out is marked."""
    if head < first:
        left_out = "\n" if head + 1 == first else f"\n{_LEFT_OUT}\n"
        return f"“{_LEFT_OUT if head else ''}\n{parts[head].text}{left_out}"
    return ("“" + _LEFT_OUT * bool(first)) + ("\n" if parts[first].is_row else " " * bool(first))


def _closing(parts: Sequence[_Part], last: int, *, cut: bool) -> str:
    left_out = cut or last + 1 < len(parts)
    return ("\n" if parts[last].is_row else " " * left_out) + _LEFT_OUT * left_out + "”"


def _joint(following: _Part) -> str:
    return "\n" if following.opens_line else " "


def _words(text: str) -> frozenset[str]:
    return words(text) | frozenset(_NUMBER.findall(text))


def _of_number(question: str, text: str) -> float:
    """What it counts that a part has a number which the question asks for."""
    asks = _ASKS_FOR_NUMBER.search(question) is not None
    return _NUMBER_WEIGHT if asks and set(_NUMBER.findall(text)) - set(_NUMBER.findall(question)) else 0.0
