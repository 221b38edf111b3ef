"""What the kernel reports of a folder is told whole: of no folder nothing, and of a closed one as soon as it is opened."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from ingest.folders import open_folder
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


def test_no_link_is_followed_that_has_taken_the_place_of_a_folder(
    root: Path, tmp_path: Path, watched: WatchedFolder
) -> None:
    (tmp_path / "outside" / "new").mkdir(parents=True)
    (root / "a" / "new").mkdir()
    (root / "a").rename(root / "was")
    (root / "a").symlink_to(tmp_path / "outside")
    _told(watched, "was")
    (tmp_path / "outside" / "new" / "x.txt").write_text("x")
    (root / "was" / "new" / "x.txt").write_text("x")
    assert _told(watched, "was/new/x.txt") == {"was/new/x.txt"}


def test_a_folder_that_lies_deeper_than_a_path_may_be_long_is_watched_too(
    root: Path, watched: WatchedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    name, depth = "x" * 250, 20
    for _ in range(depth):
        Path(name).mkdir()
        os.chdir(name)
    _told(watched, name)
    Path("x.txt").write_text("x")
    _told(watched, f"{'/'.join([name] * depth)}/x.txt")
    (root / "z" / "x.txt").write_text("x")
    assert _told(watched, "z/x.txt") == {"z/x.txt"}
    with closing(WatchedFolder(root)) as folder:
        Path("x.txt").write_text("y")
        _told(folder, f"{'/'.join([name] * depth)}/x.txt")


def test_a_folder_that_does_not_answer_holds_up_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(root: Path, folder: str) -> AbstractContextManager[int]:
        if folder == "m":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return open_folder(root, folder)

    monkeypatch.setattr("ingest.inotify.open_folder", stale)
    with closing(WatchedFolder(root)) as folder:
        for name in ("a", "z"):
            (root / name / "in" / "x.txt").write_text("x")
            assert _told(folder, f"{name}/in/x.txt") == {f"{name}/in/x.txt"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM])
def test_where_no_more_folders_can_be_watched_none_is_left_out_without_a_word(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def too_many(root: Path, folder: str) -> AbstractContextManager[int]:
        if folder == "m":
            raise OSError(number, os.strerror(number))
        return open_folder(root, folder)

    monkeypatch.setattr("ingest.inotify.open_folder", too_many)
    with pytest.raises(OSError, match=os.strerror(number)):
        WatchedFolder(root)


def test_of_folders_that_were_deleted_nothing_is_kept(root: Path, watched: WatchedFolder) -> None:
    before = dict(watched._paths)
    for name in ("new", "newer"):
        (root / "a" / name / "in").mkdir(parents=True)
    _told(watched, "a/newer")
    shutil.rmtree(root / "a" / "new")
    (root / "a" / "newer").rename(root / "a" / "new")
    _told(watched, "a/newer")
    shutil.rmtree(root / "a" / "new")
    _told(watched, "a/new")
    while watched.changes(0.2):
        pass
    assert watched._paths == before


def test_where_the_kernel_lost_count_the_whole_folder_is_told_of(
    root: Path, tmp_path: Path, watched: WatchedFolder
) -> None:
    files = [root / "a" / "in" / name for name in ("x.txt", "y.txt")]
    for file in files:
        file.write_text("x")
    for number in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) + 10):
        files[number % 2].chmod(0o600)  # in turn: what is the same as the event before it is put to that
    (root / "a" / "late").mkdir()
    (root / "b").rename(tmp_path / "gone")
    assert "" in _told(watched, "")
    (tmp_path / "gone" / "in" / "x.txt").write_text("x")
    (root / "a" / "late" / "x.txt").write_text("x")
    assert _told(watched, "a/late/x.txt") == {"a/late/x.txt"}


def test_what_is_mounted_in_it_is_told_of_and_watched_each_time(root: Path) -> None:
    apart = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("this account may not mount")
    (root / "inner").mkdir()
    command = [*apart, sys.executable, "-m", "tests.ingest.mounting_process", str(root)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not ran.returncode, ran.stderr


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
