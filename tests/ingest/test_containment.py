"""No spelling of a path, and no link that comes and goes, leads out of a source's folder."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path, PurePosixPath

import pytest

from appliance.domain import Source
from appliance.errors import DocumentRejected
from ingest.access import AccessLabels
from ingest.discover import FoundFile, discover
from ingest.folders import last_folder_kept, open_folder
from tests.ingest.conftest import open_descriptors

UPWARDS = ("..", "../..", "a/..", "a/../..", "./..", "a/./../..", "..//..", "a//..//..", "a/b/../../..", "../root/..")
LOOKS_UPWARDS = (
    *(
        "%2e%2e",
        "..%2f..",
        "%252e%252e",
        "..%c0%af..",
        "..\\..",
        "..;",
        "...",
        "....",
        ".. ",
        "..\t",
        "..\u200b",
        "\u2025",
    ),
    *(
        "\uff0e\uff0e",
        "\u2024\u2024",
        "..\u2215..",
        "..\uff0f..",
        "..\u2044..",
        "\u202e..",
        "~",
        "~root",
        "$HOME",
        "${PWD}",
    ),
    *("file:///", "C:\\", "\\\\host\\share", "//host/share", "a\\..\\..", "-", "*", "a/*/..", "x" * 256, "x/" * 3000),
)
ABSOLUTE = (
    "/",
    "//",
    "///",
    "/proc/self/root",
    "/proc/self/cwd",
    "/dev/fd",
    "/proc/1/root",
    "/./",
    "/../..",
    "//proc/self/cwd",
)
LINKS = ("up", "out", "out-by-name", "deep/up", "deep/out", "proc-root", "proc-cwd", "proc-fd", "loop", "chain")
ENDS = ("", "outside", "outside/secret", "/", "\0", "./outside", "outside/")
SPELLINGS = tuple(
    dict.fromkeys(
        f"{start}/{end}" if end else start
        for start, end in product((*UPWARDS, *LOOKS_UPWARDS, *ABSOLUTE, *LINKS), ENDS)
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is surrounded by things it must not lead to, with every kind of link to them."""
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "deep").mkdir()
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    targets = {
        "up": "..",
        "out": tmp_path / "outside",
        "out-by-name": "../outside",
        "deep/up": "../..",
        "deep/out": "../../outside",
        "proc-root": "/proc/self/root",
        "proc-cwd": "/proc/self/cwd",
        "proc-fd": "/proc/self/fd/0",
        "loop": "loop",
        "chain": "deep/out",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    return root


def inside(root: Path) -> set[tuple[int, int]]:
    """Device and number of the folder and those below it."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]
    return {(path.stat().st_dev, path.stat().st_ino) for path in folders}


def reached(root: Path, spelling: str) -> tuple[int, int] | None:
    try:
        with open_folder(root, spelling) as descriptor:
            status = os.fstat(descriptor)
            return status.st_dev, status.st_ino
    except OSError:
        return None


def test_no_spelling_of_a_folder_leads_out(root: Path) -> None:
    assert len(SPELLINGS) >= 300
    allowed = inside(root) | {None}
    assert [spelling for spelling in SPELLINGS if reached(root, spelling) not in allowed] == []
    assert reached(root, "a/b") in inside(root)
    assert reached(root, ".") == reached(root, "") == (root.stat().st_dev, root.stat().st_ino)


def test_no_spelling_of_a_file_finds_a_label_outside(root: Path) -> None:
    for folder in (root.parent, root.parent / "outside", root.parent / "outside" / "secret"):
        (folder / ".access.toml").write_text('groups = ["everyone"]')
        (folder / "x.txt.access.toml").write_text('groups = ["everyone"]')
    labels = AccessLabels(Source("s", "Library", str(root), frozenset({"staff"})))
    for spelling in SPELLINGS:
        with contextlib.suppress(DocumentRejected):
            assert labels.label(f"{spelling}/x.txt") == {"staff"}, spelling


def test_a_walk_names_nothing_outside(root: Path) -> None:
    (root / "a" / "real.txt").write_text("text")
    (root / "hard.txt").hardlink_to(root / "a" / "real.txt")
    assert [found.path for found in discover(root) if isinstance(found, FoundFile)] == ["hard.txt", "a/real.txt"]


@contextlib.contextmanager
def swapping(place: Path, outside: Path) -> Iterator[None]:
    """Put a link in the place of a folder and the folder back, as fast as one can."""
    aside, link = place.with_name("aside"), place.with_name("link")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            place.rename(aside)
            link.symlink_to(outside)
            link.rename(place)
            place.unlink()
            aside.rename(place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        yield
    finally:
        done.set()
        swapper.join()


def read_by_name(root: Path, path: PurePosixPath) -> str:
    with open_folder(root, str(path.parent)) as folder:
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(descriptor) as file:
        assert stat.S_ISREG(os.fstat(descriptor).st_mode)
        return file.read()


def race(tmp_path: Path, rounds: int) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, said in ((root / "docs" / "inner", "inside"), (outside / "inner", "OUTSIDE")):
        folder.mkdir(parents=True)
        (folder / "file.txt").write_text(said)
        (folder / "file.txt.access.toml").write_text(f'groups = ["{said}"]')
    (outside / "only-outside.txt").write_text("OUTSIDE")
    read = swapped = 0
    with swapping(root / "docs", outside):
        for number in range(50 * rounds):
            if number >= rounds and read and swapped:
                break  # on a busy machine the one or the other may be long in coming
            try:
                assert read_by_name(root, PurePosixPath("docs/inner/file.txt")) == "inside"
                assert AccessLabels(Source("s", "Library", str(root), frozenset())).label("docs/inner/file.txt") in (
                    {"inside"},
                    frozenset(),
                )
                read += 1
            except (OSError, DocumentRejected):
                swapped += 1
            names = {found.path for found in discover(root)}
            assert not any("only-outside" in name for name in names)
    assert read
    assert swapped


def test_a_link_that_is_swapped_in_leads_nowhere(tmp_path: Path) -> None:
    race(tmp_path, 500)


@pytest.mark.slow
def test_a_link_that_is_swapped_in_ten_thousand_times_leads_nowhere(tmp_path: Path) -> None:
    race(tmp_path, 10_000)


def test_a_folder_that_is_kept_open_is_that_folder_and_no_other(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "a", root / "b", outside):
        folder.mkdir(parents=True)
        (folder / "own.txt").write_text(folder.name)

    def said(folder: str) -> list[str]:
        with open_folder(root, folder) as descriptor:
            file = os.open("own.txt", os.O_RDONLY, dir_fd=descriptor)
        with os.fdopen(file) as opened:
            return [opened.read()]

    before = open_descriptors()
    with last_folder_kept():
        assert said("a") + said("a") + said("b") + said("a") == ["a", "a", "b", "a"]
        with open_folder(root, "a"):  # inside of it another is opened beside it
            assert said("b") == ["b"]
        (root / "a").rename(root / "gone")
        (root / "a").symlink_to(outside)
        assert said("a") == ["a"]  # what was found there, wherever it lies by now
        assert said("b") == ["b"]
        with pytest.raises(OSError):
            said("a")
    with pytest.raises(OSError):
        said("a")
    assert open_descriptors() == before
