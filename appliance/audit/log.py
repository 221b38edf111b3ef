"""The query log: one SQLite file that only grows, and a Merkle tree over it.

Rules this module keeps:

1. An entry is one transaction: number, head, payload and the tree's new nodes, or nothing. When `append` returns, the
   entry is on disk. When it raises, nothing may be answered.
2. Numbers have no gaps: the next one is taken inside the write transaction, which threads and processes enter one at a
   time. Wall time is taken there too; if it went back by more than a second, an entry says so first.
3. Before each entry the log must still be the one this object wrote to last: same file, and the same root over what was
   there then; and its keys the same file. Otherwise nothing is appended.
4. The latest checkpoint is kept in a file beside the log, written at opening, at closing and every
   `CHECKPOINT_EVERY` entries, after the entries it covers. A log that does not contain its checkpoint is not opened.
5. Reading shows an entry's content only if its bytes are those the tree was built over.
6. What an entry holds is sealed with a key of whoever acted, of that month (`keys`), and read with it.
7. Content is erased by its keys, then the log lets go of it (`erasing`); a start completes what was cut off. Keys from
   before an erasure are not used: the log is not opened with them, and not read.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.audit import (
    canonical,
    checkpoint,
    database,
    erasing,
    export,
    keys,
    note,
    records,
    search,
    signatures,
    tree,
)
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import ClockStepped, ContentErased, Entry
from appliance.audit.erasing import Erased
from appliance.audit.keys import Holding, Keyring
from appliance.audit.outline import Outline, outline
from appliance.audit.records import LogFilter, Moment, QueryRecord, Recorded
from appliance.audit.search import SELECT, Found, Row
from appliance.audit.signatures import Beside
from appliance.errors import AuditBroken, AuditUnavailable, NotFound

CHECKPOINT_EVERY = 100
"""Entries between two checkpoints; as many can be cut off without the file beside the log telling."""

ROOM_BYTES = 128 * 1024
"""What must be free on the disk for the log to count as writable."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What shows that an entry is in the log: its number, its leaf hash, and the root with it as the last entry."""

    seq: int
    root: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that an entry is part of the log under `checkpoint`, for `tree.verify_inclusion`."""

    seq: int
    leaf_hash: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def _now() -> datetime:
    return datetime.now(UTC)


class QueryLog:
    """Appends to a log and reads it. Any number of threads may share one; any number of processes may open the file."""

    def __init__(
        self,
        path: Path,
        *,
        origin: str = ORIGIN,
        clock: Callable[[], datetime] = _now,
        busy_timeout_s: float = 10.0,
    ) -> None:
        """Open the log at `path`, or make it if there is none and none was there before.

        Raises:
            AuditUnavailable: It cannot be opened or written, or its keys are from before an erasure.
            AuditBroken: It does not contain its own latest checkpoint.
        """
        self.path = path
        self._origin = origin
        self._clock = clock
        self._boot_id = _boot_id()
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._tell: Callable[[], object] = bool  # whoever wants to know of checkpoints
        self.problem = ""  # why the latest entry was not written, empty if it was
        self._connection: sqlite3.Connection | None = None
        with contextlib.ExitStack() as opened, database.our_errors(path):
            self._known = self._latest_checkpoint()
            connection = opened.enter_context(contextlib.closing(database.open_to_append(path, busy_timeout_s)))
            self._file = _identity(path)
            self._keep_checkpoint(connection)
            self._keys = opened.enter_context(
                keys.open_to_write(keys.keys_path(path), busy_timeout_s, may_be_new=not _is_sealed(connection))
            )
            self._keys_file = _identity(keys.keys_path(path))
            erasing.require_current(connection, self._keys)
            self._keys.remove_former_epochs()
            if self._keys.doomed():
                self._let_go(connection, "")
            self._held = opened.pop_all()  # until `close`
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Keep a last checkpoint and let go of the file. A second call does nothing.

        Raises:
            AuditUnavailable, AuditBroken: As `append`; the file is let go all the same.
        """
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with database.our_errors(self.path), self._held:
                    self._keep_checkpoint(connection)

    def append(self, entry: Entry) -> Receipt:
        """Write an entry. It is on disk when this returns.

        Raises:
            AuditUnavailable: It could not be written. Nothing of it is in the log, unless only the checkpoint that was
                due after it could not be kept; the next `append` tries that again.
            AuditBroken: The log is not the one that was written to before.
        """
        with self._lock, self._problem_kept(), database.our_errors(self.path):
            connection = self._writable()
            with database.transaction(connection):
                receipt = self._append(connection, entry)
            self._known = Checkpoint(self._origin, receipt.seq + 1, receipt.root)
            if self._known.size - self._checkpointed_size >= CHECKPOINT_EVERY:
                self._keep_checkpoint(connection)
                self._tell()
            return receipt

    def holdings(self) -> tuple[Holding, ...]:
        """What there is to erase: what is on record of each person in each month, as far as it was not erased."""
        with self._reading() as (connection, ring):
            return (*erasing.plain_holdings(connection), *(ring.holdings() if ring else ()))

    def count(self, holdings: Iterable[Holding]) -> int:
        """How many entries hold something of these."""
        with self._reading() as (connection, _):
            return erasing.count(connection, holdings)

    def erase(self, holdings: Sequence[Holding], order_id: str = "") -> Erased | None:
        """Destroy the keys to these, and let go of what they sealed. It cannot be undone; heads and tree stay.

        None when there was nothing to do. What was cut off before is completed along with it.

        Raises:
            AuditUnavailable: It could not be done, or not to its end; the next start completes what was begun.
            AuditBroken: As `append`.
        """
        with self._lock, database.our_errors(self.path):
            connection = self._writable()
            self._checked_size(connection)
            if holdings:
                self._keys.destroy(holdings)
            elif not self._keys.doomed():
                return None
            return self._let_go(connection, order_id)

    def examine(self) -> None:
        """Find out whether the next entry could be written, without writing one.

        Raises:
            AuditUnavailable, AuditBroken: It could not.
        """
        with self._lock, database.our_errors(self.path):
            connection = self._writable()
            with database.transaction(connection):
                self._checked_size(connection)
        with database.our_errors(self.path):
            _take_room(self.path.with_name(f"{self.path.name}.room"))

    @property
    def known_size(self) -> int:
        """How many entries the log had after the last one this object wrote; to know it costs nothing."""
        return self._known.size

    def on_checkpoint(self, tell: Callable[[], object]) -> None:
        """Call `tell` whenever a hundred more entries are in the log. It must return at once and raise nothing."""
        self._tell = tell

    def size(self) -> int:
        """How many entries the log has."""
        with self._reading() as (connection, _):
            return _size(connection)

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
        with self._reading() as (connection, _), _complete_tree():
            current = self._checkpoint_now(connection)
            if not 0 <= seq < current.size:
                raise NotFound(f"The query log has no entry {seq}.")
            nodes = _nodes(connection)
            return Inclusion(seq, nodes(0, seq), tuple(tree.inclusion_proof(seq, current.size, nodes)), current)

    def consistency_proof(self, old_size: int, size: int | None = None) -> tuple[tuple[bytes, ...], Checkpoint]:
        """The proof that the log of `old_size` entries is the beginning of that of `size`; with the checkpoint of that.

        Without `size` it is the log as it is now.

        Raises:
            NotFound: The log never had that many entries, or none then.
        """
        with self._reading() as (connection, _), _complete_tree():
            current = self._checkpoint_now(connection)
            later = current.size if size is None else size
            if not 0 < old_size <= later <= current.size:
                raise NotFound(f"The query log has {current.size} entries; there is no proof from {old_size}.")
            nodes = _nodes(connection)
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
            raise NotFound("The query log has no such question.")
        return found

    def people(self) -> tuple[str, ...]:
        """The account ids of all whose entries can still be read, whether or not their account is still there."""
        with self._reading() as (_, ring):
            return ring.people() if ring else ()

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
        beside = _beside(self.path, under)  # first, so that none of it is of more than is exported
        with self._reading() as (connection, ring), _complete_tree():
            nodes = _nodes(connection)
            shown = _of_this_log(under, beside.key, nodes) if under else self._checkpoint_now(connection)
            yield export.header(shown, complete=seqs is None, beside=beside)
            for row in _export_rows(connection, seqs):
                seq, head = row[:2]
                content = _exportable(row, ring)
                path = None if seqs is None else _path(seq, shown, nodes)
                yield export.line(seq, head, content if with_content else None, path)

    def _append(self, connection: sqlite3.Connection, entry: Entry) -> Receipt:
        """Insert an entry as the next one. Inside a transaction."""
        size = self._checked_size(connection)
        now = self._clock()
        steps = self._clock_step(connection, size, now)
        for number, step in enumerate(steps):
            self._insert(connection, size + number, step, now)
        return self._insert(connection, size + len(steps), entry, now)

    def _let_go(self, connection: sqlite3.Connection, order_id: str) -> Erased:
        """Empty the entries whose keys were destroyed, say so in an entry, and leave nothing in the files."""
        doomed = self._keys.doomed()
        self._keep_checkpoint(connection)
        before = self._known
        with database.transaction(connection):
            emptied = erasing.empty(connection, doomed)
            months = tuple(sorted({month for _, month in doomed}))
            digest = erasing.digest(connection)
            receipt = self._append(connection, ContentErased(self._keys.epoch(), digest, emptied, months, order_id))
        self._keep_checkpoint(connection)
        erasing.clear_side_files(connection)
        self._keys.forget_doomed()
        self._tell()
        return Erased(emptied, months, receipt.seq, before, self._known)

    @contextlib.contextmanager
    def _problem_kept(self) -> Iterator[None]:
        try:
            yield
        except (AuditUnavailable, AuditBroken) as error:
            self.problem = str(error)
            raise
        self.problem = ""

    def _writable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise AuditUnavailable("The query log is closed. Start the appliance again.")
        if _identity(self.path) != self._file:
            raise AuditBroken(
                "The file of the query log was exchanged while the appliance was running. Keep both, and restart."
            )
        if _identity(keys.keys_path(self.path)) != self._keys_file:
            raise AuditUnavailable(
                "The keys of the query log were exchanged while the appliance was running: what it seals with those it "
                "has in hand could not be read later. Restart it. Nothing is answered until then."
            )
        return self._connection

    def _checked_size(self, connection: sqlite3.Connection) -> int:
        """The size of the log, once it is sure that it contains what this object last knew of it."""
        size = _size(connection)
        with _complete_tree():
            if size < self._known.size or tree.root(self._known.size, _nodes(connection)) != self._known.root:
                raise AuditBroken(
                    f"The query log does not contain its own checkpoint of {self._known.size} entries: it was cut, "
                    "exchanged or altered. Keep it as it is, run the verification, and restore the latest backup."
                )
        return size

    def _clock_step(self, connection: sqlite3.Connection, size: int, now: datetime) -> tuple[ClockStepped, ...]:
        """What has to be said about the clock before the next entry: nothing, or one entry."""
        if not size:
            return ()
        (head,) = connection.execute("SELECT head FROM heads WHERE seq = ?", (size - 1,)).fetchone()
        try:
            back = records.to_time(canonical.from_bytes(head)["time"]) - now
        except (ValueError, KeyError, TypeError) as error:
            raise AuditBroken(f"Entry {size - 1} was altered. Run the verification.", size - 1) from error
        return (ClockStepped(back.total_seconds()),) if back > records.CLOCK_TOLERANCE else ()

    def _insert(self, connection: sqlite3.Connection, seq: int, entry: Entry, now: datetime) -> Receipt:
        moment = Moment(now, self._boot_id, time.monotonic_ns() // 1000)
        try:
            key = self._keys.obtain(records.person_of(entry), records.month_of(now))
            head, payload = records.seal(entry, seq, moment, key)
        except (ValueError, TypeError) as error:
            raise AuditUnavailable(
                f"An entry of type '{entry.type}' holds a value that cannot be recorded. Report this defect."
            ) from error
        leaf = tree.leaf_hash(head)
        with _complete_tree():
            grown = tree.grow(seq, leaf, _nodes(connection))
        connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (seq, head))
        connection.execute("INSERT INTO payloads (seq, payload) VALUES (?, ?)", (seq, payload))
        connection.executemany(
            "INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)",
            [(node.level, node.index, node.hash) for node in grown],
        )
        return Receipt(seq, tree.root(seq + 1, _nodes(connection)), leaf)

    def _latest_checkpoint(self) -> Checkpoint:
        """The checkpoint the log must contain. It is read before the file is made: no lost log comes back empty."""
        kept = checkpoint.read(checkpoint.latest_path(self.path))
        if kept is None:
            return Checkpoint(self._origin, 0, tree.EMPTY_ROOT)
        if kept.origin != self._origin:
            raise AuditBroken("The checkpoint beside the query log is of another log. Put the right one in its place.")
        if kept.size and not self.path.exists():
            raise AuditBroken(
                f"The query log is gone; its checkpoint tells of {kept.size} entries. Restore the latest backup."
            )
        return kept

    def _keep_checkpoint(self, connection: sqlite3.Connection) -> None:
        """Write the current checkpoint. The write lock keeps an older one of another process from coming after it."""
        with database.transaction(connection):
            self._checked_size(connection)
            current = self._checkpoint_now(connection)
            checkpoint.write(checkpoint.latest_path(self.path), current)
        self._known = current
        self._checkpointed_size = current.size

    def _checkpoint_now(self, connection: sqlite3.Connection) -> Checkpoint:
        size = _size(connection)
        with _complete_tree():
            return Checkpoint(self._origin, size, tree.root(size, _nodes(connection)))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[tuple[sqlite3.Connection, Keyring | None]]:
        """Connections of its own that see one state of the log, so that reading never holds up an answer."""
        with (
            database.our_errors(self.path),
            contextlib.closing(database.open_to_read(self.path, self._busy_timeout_s)) as connection,
            keys.opened_to_read(keys.keys_path(self.path), self._busy_timeout_s) as ring,
            database.snapshot(connection),
        ):
            if ring is not None:
                erasing.require_current(connection, ring)
            yield connection, ring


