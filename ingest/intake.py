"""What becomes of a file that was read: indexed, waiting for a curator, a duplicate, or a failure with a reason.

Rules this module keeps:

1. The label is looked at before a file is read, when it was read, and once more when it is published: content is for
   those whom all of these admit, so it is never published under a label that is older or newer than it.
2. A version is put in force as soon as the index holds all of it, in the order in which the documents were read. Told
   to stop, what is not in force yet is taken out of the index again; a run that is killed leaves that to the next one.
3. A container comes after everything in it: once it is known as it is now, nobody looks into it again, so by then
   everything in it must be in its state, and what is no longer in it must be gone.
4. A long version is written under no label, so that nobody's search meets it before it is in force.
5. A document whose content another one has, read in the same way, under the same label, is indexed there and nowhere
   else; what a curator has released is indexed for itself.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from appliance.catalog import Catalog, FileFacts, FileOutcome
from appliance.config import IngestSettings
from appliance.domain import DocumentState, SourceKind, Version, document_id
from appliance.errors import (
    ApplianceError,
    DocumentEmpty,
    DocumentNeedsPassword,
    DocumentRejected,
    DocumentUnreadable,
    FileUnavailable,
    ParserBroken,
)
from ingest.discover import FoundFile
from ingest.embed import AT_ONCE, Steps
from ingest.holdings import NOBODY, Holdings, NewVersion
from ingest.names import document_names
from ingest.parse.detect import CONTAINERS
from ingest.parse.elements import Parsed
from ingest.plan import Action, Again, Plan, Step, is_turned_down, said_something
from ingest.progress import OUTCOME_OF, Outcome
from ingest.reading import Read, Reading, Unread
from ingest.settling import Settling
from ingest.sync import Place, Sync


@dataclass(slots=True)
class _Waiting:
    """Versions that were read and are not in force yet, oldest first; `indexed` chunks of them are in the index."""

    versions: deque[NewVersion] = field(default_factory=deque)
    indexed: int = 0

    def holds(self, sha256: str, groups: frozenset[str]) -> bool:
        """Whether one of them has this content under this label."""
        return any((new.version.sha256, new.outcome.groups) == (sha256, groups) for new in self.versions)

    def complete(self) -> Iterator[NewVersion]:
        """Takes out those of which the index holds every chunk."""
        while self.versions and self.indexed >= len(self.versions[0].chunks):
            new = self.versions.popleft()
            self.indexed -= len(new.chunks)
            yield new


class Intake:
    """Takes in what one sync has read."""

    def __init__(
        self,
        sync: Sync,
        *,
        catalog: Catalog,
        holdings: Holdings,
        settling: Settling,
        steps: Steps,
        settings: IngestSettings,
    ) -> None:
        self._sync = sync
        self._catalog = catalog
        self._holdings = holdings
        self._settling = settling
        self._steps = steps
        self._settings = settings
        self._waiting = _Waiting()
        self._passed: dict[str, list[FileFacts]] = {}  # what is no longer in a container

    def take(self, step: Step, reading: Reading) -> None:
        """Deal with a file that was read, or could not be."""
        try:
            groups = self._sync.levels.common(step.groups, self._sync.labels().label(step.path))
        except DocumentRejected as error:
            self._settling.refuse_file(step.file, step.known, str(error))
            return
        place = Place(self._sync.source.id, step.file, self._settling.fresh(step.known), groups)
        if isinstance(reading, Read):
            self._take_whole(place, reading)
        elif isinstance(reading, DocumentRejected):
            self._sync.note_inside(place.document_id)
            self._fail(place, reading)
        elif reading is Unread.SAME and step.known is not None:
            self._touch(step, step.known, groups)

    def fail(self, plan: Plan) -> None:
        """Deal with the files that cannot be reached."""
        for step in plan.of(Action.FAIL):
            if self._sync.stop.is_set():
                return
            place = Place(self._sync.source.id, step.file, self._settling.fresh(step.known), step.groups)
            self._sync.note_inside(place.document_id)
            self._fail(place, FileUnavailable(step.reason))

    def advance(self) -> None:
        """Keep the embedding model busy with what there is, and put in force what is embedded by now."""
        self._indexed(self._steps.advance())

    def finish(self) -> None:
        """Put in force whatever was read; told to stop, take out what is not."""
        if not self._sync.stop.is_set():
            self._indexed(self._steps.drain())
        for new in self._unpublished():
            self._holdings.discard(new)

    def abandon(self) -> None:
        """After an error: let the cache forget what will not be published. The index is for the next sync to repair."""
        for new in self._unpublished():
            with contextlib.suppress(ApplianceError):
                self._holdings.forget(new)

    def _unpublished(self) -> list[NewVersion]:
        """What was read and is not in force, this time or before."""
        return [new for new in self._waiting.versions if new.before is None or new.before.version_id != new.version.id]

    # one document

    def _take_whole(self, place: Place, read: Read) -> None:
        """A file, and before it the files in it."""
        container = place.document_id
        known = self._catalog.members(container) if container in self._sync.containers else {}
        self._sync.progress.total = (self._sync.progress.total or 0) + len(read.members)
        for path, member in read.members.items():
            facts = self._settling.fresh(known.get(path))
            inner = Place(place.source_id, place.file, facts, place.groups, path, container)
            if isinstance(member, Read):
                if self._sync.source.kind is SourceKind.UPLOADS:  # now: what the upload was may not be known later
                    digests = read.parsed.sha256, member.parsed.sha256
                    self._catalog.note_upload_within(
                        place.source_id, place.file.path, digests[0], inner.shown, digests[1]
                    )
                self._take_one(inner, member)
            else:
                self._fail(inner, member)
        self._passed[container] = [facts for path, facts in known.items() if path not in read.members]
        if read.members:
            self._sync.containers.add(container)
        self._take_one(place, read)

    def _take_one(self, place: Place, read: Read) -> None:
        """Have a document indexed, but for a duplicate, and for what waits for a curator."""
        parsed = read.parsed
        if self._sync.wish.again is Again.NOTHING and place.known is not None and _was_turned_down(place.known, parsed):
            self._sync.note(place.shown, Outcome.REFUSED, place.known.reason)
            return
        is_silent = not read.chunks and parsed.media_type not in CONTAINERS
        comes_at_once = read.members and (is_silent or self._original_of(place, parsed) is not None)
        if comes_at_once or self._waiting.holds(parsed.sha256, place.groups):
            self._indexed(self._steps.drain())  # so that it is found as the original, or what is in it comes first
        if self._sync.stop.is_set():
            return
        place = replace(place, known=self._settling.fresh(place.known))  # it may have been given its original's content
        new = self._new_version(place, read)
        in_force = self._is_in_force(place, parsed)
        has_to_wait = not in_force and self._has_to_wait(place, parsed)
        original = self._original_of(place, parsed)
        if original is not None and read.chunks and not in_force and not has_to_wait:
            self._keep_as_duplicate(place, new, original)
        elif is_silent:
            self._fail_silent(place, read)
        elif has_to_wait:
            self._stage(place, new)
        else:
            self._waiting.versions.append(new)
            outcome = new.outcome
            names = document_names(outcome.title, outcome.path, outcome.member)
            self._indexed(self._steps.put(new.chunks, _until_in_force(new), names))

    def _keep_as_duplicate(self, place: Place, new: NewVersion, original: str) -> None:
        reason = f"The same content as '{self._catalog.facts(original).shown}', under the same label."
        outcome = replace(new.outcome, state=DocumentState.DUPLICATE, reason=reason, duplicate_of=original)
        self._drop_passed(place.document_id)
        self._holdings.keep_as_duplicate(outcome, place.known, self._sync.source)
        self._sync.note(place.shown, Outcome.DUPLICATE, reason, pages=len(new.version.pages))

    def _has_to_wait(self, place: Place, parsed: Parsed) -> bool:
        """Whether a curator has to release what is not in force; a copy of what was released, too: it has a name.

        What has been a duplicate of the same content stays one. An upload that waits goes on doing so even if its
        source has no curator any more: else whoever may not release what they uploaded would switch that off, and have
        it read again.
        """
        known = place.known
        if known is not None and known.duplicate_of is not None and known.sha256 == parsed.sha256:
            return False
        waits_already = known is not None and known.pending_version_id is not None
        return self._sync.source.curated or (waits_already and self._sync.source.kind is SourceKind.UPLOADS)

    def _stage(self, place: Place, new: NewVersion) -> None:
        """Keep a version for a curator to look at."""
        reason = "Waits for a curator."
        self._indexed(self._steps.drain())  # a container comes after everything in it
        if self._sync.stop.is_set():
            return
        self._drop_passed(place.document_id)
        if place.known is not None:
            self._settling.follow_label(place.known, place.groups)
        staged = replace(new.outcome, state=DocumentState.PENDING_REVIEW, reason=reason)
        self._catalog.stage(staged, new.version, new.chunks, new.signature)
        self._sync.note(
            place.shown, Outcome.PENDING_REVIEW, reason, pages=len(new.version.pages), chunks=len(new.chunks)
        )

    def _touch(self, step: Step, known: FileFacts, groups: frozenset[str]) -> None:
        """The file has other times, but the content it had."""
        self._settling.follow_label(known, groups, as_read=True)
        file, relabelled = step.file, step.relabels or known.labels.file != groups
        self._catalog.touch(
            known.document_id, size_bytes=file.size_bytes, modified_ns=file.modified_ns, changed_ns=file.changed_ns
        )
        self._sync.note_inside(known.document_id, relabelled=relabelled)
        self._sync.note(step.path, Outcome.RELABELLED if relabelled else Outcome.UNCHANGED)

    def _original_of(self, place: Place, parsed: Parsed) -> str | None:
        """Another document that has this content, read in the same way, under the same label."""
        return self._catalog.original_of(
            place.source_id, parsed.sha256, parsed.media_type, place.groups, other_than=place.document_id
        )

    def _is_in_force(self, place: Place, parsed: Parsed) -> bool:
        """Whether exactly this content is what the document says already."""
        if place.known is None or place.known.version_id is None:
            return False
        return self._catalog.stored_version(place.known.version_id)[0].sha256 == parsed.sha256

    def _new_version(self, place: Place, read: Read) -> NewVersion:
        """The document as a successful reading leaves it."""
        parsed = read.parsed
        outcome = replace(
            place.outcome(DocumentState.INDEXED, _coverage_note(parsed)),
            title=read.title,
            media_type=parsed.media_type,
            size_bytes=parsed.size_bytes,
            sha256=parsed.sha256,
            parser=self._sync.judge.reading,
            judged=self._sync.judge.criteria(place.file.size_bytes),
            thread=parsed.facts.thread,
        )
        version = Version(
            id=read.version_id,
            document_id=place.document_id,
            sha256=parsed.sha256,
            parser=read.made_by,
            created_at=datetime.now(UTC),
            pages=parsed.pages,
            chunk_count=len(read.chunks),
            facts=parsed.facts,
        )
        return NewVersion(outcome, version, read.chunks, read.signature, place.known)

    # what was indexed

    def _indexed(self, written: Iterator[int]) -> None:
        """Put each version in force as soon as the index holds all of it."""
        for count in written:
            self._sync.progress.chunks += count
            self._sync.on_change(self._sync.progress)
            self._waiting.indexed += count
            self._publish_complete()
            if self._sync.stop.is_set():
                return
        self._publish_complete()  # an archive has no text of its own

    def _publish_complete(self) -> None:
        if self._sync.stop.is_set():
            return
        for new in self._waiting.complete():
            self._publish(new)
            if self._sync.stop.is_set():
                return

    def _publish(self, new: NewVersion) -> None:
        """Put a version in force under the label that its document has by now."""
        outcome = new.outcome
        try:
            groups = self._sync.levels.common(outcome.groups, self._sync.labels().label(outcome.path))
        except DocumentRejected as error:
            self._holdings.discard(new)
            whole = document_id(outcome.source_id, outcome.path)  # of a member its container: that is what is refused
            file = FoundFile(outcome.path, outcome.size_bytes, outcome.modified_ns)
            self._settling.refuse_file(file, self._settling.known(whole), str(error))
            return
        before = self._settling.fresh(new.before)
        if before is not None:
            self._settling.follow_label(before, groups)  # what duplicates are given depends on it
        new = replace(new, before=self._settling.fresh(new.before))  # a duplicate may have been given its original's
        is_veiled = groups != _until_in_force(new)
        new = replace(new, outcome=replace(outcome, groups=groups))
        if is_veiled:
            self._holdings.unveil(new, self._sync.source)
        self._drop_passed(outcome.document_id)
        self._holdings.publish(new, self._sync.source)
        self._sync.note(
            outcome.shown, Outcome.INDEXED, outcome.reason, pages=len(new.version.pages), chunks=len(new.chunks)
        )

    def _drop_passed(self, container_id: str) -> None:
        """Remove what is no longer in a container, now that what took its place is there."""
        for known in self._passed.pop(container_id, ()):
            self._settling.remove_one(known, DocumentState.GONE, "It is no longer in its container.")

    # what could not be read

    def _fail_silent(self, place: Place, read: Read) -> None:
        """A document without text is no success. The files in it are documents all the same."""
        self._drop_passed(place.document_id)
        reason = "The file holds no text but the headers and footers of its pages."
        if read.members:
            reason = "The file itself gave no text. The files in it are documents of their own."
        self._fail(place, DocumentUnreadable(reason))

    def _fail(self, place: Place, error: DocumentRejected) -> None:
        """The file could not be read this time. An earlier version stays, and the reason says so."""
        state, attempts, retry_at = self._verdict(place, error)
        reason = str(error)
        if place.known is not None:
            self._settling.follow_label(place.known, place.groups)
            if place.known.version_id is not None:
                reason += " The version read before is still being used."
                if self._settling.is_held_back(place.known):
                    reason += " Only those see it whom the label of then and that of now both admit."
        unreachable = isinstance(error, FileUnavailable)
        outcome: FileOutcome = replace(
            place.outcome(state, reason),
            judged="" if unreachable else self._sync.judge.criteria(place.file.size_bytes),
            attempts=attempts,
            retry_at=retry_at,
        )
        self._catalog.record(outcome, keep_version=True)
        self._sync.note(place.shown, OUTCOME_OF[state], reason)

    def _verdict(self, place: Place, error: DocumentRejected) -> tuple[DocumentState, int, datetime | None]:
        """In which state a file that could not be read is, how often it broke its parser, and when to try it again."""
        before = place.known.attempts if place.known is not None and _is_as_it_was(place.file, place.known) else 0
        attempts = before + 1
        match error:
            case DocumentNeedsPassword():
                return DocumentState.NEEDS_PASSWORD, 0, None
            case DocumentEmpty():
                return DocumentState.FAILED if said_something(place.known) else DocumentState.EMPTY, 0, None
            case FileUnavailable():
                return DocumentState.FAILED, before, None  # opening a file costs nothing: every sync tries
            case ParserBroken() if attempts >= self._settings.quarantine_after:
                return DocumentState.QUARANTINED, attempts, None
            case ParserBroken():
                wait_s = min(self._settings.retry_after_s * 2 ** (attempts - 1), self._settings.retry_at_most_s)
                return DocumentState.FAILED, attempts, datetime.now(UTC) + timedelta(seconds=wait_s)
            case DocumentUnreadable():
                return DocumentState.FAILED, 0, None
            case _:
                return DocumentState.REFUSED, 0, None


def _is_as_it_was(file: FoundFile, known: FileFacts) -> bool:
    """Whether a file was not written since; one that is out of reach has no time."""
    return file.modified_ns in (0, known.modified_ns)


def _until_in_force(new: NewVersion) -> frozenset[str]:
    """The label a version is written to the index under: nobody's where it is long.

    The catalog shows nobody what is not in force, but chunks that only the index admits take the places of others among
    the hits of a search. Of a small document that takes a moment, of a long one minutes. What is in force already, and
    read once more, stays in sight of those who see it.
    """
    if new.before is not None and new.before.version_id == new.version.id:
        return new.before.groups
    return NOBODY if len(new.chunks) > AT_ONCE else new.outcome.groups


def _was_turned_down(known: FileFacts, parsed: Parsed) -> bool:
    """Whether a curator refused exactly this content; a container is read again for the sake of its other files."""
    return is_turned_down(known) and known.sha256 == parsed.sha256


def _coverage_note(parsed: Parsed) -> str:
    """What the admin should know about a file that was read: which pages gave nothing, and why."""
    silent = [page for page in parsed.pages if page.characters == 0]
    if not silent:
        return ""
    numbers = ", ".join(str(page.page) for page in silent[:10]) + (", ..." if len(silent) > 10 else "")
    reasons = "; ".join(sorted({page.reason for page in silent if page.reason}))
    note = f"{len(silent)} of {len(parsed.pages)} pages gave no text (pages {numbers})"
    return f"{note}: {reasons}." if reasons else f"{note}."
