"""Measures retrieval without a language model among any number of made-up chunks, and prints a row of docs/performance.md.

    python bench/search.py --chunks NUMBER [--questions NUMBER] [--groups NUMBER] [--keep FOLDER]

--chunks     So many, in documents of 20 (100000 and 1000000 are the standard). What is made up: `bench/synthetic.py`.
--questions  So many, each asked once by a reader of one group and once by a reader of `--groups` groups. Both see every
             document, so they find the same; which of them is first takes turns.
--keep       The data folder; one that holds so many chunks already is measured as it is. Else a temporary one.

What is measured is `Retriever.retrieve`: complete, embed, search, check against the catalog, compare, fuse. What it
takes to pack the passages into a prompt, as for a model of Ollama with the shipped window, is told beside it. Filling
is a process of its own, so the memory is that of an appliance that searches. Recall is that of the dense leg's first
10, held against a comparison with every vector (to a tie, and to what rounding does, they may differ in exact search
too). What the filter costs is told by the whole search and by the index alone: for the reader of `--groups` groups, and
the same with the filter taken out of its queries, in turns. Figures are only comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

import numpy
import psutil
from disk import on_disk
from qdrant_edge import Filter, QueryRequest
from synthetic import ALL_IN_ONE, CHUNKS, Corpus, Numbers

from appliance.answering.instructions import instructions
from appliance.answering.prompt import build_prompt
from appliance.domain import AccessFilter
from appliance.evaluation.metrics import percentile
from appliance.index import edge
from appliance.inference.language import question_language
from appliance.inference.token_bound import PROMPT_OVERHEAD_TOKENS, at_most_tokens
from appliance.retrieval.glossary import load_glossary
from appliance.retrieval.retriever import Retriever
from appliance.wiring import Appliance, opened

_COLUMNS = ("chunks", "p50", "p95", "p95, many groups", "memory", "of it not of files", "index", "catalog", "recall@10",
            "filled", "optimised", "load")  # fmt: skip
_FEWEST = 20  # of fewer questions, the slowest twentieth is none
_TIMED = 100  # questions by which it is told where the time goes
_COMPARED = 100  # questions whose hits are compared with those of exact search
_BEST = 10
_AT_ONCE = 1_000  # documents whose vectors are compared at once


@dataclass(frozen=True, slots=True)
class Timed:
    """A part of the appliance that notes how long each of its methods took, in seconds."""

    part: object
    name: str
    spent: dict[str, float]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.part, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                self.spent[f"{self.name}.{name}"] += time.perf_counter() - start

        return timed


def fill(data: Path, chunks: int, groups: int) -> None:
    """Make up the documents, and print what it took as JSON."""
    with _opened(data) as appliance:
        start = time.perf_counter()
        Corpus(appliance.embedder, groups=groups).fill(appliance, chunks)
        filled = time.perf_counter()
        appliance.index.optimize()
        print(json.dumps({"filled_s": filled - start, "optimised_s": time.perf_counter() - filled}))


def measure(data: Path, count: int, groups: int, made: dict[str, float]) -> None:
    """Ask, and print what it took."""
    with _opened(data) as appliance:
        corpus = Corpus(appliance.embedder, groups=groups)
        questions = list(corpus.questions(count))
        chunks = appliance.index.count()
        appliance.warm_up(threading.Event())
        for access, question in itertools.product((ALL_IN_ONE, corpus.in_many), questions[:_FEWEST]):
            appliance.retriever.retrieve(question, access)  # warm
        one, many = _asked(appliance, questions, (ALL_IN_ONE, corpus.in_many))
        packing = _packing(appliance, questions[:_TIMED])
        memory = psutil.Process().memory_info()
        parts = _parts(appliance, questions[:_TIMED])
        recall = _recall(appliance, corpus, questions[:_COMPARED], chunks)
        filtered, unfiltered = _filtering(appliance, questions, corpus.in_many)
        with_groups, without_groups = _whole_filtering(appliance, questions, corpus.in_many)
    index, catalog = on_disk(data / "index"), on_disk(data / "strongroom.db")
    for name, times in ((f"{len(ALL_IN_ONE.groups) - 1} group", one), (f"{groups} groups", many)):
        print(f"reader of {name:10} {len(times)} questions: p50 {_ms(times, 0.5)}, p95 {_ms(times, 0.95)}")
    ratios = [f"{share}: {_at(many, share) / _at(one, share):.2f}" for share in (0.5, 0.95)]
    print(f"  many groups against one, ratio at {', '.join(ratios)}")
    print(f"packing what was found into a prompt: p50 {_ms(packing, 0.5)}, p95 {_ms(packing, 0.95)}")
    for name, times in (("filtered", filtered), ("no filter", unfiltered)):
        print(f"index alone, {name:9}: p50 {_ms(times, 0.5)}, p95 {_ms(times, 0.95)}")
    ratios = [f"{share}: {_at(filtered, share) / _at(unfiltered, share):.2f}" for share in (0.5, 0.95)]
    print(f"  filtered by {groups} groups against no filter, ratio at {', '.join(ratios)}")
    ratios = [f"{share}: {_at(with_groups, share) / _at(without_groups, share):.2f}" for share in (0.5, 0.95)]
    print(f"  the whole search, filtered by {groups} groups against by none, ratio at {', '.join(ratios)}")
    print(f"  where the time goes: {', '.join(f'{name} {share:.0%}' for name, share in parts.items())}")
    row = (f"{chunks:,}", _ms(one, 0.5), _ms(one, 0.95), _ms(many, 0.95), _gb(memory.rss), _gb(memory.rss - memory.shared), _gb(index),
           _gb(catalog), f"{recall:.3f}", _s(made.get("filled_s")), _s(made.get("optimised_s")),
           f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"\n| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n| {' | '.join(row)} |")


def _asked(
    appliance: Appliance, questions: Sequence[str], readers: tuple[AccessFilter, AccessFilter]
) -> tuple[list[float], list[float]]:
    """Milliseconds each question took each reader."""
    times: tuple[list[float], list[float]] = ([], [])
    for number, question in enumerate(questions):
        for reader in ((0, 1), (1, 0))[number % 2]:
            start = time.perf_counter()
            found = appliance.retriever.retrieve(question, readers[reader])
            times[reader].append((time.perf_counter() - start) * 1000)
            if not found:
                raise SystemExit(f"'{question}' found nothing: this is no measurement of a search.")
    return times


def _packing(appliance: Appliance, questions: Sequence[str]) -> list[float]:
    """Milliseconds that it takes to put what was found for each question into a prompt."""
    times = []
    room = appliance.settings.model.context_tokens - appliance.settings.model.max_answer_tokens - PROMPT_OVERHEAD_TOKENS
    for question in questions:
        hits = appliance.retriever.retrieve(question, ALL_IN_ONE)
        start = time.perf_counter()
        build_prompt(
            question,
            hits,
            (),
            budget_tokens=room,
            max_passages=appliance.settings.retrieval.passages,
            count_tokens=at_most_tokens,
            words=instructions(question_language(question)),
        )
        times.append((time.perf_counter() - start) * 1000)
    return times


def _filtering(appliance: Appliance, questions: Sequence[str], reader: AccessFilter) -> tuple[list[float], list[float]]:
    """Milliseconds of both legs of the index for a reader, and of the same without the filter of the vendor's query."""
    vectors = [appliance.embedder.embed_query(question) for question in questions]
    times: tuple[list[float], list[float]] = ([], [])
    without = partial(patch.object, edge, "QueryRequest", _unfiltered(QueryRequest))
    for number, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
        for way in ((0, 1), (1, 0))[number % 2]:
            with without() if way else nullcontext():
                start = time.perf_counter()
                appliance.index.search(
                    vector,
                    question,
                    access=reader,
                    limit=appliance.settings.retrieval.candidates,
                    language=question_language(question),
                )
                times[way].append((time.perf_counter() - start) * 1000)
    return times


