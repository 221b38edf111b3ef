"""Embeds chunks and writes them to the index, a step at a time, of one document or of many.

Rules this module keeps:

1. A step is large enough to keep every core busy and to make few writes, and small enough that a run that is told to
   stop stops soon.
2. On pages a chunk ends where it is full and not where a thought does, so its vector leans towards those of the chunks
   before and after it: the rows of a table carry what its head says. Documents without pages are cut at headings, and
   their vectors are left as they are. (docs/decisions/0010-what-speaks-for-a-passage.md has the measurements.)
3. A document of at most 300 words without pages is one text for BM25, under each of its chunks: some words of a
   question may stand in its one half and some in the other. (The same record has the measurements.)
4. What is written of a chunk depends on its document alone, never on what shared a step with it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Self

import numpy

from appliance.domain import Chunk
from appliance.index.port import IndexEntry, Vector, VectorIndex
from appliance.inference.port import Embedder, Vectors

AT_ONCE = 256  # chunks in a step
_AHEAD = 2  # steps that may be embedded before the first of them is written

_WRITE_EVERY_S = 1.0  # a write costs the same few disk accesses for one chunk as for a hundred

_TINY = 1e-9
_SHORT_WORDS = 300  # of a document that is one text for BM25
_SHORT_CHARACTERS = 3_000  # and no more than these, where few words stand between blanks

_LEAN = 0.4  # how far a vector leans towards the mean of itself and its neighbours


@dataclass(frozen=True, slots=True)
class _Item:
    """A chunk to be written, its label, what BM25 reads of it, what its document is called (with the first chunk), and
    its neighbours."""

    chunk: Chunk
    text: str
    groups: frozenset[str]
    names: str
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """Chunks to be written, and the vectors of all their texts as soon as they are there."""

    items: Sequence[_Item]
    texts: Sequence[str]
    vectors: Future[Vectors]

    def entries(self) -> list[IndexEntry]:
        """What is written; waits for the vectors."""
        vector_of = dict(zip(self.texts, self.vectors.result(), strict=True))
        return [
            IndexEntry(
                chunk_id=item.chunk.id,
                document_id=item.chunk.document_id,
                version_id=item.chunk.version_id,
                groups=item.groups,
                vector=_leaning(vector_of[item.chunk.embedded_text], [vector_of[text] for text in item.beside]),
                text=item.text,
                language=item.chunk.language,
                names=item.names,
            )
            for item in self.items
        ]


def embed_and_index(
    chunks: Sequence[Chunk], groups: frozenset[str], names: str, embedder: Embedder, index: VectorIndex
) -> None:
    """Write the chunks of a document to the index under the label `groups`, all of them.

    Raises:
        ModelUnavailable, IndexUnavailable: A part failed.
    """
    with Steps(embedder, index.upsert) as steps:
        deque(chain(steps.put(chunks, groups, names), steps.drain()), maxlen=0)  # runs both to their end


Write = Callable[[Sequence[IndexEntry]], None]
"""Writes entries, replacing those with the same chunk id: `VectorIndex.upsert`, or what stands before it."""


class Steps:
    """A bounded queue between those who cut documents and the index: embeds in a thread, writes in the caller's.

    Chunks of small documents share steps and writes; both keep the order, so what was put first is written first. What
    is embedded and not written is at most `_AHEAD` full steps.
    """

    def __init__(self, embedder: Embedder, write: Write) -> None:
        self._embedder = embedder
        self._write = write
        self._filling: list[_Item] = []
        self._embedding: deque[_Step] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._written_at = time.monotonic()

    def put(self, chunks: Sequence[Chunk], groups: frozenset[str], names: str) -> Iterator[int]:
        """Take in the chunks of a document; yields how many were written meanwhile.

        Args:
            chunks: All of them, in order.
            groups: The label under which they are found.
            names: What the document is called: its title and its path.

        Raises:
            ModelUnavailable, IndexUnavailable: A part failed.
        """
        is_short = _is_short(chunks)
        for number, chunk in enumerate(chunks):
            text = _whole_text(chunks, number) if is_short else chunk.search_text
            self._filling.append(_Item(chunk, text, groups, "" if number else names, _beside(chunks, number)))
            if len(self._filling) == AT_ONCE:
                self._embed()
                while sum(len(step.items) for step in self._embedding) > _AHEAD * AT_ONCE:
                    yield self._write_first()

    def advance(self) -> Iterator[int]:
        """Embed what there is if the model is idle, and write what is embedded if it is much or has waited for long.

        Raises as `put` does.
        """
        if not self._embedding or self._embedding[-1].vectors.done():
            self._embed()
        while (count := self._embedded()) and (count >= AT_ONCE or self._waited_s() >= _WRITE_EVERY_S):
            yield self._write_first()

    def drain(self) -> Iterator[int]:
        """Write everything that was put; yields how many each write wrote. Raises as `put` does."""
        self._embed()
        while self._embedding:
            yield self._write_first()

    def close(self) -> None:
        """Forget what is not written. Waits for the step that is being embedded."""
        self._thread.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _embed(self) -> None:
        if self._filling:
            own = (item.chunk.embedded_text for item in self._filling)
            texts = list(dict.fromkeys(chain(own, *(item.beside for item in self._filling))))
            vectors = self._thread.submit(self._embedder.embed_passages, texts)
            self._embedding.append(_Step(self._filling, texts, vectors))
            self._filling = []

    def _embedded(self) -> int:
        """How many chunks wait for nothing but to be written."""
        return sum(len(step.items) for step in takewhile(lambda step: step.vectors.done(), self._embedding))

    def _waited_s(self) -> float:
        return time.monotonic() - self._written_at

    def _write_first(self) -> int:
        """Write the first step, and those after it that are embedded too, as one if they are small."""
        entries = self._embedding.popleft().entries()
        while self._embedding and self._embedding[0].vectors.done():
            if len(entries) + len(self._embedding[0].items) > AT_ONCE:
                break
            entries += self._embedding.popleft().entries()
        self._write(entries)
        self._written_at = time.monotonic()
        return len(entries)


def _is_short(chunks: Sequence[Chunk]) -> bool:
    """Whether a document is one text for BM25: rule 3."""
    if any(chunk.place.page is not None for chunk in chunks):
        return False
    texts = [chunk.text for chunk in chunks]
    return sum(map(len, texts)) <= _SHORT_CHARACTERS and sum(len(text.split()) for text in texts) <= _SHORT_WORDS


def _whole_text(chunks: Sequence[Chunk], number: int) -> str:
    """A chunk's text and that of the others in its language, whose words are stemmed as its own are."""
    own = chunks[number]
    others = (chunk.text for chunk in chunks if chunk is not own and chunk.language == own.language)
    return "\n".join((own.search_text, *others))


def _beside(chunks: Sequence[Chunk], number: int) -> tuple[str, ...]:
    """The texts of a chunk's neighbours in a document with pages: rule 2."""
    if chunks[number].place.page is None:
        return ()
    return tuple(chunks[other].embedded_text for other in (number - 1, number + 1) if 0 <= other < len(chunks))


def _leaning(vector: Vector, beside: Sequence[Vector]) -> Vector:
    """A vector that leans towards its neighbours, of length 1."""
    if not beside:
        return vector
    mean = numpy.mean([vector, *beside], axis=0)
    leaning = (1 - _LEAN) * vector + _LEAN * mean / max(float(numpy.linalg.norm(mean)), _TINY)
    leaning /= max(float(numpy.linalg.norm(leaning)), _TINY)
    return numpy.asarray(leaning, dtype=numpy.float32)
