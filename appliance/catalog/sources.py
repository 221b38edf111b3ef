"""The folders that are kept in sync, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from appliance.catalog.tables import (
    count_change,
    document_groups,
    documents,
    file_labels_of,
    now,
    put_labels,
    receipts,
    source_of,
    source_row,
    sources,
    uploads,
    version_groups,
    versions,
)
from appliance.database import Database
from appliance.domain import Source
from appliance.errors import NotFound
from appliance.labels import LEVELS_AS_DELIVERED, Levels, groups_in, level_in

_LABELLING = frozenset({"groups", "level", "rules", "share"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a document left the index: how many chunks it had there before, and how many were counted after."""

    id: str
    removed_at: datetime
    source: str
    path: str
    document_id: str
    version_id: str
    sha256: str
    chunks_before: int
    chunks_after: int


class SourceCatalog:
    """Sources, and the receipts for what was removed from them."""

    _database: Database

    def add_source(self, source: Source) -> None:
        """Record a folder. Raises Conflict when its name or path is taken."""
        with self._database.write() as connection:
            connection.execute(insert(sources).values(**source_row(source), created_at=now()))

    def sources(self) -> list[Source]:
        """Every source, by name."""
        with self._database.read() as connection:
            return [source_of(row) for row in connection.execute(select(sources).order_by(sources.c.name))]

    def source_names(self) -> dict[str, str]:
        """The name of every source by its id, in the order of the names."""
        with self._database.read() as connection:
            found = connection.execute(select(sources.c.id, sources.c.name).order_by(sources.c.name))
            return {row.id: row.name for row in found}

    def groups(self, *, but_of: str = "") -> frozenset[str]:
        """Every group that a source or a document is labelled with, but for one source, by name, and its documents."""
        query = select(document_groups.c.group_name).distinct()
        if but_of:
            query = query.select_from(document_groups.join(documents).join(sources)).where(sources.c.name != but_of)
        with self._database.read() as connection:
            grants = connection.execute(query).scalars().all()
            return groups_in(grants).union(*(_named_by(source) for source in self.sources() if source.name != but_of))

    def levels(self) -> frozenset[str]:
        """Every level that a source or a document was given."""
        with self._database.read() as connection:
            grants = connection.execute(select(document_groups.c.group_name).distinct()).scalars().all()
        named = (level for source in self.sources() for level in (source.level, *(rule.level for rule in source.rules)))
        return frozenset(map(level_in, ([grant] for grant in grants))).union(named)

    def source(self, source_id: str) -> Source:
        """One source. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(sources).where(sources.c.id == source_id)).first()
        if row is None:
            raise NotFound("There is no such source.")
        return source_of(row)

    def change_source(self, source: Source, *, was: Source | None = None, levels: Levels = LEVELS_AS_DELIVERED) -> None:
        """Put `source` in the place of the one with its id; what follows from it, the next sync does.

        But for one thing: who is to lose sight of documents that are labelled by the settings of the source loses it at
        once, even if the folder cannot be reached. The next sync lets the index follow.

        Args:
            source: The source as it is to be.
            was: The source as it was read: only what differs is written, so that two people changing two things do not
                undo each other's.

        Raises:
            NotFound: There is none.
            Conflict: Another one has its name.
        """
        values = source_row(source)
        if was is not None:
            before = source_row(was)
            values = {name: value for name, value in values.items() if value != before[name]}
        with self._database.write() as connection:
            row = connection.execute(select(sources).where(sources.c.id == source.id)).first()
            if row is None:
                raise NotFound("There is no such source.")
            if values:
                connection.execute(update(sources).where(sources.c.id == source.id).values(**values))
            if changed := {name: getattr(source, name) for name in _LABELLING & values.keys()}:
                _narrow(connection, source_of(row), replace(source_of(row), **changed), levels)

    def hide_source(self, source_id: str) -> None:
        """From now on no reader sees the documents of a source, and nothing of it is synced. Raises NotFound."""
        documents_of_it = select(documents.c.id).where(documents.c.source_id == source_id)
        with self._database.write() as connection:
            count_change(connection)
            hidden = update(sources).where(sources.c.id == source_id).values(paused=True, removing=True)
            if connection.execute(hidden).rowcount == 0:
                raise NotFound("There is no such source.")
            versions_of_it = select(versions.c.id).where(versions.c.document_id.in_(documents_of_it))
            connection.execute(delete(document_groups).where(document_groups.c.document_id.in_(documents_of_it)))
            connection.execute(delete(version_groups).where(version_groups.c.version_id.in_(versions_of_it)))
            connection.execute(update(documents).where(documents.c.source_id == source_id).values(settled=False))

    def remove_source(self, source_id: str) -> None:
        """Forget a source and everything that came from it but the receipts."""
        with self._database.write() as connection:
            count_change(connection)
            connection.execute(delete(sources).where(sources.c.id == source_id))

    def note_upload(self, source_id: str, path: str, sha256: str, person_id: str) -> None:
        """Note who answers for giving a file of this path and content, and nobody gave it after."""
        given = {"source_id": source_id, "path": path, "sha256": sha256, "person_id": person_id}
        with self._database.write() as connection:
            connection.execute(insert(uploads).prefix_with("OR REPLACE").values(given))

    def note_upload_within(self, source_id: str, path: str, sha256: str, shown: str, inner_sha256: str) -> None:
        """Note of a file in an upload, shown under the path `shown`, who answers for the upload, if anybody does."""
        person_id = self.uploader(source_id, path, sha256)
        if person_id is not None:
            self.note_upload(source_id, shown, inner_sha256, person_id)

    def uploader(self, source_id: str, path: str, sha256: str) -> str | None:
        """Who answers for a file of this path and content, as the id of an account; None if it lay in its folder."""
        given = (uploads.c.source_id == source_id) & (uploads.c.path == path) & (uploads.c.sha256 == sha256)
        with self._database.read() as connection:
            return connection.execute(select(uploads.c.person_id).where(given)).scalar()

    def uploaders(self, source_id: str, path: str) -> frozenset[str]:
        """Everybody who answers for a file of this path, whatever its content was."""
        given = (uploads.c.source_id == source_id) & (uploads.c.path == path)
        with self._database.read() as connection:
            return frozenset(connection.execute(select(uploads.c.person_id).where(given)).scalars())

    def receipts(self, *, document_id: str | None = None, limit: int = 1000, offset: int = 0) -> list[Receipt]:
        """The receipts, newest first."""
        query = select(receipts).order_by(receipts.c.removed_at.desc(), receipts.c.id).limit(limit).offset(offset)
        if document_id is not None:
            query = query.where(receipts.c.document_id == document_id)
        with self._database.read() as connection:
            return [Receipt(**row._mapping) for row in connection.execute(query)]


def put_receipts(connection: Connection, given: Sequence[Receipt]) -> None:
    """Keep the proof that documents left the index."""
    rows = [{name: getattr(receipt, name) for name in Receipt.__slots__} for receipt in given]
    if rows:
        connection.execute(insert(receipts), rows)


def _narrow(connection: Connection, old: Source, new: Source, levels: Levels) -> None:
    """Let nobody see a document any longer whom `new` does not let see it, where the settings of `old` labelled it.

    Where the share is to say who sees it, nobody does until that was read.
    """
    wants = (documents.c.id, documents.c.path, documents.c.settled, documents.c.label, documents.c.pending_version_id)
    found = connection.execute(select(*wants).where(documents.c.source_id == old.id)).all()
    labelled = file_labels_of(connection, found)
    for row in found:
        held, was, wanted = labelled[row.id], old.stated(row.path), new.stated(row.path)
        by_sidecar = was is not None and row.settled and not held.file <= was
        stays = levels.narrowed(held, wanted or frozenset())
        if was != wanted and stays != held and not by_sidecar:
            put_labels(connection, row.id, stays, settled=False)


def _named_by(source: Source) -> frozenset[str]:
    """The groups that the settings of a source name."""
    by_rule = (rule.groups or frozenset() for rule in source.rules)
    return source.groups.union(*by_rule, (group for _, group in source.share.groups))
