"""Syncs in the background: one at a time, each with an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.config import IngestSettings
from appliance.domain import DocumentState, Source
from appliance.errors import ApplianceError, AuditUnavailable, CatalogUnavailable, ConfigurationError, Conflict
from appliance.history import FileReport, RunHistory, RunRecord
from appliance.inference.port import Vectors
from ingest.parse.elements import Parsed
from ingest.pipeline import Outcome, Pipeline, Wish
from ingest.runs import Run, Runs
from tests.ingest.conftest import CountingPool, Room, ToyEmbedder, tally


class HeldEmbedder(ToyEmbedder):
    """Embeds when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.go = threading.Event()
        self.most_at_once = self._now = 0

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.asked.set()
        assert self.go.wait(20)
        self._now -= 1
        return super().embed_passages(texts)


@pytest.fixture
def held(room: Room) -> Iterator[HeldEmbedder]:
    embedder = HeldEmbedder()
    room.embedder = embedder
    yield embedder
    embedder.go.set()


def _second(room: Room) -> Source:
    folder = room.folder.with_name("second")
    folder.mkdir()
    (folder / "x.txt").write_text("The vault opens at seven.")
    source = replace(room.source, id="source-2", name="Second", path=str(folder))
    room.catalog.add_source(source)
    return source


def _ended(*runs: Run) -> None:
    limit = time.monotonic() + 20
    while any(run.finished_at is None for run in runs):
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_run_goes_on_in_the_background_and_tells_how_it_ended(room: Room, held: HeldEmbedder) -> None:
    room.write("a.txt", "The notice period is three months.")
    ends: list[Run] = []
    with closing(Runs(room.pipeline(), room.history)) as runs:
        run = runs.start(room.source, on_end=ends.append)
        assert held.asked.wait(20)
        assert (run.finished_at, run.progress.total, run.progress.done) == (None, 1, 0)
        assert run.progress.current == "a.txt"
        assert runs.is_running(room.source.id)
        held.go.set()
        _ended(run)
        assert not runs.is_running(room.source.id)
        assert runs.latest() == [run]
    assert ends == [run]
    assert run.error is None
    assert run.progress.counts == {Outcome.INDEXED: 1}


def test_a_source_that_is_being_synced_or_waits_is_not_started_again(room: Room, held: HeldEmbedder) -> None:
    room.write("a.txt", "The notice period is three months.")
    second = _second(room)
    with closing(Runs(room.pipeline(), room.history)) as runs:
        first = runs.start(room.source)
        waiting = runs.start(second)
        assert held.asked.wait(20)
        for source in (room.source, second):
            with pytest.raises(Conflict, match="being synced already"):
                runs.start(source)
        held.go.set()
        _ended(first, waiting)
        again = runs.start(room.source)
        _ended(again)
        assert runs.latest() == [again, waiting, first]


def test_two_sources_are_never_synced_at_the_same_time(room: Room, held: HeldEmbedder) -> None:
    room.write("a.txt", "The notice period is three months.")
    with closing(Runs(room.pipeline(), room.history)) as runs:
        started = [runs.start(source) for source in (room.source, _second(room))]
        assert held.asked.wait(20)
        time.sleep(0.1)
        assert sorted(run.progress.total is None for run in started) == [False, True]
        held.go.set()
        _ended(*started)
    assert held.most_at_once == 1
    assert room.agrees()


def test_who_loses_sight_does_not_wait_until_another_source_has_been_synced(room: Room, held: HeldEmbedder) -> None:
    second = _second(room)
    held.go.set()
    with closing(Runs(room.pipeline(), room.history)) as runs:
        _ended(runs.start(second))
        assert room.paths("vault") == {"x.txt"}
        held.go.clear()
        held.asked.clear()
        room.write("a.txt", "The notice period is three months.")
        first = runs.start(room.source)
        assert held.asked.wait(20)
        (Path(second.path) / ".access.toml").write_text('groups = ["board"]')
        waiting = runs.start(second)
        limit = time.monotonic() + 20
        while room.paths("vault"):
            assert time.monotonic() < limit
            time.sleep(0.01)
        assert (first.finished_at, waiting.finished_at) == (None, None)
        held.go.set()
        _ended(first, waiting)
    assert waiting.progress.counts == {Outcome.RELABELLED: 1}
    assert room.paths("vault", frozenset({"board"})) == {"x.txt"}


