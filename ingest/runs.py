"""Syncs in the background, one at a time, with their progress for those who watch and a history that lasts.

Rules this module keeps:

1. Two syncs never run at the same time: the index has one writer.
2. Asking for a sync of a source that is being synced is no error where a machine asks (`request`): one more follows.
3. What a run did is written down while it goes on, so that a page reload, a restart or a crash loses none of it. Runs
   that a crash cut short are closed at the next start, and `resume` starts them again.
4. Who is to lose sight of a document loses it before a run waits for its turn, which can take hours.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from appliance.audit.entries import AdminAction
from appliance.domain import Source
from appliance.errors import ApplianceError, Conflict
from appliance.history import FileReport, RunHistory, RunRecord
from ingest.pipeline import Pipeline, Progress, Wish

_log = logging.getLogger(__name__)
_KEEP = 50
_NOTE_EVERY_S = 2.0
_NOTE_FILES = 500
_INTERRUPTED = "The appliance was stopped during the sync. It starts the sync again by itself when it is back."
_PAUSED = "The sync was paused. The next one completes it."


@dataclass(slots=True)
class Run:
    """One sync. `error` is the sentence for people when it failed; None while it runs or went well."""

    id: str
    source: Source
    started_at: datetime
    progress: Progress = field(default_factory=Progress)
    finished_at: datetime | None = None
    error: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def record(self) -> RunRecord:
        """What is kept of it."""
        progress = self.progress.record()
        source = self.source
        return RunRecord(self.id, source.id, source.name, self.started_at, self.finished_at, self.error or "", progress)


def sync_ended(actor: str, run: Run) -> AdminAction:
    """What goes on record when a sync has ended: what it did with how many files, or why it failed."""
    counts = sorted((outcome.value, count) for outcome, count in run.progress.counts.items())
    told = ", ".join(f"{name}: {count}" for name, count in counts)
    return AdminAction(actor, "source.sync_ended", run.source.name, run.error or told)


class _Notebook:
    """Writes a run down while it goes on, not more often than every few seconds."""

    def __init__(self, history: RunHistory, run: Run) -> None:
        self._history = history
        self._run = run
        self._files: list[FileReport] = []
        self._last = time.monotonic()

    def file(self, report: FileReport) -> None:
        """One more file ended."""
        self._files.append(report)

    def changed(self) -> None:
        """The progress changed."""
        if len(self._files) >= _NOTE_FILES or time.monotonic() - self._last >= _NOTE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write everything down that is not yet."""
        self._last = time.monotonic()
        self._history.note(self._run.record(), self._files)
        self._files = []


