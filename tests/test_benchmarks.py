"""The benchmarks run, at sizes that say nothing about speed: figures nobody can make again are worth nothing.

`textbook` does not: it is another system, in an environment of its own.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

SMALL = {
    "access": ("--files", "120", "--beside"),
    "answering": ("--times", "20", "--rounds", "10", "--people", "2"),
    "flags": (),
    "ingestion": ("--files", "30"),
    "log": ("--entries", "500", "--appends", "20", "--keep", "{folder}"),
    "search": ("--chunks", "600", "--questions", "20", "--keep", "{folder}"),
    "subject": ("--entries", "600"),
    "timing": ("--rounds", "10", "--sign-ins", "4", "--documents", "4"),
}
OURS = ("appliance", "ingest", "ui", "deploy", "tests", "bench")
AFTER = {
    "log": [("desk", "{folder}/log/queries.db")],
    "search": [
        ("startup", "--data", "{folder}", "--starts", "1"),
        ("answering", "--data", "{folder}", "--times", "20", "--rounds", "10", "--people", "2"),
    ],
}


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


# what is asked of documents: sets in the form that bench/corpora.py and bench/retrieval.py read

_SAID = {
    "hotels": ("A hotel in Zurich may cost at most 240 francs a night.", "What may a hotel in Zurich cost a night?", "240 francs"),
    "filters": ("The hydraulic filter is replaced every 500 hours.", "How often is the hydraulic filter replaced?", "500 hours"),
    "invoices": ("Invoices are kept for ten years.", "How long are invoices kept?", "ten years"),
    "leave": ("Parental leave lasts sixteen weeks.", "How long does parental leave last?", "sixteen weeks"),
    "canteen": ("The canteen serves lunch from eleven until two.", "When does the canteen serve lunch?", "eleven until two"),
    "laptops": ("A laptop is exchanged after four years.", "After how many years is a laptop exchanged?", "four years"),
    "badges": ("A lost badge is reported to the gate at once.", "To whom is a lost badge reported?", "the gate"),
    "parking": ("Visitors park on the third floor.", "Where do visitors park?", "third floor"),
    "alarms": ("The fire alarm is tested on the first Monday of a month.", "When is the fire alarm tested?", "first Monday"),
    "travel": ("Trains are booked second class.", "In which class are trains booked?", "second class"),
}  # fmt: skip
_UNSAID = (
    "Who painted the ceiling of the chapel?", "How many moons has Jupiter?", "What did the senate vote on in May?",
    "Which river crosses Budapest?", "When was the violin concerto written?", "Who won the cup in 1998?",
)  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets about the same house: one of passages in a file, with grades by hand, one of documents in a folder."""
    root = tmp_path_factory.mktemp("material")
    lines: dict[str, list[dict[str, object]]] = {"corpus.jsonl": [], "queries_test.jsonl": []}
    grades = ["query\tdocument\trelevance"]
    docs = root / "handbook" / "docs"
    docs.mkdir(parents=True)
    (root / "squad2").mkdir()
    for name, (said, question, answer) in _SAID.items():
        text = f"{said} Whoever is in doubt asks the office, which keeps this page about {name}."
        (docs / f"{name}.md").write_text(f"# {name.title()}\n\n{text}\n", "utf-8")
        lines["corpus.jsonl"].append({"id": name, "title": name.title(), "text": text})
        evidence = [{"doc": name, "passage": name, "quote": said}]
        asked = {"id": name, "question": question, "answer": f"{said}", "answers": [answer], "evidence": evidence}
        lines["queries_test.jsonl"].append(asked | {"answerable": True, "lang": "en"})
        grades.append(f"{name}\t{name}\t1")
    for at, question in enumerate(_UNSAID):
        row = {"id": f"u{at}", "question": question, "answer": None, "evidence": [], "answerable": False, "lang": "en"}
        lines["queries_test.jsonl"].append(row)
    for name, rows in lines.items():
        (root / "squad2" / name).write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    (root / "squad2" / "qrels_test.tsv").write_text("\n".join(grades) + "\n", "utf-8")
    (root / "handbook" / "queries.jsonl").write_bytes((root / "squad2" / "queries_test.jsonl").read_bytes())
    return root


def _retrieval(printed: str) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines()]
    head, found = rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    assert "nDCG@10" in head
    assert [row["set"] for row in found] == ["squad2 en", "handbook en"]
    for row in found:
        assert row["questions"] == "10"
        assert all(0.9 <= float(row[name]) <= 1 for name in ("nDCG@10", "R@5", "R@10", "document@5", "AUROC"))
        assert 0 < float(row["p50 ms"]) <= float(row["p95 ms"])


