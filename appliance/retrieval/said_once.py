"""Keeps editions of one document from saying the same thing several times over, and puts the newer one first. Pure.

Rules this module keeps:

1. Only editions are compared: documents that are much alike, or alike and of the same name (see `editions`). Whether
   they are is told by the hits themselves, which the reader may see, and by nothing else.
2. A passage is left out when another hit says all of it under the same headings: the same sentences and lines, in the
   same order, one after the other. Case, spaces and punctuation aside, every word, number and sign is the same. What
   differs in a single word stays, for the reader to see and for `conflicts` to name.
3. The better ranked passage stands for both, or the newer edition's where it is hardly ranked lower. The same goes for
   the order of passages of two editions that stand in the same place and differ. An edition whose year the question
   names is never put behind one whose year it does not.
4. A passage of a few words is never left out: it may mean something else where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from appliance.catalog import SIMILAR, Imprint, resembling
from appliance.domain import Hit
from appliance.retrieval.editions import newer, same_name, unmarked, years_of

_ALIKE = 0.3  # of their shingles, for documents of the same name
_HARDLY_LOWER = 0.05  # of the fused score
_SAME_PLACE = 0.5  # of the words of two passages under the same headings
_FEWEST_WORDS = 8
_LINE_END = re.compile(r"\n|(?<=[.!?:;])\s")
_TOKEN = re.compile(r"\d+(?:[.,:'’]\d+)*|[^\W\d_]+|[%‰<>=≤≥±+§€$£¥]|[-−–](?=\d)")
_MINUS = str.maketrans("−–’", "--'")


@dataclass(frozen=True)
class _Passage:
    """A hit, and what it says in a form that can be compared."""

    hit: Hit

    @cached_property
    def headings(self) -> tuple[tuple[str, ...], ...]:
        """The path above it, without what tells the editions apart."""
        return tuple(map(unmarked, self.hit.chunk.place.headings))

    @cached_property
    def said(self) -> str:
        """Its sentences and lines, one a line, but for its own headings, which are compared already."""
        titles = {self.hit.title, *self.hit.chunk.place.headings}
        lines = (line for line in _LINE_END.split(self.hit.chunk.text) if line.strip() not in titles)
        spelled = (" ".join(_TOKEN.findall(line.casefold().translate(_MINUS))) for line in lines)
        return "".join(f"\n{line}" for line in spelled if line) + "\n"

    @cached_property
    def words(self) -> frozenset[str]:
        """The words in it."""
        return frozenset(self.said.split())

    def says_all_of(self, other: _Passage) -> bool:
        """Whether the other one has nothing to add."""
        enough = other.said.count(" ") + other.said.count("\n") > _FEWEST_WORDS
        return enough and self.headings == other.headings and other.said in self.said

    def stands_where(self, other: _Passage) -> bool:
        """Whether it is what the other one is in its own edition."""
        shared, together = len(self.words & other.words), len(self.words | other.words)
        return self.headings == other.headings and shared >= _SAME_PLACE * together


def each_said_once(question: str, hits: Sequence[Hit], imprints: Mapping[str, Imprint]) -> list[Hit]:
    """The hits, best first, without those that repeat another edition; ranks counted anew, and each with its date.

    Args:
        question: Of the reader; only the years in it count.
        hits: Best first, with their fused scores.
        imprints: What tells each hit's version from others, by version.
    """
    dated = [_dated(hit, imprints.get(hit.chunk.version_id)) for hit in hits]
    editions = _editions(dated, imprints)
    if not editions:
        return dated
    kept: list[_Passage] = []
    for passage in map(_Passage, dated):
        rivals = [
            place
            for place, other in enumerate(kept)
            if frozenset((passage.hit.chunk.document_id, other.hit.chunk.document_id)) in editions
        ]
        _put(passage, kept, rivals, years_of(question))
    return [replace(passage.hit, rank=rank) for rank, passage in enumerate(kept, start=1)]


def _put(passage: _Passage, kept: list[_Passage], rivals: Sequence[int], asked: frozenset[str]) -> None:
    """Put a passage where it belongs among better ranked ones, `rivals` of which are of other editions."""
    is_said = any(_makes_needless(kept[place], passage) for place in rivals)
    behind = [place for place in rivals if _comes_first(passage.hit, kept[place].hit, asked)]
    replaced = next((place for place in behind if passage.says_all_of(kept[place])), None)
    overtaken = next((place for place in behind if passage.stands_where(kept[place])), None)
    if replaced is not None:
        kept[replaced] = passage
    elif not is_said:
        kept.insert(len(kept) if overtaken is None else overtaken, passage)


def _makes_needless(kept: _Passage, passage: _Passage) -> bool:
    """Whether a better ranked passage stands for another: not an older edition that says more than the newer."""
    if not kept.says_all_of(passage):
        return False
    return passage.says_all_of(kept) or not _is_newer(passage.hit, kept.hit)


def _comes_first(hit: Hit, other: Hit, asked: frozenset[str]) -> bool:
    """Whether a hit comes before a better ranked one: of two editions, hardly lower, and asked for or else newer."""
    if hit.score < other.score - _HARDLY_LOWER or not same_name(hit, other):
        return False
    is_asked, other_is_asked = (bool(asked & years_of(f"{each.title} {each.path}")) for each in (hit, other))
    if is_asked != other_is_asked:
        return is_asked
    return _is_newer(hit, other)


def _is_newer(hit: Hit, other: Hit) -> bool:
    found = newer(hit, other)
    return found is not None and found.hit is hit


def _dated(hit: Hit, imprint: Imprint | None) -> Hit:
    return replace(hit, dated=imprint.facts.modified or imprint.facts.created) if imprint else hit


def _editions(hits: Sequence[Hit], imprints: Mapping[str, Imprint]) -> frozenset[frozenset[str]]:
    """The pairs of documents among the hits that are editions of one another."""
    first = list({hit.chunk.document_id: hit for hit in reversed(hits)}.values())
    known = [imprints.get(hit.chunk.version_id) for hit in first]
    pairs = resembling([imprint.signature if imprint else b"" for imprint in known], _ALIKE)
    return frozenset(
        frozenset((first[one].chunk.document_id, first[other].chunk.document_id))
        for one, other, share in pairs
        if share >= SIMILAR or same_name(first[one], first[other])
    )
