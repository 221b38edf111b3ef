"""An `Embedder` that computes each text once: vectors are kept in a file and found again by the text's hash.

Copies, the same letterhead on every page, what did not change in a document that did, and an index that is rebuilt from
the catalog cost no computing.

Rules this module keeps:

1. The file holds hashes and vectors, never a text. Questions are neither looked up nor kept.
2. The file is a convenience: losing it costs time. One that is damaged, or of another version of the program, is
   replaced by an empty one; when it cannot be written, embedding goes on without it. Neither is an error.
3. A vector is the same whether it was computed or found: both went through the 16-bit numbers of the file.
4. The file holds vectors of one model. One of another model is replaced by an empty one: what is removed later could
   not be found in it any more.
5. Each vector carries a checksum with the hash it belongs to: one that a failing disk has changed is not believed.
6. The file does not grow beyond its limit: what was not used for longest goes first, and what was not used for a month
   in any case.
7. What is to be forgotten is afterwards neither in the file nor in the log beside it: freed space is overwritten, and
   the log is emptied. If that fails, the whole file goes; if that fails too, it is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from appliance.errors import ApplianceError, place_of
from appliance.inference.port import Embedder, Vectors
from ingest.wrapped import WrappedEmbedder

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)

_FORMAT = 3
_SCHEMA = (
    "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX vectors_by_use ON vectors (used)",
)
_DAY_S = 24 * 3600
_UNUSED_DAYS = 30
_AT_ONCE = 500  # keys in one query
_ROW_BYTES = 120  # what a row takes beside its vector: keys in table and index, and room in pages
_SHARE_DROPPED = 10  # of a full file a tenth is dropped, so that it is not full again at once
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: a table is missing


class CachingEmbedder(WrappedEmbedder):
    """Wraps an embedder; keeps no questions. Safe to share between threads; one process at a time may use a file."""

    def __init__(self, inner: Embedder, path: Path, *, max_bytes: int = 1 << 30) -> None:
        """Open nothing yet.

        Args:
            inner: Computes what is not in the file.
            path: The file, in a folder that is closed to others. It is made when it is first needed.
            max_bytes: About how large the file may become; what is beside it while it is written comes on top.
        """
        super().__init__(inner)
        self._path = path
        self._max_rows = max(1, max_bytes // (2 * inner.dimension + _ROW_BYTES))
        self._lock = threading.Lock()
        self._file: _VectorFile | None = None
        self._is_usable = True

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts in the order given; what is known is not computed. Raises ModelUnavailable."""
        keys = [_key(self._inner.model_id, text) for text in texts]
        found = self._found(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            computed = _packed(self._inner.embed_passages(list(missing.values())))
            made = dict(zip(missing, computed, strict=True))
            self._keep(made)
            found |= made
        return _unpacked([found[key] for key in keys], self.dimension)

    def forget(self, texts: Iterable[str]) -> None:
        """Keep no vector of these texts. Raises ApplianceError when the file can be neither changed nor removed."""
        keys = [_key(self._inner.model_id, text) for text in texts]
        with self._lock:
            if self._file is None and not self._path.exists():
                return
            try:
                self._opened().forget(keys)
            except (sqlite3.Error, OSError):
                self._close()
                try:
                    delete_cache(self._path)
                except OSError as error:
                    raise ApplianceError(
                        f"The cache of embeddings {self._path} cannot be made to forget what was removed "
                        f"({error.strerror}). Remove it, then sync again."
                    ) from error

    def close(self) -> None:
        """Close the file. Closing twice is no error; embedding again opens it again."""
        with self._lock:
            self._close()

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        nothing: dict[bytes, bytes] = {}
        rows = self._with_file(lambda file: file.read(keys), nothing)
        size = 2 * self.dimension
        return {key: row[:size] for key, row in rows.items() if row == _sealed(key, row[:size])}

    def _keep(self, vectors: Mapping[bytes, bytes]) -> None:
        rows = {key: _sealed(key, vector) for key, vector in vectors.items()}
        self._with_file(lambda file: file.write(rows), None)

    def _with_file(self, work: Callable[[_VectorFile], _Result], otherwise: _Result) -> _Result:
        """What `work` makes of the file; `otherwise` when the file cannot be used."""
        with self._lock:
            if not self._is_usable:
                return otherwise
            try:
                return work(self._opened())
            except (sqlite3.Error, OSError) as error:
                self._recover(error)
                return otherwise

    def _opened(self) -> _VectorFile:
        if self._file is None:
            self._file = _VectorFile(self._path, self._max_rows, self._inner.model_id)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _recover(self, error: Exception) -> None:
        """Replace a damaged file; do without one that fails for another reason."""
        self._close()
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _DAMAGED:
            _log.warning("The cache of embeddings %s is damaged; a new one is begun.", self._path)
            try:
                delete_cache(self._path)
                return
            except OSError as unwritable:
                error = unwritable
        _log.warning("The cache of embeddings %s cannot be used (%s at %s); nothing is kept until the next start.",
                     self._path, type(error).__name__, place_of(error))  # fmt: skip
        self._is_usable = False


def forget(embedder: Embedder, texts: Iterable[str]) -> None:
    """No vector of these texts is kept, if `embedder` keeps any. Raises ApplianceError."""
    if isinstance(embedder, CachingEmbedder):
        embedder.forget(texts)


class _VectorFile:
    """The SQLite file. Raises sqlite3.Error and OSError."""

    def __init__(self, path: Path, max_rows: int, model_id: str) -> None:
        self._max_rows = max_rows
        self._connection = _opened(path, model_id)
        try:
            oldest = _today() - _UNUSED_DAYS
            with self._connection:
                self._connection.execute("DELETE FROM vectors WHERE used < ?", (oldest,))
            self._rows = int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
        except BaseException:
            self._connection.close()
            raise

    def read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The rows there are, marked as used today."""
        rows: dict[bytes, bytes] = {}
        with self._connection:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                select = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - question marks only
                rows.update(self._connection.execute(select, some))
                touch = f"UPDATE vectors SET used = ? WHERE key IN ({marks}) AND used < ?"  # noqa: S608
                self._connection.execute(touch, (_today(), *some, _today()))
        return rows

    def write(self, rows: Mapping[bytes, bytes]) -> None:
        """Add rows, or replace them; in a full file the ones unused for longest make room."""
        with self._connection:
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET vector = excluded.vector",
                [(key, row, _today()) for key, row in rows.items()],
            )
            self._rows += self._connection.total_changes - before
            if self._rows > self._max_rows:
                self._rows = int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
                surplus = self._rows - self._max_rows + self._max_rows // _SHARE_DROPPED
                self._rows -= self._connection.execute(
                    "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY used LIMIT ?)",
                    (max(0, surplus),),
                ).rowcount

    def forget(self, keys: Sequence[bytes]) -> None:
        """Overwrite rows, also where the log holds them still: what was deleted stays readable there otherwise."""
        with self._connection:
            before = self._connection.total_changes
            self._connection.executemany("DELETE FROM vectors WHERE key = ?", [(key,) for key in keys])
            self._rows -= self._connection.total_changes - before
        is_busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise sqlite3.OperationalError("the log cannot be emptied")

    def close(self) -> None:
        """Close the file, whatever state it is in."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _opened(path: Path, model_id: str) -> sqlite3.Connection:
    """A connection to the file, which is made if it is not there. One of another format or model is emptied."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a crash may lose the last rows, and damages none
        connection.execute("PRAGMA secure_delete = ON")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        model = connection.execute("PRAGMA application_id").fetchone()[0]
        if (version, model) != (_FORMAT, _number_of(model_id)):
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            with connection:
                for table in tables:
                    connection.execute(f'DROP TABLE "{table}"')
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_number_of(model_id)}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log has what was dropped
    except BaseException:
        connection.close()
        raise
    return connection


def _number_of(model_id: str) -> int:
    """Tells models apart in the 32 bits that a file has for such a thing. Keys name the model in full."""
    return int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:4], signed=True)


def delete_cache(path: Path) -> None:
    """Remove the file, and what is beside it while it is written. Raises OSError."""
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        name.unlink(missing_ok=True)


def _key(model_id: str, text: str) -> bytes:
    return hashlib.sha256(f"{model_id}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _packed(vectors: Vectors) -> list[bytes]:
    return [row.tobytes() for row in vectors.astype("<f2")]


def _unpacked(rows: Sequence[bytes], dimension: int) -> Vectors:
    """The rows as vectors of length 1."""
    vectors = np.frombuffer(b"".join(rows), dtype="<f2").reshape(len(rows), dimension).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def _sealed(key: bytes, vector: bytes) -> bytes:
    """A row of the file: the vector, and the checksum of both."""
    return vector + zlib.crc32(key + vector).to_bytes(4)


def _today() -> int:
    return int(time.time() // _DAY_S)
