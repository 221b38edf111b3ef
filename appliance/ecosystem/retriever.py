"""The search of the appliance as a llama-index retriever, for query engines and workflows of one's own.

Rules this module keeps:

1. A retriever belongs to one person: for whom it searches is a required argument, and what they may not see is not
   there. Make one for each person, and none for several. Who they are and what they may see is asked at each search.
2. Nodes say where they come from (document, path, page, version), so that an answer can be traced to the page. Their
   `score` is the fused one, comparable within one search only; the cosine is `similarity` in their metadata.
3. Every search is in the query log, as this person's, before its nodes are returned: see `answering.searching`. What
   a workflow makes of the nodes is not; who must have that there too asks the appliance (`Answerer`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from appliance.answering.searching import Searcher
from appliance.domain import Hit, Principal
from appliance.errors import InvalidRequest

ORIGIN = "llama-index"
"""The door that searches came through, on record."""

_FOR_PROGRAMS = ["document_id", "version_id", "version_sha256", "chunk", "similarity"]
"""Metadata that is no help to a model, and takes room in its window."""


class StrongroomRetriever(BaseRetriever):
    """A llama-index `BaseRetriever` over what one person may see."""

    def __init__(self, searcher: Searcher, *, person: Callable[[], Principal], limit: int = 8, **more: Any) -> None:
        """Search nothing yet.

        Args:
            searcher: The appliance's own (`Appliance.searcher`).
            person: Gives for whom it searches, as they stand (`Appliance.reader`): their groups and levels say what is
                found, their id and name are on record. What it raises, the search raises.
            limit: How many nodes a question gets at most; one or more.
            more: What every llama-index retriever takes (`callback_manager`, `verbose`).

        Raises:
            InvalidRequest: `limit` is below one.
        """
        if limit < 1:
            raise InvalidRequest(f"The limit is {limit}: a retriever hands over at least one passage. Set 1 or more.")
        super().__init__(**more)
        self._searcher = searcher
        self._person = person
        self._limit = limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The nodes for a question, best first; none for a question without a word or number.

        Raises:
            InvalidRequest: The question is longer than any may be.
            AuditUnavailable: The query log cannot be written; there is no result.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; there is no partial result.
        """
        hits = self._searcher.search(query_bundle.query_str, self._person(), limit=self._limit, origin=ORIGIN)
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
            "similarity": hit.similarity,
            "document_id": chunk.document_id,
            "version_id": chunk.version_id,
            "version_sha256": hit.version_sha256,
        },
        excluded_llm_metadata_keys=_FOR_PROGRAMS,
        excluded_embed_metadata_keys=_FOR_PROGRAMS,
    )
