"""Builds an index with another embedding model beside the one that answers, and has it take over once it is whole.

The catalog has every text that is searched, so nothing is read again: each version in force is embedded anew and
written to the index being built, under the label that its document has. Syncs go on meanwhile and write to the index
that answers; what they change is found by comparing the other one with the catalog, again and again. At last, while no
sync can run, what is still missing is added and the change is made.

Rules this module keeps:

1. The index being built answers nobody. It takes over only when it holds exactly the chunks that the catalog calls
   current, each under the label its document has.
2. It can be killed at any time: what was written stays, and the next start goes on from there.
3. What leaves the index that answers leaves the other one in the same call (`Twofold`), and nothing is written there
   that is no longer in force: when a removal is reported, no vector of the document is left in either.
4. A failure does not end it. It is told to those who run the appliance, and tried again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from appliance.catalog import Catalog
from appliance.domain import AccessFilter
from appliance.errors import ApplianceError, Conflict, IndexUnavailable, NotFound, place_of
from appliance.index.port import IndexEntry, IndexLegs, NamedDocument, Vector, VectorIndex
from appliance.inference.port import Embedder
from ingest.embed import Steps
from ingest.holdings import NOBODY
from ingest.names import names_of_version
from ingest.reconcile import Difference, compare

_log = logging.getLogger(__name__)
_RETRY_S = 15.0
_WAIT_FOR_SYNC_S = 5.0
_GRACE_S = 5.0
"""How long the index that answered stays when another has taken over: searches may be in it."""
_FEW = 50
"""So many versions may still be missing when syncs are kept from beginning, so that they do not wait for long."""


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


class Twofold:
    """The index that answers, and beside it the one being built, from which everything is removed that is removed here.

    A `VectorIndex`. What is written goes to the first alone; `Changeover` writes the second.
    """

    def __init__(self, serving: VectorIndex, building: VectorIndex) -> None:
        self._serving = serving
        self.building = building
        self.removing = threading.Lock()

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write entries to the index that answers."""
        self._serving.upsert(entries)

    def search(
        self,
        vector: Vector,
        text: str,
        *,
        access: AccessFilter,
        limit: int,
        language: str,
        documents: Collection[str] | None = None,
    ) -> IndexLegs:
        """Search the index that answers."""
        return self._serving.search(vector, text, access=access, limit=limit, language=language, documents=documents)

    def compare(
        self, vector: Vector, text: str, *, access: AccessFilter, language: str, chunk_ids: Collection[str]
    ) -> IndexLegs:
        """Score chunks of the index that answers."""
        return self._serving.compare(vector, text, access=access, language=language, chunk_ids=chunk_ids)

    def named(self, question: str, *, access: AccessFilter, limit: int) -> tuple[NamedDocument, ...]:
        """Documents of the index that answers, by name."""
        return self._serving.named(question, access=access, limit=limit)

    def set_groups(self, document_id: str, groups: frozenset[str]) -> None:
        """Relabel in the index that answers; the other one gets its labels when it takes over."""
        self._serving.set_groups(document_id, groups)

    def delete_version(self, version_id: str) -> None:
        """Remove every chunk of a version from both."""
        with self.removing:
            self.building.delete_version(version_id)
        self._serving.delete_version(version_id)

    def delete_document(self, document_id: str) -> None:
        """Remove every chunk of a document from both."""
        with self.removing:
            self.building.delete_document(document_id)
        self._serving.delete_document(document_id)

    def count(self, *, document_id: str | None = None, version_id: str | None = None) -> int:
        """How many chunks the index that answers has."""
        return self._serving.count(document_id=document_id, version_id=version_id)

    def versions(self) -> Mapping[str, int]:
        """Chunks per version id in the index that answers."""
        return self._serving.versions()

    def optimize(self) -> None:
        """Make the index that answers fast."""
        self._serving.optimize()

    def close(self) -> None:
        """Close both."""
        self.building.close()
        self._serving.close()


