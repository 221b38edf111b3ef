"""The story of a search: complete the question -> search within access -> check access -> compare -> fuse -> closest
first -> leave out what says the same -> look for newer editions -> rerank.

Rules this module keeps:

1. Every request to the index carries the reader's access, and what comes back, passages and names alike, is checked
   against the catalog once more before it counts for anything. (How rare a word is, and what is a candidate, is for the
   index to say: of a label that the catalog has withdrawn it hears a moment later.) Where the catalog withholds
   more than half of the candidates of a leg, the next best are taken instead. Where the two disagree for longer than a
   moment, an alarm is raised. (Documents of one name are not asked for again: the index brings none where it has more
   than 400, and those that the catalog has withdrawn and the index not yet count, so that for a moment a newer
   edition may not be told of.)
2. A document that the question names is searched by itself too: its passages need not be among the best of all.
3. Every candidate is scored on both legs. A leg that did not bring it is asked how good it is all the same.
4. Newer editions of what comes first are looked for by its name, whether the question is near to them or not, and are
   searched by themselves too. Every hit of a superseded document says by which it is.
5. Nearness counts for more where the candidates stand on pages: vectors there lean towards their neighbours. All
   candidates of a question are weighed alike, so that neither kind is preferred.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.catalog import Catalog, ChunkInContext
from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter, Hit
from appliance.index.port import IndexHit, NamedDocument, Vector, VectorIndex
from appliance.inference.language import question_language
from appliance.inference.port import Embedder, Reranker
from appliance.retrieval.closeness import closeness
from appliance.retrieval.fusion import FusedHit, fuse
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.reranking import reranked
from appliance.retrieval.said_once import each_said_once
from appliance.retrieval.superseded import Namesakes, names_to_ask

_log = logging.getLogger(__name__)

_AT_ONCE = len(os.sched_getaffinity(0))  # searches; more would only keep one another waiting
_NAMED = 50  # documents that the index is asked for by name
_SEARCHED_BY_NAME = 8  # of them, the clearest, are searched by themselves

_CALLED_THE_SAME = 400  # documents with a name that still tells something; in more it is a word like "policy"
_OF_AN_EDITION = 2  # passages, of each leg, that are brought in of a newer edition

_WIDER = 4
_ROUNDS = 6
"""While the catalog withholds what the index brings, so many times as much is asked for, up to 61,440 of each leg."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question in the forms in which it is searched, and what it names."""

    question: str
    completed: str
    vector: Vector
    language: str
    access: AccessFilter
    named: Sequence[NamedDocument]


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
        self,
        question: str,
        access: AccessFilter,
        *,
        most: int | None = None,
        on_withheld: Callable[[int], None] = lambda _: None,
    ) -> list[Hit]:
        """The hits for a question, best first, each text once.

        Args:
            most: Of so many, the first, newer editions are looked for; else of as many as an answer is made of. With a
                reranker, of all that it judges: each may come first.
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
                return self._retrieve(question, access, most or self._settings.passages, on_withheld)
        finally:
            self._under_way.remove(search)

    def _retrieve(
        self, question: str, access: AccessFilter, most: int, on_withheld: Callable[[int], None]
    ) -> list[Hit]:
        completed, named = self._glossary.complete(question), self._named(question, access)
        vector = self._embedder.embed_query(completed)
        asked = _Asked(question, completed, vector, question_language(question), access, named)
        among: list[Collection[str] | None] = [None]
        if named:
            among.append(frozenset(document.document_id for document in named[:_SEARCHED_BY_NAME]))

        def search(size: int) -> list[tuple[IndexHit, ...]]:
            return [leg for inside in among for leg in self._search(asked, size, inside)]

        document_of, withheld = self._candidates(search, access)
        if withheld:
            self._tell_of_disagreement(withheld, access, on_withheld)
        hits, signatures = self._ranked(asked, document_of)
        if self._reranker is not None:
            most = max(most, self._settings.rerank_candidates)
        newest = self._newest(question, hits[:most], signatures, access)
        missing = set(newest.values()).difference(hit.chunk.document_id for hit in hits)
        if missing:
            more = self._passages_of(missing, asked)
            hits, _ = self._ranked(asked, document_of | more, more.keys())
        hits = _superseded(hits, newest)
        if self._reranker is None:
            return hits
        return reranked(
            question,
            hits,
            self._reranker,
            candidates=self._settings.rerank_candidates,
            is_required=self._reranking_is_required,
        )

    def _search(
        self, asked: _Asked, size: int, documents: Collection[str] | None
    ) -> tuple[tuple[IndexHit, ...], tuple[IndexHit, ...]]:
        """Both legs of a search, in all documents or in these."""
        legs = self._index.search(
            asked.vector,
            asked.completed,
            access=asked.access,
            limit=size,
            language=asked.language,
            documents=documents,
        )
        return legs.dense, legs.sparse

    def _ranked(
        self, asked: _Asked, document_of: Mapping[str, str], kept: Collection[str] = ()
    ) -> tuple[list[Hit], dict[str, bytes]]:
        """The hits among candidates (their documents, by chunk id), and the signatures of the versions they are of.

        Args:
            asked: The question.
            document_of: The document of each candidate, by chunk id.
            kept: Candidates that are hits however far down they stand.
        """
        language, limit = asked.language, self._settings.candidates
        legs = self._index.compare(
            asked.vector, asked.completed, access=asked.access, language=language, chunk_ids=frozenset(document_of)
        )
        weight, more_on_pages = self._dense_weights(language)
        fused = fuse(legs, dense_weight=weight, document_of=document_of, named=asked.named)
        ranked = [*fused[:limit], *(hit for hit in fused[limit:] if hit.chunk_id in kept)]
        best = self._catalog.visible_chunks((hit.chunk_id for hit in ranked), asked.access, current_only=True)
        signatures = {item.chunk.version_id: item.signature for item in best.values()}
        closest = _closest_first(asked.question, language, ranked, best, more_on_pages)
        return each_said_once(asked.question, closest, signatures), signatures

    def _newest(
        self, question: str, hits: Sequence[Hit], signatures: Mapping[str, bytes], access: AccessFilter
    ) -> dict[str, str]:
        """The newest edition of the documents of these hits, where there is a newer one: ids by ids."""
        asked_about = {hit.chunk.document_id: (hit, names_to_ask(question, hit)) for hit in reversed(hits)}
        names = dict.fromkeys(name for _, asked_by in asked_about.values() for name in asked_by)
        called = {name: self._index.called(name, access=access, limit=_CALLED_THE_SAME) for name in names}
        editions = self._catalog.editions(sorted(frozenset[str]().union(*called.values())), access) if called else []
        namesakes: dict[tuple[str, ...], Namesakes] = {}  # of a long series many documents are found
        newest: dict[str, str] = {}
        for document_id, (hit, asked_by) in asked_about.items():
            if asked_by not in namesakes:
                same = frozenset[str]().union(*(called[name] for name in asked_by))
                namesakes[asked_by] = Namesakes(edition for edition in editions if edition.document_id in same)
            found = namesakes[asked_by].newest_edition(hit, signatures[hit.chunk.version_id])
            if found is not None:
                newest[document_id] = found.document_id
        return newest

    def _passages_of(self, documents: Collection[str], asked: _Asked) -> dict[str, str]:
        """The best passages of each of these documents that the catalog admits too: their documents, by chunk id."""
        found = (hit for one in documents for leg in self._search(asked, _OF_AN_EDITION, {one}) for hit in leg)
        return self._catalog.admitted_chunks(sorted({hit.chunk_id for hit in found}), asked.access)

    def admits(self, hits: Iterable[Hit], earlier: Collection[str], access: AccessFilter) -> bool:
        """Whether a reader may see all of these hits now, and the `earlier` chunks (ids) of answers before; an edition
        that was superseded meanwhile is no matter."""
        wanted = {hit.chunk.document_id for hit in hits}
        if not wanted <= self._catalog.admitted_documents(wanted, access):
            return False
        return not earlier or set(earlier) <= self._catalog.visible_chunks(earlier, access, current_only=False).keys()

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


def _superseded(hits: Sequence[Hit], newest: Mapping[str, str]) -> list[Hit]:
    """The hits, each with the newest edition of its document as far as that was found as well."""
    found = {hit.chunk.document_id for hit in hits}
    by = {document: later for document, later in newest.items() if later in found}
    return [
        replace(hit, superseded_by=by[hit.chunk.document_id]) if hit.chunk.document_id in by else hit for hit in hits
    ]


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
