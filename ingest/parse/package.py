"""Packages: Office files as ZIP archives of XML parts that refer to each other. And what tells that one is damaged.

Rules this module keeps:

1. No part loads anything from outside its file, and none has entities.
2. What is not referred to is not part of the document: its reader is never shown it.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.parsers.expat import ExpatError

from lxml import etree  # type: ignore[import-untyped]

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    SyntaxError,  # of XML, but for that of expat
    ExpatError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    NotImplementedError,
)
"""What the libraries that open archives, packages and OLE files raise when these are damaged."""

_MAX_RELATIONSHIPS = 20_000  # of one part


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a part refers to inside the file: its name for that, its kind ("slide", "comments"), and the other part."""

    id: str
    kind: str
    part: str


def tree(part: bytes) -> etree._Element:
    """A part of a package as a tree; what lies outside the file is not loaded."""
    return etree.fromstring(part, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def written(root: etree._Element) -> bytes:
    """A tree as a part of a package."""
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The package with every part as `change` makes it, given its name and its bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in dict.fromkeys(source.namelist()):  # a name twice would be two files to a careless reader
            target.writestr(name, change(name, _readable(source, name)))
    return out.getvalue()


def _readable(archive: zipfile.ZipFile, part: str) -> bytes:
    """A part; nothing if it is damaged, for not every part is text: whoever needs it will find that it is empty."""
    try:
        return archive.read(part)
    except DAMAGE:
        return b""


def related(archive: zipfile.ZipFile, part: str = "") -> Iterator[Relationship]:
    """What a part refers to inside the file; the package itself without one."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in archive.NameToInfo:
        return
    for item in list(tree(archive.read(path)))[:_MAX_RELATIONSHIPS]:
        if isinstance(item.tag, str) and item.get("TargetMode") != "External":
            target = item.get("Target", "")
            whole = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            yield Relationship(item.get("Id", ""), item.get("Type", "").rpartition("/")[2], whole)


def parts_of(archive: zipfile.ZipFile, part: str, *kinds: str) -> list[str]:
    """The parts of these kinds that a part refers to, as far as the file has them."""
    found = (other.part for other in related(archive, part) if other.kind in kinds)
    return [name for name in dict.fromkeys(found) if name in archive.NameToInfo]


def main_part(archive: zipfile.ZipFile) -> str:
    """The part that is the document, presentation or workbook; empty if there is none."""
    return next(iter(parts_of(archive, "", "officeDocument")), "")
