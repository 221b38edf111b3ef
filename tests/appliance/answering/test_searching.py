"""A search that a program makes for a person: on record before anything is handed over, or nothing is."""

from __future__ import annotations

import pytest

from appliance.answering.searching import Searcher
from appliance.audit.entries import AnswerClosed, Entry, PassagesRetrieved, QuestionReceived
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.config import RetrievalSettings
from appliance.domain import Principal, Role
from appliance.errors import AuditUnavailable, IndexUnavailable
from appliance.labels import NO_LEVEL
from appliance.retrieval.retriever import Retriever
from tests.appliance.retrieval.test_retriever import GLOSSARY, LEGAL, Shop
from tests.data.builders import ToyEmbedder

QUESTION = "parental leave"
PERSON = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), frozenset({"staff"}), frozenset({NO_LEVEL}))


class FailingLog:
    """A query log that takes so many entries, and then none."""

    def __init__(self, takes: int) -> None:
        self.left = takes
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> None:
        if not self.left:
            raise AuditUnavailable("The query log cannot be written.")
        self.left -= 1
        self.entries.append(entry)


def _retriever(shop: Shop) -> Retriever:
    return Retriever(
        catalog=shop.catalog,
        index=shop.index,
        embedder=ToyEmbedder(),
        settings=RetrievalSettings(),
        glossary=GLOSSARY,
    )


def test_who_searched_for_what_and_what_was_handed_over_is_on_record(shop: Shop, log: QueryLog) -> None:
    (hit,) = Searcher(_retriever(shop), log).search(QUESTION, PERSON, limit=1, origin="test")
    (query,) = log.queries(LogFilter(actor="p1"), limit=10)
    question, retrieval, closed = query.question, query.retrieval, query.answer
    assert question is not None
    assert (question.question, question.actor_name, question.origin) == (QUESTION, "reader", "test")
    assert question.groups == ("everyone", "staff")
    assert retrieval is not None
    assert [(passage.path, passage.number) for passage in retrieval.retrieved] == [
        ("leave.txt", 1),
        ("leave.txt", None),
    ]
    assert retrieval.retrieved[0].chunk_id == hit.chunk.id
    assert closed is not None
    assert (closed.kind, closed.answer, closed.error) == ("passages", "", "")
    assert [citation.chunk_id for citation in closed.citations] == [hit.chunk.id]


def test_a_search_is_within_what_the_person_may_see(shop: Shop, log: QueryLog) -> None:
    searcher = Searcher(_retriever(shop), log)
    assert {hit.path for hit in searcher.search(QUESTION, PERSON, limit=9, origin="test")} == {"leave.txt"}
    legal = Principal("p2", "lawyer", frozenset({Role.EMPLOYEE}), LEGAL.groups, frozenset({NO_LEVEL}))
    assert {hit.path for hit in searcher.search(QUESTION, legal, limit=9, origin="test")} == {"case.txt"}


@pytest.mark.parametrize("takes", [0, 1, 2])
def test_what_cannot_be_recorded_is_not_handed_over(shop: Shop, takes: int) -> None:
    log = FailingLog(takes)
    with pytest.raises(AuditUnavailable):
        Searcher(_retriever(shop), log).search(QUESTION, PERSON, limit=9, origin="test")
    assert [type(entry) for entry in log.entries] == [QuestionReceived, PassagesRetrieved][:takes]


def test_without_a_record_nothing_is_searched(shop: Shop) -> None:
    shop.index.close()
    with pytest.raises(AuditUnavailable):  # and not that the index is closed
        Searcher(_retriever(shop), FailingLog(0)).search(QUESTION, PERSON, limit=9, origin="test")


def test_a_search_that_fails_is_closed_with_the_reason(shop: Shop, log: QueryLog) -> None:
    shop.index.close()
    with pytest.raises(IndexUnavailable) as failed:
        Searcher(_retriever(shop), log).search(QUESTION, PERSON, limit=9, origin="test")
    (query,) = log.queries(LogFilter(), limit=10)
    assert isinstance(query.answer, AnswerClosed)
    assert (query.answer.error, query.answer.citations) == (failed.value.code, ())
    assert query.retrieval is None
