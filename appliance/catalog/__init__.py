"""The catalog: sources, documents, versions and chunks. It is the truth; the vector index follows it.

Rules this package keeps:

1. A reader's question always carries an `AccessFilter`; what it does not admit is not there.
2. Publishing a version is one transaction: before it the old version is the document, after it the new one.
3. The text of a superseded version stays readable for old citations, for those who may see the document and could see
   that version when it was replaced; the text of a document that is gone does not.
4. Nothing is silent: every file a sync saw has a row with a state and a reason.
5. A version that waits for a curator is seen by curators whom its label admits, and by nobody else.
6. A version is for more readers than before only if its file, under its new label, says the same: else it is for those
   whom both labels admit (`docs/decisions/0023-content-keeps-its-label.md`).
7. Whoever lost sight of a document does not get it back from a sync that looked before
   (`docs/decisions/0028-who-loses-sight-does-not-wait.md`).
8. What was taken from somebody and could not be written down is not shown to them: then nobody is shown anything
   (`for_reader`).
"""

from __future__ import annotations

from appliance.catalog.bounds import Bounds
from appliance.catalog.changes import ChangedLine, Changes, changes_between
from appliance.catalog.ingestion import FileFacts, FileOutcome, IngestCatalog
from appliance.catalog.library import ChunkInContext, Edition, LibraryCatalog, LibraryPage, Release, Similar
from appliance.catalog.on_record import RecordCatalog, StoredChunk
from appliance.catalog.owed import Owed
from appliance.catalog.signature import NO_SIGNATURE, SIMILAR, Signature, resemblance, resemblances, resembling
from appliance.catalog.sources import Receipt, SourceCatalog
from appliance.catalog.visibility import NamedDocument, VisibilityCatalog
from appliance.database import Database

__all__ = [
    "NO_SIGNATURE",
    "SIMILAR",
    "Catalog",
    "ChangedLine",
    "Changes",
    "ChunkInContext",
    "Edition",
    "FileFacts",
    "FileOutcome",
    "LibraryPage",
    "NamedDocument",
    "Receipt",
    "Release",
    "Signature",
    "Similar",
    "StoredChunk",
    "changes_between",
    "resemblance",
    "resemblances",
    "resembling",
]


class Catalog(SourceCatalog, IngestCatalog, LibraryCatalog, VisibilityCatalog, RecordCatalog):
    """Sources, documents, versions and chunks in SQL. Raises CatalogUnavailable when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bounds = Bounds()
        self._owed = Owed(self._narrow_now)
