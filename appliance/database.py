"""The SQL database that catalog, accounts and conversations share: one SQLite file, written durably.

Rules this module keeps:

1. A commit that returned survives power loss (WAL with `synchronous=FULL`).
2. Writers take the write lock at the start (`BEGIN IMMEDIATE`): no transaction fails half-way for want of it.
3. Every error of the driver leaves as `CatalogUnavailable`; constraint violations as `Conflict`; a value that SQLite
   cannot hold (a lone surrogate in a text, a number beyond 64 bits) as `InvalidRequest`.
4. The schema is what the migrations make; `migrate` brings a file up to date and never touches a newer one.
5. Each database is made with a random id of its own, by which what lies elsewhere (a vector index on a server) tells
   whose it is. A restored backup keeps it, a new data folder has another.

The query log is not here: it has a file of its own (`appliance.audit`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from appliance.errors import CatalogUnavailable, Conflict, InvalidRequest

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_CONNECTIONS = 64
"""Kept open. To open one costs more than most questions that are asked of it."""

_MAPPED_BYTES = 256 * 1024**2
"""Of the file, read where the system has it in memory, instead of being copied page by page for each question."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "busy_timeout=30000",
    "temp_store=MEMORY",  # what a statement sets aside is in no file
    f"mmap_size={_MAPPED_BYTES}",
)
installation = Table("installation", metadata, Column("id", String(36), primary_key=True))


class Moment(TypeDecorator[datetime]):
    """A point in time: aware in Python, UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def month_in(column: ColumnElement[datetime]) -> ColumnElement[str]:
    """The month of a moment as `audit.records.month_of` writes it, computed by the database: moments are UTC there."""
    return func.strftime("%Y-%m", column)


class Database:
    """One SQLite file. Threads may share it; each transaction has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),  # not a string: a folder may be called "a?b"
            hide_parameters=True,
            connect_args={"timeout": 30, "check_same_thread": False},
            pool_size=_CONNECTIONS,
            pool_use_lifo=True,  # the one that was used last has in memory what is asked for most
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)

    def migrate(self) -> None:
        """Bring the schema up to date.

        Raises:
            CatalogUnavailable: The file cannot be written, is damaged, or was made by a newer release.
        """
        with self.write() as connection:
            if _revision(connection) != newest_revision():
                self._upgrade(connection)

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command  # a tenth of a second, which most commands need not wait for
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))  # the option interpolates
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise CatalogUnavailable(
                f"The database {self.path.name} was made by another release of Strongroom ({error}). "
                "Start the release that made it, or restore a backup."
            ) from error

    def installation_id(self) -> str:
        """The id this database was made with, a random UUID. Raises CatalogUnavailable."""
        with self.read() as connection:
            found: str = connection.execute(select(installation.c.id)).scalar_one()
            return found

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises CatalogUnavailable, InvalidRequest."""
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock; commits on leaving.

        Raises:
            CatalogUnavailable, Conflict, InvalidRequest: See rule 3. Nothing was changed.
        """
        with self._transaction(self._engine.execution_options(immediate=True)) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with self._errors(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises what rule 3 says in place of the driver's own errors."""
        try:
            yield
        except IntegrityError as error:
            raise Conflict("That exists already, or something else still refers to it.") from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise InvalidRequest(
                "A value cannot be stored: a text holds half a character (a lone surrogate), or a number is too large. "
                "Correct it and try again."
            ) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise CatalogUnavailable(
                f"The database {self.path.name} cannot be used ({type(cause).__name__}: {_reason(cause)}). "
                "Check the free disk space and the rights of the data folder, then run 'strongroom doctor'."
            ) from error

    def clear_side_files(self) -> None:
        """Leave nothing of what was deleted in any file: the write-ahead log is moved over and emptied.

        Raises:
            CatalogUnavailable: Somebody reads for longer than is waited for, or the file cannot be used.
        """
        with self._errors(), self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            (busy, _, _) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() if raw else (1, 0, 0)
        if busy:
            raise CatalogUnavailable(
                f"The database {self.path.name} is in use, so what was deleted may still stand in its side file. "
                "Try again; the daily run does so too."
            )

    def close(self) -> None:
        """Close every connection. Closing twice is no error."""
        self._engine.dispose()


def newest_revision() -> str:
    """The last migration there is: their files are named by number."""
    return max(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str:
    """The migration that was applied last, empty when there was none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin, not whenever the driver thinks so
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}").fetchall()
    cursor.close()
    connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _reason(error: Any) -> str:
    """The driver's own words, which never hold data: SQLite reports a condition, not values."""
    return str(error.args[0]) if isinstance(error, sqlite3.Error) and error.args else "see the cause"
