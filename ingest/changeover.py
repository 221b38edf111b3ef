"""Builds an index with another embedding model beside the one that answers, and has it take over once it is whole.

The catalog has every text that is searched, so nothing is read again: each version in force is embedded anew and
written to the index being built, under the label that its document has. Syncs go on meanwhile and write to the index
that answers; what they change is found by comparing the other one with the catalog, again and again. At last, while no
sync can run, what is still missing is added and the change is made.

Rules this module keeps:

1. The index being built answers nobody. It takes over only when it holds exactly the chunks that the catalog calls
   current, each under the label its document has.
2. It can be killed at any time: what was written stays, and the next start goes on from there.
3. What leaves the index that answers leaves the other one in the same call (`twofold`), and nothing is written there
   that is no longer in force: when a removal is reported, no vector of the document is left in either.
4. A failure does not end it. It is told to those who run the appliance, and tried again.
5. The index that was built is not touched any more once it answers: after that the old one is all that is left to do.
6. Syncs are kept waiting for one step of passages at a time, never for more.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from appliance.catalog import Catalog
from appliance.errors import ApplianceError, Conflict, IndexUnavailable, NotFound, place_of
from appliance.index.port import IndexEntry, VectorIndex
from appliance.inference.port import Embedder
from ingest.embed import AT_ONCE, Steps
from ingest.holdings import NOBODY
from ingest.names import names_of_version
from ingest.reconcile import Difference, compare
from ingest.twofold import Twofold

_log = logging.getLogger(__name__)
_RETRY_S = 15.0
_WAIT_FOR_SYNC_S = 5.0
_GRACE_S = 5.0
"""How long the index that answered stays at least when another has taken over: a search may be about to begin in it."""
_IN_USE_S = 3600.0
"""How long it stays at most for what began with it and has not ended."""
_LOOK_AGAIN_S = 0.2
_A_STEP = AT_ONCE
"""So many chunks are embedded at most while syncs are kept waiting, and those of one version at least."""
_OPTIMIZE_AFTER_CHUNKS = 1_000


class Turns(Protocol):
    """Keeps syncs from running (`Runs`)."""

    def alone(self, *, wait_s: float = 0) -> AbstractContextManager[None]:
        """No sync begins or goes on meanwhile. Raises Conflict when one is still going on after `wait_s`."""


@dataclass(frozen=True, slots=True)
class ChangeProgress:
    """How far a change of the embedding model is. Numbers are of chunks; `error` is why it waits, for people."""

    model_id: str
    done: int
    total: int
    error: str = ""


class Changeover:
    """The change of the embedding model, in a thread of its own."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        both: Twofold,
        building: VectorIndex,
        embedder: Embedder,
        turns: Turns,
        take_over: Callable[[], None],
        in_use: Callable[[], bool],
        clear: Callable[[], None],
    ) -> None:
        """Begin nothing yet.

        Args:
            catalog: Has the texts and the labels.
            both: The index that answers, and `building`.
            building: The index to build.
            embedder: The model that it is for. It must read all of a text, however long.
            turns: Keeps syncs away at the end.
            take_over: Makes the index that was built the one that answers; called while no sync can run, and never
                again when it has succeeded.
            in_use: Whether somebody may still search the index that answered before.
            clear: Removes that one; called when nobody searches it any more, until it succeeds.
        """
        self._catalog = catalog
        self._both = both
        self._building = building
        self._embedder = embedder
        self._turns = turns
        self._take_over = take_over
        self._in_use = in_use
        self._clear = clear
        self._labels: dict[str, frozenset[str]] = {}  # as this process wrote them
        self._written = 0  # since the index being built was made fast
        self._is_alone = False
        self._has_taken_over = False
        self._error = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="changeover", daemon=True)

    def start(self) -> None:
        """Work in the background until the change is made."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the step at hand. What was done stays done. Closing twice is no error."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the change is made; returns whether it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def progress(self) -> ChangeProgress | None:
        """How far it is; None when there is nothing to tell any more. Raises IndexUnavailable, CatalogUnavailable."""
        if self._has_taken_over and not self._error:
            return None
        total = sum(self._catalog.current_versions().values())
        return ChangeProgress(self._embedder.model_id, self._building.count(), total, self._error)

    def run(self) -> None:
        """Build the index, let it take over and remove the one before; returns early when told to stop.

        Raises:
            Conflict: A sync is running at the end; run it again.
            ModelUnavailable, IndexUnavailable, CatalogUnavailable, AuditUnavailable: A part failed; run it again.
        """
        while not self._has_taken_over:
            self._catch_up()
            if self._written >= _OPTIMIZE_AFTER_CHUNKS and not self._stop.is_set():
                self._building.optimize()
                self._written = 0
            self._label()
            if self._stop.is_set():
                return
            with self._turns.alone(wait_s=_WAIT_FOR_SYNC_S):
                self._finish()
        self._remove_the_other()

    def _finish(self) -> None:
        """Let the index take over, if no more than a step is missing; otherwise syncs get their turn first."""
        self._is_alone = True
        try:
            self._both.all_published()
            missing = self._difference()
            self._build(replace(missing, incomplete=tuple(self._first_of(missing.incomplete))))
            self._label()
        finally:
            self._is_alone = False
        if self._stop.is_set() or 0 < len(self._difference().incomplete) < len(missing.incomplete):
            return
        self._require_whole()
        self._take_over()
        self._has_taken_over = True

    def _remove_the_other(self) -> None:
        """Remove the index that answered before, when nobody uses it. The next start does it if told to stop."""
        self._stop.wait(_GRACE_S)
        deadline = time.monotonic() + _IN_USE_S
        while self._in_use() and time.monotonic() < deadline and not self._stop.is_set():
            self._stop.wait(_LOOK_AGAIN_S)
        if self._stop.is_set():
            return
        self._clear()
        self._error = ""

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.run()
                return
            except Conflict:
                pass  # a sync takes its time
            except ApplianceError as error:
                self._error = self._told(str(error))
                _log.warning("The change of the embedding model waits: %s", error)
            except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end without a word
                self._error = self._told(f"It failed unexpectedly ({type(error).__name__}) and is tried again.")
                _log.error("The change of the embedding model failed: %s at %s", type(error).__name__, place_of(error))
            self._stop.wait(_RETRY_S)

    def _told(self, error: str) -> str:
        """An error, and what it means when only the index that answered before is left to be removed."""
        if not self._has_taken_over:
            return error
        return f"The new index answers, but the one before it is not removed yet, which is tried again: {error}"

    def _catch_up(self) -> None:
        """Build until little is missing, or what is missing is on its way out."""
        before: Difference | None = None
        while not self._stop.is_set():
            missing, unpublished = self._difference(), self._both.unpublished()
            ready = tuple(version for version in missing.incomplete if version not in unpublished)
            missing = replace(missing, incomplete=ready)
            if missing == before or sum(count for _, count in self._sizes(ready)) <= _A_STEP:
                return
            self._build(missing)
            before = missing

    def _sizes(self, versions: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Versions, and how many chunks each has."""
        current = self._catalog.current_versions()
        return ((version, current.get(version, 0)) for version in versions)

    def _first_of(self, versions: Iterable[str]) -> Iterator[str]:
        """The first of the versions: a step of chunks, or one version."""
        taken = 0
        for version, count in self._sizes(versions):
            if taken and taken + count > _A_STEP:
                return
            taken += count
            yield version

    def _difference(self) -> Difference:
        return compare(self._catalog, self._building)

    def _build(self, difference: Difference) -> None:
        """Bring the index being built in line with the catalog as it is now, as far as nobody is changing it."""
        there = self._building.versions()
        for version in difference.surplus:
            self._building.delete_version(version)
        with Steps(self._embedder, self._write) as steps:
            for version in difference.incomplete:
                if version in there:
                    self._building.delete_version(version)
                with contextlib.suppress(NotFound):  # it went since
                    names = names_of_version(self._catalog, version)
                    if not self._goes_on(steps.put(self._catalog.version_chunks(version)[0], NOBODY, names)):
                        return
            if not self._goes_on(steps.drain()):
                return
        self._error = ""

    def _goes_on(self, writes: Iterator[int]) -> bool:
        """Do the writes one after the other; returns whether it was not told to stop before the last."""
        return not self._stop.is_set() and not any(self._stop.is_set() for _ in writes)

    def _write(self, entries: Sequence[IndexEntry]) -> None:
        """Write those entries that are still in force, under the labels of this moment."""
        self._written += len(entries)
        with self._both.removing:
            labels = self._in_force({entry.document_id: entry.version_id for entry in entries})
            unpublished = self._both.unpublished()
            kept = [entry for entry in entries if entry.version_id in labels and entry.version_id not in unpublished]
            self._building.upsert([replace(entry, groups=labels[entry.version_id]) for entry in kept])

    def _in_force(self, versions: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """The labels of those versions that are in force. What nobody may see may be on its way out.

        Args:
            versions: By document.
        """
        found = {}
        for document, version in versions.items():
            try:
                facts = self._catalog.facts(document)
            except NotFound:
                continue
            if facts.version_id == version and (facts.groups or self._is_alone):
                found[version] = facts.groups
                self._labels[document] = facts.groups
        return found

    def _label(self) -> None:
        """Put every document under the label it has now, if this process did not write it under that."""
        current = self._catalog.current_versions()
        for facts in chain.from_iterable(map(self._catalog.every_file, self._source_ids())):
            if self._stop.is_set():
                return
            if facts.version_id in current and self._labels.get(facts.document_id) != facts.groups:
                self._building.set_groups(facts.document_id, facts.groups)
                self._labels[facts.document_id] = facts.groups

    def _source_ids(self) -> list[str]:
        return [source.id for source in self._catalog.sources()]

    def _require_whole(self) -> None:
        """Raises IndexUnavailable unless the index being built holds what the catalog calls current, and no more."""
        left = self._difference()
        expected, found = sum(self._catalog.current_versions().values()), self._building.count()
        if left.surplus or left.incomplete or expected != found:
            raise IndexUnavailable(
                f"The index of the new embedding model has {found:,} passages where the catalog has {expected:,}. It "
                "does not take over before they agree; it is tried again."
            )
