"""Changes what catalog and index hold of one document, each time in the order that keeps readers safe and served.

Rules this module keeps:

1. A new version is written to the index first, made current in the catalog second, and the old one removed third:
   there is no moment without a valid version.
2. Who loses sight of a document loses it in the catalog first, which decides what a reader is shown; who gains it,
   gains it in the index first. Until both agree the document is not settled, and the next run completes it.
   No label is given that its source has taken back meanwhile: that is looked at in the transaction that would give it.
3. Who gains sight of a document gains it of what the file says under its new label. What it said before is for those
   whom both labels admit, until the file is read.
4. What is kept once for several documents (duplicates) is handed over before the one that has it lets go of it.
5. Nothing of a document that goes stays: first nobody sees it, then cache and index forget it, and that is counted;
   then its text goes and the receipt is kept, in one transaction. Cut short before, the next run does all of it again.
6. The vectors of a text that leaves the index leave the cache. One that stands elsewhere too is computed again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event

from appliance.catalog import Catalog, FileFacts, FileOutcome, Receipt, Signature
from appliance.domain import Chunk, DocumentState, Source, Version, chunk_id, version_id
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder
from appliance.labels import LEVELS_AS_DELIVERED, FileLabels, Levels
from ingest.chunk import retitled
from ingest.embed import embed_and_index
from ingest.embedding_cache import forget
from ingest.names import document_names, names_of_version
from ingest.reconcile import drop_surplus


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that was read: what becomes of its document, its chunks, and what tells its near-duplicates."""

    outcome: FileOutcome
    version: Version
    chunks: Sequence[Chunk]
    signature: Signature
    before: FileFacts | None


NOBODY: frozenset[str] = frozenset()
"""The label of chunks that are not in force: no search meets them."""


