"""Plain text, comma- and tab-separated values, and XML: read directly.

A general partitioner takes 2 seconds per megabyte to guess at the structure of text that has none but blank lines.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from appliance.errors import DocumentUnreadable
from ingest.parse.elements import Element, ElementKind, clean_text
from ingest.parse.tables import table_elements

PARAGRAPH_CHARACTERS = 1_500
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes) -> str:
    """The text of bytes: by byte-order mark, as UTF-8, as UTF-16 when every other byte is zero, else Windows-1252."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    sample = data[:65536]
    if sample.count(0) > 0.3 * len(sample):
        little = sample[1::2].count(0) >= sample[0::2].count(0)
        return data.decode("utf-16-le" if little else "utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # one torn character in a long text is damage, not another encoding
        if error.start > 4096 and data[:65536].decode("utf-8", "ignore").count("\ufffd") == 0 and not data.isascii():
            text = data.decode("utf-8", "replace")
            if text.count("\ufffd") <= len(text) / 10_000:
                return text
        return data.decode("cp1252", "replace")


def parse_text(data: bytes) -> Iterator[Element]:
    """Paragraphs, as blank lines part them."""
    for paragraph in _paragraphs(clean_text(decoded(data))):
        yield Element(ElementKind.TEXT, paragraph)


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for line in text.split("\n"):
        if lines and (not line or size + len(line) > PARAGRAPH_CHARACTERS):
            yield "\n".join(lines)
            lines, size = [], 0
        if len(line) > PARAGRAPH_CHARACTERS:
            yield from _cut(line)
        elif line:
            lines.append(line)
            size += len(line)
    if lines:
        yield "\n".join(lines)


def _cut(line: str) -> Iterator[str]:
    """A very long line in pieces, cut after a sentence or a blank where there is one."""
    start = 0
    while start < len(line):
        end = min(len(line), start + PARAGRAPH_CHARACTERS)
        if end < len(line):
            sentence, blank = line.rfind(". ", start + 200, end), line.rfind(" ", start + 1, end)
            end = sentence + 1 if sentence > 0 else blank if blank > 0 else end
        if piece := line[start:end].strip():
            yield piece
        start = end


def parse_separated(data: bytes, *, tabs: bool) -> Iterator[Element]:
    """The rows of CSV or TSV, in pieces with the head row repeated."""
    text = decoded(data).replace("\0", "")
    separator = "\t" if tabs else _separator(text)
    csv.field_size_limit(10_000_000)
    try:
        yield from table_elements(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise DocumentUnreadable("is damaged: its rows cannot be told apart") from error


def _separator(text: str) -> str:
    """The separator that cuts the first lines into the most, and the most even, cells."""
    lines = [line for line in text[:65536].splitlines()[:30] if line.strip()]

    def evenness(mark: str) -> tuple[int, int]:
        counts = [line.count(mark) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) if usual else 0, usual)

    return max((",", ";", "\t", "|"), key=evenness)


def parse_xml(data: bytes) -> Iterator[Element]:
    """All text of an XML file in its order. One whose entities point outside the file is refused."""
    parser = etree.XMLParser(
        resolve_entities="internal",
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentUnreadable("is damaged, or refers to other files: it is not well-formed XML by itself") from error
    pieces = (str(piece).strip() for piece in root.itertext())
    yield from parse_text("\n".join(piece for piece in pieces if piece).encode("utf-8", "replace"))
