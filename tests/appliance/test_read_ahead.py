"""What searches need is read before they do: whole, without holes, and only where there is room."""

from __future__ import annotations

import gc
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest
from sqlalchemy import event

from appliance.config import ModelSettings, Provider, RetrievalSettings, Settings
from appliance.errors import ModelUnavailable
from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry
from appliance.read_ahead import has_room_for, read_through
from appliance.wiring import Appliance, opened
from tests.data.builders import SOURCE, publish
from tests.data.embedding_model import models_loaded_once

DIMENSION = 1_000
MEGABYTE = 1024**2
SLACK = MEGABYTE // 2  # what else this process reads meanwhile


def bytes_read_by(paths: list[Path]) -> int:
    """What the system says that this process read, from the disk or from memory."""
    before = so_far()
    read_through(paths)
    return so_far() - before


def so_far() -> int:
    return int(Path("/proc/self/io").read_text("ascii").split("rchar:")[1].split()[0])


def test_every_file_is_read_to_its_end(tmp_path: Path) -> None:
    sizes = (3 * MEGABYTE + 5, 0, 2 * MEGABYTE)
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(os.urandom(size))
    assert sum(sizes) <= bytes_read_by(paths) < sum(sizes) + SLACK


def test_what_a_file_has_set_aside_and_not_filled_is_not_read(tmp_path: Path) -> None:
    """The index sets 32 MB aside for the first chunk."""
    path = tmp_path / "page"
    with path.open("wb") as file:
        file.write(os.urandom(MEGABYTE))
        file.flush()
        os.fsync(file.fileno())
        file.truncate(32 * MEGABYTE)
    assert MEGABYTE <= bytes_read_by([path]) < 3 * MEGABYTE


def test_there_is_room_for_half_of_the_memory_and_no_more() -> None:
    assert has_room_for(MEGABYTE)
    assert not has_room_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 + 1)


def test_nothing_is_read_where_there_is_no_room_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, path = tmp_path / "meminfo", tmp_path / "file"
    path.write_bytes(os.urandom(3 * MEGABYTE))
    monkeypatch.setattr("appliance.read_ahead._MEMORY", memory)
    memory.write_text("MemTotal: 9999999 kB\nMemAvailable: 6100 kB\n", "ascii")
    assert bytes_read_by([path]) < SLACK
    memory.write_text("MemTotal: 9999999 kB\nMemAvailable: 6200 kB\n", "ascii")
    assert bytes_read_by([path]) >= 3 * MEGABYTE


@pytest.mark.parametrize("says", [None, "MemTotal: 9999999 kB\n", "MemAvailable: much\n", "words\n"])
def test_where_the_system_does_not_say_how_much_memory_there_is_nothing_is_read_and_the_index_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str | None
) -> None:
    memory, path = tmp_path / "meminfo", tmp_path / "file"
    if says is not None:
        memory.write_text(says, "ascii")
    path.write_bytes(os.urandom(3 * MEGABYTE))
    monkeypatch.setattr("appliance.read_ahead._MEMORY", memory)
    assert not has_room_for(0)
    assert bytes_read_by([path]) < SLACK
    for _ in range(2):  # made, and found
        EdgeIndex(tmp_path / "index", dimension=DIMENSION, model_id="test-model@1").close()


def test_a_file_that_cannot_be_read_is_left_to_whoever_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 * MEGABYTE))
    assert bytes_read_by([path, tmp_path]) >= 3 * MEGABYTE  # a folder cannot be read
    assert bytes_read_by([tmp_path / "none", path]) < SLACK


def test_a_limit_on_this_process_or_a_group_around_it_leaves_less_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, groups = tmp_path / "cgroup", tmp_path / "groups"
    monkeypatch.setattr("appliance.read_ahead._OWN_GROUP", own)
    monkeypatch.setattr("appliance.read_ahead._GROUPS", groups)
    own.write_text("4:memory:/of/v1\n0::/system.slice/strongroom.service\n", "ascii")
    outer, inner = groups / "system.slice", groups / "system.slice" / "strongroom.service"
    limited(inner, "max", held=0, files=0)
    limited(outer, "max", held=0, files=0)
    assert has_room_for(3 * MEGABYTE)
    limited(outer, str(20 * MEGABYTE), held=16 * MEGABYTE, files=2 * MEGABYTE)
    assert has_room_for(3 * MEGABYTE)
    assert not has_room_for(3 * MEGABYTE + 1)
    limited(inner, str(8 * MEGABYTE), held=6 * MEGABYTE, files=0)
    assert has_room_for(MEGABYTE)
    assert not has_room_for(MEGABYTE + 1)
    own.write_text("0::/\n", "ascii")  # as a container sees its own
    limited(groups, str(4 * MEGABYTE), held=0, files=0)
    assert has_room_for(2 * MEGABYTE)
    assert not has_room_for(2 * MEGABYTE + 1)


