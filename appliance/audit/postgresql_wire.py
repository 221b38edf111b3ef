"""A connection to a PostgreSQL server that a log is kept in: statements, transactions, rows a few at a time.

Rules this module keeps:

1. One writer at a time holds an advisory lock; the next number is taken inside it, never from a sequence.
2. A connection that is lost is opened again by the next transaction, never inside one: what was cut off there was not
   acknowledged. If it was cut off in its commit it may be on record all the same.
3. Rows of a query that may have many are fetched a few at a time.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pg8000.converters import make_params
from pg8000.exceptions import DatabaseError, Error, InterfaceError
from pg8000.native import Connection as Wire

from appliance.audit import postgresql_schema as schema

_BEGIN = "BEGIN; SELECT pg_advisory_xact_lock(91649847381575)"  # a number for those who write to this log
_CLEAR_S = 3600.0
_FIRST_ROWS, _MOST_ROWS = 20, 320
_ROWS_AT_ONCE = 100
_ENDED = ("57P", "08", "25P03")
"""How the codes begin that say that the server ends the connection, or has ended it."""


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

    def __init__(self, connect: Callable[[float], Wire], answers_within_s: float) -> None:
        """Connect.

        Args:
            connect: Connects to a server that has to answer within some seconds.
            answers_within_s: How long the server may take for one statement.
        """
        self._connect = connect
        self._answers_within_s = answers_within_s
        self._numbers = itertools.count()
        self._prepared: dict[str, Any] = {}
        self._is_inside = False  # a transaction
        self._wire: Wire | None = connect(answers_within_s)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        wire = self._open()
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
        wire = self._open()
        with self._noticing_loss():
            wire.execute_unnamed(f"DECLARE {name} NO SCROLL CURSOR FOR {_numbered(sql)}", parameters)
        return self._fetched(name)

    def script(self, sql: str) -> Rows:
        """Statements without values, in one go."""
        wire = self._open()
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
        was_open = self._wire is not None
        try:
            self.script(_BEGIN)
        except InterfaceError:
            if not was_open:
                raise
            self.script(_BEGIN)  # the server was started anew, say; nothing was written yet
        except DatabaseError:
            self.script("ROLLBACK")
            raise
        with self._inside():
            yield
            self.script("COMMIT")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        self.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with self._inside():
            yield
            self.script("ROLLBACK")

    @contextlib.contextmanager
    def emptying(self) -> Iterator[None]:
        self.script("ALTER TABLE payloads DISABLE TRIGGER no_update; GRANT UPDATE ON payloads TO CURRENT_USER")
        yield
        self.script("ALTER TABLE payloads ENABLE TRIGGER no_update; REVOKE UPDATE ON payloads FROM CURRENT_USER")

    def clear_away(self) -> None:
        with contextlib.closing(Connection(self._connect, _CLEAR_S)) as patient:
            patient.script("VACUUM payloads")

    def has_the_expected_schema(self) -> bool:
        return schema.is_as_made(self)

    def is_sound(self) -> bool:
        return True  # every row was read by then, and the server looks at no more by itself

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Inside a transaction, which is undone if anything is raised."""
        self._is_inside = True
        try:
            yield
        except BaseException:
            if self._wire is not None:
                with contextlib.suppress(Error):
                    self.script("ROLLBACK")
            raise
        finally:
            self._is_inside = False

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if sqlstate_of(error).startswith(_ENDED):
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

    def _open(self) -> Wire:
        """The connection of the driver, opened again if it was lost before this transaction."""
        if self._wire is None:
            if self._is_inside:
                raise InterfaceError("the connection was lost inside a transaction")
            self._prepared.clear()
            self._wire = self._connect(self._answers_within_s)
        return self._wire


def _numbered(sql: str) -> str:
    """A statement with $1, $2 for its question marks, which stand for values and nothing else."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def sqlstate_of(error: Exception) -> str:
    """The SQLSTATE of an error; empty when the server did not give one."""
    told = error.args[0] if isinstance(error, DatabaseError) and error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""
