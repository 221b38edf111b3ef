"""Finds passages of different documents that say the same thing differently. Pure.

Rules this module keeps:

1. Two sentences conflict when nearly all their words are the same, and their numbers, dates or a denial are not. What
   they say of different years is no conflict.
2. Both must be about the question: each has two of its words, or the only one. What a passage says besides is nobody's
   concern now.
3. Both must speak of the same thing, where a number names it: what is said of note 123 is none of note 43. Where words
   tell that they do not (`subjects`), it is no conflict but the same told of two things, unless the question says of
   which: then it is nothing. Whoever asks for a year is not told of the edition of another.
4. Only sentences are compared. Rows of tables, headings in capitals, lists of figures and lines too short to mean the
   same thing are not, nor passages of one document, which may say one thing of many cases.
5. It is a hint to look at both, found by words: it can miss a conflict, and says "differ", not "are wrong".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from appliance.answering.numbers import numbers, without_numbers
from appliance.answering.sentences import denies, statements, words
from appliance.answering.subjects import Statement, Subjects
from appliance.answering.things import things_in
from appliance.answering.wrapping import unwrapped
from appliance.domain import Citation
from appliance.retrieval.editions import names_year_of

_SAME_WORDS = 0.75  # of all the words of two sentences
_SAME_WORDS_DENIED = 0.85
_FEWEST_WORDS = 3
_MOST_NUMBERS = 4  # a sentence with more is a list of figures
_LONGEST = 400
_ADDRESS = re.compile(r"\w+://\S+|\S+@\S+")
_YEAR = re.compile(r"(?:19|20)\d\d(?=-|\Z)")  # of a date, or by itself


@dataclass(frozen=True, slots=True)
class Difference:
    """Two passages, by their numbers, and the sentences in which they differ.

    `things` is how the two things are called that they speak of, where it is not the same one.
    """

    one: Citation
    other: Citation
    one_says: str
    other_says: str
    things: tuple[str, str] | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether they say different things of the same."""
        return self.things is None

    def in_order(self) -> Difference:
        """The same, the lower number first."""
        if self.one.number < self.other.number:
            return self
        things = self.things and (self.things[1], self.things[0])
        return Difference(self.other, self.one, self.other_says, self.one_says, things)


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    heading: str
    words: frozenset[str]
    things: frozenset[str]
    readings: frozenset[frozenset[str]]
    years: frozenset[str]
    denied: bool


def differences(question: str, passages: Sequence[Citation]) -> list[Difference]:
    """The pairs of passages that differ, of the same thing or each of its own, in the order of their numbers."""
    asked = words(question)
    subjects = Subjects(passages)
    said = [(passage, _about(asked, passage)) for passage in passages]
    return [
        found
        for (one, ours), (other, theirs) in combinations(said, 2)
        if one.hit.chunk.document_id != other.hit.chunk.document_id
        and (found := _difference(question, one, ours, other, theirs, subjects)) is not None
    ]


def _difference(
    question: str,
    one: Citation,
    ours: Sequence[_Sentence],
    other: Citation,
    theirs: Sequence[_Sentence],
    subjects: Subjects,
) -> Difference | None:
    """The first contradiction of two passages; without one, what they first say of different things."""
    if names_year_of(question, one.hit) != names_year_of(question, other.hit):
        return None
    told = None
    for our, their in _differing(ours, theirs):
        apart = subjects.apart(Statement(one, our.text, our.heading), Statement(other, their.text, their.heading))
        if apart is None:
            return Difference(one, other, our.text, their.text)
        if told is None and not apart.is_settled_by(question):
            told = Difference(one, other, our.text, their.text, (apart.one, apart.other))
    return told


def _differing(ours: Sequence[_Sentence], theirs: Sequence[_Sentence]) -> Iterator[tuple[_Sentence, _Sentence]]:
    """The pairs of sentences that differ, without those that the other passage says, too."""
    for our in ours:
        if not any(_says_the_same(our, their) for their in theirs):
            yield from ((our, their) for their in theirs if _differ(our, their))


def _says_the_same(our: _Sentence, their: _Sentence) -> bool:
    return replace(our, text=their.text, heading=their.heading) == their


def _about(asked: frozenset[str], passage: Citation) -> list[_Sentence]:
    place = passage.hit.chunk.place
    found = []
    for statement in statements(unwrapped(passage.hit.chunk.text)):
        if "|" in statement.text or statement.text.isupper() or len(statement.text) > _LONGEST:
            continue
        said = _ADDRESS.sub(" ", statement.text)
        carried = words(without_numbers(said))
        if len(carried) < _FEWEST_WORDS or not _shares(carried, asked):
            continue  # before its numbers are read, which takes longest
        heading = next(reversed(place.headings_at(statement.start)), "")
        things, said = things_in(said, passage.hit.chunk.language)
        values = frozenset(number.readings for number in numbers(said))
        if len(values) <= _MOST_NUMBERS:
            denied, years = denies(statement.text), _years(values)
            found.append(_Sentence(statement.text, heading, carried, things, values, years, denied))
    return found


def _shares(carried: frozenset[str], asked: frozenset[str]) -> bool:
    return len(carried & asked) >= max(1, min(2, len(asked)))


def _differ(our: _Sentence, their: _Sentence) -> bool:
    same = len(our.words & their.words) / len(our.words | their.words)
    if same < _SAME_WORDS or (our.things, our.years) != (their.things, their.years):
        return False
    if our.denied != their.denied:
        return same >= _SAME_WORDS_DENIED and our.readings == their.readings
    return len(our.readings) == len(their.readings) > 0 and not _alike(our.readings, their.readings)


def _years(values: frozenset[frozenset[str]]) -> frozenset[str]:
    found = (_YEAR.match(reading) for readings in values for reading in readings)
    return frozenset(year[0] for year in found if year)


def _alike(ours: frozenset[frozenset[str]], theirs: frozenset[frozenset[str]]) -> bool:
    """Whether every number of one is one of the other."""
    return all(any(own & other for other in theirs) for own in ours)
