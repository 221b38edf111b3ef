"""What somebody may see, for those who run the appliance: how much, and where. Never what it says, nor its title."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from appliance.catalog.library import LibraryPage
from appliance.catalog.tables import admitted, document_of, documents, labels_of
from appliance.database import Database
from appliance.domain import AccessFilter


class VisibilityCatalog:
    """The documents in force that an access admits."""

    _database: Database

    def visible_counts(self, access: AccessFilter) -> Mapping[str, int]:
        """How many there are, by source."""
        query = (
            select(documents.c.source_id, func.count())
            .where(documents.c.version_id.is_not(None), admitted(access))
            .group_by(documents.c.source_id)
        )
        with self._database.read() as connection:
            return dict(connection.execute(query).tuples().all())

    def visible_by_path(self, access: AccessFilter, *, limit: int, offset: int) -> LibraryPage:
        """A page of them, by path. The order tells nothing of their titles."""
        found = select(documents).where(documents.c.version_id.is_not(None), admitted(access))
        ordered = found.order_by(documents.c.path, documents.c.member, documents.c.id).limit(limit).offset(offset)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()
            rows = connection.execute(ordered).all()
            labels = labels_of(connection, [row.id for row in rows])
        return LibraryPage(tuple(document_of(row, labels) for row in rows), total)
