"""Fits and measures when the appliance says that the documents do not answer, without a model that reads them.

    python bench/abstention.py --index FOLDER [--check SET ...] SET ...

Each SET is a folder of evaluation material (see `bench/corpora.py`) with questions that its documents answer and, in some
sets, questions that they do not. A third kind is asked of the wrong documents altogether: questions of each SET are put to
those of the SET before it. The weights and the threshold are fitted on a random half of each, the answerable
questions of every set counting the same, and so the others, and measured on the other half, twenty times over. The sets
after --check are not fitted, but held against the threshold of all. FOLDER keeps the indexes, so that a second run reads
only what changed.

Printed are, of the halves that were not fitted, the area under the ROC curve and the share of answerable questions that are
turned away; the weights on all questions (`WEIGHTS` in `appliance/answering/abstention.py`), and the threshold
(`retrieval.answerable_above`) at which no set loses more than one answerable question in twenty, with what it costs and
catches in each, and with it the rule for where no model reads the passages (`appliance/answering/named.py`).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy
from corpora import READERS, Question, opened_set, questions
from numpy.typing import NDArray

from appliance.answering.abstention import Signs, Weights, answerability, signs
from appliance.answering.named import are_missing
from appliance.domain import Hit

_MOST_QUESTIONS = 1_000  # of one set
_STRANGERS = 160
_ROUNDS = 20
_FALSE = 0.05
_STEPS = 60
_SHRINK = 1.0
Floats = NDArray[numpy.float64]


class Asked:
    """The questions of a set and what was found for them."""

    def __init__(self, folder: Path, kept: Path, strangers: Sequence[Question] = ()) -> None:
        asked = list(strangers) or questions(folder)
        if len(asked) > _MOST_QUESTIONS:
            asked = random.Random(1).sample(asked, _MOST_QUESTIONS)
        with opened_set(folder, kept) as appliance:
            self.hits: list[list[Hit]] = [appliance.retriever.retrieve(one.text, READERS) for one in asked]
            passages = appliance.settings.retrieval.passages
        self.questions = [one.text for one in asked]
        self.answerable = numpy.array([one.answerable for one in asked])
        pairs = zip(self.questions, self.hits, strict=True)
        self.unnamed = numpy.array([are_missing(question, "", hits[:passages]) for question, hits in pairs])
        self.signs = numpy.array([_row(signs(one, hits)) for one, hits in zip(self.questions, self.hits, strict=True)])

    def scores(self, weights: Weights) -> Floats:
        """As the appliance would judge them."""
        pairs = zip(self.questions, self.hits, strict=True)
        return numpy.array([answerability(question, hits, weights) for question, hits in pairs])


def strangers(folder: Path) -> list[Question]:
    """Some answerable questions of a set, as they are when other documents are asked: nothing answers them."""
    asked = [one for one in questions(folder) if one.answerable]
    return [replace(one, answerable=False) for one in random.Random(1).sample(asked, min(len(asked), _STRANGERS))]


def _row(found: Signs) -> tuple[float, ...]:
    return (1.0, found.cosine, found.names, found.denial)


def fitted(sets: Sequence[tuple[Floats, NDArray[numpy.bool_]]]) -> Weights:
    """Weights of the logistic formula (Newton's method, a little shrunk), every set counting the same."""
    rows = numpy.concatenate([found for found, _ in sets])
    wanted = numpy.concatenate([answerable for _, answerable in sets]).astype(float)
    counts = numpy.concatenate([_counts(answerable) for _, answerable in sets])
    middle, spread = rows[:, 1:].mean(0), rows[:, 1:].std(0) + 1e-9
    scaled = numpy.column_stack([rows[:, 0], (rows[:, 1:] - middle) / spread])
    weights = numpy.zeros(scaled.shape[1])
    shrink = numpy.diag([0.0] + [_SHRINK] * (len(weights) - 1))
    for _ in range(_STEPS):
        likely = 1 / (1 + numpy.exp(-scaled @ weights))
        slope = scaled.T @ (counts * (likely - wanted)) + shrink @ weights
        bend = (scaled.T * (counts * likely * (1 - likely))) @ scaled + shrink
        weights -= numpy.linalg.solve(bend, slope)
    plain = weights[1:] / spread
    return Weights(float(weights[0] - plain @ middle), *map(float, plain))


def _counts(answerable: NDArray[numpy.bool_]) -> Floats:
    """What each question counts: all answerable ones of a set as much as those of another, and so the others."""
    counts: Floats = numpy.where(answerable, 100 / max(1, answerable.sum()), 100 / max(1, (~answerable).sum()))
    return counts


def lowest(scores: Floats, answerable: NDArray[numpy.bool_]) -> float:
    """What one answerable question in twenty stays below."""
    return float(numpy.quantile(scores[answerable], _FALSE))


def area(scores: Floats, answerable: NDArray[numpy.bool_]) -> float:
    """The share of pairs of an answerable and an unanswerable question in which the first has the higher score."""
    yes, no = scores[answerable][:, None], scores[~answerable][None, :]
    return float((yes > no).mean() + (yes == no).mean() / 2)


def halves(sets: Mapping[str, Asked]) -> None:
    """Fit on one half, measure on the other, and print the middle and the worst of all rounds."""
    areas: dict[str, list[float]] = {name: [] for name in sets}
    turned_away: dict[str, list[float]] = {name: [] for name in sets}
    for number in range(_ROUNDS):
        dice = numpy.random.default_rng(number)
        chosen = {name: dice.random(len(asked.answerable)) < 0.5 for name, asked in sets.items()}
        weights = fitted([(asked.signs[chosen[name]], asked.answerable[chosen[name]]) for name, asked in sets.items()])
        scores = {name: asked.scores(weights) for name, asked in sets.items()}
        threshold = min(
            lowest(scores[n][chosen[n]], asked.answerable[chosen[n]])
            for n, asked in sets.items()
            if asked.answerable[chosen[n]].any()
        )
        for name, asked in sets.items():
            other, answerable = scores[name][~chosen[name]], asked.answerable[~chosen[name]]
            if answerable.any():
                turned_away[name].append(float((other[answerable] < threshold).mean()))
            if answerable.any() and not answerable.all():
                areas[name].append(area(other, answerable))
    for name, shares in turned_away.items():
        if not shares:
            continue
        told = f"; AUROC mean {numpy.mean(areas[name]):.3f}, worst {min(areas[name]):.3f}" if areas[name] else ""
        print(f"{name:16} on the half that was not fitted: turned away mean {numpy.mean(shares):.1%}, "
              f"worst of {_ROUNDS} {max(shares):.1%}{told}")  # fmt: skip


def _shares(which: NDArray[numpy.bool_], low: NDArray[numpy.bool_], unnamed: NDArray[numpy.bool_]) -> str:
    """The share of these questions below the threshold, and with those that name what stands nowhere."""
    return (
        f"{low[which].mean():6.1%} ({(low | unnamed)[which].mean():6.1%} without a model)" if which.any() else "     -"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--check", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    sets = {folder.name: Asked(folder, given.index) for folder in given.sets}
    for folder, other in pairwise([*given.sets, *given.sets[:1]]):
        if folder != other:
            sets[f"{other.name} in {folder.name}"] = Asked(folder, given.index, strangers(other))
    halves(sets)
    weights = fitted([(asked.signs, asked.answerable) for asked in sets.values()])
    print(weights)
    scored = {name: (asked.answerable, asked.scores(weights), asked.unnamed) for name, asked in sets.items()}
    for folder in given.check:
        checked = Asked(folder, given.index)
        scored[folder.name] = (checked.answerable, checked.scores(weights), checked.unnamed)
    threshold = int(min(lowest(scores, found) for found, scores, _ in scored.values() if found.any()) * 100) / 100
    print(f"threshold {threshold:.2f}")
    for name, (answerable, scores, unnamed) in scored.items():
        low = scores < threshold
        caught, false = (_shares(which, low, unnamed) for which in (~answerable, answerable))
        print(f"{name:26} {answerable.sum():5} answerable, falsely 'do not say' {false}; "
              f"{(~answerable).sum():5} not, caught {caught}")  # fmt: skip


if __name__ == "__main__":
    main()
