"""The story of a search: complete the question -> search within access -> check access -> compare -> fuse -> closest
first -> leave out what says the same -> rerank.

Rules this module keeps:

1. Every request to the index carries the reader's access, and what comes back, passages and names alike, is checked
   against the catalog once more before it counts for anything. (How rare a word is, and what is a candidate, is for the
   index to say: of a label that the catalog has withdrawn it hears a moment later.) Where the catalog withholds
   more than half of the candidates of a leg, the next best are taken instead. Where the two disagree for longer than a
   moment, an alarm is raised.
2. A document that the question names is searched by itself too: its passages need not be among the best of all.
3. Every candidate is scored on both legs. A leg that did not bring it is asked how good it is all the same.
4. Nearness counts for more where the candidates stand on pages: vectors there lean towards their neighbours. All
   candidates of a question are weighed alike, so that neither kind is preferred.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from appliance.catalog import Catalog, ChunkInContext
from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter, Hit
from appliance.index.port import IndexHit, IndexLegs, NamedDocument, VectorIndex
from appliance.inference.language import detect_language
from appliance.inference.port import Embedder, Reranker
from appliance.retrieval.closeness import closeness
from appliance.retrieval.fusion import FusedHit, fuse
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.reranking import reranked
from appliance.retrieval.said_once import each_said_once

_log = logging.getLogger(__name__)

_AT_ONCE = len(os.sched_getaffinity(0))  # searches; more would only keep one another waiting
_NAMED = 50  # documents that the index is asked for by name
_SEARCHED_BY_NAME = 8  # of them, the clearest, are searched by themselves

_WIDER = 4
_ROUNDS = 6
"""While the catalog withholds what the index brings, so many times as much is asked for, up to 61,440 of each leg."""


class Retriever:
    """Hybrid search within what a reader may see."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        index: VectorIndex,
        embedder: Embedder,
        settings: RetrievalSettings,
        glossary: Glossary,
        reranker: Reranker | None = None,
        reranking_is_required: bool = False,
        languages: Collection[str] = (),
        alarm: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Put the parts together.

        Args:
            languages: Those that the embedding model reads; none if it reads all.
            alarm: Told when the index let passages through that the catalog says are closed to the reader.
        """
        self._alarm = alarm
        self._languages = frozenset(languages)
        self._catalog = catalog
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._glossary = glossary
        self._reranker = reranker
        self._reranking_is_required = reranking_is_required
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._under_way: set[object] = set()

    @property
    def is_busy(self) -> bool:
        """Whether something is being searched for now, or waits for its turn."""
        return bool(self._under_way)

    def retrieve(
        self, question: str, access: AccessFilter, *, on_withheld: Callable[[int], None] = lambda _: None
    ) -> list[Hit]:
        """The hits for a question, best first, each text once.

        Args:
            on_withheld: Told how many passages the index brought that the catalog says are closed to the reader.

        Raises:
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; there is no partial result.
        """
        if not access.groups:
            return []
        search = object()
        self._under_way.add(search)
        try:
            with self._turns:
                return self._retrieve(question, access, on_withheld)
        finally:
            self._under_way.remove(search)

    def _retrieve(self, question: str, access: AccessFilter, on_withheld: Callable[[int], None]) -> list[Hit]:
        asked = self._glossary.complete(question)
        language = detect_language(question)
        vector = self._embedder.embed_query(asked)
        limit = self._settings.candidates
        named = self._named(question, access)
        among: list[Collection[str] | None] = [None]
        if named:
            among.append(frozenset(document.document_id for document in named[:_SEARCHED_BY_NAME]))

        def search(size: int) -> list[tuple[IndexHit, ...]]:
            ask = partial(self._index.search, vector, asked, access=access, limit=size, language=language)
            return [leg for inside in among for leg in _both(ask(documents=inside))]

        document_of, withheld = self._candidates(search, access)
        if withheld:
            self._tell_of_disagreement(withheld, access, on_withheld)
        legs = self._index.compare(vector, asked, access=access, language=language, chunk_ids=frozenset(document_of))
        weight, more_on_pages = self._dense_weights(language)
        ranked = fuse(legs, dense_weight=weight, document_of=document_of, named=named)
        best = self._catalog.visible_chunks((fused.chunk_id for fused in ranked[:limit]), access, current_only=True)
        signatures = {item.chunk.version_id: item.signature for item in best.values()}
        closest = _closest_first(question, language, ranked[:limit], best, more_on_pages)
        hits = each_said_once(question, closest, signatures)
        if self._reranker is None:
            return hits
        return reranked(
            question,
            hits,
            self._reranker,
            candidates=self._settings.rerank_candidates,
            is_required=self._reranking_is_required,
        )

    def admits(self, hits: Iterable[Hit], access: AccessFilter) -> bool:
        """Whether a reader may see all of these hits now; an edition that was superseded meanwhile is no matter."""
        wanted = {hit.chunk.document_id for hit in hits}
        return wanted <= self._catalog.admitted_documents(wanted, access)

    def _tell_of_disagreement(
        self, withheld: Collection[str], access: AccessFilter, on_withheld: Callable[[int], None]
    ) -> None:
        """Raise the alarm if the index still lets through what the catalog has closed, and is not just late."""
        closed = self._catalog.closed_chunks(withheld, access)
        if closed:
            on_withheld(len(closed))
            still = self._index.admitted(closed, access)
            if still:
                self._alarm(f"the index let {len(still)} passages through that the catalog kept from their reader")
                return
        _log.info("%d passages were left out of a search: their documents are being changed", len(withheld))

    def _dense_weights(self, language: str) -> tuple[float, float]:
        """How much nearness in meaning counts, and how much more on pages: less and no more in a language that the
        embedding model does not read."""
        is_read = not language or not self._languages or language in self._languages
        if not is_read:
            return self._settings.dense_weight_elsewhere, 0.0
        return self._settings.dense_weight, self._settings.dense_weight_on_pages - self._settings.dense_weight

    def _candidates(
        self, search: Callable[[int], Sequence[Sequence[IndexHit]]], access: AccessFilter
    ) -> tuple[dict[str, str], set[str]]:
        """The document of each candidate, by chunk id, and the chunks that the catalog withheld.

        The candidates are the best of each leg that the catalog admits, half as many at least as if there were no
        others: while documents are taken in, the index holds some that are not in force yet, and a wider search is
        slower.

        Args:
            search: The best of each leg, as many as it is told.
            access: The reader's.
        """
        limit = self._settings.candidates
        admitted: dict[str, str] = {}
        seen: set[str] = set()
        for size in _sizes(limit):
            legs = search(size)
            new = {hit.chunk_id for leg in legs for hit in leg} - seen
            admitted |= self._catalog.admitted_chunks(sorted(new), access)
            seen |= new
            kept = [[hit.chunk_id for hit in leg if hit.chunk_id in admitted][:limit] for leg in legs]
            if all(2 * len(mine) >= limit or len(leg) < size for mine, leg in zip(kept, legs, strict=True)):
                break
        return {chunk: admitted[chunk] for leg in kept for chunk in leg}, seen - admitted.keys()

    def _named(self, question: str, access: AccessFilter) -> list[NamedDocument]:
        """The documents that the question names, the clearest of those that the catalog admits too."""
        named: list[NamedDocument] = []
        before = 0
        for size in _sizes(_NAMED):
            found = self._index.named(question, access=access, limit=size)
            if len(found) == before:  # there are no more
                break
            admitted = self._catalog.admitted_documents((document.document_id for document in found), access)
            named = [document for document in found if document.document_id in admitted][:_NAMED]
            if len(named) in (len(found), _NAMED):
                break
            before = len(found)
        return named


def _sizes(limit: int) -> Iterator[int]:
    return (limit * _WIDER**number for number in range(_ROUNDS))


def _both(legs: IndexLegs) -> tuple[tuple[IndexHit, ...], tuple[IndexHit, ...]]:
    return legs.dense, legs.sparse


def _closest_first(
    question: str,
    language: str,
    ranked: Sequence[FusedHit],
    found: Mapping[str, ChunkInContext],
    more_on_pages: float,
) -> list[Hit]:
    """The hits in the order of their scores with what closeness and pages add; equal scores keep their order."""
    still = [fused for fused in ranked if fused.chunk_id in found]
    on_pages = sum(found[fused.chunk_id].chunk.place.page is not None for fused in still)
    more = more_on_pages * on_pages / max(1, len(still))
    texts = {fused.chunk_id: found[fused.chunk_id].chunk.search_text for fused in still}
    close = closeness(question, language, texts)
    scores = ((fused.score + more * fused.nearer + close[fused.chunk_id], fused) for fused in still)
    scored = sorted(scores, key=lambda pair: -pair[0])
    return [_hit(fused, found[fused.chunk_id], score, rank) for rank, (score, fused) in enumerate(scored, start=1)]


def _hit(fused: FusedHit, item: ChunkInContext, score: float, rank: int) -> Hit:
    return Hit(
        chunk=item.chunk,
        title=item.title,
        path=item.path,
        source=item.source,
        version_sha256=item.version_sha256,
        score=score,
        rank=rank,
        similarity=fused.similarity,
        dense_rank=fused.dense_rank,
        sparse_rank=fused.sparse_rank,
        dated=item.dated,
    )
