"""Checkpoint texts: the form of C2SP tlog-checkpoint, and everything near it refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from appliance.audit import checkpoint
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.tree import EMPTY_ROOT
from appliance.errors import AuditBroken

ROOT = bytes(range(32))
ROOT_TEXT = base64.b64encode(ROOT).decode()
GOOD = f"strongroom/query-log\n1200\n{ROOT_TEXT}\n"


def test_a_checkpoint_has_the_three_lines_of_a_tlog_checkpoint() -> None:
    assert Checkpoint("strongroom/query-log", 1200, ROOT).text() == GOOD
    assert checkpoint.parse(GOOD) == Checkpoint("strongroom/query-log", 1200, ROOT)


def test_the_checkpoint_of_an_empty_log_is_read() -> None:
    empty = Checkpoint("strongroom/query-log", 0, EMPTY_ROOT)
    assert checkpoint.parse(empty.text()) == empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "\n",
        GOOD + "extension\n",
        "\n" + GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("1200", "01200"),
        GOOD.replace("1200", "+1200"),
        GOOD.replace("1200", "-1200"),
        GOOD.replace("1200", "1_200"),
        GOOD.replace("1200", "1200 "),
        GOOD.replace("1200", "0x4b0"),
        GOOD.replace("1200", "١٢٠٠"),
        GOOD.replace("1200", "9" * 20),
        GOOD.replace("1200", ""),
        GOOD.replace("1200", "0"),
        GOOD.replace("strongroom/query-log", ""),
        GOOD.replace("strongroom/query-log", "strong room"),
        GOOD.replace("strongroom/query-log", "strongroom+log"),
        GOOD.replace("strongroom/query-log", "strongroom/query-log\nstrongroom/other-log"),
        GOOD.replace("strongroom/query-log", "x" * 600),
        GOOD.replace(ROOT_TEXT, ROOT_TEXT[:-4]),
        GOOD.replace(ROOT_TEXT, ROOT_TEXT.rstrip("=")),
        GOOD.replace(ROOT_TEXT, ROOT_TEXT[:-2] + "9="),  # the same bytes, with unused bits set
        GOOD.replace(ROOT_TEXT, ROOT_TEXT[:20] + " " + ROOT_TEXT[20:]),
        GOOD.replace(ROOT_TEXT, "*" * 44),
    ],
)
def test_a_text_that_is_nearly_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(AuditBroken, match="Take another copy"):
        checkpoint.parse(text)


def test_a_file_holds_the_latest_checkpoint_and_nothing_else_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "query-log.txt"
    assert checkpoint.read(path) is None
    for size in (1, 2):
        checkpoint.write(path, Checkpoint("strongroom/query-log", size, ROOT))
    assert checkpoint.read(path) == Checkpoint("strongroom/query-log", 2, ROOT)
    assert [found.name for found in path.parent.iterdir()] == ["query-log.txt"]


def test_a_file_with_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "query-log.txt"
    path.write_bytes(GOOD.encode() + b"\xff")
    with pytest.raises(AuditBroken):
        checkpoint.read(path)
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    with pytest.raises(AuditBroken):
        checkpoint.read(path)
