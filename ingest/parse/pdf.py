"""PDF through pdfium: the text a reader sees, with its places; and pictures of pages.

Rules this module keeps:

1. A page gives its text layer as a reader sees it (`pdf_text`), its blocks in reading order (`layout`).
2. A page without a usable text layer is read by text recognition: one with next to no text but ink, one whose text is
   garbage (`legible`), one whose codes mean no characters. Of two readings the more legible counts.
3. Pictures beside text are read too where they may hold text and are large enough; words that the text layer has at
   the same place are not said twice. Pages that need neither cost no text recognition.
4. Headings are told by the type, or else by the outline; pages are called as the document calls them (`pdf_outline`).
5. Notes that reviewers put on a page follow its text (`pdf_notes`).
6. Every page ends with a coverage entry: by which means it was read, how sure that was, and what was left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image

from appliance.domain import PageCoverage, TextMeans
from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable, InvalidRequest
from ingest.parse.detect import ENCRYPTED, WRONG_PASSWORD
from ingest.parse.elements import Element, ElementKind, Facts, clean_line
from ingest.parse.headings import Draft, finished
from ingest.parse.layout import Block, blocks_in_order
from ingest.parse.legible import LEGIBLE, legibility
from ingest.parse.ocr import Reading, Scanner, coverage_of
from ingest.parse.pdf_facts import entry_of, facts_of
from ingest.parse.pdf_notes import notes_on
from ingest.parse.pdf_outline import outline_of, page_names, with_outline
from ingest.parse.pdf_text import TextLayer, sight_of, text_layer
from ingest.parse.pdf_view import View, pictures_of
from ingest.parse.rows import Row, Word
from ingest.parse.sight import Area, Sight, may_hold_text, overlap

MIN_CHARACTERS = 20
"""A page with fewer is taken to have no text layer worth the name."""

_FEW_CHARACTERS = 200  # a head, a stamp or a page number: not what a page with a large picture says
_LARGE_PICTURE = 0.5  # of the page
_SMALL_PICTURE = 0.04  # of the page; smaller ones are logos and signatures
_MAX_PICTURES_READ = 3  # on one page, the largest
_SENSELESS = 0.3  # share of codes without a meaning that makes a text layer useless
_BETTER = 0.15  # by so much more legible text recognition must be
_SOME_INK = 0.0005  # of the page
_PICTURE_INK = 0.004  # of the page: less is lines and rules
_MUCH_INK = 0.01  # of a picture
_MAX_RENDER_PIXELS = 25_000_000
_MARGIN = 0.08  # of the page's height: where running heads and feet stand


Progress = Callable[[int, int, bool], None]
"""Told (pages done, pages in all, whether the next page needs OCR)."""


@dataclass(frozen=True, slots=True)
class PdfText:
    """What a PDF says, and what it says of itself."""

    title: str
    elements: tuple[Element, ...]
    pages: tuple[PageCoverage, ...]
    facts: Facts


@contextmanager
def open_pdf(data: bytes, password: str = "") -> Iterator[pdfium.PdfDocument]:
    """The document, until it is done with.

    Raises:
        DocumentNeedsPassword: It is encrypted, and not by `password`.
        DocumentUnreadable: It cannot be opened.
    """
    try:
        document = pdfium.PdfDocument(data, password=password or None)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in (c.FPDF_ERR_PASSWORD, c.FPDF_ERR_SECURITY):
            raise DocumentNeedsPassword(WRONG_PASSWORD if password else ENCRYPTED) from error
        raise DocumentUnreadable("is damaged: it cannot be opened as a PDF") from error
    try:
        yield document
    finally:
        document.close()


def parse_pdf(data: bytes, scanner: Scanner, max_pages: int, progress: Progress, password: str = "") -> PdfText:
    """The text of a PDF. `password` opens an encrypted one.

    Raises:
        DocumentNeedsPassword, DocumentUnreadable: It is encrypted, or not a PDF that can be opened.
        DocumentRejected: It has more than `max_pages` pages.
    """
    with open_pdf(data, password) as document:
        count = len(document)
        if count > max_pages:
            message = f"has {count:,} pages; the limit is {max_pages:,}. Split it, or raise ingest.max_pages"
            raise DocumentRejected(message)
        reader = _PageReader(scanner, lambda index: progress(index, count, True))
        drafts: list[Draft] = []
        coverage: list[PageCoverage] = []
        for index in range(count):
            progress(index, count, False)
            page_drafts, covered = reader.read(document, index)
            drafts += page_drafts
            coverage.append(covered)
        progress(count, count, False)
        title = clean_line(entry_of(document, "Title"))
        facts, outline, names = facts_of(document, data), outline_of(document), page_names(document)
    elements = with_outline(list(finished(drafts, count)), outline)
    named = (replace(element, label=names.get(element.page or 0, "")) for element in elements)
    return PdfText(title if _is_title(title) else "", tuple(named), tuple(coverage), facts)


def _is_title(text: str) -> bool:
    """Whether a metadata title was written by a person; programs leave file names and placeholders there."""
    junk = re.search(r"(?i)^(untitled|microsoft|slide \d|powerpoint|document\d*$|print|\(anonymous\))|\.\w{2,5}$", text)
    return len(text) >= 6 and " " in text and junk is None


@dataclass(frozen=True, slots=True)
class _PageReader:
    """Reads pages, with text recognition where it is needed; `before_ocr` is told the page's index first."""

    scanner: Scanner
    before_ocr: Callable[[int], None]

    def read(self, document: pdfium.PdfDocument, index: int) -> tuple[list[Draft], PageCoverage]:
        """What one page says, and how that was found."""
        number = index + 1
        try:
            page = document[index]
        except pdfium.PdfiumError:
            return [], PageCoverage(number, TextMeans.NONE, 0, "the page is damaged and cannot be opened")
        try:
            view = View.of(page)
            if view.width <= 0 or view.height <= 0:
                return [], PageCoverage(number, TextMeans.NONE, 0, "the page is blank")
            notes = list(notes_on(page, view, number))
            page = _flattened(document, page, index)
            sight = sight_of(page)
            layer = text_layer(document, page, view, sight)
            drafts, covered = self._read_text(page, number, view, sight, layer)
            return drafts + [_recognised(note) for note in notes], _with_notes(covered, notes)
        except pdfium.PdfiumError:
            return [], PageCoverage(number, TextMeans.NONE, 0, "the page is damaged and cannot be read")
        finally:
            page.close()

    def _read_text(
        self, page: pdfium.PdfPage, number: int, view: View, sight: Sight, layer: TextLayer
    ) -> tuple[list[Draft], PageCoverage]:
        sight.read(layer.areas)
        score = legibility(word.text for _, word in layer.words)
        senseless = layer.senseless > _SENSELESS * (layer.senseless + layer.characters)
        if layer.characters < MIN_CHARACTERS or senseless or score < LEGIBLE:
            return self._read_instead(page, number, view, sight, layer, 0.0 if senseless else score)
        return self._read_beside(page, number, view, sight, layer)

    def _read_instead(
        self, page: pdfium.PdfPage, number: int, view: View, sight: Sight, layer: TextLayer, score: float
    ) -> tuple[list[Draft], PageCoverage]:
        """A page whose text layer says nothing, or garbage: as text recognition sees it, if that is better."""
        drafts = _drafts_of(layer, view, number)
        usable = layer.characters >= MIN_CHARACTERS
        if not usable and sight.unread()[0] < _SOME_INK:
            return drafts, _account(number, layer, drafts, "" if drafts else "the page is blank")
        self.before_ocr(number - 1)
        reading = self.scanner.recognise(_picture(page, self.scanner.resolution_dpi))
        elements = reading.elements(number)
        covered = coverage_of(number, reading, elements)
        if usable and legibility(word.text for word in reading.words) < score + _BETTER:
            return drafts, _account(number, layer, drafts, "" if score >= LEGIBLE else "its text layer may be garbage")
        if covered.characters <= layer.characters and not usable:
            return drafts, _account(number, layer, drafts, f"the page is a picture: {covered.reason}".rstrip(": "))
        if not elements:
            return drafts, _account(number, layer, drafts, f"its text layer is garbage: {covered.reason}")
        return [_recognised(element) for element in elements], _with_reason(covered, _hidden_reason(layer))

    def _read_beside(
        self, page: pdfium.PdfPage, number: int, view: View, sight: Sight, layer: TextLayer
    ) -> tuple[list[Draft], PageCoverage]:
        """A page with a text layer, and what its pictures say that the text layer does not."""
        drafts = _drafts_of(layer, view, number)
        covered = _account(number, layer, drafts, "")
        areas = _worth_reading(page, view, sight, layer)
        if not areas:
            return drafts, covered
        whole = _picture(page, self.scanner.resolution_dpi)
        for area in areas:
            picture = whole.crop(_pixels(area, whole))
            if _size(area) < _LARGE_PICTURE and not may_hold_text(picture):
                continue
            self.before_ocr(number - 1)
            reading = _not_said(self.scanner.recognise(picture), area, layer.areas)
            elements = [element for element in reading.elements(number, area) if _says_something(element)]
            drafts += [_recognised(element) for element in elements]
            covered = _with_picture(covered, reading, elements)
        return drafts, covered


