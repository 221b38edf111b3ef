"""Small real values for tests: chunks, hits, published documents, and an embedder without a model."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy

from appliance.catalog import Catalog, FileOutcome
from appliance.domain import (
    Chunk,
    Citation,
    DocumentFacts,
    DocumentState,
    Hit,
    PageCoverage,
    Place,
    Source,
    TextMeans,
    Version,
    chunk_id,
    document_id,
    text_sha256,
    version_id,
)
from appliance.index.port import IndexEntry, Vector
from appliance.inference.port import Vectors
from ingest.similar import signature_of

SOURCE = Source(id=str(uuid.UUID(int=1)), name="Handbook", path="/srv/handbook", groups=frozenset({"staff"}))
"""A folder for documents of tests. Nothing lies at its path."""

_PARSER = "test/1"


class ToyEmbedder:
    """An `Embedder` that hashes words into a vector of length 1: texts are near each other when they share words."""

    model_id = "toy@1"
    dimension = 64
    max_tokens = 256

    def count_tokens(self, text: str) -> int:
        """One token for each word."""
        return len(_words(text))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension), in the order given."""
        if not texts:
            return numpy.zeros((0, self.dimension), dtype=numpy.float32)
        return numpy.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        """A vector of shape (dimension,). A text without a word gets the first axis."""
        vector = numpy.zeros(self.dimension, dtype=numpy.float32)
        for word in _words(text):
            digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
            vector[int.from_bytes(digest[:4], "big") % self.dimension] += 1.0
        if not vector.any():
            vector[0] = 1.0
        unit: Vector = (vector / numpy.linalg.norm(vector)).astype(numpy.float32)
        return unit


def make_chunk(
    text: str = "Leave is 25 days.",
    *,
    number: int = 0,
    document: str = "doc-1",
    version: str = "ver-1",
    context: str = "",
    place: Place | None = None,
) -> Chunk:
    """A chunk with the identifier that ingestion would give it."""
    return Chunk(
        id=chunk_id(version, number, ToyEmbedder.model_id),
        document_id=document,
        version_id=version,
        number=number,
        text=text,
        context=context,
        place=place or Place(page=1),
        language="en",
        token_count=ToyEmbedder().count_tokens(text),
    )


def make_hit(
    text: str = "Leave is 25 days.",
    *,
    rank: int = 1,
    title: str = "Handbook",
    similarity: float | None = 0.5,
    context: str = "",
    place: Place | None = None,
) -> Hit:
    """A hit of a chunk with this text, of its own document."""
    document = document_id(SOURCE.id, f"{rank}.txt")
    return Hit(
        chunk=make_chunk(text, number=rank, document=document, context=context, place=place),
        title=title,
        path=f"{rank}.txt",
        source=SOURCE.name,
        version_sha256=text_sha256(text),
        score=1.0 / rank,
        rank=rank,
        similarity=similarity,
        dense_rank=None if similarity is None else rank,
        sparse_rank=rank,
    )


def make_passages(*texts: str) -> tuple[Citation, ...]:
    """The texts as numbered passages."""
    return tuple(Citation(number, make_hit(text, rank=number)) for number, text in enumerate(texts, start=1))


def make_outcome(
    path: str = "leave.txt",
    *,
    groups: Iterable[str] = ("staff",),
    title: str = "",
    text: str = "",
    state: DocumentState = DocumentState.INDEXED,
    reason: str = "",
    source: Source = SOURCE,
) -> FileOutcome:
    """What a sync would say of a file at `path` whose content is `text`."""
    return FileOutcome(
        document_id=document_id(source.id, path),
        source_id=source.id,
        path=path,
        title=title or path,
        media_type="text/plain",
        state=state,
        reason=reason,
        groups=frozenset(groups),
        size_bytes=len(text),
        modified_ns=1,
        sha256=text_sha256(text),
        parser=_PARSER,
    )


def publish(
    catalog: Catalog,
    path: str,
    *texts: str,
    groups: Iterable[str] = ("staff",),
    title: str = "",
    source: Source = SOURCE,
    facts: DocumentFacts = DocumentFacts(),
    place: Place | None = None,
) -> list[Chunk]:
    """Publish a document of one page whose chunks are `texts`, as ingestion would; the chunks in order."""
    outcome = make_outcome(path, groups=groups, title=title, text="\n".join(texts), source=source)
    version = version_id(outcome.document_id, outcome.sha256, _PARSER)
    chunks = [
        make_chunk(text, number=number, document=outcome.document_id, version=version, place=place)
        for number, text in enumerate(texts)
    ]
    pages = (PageCoverage(1, TextMeans.TEXT_LAYER, sum(map(len, texts))),)
    made = Version(version, outcome.document_id, outcome.sha256, _PARSER, datetime.now(UTC), pages, facts=facts)
    catalog.publish(outcome, made, chunks, signature_of(texts))
    return chunks


def index_entries(chunks: Iterable[Chunk], groups: Iterable[str], names: str = "") -> list[IndexEntry]:
    """The chunks of a document as the index takes them, embedded by `ToyEmbedder`."""
    embedder = ToyEmbedder()
    return [
        IndexEntry(
            chunk_id=chunk.id,
            document_id=chunk.document_id,
            version_id=chunk.version_id,
            groups=frozenset(groups),
            vector=embedder.embed_query(chunk.embedded_text),
            text=chunk.search_text,
            language=chunk.language,
            names="" if chunk.number else names,
        )
        for chunk in chunks
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
