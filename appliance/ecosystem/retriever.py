"""The search of the appliance as a llama-index retriever, for query engines and workflows of one's own.

Rules this module keeps:

1. A retriever belongs to one reader: whose access it has is a required argument, and what that does not admit is not
   there. Make one for each reader, and none for several.
2. Nodes say where they come from (document, path, page, version), so that an answer can be traced to the page.
3. It searches and records nothing. What is asked through it is not in the query log: who must have it there asks
   through the appliance (`Answerer`, `/v1/chat/completions`) or writes the record.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from appliance.domain import AccessFilter, Hit
from appliance.retrieval.retriever import Retriever

_FOR_PROGRAMS = ["document_id", "version_id", "version_sha256", "chunk"]
"""Metadata that is no help to a model, and takes room in its window."""


class StrongroomRetriever(BaseRetriever):
    """A llama-index `BaseRetriever` over what one reader may see."""

    def __init__(self, retriever: Retriever, *, access: AccessFilter, limit: int = 8, **more: Any) -> None:
        """Search nothing yet.

        Args:
            retriever: The appliance's own (`Appliance.retriever`).
            access: The groups of the reader it searches for.
            limit: How many nodes a question gets at most.
            more: What every llama-index retriever takes (`callback_manager`, `verbose`).
        """
        super().__init__(**more)
        self._retriever = retriever
        self._access = access
        self._limit = limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The nodes for a question, best first.

        Raises:
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; there is no partial result.
        """
        hits = self._retriever.retrieve(query_bundle.query_str, self._access)[: self._limit]
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in hits]


def _node(hit: Hit) -> TextNode:
    chunk = hit.chunk
    return TextNode(
        id_=chunk.id,
        text=chunk.text,
        metadata={
            "title": hit.title,
            "source": hit.source,
            "path": hit.path,
            "page": chunk.place.page,
            "place": chunk.place.label,
            "headings": " > ".join(chunk.place.headings),
            "language": chunk.language,
            "chunk": chunk.number,
            "document_id": chunk.document_id,
            "version_id": chunk.version_id,
            "version_sha256": hit.version_sha256,
        },
        excluded_llm_metadata_keys=_FOR_PROGRAMS,
        excluded_embed_metadata_keys=_FOR_PROGRAMS,
    )
