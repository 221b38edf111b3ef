"""The vector index in this process, on Qdrant Edge. What lies where is told in `appliance.index.shard_folder`.

Rules this module keeps:

1. A write is on the disk before it returns.
2. Searches take no lock; the shard allows any number beside a write, and they release the interpreter. Writes take
   turns.
3. `EdgeShard.optimize` holds the interpreter for as long as it runs (seconds per ten thousand chunks), which would
   stop every thread of the appliance. So a copy of the shard is optimised by a child process and then takes the place
   of the original, unless something was written in between. It needs as much free disk as the shard has.
4. The dense leg is exact for readers who may see up to 50,000 chunks, however large the index is: the graph of HNSW
   loses hits behind a filter. Beyond that it is searched broadly, and which of the far hits it finds may depend on
   chunks the reader cannot see; scores never do. (Comparing 100,000 vectors takes 7 ms, and with a filter
   of one group 12, of 200 groups 28; the graph takes 2 to 5. `bench/search.py` says what it finds.)
5. A relabelling or a deletion is checked before it returns. With a part of its write-ahead log missing, a shard opens
   without complaint, counts operations anew and ignores writes to every chunk that has seen a later one.
6. IDF is not left to the vendor, who would count at every request (`appliance.index.statistics`): a search brings it
   along. What was counted follows from the shard and is counted again (2 s for each 100,000 chunks) unless the index
   was closed after the last write.
7. Weights of words are whole multiples of 1/32, and those in a chunk of 1/128 (`appliance.index.bm25`). The vendor adds
   numbers of 32 bits in an order that depends on all chunks there are; sums of such weights are exact in any order (up
   to 4,096), so that the last bit of a score, and who of two equals comes first, tells nothing of closed chunks. A
   word of a name weighs 1, or nothing: there the steps are finer.
8. Vendor errors are bare `Exception`s, and panics that are no `Exception` at all: both become `IndexUnavailable`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy
from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    FacetRequest,
    FieldCondition,
    Filter,
    HasIdCondition,
    HnswIndexConfig,
    MatchAny,
    MatchValue,
    Point,
    Query,
    QueryRequest,
    ScrollRequest,
    SearchParams,
    SparseVector,
    UpdateOperation,
    ValuesCount,
)

from appliance.domain import AccessFilter
from appliance.errors import ApplianceError, IndexUnavailable
from appliance.index.bm25 import SparseTerms, document_terms, query_terms
from appliance.index.layout import (
    DENSE,
    DOCUMENT_ID,
    GROUPS,
    NAMES,
    SEARCH_EF,
    SPARSE,
    VERSION_ID,
    Identity,
    batches,
    best,
    first_ask,
    foremost,
    labels,
    strengths,
)
from appliance.index.names import name_terms, naming_terms
from appliance.index.port import IndexEntry, IndexHit, IndexLegs, NamedDocument, Vector
from appliance.index.shard_folder import IN_USE, ShardFolder
from appliance.index.statistics import Change, TermStatistics

_EXACT_UP_TO = 50_000
"""Chunks. Below it no graph is built either (the vendor's thresholds are in KiB of vectors of four bytes a number)."""

_EXACT_FOR_READERS_OF = 20_000
"""Chunks: who may see no more of them gets exact results however large the index is, by the vendor's estimate."""

_EDGES = 16
_BREADTH = 100
"""Of the graph: links of a chunk, and candidates compared when it is linked."""

_STEPS = 32
_STEPS_OF_NAMES = 16_384

_AT_ONCE = 100  # chunks whose terms are read at once: the vendor holds the interpreter for 2 ms
_OPTIMIZE_ATTEMPTS = 3
_OPTIMIZE = """
import os, sys
from qdrant_edge import EdgeShard
os.nice(10)
shard = EdgeShard.load(sys.argv[1])
shard.optimize()
shard.flush()
shard.close()
"""

Statistics = dict[str, TermStatistics]


class EdgeIndex:
    """`VectorIndex` in a folder of its own, which one process owns at a time. Safe for any number of threads."""

    def __init__(self, path: Path, *, dimension: int, model_id: str, owner: str = "") -> None:
        """Open the index at `path`, or create it where there is none.

        Args:
            path: The folder of the index.
            dimension: How many numbers a vector has.
            model_id: The embedding model that makes the vectors.
            owner: The id of the data folder the index belongs to; empty for an index that belongs to none.

        Raises:
            IndexUnavailable: It is damaged, in use by another process, belongs to another data folder, was built with
                another embedding model, or its disk is almost full.
        """
        self._path = path
        self._identity = Identity(owner, model_id, dimension)
        self._writing = threading.Lock()
        self._optimizing = threading.Lock()
        self._writes = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        with self._vendor_errors("be opened"):
            self._folder = ShardFolder(path, self._identity, _config(dimension))
            saved = self._folder.statistics((SPARSE, NAMES))
            self._statistics: Statistics | None = saved or _count_anew(self._folder.shard)

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write entries, replacing those with the same chunk id."""
        once = {entry.chunk_id: entry for entry in entries}
        points: list[Point] = []
        came: dict[str, list[Change]] = {SPARSE: [], NAMES: []}
        for entry in once.values():
            terms, names = document_terms(entry.text, entry.language), name_terms(entry.names)
            points.append(self._point(entry, terms, names))
            came[SPARSE].append(Change(entry.groups, terms.indices, 1))
            if names.indices:
                came[NAMES].append(Change(entry.groups, names.indices, 1))
        operations = [UpdateOperation.upsert_points(list(batch)) for batch in batches(points)]
        self._write(operations, Filter(must=[_among(once)]), came=came)

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
        """The best `limit` chunks of each leg among those `access` admits; ties broken by chunk id."""
        among = () if documents is None else (_any_of(DOCUMENT_ID, documents),)
        return self._legs(vector, text, language, access, limit, among)

    def compare(
        self, vector: Vector, text: str, *, access: AccessFilter, language: str, chunk_ids: Collection[str]
    ) -> IndexLegs:
        """The scores of the given chunks, as far as `access` admits them, as `search` would give them."""
        return self._legs(vector, text, language, access, len(chunk_ids), (_among(chunk_ids),))

    def admitted(self, chunk_ids: Collection[str], access: AccessFilter) -> frozenset[str]:
        """Those of the given chunks that `access` admits, as the index has it."""
        if not access.groups or not chunk_ids:
            return frozenset()
        wanted = Filter(must=[_visible(access), _among(chunk_ids)])
        with self._vendor_errors("be searched"):
            points, _ = self._shard().scroll(ScrollRequest(limit=len(chunk_ids), filter=wanted, with_payload=False))
            return frozenset(str(point.id) for point in points)

    def named(self, question: str, *, access: AccessFilter, limit: int) -> tuple[NamedDocument, ...]:
        """The `limit` documents that the question names most clearly among those `access` admits, best first."""
        if limit < 1:
            return ()
        terms = naming_terms(question)
        return strengths(*self._by_name(terms, access, lambda ask: best(ask(first_ask(limit)), limit, ask)))

    def called(self, name: str, *, access: AccessFilter, limit: int) -> frozenset[str]:
        """The documents with the most of a name in theirs, among those `access` admits; none if more than `limit`."""
        found, _ = self._by_name(name_terms(name), access, partial(foremost, limit))
        return frozenset(document for document, _ in found)

    def _by_name(
        self,
        terms: SparseTerms,
        access: AccessFilter,
        choose: Callable[[Callable[[int], Sequence[IndexHit]]], Sequence[IndexHit]],
    ) -> tuple[list[tuple[str, float]], int]:
        """Documents (ids) with the sum of the IDF of the words in common, and how many with a name there are."""
        if not access.groups or not terms.indices:
            return [], 0
        shard = self._shard()
        with self._vendor_errors("be searched"):
            statistics = self._counted()[NAMES]
        access = statistics.met(access)
        if not access.groups:
            return [], 0
        visible = _visible(access)
        query = Query.Nearest(_weighed(terms, statistics, access, _STEPS_OF_NAMES), using=NAMES)
        documents: dict[str, str] = {}

        def ask(size: int) -> list[IndexHit]:
            points = shard.query(QueryRequest(limit=size, query=query, filter=visible, with_payload=[DOCUMENT_ID]))
            documents.update((str(point.id), (point.payload or {})[DOCUMENT_ID]) for point in points)
            return [IndexHit(str(point.id), point.score) for point in points]

        with self._vendor_errors("be searched"):
            found = choose(ask)
        return [(documents[hit.chunk_id], hit.score) for hit in found], statistics.total(access)

    def _legs(
        self, vector: Vector, text: str, language: str, access: AccessFilter, limit: int, among: Sequence[Any]
    ) -> IndexLegs:
        """Both legs among the chunks that meet the conditions `among`; IDF over everything that `access` admits."""
        numbers = self._identity.numbers(vector)
        if not access.groups or limit < 1:
            return IndexLegs((), ())
        shard = self._shard()
        with self._vendor_errors("be searched"):
            statistics = self._counted()[SPARSE]
        access = statistics.met(access)
        if not access.groups:
            return IndexLegs((), ())
        wanted = Filter(must=[_visible(access), *among])

        def leg(query: Query, params: SearchParams | None = None) -> tuple[IndexHit, ...]:
            def ask(size: int) -> list[IndexHit]:
                request = QueryRequest(limit=size, query=query, filter=wanted, params=params)
                return [IndexHit(str(point.id), point.score) for point in shard.query(request)]

            return best(ask(first_ask(limit)), limit, ask)

        with self._vendor_errors("be searched"):
            exact = bool(among) or statistics.total(access) <= _EXACT_UP_TO
            dense = leg(Query.Nearest(numbers, using=DENSE), SearchParams(hnsw_ef=SEARCH_EF, exact=exact))
            sparse = _weighed(query_terms(text, language), statistics, access, _STEPS)
            if not sparse.indices:
                return IndexLegs(dense, ())
            return IndexLegs(dense, leg(Query.Nearest(sparse, using=SPARSE)))

    def set_groups(self, document_id: str, groups: frozenset[str], *, version_id: str | None = None) -> None:
        """Relabel every chunk of a document, or of one version of it."""
        chosen = _equals(DOCUMENT_ID, document_id) if version_id is None else _equals(VERSION_ID, version_id)
        labelled = [FieldCondition(GROUPS, match=MatchValue(group)) for group in sorted(groups)]
        size = FieldCondition(GROUPS, values_count=ValuesCount(gte=len(groups), lte=len(groups)))
        unchanged = Filter(must=[chosen], must_not=[Filter(must=[size, *labelled])])
        self._write([UpdateOperation.set_payload_by_filter(chosen, {GROUPS: sorted(groups)})], chosen, unchanged)

    def delete_version(self, version_id: str) -> None:
        """Remove every chunk of a version."""
        version = _equals(VERSION_ID, version_id)
        self._write([UpdateOperation.delete_points_by_filter(version)], version, version)

    def delete_document(self, document_id: str) -> None:
        """Remove every chunk of a document."""
        document = _equals(DOCUMENT_ID, document_id)
        self._write([UpdateOperation.delete_points_by_filter(document)], document, document)

    def count(self, *, document_id: str | None = None, version_id: str | None = None) -> int:
        """How many chunks there are, of all or of one document or version. Exact."""
        wanted = {DOCUMENT_ID: document_id, VERSION_ID: version_id}
        conditions = [
            FieldCondition(key, match=MatchValue(value)) for key, value in wanted.items() if value is not None
        ]
        with self._vendor_errors("be counted"):
            return self._shard().count(CountRequest(exact=True, filter=Filter(must=[*conditions])))

    def versions(self) -> Mapping[str, int]:
        """Chunks per version id, for comparing with the catalog. Exact."""
        with self._vendor_errors("be counted"):
            shard = self._shard()
            most = max(1, shard.count(CountRequest(exact=True)))
            hits = shard.facet(FacetRequest(VERSION_ID, limit=most, exact=True)).hits
            # of what was deleted, the vendor may tell 0
            return {str(hit.value): hit.count for hit in hits if hit.count}

    def optimize(self) -> None:
        """Build what makes searching fast, in a child process, while searches and writes go on.

        Gives up silently when something was written during each of three attempts, or when another thread is at it:
        the index stays right, only not as fast as it could be, and the next call tries again.

        Raises:
            IndexUnavailable: The child process failed, or the disk is full. The index goes on as it was.
        """
        if not self._optimizing.acquire(blocking=False):
            return
        try:
            with self._vendor_errors("be optimised"):
                for _ in range(_OPTIMIZE_ATTEMPTS):
                    if self._optimize_copy():
                        return
        finally:
            self._optimizing.release()

    def close(self) -> None:
        """Flush and let go of every resource. Closing twice is no error."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            if self._child is not None:
                self._child.terminate()
            with self._vendor_errors("be closed"):
                self._folder.close(self._statistics)

    def _shard(self) -> EdgeShard:
        if self._closed:
            raise IndexUnavailable(f"The vector index at {self._path} is closed: restart the appliance.")
        return self._folder.shard

    def _point(self, entry: IndexEntry, terms: SparseTerms, names: SparseTerms) -> Point:
        vectors: dict[str, Any] = {DENSE: self._identity.numbers(entry.vector), SPARSE: _sparse(terms)}
        if names.indices:
            vectors[NAMES] = _sparse(names)
        try:
            return Point(id=entry.chunk_id, vector=vectors, payload=labels(entry))
        except ValueError as error:
            raise IndexUnavailable(f"Chunk id '{entry.chunk_id}' is no UUID, so it cannot be indexed.") from error

    def _write(
        self,
        operations: Sequence[UpdateOperation],
        concerned: Filter,
        none_left: Filter | None = None,
        came: Mapping[str, Sequence[Change]] | None = None,
    ) -> None:
        """Apply operations, for good; the `concerned` chunks are counted before, and after unless `came` says it.

        Raises:
            IndexUnavailable: It failed, or a chunk matches `none_left` after it.
        """
        with self._writing, self._vendor_errors("be written"):
            shard = self._shard()
            self._folder.require_writable()
            statistics = _changed(self._statistics or _count_anew(shard), shard, concerned, by=-1)
            self._folder.forget_statistics()
            self._writes += 1
            try:
                for operation in operations:
                    shard.update(operation)
                self._folder.keep()
                if none_left is not None and shard.count(CountRequest(exact=True, filter=none_left)):
                    raise IndexUnavailable(
                        f"The vector index at {self._path} ignores writes, its log was damaged: restore the backup, "
                        "or move the folder away and ingest the documents again."
                    )
                if came is None:
                    self._statistics = _changed(statistics, shard, concerned, by=1)
                else:
                    self._statistics = {name: each.changed(came[name]) for name, each in statistics.items()}
            except BaseException:
                self._statistics = None  # nobody knows how much of it was written
                raise

    def _counted(self) -> Statistics:
        statistics = self._statistics
        if statistics is None:  # after a write that failed
            with self._writing:
                self._statistics = statistics = self._statistics or _count_anew(self._shard())
        return statistics

    def _optimize_copy(self) -> bool:
        """Optimise a copy and put it in place. False when writes came in between, and the copy was thrown away."""
        copy = self._folder.building()
        try:
            with self._writing:
                self._shard()
                self._folder.require_writable()
                writes = self._writes
                self._folder.copy_to(copy)
                self._child = _start_optimizing(copy)
            if self._child.wait() != 0:
                self._shard()  # closing ends the child too, and says so in its own words
                raise OSError(f"optimising ended with status {self._child.returncode}")
            self._folder.prepare(copy)  # writers need not wait for it
            with self._writing:
                self._shard()
                if self._writes != writes:
                    return False
                old = self._folder.take(copy)
            shutil.rmtree(old, ignore_errors=True)
            return True
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    @contextmanager
    def _vendor_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApplianceError:
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
                raise  # KeyboardInterrupt and its kind; a panic of the vendor's comes from pyo3_runtime
            raise IndexUnavailable(self._explain(what, error)) from error

    def _explain(self, what: str, error: BaseException) -> str:
        if IN_USE in str(error):
            return f"The vector index at {self._path} is in use by another process: stop that one first."
        if isinstance(error, OSError):
            return (
                f"The vector index at {self._path} could not {what} ({error.strerror or type(error).__name__}): "
                "check the disk's space and the folder's permissions."
            )
        return (
            f"The vector index at {self._path} could not {what}: restart the appliance; if that does not help, "
            "restore the backup, or move the folder away and ingest the documents again."
        )


def _config(dimension: int) -> EdgeConfig:
    kib_of_a_vector = dimension * 4 / 1024
    return EdgeConfig(
        vectors={DENSE: EdgeVectorParams(size=dimension, distance=Distance.Cosine)},
        sparse_vectors={name: EdgeSparseVectorParams() for name in (SPARSE, NAMES)},
        hnsw_config=HnswIndexConfig(
            m=_EDGES, ef_construct=_BREADTH, full_scan_threshold=int(_EXACT_FOR_READERS_OF * kib_of_a_vector)
        ),
        optimizers=EdgeOptimizersConfig(indexing_threshold=int(_EXACT_UP_TO * kib_of_a_vector)),
    )


def _count_anew(shard: EdgeShard) -> Statistics:
    return _changed({SPARSE: TermStatistics(), NAMES: TermStatistics()}, shard, Filter(), by=1)


def _changed(statistics: Statistics, shard: EdgeShard, concerned: Filter, *, by: int) -> Statistics:
    """The statistics with (`by` is 1) or without (-1) what the shard holds of some chunks."""
    start = None
    while True:
        points, start = shard.scroll(
            ScrollRequest(
                offset=start, limit=_AT_ONCE, filter=concerned, with_payload=[GROUPS], with_vector=[SPARSE, NAMES]
            )
        )
        changes: dict[str, list[Change]] = {name: [] for name in statistics}
        for point in points:
            vectors: Any = point.vector
            groups = frozenset((point.payload or {})[GROUPS])
            for name, vector in vectors.items():
                changes[name].append(Change(groups, vector.indices, by))
        statistics = {name: each.changed(changes[name]) for name, each in statistics.items()}
        if start is None:
            return statistics


def _sparse(terms: SparseTerms) -> SparseVector:
    return SparseVector(indices=list(terms.indices), values=list(terms.values))


def _weighed(terms: SparseTerms, statistics: TermStatistics, access: AccessFilter, steps: int) -> SparseVector:
    """The query vector of BM25, in whole steps (rule 7); terms that stand in no visible chunk are left out of it."""
    weights = numpy.ceil(statistics.idf(terms.indices, access) * steps) / steps
    found = [(index, weight) for index, weight in zip(terms.indices, weights.tolist(), strict=True) if weight]
    return SparseVector(indices=[index for index, _ in found], values=[weight for _, weight in found])


def _visible(access: AccessFilter) -> Filter:
    return Filter(must=[_any_of(GROUPS, access.groups)])


def _among(chunk_ids: Iterable[str]) -> HasIdCondition:
    return HasIdCondition({uuid.UUID(chunk_id) for chunk_id in chunk_ids})


def _any_of(label: str, values: Collection[str]) -> FieldCondition:
    return FieldCondition(label, match=MatchAny(sorted(values)))


def _equals(label: str, value: str) -> Filter:
    return Filter(must=[FieldCondition(label, match=MatchValue(value))])


def _start_optimizing(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _OPTIMIZE, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
