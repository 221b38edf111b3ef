"""Tells whether two passages that say nearly the same speak of different things: of two sites, products or kinds. Pure.

Rules this module keeps:

1. Documents of one series are of different things ("Canteen Geneva", "Canteen Zurich"): their titles or file names
   share a word, and each has one of its own. What kind of document it is ("rules", "notice") and which edition tell
   nothing. Of titles that share nothing, nothing is told: a policy and a guide may both speak of hotels.
2. Headings that sentences stand under are of different things if they differ in one place, and there by a name: a word
   with a capital that stands nowhere in small letters (in German, where every noun has one, any noun). Sentences are
   if each has a name that the other has not (in German, a place: "in Genf"). What is measured in, paid in or falls on
   a day is what is said, and no thing: "EUR 10" and "CHF 12" contradict each other.
3. A number that names a thing in a title or heading ("Building 4") tells it too.
4. The passages are of the reader's own search, and nothing else is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.answering.abstention import QUESTION_WORDS
from appliance.answering.things import MONEY, things_in
from appliance.dates import MONTHS, WEEKDAYS
from appliance.domain import Citation
from appliance.index.names import begins_sentence
from appliance.language.endings import singular
from appliance.language.words import ANY, LANGUAGES, nouns_have_capitals, one_of, words_of
from appliance.letter_case import without_accents
from appliance.retrieval.editions import Name, names_of

_WORD = re.compile(r"[^\W\d_]+")
_BEHIND_A_NUMBER = re.compile(r"\d[\s-]?\Z")
_WITH_CAPITAL_NOUNS = words_of(its for its in LANGUAGES.values() if its.nouns_have_capitals)
_BEFORE_A_PLACE = re.compile(rf"\b{one_of(_WITH_CAPITAL_NOUNS.before_places)} \Z", re.IGNORECASE)
_JOINED = re.compile(r"[^\W_]+")  # with digits, as in names of files
_OF_A_PERIOD = frozenset(ANY.reports_of_a_period)


def _plain(word: str) -> str:
    """A word as it is compared: small, without accents and the s of a plural."""
    return singular(without_accents(word.casefold()))


_SAYING_NOTHING = frozenset(map(_plain, (*ANY.kinds_of_documents, *QUESTION_WORDS, *MONTHS, *WEEKDAYS)))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a passage says: the sentence, and the heading it stands under."""

    passage: Citation
    text: str
    heading: str

    @property
    def has_capital_nouns(self) -> bool:
        """Whether every noun in it has a capital."""
        return nouns_have_capitals(self.passage.hit.chunk.language)


@dataclass(frozen=True, slots=True)
class Apart:
    """How two things are called, and the words that tell them."""

    one: str
    other: str
    words: frozenset[str]

    def is_settled_by(self, question: str) -> bool:
        """Whether a question says which of them is meant."""
        asked = {*map(_plain, _JOINED.findall(question)), *things_in(question)[0]}
        return not self.words.isdisjoint(asked)


