"""Sources on their way out: out of sight at once, and gone in the end, whatever comes between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from appliance.domain import Source, SourceKind
from appliance.errors import AuditUnavailable, Conflict, IndexUnavailable
from appliance.labels import FileLabels
from ingest.intake import Intake
from ingest.pipeline import Pipeline
from ingest.removals import Removals
from ingest.runs import Runs
from tests.ingest.conftest import STAFF, Room, mode

_LIMIT_S = 30.0


class HoldingPipeline(Pipeline):
    """The real pipeline, held where it would begin to remove a source."""

    def __init__(self, real: Pipeline) -> None:
        self._real = real
        self.asked, self.go, self.fail = threading.Event(), threading.Event(), False

    def hide(self, source: Source, stop: Event) -> None:
        self._real.hide(source, stop)

    def remove(
        self, source: Source, *, stop: Event | None = None, on_end: Callable[[Source], object] = lambda _: None
    ) -> None:
        self.asked.set()
        assert self.go.wait(_LIMIT_S)
        if self.fail:
            self.fail = False
            raise IndexUnavailable("The index does not answer.")
        self._real.remove(source, stop=stop, on_end=on_end)


@pytest.fixture
def held(room: Room) -> HoldingPipeline:
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    assert room.paths("notice period") == {"a.txt"}
    return HoldingPipeline(room.pipeline())


@pytest.fixture
def runs(room: Room) -> Iterator[Runs]:
    with closing(Runs(room.pipeline(), room.history)) as made:
        yield made


def test_a_source_is_out_of_sight_before_anything_is_removed_and_gone_in_the_end(
    room: Room, held: HoldingPipeline, runs: Runs
) -> None:
    ended: list[str] = []
    with closing(Removals(room.catalog, held, runs, on_end=lambda source: ended.append(source.name))) as removals:
        removals.begin(room.source.id)
        assert held.asked.wait(_LIMIT_S)
        assert room.paths("notice period") == set()
        assert not removals.wait(room.source.id, 0.05)
        assert [source.removing for source in room.catalog.sources()] == [True]
        held.go.set()
        assert removals.wait(room.source.id, _LIMIT_S)
    assert ended == ["Library"]
    assert (room.catalog.sources(), room.index.count()) == ([], 0)
    assert [receipt.chunks_after for receipt in room.catalog.receipts()] == [0]


def test_a_removal_waits_until_no_source_is_synced(room: Room, held: HoldingPipeline, runs: Runs) -> None:
    held.go.set()
    with closing(Removals(room.catalog, held, runs, on_end=lambda _: None)) as removals:
        with runs.alone():  # as a sync is
            removals.begin(room.source.id)
            assert not held.asked.wait(0.2)
            assert room.paths("notice period") == set()
        assert removals.wait(room.source.id, _LIMIT_S)


def test_a_source_that_waits_to_be_removed_takes_no_places_in_searches(
    room: Room, held: HoldingPipeline, runs: Runs
) -> None:
    assert room.indexed("notice period", STAFF) == 1
    with closing(Removals(room.catalog, held, runs, on_end=lambda _: None)) as removals:
        with runs.alone():  # as a sync is
            removals.begin(room.source.id)
            latest = time.monotonic() + _LIMIT_S
            while room.indexed("notice period", STAFF) and time.monotonic() < latest:
                time.sleep(0.02)
            assert room.indexed("notice period", STAFF) == 0
            assert room.index.count() == 1
        held.go.set()
        assert removals.wait(room.source.id, _LIMIT_S)


def test_a_removal_that_failed_is_tried_again(
    room: Room, held: HoldingPipeline, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.removals._AGAIN_S", 0.05)
    held.fail = True
    held.go.set()
    with closing(Removals(room.catalog, held, runs, on_end=lambda _: None)) as removals:
        removals.begin(room.source.id)
        assert removals.wait(room.source.id, _LIMIT_S)
    assert not held.fail
    assert room.catalog.sources() == []


def test_a_removal_that_the_end_of_the_process_cut_short_is_gone_on_with(
    room: Room, held: HoldingPipeline, runs: Runs
) -> None:
    room.catalog.hide_source(room.source.id)
    held.go.set()
    with closing(Removals(room.catalog, held, runs, on_end=lambda _: None)) as removals:
        removals.start()
        assert removals.wait(room.source.id, _LIMIT_S)
    assert room.index.count() == 0


def test_whoever_is_still_at_work_on_a_source_that_is_being_removed_brings_nothing_back_to_light(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    document = room.known()["a.txt"].document_id
    room.catalog.hide_source(room.source.id)
    room.catalog.relabel(document, FileLabels.all(STAFF))
    assert room.catalog.facts(document).groups == frozenset()
    assert room.paths("notice period") == set()


def test_what_a_sync_embedded_and_could_not_put_in_force_goes_with_its_source(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = room.catalog.publish

    def hide_first(*given: Any, **how: Any) -> None:
        room.catalog.hide_source(room.source.id)
        publish(*given, **how)

    _cut_short(room, monkeypatch, hide_first, Conflict)
    _remove(room, runs)
    assert room.index.count() == 0


def test_what_a_sync_that_was_killed_left_in_the_index_goes_with_its_source(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise _Killed

    monkeypatch.setattr(Intake, "abandon", lambda _: None)  # a process that is killed tidies nothing up
    _cut_short(room, monkeypatch, die, _Killed)
    room.catalog.hide_source(room.source.id)
    _remove(room, runs)
    assert room.index.count() == 0


def test_a_removal_that_fails_holds_no_other_up_and_says_why(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(room.source, id="source-2", name="Meadow", path=f"{room.folder}-2")
    room.catalog.add_source(other)
    for source in (room.source, other):
        room.catalog.hide_source(source.id)
    forget = room.catalog.remove_source

    def forget_the_second_alone(source_id: str) -> None:
        if source_id == room.source.id:
            raise IndexUnavailable("The index does not answer.")
        forget(source_id)

    monkeypatch.setattr(room.catalog, "remove_source", forget_the_second_alone)
    with closing(Removals(room.catalog, room.pipeline(), runs, on_end=lambda _: None)) as removals:
        removals.start()
        assert removals.wait(other.id, 5)
        assert removals.problem(room.source.id) == "The index does not answer."
        assert removals.problem(other.id) == ""
        monkeypatch.undo()
        removals.begin(room.source.id)  # again
        assert removals.wait(room.source.id, _LIMIT_S)
        assert removals.problem(room.source.id) == ""


def test_whoever_stops_a_removal_waits_for_one_document_and_the_next_start_goes_on(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        room.write(f"{number}.txt", f"Plan {number} of the board.")
    room.sync()
    ended: list[str] = []
    begun, delete = Event(), room.index.delete_document

    def delete_slowly(document: str) -> None:
        begun.set()
        time.sleep(0.2)
        delete(document)

    room.catalog.hide_source(room.source.id)
    with monkeypatch.context() as patched:
        patched.setattr(room.index, "delete_document", delete_slowly)
        with closing(
            Removals(room.catalog, room.pipeline(), runs, on_end=lambda source: ended.append(source.id))
        ) as first:
            first.start()
            assert begun.wait(_LIMIT_S)
    assert 0 < len(room.catalog.receipts()) < 8
    assert [source.removing for source in room.catalog.sources()] == [True]
    assert ended == []
    _remove(room, runs)
    assert (len(room.catalog.receipts()), room.index.count()) == (8, 0)


def test_the_end_of_a_removal_is_told_although_telling_it_failed_at_first(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.removals._AGAIN_S", 0.05)
    told: list[int] = []

    def tell(_: Source) -> None:
        told.append(len(room.catalog.sources()))
        if len(told) == 1:
            raise AuditUnavailable("The query log cannot be written.")

    room.catalog.hide_source(room.source.id)
    with closing(Removals(room.catalog, room.pipeline(), runs, on_end=tell)) as removals:
        removals.start()
        assert removals.wait(room.source.id, _LIMIT_S)
    assert told == [1, 1], "it is told while it can still be told again"


def test_a_place_for_uploads_is_not_called_gone_while_a_file_of_it_is_left(
    room: Room, runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ingest.removals._AGAIN_S", 0.05)
    place = tmp_path / "uploads"
    place.mkdir()
    given = place / "a.txt"
    given.write_text("The notice period is three months.")
    source = replace(room.source, id="source-2", name="Uploads", path=str(place), kind=SourceKind.UPLOADS)
    room.catalog.add_source(source)
    room.catalog.hide_source(source.id)
    ended: list[bool] = []
    with (
        closing(
            Removals(room.catalog, room.pipeline(), runs, on_end=lambda _: ended.append(given.exists()))
        ) as removals,
        mode(place, 0o500),
    ):
        removals.start()
        assert not removals.wait(source.id, 0.5)
    with closing(
        Removals(room.catalog, room.pipeline(), runs, on_end=lambda _: ended.append(given.exists()))
    ) as removals:
        removals.start()
        assert removals.wait(source.id, _LIMIT_S)
    assert ended == [False]


class _Killed(BaseException):
    """The process died."""


def _cut_short(
    room: Room, monkeypatch: pytest.MonkeyPatch, publish: Callable[..., None], ends_with: type[BaseException]
) -> None:
    """Sync, with another way to put the first version in force, which leaves chunks that nobody calls current."""
    for number in range(8):
        room.write(f"{number}.txt", f"Plan {number} of the board.")
    with monkeypatch.context() as patched, pytest.raises(ends_with):
        patched.setattr(room.catalog, "publish", publish)
        room.sync()
    assert room.difference().surplus


def _remove(room: Room, runs: Runs) -> None:
    """Go on with the removal of the source, to its end."""
    with closing(Removals(room.catalog, room.pipeline(), runs, on_end=lambda _: None)) as removals:
        removals.start()
        assert removals.wait(room.source.id, _LIMIT_S)
