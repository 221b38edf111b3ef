"""The catalog: sources, documents, versions and chunks. It is the truth; the vector index follows it.

Rules this module keeps:

1. A reader's question always carries an `AccessFilter`; what it does not admit is not there.
2. Publishing a version is one transaction: before it the old version is the document, after it the new one.
3. The text of a superseded version stays readable for old citations; the text of a document that is gone does not.
4. Nothing is silent: every file a sync saw has a row with a state and a reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from appliance.database import Database, Moment, metadata
from appliance.domain import (
    AccessFilter,
    Box,
    Chunk,
    Document,
    DocumentState,
    PageCoverage,
    Place,
    Source,
    TextMeans,
    Version,
)
from appliance.errors import Conflict, NotFound

_MAX_VARIABLES = 500  # identifiers in one statement; SQLite allows far more, plans stay small

sources = Table(
    "sources",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("path", Text, nullable=False, unique=True),
    Column("groups", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("state", String(32), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("parser", String(64), nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("version_id", String(36), nullable=True),
)

document_groups = Table(
    "document_groups",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(100), primary_key=True),
)

versions = Table(
    "versions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("parser", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("pages", Text, nullable=False),
    Column("chunk_count", Integer, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("version_id", ForeignKey("versions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("token_count", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a sync knows of a file from the last time, to tell whether it has to be read again."""

    document_id: str
    state: DocumentState
    size_bytes: int
    modified_ns: int
    sha256: str
    parser: str
    groups: frozenset[str]
    version_id: str | None


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What a sync found out about a file. `sha256` and `parser` are empty when it was never read."""

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
    sha256: str = ""
    parser: str = ""


@dataclass(frozen=True, slots=True)
class ChunkInContext:
    """A chunk with what a citation shows beside it. `current` is False for a superseded version."""

    chunk: Chunk
    title: str
    path: str
    source: str
    version_sha256: str
    current: bool


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """A page of the library: the documents, and how many there are in all that the reader may see."""

    documents: tuple[Document, ...]
    total: int


class Catalog:
    """Sources, documents, versions and chunks in SQL. Raises CatalogUnavailable when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # sources

    def add_source(self, source: Source) -> None:
        """Record a folder. Raises Conflict when its name or path is taken."""
        with self._database.write() as connection:
            connection.execute(
                insert(sources).values(
                    id=source.id,
                    name=source.name,
                    path=source.path,
                    groups=_dump(sorted(source.groups)),
                    created_at=_now(),
                )
            )

    def sources(self) -> list[Source]:
        """Every source, by name."""
        with self._database.read() as connection:
            return [_source(row) for row in connection.execute(select(sources).order_by(sources.c.name))]

    def source(self, source_id: str) -> Source:
        """One source. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(sources).where(sources.c.id == source_id)).first()
        if row is None:
            raise NotFound("There is no such source.")
        return _source(row)

    def set_source_groups(self, source_id: str, groups: frozenset[str]) -> None:
        """Change the default label of a source; the next sync relabels its documents. Raises NotFound."""
        with self._database.write() as connection:
            changed = connection.execute(
                update(sources).where(sources.c.id == source_id).values(groups=_dump(sorted(groups)))
            )
        if changed.rowcount == 0:
            raise NotFound("There is no such source.")

    def remove_source(self, source_id: str) -> None:
        """Forget a source and everything that came from it: from now on no reader sees its documents.

        The index is emptied of them afterwards. If that is cut short, the next sync of any source completes it.
        """
        with self._database.write() as connection:
            connection.execute(delete(sources).where(sources.c.id == source_id))

    # documents, as ingestion sees them

    def files(self, source_id: str) -> dict[str, FileFacts]:
        """What is known of every file of a source that is not gone, by path."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(documents).where(
                    documents.c.source_id == source_id, documents.c.state != DocumentState.GONE.value
                )
            ).all()
            labels = _labels(connection, [row.id for row in rows])
        return {
            row.path: FileFacts(
                document_id=row.id,
                state=DocumentState(row.state),
                size_bytes=row.size_bytes,
                modified_ns=row.modified_ns,
                sha256=row.sha256,
                parser=row.parser,
                groups=labels.get(row.id, frozenset()),
                version_id=row.version_id,
            )
            for row in rows
        }

    def record(self, outcome: FileOutcome, *, keep_version: bool) -> None:
        """Record how a file ended without a new version.

        With `keep_version` an earlier version stays the document's (the file could not be read this time), with its
        title, size and media type; without it the document has none any more (it is refused, or gone) and its text is
        removed.
        """
        with self._database.write() as connection:
            if keep_version and _judge_anew(connection, outcome):
                return
            _put_document(connection, outcome, version_id=None)
            if not keep_version:
                connection.execute(delete(chunks).where(chunks.c.document_id == outcome.document_id))

    def publish(self, outcome: FileOutcome, version: Version, new_chunks: Sequence[Chunk]) -> None:
        """Make `version` the document's current one, with its chunks, in one transaction."""
        with self._database.write() as connection:
            _put_document(connection, outcome, version_id=version.id)
            connection.execute(delete(chunks).where(chunks.c.version_id == version.id))
            connection.execute(delete(versions).where(versions.c.id == version.id))
            connection.execute(
                insert(versions).values(
                    id=version.id,
                    document_id=version.document_id,
                    sha256=version.sha256,
                    parser=version.parser,
                    created_at=version.created_at,
                    pages=_dump([asdict(page) for page in version.pages]),
                    chunk_count=len(new_chunks),
                )
            )
            if new_chunks:
                connection.execute(insert(chunks), [_chunk_row(chunk) for chunk in new_chunks])

    def touch(self, document_id: str, *, size_bytes: int, modified_ns: int) -> None:
        """Note that a file with the same content has new file times."""
        with self._database.write() as connection:
            connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(size_bytes=size_bytes, modified_ns=modified_ns)
            )

    def relabel(self, document_id: str, groups: frozenset[str]) -> None:
        """Change who may see a document, from the next question on."""
        with self._database.write() as connection:
            _put_groups(connection, document_id, groups)

    def current_versions(self) -> dict[str, int]:
        """Chunks per current version: what the index should hold."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(versions.c.id, versions.c.chunk_count)
                .join(documents, documents.c.version_id == versions.c.id)
                .where(documents.c.state != DocumentState.GONE.value)
            )
            return {row.id: row.chunk_count for row in rows}

    def version_chunks(self, version_id: str) -> tuple[list[Chunk], frozenset[str]]:
        """The chunks of a version in order, and the label of its document. For rebuilding the index."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(chunks).where(chunks.c.version_id == version_id).order_by(chunks.c.number)
            ).all()
            labels = _labels(connection, [rows[0].document_id]) if rows else {}
        found = [_chunk(row) for row in rows]
        return found, labels.get(found[0].document_id, frozenset()) if found else frozenset()

    # documents, as the admin sees them: states and reasons, never text

    def states(self, source_id: str | None = None) -> dict[DocumentState, int]:
        """How many files are in each state."""
        query = select(documents.c.state, func.count()).group_by(documents.c.state)
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        with self._database.read() as connection:
            return {DocumentState(state): count for state, count in connection.execute(query)}

    def inventory(
        self, *, source_id: str | None, state: DocumentState | None, text: str, limit: int, offset: int
    ) -> LibraryPage:
        """Every file with its state, for those who run the appliance, by path. Filters are optional.

        Titles come from within the documents: neither what `text` matches nor the order may tell of them.
        """
        query = select(documents)
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        if state is not None:
            query = query.where(documents.c.state == state.value)
        return self._page(_matching(query, text, documents.c.path), documents.c.path, limit, offset)

    # what a reader may see

    def library(
        self, access: AccessFilter, *, text: str, source_id: str | None, limit: int, offset: int
    ) -> LibraryPage:
        """The documents a reader may see, by title. `text` matches title and path."""
        query = select(documents).where(documents.c.version_id.is_not(None), _admitted(access))
        if source_id is not None:
            query = query.where(documents.c.source_id == source_id)
        found = _matching(query, text, documents.c.title, documents.c.path)
        return self._page(found, documents.c.title, limit, offset)

    def visible_source_ids(self, access: AccessFilter) -> frozenset[str]:
        """The sources that hold at least one document the reader may see."""
        query = select(documents.c.source_id).where(documents.c.version_id.is_not(None), _admitted(access)).distinct()
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def document(self, document_id: str, access: AccessFilter) -> Document:
        """One document. Raises NotFound, the same for an unknown one and for one the reader may not see."""
        with self._database.read() as connection:
            row = connection.execute(
                select(documents).where(
                    documents.c.id == document_id, documents.c.version_id.is_not(None), _admitted(access)
                )
            ).first()
            if row is None:
                raise NotFound
            return _document(row, _labels(connection, [row.id]))

    def version(self, version_id: str, access: AccessFilter) -> Version:
        """One version, current or superseded, of a document the reader may see. Raises NotFound."""
        with self._database.read() as connection:
            return _visible_version(connection, version_id, access)

    def passages(self, version_id: str, access: AccessFilter, *, limit: int, offset: int) -> list[Chunk]:
        """The chunks of a version in order. Raises NotFound."""
        with self._database.read() as connection:
            _visible_version(connection, version_id, access)  # in the same transaction: no label changes in between
            rows = connection.execute(
                select(chunks)
                .where(chunks.c.version_id == version_id)
                .order_by(chunks.c.number)
                .limit(limit)
                .offset(offset)
            )
            return [_chunk(row) for row in rows]

    def visible_chunks(
        self, chunk_ids: Iterable[str], access: AccessFilter, *, current_only: bool
    ) -> dict[str, ChunkInContext]:
        """Those of the given chunks that the reader may see now, by id; with `current_only` no superseded ones."""
        wanted = list(dict.fromkeys(chunk_ids))
        found: dict[str, ChunkInContext] = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), _MAX_VARIABLES):
                query = (
                    select(
                        chunks,
                        documents.c.title,
                        documents.c.path,
                        documents.c.version_id.label("current_version"),
                        versions.c.sha256,
                        sources.c.name.label("source"),
                    )
                    .join(documents, documents.c.id == chunks.c.document_id)
                    .join(versions, versions.c.id == chunks.c.version_id)
                    .join(sources, sources.c.id == documents.c.source_id)
                    .where(
                        chunks.c.id.in_(wanted[start : start + _MAX_VARIABLES]),
                        documents.c.version_id.is_not(None),
                        _admitted(access),
                    )
                )
                if current_only:
                    query = query.where(documents.c.version_id == chunks.c.version_id)
                for row in connection.execute(query):
                    found[row.id] = ChunkInContext(
                        chunk=_chunk(row),
                        title=row.title,
                        path=row.path,
                        source=row.source,
                        version_sha256=row.sha256,
                        current=row.current_version == row.version_id,
                    )
        return found

    def _page(self, query: Select[Any], order: Column[str], limit: int, offset: int) -> LibraryPage:
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            ordered = query.order_by(func.lower(order), documents.c.path, documents.c.id)
            rows = connection.execute(ordered.limit(limit).offset(offset)).all()
            labels = _labels(connection, [row.id for row in rows])
        return LibraryPage(documents=tuple(_document(row, labels) for row in rows), total=total)


