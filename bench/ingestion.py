"""Measures ingestion side by side with what it replaces, in one run, and prints ratios.

    python bench/ingestion.py [--pdfs FOLDER [--textbook PYTHON]] [--files NUMBER] [--pages NUMBER] [--beside FOLDER]

--pdfs      Ingestion of the files in FOLDER: pages/s, and the most memory that all its processes held together.
            PYTHON is the interpreter of an environment in which `bench/textbook.py` runs; without it nothing is compared. The
            textbook runs twice: cut into pieces of 200 tokens like ours, and by its defaults, which embed the first
            quarter of each piece of 1,024 tokens and no more.
--files     First ingestion of so many small made-up texts, then a sync of the unchanged folder (10000 is the standard);
            and whether memory keeps growing.
--pages     Ingestion of one made-up PDF of so many pages, and whether memory keeps growing (10000 is the standard).
--beside    Retrieval, ten questions a second, while the files in FOLDER are ingested, against the same before it.
            The questions are made from what was indexed first: every other file of FOLDER. They are due every tenth of
            a second, whatever became of the one before, and their time counts from then.

How formats compare with plain unstructured: `bench/parsing.py`. How embedding compares with plain
`SentenceTransformer.encode`: `bench/embedding.py`. Everything happens in temporary folders. Figures are only comparable
within one run on one machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.config import IngestSettings, ModelSettings, Provider, Settings, go_offline

go_offline()

import psutil
from memory import Memory

from appliance.domain import EVERYONE, AccessFilter, Source
from appliance.wiring import Appliance, opened
from ingest.pipeline import Outcome
from ingest.runs import Run

_SAMPLE_S = 0.2
_QUESTIONS = 300
_QUESTION_EVERY_S = 0.1
_FEWEST_QUESTIONS = 20  # of fewer, the slowest twentieth is none
_WORDS_OF_A_QUESTION = 8
_READERS = AccessFilter(frozenset({EVERYONE}))


def pdfs(folder: Path, textbook: Path | None) -> None:
    """Compare whole ingestions of a folder; print pages/s and memory."""
    commands = {"ours": _ours(folder)}
    if textbook is not None:
        plain = [str(textbook), str(Path(__file__).with_name("textbook.py")), str(folder)]
        commands |= {"textbook, cut like ours": [*plain, "200"], "textbook, its defaults": plain}
    seconds: dict[str, float] = {}
    for name, command in commands.items():
        result, memory = _watched(command)
        seconds[name] = result["seconds"]
        print(f"{name:24} {result['pages']} pages in {result['seconds']:.1f} s: {result['pages'] / result['seconds']:.1f} "
              f"pages/s, {result['chunks']} chunks, peak {memory.peak / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}")  # fmt: skip
        if name != "ours":
            print(f"  ratio  {seconds[name] / seconds['ours']:.2f}")


def resync(files: int) -> None:
    """Ingest made-up texts and sync again; print the second as a share of the first, and the memory."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        _make_texts(Path(name), files)
        result, memory = _watched(_ours(Path(name)))
    print(f"{result['files']} files: first ingestion {result['seconds']:.1f} s, sync of the unchanged folder "
          f"{result['again_s']:.2f} s ({result['again_s'] / result['seconds']:.2%}), {result['read_again']} files read "
          f"again, {memory.told()}, load {os.getloadavg()[0]:.1f}")  # fmt: skip


def one_file(pages: int) -> None:
    """Ingest a made-up PDF of so many pages; print its memory."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        _make_pdf(Path(name) / "long.pdf", pages)
        result, memory = _watched(_ours(Path(name), "--most-pages", str(pages)))
    print(f"one file of {result['pages']} pages, {result['chunks']} chunks: {result['seconds']:.1f} s "
          f"({result['pages'] / result['seconds']:.1f} pages/s), {memory.told()}, load {os.getloadavg()[0]:.1f}")  # fmt: skip


def beside(folder: Path) -> None:
    """Retrieve before and during an ingestion; print both percentiles and their ratio."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        first, second = Path(name) / "first", Path(name) / "second"
        for target, some in ((first, files[::2]), (second, files[1::2])):
            target.mkdir()
            for number, file in enumerate(some):
                shutil.copy(file, target / f"{number}-{file.name}")
        with _opened(IngestSettings()) as appliance:
            _ended(appliance, _started(appliance, first))
            questions = _questions(appliance)
            appliance.warm_up(threading.Event())  # as `strongroom serve` does
            _retrieved(appliance, questions[:20])
            idle = _retrieved(appliance, questions)
            run = _started(appliance, second)
            busy = _retrieved(appliance, itertools.cycle(questions), run)
            _ended(appliance, run)
    if len(busy) < _FEWEST_QUESTIONS:
        raise SystemExit(f"The ingestion was too short to measure: it ended after {len(busy)} questions. "
                         "Give --beside a folder with more or longer files.")  # fmt: skip
    for name, times in (("idle", idle), ("ingesting", busy)):
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"{name:10} {len(times)} questions: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    ratio = statistics.quantiles(busy, n=20)[-1] / statistics.quantiles(idle, n=20)[-1]
    print(f"  ratio of p95  {ratio:.2f}, load {os.getloadavg()[0]:.1f}")


