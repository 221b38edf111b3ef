"""Which of the indexes of a data folder answers, and which others there may be.

While the embedding model is being changed there are two: one answers, the other is being built beside it. A small file
says which is which; replacing it is the moment at which the one takes the place of the other.

Rules this module keeps:

1. The file is replaced whole or not at all, also across a power cut.
2. An index is named in it before anything of that index is made, and until all of it is gone: nothing is left behind
   that no file knows of.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.errors import IndexUnavailable

FIRST = "index"
"""The name of the first index of a data folder."""


@dataclass(frozen=True, slots=True)
class Roster:
    """`serving` is the name of the index that answers, `model_path` the folder of its embedding model as it was set.

    `model_path` is None where nobody wrote it down, and empty for the model that is installed with the appliance.
    `languages` are those that the model reads, none if it reads all; None where nobody wrote them down.
    `spare` are the names of all other indexes there may be.
    """

    serving: str = FIRST
    model_path: str | None = None
    spare: tuple[str, ...] = ()
    languages: tuple[str, ...] | None = None


def name_for(model_id: str) -> str:
    """The name of the index that is built with a model after the first one."""
    return f"{FIRST}-{hashlib.sha256(model_id.encode()).hexdigest()[:12]}"


def read_roster(path: Path) -> Roster:
    """What the file says; without a file there is the first index. Raises IndexUnavailable."""
    try:
        found = json.loads(path.read_text("utf-8"))
        languages = found.get("languages")  # which an older release did not write
        return Roster(
            str(found["serving"]),
            found["model_path"],
            tuple(map(str, found["spare"])),
            None if languages is None else tuple(map(str, languages)),
        )
    except FileNotFoundError:
        return Roster()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexUnavailable(f"{path} cannot be read: restore it from the backup.") from error


def write_roster(path: Path, roster: Roster) -> None:
    """Replace the file. Raises IndexUnavailable."""
    try:
        write_whole(path, json.dumps(asdict(roster)))
    except OSError as error:
        raise IndexUnavailable(
            f"{path} cannot be written ({error.strerror}): check the disk's space and the folder's permissions."
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, also across a power cut. Raises OSError."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
