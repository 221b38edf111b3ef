"""What the tests run under so that they do not wait for the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNSYNCED = Path(__file__).with_name("unsynced.py")

ASK = "import os; written = os.pipe()[1]; os.fsync(written); os.fdatasync(written)"  # which no pipe can do


def run(code: str) -> int:
    return subprocess.run([sys.executable, UNSYNCED, sys.executable, "-c", code], check=False, timeout=60).returncode


@pytest.mark.parametrize(
    "code", [ASK, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ASK!r}], check=True)"]
)
def test_a_command_and_what_it_starts_are_told_that_all_is_on_the_disk(code: str) -> None:
    assert run(code) == 0


def test_the_status_is_that_of_the_command() -> None:
    assert run("raise SystemExit(7)") == 7
