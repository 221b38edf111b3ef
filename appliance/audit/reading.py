"""Reading the log: its entries, what they prove, and copies of them.

Rules this module keeps:

1. Reading shows an entry's content only if its bytes are those the tree was built over.
2. Each reading has connections of its own that see one state of the log, so it never holds up an answer. A copy is read
   a page at a time, up to the size that the log had: however slowly it is fetched, it holds nothing open meanwhile.
3. Keys from before an erasure are not used: the log is not read with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.audit import erasing, export, keys, records, search, store, tree
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.entries import QuestionReceived
from appliance.audit.keys import Holding, Key, Keyring
from appliance.audit.outline import Outline, outline
from appliance.audit.records import LogFilter, QueryRecord, Recorded
from appliance.audit.search import SELECT, Found, Row
from appliance.audit.store import Connection, Store
from appliance.errors import AuditBroken, NotFound

# Two steps, so that the questions of everybody are not gone through for those of one person.
_ASKED = f"""{SELECT} WHERE heads.type = ? AND heads.seq IN (
    SELECT seq FROM heads WHERE actor = ? AND substr(time, 1, 7) = ?
)"""  # noqa: S608 - of constants
_WAS_ASKED = "SELECT 1 FROM heads WHERE query_id = ? AND type = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that an entry is part of the log under `checkpoint`, for `tree.verify_inclusion`."""

    seq: int
    leaf_hash: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


