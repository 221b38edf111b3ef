"""Syncs in the background, one at a time, with their progress for those who watch."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from appliance.domain import Source
from appliance.errors import ApplianceError, Conflict
from ingest.pipeline import Pipeline, Progress

_log = logging.getLogger(__name__)
_KEEP = 50


@dataclass(slots=True)
class Run:
    """One sync. `error` is the sentence for people when it failed; None while it runs or went well."""

    id: str
    source: Source
    started_at: datetime
    progress: Progress = field(default_factory=Progress)
    finished_at: datetime | None = None
    error: str | None = None


class Runs:
    """Starts syncs and remembers the latest ones. Two syncs never run at the same time: the index has one writer."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._stop = threading.Event()

    def start(self, source: Source, *, on_end: Callable[[Run], None] = lambda _: None) -> Run:
        """Sync `source` in the background; it waits for its turn. Raises Conflict when it is being synced already."""
        with self._lock:
            if self._stop.is_set():
                raise Conflict("The appliance is stopping. Start the sync again when it is back.")
            if any(run.source.id == source.id and run.finished_at is None for run in self._runs.values()):
                raise Conflict(f"'{source.name}' is being synced already. Wait for that run to end.")
            run = Run(str(uuid.uuid4()), source, datetime.now(UTC))
            self._runs[run.id] = run
            self._forget_old()
            thread = threading.Thread(target=self._run, args=(run, on_end), name=f"sync-{run.id[:8]}", daemon=True)
            self._threads[run.id] = thread
            thread.start()
        return run

    def latest(self) -> list[Run]:
        """The latest runs, newest first."""
        with self._lock:
            return list(reversed(self._runs.values()))

    def is_running(self, source_id: str) -> bool:
        """Whether a source is being synced, or waits for its turn."""
        return any(run.source.id == source_id and run.finished_at is None for run in self.latest())

    def wait(self, run_id: str, timeout_s: float | None = None) -> None:
        """Wait until a run has ended; returns at once for an unknown one."""
        with self._lock:
            thread = self._threads.get(run_id)
        if thread is not None:
            thread.join(timeout_s)

    def stop(self) -> None:
        """Tell every run to end, and start no more. What was done stays done; the next sync completes the rest."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait for it. Close the parsers in between, or a document at hand is read to its end."""
        self.stop()
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()

    def _run(self, run: Run, on_end: Callable[[Run], None]) -> None:
        with self._turn:
            try:
                if not self._stop.is_set():
                    self._pipeline.sync(run.source, progress=run.progress, stop=self._stop)
                if self._stop.is_set() and run.progress.done != run.progress.total:
                    run.error = "The appliance was stopped during the sync. Sync again to complete it."
            except ApplianceError as error:
                run.error = str(error)
            except Exception as error:  # noqa: BLE001 - the edge of a background job: it must end in a state
                _log.error("A sync failed with %s", type(error).__name__)
                run.error = f"The sync failed unexpectedly ({type(error).__name__}). Run 'strongroom doctor'."
            finally:
                run.finished_at = datetime.now(UTC)
        try:
            on_end(run)
        except ApplianceError as error:
            _log.error("The end of a sync could not be reported: %s", error)
        finally:
            with self._lock:  # last: `close` waits for the report too
                del self._threads[run.id]

    def _forget_old(self) -> None:
        finished = [run.id for run in self._runs.values() if run.finished_at is not None]
        for run_id in finished[: max(0, len(self._runs) - _KEEP)]:
            del self._runs[run_id]
