"""Measures retrieval on sets of documents and questions with known evidence, and prints a table.

    python bench/retrieval.py DATA [--sets NAME ...] [--textbook PYTHON] [--most QUESTIONS] [--json FILE]
                              [--model FOLDER]

DATA is a folder of sets, each with documents (`docs/`, or `corpus.jsonl` with a passage a line) and `queries*.jsonl` in the
form of a golden set (docs/operations/evaluation.md). What is known about each set stands in `SETS`. Everything goes
through the product with its shipped defaults: files are written, ingested and searched as an employee would search them.

--textbook  Also ask the textbook pipeline (bench/textbook.py), in the environment that PYTHON is the interpreter of: by its
            defaults, which embed the first quarter of each piece, and cut into pieces of as many tokens as ours.
The table says, besides ranks: how often the right document is among the first five places, how well the estimate that a
question can be answered tells those that cannot (AUROC), and which share of the others would be turned away without a
language model. Both count the second search that such a question may get (appliance/answering/enough.py), the ranks and
times do not. *Taken in* is from the files to the last passage in the index.

--most      No more questions than so many of each set, evenly chosen.
--model     Embed with the sentence-transformers model in FOLDER (`embedding.model_path`), not with the one that comes along.
--json      Write every figure, and for each question what was found, to FILE.

A set whose documents differ in who asks about them (one language, one document) is ingested as one source for each, under
a group of its own: a reader of that group searches there and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from appliance.config import EmbeddingSettings, IngestSettings, ModelSettings, Provider, Settings, go_offline

go_offline()

from appliance.domain import EVERYONE, AccessFilter, Chunk, Hit, Place, Source
from appliance.evaluation.golden import Evidence
from appliance.evaluation.metrics import auroc, ndcg, percentile, recall
from appliance.evaluation.relevance import judged
from appliance.wiring import Appliance, opened

_Row = Mapping[str, Any]
_DOCUMENT_CUT = 5
_COLUMNS = (
    "set",
    "system",
    "questions",
    "nDCG@10",
    "R@5",
    "R@10",
    "document@5",
    "AUROC",
    "turned away",
    "p50 ms",
    "p95 ms",
    "taken in, s",
)


def _by_document(row: _Row) -> list[Evidence]:
    return [Evidence(doc=piece["doc"]) for piece in row["evidence"]]


def _by_page(row: _Row) -> list[Evidence]:
    return [Evidence(doc=piece["doc"], page=piece["page"]) for piece in row["evidence"]]


def _by_passage(row: _Row) -> list[Evidence]:
    return [Evidence(doc=piece["passage"]) for piece in row["evidence"]]


def _asked(row: _Row) -> bool:
    return not row.get("meta", {}).get("ambiguous")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a set is put to use: what counts as found, which questions count, and to which group each belongs."""

    evidence: Callable[[_Row], list[Evidence]]
    counts: Callable[[_Row], bool] = _asked
    group_of_question: Callable[[_Row], str] = lambda _: EVERYONE
    group_of_document: Callable[[_Row], str] = lambda _: EVERYONE


