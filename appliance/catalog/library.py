"""Documents as people see them: the inventory of those who run the appliance, and what a reader may see.

A reader's question always carries an `AccessFilter`; what it does not admit is not there, nor is a version that no
curator has released: what is told of a document, its times included, is of the version in force. A version that was
replaced is there for those whom the label of the document admits, and that which the version had last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, false, func, or_, select, true
from sqlalchemy import text as sql

from appliance.catalog.owed import ForReaders
from appliance.catalog.tables import (
    ADMITTED,
    admitted,
    admitted_as,
    chunk_of,
    chunks,
    document_of,
    documents,
    facts_of,
    labels_of,
    listed,
    portions,
    readable,
    sources,
    version_bands,
    version_labels,
    version_of,
    versions,
)
from appliance.domain import AccessFilter, Chunk, Document, DocumentState, Version, shown_path
from appliance.errors import NotFound

_MAX_RELATED = 100
_AT_A_STEP = 20_000  # passages: some 30 MB
_COUNTED = sql("SELECT count(*) FROM chunks NOT INDEXED WHERE rowid > :start AND rowid <= :end")

# Every search asks these. They are made once: to make one takes as long as to execute it.
_ADMITTED_DOCUMENTS = select(documents.c.id).where(
    documents.c.id.in_(listed("ids")), documents.c.version_id.is_not(None), ADMITTED
)
_ADMITTED_CHUNKS = (
    select(chunks.c.id, chunks.c.document_id)
    .join(documents, documents.c.id == chunks.c.document_id)
    .where(chunks.c.id.in_(listed("ids")), documents.c.version_id == chunks.c.version_id, ADMITTED)
)
_PUBLISHED_CHUNKS = (
    select(
        chunks,
        documents.c.title,
        documents.c.path,
        documents.c.member,
        documents.c.version_id.label("current_version"),
        versions.c.sha256,
        versions.c.facts,
        versions.c.signature,
        sources.c.name.label("source"),
    )
    .join(documents, documents.c.id == chunks.c.document_id)
    .join(versions, versions.c.id == chunks.c.version_id)
    .join(sources, sources.c.id == documents.c.source_id)
    .where(
        chunks.c.id.in_(listed("ids")),
        documents.c.version_id.is_not(None),
        versions.c.published_at.is_not(None),
        ADMITTED,
    )
)
_EDITIONS: Select[Any] = (
    select(
        documents.c.id,
        documents.c.title,
        documents.c.path,
        documents.c.member,
        versions.c.facts,
        versions.c.signature,
        sources.c.name.label("source"),
    )
    .join(versions, versions.c.id == documents.c.version_id)
    .join(sources, sources.c.id == documents.c.source_id)
    .where(documents.c.id.in_(listed("ids")), ADMITTED)
)
_VISIBLE_CHUNKS = _PUBLISHED_CHUNKS.where(readable(listed("groups")))
_CURRENT_CHUNKS = _PUBLISHED_CHUNKS.where(documents.c.version_id == chunks.c.version_id)  # readable, being in force


def _asked(ids: Iterable[str], access: AccessFilter) -> Iterator[dict[str, list[str]]]:
    """What a statement is asked about these for a reader, in portions that one statement can carry."""
    wanted, groups = list(dict.fromkeys(ids)), sorted(access.groups)
    for part in portions(wanted):
        yield {"ids": part, "groups": groups}


@dataclass(frozen=True, slots=True)
class ChunkInContext:
    """A chunk with what a citation shows beside it, and what tells its version from other editions of the same.

    `current` is False for a superseded version; `dated` is the day (ISO 8601) that the document itself says it was
    changed or made, empty when it does not; `signature` tells documents that are much alike.
    """

    chunk: Chunk
    title: str
    path: str
    source: str
    version_sha256: str
    current: bool
    dated: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Edition:
    """What a document in force is called, and what tells it from other editions of the same, as in `ChunkInContext`."""

    document_id: str
    title: str
    path: str
    source: str
    dated: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """A page of the library: the documents, and how many there are in all that the reader may see."""

    documents: tuple[Document, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Release:
    """A version with the time from which it was the document."""

    version: Version
    published_at: datetime
    title: str


@dataclass(frozen=True, slots=True)
class Similar:
    """A document much like another one. `signature` of it, to estimate how much the two share."""

    document: Document
    signature: bytes


class LibraryCatalog(ForReaders):
    """What there is, by state and reason for admins, by title and text for those who may read it."""

    # documents, as the admin sees them: states and reasons, never text

    def states(self, source_id: str | None = None) -> dict[DocumentState, int]:
        """How many files are in each state."""
        query = select(documents.c.state, func.count()).group_by(documents.c.state)
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        with self._database.read() as connection:
            return {DocumentState(state): count for state, count in connection.execute(query)}

    def readings(self) -> dict[tuple[str, str], int]:
        """How many documents were read in which way (`ingest.plan.Judge.reading`), by source and that way."""
        each = (documents.c.source_id, documents.c.parser)
        query = select(*each, func.count()).where(documents.c.state == DocumentState.INDEXED.value).group_by(*each)
        with self._database.read() as connection:
            return {(source, reading): count for source, reading, count in connection.execute(query)}

    def turned_down(self) -> int:
        """How many of the files that are refused a curator turned down, as `ingest.plan.is_turned_down` knows them."""
        by_a_curator = (documents.c.parser != "") & documents.c.version_id.is_(None)
        query = select(func.count()).where(documents.c.state == DocumentState.REFUSED.value, by_a_curator)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def inventory(
        self,
        *,
        source_id: str | None,
        state: DocumentState | None,
        text: str,
        limit: int,
        offset: int,
        latest_first: bool = False,
    ) -> LibraryPage:
        """Every file with its state, for those who run the appliance, by path or by when it was looked at last.

        Filters are optional.

        Titles come from within the documents: neither what `text` matches nor the order may tell of them.
        """
        query = select(documents)
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        if state is not None:
            query = query.where(documents.c.state == state.value)
        found = _matching(query, text, documents.c.path, documents.c.member)
        order = documents.c.updated_at.desc() if latest_first else func.lower(documents.c.path)
        with self._database.read() as connection:
            return _page(connection, found, order, limit, offset)

    # what a reader may see

    def library(
        self, access: AccessFilter, *, text: str, source_id: str | None, limit: int, offset: int
    ) -> LibraryPage:
        """The documents a reader may see, by title. `text` matches title and path, of a document or of a copy of it."""
        query = select(documents).where(documents.c.version_id.is_not(None), admitted(access))
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        named = (documents.c.title, documents.c.path, documents.c.member)
        copies = select(documents.c.duplicate_of).where(documents.c.duplicate_of.is_not(None), admitted(access))
        by_copy = _matching(copies, text, *named).correlate(None)
        found = query.where(or_(_holds(text, *named), documents.c.id.in_(by_copy))) if text.strip() else query
        with self.for_reader() as connection:
            page = _page(connection, found, func.lower(documents.c.title), limit, offset)
            return replace(page, documents=tuple(_as_in_force(connection, page.documents)))

    def visible_source_ids(self, access: AccessFilter) -> frozenset[str]:
        """The sources that hold at least one document the reader may see."""
        query = select(documents.c.source_id).where(documents.c.version_id.is_not(None), admitted(access)).distinct()
        with self.for_reader() as connection:
            return frozenset(connection.execute(query).scalars())

    def admitted_documents(self, document_ids: Iterable[str], access: AccessFilter) -> frozenset[str]:
        """Those of the given documents that the reader may see now."""
        found: set[str] = set()
        with self.for_reader() as connection:
            for asked in _asked(document_ids, access):
                found.update(connection.execute(_ADMITTED_DOCUMENTS, asked).scalars())
        return frozenset(found)

    def editions(self, document_ids: Iterable[str], access: AccessFilter) -> list[Edition]:
        """What those of the given documents are called that the reader may see now, in the order of their ids."""
        found: list[Edition] = []
        with self.for_reader() as connection:
            for asked in _asked(document_ids, access):
                for row in connection.execute(_EDITIONS, asked).all():
                    path = shown_path(row.path, row.member)
                    dated = facts_of(row).dated
                    found.append(Edition(row.id, row.title, path, row.source, dated, row.signature))
        return sorted(found, key=lambda edition: edition.document_id)

    def document(self, document_id: str, access: AccessFilter) -> Document:
        """One document. Raises NotFound, the same for an unknown one and for one the reader may not see."""
        with self.for_reader() as connection:
            row = connection.execute(
                select(documents).where(
                    documents.c.id == document_id, documents.c.version_id.is_not(None), admitted(access)
                )
            ).first()
            if row is None:
                raise NotFound
            [found] = _as_in_force(connection, [document_of(row, labels_of(connection, [row.id]))])
            return found

    def version(self, version_id: str, access: AccessFilter) -> Version:
        """One version, current or superseded, of a document the reader may see. Raises NotFound."""
        with self.for_reader() as connection:
            return _visible_version(connection, version_id, access)

    def passages(self, version_id: str, access: AccessFilter, *, limit: int, offset: int) -> list[Chunk]:
        """The chunks of a version in order. Raises NotFound."""
        with self.for_reader() as connection:
            _visible_version(connection, version_id, access)  # in the same transaction: no label changes in between
            rows = connection.execute(
                select(chunks)
                .where(chunks.c.version_id == version_id)
                .order_by(chunks.c.number)
                .limit(limit)
                .offset(offset)
            )
            return [chunk_of(row) for row in rows]

    def admitted_chunks(self, chunk_ids: Iterable[str], access: AccessFilter) -> dict[str, str]:
        """The document of each of the given chunks that the reader may see now and that is in force, by chunk id."""
        found: dict[str, str] = {}
        with self.for_reader() as connection:
            for asked in _asked(chunk_ids, access):
                found |= dict(connection.execute(_ADMITTED_CHUNKS, asked).all())
        return found

    def closed_chunks(self, chunk_ids: Iterable[str], access: AccessFilter) -> frozenset[str]:
        """Those of the given chunks, in force and under a label that is settled, that the reader may not see.

        An index that brings one has another idea of its label than the catalog. Of a source that is being removed it
        may have: whoever was at work on it may have settled its documents once more.
        """
        wanted = list(dict.fromkeys(chunk_ids))
        going = select(sources.c.id).where(sources.c.removing.is_(True))
        found: set[str] = set()
        with self.for_reader() as connection:
            for part in portions(wanted):
                query = (
                    select(chunks.c.id)
                    .join(documents, documents.c.id == chunks.c.document_id)
                    .where(
                        chunks.c.id.in_(part),
                        documents.c.version_id == chunks.c.version_id,
                        documents.c.settled.is_(True),
                        documents.c.source_id.not_in(going),
                        ~admitted(access),
                    )
                )
                found.update(connection.execute(query).scalars())
        return frozenset(found)

    def visible_chunks(
        self, chunk_ids: Iterable[str], access: AccessFilter, *, current_only: bool
    ) -> dict[str, ChunkInContext]:
        """Those of the given chunks that the reader may see now, by id; with `current_only` no superseded ones."""
        query = _CURRENT_CHUNKS if current_only else _VISIBLE_CHUNKS
        found: dict[str, ChunkInContext] = {}
        with self.for_reader() as connection:
            for asked in _asked(chunk_ids, access):
                for row in connection.execute(query, asked).all():
                    found[row.id] = ChunkInContext(
                        chunk=chunk_of(row),
                        title=row.title,
                        path=shown_path(row.path, row.member),
                        source=row.source,
                        version_sha256=row.sha256,
                        current=row.current_version == row.version_id,
                        dated=facts_of(row).dated,
                        signature=row.signature,
                    )
        return found

    def read_through(self) -> Iterator[int]:
        """Read every passage once, so that the system has in memory what searches will read; how many at each step."""
        with self._database.read() as connection:
            last = connection.execute(sql("SELECT max(rowid) FROM chunks")).scalar() or 0
        for start in range(0, last, _AT_A_STEP):
            with self._database.read() as connection:
                yield connection.execute(_COUNTED, {"start": start, "end": start + _AT_A_STEP}).scalar_one()
        with self._database.read() as connection:  # the index by which they are found, which lies between them
            connection.execute(select(func.count()).where(chunks.c.id > ""))

    # how documents hang together

    def coverage(self, document_id: str) -> tuple[Document, Version | None]:
        """A file, and its version in force or else the one in review: its pages, for admins. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(documents).where(documents.c.id == document_id)).first()
            if row is None:
                raise NotFound
            wanted = row.version_id or row.pending_version_id or ""
            version = connection.execute(select(versions).where(versions.c.id == wanted)).first()
            return document_of(row, labels_of(connection, [row.id])), version_of(version) if version else None

    def history(self, document_id: str, access: AccessFilter) -> list[Release]:
        """The versions a document had, newest first, as far as the reader may see them. Raises NotFound."""
        self.document(document_id, access)
        query = (
            select(versions)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(
                versions.c.document_id == document_id,
                versions.c.published_at.is_not(None),
                admitted(access),
                readable(sorted(access.groups)),
            )
            .order_by(versions.c.published_at.desc(), versions.c.id)
        )
        with self.for_reader() as connection:
            return [Release(version_of(row), row.published_at, row.title) for row in connection.execute(query)]

    def copies(self, document_id: str, access: AccessFilter) -> list[Document]:
        """The documents that are kept as duplicates of one; they carry its label."""
        return self._related(documents.c.duplicate_of == document_id, admitted(access))

    def members_of(self, document_id: str, access: AccessFilter) -> list[Document]:
        """The files in a container that the reader may see."""
        return self._related(
            documents.c.container_id == document_id, documents.c.version_id.is_not(None), admitted(access)
        )

    def thread_of(self, document_id: str, access: AccessFilter) -> list[Document]:
        """The other mails of a mail's conversation that the reader may see."""
        with self.for_reader() as connection:
            row = connection.execute(
                select(documents.c.thread, documents.c.source_id).where(documents.c.id == document_id)
            ).first()
        if row is None or not row.thread:
            return []
        return self._related(
            documents.c.thread == row.thread,
            documents.c.source_id == row.source_id,
            documents.c.id != document_id,
            documents.c.version_id.is_not(None),
            admitted(access),
        )

    def candidates(self, version_id: str, access: AccessFilter) -> tuple[bytes, list[Similar]]:
        """The signature of a version, and the documents that may be much like it, as far as the reader may see them."""
        own = select(version_bands.c.band, version_bands.c.value).where(version_bands.c.version_id == version_id)
        band = own.subquery()
        query = (
            select(documents, versions.c.signature)
            .join(versions, versions.c.id == documents.c.version_id)
            .join(version_bands, version_bands.c.version_id == versions.c.id)
            .join(band, (band.c.band == version_bands.c.band) & (band.c.value == version_bands.c.value))
            .where(versions.c.id != version_id, admitted(access))
            .distinct()
            .limit(_MAX_RELATED)
        )
        with self.for_reader() as connection:
            signature = connection.execute(select(versions.c.signature).where(versions.c.id == version_id)).scalar()
            rows = connection.execute(query).all()
            labels = labels_of(connection, [row.id for row in rows])
        return signature or b"", [Similar(document_of(row, labels), row.signature) for row in rows]

    # what waits for a curator

    def pending(self, access: AccessFilter, *, limit: int, offset: int) -> LibraryPage:
        """The documents of which a version waits that the curator may read, by path."""
        query = select(documents).where(
            _in_review(), admitted_as(documents.c.pending_version_id, sorted(access.groups))
        )
        with self.for_reader() as connection:
            page = _page(connection, query, func.lower(documents.c.path), limit, offset)
            labels = version_labels(connection, [item.pending_version_id or "" for item in page.documents])
        return replace(page, documents=tuple(_as_pending(item, labels) for item in page.documents))

    def pending_count(self) -> int:
        """How many documents wait for review, whoever may read them."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(documents).where(_in_review())).scalar_one())

    def released_copies(self, version_ids: Sequence[str], access: AccessFilter) -> Mapping[str, list[Document]]:
        """The other documents in force with the very bytes of each version in question that the curator may read."""
        waiting, same = versions.alias(), versions.alias()
        query = (
            select(waiting.c.id.label("waiting"), documents)
            .join(same, same.c.sha256 == waiting.c.sha256)
            .join(documents, documents.c.version_id == same.c.id)
            .where(waiting.c.id.in_(version_ids), documents.c.id != waiting.c.document_id, admitted(access))
            .order_by(documents.c.path, documents.c.member, documents.c.id)
        )
        found: dict[str, list[Document]] = {}
        with self.for_reader() as connection:
            rows = connection.execute(query).all()
            labels = labels_of(connection, [row.id for row in rows])
        for row in rows:
            found.setdefault(row.waiting, []).append(document_of(row, labels))
        return found

    def pending_document(
        self, document_id: str, access: AccessFilter, *, limit: int
    ) -> tuple[Document, Release, list[Chunk]]:
        """A document as the version in question would make it, that version and its first passages. Raises NotFound."""
        with self.for_reader() as connection:
            row = connection.execute(
                select(documents).where(
                    documents.c.id == document_id, admitted_as(documents.c.pending_version_id, sorted(access.groups))
                )
            ).first()
            if row is None:
                raise NotFound
            version = connection.execute(select(versions).where(versions.c.id == row.pending_version_id)).one()
            passages = connection.execute(
                select(chunks).where(chunks.c.version_id == version.id).order_by(chunks.c.number).limit(limit)
            )
            found = _as_pending(document_of(row, {}), version_labels(connection, [version.id]))
            return (
                replace(found, title=version.title, media_type=version.media_type, size_bytes=row.read_bytes),
                Release(version_of(version), version.created_at, version.title),
                [chunk_of(item) for item in passages],
            )

    def _related(self, *conditions: Any) -> list[Document]:
        query = select(documents).where(*conditions).order_by(documents.c.path, documents.c.member).limit(_MAX_RELATED)
        with self.for_reader() as connection:
            rows: Sequence[Any] = connection.execute(query).all()
            labels = labels_of(connection, [row.id for row in rows])
        return [document_of(row, labels) for row in rows]


def _page(
    connection: Connection, query: Select[Any], order: ColumnElement[Any], limit: int, offset: int
) -> LibraryPage:
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    ordered = query.order_by(order, documents.c.path, documents.c.member, documents.c.id)
    rows = connection.execute(ordered.limit(limit).offset(offset)).all()
    labels = labels_of(connection, [row.id for row in rows])
    return LibraryPage(documents=tuple(document_of(row, labels) for row in rows), total=total)


def _as_in_force(connection: Connection, found: Sequence[Document]) -> list[Document]:
    """These documents with the times of their versions in force: when they became it, and when its file was written.

    Those of the file as it is now would tell that a later version waits, or was turned down, or could not be read.
    """
    times: dict[str, Any] = {}
    for part in portions(found):
        wanted = [document.version_id for document in part]
        query = select(versions.c.id, versions.c.published_at, versions.c.modified_ns)
        times |= {row.id: row for row in connection.execute(query.where(versions.c.id.in_(wanted)))}
    return [
        replace(document, updated_at=own.published_at or document.updated_at, modified_ns=own.modified_ns)
        for document in found
        if (own := times.get(document.version_id or "")) is not None
    ]


def _as_pending(document: Document, labels: Mapping[str, frozenset[str]]) -> Document:
    """A document with the label of its version in question."""
    return replace(document, groups=labels.get(document.pending_version_id or "", frozenset()))


def _in_review() -> Any:
    return documents.c.pending_version_id.is_not(None) & (documents.c.approved_by == "")


def _visible_version(connection: Connection, version_id: str, access: AccessFilter) -> Version:
    row = connection.execute(
        select(versions)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(
            versions.c.id == version_id,
            versions.c.published_at.is_not(None),
            documents.c.version_id.is_not(None),
            admitted(access),
            readable(sorted(access.groups)),
        )
    ).first()
    if row is None:
        raise NotFound
    return version_of(row)


def _matching(query: Select[Any], text: str, *columns: Column[str]) -> Select[Any]:
    """Narrow to documents that hold every word of `text` in one of `columns`, upper and lower case alike."""
    return query.where(_holds(text, *columns))


def _holds(text: str, *columns: Column[str]) -> Any:
    """Whether every word of `text` stands in one of `columns`."""
    if "\0" in text:  # where SQLite would end the pattern: no name has it
        return false()
    patterns = ("%" + word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%" for word in text.split())
    return and_(true(), *(or_(*(column.ilike(pattern, escape="\\") for column in columns)) for pattern in patterns))
