"""What a reader is told besides an answer: that passages differ from one it cites, or are of a newer edition. Pure.

Rules this module keeps:

1. Only what an answer itself cites is held against the other passages. What differs from one that differs is no matter.
2. Of many that differ a few are told, first those that are both cited, and then how many more there are.
3. Whoever asks for a year is not told of the edition of the next.
4. What passages say of different things (two sites, two products) is told in one line, and does not count as differing.
5. All of it is one notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.answering import notices
from appliance.answering.conflicts import Difference
from appliance.domain import Citation, Hit
from appliance.retrieval.editions import Newer, names_year_of, newest

_MOST_CONFLICTS = 3
_MOST_THINGS = 4


@dataclass(frozen=True, slots=True)
class NewerEdition:
    """A passage that an answer cites, one of a newer edition of its document, and why that is newer."""

    cited: Citation
    later: Citation
    found: Newer[Hit]


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
        lines += (notices.of_newer_edition(edition.cited, edition.later, edition.found) for edition in self.editions)
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
    named = (*cited, *(passage for it in told for passage in (it.one, it.other)), *(passage for passage, _ in things))
    editions = _newer(searched_for, cited, passages, {citation.hit.chunk.document_id for citation in named})
    return Besides(told, len(contradict) - len(told), things, tuple(editions))


def _things(concerned: Sequence[Difference]) -> tuple[tuple[Citation, str], ...]:
    """The passages that differ because each is about a thing of its own, and how these are called: each thing once."""
    called: dict[str, Citation] = {}
    for it in concerned:
        for passage, name in zip((it.one, it.other), it.things or (), strict=False):
            called.setdefault(name, passage)
    return tuple((passage, name) for name, passage in list(called.items())[:_MOST_THINGS])


def _newer(
    searched_for: str, cited: Sequence[Citation], passages: Sequence[Citation], told: set[str]
) -> Iterator[NewerEdition]:
    """The newer editions of what is cited, each once, without the documents (ids) that are told of anyway."""
    by_chunk = {passage.hit.chunk.id: passage for passage in passages}
    for citation in cited:
        found = newest(citation.hit, (passage.hit for passage in passages))
        if found is None or found.hit.chunk.document_id in told or names_year_of(searched_for, citation.hit):
            continue
        told.add(found.hit.chunk.document_id)
        yield NewerEdition(citation, by_chunk[found.hit.chunk.id], found)