def _abstention(printed: str) -> None:
    halves = re.findall(
        r"^(.+?) +on the half that was not fitted: .*AUROC mean ([\d.]+), worst ([\d.]+)$", printed, re.M
    )
    assert [name for name, _, _ in halves] == ["squad2", "handbook"]
    assert all(0.8 <= float(mean) <= 1 and 0.5 <= float(worst) <= float(mean) for _, mean, worst in halves)
    assert re.search(r"^threshold 0\.\d\d$", printed, re.M)
    counts = re.findall(r"^(.+?) +(\d+) answerable, .*; +(\d+) not, caught", printed, re.M)
    assert counts == [
        ("squad2", "10", "6"),
        ("handbook", "10", "6"),
        ("handbook in squad2", "0", "10"),
        ("squad2 in handbook", "0", "10"),
    ]


def _extraction(printed: str) -> None:
    found = re.findall(
        r"^(\w+) +10 questions: quoted ([\d.]+)%, highlighted ([\d.]+)%, in the passages ([\d.]+)%; "
        r"highlights in the right place (\d+), elsewhere (\d+)$",
        printed,
        re.M,
    )
    assert [name for name, *_ in found] == ["squad2", "handbook"]
    for _, *shares, right, wrong in found:
        quoted, highlighted, there = map(float, shares)
        assert 80 <= highlighted <= quoted <= there <= 100
        assert int(right) >= 8 and int(right) + int(wrong) <= 30


def _embedding(printed: str) -> None:
    assert "embedding, 10 texts of" in printed
    quality = {
        side: float(ndcg) for side, ndcg in re.findall(r"(plain|ours) .*nDCG@10 ([\d.]+) \(test, 10 queries\)", printed)
    }
    assert quality.keys() == {"plain", "ours"}
    assert all(0.9 <= ndcg <= 1 for ndcg in quality.values())
    lowest, mean = map(float, re.findall(r"lowest ([\d.]+), mean ([\d.]+)", printed)[0])
    assert 0.95 <= lowest <= mean <= 1.001


def _grounding(printed: str) -> None:
    assert [line.split(":")[0] for line in printed.splitlines() if "statements" in line] == ["squad2", "handbook"]
    rows = re.findall(r"(\d\.\d)  own +([\d.]+)%   other +([\d.]+)%", printed)
    assert len(rows) == 12
    assert all(float(own) >= 90 and float(other) <= 50 for _, own, other in rows)


def _followups(printed: str) -> None:
    found = re.findall(r"^(\S+) +(\d+) questions, (?:taken for follow-ups|missed) +([\d.]+)%$", printed, re.M)
    assert [(name, int(count)) for name, count, _ in found[:2]] == [("squad2", 16), ("handbook", 16)]
    assert found[2][0] == "follow-ups"
    assert int(found[2][1]) > 100
    assert all(0 <= float(share) < 20 for _, _, share in found)


def _costs(printed: str) -> None:
    (row,) = [line.strip("| ").split(" | ") for line in printed.splitlines()[2:]]
    documents, chunks, *_, memory, search, _ = row
    assert (documents, int(chunks) >= 30) == ("30", True)
    assert 0 < float(memory.removesuffix(" GB")) < 16
    assert 0 < float(search.removesuffix(" ms")) < 10_000


JUDGED: dict[str, tuple[tuple[str, ...], Callable[[str], None]]] = {
    "retrieval": (("{data}", "--sets", "squad2", "handbook"), _retrieval),
    "abstention": (("--index", "{folder}", "{data}/squad2", "{data}/handbook"), _abstention),
    "extraction": (("--index", "{folder}", "{data}/squad2", "{data}/handbook"), _extraction),
    "embedding": (("{data}/squad2",), _embedding),
    "grounding": (("{data}/squad2", "{data}/handbook"), _grounding),
    "followups": (("{data}/squad2", "{data}/handbook"), _followups),
    "costs": (("--thousands", "1", "--words", "60", "--at-a-time", "30"), _costs),
}


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", JUDGED)
def test_a_benchmark_of_answers_prints_what_its_questions_come_to(name: str, material: Path, tmp_path: Path) -> None:
    options, judge = JUDGED[name]
    given = [part.replace("{folder}", str(tmp_path)).replace("{data}", str(material)) for part in options]
    done = subprocess.run(
        [sys.executable, f"bench/{name}.py", *given], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    judge(done.stdout)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("name", ["extraction", "grounding", "followups", "retrieval"])
def test_a_set_without_such_questions_is_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    options = {
        "extraction": ["--index", str(tmp_path), str(folder)],
        "retrieval": [str(tmp_path), "--sets", "handbook"],
    }
    done = subprocess.run(
        [sys.executable, f"bench/{name}.py", *options.get(name, [str(folder)])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "handbook" in done.stderr