def test_a_failed_run_says_why_in_a_sentence_and_the_next_can_start(room: Room) -> None:
    room.folder.rename(room.folder.with_name("away"))
    with closing(Runs(room.pipeline(), room.history)) as runs:
        run = runs.start(room.source)
        _ended(run)
        assert run.error is not None
        assert "does not exist" in run.error
        room.folder.mkdir()
        again = runs.start(room.source)
        _ended(again)
        assert again.error is None


def test_an_unexpected_failure_is_named_without_its_words(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ToyEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            raise RuntimeError(f"cannot embed {texts[0]}")

    room.embedder = Broken()
    room.write("a.txt", "The merger is secret.")
    with closing(Runs(room.pipeline(), room.history)) as runs:
        run = runs.start(room.source)
        _ended(run)
    assert run.error == "The sync failed unexpectedly (RuntimeError). Run 'strongroom doctor'."
    assert "merger" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_closing_waits_for_the_files_at_hand_and_marks_what_was_not_done(room: Room, held: HeldEmbedder) -> None:
    for number in range(12):
        room.write(f"{number:02}.txt", f"Rule {number} of the house.")
    second = _second(room)
    runs = Runs(room.pipeline(), room.history)
    ends: list[Run] = []
    cut_short, never_begun = runs.start(room.source, on_end=ends.append), runs.start(second, on_end=ends.append)
    assert held.asked.wait(20)
    closer = threading.Thread(target=runs.close)
    closer.start()
    time.sleep(0.05)
    assert closer.is_alive()
    held.go.set()
    closer.join(20)
    assert not closer.is_alive()
    assert len(ends) == 2
    assert all(run.error and "was stopped" in run.error for run in (cut_short, never_begun))
    assert cut_short.progress.done < 12
    with pytest.raises(Conflict, match="stopping"):
        runs.start(room.source)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("sync-", "parse"))]
    assert room.agrees()


class WatchedPool(CountingPool):
    """Tells when it begins to parse a document, and which it was kept from parsing to the end."""

    def __init__(self, settings: IngestSettings) -> None:
        super().__init__(settings, size=1)
        self.began = threading.Event()
        self.cut_short: list[str] = []

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        self.began.set()
        try:
            return super().parse_in(root, path, password=password)
        except ConfigurationError:  # it was closed
            self.cut_short.append(path)
            raise


