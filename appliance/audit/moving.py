"""Moving a log to another place: every row as it is, so that tree, proofs and checkpoints stay what they are."""

from __future__ import annotations

import contextlib

from appliance.audit import store
from appliance.audit.signatures import checked
from appliance.audit.store import Store
from appliance.audit.verify import Verified, verify
from appliance.errors import Conflict

_ROWS = (
    ("SELECT seq, head FROM heads ORDER BY seq", "INSERT INTO heads (seq, head) VALUES (?, ?)"),
    ("SELECT seq, payload FROM payloads ORDER BY seq", "INSERT INTO payloads (seq, payload) VALUES (?, ?)"),
    ("SELECT level, idx, hash FROM nodes ORDER BY level, idx", "INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)"),
)


def copy(source: Store, target: Store) -> Verified:
    """Copy a log to where there is none. It is verified before and after, with all checkpoints beside it.

    Nobody can append to either meanwhile.

    Raises:
        Conflict: There is a log already.
        AuditBroken: The log does not verify. If it did not before, nothing was copied.
        AuditUnavailable: One of the two cannot be read or written; nothing was copied.
    """
    verify(source, *checked(source.path))
    with (
        source.errors(),
        target.errors(),
        contextlib.closing(source.open_to_append()) as old,
        old.transaction(),
        contextlib.closing(target.open_to_append()) as new,
        new.transaction(),
    ):
        if store.size(new):
            raise Conflict(f"There is a query log {target} already. Name an empty database.")
        for read, write in _ROWS:
            new.executemany(write, old.stream(read))
    return verify(target, *checked(source.path))
