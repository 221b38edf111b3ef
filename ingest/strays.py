"""Access files that cover nothing: misspelt ones, and those whose document is gone or called otherwise.

Rules this module keeps:

1. Such a file opens and closes nothing. It is told of, for what it was to cover is seen by other people than was meant.
2. Where the file system itself takes the one name for the other (Windows shares do, in capitals), it covers what it
   was to cover, and nothing is told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from difflib import SequenceMatcher
from functools import lru_cache

from appliance.letter_case import in_one_case
from ingest.folders import SIDECAR_SUFFIX

_WORDS = ("access", "toml")
_ADDED = ".txt"  # by an editor of Windows
_ALIKE = 0.8  # a letter too many, too few or wrong
_DROPPINGS = ("._", "~$")  # what desktops keep beside a file; editors put "~" behind it


def why_stray(name: str, beside: Collection[str], folder: int) -> str:
    """What is wrong with an access file; empty where nothing is, and for what is none.

    Args:
        name: Of the file.
        beside: The names of everything in its folder.
        folder: A descriptor of that folder.
    """
    meant = _meant(name)
    if not meant or name.startswith(_DROPPINGS) or name.endswith("~"):
        return ""
    if meant != name and not _is_one_file(folder, meant, name):
        return (
            f"It looks like an access file, but it is not called '{meant}', so it covers nothing. Rename it; a "
            "document needs another name."
        )
    covered = meant.removesuffix(SIDECAR_SUFFIX)
    if not covered:
        return ""
    if covered in beside:
        return _why_not_for_folder(folder, covered)
    alike = next((other for other in sorted(beside) if in_one_case(other) == in_one_case(covered)), "")
    if alike and _is_one_file(folder, alike + SIDECAR_SUFFIX, name):
        return ""
    remedy = f"Call it '{alike}{SIDECAR_SUFFIX}'." if alike else "Name it after its document, or remove it."
    return f"This access file covers nothing: there is no file '{covered}' beside it. {remedy}"


def _why_not_for_folder(folder: int, covered: str) -> str:
    status = _status(folder, covered)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return ""
    return f"This access file covers nothing: '{covered}' is a folder. Put it in there, as '{SIDECAR_SUFFIX}'."


def _meant(name: str) -> str:
    """The name of the access file that a file is, or was probably to be; empty for another file."""
    if name.endswith(SIDECAR_SUFFIX):
        return name
    stem = name[: -len(_ADDED)] if name.lower().endswith(_ADDED) else name
    *head, first, last = ("", *stem.split("."))
    if head and stem == name and last.lower() == _WORDS[0]:
        return f"{stem[: -len(last) - 1]}{SIDECAR_SUFFIX}"
    if not (_is_like(last.lower(), _WORDS[1]) and _is_like(first.lower(), _WORDS[0])):
        return ""
    return stem[: -len(f"{first}.{last}")].removesuffix(".") + SIDECAR_SUFFIX


@lru_cache(maxsize=1024)
def _is_like(word: str, wanted: str) -> bool:
    in_both = sum(min(word.count(letter), wanted.count(letter)) for letter in set(wanted))
    if 2 * in_both < _ALIKE * (len(word) + len(wanted)):
        return False  # whatever their order: most names end here
    return SequenceMatcher(None, word, wanted).ratio() >= _ALIKE


def _is_one_file(folder: int, one: str, other: str) -> bool:
    found = _status(folder, one), _status(folder, other)
    return found[0] is not None and found[1] is not None and os.path.samestat(found[0], found[1])


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:  # it is not there, or closed to the appliance
        return None
