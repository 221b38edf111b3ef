"""Web pages made readable in full before a library reads them.

The partitioner keeps paragraphs, headings, lists and tables, and passes over what stands in other elements: terms of
definition lists, captions, what unfolds; it forgets the numbers of lists and where links lead. So elements it does
not know become ones it does, numbers and addresses become text, and what the page itself hides is dropped.
"""

from __future__ import annotations

import re

from lxml import etree, html  # type: ignore[import-untyped]

from appliance.domain import DocumentFacts
from appliance.errors import DocumentRejected
from ingest.parse.elements import clean_line
from ingest.parse.encodings import decoded
from ingest.parse.facts import iso_text

_PARAGRAPHS = ("dt", "caption", "figcaption", "summary", "legend", "address", "hgroup", "label")
_BOXES = ("details", "figure", "fieldset", "form", "dl", "center", "dialog")
_UNSEEN = ("script", "style", "template", "noscript", "svg", "iframe", "object", "head")
_HIDDEN = re.compile(r"(?i)display\s*:\s*none|visibility\s*:\s*hidden")
_DECLARED = re.compile(rb"""(?i)<(?:meta[^>]+charset|\?xml[^>]+encoding)=["']?([a-z0-9_-]{3,20})""")
_OPENINGS = ("p", "div", "span", "a", "b", "strong", "i", "em")
_MAX_ADDRESS = 500
_INNER_DTD = re.compile(r"(?is)<!DOCTYPE[^>\[]{0,1000}\[.{0,100000}?\]\s*>")
_LONG_TAG = re.compile("<[^<>]{65536,}")
_MAX_ATTRIBUTES = 5_000  # on one element; the parser compares each with each
_AUTHOR = ("author", "dc.creator", "dcterms.creator", "article:author")
_CREATED = ("article:published_time", "dcterms.created", "dc.date", "date", "created")
_MODIFIED = ("article:modified_time", "dcterms.modified", "last-modified", "modified")


def html_text(data: bytes) -> str:
    """The page as text, by the encoding it declares where that is not its byte-order mark or UTF-8."""
    declared = _DECLARED.search(data[:2048])
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        if declared:
            try:
                return data.decode(declared.group(1).decode("ascii"), "replace")
            except LookupError:
                return decoded(data)
    return decoded(data)


def meta_of(data: bytes) -> tuple[str, DocumentFacts]:
    """Title and facts as the head of the page gives them; nothing where it does not."""
    root = _tree(html_text(data[: 256 * 1024]))
    if root is None:
        return "", DocumentFacts()
    said: dict[str, str] = {}
    for item in root.iter("meta"):
        name = (item.get("name") or item.get("property") or item.get("itemprop") or "").lower()
        said.setdefault(name, clean_line(item.get("content") or ""))
    author, created, modified = (
        next((said[name] for name in names if said.get(name)), "") for names in (_AUTHOR, _CREATED, _MODIFIED)
    )
    return clean_line(root.findtext(".//title") or ""), DocumentFacts(author, iso_text(created), iso_text(modified))


def whole_html(text: str) -> str:
    """The page with all its text where the partitioner sees it."""
    root = _tree(_INNER_DTD.sub("", text, count=1))
    if root is None:
        return text
    for item in [item for item in root.iter(etree.Element) if _is_unseen(item)]:
        if item.getparent() is not None:
            item.drop_tree()
    for numbered in root.iter("ol"):
        _number(numbered)
    for link in root.iter("a"):
        _tell_address(link)
    for caption in root.findall(".//table/caption"):
        table = caption.getparent()
        if table.getparent() is not None:
            caption.tail = None
            table.addprevious(caption)  # takes no text of the table along: a tail stays with its element
    for item in root.iter(*_PARAGRAPHS):
        item.tag = "p" if item.getparent() is None or item.getparent().tag != "p" else "span"
    for item in root.iter(*_BOXES):
        item.tag = "div"
    return str(etree.tostring(root, encoding="unicode", method="html"))


def _tree(text: str) -> html.HtmlElement | None:
    if any(tag.group().count("=") > _MAX_ATTRIBUTES for tag in _LONG_TAG.finditer(text)):
        raise DocumentRejected(f"has an element with more than {_MAX_ATTRIBUTES:,} attributes, which no page has")
    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), html.HTMLParser(encoding="utf-8"))
    except (etree.ParserError, ValueError):  # nothing but comments, for instance
        return None
    return root


def _is_unseen(item: html.HtmlElement) -> bool:
    return item.tag in _UNSEEN or item.get("hidden") is not None or bool(_HIDDEN.search(item.get("style") or ""))


def _number(numbered: html.HtmlElement) -> None:
    start = numbered.get("start") or "1"
    number = int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1
    for item in numbered.iterchildren("li"):
        first = item
        while not (first.text or "").strip() and len(first) and first[0].tag in _OPENINGS:
            first = first[0]  # into the paragraph: a number beside it would be a paragraph of its own
        first.text = f"{number}. {(first.text or '').lstrip()}"
        number += 1


def _tell_address(link: html.HtmlElement) -> None:
    """Put the address of a link behind its words, if it leads out of the page and is not what they say anyway."""
    address = clean_line(link.get("href") or "", _MAX_ADDRESS)
    shown = link.text_content().strip()
    if not shown or not address.lower().startswith(("http://", "https://", "mailto:")):
        return
    if address.removeprefix("mailto:").strip("/") not in shown:
        last = link[-1] if len(link) else None
        if last is None:
            link.text = f"{link.text} ({address})"
        else:
            last.tail = f"{last.tail or ''} ({address})"
