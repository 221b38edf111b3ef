"""What only the index in this process must do: its files, their damage, and optimising beside the traffic."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import qdrant_edge

from appliance.domain import AccessFilter
from appliance.errors import IndexUnavailable
from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry, IndexLegs

DIMENSION = 8
MODEL = "test-model@1"
OWNER = "a data folder"
CHUNKS = 40
STAFF = AccessFilter(frozenset({"staff"}))


def chunk(number: int, text: str = "the annual budget") -> IndexEntry:
    vector = numpy.zeros(DIMENSION, dtype=numpy.float32)
    vector[number % DIMENSION] = 1.0
    return IndexEntry(str(uuid.UUID(int=number)), "doc-1", "ver-1", STAFF.groups, vector, text, "en")


def ask(index: EdgeIndex, text: str) -> IndexLegs:
    return index.search(chunk(1).vector, text, access=STAFF, limit=10, language="en")


def open_index(path: Path) -> EdgeIndex:
    return EdgeIndex(path, dimension=DIMENSION, model_id=MODEL, owner=OWNER)


def shard_of(path: Path) -> Path:
    return path / str(json.loads((path / "meta.json").read_text())["shard"])


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A closed index of a few chunks."""
    path = tmp_path / "data" / "index"
    index = open_index(path)
    index.upsert([chunk(number) for number in range(CHUNKS)])
    index.close()
    return path


def test_the_folder_is_made_with_its_parents_and_says_what_it_holds(built: Path) -> None:
    meta = json.loads((built / "meta.json").read_text())
    assert {**meta, "shard": ""} == {
        "format": 2,
        "owner": OWNER,
        "model_id": MODEL,
        "dimension": DIMENSION,
        "shard": "",
    }
    assert sorted(file.name for file in built.iterdir()) == ["meta.json", meta["shard"]]


def test_a_second_owner_is_told_that_the_index_is_in_use(built: Path) -> None:
    owner = open_index(built)
    with pytest.raises(IndexUnavailable, match="in use by another process"):
        open_index(built)
    assert owner.count() == CHUNKS
    owner.close()
    open_index(built).close()


def test_an_index_of_another_format_is_refused(built: Path) -> None:
    meta = json.loads((built / "meta.json").read_text())
    (built / "meta.json").write_text(json.dumps({**meta, "format": 3}))
    with pytest.raises(IndexUnavailable, match="format 3, this release reads format 2"):
        open_index(built)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _make_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "meta.json is cut": lambda path: _cut(path / "meta.json"),
    "meta.json is empty": lambda path: (path / "meta.json").write_text(""),
    "meta.json is a list": lambda path: (path / "meta.json").write_text("[]"),
    "meta.json is not text": lambda path: (path / "meta.json").write_bytes(b"\xff\xfe\xff"),
    "meta.json is lost": lambda path: (path / "meta.json").unlink(),
    "the shard is lost": lambda path: shutil.rmtree(shard_of(path)),
    "the write-ahead log is lost": lambda path: shutil.rmtree(shard_of(path) / "wal"),
    "the segments are lost": lambda path: shutil.rmtree(shard_of(path) / "segments"),
    "the configuration is cut": lambda path: _cut(shard_of(path) / "edge_config.json"),
    "a segment's description is cut": lambda path: _cut(next(shard_of(path).glob("segments/*/segment.json"))),
    "the vendor panics": lambda path: _cut(next(shard_of(path).glob("segments/*/vector_storage-*/*/status.dat"))),
    "the index is a file": _make_file,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_index_is_not_opened_and_the_message_says_what_to_do(
    built: Path, damage: Callable[[Path], object]
) -> None:
    damage(built)
    with pytest.raises(IndexUnavailable, match=r"restore the backup|check the disk"):
        open_index(built)


@pytest.mark.slow
def test_whichever_file_is_emptied_only_our_own_error_comes_out(built: Path, tmp_path: Path) -> None:
    files = [file.relative_to(built) for file in sorted(built.rglob("*")) if file.is_file()]
    refused = 0
    for file in files:
        copy = tmp_path / "copy"
        shutil.copytree(built, copy)
        (copy / file).write_bytes(b"")
        try:
            index = open_index(copy)
            ask(index, "budget")
            index.versions()
            index.close()
        except IndexUnavailable:
            refused += 1
        shutil.rmtree(copy)
    assert refused > 5


@pytest.mark.parametrize("write", ["set_groups", "delete_document", "delete_version"])
def test_a_write_that_is_ignored_because_the_log_was_damaged_is_reported(built: Path, write: str) -> None:
    (shard_of(built) / "wal" / "open-1").unlink()  # the vendor opens such a shard, and then ignores writes
    index = open_index(built)
    with pytest.raises(IndexUnavailable, match="ignores writes"):
        {
            "set_groups": lambda: index.set_groups("doc-1", frozenset({"board"})),
            "delete_document": lambda: index.delete_document("doc-1"),
            "delete_version": lambda: index.delete_version("ver-1"),
        }[write]()
    index.close()


def test_the_vendor_has_no_exceptions_of_its_own_that_we_would_have_to_know() -> None:
    names = [name for name, value in vars(qdrant_edge).items() if isinstance(value, type)]
    assert [name for name in names if issubclass(vars(qdrant_edge)[name], BaseException)] == []


def test_no_damage_is_repaired_by_throwing_data_away(built: Path) -> None:
    shard = shard_of(built)
    (built / "meta.json").unlink()
    with pytest.raises(IndexUnavailable, match=r"lost its meta\.json"):
        open_index(built)
    assert any(shard.glob("segments/*/segment.json"))


def test_what_an_interrupted_optimisation_left_is_swept_away(built: Path) -> None:
    shutil.copytree(shard_of(built), built / "shard-0000")
    shutil.copytree(shard_of(built), built / "building-0000")
    index = open_index(built)
    assert index.count() == CHUNKS
    assert sorted(file.name for file in built.iterdir()) == ["meta.json", shard_of(built).name]
    index.close()


@pytest.mark.integration
def test_an_optimised_shard_takes_the_place_of_the_old_one(built: Path) -> None:
    index = open_index(built)
    old = shard_of(built)
    index.optimize()
    assert shard_of(built) != old
    assert sorted(file.name for file in built.iterdir()) == ["meta.json", shard_of(built).name]
    index.upsert([chunk(1_000)])
    index.close()
    again = open_index(built)
    assert again.count() == CHUNKS + 1
    again.close()


@pytest.mark.integration
def test_nothing_written_while_optimising_is_lost(built: Path) -> None:
    index = open_index(built)
    optimizing = threading.Thread(target=index.optimize)
    optimizing.start()
    written = 0
    while optimizing.is_alive():
        index.upsert([chunk(1_000 + written)])
        written += 1
    optimizing.join()
    assert written > 0
    assert index.count() == CHUNKS + written
    assert not any(built.glob("building-*"))
    index.close()
    again = open_index(built)
    assert again.count() == CHUNKS + written
    again.close()


@pytest.mark.integration
def test_closing_ends_an_optimisation_that_is_under_way(built: Path) -> None:
    index = open_index(built)
    errors: list[IndexUnavailable] = []

    def optimize() -> None:
        try:
            index.optimize()
        except IndexUnavailable as error:
            errors.append(error)

    optimizing = threading.Thread(target=optimize)
    optimizing.start()
    while not any(built.glob("building-*")):
        pass
    index.close()
    optimizing.join(timeout=30)
    assert not optimizing.is_alive()
    assert "closed" in str(errors[0])
    again = open_index(built)
    assert again.count() == CHUNKS
    again.close()
