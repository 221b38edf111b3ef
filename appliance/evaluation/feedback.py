"""The golden set that people make by finding answers helpful: each question with the places its answer cited.

Rules this module keeps:

1. It is made anew for every run: who takes a thumb or a conversation back, or may not sign in any more, is not in it.
2. A question is asked as the person who asked it, with the groups they have now; what they may not see any more is no
   evidence.
3. It carries no words to anybody: a run over it tells identifiers and numbers.
4. How many answers that were found helpful are left out, and why, is told; not which, nor whose.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from appliance.answering.followup import standalone
from appliance.answering.sentences import marked
from appliance.catalog import Catalog
from appliance.conversations import PraisedTurn
from appliance.domain import Principal, Turn
from appliance.errors import InvalidRequest
from appliance.evaluation.golden import Evidence, GoldenQuestion
from appliance.evaluation.runner import Exercise

NAME = "answers found helpful"
_REMEMBERED = 6
_NO_READER = "whoever asked may not ask any more"
_NO_CITATION = "the answer cites nothing"
_NOT_SEEN = "what the answer cites is gone, or closed to whoever asked"


@dataclass(frozen=True, slots=True)
class PraisedSet:
    """What to ask, with which groups. `left_out` says how many answers were left out, and why; empty if none was."""

    exercises: tuple[Exercise, ...]
    left_out: str


def exercises_from(praised: Iterable[PraisedTurn], readers: Mapping[str, Principal], catalog: Catalog) -> PraisedSet:
    """What people found helpful. `readers` are those who may ask now, by id.

    Raises:
        InvalidRequest: No answer with citations was found helpful yet, or all were left out.
    """
    found: list[Exercise] = []
    without: Counter[str] = Counter()
    for item in praised:
        reader = readers.get(item.person_id)
        cited = _cited(item)
        evidence = _evidence(cited, reader, catalog) if reader else ()
        if reader and evidence:
            question = GoldenQuestion(item.turn.query_id, _searched(item), evidence)
            found.append(Exercise(question, reader.groups, reader.levels, is_private=True))
        else:
            without[_NO_READER if reader is None else _NOT_SEEN if cited else _NO_CITATION] += 1
    reasons = (_NO_READER, _NO_CITATION, _NOT_SEEN)
    left_out = ", ".join(f"{without[why]:,} because {why}" for why in reasons if without[why])
    if not found and left_out:
        raise InvalidRequest(f"Every answer that was found helpful is left out: {left_out}. Bring a set of your own.")
    if not found:
        raise InvalidRequest(
            "No answer with citations was found helpful yet, so there is nothing to ask. Bring a set of your own."
        )
    return PraisedSet(tuple(found), left_out)


def digest_of(exercises: Sequence[Exercise]) -> str:
    """What tells one such set from another. It covers identifiers alone: nobody can check a guessed question on it."""
    return hashlib.sha256("\n".join(sorted(item.question.id for item in exercises)).encode()).hexdigest()


def _searched(item: PraisedTurn) -> str:
    """What was searched for, as it is stored with a completed follow-up; turns of older releases tell by the rules."""
    return item.turn.searched_for or standalone(
        item.turn.question, [Turn(question, "") for question in item.earlier[-_REMEMBERED:]]
    )


def _cited(item: PraisedTurn) -> list[str]:
    numbers = marked(item.turn.answer)  # a notice of a contradiction may point at more
    return [chunk for number, chunk in item.turn.citations if number in numbers]


def _evidence(cited: Sequence[str], reader: Principal, catalog: Catalog) -> tuple[Evidence, ...]:
    visible = catalog.visible_chunks(cited, reader.access, current_only=False)
    places = (Evidence(found.chunk.document_id, found.chunk.place.page) for found in visible.values())
    return tuple(dict.fromkeys(places))
