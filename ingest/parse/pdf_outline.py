"""What a PDF says of its own order: its outline (the bookmarks a viewer lists), and what its pages are called.

Rules this module keeps:

1. An outline serves where the type of the text shows no headings; both together would be two orders in one document.
   An entry is the heading it names, if that stands on its page, or else the heading its page begins with.
2. A page that is called otherwise than its number (iv, A-3) is cited by both: "Page iv (4 of 210)".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice

import pypdfium2 as pdfium

from ingest.parse.elements import MAX_LEVEL, Element, ElementKind, clean_line
from ingest.parse.pdf_facts import said_by

_MAX_ENTRIES = 10_000
_MAX_TITLE = 200
_MAX_NAME = 20
_PLAIN = (ElementKind.TEXT, ElementKind.LIST_ITEM)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the outline: a heading and the page (counted from 1) it points at."""

    title: str
    level: int
    page: int


def outline_of(document: pdfium.PdfDocument) -> list[Entry]:
    """The entries that point at a page, in their order."""
    entries: list[Entry] = []
    for bookmark in islice(document.get_toc(max_depth=MAX_LEVEL), _MAX_ENTRIES):
        place, title = bookmark.get_dest(), clean_line(said_by(bookmark.get_title), _MAX_TITLE)
        page = None if place is None else place.get_index()
        if title and page is not None:
            entries.append(Entry(title, bookmark.level + 1, page + 1))
    return entries


def with_outline(elements: Sequence[Element], outline: Iterable[Entry]) -> Iterator[Element]:
    """The elements with the entries of the outline as headings, if they have no headings yet."""
    entries: dict[int, list[Entry]] = {}
    for entry in outline:
        entries.setdefault(entry.page, []).append(entry)
    if not entries or any(element.level for element in elements):
        yield from elements
        return
    for page, group in groupby(elements, key=lambda element: element.page or 0):
        yield from _with_headings(list(group), entries.get(page, []))


def _with_headings(elements: list[Element], entries: Iterable[Entry]) -> list[Element]:
    """The elements of one page.

    Of entries that do not stand there only the first is taken, after the one before it: its place is a guess.
    """
    places: dict[str, int] = {}
    for number, element in enumerate(elements):
        if element.kind in _PLAIN:
            places.setdefault(_squeezed(element.text), number)
    guess: tuple[int, Entry] | None = None
    after = 0
    for entry in entries:
        found = places.pop(_squeezed(entry.title), None)
        if found is not None:
            elements[found] = replace(elements[found], kind=ElementKind.HEADING, level=entry.level)
            after = found + 1
        elif guess is None:
            guess = after, entry
    if guess is not None and elements:
        place, entry = guess
        elements.insert(place, Element(ElementKind.HEADING, entry.title, page=entry.page, level=entry.level))
    return elements


def _squeezed(text: str) -> str:
    return "".join(text[: 2 * _MAX_TITLE].split()).casefold()


def page_names(document: pdfium.PdfDocument) -> dict[int, str]:
    """How people call the pages (counted from 1) whose label is not their number."""
    count, names = len(document), dict[int, str]()
    for index in range(count):
        name = clean_line(said_by(partial(document.get_page_label, index)), _MAX_NAME)
        if name and name != str(index + 1):
            names[index + 1] = f"Page {name} ({index + 1:,} of {count:,})"
    return names
