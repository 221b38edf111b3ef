"""Comparing catalog and index, and repairing the index from the catalog."""

from __future__ import annotations

import shutil
from threading import Event

from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry
from ingest.reconcile import Difference, compare, reconcile
from tests.ingest.conftest import BOARD, STAFF, Room, ToyEmbedder, tally


def _fill(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("b.txt", "The merger is secret. " * 40)
    room.write("b.txt.access.toml", 'groups = ["board"]')
    room.sync()
    assert room.agrees()


def _stranger(room: Room, document: str = "doc-x", version: str = "ver-x") -> IndexEntry:
    vector = room.embedder.embed_query("merger")
    return IndexEntry("00000000-0000-5000-8000-000000000001", document, version, STAFF, vector, "merger", "en")


def test_a_lost_index_is_rebuilt_from_the_catalog_without_parsing_and_under_the_right_labels(room: Room) -> None:
    _fill(room)
    held = room.index.count()
    room.index.close()
    shutil.rmtree(room.data / "index")
    room.index = EdgeIndex(room.data / "index", dimension=room.embedder.dimension, model_id=room.embedder.model_id)
    assert len(room.difference().incomplete) == 2
    (room.folder / "a.txt").chmod(0o644)
    assert tally(room.sync()) == {"unchanged": 2}
    assert room.parsers.parsed == []
    assert room.index.count() == held
    assert room.agrees()
    assert room.paths("notice period") == {"a.txt"}
    assert room.paths("merger", BOARD) == {"b.txt"}
    assert room.indexed("merger", BOARD) == held - 1


def test_what_only_the_index_knows_is_removed(room: Room) -> None:
    _fill(room)
    room.index.upsert([_stranger(room)])
    assert room.difference() == Difference(surplus=("ver-x",), incomplete=())
    reconcile(room.catalog, room.index, room.embedder)
    assert room.agrees()
    assert room.index.count(version_id="ver-x") == 0


def test_a_version_that_lacks_a_chunk_or_has_one_too_many_is_made_whole(room: Room) -> None:
    _fill(room)
    facts = room.known()["a.txt"]
    room.index.upsert([_stranger(room, facts.document_id, facts.version_id or "")])
    room.index.delete_version(room.known()["b.txt"].version_id or "")
    assert len(room.difference().incomplete) == 2
    assert len(reconcile(room.catalog, room.index, room.embedder).incomplete) == 2
    assert room.agrees()


def test_when_both_agree_nothing_is_written_or_embedded(room: Room) -> None:
    _fill(room)
    assert isinstance(room.embedder, ToyEmbedder)
    embedded = room.embedder.embedded
    files = {file: file.stat().st_mtime_ns for file in room.data.rglob("*") if file.is_file()}
    assert reconcile(room.catalog, room.index, room.embedder) == Difference((), ())
    assert room.embedder.embedded == embedded
    assert files == {file: file.stat().st_mtime_ns for file in room.data.rglob("*") if file.is_file()}


def test_a_superseded_version_is_not_taken_for_a_difference_again_and_again(room: Room) -> None:
    _fill(room)
    for number in range(3):
        room.write("a.txt", f"The notice period is {number} months.")
        room.sync()
        assert compare(room.catalog, room.index) == Difference((), ())


def test_rebuilding_ends_early_when_stopped_and_goes_on_the_next_time(room: Room) -> None:
    _fill(room)
    for facts in room.known().values():
        room.index.delete_version(facts.version_id or "")
    stop = Event()
    stop.set()
    reconcile(room.catalog, room.index, room.embedder, stop)
    assert len(room.difference().incomplete) == 2
    reconcile(room.catalog, room.index, room.embedder)
    assert room.agrees()


def test_an_index_is_rebuilt_with_another_model_from_what_was_cut_for_the_one_before(room: Room) -> None:
    _fill(room)
    before = room.catalog.current_versions()
    room.index.close()
    shutil.rmtree(room.data / "index")
    room.embedder = ToyEmbedder("toy@2", max_tokens=16)
    room.index = EdgeIndex(room.data / "index", dimension=64, model_id="toy@2")
    room.sync()
    assert room.agrees()
    assert room.catalog.current_versions() == before
