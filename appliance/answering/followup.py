"""Completes a follow-up question with what it leaves out, by rules. Pure.

"And for trainees?" finds nothing by itself. A question that leans on the one before it is searched together with that;
the reader is shown what was searched for. The words the model sees are the reader's own. A language model completes it
better (`rewriting`); these rules decide when it is asked, and stand in for it.

Rules this module keeps:

1. A question leans if it begins like one that goes on ("And", "What about").
2. It leans if it is of four words at most and says less than two things of its own ("How long?", not "Who signs
   contracts?"), and does not ask what something is ("What are clades?").
3. It leans if a word in it points back and can find nothing there to point at: hardly anything stands before the word,
   no name, and the whole question says little. "How long must it be kept?" leans; "What did Fabrikam pay its
   suppliers?" and whatever is told at length do not.
4. A follow-up of a follow-up belongs to the question that all of them follow, but what was said in between is kept. A
   name goes to the place of one that is of its kind (a word, or a number) and stands behind the same word, or, right
   behind "What about", of the only one: after "And in Vienna?" the limit is asked for "in Vienna" and no more "in
   Geneva". What is but a part of a question, begins like one that goes on and put nothing in a place ("And for
   interns?") is kept behind it. Each displaces only what is of its kind: a name the one in its place, a part the parts
   before it, but one with a year ("And in 2023?") only those with a year.

How often they err on questions of others: docs/performance.md (`bench/followups.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from appliance.answering.courtesies import reply_to
from appliance.answering.form import without_form
from appliance.answering.named import where_named
from appliance.answering.sentences import COMMON, words
from appliance.domain import MAX_QUESTION_CHARACTERS, Turn
from appliance.language.words import ANY, LANGUAGES, Language, one_of, words_of

_WORD = re.compile(r"[^\W_]+")
REMEMBERED_TURNS = 6
"""Earlier turns that a follow-up question may refer to."""

_FEW_WORDS = 4
_MOST_BEFORE = 2  # words of its own before one that points back; with more there is something to point at
_MOST_IN_ALL = 6
_FEWEST_LETTERS = 4
_LONGEST_WORD = 80  # characters, with what stands behind it: no more is read before each name of a long question


def _pointing_back(languages: Iterable[Language], *others: str) -> re.Pattern[str]:
    """A pattern for what points back in some languages. `others` are patterns of one language's grammar."""
    words = words_of(languages)
    no_place = "".join(rf"(?<!\b{one_of((word,))}\s)" for word in words.points_at_no_place_behind)
    in_phrases = one_of(words.points_back_in_phrases, blank=r"\s+")
    patterns = (
        rf"(?!{one_of(words.points_ahead)}\b)\b{one_of(words.points_back)}\b",
        rf"\b(?-i:{one_of(words.points_back_in_small_letters)})\b",
        rf"\b{in_phrases}\b",
        rf"\b{one_of(words.points_back_at_the_end)}\b(?=\W*\Z)",
        rf"\A\s*{one_of(words.points_back_at_the_beginning)}\b",
        rf"(?!{one_of(words.points_ahead)}\b){no_place}\b{one_of(words.points_back_at_a_place)}\b",
        *others,
    )
    return re.compile("|".join(patterns), re.IGNORECASE)


_BEFORE_AN_INFINITIVE = r"\bdas\b(?=(?:\s+[a-zäöüß]+)?\s+(?-i:[a-zäöüß]+en)\W*\Z)"  # "Kann ich das verlängern?"
_POINTS_BACK = _pointing_back(each for each in LANGUAGES.values() if not each.nouns_have_capitals)
_POINTS_BACK_BESIDE_NOUNS = _pointing_back(
    (each for each in LANGUAGES.values() if each.nouns_have_capitals), _BEFORE_AN_INFINITIVE
)
_BEGINS_LIKE_ONE = re.compile(rf"^[\s¿]*(?!{one_of(ANY.goes_on_not)}){one_of(ANY.goes_on)}\s", re.IGNORECASE)
_ASKS_WHAT_IS = re.compile(rf"^[\s¿]*{one_of(ANY.asks_what_is)}\s+(?!{one_of(ANY.certain)}\b)", re.IGNORECASE)
_ASKS_BY_ITSELF = re.compile(rf"{one_of(ANY.asks_by_itself)}(?![^\W_])", re.IGNORECASE)
_SAYING_NOTHING = COMMON | frozenset(ANY.question_words)


class _Asked(Protocol):
    @property
    def question(self) -> str: ...


_Turn = TypeVar("_Turn", bound=_Asked)


def remembered(turns: Iterable[_Turn]) -> list[_Turn]:
    """The turns that a follow-up question may refer to: the latest of those that asked anything, oldest first."""
    return [turn for turn in turns if not reply_to(turn.question)][-REMEMBERED_TURNS:]


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """What to search for: the question itself, or with the question it follows up, and what was said in between.

    What is too long together is asked alone.
    """
    if not turns or not is_follow_up(question):
        return question
    asked = [turn.question for turn in remembered(turns)]
    if not asked:
        return question
    first = next((number for number in reversed(range(len(asked))) if not is_follow_up(asked[number])), 0)
    together = f"{_with_parts(asked[first], asked[first + 1 :], question)} {question}"
    return together if len(together) <= MAX_QUESTION_CHARACTERS else question


