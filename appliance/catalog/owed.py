"""Withdrawals that could not be written down, as when the disk is full: who was to lose sight of what.

Rules this module keeps:

1. While one is owed, no reader is shown anything: what they are shown goes by what is written down.
2. Whoever comes to read has it written down first, if that can be done by now; so does a sync, before it looks.
3. It is kept in memory. When the process ends, watched folders are looked at anew before anything is shown; one that
   is not watched is compared on its schedule.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from appliance.database import Database
from appliance.errors import CatalogUnavailable
from appliance.labels import LEVELS_AS_DELIVERED, Levels

_AGAIN_S = 1.0
_NOT_WRITTEN = (
    "Somebody lost access to documents, and that could not be written down. Until it is, nobody is shown any. Check "
    "the free disk space and the rights of the data folder, then run 'strongroom doctor'."
)
Write = Callable[[str, Mapping[str, frozenset[str]], Levels], None]


class Owed:
    """What is still to be written down. Threads may share it."""

    def __init__(self, write: Write) -> None:
        """Nothing is owed. `write` writes labels of files down, and raises CatalogUnavailable."""
        self._write = write
        self._labels: dict[str, dict[str, frozenset[str]]] = {}
        self._levels = LEVELS_AS_DELIVERED
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._not_before = 0.0

    @contextmanager
    def unless_written(self, source_id: str, labels: Mapping[str, frozenset[str]], levels: Levels) -> Iterator[None]:
        """For as long as labels are written down, by the paths of their files: they are owed if that fails."""
        try:
            yield
        except CatalogUnavailable:
            with self._lock:
                self._labels.setdefault(source_id, {}).update(labels)
                self._levels = levels
            raise

    def say_now(self, source_id: str, labels: Mapping[str, frozenset[str]]) -> None:
        """Files that were looked at say this by now: what is owed of them is no more than that."""
        if self._labels:
            with self._lock:
                owed = self._labels.get(source_id, {})
                owed.update((path, label) for path, label in labels.items() if path in owed)

    def settle(self) -> None:
        """Write down what is owed. Raises CatalogUnavailable: it cannot be, or somebody is at it."""
        if not self._labels:
            return
        if not self._one_at_a_time.acquire(blocking=False):
            raise CatalogUnavailable(_NOT_WRITTEN)
        try:
            if time.monotonic() < self._not_before:
                raise CatalogUnavailable(_NOT_WRITTEN)
            for source_id in list(self._labels):
                with self._lock:
                    labels = dict(self._labels[source_id])
                self._write(source_id, labels, self._levels)
                self._is_written(source_id, labels)
        except CatalogUnavailable as error:
            self._not_before = max(self._not_before, time.monotonic() + _AGAIN_S)
            raise CatalogUnavailable(_NOT_WRITTEN) from error
        finally:
            self._one_at_a_time.release()

    def _is_written(self, source_id: str, labels: Mapping[str, frozenset[str]]) -> None:
        with self._lock:
            left = {path: label for path, label in self._labels[source_id].items() if labels.get(path) != label}
            if left:
                self._labels[source_id] = left
            else:
                del self._labels[source_id]


class ForReaders:
    """Reads for those whom an `AccessFilter` stands for."""

    _database: Database
    _owed: Owed

    @contextmanager
    def for_reader(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises CatalogUnavailable, also while what it shows may be too much."""
        self._owed.settle()
        with self._database.read() as connection:
            yield connection
