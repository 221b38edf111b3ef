"""How the log lets go of content whose keys were destroyed, so that it still verifies.

Rules this module keeps:

1. Only payloads change, and only to nothing: heads and tree stay, so every root and every checkpoint stays what it was.
   A ciphertext without its key says nothing, but a copy of the key may be found one day; and entries of before there
   were keys can be erased in no other way.
2. The entries that hold nothing are named, all of them together, by a hash in the entry that says so. Both happen in
   one transaction, the only one in which the triggers are set aside.
3. The keys' epoch that an erasure reached stands in its head. Keys of an earlier one come from a backup of before.
4. What was emptied is overwritten in the file, and the write-ahead log is emptied after it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.audit import canonical, database
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.entries import ContentErased
from appliance.audit.keys import Holding, Keyring
from appliance.errors import AuditBroken, AuditUnavailable

_COUNT = "SELECT count(*) FROM payloads"
_EMPTY = "UPDATE payloads SET payload = x''"
# What nobody did has no actor in heads of before there were keys: as two conditions, so that both use the index.
_OF = """
    WHERE length(payload) > 0 AND seq IN (
        SELECT seq FROM heads WHERE (actor = ?1 OR (?1 = '' AND actor IS NULL)) AND substr(time, 1, 7) = ?2
    )
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: how many entries, of which months, the entry that says so, and the log before and after."""

    entries: int
    months: tuple[str, ...]
    seq: int
    before: Checkpoint
    after: Checkpoint


class Digest:
    """The hash over the numbers of the entries that hold nothing, taken in ascending order."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._hash = hashlib.sha256()

    def add(self, seq: int) -> None:
        """Take in the next number."""
        self._hash.update(b"%d\n" % seq)
        self.last = seq

    def hexdigest(self) -> str:
        """The hash over the numbers so far."""
        return self._hash.hexdigest()


def digest(connection: sqlite3.Connection) -> str:
    """The hash over the numbers of all entries that hold nothing."""
    found = Digest()
    for (seq,) in connection.execute("SELECT seq FROM payloads WHERE length(payload) = 0 ORDER BY seq"):
        found.add(seq)
    return found.hexdigest()


def plain_holdings(connection: sqlite3.Connection) -> Iterator[Holding]:
    """What stands in the log in plain text, of before there were keys: there the account id is the name.

    Raises:
        AuditBroken: A head was altered.
    """
    found: set[tuple[str, str]] = set()
    rows = connection.execute(
        "SELECT heads.seq, heads.head, heads.actor, substr(heads.time, 1, 7), length(payloads.payload) FROM heads "
        "JOIN payloads ON payloads.seq = heads.seq ORDER BY heads.seq"
    )
    for seq, head, actor, month, size in rows:
        if _number(seq, head, "v") != 1:
            break  # all that come later are sealed
        if size:
            found.add((str(month), str(actor or "")))
    yield from (Holding(actor, month, actor) for month, actor in sorted(found))


def count(connection: sqlite3.Connection, holdings: Iterable[Holding]) -> int:
    """How many entries hold something of these."""
    return sum(connection.execute(f"{_COUNT} {_OF}", (held.actor, held.month)).fetchone()[0] for held in holdings)


def empty(connection: sqlite3.Connection, doomed: Sequence[tuple[str, str]]) -> int:
    """Empty the entries of these names and months; how many there were. Inside a transaction."""
    connection.execute("DROP TRIGGER IF EXISTS payloads_no_update")
    emptied = sum(connection.execute(f"{_EMPTY} {_OF}", pair).rowcount for pair in doomed)
    database.make_triggers(connection)
    return emptied


def clear_side_files(connection: sqlite3.Connection) -> None:
    """Move everything from the write-ahead log to the file and empty it.

    Raises:
        AuditUnavailable: Somebody is reading the log for longer than is waited for.
    """
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise AuditUnavailable(
            "The query log is being read, so what was erased may still stand in its side file. Repeat the erasure "
            "when nobody reads or exports the log; the next start completes it too."
        )


def require_current(connection: sqlite3.Connection, ring: Keyring) -> None:
    """Refuse keys that come from a backup of before an erasure.

    Raises:
        AuditUnavailable: They do.
        AuditBroken: The head that says which epoch was reached was altered.
    """
    row = connection.execute(
        "SELECT seq, head FROM heads WHERE type = ? ORDER BY seq DESC LIMIT 1", (ContentErased.type,)
    ).fetchone()
    if row is not None and ring.epoch() < _number(row[0], row[1], "key_epoch"):
        raise AuditUnavailable(
            "The keys of the query log come from a backup of before an erasure. Restore one that was made after it; "
            "docs/operations/data-protection.md says what to do without one. Nothing is answered until then."
        )


def _number(seq: int, head: bytes, field: str) -> int:
    """A number that stands in a head.

    Raises:
        AuditBroken: It does not.
    """
    try:
        return int(canonical.from_bytes(head)[field])
    except (ValueError, KeyError, TypeError) as error:
        raise AuditBroken(f"Entry {seq} was altered. Run the verification.", seq) from error
