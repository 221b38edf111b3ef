"""Folders for temporary files: removed in the end, and never while somebody uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.scratch import ScratchFolder, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_its_accounts_alone_until_it_is_removed() -> None:
    folder = ScratchFolder("ours-")
    (folder.path / "file").write_text("kept")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    for _ in range(2):
        folder.remove()
        assert not folder.path.exists()


def test_what_others_left_is_swept_and_what_is_in_use_is_not(temporary: Path) -> None:
    used = ScratchFolder("ours-")
    left, new, other = temporary / "ours-left", temporary / "ours-new", temporary / "theirs-left"
    for folder in (left, new, other):
        folder.mkdir()
    for folder in (left, used.path, other):
        os.utime(folder, (0, 0))
    sweep("ours-")
    assert set(temporary.iterdir()) == {used.path, new, other}
    used.remove()


@pytest.mark.integration
@pytest.mark.parametrize(("ending", "stays"), [("sys.exit(3)", False), ("os.kill(os.getpid(), 9)", True)])
def test_a_folder_ends_with_its_process_or_can_be_swept(temporary: Path, ending: str, *, stays: bool) -> None:
    program = (
        f"import os, sys\nfrom appliance.scratch import ScratchFolder\nfolder = ScratchFolder('ours-')\n{ending}\n"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(temporary)}, check=False)
    assert len(list(temporary.iterdir())) == stays
    for folder in temporary.iterdir():
        os.utime(folder, (0, 0))
    sweep("ours-")
    assert list(temporary.iterdir()) == []
