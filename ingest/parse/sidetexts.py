"""What stands beside the text of an Office file (OOXML): comments, text boxes of sheets, texts in diagrams, and what
every slide shows because its master does.

The libraries that read these files pass over it. It comes with the page (slide or sheet) it belongs to, a master's with
the first slide that shows it.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lxml import etree  # type: ignore[import-untyped]

from ingest.parse.detect import Format
from ingest.parse.elements import Element, ElementKind, clean_line, clean_text
from ingest.parse.package import DAMAGE, main_part, parts_of, related, tree
from ingest.parse.slides import shown, slide_size

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


@dataclass(frozen=True, slots=True)
class _Page:
    """A slide or sheet: the part it is in, and how it is called."""

    part: str
    number: int | None
    label: str


@dataclass(frozen=True, slots=True)
class SideTexts:
    """What was found, and which slides are hidden."""

    elements: tuple[Element, ...] = ()
    hidden: frozenset[int] = frozenset()


def side_texts(data: bytes, kind: Format) -> SideTexts:
    """Comments, text boxes and diagrams; nothing where the file is too damaged to tell."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pages = list(_pages(archive, kind))
            found = [element for page in pages for element in _beside(archive, page)]
            found += _of_masters(archive, pages) if kind is Format.PPTX else ()
            hidden = {page.number for page in pages if kind is Format.PPTX and _is_hidden(archive, page.part)}
    except DAMAGE:
        return SideTexts()
    return SideTexts(tuple(found), frozenset(number for number in hidden if number))


def inserted_pages(data: bytes) -> list[bytes]:
    """Web pages that stand in a Word document as they are ("altChunk"), which is how some programs write theirs."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = parts_of(archive, main_part(archive), "aFChunk")
            pages = [archive.read(part) for part in parts if part.endswith((".htm", ".html", ".xhtml"))]
    except DAMAGE:
        return []
    return pages


def _pages(archive: zipfile.ZipFile, kind: Format) -> Iterator[_Page]:
    main = main_part(archive)
    if kind is Format.DOCX:
        yield _Page(main, None, "")
        return
    parts = {other.id: other.part for other in related(archive, main)}
    number = 0
    for item in tree(archive.read(main)).iter("{*}sldId", "{*}sheet"):
        part = parts.get(next((value for name, value in item.items() if name.endswith("}id")), ""), "")
        if part and "chartsheet" not in part:
            number += 1
            name = f"Slide {number}" if kind is Format.PPTX else f"Sheet {item.get('name', number)}"
            yield _Page(part, number, clean_line(name))


def _is_hidden(archive: zipfile.ZipFile, part: str) -> bool:
    return bool(tree(archive.read(part)).get("show") in ("0", "false"))


def _beside(archive: zipfile.ZipFile, page: _Page) -> Iterator[Element]:
    for kind, part in sorted((other.kind, other.part) for other in related(archive, page.part)):
        if part not in archive.NameToInfo:
            continue
        if kind == "diagramData" or (kind == "drawing" and part.startswith("xl/")):
            yield from _paragraphs(shown(tree(archive.read(part))), page)
        elif kind == "comments" and not part.startswith("xl/threaded"):
            yield from _comments(tree(archive.read(part)), page)


def _of_masters(archive: zipfile.ZipFile, pages: Iterable[_Page]) -> Iterator[Element]:
    """The texts of layouts and masters, but not of their placeholders, which only say what is to come there."""
    seen = set[str]()
    size = slide_size(archive)
    for page in pages:
        for part in _above(archive, page.part):
            if part in seen:
                continue
            seen.add(part)
            for shape in shown(tree(archive.read(part)), size).iter("{*}sp"):
                if shape.find("{*}nvSpPr/{*}nvPr/{*}ph") is None:
                    yield from _paragraphs(shape, replace(page, label="Slide master"))


def _above(archive: zipfile.ZipFile, slide: str) -> Iterator[str]:
    """The layout of a slide and the master of that, as far as their shapes are shown on it."""
    part = slide
    for kind in ("slideLayout", "slideMaster"):
        above = parts_of(archive, part, kind)
        if not above or tree(archive.read(part)).get("showMasterSp") in ("0", "false"):
            return
        part = above[0]
        yield part


def _paragraphs(root: etree._Element, page: _Page) -> Iterator[Element]:
    for paragraph in root.iter(f"{_A}p"):
        text = clean_text("".join(item.text or "" for item in paragraph.iter(f"{_A}t")))
        if text:
            yield Element(ElementKind.TEXT, text, page=page.number, label=page.label)


def _comments(root: etree._Element, page: _Page) -> Iterator[Element]:
    """Comments of Word (with paragraphs), Excel (with numbered authors) and PowerPoint (one text each)."""
    authors = [item.text or "" for item in root.iterfind("{*}authors/{*}author")]
    for comment in root.iter("{*}comment", "{*}cm"):
        author = next((value for name, value in comment.items() if name.endswith("}author")), "")
        number = comment.get("authorId", "")
        if authors and re.fullmatch(r"\d{1,9}", number, re.ASCII) and int(number) < len(authors):
            author = authors[int(number)]
        text = clean_text("\n".join(_lines(comment)))
        if text:
            place = f" on {comment.get('ref')}" if comment.get("ref") else ""
            by = f" by {clean_line(author)}" if author else ""
            yield Element(ElementKind.TEXT, f"Comment{place}{by}: {text}", page=page.number, label=page.label)


def _lines(comment: etree._Element) -> Iterable[str]:
    blocks = list(comment.iter("{*}p")) or [comment]
    for block in blocks:
        yield "".join(item.text or "" for item in block.iter("{*}t", "{*}text", "{*}tab"))
