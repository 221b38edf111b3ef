"""Files embedded in Office documents: what was inserted as an object, and the workbooks behind charts.

Rules this module keeps:

1. Objects are parts of the package (OOXML: those that the document refers to, by way of other parts or not;
   OpenDocument: as its manifest says). Old programs wrap them in OLE; what is in the wrapping is given, under the name
   it had where the wrapping knows that.
2. An object in which there is no file (a formula, some program's drawing) is passed over: what it shows is a picture.
3. What is taken out is counted (`inclosed`), and read as untrusted as every other file.
"""

from __future__ import annotations

import functools
import io
import struct
import zipfile
from collections.abc import Iterator

import olefile  # type: ignore[import-untyped]

from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse.detect import OLE_SIGNATURE, detect
from ingest.parse.inclosed import Expansion, Inclosed, Names
from ingest.parse.package import DAMAGE, related, tree

_OBJECTS = ("package", "oleObject")
_MANIFEST = "META-INF/manifest.xml"
_M = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
_OPENDOCUMENT = tuple(f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "spreadsheet", "presentation"))
_OLE_OBJECT = "application/vnd.sun.star.oleobject"
_SUFFIXES = dict(zip(_OPENDOCUMENT, (".odt", ".ods", ".odp"), strict=True))
_OBJECT_PARTS = ("content.xml", "styles.xml", "meta.xml")
_WRAPPED = ("Package", "CONTENTS")  # an OOXML file, a PDF
_NATIVE = "\x01Ole10Native"  # any file, with its name


def files_in_ooxml(data: bytes, expansion: Expansion) -> Iterator[Inclosed]:
    """The files in a DOCX, PPTX or XLSX."""
    names = Names()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in sorted(_objects(archive)):
            yield from _object(archive, part, part.rpartition("/")[2], names, expansion)


def _objects(archive: zipfile.ZipFile) -> set[str]:
    """The parts with objects in them that can be reached from the document."""
    objects, seen, to_visit = set[str](), {""}, [""]
    while to_visit:
        try:
            found = list(related(archive, to_visit.pop()))
        except DAMAGE:
            continue  # in what only says where things are
        for other in found:
            if other.part not in archive.NameToInfo:
                continue
            if other.kind in _OBJECTS:
                objects.add(other.part)
            elif other.part not in seen:
                seen.add(other.part)
                to_visit.append(other.part)
    return objects


def files_in_opendocument(data: bytes, expansion: Expansion) -> Iterator[Inclosed]:
    """The files in an ODT, ODS or ODP."""
    names = Names()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for folder, kind in _declared(archive):
            if kind == _OLE_OBJECT:
                yield from _object(archive, folder, folder, names, expansion)
            else:
                take = functools.partial(_package, archive, folder, kind, expansion)
                yield Inclosed(names.path(folder.rstrip("/") + _SUFFIXES[kind]), take)


def _declared(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """The objects that the manifest lists and the package has, each with its kind."""
    try:
        manifest = tree(archive.read(_MANIFEST))
    except DAMAGE:
        return []
    entries = {
        entry.get(f"{_M}full-path", ""): entry.get(f"{_M}media-type", "") for entry in manifest.iter(f"{_M}file-entry")
    }
    return [(path, kind) for path, kind in entries.items() if path and _main_part(path, kind) in archive.NameToInfo]


def _main_part(path: str, kind: str) -> str:
    """The part without which there is no such object; empty if it is of another kind."""
    return path if kind == _OLE_OBJECT else f"{path}content.xml" if kind in _OPENDOCUMENT else ""


def _package(archive: zipfile.ZipFile, folder: str, kind: str, expansion: Expansion) -> bytes:
    """An object that is a folder of the package, as a file of its own: without times, the same whenever it is made."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr(zipfile.ZipInfo("mimetype"), kind)
        for name in _OBJECT_PARTS:
            if f"{folder}{name}" in archive.NameToInfo:
                target.writestr(zipfile.ZipInfo(name), _part(archive, f"{folder}{name}", expansion))
    return out.getvalue()


def _part(archive: zipfile.ZipFile, part: str, expansion: Expansion) -> bytes:
    try:
        data = archive.read(part)
    except DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be taken out of its document") from error
    expansion.count(len(data))
    return data


def _object(
    archive: zipfile.ZipFile, part: str, untrusted_name: str, names: Names, expansion: Expansion
) -> Iterator[Inclosed]:
    """The file in one part; none if it is an object without a file."""
    try:
        data = _part(archive, part, expansion)
    except DocumentUnreadable as refusal:
        yield Inclosed(names.path(untrusted_name), functools.partial(_refuse, refusal))
        return
    if data.startswith(OLE_SIGNATURE):
        unwrapped = _unwrapped(data)
        if unwrapped is None:
            return
        untrusted_name, data = unwrapped[0] or untrusted_name, unwrapped[1]
    if data:
        yield Inclosed(names.path(untrusted_name), lambda: data)


def _refuse(refusal: DocumentUnreadable) -> bytes:
    raise refusal


def _unwrapped(data: bytes) -> tuple[str, bytes] | None:
    """The file in an OLE object, with its name if it is known; None if there is none."""
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            for stream in _WRAPPED:
                if ole.exists(stream):
                    return "", ole.openstream(stream).read()
            if ole.exists(_NATIVE):
                return _native(ole.openstream(_NATIVE).read())
        detect(data, "object")
    except DocumentNeedsPassword:
        return "", data
    except (*DAMAGE, DocumentRejected):
        return None
    return "", data  # a document of before 2007, which is an OLE file itself


def _native(stream: bytes) -> tuple[str, bytes]:
    """Name and content in a stream of the kind "Ole10Native" (MS-OLEDS 2.3.6, and what programs put into it)."""
    name_end = stream.index(b"\0", 6)
    path_end = stream.index(b"\0", name_end + 1)
    (length,) = struct.unpack_from("<I", stream, path_end + 5)  # of a second path
    (size,) = struct.unpack_from("<I", stream, path_end + 9 + length)
    start = path_end + 13 + length
    return stream[6:name_end].decode("cp1252", "replace"), stream[start : start + size]
