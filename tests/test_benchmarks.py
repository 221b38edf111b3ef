"""The benchmarks run, at sizes that say nothing about speed: figures nobody can make again are worth nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

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
OURS = ("appliance", "ingest", "ui", "deploy", "tests", "bench")
AFTER = {"log": [("desk", "{folder}/log/queries.db")], "search": [("startup", "--data", "{folder}", "--starts", "1")]}


@pytest.mark.parametrize("program", sorted((ROOT / "bench").glob("*.py")), ids=lambda path: path.stem)
def test_all_that_a_benchmark_imports_of_ours_is_there(program: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(program.read_text())) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.module is not None and node.module.partition(".")[0] in OURS:
            module = importlib.import_module(node.module)
            missing = [name.name for name in node.names if not _has(module, name.name)]
            assert not missing, f"{node.module} has no {missing}"


def _has(module: ModuleType, name: str) -> bool:
    return hasattr(module, name) or (hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}") is not None)


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
