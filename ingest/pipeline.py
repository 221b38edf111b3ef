"""The story of ingestion: discover -> parse -> chunk -> embed -> index.

`sync` makes the index say what the folder says. It is a reconciliation, not a queue: it compares the files with the
catalog, works off the difference, and can be killed anywhere and run again.

Rules this module keeps:

1. Every file ends in a state with a reason. A file that fails never stops the others.
2. A new version is written to the index first, made current in the catalog second, and the old one removed third:
   there is no moment without a valid version.
3. Only what a walk of the folder found missing is deleted. A folder that cannot be listed, or is suddenly empty,
   deletes nothing, nor does a file that vanishes later.
4. When the index, the catalog or the embedding model fails, the run stops and says so; running it again completes it.
5. Labels act before anything is read, and content is never published under a label that is older than it.
6. A file is not read twice without need: not when nothing changed, nor when it is of a kind that is refused.
7. A run that is told to stop leaves the file at hand as it was: it did not fail, it was not read.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path, PurePosixPath
from threading import Event

from appliance.catalog import Catalog, FileFacts, FileOutcome
from appliance.config import IngestSettings
from appliance.domain import DocumentState, Source, Version, document_id, version_id
from appliance.errors import (
    ApplianceError,
    Conflict,
    DocumentNeedsPassword,
    DocumentRejected,
    DocumentUnreadable,
    InvalidRequest,
)
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder
from ingest.access import AccessLabels
from ingest.chunk import ChunkLimits, split
from ingest.discover import FoundFile, RefusedFile, Unreadable, discover, open_folder
from ingest.embed import embed_and_index
from ingest.parse.elements import PARSER_VERSION, Parsed
from ingest.parse.sandbox import ParserPool
from ingest.reconcile import reconcile


class Outcome(StrEnum):
    """What one run did with one file."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    RELABELLED = "relabelled"
    REFUSED = "refused"
    NEEDS_PASSWORD = "needs_password"  # noqa: S105 - a state, not a secret
    FAILED = "failed"
    GONE = "gone"


