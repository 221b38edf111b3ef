"""Plain text, comma- and tab-separated values, JSON and XML: read directly.

A general partitioner takes 2 seconds per megabyte to guess at the structure of text that has none but blank lines.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.elements import Element, ElementKind, clean_text
from ingest.parse.encodings import decoded
from ingest.parse.tables import table_elements

PARAGRAPH_CHARACTERS = 1_500
_LINE = re.compile("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
MAX_JSON_DEPTH = 100


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
        yield from table_elements(csv.reader(_lines(text), delimiter=separator))
    except csv.Error as error:
        raise DocumentUnreadable("is damaged: its rows cannot be told apart") from error


def _lines(text: str) -> Iterator[str]:
    """The lines with their ends, as a text file gives them, but without a copy of the whole at four bytes a letter."""
    return (line.group() for line in _LINE.finditer(text))


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
    for paragraph in _paragraphs(clean_text("\n".join(_xml_lines(root)))):
        yield Element(ElementKind.TEXT, paragraph)


_TEXT_TAGS = frozenset(
    ("p", "para", "paragraph", "simpara", "title", "subtitle", "head", "heading", "li", "item", "td")
)
_TEXT_TAGS |= {"th", "cell", "entry", "caption", "line", "s", "ab", *(f"h{level}" for level in range(1, 7))}


def _xml_lines(root: etree._Element) -> Iterator[str]:
    """A line for each paragraph, and "name: value" for what is rather data than text."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        if not isinstance(element.tag, str):
            continue
        name = etree.QName(element).localname
        children = list(element)
        if not children and name.lower() not in _TEXT_TAGS:
            text = " ".join((element.text or "").split())
            yield f"{name}: {text}" if text and element is not root else text
        elif not children or (name.lower() in _TEXT_TAGS and not _has_text_tags(element)) or _is_mixed(element):
            yield " ".join("".join(element.itertext()).split())
        else:
            waiting += reversed(children)


def _has_text_tags(element: etree._Element) -> bool:
    return any(
        isinstance(e.tag, str) and etree.QName(e).localname.lower() in _TEXT_TAGS for e in element.iterdescendants()
    )


def _is_mixed(element: etree._Element) -> bool:
    """Whether words and elements follow one another in it."""
    if not ((element.text or "").strip() or any((child.tail or "").strip() for child in element)):
        return False
    return not _has_text_tags(element)


def parse_json(data: bytes) -> Iterator[Element]:
    """A line "path: value" for every value; one value per line of the file is read as well (JSON Lines).

    Raises:
        DocumentRejected: It is nested too deep.
    """
    text = decoded(data)
    try:
        values = list(_json_values(text))
    except RecursionError as error:
        raise DocumentRejected(f"is nested more than {MAX_JSON_DEPTH} deep") from error
    except ValueError:
        yield from parse_text(data)  # comments, a broken end: still text that somebody can read
        return
    for value in values:
        for paragraph in _paragraphs(clean_text("\n".join(_json_lines(value, "", 0)))):
            yield Element(ElementKind.TEXT, paragraph)


def _json_values(text: str) -> Iterator[object]:
    """The value of the file, or of each of its lines. Numbers stay as they are written."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
    try:
        yield decoder.decode(text)
    except ValueError:
        lines = [line for line in text.split("\n") if line.strip()]
        yield from [decoder.decode(line) for line in lines]


def _json_lines(value: object, path: str, depth: int) -> Iterator[str]:
    if depth > MAX_JSON_DEPTH:
        raise DocumentRejected(f"is nested more than {MAX_JSON_DEPTH} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _json_lines(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _json_lines(inner, f"{path}[{number}]", depth + 1)
    elif value is not None and value != "":
        shown = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
        yield f"{path}: {shown}" if path else shown
