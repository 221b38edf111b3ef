"""Office files (OOXML) made readable in full before a library reads them.

python-docx, on which `unstructured` stands, passes over text that stands inside a wrapper: tracked insertions, fields,
content controls, smart tags; and it knows neither text boxes nor foot- and endnotes. In a contract these are the text.
So wrappers are opened, deletions dropped, text boxes follow the block they are anchored in, and notes come at the end.
Headings that are not called so become ones, and hidden text goes (`word`).

Files saved as "Strict Open XML" use other names for the same things; they are renamed to the usual ones.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections.abc import Iterable, Iterator

from lxml import etree  # type: ignore[import-untyped]

from appliance.domain import DocumentFacts
from ingest.parse.elements import clean_line
from ingest.parse.facts import iso_text
from ingest.parse.package import DAMAGE, main_part, parts_of, rewritten, tree, written
from ingest.parse.word import Styles

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DC, _DCTERMS = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/dc/terms/}"
_CP = "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}"
_NO_TITLES = ("PowerPoint Presentation", "PowerPoint-Präsentation", "Présentation PowerPoint", "Document", "Untitled")
_WRAPPERS = tuple(_W + tag for tag in ("ins", "moveTo", "fldSimple", "smartTag", "customXml", "sdt", "sdtContent"))
_DELETED = tuple(_W + tag for tag in ("del", "moveFrom", "sdtPr", "sdtEndPr"))
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")


def meta_of(data: bytes) -> tuple[str, DocumentFacts]:
    """Title and facts as the file's properties give them; nothing where they do not."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            core = tree(archive.read("docProps/core.xml"))
    except DAMAGE:
        return "", DocumentFacts()

    def said(tag: str) -> str:
        return clean_line(core.findtext(tag) or "")

    facts = DocumentFacts(
        author=said(f"{_DC}creator") or said(f"{_CP}lastModifiedBy"),
        created=iso_text(said(f"{_DCTERMS}created")),
        modified=iso_text(said(f"{_DCTERMS}modified")),
    )
    title = said(f"{_DC}title")
    return ("" if title in _NO_TITLES else title), facts


def transitional(data: bytes) -> bytes:
    """The same file with the usual names, if it is a strict one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = main_part(archive)
        if not main or not _STRICT.search(archive.read(main)):
            return data
    return rewritten(
        data,
        lambda name, part: (
            _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", part)
            if name.endswith((".xml", ".rels"))
            else part
        ),
    )


def whole_docx(data: bytes) -> bytes:
    """The Word document with all its text where python-docx sees it."""
    data = transitional(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = main_part(archive)
        if not main:
            return data
        notes = [archive.read(name) for name in parts_of(archive, main, "footnotes", "endnotes")]
        changed = {name: tree(archive.read(name)) for name in (main, *parts_of(archive, main, "header", "footer"))}
        styles = next(((name, tree(archive.read(name))) for name in parts_of(archive, main, "styles")), None)
    document = changed[main]
    _open_up(document, notes)
    known = Styles(etree.Element("none") if styles is None else styles[1])
    for part in changed.values():
        known.take_out_hidden(part)
    if styles is not None:
        for body in document.iterchildren(f"{_W}body"):
            known.name_headings(body)
        changed[styles[0]] = styles[1]
    return rewritten(data, lambda name, part: written(changed[name]) if name in changed else part)


def _open_up(root: etree._Element, notes: Iterable[bytes]) -> None:
    body = root.find(f"{_W}body")
    if body is None:
        return
    _drop_fallbacks(root)
    for block in list(body):
        _follow_with_text_boxes(block)
    _open_wrappers(root)
    end = body.find(f"{_W}sectPr")
    place = len(body) if end is None else body.index(end)
    for paragraph in [paragraph for part in notes for paragraph in _note_paragraphs(part)]:
        body.insert(place, paragraph)
        place += 1


def _drop_fallbacks(root: etree._Element) -> None:
    """Word writes drawings twice, for itself and for older programs; the second would be the same text again."""
    for fallback in list(root.iter(f"{_MC}Fallback")):
        parent = fallback.getparent()
        if parent.find(f"{_MC}Choice") is not None:
            parent.remove(fallback)


def _follow_with_text_boxes(block: etree._Element) -> None:
    place = block
    for box in block.iter(f"{_W}txbxContent"):
        if any(True for _ in box.iterancestors(f"{_W}txbxContent")):
            continue  # inside another box, which brings it along
        for paragraph in box:
            if paragraph.tag == f"{_W}p":
                moved = copy.deepcopy(paragraph)
                place.addnext(moved)
                place = moved


def _open_wrappers(root: etree._Element) -> None:
    for gone in list(root.iter(*_DELETED)):
        gone.getparent().remove(gone)
    for wrapper in list(root.iter(*_WRAPPERS)):
        parent = wrapper.getparent()
        place = parent.index(wrapper)
        parent[place : place + 1] = list(wrapper)


def _note_paragraphs(part: bytes) -> Iterator[etree._Element]:
    root = tree(part)
    _drop_fallbacks(root)
    _open_wrappers(root)
    for note in root:
        if note.get(f"{_W}type") in (None, "normal"):
            yield from (copy.deepcopy(paragraph) for paragraph in note.iter(f"{_W}p"))
