"""Which reader reads what: bytes and a name in, `Parsed` out. Runs inside the worker only.

Rules this module keeps:

1. A document without any text is an error with a reason, never an empty success.
2. Files inside a mail are read the same way, `MAX_NESTING` deep; one that cannot be read is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from PIL import Image, ImageChops

from appliance.domain import Box, PageCoverage, TextMeans
from appliance.errors import DocumentRejected, DocumentUnreadable, InvalidRequest
from ingest.parse import mail, plain, sheets
from ingest.parse.detect import IMAGES, Format, detect
from ingest.parse.elements import MAX_ATTACHMENTS, Attachment, Element, ElementKind, Parsed, clean_line
from ingest.parse.language import language_of
from ingest.parse.ocr import Scanner, frames
from ingest.parse.pdf import Progress, parse_pdf, render_pdf
from ingest.parse.unstructured import partition

MAX_NESTING = 3
MAX_RENDER_DPI = 300
_MAX_INCLOSED_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may ask for."""

    max_pages: int
    ocr_languages: tuple[str, ...]
    ocr_page_timeout_s: float

    @property
    def scanner(self) -> Scanner:
        """The reader of pictures under these limits."""
        return Scanner(self.ocr_languages, self.ocr_page_timeout_s)


@dataclass(frozen=True, slots=True)
class _Reading:
    elements: tuple[Element, ...]
    title: str = ""
    pages: tuple[PageCoverage, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def read(data: bytes, name: str, limits: Limits, progress: Progress) -> Parsed:
    """The document as elements.

    Raises:
        DocumentRejected: It is of a kind we do not read, over a limit, encrypted, damaged, or has no text.
    """
    kind, reading = _read(data, name, limits, progress, depth=0)
    elements = reading.elements
    if not any(element.text for element in elements):
        raise DocumentUnreadable(f"gave no text: {_why_empty(reading.pages)}")
    title = clean_line(reading.title) or _first_title(elements, kind) or clean_line(PurePath(name).stem)
    return Parsed(title, kind.value, language_of(elements), elements, reading.pages, reading.attachments)


def _why_empty(pages: Iterable[PageCoverage]) -> str:
    reasons = {coverage.reason for coverage in pages if coverage.reason}
    return min(reasons) if len(reasons) == 1 else "none of its pages has any" if reasons else "there is none in it"


def _first_title(elements: Iterable[Element], kind: Format) -> str:
    """The first heading of the highest level, where the format declares headings; a PDF's are guessed from its type."""
    if kind is Format.PDF:
        return ""
    heads = [element for element in elements if element.kind is ElementKind.HEADING][:20]
    return min(heads, key=lambda head: head.level).text[:200] if heads else ""


def _read(data: bytes, name: str, limits: Limits, progress: Progress, depth: int) -> tuple[Format, _Reading]:
    kind = detect(data, name)
    if kind is Format.PDF:
        text = parse_pdf(data, limits.scanner, limits.max_pages, progress)
        return kind, _Reading(text.elements, text.title, text.pages)
    if kind in IMAGES:
        return kind, _read_image(data, limits, progress)
    if kind is Format.EML:
        return kind, _read_mail(mail.open_eml(data), limits, progress, depth)
    if kind is Format.MSG:
        return kind, _read_mail(mail.open_msg(data), limits, progress, depth)
    elements = tuple(element for element in _elements(data, kind, name, progress) if element.text)
    return kind, _Reading(elements, pages=tuple(_coverage(elements)))


class _Rows:
    """Counts the rows of a workbook; so many are worth as much time as a page."""

    rows_per_page = 500

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows = 0

    def __call__(self) -> None:
        self._rows += 1
        if self._rows % self.rows_per_page == 0:
            pages = self._rows // self.rows_per_page
            self._progress(pages, pages + 1, False)


def _elements(data: bytes, kind: Format, name: str, progress: Progress) -> Iterator[Element]:
    if kind in (Format.TEXT, Format.JSON):
        return plain.parse_text(data)
    if kind in (Format.CSV, Format.TSV):
        return plain.parse_separated(data, tabs=kind is Format.TSV)
    if kind is Format.XML:
        return plain.parse_xml(data)
    if kind is Format.XLSX:
        return sheets.parse_xlsx(data, _Rows(progress))
    if kind is Format.XLS:
        return sheets.parse_xls(data, _Rows(progress))
    return partition(data, kind, name)


def _coverage(elements: Iterable[Element]) -> Iterator[PageCoverage]:
    """Coverage of formats that have slides or sheets; none for those without pages."""
    characters: dict[int, int] = {}
    for element in elements:
        if element.page is not None:
            characters[element.page] = characters.get(element.page, 0) + len(element.text)
    for page in range(1, max(characters, default=0) + 1):
        found = characters.get(page, 0)
        means = TextMeans.TEXT_LAYER if found else TextMeans.NONE
        yield PageCoverage(page, means, found, "" if found else "there is no text on it")


def _read_image(data: bytes, limits: Limits, progress: Progress) -> _Reading:
    elements: list[Element] = []
    pages: list[PageCoverage] = []
    for number, picture in enumerate(frames(data), start=1):
        if number > limits.max_pages:
            raise DocumentRejected(f"has more than {limits.max_pages:,} pages; split it, or raise ingest.max_pages")
        progress(number - 1, number, True)
        found, covered = limits.scanner.read(picture, number)
        elements += found
        pages.append(covered)
    return _Reading(tuple(elements), pages=tuple(pages))


def _read_mail(opened: mail.Mail, limits: Limits, progress: Progress, depth: int) -> _Reading:
    body_kind = Format.HTML if opened.is_html else Format.TEXT
    elements = [opened.header_element(), *_elements(opened.body, body_kind, "body", progress)] if opened.body else []
    elements = elements or [opened.header_element()]
    attachments: list[Attachment] = []
    for inclosed in opened.files:
        try:
            if depth + 1 >= MAX_NESTING:
                raise DocumentRejected(f"is nested more than {MAX_NESTING} deep")
            if len(inclosed.data) > _MAX_INCLOSED_BYTES:
                raise DocumentRejected("is too large")
            _, inner = _read(inclosed.data, inclosed.name, limits, progress, depth + 1)
        except DocumentRejected as refusal:
            attachments.append(Attachment(inclosed.name, str(refusal)))
            continue
        label = clean_line(f"Attachment {inclosed.name}")
        elements.append(Element(ElementKind.HEADING, f"Attachment: {inclosed.name}", label=label, level=1))
        # pages and boxes would be those of the attachment, which cannot be shown by itself
        elements += [
            replace(element, page=None, boxes=(), label=element.label if depth and element.label else label)
            for element in inner.elements
        ]
        attachments.append(Attachment(inclosed.name))
        attachments += inner.attachments
    return _Reading(
        tuple(e for e in elements if e.text), title=opened.subject, attachments=tuple(attachments[:MAX_ATTACHMENTS])
    )


def render(data: bytes, name: str, page: int, dpi: float, boxes: Iterable[Box]) -> Image.Image:
    """A picture of one page (counted from 1) with places marked in yellow.

    Raises:
        DocumentRejected: It is neither a PDF nor an image.
        InvalidRequest: There is no such page.
    """
    kind = detect(data, name)
    dpi = min(max(dpi, 20.0), MAX_RENDER_DPI)
    if kind is Format.PDF:
        picture = render_pdf(data, page, dpi)
    elif kind in IMAGES:
        picture = _image_page(data, page, dpi)
    else:
        raise DocumentRejected("has no pages that can be shown; its text can")
    return _marked(picture, [box for box in boxes if box.page == page])


def _image_page(data: bytes, page: int, dpi: float) -> Image.Image:
    """A picture as wide as an A4 page at `dpi` would be, never larger than it is."""
    for number, picture in enumerate(frames(data), start=1):
        if number == page:
            width, height = round(8.27 * dpi), round(11.69 * dpi)
            picture.thumbnail((max(width, height), max(width, height)))
            return picture
    raise InvalidRequest(f"has no page {page}")


def _marked(picture: Image.Image, boxes: Iterable[Box]) -> Image.Image:
    """The picture with boxes laid over like a text marker: what is dark stays dark."""
    for box in boxes:
        left, right = round(box.left * picture.width) - 2, round(box.right * picture.width) + 2
        top, bottom = round(box.top * picture.height) - 1, round(box.bottom * picture.height) + 1
        area = (max(0, left), max(0, top), min(picture.width, right), min(picture.height, bottom))
        if area[0] < area[2] and area[1] < area[3]:
            patch = picture.crop(area)
            picture.paste(ImageChops.multiply(patch, Image.new("RGB", patch.size, (255, 236, 110))), area)
    return picture
