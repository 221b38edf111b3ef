"""Finds the files of a folder, without ever leaving it.

Rules this module keeps:

1. Links are never followed, neither to files nor to folders; only regular files are documents.
2. What cannot be listed or examined is reported, so that nobody takes it for deleted.
3. Sidecar files, hidden files and the droppings of desktops and editors are not documents (`is_ignored`). A sidecar
   that covers nothing is reported (`strays`).
4. Paths are relative to the folder, with forward slashes, in a stable order. No two files share one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from appliance.errors import InvalidRequest
from ingest.folders import SIDECAR_SUFFIX
from ingest.folders import open_folder as open_folder  # for those who read what was found
from ingest.strays import why_stray

_LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file: its path inside the folder, and what tells whether it changed.

    `changed_ns` is when anything about it changed last, its times included: nobody can set it back.
    """

    path: str
    size_bytes: int
    modified_ns: int
    changed_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """Something that is in the folder but is no document, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class StrayFile:
    """An access file that covers nothing, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder that cannot be listed, or a file that cannot be examined. What is there is unknown.

    `denied`: the file system answers, and does not let the appliance's account in.
    """

    path: str
    reason: str
    denied: bool


Found = FoundFile | RefusedFile | StrayFile | Unreadable


def discover(root: Path, below: str = "") -> Iterator[Found]:
    """Walk `root`, or a folder below it: the files of a folder by name, then its folders by name.

    Raises:
        InvalidRequest: `root` itself is missing, is no folder, or cannot be listed.
    """
    folders = [below]
    while folders:
        folder = folders.pop()
        try:
            found, inner = _list(root, folder)
        except OSError as error:
            if not folder:
                raise InvalidRequest(_why_not_listed(root, error)) from error
            yield Unreadable(folder, f"The folder cannot be listed: {error.strerror}.", _is_denied(error))
            continue
        yield from found
        folders.extend(reversed(inner))


def unlisted(error: InvalidRequest) -> Unreadable:
    """The folder itself, which `discover` could not list."""
    return Unreadable("", str(error), _is_denied(error.__cause__))


def found_at(root: Path, path: str) -> Iterator[Found]:
    """What lies at a path: a file, or what is in a folder; nothing where nothing is, or nothing can be examined.

    Raises:
        InvalidRequest: As `discover`.
    """
    place = PurePosixPath(path)
    if any(is_ignored(part) for part in place.parts):
        return
    if not place.name:
        yield from discover(root)
        return
    try:
        with open_folder(root, str(place.parent)) as folder:
            status = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return
    item = _as_examined(path, status)
    if item is None:
        yield from discover(root, path)
    else:
        yield item


def is_as_found(root: Path, file: FoundFile) -> bool:
    """Whether a file is still of the size and the times that it was found with."""
    path = PurePosixPath(file.path)
    try:
        with open_folder(root, str(path.parent)) as folder:
            now = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (file.size_bytes, file.modified_ns, file.changed_ns)


def is_ignored(name: str) -> bool:
    """Whether a file or folder name is not a document by rule."""
    return name.startswith((".", "~$")) or name.endswith((SIDECAR_SUFFIX, "~")) or name.lower() in _LEFTOVERS


def _list(root: Path, folder: str) -> tuple[list[Found], list[str]]:
    """What lies in a folder, and the folders in it."""
    found: list[Found] = []
    folders: list[str] = []
    with open_folder(root, folder) as descriptor, os.scandir(descriptor) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
        names = {entry.name for entry in listed}
        taken = set(names)
        for entry in listed:
            stray = _why_stray(entry, names, descriptor)
            if is_ignored(entry.name) and not stray:
                continue
            name = entry.name if is_text(entry.name) else _spelled(entry.name, taken)
            path = f"{folder}/{name}" if folder else name
            item = StrayFile(path, stray) if stray else _examine(entry, path)
            if item is None:
                folders.append(path)
            else:
                found.append(item)
    return found, folders


def _why_stray(entry: os.DirEntry[str], beside: set[str], folder: int) -> str:
    """What is wrong with an access file; empty for every other entry, so for a hidden folder of such a name."""
    reason = why_stray(entry.name, beside, folder)
    try:
        return "" if reason and entry.is_dir(follow_symlinks=False) else reason
    except OSError:
        return ""


def _examine(entry: os.DirEntry[str], path: str) -> Found | None:
    """What an entry of a folder is; None for a folder."""
    if not is_text(entry.name):
        return RefusedFile(path, "The name is not valid UTF-8. Rename it.")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Unreadable(path, f"It cannot be examined: {error.strerror}.", _is_denied(error))
    return _as_examined(path, status)


def _as_examined(path: str, status: os.stat_result) -> Found | None:
    """What something is that can be examined; None for a folder."""
    if stat.S_ISDIR(status.st_mode):
        return None
    if stat.S_ISLNK(status.st_mode):
        return RefusedFile(path, "This is a link. Links are not followed; add the folder it points to as a source.")
    if not stat.S_ISREG(status.st_mode):
        return RefusedFile(path, "This is not a regular file (a pipe, socket or device).")
    return FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _why_not_listed(root: Path, error: OSError) -> str:
    whole = (*reversed(root.parents), root)
    link = next((part for part in whole if os.path.islink(part)), None)  # noqa: PTH114 - no error where it may not look
    if link is not None:
        return (
            f"The folder {root} is not read, because {link} is a link by now: whoever may write beside it could have "
            "any other folder read in its place. Add the folder that is meant as a source, or put it back."
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"The folder {root} does not exist. Check the path, or whether the share is mounted."
    return f"The folder {root} cannot be listed ({error.strerror}). Give the appliance's account the right to read it."


def _is_denied(error: BaseException | None) -> bool:
    """Whether something failed because the file system does not let the appliance's account in."""
    return isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM)


def is_text(name: str) -> bool:
    """Whether a name is one that can be written down."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _spelled(name: str, taken: set[str]) -> str:
    """A name that is no text, with its wrong bytes written out; never as another file of its folder is called."""
    spelled = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    while spelled in taken:
        spelled += "'"
    taken.add(spelled)
    return spelled
