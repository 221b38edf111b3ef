"""Measuring the answers with a golden set: starting a run, its history, two runs side by side. For admins.

Rules this module keeps:

1. A set that somebody brings is asked with groups that they have themselves: what a run finds tells of the documents.
   A question that names other groups is not asked. For the same reason a quote has five words or more. The operator,
   who can read the documents, is bound by neither. What they start reads up to the level that people of those groups
   are cleared for, unless they name another.
2. For the same reason a run is shown to admins who could have started it, with groups and levels that cover those it
   read with. To others the list says that there is one, by whom and when.
3. The set of what people found helpful is asked as those people, and tells identifiers and numbers. So does a set that
   somebody brings of the questions in it that people asked, which have the ids of those on record.
4. That a run begins is on record before it does, and what came out before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from appliance.api.gate import OPERATOR, EvaluationAdmin, TheAppliance, record_act
from appliance.api.schemas.evaluations import (
    ComparisonOut,
    EvaluationDetail,
    EvaluationOut,
    EvaluationsOut,
    EvaluationState,
    FoundPlaceOut,
    MetricChangeOut,
    MetricOut,
    QuestionChangeOut,
    QuestionResultOut,
    SettingChangeOut,
    ThresholdOut,
)
from appliance.api.schemas.shapes import GroupName
from appliance.domain import EVERYONE, Principal
from appliance.errors import AccessDenied, InvalidRequest, NotFound
from appliance.evaluation.compare import Comparison, compare
from appliance.evaluation.feedback import NAME, digest_of, exercises_from, readers_among
from appliance.evaluation.golden import SHORTEST_QUOTE, read_golden
from appliance.evaluation.metrics import BY_NAME, METRICS, at_thresholds, goodness, ndcg_of
from appliance.evaluation.results import (
    LEFT_OUT,
    OWN_GROUPS,
    Evaluation,
    NotAsked,
    Outcome,
    QuestionResult,
    SetKind,
    named_absent,
)
from appliance.evaluation.runner import exercises_for
from appliance.evaluation.runs import Order
from appliance.wiring import Appliance

router = APIRouter(prefix="/evaluations", tags=["evaluations"])
LAST = "last"
"""Stands for the latest run before that asked the same and passed the gate."""

Groups = Annotated[list[GroupName], Query(max_length=100)]
Limit = Annotated[int | None, Query(ge=1, le=20_000)]


@router.get("")
def evaluations(admin: EvaluationAdmin, appliance: TheAppliance) -> EvaluationsOut:
    """The latest evaluations, newest first, and what every metric means."""
    names = _names(appliance)
    return EvaluationsOut(
        answerable_above=appliance.settings.retrieval.answerable_above,
        metrics=[
            MetricOut(
                name=metric.name,
                title=metric.title,
                meaning=metric.meaning,
                higher_is_better=metric.higher_is_better,
                gated=metric.gated,
            )
            for metric in METRICS
        ],
        evaluations=[
            _out(run, names) if _may_see(appliance, admin, run) else _hidden(run, names)
            for run in appliance.evaluations.latest()
        ],
    )


@router.post("", status_code=202)
async def start(
    request: Request,
    admin: EvaluationAdmin,
    appliance: TheAppliance,
    name: Annotated[str, Query(max_length=200)] = "golden set",
    group: Groups = [],  # noqa: B006
    limit: Limit = None,
    answers: bool = False,
    clearance: Annotated[str, Query(max_length=64)] = "",
) -> EvaluationOut:
    """Run the golden set in the body, JSON lines, in the background. `group` is what it reads as, besides everyone.

    A question that names groups of its own is asked with those, as far as who starts it has them.
    `clearance` is the level up to which it reads, for the operator to name; an admin's run reads with their own.
    """
    body = await request.body()
    levels = _levels(appliance, admin, clearance)
    return await to_thread.run_sync(_start_file, appliance, admin, body, name, frozenset(group), levels, limit, answers)


@router.post("/feedback", status_code=202)
def start_from_feedback(
    admin: EvaluationAdmin, appliance: TheAppliance, limit: Limit = None, answers: bool = False
) -> EvaluationOut:
    """Run what people asked and found helpfully answered, each as the person who asked, in the background."""
    readers = readers_among(appliance.accounts.people(), lambda reader: appliance.cleared(reader).levels)
    praised = exercises_from(appliance.conversations.praised(), readers, appliance.catalog)
    exercises = praised.exercises[:limit]
    sha256 = digest_of(exercises)
    order = Order(NAME, SetKind.FEEDBACK, sha256, exercises, (), answers, admin.id, left_out=praised.left_out)
    return _started(appliance, admin, order)


@router.get("/{evaluation_id}")
def evaluation(
    evaluation_id: str,
    admin: EvaluationAdmin,
    appliance: TheAppliance,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> EvaluationDetail:
    """One evaluation and its questions, those that went worst first, and at the end those that were not asked."""
    run = _seen(appliance, admin, appliance.evaluations.run(evaluation_id))
    results = sorted(
        appliance.evaluations.results(evaluation_id), key=lambda result: (*goodness(result), result.question_id)
    )
    return EvaluationDetail(
        **_out(run, _names(appliance)).model_dump(),
        questions=[_question_out(result) for result in results[offset : offset + limit]],
        question_count=len(results),
        thresholds=_thresholds(results, appliance.settings.retrieval.answerable_above),
    )


@router.get("/{evaluation_id}/comparison")
def comparison(
    evaluation_id: str,
    admin: EvaluationAdmin,
    appliance: TheAppliance,
    before: Annotated[str, Query(max_length=36)] = LAST,
    max_drop: Annotated[float, Query(ge=0, le=1)] = 0.02,
) -> ComparisonOut:
    """This evaluation against an earlier one: what got better and worse, and whether a metric fell too far."""
    runs = appliance.evaluations
    after = _seen(appliance, admin, runs.run(evaluation_id))
    earlier = runs.before(after, max_drop=max_drop) if before == LAST else runs.run(before)
    if earlier is None:
        raise NotFound("No earlier evaluation asked the same questions in the same way. Name one to compare with.")
    _seen(appliance, admin, earlier)
    sides = ((earlier, runs.results(earlier.id)), (after, runs.results(after.id)))
    return _comparison_out(compare(*sides, max_drop=max_drop), max_drop, _names(appliance))


@router.post("/{evaluation_id}/cancel", status_code=204)
def cancel(evaluation_id: str, admin: EvaluationAdmin, appliance: TheAppliance) -> Response:
    """End an evaluation that is running."""
    run = appliance.evaluations.run(evaluation_id)
    with record_act(appliance, admin, "evaluation.cancelled", run.name):
        appliance.evaluations.cancel(evaluation_id)
    return Response(status_code=204)


@router.delete("/{evaluation_id}", status_code=204)
def remove(evaluation_id: str, admin: EvaluationAdmin, appliance: TheAppliance) -> Response:
    """Forget an evaluation with its questions. The query log keeps its record."""
    run = appliance.evaluations.run(evaluation_id)
    with record_act(appliance, admin, "evaluation.removed", run.name):
        appliance.evaluations.remove(evaluation_id)
    return Response(status_code=204)


def _start_file(
    appliance: Appliance,
    admin: Principal,
    body: bytes,
    name: str,
    groups: frozenset[str],
    levels: Callable[[frozenset[str]], frozenset[str]],
    limit: int | None,
    answers: bool,
) -> EvaluationOut:
    if not groups <= admin.groups | {EVERYONE}:
        raise AccessDenied(
            "An evaluation reads with groups of your own. Have yourself added to the group, or run it on the machine "
            "with 'strongroom eval'."
        )
    golden = read_golden(name, body, limit=limit, shortest_quote=0 if admin.id == OPERATOR else SHORTEST_QUOTE)
    asked_before = appliance.conversations.asked_among(question.id for question in golden.questions)
    within = None if admin.id == OPERATOR else admin.groups
    exercises = exercises_for(golden.questions, groups, levels, within=within, asked_before=asked_before)
    read_as = tuple(sorted({EVERYONE}.union(*(exercise.groups for exercise in exercises))))
    read_at = frozenset[str]().union(*(exercise.levels for exercise in exercises)) or levels(groups)
    order = Order(name, SetKind.FILE, golden.sha256, exercises, read_as, answers, admin.id, read_at)
    return _started(appliance, admin, order)


def _levels(appliance: Appliance, admin: Principal, clearance: str) -> Callable[[frozenset[str]], frozenset[str]]:
    """The levels that a set is read at, with some groups. Raises AccessDenied, InvalidRequest."""
    if admin.id != OPERATOR:
        if clearance:
            raise AccessDenied("An evaluation reads with your own clearance. Another is named on the machine alone.")
        return lambda _: admin.levels
    scale = appliance.settings.access.scale
    if clearance and clearance not in scale.names:
        raise InvalidRequest(f"There is no level '{clearance}'. The levels are {', '.join(scale.names)}.")
    return lambda groups: scale.up_to(scale.clearance(clearance, groups))


def _started(appliance: Appliance, admin: Principal, order: Order) -> EvaluationOut:
    read_as = ", ".join(order.groups) or "those who asked"
    detail = f"{len(order.exercises)} questions, sha256 {order.set_sha256}, read as {read_as}"
    with record_act(appliance, admin, "evaluation.started", order.name, detail):
        return _out(appliance.evaluations.start(order), _names(appliance))


def _may_see(appliance: Appliance, admin: Principal, run: Evaluation) -> bool:
    """Whether somebody could have started this run themselves."""
    if admin.id == OPERATOR or run.kind is SetKind.FEEDBACK:
        return True
    levels = run.levels or frozenset(appliance.settings.access.levels)  # not known: maybe every one
    return admin.groups | {EVERYONE} >= set(run.groups) and admin.levels >= levels


def _seen(appliance: Appliance, admin: Principal, run: Evaluation) -> Evaluation:
    """This run. Raises AccessDenied when it is not for them to see."""
    if not _may_see(appliance, admin, run):
        raise AccessDenied(
            "This evaluation read with groups or levels that you do not have, and its figures tell of those documents."
        )
    return run


def _names(appliance: Appliance) -> dict[str, str]:
    """Who started evaluations, by id."""
    return {OPERATOR: OPERATOR, **appliance.accounts.names()}


def _thresholds(results: Sequence[QuestionResult], in_force: float) -> list[ThresholdOut]:
    """What another threshold would do with these questions; nothing where none was asked."""
    asked = [result.answerable for result in results if result.counts]
    return [
        ThresholdOut(
            answerable_above=found.answerable_above,
            turned_away=found.turned_away,
            answerable=asked.count(True),
            caught=found.caught,
            unanswerable=asked.count(False),
            is_in_force=found.is_in_force,
        )
        for found in (at_thresholds(results, in_force) if asked else ())
    ]


def _hidden(run: Evaluation, names: Mapping[str, str]) -> EvaluationOut:
    """That there is a run, and nothing of what it read or found."""
    bare = replace(run, name="", set_sha256="", groups=(), answers=False, total=0, done=0, settings={}, metrics={})
    bare = replace(bare, absent=NotAsked(), closed=NotAsked())
    bare = replace(bare, error="It did not finish." if run.error else "")
    return _out(bare, names).model_copy(update={"hidden": True, "settings": {}})


def _out(run: Evaluation, names: Mapping[str, str]) -> EvaluationOut:
    state = EvaluationState.RUNNING
    if run.finished_at is not None:
        state = EvaluationState.FAILED if run.error else EvaluationState.FINISHED
    return EvaluationOut(
        id=run.id,
        name=run.name,
        from_feedback=run.kind is SetKind.FEEDBACK,
        set_sha256=run.set_sha256,
        groups=list(run.groups),
        answers=run.answers,
        state=state,
        started_by=names.get(run.started_by, ""),
        started_at=run.started_at,
        finished_at=run.finished_at,
        total=run.total,
        done=run.done,
        message=run.error,
        metrics=dict(run.metrics),
        settings=run.circumstances,
        notices=_notices(run),
        asked_nothing=run.asked_nothing,
        not_asked=run.not_asked,
        own_groups=run.settings.get(OWN_GROUPS, ""),
    )


_SOME_NOT_ASKED = (
    "Some questions name a document or a page that is not in the appliance. They were not asked, and do not count: {}."
)
_NOTHING_ASKED = (
    "No question could be asked, and nothing was measured: each names a document or a page that is not in the "
    "appliance: {}. Add or sync the source that has them, or correct what the golden set names, and evaluate again."
)


_CLOSED = (
    "a document that is closed to the groups they are asked with (by its groups or its level), or are to be asked with "
    "groups that are not yours"
)
_NOT_OPEN = f"Some questions name {_CLOSED}. They were not asked, and do not count: {{}}."
_NONE_OPEN = (
    f"No question could be asked, and nothing was measured: those that name what is there name {_CLOSED}: {{}}. "
    "Evaluate with groups that may read the documents."
)


def _notices(run: Evaluation) -> list[str]:
    """What is to be said of a run besides its figures."""
    told = []
    if run.absent.questions:
        words = _NOTHING_ASKED if run.asked_nothing and not run.closed.questions else _SOME_NOT_ASKED
        told.append(words.format(run.told(run.absent)))
    if run.closed.questions:
        told.append((_NONE_OPEN if run.asked_nothing else _NOT_OPEN).format(run.told(run.closed)))
    if LEFT_OUT in run.settings:
        told.append(f"Some answers that were found helpful were left out: {run.settings[LEFT_OUT]}.")
    return told


def _question_out(result: QuestionResult) -> QuestionResultOut:
    return QuestionResultOut(
        question_id=result.question_id,
        question=result.question,
        answerable=result.answerable,
        ndcg=ndcg_of(result),
        first_rank=next((rank for rank, gain in enumerate(result.gains, start=1) if gain), None),
        pieces=result.pieces,
        found=sum(result.gains),
        abstained=result.abstained,
        citations=result.citations,
        right_citations=result.right_citations,
        retrieval_ms=result.retrieval_ms,
        answer_ms=result.answer_ms,
        places=[
            FoundPlaceOut(document_id=place.document_id, path=place.path, page=place.page, relevant=place.relevant)
            for place in result.places
        ],
        failed=result.outcome is Outcome.FAILED,
        absent=result.outcome is Outcome.ABSENT,
        closed=result.outcome is Outcome.CLOSED,
    )


def _comparison_out(found: Comparison, max_drop: float, names: Mapping[str, str]) -> ComparisonOut:
    return ComparisonOut(
        before=_out(found.before, names),
        after=_out(found.after, names),
        max_drop=max_drop,
        passes=found.passes,
        not_yet=found.not_yet,
        absent=len(found.absent),
        absent_named=named_absent(found.absent),
        shared=found.shared,
        before_only=found.before_only,
        after_only=found.after_only,
        better=found.better,
        worse=found.worse,
        both_ways=found.both_ways,
        p_value=found.p_value,
        metrics=[
            MetricChangeOut(
                name=change.name,
                title=BY_NAME[change.name].title,
                before=change.before,
                after=change.after,
                higher_is_better=BY_NAME[change.name].higher_is_better,
                fails=change.fails,
            )
            for change in found.metrics
        ],
        questions=[
            QuestionChangeOut(
                question_id=change.question_id,
                question=change.question,
                what=change.what,
                before=change.before,
                after=change.after,
            )
            for change in found.questions
        ],
        settings=[
            SettingChangeOut(name=change.name, before=change.before, after=change.after) for change in found.settings
        ],
    )
