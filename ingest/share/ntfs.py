"""NTFS rights: the access control list of a file, as a mount shows it or as `icacls /save` wrote it down.

Only the list of the file itself counts. What it inherits is written into it, and Windows asks for no right on the
folders above (everybody may bypass them unless a policy says otherwise).

Rules this module keeps (MS-DTYP 2.4 and 2.5.1):

1. An entry that denies reading to anybody makes the file nobody's: who is in that group too is not known here.
2. Entries that are only passed on, that are bound to a condition or to an object, let nobody read.
3. No list at all would let everybody read; here it is an error, as is every list that is not understood.
"""

from __future__ import annotations

import os
import re
import struct
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from appliance.letter_case import in_one_case
from ingest.folders import open_folder
from ingest.share.readers import Readers, unreadable

EXPORT = ".access.icacls"
"""The file in the root of a source that holds what `icacls /save` wrote."""

_ATTRIBUTES = ("system.cifs_acl", "system.ntfs_acl", "system.ntfs_security")
_MAX_EXPORT_BYTES = 512 * 1024**2
_READ_DATA, _GENERIC_READ, _GENERIC_ALL = 0x1, 0x80000000, 0x10000000
_READS = _READ_DATA | _GENERIC_READ | _GENERIC_ALL
_INHERIT_ONLY = 0x08
_DACL_PRESENT = 0x0004
_ALLOW, _DENY = 0, 1
_DENIES = frozenset({_DENY, 6, 10, 12})
_KNOWN = frozenset({_ALLOW, 5, 9, 11}) | _DENIES

_TYPES = {"A": _ALLOW, "D": _DENY, "OA": 5, "OD": 6, "XA": 9, "XD": 10, "ZA": 11}
_RIGHTS = {
    "GA": _GENERIC_ALL, "GR": _GENERIC_READ, "GW": 0x40000000, "GX": 0x20000000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}  # fmt: skip
