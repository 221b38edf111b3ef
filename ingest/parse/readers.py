"""Which reader reads what: bytes and a name in, `Parsed` out. Runs inside the worker only.

Rules this module keeps:

1. A document without any text is an error with a reason, never an empty success. A container (a mailbox, an archive)
   may be without text of its own, not without files in it.
2. The files in a container, attached to a document or embedded in it, are read the same way, `MAX_NESTING` deep. One
   that cannot be read is a member with a reason, and the others are read all the same: those in it as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath

from PIL import Image, ImageChops

from appliance.domain import Box, DocumentFacts, PageCoverage, TextMeans
from appliance.errors import DocumentEmpty, DocumentRejected, DocumentUnreadable, InvalidRequest
from ingest.parse import archives, legacy, mail, ooxml, opendocument, plain, protected, sheets, web
from ingest.parse.detect import COMPRESSED, CONTAINERS, IMAGES, Format, detect
from ingest.parse.elements import (
    MAX_MEMBER_PATH,
    MAX_MEMBERS,
    NO_FACTS,
    Element,
    ElementKind,
    Member,
    Parsed,
    clean_line,
    ranked,
)
from ingest.parse.embedded import files_in_ooxml, files_in_opendocument
from ingest.parse.epub import Book
from ingest.parse.inclosed import MAX_PATH, Allowance, Bomb, Inclosed, Overfull
from ingest.parse.language import language_of
from ingest.parse.mailbox import open_mailbox
from ingest.parse.ocr import NOTHING_FOUND, Scanner, frames
from ingest.parse.pdf import Progress, parse_pdf, render_pdf
from ingest.parse.pdf_files import files_in_pdf
from ingest.parse.sidetexts import SideTexts, inserted_pages, side_texts
from ingest.parse.unstructured import partition

MAX_NESTING = 5
MAX_RENDER_DPI = 300
_SMALLEST_LETTER_PX = 6
_BLANK = "the picture is blank"
_CONVERSION_PAGES = 20
"""What starting LibreOffice is worth in time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may ask for. `password` opens it, and files in it, if they are encrypted."""

    max_pages: int
    ocr_languages: tuple[str, ...]
    ocr_page_timeout_s: float
    password: str = ""

    @property
    def scanner(self) -> Scanner:
        """The reader of pictures under these limits."""
        return Scanner(self.ocr_languages, self.ocr_page_timeout_s)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one file gave. `files` are still to be taken out and read."""

    elements: tuple[Element, ...]
    title: str = ""
    pages: tuple[PageCoverage, ...] = ()
    facts: DocumentFacts = NO_FACTS
    files: Iterable[Inclosed] = ()


