"""Embeds chunks and writes them to the index, a step at a time, of one document or of many.

A step is large enough to keep every core busy and to make few writes, and small enough that a run that is told to stop
stops soon.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Self

from appliance.domain import Chunk
from appliance.index.port import IndexEntry, VectorIndex
from appliance.inference.port import Embedder, Vectors

AT_ONCE = 256  # chunks in a step
_AHEAD = 2  # steps that may be embedded before the first of them is written

_WRITE_EVERY_S = 1.0  # a write costs the same few disk accesses for one chunk as for a hundred

_Labelled = tuple[Chunk, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Step:
    """Chunks with their labels, and their vectors as soon as they are there."""

    chunks: Sequence[_Labelled]
    vectors: Future[Vectors]

    def entries(self) -> list[IndexEntry]:
        """What is written; waits for the vectors."""
        return [
            IndexEntry(
                chunk_id=chunk.id,
                document_id=chunk.document_id,
                version_id=chunk.version_id,
                groups=groups,
                vector=vector,
                text=chunk.search_text,
                language=chunk.language,
            )
            for (chunk, groups), vector in zip(self.chunks, self.vectors.result(), strict=True)
        ]


def embed_and_index(chunks: Sequence[Chunk], groups: frozenset[str], embedder: Embedder, index: VectorIndex) -> None:
    """Write chunks to the index under the label `groups`, all of them. Raises ModelUnavailable, IndexUnavailable."""
    with Steps(embedder, index) as steps:
        deque(chain(steps.put(chunks, groups), steps.drain()), maxlen=0)  # runs both to their end


class Steps:
    """A bounded queue between those who cut documents and the index: embeds in a thread, writes in the caller's.

    Chunks of small documents share steps and writes; both keep the order, so what was put first is written first. What
    is embedded and not written is at most `_AHEAD` full steps.
    """

    def __init__(self, embedder: Embedder, index: VectorIndex) -> None:
        self._embedder = embedder
        self._index = index
        self._filling: list[_Labelled] = []
        self._embedding: deque[_Step] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._written_at = time.monotonic()

    def put(self, chunks: Sequence[Chunk], groups: frozenset[str]) -> Iterator[int]:
        """Take chunks in, to be found under the label `groups`; yields how many were written meanwhile.

        Raises:
            ModelUnavailable, IndexUnavailable: A part failed.
        """
        for chunk in chunks:
            self._filling.append((chunk, groups))
            if len(self._filling) == AT_ONCE:
                self._embed()
                while sum(len(step.chunks) for step in self._embedding) > _AHEAD * AT_ONCE:
                    yield self._write()

    def settle(self) -> Iterator[int]:
        """Embed what there is if the model is idle, and write what is embedded if it is much or has waited for long.

        Raises as `put` does.
        """
        if not self._embedding or self._embedding[-1].vectors.done():
            self._embed()
        while (count := self._embedded()) and (count >= AT_ONCE or self._waited_s() >= _WRITE_EVERY_S):
            yield self._write()

    def drain(self) -> Iterator[int]:
        """Write everything that was put; yields how many each write wrote. Raises as `put` does."""
        self._embed()
        while self._embedding:
            yield self._write()

    def close(self) -> None:
        """Forget what is not written. Waits for the step that is being embedded."""
        self._thread.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _embed(self) -> None:
        if self._filling:
            texts = [chunk.search_text for chunk, _ in self._filling]
            self._embedding.append(_Step(self._filling, self._thread.submit(self._embedder.embed_passages, texts)))
            self._filling = []

    def _embedded(self) -> int:
        """How many chunks wait for nothing but to be written."""
        return sum(len(step.chunks) for step in takewhile(lambda step: step.vectors.done(), self._embedding))

    def _waited_s(self) -> float:
        return time.monotonic() - self._written_at

    def _write(self) -> int:
        """Write the first step, and those after it that are embedded too, as one if they are small."""
        entries = self._embedding.popleft().entries()
        while self._embedding and self._embedding[0].vectors.done():
            if len(entries) + len(self._embedding[0].chunks) > AT_ONCE:
                break
            entries += self._embedding.popleft().entries()
        self._index.upsert(entries)
        self._written_at = time.monotonic()
        return len(entries)
