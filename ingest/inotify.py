"""Tells what changes below a folder, as the kernel reports it (inotify(7)).

The libraries there are give up a folder's neighbours with it: they end their walk, without a word, at the first folder
that they may not watch, and where the kernel lost count, they do not say so either.

Rules this module keeps:

1. Every folder that can be listed is watched, however deep it lies; no link is followed, in no part of a path. One that
   is closed to this account, or does not answer, holds up no other; the closed one is watched, with what is in it, as
   soon as its rights are others.
2. A folder that comes in, or whose rights change, is told of as a whole: nobody was told of what changed in it before.
3. Where the kernel lost count of the changes, so is the folder itself.
4. Where something is mounted or unmounted in it or over it, so is the folder itself, and all of it is watched anew:
   the kernel tells of that elsewhere (proc(5), mountinfo), and what is mounted in the place of something else may look
   the same there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from ingest.folders import open_folder
from ingest.mounts import mounts

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLY_FOLDERS, _IS_FOLDER = 0x01000000, 0x40000000
_CHANGES = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_GONE = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED

_HEAD = struct.Struct("iIII")  # the watch, what happened, a cookie, the length of the name
_READ_BYTES = 256 * 1024
_NO_MORE = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What is not about one folder among many, which is left out then: there are no more watches, or files, to be had."""

_QUIET_S = 0.1  # changes that follow each other so soon are told of together
_AT_MOST_S = 0.3  # a folder that is never quiet is told of so often: who may see what does not wait for quiet


class WatchedFolder:
    """A folder and all that is in it. For one thread."""

    def __init__(self, root: Path) -> None:
        """Begin to watch. Raises OSError: it cannot be listed, or the kernel allows no more watches."""
        self._root = root
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._paths: dict[int, str] = {}
        self._gone = False
        self._descriptor = self._opened()
        self._table = -1
        try:
            self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            self._mounted = _mounted()
            self._watch("")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Watch no more."""
        os.close(self._descriptor)
        if self._table >= 0:
            os.close(self._table)

    def changes(self, wait_s: float) -> set[str]:
        """The paths inside at which something changed, "" for the folder itself; none if nothing does so long.

        Raises:
            OSError: The folder is not there any more, or the kernel allows no more watches.
        """
        if self._gone:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self._is_mounted_anew():
            self._begin_again()
            return {""}
        told = set[str]()
        if self._waited(wait_s):
            limit = time.monotonic() + _AT_MOST_S
            while (left := limit - time.monotonic()) > 0 and self._waited(min(_QUIET_S, left)):
                told |= self._read()
        return told

    def _waited(self, seconds: float) -> bool:
        """Whether there is something to read by then."""
        return _came(self._descriptor, select.POLLIN, seconds)

    def _read(self) -> set[str]:
        told, came, went = set[str](), set[str](), set[str]()
        for watch, what, name in _events(os.read(self._descriptor, _READ_BYTES)):
            if what & _OVERFLOW:
                self._begin_again()
                return {""}
            folder = self._paths.get(watch)
            if folder is None:  # of a folder that went
                continue
            if not name and what & _GONE:  # of a folder inside, the one that it is in tells, or the table of mounts
                self._gone |= not folder
                if what & _IGNORED:
                    del self._paths[watch]
                continue
            path = f"{folder}/{name}" if folder and name else folder or name
            told.add(path)
            if what & _IS_FOLDER and what & _MOVED_FROM:  # the watch of one that is deleted ends by itself
                went.add(path)
            elif what & _IS_FOLDER and what & (_MOVED_TO | _CREATE | _ATTRIB):
                came.add(path)
        self._follow(came, went)
        return told

    def _follow(self, came: AbstractSet[str], went: AbstractSet[str]) -> None:
        """Watch folders that came in, and no more those that went. Raises OSError."""
        if went:
            self._leave(went)
        for path in came:
            if not _is_below(path, came):
                self._watch(path)

    def _is_mounted_anew(self) -> bool:
        """Whether something was mounted or unmounted since, and it may have been in the folder or over it."""
        if not _came(self._table, select.POLLPRI, 0):
            return False
        before, self._mounted = self._mounted, _mounted()
        over = (self._root, *self._root.parents)
        return any(self._root in point.parents for point in (*before, *self._mounted)) or any(
            before.get(point) != self._mounted.get(point) for point in over
        )

    def _opened(self) -> int:
        """A descriptor of the kernel's that tells of nothing yet. Raises OSError."""
        return self._called(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def _begin_again(self) -> None:
        """Watch all of it anew: which folders went is not known any more either. Raises OSError."""
        before, self._descriptor = self._descriptor, self._opened()
        os.close(before)
        self._paths.clear()
        self._watch("")

    def _leave(self, folders: AbstractSet[str]) -> None:
        """Watch nothing more of folders that went, until they come in anew."""
        for watch, path in list(self._paths.items()):
            if path in folders or _is_below(path, folders):
                del self._paths[watch]
                self._libc.inotify_rm_watch(self._descriptor, watch)

    def _watch(self, below: str) -> None:
        """Watch a folder and those in it, as far as they can be listed; those that are watched stay so."""
        folders = [below]
        while folders:
            folder = folders.pop()
            try:
                inner = self._watch_one(folder)
            except OSError as error:
                if error.errno in _NO_MORE or not folder:
                    raise
                continue
            folders += [f"{folder}/{name}" if folder else name for name in inner]

    def _watch_one(self, folder: str) -> list[str]:
        """Watch one folder; the names of those in it. Raises OSError."""
        with open_folder(self._root, folder) as opened:
            place = f"/proc/self/fd/{opened}".encode()
            watch = self._libc.inotify_add_watch(self._descriptor, place, _CHANGES | _ONLY_FOLDERS)
            self._paths[self._called(watch)] = folder
            with os.scandir(opened) as entries:  # after that: what comes meanwhile is told of
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    @staticmethod
    def _called(result: int) -> int:
        """What a call of the C library came to. Raises OSError."""
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _came(descriptor: int, event: int, within_s: float) -> bool:
    """Whether something is to be had from a descriptor by then."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(within_s * 1000))


def _events(read: bytes) -> Iterator[tuple[int, int, str]]:
    """What was read, event by event: the watch, what happened, and the name in that folder, empty for itself."""
    at = 0
    while at < len(read):
        watch, what, _, length = _HEAD.unpack_from(read, at)
        at += _HEAD.size
        yield watch, what, os.fsdecode(read[at : at + length].rstrip(b"\0"))
        at += length


def _mounted() -> dict[Path, int]:
    """The device that is mounted at each place, the last of several."""
    return {mount.point: mount.device for mount in mounts()}


def _is_below(path: str, folders: AbstractSet[str]) -> bool:
    """Whether a path lies inside one of these folders; "" is the whole folder."""
    above = path
    while above:
        above = above.rpartition("/")[0]
        if above in folders:
            return True
    return False
