"""Archives: the files in a ZIP, a TAR (compressed or not) and in single compressed files, one after the other.

Rules this module keeps:

1. Nothing is written anywhere: a file is taken out into memory when it is asked for, and counted while it comes.
2. What an archive says of itself is checked before it is believed: how many files, of what size, and that no two of
   them share their bytes (which is how a small archive is made to give a large one).
3. Links, devices and the like are listed with a reason and never followed; folders are passed over, and so is what no
   folder is searched for either (`ingest.discover.is_ignored`).
4. An archive that breaks off gives what comes before the break, and says that there is a break.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import PurePosixPath
from typing import IO, cast

from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.discover import is_ignored
from ingest.parse import aes
from ingest.parse.inclosed import Expansion, Inclosed, Names, split_name
from ingest.parse.package import DAMAGE

MAX_FILES = 10_000
WRONG_PASSWORD = "was not opened by the password given"  # noqa: S105 - a sentence, not a secret
ENCRYPTED = "is encrypted; give its password, or remove it and try again"

_PIECE_BYTES = 1024**2
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED_FLAG, _UTF8_FLAG = 0x1, 0x800
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_DROPPINGS = frozenset({"__MACOSX"})


def open_zip(data: bytes, expansion: Expansion, password: str) -> Iterator[Inclosed]:
    """The files in a ZIP archive.

    Raises:
        DocumentNeedsPassword: All of them are encrypted, and not with `password`.
        DocumentRejected: It has too many files, or some share their bytes.
        DocumentEmpty: There are no files in it.
        DocumentUnreadable: It is damaged.
    """
    with _opened_zip(data) as archive:
        infos = archive.infolist()
        _check_extents(infos)
        files = [(info, name) for info in infos if not (name := _zip_name(info)).endswith("/") and not _ignored(name)]
        if not files:
            raise _empty()
        _check_password(archive, [info for info, _ in files], password)
        names = Names()
        for info, name in files:
            yield Inclosed(names.path(name), functools.partial(_unzip, archive, info, expansion, password))


def _opened_zip(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except DAMAGE as error:
        raise DocumentUnreadable("is damaged: its ZIP container cannot be opened") from error


def _empty() -> DocumentEmpty:
    return DocumentEmpty("is empty: there are no files in it")


def _check_extents(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_FILES:
        raise DocumentRejected(f"holds {len(infos):,} files; the limit is {MAX_FILES:,}. Split it")
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise DocumentRejected("holds files that overlap, which looks like a ZIP bomb")
        end = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name in UTF-8 where it is, even if the archive does not say so; otherwise as the library reads it."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _ignored(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part in _DROPPINGS or is_ignored(part) for part in parts if part not in (".", ".."))


def _check_password(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], password: str) -> None:
    """An archive with nothing but encrypted files is encrypted itself."""
    if not all(info.flag_bits & _ENCRYPTED_FLAG for info in infos):
        return
    if not password:
        raise DocumentNeedsPassword(ENCRYPTED)
    smallest = min(infos, key=lambda info: info.file_size)
    try:
        with _member(archive, smallest, password) as source:
            source.read(1)
    except (*DAMAGE, RuntimeError) as error:
        raise DocumentNeedsPassword(WRONG_PASSWORD) from error


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, expansion: Expansion, password: str) -> bytes:
    encrypted = info.flag_bits & _ENCRYPTED_FLAG
    if encrypted and not password:
        raise DocumentNeedsPassword(ENCRYPTED)
    if info.compress_type not in _METHODS and info.compress_type != aes.METHOD:
        raise DocumentRejected("is compressed in a way that is not read; pack it again as an ordinary ZIP")
    try:
        with _member(archive, info, password) as source:
            return _all_of(source, expansion)
    except (*DAMAGE, RuntimeError) as error:
        if encrypted:
            raise DocumentNeedsPassword(WRONG_PASSWORD) from error
        raise DocumentUnreadable("is damaged: it cannot be taken out of its archive") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, password: str) -> BufferedIOBase:
    if info.compress_type == aes.METHOD:
        return aes.open_member(archive, info, password)
    opened = archive.open(info, pwd=password.encode() if password else None)
    return cast("BufferedIOBase", opened)


def _all_of(source: BufferedIOBase | IO[bytes], expansion: Expansion | None) -> bytes:
    whole = io.BytesIO()
    while piece := source.read(_PIECE_BYTES):
        if expansion is not None:
            expansion.count(len(piece))
        whole.write(piece)
    return whole.getvalue()


class _Counted(io.RawIOBase):
    """What a decompressor gives, counted."""

    def __init__(self, source: BufferedIOBase, expansion: Expansion) -> None:
        self._source, self._expansion = source, expansion

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(_PIECE_BYTES if size < 0 else size)
        self._expansion.count(len(piece))
        return piece


def decompressed(data: bytes) -> BufferedIOBase:
    """What is in a file compressed by gzip, bzip2 or xz; the file itself if it is not."""
    source = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=source)
    if data.startswith(b"BZh"):
        return bz2.BZ2File(source)
    return lzma.LZMAFile(source) if data.startswith(b"\xfd7zXZ\0") else source


def looks_like_tar(data: bytes) -> bool:
    """Whether a file, compressed or not, begins as a TAR archive does: with a block whose check sum is right."""
    try:
        with decompressed(data) as source:
            tarfile.TarInfo.frombuf(source.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except DAMAGE:
        return False
    return True


def open_compressed(data: bytes, name: str, expansion: Expansion) -> Iterator[Inclosed]:
    """The one file in a compressed file, called what the latter is called without its ending."""
    stem, suffix = split_name(name)
    inner = stem if suffix.lower() in (".gz", ".bz2", ".xz") and stem else f"{name}.txt"

    def take() -> bytes:
        try:
            with decompressed(data) as source:
                return _all_of(source, expansion)
        except DAMAGE as error:
            raise DocumentUnreadable("is damaged: it cannot be decompressed") from error

    yield Inclosed(Names().path(inner), take)


def open_tar(data: bytes, expansion: Expansion) -> Iterator[Inclosed]:
    """The files in a TAR archive, compressed or not, in their order.

    Raises:
        DocumentRejected: It has too many files, or gives more than it may.
        DocumentEmpty: There are no files in it.
        DocumentUnreadable: It is damaged from the start.
    """
    names, count, begins = Names(), 0, False
    source = _Counted(decompressed(data), expansion)
    try:
        with tarfile.open(fileobj=source, mode="r|", errorlevel=2) as archive:
            for info in archive:
                begins = True
                if info.isdir() or _ignored(info.name):
                    continue
                count += 1
                if count > MAX_FILES:
                    raise DocumentRejected(f"holds more than {MAX_FILES:,} files; that is the limit. Split it")
                yield Inclosed(names.path(info.name), functools.partial(_untar, archive, info))
                archive.members.clear()  # type: ignore[attr-defined] # it would remember every one of them
    except DAMAGE as error:
        if not count:
            raise DocumentUnreadable("is damaged: it cannot be opened as an archive") from error
        yield Inclosed(names.path("(rest of the archive)"), _broken_off)
        return
    if not begins and _goes_on(data, expansion):
        raise DocumentUnreadable("is damaged: its beginning is blank, and what follows cannot be read as an archive")
    if not count:
        raise _empty()


def _goes_on(data: bytes, expansion: Expansion) -> bool:
    """Whether anything but zeros is in a TAR archive, which ends at the first block of zeros."""
    source = _Counted(decompressed(data), expansion)
    try:
        return any(piece.strip(b"\0") for piece in iter(source.read, b""))
    except DAMAGE:
        return True


def _broken_off() -> bytes:
    raise DocumentUnreadable("is damaged: the archive breaks off, and what follows cannot be read")


def _untar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if info.issym() or info.islnk():
        raise DocumentRejected("is a link in an archive; links are not followed")
    if not info.isreg() or info.sparse is not None:
        raise DocumentRejected("is not an ordinary file (a pipe, a device or the like)")
    try:
        source = archive.extractfile(info)
        whole = b"" if source is None else _all_of(source, None)  # counted where it comes from
    except DAMAGE as error:
        raise DocumentUnreadable("is damaged: its archive breaks off in it") from error
    if len(whole) < info.size:
        raise DocumentUnreadable("is damaged: its archive breaks off in it")
    return whole
