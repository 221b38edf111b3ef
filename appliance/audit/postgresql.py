"""A log kept in PostgreSQL: how a server is connected to, and what its errors mean. The tables: `postgresql_schema`.

Rules this module keeps:

1. A commit is on disk when it returns (`synchronous_commit` is on, and a server with `fsync` off is refused). One
   writer at a time holds an advisory lock; a number is taken inside it, never from a sequence.
2. The password is read from its file whenever a connection is made. It is in no argument, message or log; neither is
   what the server writes about an error, which may repeat a row.
3. Over a network the server must show a certificate that is valid for its name. A socket and the loopback need none.
4. A connection that is lost is opened again by the next transaction, never inside one: what was cut off there was not
   acknowledged. If it was cut off in its commit it may be on record all the same.
5. Rows of a query that may have many are fetched a few at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import ssl
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pg8000.converters import make_params
from pg8000.exceptions import DatabaseError, Error, InterfaceError
from pg8000.native import Connection as Wire

from appliance.audit import postgresql_schema as schema
from appliance.audit.sqlite import our_errors
from appliance.config import LogSettings
from appliance.errors import AuditUnavailable

_BEGIN = "BEGIN; SELECT pg_advisory_xact_lock(91649847381575)"  # a number for those who write to this log
_CONNECT_S = 10.0
_READ_S = 120.0
_CLEAR_S = 3600.0
_IDLE_MS = 60_000
"""After this long without a word inside a transaction the server undoes it, so that nobody waits for a lost writer."""

_FIRST_ROWS, _MOST_ROWS = 20, 320
_ROWS_AT_ONCE = 100

_REMEDIES = {
    "53100": "the disk of its server is full; free some space there",
    "53300": "its server has no connection left; raise max_connections there",
    "55P03": "another program keeps it locked; close that program",
    "25006": "its server is a standby or read-only; name the primary in log.postgresql",
    "28P01": "its server refuses the password; see log.postgresql_password_file",
    "28000": "its server refuses the account; see pg_hba.conf there",
    "3D000": "there is no such database; create it, as docs/operations/query-log.md says",
    "42501": "the account may not use it; make the account the owner of the database",
}
_OF_CLASS = {
    "08": "its server cannot be reached; see that it runs and that log.postgresql is right",
    "53": "its server is out of memory or of something else that it needs; see its own log",
    "57": "its server is being stopped or started; see that it runs",
    "58": "the disk of its server refuses to read or write; check its space and its health",
    "XX": "it is damaged; run the verification, then restore the latest backup",
}
_OTHERWISE = "it is not a log of the appliance, or was altered; run the verification"
_DAMAGE = ("XX001", "XX002", "42P01", "42703", "42883", "3F000")


class PostgresqlStore:
    """A log in a database of a PostgreSQL server; the files beside it are named after `path`."""

    ERRORS: tuple[type[Exception], ...] = (Error,)

    def __init__(self, path: Path, settings: LogSettings, patience_s: float = 10.0) -> None:
        self.path = path
        self.patience_s = patience_s
        self._settings = settings
        self._address = settings.postgresql_address

    def __str__(self) -> str:
        return f"in PostgreSQL at {self._address}"

    def is_there(self) -> bool:
        with contextlib.closing(self.open_to_read()) as connection:
            return schema.is_there(connection)

    def identity(self) -> object:
        return None  # a database cannot be put in the place of one that is connected to, and its rows are looked at

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        try:
            with our_errors(self.path):  # of the files beside it
                yield
        except Error as error:
            raise self._unavailable(_remedy(error)) from error

    def shows_damage(self, error: Exception) -> bool:
        return _code(error) in _DAMAGE

    def open_to_append(self) -> Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = Connection(self, {"idle_in_transaction_session_timeout": str(_IDLE_MS)}, 2 * self.patience_s)
        try:
            for name, wanted in (("fsync", "on"), ("full_page_writes", "on"), ("server_encoding", "UTF8")):
                if connection.execute(f"SHOW {name}").fetchone() != (wanted,):
                    raise self._unavailable(f"{name} of its server is not {wanted}, which the log needs")
            with connection.transaction():
                schema.make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def open_to_read(self) -> Connection:
        return Connection(self, {"default_transaction_read_only": "on"}, _READ_S)

    def wire(self, settings: dict[str, str], answers_within_s: float) -> Wire:
        """A connection of the driver. Raises its errors, and AuditUnavailable when the password cannot be read."""
        address = self._address
        startup = {
            "search_path": schema.NAME,
            "synchronous_commit": "on",
            "lock_timeout": str(round(self.patience_s * 1000)),
            **settings,
        }
        try:
            return Wire(
                address.user,
                host=address.host or None,
                port=address.port,
                unix_sock=address.socket or None,
                database=address.database,
                password=self._password(),
                ssl_context=False if address.is_this_machine else self._tls(),
                timeout=answers_within_s,
                application_name="strongroom",
                startup_params=startup,
            )
        except (InterfaceError, OSError) as error:
            if isinstance(error, ssl.SSLError) or "SSL" in str(error):
                raise self._unavailable(
                    "its server shows no certificate that is valid for its name; see log.postgresql_ca_file"
                ) from error
            raise InterfaceError("network error") from error

    def _password(self) -> str:
        path = self._settings.postgresql_password_file
        if not path:
            return ""
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise self._unavailable(f"the file {path} with its password cannot be read") from error

    def _tls(self) -> ssl.SSLContext:
        path = self._settings.postgresql_ca_file
        try:
            return ssl.create_default_context(cafile=path or None)
        except OSError as error:
            raise self._unavailable(f"the authority in {path} cannot be read; see log.postgresql_ca_file") from error

    def _unavailable(self, remedy: str) -> AuditUnavailable:
        return AuditUnavailable(f"The query log {self} is not usable: {remedy}. Nothing is answered until it is.")


@dataclass
class Rows:
    """The rows that a statement gave."""

    rowcount: int = 0
    _left: deque[tuple[Any, ...]] = field(default_factory=deque)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while self._left:
            yield self._left.popleft()

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._left.popleft() if self._left else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self)


class Connection:
    """A connection to the server that is one of `store`, too."""

    def __init__(self, store: PostgresqlStore, settings: dict[str, str], answers_within_s: float) -> None:
        self._store = store
        self._settings = settings
        self._answers_within_s = answers_within_s
        self._numbers = itertools.count()
        self._prepared: dict[str, Any] = {}
        self._wire: Wire | None = self._opened()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        wire = self._wire or self._open_again()
        with self._noticing_loss():
            if sql not in self._prepared:
                self._prepared[sql] = (_numbered(sql), *wire.prepare_statement(_numbered(sql), ()))
            statement, name, columns, readers = self._prepared[sql]
            done = wire.execute_named(name, make_params(wire.py_types, parameters), columns, readers, statement)
        return Rows(done.row_count, deque(map(tuple, done.rows or ())))

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        start, row = sql.split(" VALUES ")
        rows, count = iter(parameters), 0
        while several := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            values = tuple(itertools.chain.from_iterable(several))
            count += self.execute(f"{start} VALUES {', '.join([row] * len(several))}", values).rowcount
        return Rows(count)

    def stream(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterator[Any]:
        name = f"rows_{next(self._numbers)}"
        wire = self._wire or self._open_again()
        with self._noticing_loss():
            wire.execute_unnamed(f"DECLARE {name} NO SCROLL CURSOR FOR {_numbered(sql)}", parameters)
        return self._fetched(name)

    def hashes(self, nodes: Sequence[tuple[int, int]]) -> list[bytes]:
        """All of them with one look: each takes a way to the server and back."""
        either = " OR ".join(["(level = ? AND idx = ?)"] * len(nodes))
        wanted = f"SELECT level, idx, hash FROM nodes WHERE {either}"  # noqa: S608 - the values are apart
        rows = self.execute(wanted, tuple(itertools.chain.from_iterable(nodes))) if nodes else ()
        found = {(level, index): bytes(node) for level, index, node in rows}
        return [found[node] for node in nodes]

    def script(self, sql: str) -> Rows:
        """Statements without values, in one go."""
        wire = self._wire or self._open_again()
        with self._noticing_loss():
            done = wire.execute_simple(sql)
        return Rows(done.row_count, deque(map(tuple, done.rows or ())))

    def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            with contextlib.suppress(Error, OSError):
                wire.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with self._undone_if_raised():
            try:
                self.script(_BEGIN)
            except InterfaceError:  # the server was started anew, say; nothing was written yet
                self.script(_BEGIN)
            yield
            self.script("COMMIT")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        self.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with self._undone_if_raised():
            yield
            self.script("ROLLBACK")

    @contextlib.contextmanager
    def emptying(self) -> Iterator[None]:
        self.script("ALTER TABLE payloads DISABLE TRIGGER no_update")
        yield
        self.script("ALTER TABLE payloads ENABLE TRIGGER no_update")

    def clear_away(self) -> None:
        patient = Connection(self._store, {}, _CLEAR_S)
        with contextlib.closing(patient):
            patient.script("VACUUM payloads")

    def has_the_expected_schema(self) -> bool:
        return schema.is_as_made(self)

    def is_sound(self) -> bool:
        return True  # every row was read by then, and the server looks at no more by itself

    @contextlib.contextmanager
    def _undone_if_raised(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            if self._wire is not None:
                with contextlib.suppress(Error):
                    self.script("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if _code(error).startswith(("57P", "08", "25P03")):  # the server ends it, or has ended it
                self.close()
                raise InterfaceError("the connection was ended") from error
            raise
        except (Error, OSError, ValueError):
            self.close()  # half of an answer may be on its way
            raise

    def _fetched(self, name: str) -> Iterator[tuple[Any, ...]]:
        count = _FIRST_ROWS
        while rows := self.script(f"FETCH {count} FROM {name}").fetchall():
            yield from rows
            count = min(4 * count, _MOST_ROWS)
        self.script(f"CLOSE {name}")

    def _opened(self) -> Wire:
        return self._store.wire(self._settings, self._answers_within_s)

    def _open_again(self) -> Wire:
        self._prepared.clear()
        self._wire = self._opened()
        return self._wire


def _numbered(sql: str) -> str:
    """A statement with $1, $2 for its question marks, which stand for values and nothing else."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _code(error: Exception) -> str:
    """The SQLSTATE of an error; empty when the server did not give one."""
    told = error.args[0] if isinstance(error, DatabaseError) and error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def _remedy(error: Error) -> str:
    code = _code(error) or "08000"
    return _REMEDIES.get(code) or _OF_CLASS.get(code[:2], _OTHERWISE)
