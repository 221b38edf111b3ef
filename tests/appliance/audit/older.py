"""A log as the releases of before keys wrote it: heads with identifiers, payloads in plain text."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from appliance.audit import canonical, checkpoint, entries, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.checkpoint import latest_path as checkpoint_path
from appliance.audit.entries import Entry
from appliance.audit.records import to_text
from appliance.audit.store import Store, store_of


def write(place: Path | Store, written: Sequence[Entry]) -> Checkpoint:
    """Make a log of these entries at a place, with its checkpoint beside it."""
    frontier, store = tree.Frontier(), store_of(place)
    with (
        contextlib.closing(store.open_to_append()) as connection,
        connection.transaction(),
    ):
        for seq, entry in enumerate(written):
            identifiers, content = entries.split(entry)
            payload = canonical.to_bytes({"content": content, "salt": "5a" * 32})
            head = canonical.to_bytes(
                {
                    "v": 1,
                    "seq": seq,
                    "type": entry.type,
                    "time": to_text(datetime(2026, 1, 31, 12, seq, tzinfo=UTC)),
                    "boot_id": "b1",
                    "monotonic_us": seq,
                    "payload_sha256": hashlib.sha256(payload).hexdigest(),
                    **identifiers,
                }
            )
            connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (seq, head))
            connection.execute("INSERT INTO payloads (seq, payload) VALUES (?, ?)", (seq, payload))
            for node in frontier.append(tree.leaf_hash(head)):
                connection.execute("INSERT INTO nodes VALUES (?, ?, ?)", (node.level, node.index, node.hash))
    then = Checkpoint(ORIGIN, frontier.size, frontier.root())
    checkpoint.write(checkpoint_path(store.path), then)
    return then
