"""What leaves the index leaves everything else, whenever a run is cut short: its text, its vectors; and a receipt stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any, Never

import pytest

from appliance.domain import AccessFilter, DocumentState
from appliance.errors import CatalogUnavailable, IndexUnavailable, NotFound
from appliance.inference.port import Vectors
from ingest.embedding_cache import CachingEmbedder
from ingest.holdings import Holdings
from tests.ingest.conftest import STAFF, Room, ToyEmbedder, tally

READER = AccessFilter(STAFF)
_OLD = "The notice period is three months. " * 20
_NEW = "Nobody may give notice any more. " * 20


class _ActingEmbedder(ToyEmbedder):
    """Does something while texts are embedded."""

    act: Callable[[], object] = staticmethod(lambda: None)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.act()
        return super().embed_passages(texts)


@pytest.fixture
def inner() -> _ActingEmbedder:
    return _ActingEmbedder()


@pytest.fixture
def caching(room: Room, inner: _ActingEmbedder) -> Iterator[Room]:
    """A room whose embedder keeps vectors."""
    cache = CachingEmbedder(inner, room.data / "embeddings.db")
    room.embedder = cache
    room.write("other.txt", "Quite another matter.")
    yield room
    cache.close()


def _vectors(room: Room, path: str) -> list[bytes]:
    """The vectors of the chunks of a document, as the cache writes them."""
    facts = room.known()[path]
    texts = [chunk.embedded_text for chunk in room.catalog.version_chunks(facts.version_id or "")[0]]
    return [vector.astype("<f2").tobytes() for vector in ToyEmbedder().embed_passages(texts)]


def _kept(room: Room, vectors: Sequence[bytes]) -> int:
    """How many of them some file of the cache holds, whole or in part."""
    written = b"".join(path.read_bytes() for path in room.data.glob("embeddings.db*"))
    return sum(vector[:16] in written or vector[-16:] in written for vector in vectors)


@pytest.mark.parametrize("cut", ["stop", "index"])
def test_what_was_embedded_and_never_published_is_forgotten(
    caching: Room, inner: _ActingEmbedder, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    room, stop = caching, Event()
    room.sync()
    room.write("secret.txt", _OLD)
    texts: list[str] = []
    embed = inner.embed_passages

    def watching(given: Sequence[str]) -> Vectors:
        texts.extend(given)
        if cut == "stop":
            stop.set()
        return embed(given)

    monkeypatch.setattr(inner, "embed_passages", watching)
    if cut == "stop":
        room.sync(stop=stop)
    else:
        with _failing(monkeypatch, room.index, "upsert", IndexUnavailable("The index is away.")):
            room.sync()
    assert texts
    assert _kept(room, [vector.astype("<f2").tobytes() for vector in ToyEmbedder().embed_passages(texts)]) == 0
    assert room.index.count() == 1


def _fill(room: Room, text: str = _OLD) -> list[bytes]:
    room.write("a.txt", text)
    room.sync()
    vectors = _vectors(room, "a.txt")
    assert _kept(room, vectors) == len(vectors) > 3
    return vectors


@contextmanager
def _failing(monkeypatch: pytest.MonkeyPatch, thing: object, method: str, error: Exception) -> Iterator[None]:
    """What is asked of one part fails for a while, as if the process died there."""

    def fail(*_: Any, **__: Any) -> Never:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(thing, method, fail)
        with pytest.raises(type(error)):
            yield


def test_the_vectors_of_a_deleted_document_are_in_no_file_and_the_others_stay(caching: Room) -> None:
    vectors = _fill(caching)
    others = _vectors(caching, "other.txt")
    (caching.folder / "a.txt").unlink()
    assert tally(caching.sync()) == {"gone": 1, "unchanged": 1}
    assert _kept(caching, vectors) == 0
    assert _kept(caching, others) == len(others)
    assert caching.agrees()


def test_the_vectors_of_an_old_version_go_but_for_those_of_texts_that_the_new_one_has_too(caching: Room) -> None:
    both = "What stays as it was, word for word. " * 20
    old = _fill(caching, f"# One\n\n{both}\n\n# Two\n\n{_OLD}")
    caching.write("a.txt", f"# One\n\n{both}\n\n# Two\n\n{_NEW}")
    caching.sync()
    new = _vectors(caching, "a.txt")
    assert set(old) & set(new)
    assert _kept(caching, sorted(set(old) - set(new))) == 0
    assert _kept(caching, new) == len(new)


def test_the_vectors_of_a_version_that_a_curator_has_replaced_go(caching: Room) -> None:
    vectors = _fill(caching)
    caching.catalog.change_source(replace(caching.source, curated=True))
    caching.write("a.txt", _NEW)
    caching.sync()
    assert _kept(caching, vectors) == len(vectors)
    caching.catalog.approve(caching.known()["a.txt"].document_id, "curator")
    caching.sync()
    assert caching.paths("give notice") == {"a.txt"}
    assert _kept(caching, vectors) == 0


def test_the_vectors_of_a_document_that_became_a_duplicate_go(caching: Room) -> None:
    vectors = _fill(caching)
    caching.write("a.txt", "Quite another matter.")
    assert tally(caching.sync()) == {"duplicate": 1, "unchanged": 1}
    assert _kept(caching, vectors) == 0


def test_the_vectors_of_a_document_whose_label_broke_while_it_was_embedded_go(
    caching: Room, inner: _ActingEmbedder
) -> None:
    vectors = _fill(caching)
    (caching.folder / "a.txt").unlink()
    caching.sync()
    caching.write("a.txt", _OLD)
    inner.act = lambda: caching.write("a.txt.access.toml", "groups = 1")
    assert tally(caching.sync()) == {"refused": 1, "unchanged": 1}
    assert _kept(caching, vectors) == 0
    assert caching.agrees()


@pytest.mark.parametrize("where", ["cache", "index", "catalog"])
def test_a_removal_that_is_cut_short_hides_the_document_and_is_completed_with_its_receipt(
    caching: Room, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    vectors = _fill(caching)
    known = caching.known()["a.txt"]
    (caching.folder / "a.txt").unlink()
    parts = {
        "cache": (caching.embedder, "forget", IndexUnavailable("The cache is gone.")),
        "index": (caching.index, "delete_document", IndexUnavailable("The index is gone.")),
        "catalog": (caching.catalog, "record", CatalogUnavailable("The catalog is gone.")),
    }
    with _failing(monkeypatch, *parts[where]):
        caching.sync()
    assert caching.paths("notice period") == set()
    with pytest.raises(NotFound):
        caching.catalog.document(known.document_id, READER)
    assert caching.catalog.receipts() == []
    caching.sync()
    assert caching.states()["a.txt"] is DocumentState.GONE
    [receipt] = caching.catalog.receipts()
    assert (receipt.document_id, receipt.chunks_before, receipt.chunks_after) == (known.document_id, len(vectors), 0)
    assert _kept(caching, vectors) == 0
    assert caching.catalog.document_chunks(known.document_id) == []
    assert caching.agrees()


def test_a_file_that_is_back_before_its_removal_was_completed_is_seen_again(
    caching: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(caching)
    (caching.folder / "a.txt").rename(caching.data / "a.txt")
    with _failing(monkeypatch, caching.index, "delete_document", IndexUnavailable("The index is gone.")):
        caching.sync()
    (caching.data / "a.txt").rename(caching.folder / "a.txt")
    caching.sync()
    assert caching.paths("notice period") == {"a.txt"}
    assert caching.agrees()


def test_what_a_run_that_was_cut_short_should_have_forgotten_is_forgotten_by_the_next(
    caching: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = _fill(caching)
    caching.write("a.txt", _NEW)
    with _failing(monkeypatch, caching.embedder, "forget", IndexUnavailable("The process died.")):
        caching.sync()
    assert caching.paths("give notice") == {"a.txt"}
    assert _kept(caching, vectors) == len(vectors)
    caching.sync()
    assert _kept(caching, vectors) == 0
    assert caching.agrees()


def test_receipts_count_what_was_there_although_removing_a_source_takes_two_attempts(
    caching: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(caching)
    held = caching.index.count()
    holdings = Holdings(caching.catalog, caching.index, caching.embedder)
    with _failing(monkeypatch, caching.catalog, "remove_source", CatalogUnavailable("The disk is full.")):
        holdings.remove_source(caching.source)
    holdings.remove_source(caching.source)
    receipts = caching.catalog.receipts()
    assert sorted(receipt.path for receipt in receipts) == ["a.txt", "other.txt"]
    assert sum(receipt.chunks_before for receipt in receipts) == held > 3


def test_removing_a_source_that_is_cut_short_hides_it_and_is_completed_with_its_receipts(
    caching: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = _fill(caching)
    holdings = Holdings(caching.catalog, caching.index, caching.embedder)
    with _failing(monkeypatch, caching.index, "delete_document", IndexUnavailable("The index is gone.")):
        holdings.remove_source(caching.source)
    assert caching.paths("notice period") == set()
    [source] = caching.catalog.sources()
    assert source.paused
    holdings.remove_source(source)
    assert caching.catalog.sources() == []
    assert sorted(receipt.path for receipt in caching.catalog.receipts()) == ["a.txt", "other.txt"]
    assert {receipt.chunks_after for receipt in caching.catalog.receipts()} == {0}
    assert caching.index.count() == 0
    assert _kept(caching, vectors) == 0
