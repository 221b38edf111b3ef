"""What only the index in this process must do: its files, their damage, and optimising beside the traffic."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy
import pytest
import qdrant_edge
from qdrant_edge import ScrollRequest

from appliance.domain import AccessFilter
from appliance.errors import IndexUnavailable
from appliance.index import shard_folder
from appliance.index.bm25 import query_terms
from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry, IndexLegs
from appliance.index.shard_folder import searched
from appliance.read_ahead import read_through

DIMENSION = 8
MODEL = "test-model@1"
OWNER = "a data folder"
CHUNKS = 40
STAFF = AccessFilter(frozenset({"staff"}))
BOARD = AccessFilter(frozenset({"board"}))


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


def saved_in(path: Path) -> Path:
    return path / str(json.loads((path / "meta.json").read_text())["statistics"])


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
    assert {**meta, "shard": "", "statistics": ""} == {
        "format": 5,
        "owner": OWNER,
        "model_id": MODEL,
        "dimension": DIMENSION,
        "shard": "",
        "statistics": "",
    }
    assert {file.name for file in built.iterdir()} == {"meta.json", meta["shard"], meta["statistics"]}


def test_a_second_owner_is_told_that_the_index_is_in_use(built: Path) -> None:
    owner = open_index(built)
    with pytest.raises(IndexUnavailable, match="in use by another process"):
        open_index(built)
    assert owner.count() == CHUNKS
    owner.close()
    open_index(built).close()


def test_an_index_that_is_let_go_of_a_moment_later_is_opened(built: Path) -> None:
    owner = open_index(built)
    letting_go = threading.Timer(0.3, owner.close)
    letting_go.start()
    open_index(built).close()
    letting_go.join()


def test_an_index_of_another_format_is_refused(built: Path) -> None:
    meta = json.loads((built / "meta.json").read_text())
    (built / "meta.json").write_text(json.dumps({**meta, "format": 6}))
    with pytest.raises(IndexUnavailable, match="format 6, this release reads format 5"):
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


@pytest.mark.parametrize("flush_every_s", [0.0, 30.0])
def test_a_power_cut_takes_back_nothing_that_was_written(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_every_s: float
) -> None:
    monkeypatch.setattr("appliance.index.shard_folder._FLUSH_EVERY_S", flush_every_s)
    cut = tmp_path / "after the cut"
    shutil.copytree(built, cut)  # what is on the disk: a closed index was flushed
    index = open_index(built)
    synced: set[Path] = set()

    def sync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        sync(descriptor)
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", sync)
    index.upsert([chunk(number) for number in range(1_000, 1_010)])
    index.upsert([chunk(2, "rewritten")])
    index.upsert([replace(chunk(2_000), document_id="doc-2"), replace(chunk(2_001), document_id="doc-3")])
    index.set_groups("doc-2", BOARD.groups)
    index.delete_document("doc-3")
    monkeypatch.undo()
    for path in synced:
        if path.is_file() and path.is_relative_to(shard_of(built)):
            shutil.copy(path, cut / path.relative_to(built))
    index.close()
    started_again = open_index(cut)
    assert started_again.count() == CHUNKS + 11
    assert [hit.chunk_id for hit in ask(started_again, "rewritten").sparse] == [chunk(2).chunk_id]
    assert started_again.admitted({chunk(2_000).chunk_id}, STAFF) == frozenset()
    assert started_again.admitted({chunk(2_000).chunk_id}, BOARD)
    assert_weighed_by_what_is_visible(started_again)
    started_again.close()


def test_nothing_more_is_written_once_the_disk_did_not_take_something(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is acknowledged later would stand in a log with a hole: the kernel tells of a failed sync once."""

    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    index = open_index(built)
    index.upsert([chunk(1_000)])  # by now it is on record that statistics change
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(IndexUnavailable, match="check the disk"):
        index.upsert([chunk(1_001)])
    monkeypatch.undo()
    with pytest.raises(IndexUnavailable, match="restart the appliance"):
        index.set_groups("doc-1", BOARD.groups)
    with pytest.raises(IndexUnavailable, match="restart the appliance"):
        index.optimize()
    assert_weighed_by_what_is_visible(index)
    index.close()
    started_again = open_index(built)
    started_again.set_groups("doc-1", BOARD.groups)
    assert_weighed_by_what_is_visible(started_again)
    started_again.close()


