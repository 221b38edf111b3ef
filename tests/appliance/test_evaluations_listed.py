"""The list of evaluations as a terminal of 80 columns shows it."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from appliance.api.schemas.evaluations import EvaluationOut, EvaluationsOut, EvaluationState, MetricOut
from appliance.cli import evaluating, terminal
from appliance.evaluation.metrics import METRICS

NAME = "questions of the claims department, second edition.jsonl"


def _run(**changed: object) -> EvaluationOut:
    run = EvaluationOut(
        id="0a1b2c3d-0000-4000-8000-000000000000", name=NAME, from_feedback=False, set_sha256="ab" * 32,
        groups=["everyone"], answers=True, state=EvaluationState.FINISHED, started_by="ada",
        started_at=datetime(2026, 11, 30, 3, 40, tzinfo=UTC), finished_at=datetime(2026, 11, 30, 3, 50, tzinfo=UTC),
        total=1200, done=1200, message="", metrics={metric.name: 0.5 for metric in METRICS}, settings={},
    )  # fmt: skip
    return run.model_copy(update=changed)


def test_a_run_that_asked_nothing_or_little_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [_run(total=45, done=45, not_asked=missed, metrics={}) for missed in (45, 5, 0)]
    evaluating._print_evaluations(
        EvaluationsOut(answerable_above=0.17, metrics=[], evaluations=[*runs, _run(total=1, done=1, metrics={})]),
        as_json=False,
    )
    listed = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    asked = [line.removeprefix("30 Nov 2026, 03:40 UTC, finished, ") for line in listed]
    assert asked == ["0 of 45 questions asked", "40 of 45 questions asked", "45 questions", "1 question"]


def test_without_any_run_the_list_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    evaluating._print_evaluations(EvaluationsOut(answerable_above=0.17, metrics=[], evaluations=[]), as_json=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Nothing was measured yet. 'strongroom eval FILE' asks" in printed.err


def test_the_list_of_evaluations_is_read_at_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, highlight=False, soft_wrap=True)
    monkeypatch.setattr(terminal, "out", console)
    monkeypatch.setattr(evaluating, "out", console)
    titles = [
        MetricOut(name=metric.name, title=metric.title, meaning="", higher_is_better=True, gated=True)
        for metric in METRICS
    ]
    running = _run(state=EvaluationState.RUNNING, done=20, metrics={})
    evaluating._print_evaluations(
        EvaluationsOut(answerable_above=0.17, metrics=titles, evaluations=[running, _run()]), as_json=False
    )
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    first, second = re.split(r"\n(?=\S)", file.getvalue().strip())
    assert first.splitlines() == [
        f"0a1b2c3d {NAME}",
        "    30 Nov 2026, 03:40 UTC, running, 20 of 1,200 questions asked",
    ]
    assert " ".join(second.split()) == (
        f"0a1b2c3d {NAME} 30 Nov 2026, 03:40 UTC, finished, 1,200 questions Recall@10 0.500, nDCG@10 0.500, "
        "Right document@5 0.500, Abstention AUROC 0.500, Citation precision 0.500"
    )