class _Work:
    """Progress over a document and the files in it: the pages of each count on from those of the one before."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._before = self._total = 0

    def __call__(self, done: int, total: int, ocr: bool) -> None:
        self._total = max(self._total, self._before + total)
        self._progress(self._before + done, self._total, ocr)

    def next_file(self) -> None:
        """Begin the next file, which is worth a page whatever is in it."""
        self._before = self._total
        self(0, 1, False)


def read(data: bytes, name: str, limits: Limits, progress: Progress) -> Parsed:
    """The document as elements, with the files in it as members.

    Raises:
        DocumentRejected: It is of a kind we do not read, over a limit, encrypted, damaged, or has no text. If there are
            files in it, that it has no text is for the caller to see: they would be lost.
    """
    return _Reader(limits, _Work(progress)).document(data, name)


class _Reader:
    """Reads one document with everything in it; what it has taken out so far counts against one allowance."""

    def __init__(self, limits: Limits, work: _Work) -> None:
        self._limits, self._work = limits, work
        self._allowance = Allowance()
        self._members = 0

    def document(
        self, data: bytes, name: str, within: str = "", depth: int = 0, *, may_decorate: bool = False
    ) -> Parsed:
        """A document, and its members with paths that begin with `within`."""
        data = protected.opened(data, self._limits.password)
        kind = detect(data, name)
        reading = _read(data, kind, name, self._limits, self._work, self._allowance)
        members = tuple(self._read_members(reading.files, within, depth))
        elements = tuple(ranked(element) for element in reading.elements if element.text)
        if not members and not elements:
            raise _decoration() if may_decorate and _is_mute_picture(kind, reading.pages) else _silent(reading.pages)
        title = clean_line(reading.title) or _first_title(elements, kind) or clean_line(PurePath(name).stem)
        return Parsed(title, kind.value, language_of(elements), elements, reading.pages, members, reading.facts)

    def _read_members(self, files: Iterable[Inclosed], within: str, depth: int) -> Iterator[Member]:
        if len(within) + MAX_PATH > MAX_MEMBER_PATH:
            raise DocumentRejected("lies under names that are too long")
        for inclosed in files:
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise Overfull(f"holds more than {MAX_MEMBERS:,} files; split it")
            self._work.next_file()
            yield from self._read_member(inclosed, within + inclosed.path, depth)

    def _read_member(self, inclosed: Inclosed, path: str, depth: int) -> Iterator[Member]:
        try:
            data = self._taken_out(inclosed, depth)
        except Bomb:
            raise
        except DocumentRejected as refusal:
            yield Member(path, None, refusal.code, str(refusal))
            return
        try:
            parsed = self.document(data, inclosed.name, f"{path}/", depth + 1, may_decorate=inclosed.may_decorate)
        except Overfull:
            raise
        except DocumentRejected as refusal:
            yield Member(path, None, refusal.code, str(refusal))
            return
        if not parsed.elements and parsed.media_type not in CONTAINERS:
            silent = _silent(parsed.pages)
            yield Member(path, None, silent.code, str(silent))
        else:
            facts = replace(parsed.facts, thread=inclosed.thread) if inclosed.thread else parsed.facts
            digest = hashlib.sha256(data).hexdigest()
            yield Member(path, replace(parsed, members=(), facts=facts, sha256=digest, size_bytes=len(data)))
        yield from parsed.members

    def _taken_out(self, inclosed: Inclosed, depth: int) -> bytes:
        if depth == MAX_NESTING:
            raise DocumentRejected(f"is nested more than {MAX_NESTING} deep")
        return inclosed.take()


def _is_mute_picture(kind: Format, pages: Iterable[PageCoverage]) -> bool:
    """Whether it is a picture in which text was looked for in vain, not one that could not be looked at."""
    return kind in IMAGES and all(page.reason in (_BLANK, NOTHING_FOUND) for page in pages)


def _decoration() -> DocumentEmpty:
    """What a logo in a mail is: nothing went wrong, and there is nothing in it to find."""
    return DocumentEmpty("is a picture without text, such as a logo: there is nothing in it to find")


def _silent(pages: Iterable[PageCoverage]) -> DocumentUnreadable:
    return DocumentUnreadable(f"gave no text: {_why_empty(pages)}")


def _why_empty(pages: Iterable[PageCoverage]) -> str:
    reasons = {coverage.reason for coverage in pages if coverage.reason}
    return min(reasons) if len(reasons) == 1 else "none of its pages has any" if reasons else "there is none in it"


def _first_title(elements: Iterable[Element], kind: Format) -> str:
    """The first heading of the highest level, where the format declares headings; a PDF's are guessed from its type."""
    if kind is Format.PDF:
        return ""
    heads = [element for element in elements if element.kind is ElementKind.HEADING][:20]
    return min(heads, key=lambda head: head.level).text[:200] if heads else ""


def _read(data: bytes, kind: Format, name: str, limits: Limits, progress: Progress, allowance: Allowance) -> _Reading:
    if kind in IMAGES:
        return _read_image(data, limits, progress)
    if kind in (Format.EML, Format.MSG):
        return _read_mail(mail.open_eml(data) if kind is Format.EML else mail.open_msg(data), progress)
    if kind in legacy.MODERN:
        progress(0, _CONVERSION_PAGES, False)
        return _read(legacy.modern(data, kind), legacy.MODERN[kind], name, limits, progress, allowance)
    inside = _inside(data, kind, name, limits.password, allowance)
    if kind in CONTAINERS:
        return _Reading((), PurePath(name).name, files=inside)
    if kind is Format.PDF:
        text = parse_pdf(data, limits.scanner, limits.max_pages, progress, password=limits.password)
        return _Reading(text.elements, text.title, text.pages, text.facts, inside)
    title, facts = _own_words(data, kind)
    elements = [element for element in _elements(data, kind, name, progress) if element.text]
    if kind in _OOXML:
        elements = _with_side_texts(elements, side_texts(data, kind))
    for page in inserted_pages(data) if kind is Format.DOCX else ():
        elements += partition(page, Format.HTML, name)
    return _Reading(tuple(elements), title, tuple(_coverage(elements)), facts, inside)


_OOXML = (Format.DOCX, Format.PPTX, Format.XLSX)


def _with_side_texts(elements: list[Element], beside: SideTexts) -> list[Element]:
    """The elements with what stands beside them, each after those of its page; hidden slides are called so."""
    whole = sorted([*elements, *beside.elements], key=lambda element: element.page or 0)
    return [
        replace(element, label=f"{element.label} (hidden)") if element.page in beside.hidden else element
        for element in whole
    ]


