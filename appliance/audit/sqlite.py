"""A log kept in an SQLite file: its tables, how it is opened, and what its errors mean.

Rules this module keeps:

1. `heads` and `payloads` hold what was recorded, `nodes` the tree over the heads. Columns to search by are computed
   from the head by the database, so there is no second copy of a fact that could differ from the one that is hashed.
2. Triggers refuse every change but the next entry, and what `erasing` does inside one transaction. They stop mistakes;
   against a person with the file they do nothing, and no verification relies on them.
3. A commit is on disk when it returns (write-ahead log, synchronous=FULL).
4. An error of SQLite leaves as an error of ours that says what to do.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import AuditUnavailable

PATIENCE_S = 10.0
"""How long to wait for others who write to a log, or for its server, unless something else is asked for."""

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Codes that say of a file that it is damaged, or not a log."""

_SEARCHED = ",".join(
    f"""
    {field} TEXT GENERATED ALWAYS AS (
        CASE WHEN json_valid(CAST(head AS TEXT)) THEN json_extract(CAST(head AS TEXT), '$.{field}') END
    ) VIRTUAL"""
    for field in ("type", "time", "actor", "query_id")
)

TABLES = (
    f"CREATE TABLE heads (seq INTEGER PRIMARY KEY, head BLOB NOT NULL,{_SEARCHED}\n)",
    "CREATE TABLE payloads (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
    """CREATE TABLE nodes (
    level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
) WITHOUT ROWID""",
)

INDEXES = (
    "CREATE INDEX heads_by_type ON heads (type)",
    "CREATE INDEX heads_by_actor ON heads (actor)",
    "CREATE INDEX heads_by_query ON heads (query_id)",
)

ERASED_INDEX = "CREATE INDEX payloads_erased ON payloads (seq) WHERE length(payload) = 0"
"""Which entries hold nothing any more. A log that an older release made gets it when it is opened to append."""

_NEXT = "SELECT coalesce(max(seq), -1) + 1 FROM"

# INSERT OR REPLACE removes a row without asking the DELETE triggers, so inserts are guarded as well.
TRIGGERS = (
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'the query log is append-only'); END"
        for table in ("heads", "payloads", "nodes")
        for verb in ("UPDATE", "DELETE")
    ),
    *(
        f"CREATE TRIGGER {table}_in_order BEFORE INSERT ON {table} WHEN NEW.seq IS NOT ({_NEXT} {table}) "
        f"BEGIN SELECT RAISE(ABORT, 'the query log is append-only'); END"
        for table in ("heads", "payloads")
    ),
    "CREATE TRIGGER nodes_once BEFORE INSERT ON nodes "
    "WHEN EXISTS (SELECT 1 FROM nodes WHERE level = NEW.level AND idx = NEW.idx) "
    "BEGIN SELECT RAISE(ABORT, 'the query log is append-only'); END",
)

_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; make the file and its folder writable for the appliance",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that program",
    sqlite3.SQLITE_IOERR: "the disk refuses to read or write; check its space, its quota and its health",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and belongs to the appliance",
    sqlite3.SQLITE_CORRUPT: "it is damaged; run the verification, then restore the latest backup",
    sqlite3.SQLITE_NOTADB: "it is not a log of the appliance; run the verification, then restore the latest backup",
}

_OTHERWISE = "it is not a log of the appliance, or was altered; run the verification"

_WAL_PAGES = 4000
"""Pages of 4 KiB before SQLite moves them to the main file; some answer waits for that, so not too often."""

_LOOK_EVERY_S = 0.002

_PRIMARY_CODE = 0xFF  # SQLite's extended codes keep the primary one in the low byte


class SqliteStore:
    """A log in the file `path`."""

    ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.patience_s = patience_s

    def __str__(self) -> str:
        return f"at {self.path}"

    def is_there(self) -> bool:
        return self.path.is_file()

    def identity(self) -> object:
        return identity_of(self.path)

    def errors(self) -> contextlib.AbstractContextManager[None]:
        return our_errors(self.path)

    def shows_damage(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.Error) and primary_code(error) in DAMAGE

    def open_to_append(self) -> Connection:
        return open_to_append(self.path, self.patience_s)

    def open_to_read(self) -> Connection:
        return open_to_read(self.path, self.patience_s)


