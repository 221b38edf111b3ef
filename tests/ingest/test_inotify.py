"""What the kernel reports of a folder is told whole: of no folder nothing, and of a closed one as soon as it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.inotify import WatchedFolder
from tests.ingest.conftest import file_modes_apply, mode, open_descriptors

_WAIT_S = 30.0
_NAMES = ("a", "b", "m", "y", "z")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in _NAMES:
        (tmp_path / "root" / name / "in").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def watched(root: Path) -> Iterator[WatchedFolder]:
    with closing(WatchedFolder(root)) as folder:
        yield folder


def _told(folder: WatchedFolder, wanted: str) -> set[str]:
    """What is told until something is that is waited for."""
    told: set[str] = set()
    while wanted not in told:
        some = folder.changes(_WAIT_S)
        assert some, f"'{wanted}' was not told of"
        told |= some
    return told


def test_every_change_is_told_of_by_its_path(root: Path, watched: WatchedFolder) -> None:
    file = root / "a" / "in" / "x.txt"
    file.write_text("x")
    assert _told(watched, "a/in/x.txt") == {"a/in/x.txt"}
    file.chmod(0o600)
    assert _told(watched, "a/in/x.txt") == {"a/in/x.txt"}
    file.rename(root / "z" / "y.txt")
    assert _told(watched, "z/y.txt") == {"a/in/x.txt", "z/y.txt"}
    (root / "z" / "y.txt").unlink()
    assert _told(watched, "z/y.txt") == {"z/y.txt"}
    root.chmod(0o700)
    assert _told(watched, "") == {""}
    (root / os.fsdecode(b"\xff")).write_text("x")
    assert _told(watched, "\udcff") == {"\udcff"}
    assert watched.changes(0.0) == set()


def test_a_closed_folder_closes_no_other_and_is_watched_once_it_is_opened(root: Path) -> None:
    with mode(root / "m", 0), closing(WatchedFolder(root)) as folder:
        for name in _NAMES:
            if name != "m":
                (root / name / "in" / "x.txt").write_text("x")
                assert _told(folder, f"{name}/in/x.txt") == {f"{name}/in/x.txt"}
        (root / "m").chmod(0o755)
        assert _told(folder, "m") == {"m"}
        (root / "m" / "in" / "x.txt").write_text("x")
        assert _told(folder, "m/in/x.txt") == {"m/in/x.txt"}


def test_a_folder_that_can_be_listed_but_not_passed_is_watched_once_it_can_be(root: Path) -> None:
    with mode(root / "m", 0o444), closing(WatchedFolder(root)) as folder:
        (root / "m").chmod(0o755)
        _told(folder, "m")
        (root / "m" / "in" / "x.txt").write_text("x")
        assert _told(folder, "m/in/x.txt") == {"m/in/x.txt"}


def test_what_is_in_a_folder_that_comes_in_is_watched_but_for_what_is_closed(root: Path, tmp_path: Path) -> None:
    for name in _NAMES:
        (tmp_path / "beside" / name).mkdir(parents=True)
    with mode(tmp_path / "beside" / "m", 0), closing(WatchedFolder(root)) as folder:
        (tmp_path / "beside").rename(root / "new")
        assert _told(folder, "new") == {"new"}
        for name in ("a", "z"):
            (root / "new" / name / "x.txt").write_text("x")
            assert _told(folder, f"new/{name}/x.txt") == {f"new/{name}/x.txt"}
        (root / "new").rename(tmp_path / "beside")  # where `mode` puts it back


def test_a_folder_is_told_of_where_it_lies_by_now_and_not_at_all_once_it_went(
    root: Path, tmp_path: Path, watched: WatchedFolder
) -> None:
    (root / "a").rename(root / "b" / "c")
    _told(watched, "b/c")
    (root / "b" / "c" / "in" / "x.txt").write_text("x")
    assert _told(watched, "b/c/in/x.txt") == {"b/c/in/x.txt"}
    (root / "b" / "c").rename(tmp_path / "gone")
    _told(watched, "b/c")
    (tmp_path / "gone" / "in" / "x.txt").write_text("y")
    (root / "z" / "last").mkdir()
    assert _told(watched, "z/last") == {"z/last"}


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    with closing(WatchedFolder(root)) as folder:
        (tmp_path / "outside" / "x.txt").write_text("x")
        (root / "other").symlink_to(tmp_path / "outside")
        assert _told(folder, "other") == {"other"}


def test_where_the_kernel_lost_count_the_whole_folder_is_told_of(root: Path, watched: WatchedFolder) -> None:
    files = [root / "a" / "in" / name for name in ("x.txt", "y.txt")]
    for file in files:
        file.write_text("x")
    for number in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) + 10):
        files[number % 2].chmod(0o600)  # in turn: what is the same as the event before it is put to that
    (root / "a" / "late").mkdir()
    assert "" in _told(watched, "")
    (root / "a" / "late" / "x.txt").write_text("x")
    _told(watched, "a/late/x.txt")


def test_the_folder_itself_cannot_go_unnoticed(root: Path, tmp_path: Path, watched: WatchedFolder) -> None:
    (root / "z" / "x.txt").write_text("x")
    root.rename(tmp_path / "elsewhere")
    assert "z/x.txt" in _told(watched, "z/x.txt")
    with pytest.raises(FileNotFoundError):
        while True:
            watched.changes(_WAIT_S)


def test_a_folder_that_cannot_be_watched_is_an_error_and_leaves_nothing_open(root: Path) -> None:
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            WatchedFolder(root / "nowhere")
    with file_modes_apply(), mode(root / "m", 0), pytest.raises(PermissionError):
        WatchedFolder(root / "m")
    assert open_descriptors() == before
