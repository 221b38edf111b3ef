"""Documents as ingestion sees them: what is known of a file, how it ended, and its versions.

Two steps put content before readers. `stage` keeps a version that nobody sees yet; `publish` makes a version the
document's current one, in one transaction: before it the old version is the document, after it the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update

from appliance.catalog.bounds import Bounds
from appliance.catalog.owed import Owed
from appliance.catalog.signature import NO_SIGNATURE, Signature
from appliance.catalog.sources import Receipt, put_receipts
from appliance.catalog.tables import (
    MAX_VARIABLES,
    chunk_of,
    chunk_row,
    chunks,
    count_change,
    documents,
    dump,
    file_labels_of,
    labels_of,
    now,
    portions,
    put_file_label,
    put_groups,
    put_labels,
    put_narrower,
    put_version_groups,
    source_of,
    sources,
    version_bands,
    version_labels,
    version_of,
    version_row,
    versions,
    without_index,
)
from appliance.database import Database
from appliance.domain import Chunk, DocumentState, Source, Version, document_id, shown_path
from appliance.errors import Conflict, NotFound
from appliance.labels import FileLabels, Levels


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file, to tell whether it has to be read again.

    `sha256` and `size_bytes` are of the content that was read last, which may wait for a curator or be turned down;
    `judged` is what a refusal depended on besides the file's times. `held_sha256` is of what readers find of it.
    `settled` is False while the label is being changed: the index may not have followed yet.
    """

    document_id: str
    source_id: str
    path: str
    member: str
    title: str
    container_id: str | None
    state: DocumentState
    reason: str
    size_bytes: int
    modified_ns: int
    changed_ns: int
    sha256: str
    parser: str
    judged: str
    settled: bool
    labels: FileLabels
    held_sha256: str
    version_id: str | None
    pending_version_id: str | None
    attempts: int
    retry_at: datetime | None
    duplicate_of: str | None

    @property
    def groups(self) -> frozenset[str]:
        """Who sees what is held of it."""
        return self.labels.in_force

    @property
    def shown(self) -> str:
        """The path in reports, through its container."""
        return shown_path(self.path, self.member)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What a sync found out about a file. `sha256` and `parser` are empty when it was never read.

    `groups` is the file's label; `seen_by` is who sees what is held of it, where that is not what the file says.
    """

    document_id: str
    source_id: str
    path: str
    title: str
    media_type: str
    state: DocumentState
    reason: str
    groups: frozenset[str]
    size_bytes: int
    modified_ns: int
    changed_ns: int = 0
    sha256: str = ""
    parser: str = ""
    judged: str = ""
    attempts: int = 0
    retry_at: datetime | None = None
    member: str = ""
    container_id: str | None = None
    duplicate_of: str | None = None
    thread: str = ""
    seen_by: frozenset[str] | None = None

    @property
    def shown(self) -> str:
        """The path in reports, through its container."""
        return shown_path(self.path, self.member)


_OF_THE_VERSION = ("title", "media_type", "size_bytes", "thread")
"""What is shown of a document belongs to its version in force, whatever waits for a curator."""


class IngestCatalog:
    """Files, outcomes and versions."""

    _database: Database
    _bounds: Bounds
    _owed: Owed

    def files(self, source_id: str) -> dict[str, FileFacts]:
        """What is known of every file of a source that is not gone, by path. Files in containers are not there."""
        return {
            facts.path: facts
            for facts in self._facts(documents.c.source_id == source_id, documents.c.container_id.is_(None))
        }

    def members(self, container_id: str) -> dict[str, FileFacts]:
        """What is known of the files in a container that are not gone, by their path in it."""
        return {facts.member: facts for facts in self._facts(documents.c.container_id == container_id)}

    def untaken_members(self, source_id: str) -> dict[str, list[FileFacts]]:
        """What is known of the files in containers that were not taken in, or are to be read again, by container."""
        found: dict[str, list[FileFacts]] = {}
        taken = (DocumentState.INDEXED.value, DocumentState.DUPLICATE.value, DocumentState.PENDING_REVIEW.value)
        untaken = or_(documents.c.state.not_in(taken), documents.c.parser == "")
        for facts in self._facts(documents.c.source_id == source_id, documents.c.container_id.is_not(None), untaken):
            found.setdefault(facts.container_id or "", []).append(facts)
        return found

    def every_file(self, source_id: str) -> list[FileFacts]:
        """What is known of every file of a source that is not gone, those in containers included."""
        return self._facts(documents.c.source_id == source_id)

    def inside(self, source_id: str) -> dict[str, dict[DocumentState, int]]:
        """How many files are in each container of a source, by their states; those that are gone are not counted.

        A container of which all files are gone is there too, with none.
        """
        query = (
            select(documents.c.container_id, documents.c.state, func.count())
            .where(documents.c.source_id == source_id, documents.c.container_id.is_not(None))
            .group_by(documents.c.container_id, documents.c.state)
        )
        found: dict[str, dict[DocumentState, int]] = {}
        with self._database.read() as connection:
            for container_id, state, files in connection.execute(query):
                counted = found.setdefault(container_id, {})
                if state != DocumentState.GONE.value:
                    counted[DocumentState(state)] = files
        return found

    def unwell_inside(self, source_id: str) -> dict[str, list[FileFacts]]:
        """The files in each container of a source that are in the index neither themselves nor as duplicates."""
        well = [state.value for state in (DocumentState.INDEXED, DocumentState.DUPLICATE, DocumentState.GONE)]
        found: dict[str, list[FileFacts]] = {}
        for facts in self._facts(
            documents.c.source_id == source_id,
            documents.c.container_id.is_not(None),
            documents.c.state.not_in(well),
        ):
            found.setdefault(str(facts.container_id), []).append(facts)
        return found

    def duplicates_of(self, document_id: str) -> list[FileFacts]:
        """The documents that are kept as duplicates of this one."""
        return self._facts(documents.c.duplicate_of == document_id)

    def approved(self, source_id: str) -> list[FileFacts]:
        """The documents of a source of which a curator has released a version that is still pending."""
        return self._facts(
            documents.c.source_id == source_id,
            documents.c.approved_by != "",
            documents.c.pending_version_id.is_not(None),
        )

    def facts(self, document_id: str) -> FileFacts:
        """What is known of one file. Raises NotFound."""
        found = self._facts(documents.c.id == document_id)
        if not found:
            raise NotFound
        return found[0]

    def original_of(
        self, source_id: str, sha256: str, media_type: str, groups: frozenset[str], *, other_than: str
    ) -> str | None:
        """A document of the source with this content in force, read in the same way, under exactly this label, or None.

        The same bytes say something else where they are called text than where they are called Markdown.
        """
        same = select(versions.c.document_id, versions.c.id).where(versions.c.sha256 == sha256).subquery()
        query = (
            select(documents.c.id)
            .join(same, same.c.document_id == documents.c.id)
            .where(
                documents.c.version_id == same.c.id,
                without_index(documents.c.source_id) == source_id,
                without_index(documents.c.state) == DocumentState.INDEXED.value,
                without_index(documents.c.media_type) == media_type,
                documents.c.settled.is_(True),
                documents.c.id != other_than,
            )
            .order_by(documents.c.path, documents.c.member)
            .limit(MAX_VARIABLES)
        )
        with self._database.read() as connection:
            found = list(connection.execute(query).scalars())
            labels = labels_of(connection, found)
        return next((document for document in found if labels.get(document, frozenset()) == groups), None)

    def record(
        self,
        outcome: FileOutcome,
        *,
        keep_version: bool,
        receipt: Receipt | None = None,
        source: Source | None = None,
    ) -> None:
        """Record how a file ended without a new version.

        With `keep_version` an earlier version stays the document's (the file could not be read this time), with its
        title, size and media type; without it the document has none any more (it is refused, or gone) and its text is
        removed. `receipt` is the proof that it left the index. Raises Conflict as `relabel`, if `source` is given.
        """
        with self._database.write() as connection:
            if source is not None:
                _require_unchanged(connection, source)
            bounded = self._bounded(outcome)
            if keep_version and _judge_anew(connection, bounded):
                return
            _put_document(connection, bounded, version_id=None, settled=bounded == outcome)
            if not keep_version:
                _drop_pending(connection, outcome.document_id)
                _drop_texts(connection, outcome.document_id)
                _supersede(connection, outcome.document_id, None)
            if receipt is not None:
                put_receipts(connection, [receipt])

    def publish(
        self,
        outcome: FileOutcome,
        version: Version,
        new_chunks: Sequence[Chunk],
        signature: Signature = NO_SIGNATURE,
        *,
        source: Source | None = None,
    ) -> None:
        """Make `version` the document's current one, with its chunks, in one transaction.

        Raises Conflict when the source is gone, or no longer labels and reviews as `source` does.
        """
        with self._database.write() as connection:
            if source is not None:
                _require_unchanged(connection, source)
            _keep_label(connection, outcome.document_id)
            bounded = self._bounded(outcome)
            _put_document(connection, bounded, version_id=version.id, settled=bounded == outcome)
            _drop_pending(connection, outcome.document_id)
            _put_version(connection, outcome, version, new_chunks, signature)
            _put_in_force(connection, outcome.document_id, version.id)

    def stage(
        self, outcome: FileOutcome, version: Version, new_chunks: Sequence[Chunk], signature: Signature = NO_SIGNATURE
    ) -> None:
        """Keep `version` for a curator. What readers see stays as it is."""
        seen = (documents.c.version_id, *(documents.c[name] for name in _OF_THE_VERSION))
        with self._database.write() as connection:
            in_force = connection.execute(
                select(*seen).where(documents.c.id == outcome.document_id, documents.c.version_id.is_not(None))
            ).first()
            if in_force is not None:
                outcome = replace(outcome, seen_by=_seen_by(connection, outcome.document_id))
            bounded = self._bounded(outcome)
            _put_document(connection, bounded, version_id=None, settled=bounded == outcome)
            _drop_pending(connection, outcome.document_id)
            _put_version(connection, outcome, version, new_chunks, signature)
            put_version_groups(connection, outcome.document_id, version.id, bounded.groups)
            connection.execute(
                update(documents)
                .where(documents.c.id == outcome.document_id)
                .values(pending_version_id=version.id, approved_by="", **(in_force._asdict() if in_force else {}))
            )

    def approve(self, document_id: str, person_id: str, *, version_id: str | None = None) -> None:
        """Release the version that is pending; the next sync publishes it.

        Raises NotFound when none is pending, or another one than `version_id`.
        """
        with self._database.write() as connection:
            changed = connection.execute(
                update(documents)
                .where(documents.c.id == document_id, _is_pending(version_id))
                .values(approved_by=person_id)
            )
        if changed.rowcount == 0:
            raise NotFound("Nothing of this document waits for review.")

    def publish_pending(self, document_id: str, *, source: Source) -> None:
        """Make the version that was pending the current one.

        Raises NotFound when there is none, and Conflict as `publish`.
        """
        with self._database.write() as connection:
            _require_unchanged(connection, source)
            row = connection.execute(
                select(versions, documents.c.path)
                .join(documents, documents.c.pending_version_id == versions.c.id)
                .where(documents.c.id == document_id)
            ).first()
            if row is None:
                raise NotFound("Nothing of this document waits for review.")
            label = version_labels(connection, [row.id]).get(row.id, frozenset())
            _keep_label(connection, document_id)
            put_groups(connection, document_id, label)
            connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(
                    state=_unless_failed(documents.c.state, DocumentState.INDEXED.value),
                    reason=_unless_failed(documents.c.reason, ""),
                    title=row.title,
                    media_type=row.media_type,
                    size_bytes=documents.c.read_bytes,
                    thread=version_of(row).facts.thread,
                    version_id=row.id,
                    pending_version_id=None,
                    approved_by="",
                    settled=not self._bounds.holds(source.id, row.path),  # the index was told before it was seen
                    updated_at=now(),
                )
            )
            _put_in_force(connection, document_id, row.id)

    def turn_down(self, document_id: str, reason: str, *, version_id: str | None = None) -> None:
        """Drop the version that is pending. The file is not read again until it changes.

        A version approved earlier stays in force. Raises NotFound when none is pending, or another than `version_id`.
        """
        with self._database.write() as connection:
            row = connection.execute(
                select(documents.c.version_id).where(documents.c.id == document_id, _is_pending(version_id))
            ).first()
            if row is None:
                raise NotFound("Nothing of this document waits for review.")
            _drop_pending(connection, document_id)
            state = DocumentState.INDEXED if row.version_id else DocumentState.REFUSED
            connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(
                    state=_unless_failed(documents.c.state, state.value),
                    reason=_unless_failed(documents.c.reason, reason),
                    approved_by="",
                    updated_at=now(),
                )
            )

    def repoint(self, document_id: str, original_id: str) -> None:
        """Let a duplicate be that of another document."""
        with self._database.write() as connection:
            connection.execute(update(documents).where(documents.c.id == document_id).values(duplicate_of=original_id))

    def touch(self, document_id: str, *, size_bytes: int, modified_ns: int, changed_ns: int) -> None:
        """Note that a file with the same content has new file times."""
        with self._database.write() as connection:
            connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(read_bytes=size_bytes, modified_ns=modified_ns, changed_ns=changed_ns)
            )

    def relabel(
        self, document_id: str, labels: FileLabels, *, settled: bool = True, source: Source | None = None
    ) -> None:
        """Change who may see a document, from the next question on.

        Args:
            settled: The index agrees.
            source: As it was when these labels were found. Without it they are nobody's, whatever it says by now.

        Raises:
            Conflict: The source is gone, or no longer labels and reviews as `source` does: a label that was taken back
                must not come back.
        """
        with self._database.write() as connection:
            if source is not None:
                _require_unchanged(connection, source)
            its = select(documents.c.source_id, documents.c.path).where(documents.c.id == document_id)
            row = connection.execute(its).first()
            bounded = labels if row is None else self._bounds.bounded(row.source_id, row.path, labels)
            put_labels(connection, document_id, bounded, settled=settled and bounded == labels)

    @contextmanager
    def looked_at(self, source_id: str) -> Iterator[None]:
        """While a sync works by what it found of a source, what `narrow` takes away is not given again.

        Raises CatalogUnavailable: something that was taken away could not be written down yet.
        """
        self._owed.settle()
        with self._bounds.during(source_id):
            yield

    def may_be_in_sight(self, source_id: str, paths: Sequence[str]) -> frozenset[str]:
        """Those of the files of a source of which there is a document; any, while a sync may be making one."""
        if self._bounds.applies_to(source_id):
            return frozenset(paths)
        by_id = {document_id(source_id, path): path for path in paths}
        wanted, found = list(by_id), set[str]()
        with self._database.read() as connection:
            for part in portions(wanted):
                some = documents.c.id.in_(part)
                known = select(documents.c.id).where(some, documents.c.state != DocumentState.GONE.value)
                found.update(connection.execute(known).scalars())
        return frozenset(by_id[document] for document in found)

    def narrow(self, source_id: str, labels: Mapping[str, frozenset[str]], levels: Levels, *, bind: bool) -> None:
        """From the next question on, let nobody see documents whom the labels of their files do not admit.

        What is in a container goes with it. Nobody gains anything: that is for a sync, as is telling the index.

        Args:
            source_id: Of their source.
            labels: Of the files, by path.
            levels: The levels of classification.
            bind: This is what the files say now: a sync that looked at them before gives nobody more either.

        Raises:
            CatalogUnavailable: It could not be written down. Until it is, no reader is shown anything.
        """
        with self._owed.unless_written(source_id, labels, levels):
            self._narrow_now(source_id, labels, levels, bind=bind)
        if bind:
            self._owed.say_now(source_id, labels)

    def _narrow_now(
        self, source_id: str, labels: Mapping[str, frozenset[str]], levels: Levels, *, bind: bool = True
    ) -> None:
        paths = list(labels)
        for part in portions(paths):
            some = {path: labels[path] for path in part}
            with self._database.write() as connection:
                if bind:
                    self._bounds.set(source_id, some, levels)
                _narrow(connection, source_id, some, levels)

    def forget_judgement(self, document_ids: Sequence[str]) -> None:
        """Let the next sync read these files again, whatever was said of them before."""
        with self._database.write() as connection:
            for part in portions(document_ids):
                connection.execute(
                    update(documents)
                    .where(documents.c.id.in_(part))
                    .values(judged="", parser="", attempts=0, retry_at=None)
                )

    def current_versions(self) -> dict[str, int]:
        """Chunks per current version: what the index should hold."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(versions.c.id, versions.c.chunk_count)
                .join(documents, documents.c.version_id == versions.c.id)
                .where(documents.c.state != DocumentState.GONE.value, versions.c.chunk_count > 0)
            )
            return {row.id: row.chunk_count for row in rows}

    def version_chunks(self, version_id: str) -> tuple[list[Chunk], frozenset[str]]:
        """The chunks of a version in order, and the label of its document. For rebuilding the index."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(chunks).where(chunks.c.version_id == version_id).order_by(chunks.c.number)
            ).all()
            labels = labels_of(connection, [rows[0].document_id]) if rows else {}
        found = [chunk_of(row) for row in rows]
        return found, labels.get(found[0].document_id, frozenset()) if found else frozenset()

    def document_chunks(self, document_id: str) -> list[Chunk]:
        """The chunks of every version of a document."""
        with self._database.read() as connection:
            rows = connection.execute(select(chunks).where(chunks.c.document_id == document_id))
            return [chunk_of(row) for row in rows]

    def stored_version(self, version_id: str) -> tuple[Version, str, str, Signature]:
        """A version with its title, media type and signature, whoever may see it. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(versions).where(versions.c.id == version_id)).first()
            if row is None:
                raise NotFound
            bands = connection.execute(
                select(version_bands.c.value)
                .where(version_bands.c.version_id == version_id)
                .order_by(version_bands.c.band)
            )
            return version_of(row), row.title, row.media_type, Signature(row.signature, tuple(bands.scalars()))

    def next_retry(self, source_id: str, *, after: datetime | None = None) -> datetime | None:
        """When the first of the failed files of a source is to be tried again; of those due later than `after`."""
        due = documents.c.retry_at.is_not(None) if after is None else documents.c.retry_at > after
        query = (
            select(documents.c.retry_at)
            .where(documents.c.source_id == source_id, documents.c.state == DocumentState.FAILED.value, due)
            .order_by(documents.c.retry_at)
            .limit(1)
        )
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
            return found

    def _bounded(self, outcome: FileOutcome) -> FileOutcome:
        """The outcome, for nobody whom the file was seen not to admit since its sync looked at it."""
        seen_by = outcome.groups if outcome.seen_by is None else outcome.seen_by
        labels = FileLabels(outcome.groups, seen_by)
        bounded = self._bounds.bounded(outcome.source_id, outcome.path, labels)
        if bounded == labels:
            return outcome
        return replace(outcome, groups=bounded.file, seen_by=bounded.in_force)

    def _facts(self, *conditions: Any) -> list[FileFacts]:
        query = (
            select(documents, versions.c.sha256.label("in_force_sha256"))
            .join(versions, versions.c.id == documents.c.version_id, isouter=True)
            .where(documents.c.state != DocumentState.GONE.value, *conditions)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(documents.c.path, documents.c.member)).all()
            labels = file_labels_of(connection, rows)
        return [
            FileFacts(
                document_id=row.id,
                source_id=row.source_id,
                path=row.path,
                member=row.member,
                title=row.title,
                container_id=row.container_id,
                state=DocumentState(row.state),
                reason=row.reason,
                size_bytes=row.read_bytes,
                modified_ns=row.modified_ns,
                changed_ns=row.changed_ns,
                sha256=row.sha256,
                parser=row.parser,
                judged=row.judged,
                settled=row.settled,
                labels=labels[row.id],
                held_sha256=row.sha256 if row.version_id is None else row.in_force_sha256 or "",
                version_id=row.version_id,
                pending_version_id=row.pending_version_id,
                attempts=row.attempts,
                retry_at=row.retry_at,
                duplicate_of=row.duplicate_of,
            )
            for row in rows
        ]


