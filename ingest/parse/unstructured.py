"""Office, web and book formats through `unstructured`; the one module that knows it.

Rules this module keeps:

1. Offline: switches are set before the import (`appliance.config.go_offline`), and the spaCy model that the library
   would download at first use is replaced by a blank pipeline. It only served to guess, for English, whether a line
   is a sentence or a title; we take titles from what the document itself declares (styles, h1-h6) and need no guess.
2. No HTML leaves this module. The library's table markup becomes rows of text.
3. Nothing is fetched: bytes go in, never a file name or an address; attachments are ours to open, not the library's.
4. What pandoc converts (ODT, RTF, EPUB, ORG, RST) it converts in its sandbox mode: no include directive is followed.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lxml import html  # type: ignore[import-untyped]

from appliance.errors import DocumentUnreadable
from ingest.parse.detect import Format
from ingest.parse.elements import MAX_LEVEL, Element, ElementKind, clean_text
from ingest.parse.ooxml import transitional, whole_docx
from ingest.parse.plain import decoded
from ingest.parse.tables import table_elements

_KINDS = {
    "Title": ElementKind.HEADING,
    "ListItem": ElementKind.LIST_ITEM,
    "CodeSnippet": ElementKind.CODE,
    "Header": ElementKind.HEADER,
    "Footer": ElementKind.FOOTER,
}


def partition(data: bytes, kind: Format, name: str) -> Iterator[Element]:
    """The elements of a document.

    Raises:
        DocumentUnreadable: The library cannot read it.
    """
    try:
        found = _partitioner(kind)(data, name)
    except MemoryError:
        raise
    except Exception as error:  # the edge of an untrusted parser: it raises whatever its parsers raise
        raise DocumentUnreadable(f"is damaged: it cannot be read ({type(error).__name__})") from error
    return _elements(found, slides=kind is Format.PPTX)


def load() -> None:
    """Load the library now rather than for the first document."""
    for kind in (Format.DOCX, Format.PPTX, Format.HTML, Format.MARKDOWN, Format.RTF):
        _partitioner(kind)
    partition(b"<p>Words.</p>", Format.HTML, "a.html")  # some of it loads at first use


@functools.cache
def _partitioner(kind: Format) -> Callable[[bytes, str], Iterable[Any]]:
    _replace_language_model()
    # Imported when first needed: each costs up to 3 seconds and 300 MB, and a worker may only ever see PDFs.
    common: dict[str, Any] = {"languages": [""]}  # no detection by the library; it is done once, for the document
    if kind is Format.DOCX:
        from unstructured.partition.docx import partition_docx

        return lambda data, name: partition_docx(
            file=io.BytesIO(whole_docx(data)),
            metadata_filename=name,
            strategy="fast",
            include_page_breaks=False,
            **common,
        )
    if kind is Format.PPTX:
        from unstructured.partition.pptx import partition_pptx

        return lambda data, name: partition_pptx(
            file=io.BytesIO(transitional(data)),
            metadata_filename=name,
            strategy="fast",
            include_page_breaks=False,
            include_slide_notes=True,
            **common,
        )
    if kind is Format.HTML:
        from unstructured.partition.html import partition_html

        return lambda data, name: partition_html(text=_html_text(data), metadata_filename=name, **common)
    if kind is Format.MARKDOWN:
        from unstructured.partition.md import partition_md

        return lambda data, name: partition_md(text=decoded(data), metadata_filename=name, **common)
    return _converted(kind, common)


def _converted(kind: Format, common: dict[str, Any]) -> Callable[[bytes, str], Iterable[Any]]:
    """The formats that pandoc converts first."""
    if kind is Format.ODT:
        from unstructured.partition.odt import partition_odt

        return lambda data, name: partition_odt(
            file=io.BytesIO(data), metadata_filename=name, strategy="fast", **common
        )
    if kind is Format.RTF:
        from unstructured.partition.rtf import partition_rtf

        return lambda data, name: partition_rtf(file=io.BytesIO(data), metadata_filename=name, **common)
    if kind is Format.EPUB:
        from unstructured.partition.epub import partition_epub

        return lambda data, name: partition_epub(file=io.BytesIO(data), metadata_filename=name, **common)
    if kind is Format.ORG:
        from unstructured.partition.org import partition_org

        return lambda data, name: partition_org(file=io.BytesIO(data), metadata_filename=name, **common)
    if kind is Format.RST:
        from unstructured.partition.rst import partition_rst

        return lambda data, name: partition_rst(file=io.BytesIO(data), metadata_filename=name, **common)
    raise ValueError(f"{kind} is not read by unstructured")


@functools.cache
def _replace_language_model() -> None:
    import spacy
    import unstructured.nlp.tokenize as tokenize

    def blank() -> Any:
        pipeline = spacy.blank("en")
        pipeline.add_pipe("sentencizer")
        return pipeline

    tokenize._load_spacy_model = blank
    logging.getLogger("unstructured").setLevel(logging.CRITICAL)  # its messages may quote the document


def _html_text(data: bytes) -> str:
    """The page as text, by the encoding it declares where that is not its byte-order mark or UTF-8."""
    import re

    declared = re.search(rb"""(?i)<meta[^>]+charset=["']?([a-z0-9_-]{3,20})""", data[:2048])
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        if declared:
            try:
                return data.decode(declared.group(1).decode("ascii"), "replace")
            except LookupError:
                return decoded(data)
    return decoded(data)


def _elements(found: Iterable[Any], *, slides: bool) -> Iterator[Element]:
    for item in found:
        metadata = item.metadata
        page = metadata.page_number
        label = f"Slide {page}" if slides and page else str(metadata.page_name or "")
        if item.category == "Table" and metadata.text_as_html:
            yield from table_elements(_table_rows(metadata.text_as_html), page=page, label=label)
            continue
        text = clean_text(item.text or "")
        if not text or item.category == "PageBreak":
            continue
        kind = _KINDS.get(item.category, ElementKind.TEXT)
        level = 0
        if kind is ElementKind.HEADING:
            if metadata.category_depth is None or len(text) > 300:
                kind = ElementKind.TEXT
            else:
                level = min(MAX_LEVEL, max(1, metadata.category_depth + 1))
        for piece in _pieces(text):
            yield Element(kind, piece, page=page, label=label, level=level)


def _pieces(text: str, limit: int = 100_000) -> Iterator[str]:
    """Texts that some generator wrote as one paragraph of a megabyte, in parts."""
    for start in range(0, len(text), limit):
        yield text[start : start + limit]


def _table_rows(markup: str) -> Iterator[list[str]]:
    for row in html.fromstring(markup).iter("tr"):
        cells: list[str] = []
        for cell in row:
            if cell.tag in ("td", "th"):
                cells.append(" ".join(part.strip() for part in cell.itertext() if part.strip()))
        if any(cells):  # an empty row would end the table
            yield cells
