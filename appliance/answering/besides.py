"""What a reader is told besides an answer: that passages differ from one it cites, or are of a newer edition. Pure.

Rules this module keeps:

1. Only what an answer itself cites is held against the other passages. What differs from one that differs is no matter.
   Of two editions it is told which is the older one, or that nothing tells.
2. Of many that differ a few are told, first those that are both cited, and then how many more there are.
3. Whoever asks for a year is not told of the edition of the next.
4. What passages say of different things (two sites, two products) is told in one line, and does not count as differing.
5. All of it is one notice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.answering import notices
from appliance.answering.conflicts import Difference
from appliance.domain import Citation, Hit
from appliance.retrieval.editions import Newer, names_year_of, newest, undecided

_MOST_CONFLICTS = 3
_MOST_THINGS = 4


@dataclass(frozen=True, slots=True)
class NewerEdition:
    """A passage that an answer cites, one of a newer edition of its document, and why that is newer.

    `found` is None where nothing tells which of the two is newer. `is_cited` says whether the answer cites both.
    """

    cited: Citation
    later: Citation
    found: Newer[Hit] | None
    is_cited: bool = False

    @property
    def told(self) -> str:
        """The words for it."""
        if self.found is None:
            return notices.of_undecided_editions(*sorted((self.cited, self.later), key=lambda it: it.number))
        words = notices.of_older_edition if self.is_cited else notices.of_newer_edition
        return words(self.cited, self.later, self.found)


@dataclass(frozen=True, slots=True)
class Besides:
    """What is told. `untold` is how many more pairs of passages contradict each other.

    `things` are passages that tell the same of a thing of their own each, and what this is called.
    """

    conflicts: tuple[Difference, ...]
    untold: int
    things: tuple[tuple[Citation, str], ...]
    editions: tuple[NewerEdition, ...]

    @property
    def passages(self) -> tuple[Citation, ...]:
        """The passages that are spoken of, in their order there."""
        differing = (passage for found in self.conflicts for passage in (found.one, found.other))
        others = (*(passage for passage, _ in self.things), *(edition.later for edition in self.editions))
        return tuple(dict.fromkeys((*differing, *others)))

    def notices(self) -> Iterator[str]:
        """The words for it: one notice, a line for each, or none."""
        lines = [*map(notices.of_conflict, self.conflicts)]
        if self.untold:
            lines.append(notices.of_more_conflicts(self.untold))
        if self.things:
            ordered = sorted(self.things, key=lambda thing: thing[0].number)
            lines.append(notices.of_things([(passage.number, name) for passage, name in ordered]))
        lines += (edition.told for edition in self.editions)
        if lines:
            yield "\n".join(lines)

    def numbered_as(self, passages: Mapping[str, Citation]) -> Besides:
        """The same of passages that were numbered anew, by chunk (id)."""

        def anew(passage: Citation) -> Citation:
            return passages[passage.hit.chunk.id]

        conflicts = (replace(it, one=anew(it.one), other=anew(it.other)).in_order() for it in self.conflicts)
        editions = (replace(it, cited=anew(it.cited), later=anew(it.later)) for it in self.editions)
        things = ((anew(passage), name) for passage, name in self.things)
        return Besides(tuple(conflicts), self.untold, tuple(things), tuple(editions))


def besides(
    searched_for: str, cited: Sequence[Citation], passages: Sequence[Citation], differences: Sequence[Difference]
) -> Besides:
    """What is told besides an answer that cites `cited`, of the passages it was made from and what differs there."""
    numbers = {citation.number for citation in cited}
    concerned = [it for it in differences if it.one.number in numbers or it.other.number in numbers]
    concerned.sort(key=lambda it: not {it.one.number, it.other.number} <= numbers)
    contradict = [it for it in concerned if it.is_conflict]
    told = tuple(contradict[:_MOST_CONFLICTS])
    things = _things(concerned)
    pairs = [frozenset((it.one.document_id, it.other.document_id)) for it in told]
    editions = _editions(searched_for, cited, passages, pairs, {passage.document_id for passage, _ in things})
    return Besides(told, len(contradict) - len(told), things, tuple(editions))


def _things(concerned: Sequence[Difference]) -> tuple[tuple[Citation, str], ...]:
    """The passages that differ because each is about a thing of its own, and how these are called: each thing once."""
    called: dict[str, Citation] = {}
    for it in concerned:
        for passage, name in zip((it.one, it.other), it.things or (), strict=False):
            called.setdefault(name, passage)
    return tuple((passage, name) for name, passage in list(called.items())[:_MOST_THINGS])


def _editions(
    searched_for: str,
    cited: Sequence[Citation],
    passages: Sequence[Citation],
    differing: Collection[frozenset[str]],
    things: Collection[str],
) -> Iterator[NewerEdition]:
    """The newer editions of what is cited, and those that may be newer, each once, without what is told of anyway.

    `differing` are the pairs of documents (ids) that are told to differ, `things` those that tell of several things.
    """
    cited_of = {citation.document_id: citation for citation in reversed(cited)}
    told, pairs = {*things}.union(*differing), {*differing}
    for citation in cited:
        edition = None if names_year_of(searched_for, citation.hit) else _edition(searched_for, citation, passages)
        if edition is None:
            continue
        later = edition.later.document_id
        pair = frozenset((citation.document_id, later))
        if later not in cited_of:
            is_told = later in told
        else:  # two of one name may be of one series ("Minutes 2024-03-05"): the search knows
            is_known = edition.found is None or citation.hit.superseded_by == later
            is_told = pair in pairs or later in things or not is_known
            edition = replace(edition, later=cited_of[later], is_cited=True)
        if not is_told:
            told.add(later)
            pairs.add(pair)
            yield edition


def _edition(searched_for: str, cited: Citation, passages: Sequence[Citation]) -> NewerEdition | None:
    """The newest edition of what is cited, or else one of which nothing tells whether it is newer."""
    found = newest(cited.hit, (passage.hit for passage in passages))
    if found is not None:
        return NewerEdition(cited, next(passage for passage in passages if passage.hit is found.hit), found)
    others = (passage for passage in passages if undecided(cited.hit, passage.hit))
    other = next((passage for passage in others if not names_year_of(searched_for, passage.hit)), None)
    return NewerEdition(cited, other, None) if other else None
