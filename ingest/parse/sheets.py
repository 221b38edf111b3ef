"""Workbooks: XLSX through openpyxl in its streaming mode, XLS through xlrd. One sheet is one page.

Values are given as a person reads them: dates in ISO form, percentages as such, no trailing zeros. Sheets, rows and
columns that a workbook hides are called hidden.
A small file can name one long text in every cell; what it would give in all is limited (`MAX_CHARACTERS`).
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO
from xml.parsers import expat

import openpyxl  # type: ignore[import-untyped]
import xlrd  # type: ignore[import-untyped]

from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse.detect import ENCRYPTED
from ingest.parse.elements import Element
from ingest.parse.hidden import sheet_elements
from ingest.parse.ooxml import transitional
from ingest.parse.package import DAMAGE

MAX_CHARACTERS = 100_000_000
"""On one sheet."""

Tick = Callable[[], None]
"""Called once per row, so that a long workbook is seen to get on."""

_ROW, _COLUMN = (f"http://schemas.openxmlformats.org/spreadsheetml/2006/main {tag}" for tag in ("row", "col"))
_PIECE_BYTES = 1024**2
_MAX_COLUMNS = 16_384

_DAMAGE = (*DAMAGE, xlrd.XLRDError)


def parse_xlsx(data: bytes, tick: Tick) -> Iterator[Element]:
    """The rows of every sheet.

    Raises:
        DocumentUnreadable: It is damaged.
    """
    try:
        book = openpyxl.load_workbook(io.BytesIO(transitional(data)), read_only=True, data_only=True, keep_links=False)
        for number, sheet in enumerate(book.worksheets, start=1):
            if hasattr(sheet, "reset_dimensions"):
                sheet.reset_dimensions()  # the file's own claim may be a million rows, or one
            with sheet._get_source() as source:
                hidden_rows, hidden_columns = _hidden_in(source)
            rows = ([_cell_text(cell) for cell in row] for row in sheet.iter_rows())
            counted = ((at in hidden_rows, row) for at, row in enumerate(_counted(rows, tick), start=1))
            label = _label(sheet.title, sheet.sheet_state != "visible")
            yield from sheet_elements(counted, hidden_columns, page=number, label=label)
    except _DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error


def _hidden_in(source: IO[bytes]) -> tuple[frozenset[int], frozenset[int]]:
    """The rows (counted from 1) and columns (counted from 0) that a sheet hides, which openpyxl does not tell.

    A sheet that hides rows by default ("zeroHeight") hides those that are not written at all: there is nothing in them.
    """
    rows, columns, row = set[int](), bytearray(_MAX_COLUMNS), 0

    def start(name: str, said: dict[str, str]) -> None:
        nonlocal row
        if name == _ROW:
            row = _number(said.get("r"), row + 1)
            if _is_hidden(said):
                rows.add(row)
        elif name == _COLUMN and _is_hidden(said):
            first = max(1, _number(said.get("min"), 1))
            last = min(_number(said.get("max"), first), _MAX_COLUMNS)
            columns[first - 1 : last] = b"\1" * (last - first + 1)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = _refuse_entities
    while piece := source.read(_PIECE_BYTES):
        parser.Parse(piece)
    parser.Parse(b"", True)
    return frozenset(rows), frozenset(at for at, hidden in enumerate(columns) if hidden)


def _is_hidden(said: dict[str, str]) -> bool:
    return said.get("hidden", "").strip() in ("1", "true")


def _refuse_entities(*_: object) -> None:
    raise ValueError("entities")


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 8 else otherwise


def _label(name: str, hidden: bool) -> str:
    return f"Sheet {name} (hidden)" if hidden else f"Sheet {name}"


def _counted(rows: Iterable[list[str]], tick: Tick) -> Iterator[list[str]]:
    characters = 0
    for row in rows:
        tick()
        characters += sum(map(len, row))
        if characters > MAX_CHARACTERS:
            raise DocumentRejected(f"would give more than {MAX_CHARACTERS:,} characters on one sheet; split it")
        yield row


def _cell_text(cell: object) -> str:
    value = getattr(cell, "value", None)
    if isinstance(value, float | int) and not isinstance(value, bool):
        shape = getattr(cell, "number_format", None)
        return value_text(value, percent=isinstance(shape, str) and shape.endswith("%"))
    return value_text(value)


def value_text(value: object, *, percent: bool = False) -> str:
    """A cell's value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float | int):
        return f"{value * 100:.10g}%" if percent else f"{value:.15g}" if isinstance(value, float) else str(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    return str(value)


def parse_xls(data: bytes, tick: Tick) -> Iterator[Element]:
    """The rows of every sheet.

    Raises:
        DocumentNeedsPassword, DocumentUnreadable: It is encrypted, or damaged.
    """
    try:
        try:
            return iter(list(_xls_sheets(data, tick, formats=True)))
        except _DAMAGE:  # damage in what only says how it looks: then without
            return iter(list(_xls_sheets(data, tick, formats=False)))
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise DocumentNeedsPassword(ENCRYPTED) from error
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error
    except _DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error


def _xls_sheets(data: bytes, tick: Tick, *, formats: bool) -> Iterator[Element]:
    with xlrd.open_workbook(
        file_contents=data, formatting_info=formats, on_demand=True, ragged_rows=True, logfile=io.StringIO()
    ) as book:
        for number in range(book.nsheets):
            sheet = book.sheet_by_index(number)
            rows = ([_xls_text(cell, book) for cell in row] for row in sheet.get_rows())
            hidden = {at for at, info in sheet.rowinfo_map.items() if info.hidden}
            counted = ((at in hidden, row) for at, row in enumerate(_counted(rows, tick)))
            columns = {at for at, info in sheet.colinfo_map.items() if info.hidden}
            label = _label(sheet.name, sheet.visibility != 0)
            yield from sheet_elements(counted, columns, page=number + 1, label=label)
            book.unload_sheet(number)


def _xls_text(cell: xlrd.sheet.Cell, book: xlrd.Book) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return value_text(xlrd.xldate_as_datetime(cell.value, book.datemode))
        except (ValueError, OverflowError):
            return value_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return value_text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return value_text(cell.value, percent=cell.ctype == xlrd.XL_CELL_NUMBER and _is_percentage(cell, book))


def _is_percentage(cell: xlrd.sheet.Cell, book: xlrd.Book) -> bool:
    if cell.xf_index is None or not 0 <= cell.xf_index < len(book.xf_list):
        return False
    shape = book.format_map.get(book.xf_list[cell.xf_index].format_key)
    return shape is not None and shape.format_str.endswith("%")
