"""Evaluations in the background, one at a time, while people's questions come first.

Rules this module keeps:

1. Two evaluations never run at the same time, and each question waits until no person's question is being answered.
2. The run is in the query log before anybody sees a result: what cannot be recorded is thrown away.
3. A run ends in a state: whole, or with a sentence that says why not.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache

from appliance.answering.answerer import Record
from appliance.audit.entries import EvaluationEnded, MeasuredValue
from appliance.domain import EVERYONE
from appliance.errors import ApplianceError, Conflict, NotFound, place_of
from appliance.evaluation.compare import accepted
from appliance.evaluation.metrics import measured
from appliance.evaluation.results import (
    LEFT_OUT,
    OWN_GROUPS,
    THE_OTHERS,
    Evaluation,
    InForce,
    NotAsked,
    Outcome,
    QuestionResult,
    SetKind,
    named_absent,
)
from appliance.evaluation.runner import Examiner, Exercise
from appliance.evaluation.store import EvaluationStore
from appliance.labels import NO_LEVEL

_log = logging.getLogger(__name__)
MOST_QUOTED = 500
"""For so many questions of a run without answers passages are quoted at most, which takes several times as long as to
search. They are chosen among those with evidence by their ids alone, so that a set which gained or lost questions has
nearly the same ones as before."""

_NICENESS = 10
_LOOK_AGAIN_S = 0.05
_LONGEST_PAUSE_S = 0.5  # between two questions; as long as the one before took, if that is less
_LONGEST_END_S = 30.0
_CANCELLED = "The evaluation was cancelled."
_STOPPED = "The appliance was stopped during the evaluation. Start it again."


@dataclass(frozen=True, slots=True)
class Order:
    """What to evaluate: which questions, under which name, for whom."""

    name: str
    kind: SetKind
    set_sha256: str
    exercises: Sequence[Exercise]
    groups: tuple[str, ...]
    answers: bool
    started_by: str
    levels: frozenset[str] = frozenset()
    left_out: str = ""  # how many questions were, and why

    def told(self) -> dict[str, str]:
        """What is to be said of the questions, as settings of the run."""
        others = [exercise for exercise in self.exercises if not exercise.question.groups]
        own = len(self.exercises) - len(others)
        told = {
            LEFT_OUT: self.left_out,
            OWN_GROUPS: f"{own:,} of {len(self.exercises):,}" if own else "",
            THE_OTHERS: _read_as(others[0]) if own and others else "",  # all of them alike
        }
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class _Course:
    """The run that is going on."""

    run: Evaluation
    results: list[QuestionResult] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def now(self) -> Evaluation:
        return replace(self.run, done=len(self.results))


class Evaluations:
    """Starts evaluations, and knows those there were."""

    def __init__(
        self,
        examiner: Callable[[], Examiner],
        store: EvaluationStore,
        log: Record,
        *,
        in_force: Callable[[bool], InForce],
        is_busy: Callable[[], bool],
    ) -> None:
        """Put them together.

        Args:
            examiner: Asks the index that answers now; a run keeps the one it began with.
            in_force: What a run depends on, for one with answers or without.
            is_busy: Whether a person's question is being answered now.
        """
        self._examiner = examiner
        self._store = store
        self._records = log
        self._in_force = in_force
        self._is_busy = is_busy
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._current: _Course | None = None
        self._lost: Evaluation | None = None  # the latest whose end the database did not take
        self._thread: threading.Thread | None = None
        store.close_interrupted()

    @property
    def is_running(self) -> bool:
        """Whether an evaluation is running now."""
        return self._current is not None

    def start(self, order: Order) -> Evaluation:
        """Run a golden set in the background.

        Raises:
            Conflict: One is running already, or the appliance is stopping.
            ModelUnavailable: A model it needs cannot be used: the reranking model, or for answers the language model.
        """
        with self._lock:
            if self._stop.is_set():
                raise Conflict("The appliance is stopping. Start the evaluation again when it is back.")
            if self._current is not None:
                raise Conflict("An evaluation is running already. Wait for its end, or cancel it.")
            in_force = self._in_force(order.answers)
            run = Evaluation(
                id=str(uuid.uuid4()),
                name=order.name,
                kind=order.kind,
                set_sha256=order.set_sha256,
                groups=order.groups,
                answers=order.answers,
                started_by=order.started_by,
                started_at=datetime.now(UTC),
                total=len(order.exercises),
                settings={**in_force.settings, **order.told()},
                levels=order.levels,
                not_yet=in_force.not_yet,
            )
            self._begin(_Course(run), order.exercises)
            return run

    def cancel(self, run_id: str) -> None:
        """End a run; nothing of it is kept but that it was begun. Raises NotFound unless it is running."""
        with self._lock:
            if self._current is None or self._current.run.id != run_id:
                raise NotFound("No such evaluation is running.")
            self._current.cancelled.set()

    def remove(self, run_id: str) -> None:
        """Forget a run. Raises NotFound, Conflict."""
        with self._lock:
            if self._current is not None and self._current.run.id == run_id:
                raise Conflict("The evaluation is running. Cancel it first.")
            self._store.remove(run_id)

    def latest(self) -> list[Evaluation]:
        """The latest runs, newest first, the one that is running with how far it is."""
        return [self._with_progress(run) for run in self._store.latest()]

    def run(self, run_id: str) -> Evaluation:
        """One run. Raises NotFound."""
        return self._with_progress(self._store.run(run_id))

    def results(self, run_id: str) -> list[QuestionResult]:
        """How each question of a run went; none before its end. Raises NotFound."""
        return self._store.results(self._store.run(run_id).id)

    def before(self, run: Evaluation, *, max_drop: float) -> Evaluation | None:
        """The latest run before this one that asked the same questions as the same reader and passed in its turn."""
        earlier = [
            other
            for other in self._store.latest()
            if other.is_whole and other.started_at < run.started_at and _asked_like(other) == _asked_like(run)
        ]
        same = [other for other in earlier if run.kind is SetKind.FEEDBACK or other.set_sha256 == run.set_sha256]
        precisions = lru_cache(maxsize=2)(self._store.citation_precisions)  # of two runs, which may be large
        runs = ((other, self._store.asked(other)) for other in reversed(same))
        return accepted(runs, lambda other: precisions(other.id), max_drop=max_drop)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is running."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def close(self) -> None:
        """End what is running, and start no more. What does not end in its time is closed at the next start."""
        self._stop.set()
        self.wait(_LONGEST_END_S)

    def _with_progress(self, run: Evaluation) -> Evaluation:
        current, lost = self._current, self._lost
        if current is not None and current.run.id == run.id:
            return current.now()
        return lost if lost is not None and lost.id == run.id else run

    def _begin(self, course: _Course, exercises: Sequence[Exercise]) -> None:
        self._store.begin(course.run)
        name = f"evaluation-{course.run.id[:8]}"
        self._current = course
        self._thread = threading.Thread(target=self._run, args=(course, exercises), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the machine has no thread to give
            self._current = self._thread = None
            self._store.remove(course.run.id)
            raise ApplianceError("The machine has no thread left for an evaluation. Try again later.") from error

    def _run(self, course: _Course, exercises: Sequence[Exercise]) -> None:
        error = ""
        try:
            os.nice(_NICENESS)  # of this thread alone, on Linux
            self._ask(course, exercises)
            error = self._cut_short(course)
        except ApplianceError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001 - the edge of a background job: it must end in a state
            _log.error("An evaluation failed with %s at %s", type(failure).__name__, place_of(failure))
            error = f"The evaluation failed unexpectedly ({type(failure).__name__}). Run 'strongroom doctor'."
        try:
            self._end(course, error)
        except ApplianceError as failure:
            _log.error("The end of an evaluation could not be kept: %s", failure)
            self._lost = replace(course.now(), finished_at=datetime.now(UTC), error=str(failure))
        finally:
            self._current = None

    def _ask(self, course: _Course, exercises: Sequence[Exercise]) -> None:
        """Look up what the questions name and ask them, as far as the run is not cut short."""
        examiner = self._examiner()
        names = examiner.look_up(exercises, is_over=lambda: self._cut_short(course))
        if names is None:
            return
        is_warm, quoted = False, _to_quote(exercises)
        for exercise in self._in_turn(course, exercises):
            if not is_warm and not exercise.is_withheld:
                examiner.warm_up(exercise)
                is_warm = True
            result = examiner.ask(
                exercise,
                names,
                answers=course.run.answers,
                quotes=exercise.question.id in quoted,
                is_over=lambda: self._cut_short(course),
            )
            if result is None:
                return
            course.results.append(result)

    def _in_turn(self, course: _Course, exercises: Sequence[Exercise]) -> Iterator[Exercise]:
        """The exercises one after the other, with pauses; none after a cancellation."""
        for exercise in exercises:
            while self._is_busy() and not self._cut_short(course):
                time.sleep(_LOOK_AGAIN_S)
            if self._cut_short(course):
                return
            begun = time.monotonic()
            yield exercise
            course.cancelled.wait(min(_LONGEST_PAUSE_S, time.monotonic() - begun))

    def _cut_short(self, course: _Course) -> str:
        """Why the run ends before its time, empty if it does not."""
        if len(course.results) == course.run.total:
            return ""
        return _STOPPED if self._stop.is_set() else _CANCELLED if course.cancelled.is_set() else ""

    def _end(self, course: _Course, error: str) -> None:
        """First on record, then kept for people to see."""
        results = [] if error else course.results
        run = replace(course.now(), finished_at=datetime.now(UTC), error=error)
        if not error:
            absent, closed = (_not_asked(results, outcome) for outcome in (Outcome.ABSENT, Outcome.CLOSED))
            run = replace(run, metrics=measured(results), absent=absent, closed=closed)
        try:
            self._records.append(_entry(run, asked=sum(result.counts for result in course.results)))
        except ApplianceError as failure:
            run, results = replace(run, error=str(failure), metrics={}), []
        self._store.finish(run, results)


def _to_quote(exercises: Iterable[Exercise]) -> frozenset[str]:
    """The ids of the questions that passages are quoted for: some of those whose evidence is known."""
    known = (exercise.question for exercise in exercises if exercise.question.answerable and exercise.question.evidence)
    return frozenset(heapq.nsmallest(MOST_QUOTED, (question.id for question in known), key=_by_hash))


def _by_hash(question_id: str) -> bytes:
    return hashlib.sha256(question_id.encode("utf-8", "surrogatepass")).digest()


def _read_as(exercise: Exercise) -> str:
    """The groups and levels that a question is asked with, in words."""
    levels = ", ".join(sorted(exercise.levels - {NO_LEVEL}))
    return ", ".join(sorted({EVERYONE, *exercise.groups})) + (f"; levels: {levels}" if levels else "")


def _asked_like(run: Evaluation) -> tuple[object, ...]:
    """How the questions of a run were asked, besides what they are; alike in runs that `before` compares.

    `groups` and `levels` are those of all readers together. Which of them asked what is told by the set, but for the
    questions that name no groups.
    """
    return run.kind, run.groups, run.levels, run.answers, run.settings.get(THE_OTHERS)


def _entry(run: Evaluation, *, asked: int) -> EvaluationEnded:
    return EvaluationEnded(
        actor=run.started_by,
        evaluation_id=run.id,
        set_name=run.name,
        set_sha256=run.set_sha256,
        groups=run.groups,
        questions=asked,
        answers=run.answers,
        metrics=tuple(MeasuredValue(name, value) for name, value in run.metrics.items()),
        error=run.error,
    )


def _not_asked(results: Sequence[QuestionResult], outcome: Outcome) -> NotAsked:
    """The questions that were not asked for this reason."""
    left = [result for result in results if result.outcome is outcome]
    return NotAsked(len(left), named_absent(left))
