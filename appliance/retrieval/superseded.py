"""Which documents of a search are superseded by a newer edition, and what is packed then. Pure.

Rules this module keeps:

1. Only a document whose name tells its edition (`editions`) is asked about, and not by who asks for its year.
2. Of the same name in the same place, the newer document is a newer edition, however it is worded: a policy may be
   written anew. Where the name has a day or a month it may also be one of many minutes or notices, and in another
   folder the policy of somebody else: there the two must be much alike as well.
3. A passage of a superseded document is packed together with the best one of the newest edition, which stands directly
   behind it. Where there is room for one, it is that of the newest edition (where that is too long for a prompt: see
   `answering.prompt`).
4. The order of the search stays as it is: what is near to the question is for the search to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from appliance.catalog import Edition, resemblance
from appliance.domain import Hit
from appliance.retrieval.editions import Called, names_of, names_year_of, newer, same_place

ALIKE = 0.3
"""The share of shingles from which on documents of the same name are taken for editions wherever they lie."""


def names_to_ask(question: str, hit: Hit) -> tuple[str, ...]:
    """By which names the newer editions of a hit's document are looked for; none where nobody has to know of them."""
    if names_year_of(question, hit):
        return ()
    return tuple(dict.fromkeys(name.written for name in names_of(hit) if name.is_marked))


def newest_edition(hit: Hit, signature: bytes, others: Iterable[Edition]) -> Edition | None:
    """The newest edition of a hit's document among others, where one is newer.

    Args:
        hit: Of the document.
        signature: Of its version.
        others: Documents that may be called the same.
    """
    latest: Called = hit
    newest = None
    for other in others:
        is_later = all((found := newer(one, other)) is not None and found.hit is other for one in (hit, latest))
        if is_later and _is_edition(hit, signature, other):
            latest = newest = other
    return newest


def _is_edition(hit: Hit, signature: bytes, other: Edition) -> bool:
    is_near, may_be_of_a_series = same_place(hit, other), any(len(name.date) > 1 for name in names_of(hit))
    if is_near and not (may_be_of_a_series and signature and other.signature):
        return True
    return resemblance(signature, other.signature) >= ALIKE


def packed(hits: Sequence[Hit], most: int) -> list[Hit]:
    """The first hits, at most so many, each of a superseded document with the best one of its newest edition."""
    best_of: dict[str, Hit] = {}
    for hit in hits:
        best_of.setdefault(hit.chunk.document_id, hit)
    chosen: dict[str, Hit] = {}
    newest: set[str] = set()  # of the superseded documents that are spoken for
    for hit in hits:
        later = best_of.get(hit.superseded_by) if hit.superseded_by not in newest else None
        if len(chosen) == most:
            break
        if later is None or later.chunk.id in chosen:
            chosen.setdefault(hit.chunk.id, hit)
            continue
        if len(chosen) + 2 <= most:
            chosen[hit.chunk.id] = hit
        chosen[later.chunk.id] = later
        newest.add(hit.superseded_by)
    return list(chosen.values())
