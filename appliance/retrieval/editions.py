"""Tells editions of one document ("Travel policy 2024.docx", "Travel policy 2025.docx"), and which is newer. Pure.

Rules this module keeps:

1. Two documents have the same name when their file names, or their titles, are the same but for dates, years, version
   numbers and words like "final" or "copy". Words that also belong to names count as the latter only where they stand
   as marks do: "old" at the end or set apart at the beginning, "as of" before a date.
2. Which of two of the same name is newer is told by the dates in their names, else by the version numbers there or the
   letters of revisions, else by the dates that the documents themselves carry. "Policy" of 2023 is older than "Policy
   2024"; if it is of 2025 it may have been saved anew. Where these say nothing, neither is newer: either may be
   superseded. A letter and a number are not compared. When a file was taken in or copied says nothing about what is in
   force, and is not looked at.
3. A number of two digits is a year where an apostrophe, "FY" or the year before it says so, and else part of the name:
   of "Contract 17" and "Contract 18" both are in force.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Generic, Protocol, TypeVar

from appliance.domain import Hit
from appliance.language.words import ANY, LANGUAGES, one_of

_Mark = tuple[int, ...]
_INSIDE = re.compile(r"/| › ")
_ENDING = re.compile(r"(?<=.)\.[a-z][a-z0-9]{1,4}\Z", re.IGNORECASE)
_Y, _M, _D = r"(?P<year>(?:19|20)\d\d)", r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12]\d|3[01])"
_FINANCIAL_YEAR = one_of(ANY.financial_years)
_DATES = tuple(
    re.compile(rf"(?<!\d){pattern}(?!\d)", re.IGNORECASE)
    for pattern in (
        rf"{_Y}[-_. ]?{_M}[-_. ]?{_D}",
        rf"{_D}[-_. ]{_M}[-_. ]{_Y}",
        rf"{_Y}[-_.]{_M}",
        rf"{_Y}[-_/](?P<next>\d\d)",
        _Y,
        rf"(?<![^\W_])(?:['’](?=\d\d(?![^\W_]))|{_FINANCIAL_YEAR}[ _-]?)(?P<short>\d\d)",
    )
)
_MAY_HOLD_DATE = re.compile(rf"(?:19|20)\d\d|['’]\d\d|{_FINANCIAL_YEAR}[ _-]?\d\d", re.IGNORECASE)
_NO_LETTER_BEFORE = r"(?<![^\W\d_])"
_COUNTED = "|".join(
    rf"{one_of(language.words.edition_ordinals)}[\s_-]*{one_of(language.words.editions)}"
    for language in LANGUAGES.values()
)
_NUMBER = r"(?P<number>\d{1,18}(?:[._]\d{1,18})*)(?!\d)"  # what is longer numbers no edition
_VERSIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NO_LETTER_BEFORE}{one_of((*ANY.editions, *ANY.edition_abbreviations))}[\s._-]*{_NUMBER}",
        rf"(?<![^\W_])(?P<number>\d{{1,2}})(?:{_COUNTED})(?![^\W_])",
    )
)
_LETTER = re.compile(
    rf"{_NO_LETTER_BEFORE}{one_of(ANY.revisions)}[\s._-]*(?P<letter>[a-z])"
    r"(?=\s*(?:\Z|[])_,;–-]|\0))",  # "Rev. A. Smith" is somebody
    re.IGNORECASE,
)
_MARK = "\0"  # stands where a mark stood
_WORD = re.compile(r"[^\W_]+")
_STATES = frozenset(ANY.states)
_OFTEN_IN_NAMES = one_of(ANY.states_at_an_end)
_AT_THE_END = re.compile(rf"(?<![^\W_]){_OFTEN_IN_NAMES}(?=[\W_]*\Z)", re.IGNORECASE)
_APART_AT_THE_BEGINNING = re.compile(
    rf"\A[\W_]*(?:{_OFTEN_IN_NAMES}(?:\s*[])_:]|\s+[-–])|{one_of(ANY.copy_of)}(?![^\W_]))",
    re.IGNORECASE,
)
_LEADING_TO_MARK = re.compile(
    rf"(?<![^\W_])(?:{one_of(ANY.before_edition_dates)}[\s_.:([-]+)+(?={_MARK})", re.IGNORECASE
)
_OF_A_FOLDER = frozenset(ANY.old_folders)


@dataclass(frozen=True, slots=True)
class Name:
    """A file name or title without what tells editions apart, and what does: the latest `date`, and the `version`.

    `written` is the former as it is spelled, `letter` that of a revision.
    """

    bare: tuple[str, ...]
    date: _Mark
    version: _Mark
    letter: _Mark = ()
    written: str = ""

    @property
    def is_marked(self) -> bool:
        """Whether it tells an edition."""
        return bool(self.bare and any(self.mark))

    @property
    def mark(self) -> tuple[_Mark, _Mark, _Mark]:
        """What tells the edition."""
        return self.date, self.version, self.letter


class Called(Protocol):
    """What a document is called, where it lies, and the date it gives for itself (ISO 8601, or empty)."""

    @property
    def title(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def dated(self) -> str: ...


_Document = TypeVar("_Document", bound=Called)


@dataclass(frozen=True, slots=True)
class Newer(Generic[_Document]):
    """The newer one of two hits or documents, and why: the dates or versions of both, its own first."""

    hit: _Document
    why: tuple[str, str]


@lru_cache(maxsize=8192)  # file names and titles of what is looked through for eight passages, each of a long series
def name_of(text: str) -> Name:
    """What a file name without its folder, or a title, says about the edition."""
    rest, dates = text, []
    for pattern in _DATES if _MAY_HOLD_DATE.search(text) else ():  # most names have none; a search reads a hundred
        found = [(match, date) for match in pattern.finditer(rest) if (date := _date(match))]
        dates += [date for _, date in found]
        for match, _ in reversed(found):
            rest = f"{rest[: match.start()]} {_MARK} {rest[match.end() :]}"
    versions = [match for pattern in _VERSIONS for match in pattern.finditer(rest)]
    version = tuple(map(int, re.split(r"[._]", versions[0]["number"]))) if versions else ()
    for pattern in _VERSIONS if versions else ():
        rest = pattern.sub(f" {_MARK} ", rest)
    letter = _LETTER.search(rest)
    rest = _LETTER.sub(f" {_MARK} ", rest) if letter else rest
    for pattern in (_AT_THE_END, _APART_AT_THE_BEGINNING, _LEADING_TO_MARK):
        rest = pattern.sub(" ", rest)
    words = [word for word in _WORD.findall(rest) if word.casefold() not in _STATES]
    return Name(
        tuple(word.casefold() for word in words),
        max(dates, default=()),
        version,
        (ord(letter["letter"].casefold()) - ord("a") + 1,) if letter else (),
        " ".join(words),
    )


def unmarked(text: str) -> tuple[str, ...]:
    """The words of a heading or title without what tells editions apart."""
    return name_of(text).bare


def names_of(document: Called) -> tuple[Name, Name]:
    """The names of a document: of its file, and its title."""
    file = _INSIDE.split(document.path)[-1]
    return name_of(_ENDING.sub("", file)), name_of(_ENDING.sub("", document.title))


@dataclass(frozen=True, slots=True)
class Age:
    """What a document says of its age: its names, and the day it gives for itself."""

    names: tuple[Name, Name]
    day: _Mark

    def has_same_name(self, other: Age) -> bool:
        """Whether both are called the same, but for what tells editions apart."""
        (file, title), (its_file, its_title) = self.names, other.names
        return bool((file.bare and file.bare == its_file.bare) or (title.bare and title.bare == its_title.bare))

    def is_newer(self, other: Age) -> bool:
        """Whether this is the newer one of two that have the same name."""
        told = _told(self, other)
        return told is not None and told[1] > told[2]

    def is_undecided(self, other: Age) -> bool:
        """Whether they are editions by their name, and nothing tells which is newer."""
        differ = any(ours.mark != theirs.mark for ours, theirs in _of_same_name(self, other))
        return differ and self.has_same_name(other) and _told(self, other) is None


def age_of(document: Called) -> Age:
    """What a document says of its age."""
    return Age(names_of(document), _day(document.dated))


def same_name(one: Called, other: Called) -> bool:
    """Whether two documents are called the same, but for what tells editions apart."""
    return age_of(one).has_same_name(age_of(other))


def called_alike(hits: Iterable[Hit]) -> Iterator[tuple[Hit, Hit]]:
    """The pairs of hits of which `same_name` says yes; each name is looked at once, not each pair."""
    called: dict[tuple[int, tuple[str, ...]], list[tuple[int, Hit]]] = {}
    for number, hit in enumerate(hits):
        for place, name in enumerate(names_of(hit)):
            if name.bare:
                called.setdefault((place, name.bare), []).append((number, hit))
    pairs = (pair for alike in called.values() for pair in combinations(alike, 2))
    once = {(first, second): (one, other) for (first, one), (second, other) in pairs}
    yield from once.values()


def newer(one: _Document, other: _Document) -> Newer[_Document] | None:
    """The one of two that is the newer edition; None where they are no editions, or it is not known."""
    told = _told(age_of(one), age_of(other))
    if told is None:
        return None
    written, ours, theirs = told
    is_first, (later, earlier) = ours > theirs, sorted((ours, theirs), reverse=True)
    return Newer(one if is_first else other, (written(later), written(earlier)))


def newest(hit: Hit, hits: Iterable[Hit]) -> Newer[Hit] | None:
    """The newest edition of `hit` among hits of what lies in the same place, or is known to supersede it; None when
    none of them is newer."""
    latest, found = hit, None
    for other in hits:
        supersedes = other.chunk.document_id == hit.superseded_by or same_place(hit, other)
        if supersedes and (later := newer(latest, other)) is not None and later.hit is other:
            latest, found = other, newer(hit, other)
    return found


def undecided(one: Called, other: Called) -> bool:
    """Whether two documents in the same place are editions of one by their name, and nothing tells which is newer."""
    return same_place(one, other) and age_of(one).is_undecided(age_of(other))


def names_year_of(question: str, hit: Hit) -> bool:
    """Whether a question names the year that stands in the name of a hit's document."""
    return bool(years_of(question) & years_of(f"{hit.title} {hit.path}"))