class Connection(sqlite3.Connection):
    """A connection of SQLite that is one of `store`, too."""

    stream = sqlite3.Connection.execute

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        return transaction(self)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("ROLLBACK")

    @contextlib.contextmanager
    def emptying(self) -> Iterator[None]:
        self.execute("DROP TRIGGER IF EXISTS payloads_no_update")
        yield
        make_triggers(self)

    def clear_away(self) -> None:
        (busy, _, _) = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise AuditUnavailable(
                "The query log is being read, so what was erased may still stand in its side file. Repeat the erasure "
                "when nobody reads or exports the log; the next start completes it too."
            )

    def has_the_expected_schema(self) -> bool:
        found = {sql for (sql,) in self.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
        return found - {*TRIGGERS, ERASED_INDEX} == {*TABLES, *INDEXES}

    def is_sound(self) -> bool:
        return bool(self.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")


def identity_of(path: Path) -> tuple[int, int]:
    """What tells a file from another one of its name."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's code for an error; that of a general error where Python raised it by itself."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE


def unavailable(path: Path, error: sqlite3.Error | OSError) -> AuditUnavailable:
    """What to tell people about an error of the database or the file system. Holds nothing of an entry."""
    if isinstance(error, OSError):
        return AuditUnavailable(
            f"The query log {path} is not usable: {error.strerror}. Nothing is answered until it is."
        )
    remedy = _REMEDIES.get(primary_code(error), _OTHERWISE)
    return AuditUnavailable(f"The query log {path} is not usable: {remedy}. Nothing is answered until it is.")


@contextlib.contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """Raises `AuditUnavailable` for every error of SQLite and of the file system inside.

    Raises:
        AuditUnavailable: As it says.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error


def open_to_append(path: Path, busy_timeout_s: float) -> Connection:
    """A connection that writes, with the tables made if the file is new. Errors are those of SQLite."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only a new file is touched here: closing any descriptor of an open database would drop this process's locks on it.
    # SQLite gives its side files the mode of the file itself.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False, factory=Connection
    )
    try:
        _use_write_ahead_log(connection, time.monotonic() + busy_timeout_s)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        with transaction(connection):
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in (*TABLES, *INDEXES):
                    connection.execute(statement)
            connection.execute(ERASED_INDEX.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1))
            make_triggers(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def make_triggers(connection: sqlite3.Connection) -> None:
    """Make every trigger that is not there, also those that somebody took away."""
    for statement in TRIGGERS:
        connection.execute(statement.replace("CREATE TRIGGER", "CREATE TRIGGER IF NOT EXISTS", 1))


def open_to_read(path: Path, busy_timeout_s: float = PATIENCE_S) -> Connection:
    """A connection that cannot write, also to a copy on a read-only medium. Errors are those of SQLite."""
    # Without side files and without a place to make them, a log in WAL mode opens only as a file that never changes.
    alone = not path.with_name(f"{path.name}-wal").exists() and not os.access(path.parent, os.W_OK)
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    connection = sqlite3.connect(address, uri=True, timeout=busy_timeout_s, isolation_level=None, factory=Connection)
    connection.text_factory = _text
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _text(data: bytes) -> str:
    """A text of a column, whatever is in it: half a character in one entry must not keep the others from being read."""
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write at a time among all threads and processes; committed at the end, undone if anything is raised."""
    _begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _begin(connection: sqlite3.Connection) -> None:
    """Begin to write, as soon as nobody else does.

    SQLite waits longer and longer between two looks, so that of many who write without a pause one may never get
    its turn before its patience ends. Here everybody looks every few milliseconds, and is as patient.
    """
    [(patience_ms,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    deadline = time.monotonic() + patience_ms / 1000
    connection.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        _once_free(connection, "BEGIN IMMEDIATE", deadline)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}").fetchall()


def _use_write_ahead_log(connection: sqlite3.Connection, deadline: float) -> None:
    """Changing the mode does not wait for other processes that open the same new file, so it is tried again."""
    _once_free(connection, "PRAGMA journal_mode = WAL", deadline)


def _once_free(connection: sqlite3.Connection, statement: str, deadline: float) -> None:
    """Execute a statement as soon as nobody else is in its way, at the latest at that moment of the monotonic clock."""
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_EVERY_S)
