"""A copy of the log, or of some entries, that proves itself.

An export is lines of JSON. The first names the format and holds the checkpoint the rest is checked against; then comes
one line for each entry in the order of `seq`, with head and content as the very text that was hashed, the content null
where its key is gone or it was not asked for. A complete export has every entry, and its tree is built again; a partial
one has a proof of inclusion for each entry. Reading one needs the standard library, this module, `tree` and
`checkpoint`.

A checkpoint inside an export is whatever the exporting machine said. Compare it with one that was carried out before.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.audit import canonical, tree
from appliance.audit.checkpoint import Checkpoint, parse
from appliance.errors import AuditBroken, InvalidRequest

FORMAT = "strongroom-log-export/2"


@dataclass(frozen=True, slots=True)
class VerifiedExport:
    """An export that holds together: the log it is from, how many entries it has, and whether those are all.

    Of the entries `without_content` it proves that they are in the log and who has the key to them, and nothing more.
    """

    checkpoint: Checkpoint
    entries: int
    complete: bool
    without_content: int


def header(checkpoint: Checkpoint, *, complete: bool) -> str:
    """The first line of an export."""
    return _line({"format": FORMAT, "complete": complete, "checkpoint": checkpoint.text()})


def line(seq: int, head: bytes, content: bytes | None, proof: Sequence[bytes] | None) -> str:
    """The line of one entry, with its proof in a partial export.

    Raises:
        AuditBroken: Head or content is not text, so the log never wrote it.
    """
    try:
        entry: dict[str, Any] = {"seq": seq, "head": head.decode("utf-8"), "content": None}
        if content is not None:
            entry["content"] = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AuditBroken(f"Entry {seq} was not written by the appliance. Run the verification.", seq) from error
    if proof is not None:
        entry["proof"] = [base64.b64encode(part).decode("ascii") for part in proof]
    return _line(entry)


def verify_export(lines: Iterable[str], checkpoint: Checkpoint | None = None) -> VerifiedExport:
    """Check an export by itself, and against a checkpoint that was carried out before.

    Args:
        lines: The lines, with or without their line feeds.
        checkpoint: A carried checkpoint. A complete export may be longer than it; a partial one must be of that size.

    Raises:
        AuditBroken: Something was changed, is missing or is too much.
        InvalidRequest: A partial export cannot be compared with a checkpoint of another size.
    """
    rest = iter(lines)
    first = _parsed(next(rest, ""), None)
    if first.get("format") != FORMAT or not isinstance(first.get("complete"), bool):
        raise AuditBroken(f"This is not a log export of the form {FORMAT}. Export it again.")
    own = parse(str(first.get("checkpoint")))
    count = _Count()
    if first["complete"]:
        _verify_complete(rest, own, checkpoint, count)
        return VerifiedExport(own, count.entries, True, count.without_content)
    if checkpoint is not None and checkpoint.size != own.size:
        raise InvalidRequest(
            f"The export is of a log of {own.size} entries and the checkpoint of {checkpoint.size}; a part of a log is "
            "only comparable at the same size. Use a complete export."
        )
    if checkpoint is not None and checkpoint != own:
        raise _not_the_log(checkpoint)
    _verify_partial(rest, own, count)
    return VerifiedExport(own, count.entries, False, count.without_content)


@dataclass(slots=True)
class _Count:
    entries: int = 0
    without_content: int = 0

    def add(self, entry: dict[str, Any]) -> None:
        self.entries += 1
        self.without_content += entry["content"] is None


def _verify_complete(lines: Iterable[str], own: Checkpoint, carried: Checkpoint | None, count: _Count) -> None:
    frontier = tree.Frontier()
    expected = [checkpoint for checkpoint in (own, carried) if checkpoint is not None]
    _compare(frontier, expected)
    for text in lines:
        entry = _parsed(text, frontier.size)
        frontier.append(_leaf(entry, frontier.size))
        count.add(entry)
        _compare(frontier, expected)
    for checkpoint in expected:
        if checkpoint.size > frontier.size or checkpoint.origin != own.origin:
            raise AuditBroken(
                f"The export ends after {frontier.size} entries; a checkpoint of '{checkpoint.origin}' tells of "
                f"{checkpoint.size}. Export it again, and verify the log itself.",
                frontier.size,
            )
    if frontier.size != own.size:
        raise AuditBroken(f"The export has entries that its checkpoint of {own.size} does not cover.", own.size)


def _compare(frontier: tree.Frontier, checkpoints: Iterable[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        if checkpoint.size == frontier.size and checkpoint.root != frontier.root():
            raise _not_the_log(checkpoint)


def _verify_partial(lines: Iterable[str], own: Checkpoint, count: _Count) -> None:
    last = -1
    for text in lines:
        entry = _parsed(text, None)
        seq = entry.get("seq")
        if not isinstance(seq, int) or seq <= last:
            raise AuditBroken("The entries of the export are not in order. Export it again.", last + 1)
        if not tree.verify_inclusion(seq, own.size, _leaf(entry, seq), _proof(entry, seq), own.root):
            raise AuditBroken(f"Entry {seq} of the export is not in the log it claims to be from.", seq)
        count.add(entry)
        last = seq


def _leaf(entry: dict[str, Any], seq: int) -> bytes:
    """The leaf hash of an exported entry, once head and content agree with each other and with `seq`."""
    head = entry.get("head")
    if entry.get("seq") != seq or not isinstance(head, str) or not isinstance(entry.get("content", 0), str | None):
        raise AuditBroken(f"Entry {seq} is missing from the export, or is not whole. Export it again.", seq)
    try:
        facts = canonical.from_bytes(head.encode("utf-8"))
        fits = entry["content"] is None or _is_content_of(facts, entry["content"].encode("utf-8"))
    except ValueError as error:
        raise AuditBroken(f"Entry {seq} of the export cannot be read. Export it again.", seq) from error
    if facts.get("seq") != seq or not fits:
        raise AuditBroken(f"Entry {seq} of the export was altered. Export it again, and verify the log itself.", seq)
    return tree.leaf_hash(head.encode("utf-8"))


def _is_content_of(facts: dict[str, Any], content: bytes) -> bool:
    expected = facts.get("payload_sha256" if facts.get("v") == 1 else "content_sha256")
    return bool(expected == hashlib.sha256(content).hexdigest())


def _proof(entry: dict[str, Any], seq: int) -> list[bytes]:
    try:
        return [base64.b64decode(part, validate=True) for part in entry["proof"]]
    except (KeyError, TypeError, ValueError) as error:
        raise AuditBroken(f"Entry {seq} of the export has no proof. Export it again.", seq) from error


def _parsed(text: str, seq: int | None) -> dict[str, Any]:
    try:
        return canonical.from_bytes(text.encode("utf-8"))
    except ValueError as error:
        raise AuditBroken("A line of the export cannot be read. Export it again.", seq) from error


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _not_the_log(checkpoint: Checkpoint) -> AuditBroken:
    return AuditBroken(
        f"The export is not of the log whose checkpoint has {checkpoint.size} entries: it was altered, or it is of "
        "another log. Keep it, and verify the log itself."
    )