def _unless_failed(column: Any, value: str) -> Any:
    """A value for `column`, which a document keeps whose file could not be read since: it says why."""
    return case((documents.c.sha256 == "", column), else_=value)


def _is_pending(version_id: str | None) -> Any:
    """That a version waits for a curator: this one, or any."""
    pending = documents.c.pending_version_id
    return pending.is_not(None) if version_id is None else pending == version_id


def _judge_anew(connection: Connection, outcome: FileOutcome) -> bool:
    """Note how the file ended on a document that has a version, which stays as it is; returns whether it has one."""
    changed = connection.execute(
        update(documents)
        .where(
            documents.c.id == outcome.document_id,
            or_(documents.c.version_id.is_not(None), documents.c.duplicate_of.is_not(None)),
        )
        .values(
            state=outcome.state.value,
            reason=outcome.reason,
            modified_ns=outcome.modified_ns,
            changed_ns=outcome.changed_ns,
            judged=outcome.judged,
            sha256="",  # of the content as it is now nobody knows
            attempts=outcome.attempts,
            retry_at=outcome.retry_at,
            updated_at=now(),
        )
    )
    if changed.rowcount == 0:
        return False
    put_file_label(connection, outcome.document_id, outcome.groups)
    return True


def _narrow(connection: Connection, source_id: str, wanted: Mapping[str, frozenset[str]], levels: Levels) -> None:
    files = [document_id(source_id, path) for path in wanted]
    rows = connection.execute(
        select(documents.c.id, documents.c.path, documents.c.label, documents.c.pending_version_id).where(
            or_(documents.c.id.in_(files), documents.c.container_id.in_(files)),
            documents.c.state != DocumentState.GONE.value,
        )
    ).all()
    held = file_labels_of(connection, rows)
    narrowed = cache(levels.narrowed)  # most of them have the same labels
    stays = {row.id: narrowed(held[row.id], wanted[row.path]) for row in rows}
    narrower = {document: labels for document, labels in stays.items() if labels != held[document]}
    put_narrower(connection, narrower, {row.id: row.pending_version_id for row in rows if row.pending_version_id})


