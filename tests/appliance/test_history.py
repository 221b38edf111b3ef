"""The history of runs: it lasts, it is found again, it does not grow for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.errors import NotFound
from appliance.history import KEPT, FileReport, RunHistory, RunProgress, RunRecord
from tests.data.migrated import migrated

_START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[RunHistory]:
    database = migrated(tmp_path / "strongroom.db")
    yield RunHistory(database)
    database.close()


def _run(number: int = 0, source: str = "s") -> RunRecord:
    return RunRecord(f"{source}{number}", source, source.upper(), _START + timedelta(minutes=number))


def test_a_run_is_found_again_as_it_was_noted_last(history: RunHistory) -> None:
    history.begin(_run())
    progress = RunProgress(total=3, done=2, pages=5, chunks=9, counts={"indexed": 1, "failed": 1})
    ended = replace(_run(), finished_at=_START + timedelta(minutes=1), error="It stopped.", progress=progress)
    history.note(ended, [FileReport("a.pdf", "indexed", pages=5, chunks=9)])
    history.note(ended, [FileReport("b.pdf", "failed", "It is damaged.")])
    assert history.run("s0") == ended
    assert [file.path for file in history.files("s0")] == ["a.pdf", "b.pdf"]


def test_a_run_without_an_end_was_cut_short(history: RunHistory) -> None:
    history.begin(_run(0))
    history.begin(_run(1))
    history.note(replace(_run(0), finished_at=_START))
    assert [run.id for run in history.interrupted()] == ["s1"]


def test_a_run_that_is_taken_back_leaves_nothing(history: RunHistory) -> None:
    history.begin(_run(0))
    history.begin(_run(1))
    history.forget("s1")
    assert [run.id for run in history.latest()] == ["s0"]


def test_the_latest_run_of_every_source_is_found(history: RunHistory) -> None:
    for run in (_run(0, "a"), _run(1, "b"), _run(2, "a")):
        history.begin(run)
    assert sorted(run.id for run in history.latest_of_each()) == ["a2", "b1"]


def test_the_latest_runs_of_each_source_are_kept_with_their_files(history: RunHistory) -> None:
    history.begin(_run(0, "other"))
    for number in range(KEPT + 3):
        history.begin(_run(number))
        history.note(_run(number), [FileReport("a", "indexed")])
    assert len([run for run in history.latest(1000) if run.source_id == "s"]) == KEPT
    with pytest.raises(NotFound):
        history.run("s0")
    assert list(history.files("s0")) == []
    assert history.run("other0").source == "OTHER"
    latest = history.latest_of("s")
    assert latest is not None
    assert latest.id == f"s{KEPT + 2}"
    assert history.latest_of("unknown") is None


def test_a_long_report_comes_whole_and_in_order(history: RunHistory) -> None:
    history.begin(_run())
    history.note(_run(), [FileReport(str(number), "indexed") for number in range(2_500)])
    assert [file.path for file in history.files("s0")] == [str(number) for number in range(2_500)]
