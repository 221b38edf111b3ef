"""Access that a watched folder takes away acts without a sync, and no sync that is going on gives it back."""

from __future__ import annotations

import inspect
import io
import os
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from appliance.catalog import Catalog
from appliance.domain import AccessFilter, DocumentState, Share, ShareKind, Source
from appliance.errors import CatalogUnavailable, InvalidRequest
from appliance.labels import LEVELS_AS_DELIVERED
from ingest import folders
from ingest.access import AccessLabels
from ingest.holdings import Holdings
from ingest.settling import Settling
from ingest.share.ntfs import EXPORT
from ingest.watch import Watcher
from ingest.withdrawals import Withdrawals, concerned
from tests.ingest.conftest import BOARD, STAFF, Room, disk_full, mode, open_descriptors, tally

_LIMIT_S = 30
_MERGER = "The merger is decided."
_OF_BOARD = 'groups = ["board"]'
_LIST = "deep/a.txt\r\nD:(A;;FR;;;{})\r\ndeep/b.txt\r\nD:(A;;FR;;;WD)\r\nother/c.txt\r\nD:(A;;FR;;;WD)\r\n"
Act = Callable[[Path], object]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose labels were looked at."""
    seen: list[str] = []
    label = AccessLabels.label

    def looking(self: AccessLabels, path: str) -> frozenset[str]:
        seen.append(path)
        return label(self, path)

    monkeypatch.setattr(AccessLabels, "label", looking)
    return seen


def _look(room: Room, *paths: str, stop: threading.Event | None = None) -> None:
    Withdrawals(room.catalog, LEVELS_AS_DELIVERED).look_at(room.source.id, paths, stop or threading.Event())


@pytest.fixture
def unsynced(room: Room) -> Iterator[Callable[[], None]]:
    """Watch the folder of the room, without any sync."""
    look_at = Withdrawals(room.catalog, LEVELS_AS_DELIVERED).look_at
    watcher = Watcher(room.catalog, room.history, _no_sync, withdraw=look_at, is_running=lambda _: False, settle_s=0.1)
    with closing(watcher):
        yield watcher.start


def _no_sync(source: Source) -> None:
    raise AssertionError(f"'{source.name}' was synced")


def _shared(room: Room, kind: ShareKind, **groups: str) -> None:
    share = Share(
        kind, tuple((name.replace("_", "-" if kind is ShareKind.ICACLS else ":"), groups[name]) for name in groups)
    )
    room.source = replace(room.source, share=share)
    room.catalog.change_source(room.source)


def _acl(others: int) -> bytes:
    entries = [(1, 6, 0xFFFFFFFF), (4, 4, 0xFFFFFFFF), (32, others, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _renamed_into_place(folder: Path) -> None:
    (folder / "deep" / "written").write_text(_OF_BOARD)
    (folder / "deep" / "written").rename(folder / "deep" / "a.txt.access.toml")


_BY_FILES: list[Act] = [
    lambda folder: (folder / "deep/a.txt.access.toml").write_text(_OF_BOARD),
    lambda folder: (folder / "deep/a.txt.access.toml").write_text("groups = 1"),
    lambda folder: (folder / "deep/a.txt.access.toml").mkdir(),
    lambda folder: (folder / "deep/.access.toml").write_text(_OF_BOARD),
    lambda folder: (folder / ".access.toml").write_text("groups = []"),
    _renamed_into_place,
]
_BY_RIGHTS: list[Act] = [
    lambda folder: (folder / "deep/a.txt").chmod(0o640),
    lambda folder: (folder / "deep").chmod(0o750),
    lambda folder: folder.chmod(0o750),
    lambda folder: os.setxattr(folder / "deep/a.txt", "system.posix_acl_access", _acl(0)),
]


def _expect_withdrawn(room: Room, watch: Callable[[], None], act: Act) -> None:
    watch()
    _eventually(lambda: _is_watched(room))
    act(room.folder)
    _eventually(lambda: room.paths("merger") == set())


def _is_watched(room: Room) -> bool:
    """Whether the folder is watched by now: a document without readers is withdrawn once something is told of it."""
    probe = room.folder / "probe.txt.access.toml"
    probe.write_text("groups = []")
    time.sleep(0.1)
    return room.paths("probe") == set()


def _eventually(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


def _taken_in(room: Room) -> None:
    room.folder.chmod(0o755)
    for path, text in (("deep/a.txt", _MERGER), ("deep/b.txt", "Rules of the house."), ("other/c.txt", "Menu.")):
        room.write(path, text).chmod(0o644)
        (room.folder / path).parent.chmod(0o755)
    room.write("probe.txt", "A probe.").chmod(0o644)
    room.sync()
    assert room.paths("merger") == {"deep/a.txt"}


@pytest.mark.parametrize("act", _BY_FILES)
def test_what_an_access_file_closes_is_closed_without_a_sync(
    room: Room, unsynced: Callable[[], None], act: Act
) -> None:
    _taken_in(room)
    _expect_withdrawn(room, unsynced, act)


@pytest.mark.parametrize("act", _BY_RIGHTS)
def test_what_the_rights_of_a_file_close_is_closed_without_a_sync(
    room: Room, unsynced: Callable[[], None], act: Act
) -> None:
    _shared(room, ShareKind.POSIX, others="staff")
    _taken_in(room)
    _expect_withdrawn(room, unsynced, act)


def test_what_a_new_export_closes_is_closed_without_a_sync(room: Room, unsynced: Callable[[], None]) -> None:
    _shared(room, ShareKind.ICACLS, S_1_1_0="staff")
    probe = "probe.txt\r\nD:(A;;FR;;;WD)\r\n"
    room.write(EXPORT, _LIST.format("WD") + probe)
    _taken_in(room)
    _expect_withdrawn(room, unsynced, lambda folder: (folder / EXPORT).write_text(_LIST.format("BA") + probe))
    assert room.paths("Rules of the house") == {"deep/b.txt"}


def test_what_only_an_access_file_had_opened_is_closed_when_it_goes(room: Room, unsynced: Callable[[], None]) -> None:
    _taken_in(room)
    room.source = replace(room.source, groups=BOARD)
    room.catalog.change_source(room.source)
    room.write(".access.toml", 'groups = ["staff"]')
    room.sync()
    assert room.paths("merger") == {"deep/a.txt"}
    _expect_withdrawn(room, unsynced, lambda folder: (folder / ".access.toml").unlink())


def test_a_closed_folder_hides_no_change_beside_it_and_is_looked_at_as_soon_as_it_is_opened(
    room: Room, unsynced: Callable[[], None]
) -> None:
    _taken_in(room)
    room.write("deep/.access.toml", _OF_BOARD)
    with mode(room.folder / "deep", 0):
        unsynced()
        _eventually(lambda: _is_watched(room))
        (room.folder / "other/c.txt.access.toml").write_text(_OF_BOARD)
        _eventually(lambda: room.paths("Menu") == set())
        assert room.paths("merger") == {"deep/a.txt"}
        (room.folder / "deep").chmod(0o755)
        _eventually(lambda: room.paths("merger") == set())
        (room.folder / "deep/.access.toml").unlink()
        room.sync()
        assert room.paths("merger") == {"deep/a.txt"}
        (room.folder / "deep/a.txt.access.toml").write_text(_OF_BOARD)
        _eventually(lambda: room.paths("merger") == set())


def test_what_was_taken_away_while_nobody_watched_is_withdrawn_before_anybody_is_shown_anything(room: Room) -> None:
    _taken_in(room)
    room.write("deep/.access.toml", _OF_BOARD)
    room.catalog.change_source(replace(room.source, paused=True))  # no sync looks at it either
    look_at = Withdrawals(room.catalog, LEVELS_AS_DELIVERED).look_at
    with closing(
        Watcher(room.catalog, room.history, _no_sync, withdraw=look_at, is_running=lambda _: False, settle_s=3600)
    ) as watcher:
        watcher.start()
        assert watcher.wait_until_looked_at(_LIMIT_S)
        assert room.paths("merger") == set()


@pytest.mark.parametrize(
    ("changed", "looked_at_are"),
    [
        ("deep/a.txt.access.toml", {"deep/a.txt"}),
        ("deep/a.txt", {"deep/a.txt"}),
        ("deep/.access.toml", {"deep/a.txt", "deep/b.txt"}),
        ("deep", {"deep/a.txt", "deep/b.txt"}),
        ("", {"deep/a.txt", "deep/b.txt", "other/c.txt", "probe.txt"}),
        (EXPORT, set()),  # no export counts here
        ("new.txt", set()),
        ("\udcff.txt", set()),
        (".git/a.txt", set()),
    ],
)
def test_no_file_is_looked_at_but_those_of_which_the_access_may_have_changed(
    room: Room, looked_at: list[str], changed: str, looked_at_are: set[str]
) -> None:
    _taken_in(room)
    room.write("new.txt", "Nobody has synced it yet.")
    looked_at.clear()
    _look(room, changed)
    assert (set(looked_at), len(looked_at)) == (looked_at_are, len(looked_at_are))
    assert room.parsers.parsed and room.paths("merger") == {"deep/a.txt"}


def test_a_folder_is_opened_once_for_all_the_files_in_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    _shared(room, ShareKind.POSIX, others="staff")
    _taken_in(room)
    for number in range(20):
        room.write(f"deep/{number}.txt", f"Note {number}.").chmod(0o644)
    room.sync()
    opened: list[str] = []
    reach = folders._opened
    monkeypatch.setattr("ingest.folders._opened", lambda root, folder: opened.append(folder) or reach(root, folder))
    before = open_descriptors()
    room.write("deep/.access.toml", _OF_BOARD)
    _look(room, "deep/.access.toml")
    assert room.paths("merger") == set()
    assert len(opened) < 10
    assert open_descriptors() == before


def test_nothing_is_looked_at_twice_for_one_batch_of_changes(room: Room) -> None:
    changed = ["a/b/.access.toml", "a/b/c.txt", "a/b/c.txt.Access.TOML", "a/bc.txt", "d.access.toml", "d"]
    assert concerned(room.source, changed) == {"a/b", "a/bc.txt", "d"}
    assert concerned(room.source, [*changed, ".access.toml"]) == {""}
    assert concerned(replace(room.source, share=Share(ShareKind.ICACLS)), [EXPORT, "a"]) == {""}


def test_nobody_gains_by_it_and_the_sync_that_follows_completes_it(room: Room) -> None:
    _taken_in(room)
    room.write("deep/a.txt.access.toml", 'groups = ["board", "staff"]')
    _look(room, "deep/a.txt")
    assert (room.paths("merger"), room.paths("merger", BOARD)) == ({"deep/a.txt"}, set())
    room.write("deep/a.txt.access.toml", _OF_BOARD)
    _look(room, "deep/a.txt.access.toml")
    assert room.paths("merger", STAFF | BOARD) == set()
    assert room.indexed("merger", STAFF) == 4  # the index has not followed
    assert tally(room.sync()) == {"relabelled": 1, "unchanged": 3}
    assert room.parsers.parsed == []
    assert (room.paths("merger"), room.paths("merger", BOARD)) == (set(), {"deep/a.txt"})
    assert room.indexed("merger", STAFF) == 3


def test_what_is_in_an_archive_goes_with_it(room: Room) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner.txt", _MERGER)
    room.write("all.zip", packed.getvalue())
    room.sync()
    assert len(room.paths("merger")) == 1
    room.write("all.zip.access.toml", _OF_BOARD)
    _look(room, "all.zip.access.toml")
    assert room.paths("merger") == set()


def test_a_file_or_folder_that_is_not_there_is_left_to_the_sync(room: Room) -> None:
    _shared(room, ShareKind.POSIX, others="staff")
    _taken_in(room)
    (room.folder / "deep").rename(room.data / "gone")
    _look(room, "deep", "deep/a.txt", "deep/.access.toml", "")
    assert room.paths("merger") == {"deep/a.txt"}
    room.folder.rename(room.data / "unmounted")
    _look(room, "deep", "deep/a.txt", "deep/.access.toml", "")
    assert room.paths("merger") == {"deep/a.txt"}


def test_a_link_in_the_place_of_a_file_borrows_no_label(room: Room) -> None:
    _taken_in(room)
    room.write("deep/.access.toml", _OF_BOARD)
    (room.folder / "deep/a.txt").unlink()
    (room.folder / "deep/a.txt").symlink_to(room.folder / "other/c.txt")
    _look(room, "deep/a.txt")
    assert room.paths("merger", STAFF | BOARD) == set()


def test_an_access_file_closed_to_the_appliance_closes_what_it_covers(room: Room) -> None:
    _taken_in(room)
    with mode(room.write("deep/.access.toml", 'groups = ["staff"]'), 0):
        _look(room, "deep/.access.toml")
    assert room.paths("merger") == set()
    assert room.paths("Menu") == {"other/c.txt"}


def test_who_waited_for_a_dead_mount_writes_nothing_once_the_watch_has_ended(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _taken_in(room)
    stop = threading.Event()

    def answers_late(*_: Any) -> frozenset[str]:
        stop.set()
        return frozenset()

    monkeypatch.setattr(AccessLabels, "label", answers_late)
    _look(room, "deep/a.txt", stop=stop)
    assert room.paths("merger") == {"deep/a.txt"}


# beside a sync of the same source


def _closes(room: Room, path: str = "a.txt") -> None:
    room.write(f"{path}.access.toml", _OF_BOARD)
    _look(room, f"{path}.access.toml")


def _before(monkeypatch: pytest.MonkeyPatch, of: type, name: str, act: Callable[[], None]) -> None:
    """Do something right before a sync does something, the first time."""
    then, done = getattr(of, name), list[bool]()

    def acting(self: Any, *given: Any, **named: Any) -> Any:
        if not done:
            done.append(True)
            act()
        return then(self, *given, **named)

    monkeypatch.setattr(of, name, acting)


def _expect_for_board(room: Room, monkeypatch: pytest.MonkeyPatch, *, at_first: set[str], of_staff: int = 0) -> None:
    """Nobody of the staff finds it, by now and after the next sync, after which the board does."""
    monkeypatch.undo()
    assert (room.paths("merger"), room.paths("merger", BOARD)) == (set(), at_first)
    room.sync()
    assert (room.paths("merger"), room.paths("merger", BOARD)) == (set(), {"a.txt"})
    assert room.indexed("merger", STAFF) == of_staff
    assert room.agrees()


def test_a_new_document_is_not_published_under_the_label_that_was_taken_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("a.txt", _MERGER)
    _before(monkeypatch, Holdings, "publish", lambda: _closes(room))
    room.sync()
    _expect_for_board(room, monkeypatch, at_first=set())


def test_a_new_version_is_not_published_under_the_label_that_was_taken_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("a.txt", "The merger is talked about.")
    room.sync()
    room.write("a.txt", _MERGER)
    _before(monkeypatch, Holdings, "publish", lambda: _closes(room))
    room.sync()
    _expect_for_board(room, monkeypatch, at_first=set())


def test_a_wider_label_is_not_given_once_it_was_taken_back(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.write("a.txt", _MERGER)
    room.write("a.txt.access.toml", _OF_BOARD)
    room.sync()
    room.write("a.txt.access.toml", 'groups = ["board", "staff"]')
    _before(monkeypatch, Holdings, "relabel", lambda: _closes(room))  # nobody loses sight by it, who has it
    room.sync()
    _expect_for_board(room, monkeypatch, at_first={"a.txt"})


def test_a_sync_that_takes_less_away_gives_back_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.write("a.txt", _MERGER)
    room.write("a.txt.access.toml", 'groups = ["board", "lab", "staff"]')
    room.sync()
    room.write("a.txt.access.toml", 'groups = ["board", "staff"]')
    _before(monkeypatch, Settling, "withdraw", lambda: _closes(room))
    room.sync()
    _expect_for_board(room, monkeypatch, at_first={"a.txt"})


def test_a_copy_that_takes_over_is_not_given_the_label_that_was_taken_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("0.txt", _MERGER)
    room.sync()
    room.write("a.txt", _MERGER)
    assert tally(room.sync()) == {"duplicate": 1, "unchanged": 1}
    room.write("0.txt", "Something else.")
    _before(monkeypatch, Holdings, "_copy", lambda: _closes(room))
    room.sync()
    _expect_for_board(room, monkeypatch, at_first=set(), of_staff=1)


def test_what_waits_for_a_curator_is_not_released_under_the_label_that_was_taken_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.source = replace(room.source, curated=True)
    room.catalog.change_source(room.source)
    room.write("a.txt", _MERGER)
    _before(monkeypatch, type(room.catalog), "stage", lambda: _closes(room))
    room.sync()
    waiting = room.known()["a.txt"]
    assert waiting.state is DocumentState.PENDING_REVIEW
    assert not waiting.labels.pending & STAFF
    monkeypatch.undo()
    room.write("a.txt.access.toml", 'groups = ["staff", "board"]')
    room.sync()
    room.catalog.approve(waiting.document_id, "curator")
    _before(monkeypatch, type(room.catalog), "publish_pending", lambda: _closes(room))
    room.sync()
    _expect_for_board(room, monkeypatch, at_first={"a.txt"})


def test_what_was_seen_binds_no_later_sync(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.write("a.txt", _MERGER)
    _before(monkeypatch, Holdings, "publish", lambda: _closes(room))
    room.sync()
    (room.folder / "a.txt.access.toml").unlink()
    room.sync()
    assert room.paths("merger") == {"a.txt"}


@pytest.mark.parametrize("bits", [0o000, 0o444])
@pytest.mark.parametrize("by_sync", [True, False])
def test_what_a_share_closes_to_the_appliance_too_is_for_nobody_until_it_can_be_read(
    room: Room, *, bits: int, by_sync: bool
) -> None:
    for path in (room.folder, room.folder / "deep"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    room.write("deep/a.txt", _MERGER).chmod(0o644)
    room.write("b.txt", "The canteen opens at noon.").chmod(0o644)
    _shared(room, ShareKind.POSIX, others="staff")
    room.sync()
    assert room.paths(_MERGER) == {"deep/a.txt"}
    with mode(room.folder / "deep", bits):
        if by_sync:
            room.sync()
            assert "closed to the account" in room.document("deep/a.txt").reason or bits
        else:
            _look(room, "deep")
        assert not room.paths(_MERGER)
        assert room.paths("canteen") == {"b.txt"}
    room.sync()
    assert room.paths(_MERGER) == {"deep/a.txt"}


@pytest.mark.parametrize("by_sync", [True, False])
def test_a_source_whose_own_folder_the_share_closes_to_the_appliance_is_for_nobody(
    room: Room, *, by_sync: bool
) -> None:
    room.folder.chmod(0o755)
    room.write("a.txt", _MERGER).chmod(0o644)
    _shared(room, ShareKind.POSIX, others="staff")
    room.sync()
    with mode(room.folder, 0o000):
        if by_sync:
            with pytest.raises(InvalidRequest, match="cannot be listed"):
                room.sync()
        else:
            _look(room, "")
        assert not room.paths(_MERGER)
    room.sync()
    assert room.paths(_MERGER) == {"a.txt"}


def test_a_folder_that_was_closed_while_nobody_watched_is_looked_at_although_it_cannot_be_watched(room: Room) -> None:
    room.folder.chmod(0o755)
    room.write("a.txt", _MERGER).chmod(0o644)
    _shared(room, ShareKind.POSIX, others="staff")
    room.sync()
    look_at = Withdrawals(room.catalog, LEVELS_AS_DELIVERED).look_at
    with (
        mode(room.folder, 0o000),
        closing(
            Watcher(room.catalog, room.history, _no_sync, withdraw=look_at, is_running=lambda _: False, settle_s=3600)
        ) as watcher,
    ):
        watcher.start()
        assert watcher.wait_until_looked_at(_LIMIT_S)
        assert watcher.unwatched()
        assert not room.paths(_MERGER)


def test_a_folder_that_is_closed_to_the_appliance_keeps_labels_that_are_not_of_the_share(room: Room) -> None:
    room.write("deep/a.txt", _MERGER)
    room.sync()
    for folder, path in ((room.folder / "deep", "deep"), (room.folder, "")):
        with mode(folder, 0o000):
            _look(room, path)
            assert room.paths(_MERGER) == {"deep/a.txt"}


# while nothing can be written down


@pytest.fixture
def owing(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room in which two of the files were closed while the disk was full, more than are looked at at once."""
    monkeypatch.setattr("ingest.withdrawals.AT_ONCE", 1)
    monkeypatch.setattr("appliance.catalog.owed._AGAIN_S", 0.0)
    _taken_in(room)
    room.write("deep/.access.toml", _OF_BOARD)
    with disk_full():
        _look(room, "deep/.access.toml")
    return room