@dataclass(slots=True)
class Progress:
    """How far a run is. `total` is None until the folder was walked. Written by the run, read by anybody."""

    total: int | None = None
    done: int = 0
    current: str = ""
    chunks: int = 0
    counts: dict[Outcome, int] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        """One more file ended this way."""
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        self.done += 1


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that has to be read. `relabelled` says whether its label was changed on the way."""

    file: FoundFile
    known: FileFacts | None
    relabelled: bool


class _NotRead(StrEnum):
    """Why a file was not read although nothing is wrong with it."""

    SAME = "same"  # other file times, same content


_Reading = Parsed | DocumentRejected | _NotRead

_UNSETTLED = -1
"""Stands for the time of a file whose label is being changed: the index may not have followed yet."""

_STOP_CHECK_S = 0.5  # how often a run that waits for its parsers looks whether it is to stop

_OPTIMIZE_AFTER_CHUNKS = 1_000
"""Optimising copies the whole index, so one changed file is no reason to."""

_REFUSALS = {DocumentState.REFUSED: Outcome.REFUSED, DocumentState.NEEDS_PASSWORD: Outcome.NEEDS_PASSWORD}


@dataclass(frozen=True, slots=True)
class _Walk:
    """A folder as it is now."""

    files: tuple[FoundFile, ...]
    refused: tuple[RefusedFile, ...]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """One sync: of what, who watches, and who may stop it."""

    source: Source
    progress: Progress
    stop: Event
    on_change: Callable[[Progress], None]

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.source.path)

    def labels(self) -> AccessLabels:
        """The labels as they are now."""
        return AccessLabels(self.root, self.source.groups)

    def note(self, path: str, outcome: Outcome) -> None:
        """One more file ended, and how."""
        self.progress.current = path
        self.progress.count(outcome)
        self.on_change(self.progress)


class Pipeline:
    """Takes folders in. One run at a time may use it."""

    def __init__(
        self, *, catalog: Catalog, index: VectorIndex, embedder: Embedder, parsers: ParserPool, settings: IngestSettings
    ) -> None:
        self._catalog = catalog
        self._index = index
        self._embedder = embedder
        self._parsers = parsers
        self._settings = settings
        self._chunks_since_optimize = 0

    def sync(
        self,
        source: Source,
        *,
        progress: Progress | None = None,
        stop: Event | None = None,
        on_change: Callable[[Progress], None] = lambda _: None,
    ) -> Mapping[Outcome, int]:
        """Make catalog and index agree with the folder of `source`; returns how the files ended.

        Args:
            progress: Filled while the run goes on, for those who watch.
            stop: Ends the run early; what was done stays done, the file at hand is left for the next run.
            on_change: Called from this thread whenever `progress` changed.

        Raises:
            InvalidRequest: The folder is missing, cannot be listed, or is suddenly empty.
            NotFound: The source was removed meanwhile.
            Conflict: The source is removed while its files are read.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; run it again once it is back.
        """
        source = self._catalog.source(source.id)  # its label may have changed while this run waited for its turn
        run = _Run(source, progress or Progress(), stop or Event(), on_change)
        reconcile(self._catalog, self._index, self._embedder, run.stop)
        walk = _walk(run.root)
        known = self._catalog.files(source.id)
        gone = _gone(known, walk)
        lost = sum(known[path].version_id is not None for path in gone)
        if lost and not walk.files and not walk.refused:
            raise InvalidRequest(
                f"The folder {source.path} is empty, but {lost} of its documents are known. Nothing was removed: "
                "check whether the share is mounted. If the files are really gone, remove the source."
            )
        run.progress.total = len(walk.files) + len(walk.refused) + len(walk.unreadable) + len(gone)
        for path in gone:
            self._remove(source, path, known[path])
            run.note(path, Outcome.GONE)
        jobs = self._settle(run, walk, known)
        for job, reading in self._readings(run, jobs):
            run.progress.current = job.file.path
            on_change(run.progress)
            outcome = self._take_in(run, job, reading)
            if outcome is None:
                break
            run.note(job.file.path, outcome)
        run.progress.current = ""
        on_change(run.progress)
        self._chunks_since_optimize += run.progress.chunks
        if self._chunks_since_optimize >= _OPTIMIZE_AFTER_CHUNKS:
            self._index.optimize()
            self._chunks_since_optimize = 0
        return run.progress.counts

    def _settle(self, run: _Run, walk: _Walk, known: Mapping[str, FileFacts]) -> list[_Job]:
        """Deal with what needs no reading, labels above all; returns what has to be read."""
        for refused in walk.refused:
            self._refuse(run.source, FoundFile(refused.path, 0, 0), refused.reason, known.get(refused.path))
            run.note(refused.path, Outcome.REFUSED)
        for item in walk.unreadable:
            facts = known.get(item.path)
            groups = facts.groups if facts else frozenset()
            error = DocumentUnreadable(item.reason)
            run.note(item.path, self._fail(run.source, FoundFile(item.path, 0, 0), facts, groups, error))
        jobs = []
        labels = run.labels()
        for file in walk.files:
            if run.stop.is_set():
                return []
            job = self._settle_file(run, file, known.get(file.path), labels)
            if job is not None:
                jobs.append(job)
        return jobs

    def _settle_file(self, run: _Run, file: FoundFile, facts: FileFacts | None, labels: AccessLabels) -> _Job | None:
        try:
            groups = labels.groups(file.path)
            if file.size_bytes > self._settings.max_file_bytes:
                raise DocumentRejected(
                    f"The file has {file.size_bytes:,} bytes; the limit is {self._settings.max_file_bytes:,}. "
                    "Split it, or raise ingest.max_file_bytes."
                )
        except DocumentRejected as error:
            self._refuse(run.source, file, str(error), facts)
            run.note(file.path, Outcome.REFUSED)
            return None
        if facts is None:
            return _Job(file, None, relabelled=False)
        relabelled = self._relabel(facts, groups)
        if not self._is_unchanged(facts, file):
            return _Job(file, replace(facts, groups=groups), relabelled)
        run.note(file.path, _REFUSALS.get(facts.state, Outcome.RELABELLED if relabelled else Outcome.UNCHANGED))
        return None

    def _readings(self, run: _Run, jobs: Iterable[_Job]) -> Iterator[tuple[_Job, _Reading]]:
        """Parse in the background, a few files ahead of what is being embedded."""
        waiting = iter(jobs)
        running: dict[Future[_Reading], _Job] = {}
        with ThreadPoolExecutor(self._settings.workers, thread_name_prefix="parse") as executor:
            try:
                while not run.stop.is_set():
                    for job in islice(waiting, 2 * self._settings.workers - len(running)):
                        running[executor.submit(self._read, run, job)] = job
                    if not running:
                        return
                    finished, _ = wait(running, _STOP_CHECK_S, FIRST_COMPLETED)
                    for future in finished:
                        if run.stop.is_set():  # its parser may have been killed: rule 7
                            return
                        yield running.pop(future), future.result()
            finally:
                executor.shutdown(wait=False, cancel_futures=True)

    def _read(self, run: _Run, job: _Job) -> _Reading:
        """A file's content, or why there is none. What went wrong with one file is a value, not an exception."""
        path = PurePosixPath(job.file.path)
        try:
            with open_folder(run.root, str(path.parent)) as folder:
                file = Path(f"/proc/self/fd/{folder}") / path.name
                if job.known is not None and _may_be_same(job.known, job.file) and _sha256(file) == job.known.sha256:
                    return _NotRead.SAME
                return self._parsers.parse(file, name=job.file.path)
        except OSError as error:
            return DocumentUnreadable(f"The file cannot be opened: {error.strerror}.")
        except DocumentRejected as error:
            # It could not be opened: that may change without the file changing, so it is no refusal for good.
            return DocumentUnreadable(str(error)) if isinstance(error.__cause__, OSError) else error

    def _take_in(self, run: _Run, job: _Job, reading: _Reading) -> Outcome | None:
        """How the file ended; None when the run was told to stop half-way."""
        try:
            groups = run.labels().groups(job.file.path)  # once more: rule 5
        except DocumentRejected as error:
            self._refuse(run.source, job.file, str(error), job.known)
            return Outcome.REFUSED
        if isinstance(reading, Parsed):
            return self._index_version(run, job, groups, reading)
        if isinstance(reading, DocumentRejected):
            return self._fail(run.source, job.file, job.known, groups, reading)
        if job.known is None:
            raise TypeError("a file that was never read cannot be the same as before")
        relabelled = self._relabel(job.known, groups) or job.relabelled
        file = job.file
        self._catalog.touch(job.known.document_id, size_bytes=file.size_bytes, modified_ns=file.modified_ns)
        return Outcome.RELABELLED if relabelled else Outcome.UNCHANGED

    def _index_version(self, run: _Run, job: _Job, groups: frozenset[str], parsed: Parsed) -> Outcome | None:
        """Chunk, embed, index; then make the new version the current one and remove the old one.

        The index holds nothing of the new version yet, `reconcile` saw to that; or it is the current one, read again.
        """
        document = document_id(run.source.id, job.file.path)
        version = version_id(document, parsed.sha256, PARSER_VERSION)
        title = parsed.title or PurePosixPath(job.file.path).stem
        chunks = split(
            parsed,
            document_id=document,
            version_id=version,
            title=title,
            embedder=self._embedder,
            limits=ChunkLimits(self._settings.chunk_tokens, self._settings.overlap_tokens),
        )
        if not chunks:
            error = DocumentUnreadable("The file holds no text but the headers and footers of its pages.")
            return self._fail(run.source, job.file, job.known, groups, error)
        indexed = 0
        for written in embed_and_index(chunks, groups, self._embedder, self._index):
            run.progress.chunks += written
            indexed += written
            if run.stop.is_set() and indexed < len(chunks):
                return None  # the next run removes what no version owns, as after a crash
        outcome = FileOutcome(
            document_id=document,
            source_id=run.source.id,
            path=job.file.path,
            title=title,
            media_type=parsed.media_type,
            state=DocumentState.INDEXED,
            reason=_coverage_note(parsed),
            groups=groups,
            size_bytes=parsed.size_bytes,
            modified_ns=job.file.modified_ns,
            sha256=parsed.sha256,
            parser=PARSER_VERSION,
        )
        made = Version(version, document, parsed.sha256, PARSER_VERSION, datetime.now(UTC), parsed.pages, len(chunks))
        try:
            self._catalog.publish(outcome, made, chunks)
        except Conflict:  # the source was removed meanwhile
            self._index.delete_document(document)
            raise
        if job.known is not None and job.known.version_id not in (None, version):
            self._index.delete_version(job.known.version_id or "")
        return Outcome.INDEXED

    def _relabel(self, facts: FileFacts, groups: frozenset[str]) -> bool:
        """Put a document under the label `groups`; returns whether it was under another one.

        Who loses sight of it loses it in the catalog first, which decides what a reader is shown. Until the index has
        followed, the file counts as changed: a run that dies in between is completed by the next.
        """
        if facts.groups == groups and facts.modified_ns != _UNSETTLED:
            return False
        document = facts.document_id
        if facts.version_id is None:
            self._catalog.relabel(document, groups)
            return True
        self._catalog.touch(document, size_bytes=facts.size_bytes, modified_ns=_UNSETTLED)
        self._catalog.relabel(document, facts.groups & groups)
        self._index.set_groups(document, groups)
        self._catalog.relabel(document, groups)
        self._catalog.touch(document, size_bytes=facts.size_bytes, modified_ns=facts.modified_ns)
        return facts.groups != groups

    def _fail(
        self,
        source: Source,
        file: FoundFile,
        known: FileFacts | None,
        groups: frozenset[str],
        error: DocumentRejected,
    ) -> Outcome:
        """The file could not be read this time. An earlier version stays, and the reason says so."""
        state, outcome = DocumentState.FAILED, Outcome.FAILED
        if isinstance(error, DocumentNeedsPassword):
            state, outcome = DocumentState.NEEDS_PASSWORD, Outcome.NEEDS_PASSWORD
        elif not isinstance(error, DocumentUnreadable):
            state, outcome = DocumentState.REFUSED, Outcome.REFUSED
        reason = str(error)
        if known is not None:
            self._relabel(known, groups)
            if known.version_id is not None:
                reason += " The version read before is still being used."
        record = replace(_outcome(source, file, state, reason, groups), parser=self._judge(file))
        self._catalog.record(record, keep_version=True)
        return outcome

    def _refuse(self, source: Source, file: FoundFile, reason: str, known: FileFacts | None) -> None:
        """The file is against the rules: nothing of it stays."""
        outcome = _outcome(source, file, DocumentState.REFUSED, reason, frozenset())
        self._catalog.record(outcome, keep_version=False)
        if known is not None and known.version_id is not None:
            self._index.delete_document(outcome.document_id)

    def _remove(self, source: Source, path: str, facts: FileFacts) -> None:
        """The file is no longer there: first nobody sees it, then the index forgets it, and that is checked."""
        outcome = _outcome(source, FoundFile(path, 0, 0), DocumentState.GONE, "The file was deleted.", frozenset())
        self._catalog.record(outcome, keep_version=False)
        if facts.version_id is None:
            return
        self._index.delete_document(facts.document_id)
        left = self._index.count(document_id=facts.document_id)
        if left:
            raise ApplianceError(
                f"The index still holds {left} chunks of a deleted document. Run 'strongroom doctor' and sync again."
            )

    def _is_unchanged(self, facts: FileFacts, file: FoundFile) -> bool:
        """Whether reading the file again would end as it did last time. What failed may succeed this time."""
        if facts.modified_ns != file.modified_ns:
            return False
        if facts.state is DocumentState.INDEXED:
            return facts.size_bytes == file.size_bytes and facts.parser == PARSER_VERSION
        return facts.state in _REFUSALS and facts.parser == self._judge(file)

    def _judge(self, file: FoundFile) -> str:
        """What a refusal depends on besides the file's time: the parser, the limits it is told, and the file's size.

        The size is here because the document's own is that of the version still in use, if there is one.
        """
        return f"{PARSER_VERSION} max_pages={self._settings.max_pages} bytes={file.size_bytes}"


