"""What somebody may see, for those who run the appliance: how much, and where. Never what it says.

Nor its title, unless they may see it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from appliance.catalog.library import LibraryPage
from appliance.catalog.owed import ForReaders
from appliance.catalog.tables import (
    admitted,
    chunks,
    coverage_of,
    document_of,
    documents,
    labels_of,
    place_of,
    sources,
    versions,
)
from appliance.domain import AccessFilter, DocumentState, shown_path


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """What a document is called, and for somebody who may see it the version in force and the SHA-256 of that.

    A duplicate has those of its original. All but where it lies is empty for somebody to whom it
    `is_closed`, or where it was not read.
    """

    id: str
    source: str
    path: str
    title: str = ""
    version_id: str = ""
    content: str = ""
    is_closed: bool = False


class VisibilityCatalog(ForReaders):
    """The documents in force that an access admits."""

    def visible_counts(self, access: AccessFilter) -> Mapping[str, int]:
        """How many there are, by source."""
        query = (
            select(documents.c.source_id, func.count())
            .where(documents.c.version_id.is_not(None), admitted(access))
            .group_by(documents.c.source_id)
        )
        with self.for_reader() as connection:
            return dict(connection.execute(query).tuples().all())

    def visible_by_path(self, access: AccessFilter, *, limit: int, offset: int) -> LibraryPage:
        """A page of them, by path. The order tells nothing of their titles."""
        found = select(documents).where(documents.c.version_id.is_not(None), admitted(access))
        ordered = found.order_by(documents.c.path, documents.c.member, documents.c.id).limit(limit).offset(offset)
        with self.for_reader() as connection:
            total = connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()
            rows = connection.execute(ordered).all()
            labels = labels_of(connection, [row.id for row in rows])
        return LibraryPage(tuple(document_of(row, labels) for row in rows), total)

    def named(self, access: AccessFilter) -> Generator[NamedDocument, None, None]:
        """Every file there is, in no order, by what it is called. Take them all: a transaction is open meanwhile."""
        original = documents.alias()
        query = (
            select(
                documents.c.id,
                documents.c.path,
                documents.c.member,
                documents.c.title,
                sources.c.name.label("source"),
                versions.c.id.label("version"),
                versions.c.sha256.label("content"),
                admitted(access).label("may_be_seen"),
            )
            .join(sources, sources.c.id == documents.c.source_id)
            .outerjoin(original, original.c.id == documents.c.duplicate_of)
            .outerjoin(versions, versions.c.id == func.coalesce(documents.c.version_id, original.c.version_id))
            .where(documents.c.state != DocumentState.GONE.value)
        )
        with self.for_reader() as connection:
            for row in connection.execute(query):
                place = (row.id, row.source, shown_path(row.path, row.member))
                seen = row.may_be_seen and row.version is not None
                named = NamedDocument(*place, row.title, row.version, row.content) if seen else NamedDocument(*place)
                yield replace(named, is_closed=not row.may_be_seen)

    def page_numbers(self, version_id: str, access: AccessFilter) -> frozenset[int]:
        """The pages of a version in force that were read, or that a passage stands on; none if it may not be seen."""
        its = (documents.c.version_id == version_id) & admitted(access)
        covered = select(versions.c.pages).join(documents, documents.c.version_id == versions.c.id).where(its)
        places = select(chunks.c.place).join(documents, documents.c.version_id == chunks.c.version_id).where(its)
        with self.for_reader() as connection:
            read = [page.page for pages in connection.execute(covered).scalars() for page in coverage_of(pages)]
            stood_on = [place_of(place).pages for place in connection.execute(places).scalars()]
        return frozenset(read).union(*stood_on)
