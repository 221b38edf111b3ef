"""Syncs that nobody asks for: after a change, on schedule, and when a retry is due."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from appliance.catalog import FileOutcome
from appliance.domain import DocumentState, Source
from appliance.errors import CatalogUnavailable
from appliance.history import RunHistory, RunRecord, runs
from ingest.inotify import WatchedFolder
from ingest.watch import Watcher
from tests.data.builders import make_outcome
from tests.ingest.conftest import Room

_LIMIT_S = 30


class Asked:
    """Takes requests for syncs down, and records that they ran."""

    def __init__(self, history: RunHistory) -> None:
        self._history = history
        self.sources: list[str] = []
        self.again = threading.Event()
        self.failures: dict[str, list[Exception]] = {}
        self.running: set[str] = set()
        self.looked_at: list[tuple[str, str]] = []
        self.cannot_look = False

    def __call__(self, source: Source) -> None:
        if self.failures.get(source.id):
            raise self.failures[source.id].pop()
        self.sources.append(source.id)
        now = datetime.now(UTC)
        self._history.begin(RunRecord(str(len(self.sources)), source.id, source.name, now, now))
        self.again.set()

    def look(self, source_id: str, changed: Iterable[str], stop: threading.Event) -> None:
        self.looked_at += [(source_id, path) for path in changed if not stop.is_set()]
        if self.cannot_look:
            raise CatalogUnavailable("It is locked.")

    def is_running(self, source_id: str) -> bool:
        return source_id in self.running


@pytest.fixture
def asked(room: Room) -> Asked:
    return Asked(room.history)


@pytest.fixture
def watching(room: Room, asked: Asked) -> Iterator[Watcher]:
    with closing(
        Watcher(room.catalog, room.history, asked, withdraw=asked.look, is_running=asked.is_running, settle_s=0.1)
    ) as watcher:
        yield watcher


def _eventually(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)


def _ran(room: Room, *, ago: timedelta) -> None:
    room.history.begin(RunRecord("first", room.source.id, "Library", datetime.now(UTC) - ago, datetime.now(UTC) - ago))


def _compared(asked: Asked) -> None:
    """Wait until the folder is watched, and compared once because it was not before."""
    assert asked.again.wait(_LIMIT_S)
    asked.again.clear()
    asked.sources.clear()


def test_what_changed_while_nobody_watched_is_looked_for_once_it_is_watched_again(
    room: Room, asked: Asked, watching: Watcher
) -> None:
    room.catalog.change_source(replace(room.source, compare_every_s=0))
    _ran(room, ago=timedelta())
    watching.start()
    _eventually(lambda: asked.sources == [room.source.id])
    assert not any(len(asked.sources) > 1 for _ in range(8) if not time.sleep(0.1))


def test_a_change_in_a_watched_folder_is_followed_by_a_sync(room: Room, asked: Asked, watching: Watcher) -> None:
    _ran(room, ago=timedelta())
    watching.start()
    _compared(asked)

    def touched() -> bool:
        room.write("deep/a.txt", "The canteen opens at noon.")  # again and again: watching begins some time after start
        return asked.again.wait(0.2)

    _eventually(touched)
    assert set(asked.sources) == {room.source.id}


@pytest.mark.parametrize("name", ["a.txt.access.toml", "deep/.access.toml", ".access.icacls"])
def test_a_changed_access_file_is_not_waited_for(room: Room, asked: Asked, name: str) -> None:
    _ran(room, ago=timedelta())
    hour_s = 3600.0
    with closing(
        Watcher(room.catalog, room.history, asked, withdraw=asked.look, is_running=asked.is_running, settle_s=hour_s)
    ) as watching:
        watching.start()
        _compared(asked)
        for _ in range(5):
            room.write("a.txt", "The canteen opens at noon.")
            assert not asked.again.wait(0.1)

        def touched() -> bool:
            room.write(name, 'groups = ["staff"]')
            return asked.again.wait(0.2)

        _eventually(touched)
    assert set(asked.sources) == {room.source.id}


def test_who_loses_sight_is_looked_for_where_something_changed_and_a_sync_follows_although_that_fails(
    room: Room, asked: Asked, watching: Watcher
) -> None:
    _ran(room, ago=timedelta())
    asked.cannot_look = True
    file = room.write("deep/a.txt", "The canteen opens at noon.")
    watching.start()
    _compared(asked)

    def touched() -> bool:
        file.chmod(0o600)
        return asked.again.wait(0.2)

    _eventually(touched)
    assert set(asked.looked_at) == {(room.source.id, ""), (room.source.id, "deep/a.txt")}


def test_a_folder_is_compared_on_its_schedule_and_not_before(room: Room, asked: Asked, watching: Watcher) -> None:
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=3600))
    _ran(room, ago=timedelta(minutes=59))
    watching.start()
    assert not asked.again.wait(0.5)
    with room.database.write() as connection:
        connection.execute(update(runs).values(started_at=datetime.now(UTC) - timedelta(minutes=61)))
    _eventually(lambda: len(asked.sources) == 1)
    assert not any(len(asked.sources) > 1 for _ in range(3) if not time.sleep(0.1))


def test_a_run_whose_end_could_not_be_written_ends_no_schedule_and_one_that_goes_on_is_left_alone(
    room: Room, asked: Asked, watching: Watcher
) -> None:
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=1))
    room.history.begin(RunRecord("first", room.source.id, "Library", datetime.now(UTC) - timedelta(minutes=1)))
    asked.running.add(room.source.id)
    watching.start()
    assert not asked.again.wait(0.5)
    asked.running.clear()
    _eventually(lambda: asked.sources != [])


def test_a_source_that_was_never_synced_is_left_to_a_person(room: Room, asked: Asked, watching: Watcher) -> None:
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=1))
    watching.start()
    watching.notice(room.source.id)
    assert not asked.again.wait(0.5)


def test_a_paused_source_is_left_alone(room: Room, asked: Asked, watching: Watcher) -> None:
    room.catalog.change_source(replace(room.source, paused=True))
    _ran(room, ago=timedelta(days=2))
    watching.start()
    watching.notice(room.source.id)
    assert not asked.again.wait(0.5)
    room.catalog.change_source(room.source)
    _eventually(lambda: asked.sources != [])


def test_what_is_taken_away_in_a_paused_source_is_looked_at_and_synced_once_it_is_resumed(
    room: Room, asked: Asked, watching: Watcher
) -> None:
    room.catalog.change_source(replace(room.source, paused=True))
    _ran(room, ago=timedelta())
    watching.start()
    _eventually(lambda: bool(watching._noticed))
    room.write("a.txt.access.toml", 'groups = ["board"]')
    _eventually(lambda: (room.source.id, "a.txt.access.toml") in asked.looked_at)
    assert asked.sources == []
    room.catalog.change_source(room.source)
    _eventually(lambda: asked.sources != [])


@pytest.mark.parametrize("hidden", [{"watched": False}, {"removing": True}])
def test_a_folder_that_is_watched_again_is_looked_at_at_once(
    room: Room, asked: Asked, watching: Watcher, hidden: dict[str, Any]
) -> None:
    source = replace(room.source, compare_every_s=0)
    room.catalog.change_source(source)
    _ran(room, ago=timedelta())
    watching.start()
    _compared(asked)
    room.catalog.change_source(replace(source, **hidden))
    _eventually(lambda: not watching._eyes)
    for _ in range(3):  # some looks of the keeper in which the folder is not watched
        watching._hurry.set()
        time.sleep(0.1)
    room.write("a.txt.access.toml", 'groups = ["board"]')
    room.catalog.change_source(source)
    _eventually(lambda: asked.sources != [])


def test_a_file_that_is_due_again_is_tried_again(room: Room, asked: Asked, watching: Watcher) -> None:
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=0))
    _ran(room, ago=timedelta(minutes=10))
    room.catalog.record(_due_failure(room), keep_version=True)
    watching.start()
    _eventually(lambda: asked.sources == [room.source.id])


def _due_failure(room: Room) -> FileOutcome:
    failed = make_outcome("a.txt", state=DocumentState.FAILED)
    return replace(failed, source_id=room.source.id, retry_at=datetime.now(UTC) - timedelta(minutes=5))


def test_a_folder_that_is_not_there_is_named_and_the_others_are_kept(
    room: Room, asked: Asked, watching: Watcher
) -> None:
    room.catalog.add_source(replace(room.source, id="lost", name="Lost", path=str(room.folder / "nowhere")))
    _ran(room, ago=timedelta())
    watching.start()
    _eventually(lambda: "lost" in watching.unwatched())
    assert "schedule" in watching.unwatched()["lost"]
    watching.notice(room.source.id)
    _eventually(lambda: room.source.id in asked.sources)


def test_a_change_that_was_noticed_is_not_forgotten_when_a_sync_cannot_begin(
    room: Room, asked: Asked, watching: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=0))
    _ran(room, ago=timedelta())
    asked.failures[room.source.id] = [RuntimeError("about a.txt"), CatalogUnavailable("It is locked.")]
    watching.notice(room.source.id)
    watching.start()
    _eventually(lambda: asked.sources == [room.source.id])
    assert "It is locked." in caplog.text
    assert "RuntimeError" in caplog.text
    assert "about a.txt" not in caplog.text
    assert not any(len(asked.sources) > 1 for _ in range(3) if not time.sleep(0.1))


def test_a_source_that_cannot_be_synced_holds_up_no_other(room: Room, asked: Asked, watching: Watcher) -> None:
    (room.folder / "second").mkdir()
    first = replace(room.source, watched=False, compare_every_s=1)
    second = replace(first, id="second", name="Second", path=str(room.folder / "second"))
    room.catalog.change_source(first)
    room.catalog.add_source(second)
    for source in (first, second):
        at = datetime.now(UTC) - timedelta(minutes=1)
        room.history.begin(RunRecord(f"before-{source.id}", source.id, source.name, at, at))
    looked_at_first, other = room.catalog.sources()
    asked.failures[looked_at_first.id] = [CatalogUnavailable("It is locked.")] * 1_000
    watching.start()
    _eventually(lambda: other.id in asked.sources)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A mount that does not answer; set once somebody waits for it."""
    answers, waiting = threading.Event(), threading.Event()

    def hang(_: Path) -> None:
        waiting.set()
        answers.wait(_LIMIT_S)
        raise OSError

    monkeypatch.setattr("ingest.watch.WatchedFolder", hang)
    monkeypatch.setattr("ingest.watch._END_S", 0.2)
    yield waiting
    answers.set()


