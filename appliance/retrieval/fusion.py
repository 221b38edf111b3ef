"""Merges what is known of each candidate into one ranking. Pure.

Three things speak for a chunk: how near it is to the question in meaning (the dense leg), which of the question's words
it holds (BM25), and whether the question names its document. The two legs are divided by their best score and summed
with weights; the strength of the name is added, up to a limit.

Scores are summed and not ranks, because ranks throw away how much better the first hit is than the second (Bruch, Gai,
Ingber: "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023). They are divided by the best and not
stretched between best and worst, because the worst of sixty candidates says nothing about the question. What was tried
and what it gave: docs/decisions/0010-what-speaks-for-a-passage.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.index.port import IndexHit, IndexLegs, NamedDocument

_CLEARLY_NAMED = 1.3  # strength from which a document is named as clearly as can be: two rare words, or three
_NAME_EXPONENT = 1.5  # one common word of a name is worth less than half of two
_NAME_WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class FusedHit:
    """A chunk after fusion. Ranks count from 1, None on a leg that did not find it; `similarity` is a cosine.

    `nearer` is by how much its share of the best cosine is above its share of the best BM25 score: what its score gains
    with each weight that goes from words to nearness.
    """

    chunk_id: str
    score: float
    nearer: float
    similarity: float | None
    dense_rank: int | None
    sparse_rank: int | None


def fuse(
    legs: IndexLegs,
    *,
    dense_weight: float,
    document_of: Mapping[str, str] | None = None,
    named: Sequence[NamedDocument] = (),
) -> list[FusedHit]:
    """Both legs in one list, best first; equal scores in the order of chunk ids, so that equal input ranks equally.

    Args:
        legs: The scores of the candidates; one that is missing on a leg counts as 0 there.
        dense_weight: Of the dense leg; BM25 has the rest.
        document_of: The document of each candidate, by chunk id; needed if there are any named ones.
        named: The documents that the question names.
    """
    dense, sparse = _shares(legs.dense), _shares(legs.sparse)
    dense_ranks, sparse_ranks = _ranks(legs.dense), _ranks(legs.sparse)
    similarities = {hit.chunk_id: hit.score for hit in legs.dense}
    bonus, documents = _bonuses(named), document_of or {}
    fused = [
        FusedHit(
            chunk_id=chunk_id,
            score=dense_weight * dense.get(chunk_id, 0.0)
            + (1 - dense_weight) * sparse.get(chunk_id, 0.0)
            + bonus.get(documents.get(chunk_id, ""), 0.0),
            nearer=dense.get(chunk_id, 0.0) - sparse.get(chunk_id, 0.0),
            similarity=similarities.get(chunk_id),
            dense_rank=dense_ranks.get(chunk_id),
            sparse_rank=sparse_ranks.get(chunk_id),
        )
        for chunk_id in {**dense, **sparse}
    ]
    return sorted(fused, key=lambda hit: (-hit.score, hit.chunk_id))


def _shares(hits: Sequence[IndexHit]) -> Mapping[str, float]:
    """Each score as a share of the best. Where that is not positive nothing is near, and the best counts as 0."""
    best = max((hit.score for hit in hits), default=0.0)
    return {hit.chunk_id: hit.score / best if best > 0 else hit.score - best for hit in hits}


def _bonuses(named: Sequence[NamedDocument]) -> Mapping[str, float]:
    clearest = max((document.strength for document in named), default=0.0)
    full = max(_CLEARLY_NAMED, clearest)
    return {document.document_id: _NAME_WEIGHT * (document.strength / full) ** _NAME_EXPONENT for document in named}


def _ranks(hits: Sequence[IndexHit]) -> Mapping[str, int]:
    return {hit.chunk_id: rank for rank, hit in enumerate(hits, start=1)}
