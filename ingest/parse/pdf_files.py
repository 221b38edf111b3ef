"""Files attached to a PDF: annexes, portfolios, invoices as data. Not those pinned to a place on a page."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as c

from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.archives import MAX_FILES
from ingest.parse.inclosed import Expansion, Inclosed, Names
from ingest.parse.pdf import open_pdf
from ingest.parse.pdf_facts import said_by


def files_in_pdf(data: bytes, password: str, expansion: Expansion) -> Iterator[Inclosed]:
    """The attached files, in the order of the file's own list: so many as an archive may hold.

    The library looks for each from the beginning of the list, and every one buys time for reading it.
    """
    names = Names()
    with open_pdf(data, password) as document:
        for number in range(document.count_attachments()):
            if number == MAX_FILES:
                yield Inclosed(names.path("(more files)"), _too_many)
                return
            try:
                attachment = document.get_attachment(number)
                name = said_by(attachment.get_name) or "attachment"
            except pdfium.PdfiumError:
                continue  # an entry of the list that is no file
            yield Inclosed(names.path(name), functools.partial(_content, attachment, expansion))


def _too_many() -> bytes:
    raise DocumentRejected(f"is not read: {MAX_FILES:,} files attached to one document are the limit")


def _content(attachment: pdfium.PdfAttachment, expansion: Expansion) -> bytes:
    size = ctypes.c_ulong()
    c.FPDFAttachment_GetFile(attachment, None, 0, size)
    expansion.count(size.value)
    try:
        return bytes(attachment.get_data())
    except pdfium.PdfiumError as error:
        raise DocumentUnreadable("is damaged: it cannot be taken out of its document") from error