class LogReader:
    """Reads the log in a store. Any number of threads may share one."""

    def __init__(self, kept_in: Store, origin: str, patience_s: float) -> None:
        self.store = kept_in
        self.path = kept_in.path
        self._origin = origin
        self._patience_s = patience_s

    def size(self) -> int:
        """How many entries the log has."""
        with self._reading() as (connection, _):
            return store.size(connection)

    def root(self) -> bytes:
        """The root over all entries."""
        return self.checkpoint().root

    def checkpoint(self) -> Checkpoint:
        """Size and root as they are now: what to carry out of the house."""
        with self._reading() as (connection, _):
            return self._checkpoint_now(connection)

    def inclusion_proof(self, seq: int) -> Inclusion:
        """The proof that entry `seq` is in the log as it is now.

        Raises:
            NotFound: There is no such entry.
        """
        with self._reading() as (connection, _), complete_tree():
            current = self._checkpoint_now(connection)
            if not 0 <= seq < current.size:
                raise NotFound(f"The query log has no entry {seq}.")
            nodes = store.nodes(connection)
            return Inclusion(seq, nodes(0, seq), tuple(tree.inclusion_proof(seq, current.size, nodes)), current)

    def consistency_proof(self, old_size: int, size: int | None = None) -> tuple[tuple[bytes, ...], Checkpoint]:
        """The proof that the log of `old_size` entries is the beginning of that of `size`; with the checkpoint of that.

        Without `size` it is the log as it is now.

        Raises:
            NotFound: The log never had that many entries, or none then.
        """
        with self._reading() as (connection, _), complete_tree():
            current = self._checkpoint_now(connection)
            later = current.size if size is None else size
            if not 0 < old_size <= later <= current.size:
                raise NotFound(f"The query log has {current.size} entries; there is no proof from {old_size}.")
            nodes = store.nodes(connection)
            proof = tuple(tree.consistency_proof(old_size, later, nodes))
            return proof, Checkpoint(self._origin, later, tree.root(later, nodes))

    def entry(self, seq: int) -> Recorded:
        """Entry `seq`.

        Raises:
            NotFound: There is no such entry.
        """
        with self._reading() as (connection, ring):
            row = connection.execute(f"{SELECT} WHERE heads.seq = ?", (seq,)).fetchone()
            if row is None:
                raise NotFound(f"The query log has no entry {seq}.")
            return search.recorded(row, ring)

    def several(self, seqs: Sequence[int]) -> tuple[Recorded, ...]:
        """The entries of these numbers, in the order of the numbers. Those that are not there are left out."""
        with self._reading() as (connection, ring):
            rows = (connection.execute(f"{SELECT} WHERE heads.seq = ?", (seq,)).fetchone() for seq in sorted(seqs))
            return tuple(search.recorded(row, ring) for row in rows if row)

    def following(self, seq: int, type_name: str, limit: int) -> tuple[tuple[str, Recorded], ...]:
        """The first `limit` entries of a type behind entry `seq`, oldest first, each with the id of its question."""
        condition = "heads.type = ? AND heads.seq > ? ORDER BY heads.seq LIMIT ?"
        with self._reading() as (connection, ring):
            rows = connection.execute(f"{SELECT} WHERE {condition}", (type_name, seq, limit))
            return tuple((str(row[4] or ""), search.recorded(row, ring)) for row in rows)

    def about(self, query_id: str) -> tuple[Recorded, ...]:
        """Every entry that names a question: what became of it, who looked at it, how it was judged. Oldest first."""
        with self._reading() as (connection, ring):
            rows = connection.execute(f"{SELECT} WHERE heads.query_id = ? ORDER BY heads.seq", (query_id,))
            return tuple(search.recorded(row, ring) for row in rows)

    def entries(
        self, wanted: LogFilter = LogFilter(), *, limit: int = 50, before_seq: int | None = None
    ) -> tuple[Recorded, ...]:
        """The newest `limit` entries that match, newest first. Pass the last one's `seq` as `before_seq` for more."""
        found: list[Recorded] = []
        with self._reading() as (connection, ring):
            for row in _rows(connection, ring, wanted, before_seq):
                recorded = search.recorded(row, ring)
                if len(found) == limit:
                    break
                if records.entry_matches(recorded, wanted):
                    found.append(recorded)
        return tuple(found)

    def outlines(self, from_seq: int, *, limit: int) -> tuple[Outline, ...]:
        """What may be told outside of the next `limit` entries, from `from_seq` on, oldest first."""
        with self._reading() as (connection, ring):
            rows = connection.execute(f"{SELECT} WHERE heads.seq >= ? ORDER BY heads.seq LIMIT ?", (from_seq, limit))
            return tuple(outline(search.recorded(row, ring), row[1], row[3]) for row in rows)

    def queries(
        self, wanted: LogFilter = LogFilter(), *, limit: int = 50, before_seq: int | None = None
    ) -> tuple[QueryRecord, ...]:
        """The newest `limit` questions that match, each with its passages, answer and feedback, newest first.

        `wanted.type` is not looked at. Pass the last one's `asked.seq` as `before_seq` for more.
        """
        return self.search(wanted, limit=limit, before_seq=before_seq).queries

    def search(
        self, wanted: LogFilter, *, limit: int, before_seq: int | None = None, budget_s: float | None = None
    ) -> Found:
        """As `queries`, and how far it got by the time that `budget_s` was over."""
        with self._reading() as (connection, ring):
            return search.search(connection, ring, wanted, limit=limit, before_seq=before_seq, budget_s=budget_s)

    def query(self, query_id: str) -> QueryRecord:
        """Everything on record about one question.

        Raises:
            NotFound: No such question was ever recorded.
        """
        with self._reading() as (connection, ring):
            found = search.assembled(connection, ring, query_id)
        if found is None:
            raise NotFound("The query log has no question with this id. The id of a conversation is another one.")
        return found

    def asked_among(self, query_ids: Iterable[str]) -> frozenset[str]:
        """Those of some ids that are of questions on record, whether or not their words were erased since."""
        wanted = ((query_id, (query_id, QuestionReceived.type)) for query_id in query_ids)
        with self._reading() as (connection, _):
            return frozenset(
                query_id for query_id, values in wanted if connection.execute(_WAS_ASKED, values).fetchone()
            )

    def groups_asked_with(self, person: str, month: str) -> frozenset[str]:
        """The groups that a person had when they asked, in all questions of a month that can still be read."""
        with self._reading() as (connection, ring):
            names = (person, *(ring.subjects(person) if ring else ()))
            rows = (row for name in names for row in connection.execute(_ASKED, (QuestionReceived.type, name, month)))
            asked = (search.recorded(row, ring).entry for row in rows)
            return frozenset(group for one in asked if isinstance(one, QuestionReceived) for group in one.groups)

    def people(self) -> tuple[str, ...]:
        """The account ids of all whose entries can still be read, whether or not their account is still there."""
        with self._reading() as (_, ring):
            return ring.people() if ring else ()

    def keys_of(self, person: str) -> dict[str, Key]:
        """The keys of a person by month, as far as they are there: to what is sealed with them outside of the log."""
        with self.store.errors(), keys.opened_to_read(keys.keys_path(self.path), self._patience_s) as ring:
            return ring.of(person) if ring else {}

    def export(self, seqs: Sequence[int] | None = None, *, with_content: bool = True, under: str = "") -> Iterator[str]:
        """The log as lines of JSON that `verifier` checks without the appliance.

        Args:
            seqs: The entries wanted, each then with its proof. All of them, if None.
            with_content: Whether what the entries hold goes along; the proof of the log needs none of it.
            under: A signed checkpoint that the proofs of `seqs` are to lead to; to the log as it is now, if empty.

        Raises:
            NotFound: One of them is not in the log, or was not yet when it was signed.
            AuditBroken: An entry is damaged, so nothing would be proved by it; or `under` is not of this log.
        """
        beside = export.beside(self.path, under)  # first, so that none of it is of more than is exported
        with self._reading() as (connection, _), complete_tree():
            nodes = store.nodes(connection)
            shown = export.of_this_log(under, beside.key, nodes) if under else self._checkpoint_now(connection)
        yield export.header(shown, complete=seqs is None, beside=beside)
        wanted = range(shown.size) if seqs is None else sorted(set(seqs))
        proved_by = None if seqs is None else shown
        done = 0
        while done < len(wanted):
            with self._reading() as (connection, ring), complete_tree():
                page = export.page(connection, ring, wanted[done:], proved_by, with_content=with_content)
            yield from page
            done += len(page)

    def holdings(self) -> tuple[Holding, ...]:
        """What there is to erase: what is on record of each person in each month, as far as it was not erased."""
        with self._reading() as (connection, ring):
            return (*erasing.plain_holdings(connection), *(ring.holdings() if ring else ()))

    def count(self, holdings: Iterable[Holding]) -> int:
        """How many entries hold something of these."""
        with self._reading() as (connection, _):
            return erasing.count(connection, holdings)

    def _checkpoint_now(self, connection: Connection) -> Checkpoint:
        size = store.size(connection)
        with complete_tree():
            return Checkpoint(self._origin, size, tree.root(size, store.nodes(connection)))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[tuple[Connection, Keyring | None]]:
        """Connections of its own that see one state of the log, so that reading never holds up an answer."""
        with (
            self.store.errors(),
            contextlib.closing(self.store.open_to_read()) as connection,
            keys.opened_to_read(keys.keys_path(self.path), self._patience_s) as ring,
            connection.snapshot(),
        ):
            if ring is not None:
                erasing.require_current(connection, ring)
            yield connection, ring


