"""The story of ingestion: discover -> parse -> chunk -> embed -> index.

`sync` makes the index say what the folder says. It is a reconciliation, not a queue: it compares the files with the
catalog (`plan`), works off the difference, and can be killed anywhere and run again.

Rules this module keeps:

1. Every file ends in a state with a reason. A file that fails never stops the others.
2. There is no moment without a valid version (`holdings`).
3. Only what a walk of the folder found missing is deleted. A folder that cannot be listed, or is suddenly empty,
   deletes nothing, nor does a file that vanishes later; when more is missing than a folder is likely to lose, nothing
   is deleted before somebody confirms it.
4. When the index, the catalog or the embedding model fails, the run stops and says so; running it again completes it.
5. Labels act before anything is read, and content is never published under a label that is older than it.
6. A file is not read twice without need (`plan`).
7. A run that is told to stop leaves the files at hand as they were: they did not fail, they were not read.
8. Files in a container (a mail, an archive) are documents of their own, under the label of the container.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Protocol

from appliance.catalog import Catalog, FileFacts, FileOutcome
from appliance.config import IngestSettings
from appliance.domain import DocumentState, Source, SourceKind, Version, document_id, version_id
from appliance.errors import (
    Conflict,
    DocumentNeedsPassword,
    DocumentRejected,
    DocumentUnreadable,
    FileUnavailable,
    InvalidRequest,
    NotFound,
    ParserBroken,
)
from appliance.history import FileReport
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder
from ingest.access import AccessLabels
from ingest.chunk import ChunkLimits, split
from ingest.discover import FoundFile, discover, open_folder
from ingest.embed import embed_and_index_all
from ingest.holdings import Holdings, NewVersion
from ingest.parse.detect import CONTAINERS
from ingest.parse.elements import PARSER_VERSION, Member, Parsed
from ingest.plan import FEW, Action, Again, Judge, Plan, Step, is_turned_down, make_plan
from ingest.progress import OUTCOME_OF, Outcome, Progress
from ingest.reconcile import reconcile
from ingest.similar import signature_of

__all__ = ["Again", "Outcome", "Pipeline", "Progress", "Wish"]

_STOP_CHECK_S = 0.5  # how often a run that waits for its parsers looks whether it is to stop
_TOGETHER = 256  # chunks embedded at once, of however many documents
_OPTIMIZE_AFTER_CHUNKS = 1_000
"""Optimising copies the whole index, so one changed file is no reason to."""


class _NotRead(StrEnum):
    """Why a file was not read although nothing is wrong with it."""

    SAME = "same"  # other file times, same content


_Reading = Parsed | DocumentRejected | _NotRead


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a sync beyond the usual.

    `passwords` open encrypted files, by path; they are kept nowhere. `missing_ok` confirms that whatever is missing
    from the folder may go.
    """

    again: Again = Again.NOTHING
    passwords: Mapping[str, str] = field(default_factory=dict)
    missing_ok: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """One sync: of what, who watches, and who may stop it."""

    source: Source
    wish: Wish
    progress: Progress
    stop: Event
    on_change: Callable[[Progress], None]
    on_file: Callable[[FileReport], None]
    containers: set[str]
    batch: list[NewVersion] = field(default_factory=list)  # read, to be indexed together
    planned: dict[str, frozenset[str]] = field(default_factory=dict)  # the labels that files are to have, by path
    passed: dict[str, list[FileFacts]] = field(default_factory=dict)  # what is no longer in a container

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.source.path)

    def labels(self) -> AccessLabels:
        """The labels as they are now."""
        return AccessLabels(self.root, self.source.groups)

    def note(self, path: str, outcome: Outcome, reason: str = "", *, pages: int = 0, chunks: int = 0) -> None:
        """One more file ended, and how."""
        self.progress.current = path
        self.progress.pages += pages
        self.progress.count(outcome)
        if outcome is not Outcome.UNCHANGED:
            self.on_file(FileReport(path, outcome.value, reason, pages, chunks))
        self.on_change(self.progress)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a document comes from: a file of the folder, or a member of a container."""

    file: FoundFile
    document_id: str
    known: FileFacts | None
    groups: frozenset[str]
    member: str = ""
    container_id: str | None = None

    @property
    def shown(self) -> str:
        """The path in reports."""
        return f"{self.file.path}/{self.member}" if self.member else self.file.path


class Parsers(Protocol):
    """Reads documents in confined processes, on this machine (`ParserPool`) or on a cluster (`ClusterParsers`)."""

    @property
    def size(self) -> int:
        """How many documents can be read at a time."""

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        """What the document at `path` below `root` says. Raises DocumentRejected, ConfigurationError."""


class Pipeline:
    """Takes folders in. One run at a time may use it."""

    def __init__(
        self, *, catalog: Catalog, index: VectorIndex, embedder: Embedder, parsers: Parsers, settings: IngestSettings
    ) -> None:
        self._catalog = catalog
        self._index = index
        self._embedder = embedder
        self._parsers = parsers
        self._settings = settings
        self._holdings = Holdings(catalog, index, embedder)
        self._chunks_since_optimize = 0

    def preview(self, source: Source, *, again: Again = Again.NOTHING) -> Plan:
        """What a sync would do now. Nothing is read but the folder and its labels, and nothing is changed.

        Raises:
            InvalidRequest: The folder is missing, or cannot be listed.
        """
        labels = AccessLabels(Path(source.path), source.groups)
        judge = Judge(self._settings, datetime.now(UTC), again)
        return make_plan(source, discover(Path(source.path)), self._catalog.files(source.id), labels, judge)

    def sync(
        self,
        source: Source,
        *,
        wish: Wish | None = None,
        progress: Progress | None = None,
        stop: Event | None = None,
        on_change: Callable[[Progress], None] = lambda _: None,
        on_file: Callable[[FileReport], None] = lambda _: None,
    ) -> Mapping[Outcome, int]:
        """Make catalog and index agree with the folder of `source`; returns how the files ended.

        Args:
            wish: What is wanted beyond the usual.
            progress: Filled while the run goes on, for those who watch.
            stop: Ends the run early; what was done stays done, the files at hand are left for the next run.
            on_change: Called from this thread whenever `progress` changed.
            on_file: Told how each file ended, but for those that were left as they are and are well.

        Raises:
            InvalidRequest: The folder is missing, cannot be listed, is suddenly empty, or too much of it is missing.
            NotFound: The source was removed meanwhile.
            Conflict: The source is paused, or is removed while its files are read.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; run it again once it is back.
        """
        source = self._catalog.source(source.id)  # it may have changed while this run waited for its turn
        if source.paused:
            raise Conflict(f"'{source.name}' is paused, so nothing of it is synced. Resume it first.")
        run = _Run(
            source=source,
            wish=wish or Wish(),
            progress=progress or Progress(),
            stop=stop or Event(),
            on_change=on_change,
            on_file=on_file,
            containers=set(self._catalog.containers(source.id)),
        )
        reconcile(self._catalog, self._index, self._embedder, run.stop)
        plan = self.preview(source, again=run.wish.again)
        missing = _require_folder(source, plan, run.wish, self._settings)
        run.progress.total = len(plan.steps)
        run.planned.update((step.path, step.groups) for step in plan.steps)
        self._relabel(run, plan)
        self._remove(run, plan, spare=missing)
        for step in plan.of(Action.REFUSE):
            self._refuse(run, step.file, step.known, step.reason)
        self._settle(run, plan, released=self._release(run))
        self._read(run, plan.of(Action.READ, Action.READ_AGAIN))
        run.progress.current = ""
        on_change(run.progress)
        self._optimize(run)
        if missing:
            raise InvalidRequest(_too_much_missing(source, missing))
        return run.progress.counts

    # what needs no reading

    def _relabel(self, run: _Run, plan: Plan) -> None:
        """Labels first: whoever may not see a document any more stops seeing it before anything else is done."""
        steps = [step for step in plan.steps if step.relabels and step.action not in (Action.REMOVE, Action.REFUSE)]
        for step in steps:
            if step.known is not None and step.known.groups - step.groups:
                for facts in self._whole(run, step.known):
                    self._catalog.relabel(facts.document_id, facts.groups & step.groups, settled=False)
        for step in sorted(steps, key=lambda step: _comes_late(step.known)):
            if run.stop.is_set():
                return
            if step.known is not None:
                self._relabel_whole(run, step.known, step.groups)

    def _follow_label(self, run: _Run, known: FileFacts, groups: frozenset[str]) -> None:
        """Relabel a document whose label changed since the run began."""
        facts = self._catalog.facts(known.document_id)
        if facts.groups != groups or not facts.settled:
            self._relabel_whole(run, facts, groups)

    def _relabel_whole(self, run: _Run, known: FileFacts, groups: frozenset[str]) -> None:
        """Relabel a document and, if it is a container, what is in it: first, so that a run cut short does it again."""
        for facts in self._whole(run, known):
            current = self._fresh(facts)  # relabelling one may have changed another: a duplicate that took over
            if current is None:
                continue
            original = self._known(current.duplicate_of) if current.duplicate_of else None
            if original is not None and run.planned.get(original.path) == groups:
                self._catalog.relabel(current.document_id, groups)  # it stays a duplicate
            else:
                self._holdings.relabel(current, groups)

    def _whole(self, run: _Run, known: FileFacts) -> list[FileFacts]:
        """A document and, if it is a container, before it what is in it, duplicates first."""
        inner = self._catalog.members(known.document_id).values() if known.document_id in run.containers else ()
        return [*sorted(inner, key=_comes_late), known]

    def _fresh(self, known: FileFacts | None) -> FileFacts | None:
        """What is known of a file by now; None if it is gone."""
        return None if known is None else self._known(known.document_id)

    def _known(self, document: str) -> FileFacts | None:
        try:
            return self._catalog.facts(document)
        except NotFound:
            return None

    def _remove(self, run: _Run, plan: Plan, *, spare: int) -> None:
        for step in sorted(plan.of(Action.REMOVE), key=lambda step: _comes_late(step.known)):
            if run.stop.is_set():
                return
            if step.known is None:
                continue
            if spare and not step.left_out:
                run.note(step.path, Outcome.MISSING, "The file is missing. Its document was kept: too many are.")
            else:
                self._remove_whole(run, step.known, DocumentState.GONE, step.reason)
                run.note(step.path, Outcome.GONE, step.reason)

    def _remove_whole(self, run: _Run, known: FileFacts, state: DocumentState, reason: str) -> None:
        """Nothing stays of a document and, if it is a container, of what was in it."""
        if known.document_id in run.containers:
            for member in self._whole(run, known)[:-1]:
                self._remove_one(run, member, DocumentState.GONE, reason)
        self._remove_one(run, known, state, reason)

    def _remove_one(self, run: _Run, listed: FileFacts, state: DocumentState, reason: str) -> None:
        known = self._fresh(listed)
        if known is None:
            return
        place = _Place(FoundFile(known.path, 0, 0), known.document_id, known, frozenset())
        place = replace(place, member=known.member, container_id=known.container_id)
        receipt = self._holdings.remove(run.source, known, _outcome(run.source, place, state, reason))
        if receipt is not None:
            self._catalog.add_receipts([receipt])

    def _settle(self, run: _Run, plan: Plan, *, released: frozenset[str]) -> None:
        """Deal with the files that cannot be reached, or are as they were."""
        for step in plan.of(Action.FAIL):
            if run.stop.is_set():
                return
            place = _place(run.source, step.file, step.known, step.groups)
            self._fail(run, place, FileUnavailable(step.reason))
        for step in plan.of(Action.LEAVE):
            if run.stop.is_set():
                return
            if step.known is None:
                continue
            outcome = OUTCOME_OF[step.known.state]
            if step.known.document_id in released:
                run.note(step.path, Outcome.INDEXED, "Released by a curator.")
                continue
            if outcome is Outcome.UNCHANGED and step.relabels:
                outcome = Outcome.RELABELLED
            run.note(step.path, outcome, step.known.reason)

    def _refuse(self, run: _Run, file: FoundFile, known: FileFacts | None, reason: str) -> None:
        """The file is against the rules: nothing of it stays."""
        if known is not None:
            self._remove_whole(run, known, DocumentState.REFUSED, reason)
        place = _place(run.source, file, known, frozenset())
        self._catalog.record(_outcome(run.source, place, DocumentState.REFUSED, reason), keep_version=False)
        run.note(file.path, Outcome.REFUSED, reason)

    def _release(self, run: _Run) -> frozenset[str]:
        """Publish what curators have approved; returns the documents."""
        released = set()
        for known in self._catalog.approved(run.source.id):
            if run.stop.is_set():
                break
            if self._release_one(run, known):
                released.add(known.document_id)
        return frozenset(released)

    def _release_one(self, run: _Run, known: FileFacts) -> bool:
        """Publish one document under the label it has by now; False when it was turned down or hidden meanwhile."""
        try:
            self._follow_label(run, known, run.labels().groups(known.path))
            self._holdings.release(self._catalog.facts(known.document_id))
        except (DocumentRejected, NotFound):
            return False
        return True

    # reading

    def _read(self, run: _Run, steps: Sequence[Step]) -> None:
        """Parse, chunk, embed, index: small documents together, so that the model is never asked for a few texts."""
        run.progress.to_read_bytes = sum(step.file.size_bytes for step in steps)
        run.progress.reading_since = time.monotonic()
        for finished in self._readings(run, steps):
            for step, reading in finished:
                run.progress.current = step.path
                run.progress.read_bytes += step.file.size_bytes
                self._take_in(run, step, reading)
            if not finished or sum(len(new.chunks) for new in run.batch) >= _TOGETHER:
                self._index_batch(run)
        self._index_batch(run)

    def _readings(self, run: _Run, steps: Iterable[Step]) -> Iterator[list[tuple[Step, _Reading]]]:
        """Parse in the background, a few files ahead of what is being embedded; an empty list while that takes long."""
        waiting = iter(steps)
        running: dict[Future[_Reading], Step] = {}
        size = self._parsers.size
        executor = ThreadPoolExecutor(size, thread_name_prefix="parse")
        try:
            while not run.stop.is_set():
                for step in islice(waiting, 2 * size - len(running)):
                    running[executor.submit(self._read_file, run, step)] = step
                if not running:
                    return
                finished, _ = wait(running, _STOP_CHECK_S, FIRST_COMPLETED)
                if run.stop.is_set():  # its parser may have been killed: rule 7
                    return
                yield [(running.pop(future), future.result()) for future in finished]
        finally:
            # A run that is to stop does not wait for a long document.
            executor.shutdown(wait=False, cancel_futures=True)

    def _read_file(self, run: _Run, step: Step) -> _Reading:
        """A file's content, or why there is none. What went wrong with one file is a value, not an exception."""
        password = run.wish.passwords.get(step.path, "")
        try:
            if not password and self._is_same(run, step):
                return _NotRead.SAME
            return self._parsers.parse_in(run.root, step.path, password=password)
        except OSError as error:
            return FileUnavailable(f"The file cannot be opened: {error.strerror}.")
        except DocumentRejected as error:
            # It could not be opened: that may change without the file changing, so it is no refusal for good.
            return FileUnavailable(str(error)) if isinstance(error.__cause__, OSError) else error

    def _is_same(self, run: _Run, step: Step) -> bool:
        """Whether a file with other times has the content it had. Raises OSError."""
        judge = Judge(self._settings, datetime.now(UTC), run.wish.again)
        if step.known is None or not judge.may_be_same(step.file, step.known):
            return False
        path = PurePosixPath(step.path)
        with open_folder(run.root, str(path.parent)) as folder:
            return _sha256(Path(f"/proc/self/fd/{folder}") / path.name) == step.known.sha256

    def _take_in(self, run: _Run, step: Step, reading: _Reading) -> None:
        """Put what there is to index of a file that was read into the batch; how it ended otherwise is noted."""
        try:
            groups = run.labels().groups(step.path)  # once more: rule 5
        except DocumentRejected as error:
            self._refuse(run, step.file, step.known, str(error))
            return
        place = _place(run.source, step.file, self._fresh(step.known), groups)
        if isinstance(reading, Parsed):
            self._take_in_whole(run, place, reading)
        elif isinstance(reading, DocumentRejected):
            self._fail(run, place, reading)
        elif step.known is not None:
            self._touch(run, step, step.known, groups)

    def _touch(self, run: _Run, step: Step, known: FileFacts, groups: frozenset[str]) -> None:
        """The file has other times, but the content it had."""
        self._follow_label(run, known, groups)
        file, relabelled = step.file, step.relabels or known.groups != groups
        self._catalog.touch(
            known.document_id, size_bytes=file.size_bytes, modified_ns=file.modified_ns, changed_ns=file.changed_ns
        )
        run.note(step.path, Outcome.RELABELLED if relabelled else Outcome.UNCHANGED)

    def _take_in_whole(self, run: _Run, place: _Place, parsed: Parsed) -> None:
        """A file, and before it the files in it if it is a container.

        The container comes last: once it is known as it is now, nobody looks into it again, so by then everything in it
        must be in its state, and what is no longer in it must be gone.
        """
        known = self._catalog.members(place.document_id) if place.document_id in run.containers else {}
        run.progress.total = (run.progress.total or 0) + len(parsed.members)
        for member in parsed.members:
            self._take_in_member(run, place, member, known.get(member.path))
        present = {member.path for member in parsed.members}
        run.passed[place.document_id] = [facts for path, facts in known.items() if path not in present]
        if parsed.members:
            run.containers.add(place.document_id)
        self._take_in_one(run, place, parsed)

    def _take_in_member(self, run: _Run, container: _Place, member: Member, known: FileFacts | None) -> None:
        place = _Place(
            file=container.file,
            document_id=document_id(run.source.id, container.file.path, member.path),
            known=known,
            groups=container.groups,
            member=member.path,
            container_id=container.document_id,
        )
        if member.parsed is not None:
            self._take_in_one(run, place, member.parsed)
        else:
            kind = _REJECTIONS.get(member.code, DocumentUnreadable)
            self._fail(run, place, kind(f"Document '{PurePosixPath(member.path).name}' {member.reason}."))

    def _take_in_one(self, run: _Run, place: _Place, parsed: Parsed) -> None:
        """Put a document into the batch, but for a duplicate, and for what waits for a curator."""
        if run.wish.again is Again.NOTHING and _was_turned_down(place, parsed):
            run.note(place.shown, Outcome.REFUSED, place.known.reason if place.known else "")
            return
        outcome = self._read_outcome(run, place, parsed)
        if any((new.version.sha256, new.outcome.groups) == (parsed.sha256, place.groups) for new in run.batch):
            self._index_batch(run)  # so that it is found as the original
        original = self._catalog.original_of(run.source.id, parsed.sha256, place.groups, other_than=place.document_id)
        if original is not None and parsed.elements and not parsed.members and not self._is_in_force(place, parsed):
            reason = f"The same content as '{self._catalog.facts(original).path}', under the same label."
            outcome = replace(outcome, state=DocumentState.DUPLICATE, reason=reason, duplicate_of=original)
            self._drop_passed(run, place.document_id)
            self._holdings.keep_as_duplicate(outcome, place.known)
            run.note(place.shown, Outcome.DUPLICATE, reason, pages=len(parsed.pages))
            return
        new = self._new_version(run, place, parsed, outcome)
        if not new.chunks and not parsed.members and parsed.media_type not in CONTAINERS:
            error = DocumentUnreadable("The file holds no text but the headers and footers of its pages.")
            self._fail(run, place, error)
        elif run.source.curated and not self._is_in_force(place, parsed):
            reason = "Waits for a curator."
            self._drop_passed(run, place.document_id)
            if place.known is not None:
                self._follow_label(run, place.known, place.groups)
            staged = replace(outcome, state=DocumentState.PENDING_REVIEW, reason=reason)
            self._catalog.stage(staged, new.version, new.chunks, new.signature)
            run.note(place.shown, Outcome.PENDING_REVIEW, reason, pages=len(parsed.pages), chunks=len(new.chunks))
        else:
            run.batch.append(new)

    def _is_in_force(self, place: _Place, parsed: Parsed) -> bool:
        """Whether exactly this content is what the document says already."""
        if place.known is None or place.known.version_id is None:
            return False
        return self._catalog.stored_version(place.known.version_id)[0].sha256 == parsed.sha256

    def _read_outcome(self, run: _Run, place: _Place, parsed: Parsed) -> FileOutcome:
        """The document as a successful reading leaves it."""
        outcome = _outcome(run.source, place, DocumentState.INDEXED, _coverage_note(parsed))
        return replace(
            outcome,
            title=parsed.title or outcome.title,
            media_type=parsed.media_type,
            size_bytes=parsed.size_bytes,
            sha256=parsed.sha256,
            parser=PARSER_VERSION,
            judged=self._criteria(place),
            thread=parsed.facts.thread,
        )

    def _new_version(self, run: _Run, place: _Place, parsed: Parsed, outcome: FileOutcome) -> NewVersion:
        version = version_id(place.document_id, parsed.sha256, PARSER_VERSION)
        if run.source.language:
            parsed = replace(parsed, language=run.source.language)
        chunks = split(
            parsed,
            document_id=place.document_id,
            version_id=version,
            title=outcome.title,
            embedder=self._embedder,
            limits=ChunkLimits(self._settings.chunk_tokens, self._settings.overlap_tokens),
        )
        made = Version(
            id=version,
            document_id=place.document_id,
            sha256=parsed.sha256,
            parser=PARSER_VERSION,
            created_at=datetime.now(UTC),
            pages=parsed.pages,
            chunk_count=len(chunks),
            facts=parsed.facts,
        )
        return NewVersion(outcome, made, chunks, signature_of(chunk.text for chunk in chunks), place.known)

    def _index_batch(self, run: _Run) -> None:
        """Embed and index what was read, and put each version in force as soon as the index holds all of it.

        Told to stop, what is not in force yet is taken out again; a run that is killed leaves that to the next one.
        """
        waiting = deque(run.batch)
        run.batch.clear()
        indexed = 0
        labelled = [(new.chunks, new.outcome.groups) for new in waiting]
        for written in embed_and_index_all(labelled, self._embedder, self._index):
            run.progress.chunks += written
            run.on_change(run.progress)
            indexed += written
            while waiting and not run.stop.is_set() and indexed >= len(waiting[0].chunks):
                indexed -= len(waiting[0].chunks)
                self._publish(run, waiting.popleft())
            if run.stop.is_set():
                break
        while waiting and not run.stop.is_set():
            self._publish(run, waiting.popleft())  # an archive, which has no text of its own
        for new in waiting:
            if new.before is None or new.before.version_id != new.version.id:
                self._index.delete_version(new.version.id)

    def _publish(self, run: _Run, new: NewVersion) -> None:
        """Put a version in force under the label that its document has by now: rule 5."""
        outcome = new.outcome
        try:
            groups = run.labels().groups(outcome.path)
        except DocumentRejected as error:
            self._index.delete_version(new.version.id)
            whole = document_id(run.source.id, outcome.path)  # of a member its container: that is what is refused
            file = FoundFile(outcome.path, outcome.size_bytes, outcome.modified_ns)
            self._refuse(run, file, self._known(whole), str(error))
            return
        if groups != outcome.groups:
            self._index.set_groups(outcome.document_id, groups)
            new = replace(new, outcome=replace(outcome, groups=groups))
        self._drop_passed(run, outcome.document_id)
        self._holdings.publish(new)
        shown = f"{outcome.path}/{outcome.member}" if outcome.member else outcome.path
        run.note(shown, Outcome.INDEXED, outcome.reason, pages=len(new.version.pages), chunks=len(new.chunks))

    def _drop_passed(self, run: _Run, container_id: str) -> None:
        """Remove what is no longer in a container, now that what took its place is there."""
        for known in run.passed.pop(container_id, ()):
            self._remove_one(run, known, DocumentState.GONE, "It is no longer in its container.")

    def _fail(self, run: _Run, place: _Place, error: DocumentRejected) -> None:
        """The file could not be read this time. An earlier version stays, and the reason says so."""
        state, attempts, retry_at = self._verdict(place, error)
        reason = str(error)
        if place.known is not None:
            self._follow_label(run, place.known, place.groups)
            if place.known.version_id is not None:
                reason += " The version read before is still being used."
        outcome = replace(
            _outcome(run.source, place, state, reason),
            judged="" if isinstance(error, FileUnavailable) else self._criteria(place),
            attempts=attempts,
            retry_at=retry_at,
        )
        self._catalog.record(outcome, keep_version=True)
        run.note(place.shown, OUTCOME_OF[state], reason)

    def _verdict(self, place: _Place, error: DocumentRejected) -> tuple[DocumentState, int, datetime | None]:
        """In which state a file that could not be read is, after how many attempts, and when it is tried again."""
        now = datetime.now(UTC)
        attempts = (place.known.attempts if place.known else 0) + 1
        match error:
            case DocumentNeedsPassword():
                return DocumentState.NEEDS_PASSWORD, 0, None
            case FileUnavailable():
                return DocumentState.FAILED, attempts, None  # opening a file costs nothing: every sync tries
            case ParserBroken() if attempts >= self._settings.quarantine_after:
                return DocumentState.QUARANTINED, attempts, None
            case ParserBroken():
                wait_s = min(self._settings.retry_after_s * 2 ** (attempts - 1), self._settings.retry_at_most_s)
                return DocumentState.FAILED, attempts, now + timedelta(seconds=wait_s)
            case DocumentUnreadable():
                return DocumentState.FAILED, 0, None
            case _:
                return DocumentState.REFUSED, 0, None

    def _criteria(self, place: _Place) -> str:
        return Judge(self._settings, datetime.now(UTC)).criteria(place.file.size_bytes)

    def _optimize(self, run: _Run) -> None:
        self._chunks_since_optimize += run.progress.chunks
        if self._chunks_since_optimize >= _OPTIMIZE_AFTER_CHUNKS:
            self._index.optimize()
            self._chunks_since_optimize = 0


