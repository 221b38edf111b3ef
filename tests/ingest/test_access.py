"""Sidecar files: the nearest label wins, and a mistake never opens a document."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from appliance.domain import Rule, Source
from appliance.errors import DocumentRejected
from appliance.labels import label
from ingest.access import AccessLabels, Ground
from tests.ingest.conftest import mode, open_descriptors

DEFAULT = frozenset({"staff"})


def _groups(root: Path, path: str) -> frozenset[str]:
    return _labels(root).label(path)


def _labels(root: Path, **settings: Any) -> AccessLabels:
    return AccessLabels(Source("s", "Library", str(root), **{"groups": DEFAULT, **settings}))


def _label(root: Path, path: str, text: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text.encode() if isinstance(text, str) else text)


def test_without_a_sidecar_the_default_of_the_source_applies(tmp_path: Path) -> None:
    assert _groups(tmp_path, "a/b/c.txt") == DEFAULT


def test_the_nearest_label_wins(tmp_path: Path) -> None:
    _label(tmp_path, ".access.toml", 'groups = ["root"]')
    _label(tmp_path, "a/b/.access.toml", 'groups = ["b"]')
    _label(tmp_path, "a/b/c.txt.access.toml", 'groups = ["own", " two "]')
    labels = _labels(tmp_path)
    assert labels.label("top.txt") == {"root"}
    assert labels.label("a/x.txt") == {"root"}
    assert labels.label("a/b/x.txt") == {"b"}
    assert labels.label("a/b/deeper/x.txt") == {"b"}
    assert labels.label("a/b/c.txt") == {"own", "two"}


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
    labels = _labels(tmp_path)
    for path in ("a/x.txt", "a/deeper/x.txt", "a/x.txt", "b.txt"):
        with pytest.raises(DocumentRejected, match=r"access file '(a/|b\.txt)\.access\.toml'.*groups = \["):
            labels.label(path)
    assert labels.label("other.txt") == DEFAULT


def test_a_label_of_ones_own_counts_although_the_folders_label_is_broken_unless_it_leaves_the_level_open(
    tmp_path: Path,
) -> None:
    _label(tmp_path, "a/.access.toml", "broken")
    _label(tmp_path, "a/x.txt.access.toml", 'groups = ["board"]\nlevel = "public"')
    _label(tmp_path, "a/y.txt.access.toml", 'groups = ["board"]')
    assert _groups(tmp_path, "a/x.txt") == label({"board"}, "public")
    with pytest.raises(DocumentRejected, match=r"'a/\.access\.toml'"):
        _groups(tmp_path, "a/y.txt")


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
    labels = _labels(tmp_path)
    assert labels.label("a/x.txt") == {"board"}
    (tmp_path / "a" / ".access.toml").unlink()
    assert labels.label("a/y.txt") == {"board"}


def test_a_sidecar_may_name_the_level_alone_and_the_groups_come_from_further_away(tmp_path: Path) -> None:
    _label(tmp_path, ".access.toml", 'groups = ["root"]\nlevel = "confidential"')
    _label(tmp_path, "a/.access.toml", 'level = "secret"')
    _label(tmp_path, "a/x.txt.access.toml", 'groups = ["own"]')
    labels = _labels(tmp_path)
    assert labels.label("top.txt") == label({"root"}, "confidential")
    assert labels.label("a/y.txt") == label({"root"}, "secret")
    assert labels.label("a/x.txt") == label({"own"}, "secret")


@pytest.mark.parametrize(
    "content",
    ['level = "top secret"', "level = 3", 'level = ""', 'groups = ["hr\x1fsecret"]', 'groups = ["a\\u001fb"]'],
)
def test_a_level_nobody_set_up_and_a_group_with_hidden_signs_refuse_the_file(tmp_path: Path, content: str) -> None:
    _label(tmp_path, ".access.toml", content)
    with pytest.raises(DocumentRejected, match=r"access file '\.access\.toml' is wrong"):
        _groups(tmp_path, "x.txt")


def test_rules_come_after_sidecars_and_before_the_default_and_the_first_that_matches_wins(tmp_path: Path) -> None:
    _label(tmp_path, "hr/open/.access.toml", 'groups = ["all"]')
    rules = (
        Rule(("hr/**",), frozenset({"hr"})),
        Rule(("**/*.key", "HR/pay/**"), level="secret"),
        Rule(("**/secret/**", "hr/**"), frozenset({"board"}), "confidential"),
    )
    labels = _labels(tmp_path, rules=rules, level="public")
    assert labels.label("hr/a.txt") == label({"hr"}, "confidential")  # the level of the first rule that names one
    assert labels.label("hr/pay/a.txt") == label({"hr"}, "secret")
    assert labels.label("hr/open/a.txt") == label({"all"}, "confidential")
    assert labels.label("x/secret/a.txt") == label({"board"}, "confidential")
    assert labels.label("x/a.key") == label(DEFAULT, "secret")
    assert labels.label("x/a.txt") == label(DEFAULT, "public")


def test_a_rule_that_names_no_group_hides_and_accents_match_however_they_are_spelled(tmp_path: Path) -> None:
    labels = _labels(tmp_path, rules=(Rule(("F\u00fchrung/**",), frozenset()),))
    assert labels.label("Fu\u0308hrung/a.txt") == frozenset()
    assert labels.finding("Fu\u0308hrung/a.txt").remark == "Nobody is named by rule 1 of the source."


def test_what_is_explained_names_the_group_the_level_and_what_says_so(tmp_path: Path) -> None:
    _label(tmp_path, "a/.access.toml", 'level = "secret"')
    found = _labels(tmp_path, rules=(Rule(("a/**",), frozenset({"hr", "law"})),)).finding("a/x.txt")
    assert found.grounds == (Ground("hr", "rule 1 of the source"), Ground("law", "rule 1 of the source"))
    assert (found.level, found.level_by) == ("secret", "the access file 'a/.access.toml'")
