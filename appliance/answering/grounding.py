"""Checks a finished answer, statement by statement, against the passages that it cites. Pure.

Rules this module keeps:

1. A statement stands on the passages it cites; one without a marker on all that the answer cites. On none, nothing
   stands.
2. Every number, date and code of it must stand in one of those passages, as the reader of the prompt saw them: title,
   headings and place included. One that does not is named, however good the words are.
3. Its words must stand there too: `score` is the share of them that do. Words of two languages cannot be compared; a
   statement in another language than its passages is judged by its numbers, and not counted when it has none.
4. The check reads words, not meaning: it finds what was made up, not what was misunderstood. That it found nothing is
   said as "stands in the passages", never as "is right". What has neither word nor number ("Yes.") is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.answering.numbers import numbers, numbers_of, scales
from appliance.answering.sentences import Statement, statements, unmarked, words
from appliance.domain import Citation, Grounding, StatementCheck

ENOUGH_WORDS = 0.4
"""The share of a statement's words that must stand in its passages. Measured by `bench/grounding.py`."""


def grounding(answer: str, citations: Sequence[Citation], language: str) -> Grounding:
    """What stands behind each statement of an answer written in `language` ("" when that is not clear)."""
    named = scales(answer)
    checks = [_check(statement, citations, language, named) for statement in statements(answer)]
    counted = [check for check in checks if check.comparable]
    length = sum(check.end - check.start for check in counted)
    supported = sum(check.end - check.start for check in counted if check.supported)
    return Grounding(round(supported / length, 4) if length else 0.0, tuple(checks))


def seen_text(citation: Citation) -> str:
    """All that a passage says in a prompt: its text, its document's title, and where it stands."""
    hit = citation.hit
    place = hit.chunk.place
    page = "" if place.page is None else str(place.page)
    return "\n".join((hit.title, *place.headings, place.label, page, hit.chunk.text))


def _check(statement: Statement, citations: Sequence[Citation], language: str, named: frozenset[int]) -> StatementCheck:
    own = [citation for citation in citations if citation.number in statement.markers] or list(citations)
    text = "\n".join(map(seen_text, own))
    there = numbers_of(text)
    said = numbers(unmarked(statement.text))
    missing = tuple(dict.fromkeys(number.written for number in said if not there.have(number, named)))
    carried = words(statement.text)
    score = len(carried & words(text)) / len(carried) if carried else float(bool(own))
    foreign = bool(own) and _foreign(own, language)
    enough = bool(own) and (foreign or score >= ENOUGH_WORDS)
    return StatementCheck(
        start=statement.start,
        end=statement.end,
        cited=statement.markers,
        score=round(score, 4),
        supported=enough and not missing,
        comparable=bool(said) or (bool(carried) and not foreign),
        numbers_missing=missing,
    )


def _foreign(citations: Sequence[Citation], language: str) -> bool:
    """Whether all the passages are known to be in another language."""
    return bool(language) and all(c.hit.chunk.language not in ("", language) for c in citations)