def limited(group: Path, limit: str, *, held: int, files: int) -> None:
    """What the kernel tells of a group of processes: its limit, what it holds, and how much of that are files."""
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.max").write_text(f"{limit}\n", "ascii")
    (group / "memory.current").write_text(f"{held}\n", "ascii")
    (group / "memory.stat").write_text(f"anon 1\nactive_file {files // 2}\ninactive_file {files // 2}\n", "ascii")


def test_an_index_is_read_when_it_is_opened(tmp_path: Path) -> None:
    vectors = numpy.random.default_rng(1).standard_normal((1_000, DIMENSION), dtype=numpy.float32)
    index = EdgeIndex(tmp_path, dimension=DIMENSION, model_id="test-model@1")
    index.upsert(
        [
            IndexEntry(str(uuid.UUID(int=number)), "document", "version", frozenset({"staff"}), vector, "text", "en")
            for number, vector in enumerate(vectors)
        ]
    )
    index.close()
    before = so_far()
    EdgeIndex(tmp_path, dimension=DIMENSION, model_id="test-model@1").close()
    assert so_far() - before >= vectors.nbytes


class Warming:
    """An appliance with five passages that warms up, and what it reads of them, two at a time.

    `stopping` is set when the first of them are read, if `stops` is.
    """

    def __init__(self, appliance: Appliance, *, stops: bool = False) -> None:
        self.appliance, self.stopping = appliance, threading.Event()
        self.passages_from: list[int] = []
        self._stops = stops
        publish(appliance.catalog, "a.txt", *(f"text {number}" for number in range(5)))
        event.listen(appliance.catalog._database._engine, "after_cursor_execute", self._executed)

    def _executed(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM chunks NOT INDEXED" in statement:
            self.passages_from.append(parameters[0])
            if self._stops:
                self.stopping.set()

    def warm_up(self) -> None:
        self.appliance.warm_up(self.stopping)


@contextmanager
def warming(tmp_path: Path, *, reranker: str = "", stops: bool = False) -> Iterator[Warming]:
    settings = Settings(
        data_dir=tmp_path,
        model=ModelSettings(provider=Provider.NONE),
        retrieval=RetrievalSettings(reranker_path=reranker),
    )
    with models_loaded_once(), opened(settings) as appliance:
        appliance.catalog.add_source(SOURCE)
        yield Warming(appliance, stops=stops)


@pytest.fixture
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.catalog.library._AT_A_STEP", 2)


@pytest.mark.usefixtures("two_at_a_time")
def test_every_passage_is_read_when_warming_up(tmp_path: Path) -> None:
    with warming(tmp_path) as begun:
        begun.warm_up()
        assert begun.passages_from == [0, 2, 4]


@pytest.mark.usefixtures("two_at_a_time")
def test_no_further_passage_is_read_once_it_is_stopping(tmp_path: Path) -> None:
    with warming(tmp_path, stops=True) as begun:
        begun.warm_up()
        assert begun.passages_from == [0]


def test_nothing_is_warmed_up_when_it_is_stopping_already(tmp_path: Path) -> None:
    with warming(tmp_path, reranker=str(tmp_path / "none")) as begun:
        begun.stopping.set()
        begun.warm_up()  # no model is looked for
        assert begun.passages_from == []
        assert gc.get_freeze_count() == 0


def test_a_model_that_cannot_be_loaded_keeps_nothing_else_from_being_done(tmp_path: Path) -> None:
    with warming(tmp_path, reranker=str(tmp_path / "none")) as begun:
        with pytest.raises(ModelUnavailable, match="no reranking model"):
            begun.warm_up()
        assert begun.passages_from == [0]
        assert gc.get_freeze_count() > 1_000


def test_what_stands_after_warming_up_is_left_out_of_garbage_collection_until_the_end(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, model=ModelSettings(provider=Provider.NONE))
    with models_loaded_once(), opened(settings) as appliance:
        appliance.warm_up(threading.Event())
        assert gc.get_freeze_count() > 1_000
    assert gc.get_freeze_count() == 0
