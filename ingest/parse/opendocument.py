"""OpenDocument texts, workbooks and slides (ODT, ODS, ODP), read straight from their XML.

Rules this module keeps:

1. What is deleted in tracked changes is not read; what is inserted is. Notes and comments follow the paragraph they
   belong to, headers and footers of pages come once, before and after everything else.
2. Sheets and slides are pages, with their names; hidden ones (rows and columns as well) are read and say so.
3. A row or cell repeated a million times is one that is empty: repetitions are counted, not followed.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator

from lxml import etree  # type: ignore[import-untyped]

from appliance.domain import DocumentFacts
from appliance.errors import DocumentUnreadable
from ingest.parse.detect import Format
from ingest.parse.elements import MAX_LEVEL, Element, ElementKind, clean_line, clean_text
from ingest.parse.facts import iso_text
from ingest.parse.hidden import SheetRow, sheet_elements
from ingest.parse.package import DAMAGE
from ingest.parse.tables import table_elements

_NAMESPACES = "urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TEXT, _TABLE, _DRAW, _STYLE, _META, _PRESENTATION = (
    f"{{{_NAMESPACES}{name}:1.0}}" for name in ("office", "text", "table", "drawing", "style", "meta", "presentation")
)
_DC, _XLINK = "{http://purl.org/dc/elements/1.1/}", "{http://www.w3.org/1999/xlink}"
_ASIDE = frozenset(
    {
        f"{_TEXT}note",
        f"{_OFFICE}annotation",
        f"{_DRAW}frame",
        f"{_DRAW}custom-shape",
        f"{_DRAW}text-box",
        f"{_DRAW}g",
        f"{_TEXT}ruby-text",
    }
)
_SILENT = frozenset({f"{_TEXT}tracked-changes", f"{_OFFICE}forms", f"{_TEXT}sequence-decls", f"{_PRESENTATION}notes"})
_BLOCKS = frozenset({f"{_TEXT}p", f"{_TEXT}h"})
_GROUPS = frozenset(
    f"{_TABLE}table-{name}"
    for name in ("header-rows", "rows", "row-group", "header-columns", "columns", "column-group")
)
_MAX_REPEATS = 1_000
_MAX_CELLS = 16_384

Tick = Callable[[], None]


def parse_opendocument(data: bytes, kind: Format, tick: Tick) -> Iterator[Element]:
    """The elements of a text, a workbook or a presentation; `tick` is called once per row.

    Raises:
        DocumentUnreadable: It is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = _tree(archive, "content.xml")
            styles = _tree(archive, "styles.xml") if "styles.xml" in archive.namelist() else None
    except DAMAGE as error:
        raise DocumentUnreadable("is damaged: its content cannot be read") from error
    if kind is Format.ODS:
        yield from _sheets(content, tick)
    elif kind is Format.ODP:
        yield from _slides(content)
    else:
        yield from _page_edges(styles, "header", ElementKind.HEADER)
        for body in content.iter(f"{_OFFICE}text"):
            yield from _blocks(body)
        yield from _page_edges(styles, "footer", ElementKind.FOOTER)


