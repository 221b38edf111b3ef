"""Measuring the answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from appliance.api.schemas.shapes import Out

MAX_GOLDEN_BYTES = 16 * 1024 * 1024
"""How large a golden set may be."""


class MetricOut(Out):
    """A metric there is: what it is called, and what it says in one plain sentence."""

    name: str
    title: str
    meaning: str
    higher_is_better: bool
    gated: bool


class EvaluationState(StrEnum):
    """How an evaluation stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class EvaluationOut(Out):
    """A run of a golden set. `groups` is what it read as; empty for `from_feedback`, where each asked as themselves.

    `metrics` are by name, None where there was nothing to measure. `settings` is what was in force. Of a run that is
    `hidden`, which read with groups or levels that who asks does not have, only who started it and when is told.
    `notices` are sentences about questions that do not count, because they were not asked: `not_asked` of those `done`.
    It `asked_nothing` when no question counts, so that it measured nothing. `own_groups` says how many questions named
    the groups they are asked with; empty when none did.
    """

    id: str
    name: str
    from_feedback: bool
    set_sha256: str
    groups: list[str]
    answers: bool
    state: EvaluationState
    started_by: str
    started_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    message: str
    metrics: dict[str, float | None]
    settings: dict[str, str]
    hidden: bool = False
    notices: list[str] = []
    asked_nothing: bool = False
    not_asked: int = 0
    own_groups: str = ""


class EvaluationsOut(Out):
    """The latest evaluations, newest first, and the metrics there are, in the order to show them in.

    `answerable_above` is the score from which on a question is answered now (`retrieval.answerable_above`).
    """

    answerable_above: float
    metrics: list[MetricOut]
    evaluations: list[EvaluationOut]


class FoundPlaceOut(Out):
    """What stood at a rank: its place, and whether it was evidence."""

    document_id: str
    path: str
    page: int | None
    relevant: bool


class QuestionResultOut(Out):
    """How one question went. `first_rank` is that of the first evidence, None when none was among the first 10.

    Of a question that somebody asked, words and places are empty. `failed` says that an answer was refused, as to a
    question that is too long for the model. One that is `absent` names `places` that are not in the appliance: it was
    not asked, and does not count. Nor was one that is `closed`, which names what is closed to the groups it is asked
    with, or is to be asked with groups that are not for whoever started the run.
    """

    question_id: str
    question: str
    answerable: bool
    ndcg: float | None
    first_rank: int | None
    pieces: int
    found: int
    abstained: bool
    citations: int | None
    right_citations: int | None
    retrieval_ms: float
    answer_ms: float | None
    places: list[FoundPlaceOut]
    failed: bool = False
    absent: bool = False
    closed: bool = False


class ThresholdOut(Out):
    """What comes of the questions of an evaluation where those below the score `answerable_above` are turned away.

    So many of the `answerable` ones are `turned_away`, and so many of the `unanswerable` ones `caught`, by their scores
    alone. One is the threshold that `is_in_force`.
    """

    answerable_above: float
    turned_away: int
    answerable: int
    caught: int
    unanswerable: int
    is_in_force: bool


class EvaluationDetail(EvaluationOut):
    """An evaluation with its questions, those that went worst first; `questions` of `question_count`.

    Those that were not asked, which are neither good nor bad, stand at the end.
    """

    questions: list[QuestionResultOut]
    question_count: int
    thresholds: list[ThresholdOut] = []


class MetricChangeOut(Out):
    """A metric before and after, over the questions both runs asked."""

    name: str
    title: str
    before: float | None
    after: float | None
    higher_is_better: bool
    fails: bool


class QuestionChangeOut(Out):
    """A question that went otherwise: `what` changed, measured from 0 to 1, higher is better."""

    question_id: str
    question: str
    what: str
    before: float
    after: float


class SettingChangeOut(Out):
    """What was in force before and after; empty where it was not there."""

    name: str
    before: str
    after: str


class ComparisonOut(Out):
    """Two evaluations side by side. `passes` is False when a metric got worse by more than `max_drop`.

    So it is when the later one did not measure what the settings want: `not_yet` documents, more than at the earlier
    one, were still cut or embedded as before. So it is when `absent` questions that the earlier one counted name what
    is not in the appliance any more, or closed: `absent_named` are the first of them, by id, with what they name.

    `better` and `worse` count the questions of which any measure changed, those that went `both_ways` apart; `p_value`
    says how likely chance alone divides `better` and `worse` so unevenly.
    """

    before: EvaluationOut
    after: EvaluationOut
    max_drop: float
    passes: bool
    not_yet: int
    absent: int
    absent_named: str
    shared: int
    before_only: int
    after_only: int
    better: int
    worse: int
    both_ways: int
    p_value: float
    metrics: list[MetricChangeOut]
    questions: list[QuestionChangeOut]
    settings: list[SettingChangeOut]
