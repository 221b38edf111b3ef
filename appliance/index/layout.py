"""What a chunk looks like inside Qdrant, and what both adapters do alike.

Rules this module keeps:

1. A point is a chunk: its id the chunk's, one dense vector, one sparse vector, and a payload of labels only. One
   chunk of each version has a second sparse vector: the names of the document.
2. The model that made the vectors is on record beside them; vectors of two models never meet in one index.
3. So is the data folder an index belongs to. Reconciling deletes what the catalog does not know: a second data folder
   on the same index would empty it.
4. The cut at `limit` never falls inside a group of equal scores: what a reader sees does not depend on the order in
   which the index happens to hold the points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy

from appliance.errors import IndexUnavailable
from appliance.index.port import IndexEntry, IndexHit, NamedDocument, Vector

DENSE = "dense"
SPARSE = "bm25"
NAMES = "names"
DOCUMENT_ID = "document_id"
VERSION_ID = "version_id"
GROUPS = "groups"
LABELS = (DOCUMENT_ID, VERSION_ID, GROUPS)
"""The payload, and at the same time its keyword indexes."""

SEARCH_EF = 512
"""Breadth of the walk through an HNSW graph; far above any `limit` we ask for, so that recall stays near 1."""

_Entry = TypeVar("_Entry")
FORMAT = 5
"""The form in which this release writes an index."""

_BATCH = 256
_SPARE = 16
_FOREMOST = 32


class BuiltForAnotherModel(IndexUnavailable):
    """An index holds vectors of another embedding model than the one it was opened for. Says which."""

    def __init__(self, message: str, *, model_id: str, dimension: int) -> None:
        super().__init__(message)
        self.model_id = model_id
        self.dimension = dimension


class BuiltByOlderRelease(IndexUnavailable):
    """An index of our own data folder was written by an older release, in a form that this one does not read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose an index is, and what it was built for. Stored beside the vectors and compared on every opening."""

    owner: str
    model_id: str
    dimension: int
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """The record to store."""
        return asdict(self)

    def require(self, found: Mapping[str, Any], where: str, instead: str) -> None:
        """Check a stored record against what is configured now.

        Args:
            found: The stored record.
            where: Names the index to people.
            instead: What to do when it is another data folder's, as the end of a sentence.

        Raises:
            IndexUnavailable: The index at `where` was built by a later release or for another data folder.
            BuiltByOlderRelease: It is ours, but of an older release.
            BuiltForAnotherModel: It was built with another embedding model.
        """
        if found.get("owner") != self.owner:
            raise IndexUnavailable(f"The vector index {where} belongs to another data folder; {instead}.")
        written = found.get("format")
        if written != self.format:
            kind = BuiltByOlderRelease if isinstance(written, int) and written < self.format else IndexUnavailable
            raise kind(
                f"The vector index {where} has format {written}, this release reads format {self.format}: use the "
                "release that wrote it. Catalog, query log and accounts are not concerned."
            )
        if (found.get("model_id"), found.get("dimension")) != (self.model_id, self.dimension):
            raise BuiltForAnotherModel(
                f"The vector index {where} was built with embedding model '{found.get('model_id')}' "
                f"({found.get('dimension')} dimensions), not with '{self.model_id}' ({self.dimension}): "
                "set that model again, or ingest the documents again into a new data folder.",
                model_id=str(found.get("model_id")),
                dimension=int(found.get("dimension") or 0),
            )

    def numbers(self, vector: Vector) -> list[float]:
        """A vector as the index wants it.

        Raises:
            IndexUnavailable: It has another dimension than the index, or holds something that is no number.
        """
        if vector.shape != (self.dimension,):
            raise IndexUnavailable(
                f"A vector of shape {vector.shape} does not fit the index, which holds vectors of {self.dimension} "
                "numbers: set the embedding model the index was built with."
            )
        if not numpy.isfinite(vector).all():
            raise IndexUnavailable(
                "A vector holds something that is no number and would poison the index: check the embedding model."
            )
        numbers: list[float] = vector.tolist()
        return numbers


def labels(entry: IndexEntry) -> dict[str, Any]:
    """The payload of a chunk: identifiers and groups, no text."""
    return {DOCUMENT_ID: entry.document_id, VERSION_ID: entry.version_id, GROUPS: sorted(entry.groups)}


def batches(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    """Entries or points in portions that one request can carry, and that hold the interpreter for milliseconds only."""
    for start in range(0, len(entries), _BATCH):
        yield entries[start : start + _BATCH]


def strengths(scored: Iterable[tuple[str, float]], named: int) -> tuple[NamedDocument, ...]:
    """What the index says of names, on the scale of `NamedDocument`; the best of a document that is there twice.

    Args:
        scored: Document ids with the sum of the IDF of the words in common.
        named: How many documents with a name the reader may see.
    """
    best_of: dict[str, float] = {}
    for document, score in scored:
        best_of[document] = max(score, best_of.get(document, 0.0))
    scale = math.log(1 + named)
    found = [NamedDocument(document, score / scale) for document, score in best_of.items() if scale]
    return tuple(sorted(found, key=lambda item: (-item.strength, item.document_id)))


def foremost(limit: int, ask: Callable[[int], Sequence[IndexHit]]) -> Sequence[IndexHit]:
    """All hits with the best score, in no order; none where those are more than `limit`.

    Args:
        limit: At least 1.
        ask: Fetches so many hits, best first.
    """
    for size in (min(_FOREMOST, limit), limit):
        hits = ask(size + 1)
        first = [hit for hit in hits if math.isclose(hit.score, hits[0].score, rel_tol=1e-5)]
        if len(first) <= size:
            return first
    return ()


def first_ask(limit: int) -> int:
    """How many hits to ask for at first so that `best` rarely has to ask again."""
    return limit + _SPARE


def best(hits: Sequence[IndexHit], limit: int, ask_again: Callable[[int], Sequence[IndexHit]]) -> tuple[IndexHit, ...]:
    """The best `limit` hits, equal scores in the order of their chunk ids.

    Args:
        hits: The answer to `first_ask(limit)`, best first.
        limit: How many are wanted, at least 1.
        ask_again: Fetches more when equal scores reach beyond what was fetched.
    """
    asked = first_ask(limit)
    while len(hits) == asked and hits[-1].score == hits[limit - 1].score:
        asked *= 4
        hits = ask_again(asked)
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit])
