"""The search as a llama-index retriever: a person's access and the query log hold there too, and nodes tell their place."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import MetadataMode

from appliance.answering.searching import Searcher
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.config import RetrievalSettings
from appliance.domain import EVERYONE, MAX_QUESTION_CHARACTERS, AccessFilter, Principal, Role
from appliance.ecosystem.retriever import StrongroomRetriever
from appliance.errors import AuditUnavailable, IndexUnavailable, InvalidRequest
from appliance.labels import NO_LEVEL
from appliance.retrieval.retriever import Retriever
from tests.appliance.retrieval.test_retriever import GLOSSARY, LEGAL, STAFF, Shop
from tests.data.builders import ToyEmbedder


def _retriever(shop: Shop, log: QueryLog, access: AccessFilter = STAFF, **more: int) -> StrongroomRetriever:
    search = Retriever(
        catalog=shop.catalog,
        index=shop.index,
        embedder=ToyEmbedder(),
        settings=RetrievalSettings(candidates=60),
        glossary=GLOSSARY,
    )
    person = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), access.groups, frozenset({NO_LEVEL}))
    return StrongroomRetriever(Searcher(search, log), person=lambda: person, **more)


def test_it_finds_what_the_appliance_finds_for_this_person_in_that_order(shop: Shop, log: QueryLog) -> None:
    for access in (STAFF, LEGAL, AccessFilter(STAFF.groups | LEGAL.groups)):
        retriever = _retriever(shop, log, access)
        assert isinstance(retriever, BaseRetriever)
        hits = shop.ask("parental leave", access)
        nodes = retriever.retrieve("parental leave")
        assert [(node.node_id, node.text, node.score) for node in nodes] == [
            (hit.chunk.id, hit.chunk.text, hit.score) for hit in hits
        ]
        assert len(nodes) == {1: 2 if access == STAFF else 1, 2: 3}[len(access.groups)]


def test_a_person_without_groups_finds_what_everyone_may_read_and_nobody_is_assumed(shop: Shop, log: QueryLog) -> None:
    assert _retriever(shop, log, AccessFilter(frozenset())).retrieve("parental leave") == []
    shop.add("notice.txt", "Parental leave has a form.", groups=frozenset({EVERYONE}))
    (node,) = _retriever(shop, log, AccessFilter(frozenset())).retrieve("parental leave")
    assert node.metadata["path"] == "notice.txt"
    person = inspect.signature(StrongroomRetriever).parameters["person"]
    assert person.default is inspect.Parameter.empty


def test_a_search_is_in_the_query_log_before_its_nodes_are_there(shop: Shop, log: QueryLog) -> None:
    nodes = _retriever(shop, log, limit=1).retrieve("parental leave")
    (query,) = log.queries(LogFilter(), limit=10)
    assert query.question is not None
    assert (query.question.question, query.question.actor, query.question.origin) == (
        "parental leave",
        "p1",
        "llama-index",
    )
    assert query.answer is not None
    assert [citation.chunk_id for citation in query.answer.citations] == [node.node_id for node in nodes]
    log.close()
    with pytest.raises(AuditUnavailable):
        _retriever(shop, log).retrieve("parental leave")


def test_nodes_say_where_they_come_from(shop: Shop, log: QueryLog) -> None:
    (hit,) = shop.ask("parental leave", LEGAL)
    (node,) = _retriever(shop, log, LEGAL).retrieve("parental leave")
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


def test_there_are_no_more_nodes_than_asked_for(shop: Shop, log: QueryLog) -> None:
    assert len(_retriever(shop, log, limit=1).retrieve("parental leave")) == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused_in_words(shop: Shop, log: QueryLog, limit: int) -> None:
    with pytest.raises(InvalidRequest, match=f"The limit is {limit}: .* Set 1 or more"):
        _retriever(shop, log, limit=limit)


def test_a_question_is_no_longer_than_it_may_be_elsewhere(shop: Shop, log: QueryLog) -> None:
    question = "parental leave ".ljust(MAX_QUESTION_CHARACTERS, "?")
    assert _retriever(shop, log).retrieve(question)
    with pytest.raises(InvalidRequest, match="may have 20,000 characters, and this one has 20,001") as refused:
        _retriever(shop, log).retrieve(f"{question}?")
    assert "parental" not in str(refused.value)
    (query,) = log.queries(LogFilter(), limit=10)
    assert query.question is not None and query.question.question == question


@pytest.mark.parametrize("question", ["", "?", " \n", "--- !!!"])
def test_a_question_without_a_word_finds_nothing_and_is_on_record(shop: Shop, log: QueryLog, question: str) -> None:
    assert _retriever(shop, log).retrieve(question) == []
    (query,) = log.queries(LogFilter(), limit=10)
    assert query.question is not None and query.question.question == question
    assert query.retrieval is not None and query.retrieval.retrieved == ()
    assert query.answer is not None and query.answer.error == ""


def test_nodes_carry_the_cosine_beside_the_fused_score(shop: Shop, log: QueryLog) -> None:
    hits, nodes = shop.ask("parental leave", STAFF), _retriever(shop, log).retrieve("parental leave")
    assert [node.metadata["similarity"] for node in nodes] == [hit.similarity for hit in hits]
    assert nodes[0].metadata["similarity"] != nodes[0].score
    assert "similarity" not in nodes[0].node.get_content(MetadataMode.LLM)


def test_it_can_be_awaited(shop: Shop, log: QueryLog) -> None:
    nodes = asyncio.run(_retriever(shop, log).aretrieve("parental leave"))
    assert [node.text for node in nodes] == shop.texts("parental leave")


def test_errors_are_those_of_the_appliance(shop: Shop, log: QueryLog) -> None:
    retriever = _retriever(shop, log)
    shop.index.close()
    with pytest.raises(IndexUnavailable):
        retriever.retrieve("parental leave")
