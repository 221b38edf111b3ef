"""What the query log refers to, as it is now: for replays of questions on record.

Rules this module keeps:

1. It reads whoever may see a document now, because what is on record does not depend on that. Whoever calls it shows
   none of the text to anybody (`appliance.replay`).
2. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from appliance.catalog.tables import catalog_state, chunk_of, chunks, documents, portions, versions
from appliance.database import Database
from appliance.domain import Chunk


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk that is still stored, superseded or not, and the SHA-256 of the content it was cut from."""

    chunk: Chunk
    version_sha256: str


class RecordCatalog:
    """Chunks and documents by the identifiers that are on record."""

    _database: Database

    def changes(self) -> int:
        """How often what readers can find has changed so far: the state of the catalog, by number."""
        with self._database.read() as connection:
            return int(connection.execute(select(catalog_state.c.changes)).scalar_one())

    def stored_chunks(self, chunk_ids: Iterable[str]) -> dict[str, StoredChunk]:
        """Those of the given chunks whose text is still there, by id."""
        wanted = list(dict.fromkeys(chunk_ids))
        found: dict[str, StoredChunk] = {}
        with self._database.read() as connection:
            for part in portions(wanted):
                query = (
                    select(chunks, versions.c.sha256)
                    .join(versions, versions.c.id == chunks.c.version_id)
                    .where(chunks.c.id.in_(part))
                )
                found |= {row.id: StoredChunk(chunk_of(row), row.sha256) for row in connection.execute(query)}
        return found

    def versions_in_force(self, document_ids: Iterable[str]) -> dict[str, str]:
        """The version in force of each of the given documents that has one."""
        wanted = list(dict.fromkeys(document_ids))
        found: dict[str, str] = {}
        with self._database.read() as connection:
            for part in portions(wanted):
                query = select(documents.c.id, documents.c.version_id).where(
                    documents.c.id.in_(part), documents.c.version_id.is_not(None)
                )
                found |= {row.id: row.version_id for row in connection.execute(query)}
        return found
