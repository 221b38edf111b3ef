"""Workbooks: XLSX through openpyxl in its streaming mode, XLS through xlrd. One sheet is one page.

Values are given as a person reads them: dates in ISO form, percentages as such, no trailing zeros.
A small file can name one long text in every cell; what it would give in all is limited (`MAX_CHARACTERS`).
"""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator

import openpyxl  # type: ignore[import-untyped]
import xlrd  # type: ignore[import-untyped]

from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse.elements import Element
from ingest.parse.ooxml import transitional
from ingest.parse.tables import table_elements

MAX_CHARACTERS = 100_000_000
"""On one sheet."""

Tick = Callable[[], None]
"""Called once per row, so that a long workbook is seen to get on."""

_DAMAGE = (
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,  # what the XML parsers raise
    AssertionError,
    NotImplementedError,
    OverflowError,
    xlrd.XLRDError,
    struct.error,
)


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
            rows = ([_cell_text(cell) for cell in row] for row in sheet.iter_rows())
            yield from table_elements(
                _counted(rows, tick), page=number, label=_label(sheet.title, sheet.sheet_state != "visible")
            )
    except _DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error


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
        with xlrd.open_workbook(file_contents=data, on_demand=True, ragged_rows=True, logfile=io.StringIO()) as book:
            for number in range(book.nsheets):
                sheet = book.sheet_by_index(number)
                rows = ([_xls_text(cell, book.datemode) for cell in row] for row in sheet.get_rows())
                yield from table_elements(
                    _counted(rows, tick), page=number + 1, label=_label(sheet.name, sheet.visibility != 0)
                )
                book.unload_sheet(number)
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise DocumentNeedsPassword("is encrypted; remove its password and try again") from error
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error
    except _DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be opened as a workbook") from error


def _xls_text(cell: xlrd.sheet.Cell, datemode: int) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return value_text(xlrd.xldate_as_datetime(cell.value, datemode))
        except (ValueError, OverflowError):
            return value_text(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return value_text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return value_text(cell.value)