def _questions(appliance: Appliance) -> list[str]:
    """Some words in a row of chunks that were indexed."""
    dice = random.Random(1)
    versions = sorted(appliance.catalog.current_versions())
    texts = [chunk.text.split() for version in versions for chunk in appliance.catalog.version_chunks(version)[0]]
    long = [words for words in texts if len(words) > _WORDS_OF_A_QUESTION]
    chosen = dice.choices(long, k=_QUESTIONS)
    starts = [dice.randrange(len(words) - _WORDS_OF_A_QUESTION) for words in chosen]
    return [" ".join(words[start : start + _WORDS_OF_A_QUESTION]) for words, start in zip(chosen, starts, strict=True)]


def _retrieved(appliance: Appliance, questions: Iterable[str], run: Run | None = None) -> list[float]:
    """Milliseconds until each question had its passages, from when it was due; ends with `run` if there is one."""
    times, start = [], time.perf_counter()
    for number, question in enumerate(questions):
        due = start + number * _QUESTION_EVERY_S
        time.sleep(max(0.0, due - time.perf_counter()))
        if run is not None and run.finished_at is not None:
            break
        appliance.retriever.retrieve(question, _READERS)
        times.append((time.perf_counter() - due) * 1000)
    return times


def _make_texts(folder: Path, files: int) -> None:
    dice = random.Random(1)
    words = [
        f"{first}{second}" for first in ("ba", "re", "to", "li", "mu") for second in ("nd", "st", "rk", "lm", "va")
    ]
    for number in range(files):
        path = folder / f"{number % 100:02}" / f"note-{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"Note {number}. " + " ".join(dice.choices(words, k=dice.randrange(10, 60))) + ".", "utf-8")


def _make_pdf(path: Path, pages: int) -> None:
    from reportlab.pdfgen.canvas import Canvas

    dice = random.Random(1)
    words = (
        "valve",
        "pump",
        "spring",
        "pressure",
        "tank",
        "limit",
        "of",
        "the",
        "is",
        "kept",
        "until",
        "has",
        "reached",
    )
    canvas = Canvas(str(path), invariant=True)
    for page in range(pages):
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(72, 780, f"Section {page + 1}")
        canvas.setFont("Helvetica", 10)
        for line in range(40):
            canvas.drawString(72, 750 - 16 * line, f"{page}.{line} " + " ".join(dice.choices(words, k=14)))
        canvas.showPage()
    canvas.save()


def _ours(folder: Path, *options: str) -> list[str]:
    return [sys.executable, __file__, "--ingest", str(folder), *options]


def _watched(command: Sequence[str]) -> tuple[dict[str, Any], Memory]:
    """What the command printed as JSON, and the memory it had in use."""
    memory = Memory()
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(command, stdout=output)
        while process.poll() is None:
            memory.take(process)
            time.sleep(_SAMPLE_S)
        output.seek(0)
        if process.returncode:
            raise SystemExit(f"{command[1]} ended with {process.returncode}")
        return json.loads(output.read().splitlines()[-1]), memory


@contextmanager
def _opened(ingest: IngestSettings) -> Iterator[Appliance]:
    """An appliance with the shipped defaults but `ingest`, on a temporary data folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        settings = Settings(data_dir=Path(data), model=ModelSettings(provider=Provider.NONE), ingest=ingest)
        with opened(settings) as appliance:
            appliance.embedder.embed_query("load the model before the clock starts")
            yield appliance


def _started(appliance: Appliance, folder: Path) -> Run:
    source = Source(str(uuid.uuid4()), folder.name, str(folder.resolve()), frozenset({EVERYONE}))
    appliance.catalog.add_source(source)
    return appliance.runs.start(source)


def _ended(appliance: Appliance, run: Run) -> None:
    appliance.runs.wait(run.id)
    if run.error:
        raise SystemExit(run.error)


def ingest(folder: Path, most_pages: int) -> None:
    """Ingest a folder, sync it again, and print both as JSON."""
    with _opened(IngestSettings(max_pages=most_pages)) as appliance:
        start = time.perf_counter()
        first = _started(appliance, folder)
        _ended(appliance, first)
        first_s = time.perf_counter() - start
        start = time.perf_counter()
        again = appliance.runs.start(first.source)
        _ended(appliance, again)
        again_s = time.perf_counter() - start
    print(json.dumps({"seconds": first_s, "again_s": again_s, "pages": first.progress.pages,
                      "chunks": first.progress.chunks, "files": first.progress.done,
                      "read_again": again.progress.done - again.progress.counts.get(Outcome.UNCHANGED, 0)}))  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path)
    parser.add_argument("--textbook", type=Path)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--pages", type=int, default=0)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--ingest", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--most-pages", type=int, default=IngestSettings().max_pages, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ingest:
        ingest(given.ingest, given.most_pages)
        return
    if not (given.pdfs or given.files or given.pages or given.beside):
        parser.error("say what to measure")
    if given.pdfs:
        pdfs(given.pdfs, given.textbook)
    if given.files:
        resync(given.files)
    if given.pages:
        one_file(given.pages)
    if given.beside:
        beside(given.beside)


if __name__ == "__main__":
    main()
