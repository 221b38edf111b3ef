"""How the log lets go of content whose keys were destroyed, so that it still verifies.

Rules this module keeps:

1. Only payloads change, and only to nothing: heads and tree stay, so every root and every checkpoint stays what it was.
   A ciphertext without its key says nothing, but a copy of the key may be found one day; and entries of before there
   were keys can be erased in no other way.
2. The entries that hold nothing are named, all of them together, by a hash in the entry that says so. Both happen in
   one transaction, the only one in which the triggers are set aside.
3. The keys' epoch that an erasure reached stands in its head. Keys of an earlier one come from a backup of before.
4. What was emptied is cleared away in the database, as far as that can be done (`Connection.clear_away`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.audit import canonical
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.entries import ContentErased
from appliance.audit.keys import Holding, Keyring
from appliance.audit.records import ERASED
from appliance.audit.store import Connection
from appliance.errors import AuditBroken, AuditUnavailable

_COUNT = "SELECT count(*) FROM payloads"
_EMPTY = "UPDATE payloads SET payload = ?"
# What nobody did has no actor in heads of before there were keys: as two conditions, so that both use the index.
_OF = """
    WHERE length(payload) > 0 AND seq IN (
        SELECT seq FROM heads WHERE (actor = ? OR (? = '' AND actor IS NULL)) AND substr(time, 1, 7) = ?
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


def digest(connection: Connection) -> str:
    """The hash over the numbers of all entries that hold nothing."""
    found = Digest()
    for (seq,) in connection.stream("SELECT seq FROM payloads WHERE length(payload) = 0 ORDER BY seq"):
        found.add(seq)
    return found.hexdigest()


def plain_holdings(connection: Connection) -> Iterator[Holding]:
    """What stands in the log in plain text, of before there were keys: there the account id is the name.

    Raises:
        AuditBroken: A head was altered.
    """
    found: set[tuple[str, str]] = set()
    rows = connection.stream(
        "SELECT heads.seq, heads.head, heads.actor, substr(heads.time, 1, 7), length(payloads.payload) FROM heads "
        "JOIN payloads ON payloads.seq = heads.seq ORDER BY heads.seq"
    )
    for seq, head, actor, month, size in rows:
        if number_in(seq, head, "v") != 1:
            break  # all that come later are sealed
        if size:
            found.add((str(month), str(actor or "")))
    yield from (Holding(actor, month, actor) for month, actor in sorted(found))


def count(connection: Connection, holdings: Iterable[Holding]) -> int:
    """How many entries hold something of these."""
    named = ((held.actor, held.actor, held.month) for held in holdings)
    return sum(connection.execute(f"{_COUNT} {_OF}", values).fetchone()[0] for values in named)


def empty(connection: Connection, doomed: Sequence[tuple[str, str]]) -> int:
    """Empty the entries of these names and months; how many there were. Inside a transaction."""
    with connection.emptying():
        named = ((ERASED, actor, actor, month) for actor, month in doomed)
        return sum(connection.execute(f"{_EMPTY} {_OF}", values).rowcount for values in named)


def is_sealed(connection: Connection) -> bool:
    """Whether the log has entries that cannot be read without keys.

    Raises:
        AuditBroken: The last head was altered.
    """
    row = connection.execute("SELECT seq, head FROM heads ORDER BY seq DESC LIMIT 1").fetchone()
    return row is not None and number_in(row[0], row[1], "v") != 1


def require_current(connection: Connection, ring: Keyring) -> None:
    """Refuse keys that come from a backup of before an erasure.

    Raises:
        AuditUnavailable: They do.
        AuditBroken: The head that says which epoch was reached was altered.
    """
    row = connection.execute(
        "SELECT seq, head FROM heads WHERE type = ? ORDER BY seq DESC LIMIT 1", (ContentErased.type,)
    ).fetchone()
    if row is not None and ring.epoch() < number_in(row[0], row[1], "key_epoch"):
        raise AuditUnavailable(
            "The keys of the query log come from a backup of before an erasure. Restore one that was made after it; "
            "docs/operations/data-protection.md says what to do without one. Nothing is answered until then."
        )


def number_in(seq: int, head: bytes, field: str) -> int:
    """A number that stands in a head.

    Raises:
        AuditBroken: It does not.
    """
    try:
        return int(canonical.from_bytes(head)[field])
    except (ValueError, KeyError, TypeError) as error:
        raise AuditBroken(f"Entry {seq} was altered. Run the verification.", seq) from error