def years_of(text: str) -> frozenset[str]:
    """The years that a question or a name mentions."""
    return frozenset(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text))


def same_place(one: Called, other: Called) -> bool:
    """Whether two documents lie in the same folder, or one of them in its archive."""
    return place_of(one) == place_of(other)


def place_of(named: Called) -> tuple[str, ...]:
    """The source and folders of a document, without folders that only say how old it is ("Archive", "2023")."""
    folders = _INSIDE.split(named.path)[:-1]
    return named.source, *(folder for folder in folders if not _OF_A_FOLDER.issuperset(name_of(folder).bare))


def _told(one: Age, other: Age) -> tuple[Callable[[_Mark], str], _Mark, _Mark] | None:
    """The surest of what both say of their age in which they differ, and how it is written for people.

    None where they have not the same name, or it is not known which is newer.
    """
    if not one.has_same_name(other):
        return None
    return next((said for said in _said_of_age(one, other) if _differ(*said[1:])), None)


def _said_of_age(one: Age, other: Age) -> Iterator[tuple[Callable[[_Mark], str], _Mark, _Mark]]:
    """What both say of their age, the surest first, and how it is written."""
    names = _of_same_name(one, other)
    yield from ((_as_date, ours.date, theirs.date) for ours, theirs in names)
    yield from ((_as_version, ours.version, theirs.version) for ours, theirs in names)
    yield from ((_as_letter, ours.letter, theirs.letter) for ours, theirs in names)
    yield _as_date, one.day, other.day
    for ours, theirs in names:
        if _is_before(one.day, theirs.date) and not ours.date:
            yield _as_date, one.day, theirs.date
        elif _is_before(other.day, ours.date) and not theirs.date:
            yield _as_date, ours.date, other.day