@contextlib.contextmanager
def _complete_tree() -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise AuditBroken("The tree of the query log is not complete. Run the verification.") from error


def _nodes(connection: sqlite3.Connection) -> tree.NodeHash:
    return lambda level, index: database.node_hash(connection, level, index)


def _size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), -1) + 1 FROM heads").fetchone()[0])


def _is_sealed(connection: sqlite3.Connection) -> bool:
    """Whether the log has entries that cannot be read without keys."""
    last = "SELECT json_extract(CAST(head AS TEXT), '$.v') FROM heads ORDER BY seq DESC LIMIT 1"
    row = connection.execute(last).fetchone()
    return bool(row and row[0] != 1)


def _rows(
    connection: sqlite3.Connection,
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
    used = {condition: values for condition, values in conditions.items() if values[0] not in ("", None)}
    where = f"WHERE {' AND '.join(used)}" if used else ""
    values = tuple(value for values in used.values() for value in values)
    yield from connection.execute(f"{SELECT} {where} ORDER BY heads.seq DESC", values)


def _export_rows(connection: sqlite3.Connection, seqs: Sequence[int] | None) -> Iterator[Row]:
    if seqs is None:
        yield from connection.execute(f"{SELECT} ORDER BY heads.seq")
        return
    for seq in sorted(set(seqs)):
        row = connection.execute(f"{SELECT} WHERE heads.seq = ?", (seq,)).fetchone()
        if row is None:
            raise NotFound(f"The query log has no entry {seq}.")
        yield row


def _beside(log: Path, under: str) -> Beside:
    """What an export is checked with: everything beside the log, or the one signed checkpoint its proofs lead to."""
    return Beside((under,), signatures.public_key(log), ()) if under else signatures.beside(log)


def _path(seq: int, shown: Checkpoint, nodes: tree.NodeHash) -> list[bytes]:
    if seq >= shown.size:
        raise NotFound(f"The checkpoint of {shown.size} entries does not cover entry {seq}.")
    return tree.inclusion_proof(seq, shown.size, nodes)


def _of_this_log(signed: str, key: str, nodes: tree.NodeHash) -> Checkpoint:
    """The checkpoint in a signed note, once it is sure that the log contains it."""
    found = checkpoint.parse(note.opened(signed, note.verifier_key(key)))
    if tree.root(found.size, nodes) != found.root:
        raise AuditBroken(f"The log does not contain the signed checkpoint of {found.size} entries. Verify it.")
    return found


def _exportable(row: Row, ring: Keyring | None) -> bytes | None:
    """The content of an entry, None when its key is not there, or it was erased."""
    seq, head, payload, leaf = row[:4]
    if payload == records.ERASED and tree.leaf_hash(head) == leaf:
        return None
    try:
        if payload is not None and records.is_intact(head, payload, leaf):
            return records.content_of(head, payload, ring)
    except (ValueError, KeyError) as error:
        raise _altered(seq) from error
    raise _altered(seq)


def _altered(seq: int) -> AuditBroken:
    return AuditBroken(f"Entry {seq} was altered; the export is stopped. Run the verification.", seq)


def _take_room(path: Path) -> None:
    """See whether the disk takes what an entry needs, and give it back."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _boot_id() -> str:
    """Which run of the machine this is: Linux says; elsewhere each run of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(uuid.uuid4())