@contextlib.contextmanager
def complete_tree() -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise AuditBroken("The tree of the query log is not complete. Run the verification.") from error


def _rows(
    connection: Connection,
    ring: Keyring | None,
    wanted: LogFilter,
    before_seq: int | None,
) -> Iterator[Row]:
    """Rows whose heads match, newest first. What a filter looks for in the content is for the caller to check."""
    conditions: dict[str, tuple[object, ...]] = {
        "heads.type = ?": (wanted.type,),
        "heads.time >= ?": (records.to_text(wanted.since) if wanted.since else "",),
        "heads.time < ?": (records.to_text(wanted.until) if wanted.until else "",),
        "heads.seq < ?": (before_seq,),
    }
    if wanted.actor:
        names = (wanted.actor, *(ring.subjects(wanted.actor) if ring else ()))
        conditions[f"heads.actor IN ({', '.join('?' * len(names))})"] = names
    if wanted.except_types:  # a head that was altered has no type, and is to be seen
        marks = ", ".join("?" * len(wanted.except_types))
        conditions[f"coalesce(heads.type, '') NOT IN ({marks})"] = tuple(sorted(wanted.except_types))
    used = {condition: values for condition, values in conditions.items() if values[0] not in ("", None)}
    where = f"WHERE {' AND '.join(used)}" if used else ""
    values = tuple(value for values in used.values() for value in values)
    yield from connection.stream(f"{SELECT} {where} ORDER BY heads.seq DESC", values)
