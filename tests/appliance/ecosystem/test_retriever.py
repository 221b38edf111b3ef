"""The search as a llama-index retriever: the reader's access holds there too, and nodes say where they come from."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import MetadataMode

from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter
from appliance.ecosystem.retriever import StrongroomRetriever
from appliance.errors import IndexUnavailable
from appliance.retrieval.retriever import Retriever
from tests.appliance.retrieval.test_retriever import GLOSSARY, LEGAL, STAFF, Shop
from tests.data.builders import ToyEmbedder


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    shop.add("leave.txt", "Parental leave is 16 weeks.", "Unpaid leave needs a reason.")
    shop.add("case.txt", "The parental leave case is open.", groups=LEGAL.groups)
    yield shop
    shop.index.close()
    shop.database.close()


def _retriever(shop: Shop, access: AccessFilter, **more: int) -> StrongroomRetriever:
    search = Retriever(
        catalog=shop.catalog,
        index=shop.index,
        embedder=ToyEmbedder(),
        settings=RetrievalSettings(candidates=60),
        glossary=GLOSSARY,
    )
    return StrongroomRetriever(search, access=access, **more)


def test_it_finds_what_the_appliance_finds_for_this_reader_in_that_order(shop: Shop) -> None:
    for access in (STAFF, LEGAL, AccessFilter(STAFF.groups | LEGAL.groups)):
        retriever = _retriever(shop, access)
        assert isinstance(retriever, BaseRetriever)
        hits = shop.ask("parental leave", access)
        nodes = retriever.retrieve("parental leave")
        assert [(node.node_id, node.text, node.score) for node in nodes] == [
            (hit.chunk.id, hit.chunk.text, hit.score) for hit in hits
        ]
        assert len(nodes) == {1: 2 if access == STAFF else 1, 2: 3}[len(access.groups)]


def test_an_empty_filter_finds_nothing_and_none_is_assumed(shop: Shop) -> None:
    assert _retriever(shop, AccessFilter(frozenset())).retrieve("parental leave") == []
    access = inspect.signature(StrongroomRetriever).parameters["access"]
    assert access.default is inspect.Parameter.empty


def test_nodes_say_where_they_come_from(shop: Shop) -> None:
    (hit,) = shop.ask("parental leave", LEGAL)
    (node,) = _retriever(shop, LEGAL).retrieve("parental leave")
    wanted = {
        "path": "case.txt",
        "source": "Handbook",
        "page": 1,
        "document_id": hit.chunk.document_id,
        "version_id": hit.chunk.version_id,
        "version_sha256": hit.version_sha256,
    }
    assert wanted.items() <= node.metadata.items()
    shown = node.node.get_content(MetadataMode.LLM)
    assert "case.txt" in shown
    assert hit.version_sha256 not in shown


def test_there_are_no_more_nodes_than_asked_for(shop: Shop) -> None:
    assert len(_retriever(shop, STAFF, limit=1).retrieve("parental leave")) == 1


def test_it_can_be_awaited(shop: Shop) -> None:
    nodes = asyncio.run(_retriever(shop, STAFF).aretrieve("parental leave"))
    assert [node.text for node in nodes] == shop.texts("parental leave")


def test_errors_are_those_of_the_appliance(shop: Shop) -> None:
    retriever = _retriever(shop, STAFF)
    shop.index.close()
    with pytest.raises(IndexUnavailable):
        retriever.retrieve("parental leave")
