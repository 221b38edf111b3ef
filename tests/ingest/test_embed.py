"""Embedding and indexing in batches, of one document and of many."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from appliance.domain import AccessFilter, Chunk, Place
from appliance.errors import ModelUnavailable
from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry
from appliance.inference.port import Vectors
from ingest.embed import Steps, embed_and_index
from tests.data.builders import ToyEmbedder, make_chunk

READERS = frozenset({"readers"})
BOARD = frozenset({"board"})
NAMES = "Annual report report_2024"


class CountingEmbedder(ToyEmbedder):
    """Remembers how many texts each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(len(texts))
        return super().embed_passages(texts)


class WaitingEmbedder(CountingEmbedder):
    """Embeds once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        assert self.may_go_on.wait(20)
        return super().embed_passages(texts)


class FailingEmbedder(CountingEmbedder):
    """A model that is not there."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        super().embed_passages(texts)
        raise ModelUnavailable("The embedding model cannot be loaded.")


class CountingIndex(EdgeIndex):
    """The embedded index, which remembers how many entries each write had."""

    writes: list[int]

    def upsert(self, entries: Iterable[IndexEntry]) -> None:
        entries = list(entries)
        self.writes.append(len(entries))
        super().upsert(entries)


@pytest.fixture
def index(tmp_path: Path) -> Iterable[CountingIndex]:
    index = CountingIndex(
        tmp_path / "index", dimension=ToyEmbedder.dimension, model_id="toy@1", owner=str(uuid.uuid4())
    )
    index.writes = []
    yield index
    index.close()


def _chunks(document: str, count: int) -> list[Chunk]:
    version = str(uuid.uuid5(uuid.NAMESPACE_OID, document))
    return [
        replace(
            make_chunk(f"{document} piece {number}", number=number, document=document, version=version), place=Place()
        )
        for number in range(count)
    ]


def test_a_large_document_is_written_in_several_steps_and_whole(index: CountingIndex) -> None:
    embedder = CountingEmbedder()
    embed_and_index(_chunks("report", 600), READERS, NAMES, embedder, index)
    assert embedder.calls == index.writes == [256, 256, 88]
    assert index.count(document_id="report") == 600


def test_small_documents_share_a_step_and_keep_their_own_labels(index: CountingIndex) -> None:
    embedder = CountingEmbedder()
    documents = [(_chunks(f"note-{number}", 3), BOARD if number % 2 else READERS) for number in range(50)]
    with Steps(embedder, index.upsert) as steps:
        assert [written for chunks, groups in documents for written in steps.put(chunks, groups, NAMES)] == []
        assert list(steps.drain()) == [150]
    assert embedder.calls == [150]
    assert index.writes == [150]
    vector = embedder.embed_query("note piece")
    for groups, odd in ((READERS, 0), (BOARD, 1)):
        legs = index.search(vector, "note piece", access=AccessFilter(groups), limit=150, language="en")
        own = {chunk.id for number in range(odd, 50, 2) for chunk in documents[number][0]}
        assert {hit.chunk_id for hit in legs.dense} == own


def test_nothing_to_write_is_no_step(index: CountingIndex) -> None:
    embedder = CountingEmbedder()
    embed_and_index([], READERS, NAMES, embedder, index)
    with Steps(embedder, index.upsert) as steps:
        assert [*steps.put([], BOARD, NAMES), *steps.advance(), *steps.drain()] == []
    assert embedder.calls == index.writes == []


def test_stopping_between_steps_leaves_the_rest_unwritten(index: CountingIndex) -> None:
    with Steps(CountingEmbedder(), index.upsert) as steps:
        list(steps.put(_chunks("report", 300), READERS, NAMES))
        assert next(steps.drain()) == 256
    assert index.count(document_id="report") == 256


def test_embedding_goes_on_while_the_caller_does_other_things_but_only_so_far(index: CountingIndex) -> None:
    embedder = WaitingEmbedder()
    with Steps(embedder, index.upsert) as steps:
        assert list(islice(steps.put(_chunks("a", 512), READERS, NAMES), 1)) == []  # two steps may be ahead
        assert index.writes == []
        embedder.may_go_on.set()
        assert next(steps.put(_chunks("b", 256), READERS, NAMES)) == 256  # a third one: the first has to be written
        assert index.count(document_id="a") == 256
        assert list(steps.drain()) == [256, 256]
    assert embedder.calls == [256, 256, 256]


def test_what_is_there_is_embedded_at_once_when_the_model_has_nothing_to_do(index: CountingIndex) -> None:
    embedder = WaitingEmbedder()
    with Steps(embedder, index.upsert) as steps:
        list(steps.put(_chunks("a", 3), READERS, NAMES))
        assert list(steps.advance()) == []  # being embedded
        list(steps.put(_chunks("b", 4), READERS, NAMES))
        assert list(steps.advance()) == []  # waits for the model, and gathers
        list(steps.put(_chunks("c", 5), READERS, NAMES))
        embedder.may_go_on.set()
        assert sum(steps.drain()) == 12
    assert embedder.calls == [3, 9]


