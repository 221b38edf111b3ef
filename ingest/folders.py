"""Opens folders below a root without ever leaving it.

A path would not do: between the walk and the reading, somebody who may write to one folder could put a link to another
in its place and have that one's files, or that one's labels, taken in. So a folder is opened part by part, each below
the one before it, and what is read in it is opened by its name there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

SIDECAR_SUFFIX = ".access.toml"
"""How the names of access files end."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def open_folder(root: Path, folder: str) -> Iterator[int]:
    """A descriptor of `folder` (relative to `root`), reached without following a link below `root`.

    Raises:
        OSError: A part of the path is missing, is a link, leads up or out, or is closed to this account.
    """
    parts = PurePosixPath(folder).parts
    if "\0" in folder or any(part == ".." or part.startswith("/") for part in parts):
        raise OSError(errno.EINVAL, "the path leads out of the folder", folder)
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
