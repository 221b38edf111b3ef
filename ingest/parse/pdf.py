"""PDF through pdfium: the text a reader sees, with its places; and pictures of pages.

Rules this module keeps:

1. Places are those of the page as shown. pdfium gives characters in the page's own axes; one affine map, asked of
   pdfium itself, accounts for rotation and crop box at once. Sideways text is turned for layout and back after.
2. Size of type is the height of pdfium's loose character box. The nominal font size is wrong wherever the page scales
   its text ("1.0" for a 14-point heading).
3. Only what lies on the page counts: some files carry the neighbouring page outside the crop box.
4. A page without usable text but with pictures is read by OCR; every page ends with a coverage entry.
"""

from __future__ import annotations

import ctypes
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image

from appliance.domain import Box, PageCoverage, TextMeans
from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable, InvalidRequest
from ingest.parse.elements import Element, ElementKind, box_on_page, clean_line, clean_text
from ingest.parse.layout import HYPHEN, Block, Row, Word, blocks_in_order
from ingest.parse.ocr import Scanner

MIN_CHARACTERS = 20
"""A page with fewer is taken to have no text layer worth the name."""

_MAX_CHARACTERS_ON_PAGE = 200_000
_MAX_RENDER_PIXELS = 25_000_000
_MARGIN = 0.08  # of the page's height: where running heads and feet stand
_SCALE = 1_000_000
_INVISIBLE_POINTS = 1.5
_HYPHENS = frozenset({2, 0xFFFE})
_BLANKS = frozenset({0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF})

_Edges = tuple[float, float, float, float]
"""Left, bottom, right, top in a page's own axes."""

Progress = Callable[[int, int, bool], None]
"""Told (pages done, pages in all, whether the next page needs OCR)."""


@dataclass(frozen=True, slots=True)
class PdfText:
    """What a PDF says."""

    title: str
    elements: tuple[Element, ...]
    pages: tuple[PageCoverage, ...]


@contextmanager
def _opened(data: bytes) -> Iterator[pdfium.PdfDocument]:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in (c.FPDF_ERR_PASSWORD, c.FPDF_ERR_SECURITY):
            raise DocumentNeedsPassword("is encrypted; remove its password and try again") from error
        raise DocumentUnreadable("is damaged: it cannot be opened as a PDF") from error
    try:
        yield document
    finally:
        document.close()


def parse_pdf(data: bytes, scanner: Scanner, max_pages: int, progress: Progress) -> PdfText:
    """The text of a PDF.

    Raises:
        DocumentNeedsPassword, DocumentUnreadable: It is encrypted, or not a PDF that can be opened.
        DocumentRejected: It has more than `max_pages` pages.
    """
    with _opened(data) as document:
        count = len(document)
        if count > max_pages:
            message = f"has {count:,} pages; the limit is {max_pages:,}. Split it, or raise ingest.max_pages"
            raise DocumentRejected(message)
        drafts: list[_Draft] = []
        coverage: list[PageCoverage] = []
        for index in range(count):
            progress(index, count, False)
            page_drafts, covered = _read_page(document, index, scanner, lambda: progress(index, count, True))  # noqa: B023
            drafts += page_drafts
            coverage.append(covered)
        progress(count, count, False)
        title = clean_line(str(document.get_metadata_dict().get("Title", "")))
    return PdfText(title if _is_title(title) else "", tuple(_finished(drafts, count)), tuple(coverage))


def _is_title(text: str) -> bool:
    """Whether a metadata title was written by a person; programs leave file names and placeholders there."""
    junk = re.search(r"(?i)^(untitled|microsoft|slide \d|powerpoint|document\d*$|print|\(anonymous\))|\.\w{2,5}$", text)
    return len(text) >= 6 and " " in text and junk is None


@dataclass(slots=True)
class _Draft:
    """An element with what is needed to decide, once all pages are read, what it is."""

    element: Element
    height: float
    bold: bool
    margin: bool
    lines: int


def _read_page(
    document: pdfium.PdfDocument, index: int, scanner: Scanner, before_ocr: Callable[[], None]
) -> tuple[list[_Draft], PageCoverage]:
    number = index + 1
    try:
        page = _page(document, index)
    except pdfium.PdfiumError:
        return [], PageCoverage(number, TextMeans.NONE, 0, "the page is damaged and cannot be opened")
    try:
        drafts = _text_layer(page, number)
        characters = sum(len(draft.element.text) for draft in drafts)
        if characters >= MIN_CHARACTERS or not _has_pictures(page):
            if characters:
                return drafts, PageCoverage(number, TextMeans.TEXT_LAYER, characters)
            return [], PageCoverage(number, TextMeans.NONE, 0, "the page is blank")
        before_ocr()
        elements, covered = scanner.read(_picture(page, scanner.resolution_dpi), number)
        if covered.characters <= characters:
            reason = f"the page is a picture: {covered.reason}"[:250]
            means = TextMeans.TEXT_LAYER if characters else TextMeans.NONE
            return drafts, PageCoverage(number, means, characters, reason)
        return [_Draft(element, 0.0, bold=False, margin=False, lines=9) for element in elements], covered
    except pdfium.PdfiumError:
        return [], PageCoverage(number, TextMeans.NONE, 0, "the page is damaged and cannot be read")
    finally:
        page.close()


