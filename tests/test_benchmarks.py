"""The benchmarks run, at sizes that say nothing about speed: figures nobody can make again are worth nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SMALL = {
    "answering": ("--times", "20", "--rounds", "10", "--people", "2"),
    "flags": (),
    "ingestion": ("--files", "30"),
    "log": ("--entries", "500", "--appends", "20", "--keep", "{folder}"),
    "search": ("--chunks", "600", "--questions", "20", "--keep", "{folder}"),
    "subject": ("--entries", "600"),
    "timing": ("--rounds", "10", "--sign-ins", "4", "--documents", "4"),
}
AFTER = {"log": [("desk", "{folder}/log/queries.db")], "search": [("startup", "--data", "{folder}", "--starts", "1")]}


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs_and_prints_its_figures(name: str, tmp_path: Path) -> None:
    for command in ((name, *SMALL[name]), *AFTER.get(name, ())):
        program, *options = (part.replace("{folder}", str(tmp_path)) for part in command)
        done = subprocess.run(
            [sys.executable, f"bench/{program}.py", *options], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert any(sign.isdigit() for sign in done.stdout), done.stdout
