"""Access files: `NAME.access.toml` beside a file, `.access.toml` in a folder.

Rules this module keeps:

1. A sidecar holds `groups = ["name", ...]`, `level = "name"`, or both, and nothing else. An empty list means nobody.
2. One that cannot be read or understood, or that names a level nobody set up, is an error: a mistake opens nothing.
3. No link is followed on the way to a sidecar: who may write to one folder cannot borrow another one's label.
"""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.errors import DocumentRejected
from appliance.labels import NO_LEVEL, is_name
from ingest.folders import SIDECAR_SUFFIX, open_folder

_MAX_SIDECAR_BYTES = 64 * 1024
_MAX_GROUP_CHARACTERS = 100
_REMEDY = 'Write groups = ["name of a group"], level = "name of a level", or both.'


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What an access file says: `groups` is None and `level` empty where it does not say it."""

    path: str
    groups: frozenset[str] | None
    level: str = NO_LEVEL


def sidecar_of(path: str) -> str:
    """Where the access file of a file, or of a folder (empty for the root), would be."""
    return f"{path}{SIDECAR_SUFFIX}"


def read_sidecar(root: Path, path: str, levels: Collection[str]) -> Sidecar | None:
    """What a sidecar says, None when there is no such file. Raises DocumentRejected."""
    try:
        descriptor = _open_sidecar(root, path)
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
    try:
        return _understood(_parsed(content), path, levels)
    except ValueError as error:
        raise DocumentRejected(f"The access file '{path}' is wrong: {error}. {_REMEDY}") from error


def _open_sidecar(root: Path, path: str) -> int:
    place, _, name = path.rpartition("/")
    with open_folder(root, place) as folder:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)


def _cannot_exist(root: Path, path: str, error: OSError) -> bool:
    """Whether the file system has no room for the name of a sidecar: a long file name and the suffix are too much."""
    name = os.fsencode(PurePosixPath(path).name)
    return error.errno == errno.ENAMETOOLONG and len(name) > os.pathconf(root, "PC_NAME_MAX")


def _unreadable(path: str, error: OSError) -> DocumentRejected:
    return DocumentRejected(
        f"The access file '{path}' cannot be read ({error.strerror}), so nobody may see what it covers. "
        "Make it a plain readable file."
    )


def _parsed(content: bytes) -> Mapping[str, Any]:
    if len(content) > _MAX_SIDECAR_BYTES:
        raise ValueError("it is larger than 64 KiB")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # Windows editors put a byte-order mark in front
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise ValueError("it is not valid TOML") from error


def _understood(values: Mapping[str, Any], path: str, levels: Collection[str]) -> Sidecar:
    if not values or not values.keys() <= {"groups", "level"}:
        raise ValueError("it must hold 'groups', a list of names, or 'level', or both")
    groups = values.get("groups")
    if groups is not None and not (isinstance(groups, list) and all(map(_is_group, groups))):
        raise ValueError("'groups' must be a list of names")
    level = values.get("level", NO_LEVEL)
    if "level" in values and level not in levels:
        raise ValueError(f"'level' must be one of {', '.join(levels)}")
    return Sidecar(path, None if groups is None else frozenset(name.strip() for name in groups), level)


def _is_group(name: object) -> bool:
    return isinstance(name, str) and is_name(name.strip()) and len(name.strip()) <= _MAX_GROUP_CHARACTERS
