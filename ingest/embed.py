"""Embeds chunks and writes them to the index, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from appliance.domain import Chunk
from appliance.index.port import IndexEntry, VectorIndex
from appliance.inference.port import Embedder

_AT_ONCE = 64  # chunks between two writes


def embed_and_index(
    chunks: Sequence[Chunk], groups: frozenset[str], embedder: Embedder, index: VectorIndex
) -> Iterator[int]:
    """Write chunks to the index under the label `groups`; yields how many each step wrote."""
    for start in range(0, len(chunks), _AT_ONCE):
        batch = chunks[start : start + _AT_ONCE]
        index.upsert(_entries(batch, groups, embedder))
        yield len(batch)


def _entries(chunks: Sequence[Chunk], groups: frozenset[str], embedder: Embedder) -> list[IndexEntry]:
    """What the index keeps of chunks: their vectors, their terms and who may see them."""
    vectors = embedder.embed_passages([chunk.search_text for chunk in chunks])
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
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