def _require_unchanged(connection: Connection, source: Source) -> None:
    """Raises Conflict when a source is gone or going, or no longer labels and reviews as it did."""
    row = connection.execute(select(sources).where(sources.c.id == source.id)).first()
    if row is None or row.removing:
        raise Conflict("The source was removed while its files were being read. Nothing was stored.")
    now_is = source_of(row)
    judging = ("groups", "level", "rules", "share", "curated")
    if any(getattr(now_is, name) != getattr(source, name) for name in judging):
        raise Conflict(f"'{source.name}' was changed while its files were being read. Sync it again.")


def _put_document(connection: Connection, outcome: FileOutcome, *, version_id: str | None, settled: bool) -> None:
    values: dict[str, Any] = {
        "source_id": outcome.source_id,
        "path": outcome.path,
        "member": outcome.member,
        "container_id": outcome.container_id,
        "title": outcome.title,
        "media_type": outcome.media_type,
        "state": outcome.state.value,
        "reason": outcome.reason,
        "size_bytes": outcome.size_bytes,
        "read_bytes": outcome.size_bytes,
        "modified_ns": outcome.modified_ns,
        "changed_ns": outcome.changed_ns,
        "sha256": outcome.sha256,
        "parser": outcome.parser,
        "judged": outcome.judged,
        "label": dump(sorted(outcome.groups)),
        "settled": settled,
        "attempts": outcome.attempts,
        "retry_at": outcome.retry_at,
        "thread": outcome.thread,
        "duplicate_of": outcome.duplicate_of,
        "updated_at": now(),
        "version_id": version_id,
    }
    changed = connection.execute(update(documents).where(documents.c.id == outcome.document_id).values(**values))
    if changed.rowcount == 0:
        known = connection.execute(select(sources.c.id).where(sources.c.id == outcome.source_id)).first()
        if known is None:
            raise Conflict("The source was removed while its files were being read. Nothing was stored.")
        connection.execute(insert(documents).values(id=outcome.document_id, approved_by="", **values))
    put_groups(connection, outcome.document_id, outcome.groups if outcome.seen_by is None else outcome.seen_by)