def test_small_writes_are_gathered_but_nothing_waits_long(
    index: CountingIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("ingest.embed.time.monotonic", lambda: now)
    embedder = CountingEmbedder()
    with Steps(embedder, index.upsert) as steps:
        written = []
        for number in range(5):
            list(steps.put(_chunks(f"note-{number}", 2), READERS, NAMES))
            while len(embedder.calls) <= number:  # the model is idle again soon
                written += list(steps.advance())
        assert written == []
        now += 1.0
        while not written:
            written += list(steps.advance())
        assert sum(written) + sum(steps.drain()) == 10
    assert len(index.writes) <= 2


def test_an_error_of_the_model_reaches_the_caller_and_nothing_more_is_embedded(index: CountingIndex) -> None:
    embedder = FailingEmbedder()
    with pytest.raises(ModelUnavailable, match="cannot be loaded"), Steps(embedder, index.upsert) as steps:
        list(steps.put(_chunks("a", 1_024), READERS, NAMES))
    assert index.writes == []
    assert len(embedder.calls) <= 3


def test_the_first_chunk_of_a_document_carries_its_names(index: CountingIndex) -> None:
    embed_and_index(_chunks("report", 3), READERS, "The Annual Report report_2024", CountingEmbedder(), index)
    found = index.named("What does the Report of 2024 say?", access=AccessFilter(READERS), limit=5)
    assert [item.document_id for item in found] == ["report"]


def _bm25(chunks: Sequence[Chunk], index: CountingIndex, question: str) -> dict[int, float]:
    """The BM25 score of each chunk of one document that has a word of the question, by the chunk's number."""
    embed_and_index(chunks, READERS, NAMES, ToyEmbedder(), index)
    embed_and_index(_chunks("another", 20), READERS, NAMES, ToyEmbedder(), index)
    vector, access = ToyEmbedder().embed_query(question), AccessFilter(READERS)
    found = index.search(vector, question, access=access, limit=99, language="en").sparse
    number_of = {chunk.id: chunk.number for chunk in chunks}
    return {number_of[hit.chunk_id]: hit.score for hit in found if hit.chunk_id in number_of}


def _document(*texts: str, place: Place | None = None) -> list[Chunk]:
    return [
        replace(chunk, text=text, language="en", place=place or Place())
        for chunk, text in zip(_chunks("minutes", len(texts)), texts, strict=True)
    ]


HALVES = ("The zebra was delivered late.", "It was paid by the walrus at once.")


def test_words_in_the_other_half_of_a_short_document_count_too(index: CountingIndex) -> None:
    scores = _bm25(_document(*HALVES), index, "zebra walrus")
    assert set(scores) == {0, 1}
    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("long", ["and so on " * 100, "与此相关的" * 600], ids=["many words", "no blanks"])
def test_in_a_long_document_each_chunk_counts_for_itself(index: CountingIndex, long: str) -> None:
    scores = _bm25(_document(*HALVES, long), index, "zebra")
    assert set(scores) == {0}


def test_on_pages_each_chunk_counts_for_itself(index: CountingIndex) -> None:
    assert set(_bm25(_document(*HALVES, place=Place(page=1)), index, "zebra")) == {0}


def test_words_in_another_language_are_left_to_their_own_half(index: CountingIndex) -> None:
    english, german = _document("The zebra was delivered late.", "Die Lieferungen kamen mit Verspätung.")
    scores = _bm25([english, replace(german, language="de")], index, "zebra")
    assert set(scores) == {0}


def test_on_pages_a_vector_leans_towards_its_neighbours_and_elsewhere_it_does_not(index: CountingIndex) -> None:
    embedder = CountingEmbedder()
    alone = dict(_cosines(index, embedder, _chunks("flowing", 3)))
    pages = [replace(chunk, place=Place(page=1 + chunk.number // 2)) for chunk in _chunks("paged", 3)]
    on_pages = dict(_cosines(index, embedder, pages))
    assert list(alone.values()) == pytest.approx([1.0] * 3, abs=1e-5)
    assert all(0.5 < cosine < 0.9999 for cosine in on_pages.values())


def test_a_vector_is_the_same_whatever_shared_a_step_with_it(index: CountingIndex) -> None:
    pages = [replace(chunk, place=Place(page=1)) for chunk in _chunks("paged", 300)]
    alone = _cosines(index, CountingEmbedder(), pages)
    index.delete_document("paged")
    with Steps(CountingEmbedder(), index.upsert) as steps:
        list(steps.put(_chunks("other", 100), READERS, NAMES))
        list(steps.put(pages, READERS, NAMES))
        list(steps.drain())
    assert _cosines_in(index, CountingEmbedder(), pages) == pytest.approx(alone, abs=1e-6)


def _cosines(index: CountingIndex, embedder: CountingEmbedder, chunks: Sequence[Chunk]) -> dict[str, float]:
    embed_and_index(chunks, READERS, NAMES, embedder, index)
    return _cosines_in(index, embedder, chunks)


def _cosines_in(index: CountingIndex, embedder: CountingEmbedder, chunks: Sequence[Chunk]) -> dict[str, float]:
    """How near each chunk in the index is to its own text."""
    return {
        chunk.id: index.compare(
            embedder.embed_query(chunk.embedded_text),
            "",
            access=AccessFilter(READERS),
            language="en",
            chunk_ids=[chunk.id],
        )
        .dense[0]
        .score
        for chunk in chunks
    }
