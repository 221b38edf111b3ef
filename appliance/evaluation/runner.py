"""Puts one question of a golden set through the real search, and the real answer or what is quoted where no model is.

Rules this module keeps:

1. A question is asked with the groups it is given, and nothing of what is found is kept but places and numbers.
2. It leaves no entry of its own in the query log: whoever runs a set puts the run on record before anybody sees of it.
3. A question that is refused an answer is a result like another; it does not end the run. An answer that nobody waits
   for any more is ended between two of its words.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.answering.answerer import Answered, Answerer
from appliance.answering.enough import Searched
from appliance.answering.sentences import marked
from appliance.audit.entries import Entry
from appliance.catalog import Catalog
from appliance.domain import EVERYONE, AccessFilter, Answer, AnswerKind, Conversation, Hit, Principal
from appliance.errors import ApplianceError, InvalidRequest
from appliance.evaluation.golden import Evidence, GoldenQuestion
from appliance.evaluation.names import Names, look_up
from appliance.evaluation.relevance import Unit, holds, judged
from appliance.evaluation.results import FoundPlace, Outcome, QuestionResult
from appliance.labels import NO_LEVEL
from appliance.retrieval.retriever import Retriever

_DOCUMENT_CUT = 5
_READER = "evaluation"
_NOTHING = Names()


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question to ask, and the groups and levels to ask it with.

    A private one has the id of a query that somebody asked: neither its words nor places are kept. What one that
    `is_seen` names was found to be there for its reader, and is not looked up again. One that `is_withheld` is to be
    asked with groups that are not for whoever started the run: it is not asked.
    """

    question: GoldenQuestion
    groups: frozenset[str]
    levels: frozenset[str] = frozenset({NO_LEVEL})
    is_private: bool = False
    is_seen: bool = False
    is_withheld: bool = False

    @property
    def reader(self) -> Principal:
        """Whom it is asked as."""
        return Principal(_READER, _READER, frozenset(), self.groups, self.levels)


class OnRecordAsAWhole:
    """Takes the entries that an answer writes. Those of an evaluation are one entry, written by `Evaluations`."""

    def append(self, entry: Entry) -> None:
        """Keep nothing."""


class Examiner:
    """Asks questions whose answers are known. `answerer` records in `OnRecordAsAWhole`."""

    def __init__(self, retriever: Retriever, answerer: Answerer, catalog: Catalog) -> None:
        self._retriever = retriever
        self._answerer = answerer
        self._catalog = catalog

    def look_up(
        self, exercises: Sequence[Exercise], *, is_over: Callable[[], object]
    ) -> Mapping[AccessFilter, Names] | None:
        """What the questions name, for each reader they are asked as.

        None when it `is_over` before everything was looked up. Raises CatalogUnavailable.
        """
        of_reader: dict[AccessFilter, list[GoldenQuestion]] = {}
        for exercise in exercises:
            if not exercise.is_seen and not exercise.is_withheld:
                of_reader.setdefault(exercise.reader.access, []).append(exercise.question)
        found: dict[AccessFilter, Names] = {}
        for access, questions in of_reader.items():
            names = look_up(questions, self._catalog, access, is_over=is_over)
            if names is None:
                return None
            found[access] = names
        return found

    def warm_up(self, exercise: Exercise) -> None:
        """Search once without measuring: the first search of a process waits for the embedding model."""
        self._retriever.retrieve(exercise.question.question, exercise.reader.access)

    def ask(
        self,
        exercise: Exercise,
        looked_up: Mapping[AccessFilter, Names],
        *,
        answers: bool,
        quotes: bool,
        is_over: Callable[[], object],
    ) -> QuestionResult | None:
        """How a question went. None when it `is_over` before its end.

        With `answers` it is answered as a person's is. Without, but with `quotes`, passages are quoted for it, which
        takes no language model: what is cited is checked in either case.

        One that names what is not there, or closed to its reader, is not asked; nor is one that is withheld.

        Raises:
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; the question counts for nothing.
        """
        question, reader = exercise.question, exercise.reader
        if exercise.is_withheld:
            return _not_asked(exercise, question.evidence, Outcome.CLOSED)
        names = looked_up.get(reader.access, _NOTHING)
        if absent := names.absent_of(question):
            return _not_asked(exercise, absent, Outcome.ABSENT)
        if closed := names.closed_of(question):
            return _not_asked(exercise, closed, Outcome.CLOSED)
        begun = time.monotonic()
        hits = self._retriever.retrieve(question.question, reader.access)
        retrieval_ms = _since_ms(begun)
        units = judged(hits, question.evidence, names.contents)
        judgement = self._answerer.judge(question.question, hits, reader.access)
        abstained = not self._answerer.may_answer(judgement)
        begun, outcome, answer = time.monotonic(), Outcome.ASKED, None
        if answers:
            try:
                answer = self._answer(question, reader, is_over)
            except InvalidRequest:
                outcome, abstained = Outcome.FAILED, question.answerable
            else:
                if answer is None:
                    return None
                abstained = answer.kind is AnswerKind.ABSTAINED
        answer_ms = _since_ms(begun)
        cited = (
            self._quoted(question, reader, judgement) if quotes and not answers and not abstained else _cited(answer)
        )
        return QuestionResult(
            question_id=question.id,
            question="" if exercise.is_private else question.question,
            answerable=question.answerable,
            pieces=len(question.evidence),
            gains=tuple(unit.gain for unit in units),
            right_document=any(unit.right_document for unit in units[:_DOCUMENT_CUT]),
            answerability=judgement.answerable,
            abstained=abstained,
            retrieval_ms=retrieval_ms,
            places=() if exercise.is_private else _places(units),
            outcome=outcome,
            kind=None if answer is None else answer.kind,
            citations=None if cited is None else len(cited),
            right_citations=None if cited is None else _right(cited, question, names),
            answer_ms=None if answer is None else answer_ms,
            query_id=question.id if exercise.is_private else None,
        )

    def _quoted(self, question: GoldenQuestion, reader: Principal, found: Searched) -> list[Hit] | None:
        """What is quoted where no model writes; None where it is said that the documents do not say."""
        answer = self._answerer.quoted(question.question, reader, found)
        return None if answer.kind is AnswerKind.ABSTAINED else _cited(answer)

    def _answer(self, question: GoldenQuestion, reader: Principal, is_over: Callable[[], object]) -> Answer | None:
        conversation = Conversation(str(uuid.uuid4()))
        events = self._answerer.ask(
            question.question, reader, conversation, origin=_READER, is_wanted=lambda: not is_over()
        )
        with contextlib.closing(events):
            for event in events:
                if isinstance(event, Answered):
                    return event.answer
                if is_over():
                    return None
        raise ApplianceError("An answer ended without being finished. Run 'strongroom doctor'.")


