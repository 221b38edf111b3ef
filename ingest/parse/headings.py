"""What the blocks of a PDF are: headings, running heads and feet, or text. Decided once all pages are read.

Rules this module keeps:

1. A heading is told by type clearly larger than the document's usual one, or by bold type on lines of its own.
2. What stands in the margin of several pages, numbers apart, is a running head or foot.
3. A hyphen at a line end is dropped or kept as the document itself writes that word elsewhere; else it is dropped,
   except before a capital ("Non-Executive").
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.parse.elements import Element, ElementKind, clean_text
from ingest.parse.rows import HYPHEN

_REACH = 60  # characters of a word around a hyphen; what a document calls a word may be a megabyte long
_TAIL = re.compile(r"[\w'’-]*\w$")
_HEAD = re.compile(r"\w[\w'’-]*")
_WORD = re.compile(r"[\w'’]+")
_PAIR = re.compile(r"(?=\b([\w'’]{1,60}-[\w'’]{1,60}))")


_TABLE_WEIGHT = 0.2  # tables often are in smaller type than the text, and longer
_BULLETS = "•◦▪▸‣●○■□–—*·"


@dataclass(slots=True)
class Draft:
    """An element with what is needed to decide, once all pages are read, what it is.

    Its text may still have `HYPHEN` at what were line ends. `height` is that of its type, 0 where it is not known.
    """

    element: Element
    height: float
    bold: bool
    margin: bool
    lines: int


def finished(drafts: Sequence[Draft], pages: int) -> Iterator[Element]:
    """The elements, with running heads and feet and headings marked, and words whole."""
    whole = _words_whole(drafts)
    for draft, text in zip(drafts, whole, strict=True):
        draft.element = replace(draft.element, text=text)
    yield from _marked([draft for draft in drafts if draft.element.text], pages)


def _words_whole(drafts: Sequence[Draft]) -> list[str]:
    """The texts without line-end hyphens."""
    texts = [draft.element.text for draft in drafts]
    if not any(HYPHEN in text for text in texts):
        return [clean_text(text) for text in texts]
    said = _vocabulary(texts)
    return [clean_text(_whole(text, said)) for text in texts]


def _whole(text: str, said: Counter[str]) -> str:
    pieces = text.split(HYPHEN)
    whole = [pieces[0]]
    for before, after in pairwise(pieces):
        whole += ["-" if _keeps_hyphen(before, after, said) else "", after]
    return "".join(whole)


def _keeps_hyphen(before: str, after: str, said: Counter[str]) -> bool:
    halves = _halves(before, after)
    if halves is None:
        return True
    word, part, rest = halves
    as_one, as_two = said[f"{part}{rest}".lower()], said[f"{part}-{rest}".lower()]
    own = (rest[0].isupper() and not word.isupper()) or part != word
    return as_two > as_one or (own and not as_one)


def _halves(before: str, after: str) -> tuple[str, str, str] | None:
    """A broken word up to its hyphen, the last part of that ("year-on-" has a hyphen of its own), and its rest."""
    tail, head = _TAIL.search(before[-_REACH:]), _HEAD.match(after[:_REACH])
    return (tail[0], tail[0].rsplit("-", 1)[-1], head[0]) if tail and head else None


def _vocabulary(texts: Sequence[str]) -> Counter[str]:
    """How often the document has the words that were broken: written as one, and with a hyphen."""
    wanted: set[str] = set()
    for text in texts:
        for before, after in pairwise(text.split(HYPHEN)):
            if halves := _halves(before, after):
                wanted |= {f"{halves[1]}{halves[2]}".lower(), f"{halves[1]}-{halves[2]}".lower()}
    said: Counter[str] = Counter()
    for text in texts:
        lower = text.lower()
        said.update(word for word in _WORD.findall(lower) if word in wanted)
        said.update(word for word in (_PAIR.findall(lower) if "-" in lower else ()) if word in wanted)
    return said


def _marked(drafts: Sequence[Draft], pages: int) -> Iterator[Element]:
    sizes: dict[float, float] = defaultdict(float)
    repeats: Counter[str] = Counter()
    for draft in drafts:
        weight = _TABLE_WEIGHT if draft.element.kind is ElementKind.TABLE else 1.0
        sizes[_size(draft)] += weight * len(draft.element.text) if draft.height else 0.0
        if draft.margin:
            repeats[_pattern(draft.element.text)] += 1
    body = max(sizes, key=lambda size: (sizes[size], -size), default=0.0)
    enough = 3 if pages > 3 else 2
    running = {pattern for pattern, count in repeats.items() if count >= enough}
    ranks = _levels(drafts, body, running)
    for draft in drafts:
        element = draft.element
        if draft.margin and draft.lines == 1 and _pattern(element.text) in running:
            top = bool(element.boxes) and element.boxes[0].top < 0.5
            yield replace(element, kind=ElementKind.HEADER if top else ElementKind.FOOTER)
        elif level := ranks.get(_size(draft), 0) if _may_head(draft) else 0:
            yield replace(element, kind=ElementKind.HEADING, level=level)
        elif _may_head(draft) and _is_bold_heading(draft, body):
            yield replace(element, kind=ElementKind.HEADING, level=min(9, len(set(ranks.values())) + 1))
        else:
            yield element


def _size(draft: Draft) -> float:
    return round(draft.height * 2) / 2


def _pattern(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())[:120]


def _levels(drafts: Sequence[Draft], body: float, running: set[str]) -> dict[float, int]:
    """The level of each size of type that is clearly larger than the body's; at most five."""
    larger = {
        _size(draft)
        for draft in drafts
        if _size(draft) >= 1.15 * body > 0 and _may_head(draft) and _pattern(draft.element.text) not in running
    }
    return {size: min(rank, 5) for rank, size in enumerate(sorted(larger, reverse=True), start=1)}


def _may_head(draft: Draft) -> bool:
    text = draft.element.text
    readable = sum(character.isalpha() for character in text) >= max(2, 0.4 * len(text))
    sentence = len(text) > 80 and text[-1] in ".;,"
    brief = draft.lines <= 3 and len(text) <= 200 and not sentence and text[0] not in _BULLETS
    return draft.element.kind is not ElementKind.TABLE and brief and readable


def _is_bold_heading(draft: Draft, body: float) -> bool:
    text = draft.element.text
    upright = text[0].isupper() or text[0].isdigit()
    sized = draft.height >= 0.95 * body
    return draft.bold and sized and draft.lines <= 2 and len(text) <= 120 and upright and text[-1] not in ".,;"