def _worth_reading(page: pdfium.PdfPage, view: View, sight: Sight, layer: TextLayer) -> list[Area]:
    """The pictures of a page that may hold text its text layer has not."""
    if sight.unread()[0] < _PICTURE_INK:
        return []
    worth: list[Area] = []
    for area in sorted(pictures_of(page, view), key=_size, reverse=True):
        of_area, of_ink = sight.unread(area)
        if _size(area) < _SMALL_PICTURE or of_area < _MUCH_INK or of_ink < 0.3:
            continue
        if _size(area) < _LARGE_PICTURE or layer.characters < _FEW_CHARACTERS or layer.over_picture:
            worth.append(area)
    return worth[:_MAX_PICTURES_READ]


def _size(area: Area) -> float:
    return (area[2] - area[0]) * (area[3] - area[1])


def _pixels(area: Area, picture: Image.Image) -> tuple[int, int, int, int]:
    left, top, right, bottom = area
    return (
        int(left * picture.width),
        int(top * picture.height),
        max(int(left * picture.width) + 1, int(right * picture.width)),
        max(int(top * picture.height) + 1, int(bottom * picture.height)),
    )


def _not_said(reading: Reading, within: Area, said: tuple[Area, ...]) -> Reading:
    """The reading without what the text layer has at the same place, and without what is likely no text at all."""
    near = [area for area in said if overlap(area, within)]
    across, down = (within[2] - within[0]) / reading.width, (within[3] - within[1]) / reading.height

    def is_said(box: tuple[int, int, int, int]) -> bool:
        x, y = within[0] + (box[0] + box[2]) / 2 * across, within[1] + (box[1] + box[3]) / 2 * down
        return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in near)

    return reading.sure().only(lambda word: not is_said(word.box))


