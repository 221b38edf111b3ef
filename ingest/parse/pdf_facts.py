"""What a PDF says of itself: author and dates, from its Info dictionary or else from its XMP packet.

XMP lies in the file as plain XML (so that programs that know nothing of PDF find it) and is searched, not parsed.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable

import pypdfium2 as pdfium

from ingest.parse.elements import Facts, clean_line
from ingest.parse.facts import iso_text

_MAX_PACKET = 100_000
_MAX_AUTHORS = 10
_CREATORS = re.compile(r"<dc:creator>(.{0,5000}?)</dc:creator>", re.DOTALL)
_LISTED = re.compile(r"<rdf:li[^>]{0,100}>([^<]{1,200})</rdf:li>")
_CREATED = re.compile(r"<xmp:CreateDate>([^<]{1,40})<|\bxmp:CreateDate=[\"']([^\"']{1,40})")
_MODIFIED = re.compile(r"<xmp:ModifyDate>([^<]{1,40})<|\bxmp:ModifyDate=[\"']([^\"']{1,40})")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")


def facts_of(document: pdfium.PdfDocument, data: bytes) -> Facts:
    """Its facts, each empty where it has none. `data` is the file, which is searched for an XMP packet."""
    author, created, modified = (entry_of(document, key) for key in ("Author", "CreationDate", "ModDate"))
    packet = _packet(data)
    return Facts(
        author=clean_line(author) or clean_line("; ".join(_authors(packet))),
        created=_iso(created) or _iso(_first(_CREATED, packet)),
        modified=_iso(modified) or _iso(_first(_MODIFIED, packet)),
    )


def entry_of(document: pdfium.PdfDocument, key: str) -> str:
    """An entry of its Info dictionary."""
    return said_by(functools.partial(document.get_metadata_value, key))


def said_by(say: Callable[[], str]) -> str:
    """A title, name or the like; empty if it is no text, which the library takes for an error in the whole file."""
    try:
        return say()
    except UnicodeDecodeError:
        return ""


def _packet(data: bytes) -> str:
    """The XMP packet that was written last, empty if there is none (or it is compressed or encrypted)."""
    start = data.rfind(b"<x:xmpmeta")
    return data[start : start + _MAX_PACKET].decode("utf-8", "replace") if start >= 0 else ""


def _authors(packet: str) -> list[str]:
    return [html.unescape(name) for name in _LISTED.findall(_first(_CREATORS, packet))][:_MAX_AUTHORS]


def _first(pattern: re.Pattern[str], packet: str) -> str:
    found = pattern.search(packet)
    return next(filter(None, found.groups()), "") if found else ""


def _iso(untrusted_date: str) -> str:
    """A date as PDF writes it ("D:20260131093000+01'00'") in ISO 8601; as it is if it is that already."""
    found = _DATE.match(untrusted_date[:40].strip())
    if found is None or untrusted_date[4:5] == "-":
        return iso_text(untrusted_date)
    year, month, day, hour, minute, second, utc, sign, hours, minutes = found.groups()
    if day is None:
        return year if month is None else f"{year}-{month}"
    date = f"{year}-{month}-{day}"
    if hour is None or minute is None:
        return iso_text(date)
    zone = "Z" if utc else f"{sign}{hours}:{minutes or '00'}" if sign else ""
    return iso_text(f"{date}T{hour}:{minute}:{second or '00'}{zone}")
