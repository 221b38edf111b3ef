"""The catalog's tables, and how their rows become the values of the domain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from itertools import starmap
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    UnaryExpression,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.operators import custom_op

from appliance.database import Moment, metadata
from appliance.domain import (
    AccessFilter,
    Box,
    Chunk,
    Document,
    DocumentFacts,
    DocumentState,
    PageCoverage,
    Place,
    Rule,
    Share,
    ShareKind,
    Source,
    SourceKind,
    TextMeans,
    Version,
)
from appliance.labels import FileLabels

MAX_VARIABLES = 500  # identifiers in one statement; SQLite allows far more, plans stay small

_Item = TypeVar("_Item")

sources = Table(
    "sources",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("path", Text, nullable=False, unique=True),
    Column("groups", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("include", Text, nullable=False),
    Column("exclude", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("compare_every_s", Integer, nullable=False),
    Column("watched", Boolean, nullable=False),
    Column("curated", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("removing", Boolean, nullable=False),
    Column("level", String(32), nullable=False),
    Column("rules", Text, nullable=False),
    Column("share", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("container_id", String(36), nullable=True, index=True),
    Column("title", Text, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("state", String(32), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("parser", String(64), nullable=False),
    Column("judged", Text, nullable=False),
    Column("label", Text, nullable=False),  # of the file; `document_groups` has that of what is held of it
    Column("settled", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Moment, nullable=True),
    Column("thread", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("version_id", String(36), nullable=True),
    Column("pending_version_id", String(36), nullable=True),
    Column("approved_by", String(64), nullable=False),
    Column("duplicate_of", String(36), nullable=True, index=True),
)

uploads = Table(
    "uploads",
    metadata,
    Column("source_id", ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("person_id", String(64), nullable=False),
)

document_groups = Table(
    "document_groups",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(100), primary_key=True),  # a grant: the group, and the level if it has one
)

versions = Table(
    "versions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("parser", Text, nullable=False),  # with the name of a model's folder
    Column("title", Text, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("published_at", Moment, nullable=True),
    Column("superseded_at", Moment, nullable=True),
    Column("pages", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("modified_ns", BigInteger, nullable=False, server_default=text("0")),  # of its file; 0: not known
)

version_groups = Table(  # the labels of versions that are not in force
    "version_groups",
    metadata,
    Column("version_id", ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(100), primary_key=True),
)

version_bands = Table(
    "version_bands",
    metadata,
    Column("version_id", ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True),
    Column("band", Integer, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Index("ix_version_bands_value", "value", "band"),
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

receipts = Table(
    "receipts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("removed_at", Moment, nullable=False, index=True),
    Column("source", String(200), nullable=False),
    Column("path", Text, nullable=False),
    Column("document_id", String(36), nullable=False),
    Column("version_id", String(36), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("chunks_before", Integer, nullable=False),
    Column("chunks_after", Integer, nullable=False),
)

catalog_state = Table(
    "catalog_state",
    metadata,
    Column("id", Integer, primary_key=True),  # there is one row
    Column("changes", BigInteger, nullable=False),
)


def without_index(column: Column[str]) -> UnaryExpression[str]:
    """A column that SQLite shall not search by in this query, because another one says more.

    It keeps no statistics, so it cannot know (https://www.sqlite.org/optoverview.html, "unary plus").
    """
    return UnaryExpression(column, operator=custom_op("+"))


def listed(name: str) -> BindParameter[Any]:
    """The values of a list that is given to a statement when it is executed."""
    return bindparam(name, expanding=True)


def _admitted(groups: Sequence[str] | BindParameter[Any]) -> Any:
    # Else SQLite searches the index once for each group of the reader, who may have hundreds: the document has a few.
    label = without_index(document_groups.c.group_name)
    return exists().where(document_groups.c.document_id == documents.c.id, label.in_(groups))


def admitted(access: AccessFilter) -> Any:
    """The SQL form of `AccessFilter.admits` for a document."""
    return _admitted(sorted(access.groups))


ADMITTED = _admitted(listed("groups"))
"""The same in a statement that is made once, and given the reader's groups whenever it is executed."""


def admitted_as(version: Column[str], groups: Sequence[str] | BindParameter[Any]) -> Any:
    """Whether a reader with these grants may see a version that is not in force, by its own label."""
    label = without_index(version_groups.c.group_name)
    return exists().where(version_groups.c.version_id == version, label.in_(groups))


def readable(groups: Sequence[str] | BindParameter[Any]) -> Any:
    """Of a document that the reader may see, the version in force, and of those it replaced what the reader may see."""
    return or_(documents.c.version_id == versions.c.id, admitted_as(versions.c.id, groups))


def version_labels(connection: Connection, version_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The labels of versions that are not in force; one that nobody sees is not there."""
    return _grants(connection, version_groups.c.version_id, version_groups.c.group_name, version_ids)


def labels_of(connection: Connection, document_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The groups of documents, by document; one without any is not there."""
    return _grants(connection, document_groups.c.document_id, document_groups.c.group_name, document_ids)


def _grants(
    connection: Connection, key: Column[str], grant: Column[str], wanted: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for part in portions(wanted):
        for item, name in connection.execute(select(key, grant).where(key.in_(part))):
            found.setdefault(item, set()).add(name)
    return {item: frozenset(names) for item, names in found.items()}


def count_change(connection: Connection) -> None:
    """Note that what readers can find is another now: a version in force, a label, or a document that went."""
    connection.execute(update(catalog_state).values(changes=catalog_state.c.changes + 1))


def put_groups(connection: Connection, document_id: str, groups: frozenset[str]) -> None:
    """Label a document. Those of a source that is being removed have no label any more, whoever is still at work."""
    if groups and _is_going(connection, document_id):
        groups = frozenset()
    if labels_of(connection, [document_id]).get(document_id, frozenset()) == groups:
        return
    count_change(connection)
    connection.execute(delete(document_groups).where(document_groups.c.document_id == document_id))
    if groups:
        connection.execute(
            insert(document_groups), [{"document_id": document_id, "group_name": name} for name in sorted(groups)]
        )


def put_version_groups(connection: Connection, document_id: str, version_id: str, groups: frozenset[str]) -> None:
    """Label a version of a document that is not in force: nobody's where the source is being removed."""
    connection.execute(delete(version_groups).where(version_groups.c.version_id == version_id))
    if groups and not _is_going(connection, document_id):
        rows = [{"version_id": version_id, "group_name": name} for name in sorted(groups)]
        connection.execute(insert(version_groups), rows)


def put_file_label(connection: Connection, document_id: str, label: frozenset[str]) -> None:
    """Note the label of a document's file."""
    connection.execute(update(documents).where(documents.c.id == document_id).values(label=dump(sorted(label))))


def put_labels(connection: Connection, document_id: str, labels: FileLabels, *, settled: bool) -> None:
    """Label a document: its file, its version in force, and the one that waits for a curator, if there is one."""
    put_groups(connection, document_id, labels.in_force)
    put_file_label(connection, document_id, labels.file)
    its = documents.c.id == document_id
    connection.execute(update(documents).where(its).values(settled=settled))
    pending = connection.execute(select(documents.c.pending_version_id).where(its)).scalar()
    if pending is not None:
        put_version_groups(connection, document_id, pending, labels.pending)


def put_narrower(connection: Connection, labels: Mapping[str, FileLabels], pending: Mapping[str, str]) -> None:
    """Label many documents at once, none for more people than before, which the index has not followed yet.

    Args:
        connection: Of a transaction that writes.
        labels: What they are to have, by document.
        pending: Their versions that wait for a curator, by document.
    """
    if not labels:
        return
    count_change(connection)
    rows = [{"its": document, "label": dump(sorted(its.file))} for document, its in labels.items()]
    changed = update(documents).where(documents.c.id == bindparam("its"))
    connection.execute(changed.values(label=bindparam("label"), settled=False), rows)
    in_force = {document: its.in_force for document, its in labels.items()}
    waiting = {pending[document]: its.pending for document, its in labels.items() if document in pending}
    _put_grants(connection, document_groups.c.document_id, document_groups.c.group_name, in_force)
    _put_grants(connection, version_groups.c.version_id, version_groups.c.group_name, waiting)


def _put_grants(
    connection: Connection, key: Column[str], grant: Column[str], wanted: Mapping[str, frozenset[str]]
) -> None:
    items = list(wanted)
    for part in portions(items):
        connection.execute(delete(key.table).where(key.in_(part)))
    rows = [{key.name: item, grant.name: name} for item, names in wanted.items() for name in sorted(names)]
    if rows:
        connection.execute(insert(key.table), rows)


def file_labels_of(connection: Connection, rows: Iterable[Any]) -> Mapping[str, FileLabels]:
    """The labels of documents, by document, from their rows."""
    rows = list(rows)
    in_force = labels_of(connection, [row.id for row in rows])
    pending = version_labels(connection, [row.pending_version_id for row in rows if row.pending_version_id])
    nobody = frozenset[str]()
    return {
        row.id: FileLabels(
            file=frozenset(json.loads(row.label)),
            in_force=in_force.get(row.id, nobody),
            pending=pending.get(row.pending_version_id, nobody),
        )
        for row in rows
    }


def _is_going(connection: Connection, document_id: str) -> bool:
    """Whether the source of a document is being removed."""
    query = select(sources.c.removing).join(documents, documents.c.source_id == sources.c.id)
    return bool(connection.execute(query.where(documents.c.id == document_id)).scalar())


def source_of(row: Row[Any]) -> Source:
    """A source from its row."""
    return Source(
        id=row.id,
        name=row.name,
        path=row.path,
        groups=frozenset(json.loads(row.groups)),
        kind=SourceKind(row.kind),
        include=tuple(json.loads(row.include)),
        exclude=tuple(json.loads(row.exclude)),
        owner=row.owner,
        language=row.language,
        compare_every_s=row.compare_every_s,
        watched=row.watched,
        curated=row.curated,
        paused=row.paused,
        removing=row.removing,
        level=row.level,
        rules=tuple(_rule_of(rule) for rule in json.loads(row.rules)),
        share=_share_of(json.loads(row.share)),
    )


def source_row(source: Source) -> dict[str, Any]:
    """The row of a source, but for its times."""
    return {
        "id": source.id,
        "name": source.name,
        "path": source.path,
        "groups": dump(sorted(source.groups)),
        "kind": source.kind.value,
        "include": dump(source.include),
        "exclude": dump(source.exclude),
        "owner": source.owner,
        "language": source.language,
        "compare_every_s": source.compare_every_s,
        "watched": source.watched,
        "curated": source.curated,
        "paused": source.paused,
        "removing": source.removing,
        "level": source.level,
        "rules": dump([_rule_row(rule) for rule in source.rules]),
        "share": dump({"kind": source.share.kind.value, "groups": source.share.groups}),
    }


def _rule_of(stored: Mapping[str, Any]) -> Rule:
    groups = stored["groups"]
    return Rule(tuple(stored["paths"]), None if groups is None else frozenset(groups), stored["level"])


def _rule_row(rule: Rule) -> dict[str, Any]:
    groups = None if rule.groups is None else sorted(rule.groups)
    return {"paths": rule.paths, "groups": groups, "level": rule.level}


def _share_of(stored: Mapping[str, Any]) -> Share:
    if not stored:  # of a source from before
        return Share()
    return Share(ShareKind(stored["kind"]), tuple((principal, group) for principal, group in stored["groups"]))


def document_of(row: Row[Any], labels: Mapping[str, frozenset[str]]) -> Document:
    """A document from its row and the labels of its page of rows."""
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
        duplicate_of=row.duplicate_of,
        container_id=row.container_id,
        member=row.member,
        attempts=row.attempts,
        retry_at=row.retry_at,
        pending_version_id=row.pending_version_id,
        modified_ns=row.modified_ns,
    )


def version_of(row: Row[Any]) -> Version:
    """A version from its row."""
    return Version(
        id=row.id,
        document_id=row.document_id,
        sha256=row.sha256,
        parser=row.parser,
        created_at=row.created_at,
        pages=coverage_of(row.pages),
        chunk_count=row.chunk_count,
        superseded_at=row.superseded_at,
        facts=facts_of(row),
    )


def coverage_of(stored: str) -> tuple[PageCoverage, ...]:
    """The pages of a version, as they are stored."""
    return tuple(PageCoverage(page, TextMeans(means), *rest) for page, means, *rest in json.loads(stored))


def facts_of(row: Row[Any]) -> DocumentFacts:
    """What a document says of itself, from the row of a version."""
    return DocumentFacts(**json.loads(row.facts))


def version_row(version: Version, title: str, media_type: str, signature: bytes) -> dict[str, Any]:
    """The row of a version that is not published yet."""
    return {
        "id": version.id,
        "document_id": version.document_id,
        "sha256": version.sha256,
        "parser": version.parser,
        "title": title,
        "media_type": media_type,
        "created_at": version.created_at,
        "published_at": None,
        "superseded_at": None,
        "pages": dump([astuple(page) for page in version.pages]),
        "facts": dump(asdict(version.facts)),
        "chunk_count": version.chunk_count,
        "signature": signature,
    }


def chunk_of(row: Row[Any]) -> Chunk:
    """A chunk from its row."""
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        version_id=row.version_id,
        number=row.number,
        text=row.text,
        context=row.context,
        place=place_of(row.place),
        language=row.language,
        token_count=row.token_count,
    )


def place_of(stored: str) -> Place:
    """Where a chunk stands, as it is stored."""
    place = json.loads(stored)
    return Place(
        page=place["page"],
        label=place["label"],
        boxes=tuple(starmap(Box, place["boxes"])),
        headings=tuple(place["headings"]),
        later=tuple((start, tuple(path)) for start, path in place.get("later", ())),  # not kept by older releases
    )


def chunk_row(chunk: Chunk) -> dict[str, Any]:
    """The row of a chunk."""
    place = chunk.place
    boxes = [
        [box.page, *(round(edge, 5) for edge in (box.left, box.top, box.right, box.bottom))] for box in place.boxes
    ]
    stands: dict[str, Any] = {"page": place.page, "label": place.label, "boxes": boxes, "headings": place.headings}
    if place.later:
        stands["later"] = place.later
    return {
        "id": chunk.id,
        "document_id": chunk.document_id,
        "version_id": chunk.version_id,
        "number": chunk.number,
        "text": chunk.text,
        "context": chunk.context,
        "place": dump(stands),
        "language": chunk.language,
        "token_count": chunk.token_count,
    }


def portions(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """The items in portions that one statement can carry, in order."""
    for start in range(0, len(items), MAX_VARIABLES):
        yield list(items[start : start + MAX_VARIABLES])


def dump(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
