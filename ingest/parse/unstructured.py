"""Office, web and book formats through `unstructured`; the one module that knows it.

Rules this module keeps:

1. Offline: switches are set before the import (`appliance.config.go_offline`), and the spaCy model that the library
   would download at first use is replaced by a blank pipeline. It only served to guess, for English, whether a line
   is a sentence or a title; we take titles from what the document itself declares (styles, h1-h6) and need no guess.
2. No HTML leaves this module. The library's table markup becomes rows of text.
3. Nothing is fetched: bytes go in, never a file name or an address; attachments are ours to open, not the library's.
4. What pandoc converts (RTF, ORG, RST) it converts in its sandbox mode: no include directive is followed.
"""

from __future__ import annotations

import functools
import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lxml import html  # type: ignore[import-untyped]

from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.detect import Format
from ingest.parse.elements import MAX_LEVEL, Element, ElementKind, clean_line, clean_text
from ingest.parse.encodings import decoded
from ingest.parse.ooxml import whole_docx
from ingest.parse.rtf import in_unicode
from ingest.parse.slides import whole_pptx
from ingest.parse.tables import table_elements
from ingest.parse.web import html_text, whole_html

_KINDS = {
    "Title": ElementKind.HEADING,
    "ListItem": ElementKind.LIST_ITEM,
    "CodeSnippet": ElementKind.CODE,
    "Header": ElementKind.HEADER,
    "Footer": ElementKind.FOOTER,
}


_MARKS = re.compile(r"[\[\]*_`<>]")
_MAX_MARKS = 500  # in a line of Markdown; the parser tries each with each
_OUTSIDE = ("http://", "https://", "mailto:")


def partition(data: bytes, kind: Format, name: str) -> Iterator[Element]:
    """The elements of a document.

    Raises:
        DocumentUnreadable: The library cannot read it.
    """
    try:
        found = _partitioner(kind)(data, name)
    except (MemoryError, DocumentRejected):
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
            file=io.BytesIO(whole_pptx(data)),
            metadata_filename=name,
            strategy="fast",
            include_page_breaks=False,
            include_slide_notes=True,
            **common,
        )
    if kind is Format.HTML:
        from unstructured.partition.html import partition_html

        return lambda data, name: partition_html(text=whole_html(html_text(data)), metadata_filename=name, **common)
    if kind is Format.MARKDOWN:
        import markdown  # type: ignore[import-untyped]
        from unstructured.partition.html import partition_html

        return lambda data, name: partition_html(
            text=whole_html(markdown.markdown(_tamed(decoded(data)), extensions=["tables", "fenced_code"])),
            metadata_filename=name,
            **common,
        )
    return _converted(kind, common)


def _tamed(text: str) -> str:
    """Markdown without the marks of lines that have so many that they mean nothing."""
    lines = (_MARKS.sub(" ", line) if len(_MARKS.findall(line)) > _MAX_MARKS else line for line in text.split("\n"))
    return "\n".join(lines)


def _converted(kind: Format, common: dict[str, Any]) -> Callable[[bytes, str], Iterable[Any]]:
    """The formats that pandoc converts first."""
    if kind is Format.RTF:
        from unstructured.partition.rtf import partition_rtf

        return lambda data, name: partition_rtf(file=io.BytesIO(in_unicode(data)), metadata_filename=name, **common)
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
            if metadata.category_depth is None:
                kind = ElementKind.TEXT
            else:
                level = min(MAX_LEVEL, max(1, metadata.category_depth + 1))
        for piece in _pieces(_with_addresses(text, metadata.links or ())):
            yield Element(kind, piece, page=page, label=label, level=level)


def _with_addresses(text: str, links: Iterable[Any]) -> str:
    """The text with the addresses of its links behind their words."""
    place, parts = 0, []
    for link in links:
        words, address = clean_text(link["text"] or ""), clean_line(link["url"] or "", 500)
        start = text.find(words, place)
        if words and start >= 0 and address.startswith(_OUTSIDE) and address.removeprefix("mailto:") not in words:
            parts.append(f"{text[place : start + len(words)]} ({address})")
            place = start + len(words)
    return "".join([*parts, text[place:]])


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
