"""In how many of the chunks that a reader may see each word stands: what IDF is made of, within access.

Qdrant can count this while it searches, by walking through every chunk the reader may see: 5 ms in each request at
100,000 chunks, 50 at a million. Here it is counted when chunks are written, apart for each label (chunks with the same
groups). A chunk has one label, so what a reader may see is the sum over the labels that admit them: exact, and some
microseconds a word however many chunks there are.

Rules this module keeps:

1. What a reader is told depends on chunks that they may see, and on nothing else: to the last bit.
2. Statistics are values: a change makes new ones, and a search under way goes on with those it has. There are no locks.
3. They hold term numbers and counts, never a word.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from appliance.domain import AccessFilter

Keys = NDArray[numpy.uint64]
Counts = NDArray[numpy.int32]

_MOST_EMPTY = 64  # labels of no chunk, before it is worth looking whether they are more than half
_LABEL_BITS = 32
_LABEL_MASK = numpy.uint64((1 << _LABEL_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Change:
    """A chunk that came (`by` is 1) or went (-1): its groups and its distinct terms."""

    groups: frozenset[str]
    terms: Sequence[int]
    by: int


@dataclass(frozen=True, slots=True)
class _Layer:
    """Counts by key, in ascending order; a key is the term's number, then the label's."""

    keys: Keys
    counts: Counts


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """How many chunks there are of each label, and in how many of them each term stands.

    `layers` are what changes added one after another, summed up on reading. Small ones are merged as they come, so that
    there are few (O'Neil and others: "The Log-Structured Merge-Tree", Acta Informatica 1996).
    """

    labels: tuple[frozenset[str], ...] = ()
    chunks: tuple[int, ...] = ()
    layers: tuple[_Layer, ...] = ()

    def changed(self, changes: Iterable[Change]) -> TermStatistics:
        """The statistics after some chunks came or went."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        chunks = list(self.chunks)
        keys, counts = [], []
        for change in changes:
            number = numbers.setdefault(change.groups, len(numbers))
            chunks += [0] * (number + 1 - len(chunks))
            chunks[number] += change.by
            terms = numpy.asarray(change.terms, numpy.uint64)
            keys.append(terms << numpy.uint64(_LABEL_BITS) | numpy.uint64(number))
            counts.append(numpy.full(len(terms), change.by, numpy.int32))
        if not keys:
            return self
        layers = [*self.layers, _summed(keys, counts)]
        while len(layers) > 1 and len(layers[-1].keys) * 2 > len(layers[-2].keys):
            layers[-2:] = [_merged(layers[-2:])]
        changed = TermStatistics(tuple(numbers), tuple(chunks), tuple(layers))
        return changed._without_empty() if chunks.count(0) > max(_MOST_EMPTY, len(chunks) // 2) else changed

    def _without_empty(self) -> TermStatistics:
        """The same without labels of no chunk, which a search would compare with a reader's groups for ever."""
        stays = numpy.array(self.chunks) != 0
        number = numpy.cumsum(stays).astype(numpy.uint64) - numpy.uint64(1)
        whole = _merged(self.layers)
        of = whole.keys & _LABEL_MASK
        rows = stays[of]
        keys = whole.keys[rows] & ~_LABEL_MASK | number[of[rows]]
        return TermStatistics(
            tuple(itertools.compress(self.labels, stays)),
            tuple(itertools.compress(self.chunks, stays)),
            (_Layer(keys, whole.counts[rows]),),
        )

    def total(self, access: AccessFilter) -> int:
        """How many chunks the reader may see."""
        return self._total(self._admitting(access))

    def idf(self, terms: Sequence[int], access: AccessFilter) -> NDArray[numpy.float64]:
        """The inverse document frequency of each term among the chunks that the reader may see.

        ln(1 + (N - n + 0.5) / (n + 0.5)) for a term that stands in n of N chunks, as in Lucene; 0 for one in none.
        """
        admitting = self._admitting(access)
        asked = numpy.asarray(terms, numpy.uint64) << numpy.uint64(_LABEL_BITS)
        found = numpy.zeros(len(asked), numpy.int64)
        for layer in self.layers:
            found += _counted(layer, asked, admitting)
        return numpy.where(found > 0, numpy.log1p((self._total(admitting) - found + 0.5) / (found + 0.5)), 0.0)

    def met(self, access: AccessFilter) -> AccessFilter:
        """As much of what a reader carries as stands on any chunk: the same chunks match, and there is less to compare.

        What is left depends on chunks that the reader may see alone: on others, nothing of theirs stands.
        """
        return AccessFilter(access.groups & frozenset[str]().union(*itertools.compress(self.labels, self.chunks)))

    def _admitting(self, access: AccessFilter) -> NDArray[numpy.bool_]:
        """Which labels admit the reader."""
        return numpy.fromiter((bool(access.groups & label) for label in self.labels), bool, len(self.labels))

    def _total(self, admitting: NDArray[numpy.bool_]) -> int:
        return sum(itertools.compress(self.chunks, admitting))


def save_statistics(path: Path, statistics: Mapping[str, TermStatistics]) -> None:
    """Write statistics to a file under their names, all the way to the disk. Raises OSError."""
    arrays: dict[str, Any] = {}
    for name, each in statistics.items():
        whole = _merged(each.layers)
        labels = json.dumps([sorted(label) for label in each.labels])
        arrays |= {f"{name}.labels": labels, f"{name}.chunks": numpy.array(each.chunks, numpy.int64),
                   f"{name}.keys": whole.keys, f"{name}.counts": whole.counts}  # fmt: skip
    with path.open("wb") as file:
        numpy.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_statistics(path: Path, names: Iterable[str]) -> dict[str, TermStatistics]:
    """What `save_statistics` wrote. Raises OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile."""
    with numpy.load(path, allow_pickle=False) as stored:
        return {name: _loaded(stored, name) for name in names}


def _loaded(stored: Mapping[str, Any], name: str) -> TermStatistics:
    labels = tuple(frozenset(label) for label in json.loads(str(stored[f"{name}.labels"])))
    chunks = tuple(map(int, stored[f"{name}.chunks"]))
    layer = _Layer(stored[f"{name}.keys"].astype(numpy.uint64), stored[f"{name}.counts"].astype(numpy.int32))
    if len(chunks) != len(labels) or layer.keys.shape != layer.counts.shape:
        raise ValueError(name)
    return TermStatistics(labels, chunks, (layer,))


def _counted(layer: _Layer, asked: Keys, admitting: NDArray[numpy.bool_]) -> NDArray[numpy.int64]:
    """In how many chunks of the admitting labels each term stands, as far as this layer knows."""
    first = numpy.searchsorted(layer.keys, asked)
    after = numpy.searchsorted(layer.keys, asked | _LABEL_MASK, side="right")
    sizes = after - first
    rows = numpy.arange(sizes.sum()) + numpy.repeat(first - sizes.cumsum() + sizes, sizes)
    counts = layer.counts[rows] * admitting[layer.keys[rows] & _LABEL_MASK]
    sums = numpy.append(0, counts.cumsum(dtype=numpy.int64))
    ends = sizes.cumsum()
    return numpy.asarray(sums[ends] - sums[ends - sizes])


def _merged(layers: Sequence[_Layer]) -> _Layer:
    return _summed([layer.keys for layer in layers], [layer.counts for layer in layers])


def _summed(keys: Sequence[Keys], counts: Sequence[Counts]) -> _Layer:
    """One layer of several in any order; keys that come to nothing are left out."""
    if not any(map(len, keys)):
        return _Layer(numpy.zeros(0, numpy.uint64), numpy.zeros(0, numpy.int32))
    unsorted = numpy.concatenate(keys)
    order = numpy.argsort(unsorted, kind="stable")  # which is fast for runs that are sorted already
    every = unsorted[order]
    first = numpy.flatnonzero(numpy.append(True, every[1:] != every[:-1]))
    sums = numpy.add.reduceat(numpy.concatenate(counts)[order], first)
    stays = sums != 0
    return _Layer(every[first][stays], sums[stays])
