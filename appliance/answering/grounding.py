"""Checks a finished answer, statement by statement, against the passages that it cites. Pure.

Rules this module keeps:

1. A statement stands on the passages it cites; one without a marker on all that the answer cites. On none, nothing
   stands.
2. Every number, date and code of it must stand in one of those passages, as the reader of the prompt saw them: title,
   headings and place included, the number of its page where the statement speaks of a page. One that does not is named,
   however good the words are. Headings and lines above a list are judged when they hold a number.
3. Its words must stand there too: `score` is the share of them that do. Words of two languages cannot be compared; a
   statement in another language than its passages is judged by its numbers, and not counted when it has none.
4. The check reads words, not meaning: it finds what was made up, not what was misunderstood. That it found nothing is
   said as "stands in the passages", never as "is right". What has neither word nor number ("Yes.") is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce

from appliance.answering.numbers import NumbersOf, numbers, numbers_of, scales, spelled_numbers
from appliance.answering.sentences import Statement, statements, unmarked, words
from appliance.domain import Citation, Grounding, StatementCheck
from appliance.language.words import ANY, one_of

ENOUGH_WORDS = 0.4
"""The share of a statement's words that must stand in its passages. Measured by `bench/grounding.py`."""


_PAGE = re.compile(rf"\b{one_of(ANY.pages)}\s*(\d{{1,6}})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the passages say that a statement is held against."""

    numbers: NumbersOf
    words: frozenset[str]
    pages: frozenset[int]
    languages: frozenset[str]

    def __or__(self, other: _Seen) -> _Seen:
        return _Seen(
            self.numbers | other.numbers,
            self.words | other.words,
            self.pages | other.pages,
            self.languages | other.languages,
        )


_NOTHING = _Seen(NumbersOf(), frozenset(), frozenset(), frozenset())


def grounding(answer: str, citations: Sequence[Citation], language: str) -> Grounding:
    """What stands behind each statement of an answer written in `language` ("" when that is not clear)."""
    seen = {citation.number: _seen(citation) for citation in citations}

    @cache
    def together(cited: frozenset[int]) -> _Seen:
        return reduce(_Seen.__or__, (seen[number] for number in cited or seen), _NOTHING)

    named = scales(answer)
    checks = [
        _check(statement, together(frozenset(seen.keys() & statement.markers)), language, named)
        for statement in statements(answer, leads=True)
        if not statement.leads or numbers(unmarked(statement.text))
    ]
    counted = [check for check in checks if check.comparable]
    length = sum(check.end - check.start for check in counted)
    supported = sum(check.end - check.start for check in counted if check.supported)
    return Grounding(round(supported / length, 4) if length else 0.0, tuple(checks))


def _seen(citation: Citation) -> _Seen:
    """All that a passage says in a prompt: its text, its document's title, and where it stands."""
    chunk, place = citation.hit.chunk, citation.hit.chunk.place
    label = "" if place.label.isdecimal() or _PAGE.fullmatch(place.label) else place.label
    text = "\n".join((citation.hit.title, *place.headings, label, chunk.text))
    pages = frozenset() if place.page is None else frozenset({place.page})
    return _Seen(numbers_of(text, chunk.language), words(text), pages, frozenset({chunk.language}))


def _check(statement: Statement, seen: _Seen, language: str, named: frozenset[int]) -> StatementCheck:
    text = _without_pages(unmarked(statement.text), seen.pages)
    said = (*numbers(text), *spelled_numbers(text, language))
    missing = tuple(dict.fromkeys(number.written for number in said if not seen.numbers.have(number, named)))
    carried = words(statement.text)
    score = len(carried & seen.words) / len(carried) if carried else float(seen is not _NOTHING)
    foreign = seen is not _NOTHING and bool(language) and not seen.languages & {"", language}
    enough = seen is not _NOTHING and (foreign or score >= ENOUGH_WORDS)
    return StatementCheck(
        start=statement.start,
        end=statement.end,
        cited=statement.markers,
        score=round(score, 4),
        supported=enough and not missing,
        comparable=bool(said) or (bool(carried) and not foreign),
        numbers_missing=missing,
    )


def _without_pages(text: str, pages: frozenset[int]) -> str:
    """A statement without the numbers of its passages' own pages, where it calls them so."""
    return _PAGE.sub(lambda found: "page" if int(found[1]) in pages else found[0], text)
