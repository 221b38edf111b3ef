"""The signed checkpoints of a log, what witnesses cosigned, and the keys to check both with, as files beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.audit import checkpoint, note
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.note import Kind, VerifierKey
from appliance.audit.sqlite import our_errors
from appliance.errors import AuditBroken, InvalidRequest

_END = "\f\n"
"""What stands after each note: nothing that can be in one."""

_TAIL_BYTES = 65_536  # more than any note has


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a log to check it with: signed checkpoints, cosigned ones among them, and public keys."""

    notes: tuple[str, ...]
    key: str
    witnesses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a witness vouches for: that by `time` it had seen the log grow to `size` entries."""

    name: str
    size: int
    time: datetime


def notes_path(log: Path) -> Path:
    """Where the signed checkpoints of a log are kept."""
    return log.parent / "checkpoints" / f"{log.stem}.signed.txt"


def cosigned_path(log: Path) -> Path:
    """Where those checkpoints are kept that came back from witnesses."""
    return log.parent / "checkpoints" / f"{log.stem}.cosigned.txt"


def key_path(log: Path) -> Path:
    """Where the public key of the signer is kept."""
    return log.parent / "checkpoints" / f"{log.stem}.signer.txt"


def witnesses_path(log: Path) -> Path:
    """Where the public keys of the witnesses are kept, one a line."""
    return log.parent / "checkpoints" / f"{log.stem}.witnesses.txt"


def signed_notes(log: Path) -> list[str]:
    """Every signed checkpoint of a log, the oldest first, as text.

    Raises:
        AuditUnavailable: They cannot be read.
    """
    return _notes(notes_path(log))


def cosigned_notes(log: Path) -> list[str]:
    """Every checkpoint that a witness cosigned, the oldest first, as text.

    Raises:
        AuditUnavailable: They cannot be read.
    """
    return _notes(cosigned_path(log))


def witnesses(log: Path) -> list[VerifierKey]:
    """The public keys of the witnesses of a log.

    Raises:
        AuditBroken: One of them is not a key.
        AuditUnavailable: They cannot be read.
    """
    path = witnesses_path(log)
    with our_errors(path):
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [note.verifier_key(line, Kind.WITNESS) for line in lines]


def beside(log: Path) -> Beside:
    """Everything that goes into an export.

    Raises:
        AuditBroken, AuditUnavailable: As above.
    """
    keys = tuple(witness.text() for witness in witnesses(log))
    return Beside((*signed_notes(log), *cosigned_notes(log)), public_key(log), keys)


def signed_checkpoints(log: Path) -> list[Checkpoint]:
    """Every signed checkpoint of a log, the oldest first.

    Raises:
        AuditBroken: One of them was not signed with the key of the signer.
        AuditUnavailable: They cannot be read.
    """
    return _opened(log, signed_notes(log))


def last_cosigned(log: Path) -> list[Cosigned]:
    """What each witness vouches for last, of those that vouched for anything.

    Raises:
        AuditBroken: A cosignature is forged.
        AuditUnavailable: They cannot be read.
    """
    notes = cosigned_notes(log)
    sizes = [found.size for found in _opened(log, notes)]
    last = []
    for witness in witnesses(log):
        found = [
            (size, time)
            for size, text in zip(sizes, notes, strict=True)
            for time in note.cosigned_at(text, witness)
        ]  # fmt: skip
        if found:
            last.append(Cosigned(witness.name, *max(found)))
    return last


def keep(log: Path, text: str) -> None:
    """Put a signed checkpoint behind the others, unless it is the last one already."""
    _keep(notes_path(log), text)


def keep_cosigned(log: Path, text: str, key: str = "") -> Cosigned:
    """Keep a checkpoint that came back from a witness, and its public key when it is the first one.

    Raises:
        AuditBroken: It was not signed here, or a cosignature is forged.
        InvalidRequest: No witness that is known cosigned it.
        AuditUnavailable: It cannot be read or written.
    """
    [found] = _opened(log, [text])
    if found not in signed_checkpoints(log):
        raise AuditBroken(
            "The checkpoint that came back is not among those that were signed here. Keep it, and ask why."
        )
    known = witnesses(log)
    new = [fresh for fresh in ([note.verifier_key(key, Kind.WITNESS)] if key else []) if fresh not in known]
    vouching = [(time, witness) for witness in (*known, *new) for time in note.cosigned_at(text, witness)]
    if not vouching:
        raise InvalidRequest("No witness whose key is known cosigned this checkpoint. Name its key with --witness-key.")
    with our_errors(cosigned_path(log)):
        if new:
            lines = "".join(f"{witness.text()}\n" for witness in (*known, *new))
            checkpoint.put(witnesses_path(log), lines.encode())
        _keep(cosigned_path(log), text)
    time, witness = max(vouching, key=lambda vouched: vouched[0])
    return Cosigned(witness.name, found.size, time)


def public_key(log: Path) -> str:
    """The public key of the signer as one line; empty before there was one.

    Raises:
        AuditUnavailable: It cannot be read.
    """
    path = key_path(log)
    with our_errors(path):
        return path.read_text("utf-8").strip() if path.exists() else ""


def checked(
    log: Path, carried: Sequence[str] = (), key: str = "", witness_keys: Sequence[str] = ()
) -> list[Checkpoint]:
    """All checkpoints a log must contain: its latest, those that were signed, and those carried out before, as text.

    Args:
        log: The log they are of.
        carried: Texts of checkpoints from elsewhere, signed or not. Signed ones must be among those kept here too.
        key: The public key of the signer, from elsewhere.
        witness_keys: Public keys of witnesses, from elsewhere. Each of them has cosigned a checkpoint.

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
    last_cosigned(log)  # for what it raises
    _check_vouching(log, witness_keys)
    kept = [*signed_checkpoints(log), *_opened(log, cosigned_notes(log))]
    signed = _opened(log, [text for text in carried if "\n\n" in text])
    if not set(signed) <= set(kept):  # the latest is not among them: nobody signed that file
        raise AuditBroken("A signed checkpoint that was carried out is not kept beside the log: it was removed.")
    unsigned = [checkpoint.parse(text) for text in carried if "\n\n" not in text]
    return [*([latest] if latest else []), *kept, *unsigned, *signed]


def _check_vouching(log: Path, witness_keys: Sequence[str]) -> None:
    notes = cosigned_notes(log)
    for witness in (note.verifier_key(text, Kind.WITNESS) for text in witness_keys):
        if not any(note.cosigned_at(text, witness) for text in notes):
            raise AuditBroken(
                f"No checkpoint beside the log is cosigned by the witness '{witness.name}': they were removed."
            )


def _notes(path: Path) -> list[str]:
    with our_errors(path):
        return path.read_text("utf-8").split(_END)[:-1] if path.exists() else []


def _opened(log: Path, notes: Sequence[str]) -> list[Checkpoint]:
    if not notes:
        return []
    if not key_path(log).exists():
        raise AuditBroken(f"The public key {key_path(log)} of the signer is gone. Put a copy in its place.")
    key = note.verifier_key(key_path(log).read_text("utf-8"))
    return [checkpoint.parse(note.opened(text, key)) for text in notes]


def _keep(path: Path, text: str) -> None:
    """Put a note behind the others, unless it is the last one already. What a crash left half written goes."""
    fresh = f"{text}{_END}".encode()
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        whole = tail[: tail.rfind(_END.encode()) + len(_END)] if _END.encode() in tail else b""
        file.truncate(start + len(whole))
        if not whole.endswith(fresh):
            file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
