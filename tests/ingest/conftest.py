"""A strongroom without its door: real catalog, index, parsers and pipeline over a folder that the tests write."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import resource
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy
import pytest

from appliance.catalog import Catalog, FileFacts
from appliance.config import IngestSettings
from appliance.database import Database
from appliance.domain import AccessFilter, Document, DocumentState, Source
from appliance.history import FileReport, RunHistory
from appliance.index.edge import EdgeIndex
from appliance.inference.port import Embedder, Vectors
from ingest.parse.elements import Parsed
from ingest.parse.sandbox import ParserPool
from ingest.pipeline import Outcome, Pipeline, Progress, Wish
from ingest.reconcile import Difference, compare

STAFF = frozenset({"staff"})
BOARD = frozenset({"board"})


class ToyEmbedder:
    """An `Embedder` without weights: every word has a direction of its own. One word is one token."""

    def __init__(self, model_id: str = "toy@1", max_tokens: int = 64) -> None:
        self.model_id = model_id
        self.dimension = 64
        self.max_tokens = max_tokens
        self.embedded = 0

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w{1,12}|[^\w\s]", text))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.embedded += len(texts)
        return numpy.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        total = numpy.full(self.dimension, 0.01, dtype=numpy.float32)
        for word in re.findall(r"\w+", text.lower()):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            total += numpy.random.default_rng(seed).standard_normal(self.dimension).astype(numpy.float32)
        vector: Vectors = total / numpy.linalg.norm(total)
        return vector


class CountingPool(ParserPool):
    """The real pool, with a list of what it was asked to parse."""

    def __init__(self, settings: IngestSettings, *, size: int, urgent: bool = False) -> None:
        super().__init__(settings, size=size, urgent=urgent)
        self.parsed: list[str] = []

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        self.parsed.append(path)
        return super().parse_in(root, path, password=password)


@dataclass
class Room:
    """A folder of documents, and everything that takes it in."""

    folder: Path
    data: Path
    database: Database
    catalog: Catalog
    index: EdgeIndex
    embedder: Embedder
    parsers: CountingPool
    settings: IngestSettings
    source: Source
    progress: Progress = field(default_factory=Progress)
    report: dict[str, FileReport] = field(default_factory=dict)

    @property
    def history(self) -> RunHistory:
        """The runs on record."""
        return RunHistory(self.database)

    def write(self, path: str, text: str | bytes) -> Path:
        """A file in the folder; a file that is there already gets a later time, however fast the test is."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.stat().st_mtime_ns if file.exists() else 0
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        if file.stat().st_mtime_ns <= before:
            os.utime(file, ns=(before + 1, before + 1))
        return file

    def sync(self, *, stop: Event | None = None, wish: Wish | None = None) -> Mapping[Outcome, int]:
        """One run; `progress`, `report` and `parsers.parsed` tell about this run only."""
        self.progress = Progress()
        self.report = {}
        self.parsers.parsed.clear()
        return self.pipeline().sync(
            self.source,
            wish=wish,
            progress=self.progress,
            stop=stop,
            on_file=lambda file: self.report.__setitem__(file.path, file),
        )

    def pipeline(self, **changes: int) -> Pipeline:
        settings = self.settings.model_copy(update=changes)
        return Pipeline(
            catalog=self.catalog, index=self.index, embedder=self.embedder, parsers=self.parsers, settings=settings
        )

    def search(self, text: str, groups: frozenset[str] = STAFF) -> dict[str, str]:
        """What a reader finds: path by text of each visible chunk the index returns, as the retriever does it."""
        access = AccessFilter(groups)
        legs = self.index.search(self.embedder.embed_query(text), text, access=access, limit=50, language="en")
        ids = [hit.chunk_id for hit in (*legs.dense, *legs.sparse)]
        found = self.catalog.visible_chunks(ids, access, current_only=True)
        return {item.chunk.text: item.path for item in found.values()}

    def paths(self, text: str, groups: frozenset[str] = STAFF) -> set[str]:
        """The documents in which a reader finds the words of `text`."""
        return {path for chunk, path in self.search(text, groups).items() if text in chunk}

    def indexed(self, text: str, groups: frozenset[str]) -> int:
        """How many chunks the index alone admits, before the catalog is asked."""
        access = AccessFilter(groups)
        legs = self.index.search(self.embedder.embed_query(text), text, access=access, limit=50, language="en")
        return len(legs.dense)

    def known(self) -> dict[str, FileFacts]:
        return self.catalog.files(self.source.id)

    def document(self, path: str) -> Document:
        """A file as the admin sees it."""
        page = self.catalog.inventory(source_id=self.source.id, state=None, text="", limit=500, offset=0)
        return next(document for document in page.documents if document.full_path == path)

    def states(self) -> dict[str, DocumentState]:
        page = self.catalog.inventory(source_id=self.source.id, state=None, text="", limit=500, offset=0)
        return {document.full_path: document.state for document in page.documents}

    def difference(self) -> Difference:
        return compare(self.catalog, self.index)

    def agrees(self) -> bool:
        """Whether catalog and index hold the same, chunk for chunk, and the index holds nothing else."""
        return self.difference() == Difference((), ()) and self.index.count() == sum(
            self.catalog.current_versions().values()
        )

    def reopen_index(self) -> None:
        self.index.close()
        self.index = EdgeIndex(self.data / "index", dimension=self.embedder.dimension, model_id=self.embedder.model_id)