class Subjects:
    """Tells things apart within the passages of a search."""

    def __init__(self, passages: Sequence[Citation]) -> None:
        """Begin with all passages that were found: they show which words are no names."""
        self._passages = passages
        self._small: frozenset[str] | None = None

    def apart(self, one: Statement, other: Statement) -> Apart | None:
        """The two things that two statements are about; None where, as far as words tell, it is the same one."""
        return self._by_title(one, other) or self._by_heading(one, other) or self._by_sentence(one, other)

    def _by_title(self, one: Statement, other: Statement) -> Apart | None:
        pairs = tuple(zip(names_of(one.passage.hit), names_of(other.passage.hit), strict=True))
        own = next((found for pair in pairs if (found := _own(*(_carrying(name.bare) for name in pair)))), None)
        _, (ours, theirs) = pairs
        if not own and ours.bare == theirs.bare:
            own = _periods(ours, theirs)
        elif not own:
            own = _own_things(one.passage.hit.title, other.passage.hit.title, one, other)
        return Apart(*called(one.passage, other.passage), own) if own else None

    def _by_heading(self, one: Statement, other: Statement) -> Apart | None:
        own = _own_things(one.heading, other.heading, one, other)
        if not own and not one.heading.isupper():  # where a capital tells nothing
            first, second = _in_one_place(_WORD.findall(one.heading), _WORD.findall(other.heading))
            ours = self._names(" ".join(first), one, is_heading=True)
            theirs = self._names(" ".join(second), other, is_heading=True)
            own = ours ^ theirs if ours - theirs and theirs - ours else frozenset()
        return Apart(one.heading, other.heading, own) if own else None

    def _by_sentence(self, one: Statement, other: Statement) -> Apart | None:
        ours = self._names(one.text, one) - _words(other.text)
        theirs = self._names(other.text, other) - _words(one.text)
        if not ours or not theirs:
            return None
        return Apart(_written(one.text, ours), _written(other.text, theirs), ours | theirs)

    def _names(self, text: str, said: Statement, *, is_heading: bool = False) -> frozenset[str]:
        """The names in a text of a statement, which may be its heading."""
        words = (it for it in _WORD.finditer(text) if it[0][0].isupper() and not MONEY.fullmatch(it[0]))
        if not is_heading:
            words = (it for it in words if not begins_sentence(text, it.start()) and not _measures(text, it.start()))
            if said.has_capital_nouns:
                words = (it for it in words if _BEFORE_A_PLACE.search(text, 0, it.start()))
        found = frozenset(_plain(it[0]) for it in words) - _SAYING_NOTHING
        return found if said.has_capital_nouns or not found else found - self._in_small_letters()

    def _in_small_letters(self) -> frozenset[str]:
        if self._small is None:
            texts = (passage.hit.chunk.text for passage in self._passages)
            self._small = frozenset(_plain(word) for text in texts for word in _WORD.findall(text) if word.islower())
        return self._small


def _measures(text: str, start: int) -> bool:
    """Whether the word that starts there is what the number before it counts."""
    return _BEHIND_A_NUMBER.search(text, max(0, start - 2), start) is not None


def _own(ours: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    """The words that each of two names has for itself, if they share one; none where one has nothing of its own."""
    if not ours & theirs or ours <= theirs or theirs <= ours:
        return frozenset()
    return ours ^ theirs


def _periods(ours: Name, theirs: Name) -> frozenset[str]:
    """The years of two reports of one series; none of two editions, of which the later stands for the earlier."""
    if _OF_A_PERIOD.isdisjoint(ours.bare) or not ours.date or not theirs.date or ours.date == theirs.date:
        return frozenset()
    return frozenset(str(name.date[0]) for name in (ours, theirs))


def _in_one_place(ours: Sequence[str], theirs: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What two headings have in the one place in which they are not the same; nothing if they share no word."""
    same = [one == other for one, other in zip(ours, theirs, strict=False)]
    before = (*same, False).index(False)
    behind = [one == other for one, other in zip(ours[before:][::-1], theirs[before:][::-1], strict=False)]
    after = (*behind, False).index(False)
    if not before and not after:
        return (), ()
    return ours[before : len(ours) - after], theirs[before : len(theirs) - after]


def _own_things(ours: str, theirs: str, one: Statement, other: Statement) -> frozenset[str]:
    """The things that numbers name in two titles or headings, if they are not the same ones."""
    first, _ = things_in(ours, one.passage.hit.chunk.language)
    second, _ = things_in(theirs, other.passage.hit.chunk.language)
    return first ^ second if first and second else frozenset()


def called(one: Citation, other: Citation) -> tuple[str, str]:
    """What tells the documents of two passages: their titles, or their files where these are the same."""
    ours, theirs = one.hit, other.hit
    return (ours.path, theirs.path) if ours.title == theirs.title else (ours.title, theirs.title)


def _carrying(name: Sequence[str]) -> frozenset[str]:
    return frozenset(map(_plain, (word for word in name if not word.isdecimal()))) - _SAYING_NOTHING


def _words(text: str) -> frozenset[str]:
    return frozenset(map(_plain, _WORD.findall(text)))


def _written(text: str, wanted: frozenset[str]) -> str:
    """Those words as the text writes them."""
    return " ".join(dict.fromkeys(word for word in _WORD.findall(text) if _plain(word) in wanted))