class Holdings:
    """Catalog and index, changed together."""

    def __init__(
        self, catalog: Catalog, index: VectorIndex, embedder: Embedder, levels: Levels = LEVELS_AS_DELIVERED
    ) -> None:
        self._catalog = catalog
        self._index = index
        self._embedder = embedder
        self._levels = levels

    def publish(self, new: NewVersion, source: Source) -> None:
        """Put a version that the index holds in force, and remove the one before.

        Args:
            new: The version, and what is known of its document by now.
            source: As it was when the document was read.

        Raises:
            Conflict: The source was removed or changed meanwhile; the version is not put in force.
        """
        outcome, version, before = new.outcome, new.version, new.before
        old = before.version_id if before else None
        if before is not None and old is not None:
            self._hand_over(before, source, unless_sha256=version.sha256)
        replaced = self._texts(old)
        try:
            self._catalog.publish(outcome, version, new.chunks, new.signature, source=source)
        except Conflict:
            if old != version.id:
                self.discard(new)
            raise
        forget(self._embedder, replaced - _embedded_texts(new.chunks))
        if old is not None and old != version.id:
            self._index.delete_version(old)

    def unveil(self, new: NewVersion, source: Source) -> None:
        """Let the index admit to a version whom its label admits, right before it is put in force.

        Raises:
            Conflict: As `publish`.
        """
        before = new.before
        if before is not None and before.version_id == new.version.id:
            self._catalog.relabel(before.document_id, before.labels, settled=False, source=source)
        self._index.set_groups(new.version.document_id, new.outcome.groups, version_id=new.version.id)

    def discard(self, new: NewVersion) -> None:
        """Take a version that was not put in force out of the index."""
        self._index.delete_version(new.version.id)
        self.forget(new)

    def forget(self, new: NewVersion) -> None:
        """Let the cache of embeddings forget a version that is not put in force."""
        forget(self._embedder, _embedded_texts(new.chunks))

    def keep_as_duplicate(self, outcome: FileOutcome, before: FileFacts | None, source: Source) -> None:
        """Record a document whose content is another one's: it is searched there.

        Raises:
            Conflict: As `publish`.
        """
        if before is not None and before.version_id is not None:
            self._hand_over(before, source, unless_sha256="")
            forget(self._embedder, self._texts(before.version_id))
        self._catalog.record(outcome, keep_version=False, source=source)
        if before is not None and before.version_id is not None:
            self._index.delete_document(outcome.document_id)

    def release(self, known: FileFacts, source: Source) -> None:
        """Publish the version of a document that a curator has approved.

        Raises:
            Conflict: As `publish`.
        """
        pending = known.pending_version_id or ""
        chunks, _ = self._catalog.version_chunks(pending)
        embed_and_index(chunks, NOBODY, names_of_version(self._catalog, pending), self._embedder, self._index)
        if known.version_id is not None:
            self._hand_over(known, source, unless_sha256=known.sha256)
        self._index.set_groups(known.document_id, known.labels.pending, version_id=pending)
        self._catalog.publish_pending(known.document_id, source=source)
        if known.version_id is not None:
            forget(self._embedder, self._texts(known.version_id) - _embedded_texts(chunks))
            self._index.delete_version(known.version_id)

    def labels(self, known: FileFacts, label: frozenset[str], *, as_read: bool) -> FileLabels:
        """The labels of a document once its file has the label `label`. `as_read`: it says what was read last."""
        narrowed = self._levels.narrowed(known.labels, label)
        says = known.sha256 if as_read else ""
        holds_nothing = known.version_id is None and known.duplicate_of is None
        return FileLabels(
            file=label,
            in_force=label if holds_nothing or (says and says == known.held_sha256) else narrowed.in_force,
            pending=label if says and known.pending_version_id else narrowed.pending,
        )

    def relabel(self, known: FileFacts, labels: FileLabels, source: Source) -> None:
        """Put a document under other labels, which are those of the source as `source` has it.

        Raises:
            Conflict: The source was removed or changed meanwhile. Who sees the document is as it was by then.
        """
        document = known.document_id
        if known.duplicate_of is not None:
            self._part_from_original(known, labels, source)
        elif known.version_id is None:
            self._catalog.relabel(document, labels, source=source)
        else:
            self._hand_over(known, source, unless_groups=labels.in_force)
            narrowed = replace(labels, in_force=self._levels.common(known.groups, labels.in_force))
            self._catalog.relabel(document, narrowed, settled=False, source=source)
            self._index.set_groups(document, labels.in_force, version_id=known.version_id)
            self._catalog.relabel(document, labels, source=source)

    def remove(self, source: Source, known: FileFacts, outcome: FileOutcome) -> None:
        """Nothing of a document stays, and a receipt says so.

        Raises:
            ApplianceError: The index or the cache of embeddings still holds some of it; nobody sees it any more.
        """
        receipt: Receipt | None = None
        if known.version_id is not None:
            self._hand_over(known, source)
            self._catalog.relabel(known.document_id, FileLabels.all(NOBODY), settled=False)
            receipt = self._take_out(source, known)
        self._catalog.record(outcome, keep_version=False, receipt=receipt)

    def hide_source(self, source: Source, stop: Event) -> None:
        """Let no search meet a source that waits to be removed, whose chunks would take the places of others.

        The catalog shows them to nobody already. Other sources may be synced meanwhile.
        """
        for known in self._catalog.every_file(source.id):
            if stop.is_set():
                return
            if known.version_id is not None:
                self._index.set_groups(known.document_id, NOBODY)

    def remove_source(
        self, source: Source, *, stop: Event | None = None, on_end: Callable[[Source], object] = lambda _: None
    ) -> None:
        """Nothing of a source stays, with a receipt for each of its documents. Not while any source is synced.

        `on_end` is told before the source itself is forgotten, or nobody would know that it has to be told. It may be
        told twice. Setting `stop` ends it after the document at hand; removing the source again completes it.

        Raises:
            ApplianceError: The index or the cache of embeddings still holds some of it. Nobody sees its documents any
                more; removing it again completes it.
        """
        self._catalog.hide_source(source.id)
        for known in self._catalog.every_file(source.id):
            if stop is not None and stop.is_set():
                return
            if known.version_id is not None:
                self._catalog.record(_gone(known), keep_version=False, receipt=self._take_out(source, known))
        drop_surplus(self._catalog, self._index, self._embedder)  # what a sync wrote and did not put in force
        on_end(source)
        self._catalog.remove_source(source.id)

    def _take_out(self, source: Source, known: FileFacts) -> Receipt:
        """Let the cache and the index forget a document that nobody sees any more; returns the proof."""
        document = known.document_id
        forget(self._embedder, _embedded_texts(self._catalog.document_chunks(document)))
        before = self._index.count(document_id=document)
        self._index.delete_document(document)
        after = self._index.count(document_id=document)
        if after:
            raise ApplianceError(f"The index still holds {after} chunks of a document that is to go. Try again.")
        return Receipt(
            id=str(uuid.uuid4()),
            removed_at=datetime.now(UTC),
            source=source.name,
            path=known.shown,
            document_id=document,
            version_id=known.version_id or "",
            sha256=known.sha256,
            chunks_before=before,
            chunks_after=after,
        )

    def _texts(self, version: str | None) -> frozenset[str]:
        """What the embedding model was given of a version."""
        return _embedded_texts(self._catalog.version_chunks(version)[0]) if version else frozenset()

    def _part_from_original(self, known: FileFacts, labels: FileLabels, source: Source) -> None:
        """A duplicate gets a label of its own, and with it a copy of its own, unless it agrees with the original's."""
        try:
            original = self._catalog.facts(known.duplicate_of or "")
        except NotFound:
            self._catalog.forget_judgement([known.document_id])  # the next sync reads it for itself
            original = known
        if original.groups == labels.in_force or original.version_id is None:
            self._catalog.relabel(known.document_id, labels, source=source)
            return
        narrowed = replace(labels, in_force=self._levels.common(known.groups, labels.in_force))
        self._catalog.relabel(known.document_id, narrowed, source=source)
        self._copy(original.version_id, replace(known, labels=labels), source)

    def _hand_over(
        self,
        known: FileFacts,
        source: Source,
        *,
        unless_sha256: str | None = None,
        unless_groups: frozenset[str] | None = None,
    ) -> None:
        """Give the content of a document to its duplicates, which are about to lose it.

        Args:
            known: The document.
            source: Theirs and its own, as it was when their labels were found.
            unless_sha256: The content it will have; duplicates of that stay.
            unless_groups: The label it will have; duplicates under that stay.
        """
        heir: FileFacts | None = None
        for duplicate in self._catalog.duplicates_of(known.document_id):
            if duplicate.sha256 == unless_sha256 or duplicate.groups == unless_groups:
                continue
            if heir is None or heir.groups != duplicate.groups:
                heir = duplicate
                self._copy(known.version_id or "", heir, source)
            else:
                self._catalog.repoint(duplicate.document_id, heir.document_id)

    def _copy(self, version: str, heir: FileFacts, source: Source) -> None:
        """Index a version for another document of the same content, under that one's own title.

        A title may be a file's name, and who sees the heir need not see any more what it inherits from.
        """
        stored, former_title, media_type, signature = self._catalog.stored_version(version)
        title = heir.title or former_title
        own = version_id(heir.document_id, stored.sha256, stored.parser)
        chunks = [
            replace(
                retitled(chunk, former_title, title, self._embedder),
                id=chunk_id(own, chunk.number, self._embedder.model_id),
                document_id=heir.document_id,
                version_id=own,
            )
            for chunk in self._catalog.version_chunks(version)[0]
        ]
        names = document_names(title, heir.path, heir.member)
        embed_and_index(chunks, NOBODY, names, self._embedder, self._index)
        self._index.set_groups(heir.document_id, heir.groups, version_id=own)
        outcome = FileOutcome(
            document_id=heir.document_id,
            source_id=heir.source_id,
            path=heir.path,
            member=heir.member,
            container_id=heir.container_id,
            title=title,
            media_type=media_type,
            state=DocumentState.INDEXED if heir.sha256 else heir.state,  # its file may not have been readable since
            reason="" if heir.sha256 else heir.reason,
            groups=heir.labels.file,
            seen_by=heir.groups,
            size_bytes=heir.size_bytes,
            modified_ns=heir.modified_ns,
            changed_ns=heir.changed_ns,
            sha256=heir.sha256,
            parser=heir.parser,
            judged=heir.judged,
            attempts=heir.attempts,
            retry_at=heir.retry_at,
        )
        made = replace(stored, id=own, document_id=heir.document_id, created_at=datetime.now(UTC), superseded_at=None)
        try:
            self._catalog.publish(outcome, made, chunks, signature, source=source)
        except Conflict:
            self._index.delete_version(own)
            raise


def _gone(known: FileFacts) -> FileOutcome:
    """How a document ends whose source is removed."""
    return FileOutcome(
        document_id=known.document_id,
        source_id=known.source_id,
        path=known.path,
        member=known.member,
        container_id=known.container_id,
        title=known.shown,
        media_type="application/octet-stream",
        state=DocumentState.GONE,
        reason="Its source was removed.",
        groups=frozenset(),
        size_bytes=0,
        modified_ns=0,
    )


def _embedded_texts(chunks: Iterable[Chunk]) -> frozenset[str]:
    return frozenset(chunk.embedded_text for chunk in chunks)
