"""The story of a search: embed the question -> search within access -> fuse -> check access -> rank."""

from __future__ import annotations

import logging

from appliance.catalog import Catalog, ChunkInContext
from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter, Hit, text_sha256
from appliance.index.port import VectorIndex
from appliance.inference.language import detect_language
from appliance.inference.port import Embedder
from appliance.retrieval.fusion import FusedHit, fuse

_log = logging.getLogger(__name__)


class Retriever:
    """Hybrid search within what a reader may see."""

    def __init__(
        self, *, catalog: Catalog, index: VectorIndex, embedder: Embedder, settings: RetrievalSettings
    ) -> None:
        self._catalog = catalog
        self._index = index
        self._embedder = embedder
        self._settings = settings

    def retrieve(self, question: str, access: AccessFilter) -> list[Hit]:
        """The hits for a question, best first, each text once.

        Raises:
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; there is no partial result.
        """
        if not access.groups:
            return []
        legs = self._index.search(
            self._embedder.embed_query(question),
            question,
            access=access,
            limit=self._settings.candidates,
            language=detect_language(question),
        )
        fused = fuse(legs)
        admitted = self._catalog.visible_chunks([hit.chunk_id for hit in fused], access, current_only=True)
        if len(admitted) < len(fused):
            # A label or version changed between the two looks, or catalog and index disagree.
            _log.warning("%d hits of the index were withheld by the catalog", len(fused) - len(admitted))
        return _ranked([(hit, admitted[hit.chunk_id]) for hit in fused if hit.chunk_id in admitted])


def _ranked(found: list[tuple[FusedHit, ChunkInContext]]) -> list[Hit]:
    hits: list[Hit] = []
    seen: set[str] = set()
    for fused, item in found:
        digest = text_sha256(item.chunk.text)
        if digest in seen:  # the same passage in two files: the better ranked one stands for both
            continue
        seen.add(digest)
        hits.append(
            Hit(
                chunk=item.chunk,
                title=item.title,
                path=item.path,
                source=item.source,
                version_sha256=item.version_sha256,
                score=fused.score,
                rank=len(hits) + 1,
                similarity=fused.similarity,
                dense_rank=fused.dense_rank,
                sparse_rank=fused.sparse_rank,
            )
        )
    return hits
