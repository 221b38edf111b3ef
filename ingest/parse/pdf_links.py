"""The web addresses behind the words of a PDF page.

Only addresses a reader can make use of: web, mail and file transfer, none longer than `_MAX_ADDRESS`. Links within the
document, and actions that run something, are no addresses.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.parse.elements import clean_line
from ingest.parse.pdf_view import View
from ingest.parse.rows import HYPHEN
from ingest.parse.sight import Area

_MAX_LINKS = 500
_MAX_ADDRESS = 300
_SCHEMES = ("http://", "https://", "mailto:", "ftp://")


def links_on(document: pdfium.PdfDocument, page: pdfium.PdfPage, view: View) -> Iterator[tuple[str, Area]]:
    """The addresses on a page, and where the words that carry them stand."""
    position, link = ctypes.c_int(0), c.FPDF_LINK()
    for _ in range(_MAX_LINKS):
        if not c.FPDFLink_Enumerate(page, ctypes.byref(position), ctypes.byref(link)):
            return
        action, place = c.FPDFLink_GetAction(link), c.FS_RECTF()
        if not action or not c.FPDFLink_GetAnnotRect(link, ctypes.byref(place)):
            continue
        address = _address(document, action)
        if address:
            yield address, view.area((place.left, place.bottom, place.right, place.top))


def _address(document: pdfium.PdfDocument, action: c.FPDF_ACTION) -> str:
    size = c.FPDFAction_GetURIPath(document, action, None, 0)
    if not 1 < size <= 4 * _MAX_ADDRESS:
        return ""
    buffer = ctypes.create_string_buffer(size)
    c.FPDFAction_GetURIPath(document, action, buffer, size)
    address = clean_line(buffer.value.decode("utf-8", "replace"), _MAX_ADDRESS)
    return address if address.lower().startswith(_SCHEMES) and " " not in address else ""


def bare(address: str) -> str:
    """The address without what is often left out in writing: scheme, www, a slash at the end."""
    left = address.lower().replace(HYPHEN, "")
    for scheme in (*_SCHEMES, "www."):
        left = left.removeprefix(scheme)
    return left.rstrip("/.,;)")
