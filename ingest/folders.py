"""Opens folders below a root without ever leaving it.

A path would not do: between the walk and the reading, somebody who may write to one folder could put a link to another
in its place and have that one's files, or that one's labels, taken in. So a folder is opened part by part, each below
the one before it, and what is read in it is opened by its name there. The same goes for the parts of the root itself:
it was looked at when it was added, without links in it, and whoever may write beside it could put a link in its place.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

SIDECAR_SUFFIX = ".access.toml"
"""How the names of access files end."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_PASSED = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW  # what leads to the root need not be readable


@dataclass(slots=True)
class _Kept:
    """The folder that a thread opened last, for as long as it keeps it open."""

    root: str = ""
    folder: str = ""
    descriptor: int = -1
    in_use: bool = False

    def open(self, root: Path, folder: str) -> int:
        """A descriptor of a folder, which is that of before if it is the same one. Raises OSError."""
        if self.descriptor < 0 or folder != self.folder or str(root) != self.root:
            self.close()
            self.descriptor = _opened(root, folder)
            self.root, self.folder = str(root), folder
        return self.descriptor

    def close(self) -> None:
        """Keep none open."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class _OfThread(threading.local):
    kept: _Kept | None = None


_of_thread = _OfThread()


@contextmanager
def open_folder(root: Path, folder: str) -> Iterator[int]:
    """A descriptor of `folder` (relative to `root`, which is absolute), reached without following a link.

    Raises:
        OSError: A part of either path is missing, is a link, leads up or out, or is closed to this account.
    """
    kept = _of_thread.kept
    if kept is not None and not kept.in_use:
        kept.in_use = True
        try:
            yield kept.open(root, folder)
        finally:
            kept.in_use = False
        return
    descriptor = _opened(root, folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def last_folder_kept() -> Iterator[None]:
    """Have this thread keep the folder open that it opened last, since the next file is mostly in the same one."""
    before, kept = _of_thread.kept, _Kept()
    _of_thread.kept = kept
    try:
        yield
    finally:
        _of_thread.kept = before
        kept.close()


def folders_above(path: str) -> tuple[str, ...]:
    """The folders that a path is in, the nearest first; "." is the root."""
    return _with_those_above(path.rpartition("/")[0])


@lru_cache(maxsize=64)
def _with_those_above(folder: str) -> tuple[str, ...]:
    place = PurePosixPath(folder)
    return tuple(map(str, (place, *place.parents)))


def _opened(root: Path, folder: str) -> int:
    parts = PurePosixPath(folder).parts
    if "\0" in folder or any(part == ".." or part.startswith("/") for part in parts):
        raise OSError(errno.EINVAL, "the path leads out of the folder", folder)
    descriptor = os.open(root.anchor, _PASSED)
    try:
        passed, opened = root.parts[1:-1], (root.name or ".", *parts)
        for part, flags in (*((part, _PASSED) for part in passed), *((part, _FOLDER) for part in opened)):
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