SETS = {
    "squad2": Kind(_by_passage),
    "xquad": Kind(
        _by_passage, group_of_question=lambda row: str(row["lang"]), group_of_document=lambda row: str(row["lang"])
    ),
    "handbook": Kind(_by_document),
    "mmlongbench_pdf": Kind(
        _by_page,
        counts=lambda row: bool(row["meta"].get("text_answerable")),
        group_of_question=lambda row: str(row["meta"]["target_doc"]),
        group_of_document=lambda row: str(row["id"]),
    ),
    "scifact": Kind(_by_document),
    "finance_pdf": Kind(_by_page),
    "obliqa": Kind(_by_passage),
    "swiss_law": Kind(_by_document),  # across languages: little is found with a model that reads English
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its evidence (none where the documents do not say), and the group that asks it."""

    id: str
    text: str
    evidence: list[Evidence]
    group: str
    language: str


@dataclass(slots=True)
class Tally:
    """What came of the questions of a set."""

    gains: list[tuple[str, tuple[int, ...], int, bool]] = field(default_factory=list)
    answerable: list[float] = field(default_factory=list)
    unanswerable: list[float] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    def judge(self, question: Question, score: float, *, may_answer: bool) -> None:
        """What the product makes of what it found for a question."""
        (self.answerable if question.evidence else self.unanswerable).append(score)
        if question.evidence and not may_answer:
            self.turned_away.append(question.id)

    def add(self, question: Question, hits: Sequence[Hit], ms: float | None) -> None:
        """One more question; it took no time where there was nothing to search."""
        if ms is not None:
            self.took_ms.append(ms)
        if question.evidence:
            units = judged(hits, question.evidence)
            right = any(unit.right_document for unit in units[:_DOCUMENT_CUT])
            self.gains.append((question.id, tuple(unit.gain for unit in units), len(question.evidence), right))

    def row(self, name: str, system: str, taken_in_s: float) -> list[str]:
        """A line of the table."""
        count = max(1, len(self.gains))
        means = [
            sum(measure(gains, pieces) for _, gains, pieces, _ in self.gains) / count
            for measure in (
                ndcg,
                lambda gains, pieces: recall(gains, pieces, 5),
                lambda g, pieces: recall(g, pieces, 10),
            )
        ]
        right = sum(right for *_, right in self.gains) / count
        area = auroc(self.answerable, self.unanswerable)
        times = [percentile(self.took_ms, share) for share in (0.5, 0.95)]
        return [
            name,
            system,
            str(len(self.gains)),
            *(f"{mean:.3f}" for mean in (*means, right)),
            "" if area is None else f"{area:.3f}",
            f"{len(self.turned_away) / count:.1%}" if self.answerable else "",
            *("" if ms is None else f"{ms:.1f}" for ms in times),
            f"{taken_in_s:.0f}",
        ]


def read_questions(folder: Path, kind: Kind, most: int) -> list[Question]:
    """The questions of a set that count, no more than `most` with evidence and `most` without."""
    files = sorted(folder.glob("queries*.jsonl"))
    if not files:
        raise SystemExit(f"{folder} holds no questions (queries*.jsonl): name the folder that the sets are in.")
    rows = [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines() if line.strip()]
    questions = [
        Question(
            row["id"],
            row["question"],
            list(dict.fromkeys(kind.evidence(row))) if row.get("answerable", True) else [],
            kind.group_of_question(row),
            row.get("lang", ""),
        )
        for row in rows
        if not row.get("answerable", True) or (kind.counts(row) and row["evidence"])
    ]
    return [
        *_evenly([q for q in questions if q.evidence], most),
        *_evenly([q for q in questions if not q.evidence], most),
    ]


def _evenly(items: Sequence[Question], most: int) -> Sequence[Question]:
    return items if not most or len(items) <= most else [items[n * len(items) // most] for n in range(most)]


def documents_by_group(folder: Path, kind: Kind, into: Path) -> dict[str, Path]:
    """A folder of files for each group; passages become files."""
    if (folder / "docs").is_dir() and not (folder / "corpus.jsonl").exists():
        return _copied(folder / "docs", kind, into)
    for path in sorted(folder.glob("*corpus.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            target = into / kind.group_of_document(row) / f"{row['id']}.md"
            target.parent.mkdir(exist_ok=True)
            title = row.get("title", "")
            target.write_text(f"# {title}\n\n{row['text']}\n" if title else row["text"], encoding="utf-8")
    return {path.name: path for path in into.iterdir()}


def _copied(docs: Path, kind: Kind, into: Path) -> dict[str, Path]:
    """Copies of the files as they are: a source does not follow symbolic links."""
    for path in (path for path in docs.rglob("*") if path.is_file()):
        group = kind.group_of_document({"id": str(path.relative_to(docs))})
        target = into / group / path.relative_to(docs)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return {path.name: path for path in into.iterdir()}


@contextmanager
def _ingested(folders: Mapping[str, Path], embedding: EmbeddingSettings) -> Iterator[tuple[Appliance, float]]:
    """An appliance that has ingested each folder under the group of its name, and how many seconds that took."""
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        settings = Settings(data_dir=Path(data), model=ModelSettings(provider=Provider.NONE), embedding=embedding)
        with opened(settings) as appliance:
            appliance.embedder.embed_query("a first question loads the model")
            begun = time.perf_counter()
            for group, folder in folders.items():
                source = Source(str(uuid.uuid4()), group, str(folder), frozenset({group}), watched=False)
                appliance.catalog.add_source(source)
                run = appliance.runs.start(source)
                appliance.runs.wait(run.id)
                if run.error:
                    raise SystemExit(run.error)
                print(f"  {group}: {run.progress.total} files, {run.progress.chunks} chunks", file=sys.stderr)
            appliance.index.optimize()
            yield appliance, time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Found:
    """What a system found, by language of the question and altogether (""), and how long it took the documents in."""

    tallies: dict[str, Tally]
    taken_in_s: float


def ask_product(folders: Mapping[str, Path], questions: Iterable[Question], embedding: EmbeddingSettings) -> Found:
    """What the product finds."""
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    with _ingested(folders, embedding) as (appliance, taken_in_s):
        appliance.retriever.retrieve("a first question opens the index", AccessFilter(frozenset({EVERYONE})))
        for question in questions:
            access = AccessFilter(frozenset({question.group}))
            begun = time.perf_counter()
            hits = appliance.retriever.retrieve(question.text, access)
            ms = (time.perf_counter() - begun) * 1000
            found = appliance.answerer.judge(question.text, hits, access)
            may_answer = appliance.answerer.may_answer(found)
            for key in {"", question.language}:
                tallies[key].add(question, hits, ms)
                tallies[key].judge(question, found.answerable, may_answer=may_answer)
    return Found(dict(tallies), taken_in_s)


def ask_textbook(python: Path, folders: Mapping[str, Path], questions: Sequence[Question], *cut: str) -> Found:
    """What the textbook pipeline finds in the same folders; groups are folders there, one store each.

    Args:
        python: The interpreter.
        folders: By group.
        questions: Those of all groups.
        cut: The tokens of a piece; its default if nothing is said.
    """
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    taken_in_s = 0.0
    for group, folder in folders.items():
        asked = [question for question in questions if question.group == group]
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump([question.text for question in asked], file)
            file.flush()
            program = str(Path(__file__).with_name("textbook.py"))
            command = [str(python), program, str(folder), *cut, "--ask", file.name]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures = json.loads(output.splitlines()[-1])
        taken_in_s += figures["seconds"]
        for question, found in zip(asked, figures["found"], strict=True):
            hits = [_foreign(rank, *place) for rank, place in enumerate(found["places"], start=1)]
            for key in {"", question.language}:
                tallies[key].add(question, hits, found["ms"])
    return Found(dict(tallies), taken_in_s)


def _foreign(rank: int, path: str, page: int | None) -> Hit:
    """A place that another system found, as a hit of ours."""
    chunk = Chunk(f"{path} {page} {rank}", path, path, rank, "", "", Place(page=page), "", 0)
    return Hit(chunk, Path(path).stem, path, "", "", -float(rank), rank)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--textbook", type=Path)
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="")
    given = parser.parse_args()
    embedding = EmbeddingSettings(model_path=given.model)
    kept: list[dict[str, Any]] = []
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    for name in given.sets:
        kind = SETS[name]
        questions = read_questions(given.data / name, kind, given.most)
        with tempfile.TemporaryDirectory(prefix="bench-") as into:
            folders = documents_by_group(given.data / name, kind, Path(into))
            results = {"strongroom": ask_product(folders, questions, embedding)}
            if given.textbook:
                results["textbook"] = ask_textbook(given.textbook, folders, questions)
                ours = str(IngestSettings().chunk_tokens)
                results["textbook, cut like ours"] = ask_textbook(given.textbook, folders, questions, ours)
        for system, found in results.items():
            for language, tally in found.tallies.items():
                if language or len(found.tallies) != 2:
                    row = tally.row(f"{name} {language}".strip(), system, found.taken_in_s)
                    print(f"| {' | '.join(row)} |", flush=True)
                kept.append({"set": name, "system": system, "language": language, **asdict(tally)})
    if given.json:
        given.json.write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
