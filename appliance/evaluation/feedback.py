"""The golden set that people make by finding answers helpful: each question with the places its answer rests on.

Rules this module keeps:

1. It is made anew for every run: who takes a thumb or a conversation back, or may not sign in any more, is not in it.
2. A question is asked as the person who asked it, with the groups they have now; what they may not see any more is no
   evidence.
3. A run over it carries no words to anybody: it tells identifiers and numbers. Who has the set itself (`as_lines`) has
   put on record why.
4. Evidence is what the answer rests on, not all that it cites: of a quoted answer the passages in which something is
   marked as near to the question, of a written one those behind its statements that stand on what they cite.
5. How many answers that were found helpful are left out, and why, is told; not which, nor whose.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from appliance.answering.followup import standalone
from appliance.answering.sentences import MARKER, marked
from appliance.auth.standing import Person, principal_of
from appliance.catalog import Catalog
from appliance.conversations import PraisedTurn, StoredTurn
from appliance.domain import EVERYONE, AccessFilter, Principal, Role, Turn, shown_path
from appliance.errors import InvalidRequest, NotFound
from appliance.evaluation.golden import Evidence, GoldenQuestion
from appliance.evaluation.runner import Exercise

NAME = "answers found helpful"
_NO_READER = "whoever asked may not ask any more"
_NO_CITATION = "the answer cites nothing"
_NOT_SEEN = "what the answer cites is gone, or closed to whoever asked"


@dataclass(frozen=True, slots=True)
class PraisedSet:
    """What to ask, with which groups. `left_out` says how many answers were left out, and why; empty if none was."""

    exercises: tuple[Exercise, ...]
    left_out: str


def readers_among(people: Iterable[Person], levels: Callable[[Principal], frozenset[str]]) -> dict[str, Principal]:
    """Those who may ask now, by id, each with the levels that they are cleared for."""
    asking = (person for person in people if not person.shut_out and Role.EMPLOYEE in person.roles)
    return {reader.id: replace(reader, levels=levels(reader)) for reader in map(principal_of, asking)}


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
            found.append(Exercise(question, reader.groups, reader.levels, is_private=True, is_seen=True))
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


def as_lines(exercises: Iterable[Exercise], catalog: Catalog) -> Iterator[str]:
    """The set as a golden set is written: a line for each question, with the groups of whoever asked it.

    A document stands by its id, and by its path for people, who read with the groups of whoever asked.
    """
    for exercise in exercises:
        question, access = exercise.question, exercise.reader.access
        evidence = [_written(piece, catalog, access) for piece in question.evidence]
        groups = sorted(exercise.groups - {EVERYONE})
        line = {"id": question.id, "question": question.question, "evidence": evidence}
        yield json.dumps(line | ({"groups": groups} if groups else {}), ensure_ascii=False)


def _written(piece: Evidence, catalog: Catalog, access: AccessFilter) -> dict[str, str | int]:
    written: dict[str, str | int] = {"doc": piece.doc}
    with suppress(NotFound):  # closed or gone since the evidence was looked up
        document = catalog.document(piece.doc, access)
        written["path"] = shown_path(document.path, document.member)
    return written if piece.page is None else written | {"page": piece.page}


def digest_of(exercises: Sequence[Exercise]) -> str:
    """What tells one such set from another. It covers identifiers alone: nobody can check a guessed question on it."""
    return hashlib.sha256("\n".join(sorted(item.question.id for item in exercises)).encode()).hexdigest()


def _searched(item: PraisedTurn) -> str:
    """What was searched for, as it is stored with a completed follow-up; turns of older releases tell by the rules."""
    return item.turn.searched_for or standalone(item.turn.question, [Turn(question, "") for question in item.earlier])


def _cited(item: PraisedTurn) -> list[str]:
    """The chunks (ids) that an answer rests on; all that it cites where that is not known."""
    numbers = _rests_on(item.turn) or marked(item.turn.answer)  # a notice of a contradiction may point at more
    return [chunk for number, chunk in item.turn.citations if number in numbers]


def _rests_on(turn: StoredTurn) -> frozenset[int]:
    """The numbers behind what is marked in a quoted answer, or behind the statements of a written one that stand."""
    if turn.grounding is not None:
        stand = (check for check in turn.grounding.statements if check.supported or not check.comparable)
        return marked(turn.answer) & frozenset[int]().union(*(check.cited for check in stand))
    ends = (MARKER.search(turn.answer, end) for _, end in turn.highlights)  # a quotation closes with its number
    return frozenset(int(found[1]) for found in ends if found)


def _evidence(cited: Sequence[str], reader: Principal, catalog: Catalog) -> tuple[Evidence, ...]:
    visible = catalog.visible_chunks(cited, reader.access, current_only=False)
    places = (Evidence(found.chunk.document_id, found.chunk.place.page) for found in visible.values())
    return tuple(dict.fromkeys(places))
