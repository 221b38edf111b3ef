"""What a question names, and whether passages hold it. Pure.

Where no language model reads the passages before they are quoted, a question about Paris would be answered with what
stands nearest to it, about Geneva. Rules this module keeps:

1. A name is a word with a capital inside a sentence (not in German, where every noun has one), a year, or a code: words
   joined by hyphens, or a word, with a digit and a capital. Any other number is a quantity: "more than 8 hours" answers
   "9 hours?". Days and months are no names here: "Monday to Friday" answers "on Wednesdays?".
2. A text holds a name with an ending more or less, of two letters at most, and a longer one with one letter wrong. It
   holds a code, or a name in two parts, with blanks for its hyphens too, or without them; and a year inside a code.
3. What a follow-up names is all that it says of its own, so the passages must hold each. Of a question by itself they
   must hold one name, whichever: another may be called something else there. So may an abbreviation or a code ("GDP",
   "M2-like"): one that stands nowhere tells nothing, unless the passages have it with another number.
4. In a German follow-up, what comes after "in" without an article is a name, as places do and most nouns do not ("in
   Paris", but "im Büro", "in der Probezeit"), if what was found is German too ("Genf" is Geneva elsewhere), and it is
   no measure, not made of another word ("in Bearbeitung") and not part of a phrase ("in Kraft").
5. Of what is quoted all the same, the reader is told which names and years it does not hold.
6. A title ("Ms.") is no name, nor is what `asides` leaves out. Where only a name that is in doubt is missing, what is
   found is quoted, unmarked: such a one is as `asides` tells, or a place after "in" where the language may be German or
   not ("Hotel in Paris?").

What the last rules cost and catch: docs/decisions/0022-when-the-documents-do-not-say.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from appliance.answering.abstention import QUESTION_WORDS, end_of_asking, is_title, opens_sentence, spelled
from appliance.answering.asides import without_asides
from appliance.answering.numbers import MEASURES
from appliance.domain import Hit
from appliance.inference.language import question_language
from appliance.language.endings import LONGEST_ENDING, SHORTEST_BEGINNING
from appliance.language.words import ANY, LANGUAGES, nouns_have_capitals, one_of

_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"[^\W_]+(?:[-\u2010-\u2013/][^\W_]+)*")
_YEAR = re.compile(r"(?:19|20)\d\d")
_ENDS_IN_YEAR = re.compile(r"[^\W\d]+((?:19|20)\d\d)")  # "FY2021"
_NUMBERED = re.compile(r"([^\W\d]{2,}|[^\W\d](?= \d{2})) ?\d+")  # "hlt 40", "e 133"
_YEAR_INSIDE = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_HYPHENATED = re.compile(r"[^\W_]+(?:[-\u2010\u2011][^\W_]+)+")
_MAY_BE_MISSPELT = 6  # letters
_LONGEST = 40
_MOST_NAMES = 64  # a question counts with its first: time is to grow with its length and no faster
_LONGEST_BEFORE_PLACE = 4  # characters
_BEFORE_PLACE = re.compile(r"(?<!\w)in [\"'„“»«]?\Z", re.IGNORECASE)
_NO_GERMAN_PLACE = re.compile(
    rf".*{one_of(ANY.endings_of_no_places)}(?:e|en|er|n|s)?|{MEASURES}|{one_of(ANY.no_places)}",
    re.IGNORECASE,
)
_ENGLISH = LANGUAGES["en"]  # in the others days and months have a small letter, or every noun has a capital
_DAYS_AND_MONTHS = (*_ENGLISH.words.weekdays, *(names[0] for names in _ENGLISH.months))
_CALENDAR = frozenset(form for word in _DAYS_AND_MONTHS for form in (word, f"{word}s"))


@dataclass(frozen=True, slots=True)
class _Said:
    """Texts as names are looked for in them: all in one spelling, their words, and what these are without an ending."""

    line: str
    words: frozenset[str]
    begun: frozenset[str]
    beside: frozenset[str]  # two neighbours as one word
    nearly: frozenset[str]  # longer words, and these without one letter

    @classmethod
    def by(cls, texts: Iterable[str]) -> _Said:
        line = f" {' '.join(spelled(text).strip() for text in texts)} "
        in_order = line.split()
        distinct = frozenset(in_order).union(*map(_YEAR_INSIDE.findall, in_order))
        return cls(
            line,
            distinct,
            frozenset(form for word in distinct for form in _forms(word)),
            frozenset(first + second for first, second in pairwise(in_order)),
            frozenset(form for word in distinct for form in _without_a_letter(word)),
        )

    def has_like(self, name: str) -> bool:
        """Whether a code stands there with another number."""
        code = _NUMBERED.fullmatch(name)
        if code is None:
            return False
        number = r" ?\d+" if len(code[1]) > 1 else r" \d{2,}"
        return re.search(rf" {code[1]}{number} ", self.line) is not None

    def holds(self, name: str) -> bool:
        """Whether a name stands there."""
        if not any(map(str.isdigit, name)):
            if name.replace(" ", "") in self.beside or (" " in name and all(map(self.holds, name.split()))):
                return True
            name = name.replace(" ", "")
            as_word = name in self.begun or not self.words.isdisjoint(_forms(name))
            return as_word or not self.nearly.isdisjoint(_without_a_letter(name))
        year = _ENDS_IN_YEAR.fullmatch(name)
        whole = name.replace(" ", "")
        as_code = f" {name} " in self.line or whole in self.words or whole in self.beside
        return as_code or (year is not None and year[1] in self.words)

    def holds_part(self, name: str) -> bool:
        """Whether a name stands there, or a part of one that has no number."""
        is_code = any(map(str.isdigit, name))
        return self.holds(name) or (not is_code and any(map(self.holds, name.split())))


def names(question: str, language: str, *, german_places: bool = False, in_doubt: bool = False) -> Mapping[str, bool]:
    """What a question names, in one spelling with one space between words, and whether it is a word or a year.

    Args:
        question: What was asked.
        language: Its language (two letters, empty where it is not clear).
        german_places: Whether in German what comes after "in" is a name.
        in_doubt: Whether what is in doubt is one.
    """
    asking = question[: end_of_asking(question)]
    in_german = not language or nouns_have_capitals(language)  # or may be: keywords are often not clear
    tells = (not in_german or german_places) and not asking.isupper()  # whether a capital tells a name
    asking = without_asides(asking, language, in_doubt=in_doubt)
    found = _names_in(asking, lambda word, start: tells and _may_be_name(asking, word, start, language))
    return {_one_spelling(name): is_word for name, is_word in islice(found, _MOST_NAMES)}


def wanted(searched_for: str, follow_up: str, hits: Sequence[Hit], *, in_doubt: bool = False) -> Mapping[str, bool]:
    """What passages are to hold: the names of a follow-up, or of what was searched for where none was asked."""
    language = question_language(searched_for)
    in_german = bool(follow_up) and bool(hits) and nouns_have_capitals(hits[0].chunk.language)
    is_unsure = in_doubt and not language
    return names(follow_up or searched_for, language, german_places=in_german or is_unsure, in_doubt=in_doubt)


def of_question_before(searched_for: str, follow_up: str, hits: Sequence[Hit]) -> Collection[str]:
    """What the question before a follow-up names, of the two that were searched for together."""
    in_german = bool(hits) and nouns_have_capitals(hits[0].chunk.language)
    return names(searched_for.removesuffix(follow_up), question_language(searched_for), german_places=in_german)


def where_named(question: str) -> list[tuple[int, int]]:
    """From where to where a question names something, words side by side as one; in German after "in" alone."""
    found = names(question, question_language(question), german_places=True, in_doubt=True)
    places: list[tuple[int, int]] = []
    for joined in _JOINED.finditer(question) if found else ():
        start, end = joined.span()
        if _one_spelling(joined[0]) not in found:
            continue
        if places and question[places[-1][1] : start] == " ":
            start = places.pop()[0]
        places.append((start, end))
    return places


def held(named: Collection[str], *texts: str) -> frozenset[str]:
    """Those of the names that stand in one of the texts."""
    if not named:
        return frozenset()
    said = _Said.by(texts)
    return frozenset(filter(said.holds, named))


def are_missing(searched_for: str, follow_up: str, hits: Sequence[Hit], *, in_doubt: bool = False) -> bool:
    """Whether passages lack what is named: any that a follow-up names, else all that was searched for.

    With `in_doubt`, what may be a name is one.
    """
    named = wanted(searched_for, follow_up, hits, in_doubt=in_doubt)
    if not named:
        return False
    said = _Said.by(map(text_of, hits))
    if follow_up:
        return not all(map(said.holds, named))
    if any(map(said.holds_part, named)):
        return False
    return all(is_word or said.has_like(name) for name, is_word in named.items())


def unnamed(searched_for: str, follow_up: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The names and years, as they were written, that no passage holds any part of, though one may hold the others.

    What is in doubt is a name here, and in German what comes after "in".
    """
    asked = follow_up or searched_for
    named = names(asked, question_language(searched_for), german_places=True, in_doubt=True)
    if not named:
        return ()
    said = _Said.by(map(text_of, hits))
    missing = {
        name for name, is_word in named.items() if not said.holds_part(name) and (is_word or said.has_like(name))
    }
    written = (found[0] for pattern in (_JOINED, _WORD) for found in pattern.finditer(asked))
    return tuple({spelling: word for word in written if (spelling := _one_spelling(word)) in missing}.values())


