"""Checkpoints: what the whole log was at one moment, in three lines of text.

The text is the body of a C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint):

    strongroom/query-log
    1200
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

the name of the log (its origin), the number of entries, the base64 root of the tree over them. A copy kept where nobody
who can write the log can reach it makes a cut, an exchange or a rewriting of the log visible. Signed, it is a note
(`note`).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from pathlib import Path

from appliance.audit.tree import EMPTY_ROOT, HASH_BYTES
from appliance.errors import AuditBroken

ORIGIN = "strongroom/query-log"

_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_ORIGIN = re.compile("[!-*,-~]{1,255}")  # printable, no space and no plus sign: both mean something in a signed note
_MAX_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The size of a log and the root over that many entries."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


def parse(text: str) -> Checkpoint:
    """The checkpoint a text holds. Only what `Checkpoint.text` writes is read: one checkpoint has one text.

    Raises:
        AuditBroken: The text is anything else.
    """
    lines = text[:_MAX_CHARACTERS].split("\n")
    if len(text) > _MAX_CHARACTERS or len(lines) != 4 or lines[3] or not _ORIGIN.fullmatch(lines[0]):
        raise _malformed("it is not three lines, each ended by a line feed, with the name of the log first")
    if not _SIZE.fullmatch(lines[1]):
        raise _malformed("its second line is not a plain number of entries")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("its third line is not base64") from error
    if len(root) != HASH_BYTES:
        raise _malformed("its third line is not a SHA-256 hash")
    checkpoint = Checkpoint(lines[0], int(lines[1]), root)
    if checkpoint.text() != text or (checkpoint.size == 0 and root != EMPTY_ROOT):
        raise _malformed("its third line is not the root it should be")
    return checkpoint


def latest_path(log: Path) -> Path:
    """Where the latest checkpoint of a log is kept."""
    return log.parent / "checkpoints" / f"{log.stem}.txt"


def read(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None when there is no such file.

    Raises:
        AuditBroken: The file does not hold a checkpoint.
        OSError: The file cannot be read.
    """
    try:
        return parse(path.read_bytes().decode("ascii"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _malformed("it is not plain text") from error


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in the place of the one in a file: whole or not at all, and on disk when this returns.

    Two writers must not do this at once: the log calls it inside its own write lock.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    put(path, checkpoint.text().encode("ascii"))


def put(path: Path, data: bytes) -> None:
    """Put a file in the place of another: whole or not at all, and on disk when this returns.

    Raises:
        OSError: It cannot be written.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _malformed(reason: str) -> AuditBroken:
    return AuditBroken(f"A checkpoint of the query log cannot be used: {reason}. Take another copy of it.")
