"""The metrics of an evaluation. Pure.

Retrieval metrics are means over the questions that have an answer, cut at rank k, with binary relevance, as defined by
Manning, Raghavan, Schütze: "Introduction to Information Retrieval" (2008), chapter 8, and computed by trec_eval. What
counts as one rank is told in `relevance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from appliance.domain import AnswerKind
from appliance.evaluation.results import QuestionResult

NDCG = "ndcg@10"
CITATIONS = "citation_precision"
_CUT = 10
_DOCUMENT_CUT = 5
_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def recall(gains: Sequence[int], pieces: int, cut: int) -> float:
    """The share of the pieces of evidence that the first `cut` ranks hold (Manning et al., 8.3)."""
    return sum(gains[:cut]) / pieces


def reciprocal_rank(gains: Sequence[int], cut: int = _CUT) -> float:
    """1 divided by the rank of the first evidence, 0 without any up to `cut` (Voorhees: "The TREC-8 Question Answering
    Track Report", 1999)."""
    return next((1 / rank for rank, gain in enumerate(gains[:cut], start=1) if gain), 0.0)


def ndcg(gains: Sequence[int], pieces: int, cut: int = _CUT) -> float:
    """Discounted cumulative gain over that of the best ranking there can be (Järvelin, Kekäläinen: "Cumulated
    Gain-Based Evaluation of IR Techniques", ACM TOIS 2002, with the discount log2(rank + 1) of trec_eval).

    A rank is relevant or not: two pieces of evidence that stand in one passage take one rank, also of the best ranking.
    """
    hits = [gain > 0 for gain in gains[:cut]]
    relevant = sum(hits) + pieces - sum(gains[:cut])
    return _discounted(hits) / _discounted([True] * min(relevant, cut))


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """The area under the ROC curve: how often a positive scores above a negative, a tie counting half (Hanley, McNeil,
    Radiology 1982). None where one of the two is empty."""
    if not positives or not negatives:
        return None
    ranks = _mid_ranks([*positives, *negatives])
    above = sum(ranks[: len(positives)]) - len(positives) * (len(positives) + 1) / 2
    return above / (len(positives) * len(negatives))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of the values do not exceed (nearest rank); None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run. `meaning` tells it in one plain sentence. One that is `gated` may fail a change."""

    name: str
    title: str
    meaning: str
    measure: Callable[[Sequence[QuestionResult]], float | None]
    higher_is_better: bool = True
    gated: bool = True


def measured(results: Sequence[QuestionResult]) -> dict[str, float | None]:
    """Every metric of these results, by name; over the questions that were asked."""
    asked = [result for result in results if result.counts]
    return {metric.name: metric.measure(asked) for metric in METRICS}


def ndcg_of(result: QuestionResult) -> float | None:
    """nDCG@10 of one question, None where the documents hold no answer to find."""
    return ndcg(result.gains, result.pieces) if _has_evidence(result) else None


def goodness(result: QuestionResult) -> tuple[float, float]:
    """Sorts what went worst to the front: what was turned away or answered wrongly, then what was found late or cited
    beside the evidence, and behind all what was not asked."""
    if not result.counts:
        return (math.inf, 0.0)
    found = ndcg_of(result)
    if found is None or result.abstained:
        found = float(result.abstained is not result.answerable)
    precision = citation_precision(result)
    return (found, 1.0 if precision is None else precision)


def citation_precision(result: QuestionResult) -> float | None:
    """The share of one answer's citations that are evidence: 0 where a model wrote and cited nothing, None without an
    answer, or where it is not known what evidence there is."""
    if result.answerable and not result.pieces:
        return None
    return precision_of(result.citations, result.right_citations, is_written=result.kind is AnswerKind.GENERATED)


def precision_of(citations: int | None, right: int | None, *, is_written: bool) -> float | None:
    """`citation_precision` of an answer to a question whose evidence is known."""
    if not citations:
        return 0.0 if is_written else None
    return (right or 0) / citations


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What comes of the questions of a run where those below a score are told that the documents do not say.

    `turned_away` of the answerable ones, `caught` of the others. `is_in_force` marks the threshold of now.
    """

    answerable_above: float
    turned_away: int
    caught: int
    is_in_force: bool


def at_thresholds(results: Iterable[QuestionResult], in_force: float) -> list[AtThreshold]:
    """What thresholds would do, the lowest first, by the scores that a run kept and nothing else."""
    asked = [result for result in results if result.counts]
    answerable = [result.answerability for result in asked if result.answerable]
    others = [result.answerability for result in asked if not result.answerable]
    return [
        AtThreshold(at, sum(score < at for score in answerable), sum(score < at for score in others), at == in_force)
        for at in sorted({*_THRESHOLDS, in_force})
    ]


def _discounted(hits: Sequence[bool]) -> float:
    return sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, start=1) if hit)