def _put_version(
    connection: Connection, outcome: FileOutcome, version: Version, new_chunks: Sequence[Chunk], signature: Signature
) -> None:
    connection.execute(delete(chunks).where(chunks.c.version_id == version.id))
    connection.execute(delete(versions).where(versions.c.id == version.id))
    row = version_row(version, outcome.title, outcome.media_type, signature.values)
    row |= {"chunk_count": len(new_chunks), "modified_ns": outcome.modified_ns}
    connection.execute(insert(versions).values(**row))
    if signature.bands:
        bands = [{"version_id": version.id, "band": band, "value": value} for band, value in enumerate(signature.bands)]
        connection.execute(insert(version_bands), bands)
    if new_chunks:
        connection.execute(insert(chunks), [chunk_row(chunk) for chunk in new_chunks])


def _put_in_force(connection: Connection, document_id: str, version_id: str) -> None:
    moment = now()
    count_change(connection)
    connection.execute(
        update(versions).where(versions.c.id == version_id).values(published_at=moment, superseded_at=None)
    )
    _supersede(connection, document_id, version_id, moment)


def _keep_label(connection: Connection, document_id: str) -> None:
    """Note on the version in force whom it is shown to, before another one is, which may be shown to more."""
    query = select(documents.c.version_id).where(documents.c.id == document_id)
    version_id = connection.execute(query).scalar()
    if version_id is not None:
        put_version_groups(connection, document_id, version_id, _seen_by(connection, document_id))