def _admitted(access: AccessFilter) -> Any:
    """The SQL form of `AccessFilter.admits` for a document."""
    return exists().where(
        document_groups.c.document_id == documents.c.id, document_groups.c.group_name.in_(sorted(access.groups))
    )


def _visible_version(connection: Connection, version_id: str, access: AccessFilter) -> Version:
    row = connection.execute(
        select(versions)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(versions.c.id == version_id, documents.c.version_id.is_not(None), _admitted(access))
    ).first()
    if row is None:
        raise NotFound
    return _version(row)


def _matching(query: Select[Any], text: str, *columns: Column[str]) -> Select[Any]:
    """Narrow to documents that hold every word of `text` in one of `columns`, upper and lower case alike."""
    for word in text.split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    return query


def _judge_anew(connection: Connection, outcome: FileOutcome) -> bool:
    """Note how the file ended on a document that has a version, which stays as it is; returns whether it has one."""
    changed = connection.execute(
        update(documents)
        .where(documents.c.id == outcome.document_id, documents.c.version_id.is_not(None))
        .values(
            state=outcome.state.value,
            reason=outcome.reason,
            modified_ns=outcome.modified_ns,
            parser=outcome.parser,
            updated_at=_now(),
        )
    )
    if changed.rowcount == 0:
        return False
    _put_groups(connection, outcome.document_id, outcome.groups)
    return True


