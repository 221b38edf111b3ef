"""Tells editions of one document ("Travel policy 2024.docx", "Travel policy 2025.docx"), and which is newer. Pure.

Rules this module keeps:

1. Two documents have the same name when their file names, or their titles, are the same but for dates, years, version
   numbers and words like "final" or "copy".
2. Which of two of the same name is newer is told by the dates in their names, else by the version numbers there, else
   by the dates that the documents themselves carry. Where these say nothing, neither is. When a file was taken in or
   copied says nothing about what is in force, and is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from appliance.domain import Hit

_Mark = tuple[int, ...]
_INSIDE = re.compile(r"/| › ")
_ENDING = re.compile(r"(?<=.)\.[a-z][a-z0-9]{1,4}\Z", re.IGNORECASE)
_Y, _M, _D = r"(?P<year>(?:19|20)\d\d)", r"(?P<month>0[1-9]|1[0-2])", r"(?P<day>0[1-9]|[12]\d|3[01])"
_DATES = tuple(
    re.compile(rf"(?<!\d){pattern}(?!\d)")
    for pattern in (
        rf"{_Y}[-_. ]?{_M}[-_. ]?{_D}",
        rf"{_D}[-_. ]{_M}[-_. ]{_Y}",
        rf"{_Y}[-_.]{_M}",
        _Y,
    )
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_VERSION = re.compile(
    r"(?<![^\W\d_])(?:versione|versión|version|ver|v|revision|rev|edition|ausgabe|fassung)[\s._-]*(\d+(?:[._]\d+)*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_WORDS_OF_STATE = """
final draft copy copia kopie copie entwurf definitiv definitive new neu neue old alt stand per of as current aktuell
"""
_STATES = frozenset(_WORDS_OF_STATE.split())


@dataclass(frozen=True, slots=True)
class Name:
    """A file name or title without what tells editions apart, and what does: the latest `date`, and the `version`."""

    bare: tuple[str, ...]
    date: _Mark
    version: _Mark


@dataclass(frozen=True, slots=True)
class Newer:
    """The newer one of two hits, and why: the dates or versions of both, its own first."""

    hit: Hit
    why: tuple[str, str]


@lru_cache(maxsize=4096)
def name_of(text: str) -> Name:
    """What a file name without its folder, or a title, says about the edition."""
    rest, dates = text, []
    for pattern in _DATES if _YEAR.search(text) else ():  # most names have none, and a search reads a hundred
        dates += [_date(found) for found in pattern.finditer(rest)]
        rest = pattern.sub(" ", rest)
    found = _VERSION.search(rest)
    version = tuple(map(int, re.split(r"[._]", found[1]))) if found else ()
    words = _WORD.findall((_VERSION.sub(" ", rest) if found else rest).casefold())
    return Name(tuple(word for word in words if word not in _STATES), max(dates, default=()), version)


def unmarked(text: str) -> tuple[str, ...]:
    """The words of a heading or title without what tells editions apart."""
    return name_of(text).bare


def names_of(hit: Hit) -> tuple[Name, Name]:
    """The names of a hit's document: of its file, and its title."""
    file = _INSIDE.split(hit.path)[-1]
    return name_of(_ENDING.sub("", file)), name_of(_ENDING.sub("", hit.title))


def same_name(one: Hit, other: Hit) -> bool:
    """Whether two hits' documents are called the same, but for what tells editions apart."""
    pairs = zip(names_of(one), names_of(other), strict=True)
    return any(ours.bare and ours.bare == theirs.bare for ours, theirs in pairs)


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


def newer(one: Hit, other: Hit) -> Newer | None:
    """The one of two hits whose document is the newer edition; None where they are no editions, or it is not known."""
    if not same_name(one, other):
        return None
    for written, ours, theirs in _told(one, other):
        if ours[: len(theirs)] != theirs[: len(ours)]:  # 2024 is neither before nor after March 2024
            is_first, (later, earlier) = ours > theirs, sorted((ours, theirs), reverse=True)
            return Newer(one if is_first else other, (written(later), written(earlier)))
    return None


def newest(hit: Hit, hits: Iterable[Hit]) -> Newer | None:
    """The newest edition among hits of what lies in the same folder as `hit`; None when none of them is newer."""
    latest, found = hit, None
    for other in hits:
        if _folder(other) == _folder(hit) and (later := newer(latest, other)) is not None and later.hit is other:
            latest, found = other, newer(hit, other)
    return found


def names_year_of(question: str, hit: Hit) -> bool:
    """Whether a question names the year that stands in the name of a hit's document."""
    return bool(years_of(question) & years_of(f"{hit.title} {hit.path}"))


def years_of(text: str) -> frozenset[str]:
    """The years that a question or a name mentions."""
    return frozenset(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text))


def _folder(hit: Hit) -> tuple[str, ...]:
    return hit.source, *_INSIDE.split(hit.path)[:-1]


def _told(one: Hit, other: Hit) -> Iterator[tuple[Callable[[_Mark], str], _Mark, _Mark]]:
    """What both say of their age, the surest first, and how it is written for people."""
    names = [pair for pair in zip(names_of(one), names_of(other), strict=True) if pair[0].bare == pair[1].bare]
    yield from ((_as_date, ours.date, theirs.date) for ours, theirs in names)
    yield from ((_as_version, ours.version, theirs.version) for ours, theirs in names)
    yield _as_date, _day(one.dated), _day(other.dated)


def _as_date(mark: _Mark) -> str:
    return "-".join(f"{part:02}" for part in mark)


def _as_version(mark: _Mark) -> str:
    return f"version {'.'.join(map(str, mark))}"


def _day(iso: str) -> _Mark:
    return tuple(map(int, iso[:10].split("-"))) if re.match(r"\d{4}-\d\d-\d\d", iso) else ()


def _date(found: re.Match[str]) -> _Mark:
    parts = found.groupdict()
    return tuple(int(parts[part]) for part in ("year", "month", "day") if part in parts)
