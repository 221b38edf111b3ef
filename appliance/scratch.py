"""Folders for temporary files that do not stay when whoever made them is killed.

Rules this module keeps:

1. A folder is locked by the process that made it. The lock ends with the process, however that ends.
2. `sweep` removes folders without a lock: never one in use, one of somebody else, or one so new that its lock may be
   still to come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

_NEW_S = 60.0  # so long may pass between making a folder and locking it


class ScratchFolder:
    """A new folder that only this account can enter; removed at the latest when this process ends."""

    def __init__(self, prefix: str) -> None:
        """Make it. Raises OSError."""
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._finalizer = weakref.finalize(self, _removed, self.path, _locked(self.path))

    def remove(self) -> None:
        """Remove it with all that is in it. Removing twice is no error."""
        self._finalizer()


def sweep(prefix: str) -> None:
    """Remove the folders of this prefix that killed processes of this account left behind."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # in use, somebody else's, or no folder: it stays
            status = left.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > _NEW_S:
                _removed(left, _locked(left))


def _locked(folder: Path) -> int:
    """A descriptor that locks a folder until it is closed or this process ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _removed(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