def _put_document(connection: Connection, outcome: FileOutcome, *, version_id: str | None) -> None:
    values: dict[str, Any] = {
        "source_id": outcome.source_id,
        "path": outcome.path,
        "title": outcome.title,
        "media_type": outcome.media_type,
        "state": outcome.state.value,
        "reason": outcome.reason,
        "size_bytes": outcome.size_bytes,
        "modified_ns": outcome.modified_ns,
        "sha256": outcome.sha256,
        "parser": outcome.parser,
        "updated_at": _now(),
        "version_id": version_id,
    }
    changed = connection.execute(update(documents).where(documents.c.id == outcome.document_id).values(**values))
    if changed.rowcount == 0:
        known = connection.execute(select(sources.c.id).where(sources.c.id == outcome.source_id)).first()
        if known is None:
            raise Conflict("The source was removed while its files were being read. Nothing was stored.")
        connection.execute(insert(documents).values(id=outcome.document_id, **values))
    _put_groups(connection, outcome.document_id, outcome.groups)


def _put_groups(connection: Connection, document_id: str, groups: frozenset[str]) -> None:
    connection.execute(delete(document_groups).where(document_groups.c.document_id == document_id))
    if groups:
        connection.execute(
            insert(document_groups), [{"document_id": document_id, "group_name": name} for name in sorted(groups)]
        )


