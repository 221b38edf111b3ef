"""What files were seen to admit since the sync that is going on looked at them: a bound on what it may give.

A sync works for hours by what it found at its beginning. Who loses sight of a document meanwhile loses it without
waiting for that sync (`IngestCatalog.narrow`), and must not be given it again by what the sync found before.

Rules this module keeps:

1. A bound stands from when a label was seen until the sync ends. The next one looks for itself.
2. It is set and asked for in transactions that write, of which there is one at a time: so every write of a sync comes
   either before the one that narrows, which undoes what it gave, or after it, and is bound.
3. It is kept in memory: when the process ends, so does the sync.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from appliance.labels import LEVELS_AS_DELIVERED, FileLabels, Levels


class Bounds:
    """The labels that files were seen to have while their source is synced."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, frozenset[str]]] = {}
        self._levels = LEVELS_AS_DELIVERED

    @contextmanager
    def during(self, source_id: str) -> Iterator[None]:
        """Keep what is seen of a source meanwhile. One at a time for each source."""
        self._seen[source_id] = {}
        try:
            yield
        finally:
            del self._seen[source_id]

    def applies_to(self, source_id: str) -> bool:
        """Whether a source is being synced."""
        return source_id in self._seen

    def set(self, source_id: str, labels: Mapping[str, frozenset[str]], levels: Levels) -> None:
        """Note the labels that files were seen to have, by path."""
        self._levels = levels
        if source_id in self._seen:
            self._seen[source_id].update(labels)

    def holds(self, source_id: str, path: str) -> bool:
        """Whether a file was seen since its source began to be synced."""
        return path in self._seen.get(source_id, ())

    def bounded(self, source_id: str, path: str, labels: FileLabels) -> FileLabels:
        """Labels with nobody left whom the file, as it was last seen, does not admit."""
        seen = self._seen.get(source_id, {}).get(path)
        return labels if seen is None else self._levels.narrowed(labels, seen)