_REJECTIONS = {kind.code: kind for kind in (DocumentRejected, DocumentNeedsPassword, DocumentUnreadable)}


def _require_folder(source: Source, plan: Plan, wish: Wish, settings: IngestSettings) -> int:
    """How many documents are missing without anybody having confirmed it; 0 if what is missing may be removed.

    Raises:
        InvalidRequest: The folder is empty, but documents of it are known.
    """
    missing = 0 if wish.missing_ok else plan.unconfirmed(settings.max_missing_share)
    if missing and plan.is_empty_folder:
        if source.kind is SourceKind.UPLOADS and missing <= FEW:
            return 0  # the appliance keeps this folder itself: the last of its files was withdrawn
        raise InvalidRequest(
            f"The folder {source.path} is empty, but {missing} of its documents are known. Nothing was removed: "
            "check whether the share is mounted. If the files are really gone, remove the source."
        )
    return missing


def _too_much_missing(source: Source, missing: int) -> str:
    return (
        f"{missing:,} documents of '{source.name}' are no longer in their folder, which is more than it is likely to "
        "lose. They were kept: check whether everything is mounted. If they are really gone, sync again and confirm it."
    )


def _comes_late(known: FileFacts | None) -> bool:
    """Orders duplicates before the documents they are duplicates of, which would else be handed over to them."""
    return known is not None and known.duplicate_of is None