def _not_asked(exercise: Exercise, why: Sequence[Evidence], outcome: Outcome) -> QuestionResult:
    question = exercise.question
    places = (FoundPlace("", piece.doc or piece.passage, piece.page, relevant=False) for piece in why)
    return QuestionResult(
        question_id=question.id,
        question="" if exercise.is_private else question.question,
        answerable=question.answerable,
        pieces=len(question.evidence),
        gains=(),
        right_document=False,
        answerability=0.0,
        abstained=False,
        retrieval_ms=0.0,
        places=() if exercise.is_private else tuple(places),
        outcome=outcome,
        query_id=question.id if exercise.is_private else None,
    )


def _right(cited: Sequence[Hit], question: GoldenQuestion, names: Names) -> int:
    return sum(any(holds(hit, piece, names.contents) for piece in question.evidence) for hit in cited)


def _cited(answer: Answer | None) -> list[Hit] | None:
    """What the text itself points at; a notice of a contradiction may point at more. None without an answer."""
    if answer is None:
        return None
    numbers = marked(answer.text)
    return [citation.hit for citation in answer.citations if citation.number in numbers]


def _places(units: Sequence[Unit]) -> tuple[FoundPlace, ...]:
    return tuple(
        FoundPlace(unit.hit.chunk.document_id, unit.hit.path, unit.hit.chunk.place.page, relevant=unit.gain > 0)
        for unit in units
    )


def _since_ms(begun: float) -> float:
    return round((time.monotonic() - begun) * 1000, 1)


def exercises_for(
    questions: Iterable[GoldenQuestion],
    groups: frozenset[str],
    levels: Callable[[frozenset[str]], frozenset[str]] = lambda _: frozenset({NO_LEVEL}),
    *,
    within: frozenset[str] | None = None,
    asked_before: Collection[str] = (),
) -> list[Exercise]:
    """The questions of a set that somebody brought.

    Args:
        groups: What those are asked with that do not name groups of their own, besides everyone.
        levels: Those that groups are cleared for.
        within: Only these groups may be asked with; a question that names another is withheld. None: any.
        asked_before: The ids of those that people asked: as in what they found helpful, those are private.
    """
    exercises = (_exercise(question, frozenset(question.groups) or groups, levels, within) for question in questions)
    return [replace(exercise, is_private=exercise.question.id in asked_before) for exercise in exercises]


def _exercise(
    question: GoldenQuestion,
    groups: frozenset[str],
    levels: Callable[[frozenset[str]], frozenset[str]],
    within: frozenset[str] | None,
) -> Exercise:
    if within is not None and not groups <= within | {EVERYONE}:
        return Exercise(question, frozenset(), frozenset(), is_withheld=True)
    return Exercise(question, groups, levels(groups))
