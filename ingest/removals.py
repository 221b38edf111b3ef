"""Takes sources out: at once from the sight of readers, and from index and catalog as soon as no source is synced.

Rules this module keeps:

1. Readers lose sight of a source in one change of the catalog, which waits for nothing.
2. The rest has the index to itself, as a sync has: a sync would take what is half removed for incomplete, and put it
   back. Until then no search meets it: its chunks would take the places of others.
3. What a failure or the end of the process cut short is done again, until nothing is left, uploaded files included. One
   that fails holds no other up, and why it failed can be asked.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable

from appliance.catalog import Catalog
from appliance.domain import Source, SourceKind
from appliance.errors import ApplianceError
from ingest.pipeline import Pipeline
from ingest.runs import Runs

_log = logging.getLogger(__name__)
_AGAIN_S = 60.0


class Removals:
    """Removes sources in a thread of its own, one at a time."""

    def __init__(self, catalog: Catalog, pipeline: Pipeline, runs: Runs, *, on_end: Callable[[Source], object]) -> None:
        """Remove nothing yet. `on_end` is told of each source of which nothing is left, at least once."""
        self._catalog = catalog
        self._pipeline = pipeline
        self._runs = runs
        self._on_end = on_end
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._ended = threading.Condition()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._problems: dict[str, str] = {}

    def start(self) -> None:
        """Go on with what was cut short, and with what is asked for from now on. Again it does nothing."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._keep, name="removals", daemon=True)
                self._thread.start()

    def begin(self, source_id: str) -> None:
        """From now on nobody sees a source, its sync ends, and soon nothing is left of it."""
        self._catalog.hide_source(source_id)
        self._runs.cancel(source_id)
        self._asked.set()
        self.start()

    def wait(self, source_id: str, timeout_s: float) -> bool:
        """Whether nothing is left of a source, and that was told, at the latest after so long."""
        with self._ended:
            return self._ended.wait_for(lambda: self._is_gone(source_id), timeout_s)

    def problem(self, source_id: str) -> str:
        """Why the last attempt to remove a source failed; empty when it did not."""
        return self._problems.get(source_id, "")

    def close(self) -> None:
        """Stop, and wait for the document at hand. Tell the syncs to end before, or it takes as long as they do."""
        with self._lock:
            self._stop.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()

    def _is_gone(self, source_id: str) -> bool:
        return all(source.id != source_id for source in self._catalog.sources())

    def _keep(self) -> None:
        while True:
            self._asked.clear()  # before the look at the end: who ends it says so first, and then wakes it
            if self._stop.is_set():
                return
            self._asked.wait(None if self._remove_all() else _AGAIN_S)

    def _remove_all(self) -> bool:
        """Remove what is to be removed; returns False when something could not be, and is to be tried again."""
        try:
            going = [source for source in self._catalog.sources() if source.removing]
        except ApplianceError as error:
            _log.error("Which sources are to be removed is asked again: %s", error)
            return False
        return not [source for source in going if not self._try(source)]

    def _try(self, source: Source) -> bool:
        """Remove a source, or keep the reason why that failed; the others do not wait for it."""
        try:
            self._remove(source)
        except ApplianceError as error:
            self._problems[source.id] = str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a background job: it must not end
            self._problems[source.id] = f"It failed unexpectedly ({type(error).__name__})."
        else:
            self._problems.pop(source.id, None)
            return True
        _log.error("A source is not removed yet, which is tried again: %s", self._problems[source.id])
        return False

    def _remove(self, source: Source) -> None:
        if self._runs.is_any_at_work:
            self._hide(source)
        with self._runs.alone(wait_s=threading.TIMEOUT_MAX):
            if self._stop.is_set():
                return
            if source.kind is SourceKind.UPLOADS:
                _remove_files(source.path)  # first: nobody knows the folder once the source is gone
            self._pipeline.remove(source, stop=self._stop, on_end=self._on_end)
        with self._ended:
            self._ended.notify_all()

    def _hide(self, source: Source) -> None:
        try:
            self._pipeline.hide(source, self._stop)
        except ApplianceError as error:  # it goes in the end all the same
            _log.warning("A source that is to be removed takes places in searches until it is gone: %s", error)


def _remove_files(folder: str) -> None:
    """Remove what was uploaded, if it is there. Raises ApplianceError when some of it stays."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(folder):
            return
        why = error.strerror or type(error).__name__
        raise ApplianceError(
            f"What was uploaded cannot be removed ({why}). Check the disk of the data folder."
        ) from error
