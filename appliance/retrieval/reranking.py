"""Puts the best hits in a better order, by a model that reads each passage together with the question.

Rules this module keeps:

1. Only hits that the reader may see are judged: it comes after the catalog's check.
2. A model that fails costs the better order, not the answer; but what is measured is not measured without it.
3. Nothing of a question or passage is logged.
4. A hit that was judged says so: its score, and the model's digest.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from appliance.domain import Hit
from appliance.errors import ModelUnavailable
from appliance.inference.port import Reranker

_log = logging.getLogger(__name__)


def reranked(
    question: str, hits: Sequence[Hit], reranker: Reranker, *, candidates: int, is_required: bool = False
) -> list[Hit]:
    """The first `candidates` hits in the order of the reranker's scores, then the others as they were.

    Equal scores keep their order. Ranks are counted anew; scores stay those of the search.

    Raises:
        ModelUnavailable: The model failed, and its order `is_required`.
    """
    best = hits[:candidates]
    if not best:
        return list(hits)
    try:
        scores = reranker.scores(question, [hit.chunk.search_text for hit in best])
        digest = reranker.digest()
    except ModelUnavailable as error:
        if is_required:
            raise
        _log.warning("Hits were not reranked: %s", error)
        return list(hits)
    judged = sorted(zip(scores, best, strict=True), key=lambda pair: -pair[0])
    ordered = [*(replace(hit, reranking=score, reranked_by=digest) for score, hit in judged), *hits[candidates:]]
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]