def _mid_ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value from 1, equal values sharing the middle of theirs."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for at in order[start:end]:
            ranks[at] = (start + 1 + end) / 2
        start = end
    return ranks


def _has_evidence(result: QuestionResult) -> bool:
    return result.counts and result.answerable and result.pieces > 0


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _over_answerable(measure: Callable[[QuestionResult], float]) -> Callable[[Sequence[QuestionResult]], float | None]:
    return lambda results: _mean(measure(result) for result in results if _has_evidence(result))


def _recall_at(cut: int) -> Callable[[Sequence[QuestionResult]], float | None]:
    return _over_answerable(lambda result: recall(result.gains, result.pieces, cut))


def _abstention_auroc(results: Sequence[QuestionResult]) -> float | None:
    return auroc(
        [result.answerability for result in results if result.answerable],
        [result.answerability for result in results if not result.answerable],
    )


def _abstained(*, answerable: bool) -> Callable[[Sequence[QuestionResult]], float | None]:
    return lambda results: _mean(float(result.abstained) for result in results if result.answerable is answerable)


def _written_by_model(results: Sequence[QuestionResult]) -> float | None:
    kinds = (result.kind for result in results if result.kind in (AnswerKind.GENERATED, AnswerKind.EXTRACTIVE))
    return _mean(float(kind is AnswerKind.GENERATED) for kind in kinds)


def _latency(share: float) -> Callable[[Sequence[QuestionResult]], float | None]:
    return lambda results: percentile([result.retrieval_ms for result in results], share)


METRICS: tuple[Metric, ...] = (
    Metric("recall@1", "Recall@1", "Share of the evidence that stands at the very first place.", _recall_at(1)),
    Metric("recall@5", "Recall@5", "Share of the evidence that is among the first 5 places.", _recall_at(5)),
    Metric("recall@10", "Recall@10", "Share of the evidence that is among the first 10 places.", _recall_at(10)),
    Metric(
        "mrr@10",
        "MRR@10",
        "How high the first evidence stands: 1 at the first place, 1/2 at the second, 0 below the tenth; the mean.",
        _over_answerable(lambda result: reciprocal_rank(result.gains)),
    ),
    Metric(
        NDCG,
        "nDCG@10",
        "How close the order of the first 10 places comes to the best order there could be, which is 1.",
        _over_answerable(lambda result: ndcg(result.gains, result.pieces)),
    ),
    Metric(
        "right_document@5",
        "Right document@5",
        "Share of the questions with a place of the right document among the first 5.",
        _over_answerable(lambda result: float(result.right_document)),
    ),
    Metric(
        "abstention_auroc",
        "Abstention AUROC",
        "How often a question that the documents answer looks more answerable than one they do not; 0.5 is chance.",
        _abstention_auroc,
    ),
    Metric(
        "abstained_wrongly",
        "Wrongly not answered",
        "Share of the answerable questions that would be told the documents do not say.",
        _abstained(answerable=True),
        higher_is_better=False,
    ),
    Metric(
        "abstained_rightly",
        "Rightly not answered",
        "Share of the unanswerable questions that would be told the documents do not say.",
        _abstained(answerable=False),
    ),
    Metric(
        CITATIONS,
        "Citation precision",
        "Share of the passages cited, or quoted without a model, that are evidence; 0 where a model cites none.",
        lambda results: _mean(citation_precision(result) for result in results),
    ),
    Metric(
        "written_by_model",
        "Written by the model",
        "Share of the answers that the language model wrote; the rest are quoted passages.",
        _written_by_model,
    ),
    Metric(
        "retrieval_ms_p50",
        "Search, median",
        "Milliseconds within which half of the searches were done.",
        _latency(0.5),
        higher_is_better=False,
        gated=False,
    ),
    Metric(
        "retrieval_ms_p95",
        "Search, p95",
        "Milliseconds within which 95 of 100 searches were done.",
        _latency(0.95),
        higher_is_better=False,
        gated=False,
    ),
    Metric(
        "answer_ms_p50",
        "Answer, median",
        "Milliseconds within which half of the answers were complete.",
        lambda results: percentile([result.answer_ms for result in results if result.answer_ms is not None], 0.5),
        higher_is_better=False,
        gated=False,
    ),
)
BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