def test_what_could_not_be_looked_at_is_not_taken_for_looked_at(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    _taken_in(room)

    def locked(*_: object) -> frozenset[str]:
        raise CatalogUnavailable("It is locked.")

    monkeypatch.setattr(Catalog, "may_be_in_sight", locked)
    with pytest.raises(CatalogUnavailable):
        _look(room, "")


def test_while_a_withdrawal_cannot_be_written_down_nobody_is_shown_anything(owing: Room) -> None:
    with disk_full():
        for question in ("merger", "Menu"):
            with pytest.raises(CatalogUnavailable, match="lost access"):
                owing.paths(question)
    assert owing.paths("Menu") == {"other/c.txt"}
    assert owing.paths("merger") == owing.paths("Rules of the house") == set()


def test_every_way_to_read_for_somebody_is_closed_then(owing: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_soon() -> NoReturn:
        pytest.fail("It read before what is owed was written down.")

    monkeypatch.setattr(owing.catalog._database, "read", too_soon)
    everybody = AccessFilter(STAFF | BOARD)
    given = {"access": everybody, "limit": 10, "offset": 0, "text": "", "source_id": None, "current_only": True}
    asked = set[str]()
    for name, method in inspect.getmembers(type(owing.catalog), inspect.isfunction):
        takes = inspect.signature(method).parameters
        if "access" not in takes:
            continue
        asked.add(name)
        wanted = {key: given.get(key, ["one"] if key.endswith("ids") else "one") for key in takes if key != "self"}
        with disk_full(), pytest.raises(CatalogUnavailable, match="lost access"):
            list(result if isinstance(result := method(owing.catalog, **wanted), Iterator) else [])
    assert {"library", "passages", "visible_chunks", "admitted_chunks", "named", "page_numbers"} < asked


def test_who_comes_first_once_it_can_be_written_down_is_shown_no_more_than_the_next(owing: Room) -> None:
    def listed() -> list[str]:
        page = owing.catalog.library(AccessFilter(STAFF), text="", source_id=None, limit=50, offset=0)
        return [document.path for document in page.documents]

    first = listed()
    assert first == listed()
    assert "deep/a.txt" not in first


def test_a_sync_writes_it_down_before_it_looks_and_does_not_begin_where_it_cannot(owing: Room) -> None:
    with disk_full(), pytest.raises(CatalogUnavailable, match="lost access"):
        owing.pipeline().sync(owing.source)
    (owing.folder / "deep/.access.toml").unlink()
    owing.sync()
    assert owing.paths("merger") == {"deep/a.txt"}


def test_what_was_closed_and_opened_again_meanwhile_stays_open(owing: Room) -> None:
    (owing.folder / "deep/.access.toml").unlink()
    with disk_full():
        _look(owing, "deep/.access.toml")
    assert owing.paths("merger") == {"deep/a.txt"}
