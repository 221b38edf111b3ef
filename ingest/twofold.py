"""The index that answers, and a second one from which everything is removed that is removed from the first.

While the embedding model is changed the second is the one being built; after that, until it is gone, the one that
answered before.

Rules this module keeps:

1. When a removal is reported, no vector of the document is left in either.
2. What a sync writes is not in the second any more, nor is it written there, until that sync has put it in force
   (`all_published`): a version that is read again keeps its id, and its texts may be others.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence

from appliance.domain import AccessFilter
from appliance.index.port import IndexEntry, IndexLegs, NamedDocument, Vector, VectorIndex


class Twofold:
    """A `VectorIndex`. What is written goes to the first alone; `Changeover` writes the second.

    Whoever writes the second holds `removing`.
    """

    def __init__(self, serving: VectorIndex, second: VectorIndex) -> None:
        self._serving = serving
        self._second: VectorIndex | None = second
        self._unpublished: set[str] = set()
        self.removing = threading.Lock()

    def unpublished(self) -> frozenset[str]:
        """The versions that a sync has written and that may not be in force yet."""
        return frozenset(self._unpublished)

    def all_published(self) -> None:
        """Note that what was written is in force. Call it while no sync can run."""
        self._unpublished.clear()

    def let_go(self) -> None:
        """The second index is gone. Whoever calls it holds `removing`."""
        self._second = None
        self._unpublished.clear()

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write entries to the index that answers; what the second has of their versions is removed."""
        versions = {entry.version_id for entry in entries}
        with self.removing:
            if self._second is not None:
                self._unpublished |= versions
                for version in versions:
                    if self._second.count(version_id=version):
                        self._second.delete_version(version)
        self._serving.upsert(entries)

    def search(
        self,
        vector: Vector,
        text: str,
        *,
        access: AccessFilter,
        limit: int,
        language: str,
        documents: Collection[str] | None = None,
    ) -> IndexLegs:
        """Search the index that answers."""
        return self._serving.search(vector, text, access=access, limit=limit, language=language, documents=documents)

    def compare(
        self, vector: Vector, text: str, *, access: AccessFilter, language: str, chunk_ids: Collection[str]
    ) -> IndexLegs:
        """Score chunks of the index that answers."""
        return self._serving.compare(vector, text, access=access, language=language, chunk_ids=chunk_ids)

    def admitted(self, chunk_ids: Collection[str], access: AccessFilter) -> frozenset[str]:
        """Chunks of the index that answers, as far as it admits them."""
        return self._serving.admitted(chunk_ids, access)

    def named(self, question: str, *, access: AccessFilter, limit: int) -> tuple[NamedDocument, ...]:
        """Documents of the index that answers, by name."""
        return self._serving.named(question, access=access, limit=limit)

    def called(self, name: str, *, access: AccessFilter, limit: int) -> frozenset[str]:
        """Documents of the index that answers, by what they are called."""
        return self._serving.called(name, access=access, limit=limit)

    def set_groups(self, document_id: str, groups: frozenset[str], *, version_id: str | None = None) -> None:
        """Relabel in the index that answers; one being built gets its labels when it takes over."""
        self._serving.set_groups(document_id, groups, version_id=version_id)

    def delete_version(self, version_id: str) -> None:
        """Remove every chunk of a version from both."""
        with self.removing:
            if self._second is not None:
                self._second.delete_version(version_id)
        self._serving.delete_version(version_id)

    def delete_document(self, document_id: str) -> None:
        """Remove every chunk of a document from both."""
        with self.removing:
            if self._second is not None:
                self._second.delete_document(document_id)
        self._serving.delete_document(document_id)

    def count(self, *, document_id: str | None = None, version_id: str | None = None) -> int:
        """How many chunks the index that answers has; of one document how many both have, which proves a removal."""
        found = self._serving.count(document_id=document_id, version_id=version_id)
        with self.removing:
            if self._second is None or document_id is None:
                return found
            return found + self._second.count(document_id=document_id, version_id=version_id)

    def versions(self) -> Mapping[str, int]:
        """Chunks per version id in the index that answers."""
        return self._serving.versions()

    def optimize(self) -> None:
        """Make the index that answers fast."""
        self._serving.optimize()

    def close(self) -> None:
        """Close both."""
        if self._second is not None:
            self._second.close()
        self._serving.close()