def test_stopping_in_the_middle_of_a_long_document_leaves_it_for_the_next_run(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    room.write("slow.csv", b"word;" * 12_000_000)
    settings = room.settings.model_copy(update={"workers": 1, "max_file_bytes": 100_000_000})
    parsers = WatchedPool(settings)
    pipeline = Pipeline(
        catalog=room.catalog, index=room.index, embedder=room.embedder, parsers=parsers, settings=settings
    )
    runs = Runs(pipeline, room.history)
    run = runs.start(room.source)
    assert parsers.began.wait(20)
    time.sleep(0.2)  # until the worker has it; stopped before, it is not read either
    runs.stop()
    parsers.close()
    runs.close()
    assert parsers.cut_short == ["slow.csv"]  # nobody waited for its end
    assert run.error is not None
    assert "was stopped" in run.error
    assert run.progress.counts == {Outcome.UNCHANGED: 1}
    assert room.states() == {"a.txt": DocumentState.INDEXED}
    room.write("slow.csv", "word;word")
    assert tally(room.sync()) == {"unchanged": 1, "indexed": 1}
    assert room.agrees()


def test_stopping_while_a_long_document_is_embedded_leaves_it_for_the_next_run(room: Room, held: HeldEmbedder) -> None:
    room.write("long.txt", "\n\n".join(f"Rule {number} of the house. " * 8 for number in range(200)))
    runs = Runs(room.pipeline(), room.history)
    run = runs.start(room.source)
    assert held.asked.wait(20)
    runs.stop()
    held.go.set()
    runs.close()
    assert run.progress.done == 0
    assert run.error is not None
    assert room.states() == {}
    assert room.paths("Rule") == set()
    assert tally(room.sync()) == {"indexed": 1}
    assert room.agrees()


def test_closing_waits_until_the_end_was_reported(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    reported = threading.Event()

    def report(_: Run) -> None:
        time.sleep(0.2)
        reported.set()

    runs = Runs(room.pipeline(), room.history)
    _ended(runs.start(room.source, on_end=report))
    runs.close()
    assert reported.is_set()


def test_an_end_that_cannot_be_reported_is_logged_and_stops_nothing(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    def report(_: Run) -> None:
        raise AuditUnavailable("The query log cannot be written.")

    with closing(Runs(room.pipeline(), room.history)) as runs:
        run = runs.start(room.source, on_end=report)
        _ended(run)
    assert "The query log cannot be written." in caplog.text
    assert run.error is None


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_run_that_gets_no_thread_leaves_its_source_free_for_the_next(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("a.txt", "The notice period is three months.")
    with closing(Runs(room.pipeline(), room.history)) as runs:
        for begin in (runs.start, runs.request):
            with monkeypatch.context() as patched, pytest.raises(ApplianceError, match="no thread left"):
                patched.setattr(threading.Thread, "start", _no_thread)
                begin(room.source)
            assert not runs.is_running(room.source.id)
            assert (runs.latest(), room.history.latest()) == ([], [])
        run = runs.start(room.source)
        _ended(run)
    assert run.progress.counts == {Outcome.INDEXED: 1}


class FailingHistory(RunHistory):
    """Cannot be written at first."""

    failures = 1

    def note(self, run: RunRecord, files: Sequence[FileReport] = ()) -> None:
        if files and self.failures:
            self.failures -= 1
            raise CatalogUnavailable("It is locked.")
        super().note(run, files)


def test_what_a_run_did_with_a_file_is_written_down_later_when_it_cannot_be_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.runs._NOTE_EVERY_S", 0.0)
    for number in range(3):
        room.write(f"{number}.txt", f"Rule {number} of the house.")
    with closing(Runs(room.pipeline(), FailingHistory(room.database))) as runs:
        run = runs.start(room.source)
        runs.wait(run.id)
    assert run.progress.done > 0
    assert len(list(room.history.files(run.id))) == run.progress.done


def test_a_run_that_was_cut_short_says_what_has_to_be_said_again(room: Room, held: HeldEmbedder) -> None:
    room.write("a.txt", "The notice period is three months.")
    wish = Wish(passwords={"a.txt": "open-sesame"}, missing_ok=True)
    runs = Runs(room.pipeline(), room.history)
    paused = runs.start(room.source, wish=wish)
    assert held.asked.wait(20)
    runs.cancel(room.source.id)
    held.go.set()
    runs.wait(paused.id, 20)
    held.asked.clear()
    held.go.clear()
    stopped = runs.start(room.source, wish=wish)
    assert held.asked.wait(20)
    runs.stop()
    held.go.set()
    runs.close()
    for run, what in ((paused, "was paused"), (stopped, "was stopped")):
        assert run.error is not None
        assert what in run.error
        assert "Give the password again. If files are still missing, confirm" in run.error
        assert "sesame" not in run.error
    assert [run.id for run in Runs(room.pipeline(), room.history).resume()] == [stopped.id]


def test_a_run_that_was_cut_short_is_resumed_however_many_other_sources_were_synced_since(room: Room) -> None:
    now = datetime.now(UTC)
    room.history.begin(RunRecord("long", room.source.id, "Library", now - timedelta(hours=9)))
    for number in range(60):
        began = now - timedelta(minutes=number)
        room.history.begin(RunRecord(f"run-{number}", f"other-{number}", "Other", began, began))
    with closing(Runs(room.pipeline(), room.history)) as runs:
        assert [run.source_id for run in runs.resume()] == [room.source.id]
        room.history.begin(RunRecord("whole", room.source.id, "Library", now, now))
        assert runs.resume() == []


def test_only_the_latest_runs_are_remembered_and_no_thread_stays(room: Room) -> None:
    with closing(Runs(room.pipeline(), room.history)) as runs:
        for _ in range(55):
            run = runs.start(room.source)
            _ended(run)
        assert len(runs.latest()) == 50
        assert runs.latest()[0] is run
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sync-")]


def test_a_sync_that_begins_while_the_last_one_reports_its_end_is_the_only_one(room: Room, held: HeldEmbedder) -> None:
    room.write("a.txt", "The notice period is three months.")
    reporting, reported = threading.Event(), threading.Event()

    def report(_: Run) -> None:
        reporting.set()
        assert reported.wait(20)

    with closing(Runs(room.pipeline(), room.history)) as runs:
        first = runs.start(room.source, on_end=report)
        assert held.asked.wait(20)
        runs.request(room.source)  # once more
        held.go.set()
        assert reporting.wait(20)
        held.go.clear()
        held.asked.clear()
        room.write("b.txt", "The vault opens at seven.")
        second = runs.request(room.source)
        assert second is not first
        assert held.asked.wait(20)
        reported.set()
        runs.wait(first.id, 20)
        assert [run for run in runs.latest() if run.finished_at is None] == [second]
        runs.cancel(room.source.id)
        held.go.set()
        runs.wait(second.id, 20)
        assert runs.latest() == [second, first]
