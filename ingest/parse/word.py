"""What Word's styles make of a paragraph: a heading that is not called one, or text that nobody sees.

Rules this module keeps:

1. A paragraph with an outline level, its own or its style's, is a heading of that level.
2. A short paragraph all in bold type, outside of tables, is a heading below all others; unless so many are that bold is
   just how this document is set.
3. Headings are given a style that is called "heading", based on the one they had: their numbers stay.
4. Hidden text is not text: it is taken out, as on a web page or in a PDF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from ingest.parse.elements import MAX_LEVEL

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MAX_CHAIN = 20  # styles based on styles
_MAX_CHARACTERS = 100
_MOST_BOLD = 0.4  # of the paragraphs
_CALLED_SO = ("heading", "title", "subtitle", "toc", "caption")
_OFF = ("0", "false", "off", "none")


class Styles:
    """The styles of a document."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        styles = list(root.iterchildren(f"{_W}style"))
        self._by_id = {style.get(f"{_W}styleId", ""): style for style in styles}
        self._said: dict[tuple[str, str], bool | None] = {}
        self._usual = next((_id(s) for s in styles if s.get(f"{_W}type") == "paragraph" and _is_default(s)), "")

    def take_out_hidden(self, root: etree._Element) -> None:
        """Remove the runs and the rows of tables that are not shown, and tables that have no others."""
        for run in [run for run in root.iter(f"{_W}r") if self._holds(run, "vanish")]:
            run.getparent().remove(run)
        for row in [row for row in root.iter(f"{_W}tr") if _says(row, "hidden", "trPr")]:
            table = row.getparent()
            table.remove(row)
            if table.tag == f"{_W}tbl" and table.find(f"{_W}tr") is None:
                table.getparent().remove(table)

    def name_headings(self, body: etree._Element) -> None:
        """Give the headings among the paragraphs of a body a style that is called so."""
        paragraphs = [block for block in body.iterchildren(f"{_W}p") if _text(block).strip()]
        levels = [self._level(paragraph) for paragraph in paragraphs]
        bold = [number for number, level in enumerate(levels) if level is None and self._is_bold(paragraphs[number])]
        if len(bold) <= _MOST_BOLD * len(paragraphs):
            for number in bold:
                levels[number] = MAX_LEVEL
        for paragraph, level in zip(paragraphs, levels, strict=True):
            if level:
                self._call_heading(paragraph, level)

    def _level(self, paragraph: etree._Element) -> int | None:
        """The level of a heading that is not called one; 0 if it is, None where styles say nothing."""
        chain = list(self._chain(_value(paragraph, "pPr", "pStyle") or self._usual))
        if any(_name(style).startswith(_CALLED_SO) for style in chain):
            return 0
        said = next((level for item in (paragraph, *chain) if (level := _value(item, "pPr", "outlineLvl"))), "")
        return int(said) + 1 if re.fullmatch(r"\d", said, re.ASCII) and int(said) < MAX_LEVEL else None

    def _is_bold(self, paragraph: etree._Element) -> bool:
        text = _text(paragraph).strip()
        if len(text) > _MAX_CHARACTERS or text[-1] in ".,;:!?" or sum(map(str.isalpha, text)) < 3:
            return False
        runs = [run for run in paragraph.iter(f"{_W}r") if _text(run).strip()]
        return all(self._holds(run, "b") for run in runs)

    def _holds(self, run: etree._Element, what: str) -> bool:
        """Whether a run is bold or the like: by itself, by its style, or by that of its paragraph."""
        paragraph = next(run.iterancestors(f"{_W}p"), None)
        whole = "" if paragraph is None else _value(paragraph, "pPr", "pStyle") or self._usual
        said = (_says(run, what), self._style_says(_value(run, "rPr", "rStyle"), what), self._style_says(whole, what))
        return next((holds for holds in said if holds is not None), False)

    def _style_says(self, identity: str, what: str) -> bool | None:
        if (identity, what) not in self._said:
            said = (_says(style, what) for style in self._chain(identity))
            self._said[identity, what] = next((holds for holds in said if holds is not None), None)
        return self._said[identity, what]

    def _chain(self, identity: str) -> Iterator[etree._Element]:
        """A style and those it is based on."""
        for _ in range(_MAX_CHAIN):
            style = self._by_id.get(identity)
            if style is None:
                return
            yield style
            based = style.find(f"{_W}basedOn")
            identity = "" if based is None else based.get(f"{_W}val", "")

    def _call_heading(self, paragraph: etree._Element, level: int) -> None:
        before = _value(paragraph, "pPr", "pStyle") or self._usual
        identity = f"{before}-heading-{level}"
        if identity not in self._by_id:
            style = etree.SubElement(self._root, f"{_W}style", {f"{_W}type": "paragraph", f"{_W}styleId": identity})
            etree.SubElement(style, f"{_W}name", {f"{_W}val": f"heading {level}"})
            etree.SubElement(style, f"{_W}basedOn", {f"{_W}val": before})
            self._by_id[identity] = style
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            properties = etree.Element(f"{_W}pPr")
            paragraph.insert(0, properties)
        for old in properties.findall(f"{_W}pStyle"):
            properties.remove(old)
        properties.insert(0, etree.Element(f"{_W}pStyle", {f"{_W}val": identity}))


def _id(style: etree._Element) -> str:
    return str(style.get(f"{_W}styleId", ""))


def _is_default(style: etree._Element) -> bool:
    return style.get(f"{_W}default", "0") not in _OFF


def _name(style: etree._Element) -> str:
    name = style.find(f"{_W}name")
    return "" if name is None else str(name.get(f"{_W}val", "")).lower()


def _says(item: etree._Element, what: str, properties: str = "rPr") -> bool | None:
    """Whether a run, style or row is bold or the like; None if it does not say."""
    found = item.find(f"{_W}{properties}/{_W}{what}")
    return None if found is None else found.get(f"{_W}val", "1") not in _OFF


def _value(item: etree._Element, properties: str, tag: str) -> str:
    found = item.find(f"{_W}{properties}/{_W}{tag}")
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _text(item: etree._Element) -> str:
    return "".join(text.text or "" for text in item.iter(f"{_W}t"))
