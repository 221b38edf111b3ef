"""The keys to what the log holds: one for each person and month, in a small file apart from the log.

Rules this module keeps:

1. Content is readable with its key and with nothing else. Destroying a key erases all that was sealed with it, in every
   copy of the log, while the tree over it stays as it is.
2. Keys lie wrapped in a SQLite file beside the log that keeps no trace of what was removed (rollback journal,
   `secure_delete`). What unwraps them, the key-encryption key, lies in a file of its own, one for each epoch.
3. A person is named in the log by the *subject* of the key: an HMAC under the key over the account id. So a name in the
   log says nothing by itself, is another one each month, and dies with the key.
4. From one key come two, by HMAC-SHA256 with different labels: one names the person, one encrypts (AES-256-GCM with a
   random nonce, bound to what the caller says the content belongs to).
5. A key is on disk before anything is sealed with it. Lost keys are never replaced in silence.
6. Keys are destroyed in one transaction: they are removed, those that stay are wrapped anew for the next epoch, and
   what they were called is noted until the log has let go of what they sealed. Then the former key-encryption key is
   overwritten and removed, so that what an old copy of this file holds opens with nothing that is still there.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.audit.checkpoint import put
from appliance.audit.sqlite import transaction
from appliance.errors import AuditUnavailable

KEY_BYTES = 32
NONCE_BYTES = 12

_TABLES = (
    "CREATE TABLE keys (subject TEXT PRIMARY KEY, person TEXT NOT NULL, month TEXT NOT NULL, wrapped BLOB NOT NULL, "
    "UNIQUE (person, month))",
    "CREATE TABLE epoch (number INTEGER NOT NULL)",
)
_DOOMED = "CREATE TABLE IF NOT EXISTS doomed (actor TEXT NOT NULL, month TEXT NOT NULL, PRIMARY KEY (actor, month))"
_FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Holding:
    """What is on record of one person in one month, all under one name: `actor`, as it stands in the heads."""

    person: str
    month: str
    actor: str


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The key of one person for one month. It has no text of its own, so that it gets into no message.

    What it opens with is made once: a search opens thousands of entries with the same few keys.
    """

    subject: str
    secret: bytes
    _cipher: AESGCM = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make what it seals and opens with."""
        object.__setattr__(self, "_cipher", AESGCM(_derived(self.secret, b"content")))

    def seal(self, content: bytes, belongs_to: bytes) -> bytes:
        """The content encrypted: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, belongs_to)

    def open(self, sealed: bytes, belongs_to: bytes) -> bytes:
        """The content.

        Raises:
            ValueError: It was sealed with another key, belongs to something else, or was altered.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], belongs_to)
        except InvalidTag as error:
            raise ValueError("This content was not sealed with this key for this place.") from error


def opened(key: Key | None, sealed: bytes, belongs_to: bytes) -> str | None:
    """A text that was sealed; None when its key is not there, or it was sealed with another one."""
    if key is None:
        return None
    try:
        return key.open(sealed, belongs_to).decode("utf-8")
    except ValueError:
        return None


class Keyring:
    """The file of keys, opened. It is not shared between threads; whoever reads or writes the log opens their own."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use the functions of this module."""
        self._path = path
        self._connection = connection
        self._found: dict[str, Key | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def obtain(self, person: str, month: str) -> Key:
        """The key of a person for a month, made if there is none yet.

        Raises:
            AuditUnavailable: The key-encryption key is missing, or is another one.
            sqlite3.Error, OSError: The files cannot be read or written.
        """
        return self._existing(person, month) or self._make(person, month)

    def make_ready(self, person: str, month: str) -> None:
        """See that there is a key of a person for a month, at the same cost where there was one: a key is made anyway.

        Raises: As `obtain`.
        """
        with transaction(self._connection):
            if self._existing(person, month) is None:
                self._insert(person, month)
            else:
                spare = self._insert(f"nobody {secrets.token_hex(16)}", month)
                self._connection.execute("DELETE FROM keys WHERE subject = ?", (spare.subject,))

    def find(self, subject: str) -> Key | None:
        """The key under that name; None when there is none, or none that this key-encryption key opens.

        What was found once is not looked for again: one reading of the log asks for the same keys thousands of times.
        """
        if subject not in self._found:
            self._found[subject] = self._looked_up(subject)
        return self._found[subject]

    def of(self, person: str) -> dict[str, Key]:
        """The keys of a person by month; none that this key-encryption key does not open.

        No erasure comes in between: it commits before it removes the former key-encryption key, and waits for this.
        """
        with _snapshot(self._connection):
            rows = self._connection.execute(
                "SELECT subject, month, wrapped FROM keys WHERE person = ?", (person,)
            ).fetchall()
            found: dict[str, Key] = {}
            with contextlib.suppress(AuditUnavailable):
                by = self._encryption_key() if rows else b""
                for subject, month, wrapped in rows:
                    found[str(month)] = Key(str(subject), self._unwrapped(person, month, wrapped, by))
            return found

    def subjects(self, person: str) -> tuple[str, ...]:
        """Every name under which a person still stands in the log."""
        rows = self._connection.execute("SELECT subject FROM keys WHERE person = ?", (person,))
        return tuple(str(subject) for (subject,) in rows)

    def holdings(self) -> tuple[Holding, ...]:
        """What there are keys for, by month and person."""
        rows = self._connection.execute("SELECT person, month, subject FROM keys ORDER BY month, person")
        return tuple(Holding(str(person), str(month), str(subject)) for person, month, subject in rows)

    def epoch(self) -> int:
        """How often keys were destroyed, from 1."""
        return int(self._connection.execute("SELECT number FROM epoch").fetchone()[0])

    def destroy(self, holdings: Iterable[Holding]) -> None:
        """Destroy these keys for good. Those of none are named too: what a head names by the account id itself.

        Raises:
            AuditUnavailable: The key-encryption key is missing, or is another one. Nothing was destroyed.
            sqlite3.Error, OSError: The files cannot be written.
        """
        with transaction(self._connection):
            former, fresh, epoch = self._encryption_key(), secrets.token_bytes(KEY_BYTES), self.epoch() + 1
            put(encryption_key_path(self._path, epoch), fresh)
            for holding in holdings:
                self._connection.execute("INSERT OR IGNORE INTO doomed VALUES (?, ?)", (holding.actor, holding.month))
                self._connection.execute("DELETE FROM keys WHERE subject = ?", (holding.actor,))
            for subject, person, month, wrapped in self._connection.execute("SELECT * FROM keys").fetchall():
                secret = self._unwrapped(person, month, wrapped, former)
                self._connection.execute(
                    "UPDATE keys SET wrapped = ? WHERE subject = ?", (_wrapped(person, month, secret, fresh), subject)
                )
            self._connection.execute("UPDATE epoch SET number = ?", (epoch,))
        self.remove_former_epochs()

    def doomed(self) -> tuple[tuple[str, str], ...]:
        """The names and months whose keys were destroyed, and which the log has not let go of yet."""
        return tuple(self._connection.execute("SELECT actor, month FROM doomed ORDER BY actor, month"))

    def forget_doomed(self) -> None:
        """The log has let go of them."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM doomed")

    def remove_former_epochs(self) -> None:
        """Overwrite and remove every key-encryption key of an epoch that is over. One to come may be about to begin."""
        current = self.epoch()
        for path in self._path.parent.glob(f"{self._path.stem}.kek.*"):
            number = path.suffix.removeprefix(".")
            if number.isdecimal() and int(number) < current:
                _destroy_file(path)

    def people(self) -> tuple[str, ...]:
        """Everybody who has a key."""
        return tuple(str(person) for (person,) in self._connection.execute("SELECT DISTINCT person FROM keys"))

    def _looked_up(self, subject: str) -> Key | None:
        row = self._connection.execute(
            "SELECT person, month, wrapped FROM keys WHERE subject = ?", (subject,)
        ).fetchone()
        if row is None:
            return None
        with contextlib.suppress(AuditUnavailable):
            return Key(subject, self._unwrapped(*row))
        return None

    def _existing(self, person: str, month: str) -> Key | None:
        row = self._connection.execute(
            "SELECT subject, wrapped FROM keys WHERE person = ? AND month = ?", (person, month)
        ).fetchone()
        return Key(str(row[0]), self._unwrapped(person, month, row[1])) if row else None

    def _make(self, person: str, month: str) -> Key:
        with transaction(self._connection):
            # another process may have been faster
            return self._existing(person, month) or self._insert(person, month)

    def _insert(self, person: str, month: str) -> Key:
        """A new key. Inside a transaction."""
        secret = secrets.token_bytes(KEY_BYTES)
        subject = hmac.digest(_derived(secret, b"subject"), person.encode("utf-8", "surrogatepass"), "sha256").hex()
        self._connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?)",
            (subject, person, month, _wrapped(person, month, secret, self._encryption_key())),
        )
        return Key(subject, secret)

    def _unwrapped(self, person: str, month: str, wrapped: bytes, by: bytes | None = None) -> bytes:
        try:
            return Key("", by or self._encryption_key()).open(wrapped, _place(person, month))
        except ValueError as error:
            raise AuditUnavailable(
                f"The keys in {self._path} do not belong to the key-encryption key beside them. Restore both from the "
                "same backup. Nothing is answered until they fit."
            ) from error

    def _encryption_key(self) -> bytes:
        path = encryption_key_path(self._path, self.epoch())
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise AuditUnavailable(
                f"The key-encryption key {path} of the query log is gone. Restore it from the backup of the keys. "
                "Nothing is answered until it is there."
            ) from error


def keys_path(log: Path) -> Path:
    """Where the keys of a log are kept."""
    return log.parent / "keys" / log.name


def encryption_key_path(keys: Path, epoch: int) -> Path:
    """Where the key-encryption key of an epoch is kept."""
    return keys.with_name(f"{keys.stem}.kek.{epoch}")


def open_to_write(path: Path, busy_timeout_s: float, *, may_be_new: bool) -> Keyring:
    """The keys, made if there are none and there may be none.

    Raises:
        AuditUnavailable: They are gone.
        sqlite3.Error, OSError: The files cannot be read or written.
    """
    if not may_be_new and not path.exists():
        raise _gone(path)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = EXTRA")  # the folder too: a key is on disk before it is used
        connection.execute("PRAGMA temp_store = MEMORY")
        _make_tables(path, connection, may_be_new=may_be_new)
    except BaseException:
        connection.close()
        raise
    return Keyring(path, connection)


@contextlib.contextmanager
def opened_to_read(path: Path, busy_timeout_s: float) -> Iterator[Keyring | None]:
    """The keys as they are, without changing anything; None when there are none.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    if not path.exists():
        yield None
        return
    mode = "rw" if os.access(path, os.W_OK) else "ro"  # a write that was cut off is undone by whoever comes next
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=busy_timeout_s)
    with contextlib.closing(connection):
        yield Keyring(path, connection)


