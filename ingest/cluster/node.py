"""What runs on the machines of a cluster: workers that read documents of the shared folder, or embed texts.

Rules this module keeps:

1. A document is opened here as it is on the appliance's machine: step by step from the source's folder, without
   following a link, and read by a parser in a sandbox of this machine.
2. Nothing is raised into Ray, which prints what it gets: an error becomes a code and a sentence of ours.
3. A result is handed out once, piece by piece, and then forgotten.
4. The offline switches are set before any library is loaded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy

from appliance import __version__
from appliance.config import go_offline
from appliance.errors import (
    ApplianceError,
    ConfigurationError,
    DocumentRejected,
    FileUnavailable,
    ParserBroken,
    place_of,
)
from appliance.inference.embedders import embedder_for
from appliance.inference.port import Embedder
from ingest.cluster import wire
from ingest.discover import open_folder
from ingest.parse.elements import PARSER_VERSION, Parsed, clean_name, to_json
from ingest.parse.sandbox import ParserPool

_Answer = tuple[wire.Kind, bytes, list[bytes]]


class Worker:
    """What both kinds of workers have in common. One job at a time; `ping` may come in between."""

    def __init__(self, setup: bytes, node: str) -> None:
        go_offline()
        self._setup = setup
        self._node = node
        self._pieces: list[bytes] = []

    def hello(self) -> tuple[int, bytes]:
        """Get ready, and say what this worker is (`Facts`), or why it cannot work."""
        kind, head, _ = _guarded(lambda: (wire.Kind.ANSWER, self._introduction().packed(), []))
        return int(kind), head

    def run(self, head: bytes, *body: bytes) -> tuple[int, bytes, int]:
        """Do a job: kind and head of the answer, and in how many pieces its body is to be fetched."""
        kind, answer, self._pieces = _guarded(lambda: self._work(head, wire.joined(body)))
        return int(kind), answer, len(self._pieces)

    def piece(self, number: int) -> bytes:
        """A piece of the last answer's body, which is forgotten here."""
        piece, self._pieces[number] = self._pieces[number], b""
        return piece

    def ping(self) -> None:
        """Say that this machine is there."""

    def close(self) -> None:
        """End what this worker has started."""

    def _introduction(self) -> wire.Facts:
        authenticated = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        facts = wire.Facts(release=__version__, parser_version=PARSER_VERSION, authenticated=authenticated)
        wanted = json.loads(self._setup)
        if (facts.release, facts.parser_version) != (wanted["release"], wanted["parser_version"]):
            return facts  # of no use; and another release's settings may not be ours
        return self._ready(wire.Setup.model_validate_json(self._setup), facts)

    def _ready(self, setup: wire.Setup, facts: wire.Facts) -> wire.Facts:
        raise NotImplementedError

    def _work(self, head: bytes, body: bytes, /) -> _Answer:
        raise NotImplementedError


class ParsingWorker(Worker):
    """Reads documents of folders that this machine shares with the appliance."""

    _pool: ParserPool

    def close(self) -> None:
        """End the parser."""
        self._pool.close()

    def _ready(self, setup: wire.Setup, facts: wire.Facts) -> wire.Facts:
        self._pool = ParserPool(setup.ingest, size=1)
        return facts.model_copy(update={"confinement": self._pool.report().holds})

    def _work(self, head: bytes, _: bytes, /) -> _Answer:
        job = wire.ParseJob.model_validate_json(head)
        parsed, status = parse_below(self._pool, Path(job.root), job.path, password=job.password, node=self._node)
        reading = wire.Reading(
            node=self._node, sha256=parsed.sha256, size_bytes=parsed.size_bytes, modified_ns=status.st_mtime_ns
        )
        return wire.Kind.ANSWER, reading.packed(), wire.in_pieces(to_json(parsed))


class EmbeddingWorker(Worker):
    """Embeds texts with the model that the settings name, on this machine."""

    _embedder: Embedder

    def _ready(self, setup: wire.Setup, facts: wire.Facts) -> wire.Facts:
        chosen = setup.embedding
        path = Path(chosen.model_path) if chosen.model_path else None
        self._embedder = embedder_for(path, backend=chosen.backend, batch_size=chosen.batch_size, threads=1)
        return facts

    def _work(self, head: bytes, body: bytes, /) -> _Answer:
        wanted = wire.EmbedJob.model_validate_json(head).model_id
        if self._embedder.model_id != wanted:
            raise ConfigurationError(
                f"Node {self._node} of the cluster has the embedding model {self._embedder.model_id}, but the "
                f"appliance has {wanted}. Copy the appliance's model folder to every node."
            )
        vectors = self._embedder.embed_passages(json.loads(body)).astype("<f4")
        rows = wire.Rows(rows=vectors.shape[0], columns=vectors.shape[1])
        return wire.Kind.ANSWER, rows.packed(), wire.in_pieces(numpy.ascontiguousarray(vectors).tobytes())


def parse_below(pool: ParserPool, root: Path, path: str, *, password: str, node: str) -> tuple[Parsed, os.stat_result]:
    """What the document at `path` below `root` says, and what the file was like before it was read.

    Raises:
        ConfigurationError: This machine has no such folder.
        FileUnavailable: The file is not there, or a part of its path is a link.
        ApplianceError: As for `ParserPool.parse`.
    """
    place = PurePosixPath(path)
    if place.is_absolute() or ".." in place.parts or not place.name:
        raise DocumentRejected(f"Document '{clean_name(path)}' does not lie inside its source.")
    if not root.is_dir():
        raise ConfigurationError(
            f"Node {node} of the cluster has no folder {root}. Mount it there at the same path as on the appliance."
        )
    try:
        with open_folder(root, str(place.parent)) as folder:
            status = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
            return pool.parse(Path(f"/proc/self/fd/{folder}") / place.name, name=path, password=password), status
    except OSError as error:
        raise FileUnavailable(
            f"Document '{clean_name(path)}' cannot be opened on node {node}: {error.strerror}. Links are not followed."
        ) from error


def _guarded(work: Callable[[], _Answer]) -> _Answer:
    """What `work` gives; an error of ours as a failure, any other as a failure that quotes nothing."""
    try:
        return work()
    except ApplianceError as error:
        failure = wire.Failure.of(error)
    except Exception as error:  # noqa: BLE001 - the edge of a job: Ray would print what it says
        failure = wire.Failure(
            code=ParserBroken.code,
            message=f"A worker of the cluster failed ({type(error).__name__}, {place_of(error)}).",
        )
    return wire.Kind.FAILURE, failure.packed(), []
