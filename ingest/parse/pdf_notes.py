"""Notes that reviewers put on a PDF page: what a viewer shows in a bubble, and the page itself does not.

Rules this module keeps:

1. Only kinds that a viewer shows on request (notes, and remarks on marked text), and none that is flagged as hidden.
   Text boxes and stamps are painted on the page and belong to its text.
2. A note says whose it is: "Note by A. Reader: ...". It is a paragraph of its own, after the page's text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.parse.elements import Element, ElementKind, box_on_page, clean_line, clean_text
from ingest.parse.pdf_view import View

_MAX_NOTES = 500
_MAX_CHARACTERS = 5_000
_HIDDEN = 0x02 | 0x20  # PDF 32000, table 165: Hidden, NoView
_KINDS = frozenset(
    {
        c.FPDF_ANNOT_TEXT,
        c.FPDF_ANNOT_HIGHLIGHT,
        c.FPDF_ANNOT_UNDERLINE,
        c.FPDF_ANNOT_SQUIGGLY,
        c.FPDF_ANNOT_STRIKEOUT,
        c.FPDF_ANNOT_CARET,
    }
)


def notes_on(page: pdfium.PdfPage, view: View, number: int) -> Iterator[Element]:
    """The notes on a page."""
    for index in range(min(_MAX_NOTES, c.FPDFPage_GetAnnotCount(page))):
        note = c.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            if c.FPDFAnnot_GetSubtype(note) in _KINDS and not c.FPDFAnnot_GetFlags(note) & _HIDDEN:
                yield from _element(note, view, number)
        finally:
            c.FPDFPage_CloseAnnot(note)


def _element(note: c.FPDF_ANNOTATION, view: View, number: int) -> Iterator[Element]:
    text = clean_text(_value(note, b"Contents"))
    if not text:
        return
    author = clean_line(_value(note, b"T"))
    place = c.FS_RECTF()
    c.FPDFAnnot_GetRect(note, ctypes.byref(place))
    box = box_on_page(number, *view.area((place.left, place.bottom, place.right, place.top)))
    said = f"Note by {author}: {text}" if author else f"Note: {text}"
    yield Element(ElementKind.TEXT, said, page=number, boxes=(box,) if box else ())


def _value(note: c.FPDF_ANNOTATION, key: bytes) -> str:
    size = c.FPDFAnnot_GetStringValue(note, key, None, 0)
    if size <= 2:
        return ""
    units = (c.FPDF_WCHAR * (size // 2))()
    c.FPDFAnnot_GetStringValue(note, key, units, size)
    return bytes(units).decode("utf-16-le", "replace").rstrip("\0")[:_MAX_CHARACTERS]