def _was_turned_down(place: _Place, parsed: Parsed) -> bool:
    """Whether a curator refused exactly this content; a container is read again for the sake of its other files."""
    return place.known is not None and is_turned_down(place.known) and place.known.sha256 == parsed.sha256


def _place(source: Source, file: FoundFile, known: FileFacts | None, groups: frozenset[str]) -> _Place:
    return _Place(file, document_id(source.id, file.path), known, groups)


def _outcome(source: Source, place: _Place, state: DocumentState, reason: str) -> FileOutcome:
    name = place.member or place.file.path
    return FileOutcome(
        document_id=place.document_id,
        source_id=source.id,
        path=place.file.path,
        member=place.member,
        container_id=place.container_id,
        title=PurePosixPath(name).stem,
        media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        state=state,
        reason=reason,
        groups=place.groups,
        size_bytes=0 if place.member else place.file.size_bytes,
        modified_ns=place.file.modified_ns,
        changed_ns=place.file.changed_ns,
    )


def _sha256(path: Path) -> str:
    """The hash of a file's content. A link raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _coverage_note(parsed: Parsed) -> str:
    """What the admin should know about a file that was read: which pages gave nothing, and why."""
    silent = [page for page in parsed.pages if page.characters == 0]
    if not silent:
        return ""
    numbers = ", ".join(str(page.page) for page in silent[:10]) + (", ..." if len(silent) > 10 else "")
    reasons = "; ".join(sorted({page.reason for page in silent if page.reason}))
    note = f"{len(silent)} of {len(parsed.pages)} pages gave no text (pages {numbers})"
    return f"{note}: {reasons}." if reasons else f"{note}."
