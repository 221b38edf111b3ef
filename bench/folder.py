"""Ingests a folder with the shipped defaults and measures it: pages/s, MB/s, and what a search costs.

    python bench/folder.py FOLDER [--questions FILE.jsonl]

With questions (one JSON object a line: question, path, page or null, groups) it also says how often the right document
and the right page are among the first 1, 5 and 10 hits. Everything happens in a temporary folder. Figures are only
comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

from appliance.domain import EVERYONE, AccessFilter, DocumentState, Source
from appliance.wiring import Appliance, opened
from ingest.pipeline import Progress

_CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with where its answer stands; `path` is empty for one without an answer."""

    text: str
    path: str
    page: int | None
    access: AccessFilter


def read_questions(path: Path) -> list[Asked]:
    """The questions of a JSON-lines file."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Asked(
            row["question"], row.get("path") or "", row.get("page"), AccessFilter(frozenset({EVERYONE, *row["groups"]}))
        )
        for row in rows
    ]


def ingest(appliance: Appliance, folder: Path) -> None:
    """Ingest, then sync again; print what both cost."""
    source = Source(str(uuid.uuid4()), "bench", str(folder.resolve()), frozenset({EVERYONE}))
    appliance.catalog.add_source(source)
    appliance.embedder.embed_query("load the model before the clock starts")
    first_s, progress = _timed_sync(appliance, source)
    again_s, _ = _timed_sync(appliance, source)
    access = AccessFilter(frozenset({EVERYONE}) | {name for _, name in _labels(appliance)})
    documents = appliance.catalog.library(access, text="", source_id=None, limit=100_000, offset=0).documents
    pages = sum(len(appliance.catalog.version(item.version_id or "", access).pages) for item in documents)
    size = sum(item.size_bytes for item in documents)
    states = {state.value: count for state, count in appliance.catalog.states().items()}
    print(f"files: {progress.done}, {states}")
    print(f"first ingestion: {first_s:.1f} s, {pages} pages ({pages / first_s:.1f}/s), {progress.chunks} chunks "
          f"({progress.chunks / first_s:.1f}/s), {size / 1e6 / first_s:.2f} MB/s")  # fmt: skip
    print(f"sync of the unchanged folder: {again_s:.2f} s, {again_s / first_s:.2%} of the first")


def search(appliance: Appliance, questions: Sequence[Asked]) -> None:
    """Retrieve for each question; print times and hits."""
    times: list[float] = []
    documents, pages = dict.fromkeys(_CUTS, 0), dict.fromkeys(_CUTS, 0)
    answerable = [asked for asked in questions if asked.path]
    for asked in questions:
        start = time.perf_counter()
        hits = appliance.retriever.retrieve(asked.text, asked.access)
        times.append((time.perf_counter() - start) * 1000)
        for cut in _CUTS if asked.path else ():
            right = [hit for hit in hits[:cut] if hit.path == asked.path]
            documents[cut] += bool(right)
            pages[cut] += any(asked.page in (None, hit.chunk.place.page) for hit in right)
    print(f"retrieval of {len(questions)} questions: p50 {statistics.median(times):.1f} ms, "
          f"p95 {sorted(times)[int(len(times) * 0.95)]:.1f} ms")  # fmt: skip
    for cut in _CUTS:
        print(
            f"  among the first {cut}: document {documents[cut] / len(answerable):.3f}, page {pages[cut] / len(answerable):.3f}"
        )


def _timed_sync(appliance: Appliance, source: Source) -> tuple[float, Progress]:
    start = time.perf_counter()
    run = appliance.runs.start(source)
    appliance.runs.wait(run.id)
    if run.error:
        raise SystemExit(run.error)
    return time.perf_counter() - start, run.progress


def _labels(appliance: Appliance) -> set[tuple[str, str]]:
    page = appliance.catalog.inventory(source_id=None, state=DocumentState.INDEXED, text="", limit=100_000, offset=0)
    return {(item.id, group) for item in page.documents for group in item.groups}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        settings = Settings(data_dir=Path(data), model=ModelSettings(provider=Provider.NONE))
        with opened(settings) as appliance:
            ingest(appliance, given.folder)
            if given.questions:
                search(appliance, read_questions(given.questions))


if __name__ == "__main__":
    main()