def test_a_new_index_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[Path] = set()
    before: list[set[Path]] = []

    def sync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.name == "meta.part":
            before.append(set(synced))
        synced.add(Path(*path.relative_to(tmp_path).parts[2:]))

    monkeypatch.setattr(os, "fsync", sync)
    index = open_index(tmp_path / "index")
    made = {
        path.relative_to(shard_of(tmp_path / "index")) for path in shard_of(tmp_path / "index").glob("segments/**/*")
    }
    assert made
    assert made <= before[0]
    index.close()


def test_the_vendors_flush_comes_every_half_minute_and_only_then(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(shard_folder.time, "monotonic", lambda: now[0])
    index = open_index(built)
    flushed: list[float] = []

    class Counting:
        def __init__(self, shard: Any) -> None:
            self._shard = shard

        def flush(self) -> None:
            flushed.append(now[0])
            self._shard.flush()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._shard, name)

    index._folder.shard = cast("Any", Counting(index._folder.shard))
    for after_s in (0, 10, 25, 1, 20, 15):
        now[0] += after_s
        index.upsert([chunk(1_000)])
    assert flushed == [1_035.0, 1_071.0]
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
    (built / "statistics-0000").write_bytes(b"of another shard")
    index = open_index(built)
    assert index.count() == CHUNKS
    assert {file.name for file in built.iterdir()} == {"meta.json", shard_of(built).name, saved_in(built).name}
    index.close()


@pytest.mark.integration
def test_an_optimised_shard_takes_the_place_of_the_old_one(built: Path) -> None:
    index = open_index(built)
    old = shard_of(built)
    index.optimize()
    assert shard_of(built) != old
    assert {file.name for file in built.iterdir()} == {"meta.json", shard_of(built).name, saved_in(built).name}
    index.upsert([chunk(1_000)])
    index.close()
    again = open_index(built)
    assert again.count() == CHUNKS + 1
    again.close()