def _of_same_name(one: Age, other: Age) -> list[tuple[Name, Name]]:
    """The names of two documents, of their files and their titles, where both have the same."""
    return [pair for pair in zip(one.names, other.names, strict=True) if pair[0].bare == pair[1].bare]


def _differ(ours: _Mark, theirs: _Mark) -> bool:
    """Whether one is before the other: 2024 is neither before nor after March 2024."""
    return ours[: len(theirs)] != theirs[: len(ours)]


def _is_before(day: _Mark, date: _Mark) -> bool:
    return bool(day and date) and _differ(day, date) and day < date


def _as_date(mark: _Mark) -> str:
    return "-".join(f"{part:02}" for part in mark)


def _as_version(mark: _Mark) -> str:
    return f"version {'.'.join(map(str, mark))}"


def _as_letter(mark: _Mark) -> str:
    return f"revision {chr(ord('A') + mark[0] - 1)}" if mark else ""


def _day(iso: str) -> _Mark:
    return tuple(map(int, iso[:10].split("-"))) if re.match(r"\d{4}-\d\d-\d\d", iso) else ()


def _date(found: re.Match[str]) -> _Mark:
    """A date as it was written; none where what looks like two years are not one and the next ("2024-99")."""
    parts = {part: int(digits) for part, digits in found.groupdict().items()}
    if "short" in parts:
        return (2000 + parts["short"],)
    if "next" in parts:
        follows = parts["next"] == (parts["year"] + 1) % 100
        return (parts["year"] + 1,) if follows else ()
    return tuple(parts[part] for part in ("year", "month", "day") if part in parts)
