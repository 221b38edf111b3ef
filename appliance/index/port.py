"""What the appliance asks of a vector index.

Rules every implementation keeps (the contract suite in `tests/contracts/test_vector_index.py` checks them):

1. `access` is required by every search and acts inside the query, on the dense and on the sparse leg. An empty filter
   matches nothing.
2. BM25 statistics (IDF) are taken over the chunks that `access` admits, so that scores say nothing about the others.
3. Writing the same entry twice is the same as writing it once; deleting what is not there is no error.
4. When a write returns, it survives the death of the process, and the next search sees it.
5. Only errors of `appliance.errors` come out, `IndexUnavailable` for everything the index itself gets wrong.
6. The index holds identifiers, labels and vectors, never a document's text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from numpy import float32
from numpy.typing import NDArray

from appliance.domain import AccessFilter

Vector = NDArray[float32]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A chunk as the index sees it: `vector` has shape (dimension,) and length 1; `text` feeds BM25 and is not kept.

    `names` is what the document is called (title, path), and goes with one chunk of each version.
    """

    chunk_id: str
    document_id: str
    version_id: str
    groups: frozenset[str]
    vector: Vector
    text: str
    language: str
    names: str = ""


@dataclass(frozen=True, slots=True)
class IndexHit:
    """A chunk found by one leg. `score` is the cosine similarity (dense) or the BM25 score (sparse)."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document that a question names. `strength` is 1 for a word that stands in the name of this document alone.

    It is the sum of the IDF of the common words, taken over the names of the documents that `access` admits, divided by
    the logarithm of their number: comparable whether there are ten documents or a million.
    """

    document_id: str
    strength: float


@dataclass(frozen=True, slots=True)
class IndexLegs:
    """What the two legs of a hybrid search found, best first."""

    dense: tuple[IndexHit, ...]
    sparse: tuple[IndexHit, ...]


class VectorIndex(Protocol):
    """Dense and BM25 search over chunks, filtered by access."""

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write entries, replacing those with the same chunk id."""

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
        """The best `limit` chunks of each leg among those `access` admits; ties broken by chunk id.

        With `documents` only theirs; BM25 statistics stay those of everything that `access` admits.
        """

    def compare(
        self, vector: Vector, text: str, *, access: AccessFilter, language: str, chunk_ids: Collection[str]
    ) -> IndexLegs:
        """The scores of the given chunks, as far as `access` admits them: as `search` would give them.

        A chunk without a word of the text is not in the sparse leg.
        """

    def admitted(self, chunk_ids: Collection[str], access: AccessFilter) -> frozenset[str]:
        """Those of the given chunks that `access` admits, as the index has it."""

    def named(self, question: str, *, access: AccessFilter, limit: int) -> tuple[NamedDocument, ...]:
        """The `limit` documents that the question names most clearly among those `access` admits, best first."""

    def called(self, name: str, *, access: AccessFilter, limit: int) -> frozenset[str]:
        """The documents with the most of a name in theirs, among those `access` admits; none if more than `limit` are.

        Every word of the name counts, whether it looks like a name or not. Who has them all has the most.
        """

    def set_groups(self, document_id: str, groups: frozenset[str], *, version_id: str | None = None) -> None:
        """Relabel every chunk of a document, or of one version of it."""

    def delete_version(self, version_id: str) -> None:
        """Remove every chunk of a version."""

    def delete_document(self, document_id: str) -> None:
        """Remove every chunk of a document."""

    def count(self, *, document_id: str | None = None, version_id: str | None = None) -> int:
        """How many chunks there are, of all or of one document or version. Exact."""

    def versions(self) -> Mapping[str, int]:
        """Chunks per version id, for comparing with the catalog. Exact."""

    def optimize(self) -> None:
        """Build what makes searching fast; called after a large ingestion. May take minutes."""

    def close(self) -> None:
        """Flush and let go of every resource. Closing twice is no error."""