def meta_of(data: bytes) -> tuple[str, DocumentFacts]:
    """Title and facts as the document gives them; nothing where it does not."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            meta = _tree(archive, "meta.xml")
    except DAMAGE:
        return "", DocumentFacts()

    def said(*tags: str) -> str:
        return next((clean_line(text) for tag in tags if (text := meta.findtext(f".//{tag}"))), "")

    facts = DocumentFacts(
        author=said(f"{_META}initial-creator", f"{_DC}creator"),
        created=iso_text(said(f"{_META}creation-date")),
        modified=iso_text(said(f"{_DC}date")),
    )
    return said(f"{_DC}title"), facts


def _tree(archive: zipfile.ZipFile, name: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(archive.read(name), parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a DTD")
    return root


def _page_edges(styles: etree._Element | None, edge: str, kind: ElementKind) -> Iterator[Element]:
    """The headers (or footers) of all kinds of pages, each text once."""
    seen: set[str] = set()
    for block in (
        () if styles is None else styles.iter(f"{_STYLE}{edge}", f"{_STYLE}{edge}-left", f"{_STYLE}{edge}-first")
    ):
        for element in _blocks(block):
            if element.text and element.text not in seen:
                seen.add(element.text)
                yield Element(kind, element.text)


def _blocks(parent: etree._Element, *, listed: bool = False) -> Iterator[Element]:
    """The paragraphs, lists and tables in an element, in their order."""
    for child in parent:
        if child.tag in _SILENT:
            continue
        if child.tag in _BLOCKS:
            yield from _paragraph(child, listed=listed)
        elif child.tag == f"{_TABLE}table":
            yield from table_elements(_rows(child))
        elif child.tag == f"{_TEXT}list":
            yield from _blocks(child, listed=True)
        elif child.tag == f"{_OFFICE}annotation":
            yield _comment(child)
        else:
            yield from _blocks(child, listed=listed)


def _paragraph(block: etree._Element, *, listed: bool) -> Iterator[Element]:
    text = clean_text(_text(block))
    if block.tag == f"{_TEXT}h":
        level = block.get(f"{_TEXT}outline-level", "1")
        kind, depth = ElementKind.HEADING, min(MAX_LEVEL, int(level)) if re.fullmatch(r"\d{1,9}", level) else 1
    else:
        kind, depth = (ElementKind.LIST_ITEM if listed else ElementKind.TEXT), 0
    if text:
        yield Element(kind, text, level=max(1, depth) if depth or kind is ElementKind.HEADING else 0)
    for aside in _asides(block):
        yield from _aside(aside)


def _asides(block: etree._Element) -> Iterator[etree._Element]:
    """What hangs on a paragraph without being a part of its text: the outermost of each."""
    for child in block:
        if child.tag in _ASIDE:
            yield child
        else:
            yield from _asides(child)


def _aside(aside: etree._Element) -> Iterator[Element]:
    if aside.tag == f"{_OFFICE}annotation":
        yield _comment(aside)
    elif aside.tag == f"{_TEXT}note":
        for body in aside.iter(f"{_TEXT}note-body"):
            yield from _blocks(body)
    elif aside.tag != f"{_TEXT}ruby-text":
        yield from _blocks(aside)


def _comment(annotation: etree._Element) -> Element:
    author = clean_line(annotation.findtext(f"{_DC}creator") or "")
    said = "\n".join(_text(block) for block in annotation.iter(*_BLOCKS))
    return Element(ElementKind.TEXT, clean_text(f"Comment by {author}: {said}" if author else f"Comment: {said}"))


def _text(block: etree._Element) -> str:
    """The text of a paragraph: without what hangs on it, links with their address."""
    return "".join(_pieces(block))


def _pieces(block: etree._Element) -> Iterator[str]:
    yield block.text or ""
    for child in block:
        if child.tag == f"{_TEXT}s":
            yield " "
        elif child.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            yield "\n" if child.tag.endswith("line-break") else "\t"
        elif child.tag not in _ASIDE:
            yield from _pieces(child)
            yield _address(child)
        yield child.tail or ""


def _address(child: etree._Element) -> str:
    """Where a link leads, if that is not what it says anyway."""
    if child.tag != f"{_TEXT}a":
        return ""
    address = clean_line(child.get(f"{_XLINK}href", ""), 500)
    shown = "".join(child.itertext()).strip()
    return (
        f" ({address})"
        if address and not address.startswith("#") and address.strip("/") not in (shown, f"mailto:{shown}")
        else ""
    )


def _rows(table: etree._Element) -> Iterator[list[str]]:
    return (cells for _, cells in _sheet_rows(table, lambda: None))


def _sheet_rows(table: etree._Element, tick: Tick) -> Iterator[SheetRow]:
    for row in _own(table, f"{_TABLE}table-row"):
        tick()
        cells = _cells(row)
        yield from [(_is_hidden(row), cells)] * (_repeats(row, "rows", _MAX_REPEATS) if any(cells) else 1)


def _is_hidden(row_or_column: etree._Element) -> bool:
    return bool(row_or_column.get(f"{_TABLE}visibility", "visible") != "visible")


def _hidden_columns(table: etree._Element) -> set[int]:
    hidden, place = set[int](), 0
    for column in _own(table, f"{_TABLE}table-column"):
        after = place + _repeats(column, "columns", _MAX_CELLS)
        if _is_hidden(column):
            hidden.update(range(place, min(after, _MAX_CELLS)))
        place = after
    return hidden


def _own(table: etree._Element, tag: str) -> Iterator[etree._Element]:
    """The rows (or columns) of a table, in groups as well, but not those of tables in it."""
    for child in table:
        if child.tag == tag:
            yield child
        elif child.tag in _GROUPS:
            yield from _own(child, tag)


def _repeats(item: etree._Element, of: str, most: int) -> int:
    count = item.get(f"{_TABLE}number-{of}-repeated", "1")
    return min(int(count), most) if count.isascii() and count.isdigit() and len(count) < 9 else 1


def _cells(row: etree._Element) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell") or len(cells) >= _MAX_CELLS:
            continue
        text = _cell(cell)
        cells += [text] * (_repeats(cell, "columns", _MAX_CELLS) if text or cell.getnext() is not None else 1)
    return cells


def _cell(cell: etree._Element) -> str:
    """What the cell shows; dates in ISO 8601; its comments after it."""
    shown = " ".join(element.text for element in _blocks(cell) if element.text)
    if cell.get(f"{_OFFICE}value-type") == "date" and (day := iso_text(cell.get(f"{_OFFICE}date-value", ""))):
        comments = [_comment(note).text for note in cell.iter(f"{_OFFICE}annotation")]
        return " ".join([day.removesuffix("T00:00:00").replace("T", " "), *comments])
    return shown or cell.get(f"{_OFFICE}value", "") or cell.get(f"{_OFFICE}string-value", "")


def _sheets(content: etree._Element, tick: Tick) -> Iterator[Element]:
    hidden = {
        style.get(f"{_STYLE}name")
        for style in content.iter(f"{_STYLE}style")
        if any(item.get(f"{_TABLE}display") == "false" for item in style)
    }
    sheets: Iterable[etree._Element] = content.iterfind(f"{_OFFICE}body/{_OFFICE}spreadsheet/{_TABLE}table")
    for number, sheet in enumerate(sheets, start=1):
        name = clean_line(sheet.get(f"{_TABLE}name", str(number)), 200)
        label = f"Sheet {name} (hidden)" if sheet.get(f"{_TABLE}style-name") in hidden else f"Sheet {name}"
        yield from sheet_elements(_sheet_rows(sheet, tick), _hidden_columns(sheet), page=number, label=label)
        for shapes in sheet.iterfind(f"{_TABLE}shapes"):
            for element in _blocks(shapes):
                yield _placed(element, number, label)


def _slides(content: etree._Element) -> Iterator[Element]:
    pages: Iterable[etree._Element] = content.iterfind(f"{_OFFICE}body/{_OFFICE}presentation/{_DRAW}page")
    for number, page in enumerate(pages, start=1):
        label = f"Slide {number}"
        for shape in page:
            if shape.tag in _SILENT:
                continue
            titled = shape.get(f"{_PRESENTATION}class") == "title"
            for element in [_comment(shape)] if shape.tag == f"{_OFFICE}annotation" else _blocks(shape):
                yield _placed(element, number, label, titled=titled)
        for notes in page.iterfind(f"{_PRESENTATION}notes"):
            for element in _blocks(notes):
                yield _placed(element, number, f"{label}, notes")


def _placed(element: Element, page: int, label: str, *, titled: bool = False) -> Element:
    if titled and element.kind in (ElementKind.TEXT, ElementKind.LIST_ITEM):
        return Element(ElementKind.HEADING, element.text, page=page, label=label, level=1)
    return Element(element.kind, element.text, page=page, label=label, level=element.level)
