"""What differs between two runs, and whether the later one may stand. Pure.

Rules this module keeps:

1. Metrics are compared over the questions that both runs asked, and over nothing else: not over one that named what
   was not in the appliance. Citation precision is compared over those of them in which both runs cited or quoted: for
   which questions passages are quoted may differ, and the metric is a mean over other questions then.
2. The gate fails when a gated metric is worse by more than the amount given. What one run alone measured does not fail.
   Nor does it let a change pass that the later run did not measure, because more documents than before were not read
   again since; nor one after which questions that the earlier run counted name what is not there any more.
3. `last` is a run that may stand itself: it did not fail, and it counts what those before it counted. Its citations are
   compared over the same questions there too.
4. A question went better or worse when one of its measures did, whichever that is, and is counted once. One that went
   better by one and worse by another is counted as neither, but told.
5. The p-value is that of the sign test, exact and two-sided, over the questions that went better or worse: how often as
   many would change in one direction by chance alone (Dixon, Mood: "The Statistical Sign Test", JASA 1946). It informs;
   it does not gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from appliance.errors import InvalidRequest
from appliance.evaluation.metrics import BY_NAME, CITATIONS, METRICS, NDCG, Metric, citation_precision, ndcg_of
from appliance.evaluation.results import Asked, Evaluation, QuestionResult

_SAME = 1e-9
Precisions = Callable[[Evaluation], Mapping[str, float]]
"""Gives the citation precision of each question of a run that has one, by the question's id."""


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric before and after. `fails` when it got worse by more than is allowed."""

    name: str
    before: float | None
    after: float | None
    fails: bool


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """What changed for one question: `what` is measured from 0 to 1, higher is better."""

    question_id: str
    question: str
    what: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """By how much it got better."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class SettingChange:
    """Something that was in force in one run and not in the other; empty where it was not there at all."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side. `shared` is how many questions both asked, `before_only` and `after_only` how many one.

    `questions` are all changes there are, a question once for each of its measures that changed. `better` and `worse`
    count the questions among them, and `both_ways` those that did both; `p_value` is of the former two.

    `not_yet` is how many documents more than before were not yet as the settings want them when the later run was made.
    `absent` are questions that counted in the earlier run and name what was not there any more at the later one; they
    are among `before_only`.
    """

    before: Evaluation
    after: Evaluation
    shared: int
    before_only: int
    after_only: int
    metrics: tuple[MetricChange, ...]
    questions: tuple[QuestionChange, ...]
    better: int
    worse: int
    both_ways: int
    p_value: float
    settings: tuple[SettingChange, ...]
    not_yet: int = 0
    absent: tuple[QuestionResult, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether what the settings want was measured as far as before, and no metric fell further than allowed."""
        return not self.not_yet and not self.absent and not any(metric.fails for metric in self.metrics)


def compare(
    before: tuple[Evaluation, Sequence[QuestionResult]],
    after: tuple[Evaluation, Sequence[QuestionResult]],
    *,
    max_drop: float,
) -> Comparison:
    """The later run against the earlier one.

    Raises:
        InvalidRequest: One did not get to its end, or they have no question in common.
    """
    for run, _ in (before, after):
        if not run.is_whole:
            raise InvalidRequest("A run that did not get to its end cannot be compared. Run the evaluation again.")
    asked, asked_now = ([result for result in results if result.counts] for _, results in (before, after))
    pairs = _shared(asked, asked_now)
    absent = [lost for _, lost in _shared(asked, (result for result in after[1] if not result.counts))]
    if not pairs and not absent:
        raise InvalidRequest("The two runs have no question in common. Compare runs of the same golden set.")
    changes = sorted(_changes(pairs), key=lambda change: (change.change, change.question_id))
    rose = {change.question_id for change in changes if change.change > 0}
    fell = {change.question_id for change in changes if change.change < 0}
    better, worse = len(rose - fell), len(fell - rose)
    return Comparison(
        before=before[0],
        after=after[0],
        shared=len(pairs),
        before_only=len(asked) - len(pairs),
        after_only=len(asked_now) - len(pairs),
        metrics=tuple(_metric_change(metric, pairs, max_drop) for metric in METRICS),
        questions=tuple(changes),
        better=better,
        worse=worse,
        both_ways=len(rose & fell),
        p_value=sign_test(better, worse),
        settings=tuple(_setting_changes(_circumstances(before[0]), _circumstances(after[0]))),
        not_yet=max(0, after[0].not_yet - before[0].not_yet),
        absent=tuple(absent),
    )


def accepted(runs: Iterable[tuple[Evaluation, Asked]], precisions: Precisions, *, max_drop: float) -> Evaluation | None:
    """The latest of some whole runs, oldest first, that the gate let pass; the first to count has nothing before it.

    They are runs of the same questions: what one names absent that the one before it did not, that one counted.
    A run that got worse is none to compare with: what failed once would pass when it is tried again. Nor is one that
    counted less than the one before it: what it did not ask could get worse and nobody would be told.
    """
    found: tuple[Evaluation, Asked] | None = None
    for run in runs:
        if found is None:
            found = run if run[1].counted else None
        elif _counts_as_much(found[1], run[1]) and _may_follow(found[0], run[0], precisions, max_drop):
            found = run
    return found[0] if found else None


def _counts_as_much(before: Asked, after: Asked) -> bool:
    return after.counted >= before.counted and after.absent <= before.absent


def _may_follow(before: Evaluation, after: Evaluation, precisions: Precisions, max_drop: float) -> bool:
    overall = ((metric, before.metrics.get(metric.name), after.metrics.get(metric.name)) for metric in METRICS)
    fails = (_fails(metric, old, new, max_drop) for metric, old, new in overall if metric.name != CITATIONS)
    return after.not_yet <= before.not_yet and not any(fails) and not _cites_worse(before, after, precisions, max_drop)


def _cites_worse(before: Evaluation, after: Evaluation, precisions: Precisions, max_drop: float) -> bool:
    """Whether citation precision fell too far over the questions for which both have one, as `compare` has it.

    Nothing is read of runs in which every reference was right: where both have 1.0, no question has less.
    """
    overall = [run.metrics.get(CITATIONS) for run in (before, after)]
    if None in overall or overall == [1.0, 1.0]:
        return False
    old, new = precisions(before), precisions(after)
    shared = old.keys() & new.keys()
    if not shared:
        return False
    was, now = (fmean(run[question] for question in shared) for run in (old, new))
    return _fails(BY_NAME[CITATIONS], was, now, max_drop)


def sign_test(better: int, worse: int) -> float:
    """The probability that chance alone divides as many changes so unevenly, or more so."""
    changed = better + worse
    tail = ways = 1  # of choosing none of them
    for few in range(min(better, worse)):
        ways = ways * (changed - few) // (few + 1)
        tail += ways
    return float(min(1, 2 * tail / 2**changed)) if changed else 1.0


def _shared(
    before: Iterable[QuestionResult], after: Iterable[QuestionResult]
) -> list[tuple[QuestionResult, QuestionResult]]:
    """The questions both runs asked: the same id, words and kind, with as much evidence."""
    known = {_identity(result): result for result in before}
    return [(known[_identity(result)], result) for result in after if _identity(result) in known]


def _identity(result: QuestionResult) -> tuple[str, str, bool, int]:
    return (result.question_id, result.question, result.answerable, result.pieces)


def _metric_change(
    metric: Metric, pairs: Sequence[tuple[QuestionResult, QuestionResult]], max_drop: float
) -> MetricChange:
    if metric.name == CITATIONS:
        pairs = [pair for pair in pairs if None not in map(citation_precision, pair)]
    old, new = (metric.measure([pair[side] for pair in pairs]) for side in (0, 1))
    return MetricChange(metric.name, old, new, _fails(metric, old, new, max_drop))


def _fails(metric: Metric, before: float | None, after: float | None, max_drop: float) -> bool:
    """Whether a metric that gates got worse by more than is allowed; what one run alone measured did not."""
    if not metric.gated or before is None or after is None:
        return False
    return (before - after if metric.higher_is_better else after - before) > max_drop + _SAME


def _changes(pairs: Iterable[tuple[QuestionResult, QuestionResult]]) -> Iterator[QuestionChange]:
    for old, new in pairs:
        measures = (
            (BY_NAME[NDCG].title, ndcg_of(old), ndcg_of(new)),
            ("Rightly answered or not", _rightly(old), _rightly(new)),
            (BY_NAME[CITATIONS].title, citation_precision(old), citation_precision(new)),
        )
        for what, was, now in measures:
            if was is not None and now is not None and abs(now - was) > _SAME:
                yield QuestionChange(new.question_id, new.question, what, was, now)


def _rightly(result: QuestionResult) -> float:
    """1 where an answerable question is answered, or an unanswerable one is not."""
    return float(result.abstained is not result.answerable)


def _circumstances(run: Evaluation) -> dict[str, str]:
    """Everything besides the questions that a result depends on."""
    reader = ", ".join(run.groups) or "whoever asked"
    return {**run.circumstances, "read as": reader, "golden set": f"{run.name} ({run.set_sha256[:12]})"}


def _setting_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[SettingChange]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, "") != after.get(name, ""):
            yield SettingChange(name, before.get(name, ""), after.get(name, ""))