def _whole_filtering(
    appliance: Appliance, questions: Sequence[str], reader: AccessFilter
) -> tuple[list[float], list[float]]:
    """Milliseconds of a search for a reader who may see everything, and of the same without the groups in its queries."""
    times: tuple[list[float], list[float]] = ([], [])
    for number, question in enumerate(questions):
        for way in ((0, 1), (1, 0))[number % 2]:
            with patch.object(edge, "_visible", lambda _: Filter()) if way else nullcontext():
                start = time.perf_counter()
                appliance.retriever.retrieve(question, reader)
                times[way].append((time.perf_counter() - start) * 1000)
    return times


def _unfiltered(request: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **asked: request(**asked | {"filter": None})


def _parts(appliance: Appliance, questions: Sequence[str]) -> dict[str, float]:
    """The share of each part in the time of a search, by the calls of its methods."""
    spent: dict[str, float] = defaultdict(float)
    retrieval = appliance.settings.retrieval
    retriever = Retriever(
        catalog=Timed(appliance.catalog, "catalog", spent),  # type: ignore[arg-type]
        index=Timed(appliance.index, "index", spent),
        embedder=Timed(appliance.embedder, "embedder", spent),
        settings=retrieval,
        glossary=load_glossary(retrieval.glossary_path),
    )
    start = time.perf_counter()
    for question in questions:
        retriever.retrieve(question, ALL_IN_ONE)
    whole = time.perf_counter() - start
    shares = {name: seconds / whole for name, seconds in spent.items()}
    return shares | {"the rest": 1 - sum(shares.values())}


def _recall(appliance: Appliance, corpus: Corpus, questions: Sequence[str], chunks: int) -> float:
    """How many of the nearest ten chunks the dense leg has among its first ten."""
    asked = [appliance.embedder.embed_query(question) for question in questions]
    nearest = _nearest(corpus, numpy.stack(asked), chunks)
    shares = []
    for question, vector, rows in zip(questions, asked, nearest, strict=True):
        legs = appliance.index.search(
            vector,
            question,
            access=ALL_IN_ONE,
            limit=appliance.settings.retrieval.candidates,
            language=question_language(question),
        )
        found = {hit.chunk_id for hit in legs.dense[:_BEST]}
        shares.append(sum(corpus.chunk_id(int(row)) in found for row in rows) / _BEST)
    return statistics.fmean(shares)


def _nearest(corpus: Corpus, asked: Numbers, chunks: int) -> Numbers:
    """The rows of the ten vectors nearest to each question, every vector compared."""
    rows, scores = numpy.zeros((len(asked), 0), int), numpy.zeros((len(asked), 0), numpy.float32)
    for first in range(0, chunks // CHUNKS, _AT_ONCE):
        documents = range(first, min(first + _AT_ONCE, chunks // CHUNKS))
        vectors = numpy.concatenate([corpus.vectors(number) for number in documents])
        here = numpy.arange(first * CHUNKS, first * CHUNKS + len(vectors))
        rows = numpy.concatenate([rows, numpy.broadcast_to(here, (len(asked), len(here)))], axis=1)
        scores = numpy.concatenate([scores, asked @ vectors.T], axis=1)
        best = numpy.argsort(-scores, axis=1)[:, :_BEST]
        rows, scores = numpy.take_along_axis(rows, best, 1), numpy.take_along_axis(scores, best, 1)
    return rows


def _at(times: Sequence[float], share: float) -> float:
    return percentile(times, share) or 0.0


def _ms(times: Sequence[float], share: float) -> str:
    return f"{_at(times, share):.1f} ms"


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def _s(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"


@contextmanager
def _opened(data: Path) -> Iterator[Appliance]:
    with opened(Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))) as appliance:
        yield appliance


def _filled(data: Path, chunks: int, groups: int) -> dict[str, float]:
    """Fill the folder in a process of its own, if it is not filled yet; what it took."""
    if (data / "strongroom.db").exists():
        with _opened(data) as appliance:
            held = appliance.index.count()
        if held != chunks:
            raise SystemExit(f"{data} holds {held} chunks, not {chunks}: give --keep another folder.")
        return {}
    command = [sys.executable, __file__, "--fill", str(data), "--chunks", str(chunks), "--groups", str(groups)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, required=True)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.chunks < CHUNKS or given.chunks % CHUNKS or given.questions < _FEWEST or given.groups < 1:
        parser.error(f"--chunks is a multiple of {CHUNKS}, --questions at least {_FEWEST}, --groups at least 1")
    if given.fill:
        fill(given.fill, given.chunks, given.groups)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        data = given.keep or Path(temporary) / "data"
        made = _filled(data, given.chunks, given.groups)
        measure(data, given.questions, given.groups, made)


if __name__ == "__main__":
    main()
