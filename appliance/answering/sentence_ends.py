"""Where the sentences of a text end, in English, German, French, Italian and Spanish at once. Pure.

What ends a sentence is a full stop, a question or an exclamation mark before something that can begin one. A dot does
not where it belongs to

1. an initial ("Mary N. Dillon") or an abbreviation of single letters ("z. B.", "e.g.", "U.S.");
2. an ordinal or the number of a section ("3. Mai", "Ihr 2. Jahr", "4.2. Notice"): a number up to 999. Where the words
   before it are of a language that writes no ordinals with a dot, it may end what it is the last word of ("The key
   hangs in locker 17. Boats are hired");
3. an abbreviation that never stands alone ("Dr.", "vgl.", "p. ex.");
4. one that leads to a number, if one follows ("Art. 5", "No. 12", "lit. a"). "The answer is no." ends.

In doubt it does not end: two sentences in one piece cost less than one in two. Rules of our own, because those learnt
from newspapers (NLTK's Punkt, which comes with llama-index) end sentences at "Art. 5", "Fig. 3" and "z. B. Kinder".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from appliance.dates import MONTHS
from appliance.index.names import begins_sentence
from appliance.language.words import ANY, LANGUAGES, one_of, words_of

_MARKERS = r"(?:\s*\[\d+\])*"
_END = re.compile(rf"[.!?…]['\"”’»)*_]*{_MARKERS}(?=\s+[^\sa-zà-ÿ])")
_LAST_WORD = re.compile(r"[^\W_]+\Z")
_LONGEST = 12  # characters that are looked at before a dot
_NEAR = 300  # and whose words tell the language before a number
_MAY_STAND_BEFORE = frozenset(' \t\xa0\u202f\n.([{„“"«»‘-/*_|')
_APOSTROPHES = frozenset("'’")
_OF_TWO_WORDS = re.compile(r"\b" + one_of(ANY.abbreviations_of_two_words, blank=r"\s") + r"\Z", re.IGNORECASE)
_ANY_WORD = re.compile(r"[^\W\d_]+")
_BEFORE_A_NUMBER = re.compile(r"([^\W\d_]{2,}) \Z")
_CAPITAL_FOLLOWS = re.compile(r"\s+([^\W\d_]+)")
_NUMBER_FOLLOWS = re.compile(r"\s*(?:[\d§(]|[^\W\d_][.):,;\s]|[IVXLC]{1,7}\b)")
_ABBREVIATIONS, _BEFORE_NUMBERS = frozenset(ANY.abbreviations), frozenset(ANY.abbreviations_before_numbers)


def _common(*, ordinals_have_dots: bool) -> frozenset[str]:
    """The common words of the languages that write ordinals with a dot, or of the others."""
    languages = (each for each in LANGUAGES.values() if each.ordinals_have_dots == ordinals_have_dots)
    return frozenset(words_of(languages).telltale_words)


_WITH_DOTS, _WITHOUT_DOTS = _common(ordinals_have_dots=True), _common(ordinals_have_dots=False)


def sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """The places in `text[start:end]` after which a new sentence begins; markers after a dot belong to what it ends."""
    for found in _END.finditer(text, start, end):
        if text[found.start()] != "." or not belongs_to_word(text, start, found.start()):
            yield found.end()


def is_abbreviation(word: str) -> bool:
    """Whether a word is an abbreviation that never stands alone: a title before a name, a legal form after one."""
    return word.casefold() in _ABBREVIATIONS


def belongs_to_word(text: str, start: int, dot: int) -> bool:
    """Whether the dot at `dot` belongs to the word before it, which begins at `start` at the earliest."""
    before = text[max(start, dot - _LONGEST) : dot]
    last = _LAST_WORD.search(before)
    if last is None:
        return False
    word, place = last[0].casefold(), dot - len(last[0])
    may_stand_before = _MAY_STAND_BEFORE if len(word) == 1 else _MAY_STAND_BEFORE | _APOSTROPHES  # "You don't."
    if place > start and text[place - 1] not in may_stand_before:
        return False
    if word.isdecimal() and len(word) <= 3:
        return not _ends_on_a_number(text, start, place, dot)
    if len(word) == 1 or word in _ABBREVIATIONS:
        return True
    if word in _BEFORE_NUMBERS and _NUMBER_FOLLOWS.match(text, dot + 1):
        return True
    return _OF_TWO_WORDS.search(before) is not None


def _ends_on_a_number(text: str, start: int, place: int, dot: int) -> bool:
    """Whether a sentence ends on the number at `place`: it is no ordinal, and counts no section or step."""
    said, following = text[max(start, place - _NEAR) : place], _CAPITAL_FOLLOWS.match(text, dot + 1)
    before = _BEFORE_A_NUMBER.search(said)
    if before is None or following is None or not following[1][0].isupper() or following[1].casefold() in MONTHS:
        return False
    if begins_sentence(said, before.start()) or re.search(rf"(?<!\d){int(text[place:dot]) - 1}\.", said):
        return False  # "Section 4. Notice", "1. Apply 2. Wait"
    words = frozenset(word.casefold() for word in _ANY_WORD.findall(said))
    return words.isdisjoint(_WITH_DOTS) and not words.isdisjoint(_WITHOUT_DOTS)
