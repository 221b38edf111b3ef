"""Two runs side by side: what differs, which questions, and whether the later one may stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from appliance.domain import AnswerKind
from appliance.errors import InvalidRequest
from appliance.evaluation.compare import Comparison, accepted, compare, sign_test
from appliance.evaluation.results import Asked, Evaluation, FoundPlace, Outcome, QuestionResult, SetKind
from tests.appliance.evaluation.test_metrics import result

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RUN = Evaluation(
    "e1", "set.jsonl", SetKind.FILE, "ab" * 32, ("everyone",), answers=False, started_by="p", started_at=NOW, total=2,
    settings={"embedding.model": "small", "retrieval.passages": "8"}, finished_at=NOW,
)  # fmt: skip


def named(name: str, found: QuestionResult) -> QuestionResult:
    return replace(found, question_id=name, question=f"the words of {name}")


def compared(
    before: list[QuestionResult], after: list[QuestionResult], *, max_drop: float = 0.02, **changed: object
) -> Comparison:
    return compare((RUN, before), (replace(RUN, id="e2", **changed), after), max_drop=max_drop)  # type: ignore[arg-type]


def test_a_run_against_itself_differs_in_nothing() -> None:
    results = [named("a", result(1)), named("b", result(0, 1)), named("c", result(answerable=False))]
    found = compared(results, results, max_drop=0)
    assert found.passes
    assert (found.shared, found.better, found.worse, found.both_ways, found.p_value) == (3, 0, 0, 0, 1.0)
    assert found.questions == ()
    assert found.settings == ()


def test_the_questions_that_went_otherwise_are_named_the_worst_first() -> None:
    before = [named("a", result(1)), named("b", result(0, 1)), named("c", result(1)), named("d", result(0))]
    after = [named("a", result(0, 1)), named("b", result(1)), named("c", result(0)), named("d", result(0))]
    found = compared(before, after)
    assert [(change.question_id, round(change.change, 2)) for change in found.questions] == [
        ("c", -1.0), ("a", -0.37), ("b", 0.37),
    ]  # fmt: skip
    assert found.questions[0].question == "the words of c"
    assert (found.better, found.worse) == (1, 2)


def test_an_answerable_question_that_is_no_longer_answered_went_worse() -> None:
    found = compared([named("a", result(1))], [named("a", result(1, abstained=True))])
    assert [(change.what, change.change) for change in found.questions] == [("Rightly answered or not", -1.0)]
    assert not found.passes
    better = compared([named("a", result(answerable=False))], [named("a", result(answerable=False, abstained=True))])
    assert [change.change for change in better.questions] == [1.0]
    assert better.passes


def test_questions_that_became_refused_are_counted_as_they_are_listed() -> None:
    before = [named(str(n), result(1)) for n in range(10)]
    after = [named(str(n), result(1, abstained=True)) for n in range(10)]  # found as before, and answered no more
    found = compared(before, after)
    assert len(found.questions) == 10
    assert (found.better, found.worse, found.both_ways) == (0, 10, 0)
    assert found.p_value == sign_test(0, 10) < 0.01


def test_a_question_is_counted_once_however_many_of_its_measures_changed() -> None:
    cites = {"citations": 1, "kind": AnswerKind.GENERATED}
    before = [
        named("both ways", result(0, 1, **cites, right_citations=1)),
        named("twice worse", result(1, **cites, right_citations=1)),
        named("better", result(0, 1)),
    ]
    after = [
        named("both ways", result(1, **cites, right_citations=0)),
        named("twice worse", result(0, 1, **cites, right_citations=0)),
        named("better", result(1)),
    ]
    found = compared(before, after)
    assert len(found.questions) == 5
    assert (found.better, found.worse, found.both_ways, found.p_value) == (1, 1, 1, 1.0)


def test_the_gate_fails_past_the_amount_and_not_at_it() -> None:
    before = [named(str(n), result(1)) for n in range(50)]
    after = [named(str(n), result(1) if n else result(0)) for n in range(50)]  # one of fifty: 0.02
    assert compared(before, after, max_drop=0.02).passes
    assert not compared(before, after, max_drop=0.019).passes
    assert {metric.name for metric in compared(before, after, max_drop=0.019).metrics if metric.fails} == {
        "recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10",
    }  # fmt: skip


def test_a_metric_for_which_less_is_better_fails_when_it_rises() -> None:
    before, after = [named("a", result(1))], [named("a", result(1, abstained=True))]
    failing = {metric.name for metric in compared(before, after).metrics if metric.fails}
    assert failing == {"abstained_wrongly"}
    assert compared(after, before).passes


def test_slower_is_said_and_does_not_fail() -> None:
    found = compared([named("a", result(1))], [named("a", result(1, retrieval_ms=9000.0))])
    slower = next(metric for metric in found.metrics if metric.name == "retrieval_ms_p95")
    assert (slower.before, slower.after, slower.fails) == (10.0, 9000.0, False)


def test_what_one_run_alone_measured_does_not_fail() -> None:
    before = [named("a", result(1, citations=1, right_citations=1))]
    found = compared(before, [named("a", result(1))])
    assert found.passes
    cited = next(metric for metric in found.metrics if metric.name == "citation_precision")
    assert (cited.before, cited.after) == (None, None)


def test_citations_are_compared_over_the_questions_that_both_runs_quoted_for() -> None:
    right, half = (result(1, citations=2, right_citations=number) for number in (2, 1))
    before = [named("a", right), named("b", half), named("c", result(1))]
    after = [named("a", result(1)), named("b", half), named("c", right)]
    for sides in ((before, after), (after, before), (before[:2], after[:2])):
        found = compared(*sides, max_drop=0)
        cited = next(metric for metric in found.metrics if metric.name == "citation_precision")
        assert (cited.before, cited.after, found.passes) == (0.5, 0.5, True)


def test_a_model_that_stops_citing_fails_the_gate() -> None:
    cites = [named("a", result(1, kind=AnswerKind.GENERATED, citations=1, right_citations=1))]
    silent = [named("a", result(1, kind=AnswerKind.GENERATED, citations=0, right_citations=0))]
    found = compared(cites, silent)
    assert {metric.name for metric in found.metrics if metric.fails} == {"citation_precision"}
    assert [(change.what, change.change) for change in found.questions] == [("Citation precision", -1.0)]
    refused = [named("a", result(1, kind=AnswerKind.ABSTAINED, citations=0, right_citations=0, answerable=False))]
    assert compared(refused, refused).passes


def test_only_questions_that_both_asked_are_compared() -> None:
    changed = replace(named("b", result(0)), question="other words")
    found = compared([named("a", result(1)), named("b", result(1))], [named("a", result(1)), changed])
    assert (found.shared, found.before_only, found.after_only) == (1, 1, 1)
    assert found.passes


def test_runs_without_a_question_in_common_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="no question in common"):
        compared([named("a", result(1))], [named("b", result(1))])


@pytest.mark.parametrize("changed", [{"finished_at": None}, {"error": "The evaluation was cancelled."}])
def test_a_run_that_did_not_get_to_its_end_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="did not get to its end"):
        compared([named("a", result(1))], [named("a", result(1))], **changed)


def test_what_was_in_force_is_compared_with_the_groups_and_the_set() -> None:
    both = [named("a", result(1))]
    settings = {"embedding.model": "large", "reranker": "on"}
    found = compared(both, both, settings=settings, groups=("everyone", "hr"), set_sha256="cd" * 32)
    assert [(change.name, change.before, change.after) for change in found.settings] == [
        ("embedding.model", "small", "large"),
        ("golden set", "set.jsonl (abababababab)", "set.jsonl (cdcdcdcdcdcd)"),
        ("read as", "everyone", "everyone, hr"),
        ("reranker", "", "on"),
        ("retrieval.passages", "8", ""),
    ]


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (5, 0, 0.0625), (2, 8, 0.109375), (0, 2000, 0.0)],
)
def test_the_sign_test_is_exact_and_two_sided(better: int, worse: int, expected: float) -> None:
    assert sign_test(better, worse) == pytest.approx(expected)


def test_the_sign_test_takes_the_largest_golden_set() -> None:
    assert sign_test(10_000, 10_000) == 1.0
    assert 0 < sign_test(5_100, 4_900) < 1


def test_a_change_that_was_not_measured_does_not_pass() -> None:
    results = [named("a", result(1))]
    found = compared(results, results, not_yet=12)
    assert (found.not_yet, found.passes) == (12, False)
    as_ever = replace(RUN, not_yet=12)  # of a source that is paused, say
    assert compare((as_ever, results), (replace(as_ever, id="e2"), results), max_drop=0.02).passes


def absent(name: str) -> QuestionResult:
    return named(name, result(outcome=Outcome.ABSENT, places=(FoundPlace("", f"{name}.pdf", None, relevant=False),)))


def test_what_counted_and_is_not_there_any_more_does_not_pass() -> None:
    before = [named(name, result(1)) for name in "abc"]
    found = compared(before, [named("a", result(1)), absent("b"), absent("c")])
    assert ([lost.question_id for lost in found.absent], found.passes) == (["b", "c"], False)
    assert (found.shared, found.before_only) == (1, 2)
    nothing = compared(before, [absent(name) for name in "abc"])
    assert (len(nothing.absent), nothing.shared, nothing.passes) == (3, 0, False)


def test_what_never_counted_may_be_absent() -> None:
    before = [named("a", result(1)), absent("b")]
    assert compared(before, [named("a", result(1)), absent("b"), absent("c")]).passes
    with pytest.raises(InvalidRequest, match="no question in common"):
        compared([absent("a")], [absent("a")])


def _nothing_cited(_run: Evaluation) -> dict[str, float]:
    return {}


def test_a_run_is_one_to_compare_with_by_its_citations_for_the_same_questions() -> None:
    def last(*cited: dict[str, float]) -> int:
        """The place of the run that is accepted, of runs with the citation precision of each question."""
        runs = [
            replace(RUN, id=str(at), metrics={"citation_precision": sum(one.values()) / len(one) if one else None})
            for at, one in enumerate(cited)
        ]
        found = accepted(((run, Asked(2)) for run in runs), lambda run: cited[int(run.id)], max_drop=0.02)
        assert found is not None
        return int(found.id)

    assert last({"a": 1.0}, {"a": 1.0, "b": 0.5}) == 1  # one more is answered; 'a' as before
    assert last({"a": 1.0}, {"a": 0.94, "b": 1.0, "c": 1.0, "d": 1.0}) == 0  # overall by 0.015, 'a' by 0.06
    assert last({"a": 1.0, "b": 0.5}, {"a": 0.8}) == 0  # overall better
    assert last({"a": 1.0, "b": 0.5}, {"a": 0.75}) == 0  # overall the same
    assert last({"a": 1.0, "b": 1.0}, {"b": 1.0}) == 1
    assert last({"a": 1.0}, {"b": 0.1}) == 1  # nothing that could be compared
    assert last({"a": 1.0}, {}) == 1  # one run alone measured it
    assert last({"a": 0.5}, {"a": 0.4}, {"a": 0.5, "b": 0.1}) == 2  # with the one that is accepted, not the one before


def test_a_run_that_got_worse_is_none_to_compare_with() -> None:
    def run(name: str, ndcg: float | None, not_yet: int = 0) -> Evaluation:
        return replace(RUN, id=name, metrics={"ndcg@10": ndcg}, not_yet=not_yet)

    def last(*runs: Evaluation) -> str:
        found = accepted(((run, Asked(2)) for run in runs), _nothing_cited, max_drop=0.02)
        return found.id if found else ""

    first = run("first", 0.80)
    assert last() == ""
    assert last(first, run("worse", 0.70)) == "first"
    assert last(first, run("worse", 0.70), run("again", 0.70)) == "first"
    assert last(first, run("a little", 0.79)) == "a little"
    assert last(first, run("worse", 0.70), run("better", 0.81)) == "better"
    assert last(first, run("not yet in force", 0.80, not_yet=3)) == "first"
    assert last(run("nothing to measure", None), first) == "first"


def test_a_run_that_counted_less_is_none_to_compare_with() -> None:
    def last(*asked: tuple[str, str]) -> int | None:
        """The place of the run that is accepted, of runs that counted some questions and found others absent."""
        runs = [
            (replace(RUN, id=str(at)), Asked(len(counted), frozenset(absent)))
            for at, (counted, absent) in enumerate(asked)
        ]
        found = accepted(runs, _nothing_cited, max_drop=0.02)
        return None if found is None else int(found.id)

    assert last(("", "abc"), ("", "abc")) is None  # nothing was measured yet
    assert last(("abc", ""), ("ab", "c")) == 0
    assert last(("abc", ""), ("", "abc")) == 0
    assert last(("abc", ""), ("ab", "")) == 0  # what people found helpful and was left out
    assert last(("abc", ""), ("abd", "c")) == 0  # as many, but others
    assert last(("ab", "c"), ("abc", "")) == 1
    assert last(("ab", "c"), ("ab", "c")) == 1
    assert last(("", "abc"), ("abc", ""), ("a", "bc")) == 1
