"""Files inside a file: what they are called, and how much may be taken out.

Rules this module keeps:

1. A name from a container is untrusted. The path made of it leads nowhere, is unique in its container, and is the same
   each time the same container is opened, so that a citation finds its file again.
2. No path is the folder of another: "a.zip/b.txt" is a file in the archive "a.zip", never one in a folder so called.
3. What is taken out is counted as it comes, whatever the container claims: against the size of the container it comes
   from, and against one limit for all containers in a document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from appliance.errors import DocumentRejected
from ingest.parse.elements import clean_line, clean_name

MAX_EXPANDED_BYTES = 1024**3
MAX_RATIO = 200
MAX_PATH = 400
"""The longest path in one container; a longer one loses folders at its beginning."""

_RATIO_FLOOR_BYTES = 20 * 1024**2  # small files may well compress 200 times
_MAX_PART = 150
_MAX_SUFFIX = 12
_MAX_GIVEN = 10_000
_DOUBLE = (".tar.gz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Inclosed:
    """A file in a container. `take` gives its bytes or raises DocumentRejected; ask before going on to the next.

    `thread` is the Message-ID its conversation begins with, where the container knows that better than the file.
    `may_decorate`: a picture in it may be there for the looks alone, as a logo in a mail is.
    """

    path: str
    take: Callable[[], bytes]
    thread: str = ""
    may_decorate: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Names:
    """Gives out the paths in one container."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._copies: dict[str, int] = {}

    def path(self, untrusted_name: str) -> str:
        """A clean path that was not given out before: "plan.pdf", the next time "plan (2).pdf"."""
        *folders, name = _clean_parts(untrusted_name)
        folder = ""
        for part in folders:
            folder += part
            if folder in self._files:
                folder = self._renamed(folder)
            self._folders.add(folder)
            folder += "/"
        path = folder + name
        if path in self._files or path in self._folders:
            path = self._renamed(path)
        self._files.add(path)
        return path

    def _renamed(self, path: str) -> str:
        stem, suffix = split_name(path)
        while True:
            number = self._copies[path] = self._copies.get(path, 1) + 1  # counted, not searched: there may be thousands
            fresh = f"{stem} ({number}){suffix}"
            if fresh not in self._files and fresh not in self._folders:
                return fresh


def split_name(path: str) -> tuple[str, str]:
    """A path without its ending, and the ending (".pdf", ".tar.gz") if it is one."""
    suffix = (
        "".join(PurePosixPath(path).suffixes[-2:]) if path.lower().endswith(_DOUBLE) else PurePosixPath(path).suffix
    )
    return (path.removesuffix(suffix), suffix) if len(suffix) <= _MAX_SUFFIX else (path, "")


def _clean_parts(untrusted_name: str) -> list[str]:
    """The parts of a path, none of which leads anywhere, together at most `MAX_PATH` characters."""
    line = clean_line(untrusted_name, _MAX_GIVEN).replace("\\", "/")
    parts: list[str] = []
    length = -1  # there is a slash less than there are parts
    for part in reversed([part for part in line.split("/") if part.strip() not in ("", ".", "..")] or ["unnamed"]):
        clean = _clean_part(part)
        length += len(clean) + 1
        if parts and length > MAX_PATH:
            break
        parts.append(clean)
    return parts[::-1]


def _clean_part(part: str) -> str:
    if len(part) > _MAX_PART:
        stem, suffix = split_name(part)
        part = stem[: _MAX_PART - len(suffix)].strip() + suffix
    return clean_name(part)


class Allowance:
    """How much may still be taken out of all the containers in one document."""

    def __init__(self) -> None:
        self._left_bytes = MAX_EXPANDED_BYTES

    def of(self, container_bytes: int) -> Expansion:
        """What one container of that size may give."""
        return Expansion(self, max(_RATIO_FLOOR_BYTES, MAX_RATIO * container_bytes))

    def count(self, size_bytes: int) -> None:
        """Note bytes taken out. Raises Overfull when they are too many."""
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise Overfull(f"holds more than {MAX_EXPANDED_BYTES:,} bytes when unpacked; split it")


class Bomb(DocumentRejected):
    """A container gives far more than its size: the container is refused, not just the file that came last."""


class Overfull(Bomb):
    """All that was taken out of a document is too much, taken together: the document is refused, not a file in it."""


class Expansion:
    """Counts what one container gives."""

    def __init__(self, whole: Allowance, most_bytes: int) -> None:
        self._whole, self._most_bytes = whole, most_bytes
        self._given_bytes = 0

    def count(self, size_bytes: int) -> None:
        """Note bytes taken out.

        Raises:
            Bomb: The container has given more than files of its size do.
            Overfull: All containers together have.
        """
        self._given_bytes += size_bytes
        self._whole.count(size_bytes)
        if self._given_bytes > self._most_bytes:
            raise Bomb("expands to far more than its size, which looks like a bomb")
