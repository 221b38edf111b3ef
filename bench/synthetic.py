"""Made-up documents of any number, the same every time: for measuring how speed and size grow, never how well it finds.

What is real: they stand in catalog and index as ingested ones do, in documents of 20 chunks on pages, with places,
headings, names and labels, written by the same calls. What is not:

- Words are made up of syllables and drawn by rank (Zipf-Mandelbrot), as if stop words were gone already; a third of a
  chunk's words are those of its topic.
- A vector is that of its topic (its words, embedded by the appliance's own model) and random noise, so that chunks of a
  topic are a cluster and a question finds its cluster. Noise in every dimension is harder for a graph than text is.
- Nothing was parsed, near-duplicates have no signatures, and there are no files: the source is paused.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy
from numpy.typing import NDArray

from appliance.catalog import FileOutcome
from appliance.domain import (
    EVERYONE,
    AccessFilter,
    Box,
    Chunk,
    DocumentState,
    Place,
    Source,
    Version,
    chunk_id,
    document_id,
    version_id,
)
from appliance.index.port import IndexEntry
from appliance.inference.port import Embedder
from appliance.wiring import Appliance
from ingest.names import document_names

Numbers = NDArray[numpy.float32]

CHUNKS = 20  # of a document
ALL_IN_ONE = AccessFilter(frozenset({EVERYONE, "staff"}))
"""A reader of one group, who sees every document."""

_SOURCE = Source("made-up-documents", "Made-up documents", "/nonexistent/made-up", frozenset({"staff"}), paused=True)
_PARSER = "made-up"
_WORDS = 50_000
_WORDS_OF_A_CHUNK = 120
_TOPICS = 400
_WORDS_OF_A_TOPIC = 60
_LINES_OF_A_CHUNK = 10
_AT_ONCE = 64  # documents in a write to the index
_FLATTENED = 20  # added to the rank of a word: the commonest is in half of all chunks


@dataclass(frozen=True, slots=True)
class Made:
    """A document that was made up."""

    outcome: FileOutcome
    version: Version
    chunks: list[Chunk]
    entries: list[IndexEntry]


class Corpus:
    """Documents that can be made again one by one. Document `n` is labelled with `staff` and with one of the groups."""

    def __init__(self, embedder: Embedder, *, groups: int) -> None:
        self._embedder = embedder
        self._groups = [f"team-{number:03}" for number in range(groups)]
        dice = numpy.random.default_rng(1)
        self._words = made_up_words()
        ranks = 1 / (numpy.arange(_WORDS) + 1 + _FLATTENED)
        self._shares = numpy.cumsum(ranks / ranks.sum())
        self._topics = dice.integers(_WORDS // 100, _WORDS, size=(_TOPICS, _WORDS_OF_A_TOPIC))

    @property
    def in_many(self) -> AccessFilter:
        """A reader of all the groups but `staff`, who sees every document too."""
        return AccessFilter(frozenset({EVERYONE, *self._groups}))

    def fill(self, appliance: Appliance, chunks: int) -> None:
        """Write documents with so many chunks in all to catalog and index, in the order in which ingestion does it."""
        appliance.catalog.add_source(_SOURCE)
        numbers = iter(range(chunks // CHUNKS))
        while portion := [self.document(number) for number in itertools.islice(numbers, _AT_ONCE)]:
            appliance.index.upsert([entry for made in portion for entry in made.entries])
            for made in portion:
                appliance.catalog.publish(made.outcome, made.version, made.chunks)

    def document(self, number: int) -> Made:
        """Document `number`."""
        dice = numpy.random.default_rng((2, number))
        topic, groups = number % _TOPICS, frozenset({"staff", self._groups[number % len(self._groups)]})
        title = self._spoken(dice.choice(self._topics[topic], 3))
        path = f"{number % 100:02}/{title.replace(' ', '-')}-{number}.pdf"
        outcome = FileOutcome(
            document_id=document_id(_SOURCE.id, str(number)),
            source_id=_SOURCE.id,
            path=path,
            title=title,
            media_type="application/pdf",
            state=DocumentState.INDEXED,
            reason="",
            groups=groups,
            size_bytes=100_000,
            modified_ns=0,
            sha256=_sha256(number),
            parser=_PARSER,
        )
        version = Version(self._version(number), outcome.document_id, _sha256(number), _PARSER, datetime.now(UTC))
        chunks = [self._chunk(outcome, row, dice) for row in range(number * CHUNKS, (number + 1) * CHUNKS)]
        names = document_names(title, path, "")
        entries = [
            IndexEntry(
                chunk_id=chunk.id,
                document_id=chunk.document_id,
                version_id=chunk.version_id,
                groups=groups,
                vector=vector,
                text=chunk.search_text,
                language=chunk.language,
                names="" if chunk.number else names,
            )
            for chunk, vector in zip(chunks, self.vectors(number), strict=True)
        ]
        return Made(outcome, version, chunks, entries)

    def vectors(self, number: int) -> Numbers:
        """The vectors of the chunks of document `number`, each of length 1."""
        dice = numpy.random.default_rng((3, number))
        noise = _unit(dice.standard_normal((CHUNKS + 1, self._centres.shape[1]), dtype=numpy.float32))
        return _unit(self._centres[number % _TOPICS] + 0.5 * noise[0] + 0.6 * noise[1:])

    def chunk_id(self, row: int) -> str:
        """The id of a chunk, counted through all documents."""
        return chunk_id(self._version(row // CHUNKS), row % CHUNKS, self._embedder.model_id)

    def questions(self, count: int) -> Iterator[str]:
        """Questions of eight words, half of them of one topic. Each is another one; every other one names documents."""
        dice = numpy.random.default_rng(4)
        for number in range(count):
            topic = self._spoken(dice.choice(self._topics[dice.integers(_TOPICS)], 4, replace=False))
            yield f"{self._spoken(self._drawn(dice, 4))} {topic.title() if number % 2 else topic}"

    @cached_property
    def _centres(self) -> Numbers:
        return numpy.stack([self._embedder.embed_query(self._spoken(topic)) for topic in self._topics])

    def _version(self, number: int) -> str:
        return version_id(document_id(_SOURCE.id, str(number)), _sha256(number), _PARSER)

    def _chunk(self, outcome: FileOutcome, row: int, dice: numpy.random.Generator) -> Chunk:
        topic = dice.choice(self._topics[row // CHUNKS % _TOPICS], _WORDS_OF_A_CHUNK // 3)
        words = dice.permutation(numpy.concatenate([topic, self._drawn(dice, _WORDS_OF_A_CHUNK - len(topic))]))
        page, number = row % CHUNKS // 3 + 1, row % CHUNKS
        lines = tuple(Box(page, 0.12, 0.1 + line / 50, 0.88, 0.115 + line / 50) for line in range(_LINES_OF_A_CHUNK))
        return Chunk(
            id=self.chunk_id(row),
            document_id=outcome.document_id,
            version_id=self._version(row // CHUNKS),
            number=number,
            text=self._spoken(words),
            context=outcome.title,
            place=Place(page=page, boxes=lines, headings=(outcome.title,)),
            language="en",
            token_count=200,
        )

    def _drawn(self, dice: numpy.random.Generator, count: int) -> NDArray[numpy.int64]:
        drawn: NDArray[numpy.int64] = numpy.searchsorted(self._shares, dice.random(count) * self._shares[-1])
        return drawn

    def _spoken(self, numbers: NDArray[numpy.int64]) -> str:
        return " ".join(self._words[number] for number in numbers)


def made_up_words() -> list[str]:
    """The words there are, the commonest first."""
    syllables = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "el", "is")]
    made = ("".join(parts) for parts in itertools.product(syllables, repeat=3))
    return random.Random(1).sample(list(made), _WORDS)


def _sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _unit(vectors: Numbers) -> Numbers:
    return numpy.asarray(vectors / numpy.linalg.norm(vectors, axis=-1, keepdims=True), dtype=numpy.float32)
