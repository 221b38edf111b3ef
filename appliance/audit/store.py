"""What the log asks of the place where its rows are kept: an SQLite file (`sqlite`), or a PostgreSQL server.

Rules this module keeps:

1. The log speaks one SQL to both, with a question mark for each value: tables `heads (seq, head)` with the columns
   `type`, `time`, `actor` and `query_id` to search by, `payloads (seq, payload)`, `nodes (level, idx, hash)`. What the
   two do differently is a method here.
2. Keys, checkpoints and signatures are files beside `path` in either case: who owns the rows does not own those.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from appliance.audit.sqlite import PATIENCE_S, SqliteStore
from appliance.audit.tree import Frontier, NodeHash, peaks


class Cursor(Protocol):
    """The rows that a statement gave, and how many it changed."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left."""

    def fetchone(self) -> Any:
        """The next row, None behind the last."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


class Connection(Protocol):
    """A connection to the rows of a log. It is not shared between threads, but for the one that appends."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """The rows of a statement, all of which may be held in memory."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """An INSERT of several rows of values; the statement has the values of one."""

    def stream(self, sql: str, parameters: Sequence[Any] = ..., /) -> Iterator[Any]:
        """The rows of a query that may have very many, a few of them in memory. Inside a transaction or snapshot."""

    def close(self) -> None:
        """Let go of it."""

    def transaction(self) -> AbstractContextManager[None]:
        """One write at a time among all threads and processes; on disk at the end, undone if anything is raised."""

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside see one state of the log, whatever is appended meanwhile."""

    def emptying(self) -> AbstractContextManager[None]:
        """Inside a transaction: payloads may be emptied, which is refused otherwise."""

    def clear_away(self) -> None:
        """Clear away what is left of emptied payloads in what belongs to the database, as far as it can be reached.

        Raises:
            AuditUnavailable: Somebody is reading the log for longer than is waited for.
        """

    def has_the_expected_schema(self) -> bool:
        """Whether the tables are those that were made, with nothing in their place, and their columns are true."""

    def is_sound(self) -> bool:
        """Whether the database finds no fault with itself."""


class Store(Protocol):
    """Where the rows of a log are kept."""

    def __str__(self) -> str:
        """What it is called in messages."""

    @property
    def path(self) -> Path:
        """What the files beside the log are named after; the log itself, where it is a file."""

    @property
    def ERRORS(self) -> tuple[type[Exception], ...]:  # noqa: N802 - a constant of its class
        """What its connections raise."""

    def is_there(self) -> bool:
        """Whether there is a log."""

    def identity(self) -> object:
        """What tells it from another one that was put in its place."""

    def errors(self) -> AbstractContextManager[None]:
        """Raises AuditUnavailable for every error of the database and of files inside, saying what to do."""

    def shows_damage(self, error: Exception) -> bool:
        """Whether an error says that the log is damaged, rather than that it cannot be reached."""

    def open_to_append(self) -> Connection:
        """A connection that writes; tables are made if there are none. Raises `ERRORS` and OSError."""

    def open_to_read(self) -> Connection:
        """A connection that cannot write. Raises `ERRORS` and OSError."""


def store_of(place: Path | Store, patience_s: float = PATIENCE_S) -> Store:
    """The store at a place: a path is that of an SQLite file."""
    return SqliteStore(place, patience_s) if isinstance(place, Path) else place


def nodes(connection: Connection) -> NodeHash:
    """Looks up stored hashes of the tree. Raises LookupError for one that is not stored."""
    return lambda level, index: _hashes(connection, [(level, index)])[0]


def frontier(connection: Connection) -> Frontier:
    """The tree as it is stored, with what it takes to go on with it.

    Raises:
        LookupError: Some of it is not stored.
    """
    now = size(connection)
    return Frontier(now, _hashes(connection, peaks(now)))


def size(connection: Connection) -> int:
    """How many entries the log has."""
    return int(connection.execute("SELECT coalesce(max(seq), -1) + 1 FROM heads").fetchone()[0])


def _hashes(connection: Connection, nodes: Sequence[tuple[int, int]]) -> list[bytes]:
    """Some nodes of the tree, by level and index, with one look: others wait while an entry is appended."""
    if not nodes:
        return []
    either = " OR ".join(["(level = ? AND idx = ?)"] * len(nodes))
    wanted = f"SELECT level, idx, hash FROM nodes WHERE {either}"  # noqa: S608 - the values are apart
    rows = connection.execute(wanted, tuple(itertools.chain.from_iterable(nodes)))
    found = {(level, index): bytes(node) for level, index, node in rows}
    return [found[node] for node in nodes]