def _seen_by(connection: Connection, document_id: str) -> frozenset[str]:
    return labels_of(connection, [document_id]).get(document_id, frozenset())


def _supersede(connection: Connection, document_id: str, but: str | None, moment: datetime | None = None) -> None:
    """The versions of a document that were in force are no longer, but for one."""
    superseded = connection.execute(
        update(versions)
        .where(
            versions.c.document_id == document_id,
            versions.c.id != (but or ""),
            versions.c.published_at.is_not(None),
            versions.c.superseded_at.is_(None),
        )
        .values(superseded_at=moment or now())
    )
    if superseded.rowcount:
        count_change(connection)


def _drop_texts(connection: Connection, document_id: str) -> None:
    """Remove what a document said, its title and what tells its likes included; that it was there stays on record."""
    its = versions.c.document_id == document_id
    connection.execute(delete(chunks).where(chunks.c.document_id == document_id))
    connection.execute(delete(version_bands).where(version_bands.c.version_id.in_(select(versions.c.id).where(its))))
    connection.execute(update(versions).where(its).values(title="", facts=dump({}), signature=b""))


def _drop_pending(connection: Connection, document_id: str) -> None:
    """Forget a version that waits for review, its text included."""
    never_published = select(versions.c.id).where(
        versions.c.document_id == document_id, versions.c.published_at.is_(None)
    )
    connection.execute(delete(chunks).where(chunks.c.version_id.in_(never_published)))
    connection.execute(delete(versions).where(versions.c.document_id == document_id, versions.c.published_at.is_(None)))
    connection.execute(
        update(documents).where(documents.c.id == document_id).values(pending_version_id=None, approved_by="")
    )
