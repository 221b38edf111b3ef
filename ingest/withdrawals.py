"""Takes documents from the sight of those whom their files admit no more, without a sync: what a watched folder says
about the access to a file acts at once, however large the folder is.

Rules this module keeps:

1. Only what was named is looked at: a file, what an access file covers, what lies below a folder. No file is opened.
2. Nobody gains anything by it; that is for the sync that follows, which also tells the index.
3. It may go on beside a sync, which does not give back what was taken (`Catalog.narrow`).
4. An access file that is wrong, and rights that cannot be read, leave a document to nobody; so does a folder that is
   closed to the appliance, where the rights are those of the share.
5. A file that is not there is left to the sync: it may be a mount that is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from threading import Event

from appliance.catalog import Catalog
from appliance.domain import ShareKind, Source
from appliance.errors import CatalogUnavailable, DocumentRejected, InvalidRequest
from appliance.labels import Levels
from appliance.letter_case import in_one_case
from ingest.access import AccessLabels
from ingest.discover import Found, FoundFile, RefusedFile, Unreadable, found_at, is_text, unlisted
from ingest.folders import SIDECAR_SUFFIX, last_folder_kept
from ingest.plan import is_closed, is_wanted
from ingest.share.ntfs import EXPORT

_log = logging.getLogger(__name__)
AT_ONCE = 500
"""Files that are looked at before what they say is written down: some hundredths of a second each time."""


class Withdrawals:
    """Looks at files whose access may have changed, and withdraws them."""

    def __init__(self, catalog: Catalog, levels: Levels) -> None:
        self._catalog = catalog
        self._levels = levels

    def look_at(self, source_id: str, changed: Iterable[str], stop: Event) -> None:
        """Withdraw what the folder of a source says that fewer may see.

        Args:
            source_id: Of the source.
            changed: Paths inside the folder at which something changed, whatever it was.
            stop: Once set, nothing is written any more: whoever waited for a dead mount comes too late.

        Raises:
            NotFound: The source is gone.
            CatalogUnavailable: Of which files there are documents could not be read; so not all was looked at. What was
                and could not be written down is owed instead, and nobody is shown anything until it is.
        """
        source = self._catalog.source(source_id)
        labels = AccessLabels(source, self._levels.names)
        found = self._found(source, concerned(source, changed))
        while some := {item.path: item for item in islice(found, AT_ONCE)}:
            in_sight = self._catalog.may_be_in_sight(source_id, list(some))
            with last_folder_kept():
                says = {path: _label(item, labels) for path, item in some.items() if path in in_sight}
            if stop.is_set():
                return
            try:
                self._catalog.narrow(source_id, says, self._levels, bind=True)
            except CatalogUnavailable as error:  # which the catalog owes now; so it is to know of the others too
                _log.warning("What was taken away is not written down yet, so nobody is shown anything: %s", error)

    def _found(self, source: Source, places: Iterable[str]) -> Iterator[FoundFile | RefusedFile]:
        """The files there of which there are documents, or may come to be."""
        for place in sorted(places):
            for item in _found_at(source, place):
                if isinstance(item, FoundFile | RefusedFile) and is_wanted(source, item.path):
                    yield item
                elif isinstance(item, Unreadable) and is_closed(item, source):
                    yield from self._closed(source, item)

    def _closed(self, source: Source, item: Unreadable) -> Iterator[RefusedFile]:
        """The documents that there are of files that cannot be reached."""
        for path in self._catalog.files(source.id):
            if item.path in ("", path) or path.startswith(f"{item.path}/"):
                yield RefusedFile(path, item.reason)


def concerned(source: Source, changed: Iterable[str]) -> frozenset[str]:
    """The files and folders of which the access may have changed, none inside another; "" is the whole folder."""
    places = {place for path in changed if (place := _covered(source, path)) is not None}
    return frozenset(place for place in places if not any(above in places for above in _above(place)))


def _found_at(source: Source, place: str) -> Iterator[Found]:
    """What lies there; that the folder itself is out of reach is found too."""
    try:
        yield from found_at(Path(source.path), place)
    except InvalidRequest as error:
        yield unlisted(error)


def _covered(source: Source, path: str) -> str | None:
    """What a file or folder says something of: an access file of what it covers, everything else of itself."""
    if not is_text(path):
        return None  # a sync refuses what is called so
    folder, _, name = path.rpartition("/")
    if path == EXPORT:
        return "" if source.share.kind is ShareKind.ICACLS else None
    if not in_one_case(name).endswith(SIDECAR_SUFFIX):
        return path
    own = name[: -len(SIDECAR_SUFFIX)]
    return f"{folder}/{own}" if folder and own else folder or own


def _above(place: str) -> Iterator[str]:
    """The folders that something is in; "" is the whole folder."""
    for folder in PurePosixPath(place).parents if place else ():
        yield "" if str(folder) == "." else str(folder)


def _label(item: FoundFile | RefusedFile, labels: AccessLabels) -> frozenset[str]:
    """The label of what was found; nobody's where that cannot be known, and of what is no document any more."""
    if isinstance(item, FoundFile):
        with suppress(DocumentRejected):  # the sync says why
            return labels.label(item.path)
    return frozenset()
