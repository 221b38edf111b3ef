"""A query engine of llama-index over what one reader may see.

    python samples/llama_index/query_engine.py "How long are invoices kept?" erin

The word after the question is the name of the reader's account: the engine sees what they may see, at each search. The
data folder is that of the settings (`strongroom.toml`), and nobody else may have it open meanwhile. The search is in
the query log, what an LLM makes of it is not: see docs/operations/llama-index.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from llama_index.core.llms import LLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import NodeWithScore

from appliance.config import Settings, go_offline, load_settings
from appliance.ecosystem.retriever import StrongroomRetriever
from appliance.errors import ApplianceError
from appliance.wiring import opened


def ask(settings: Settings, question: str, name: str, llm: LLM | None = None) -> str:
    """What the engine answers, and the pages it answers from. Without an LLM the pages alone."""
    with opened(settings) as appliance:
        retriever = StrongroomRetriever(appliance.searcher, person=appliance.reader(name), limit=3)
        if llm is None:
            return _told(retriever.retrieve(question))
        # The LLM is always given: llama-index would take one of a service outside.
        engine = RetrieverQueryEngine.from_args(retriever, llm=llm, response_mode=ResponseMode.COMPACT)
        response = engine.query(question)
        return f"{response}\n{_told(response.source_nodes)}"


def _told(nodes: Sequence[NodeWithScore]) -> str:
    lines = []
    for node in nodes:
        page = f", page {node.metadata['page']}" if node.metadata["page"] else ""
        lines.append(f"- {node.metadata['source']}/{node.metadata['path']}{page}: {node.text[:80]}")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('Give the question and the name of the reader: query_engine.py "How long are invoices kept?" erin')
    go_offline()
    try:
        print(ask(load_settings(), sys.argv[1], sys.argv[2]))
    except ApplianceError as error:
        sys.exit(str(error))
