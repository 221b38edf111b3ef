"""Opens folders below a root without ever leaving it.

A path would not do: between the walk and the reading, somebody who may write to one folder could put a link to another
in its place and have that one's files, or that one's labels, taken in. So a folder is opened part by part, each below
the one before it, and what is read in it is opened by its name there. The same goes for the parts of the root itself:
it was looked at when it was added, without links in it, and whoever may write beside it could put a link in its place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

SIDECAR_SUFFIX = ".access.toml"
"""How the names of access files end."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_PASSED = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW  # what leads to the root need not be readable


@contextmanager
def open_folder(root: Path, folder: str) -> Iterator[int]:
    """A descriptor of `folder` (relative to `root`, which is absolute), reached without following a link.

    Raises:
        OSError: A part of either path is missing, is a link, leads up or out, or is closed to this account.
    """
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
        yield descriptor
    finally:
        os.close(descriptor)