def as_follow_up(question: str, searched_for: str) -> str:
    """A question as it was asked, where it was completed; else nothing.

    Without the form of the answer at its end, if it was searched so (`enough`).
    """
    asked = without_form(question)
    if searched_for in (question, asked):
        return ""
    return question if searched_for.endswith(question) or not searched_for.endswith(asked) else asked


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the one before it. What asks nothing ("Thanks!") does not."""
    if reply_to(question):
        return False
    if _BEGINS_LIKE_ONE.match(question):
        return True
    said = len(_own_words(question))
    if said < 2 and len(_WORD.findall(question)) <= _FEW_WORDS and not (said and _ASKS_WHAT_IS.match(question)):
        return True
    return said <= _MOST_IN_ALL and _points_back(question)


def _with_parts(followed: str, between: Sequence[str], question: str) -> str:
    """The question that is followed, with what follow-ups in between have put in its place or added to it.

    Without what the last one displaces in its turn.
    """
    names = where_named(followed)
    put: dict[tuple[int, int], str] = {}
    added: list[str] = []
    for said in between:
        place = _place(followed, names, said)
        if place:
            put |= place
        elif _BEGINS_LIKE_ONE.match(said) and _is_part(said):  # not "Thanks!"
            added = [*_beside(said, added), said]
    displaced = _place(followed, names, question)
    if not displaced and _is_part(question):
        added = _beside(question, added)
    for begin, to in sorted(put.keys() - displaced.keys(), reverse=True):
        followed = followed[:begin] + put[begin, to] + followed[to:]
    return " ".join((followed, *added))


def _beside(said: str, parts: Sequence[str]) -> list[str]:
    """The parts of a question that stay beside another one: those with years beside one without, and the reverse."""
    return [part for part in parts if _kinds(part).isdisjoint(_kinds(said))]


def _kinds(part: str) -> frozenset[bool]:
    """Whether what a part of a question names is a year: both if it names such and others."""
    return frozenset(part[start:end].isdecimal() for start, end in where_named(part)) or frozenset({False})


def _place(followed: str, names: Sequence[tuple[int, int]], said: str) -> Mapping[tuple[int, int], str]:
    """The place of the name in a question that the one name of a follow-up takes, and that; nothing if it takes none.

    `names` are the places of all names in the question.
    """
    ours = where_named(said)
    if len(ours) != 1:
        return {}
    start, end = ours[0]
    name, opens = said[start:end], _BEGINS_LIKE_ONE.fullmatch(said[:start]) is not None
    places = [
        (begin, to)
        for begin, to in names
        if followed[begin:to].isdecimal() == name.isdecimal()
        and (opens or _last_word(followed, begin) == _last_word(said, start))
    ]
    return {places[0]: name} if len(places) == 1 else {}


def _last_word(text: str, end: int) -> str:
    """The last word before `end`."""
    return next(iter(_WORD.findall(text[max(0, end - _LONGEST_WORD) : end])[::-1]), "").casefold()


def _is_part(question: str) -> bool:
    """Whether a follow-up is but a part of a question ("And for interns?")."""
    said = _BEGINS_LIKE_ONE.sub("", question).strip(" ¿")
    is_short = 0 < len(_WORD.findall(said)) <= _FEW_WORDS
    return is_short and not _ASKS_BY_ITSELF.match(said) and not _points_back(said)


def own_stems(question: str) -> frozenset[str]:
    """The stems of the words that a question says of its own, without those of asking."""
    return words(" ".join(_own_words(question)))


def _points_back(question: str) -> bool:
    """Whether a word of the question points at something that does not stand before it there."""
    found = _POINTS_BACK.search(question)  # the first one: more stands before any other
    if found and _is_little(question[: found.start()]) and not _has_name(question[: found.start()]):
        return True
    found = _POINTS_BACK_BESIDE_NOUNS.search(question)  # whose capitals tell no name
    return found is not None and _is_little(question[: found.start()])


def _is_little(text: str) -> bool:
    return len(_own_words(text)) <= _MOST_BEFORE


def _own_words(text: str) -> list[str]:
    """What a text says of its own: numbers, names in capitals, and words that are not among the commonest."""
    return [
        word
        for word in _WORD.findall(text)
        if (len(word) >= _FEWEST_LETTERS and word.casefold() not in _SAYING_NOTHING)
        or any(map(str.isdigit, word))
        or (len(word) > 1 and word.isupper())
    ]


def _has_name(text: str) -> bool:
    """Whether a word after the first is a name or a number."""
    return any(word[0].isupper() or word[0].isdigit() for word in _WORD.findall(text)[1:] if len(word) > 1)
