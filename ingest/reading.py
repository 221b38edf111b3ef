"""Reads files in the background, a few ahead of what is being embedded: parses each, and cuts it into chunks.

Rules this module keeps:

1. What went wrong with one file is a value, not an exception.
2. A file that has other times but the content it had is hashed, not parsed.
3. A run that is told to stop waits for no document, and gives no verdict on those at hand.
4. Of what was read, only what is still needed stays in memory: a document's elements go once it is cut.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from appliance.catalog import Signature
from appliance.domain import Chunk, document_id, version_id
from appliance.errors import (
    OF_A_PARSER,
    ApplianceError,
    DocumentRejected,
    DocumentUnreadable,
    FileUnavailable,
    by_code,
)
from appliance.inference.port import Embedder
from ingest.chunk import ChunkLimits, split
from ingest.discover import open_folder
from ingest.parse.elements import Member, Parsed
from ingest.plan import Step
from ingest.similar import signature_of
from ingest.sync import Sync

_STOP_CHECK_S = 0.5  # how often a run that waits for its parsers looks whether it is to stop
_REJECTIONS = by_code(*OF_A_PARSER)


class Unread(StrEnum):
    """Why a file was not read although nothing is wrong with it."""

    SAME = "same"  # other file times, same content


@dataclass(frozen=True, slots=True)
class Read:
    """A document that was read and cut. `parsed` is without its elements and members.

    `made_by` is what its chunks depend on besides the content: how it was read, and the model it was cut for.
    `members` are the documents in it, or why there is none, by their paths in it.
    """

    parsed: Parsed
    title: str
    made_by: str
    version_id: str
    chunks: Sequence[Chunk]
    signature: Signature
    members: Mapping[str, Read | DocumentRejected]


Reading = Read | DocumentRejected | Unread


class Parsers(Protocol):
    """Reads documents in confined processes, on this machine (`ParserPool`) or on a cluster (`ClusterParsers`)."""

    @property
    def size(self) -> int:
        """How many documents can be read at a time."""

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        """What the document at `path` below `root` says. Raises DocumentRejected, ConfigurationError."""


class Reader:
    """Reads the files of one sync."""

    def __init__(self, sync: Sync, parsers: Parsers, embedder: Embedder, limits: ChunkLimits) -> None:
        self._sync = sync
        self._parsers = parsers
        self._embedder = embedder
        self._limits = limits

    def read(self, steps: Iterable[Step]) -> Iterator[list[tuple[Step, Reading]]]:
        """Readings as they come; an empty list while that takes long.

        Raises:
            ConfigurationError: No parser can be started.
            ModelUnavailable: There is no model to count tokens for.
        """
        waiting = iter(steps)
        running: dict[Future[Reading], Step] = {}
        size = self._parsers.size
        executor = ThreadPoolExecutor(size, thread_name_prefix="read")
        try:
            while not self._sync.stop.is_set():
                for step in islice(waiting, 2 * size - len(running)):
                    running[executor.submit(self._read_file, step)] = step
                if not running:
                    return
                finished, _ = wait(running, _STOP_CHECK_S, FIRST_COMPLETED)
                if self._sync.stop.is_set():  # its parser may have been killed: rule 3
                    return
                in_order = [future for future in running if future in finished]  # so that chance decides on no copies
                yield [(running.pop(future), future.result()) for future in in_order]
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def _read_file(self, step: Step) -> Reading:
        self._sync.progress.begin(step.path, step.file.size_bytes)
        password = self._sync.wish.passwords.get(step.path, "")
        try:
            if not password and self._is_same(step):
                return Unread.SAME
            parsed = self._parsers.parse_in(self._sync.root, step.path, password=password)
        except OSError as error:
            return FileUnavailable(f"The file cannot be opened: {error.strerror}.")
        except DocumentRejected as error:
            # It could not be opened: that may change without the file changing, so it is no refusal for good.
            return FileUnavailable(str(error)) if isinstance(error.__cause__, OSError) else error
        try:
            return self._cut(step.path, parsed)
        except ApplianceError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of a job: a text that defeats the splitter ends no run
            kind = type(error).__name__
            return DocumentUnreadable(f"Document '{step.path}' could not be cut into passages ({kind}).")

    def _is_same(self, step: Step) -> bool:
        """Whether a file with other times has the content it had. Raises OSError."""
        if step.known is None or not step.may_be_same:
            return False
        path = PurePosixPath(step.path)
        with open_folder(self._sync.root, str(path.parent)) as folder:
            return _sha256(Path(f"/proc/self/fd/{folder}") / path.name) == step.known.sha256

    def _cut(self, path: str, parsed: Parsed, *, member: str = "") -> Read:
        document = document_id(self._sync.source.id, path, member)
        made_by = f"{self._sync.judge.reading} {self._embedder.model_id}"
        version = version_id(document, parsed.sha256, made_by)
        title = parsed.title or PurePosixPath(member or path).stem
        chunks = split(
            parsed,
            document_id=document,
            version_id=version,
            title=title,
            embedder=self._embedder,
            limits=self._limits,
            language=self._sync.source.language,
        )
        return Read(
            parsed=replace(parsed, elements=(), members=()),
            title=title,
            made_by=made_by,
            version_id=version,
            chunks=chunks,
            signature=signature_of(chunk.text for chunk in chunks),
            members={inner.path: self._cut_member(path, inner) for inner in parsed.members},
        )

    def _cut_member(self, path: str, member: Member) -> Read | DocumentRejected:
        if member.parsed is not None:
            return self._cut(path, member.parsed, member=member.path)
        kind = _REJECTIONS.get(member.code, DocumentUnreadable)
        return kind(f"Document '{PurePosixPath(member.path).name}' {member.reason}.")


def _sha256(path: Path) -> str:
    """The hash of a file's content. A link raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