def _says_something(element: Element) -> bool:
    letters = sum(character.isalnum() for character in element.text)
    return letters >= max(3, 0.5 * len(element.text.replace(" ", "")))


# --- the account of a page ------------------------------------------------------------------------------------------


def _account(number: int, layer: TextLayer, drafts: list[Draft], reason: str) -> PageCoverage:
    characters = sum(len(draft.element.text) for draft in drafts)
    means = TextMeans.TEXT_LAYER if characters else TextMeans.NONE
    return _with_reason(PageCoverage(number, means, characters, reason[:250]), _hidden_reason(layer))


def _hidden_reason(layer: TextLayer) -> str:
    return f"{layer.hidden:,} characters that nobody sees were left out" if layer.hidden else ""


def _with_reason(covered: PageCoverage, reason: str) -> PageCoverage:
    return replace(covered, reason="; ".join(filter(None, (covered.reason, reason))))


def _with_picture(covered: PageCoverage, reading: Reading, elements: list[Element]) -> PageCoverage:
    """The account with a picture on the page added to it."""
    read = sum(len(element.text) for element in elements)
    if not read or reading.confidence is None:
        return covered
    mostly = TextMeans.OCR if read > covered.characters else covered.means
    sure = reading.confidence if covered.confidence is None else min(covered.confidence, reading.confidence)
    return replace(covered, means=mostly, characters=covered.characters + read, confidence=sure)