def test_a_mount_that_does_not_answer_keeps_nobody_from_closing(
    room: Room, asked: Asked, hanging: threading.Event
) -> None:
    watcher = Watcher(room.catalog, room.history, asked, withdraw=asked.look, is_running=asked.is_running, settle_s=0.1)
    watcher.start()
    assert hanging.wait(_LIMIT_S)
    closing = threading.Thread(target=watcher.close, daemon=True)
    closing.start()
    closing.join(_LIMIT_S / 2)
    assert not closing.is_alive()


def test_a_mount_that_does_not_answer_is_waited_for_no_longer_than_that(
    asked: Asked, hanging: threading.Event, watching: Watcher
) -> None:
    watching.start()
    assert hanging.wait(_LIMIT_S)
    assert not watching.wait_until_looked_at(0.1)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ValueError("about a.txt")])
def test_a_folder_that_cannot_be_watched_is_looked_at_once_and_tried_again(
    room: Room,
    asked: Asked,
    watching: Watcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    tried: list[Path] = []

    def fail(path: Path) -> None:
        tried.append(path)
        raise error

    monkeypatch.setattr("ingest.watch.WatchedFolder", fail)
    monkeypatch.setattr("ingest.watch._WATCH_AGAIN_S", 0.0)
    _ran(room, ago=timedelta())
    watching.start()
    assert watching.wait_until_looked_at(_LIMIT_S)
    assert asked.looked_at == [(room.source.id, "")]
    _eventually(lambda: asked.sources == [room.source.id])
    _eventually(lambda: len(tried) > 3)
    assert asked.looked_at == [(room.source.id, "")]
    _eventually(lambda: "cannot be watched" in watching.unwatched().get(room.source.id, ""))  # not while it is tried
    assert "about a.txt" not in caplog.text


def test_a_folder_that_cannot_be_watched_any_more_is_looked_at_once_more(
    room: Room, asked: Asked, watching: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching.start()
    assert watching.wait_until_looked_at(_LIMIT_S)
    asked.looked_at.clear()

    def too_many(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(WatchedFolder, "_watch", too_many)
    room.write("new/a.txt.access.toml", 'groups = ["board"]')
    _eventually(lambda: asked.looked_at == [(room.source.id, "")])


def test_a_first_look_that_failed_is_tried_again_and_waited_for(
    asked: Asked, watching: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.watch._LOOK_AGAIN_S", 0.0)
    asked.cannot_look = True
    watching.start()
    _eventually(lambda: len(asked.looked_at) > 1)
    assert not watching.wait_until_looked_at(0.0)
    asked.cannot_look = False
    assert watching.wait_until_looked_at(_LIMIT_S)


def test_a_mount_that_does_not_answer_is_let_go_and_the_keeping_goes_on(
    room: Room, asked: Asked, hanging: threading.Event, watching: Watcher
) -> None:
    _ran(room, ago=timedelta(minutes=1))
    watching.start()
    assert hanging.wait(_LIMIT_S)
    room.catalog.change_source(replace(room.source, watched=False, compare_every_s=1))
    assert asked.again.wait(_LIMIT_S / 2)
