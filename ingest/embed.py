"""Embeds chunks and writes them to the index, a step at a time, of one document or of many.

A step is large enough to keep every core busy and to make few writes, and small enough that a run that is told to stop
stops soon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from appliance.domain import Chunk
from appliance.index.port import IndexEntry, VectorIndex
from appliance.inference.port import Embedder, Vectors

_AT_ONCE = 256  # chunks in a step
_AHEAD = 2  # steps that may be embedded before the first of them is written

_Labelled = tuple[Chunk, frozenset[str]]


def embed_and_index(
    chunks: Sequence[Chunk], groups: frozenset[str], embedder: Embedder, index: VectorIndex
) -> Generator[int]:
    """Write chunks to the index under the label `groups`; yields how many each step wrote."""
    with Steps(embedder, index) as steps:
        yield from steps.put(chunks, groups)
        yield from steps.drain()


class Steps:
    """A bounded queue between those who cut documents and the index: embeds in a thread, writes in the caller's.

    Chunks of small documents share a step. Steps keep the order, so what was put first is written first. What is
    embedded while the caller does other things is at most `_AHEAD` steps.
    """

    def __init__(self, embedder: Embedder, index: VectorIndex) -> None:
        self._embedder = embedder
        self._index = index
        self._filling: list[_Labelled] = []
        self._embedding: deque[tuple[list[_Labelled], Future[Vectors]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    def put(self, chunks: Sequence[Chunk], groups: frozenset[str]) -> Iterator[int]:
        """Take chunks in, to be found under the label `groups`; yields how many were written meanwhile.

        Raises:
            ModelUnavailable, IndexUnavailable: A part failed.
        """
        for chunk in chunks:
            self._filling.append((chunk, groups))
            if len(self._filling) == _AT_ONCE:
                self._embed()
                while len(self._embedding) > _AHEAD:
                    yield self._write()

    def settle(self) -> Iterator[int]:
        """Begin a step with what there is, and write what is embedded by now. Raises as `put` does."""
        if not self._embedding:
            self._embed()
        while self._embedding and self._embedding[0][1].done():
            yield self._write()

    def drain(self) -> Iterator[int]:
        """Write everything that was put; yields how many each step wrote. Raises as `put` does."""
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
            step, self._filling = self._filling, []
            texts = [chunk.search_text for chunk, _ in step]
            self._embedding.append((step, self._thread.submit(self._embedder.embed_passages, texts)))

    def _write(self) -> int:
        step, vectors = self._embedding.popleft()
        self._index.upsert(
            [
                IndexEntry(
                    chunk_id=chunk.id,
                    document_id=chunk.document_id,
                    version_id=chunk.version_id,
                    groups=groups,
                    vector=vector,
                    text=chunk.search_text,
                    language=chunk.language,
                )
                for (chunk, groups), vector in zip(step, vectors.result(), strict=True)
            ]
        )
        return len(step)