def _page(document: pdfium.PdfDocument, index: int) -> pdfium.PdfPage:
    """A page with what was filled into its form fields, or written on it as a text box or stamp, as part of it."""
    page = document[index]
    for number in range(c.FPDFPage_GetAnnotCount(page)):
        note = c.FPDFPage_GetAnnot(page, number)
        kind = c.FPDFAnnot_GetSubtype(note)
        c.FPDFPage_CloseAnnot(note)
        if kind in (c.FPDF_ANNOT_WIDGET, c.FPDF_ANNOT_FREETEXT, c.FPDF_ANNOT_STAMP):
            if c.FPDFPage_Flatten(page, c.FLAT_NORMALDISPLAY) == c.FLATTEN_SUCCESS:
                page.close()
                page = document[index]
            break
    return page


def _has_pictures(page: pdfium.PdfPage) -> bool:
    """Whether anything but text is painted: a scan is an image, but may also come as a form, paths or inline image."""
    return any(item.type != c.FPDF_PAGEOBJ_TEXT for item in page.get_objects(max_depth=3))


# --- the text layer -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """The map from a page's own axes to points on the page as shown."""

    width: float
    height: float
    a: float
    b: float
    c: float
    d: float
    e: float
    f: float
    turns: int  # the page's rotation, in quarter turns clockwise

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> _View:
        width, height = page.get_size()

        def place(x: float, y: float) -> tuple[float, float]:
            across, down = ctypes.c_int(), ctypes.c_int()
            c.FPDF_PageToDevice(page, 0, 0, _SCALE, _SCALE, 0, x, y, ctypes.byref(across), ctypes.byref(down))
            return across.value * width / _SCALE, down.value * height / _SCALE

        (x0, y0), (x1, y1), (x2, y2) = place(0, 0), place(1000, 0), place(0, 1000)
        across, up = ((x1 - x0) / 1000, (y1 - y0) / 1000), ((x2 - x0) / 1000, (y2 - y0) / 1000)
        return cls(width, height, across[0], up[0], x0, across[1], up[1], y0, page.get_rotation() // 90)

    def rectangle(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        x0, y0 = self.a * left + self.b * bottom + self.c, self.d * left + self.e * bottom + self.f
        x1, y1 = self.a * right + self.b * top + self.c, self.d * right + self.e * top + self.f
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def turned(self, box: tuple[float, float, float, float], turns: int) -> tuple[float, float, float, float]:
        """A box of text that reads at `turns` quarter turns clockwise, in axes where it reads from left to right."""
        x0, y0, x1, y1 = box
        if turns == 1:
            return y0, self.width - x1, y1, self.width - x0
        if turns == 2:
            return self.width - x1, self.height - y1, self.width - x0, self.height - y0
        if turns == 3:
            return self.height - y1, x0, self.height - y0, x1
        return box

    def fractions(self, row: Row, turns: int, page: int) -> Box | None:
        """The place of a row that was laid out in turned axes."""
        u0, v0, u1, v1 = row.left, row.top, row.right, row.bottom
        x0, y0, x1, y1 = u0, v0, u1, v1
        if turns == 1:
            x0, y0, x1, y1 = self.width - v1, u0, self.width - v0, u1
        elif turns == 2:
            x0, y0, x1, y1 = self.width - u1, self.height - v1, self.width - u0, self.height - v0
        elif turns == 3:
            x0, y0, x1, y1 = v0, self.height - u1, v1, self.height - u0
        return box_on_page(page, x0 / self.width, y0 / self.height, x1 / self.width, y1 / self.height)


def _text_layer(page: pdfium.PdfPage, number: int) -> list[_Draft]:
    view = _View.of(page)
    if view.width <= 0 or view.height <= 0:
        return []
    by_turns: dict[int, list[Word]] = {}
    for turns, word in _words(page, view):
        by_turns.setdefault(turns, []).append(word)
    drafts: list[_Draft] = []
    for turns, words in sorted(by_turns.items(), key=lambda item: -len(item[1])):
        reach = view.height if turns % 2 == 0 else view.width
        for block in blocks_in_order(words):
            drafts += _drafts(block, view, turns, number, reach)
    return drafts


def _words(page: pdfium.PdfPage, view: _View) -> Iterator[tuple[int, Word]]:
    text_page = page.get_textpage()
    try:
        yield from _words_of(text_page, view)
    finally:
        text_page.close()


def _words_of(text_page: pdfium.PdfTextPage, view: _View) -> Iterator[tuple[int, Word]]:
    """Words, with the quarter turns each stands at.

    A word's box spans its first and last character: asking for every character's would take most of the time. Where
    these two do not fit one word (pdfium left out a blank, or the last is a raised figure) every one is asked for.
    """
    raw = text_page.raw
    fonts: dict[int, bool] = {}
    for start, letters in _spans(raw, min(text_page.count_chars(), _MAX_CHARACTERS_ON_PAGE)):
        one = other = _character_box(raw, start)
        if len(letters) > 1:
            other = _character_box(raw, start + len(letters) - 1)
        parts = [(start, letters, _union(one, other))]
        if len(letters) > 1 and not _is_one_word(letters, one, other):
            parts = list(_taken_apart(raw, start, letters))
        for first, text, page_box in parts:
            box = view.rectangle(*page_box)
            if _is_visible(box, view):
                turns = (round(c.FPDFText_GetCharAngle(raw, first) / (math.pi / 2)) + view.turns) % 4
                yield turns, Word(text, *view.turned(box, turns), _is_bold(raw, first, fonts))


def _spans(raw: c.FPDF_TEXTPAGE, count: int) -> Iterator[tuple[int, str]]:
    """Characters without a blank between them: the index of the first, and the text."""
    letters: list[str] = []
    unicode_of = c.FPDFText_GetUnicode
    for index in range(count):
        code = unicode_of(raw, index)
        if code in _HYPHENS:
            yield index - len(letters), "".join(letters) + HYPHEN
            letters = []
        elif code <= 32 or code in _BLANKS:
            if letters:
                yield index - len(letters), "".join(letters)
                letters = []
        else:
            letters.append(chr(code) if code < 0x110000 else "\ufffd")
    if letters:
        yield count - len(letters), "".join(letters)


def _character_box(raw: c.FPDF_TEXTPAGE, index: int) -> _Edges:
    rectangle = c.FS_RECTF()
    c.FPDFText_GetLooseCharBox(raw, index, ctypes.byref(rectangle))
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


def _union(one: _Edges, other: _Edges) -> _Edges:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _is_one_word(letters: str, one: _Edges, other: _Edges) -> bool:
    long, short = _extent(_union(one, other))
    first, last = _extent(one)[0], _extent(other)[0]
    raised = letters[-1].isdigit() and letters[-2].isdigit() and last < 0.8 * first
    return long <= 1.3 * min(first, last) * len(letters) and short <= 2 * max(first, last) and not raised


def _taken_apart(raw: c.FPDF_TEXTPAGE, start: int, letters: str) -> Iterator[tuple[int, str, _Edges]]:
    first, box = start, _character_box(raw, start)
    last = box
    for index in range(start + 1, start + len(letters)):
        here = _character_box(raw, index)
        if _breaks(last, here, letters[index - start - 1 : index - start + 1]):
            yield first, letters[first - start : index - start], box
            first, box = index, here
        else:
            box = _union(box, here)
        last = here
    yield first, letters[first - start :], box


def _extent(box: _Edges) -> tuple[float, float]:
    """The longer and the shorter side."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (width, height) if width > height else (height, width)


def _breaks(last: _Edges, here: _Edges, letters: str) -> bool:
    """Whether a character starts a new word although no blank stands before it."""
    size = max(_extent(last)[0], 0.1)
    across = max(here[0] - last[2], last[0] - here[2])
    down = max(here[1] - last[3], last[1] - here[3])
    # a note mark behind a figure: "1,234" and a small raised "2" are not "1,2342"
    raised = letters.isdigit() and _extent(here)[0] < 0.8 * _extent(last)[0]
    return max(across, down) > 0.8 * size or raised


def _is_visible(box: tuple[float, float, float, float], view: _View) -> bool:
    left, top, right, bottom = box
    middle, centre = (left + right) / 2, (top + bottom) / 2
    on_page = 0 <= middle <= view.width and 0 <= centre <= view.height
    return on_page and max(right - left, bottom - top) >= _INVISIBLE_POINTS


def _is_bold(text_page: c.FPDF_TEXTPAGE, index: int, fonts: dict[int, bool]) -> bool:
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    length = c.FPDFText_GetFontInfo(text_page, index, name, 128, ctypes.byref(flags))
    key = hash((name.value, flags.value))
    if key not in fonts:
        said = name.value.decode("latin-1").lower()
        forced = bool(flags.value & 0x40000)  # PDF 32000, table 123: ForceBold
        named = any(part in said for part in ("bold", "black", "heavy", "semibd")) or said.endswith("medi")
        fonts[key] = length > 0 and (forced or named)
    return fonts[key]


# --- from blocks to elements ----------------------------------------------------------------------------------------


def _drafts(block: Block, view: _View, turns: int, page: int, reach: float) -> list[_Draft]:
    """One draft per block; lines in the margins stand alone, so that running heads and feet can be told apart."""
    if not block.table or len(block.rows) == 1:
        inner = [row for row in block.rows if _MARGIN * reach < (row.top + row.bottom) / 2 < (1 - _MARGIN) * reach]
        if len(inner) not in (0, len(block.rows)):
            alone = [row for row in block.rows if row not in inner]
            parts = [Block((row,), block.table) for row in alone] + [Block(tuple(inner), block.table)]
            parts.sort(key=lambda part: block.rows.index(part.rows[0]))
            return [draft for part in parts for draft in _drafts(part, view, turns, page, reach)]
    text = clean_text(block.text)
    if not text:
        return []
    middle = (block.rows[0].top + block.rows[-1].bottom) / 2
    margin = not _MARGIN * reach < middle < (1 - _MARGIN) * reach
    kind = ElementKind.TABLE if block.table else ElementKind.LIST_ITEM if block.is_list_item else ElementKind.TEXT
    boxes = tuple(box for row in block.rows if (box := view.fractions(row, turns, page)))
    element = Element(kind, text, page=page, boxes=boxes)
    return [_Draft(element, block.height, bold=block.bold, margin=margin, lines=len(block.rows))]


def _finished(drafts: Sequence[_Draft], pages: int) -> Iterator[Element]:
    """The elements, with running heads and feet and headings marked."""
    sizes: Counter[float] = Counter()
    repeats: Counter[str] = Counter()
    for draft in drafts:
        sizes[_size(draft)] += len(draft.element.text)
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


def _size(draft: _Draft) -> float:
    return round(draft.height * 2) / 2


def _pattern(text: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", text.lower())[:120]


def _levels(drafts: Sequence[_Draft], body: float, running: set[str]) -> dict[float, int]:
    """The level of each size of type that is clearly larger than the body's; at most five."""
    larger = {
        _size(draft)
        for draft in drafts
        if _size(draft) >= 1.15 * body > 0 and _may_head(draft) and _pattern(draft.element.text) not in running
    }
    return {size: min(rank, 5) for rank, size in enumerate(sorted(larger, reverse=True), start=1)}


def _may_head(draft: _Draft) -> bool:
    text = draft.element.text
    readable = sum(character.isalpha() for character in text) >= max(2, 0.4 * len(text))
    return draft.element.kind is not ElementKind.TABLE and draft.lines <= 3 and len(text) <= 200 and readable


def _is_bold_heading(draft: _Draft, body: float) -> bool:
    text = draft.element.text
    upright = text[0].isupper() or text[0].isdigit()
    sized = draft.height >= 0.95 * body
    return draft.bold and sized and draft.lines <= 2 and len(text) <= 120 and upright and text[-1] not in ".,;"


# --- pictures of pages ----------------------------------------------------------------------------------------------


def _picture(page: pdfium.PdfPage, dpi: float) -> Image.Image:
    width, height = page.get_size()
    scale = dpi / 72
    pixels = max(1.0, width * scale * height * scale)
    if pixels > _MAX_RENDER_PIXELS:
        scale *= (_MAX_RENDER_PIXELS / pixels) ** 0.5
    bitmap = page.render(scale=scale, may_draw_forms=False)
    try:
        picture: Image.Image = bitmap.to_pil().convert("RGB")
        return picture
    finally:
        bitmap.close()


def render_pdf(data: bytes, page: int, dpi: float) -> Image.Image:
    """A picture of one page (counted from 1), as it is shown.

    Raises:
        InvalidRequest: There is no such page.
    """
    with _opened(data) as document:
        if not 1 <= page <= len(document):
            raise InvalidRequest(f"has {len(document)} pages; there is no page {page}")
        try:
            opened = _page(document, page - 1)
            try:
                return _picture(opened, dpi)
            finally:
                opened.close()
        except pdfium.PdfiumError as error:
            raise DocumentUnreadable(f"has a damaged page {page} that cannot be shown") from error


def to_png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=4)
    return out.getvalue()