class Runs:
    """Starts syncs and remembers the latest ones."""

    def __init__(self, pipeline: Pipeline, history: RunHistory) -> None:
        self._pipeline = pipeline
        self._history = history
        self._runs: dict[str, Run] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._again: dict[str, tuple[Source, Callable[[Run], object]]] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._stop = threading.Event()

    def start(
        self, source: Source, *, wish: Wish | None = None, on_end: Callable[[Run], object] = lambda _: None
    ) -> Run:
        """Sync `source` in the background; it waits for its turn. Raises Conflict when it is being synced already."""
        with self._lock:
            if self._stop.is_set():
                raise Conflict("The appliance is stopping. Start the sync again when it is back.")
            if self._running(source.id) is not None:
                raise Conflict(f"'{source.name}' is being synced already. Wait for that run to end.")
            return self._begin(source, wish or Wish(), on_end)

    def request(self, source: Source, *, on_end: Callable[[Run], object] = lambda _: None) -> Run:
        """Sync `source` as `start` does, or once more when the sync that is running ends.

        Raises:
            Conflict: The appliance is stopping.
        """
        with self._lock:
            running = self._running(source.id)
            if running is None and not self._stop.is_set():
                return self._begin(source, Wish(), on_end)
            if running is None:
                raise Conflict("The appliance is stopping. Start the sync again when it is back.")
            self._again[source.id] = (source, on_end)
            return running

    def cancel(self, source_id: str) -> None:
        """End the sync of a source, if one is running: what was done stays done, the next sync completes it."""
        with self._lock:
            running = self._running(source_id)
            self._again.pop(source_id, None)
        if running is not None:
            running.cancelled.set()

    def resume(self) -> list[RunRecord]:
        """Close the runs that the last process left unfinished. Call it once, before any sync.

        Returns:
            The runs that were cut short and that no later run of their source has completed.
        """
        for run in self._history.interrupted():
            self._history.note(replace(run, finished_at=datetime.now(UTC), error=_INTERRUPTED))
        return [run for run in self._history.latest_of_each() if run.error.startswith(_INTERRUPTED)]

    @contextmanager
    def alone(self, *, wait_s: float = 0) -> Iterator[None]:
        """No sync begins or goes on meanwhile. Raises Conflict when one is still going on after `wait_s`."""
        if not self._turn.acquire(timeout=wait_s):
            raise Conflict("A source is being synced. Wait for the run to end, or pause it, and try again.")
        try:
            yield
        finally:
            self._turn.release()

    @property
    def is_any_at_work(self) -> bool:
        """Whether `alone` would have to wait."""
        return self._turn.locked()

    def latest(self) -> list[Run]:
        """The runs of this process, newest first."""
        with self._lock:
            return list(reversed(self._runs.values()))

    def is_running(self, source_id: str) -> bool:
        """Whether a source is being synced, or waits for its turn."""
        with self._lock:
            return self._running(source_id) is not None

    def wait(self, run_id: str, timeout_s: float | None = None) -> None:
        """Wait until a run has ended; returns at once for an unknown one."""
        with self._lock:
            thread = self._threads.get(run_id)
        if thread is not None:
            thread.join(timeout_s)

    def stop(self) -> None:
        """Tell every run to end, and start no more. What was done stays done; the next sync completes the rest."""
        self._stop.set()
        for run in self.latest():
            run.cancelled.set()

    def close(self) -> None:
        """Stop, and wait for it. Close the parsers in between, or a document at hand is read to its end."""
        self.stop()
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()

    def _running(self, source_id: str) -> Run | None:
        return next((run for run in self._runs.values() if run.source.id == source_id and not run.finished_at), None)

    def _begin(self, source: Source, wish: Wish, on_end: Callable[[Run], object]) -> Run:
        run = Run(str(uuid.uuid4()), source, datetime.now(UTC))
        self._history.begin(run.record())
        self._runs[run.id] = run
        self._forget_old()
        arguments = (run, wish, on_end)
        thread = threading.Thread(target=self._run, args=arguments, name=f"sync-{run.id[:8]}", daemon=True)
        self._threads[run.id] = thread
        try:
            thread.start()
        except RuntimeError as error:  # the machine has no thread to give
            del self._runs[run.id], self._threads[run.id]
            _report(lambda: self._history.forget(run.id))
            raise ApplianceError(
                f"The sync of '{source.name}' could not begin: the machine has no thread left for it. Try again later."
            ) from error
        return run

    def _run(self, run: Run, wish: Wish, on_end: Callable[[Run], object]) -> None:
        notebook = _Notebook(self._history, run)
        with self._own_turn(run):
            try:
                self._sync(run, wish, notebook)
            except ApplianceError as error:
                run.error = str(error)
            except Exception as error:  # noqa: BLE001 - the edge of a background job: it must end in a state
                _log.error("A sync failed with %s", type(error).__name__)
                run.error = f"The sync failed unexpectedly ({type(error).__name__}). Run 'strongroom doctor'."
            finally:
                run.finished_at = datetime.now(UTC)
        try:
            for report in (notebook.write, lambda: on_end(run)):
                _report(report)
        finally:
            self._end(run)

    @contextmanager
    def _own_turn(self, run: Run) -> Iterator[None]:
        """Wait until no other source is synced; before that, withdraw."""
        if not self._turn.acquire(blocking=False):
            try:
                self._pipeline.withdraw(run.source)
            except ApplianceError:
                _log.info("A source that waits to be synced could not be looked at before.")
            except Exception as error:  # noqa: BLE001 - the sync looks again, and says what is wrong
                _log.error("A source that waits to be synced could not be looked at before: %s", type(error).__name__)
            self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    def _sync(self, run: Run, wish: Wish, notebook: _Notebook) -> None:
        if not run.cancelled.is_set():
            try:
                self._pipeline.sync(
                    run.source,
                    wish=wish,
                    progress=run.progress,
                    stop=run.cancelled,
                    on_change=lambda _: notebook.changed(),
                    on_file=notebook.file,
                )
            except Conflict:
                if not run.cancelled.is_set():  # whoever changed the source has ended this run, and begun another
                    raise
        if run.cancelled.is_set() and run.progress.done != run.progress.total:
            run.error = (_INTERRUPTED if self._stop.is_set() else _PAUSED) + _to_be_said_again(wish)

    def _end(self, run: Run) -> None:
        """Last of all, because `close` waits for the report too: forget the thread, and do what was asked meanwhile."""
        with self._lock:
            del self._threads[run.id]
            if self._running(run.source.id) is not None:  # begun while this one reported: it is the one to go on
                return
            again = self._again.pop(run.source.id, None)
            if again is None or self._stop.is_set():
                return
            try:
                self._begin(again[0], Wish(), again[1])
            except ApplianceError as error:  # the watcher asks again once the schedule says so
                _log.error("A sync that was asked for could not begin: %s", error)

    def _forget_old(self) -> None:
        finished = [run.id for run in self._runs.values() if run.finished_at is not None]
        for run_id in finished[: max(0, len(self._runs) - _KEEP)]:
            del self._runs[run_id]


def _to_be_said_again(wish: Wish) -> str:
    """What the next run does not do by itself, because somebody has to mean it each time."""
    said = " Give the password again." if wish.passwords else ""
    return f"{said} If files are still missing, confirm once more that they may go." if wish.missing_ok else said


def _report(report: Callable[[], object]) -> None:
    try:
        report()
    except ApplianceError as error:
        _log.error("The end of a sync could not be reported: %s", error)