def tally(counts: Mapping[Outcome, int]) -> dict[str, int]:
    """The counts of a run by word, without the zeros."""
    return dict(Counter({outcome.value: count for outcome, count in counts.items() if count}))


SETTINGS = IngestSettings(max_file_bytes=1_000_000, chunk_tokens=32, overlap_tokens=4, workers=2, timeout_s=20)


@pytest.fixture(scope="session")
def parsers() -> Iterator[CountingPool]:
    with CountingPool(SETTINGS, size=2) as pool:
        yield pool


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating takes longer than most of these tests."""
    path = tmp_path_factory.mktemp("database") / "catalog.sqlite"
    database = Database(path)
    database.migrate()
    database.close()
    return path


def open_room(folder: Path, data: Path, empty_database: Path, parsers: CountingPool) -> Room:
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "catalog.sqlite").exists():
        shutil.copy(empty_database, data / "catalog.sqlite")
    database = Database(data / "catalog.sqlite")
    catalog = Catalog(database)
    source = Source("source-1", "Library", str(folder), STAFF)
    if not catalog.sources():
        catalog.add_source(source)
    embedder = ToyEmbedder()
    index = EdgeIndex(data / "index", dimension=embedder.dimension, model_id=embedder.model_id)
    return Room(folder, data, database, catalog, index, embedder, parsers, SETTINGS, source)


@pytest.fixture
def room(tmp_path: Path, empty_database: Path, parsers: CountingPool) -> Iterator[Room]:
    folder = tmp_path / "library"
    folder.mkdir()
    room = open_room(folder, tmp_path / "data", empty_database, parsers)
    yield room
    room.index.close()
    room.database.close()


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def file_modes_apply() -> Iterator[None]:
    """Let modes of files and folders bind this thread, and those it starts, even when the tests run as root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, before = _CapabilityHeader(0x20080522, 0), (_Capabilities * 2)()
    assert libc.capget(ctypes.byref(header), ctypes.byref(before)) == 0
    reduced = (_Capabilities * 2)(*before)
    reduced[0].effective &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(ctypes.byref(header), ctypes.byref(reduced)) == 0
    try:
        yield
    finally:
        assert libc.capset(ctypes.byref(header), ctypes.byref(before)) == 0


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Other rights for a while; put back, so that pytest can tidy up."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        with file_modes_apply():
            yield
    finally:
        path.chmod(before)


@contextmanager
def disk_full() -> Iterator[None]:
    """No file of this process can be written to for a while; they can all be read."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def open_descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