_ALIASES = {
    "WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "NU": "S-1-5-2", "IU": "S-1-5-4",
    "AN": "S-1-5-7", "AU": "S-1-5-11", "SY": "S-1-5-18", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545",
    "BG": "S-1-5-32-546", "PU": "S-1-5-32-547",
}  # fmt: skip
_TEXT = re.compile(
    r"(?:O:(?:S-[\d-]+|[A-Z]{2}))?(?:G:(?:S-[\d-]+|[A-Z]{2}))?D:(?P<flags>[A-Z]*)(?P<entries>(?:\([^()]*\))*)(?:S:.*)?"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list: what it does (the type of MS-DTYP), to whom, with which rights."""

    kind: int
    inherit_only: bool
    rights: int
    whom: str


@dataclass(frozen=True, slots=True)
class DescriptorRights:
    """The rights of the files below `root`, as the mount of a share shows them."""

    root: Path

    def of(self, path: str) -> Readers:
        """Who may read a file. Raises DocumentRejected."""
        place, _, name = path.rpartition("/")
        try:
            with open_folder(self.root, place) as folder:
                return readers_of(parsed_descriptor(_attribute(f"/proc/self/fd/{folder}/{name}")))
        except OSError as error:
            raise unreadable(path, f"cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise unreadable(path, str(error)) from error


@dataclass(frozen=True, slots=True)
class ExportRights:
    """The rights of the files below `root`, as they were exported into a file there."""

    root: Path

    def of(self, path: str) -> Readers:
        """Who may read a file. Raises DocumentRejected."""
        try:
            status = os.lstat(self.root / EXPORT)
            listed = _export(self.root, (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size))
            if _key(path) not in listed:
                return Readers(frozenset(), f"It is not in '{EXPORT}': export the rights again.")
            return readers_of(parsed_text(listed[_key(path)]))
        except OSError as error:
            raise unreadable(path, f"cannot be read from '{EXPORT}' ({error.strerror})") from error
        except ValueError as error:
            raise unreadable(path, str(error)) from error


def readers_of(entries: Iterable[Entry]) -> Readers:
    """Whom a list lets read."""
    counting = [entry for entry in entries if not entry.inherit_only and entry.rights & _READS]
    denied = sorted({entry.whom for entry in counting if entry.kind in _DENIES})
    if denied:
        return Readers(frozenset(), f"The share denies reading to {', '.join(denied)}; who that is, is not known here.")
    return Readers(frozenset(entry.whom for entry in counting if entry.kind == _ALLOW))


def parsed_text(text: str) -> list[Entry]:
    """The entries of a list in the security descriptor definition language. Raises ValueError."""
    found = _TEXT.fullmatch(text)
    if found is None or "NO_ACCESS_CONTROL" in text:
        raise ValueError("are a list that is not understood")
    return [_entry(entry.split(";")) for entry in re.findall(r"\(([^()]*)\)", found["entries"])]


def parsed_descriptor(descriptor: bytes) -> list[Entry]:
    """The entries of the list in a self-relative security descriptor (MS-DTYP 2.4.6). Raises ValueError."""
    try:
        revision, control, offset = struct.unpack_from("<BxH12xI", descriptor)
        if revision != 1 or not control & _DACL_PRESENT or not offset:
            raise ValueError("are no list at all")
        size, count = struct.unpack_from("<HH", descriptor, offset + 2)
        listed = descriptor[offset : offset + size]
        if len(listed) < size:
            raise ValueError("are a list that is cut off")
        return _binary_entries(listed, count)
    except struct.error as error:
        raise ValueError("are a list that is cut off") from error


def _entry(fields: list[str]) -> Entry:
    if len(fields) < 6 or fields[0] not in _TYPES:
        raise ValueError("are a list that is not understood")
    flags = re.findall("..", fields[1])
    return Entry(_TYPES[fields[0]], "IO" in flags, _rights(fields[2]), _ALIASES.get(fields[5], fields[5]))


def _rights(text: str) -> int:
    if re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", text):
        return int(text, 0) if text[:2].lower() == "0x" else int(text)
    names = re.findall("..", text)
    if len(text) % 2 or not set(names) <= _RIGHTS.keys():
        raise ValueError("are a list that is not understood")
    total = 0
    for name in names:
        total |= _RIGHTS[name]
    return total


def _binary_entries(listed: bytes, count: int) -> list[Entry]:
    entries, at = [], 8
    for _ in range(count):
        kind, flags, size, rights = struct.unpack_from("<BBHI", listed, at)
        if kind not in _KNOWN or size < 16 or at + size > len(listed):
            raise ValueError("are a list that is not understood")
        # where an entry names objects, its principal stands elsewhere: it lets nobody read, and denies somebody
        whom = _sid(listed[at + 8 : at + size]) if kind in (_ALLOW, _DENY, 9, 10) else "somebody"
        entries.append(Entry(kind, bool(flags & _INHERIT_ONLY), rights, whom))
        at += size
    return entries


def _sid(data: bytes) -> str:
    """A security identifier as it is written (MS-DTYP 2.4.2)."""
    revision, count = struct.unpack_from("<BB", data)
    if revision != 1 or count > 15:
        raise ValueError("are a list that is not understood")
    parts = struct.unpack_from(f"<{count}I", data, 8)
    return "-".join(["S-1", str(int.from_bytes(data[2:8], "big")), *map(str, parts)])


def _attribute(name: str) -> bytes:
    for attribute in _ATTRIBUTES:
        try:
            return os.getxattr(name, attribute, follow_symlinks=False)
        except OSError as error:
            missing = error
    raise missing


@lru_cache(maxsize=4)
def _export(root: Path, _identity: tuple[int, ...]) -> Mapping[str, str]:
    """What an export says of each path; read once for as long as the file is the same."""
    with open_folder(root, "") as folder:
        descriptor = os.open(EXPORT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MAX_EXPORT_BYTES + 1)
    if len(content) > _MAX_EXPORT_BYTES:
        raise ValueError(f"stand in a file that is too large ('{EXPORT}')")
    # Names may hold whatever else ends a line or can be stripped from one.
    lines = [line for written in _decoded(content).split("\n") if (line := written.removesuffix("\r"))]
    if len(lines) % 2:
        raise ValueError(f"are not a path and a list, line by line, in '{EXPORT}'")
    listed: dict[str, str] = {}
    for path, text in zip(lines[::2], lines[1::2], strict=True):
        key = _key(path.replace("\\", "/"))
        listed[key] = text.strip() if key not in listed else "two lists for one path"
    return listed


def _decoded(content: bytes) -> str:
    """The text of an export: icacls writes UTF-16, editors and tools what they like."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:200]
    if not wide:
        return content.decode("utf-8-sig")
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le")


def _key(path: str) -> str:
    """A path as Windows tells paths apart. An accent counts as the same however a mount composes it."""
    return unicodedata.normalize("NFC", in_one_case(path))
