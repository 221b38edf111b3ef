"""Embeds chunks and writes them to the index, a batch at a time, of one document or of many.

A batch is large enough to keep every core busy and to make few writes, and small enough that a run that is told to stop
stops soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from appliance.domain import Chunk
from appliance.index.port import IndexEntry, VectorIndex
from appliance.inference.port import Embedder

_AT_ONCE = 256  # chunks between two writes

Labelled = tuple[Sequence[Chunk], frozenset[str]]
"""Chunks of a document, and the groups who may see it."""


def embed_and_index(
    chunks: Sequence[Chunk], groups: frozenset[str], embedder: Embedder, index: VectorIndex
) -> Iterator[int]:
    """Write chunks to the index under the label `groups`; yields how many each step wrote."""
    return embed_and_index_all([(chunks, groups)], embedder, index)


def embed_and_index_all(documents: Iterable[Labelled], embedder: Embedder, index: VectorIndex) -> Iterator[int]:
    """Write the chunks of several documents to the index, each under its own label; yields how many each step wrote.

    Small documents share a step. Steps keep the order, so the chunks of the first documents are written first.
    """
    pairs = ((chunk, groups) for chunks, groups in documents for chunk in chunks)
    while batch := list(islice(pairs, _AT_ONCE)):
        vectors = embedder.embed_passages([chunk.search_text for chunk, _ in batch])
        index.upsert(
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
                for (chunk, groups), vector in zip(batch, vectors, strict=True)
            ]
        )
        yield len(batch)
