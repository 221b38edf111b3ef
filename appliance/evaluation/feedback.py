"""The golden set that people make by finding answers helpful: each question with the places its answer cited.

Rules this module keeps:

1. It is made anew for every run: who takes a thumb or a conversation back, or may not sign in any more, is not in it.
2. A question is asked as the person who asked it, with the groups they have now; what they may not see any more is no
   evidence.
3. It carries no words to anybody: a run over it tells identifiers and numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

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


def exercises_from(
    praised: Iterable[PraisedTurn], readers: Mapping[str, Principal], catalog: Catalog
) -> list[Exercise]:
    """What to ask, with which groups. `readers` are the people who may ask now, by id.

    Raises:
        InvalidRequest: No answer with citations was found helpful yet.
    """
    found: list[Exercise] = []
    for item in praised:
        reader = readers.get(item.person_id)
        evidence = _evidence(item, reader, catalog) if reader else ()
        if reader and evidence:
            question = GoldenQuestion(item.turn.query_id, _searched(item), evidence)
            found.append(Exercise(question, reader.groups, reader.levels, is_private=True))
    if not found:
        raise InvalidRequest(
            "No answer with citations was found helpful yet, so there is nothing to ask. Bring a set of your own."
        )
    return found


def digest_of(exercises: Sequence[Exercise]) -> str:
    """What tells one such set from another. It covers identifiers alone: nobody can check a guessed question on it."""
    return hashlib.sha256("\n".join(sorted(item.question.id for item in exercises)).encode()).hexdigest()


def _searched(item: PraisedTurn) -> str:
    """What was searched for, as it is stored with a completed follow-up; turns of older releases tell by the rules."""
    return item.turn.searched_for or standalone(
        item.turn.question, [Turn(question, "") for question in item.earlier[-_REMEMBERED:]]
    )


def _evidence(item: PraisedTurn, reader: Principal, catalog: Catalog) -> tuple[Evidence, ...]:
    numbers = marked(item.turn.answer)  # a notice of a contradiction may point at more
    chunks = [chunk for number, chunk in item.turn.citations if number in numbers]
    cited = catalog.visible_chunks(chunks, reader.access, current_only=False)
    places = (Evidence(found.chunk.document_id, found.chunk.place.page) for found in cited.values())
    return tuple(dict.fromkeys(places))
