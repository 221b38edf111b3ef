"""A signed log for attackers, in a file or in PostgreSQL, with all that they may have: its files and its rows, the key of
its signer, and a backup of when it was shorter."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pg8000.native import Connection as Wire

from appliance.audit import checkpoint, note, postgresql_wire, signatures, store, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.postgresql import PostgresqlStore
from appliance.audit.signer import Signer
from appliance.audit.sqlite import SqliteStore
from appliance.audit.verify import verify

from .postgresql_server import DATABASE, SUPERUSER, Server
from .test_log_verification import rewrite, without_triggers

ENTRIES, EVERY = 60, 20
_ATTACKED = "attacked"

Entries = list[tuple[dict[str, Any], bytes]]


@dataclass(frozen=True)
class Victim(ABC):
    """A closed log of 60 entries, signed every 20. What lies beside the rows is files, wherever those are."""

    path: Path
    backup: Path  # of the folder, of when it had 20 entries
    private: Ed25519PrivateKey

    @property
    @abstractmethod
    def store(self) -> store.Store:
        """Where its rows are."""

    @abstractmethod
    def as_owner(self) -> AbstractContextManager[Any]:
        """A connection of the attacker's to the rows, with the triggers out of the way."""

    def copied(self, folder: Path) -> Self:
        shutil.copytree(self.path.parent, folder / "log")
        return dataclasses.replace(self, path=folder / "log" / self.path.name)

    def put_the_backup_back(self) -> None:
        shutil.rmtree(self.path.parent)
        shutil.copytree(self.backup, self.path.parent)

    def alone(self) -> int:
        """What the log says of itself: how many entries verify."""
        return verify(self.store, *signatures.checked(self.path)).size

    def rebuild(self, change: Callable[[Entries], object], keep_notes: Callable[[list[str]], list[str]] = list) -> None:
        """Change entries and leave a log without a fault in itself, with the checkpoint beside it to match."""
        with self.as_owner() as rows:
            rewrite(rows, change)
        self._keep(keep_notes(signatures.signed_notes(self.path)))
        checkpoint.write(checkpoint.latest_path(self.path), self.checkpoints()[-1])

    def rebuild_and_sign(self, change: Callable[[Entries], object]) -> None:
        """The same, with the key of the signer."""
        self.rebuild(change)
        later = [found for found in self.checkpoints()[1:] if found.size % EVERY == 0]
        self._keep([note.sign(found.text(), ORIGIN, self.private) for found in later])

    def checkpoints(self) -> list[Checkpoint]:
        """What the log was at every size, as it is now."""
        frontier, found = tree.Frontier(), [Checkpoint(ORIGIN, 0, tree.EMPTY_ROOT)]
        with self.as_owner() as rows:
            for (head,) in rows.execute("SELECT head FROM heads ORDER BY seq").fetchall():
                frontier.append(tree.leaf_hash(head))
                found.append(Checkpoint(ORIGIN, frontier.size, frontier.root()))
        return found

    def _keep(self, notes: list[str]) -> None:
        signatures.notes_path(self.path).unlink()
        for text in notes:
            signatures.keep(self.path, text)


class InAFile(Victim):
    """Whoever has the file drops its triggers."""

    @property
    def store(self) -> store.Store:
        return SqliteStore(self.path)

    def as_owner(self) -> AbstractContextManager[sqlite3.Connection]:
        return without_triggers(self.path)


@dataclass(frozen=True)
class InADatabase(Victim):
    """A superuser of the server is hindered by no trigger and no right."""

    server: Server
    dump: bytes  # of when it had 20 entries
    database: str = DATABASE

    @property
    def store(self) -> store.Store:
        return PostgresqlStore(self.path, self.server.over_the_socket(self.database))

    @contextmanager
    def as_owner(self) -> Any:
        socket = f"{self.server.folder}/.s.PGSQL.{self.server.port}"
        connection = postgresql_wire.Connection(
            lambda _: Wire(SUPERUSER, unix_sock=socket, database=self.database), answers_within_s=60
        )
        with contextlib.closing(connection):
            connection.script("SET search_path = query_log; SET session_replication_role = replica")
            yield connection

    def copied(self, folder: Path) -> Self:
        self.server.copy(self.database, _ATTACKED)
        return dataclasses.replace(super().copied(folder), database=_ATTACKED)

    def put_the_backup_back(self) -> None:
        super().put_the_backup_back()
        self.server.restore(self.dump, self.database)


def in_a_file(folder: Path) -> InAFile:
    """A victim whose rows are in a file."""
    path = folder / "log" / "queries.db"
    backup, private = _written(SqliteStore(path), lambda: None)
    return InAFile(path, backup, private)


def in_a_database(folder: Path, server: Server) -> InADatabase:
    """A victim whose rows are in PostgreSQL."""
    path, dumps = folder / "log" / "queries.db", list[bytes]()
    backup, private = _written(PostgresqlStore(path, server.over_the_socket()), lambda: dumps.append(server.dumped()))
    return InADatabase(path, backup, private, server, *dumps)


def _written(place: store.Store, back_up_rows: Callable[[], object]) -> tuple[Path, Ed25519PrivateKey]:
    folder = place.path.parents[1]
    (folder / "signer").mkdir()
    signer, backup = Signer(folder / "signer"), folder / "backup"
    for known in range(0, ENTRIES, EVERY):
        with QueryLog(place) as log:
            for number in range(known, known + EVERY):
                log.append(AdminAction("u-admin", "test.written", str(number)))
            proof = log.consistency_proof(known)[0] if known else ()
            checkpoint.put(signatures.key_path(place.path), signer.key.text().encode())
            signatures.keep(place.path, signer.sign(log.checkpoint().text(), list(proof)))
        if not known:
            shutil.copytree(place.path.parent, backup)
            back_up_rows()
    return backup, Ed25519PrivateKey.from_private_bytes((folder / "signer" / "ed25519.key").read_bytes())
