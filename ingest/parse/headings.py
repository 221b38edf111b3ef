"""What the blocks of a PDF are: headings, running heads and feet, or text. Decided once all pages are read.

Rules this module keeps:

1. A heading is told by type clearly larger than is usual in the document and around its page, or by bold type on lines
   of its own; a line that ends with a colon is none of the latter.
2. What stands in the margin of several pages, numbers apart, is a running head or foot. What stands at the head of a
   page, in the type of a heading, as it does on one of the two before is one too: it says again what the section is.
3. A heading stands under the ones in larger type before it, as long as their size structures the document: a line in
   the largest type on page 179, and nowhere else, is not what page 300 belongs to. Only the title stands above all. A
   numbered heading ("3.8 Steam") stands under the one it belongs to ("3 Operation"), whatever the type of what comes
   between.
4. A hyphen at a line end is dropped or kept as the document itself writes that word elsewhere; else it is dropped,
   except before a capital ("Non-Executive").
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.parse.elements import MAX_LEVEL, Element, ElementKind, clean_text
from ingest.parse.rows import HYPHEN

_REACH = 60  # characters of a word around a hyphen; what a document calls a word may be a megabyte long
_TAIL = re.compile(r"[\w'’-]*\w$")
_HEAD = re.compile(r"\w[\w'’-]*")
_WORD = re.compile(r"[\w'’]+")
_PAIR = re.compile(r"(?=\b([\w'’]{1,60}-[\w'’]{1,60}))")


_TABLE_WEIGHT = 0.2  # tables often are in smaller type than the text, and longer
_LARGER = 1.15  # times the usual size
_MUCH_TEXT = 2_000  # characters on a page and its neighbours that tell what is usual there
_SECTION = re.compile(r"(\d{1,3}(?:\.\d{1,3})*)\.?\s+\S")
_SHORT_REACH = 5  # pages that a heading reaches at least, if no smaller one ends it
_MOST_SIZES = 5
_SAME_PLACE = 0.03  # of the page's height
_CONTINUED = re.compile(r"\W*\b(?:continued|cont['’]?d|fortsetzung|suite|segue|continuación)\W*\Z")
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
    sizes = _heading_sizes(drafts)
    running = _running(drafts, pages, sizes)
    path = _Path(
        [
            (size, draft.element.page or 0)
            for draft, size in zip(drafts, sizes, strict=True)
            if size and id(draft) not in running
        ]
    )
    for draft, size in zip(drafts, sizes, strict=True):
        element = draft.element
        if id(draft) in running:
            top = bool(element.boxes) and element.boxes[0].top < 0.5
            yield replace(element, kind=ElementKind.HEADER if top else ElementKind.FOOTER)
        elif size:
            depth = path.depth_of(element.text, size, element.page or 0)
            yield replace(element, kind=ElementKind.HEADING, level=depth)
        else:
            yield element


def _heading_sizes(drafts: Sequence[Draft]) -> list[int]:
    """How large each would be among headings by its type, 1 the largest; 0 if it is none."""
    body, around = _usual_sizes(drafts)
    larger = [
        _size(draft) >= _LARGER * around.get(draft.element.page, body) > 0 and _may_head(draft) for draft in drafts
    ]
    found = sorted({_size(draft) for draft, is_larger in zip(drafts, larger, strict=True) if is_larger}, reverse=True)
    ranks = {size: min(rank, _MOST_SIZES) for rank, size in enumerate(found, start=1)}
    bold = len(set(ranks.values())) + 1
    return [
        ranks[_size(draft)] if is_larger else bold if _may_head(draft) and _is_bold_heading(draft, body) else 0
        for draft, is_larger in zip(drafts, larger, strict=True)
    ]


def _running(drafts: Sequence[Draft], pages: int, sizes: Sequence[int]) -> set[int]:
    """The running heads and feet among the drafts (by id)."""
    repeats = Counter(_pattern(draft.element.text) for draft in drafts if draft.margin)
    enough = 3 if pages > 3 else 2
    found = {id(d) for d in drafts if d.margin and d.lines == 1 and repeats[_pattern(d.element.text)] >= enough}
    said_again = _said_again(drafts)
    return found | {id(d) for d, size in zip(drafts, sizes, strict=True) if size and id(d) in said_again}


@dataclass(frozen=True, slots=True)
class _Above:
    """A heading that others may stand under: how large its type is (1 the largest), its page and its number."""

    size: float
    page: int
    number: str


class _Path:
    """The headings that a place in the document stands under."""

    def __init__(self, headings: Sequence[tuple[int, int]]) -> None:
        """Take the sizes (1 the largest) and pages of all headings, in their order."""
        pages: dict[float, list[int]] = defaultdict(list)
        for size, page in headings:
            pages[size].append(page)
        self._reach = {size: max(_SHORT_REACH, *_gaps(on)) for size, on in pages.items()}
        first = headings[0][1] if headings else 0
        self._title = min((size for size, page in headings if page == first), default=0), first
        self._path: list[_Above] = []

    def depth_of(self, text: str, size: float, page: int) -> int:
        """How deep the next heading stands."""
        found = _SECTION.match(text)
        number = found[1] if found else ""
        belongs_to = number.rpartition(".")[0]
        parent = next((n for n, above in enumerate(self._path) if belongs_to and above.number == belongs_to), -1)
        if parent >= 0:
            size = max(size, self._path[parent].size + 0.5)
            self._path = self._path[: parent + 1]
        self._path = [above for above in self._path if above.size < size]
        gone = (n for n, above in enumerate(self._path) if self._is_over(above, page))
        self._path = [*self._path[: next(gone, None)], _Above(size, page, number)]
        return min(MAX_LEVEL, len(self._path))

    def _is_over(self, above: _Above, page: int) -> bool:
        is_title = (above.size, above.page) == self._title
        return not is_title and page - above.page > self._reach.get(above.size, _SHORT_REACH)


def _gaps(pages: Sequence[int]) -> list[int]:
    return [0, *(after - before for before, after in pairwise(pages))]


def _usual_sizes(drafts: Sequence[Draft]) -> tuple[float, dict[int | None, float]]:
    """The size of type that most of the document is set in; and that around each page, where it is larger."""
    on_page: dict[int | None, Counter[float]] = defaultdict(Counter)
    for draft in drafts:
        weight = _TABLE_WEIGHT if draft.element.kind is ElementKind.TABLE else 1.0
        on_page[draft.element.page][_size(draft)] += int(weight * len(draft.element.text)) if draft.height else 0
    body = _most_common(sum(on_page.values(), Counter()))
    around = {}
    for page in on_page:
        near = Counter[float]()
        for other in (page - 1, page, page + 1) if page else ():
            near.update(on_page.get(other, Counter()))
        around[page] = max(body, _most_common(near)) if near.total() >= _MUCH_TEXT else body
    return body, around


def _most_common(sizes: Counter[float]) -> float:
    return max(sizes, key=lambda size: (sizes[size], -size), default=0.0)


def _said_again(drafts: Sequence[Draft]) -> set[int]:
    """The drafts (by id) that stand at the head of their page as at that of one of the two pages before."""
    heads: dict[int, tuple[str, float]] = {}
    found: set[int] = set()
    for draft in drafts:
        page, boxes = draft.element.page, draft.element.boxes
        if draft.margin or not page or not boxes or page in heads:
            continue
        text, top = _CONTINUED.sub("", draft.element.text.casefold()), boxes[0].top
        heads[page] = text, top
        before = (heads.get(page - back) for back in (1, 2))
        if any(other and other[0] == text and abs(other[1] - top) <= _SAME_PLACE for other in before):
            found.add(id(draft))
    return found


def _size(draft: Draft) -> float:
    return round(draft.height * 2) / 2


def _pattern(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())[:120]


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
    return draft.bold and sized and draft.lines <= 2 and len(text) <= 120 and upright and text[-1] not in ".,;:"
