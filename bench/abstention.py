"""Fits and measures when the appliance says that the documents do not answer, without a model that reads them.

    python bench/abstention.py --index FOLDER [--check SET ...] SET ...

Each SET is a folder of evaluation material (see `bench/corpora.py`) with questions that its documents answer and questions
that they do not; the weights are fitted on a random half of each, every set counting the same, and measured on the other
half, twenty times over. The sets after --check have answerable questions only: they are not fitted, but held against the
threshold. FOLDER keeps the indexes, so that a second run reads only what changed.

Printed are the weights on all questions (`WEIGHTS` in `appliance/answering/abstention.py`), the area under the ROC curve
on the halves that were not fitted, and the threshold (`retrieval.answerable_above`) at which no set loses more than one
answerable question in twenty, with what it costs and catches in each.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
from corpora import READERS, opened_set, questions
from numpy.typing import NDArray

from appliance.answering.abstention import Signs, Weights, answerability, signs
from appliance.domain import Hit

_MOST_QUESTIONS = 1_000  # of one set
_ROUNDS = 20
_FALSE = 0.05
_STEPS = 60
_SHRINK = 1.0
Floats = NDArray[numpy.float64]


class Asked:
    """The questions of a set and what was found for them."""

    def __init__(self, folder: Path, kept: Path) -> None:
        asked = questions(folder)
        if len(asked) > _MOST_QUESTIONS:
            asked = random.Random(1).sample(asked, _MOST_QUESTIONS)
        with opened_set(folder, kept) as appliance:
            self.hits: list[list[Hit]] = [appliance.retriever.retrieve(one.text, READERS) for one in asked]
        self.questions = [one.text for one in asked]
        self.answerable = numpy.array([one.answerable for one in asked])
        self.signs = numpy.array([_row(signs(one, hits)) for one, hits in zip(self.questions, self.hits, strict=True)])

    def scores(self, weights: Weights) -> Floats:
        """As the appliance would judge them."""
        pairs = zip(self.questions, self.hits, strict=True)
        return numpy.array([answerability(question, hits, weights) for question, hits in pairs])


def _row(found: Signs) -> tuple[float, ...]:
    return (1.0, found.cosine, found.names, found.denial)


def fitted(sets: Sequence[tuple[Floats, NDArray[numpy.bool_]]]) -> Weights:
    """Weights of the logistic formula (Newton's method, a little shrunk), every set counting the same."""
    rows = numpy.concatenate([found for found, _ in sets])
    wanted = numpy.concatenate([answerable for _, answerable in sets]).astype(float)
    counts = numpy.concatenate([numpy.full(len(found), 200 / len(found)) for found, _ in sets])
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


def area(scores: Floats, answerable: NDArray[numpy.bool_]) -> float:
    """The share of pairs of an answerable and an unanswerable question in which the first has the higher score."""
    yes, no = scores[answerable][:, None], scores[~answerable][None, :]
    return float((yes > no).mean() + (yes == no).mean() / 2)


def halves(sets: Mapping[str, Asked]) -> None:
    """Fit on one half, measure on the other, and print the middle and the worst of all rounds."""
    areas: dict[str, list[float]] = {name: [] for name in sets}
    for number in range(_ROUNDS):
        dice = numpy.random.default_rng(number)
        chosen = {name: dice.random(len(asked.answerable)) < 0.5 for name, asked in sets.items()}
        weights = fitted([(asked.signs[chosen[name]], asked.answerable[chosen[name]]) for name, asked in sets.items()])
        for name, asked in sets.items():
            other = ~chosen[name]
            areas[name].append(area(asked.scores(weights)[other], asked.answerable[other]))
    for name, found in areas.items():
        print(f"{name:14} AUROC on the half that was not fitted: mean {numpy.mean(found):.3f}, "
              f"worst of {_ROUNDS} {min(found):.3f}")  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--check", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    sets = {folder.name: Asked(folder, given.index) for folder in given.sets}
    halves(sets)
    weights = fitted([(asked.signs, asked.answerable) for asked in sets.values()])
    print(weights)
    scored = {name: (asked.answerable, asked.scores(weights)) for name, asked in sets.items()}
    for folder in given.check:
        checked = Asked(folder, given.index)
        scored[folder.name] = (checked.answerable, checked.scores(weights))
    lowest = [float(numpy.quantile(scores[answerable], _FALSE)) for answerable, scores in scored.values()]
    threshold = int(min(lowest) * 100) / 100
    print(f"threshold {threshold:.2f}")
    for name, (answerable, scores) in scored.items():
        caught = f"{(scores[~answerable] < threshold).mean():6.1%}" if (~answerable).any() else "     -"
        print(f"{name:14} {answerable.sum():5} answerable, falsely 'do not say' {(scores[answerable] < threshold).mean():6.1%}; "
              f"{(~answerable).sum():5} not, caught {caught}")  # fmt: skip


if __name__ == "__main__":
    main()