def _own_words(data: bytes, kind: Format) -> tuple[str, DocumentFacts]:
    """Title and facts as the document gives them, where its format has a place for them."""
    if kind in _OOXML:
        return ooxml.meta_of(data)
    if kind in _OPENDOCUMENT:
        return opendocument.meta_of(data)
    if kind is Format.HTML:
        return web.meta_of(data)
    if kind is Format.EPUB:
        book = Book(data)
        return book.title, book.facts
    return "", NO_FACTS


_OPENDOCUMENT = (Format.ODT, Format.ODS, Format.ODP)


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
    if kind is Format.TEXT:
        return plain.parse_text(data)
    if kind is Format.JSON:
        return plain.parse_json(data)
    if kind in (Format.CSV, Format.TSV):
        return plain.parse_separated(data, tabs=kind is Format.TSV)
    if kind is Format.XML:
        return plain.parse_xml(data)
    if kind is Format.XLSX:
        return sheets.parse_xlsx(data, _Rows(progress))
    if kind is Format.XLS:
        return sheets.parse_xls(data, _Rows(progress))
    if kind in _OPENDOCUMENT:
        return opendocument.parse_opendocument(data, kind, _Rows(progress))
    if kind is Format.EPUB:
        return (element for page in Book(data).chapters() for element in partition(page, Format.HTML, name))
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
        if _may_show_text(picture):
            found, covered = limits.scanner.read(picture, number)
        else:
            found, covered = [], PageCoverage(number, TextMeans.NONE, 0, _BLANK)
        elements += found
        pages.append(covered)
    return _Reading(tuple(elements), pages=tuple(pages))


def _may_show_text(picture: Image.Image) -> bool:
    """Whether it has room for a letter and more than one colour; there are files with thousands that have not."""
    return min(picture.size) >= _SMALLEST_LETTER_PX and picture.getcolors(1) is None


def _read_mail(opened: mail.Mail, progress: Progress) -> _Reading:
    elements = [opened.header_element()]
    for body in opened.bodies:
        elements += _elements(body.data, Format.HTML if body.is_html else Format.TEXT, "body", progress)
    elements += opened.files_elements()
    return _Reading(
        tuple(element for element in elements if element.text), opened.subject, facts=opened.facts, files=opened.files
    )


def render(data: bytes, name: str, page: int, dpi: float, boxes: Iterable[Box], *, member: str = "") -> Image.Image:
    """A picture of one page (counted from 1) with places marked in yellow, of a file in the container if `member`.

    Raises:
        DocumentRejected: It is neither a PDF nor an image.
        InvalidRequest: There is no such page, or no such member.
    """
    if member:
        data, name = _member(data, name, member, Allowance())
    kind = detect(data, name)
    dpi = min(max(dpi, 20.0), MAX_RENDER_DPI)
    if kind is Format.PDF:
        picture = render_pdf(data, page, dpi)
    elif kind in IMAGES:
        picture = _image_page(data, page, dpi)
    else:
        raise DocumentRejected("has no pages that can be shown; its text can")
    return _marked(picture, [box for box in boxes if box.page == page])


def _member(data: bytes, name: str, path: str, allowance: Allowance) -> tuple[bytes, str]:
    """The bytes and the name of a file in a container, or in a container in it."""
    for inclosed in _inside(data, detect(data, name), name, "", allowance):
        if path == inclosed.path:
            return inclosed.take(), inclosed.name
        if path.startswith(f"{inclosed.path}/"):
            return _member(inclosed.take(), inclosed.name, path.removeprefix(f"{inclosed.path}/"), allowance)
    raise InvalidRequest("has no such file in it")


def _inside(data: bytes, kind: Format, name: str, password: str, allowance: Allowance) -> Iterable[Inclosed]:
    """The files in a container or a document."""
    if kind is Format.EML:
        return mail.open_eml(data).files
    if kind is Format.MSG:
        return mail.open_msg(data).files
    if kind is Format.MBOX:
        return open_mailbox(data)
    if kind is Format.ZIP:
        return archives.open_zip(data, allowance.of(len(data)), password)
    if kind is Format.TAR:
        return archives.open_tar(data, allowance.of(len(data)))
    if kind in COMPRESSED:
        return archives.open_compressed(data, name, allowance.of(len(data)))
    if kind in legacy.MODERN:
        return _attached(legacy.modern(data, kind), legacy.MODERN[kind], password, allowance)
    return _attached(data, kind, password, allowance)


def _attached(data: bytes, kind: Format, password: str, allowance: Allowance) -> Iterable[Inclosed]:
    """The files attached to a document, or embedded in it. It is not opened before the first is asked for."""
    if kind is Format.PDF:
        return files_in_pdf(data, password, allowance.of(len(data)))
    if kind in _OOXML:
        return files_in_ooxml(data, allowance.of(len(data)))
    if kind in _OPENDOCUMENT:
        return files_in_opendocument(data, allowance.of(len(data)))
    return ()


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
