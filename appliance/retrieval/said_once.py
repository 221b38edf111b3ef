"""Keeps copies and editions of one document from saying the same thing several times over. Pure.

Rules this module keeps:

1. The same text is shown once, whichever documents have it. Otherwise only editions are compared: documents that are
   much alike, or alike and of the same name (see `editions`). Whether they are is told by the hits themselves, which
   the reader may see, and by nothing else. A document that is too short for a signature is compared by its words.
2. A passage of an edition is left out when another one says all of it under the same headings: the same sentences and
   lines, in the same order, one after the other. Case, spaces and punctuation aside, every word, number and sign is the
   same. What differs in a single word stays, for the reader to see and for `conflicts` to name.
3. The better ranked passage stands for both, or the newer edition's where it is hardly ranked lower. The same goes for
   the order of passages of two editions that stand in the same place and differ. An edition whose year the question
   names is never put behind one whose year it does not.
4. A passage of a few words is left out for the same text alone: it may mean something else where it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from appliance.catalog import SIMILAR, resembling
from appliance.domain import Hit
from appliance.retrieval.editions import Age, age_of, called_alike, same_name, unmarked, years_of
from appliance.retrieval.superseded import ALIKE

_ALIKE_WORDS = 0.5  # of their words, for those of the same name of which one has no signature
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
    def age(self) -> Age:
        """What its document says of its age."""
        return age_of(self.hit)

    @cached_property
    def years(self) -> frozenset[str]:
        """The years in what its document is called."""
        return years_of(f"{self.hit.title} {self.hit.path}")

    @cached_property
    def words(self) -> frozenset[str]:
        """The words in it."""
        return frozenset(self.said.split())

    def says_all_of(self, other: _Passage) -> bool:
        """Whether the other one has nothing to add."""
        if self.hit.chunk.text == other.hit.chunk.text:
            return True
        enough = other.said.count(" ") + other.said.count("\n") > _FEWEST_WORDS
        return enough and self.headings == other.headings and other.said in self.said

    def stands_where(self, other: _Passage) -> bool:
        """Whether it is what the other one is in its own edition."""
        if self.headings != other.headings:
            return self.hit.chunk.text == other.hit.chunk.text
        shared = len(self.words & other.words)
        return shared >= _SAME_PLACE * (len(self.words) + len(other.words) - shared)


def each_said_once(question: str, hits: Sequence[Hit], signatures: Mapping[str, bytes]) -> list[Hit]:
    """The hits, best first, without those that repeat another one; ranks counted anew.

    Args:
        question: Of the reader; only the years in it count.
        hits: Best first, with their fused scores.
        signatures: Of the versions of the hits, by version: what tells documents that are much alike.
    """
    editions, asked = _editions(hits, signatures), years_of(question)
    in_editions, times = frozenset().union(*editions), Counter(hit.chunk.text for hit in hits)
    kept: list[_Passage] = []
    for passage in map(_Passage, hits):
        rivals: list[int] = []
        if passage.hit.chunk.document_id in in_editions or times[passage.hit.chunk.text] > 1:
            rivals = [place for place, other in enumerate(kept) if _may_repeat(passage.hit, other.hit, editions)]
        _put(passage, kept, rivals, asked)
    once: dict[str, Hit] = {}
    for passage in kept:
        once.setdefault(passage.hit.chunk.text, passage.hit)
    return [hit if hit.rank == rank else replace(hit, rank=rank) for rank, hit in enumerate(once.values(), start=1)]


def _may_repeat(hit: Hit, other: Hit, editions: frozenset[frozenset[str]]) -> bool:
    if hit.chunk.text == other.chunk.text:
        return True
    return frozenset((hit.chunk.document_id, other.chunk.document_id)) in editions


def _put(passage: _Passage, kept: list[_Passage], rivals: Sequence[int], asked: frozenset[str]) -> None:
    """Put a passage where it belongs among better ranked ones, of which `rivals` may say the same.

    `asked` are the years that the question names.
    """
    alike = [place for place in rivals if passage.stands_where(kept[place])]
    behind = [place for place in alike if _comes_first(passage, kept[place], asked)]
    replaced = next((place for place in behind if passage.says_all_of(kept[place])), None)
    if replaced is not None:
        kept[replaced] = passage
    elif not any(_makes_needless(kept[place], passage) for place in rivals):
        kept.insert(behind[0] if behind else len(kept), passage)


def _makes_needless(kept: _Passage, passage: _Passage) -> bool:
    """Whether a better ranked passage stands for another: not an older edition that says more than the newer."""
    if not kept.says_all_of(passage):
        return False
    return passage.says_all_of(kept) or not passage.age.is_newer(kept.age)


def _comes_first(passage: _Passage, other: _Passage, asked: frozenset[str]) -> bool:
    """Whether it comes before a better ranked one: of two editions, hardly lower, and asked for or else newer."""
    if passage.hit.score < other.hit.score - _HARDLY_LOWER or not passage.age.has_same_name(other.age):
        return False
    is_asked, other_is_asked = (bool(asked & each.years) for each in (passage, other))
    if is_asked != other_is_asked:
        return is_asked
    return passage.age.is_newer(other.age)


def _editions(hits: Sequence[Hit], signatures: Mapping[str, bytes]) -> frozenset[frozenset[str]]:
    """The pairs of documents among the hits that are editions of one another."""
    first = list({hit.chunk.document_id: hit for hit in reversed(hits)}.values())
    pairs = resembling([signatures.get(hit.chunk.version_id, b"") for hit in first], ALIKE)
    long = (
        (first[one], first[other])
        for one, other, share in pairs
        if share >= SIMILAR or same_name(first[one], first[other])
    )
    short = _short_editions(first, hits, signatures)
    return frozenset(frozenset((one.chunk.document_id, other.chunk.document_id)) for one, other in (*long, *short))


def _short_editions(
    first: Sequence[Hit], hits: Sequence[Hit], signatures: Mapping[str, bytes]
) -> Iterator[tuple[Hit, Hit]]:
    """The pairs of documents of the same name that share most of their words, where one of them has no signature."""
    alike = list(called_alike(first))
    unsigned = [pair for pair in alike if not all(signatures.get(hit.chunk.version_id) for hit in pair)]
    words: dict[str, set[str]] = {hit.chunk.document_id: set() for pair in unsigned for hit in pair}
    for hit in hits if unsigned else ():  # of a short document these are all words it has
        if hit.chunk.document_id in words:
            words[hit.chunk.document_id] |= _Passage(hit).words
    for one, other in unsigned:
        ours, theirs = words[one.chunk.document_id], words[other.chunk.document_id]
        if len(ours & theirs) >= _ALIKE_WORDS * len(ours | theirs):
            yield one, other