def _labels(connection: Connection, document_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for start in range(0, len(document_ids), _MAX_VARIABLES):
        part = document_ids[start : start + _MAX_VARIABLES]
        for row in connection.execute(select(document_groups).where(document_groups.c.document_id.in_(part))):
            found.setdefault(row.document_id, set()).add(row.group_name)
    return {key: frozenset(groups) for key, groups in found.items()}


def _source(row: Row[Any]) -> Source:
    return Source(id=row.id, name=row.name, path=row.path, groups=frozenset(json.loads(row.groups)))


def _document(row: Row[Any], labels: Mapping[str, frozenset[str]]) -> Document:
    return Document(
        id=row.id,
        source_id=row.source_id,
        path=row.path,
        title=row.title,
        media_type=row.media_type,
        state=DocumentState(row.state),
        reason=row.reason,
        groups=labels.get(row.id, frozenset()),
        size_bytes=row.size_bytes,
        updated_at=row.updated_at,
        version_id=row.version_id,
    )


def _version(row: Row[Any]) -> Version:
    return Version(
        id=row.id,
        document_id=row.document_id,
        sha256=row.sha256,
        parser=row.parser,
        created_at=row.created_at,
        pages=tuple(PageCoverage(**{**page, "means": TextMeans(page["means"])}) for page in json.loads(row.pages)),
        chunk_count=row.chunk_count,
    )


def _chunk(row: Row[Any]) -> Chunk:
    place = json.loads(row.place)
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        version_id=row.version_id,
        number=row.number,
        text=row.text,
        context=row.context,
        place=Place(
            page=place["page"],
            label=place["label"],
            boxes=tuple(Box(*box) for box in place["boxes"]),
            headings=tuple(place["headings"]),
        ),
        language=row.language,
        token_count=row.token_count,
    )


def _chunk_row(chunk: Chunk) -> dict[str, Any]:
    place = chunk.place
    boxes = [
        [box.page, *(round(edge, 5) for edge in (box.left, box.top, box.right, box.bottom))] for box in place.boxes
    ]
    return {
        "id": chunk.id,
        "document_id": chunk.document_id,
        "version_id": chunk.version_id,
        "number": chunk.number,
        "text": chunk.text,
        "context": chunk.context,
        "place": _dump({"page": place.page, "label": place.label, "boxes": boxes, "headings": place.headings}),
        "language": chunk.language,
        "token_count": chunk.token_count,
    }


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _now() -> datetime:
    return datetime.now(UTC)
