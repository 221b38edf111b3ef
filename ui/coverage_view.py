"""Page coverage: a strip with one small cell per page, which tells by letter, shape and colour how the page was read.

Rules this module keeps:

1. Colour repeats what the letter says, it never says it alone.
2. Thousands of pages are shown in groups, and each group says beforehand what is amiss in it.
3. A picture is offered only to those who may open it; the API decides again when the browser asks for it.
4. A cell leads to its picture by a click; whoever uses the keyboard chooses the page by its number instead of passing
   two hundred links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from appliance.api.schemas.documents import PageOut
from appliance.domain import TextMeans
from ui import pieces
from ui.inert import Html, text
from ui.states import MEANS

_GROUP = 200
_AMISS = 200
_FEW = 10
_UNSURE = "Read from the image, not surely"
_LEGEND = (
    ("sr-by-text", "T", "text of the file"),
    ("sr-by-ocr", "R", "recognised (OCR)"),
    ("sr-unsure", "?", "recognised, but unsure"),
    ("sr-by-none", "\N{EN DASH}", "no text"),
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where the pictures of a document's pages are.

    `address` is what stands before `/pages/`, `title` what to call the document, `opened` the page shown at first.
    """

    address: str
    title: str
    opened: int | None = None

    def of(self, page: int) -> str:
        """The address of one page."""
        return f"{self.address}/pages/{page}.png"


def show_coverage(pages: Sequence[PageOut], key: str, pictures: Pictures | None) -> None:
    """Show how each page was read; with `pictures` also the page that is chosen.

    Args:
        pages: In order, at least one.
        key: Tells apart what is shown at the same time.
        pictures: None when there are none, or this reader may not see them.
    """
    pieces.show(pieces.line(summary(pages)))
    group = _choose_group(pages, key)
    pieces.show(Html(_strip(group, pictures) + _legend()))
    if pictures is not None:
        _show_page(pages, key, pictures)
    _list_amiss(pages)


def summary(pages: Sequence[PageOut]) -> str:
    """How many pages gave text, and by which means; empty without pages."""
    if not pages:
        return ""
    read = sum(page.means is not TextMeans.NONE for page in pages)
    by_ocr = sum(page.means is TextMeans.OCR for page in pages)
    unsure = sum(page.unsure for page in pages)
    means = pieces.dotted(
        f"{read:,} of {pieces.count(len(pages), 'page')} gave text",
        f"{by_ocr:,} of them by OCR" if by_ocr else "",
        f"{unsure:,} not surely" if unsure else "",
    )
    return means.replace(" \N{MIDDLE DOT} ", ", ")


def facts(page: PageOut) -> str:
    """What is known of one page, in one line."""
    sure = "" if page.confidence is None else f"sure to {page.confidence:.0%}"
    how = _UNSURE if page.unsure else MEANS[page.means]
    return pieces.dotted(f"Page {page.page}", how, pieces.count(page.characters, "character"), sure, page.reason)


def _choose_group(pages: Sequence[PageOut], key: str) -> Sequence[PageOut]:
    groups = [pages[at : at + _GROUP] for at in range(0, len(pages), _GROUP)]
    if len(groups) == 1:
        return groups[0]
    at = st.selectbox(
        "Show pages", range(len(groups)), format_func=lambda number: _group_name(groups[number]), key=f"group-{key}"
    )
    return groups[at]


def _group_name(group: Sequence[PageOut]) -> str:
    none = sum(page.means is TextMeans.NONE for page in group)
    unsure = sum(page.unsure for page in group)
    amiss = [f"{none} without text" if none else "", f"{unsure} unsure" if unsure else ""]
    return f"{group[0].page:,} to {group[-1].page:,}{''.join(f', {words}' for words in amiss if words)}"


def _kind(page: PageOut) -> tuple[str, str]:
    """The class and the letter of a cell."""
    if page.means is TextMeans.NONE:
        return _LEGEND[3][:2]
    if page.means is TextMeans.TEXT_LAYER:
        return _LEGEND[0][:2]
    return _LEGEND[2][:2] if page.unsure else _LEGEND[1][:2]


def _strip(pages: Sequence[PageOut], pictures: Pictures | None) -> str:
    return f'<ol class="sr-strip">{"".join(_cell(page, pictures) for page in pages)}</ol>'


def _cell(page: PageOut, pictures: Pictures | None) -> str:
    style, letter = _kind(page)
    inside = f"<b>{letter}</b><small>{page.page}</small>"
    about = f'class="sr-cell {style}" title="{text(facts(page))}"'
    if pictures is None:
        return f"<li><span {about}>{inside}</span></li>"
    link = f'href="{text(pictures.of(page.page))}" target="_blank" tabindex="-1"'
    return f"<li><a {about} {link}>{inside}</a></li>"


def _legend() -> str:
    entries = "".join(
        f'<span><b class="sr-cell {style}" aria-hidden="true">{letter}</b> {words}</span>'
        for style, letter, words in _LEGEND
    )
    return f'<p class="sr-legend">{entries}</p>'


def _show_page(pages: Sequence[PageOut], key: str, pictures: Pictures) -> None:
    by_number = {page.page: page for page in pages}
    last = pages[-1].page
    chosen = st.number_input(
        f"Look at page (1 to {last})", 1, last, pictures.opened, key=f"page-{key}", placeholder="Number"
    )
    if chosen is not None and chosen in by_number:
        pieces.show(pieces.line(facts(by_number[chosen])))
        pieces.show(pieces.page_image(pictures.of(chosen), f"Page {chosen} of {pictures.title}"))


def _list_amiss(pages: Sequence[PageOut]) -> None:
    amiss = [page for page in pages if page.means is TextMeans.NONE or page.unsure]
    if not amiss:
        return
    rows = [
        (
            text(page.page),
            text(_UNSURE if page.unsure else MEANS[page.means]),
            text(f"{page.characters:,}"),
            text("" if page.confidence is None else f"{page.confidence:.0%}"),
            text(page.reason),
        )
        for page in amiss[:_AMISS]
    ]
    with st.expander(f"{pieces.count(len(amiss), 'page')} to look at", expanded=len(amiss) <= _FEW):
        if len(amiss) > _AMISS:
            pieces.show(pieces.line(f"The first {_AMISS} of them."))
        pieces.show(pieces.table(("Page", "How it was read", "Characters", "Sure to", "Why"), rows))