def _walk(root: Path) -> _Walk:
    found = list(discover(root))
    return _Walk(
        files=tuple(item for item in found if isinstance(item, FoundFile)),
        refused=tuple(item for item in found if isinstance(item, RefusedFile)),
        unreadable=tuple(item for item in found if isinstance(item, Unreadable)),
    )


def _gone(known: Iterable[str], walk: _Walk) -> list[str]:
    """Known paths that are no longer there, sparing what lies in a folder that could not be listed."""
    seen: tuple[FoundFile | RefusedFile | Unreadable, ...] = (*walk.files, *walk.refused, *walk.unreadable)
    present = {item.path for item in seen}
    hidden = tuple(f"{item.path}/" for item in walk.unreadable)
    return [path for path in known if path not in present and not path.startswith(hidden)]


def _may_be_same(facts: FileFacts, file: FoundFile) -> bool:
    return (
        facts.state is DocumentState.INDEXED and facts.parser == PARSER_VERSION and facts.size_bytes == file.size_bytes
    )


def _sha256(path: Path) -> str:
    """The hash of a file's content. A link raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _outcome(source: Source, file: FoundFile, state: DocumentState, reason: str, groups: frozenset[str]) -> FileOutcome:
    return FileOutcome(
        document_id=document_id(source.id, file.path),
        source_id=source.id,
        path=file.path,
        title=PurePosixPath(file.path).stem,
        media_type=mimetypes.guess_type(file.path)[0] or "application/octet-stream",
        state=state,
        reason=reason,
        groups=groups,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
    )


def _coverage_note(parsed: Parsed) -> str:
    """What the admin should know about a file that was read: which pages gave nothing, and why."""
    silent = [page for page in parsed.pages if page.characters == 0]
    if not silent:
        return ""
    numbers = ", ".join(str(page.page) for page in silent[:10]) + (", ..." if len(silent) > 10 else "")
    reasons = "; ".join(sorted({page.reason for page in silent if page.reason}))
    note = f"{len(silent)} of {len(parsed.pages)} pages gave no text (pages {numbers})"
    return f"{note}: {reasons}." if reasons else f"{note}."