def _with_notes(covered: PageCoverage, notes: list[Element]) -> PageCoverage:
    """The account with the notes on the page added to it."""
    if not notes:
        return covered
    characters = covered.characters + sum(len(note.text) for note in notes)
    means = TextMeans.TEXT_LAYER if covered.means is TextMeans.NONE else covered.means
    return replace(covered, means=means, characters=characters)


def _recognised(element: Element) -> Draft:
    return Draft(element, 0.0, bold=False, margin=False, lines=9)


def _flattened(document: pdfium.PdfDocument, page: pdfium.PdfPage, index: int) -> pdfium.PdfPage:
    """The page with what was filled into its form fields, or written on it as a text box or stamp, as part of it."""
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


# --- from blocks to elements ----------------------------------------------------------------------------------------


def _drafts_of(layer: TextLayer, view: View, number: int) -> list[Draft]:
    by_turns: dict[int, list[Word]] = {}
    for turns, word in layer.words:
        by_turns.setdefault(turns, []).append(word)
    drafts: list[Draft] = []
    for turns, words in sorted(by_turns.items(), key=lambda item: -len(item[1])):
        reach = view.height if turns % 2 == 0 else view.width
        for block in blocks_in_order(words):
            drafts += _drafts(block, view, turns, number, reach)
    return drafts


def _in_margin(row: Row, reach: float) -> bool:
    return not _MARGIN * reach < (row.top + row.bottom) / 2 < (1 - _MARGIN) * reach


def _drafts(block: Block, view: View, turns: int, page: int, reach: float) -> list[Draft]:
    """One draft per block; short lines in the margins stand alone, so that running heads and feet can be told apart."""
    if not block.table:
        width = max(row.right for row in block.rows) - min(row.left for row in block.rows)
        alone = [row for row in block.rows if _in_margin(row, reach) and row.right - row.left < 0.6 * width]
        if alone and len(alone) < len(block.rows):
            inner = Block(tuple(row for row in block.rows if row not in alone), False)
            parts = sorted([*(Block((row,), False) for row in alone), inner], key=lambda part: part.rows[0].top)
            return [draft for part in parts for draft in _drafts(part, view, turns, page, reach)]
    text = block.text
    if not text.strip():
        return []
    middle = (block.rows[0].top + block.rows[-1].bottom) / 2
    margin = not _MARGIN * reach < middle < (1 - _MARGIN) * reach
    kind = ElementKind.TABLE if block.table else ElementKind.LIST_ITEM if block.is_list_item else ElementKind.TEXT
    boxes = tuple(box for row in block.rows if (box := view.fractions(row, turns, page)))
    element = Element(kind, text, page=page, boxes=boxes)
    return [Draft(element, block.height, bold=block.bold, margin=margin, lines=len(block.rows))]


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


def render_pdf(data: bytes, page: int, dpi: float, password: str = "") -> Image.Image:
    """A picture of one page (counted from 1), as it is shown.

    Raises:
        InvalidRequest: There is no such page.
    """
    with open_pdf(data, password) as document:
        if not 1 <= page <= len(document):
            raise InvalidRequest(f"has {len(document)} pages; there is no page {page}")
        try:
            opened = _flattened(document, document[page - 1], page - 1)
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
