"""Which documents of a search are superseded by a newer edition, and what is packed then. Pure.

Rules this module keeps:

1. Only a document whose name tells its edition (`editions`) is asked about, and not by who asks for its year.
2. Of the same name in the same place, the newer document is a newer edition, however it is worded: a policy may be
   written anew. Where the name has a day or a month it may also be one of many minutes or notices, and in another
   folder the policy of somebody else: there the two must be much alike as well. Whether they are is not known of a text
   that is too short for a signature: where one of the two is, those in the same folder count as editions, also of a day
   or a month, and those elsewhere do not.
3. A passage of a superseded document is packed together with the best one of the newest edition, which stands directly
   behind it. Where there is room for one, it is that of the newest edition (where that is too long for a prompt: see
   `answering.prompt`).
4. The order of the search stays as it is: what is near to the question is for the search to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from appliance.catalog import Edition, resemblances
from appliance.domain import Hit
from appliance.retrieval.editions import Name, age_of, names_of, names_year_of, place_of

ALIKE = 0.3
"""The share of shingles from which on documents of the same name are taken for editions wherever they lie."""


def names_to_ask(question: str, hit: Hit) -> tuple[str, ...]:
    """By which names the newer editions of a hit's document are looked for; none where nobody has to know of them."""
    if names_year_of(question, hit):
        return ()
    return tuple(dict.fromkeys(name.written for name in names_of(hit) if name.is_marked))


class Namesakes:
    """Documents that may be called the same, to find the newest edition of several of them: each is read once."""

    def __init__(self, documents: Iterable[Edition]) -> None:
        self._documents = list(documents)
        self._ages = [age_of(document) for document in self._documents]
        self._places = [place_of(document) for document in self._documents]
        self._called: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        for number, age in enumerate(self._ages):
            for name in _bare(age.names):
                self._called.setdefault(name, []).append(number)

    def newest_edition(self, hit: Hit, signature: bytes) -> Edition | None:
        """The newest edition of a hit's document, where one is newer; `signature` is that of its version."""
        own = latest = age_of(hit)
        newest = None
        called = sorted({number for name in _bare(own.names) for number in self._called.get(name, ())})
        for number in self._editions(hit, signature, called):
            age = self._ages[number]
            if age.is_newer(latest) and (latest is own or age.is_newer(own)):
                latest, newest = age, self._documents[number]
        return newest

    def _editions(self, hit: Hit, signature: bytes, called: Sequence[int]) -> list[int]:
        """Which of those with the same name are editions of a hit's document, older or newer."""
        place, may_be_of_a_series = place_of(hit), any(len(name.date) > 1 for name in names_of(hit))
        signatures = [self._documents[number].signature for number in called]
        shares = resemblances(signature, signatures)
        return [
            number
            for number, values, share in zip(called, signatures, shares, strict=True)
            if share >= ALIKE or (self._places[number] == place and not (may_be_of_a_series and signature and values))
        ]


def _bare(names: tuple[Name, Name]) -> list[tuple[int, tuple[str, ...]]]:
    """The names of a document, of its file (0) and its title (1), without what tells editions apart."""
    return [(kind, name.bare) for kind, name in enumerate(names) if name.bare]


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
