"""The query log: rows that only grow in number, and a Merkle tree over them.

Rules this module keeps:

1. An entry is one transaction: number, head, payload and the tree's new nodes, or nothing. When `append` returns, the
   entry is on disk. When it raises, nothing may be answered.
2. Numbers have no gaps: the next one is taken inside the write transaction, which threads and processes enter one at a
   time. Wall time is taken there too; if it went back by more than a second, an entry says so first.
3. Before each entry the log must still be the one this object wrote to last: same place, and the same root over what
   was there then; and its keys the same file. Otherwise nothing is appended.
4. The latest checkpoint is kept in a file beside the log, wherever its rows are (`store`): written at opening, at
   closing and every `CHECKPOINT_EVERY` entries, after the entries it covers. A log without it in it is not opened.
5. What an entry holds is sealed with a key of whoever acted, of that month (`keys`), and read with it.
6. Content is erased by its keys, then the log lets go of it (`erasing`); a start completes what was cut off. Keys from
   before an erasure are not used: the log is not opened with them.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.audit import canonical, checkpoint, erasing, keys, records, store, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import ClockStepped, ContentErased, Entry, SignInFailed
from appliance.audit.erasing import Erased
from appliance.audit.keys import Holding, Key
from appliance.audit.reading import LogReader, complete_tree
from appliance.audit.records import Moment
from appliance.audit.sqlite import PATIENCE_S, identity_of, our_errors
from appliance.audit.store import Connection, Store
from appliance.audit.tree import Frontier
from appliance.errors import AuditBroken, AuditUnavailable

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


def _now() -> datetime:
    return datetime.now(UTC)


class QueryLog(LogReader):
    """Appends to a log and reads it. Any number of threads may share one; any number of processes may open the log."""

    def __init__(
        self,
        place: Path | Store,
        *,
        origin: str = ORIGIN,
        clock: Callable[[], datetime] = _now,
        busy_timeout_s: float = PATIENCE_S,
    ) -> None:
        """Open the log at a place, or make it if there is none and none was there before.

        Args:
            place: Where its rows are kept; a path is that of an SQLite file.
            origin: Its name in checkpoints.
            clock: Tells the time.
            busy_timeout_s: How long to wait for others that write to the file, or to that of the keys.

        Raises:
            AuditUnavailable: It cannot be opened or written, or its keys are from before an erasure.
            AuditBroken: It does not contain its own latest checkpoint.
        """
        super().__init__(store.store_of(place, busy_timeout_s), origin, busy_timeout_s)
        self._clock = clock
        self._boot_id = _boot_id()
        self._lock = threading.Lock()
        self._tell: Callable[[], object] = bool  # whoever wants to know of checkpoints
        self.failures = 0  # how many entries could not be written; whoever tells of them remembers how many it has
        self.problem = ""  # why the latest of them could not
        self._connection: Connection | None = None
        with contextlib.ExitStack() as opened, self.store.errors():
            self._known = self._latest_checkpoint()
            connection = opened.enter_context(contextlib.closing(self.store.open_to_append()))
            self._identity = self.store.identity()
            self._keep_checkpoint(connection)
            self._keys = opened.enter_context(
                keys.open_to_write(
                    keys.keys_path(self.path), busy_timeout_s, may_be_new=not erasing.is_sealed(connection)
                )
            )
            self._keys_file = identity_of(keys.keys_path(self.path))
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
                with self.store.errors(), self._held:
                    self._keep_checkpoint(connection)

    def append(self, entry: Entry) -> Receipt:
        """Write an entry. It is on disk when this returns.

        Raises:
            AuditUnavailable: It could not be written. Nothing of it is in the log, unless only the checkpoint that was
                due after it could not be kept; the next `append` tries that again.
            AuditBroken: The log is not the one that was written to before.
        """
        with self._lock, self._problem_kept(), self.store.errors():
            connection = self._writable()
            with connection.transaction():
                receipt = self._append(connection, entry)
            self._known = Checkpoint(self._origin, receipt.seq + 1, receipt.root)
            if self._known.size - self._checkpointed_size >= CHECKPOINT_EVERY:
                self._keep_checkpoint(connection)
                self._tell()
            return receipt

    def append_refusal(self, refused: SignInFailed) -> Receipt:
        """Write that a sign-in was refused, in a time that does not tell whether there is an account of that name.

        An entry is sealed with the key of whoever it is of, and to make the first one of a month takes longer than to
        find one that is there. So one is made every time: that of the account where it has none yet, and else one that
        nobody is given and that is gone again in the same transaction.

        Raises:
            AuditUnavailable, AuditBroken: As `append`.
        """
        with self._lock, self._problem_kept(), self.store.errors():
            self._writable()
            self._keys.make_ready(records.person_of(refused), records.month_of(self._clock()))
        return self.append(refused)

    def erase(self, holdings: Sequence[Holding], order_id: str = "") -> Erased | None:
        """Destroy the keys to these, and let go of what they sealed. It cannot be undone; heads and tree stay.

        None when there was nothing to do. What was cut off before is completed along with it.

        Raises:
            AuditUnavailable: It could not be done, or not to its end; the next start completes what was begun.
            AuditBroken: As `append`.
        """
        with self._lock, self.store.errors():
            connection = self._writable()
            self._checked(connection)
            if holdings:
                self._keys.destroy(holdings)
            elif not self._keys.doomed():
                return None
            return self._let_go(connection, order_id)

    def key_of(self, person: str, month: str) -> Key:
        """The key of a person for a month, to seal what is kept of them outside of the log. It goes when theirs go.

        Raises:
            AuditUnavailable: The keys cannot be read or written.
        """
        with self._lock, self.store.errors():
            self._writable()
            return self._keys.obtain(person, month)

    def examine(self) -> None:
        """Find out whether the next entry could be written, without writing one.

        Raises:
            AuditUnavailable, AuditBroken: It could not.
        """
        with self._lock, self.store.errors():
            connection = self._writable()
            with connection.transaction():
                self._checked(connection)
        with our_errors(self.path):
            _take_room(self.path.with_name(f"{self.path.name}.room"))

    @property
    def known_size(self) -> int:
        """How many entries the log had after the last one this object wrote; to know it costs nothing."""
        return self._known.size

    def on_checkpoint(self, tell: Callable[[], object]) -> None:
        """Call `tell` whenever a hundred more entries are in the log. It must return at once and raise nothing."""
        self._tell = tell

    def _append(self, connection: Connection, entry: Entry) -> Receipt:
        """Insert an entry as the next one. Inside a transaction."""
        grown = self._checked(connection)
        now = self._clock()
        for step in self._clock_step(connection, grown.size, now):
            self._insert(connection, grown, step, now)
        return self._insert(connection, grown, entry, now)

    def _let_go(self, connection: Connection, order_id: str) -> Erased:
        """Empty the entries whose keys were destroyed, say so in an entry, and leave nothing in the files."""
        doomed = self._keys.doomed()
        self._keep_checkpoint(connection)
        before = self._known
        with connection.transaction():
            emptied = erasing.empty(connection, doomed)
            months = tuple(sorted({month for _, month in doomed}))
            digest = erasing.digest(connection)
            receipt = self._append(connection, ContentErased(self._keys.epoch(), digest, emptied, months, order_id))
        self._keep_checkpoint(connection)
        connection.clear_away()
        self._keys.forget_doomed()
        self._tell()
        return Erased(emptied, months, receipt.seq, before, self._known)

    @contextlib.contextmanager
    def _problem_kept(self) -> Iterator[None]:
        try:
            yield
        except (AuditUnavailable, AuditBroken) as error:
            self.problem = str(error)
            self.failures += 1
            raise

    def _writable(self) -> Connection:
        if self._connection is None:
            raise AuditUnavailable("The query log is closed. Start the appliance again.")
        if self.store.identity() != self._identity:
            raise AuditBroken("The query log was exchanged while the appliance was running. Keep both, and restart.")
        if identity_of(keys.keys_path(self.path)) != self._keys_file:
            raise AuditUnavailable(
                "The keys of the query log were exchanged while the appliance was running: what it seals with those it "
                "has in hand could not be read later. Restart it. Nothing is answered until then."
            )
        return self._connection

    def _checked(self, connection: Connection) -> Frontier:
        """The tree of the log, once it is sure that it contains what this object last knew of it."""
        known = self._known
        with complete_tree():
            now = store.frontier(connection)
            known_now = now.root() if now.size == known.size else None
            if now.size > known.size:  # another process wrote
                known_now = tree.root(known.size, store.nodes(connection))
        if known_now != known.root:
            raise AuditBroken(
                f"The query log does not contain its own checkpoint of {known.size} entries: it was cut, exchanged or "
                "altered. Keep it as it is, run the verification, and restore the latest backup."
            )
        return now

    def _clock_step(self, connection: Connection, size: int, now: datetime) -> tuple[ClockStepped, ...]:
        """What has to be said about the clock before the next entry: nothing, or one entry."""
        if not size:
            return ()
        (head,) = connection.execute("SELECT head FROM heads WHERE seq = ?", (size - 1,)).fetchone()
        try:
            back = records.to_time(canonical.from_bytes(head)["time"]) - now
        except (ValueError, KeyError, TypeError) as error:
            raise AuditBroken(f"Entry {size - 1} was altered. Run the verification.", size - 1) from error
        return (ClockStepped(back.total_seconds()),) if back > records.CLOCK_TOLERANCE else ()

    def _insert(self, connection: Connection, grown: Frontier, entry: Entry, now: datetime) -> Receipt:
        """Insert an entry as the next one of a tree, and have the tree grow by it."""
        seq = grown.size
        moment = Moment(now, self._boot_id, time.monotonic_ns() // 1000)
        try:
            key = self._keys.obtain(records.person_of(entry), records.month_of(now))
            head, payload = records.seal(entry, seq, moment, key)
        except (ValueError, TypeError) as error:
            raise AuditUnavailable(
                f"An entry of type '{entry.type}' holds a value that cannot be recorded. Report this defect."
            ) from error
        leaf = tree.leaf_hash(head)
        connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (seq, head))
        connection.execute("INSERT INTO payloads (seq, payload) VALUES (?, ?)", (seq, payload))
        connection.executemany(
            "INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)",
            [(node.level, node.index, node.hash) for node in grown.append(leaf)],
        )
        return Receipt(seq, grown.root(), leaf)

    def _latest_checkpoint(self) -> Checkpoint:
        """The checkpoint the log must contain. It is read before the file is made: no lost log comes back empty."""
        kept = checkpoint.read(checkpoint.latest_path(self.path))
        if kept is None:
            return Checkpoint(self._origin, 0, tree.EMPTY_ROOT)
        if kept.origin != self._origin:
            raise AuditBroken("The checkpoint beside the query log is of another log. Put the right one in its place.")
        if kept.size and not self.store.is_there():
            raise AuditBroken(
                f"The query log is gone; its checkpoint tells of {kept.size} entries. Restore the latest backup."
            )
        return kept

    def _keep_checkpoint(self, connection: Connection) -> None:
        """Write the current checkpoint. The write lock keeps an older one of another process from coming after it."""
        with connection.transaction():
            now = self._checked(connection)
            current = Checkpoint(self._origin, now.size, now.root())
            checkpoint.write(checkpoint.latest_path(self.path), current)
        self._known = current
        self._checkpointed_size = current.size


def _take_room(path: Path) -> None:
    """Have the file system set aside what an entry needs, and give it back; nothing is written, many times an hour."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, ROOM_BYTES)
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


def _boot_id() -> str:
    """Which run of the machine this is: Linux says; elsewhere each run of the process counts as one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(uuid.uuid4())
