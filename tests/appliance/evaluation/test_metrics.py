"""The metrics, against values worked out by hand and against scikit-learn, which is loaded by the tests that need it: it
takes seconds, and every process of the tests collects all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain import AnswerKind
from appliance.evaluation.metrics import (
    BY_NAME,
    METRICS,
    at_thresholds,
    auroc,
    citation_precision,
    goodness,
    measured,
    ndcg,
    percentile,
    recall,
    reciprocal_rank,
)
from appliance.evaluation.results import Outcome, QuestionResult

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=20)


def result(
    *gains: int, pieces: int = 1, answerable: bool = True, score: float = 0.5, abstained: bool = False, **more: object
) -> QuestionResult:
    values: dict[str, object] = {
        "question_id": "q", "question": "", "answerable": answerable, "pieces": pieces if answerable else 0,
        "gains": gains, "right_document": bool(gains), "answerability": score, "abstained": abstained,
        "retrieval_ms": 10.0,
    }  # fmt: skip
    return QuestionResult(**values | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gains", "pieces", "cut", "expected"),
    [((1, 0, 0), 1, 1, 1.0), ((0, 1), 1, 1, 0.0), ((0, 1), 1, 5, 1.0), ((1, 0, 1), 4, 5, 0.5), ((2,), 2, 1, 1.0), ((), 3, 5, 0.0)],
)  # fmt: skip
def test_recall_is_the_share_of_the_evidence_found(
    gains: Sequence[int], pieces: int, cut: int, expected: float
) -> None:
    assert recall(gains, pieces, cut) == expected


@pytest.mark.parametrize(
    ("gains", "expected"), [((1,), 1.0), ((0, 0, 1, 1), 1 / 3), ((0,) * 10, 0.0), ((0,) * 10 + (1,), 0.0), ((), 0.0)]
)
def test_the_reciprocal_rank_is_that_of_the_first_evidence_up_to_ten(gains: Sequence[int], expected: float) -> None:
    assert reciprocal_rank(gains) == expected


@pytest.mark.parametrize(
    ("gains", "pieces", "expected"),
    [
        ((1, 0, 0), 1, 1.0),
        ((0, 1), 1, 1 / math.log2(3)),
        ((0, 0, 1), 1, 0.5),
        ((1, 0, 1), 2, (1 + 0.5) / (1 + 1 / math.log2(3))),
        ((2, 0), 2, 1.0),  # both pieces in one passage: there is no better order
        ((0, 2), 3, (1 / math.log2(3)) / (1 + 1 / math.log2(3))),  # one passage with two pieces, one more not found
        ((0, 0), 5, 0.0),
        ((1,) * 10, 12, 1.0),  # no order of ten holds more
    ],
)
def test_ndcg_is_the_discounted_gain_over_the_best_there_is(gains: Sequence[int], pieces: int, expected: float) -> None:
    assert ndcg(gains, pieces) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=15).filter(any))
def test_ndcg_agrees_with_scikit_learn(relevant: list[bool]) -> None:
    from sklearn.metrics import ndcg_score

    order = [[float(-rank) for rank in range(len(relevant))]]
    expected = ndcg_score([[float(hit) for hit in relevant]], order, k=10)
    gains = [int(hit) for hit in relevant]
    assert ndcg(gains, sum(gains)) == pytest.approx(expected)


def test_the_area_counts_how_often_a_positive_is_above_and_a_tie_half() -> None:
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auroc([0.1], [0.9]) == 0.0
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([0.9, 0.5, 0.1], [0.5, 0.2]) == pytest.approx((2 + 1.5 + 0) / 6)
    assert auroc([], [0.5]) is None
    assert auroc([0.5], []) is None


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_area_agrees_with_scikit_learn(positives: list[float], negatives: list[float]) -> None:
    from sklearn.metrics import roc_auc_score

    expected = roc_auc_score([1] * len(positives) + [0] * len(negatives), [*positives, *negatives])
    assert auroc(positives, negatives) == pytest.approx(expected)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([30.0, 10.0, 20.0, 40.0], 0.5) == 20.0
    assert percentile([float(value) for value in range(1, 101)], 0.95) == 95.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) is None


def test_the_metrics_of_a_run_are_means_over_the_questions_they_are_about() -> None:
    found = measured(
        [
            result(1, score=0.9, citations=2, right_citations=1, kind=AnswerKind.GENERATED, answer_ms=100.0),
            result(0, 1, score=0.4, abstained=True, retrieval_ms=30.0),
            result(answerable=False, score=0.4, abstained=True),
            result(
                answerable=False, score=0.2, citations=1, right_citations=0, kind=AnswerKind.EXTRACTIVE, answer_ms=300.0
            ),
        ]
    )
    assert found["recall@1"] == 0.5
    assert found["recall@5"] == found["recall@10"] == 1.0
    assert found["mrr@10"] == 0.75
    assert found["ndcg@10"] == pytest.approx((1 + 1 / math.log2(3)) / 2)
    assert found["right_document@5"] == 1.0
    assert found["abstention_auroc"] == pytest.approx((2 + 1.5) / 4)
    assert found["abstained_wrongly"] == 0.5
    assert found["abstained_rightly"] == 0.5
    assert found["citation_precision"] == 0.25
    assert found["written_by_model"] == 0.5
    assert (found["retrieval_ms_p50"], found["retrieval_ms_p95"], found["answer_ms_p50"]) == (10.0, 30.0, 100.0)


def test_what_cannot_be_measured_is_none_and_not_zero() -> None:
    found = measured([result(answerable=False)])
    assert {name for name, value in found.items() if value is not None} == {
        "abstained_rightly", "retrieval_ms_p50", "retrieval_ms_p95",
    }  # fmt: skip


def test_a_question_said_to_be_answerable_without_evidence_counts_for_abstention_alone() -> None:
    found = measured([result(pieces=0, score=0.9), result(answerable=False, score=0.1)])
    assert found["abstention_auroc"] == 1.0
    assert found["ndcg@10"] is None


def test_every_metric_says_what_it_means_and_no_time_gates() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.meaning.endswith(".")
        assert metric.gated != metric.name.endswith(("_p50", "_p95"))


def test_citations_count_where_it_is_known_what_evidence_there_is() -> None:
    assert citation_precision(result(1, citations=2, right_citations=1)) == 0.5
    assert citation_precision(result(answerable=False, citations=2, right_citations=0)) == 0.0
    assert citation_precision(result(pieces=0, citations=2, right_citations=0)) is None


def test_what_another_threshold_would_do_is_told_by_the_scores_alone() -> None:
    results = [
        result(1, score=0.9),
        result(1, score=0.18, abstained=True),  # for another reason than its score
        result(1, score=0.1, abstained=True),
        result(answerable=False, score=0.17),
        result(answerable=False, score=0.04, abstained=True),
        result(score=0.0, outcome=Outcome.ABSENT),  # not asked: it has no score
    ]
    found = {item.answerable_above: item for item in at_thresholds(results, 0.17)}
    assert list(found) == sorted(found)
    assert [at for at, item in found.items() if item.is_in_force] == [0.17]
    assert {at: (found[at].turned_away, found[at].caught) for at in (0.05, 0.15, 0.17, 0.2, 0.8)} == {
        0.05: (0, 1), 0.15: (1, 1), 0.17: (1, 1), 0.2: (2, 2), 0.8: (2, 2),
    }  # fmt: skip
    assert 0.2 in {item.answerable_above for item in at_thresholds(results, 0.2)}


def test_what_was_turned_away_wrongly_goes_worse_than_what_was_found_late() -> None:
    ordered = [
        result(1, abstained=True),  # found, and turned away
        result(0, 1, citations=2, right_citations=1),
        result(1, citations=3, right_citations=1),
        result(1, citations=3, right_citations=3),
        result(answerable=False, outcome=Outcome.ABSENT),
    ]
    backwards = ordered[::-1]
    assert sorted(backwards, key=goodness) == ordered
    caught, missed = result(answerable=False, abstained=True), result(answerable=False)
    assert goodness(missed) < goodness(ordered[1]) < goodness(caught)