@contextlib.contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _make_tables(path: Path, connection: sqlite3.Connection, *, may_be_new: bool) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute(_DOOMED)  # an older release did not make it
        return
    if not may_be_new:
        raise _gone(path)
    with transaction(connection):
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        # One that is there already is of a start that was cut off: nothing was sealed with it.
        put(encryption_key_path(path, _FIRST_EPOCH), secrets.token_bytes(KEY_BYTES))
        for statement in (*_TABLES, _DOOMED):
            connection.execute(statement)
        connection.execute("INSERT INTO epoch VALUES (?)", (_FIRST_EPOCH,))


def _gone(path: Path) -> AuditUnavailable:
    return AuditUnavailable(
        f"The keys {path} of the query log are gone, and with them what it holds. Restore the backup of the keys; "
        "docs/operations/query-log.md says what to do without one. Nothing is answered until they are there."
    )


def _derived(secret: bytes, label: bytes) -> bytes:
    return hmac.digest(secret, b"strongroom query log: " + label, "sha256")


def _wrapped(person: str, month: str, secret: bytes, by: bytes) -> bytes:
    return Key("", by).seal(secret, _place(person, month))


def _destroy_file(path: Path) -> None:
    """Overwrite a key and remove it: on a disk that writes in place, it is then in no block of it either."""
    with path.open("r+b") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _place(person: str, month: str) -> bytes:
    return f"{month} {person}".encode("utf-8", "surrogatepass")