def text_of(hit: Hit) -> str:
    """All that a hit says, its title, path and headings too."""
    return "\n".join((hit.title, hit.path, hit.chunk.search_text))


def _names_in(asking: str, capital_tells: Callable[[str, int], bool]) -> Iterator[tuple[str, bool]]:
    """The names in a text, and whether each is a word or a year. `capital_tells` says it of the word at a place."""
    for joined in _JOINED.finditer(asking):
        if _is_code(joined[0]):
            yield joined[0], False
            continue
        found = [
            word[0]
            for word in _WORD.finditer(joined[0])
            if _is_name(word[0], capital_tells=capital_tells(word[0], joined.start() + word.start()))
        ]
        whole = _in_parts(joined[0]) if found and _HYPHENATED.fullmatch(joined[0]) else ""
        yield from ((name, all(map(_is_word, name.split()))) for name in ([whole] if whole else found))


def _is_code(joined: str) -> bool:
    return any(map(str.isdigit, joined)) and any(map(str.isupper, joined))


def _may_be_name(asking: str, word: str, start: int, language: str) -> bool:
    """Whether a capital at the beginning of a word may tell that it is a name."""
    if nouns_have_capitals(language):
        is_place = _BEFORE_PLACE.search(asking, max(0, start - _LONGEST_BEFORE_PLACE), start) is not None
        return is_place and not _NO_GERMAN_PLACE.fullmatch(word)
    return not opens_sentence(asking, start)