@pytest.mark.integration
@pytest.mark.parametrize("failing", ["_load", "write_whole", "after write_whole"])
def test_a_shard_that_cannot_take_the_place_of_the_old_one_costs_no_write(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    index = open_index(built)
    index.upsert([chunk(1_000)])
    name = failing.removeprefix("after ")
    real = getattr(shard_folder, name)

    def fail(*given: object) -> None:
        monkeypatch.setattr(shard_folder, name, real)
        if failing.startswith("after"):
            real(*given)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(shard_folder, name, fail)
    with pytest.raises(IndexUnavailable):
        index.optimize()
    assert len([*built.glob("shard-*")]) == 1 + failing.startswith("after")
    if failing.startswith("after"):  # nobody knows which of the two it is after a power cut
        with pytest.raises(IndexUnavailable, match="restart the appliance"):
            index.upsert([chunk(1_001)])
        index.close()
        index = open_index(built)
    index.upsert([chunk(1_001)])
    index.set_groups("doc-1", BOARD.groups)
    killed = tmp_path / "killed"
    shutil.copytree(built, killed)
    index.close()
    started_again = open_index(killed)
    assert started_again.count() == CHUNKS + 2
    assert started_again.admitted({chunk(1).chunk_id}, STAFF) == frozenset()
    started_again.close()


@pytest.mark.integration
def test_an_optimised_shard_is_on_the_disk_before_it_takes_the_place_of_the_old_one(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(built)
    index.upsert([chunk(1_000)])
    synced: set[Path] = set()

    def sync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.name == "meta.part":
            monkeypatch.undo()
        synced.add(Path(*path.relative_to(built).parts[1:]))

    monkeypatch.setattr(os, "fsync", sync)
    index.optimize()
    new = shard_of(built)
    assert {path.relative_to(new) for path in new.glob("segments/**/*")} <= synced
    assert {path.relative_to(new) for path in new.glob("wal/*")} & synced
    index.close()


@pytest.mark.integration
def test_writers_do_not_wait_while_the_optimised_shard_is_read(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(built)
    read: list[Path] = []

    def reading(paths: Iterable[Path]) -> None:
        assert not index._writing.locked()
        read.extend(paths)
        read_through(read)

    monkeypatch.setattr("appliance.index.shard_folder.read_through", reading)
    old = shard_of(built)
    index.optimize()
    new = shard_of(built)
    assert new != old
    inside = {path.relative_to(built).parts[1:] for path in read}
    assert len(inside) > 1
    assert inside == {path.relative_to(built).parts[1:] for path in searched(new)}
    index.close()


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


# ---- statistics


WORDS = ("budget", "dividend", "holiday", "policy", "merger", "ISO-27001", "Straße", "2026")
LABELS = [frozenset(label) for label in ({"staff"}, {"board"}, {"staff", "board"}, {"audit"}, set[str]())]
READERS = [AccessFilter(frozenset(groups)) for groups in ({"staff"}, {"board"}, {"staff", "audit"}, {"staff", "board"})]


def written(dice: random.Random, number: int) -> IndexEntry:
    text = " ".join(dice.choices(WORDS, k=dice.randrange(12)))
    entry = chunk(number, text)
    names = f"{dice.choice(WORDS)} {number}" if number % 4 == 0 else ""
    return replace(
        entry,
        document_id=f"doc-{number // 8}",
        version_id=f"ver-{number // 4}",
        groups=dice.choice(LABELS),
        names=names,
    )


def some_write(index: EdgeIndex, dice: random.Random) -> None:
    document = f"doc-{dice.randrange(12)}"
    chosen = dice.randrange(5)
    if chosen == 0:
        index.set_groups(document, dice.choice(LABELS))
    elif chosen == 1:
        index.delete_document(document)
    elif chosen == 2:
        index.delete_version(f"ver-{dice.randrange(24)}")
    else:
        index.upsert([written(dice, dice.randrange(96)) for _ in range(20)])  # some twice, some in place of others


def assert_weighed_by_what_is_visible(index: EdgeIndex) -> None:
    """Every score is exactly the sum of rounded IDF times stored weight, counted here over what the reader may see."""
    points, _ = index._shard().scroll(ScrollRequest(limit=1000, with_payload=["groups"], with_vector=["bm25"]))
    for reader in READERS:
        held = {
            str(point.id): dict(zip(point.vector["bm25"].indices, point.vector["bm25"].values, strict=True))
            for point in points
            if reader.admits(point.payload["groups"])
        }
        for word in (*WORDS, " ".join(WORDS)):
            weights = {term: _idf(term, held) for term in query_terms(word, "").indices}
            expected = {
                key: math.fsum(weight * vector[term] for term, weight in weights.items() if term in vector)
                for key, vector in held.items()
                if weights.keys() & vector.keys()
            }
            found = index.search(chunk(1).vector, word, access=reader, limit=200, language="").sparse
            assert {hit.chunk_id: hit.score for hit in found} == expected  # to the last bit


def _idf(term: int, held: Mapping[str, Mapping[int, float]]) -> float:
    having = sum(term in vector for vector in held.values())
    return math.ceil(math.log(1 + (len(held) - having + 0.5) / (having + 0.5)) * 32) / 32


@pytest.mark.parametrize("seed", range(3))
def test_words_weigh_by_what_is_visible_whatever_was_written(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    index = open_index(tmp_path)
    for _ in range(4):
        for _ in range(8):
            some_write(index, dice)
        assert_weighed_by_what_is_visible(index)
        if dice.random() < 0.5:
            index.close()
            index = open_index(tmp_path)
            assert_weighed_by_what_is_visible(index)
    index.close()


def test_statistics_are_kept_while_nothing_is_written_and_gone_before_the_first_write(built: Path) -> None:
    kept = saved_in(built)
    index = open_index(built)
    ask(index, "budget")
    index.close()
    assert saved_in(built) == kept
    index = open_index(built)
    index.upsert([chunk(1_000, "dividend")])
    assert not kept.exists()
    assert json.loads((built / "meta.json").read_text())["statistics"] == ""
    index.close()
    assert saved_in(built).is_file()


def test_statistics_are_not_believed_after_a_write_before_which_they_could_not_be_forgotten(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    index = open_index(built)
    with monkeypatch.context() as patch:
        patch.setattr("appliance.index.shard_folder.write_whole", full)
        with pytest.raises(IndexUnavailable):
            index.upsert([chunk(1_000, "dividend")])
    assert index.count() == CHUNKS
    index.upsert([chunk(1_000, "dividend")])
    assert json.loads((built / "meta.json").read_text())["statistics"] == ""
    index.close()


def _cut_short(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:100])


def _emptied(kept: Path) -> None:
    kept.write_bytes(b"")


def _of_an_earlier_time(kept: Path) -> None:
    with numpy.load(kept) as stored:
        arrays = dict(stored)
    arrays["bm25.chunks"] = arrays["bm25.chunks"] - 1
    with kept.open("wb") as file:
        numpy.savez(file, **arrays)


@pytest.mark.parametrize("damage", [Path.unlink, _cut_short, _emptied, _of_an_earlier_time])
def test_statistics_that_are_lost_damaged_or_of_another_time_are_counted_again(
    built: Path, damage: Callable[[Path], None]
) -> None:
    damage(saved_in(built))
    index = open_index(built)
    assert_weighed_by_what_is_visible(index)
    index.close()


def test_after_a_write_that_failed_words_weigh_what_is_there(built: Path) -> None:
    (shard_of(built) / "wal" / "open-1").unlink()
    index = open_index(built)
    with pytest.raises(IndexUnavailable):
        index.delete_document("doc-1")
    assert_weighed_by_what_is_visible(index)
    index.close()


def test_who_may_see_few_chunks_gets_exact_results_from_a_large_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.index.edge._EXACT_UP_TO", 2_000)
    monkeypatch.setattr("appliance.index.edge._EXACT_FOR_READERS_OF", 1_000)
    monkeypatch.setattr("appliance.index.edge.SEARCH_EF", 16)
    vectors = numpy.random.default_rng(1).standard_normal((6_000, DIMENSION)).astype(numpy.float32)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    index = open_index(tmp_path)
    index.upsert(
        [
            replace(chunk(number), vector=vector, groups=frozenset({"few" if number % 10 == 0 else "many"}))
            for number, vector in enumerate(vectors, start=1)
        ]
    )
    index.optimize()
    for asked in vectors[:40]:
        legs = index.search(asked, "", access=AccessFilter(frozenset({"few"})), limit=10, language="en")
        nearest = sorted(range(9, 6_000, 10), key=lambda row: -float(vectors[row] @ asked))[:10]
        assert [hit.chunk_id for hit in legs.dense] == [str(uuid.UUID(int=row + 1)) for row in nearest]
    index.close()


def test_what_the_vendor_raises_while_it_counts_anew_is_unavailable_for_names_too(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index")
    index.upsert([chunk(1)])
    index._folder.shard.close()  # as after a write that failed
    index._statistics = None
    with pytest.raises(IndexUnavailable):
        index.named("What does the Foo Bar say?", access=STAFF, limit=5)
    with pytest.raises(IndexUnavailable):
        index.called("travel policy", access=STAFF, limit=5)
