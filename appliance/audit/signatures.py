"""The signed checkpoints of a log and the key to check them with, as files beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from appliance.audit import checkpoint, note
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.database import our_errors
from appliance.errors import AuditBroken

_END = "\f\n"
"""What stands after each note: nothing that can be in one."""

_TAIL_BYTES = 65_536  # more than any note has


def notes_path(log: Path) -> Path:
    """Where the signed checkpoints of a log are kept."""
    return log.parent / "checkpoints" / f"{log.stem}.signed.txt"


def key_path(log: Path) -> Path:
    """Where the public key of the signer is kept."""
    return log.parent / "checkpoints" / f"{log.stem}.signer.txt"


def signed_notes(log: Path) -> list[str]:
    """Every signed checkpoint of a log, the oldest first, as text.

    Raises:
        AuditUnavailable: They cannot be read.
    """
    path = notes_path(log)
    with our_errors(path):
        return path.read_text("utf-8").split(_END)[:-1] if path.exists() else []


def signed_checkpoints(log: Path) -> list[Checkpoint]:
    """Every signed checkpoint of a log, the oldest first.

    Raises:
        AuditBroken: One of them was not signed with the key of the signer.
        AuditUnavailable: They cannot be read.
    """
    notes = signed_notes(log)
    if not notes:
        return []
    if not key_path(log).exists():
        raise AuditBroken(f"The public key {key_path(log)} of the signer is gone. Put a copy in its place.")
    key = note.verifier_key(key_path(log).read_text("utf-8"))
    return [checkpoint.parse(note.opened(text, key)) for text in notes]


def keep(log: Path, text: str) -> None:
    """Put a note behind the others, unless it is the last one already. What a crash left half written goes."""
    fresh = f"{text}{_END}".encode()
    with notes_path(log).open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        whole = tail[: tail.rfind(_END.encode()) + len(_END)] if _END.encode() in tail else b""
        file.truncate(start + len(whole))
        if not whole.endswith(fresh):
            file.write(fresh)
        file.flush()
        os.fsync(file.fileno())


def public_key(log: Path) -> str:
    """The public key of the signer as one line; empty before there was one.

    Raises:
        AuditUnavailable: It cannot be read.
    """
    path = key_path(log)
    with our_errors(path):
        return path.read_text("utf-8").strip() if path.exists() else ""


def checked(log: Path, carried: Sequence[str] = (), key: str = "") -> list[Checkpoint]:
    """All checkpoints a log must contain: its latest, those that were signed, and those carried out before, as text.

    Args:
        log: The log they are of.
        carried: Texts of checkpoints from elsewhere, signed or not. Signed ones must be among those kept here too.
        key: The public key of the signer, from elsewhere.

    Raises:
        AuditBroken: One is forged, or was removed here.
        AuditUnavailable: They cannot be read.
    """
    path = checkpoint.latest_path(log)
    with our_errors(path):
        latest = checkpoint.read(path)
    if key and note.verifier_key(key).text() != public_key(log):
        raise AuditBroken(
            f"The public key {key_path(log)} is not the one that was carried out. Find out who changed it."
        )
    found = [*([latest] if latest else []), *signed_checkpoints(log)]
    for text in carried:
        if "\n\n" not in text:
            found.append(checkpoint.parse(text))
            continue
        signed = checkpoint.parse(note.opened(text, note.verifier_key(public_key(log))))
        if signed not in found:
            raise AuditBroken("A signed checkpoint that was carried out is not kept beside the log: it was removed.")
        found.append(signed)
    return found
