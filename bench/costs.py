"""Measures what a thousand documents cost, and how that grows with those that are there already.

    python bench/costs.py [--thousands NUMBER] [--words NUMBER] [--at-a-time NUMBER]

--thousands  So many times a thousand made-up text documents are put into one folder and taken in, a thousand a sync (5).
--words      So many words a document, about 300 of which would be a page (1500).
--at-a-time  So many documents a sync instead of a thousand: to see that it runs.

After each sync: its time by the clock and on the processors, what the catalog, the index and the cache of embeddings grew
on disk, the memory in use with child processes, and what a search takes then. The words are drawn from 50,000 made-up ones
by rank, so no chunk is like another. Everything happens in a temporary folder. Figures are only comparable within one run
on one machine.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

import psutil
from disk import on_disk
from memory import Memory
from synthetic import made_up_words

from appliance.domain import EVERYONE, AccessFilter, Source
from appliance.wiring import Appliance, opened

_COLUMNS = ("documents", "chunks", "clock", "processors", "catalog", "index", "embeddings", "memory", "search, p50",
            "load")  # fmt: skip
_QUESTIONS = 60
_READERS = AccessFilter(frozenset({EVERYONE}))


@dataclass(frozen=True, slots=True)
class Spent:
    """What there is by now: seconds of processors, and bytes on disk."""

    processors_s: float
    catalog: int
    index: int
    embeddings: int


class Writer:
    """Writes documents of made-up words."""

    def __init__(self, words: int) -> None:
        self._dice = random.Random(1)
        self._lexicon = made_up_words()
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, len(self._lexicon) + 1)))
        self._words = words

    def write(self, folder: Path, number: int) -> None:
        """One more document."""
        text = "\n\n".join(" ".join(self._drawn(60)) + "." for _ in range(self._words // 60))
        (folder / f"report-{number}.md").write_text(f"# Report {number}\n\n{text}\n", "utf-8")

    def questions(self) -> Iterator[str]:
        """Questions of words as the documents have them."""
        while True:
            yield " ".join(self._drawn(8))

    def _drawn(self, count: int) -> list[str]:
        return self._dice.choices(self._lexicon, cum_weights=self._weights, k=count)


def measure(times: int, at_a_time: int, words: int) -> None:
    """Take documents in, so many at a time; print a row after each."""
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        data, folder = Path(name) / "data", Path(name) / "documents"
        folder.mkdir()
        writer = Writer(words)
        with opened(Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))) as appliance:
            appliance.embedder.embed_query("load the model before the clock starts")
            source = Source(str(uuid.uuid4()), "Reports", str(folder), frozenset({EVERYONE}))
            appliance.catalog.add_source(source)
            asked = writer.questions()
            before = _spent(data)
            for number in range(1, times + 1):
                for document in range((number - 1) * at_a_time, number * at_a_time):
                    writer.write(folder, document)
                clock_s = _synced(appliance, source)
                after = _spent(data)
                row = (f"{number * at_a_time:,}", f"{appliance.index.count():,}", f"{clock_s:.0f} s",
                       *_grown(before, after), f"{_memory() / 1e9:.2f} GB", f"{_search_ms(appliance, asked):.1f} ms",
                       f"{os.getloadavg()[0]:.1f}")  # fmt: skip
                print(f"| {' | '.join(row)} |", flush=True)
                before = after


def _synced(appliance: Appliance, source: Source) -> float:
    start = time.perf_counter()
    run = appliance.runs.start(source)
    appliance.runs.wait(run.id)
    if run.error:
        raise SystemExit(run.error)
    return time.perf_counter() - start


def _spent(data: Path) -> Spent:
    own = psutil.Process()
    family = (own, *own.children(recursive=True))
    processors = sum(sum(process.cpu_times()[:4]) for process in family)  # with children that have ended
    return Spent(processors, *(on_disk(data / name) for name in ("strongroom.db", "index", "embeddings.db")))


def _grown(before: Spent, after: Spent) -> Sequence[str]:
    sizes = (
        f"{(getattr(after, name) - getattr(before, name)) / 1e6:.1f} MB" for name in ("catalog", "index", "embeddings")
    )
    return (f"{after.processors_s - before.processors_s:.0f} s", *sizes)


def _memory() -> int:
    now = Memory()
    now.take(psutil.Process())
    return now.peak


def _search_ms(appliance: Appliance, asked: Iterator[str]) -> float:
    times = []
    for question in itertools.islice(asked, _QUESTIONS):
        start = time.perf_counter()
        if not appliance.retriever.retrieve(question, _READERS):
            raise SystemExit("A question found nothing: this is no measurement of a search.")
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thousands", type=int, default=5)
    parser.add_argument("--words", type=int, default=1500)
    parser.add_argument("--at-a-time", type=int, default=1000)
    given = parser.parse_args()
    if given.thousands < 1 or given.words < 60 or given.at_a_time < 1:
        parser.error("--thousands and --at-a-time are at least 1, --words at least 60")
    measure(given.thousands, given.at_a_time, given.words)


if __name__ == "__main__":
    main()