class _Sink:
    """Where the steps of a change write to."""

    def __init__(self, changeover: Changeover) -> None:
        self._changeover = changeover

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write what is in force of this."""
        self._changeover.write(entries)


class Changeover:
    """The change of the embedding model, in a thread of its own."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        both: Twofold,
        embedder: Embedder,
        turns: Turns,
        take_over: Callable[[], None],
        clear: Callable[[], None],
    ) -> None:
        """Begin nothing yet.

        Args:
            catalog: Has the texts and the labels.
            both: The index that answers, and the one to build.
            embedder: The model that the latter is for. It must read all of a text, however long.
            turns: Keeps syncs away at the end.
            take_over: Makes the index that was built the one that answers; called once, while no sync can run.
            clear: Removes the index that answered before; called after that, when nobody searches it any more.
        """
        self._catalog = catalog
        self._both = both
        self._embedder = embedder
        self._turns = turns
        self._take_over = take_over
        self._clear = clear
        self._labels: dict[str, frozenset[str]] = {}  # as this process wrote them
        self._written = 0  # since the index being built was made fast
        self._is_alone = False
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

    def progress(self) -> ChangeProgress:
        """How far it is. Raises IndexUnavailable, CatalogUnavailable."""
        total = sum(self._catalog.current_versions().values())
        return ChangeProgress(self._embedder.model_id, self._both.building.count(), total, self._error)

    def run(self) -> None:
        """Build the index and let it take over; returns early when told to stop.

        Raises:
            Conflict: A sync is running at the end; run it again.
            ModelUnavailable, IndexUnavailable, CatalogUnavailable: A part failed; run it again.
        """
        self._catch_up()
        if self._written:
            self._both.building.optimize()
            self._written = 0
        self._label()
        with self._turns.alone(wait_s=_WAIT_FOR_SYNC_S):
            self._is_alone = True
            try:
                self._build(self._difference())
                self._label()
            finally:
                self._is_alone = False
            if self._stop.is_set():
                return
            self._require_whole()
            self._take_over()
        self._stop.wait(_GRACE_S)
        self._clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.run()
                return
            except Conflict:
                pass  # a sync takes its time
            except ApplianceError as error:
                self._error = str(error)
                _log.warning("The change of the embedding model waits: %s", error)
            except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end without a word
                self._error = f"It failed unexpectedly ({type(error).__name__}) and is tried again."
                _log.error("The change of the embedding model failed: %s at %s", type(error).__name__, place_of(error))
            self._stop.wait(_RETRY_S)

    def _catch_up(self) -> None:
        """Build until little is missing, or what is missing is on its way out."""
        before: Difference | None = None
        while not self._stop.is_set():
            missing = self._difference()
            if len(missing.incomplete) <= _FEW or missing == before:
                return
            self._build(missing)
            before = missing

    def _difference(self) -> Difference:
        return compare(self._catalog, self._both.building)

    def _build(self, difference: Difference) -> None:
        """Bring the index being built in line with the catalog as it is now, as far as nobody is changing it."""
        there = self._both.building.versions()
        for version in difference.surplus:
            self._both.building.delete_version(version)
        with Steps(self._embedder, _Sink(self)) as steps:
            for version in difference.incomplete:
                if self._stop.is_set():
                    break
                if version in there:
                    self._both.building.delete_version(version)
                with contextlib.suppress(NotFound):  # it went since
                    names = names_of_version(self._catalog, version)
                    deque(steps.put(self._catalog.version_chunks(version)[0], NOBODY, names), maxlen=0)
            deque(steps.drain(), maxlen=0)
        self._error = ""

    def write(self, entries: Sequence[IndexEntry]) -> None:
        """Write those entries that are still in force, under the labels of this moment."""
        self._written += len(entries)
        with self._both.removing:
            labels = self._in_force({entry.document_id: entry.version_id for entry in entries})
            kept = [entry for entry in entries if entry.version_id in labels]
            self._both.building.upsert([replace(entry, groups=labels[entry.version_id]) for entry in kept])

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
                self._both.building.set_groups(facts.document_id, facts.groups)
                self._labels[facts.document_id] = facts.groups

    def _source_ids(self) -> list[str]:
        return [source.id for source in self._catalog.sources()]

    def _require_whole(self) -> None:
        """Raises IndexUnavailable unless the index being built holds what the catalog calls current, and no more."""
        left = self._difference()
        expected, found = sum(self._catalog.current_versions().values()), self._both.building.count()
        if left.surplus or left.incomplete or expected != found:
            raise IndexUnavailable(
                f"The index of the new embedding model has {found:,} passages where the catalog has {expected:,}. It "
                "does not take over before they agree; it is tried again."
            )
