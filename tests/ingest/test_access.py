"""Sidecar files: the nearest label wins, and a mistake never opens a document."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.errors import DocumentRejected
from ingest.access import AccessLabels
from tests.ingest.conftest import mode, open_descriptors

DEFAULT = frozenset({"staff"})


def _groups(root: Path, path: str) -> frozenset[str]:
    return AccessLabels(root, DEFAULT).groups(path)


def _label(root: Path, path: str, text: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text.encode() if isinstance(text, str) else text)


def test_without_a_sidecar_the_default_of_the_source_applies(tmp_path: Path) -> None:
    assert _groups(tmp_path, "a/b/c.txt") == DEFAULT


def test_the_nearest_label_wins(tmp_path: Path) -> None:
    _label(tmp_path, ".access.toml", 'groups = ["root"]')
    _label(tmp_path, "a/b/.access.toml", 'groups = ["b"]')
    _label(tmp_path, "a/b/c.txt.access.toml", 'groups = ["own", " two "]')
    labels = AccessLabels(tmp_path, DEFAULT)
    assert labels.groups("top.txt") == {"root"}
    assert labels.groups("a/x.txt") == {"root"}
    assert labels.groups("a/b/x.txt") == {"b"}
    assert labels.groups("a/b/deeper/x.txt") == {"b"}
    assert labels.groups("a/b/c.txt") == {"own", "two"}


def test_an_empty_list_means_nobody_and_does_not_fall_back(tmp_path: Path) -> None:
    _label(tmp_path, "a/.access.toml", "groups = []")
    assert _groups(tmp_path, "a/x.txt") == frozenset()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"groups",
        b'group = ["typo"]',
        b'groups = "staff"',
        b"groups = [1]",
        b'groups = [""]',
        b'groups = ["  "]',
        b'groups = ["staff"]\nowner = "x"',
        b'groups = ["' + b"x" * 101 + b'"]',
        b'groups = ["\xff"]',
        b'groups = ["a"]\n#' + b"x" * 70_000,
        b"groups = " + b"[" * 30_000,
        b'groups = ["a"]\ngroups = ["b"]',
        b"\x00\x01\x02",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_sidecar_that_is_not_understood_refuses_what_it_covers(tmp_path: Path, content: bytes) -> None:
    _label(tmp_path, "a/.access.toml", content)
    _label(tmp_path, "b.txt.access.toml", content)
    labels = AccessLabels(tmp_path, DEFAULT)
    for path in ("a/x.txt", "a/deeper/x.txt", "a/x.txt", "b.txt"):
        with pytest.raises(DocumentRejected, match=r"access file '(a/|b\.txt)\.access\.toml'.*groups = \["):
            labels.groups(path)
    assert labels.groups("other.txt") == DEFAULT


def test_a_label_of_ones_own_counts_although_the_folders_label_is_broken(tmp_path: Path) -> None:
    _label(tmp_path, "a/.access.toml", "broken")
    _label(tmp_path, "a/x.txt.access.toml", 'groups = ["board"]')
    assert _groups(tmp_path, "a/x.txt") == {"board"}


def test_a_sidecar_that_is_a_link_a_folder_or_a_pipe_refuses_what_it_covers(tmp_path: Path) -> None:
    _label(tmp_path, "open.toml", 'groups = ["everyone"]')
    for folder in ("link", "folder", "pipe"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link" / ".access.toml").symlink_to(tmp_path / "open.toml")
    (tmp_path / "folder" / ".access.toml").mkdir()
    os.mkfifo(tmp_path / "pipe" / ".access.toml")
    before = open_descriptors()
    for folder in ("link", "folder", "pipe"):
        with pytest.raises(DocumentRejected, match=r"\.access\.toml"):
            _groups(tmp_path, f"{folder}/x.txt")
    assert open_descriptors() == before


def test_a_sidecar_closed_to_the_appliance_refuses_what_it_covers(tmp_path: Path) -> None:
    _label(tmp_path, "a/.access.toml", 'groups = ["everyone"]')
    with mode(tmp_path / "a" / ".access.toml", 0o000), pytest.raises(DocumentRejected, match="cannot be read"):
        _groups(tmp_path, "a/x.txt")


def test_a_file_whose_name_leaves_no_room_for_a_sidecar_has_none(tmp_path: Path) -> None:
    _label(tmp_path, ".access.toml", 'groups = ["board"]')
    assert _groups(tmp_path, "x" * 251 + ".txt") == {"board"}


def test_a_sidecar_saved_by_a_windows_editor_is_understood(tmp_path: Path) -> None:
    _label(tmp_path, ".access.toml", b'\xef\xbb\xbfgroups = ["board"]\r\n')
    assert _groups(tmp_path, "x.txt") == {"board"}


def test_a_sidecar_is_read_once_for_all_files_of_its_folder(tmp_path: Path) -> None:
    _label(tmp_path, "a/.access.toml", 'groups = ["board"]')
    labels = AccessLabels(tmp_path, DEFAULT)
    assert labels.groups("a/x.txt") == {"board"}
    (tmp_path / "a" / ".access.toml").unlink()
    assert labels.groups("a/y.txt") == {"board"}