def _is_name(word: str, *, capital_tells: bool) -> bool:
    if any(map(str.isdigit, word)):
        return _YEAR.fullmatch(word) is not None
    if len(word) < 2 or word.casefold() in QUESTION_WORDS or word.casefold() in _CALENDAR or is_title(word):
        return False
    return capital_tells and not word.islower()


def _is_word(name: str) -> bool:
    """Whether a name is a word or a year, not an abbreviation."""
    return name[1:].islower() or name.isdecimal() or len(name) == 1


def _in_parts(hyphenated: str) -> str:
    """The parts of a hyphenated word that belong to a name ("Wi-Fi", "Wi-fi", "E-Mail"); nothing if only one does."""
    parts: list[str] = []
    for part in _WORD.findall(hyphenated):
        if not part.islower() or (parts and len(part) <= LONGEST_ENDING):
            parts.append(part)
    return " ".join(parts) if len(parts) > 1 else ""


def _forms(word: str) -> Iterable[str]:
    """A word, and the word without an ending."""
    yield word
    if word.isalpha():
        for letters in range(1, LONGEST_ENDING + 1):
            if len(word) - letters >= SHORTEST_BEGINNING:
                yield word[:-letters]


def _without_a_letter(word: str) -> Iterable[str]:
    """A longer word, and what is left of it without one of its letters: two that share one differ by about a letter."""
    if _MAY_BE_MISSPELT <= len(word) <= _LONGEST and word.isalpha():
        yield word
        yield from (word[:at] + word[at + 1 :] for at in range(len(word)))


def _one_spelling(text: str) -> str:
    return spelled(text).strip()
