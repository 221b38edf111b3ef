"""A copy of the log, or of some entries, that proves itself.

An export is lines of JSON. The first names the format and holds the checkpoint the rest is checked against; then comes
one line for each entry in the order of `seq`, with head and content as the very text that was hashed, the content null
where it was not asked for. Where it was and is not there, the line says `without`: "erased", or "key" if its key is
gone; the verifier believes that only of what the log itself says was erased. A complete export has every entry, and its
tree is built again; a partial one has a proof of inclusion for each entry. `verifier` checks it, anywhere.

The first line also holds the signed checkpoints of the log and the public keys of the signer and of the witnesses, as
the exporting machine has them. Compare them with those that were carried out before.

What is erased while an export is read goes into it without its content: it is of the size that the log had, and holds
what was there when each page was read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance.audit import checkpoint, note, records, signatures, store, tree
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.keys import Keyring
from appliance.audit.search import SELECT, Row
from appliance.audit.signatures import Beside
from appliance.audit.store import Connection
from appliance.audit.verifier import FORMAT
from appliance.errors import AuditBroken, NotFound

_ERASED, _KEYLESS = "erased", "key"
_PAGE_ENTRIES = 500
_PAGE_BYTES = 2_000_000
"""When a page ends: entries hold some KB each, and a few of them a hundred."""


def header(checkpoint: Checkpoint, *, complete: bool, beside: Beside) -> str:
    """The first line of an export."""
    return _line({"format": FORMAT, "complete": complete, "checkpoint": checkpoint.text(), **asdict(beside)})


def beside(log: Path, under: str) -> Beside:
    """What an export is checked with: everything beside the log, or the one signed checkpoint its proofs lead to."""
    return Beside((under,), signatures.public_key(log), ()) if under else signatures.beside(log)


def of_this_log(signed: str, key: str, nodes: tree.NodeHash) -> Checkpoint:
    """The checkpoint in a signed note, once it is sure that the log contains it.

    Raises:
        AuditBroken: It does not, or the note is forged.
    """
    found = checkpoint.parse(note.opened(signed, note.verifier_key(key)))
    if tree.root(found.size, nodes) != found.root:
        raise AuditBroken(f"The log does not contain the signed checkpoint of {found.size} entries. Verify it.")
    return found


def page(
    connection: Connection,
    ring: Keyring | None,
    wanted: Sequence[int],
    proved_by: Checkpoint | None,
    *,
    with_content: bool,
) -> list[str]:
    """The lines of the first of the entries wanted, as many as are read at once.

    Args:
        connection: Sees one state of the log.
        ring: The keys to what it holds.
        wanted: Numbers of entries in their order; without a gap where there is no `proved_by`.
        proved_by: The checkpoint that the proof of each leads to; None in a complete export.
        with_content: Whether what they hold goes along.

    Raises:
        NotFound: One of them is not in the log, or not covered by the checkpoint.
        AuditBroken: One is damaged or, of a complete export, missing.
    """
    nodes, lines, size_bytes = store.nodes(connection), list[str](), 0
    for row in _rows(connection, wanted[:_PAGE_ENTRIES], complete=proved_by is None):
        content, without = _exportable(row, ring)
        path = None if proved_by is None else _path(row[0], proved_by, nodes)
        held = (content, without) if with_content else (None, "")
        lines.append(line(row[0], row[1], *held, path))
        size_bytes += len(lines[-1])
        if size_bytes > _PAGE_BYTES:
            break
    return lines


def _rows(connection: Connection, wanted: Sequence[int], *, complete: bool) -> Iterator[Row]:
    if not complete:
        for seq in wanted:
            yield _row(connection, seq)
        return
    between = f"{SELECT} WHERE heads.seq >= ? AND heads.seq <= ? ORDER BY heads.seq"
    found = connection.stream(between, (wanted[0], wanted[-1]))
    for seq in wanted:
        row: Row | None = next(found, None)
        if row is None or row[0] != seq:
            raise AuditBroken(f"Entry {seq} is missing; the export is stopped. Run the verification.", seq)
        yield row


def _row(connection: Connection, seq: int) -> Row:
    row: Row | None = connection.execute(f"{SELECT} WHERE heads.seq = ?", (seq,)).fetchone()
    if row is None:
        raise NotFound(f"The query log has no entry {seq}.")
    return row


def line(seq: int, head: bytes, content: bytes | None, without: str, proof: Sequence[bytes] | None) -> str:
    """The line of one entry, with its proof in a partial export, and why it is `without` content, if it is.

    Raises:
        AuditBroken: Head or content is not text, so the log never wrote it.
    """
    try:
        entry: dict[str, Any] = {"seq": seq, "head": head.decode("utf-8"), "content": None}
        if content is not None:
            entry["content"] = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AuditBroken(f"Entry {seq} was not written by the appliance. Run the verification.", seq) from error
    if without:
        entry["without"] = without
    if proof is not None:
        entry["proof"] = [base64.b64encode(part).decode("ascii") for part in proof]
    return _line(entry)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _path(seq: int, shown: Checkpoint, nodes: tree.NodeHash) -> list[bytes]:
    if seq >= shown.size:
        raise NotFound(f"The checkpoint of {shown.size} entries does not cover entry {seq}.")
    return tree.inclusion_proof(seq, shown.size, nodes)


def _exportable(row: Row, ring: Keyring | None) -> tuple[bytes | None, str]:
    """The content of an entry, or None and why there is none."""
    seq, head, payload, leaf = row[:4]
    if payload == records.ERASED and tree.leaf_hash(head) == leaf:
        return None, _ERASED
    try:
        if payload is not None and records.is_intact(head, payload, leaf):
            content = records.content_of(head, payload, ring)
            return content, _KEYLESS if content is None else ""
    except (ValueError, KeyError) as error:
        raise _altered(seq) from error
    raise _altered(seq)


def _altered(seq: int) -> AuditBroken:
    return AuditBroken(f"Entry {seq} was altered; the export is stopped. Run the verification.", seq)
