"""Walking a folder: what is found, what is refused, what is unknown."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.errors import InvalidRequest
from ingest.discover import FoundFile, RefusedFile, StrayFile, Unreadable, discover, is_ignored, open_folder
from tests.ingest.conftest import mode, open_descriptors


def _files(root: Path) -> list[str]:
    return [item.path for item in discover(root) if isinstance(item, FoundFile)]


def _refused(root: Path) -> dict[str, str]:
    return {item.path: item.reason for item in discover(root) if isinstance(item, RefusedFile)}


def _unreadable(root: Path) -> dict[str, str]:
    return {item.path: item.reason for item in discover(root) if isinstance(item, Unreadable)}


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text")


def test_files_come_in_a_stable_order_with_their_size_and_time(tmp_path: Path) -> None:
    for name in ("b/inner.txt", "z.txt", "a.txt", "b/c/deep.txt", "Ü b.txt"):
        _write(tmp_path / name)
    os.utime(tmp_path / "a.txt", ns=(5, 7_000_000_001))
    assert _files(tmp_path) == ["a.txt", "z.txt", "Ü b.txt", "b/inner.txt", "b/c/deep.txt"]
    assert list(discover(tmp_path)) == list(discover(tmp_path))
    assert next(iter(discover(tmp_path))) == FoundFile("a.txt", 4, 7_000_000_001)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        ".git/config",
        ".access/inner.txt",
        "~$letter.docx",
        "letter.docx~",
        "real.txt.access.toml",
        ".access.toml",
        ".access.toml~",
        "._real.txt.access.toml",
        "Thumbs.db",
    ],
)
def test_droppings_hidden_files_and_sidecars_are_no_documents(tmp_path: Path, name: str) -> None:
    _write(tmp_path / name)
    _write(tmp_path / "real.txt")
    assert list(discover(tmp_path)) == [FoundFile("real.txt", 4, (tmp_path / "real.txt").stat().st_mtime_ns)]


def test_names_that_only_resemble_droppings_are_documents() -> None:
    assert not any(is_ignored(name) for name in ("thumbs.db.txt", "access.html", "my~file.txt", "a.txt"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gone.txt.access.toml", "no file 'gone.txt' beside it. Name it after its document, or remove it."),
        ("REAL.txt.access.toml", "no file 'REAL.txt' beside it. Call it 'real.txt.access.toml'."),
        ("inner.access.toml", "'inner' is a folder. Put it in there, as '.access.toml'."),
        ("real.txt.acces.toml", "not called 'real.txt.access.toml'"),
        ("real.txt.access.tml", "not called 'real.txt.access.toml'"),
        ("real.txt.Access.TOML", "not called 'real.txt.access.toml'"),
        ("real.txt.access.toml.txt", "not called 'real.txt.access.toml'"),
        ("real.txt.access", "not called 'real.txt.access.toml'"),
        (".acess.toml", "not called '.access.toml'"),
        (".access.toml.TXT", "not called '.access.toml'"),
        ("access.toml", "not called '.access.toml'"),
    ],
)
def test_an_access_file_that_covers_nothing_is_told_of(tmp_path: Path, name: str, told: str) -> None:
    for path in ("real.txt", "inner/real.txt"):
        _write(tmp_path / path)
    _write(tmp_path / name)
    (stray,) = (item for item in discover(tmp_path) if isinstance(item, StrayFile))
    assert stray.path == name and told in stray.reason
    assert _files(tmp_path) == ["real.txt", "inner/real.txt"]


def test_an_access_file_under_another_spelling_counts_where_the_file_system_takes_it_for_the_one(
    tmp_path: Path,
) -> None:
    for name in ("real.txt", "REAL.txt.access.toml", ".Access.toml"):
        _write(tmp_path / name)
    for there, here in (("REAL.txt.access.toml", "real.txt.access.toml"), (".Access.toml", ".access.toml")):
        (tmp_path / here).hardlink_to(tmp_path / there)  # as a share answers to both names
    assert list(discover(tmp_path)) == [FoundFile("real.txt", 4, (tmp_path / "real.txt").stat().st_mtime_ns)]


def test_a_link_is_refused_whether_it_points_inside_or_outside_or_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _write(root / "real.txt")
    _write(tmp_path / "outside" / "secret.txt")
    (root / "inside.txt").symlink_to("real.txt")
    (root / "outside").symlink_to(tmp_path / "outside")
    (root / "dangling.txt").symlink_to("nowhere")
    (root / "loop").symlink_to(".")
    assert _files(root) == ["real.txt"]
    assert set(_refused(root)) == {"inside.txt", "outside", "dangling.txt", "loop"}
    assert all("link" in reason for reason in _refused(root).values())


def test_pipes_and_sockets_are_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        assert set(_refused(tmp_path)) == {"pipe.txt", "socket.txt"}


def test_a_name_that_is_not_utf8_is_refused_under_a_name_that_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("text")
    (tmp_path / os.fsdecode(b"dir\xff")).mkdir()
    refused = _refused(tmp_path)
    assert set(refused) == {r"caf\xe9.txt", r"dir\xff"}
    assert all("UTF-8" in reason for reason in refused.values())


def test_a_name_that_is_not_utf8_is_never_shown_as_that_of_another_file(tmp_path: Path) -> None:
    names = [
        rb"a?.txt",
        b"a\xff.txt",
        b"a\xfe.txt",
        rb"a\xff.txt",
        rb"a\xff.txt'",
        b"b\xff" + rb"\xfe",
        rb"b\xff" + b"\xfe",
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("text")
    assert set(_files(tmp_path)) == {"a?.txt", r"a\xff.txt", r"a\xff.txt'"}
    assert list(_refused(tmp_path)) == [r"a\xfe.txt", r"a\xff.txt''", r"b\xff\xfe", r"b\xff\xfe'"]


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_is_walked(tmp_path: Path) -> None:
    for name in ("a.txt", "closed/secret.txt", "z/z.txt"):
        _write(tmp_path / name)
    with mode(tmp_path / "closed", 0o000):
        assert _files(tmp_path) == ["a.txt", "z/z.txt"]
        assert _unreadable(tmp_path) == {"closed": "The folder cannot be listed: Permission denied."}


def test_what_cannot_be_examined_is_unknown_rather_than_refused(tmp_path: Path) -> None:
    _write(tmp_path / "listed" / "a.txt")
    with mode(tmp_path / "listed", 0o444):
        assert _unreadable(tmp_path) == {"listed/a.txt": "It cannot be examined: Permission denied."}
        assert not _refused(tmp_path)


def test_a_missing_folder_a_file_and_a_closed_folder_are_refused_with_what_to_do(tmp_path: Path) -> None:
    _write(tmp_path / "file")
    for missing in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(InvalidRequest, match="does not exist"):
            list(discover(missing))
    closed = tmp_path / "closed"
    closed.mkdir()
    with mode(closed, 0o000), pytest.raises(InvalidRequest, match="cannot be listed"):
        list(discover(closed))
    with mode(tmp_path, 0o000), pytest.raises(InvalidRequest, match="cannot be listed"):
        list(discover(closed))


def test_folders_nested_deeper_than_python_recurses_are_walked(tmp_path: Path) -> None:
    depth = 1100
    assert depth > sys.getrecursionlimit()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    try:
        assert _files(tmp_path) == ["d/" * depth + "deep.txt"]
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest's own tidying recurses


def test_opening_a_folder_follows_no_link_on_the_way(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _write(root / "a" / "b" / "file.txt")
    _write(tmp_path / "outside" / "b" / "file.txt")
    with open_folder(root, "a/b") as descriptor:
        assert sorted(entry.name for entry in os.scandir(descriptor)) == ["file.txt"]
    (root / "a").rename(root / "was-a")
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError), open_folder(root, "a/b"):
        pass


def test_opening_folders_leaks_no_descriptor(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "b" / "file.txt")
    before = open_descriptors()
    for _ in range(20):
        list(discover(tmp_path))
        with pytest.raises(FileNotFoundError), open_folder(tmp_path, "a/missing"):
            pass
    assert open_descriptors() == before
