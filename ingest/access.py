"""Who may see a file: sidecar files, then the default of the source.

Rules this module keeps:

1. The nearest label wins: `NAME.access.toml` beside a file, then `.access.toml` in its folder or the closest folder
   above it, then the default of the source.
2. A sidecar that cannot be read or understood refuses the files it covers. A mistake never opens a document.
3. No link is followed on the way to a sidecar: who may write to one folder cannot borrow another one's label.
4. A sidecar holds `groups = ["name", ...]` and nothing else. An empty list means nobody.
"""

from __future__ import annotations

import errno
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance.errors import DocumentRejected
from ingest.folders import SIDECAR_SUFFIX, open_folder

_MAX_SIDECAR_BYTES = 64 * 1024
_MAX_GROUP_CHARACTERS = 100


@dataclass(slots=True)
class AccessLabels:
    """The labels of the files below `root`; reads each sidecar once."""

    root: Path
    default: frozenset[str]
    _folders: dict[str, frozenset[str] | DocumentRejected | None]

    def __init__(self, root: Path, default: frozenset[str]) -> None:
        self.root = root
        self.default = default
        self._folders = {}

    def groups(self, path: str) -> frozenset[str]:
        """The groups that may see the file at `path` (relative to the root).

        Raises:
            DocumentRejected: The sidecar that covers the file is wrong; the message says which and how.
        """
        own = _read_sidecar(self.root, path + SIDECAR_SUFFIX)
        if own is not None:
            return own
        for folder in PurePosixPath(path).parents:
            label = self._folder(str(folder))
            if isinstance(label, DocumentRejected):
                raise label
            if label is not None:
                return label
        return self.default

    def _folder(self, folder: str) -> frozenset[str] | DocumentRejected | None:
        if folder not in self._folders:
            name = SIDECAR_SUFFIX if folder == "." else f"{folder}/{SIDECAR_SUFFIX}"
            try:
                self._folders[folder] = _read_sidecar(self.root, name)
            except DocumentRejected as error:
                self._folders[folder] = error
        return self._folders[folder]


def _read_sidecar(root: Path, path: str) -> frozenset[str] | None:
    """The groups a sidecar names, None when there is no such file."""
    try:
        descriptor = _open_sidecar(root, PurePosixPath(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        if _cannot_exist(root, path, error):
            return None
        raise _unreadable(path, error) from error
    try:
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(_MAX_SIDECAR_BYTES + 1)
    except OSError as error:  # a folder can be opened, but not read
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    return _parse_sidecar(content, path)


def _open_sidecar(root: Path, path: PurePosixPath) -> int:
    with open_folder(root, str(path.parent)) as folder:
        return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)


def _cannot_exist(root: Path, path: str, error: OSError) -> bool:
    """Whether the file system has no room for the name of a sidecar: a long file name and the suffix are too much."""
    name = os.fsencode(PurePosixPath(path).name)
    return error.errno == errno.ENAMETOOLONG and len(name) > os.pathconf(root, "PC_NAME_MAX")


def _unreadable(path: str, error: OSError) -> DocumentRejected:
    return DocumentRejected(
        f"The access file '{path}' cannot be read ({error.strerror}), so nobody may see what it covers. "
        "Make it a plain readable file."
    )


def _parse_sidecar(content: bytes, path: str) -> frozenset[str]:
    remedy = 'Write one line: groups = ["name of a group"].'
    try:
        if len(content) > _MAX_SIDECAR_BYTES:
            raise ValueError("it is larger than 64 KiB")
        values = tomllib.loads(content.decode("utf-8-sig"))  # Windows editors put a byte-order mark in front
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        problem = error if type(error) is ValueError else "it is not valid TOML"
        raise DocumentRejected(f"The access file '{path}' is wrong: {problem}. {remedy}") from error
    groups = values.get("groups")
    if set(values) != {"groups"} or not isinstance(groups, list) or not all(_is_group(name) for name in groups):
        raise DocumentRejected(f"The access file '{path}' is wrong: it must hold 'groups', a list of names. {remedy}")
    return frozenset(name.strip() for name in groups)


def _is_group(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name.strip()) <= _MAX_GROUP_CHARACTERS
