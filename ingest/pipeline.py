"""The story of ingestion: discover -> parse -> chunk -> embed -> index.

`sync` makes the index say what the folder says. It is a reconciliation, not a queue: it compares the files with the
catalog (`plan`), works off the difference, and can be killed anywhere and run again. What needs no reading is settled
first (`settling`); the rest flows through bounded queues: parsed and cut in the background (`reading`), embedded in
another thread (`embed`), written and put in force here (`intake`).

Rules this module keeps:

1. Every file ends in a state with a reason. A file that fails never stops the others.
2. There is no moment without a valid version (`holdings`).
3. Only what a walk of the folder found missing is deleted. A folder that cannot be listed, or is suddenly empty,
   deletes nothing, nor does a file that vanishes later; when more is missing than a folder is likely to lose, nothing
   is deleted before somebody confirms it.
4. When the index, the catalog or the embedding model fails, the run stops and says so; running it again completes it.
5. Labels act before anything is read, and content is never published under a label that is older than it.
6. A file is not read twice without need (`plan`).
7. A run that is told to stop leaves the files at hand as they were: they did not fail, they were not read.
8. Files in a container (a mail, an archive) are documents of their own, under the label of the container.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from appliance.catalog import Catalog
from appliance.config import IngestSettings
from appliance.domain import Source, SourceKind
from appliance.errors import Conflict, InvalidRequest
from appliance.history import FileReport
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder
from appliance.labels import LEVELS_AS_DELIVERED, Levels
from ingest.access import AccessLabels, Finding
from ingest.chunk import ChunkLimits
from ingest.discover import discover, unlisted
from ingest.embed import Steps
from ingest.foresight import foreseen
from ingest.holdings import Holdings
from ingest.intake import Intake
from ingest.plan import FEW, Action, Again, Judge, Plan, is_closed, make_plan
from ingest.progress import OUTCOME_OF, TROUBLE, Outcome, Progress
from ingest.reading import Parsers, Reader
from ingest.reconcile import reconcile
from ingest.settling import Settling
from ingest.sync import Sync, Wish

__all__ = ["Again", "Outcome", "Pipeline", "Progress", "Wish"]

_OPTIMIZE_AFTER_CHUNKS = 1_000
"""Optimising copies the whole index, so one changed file is no reason to."""


class Pipeline:
    """Takes folders in. One run at a time may use it."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        index: VectorIndex,
        embedder: Embedder,
        parsers: Parsers,
        settings: IngestSettings,
        levels: Levels = LEVELS_AS_DELIVERED,
    ) -> None:
        self._catalog = catalog
        self._parsers = parsers
        self._settings = settings
        self._levels = levels
        self.use(index, embedder)

    def use(self, index: VectorIndex, embedder: Embedder) -> None:
        """Take in with these from now on. Not while a run uses the pipeline."""
        self._index = index
        self._embedder = embedder
        self._holdings = Holdings(self._catalog, index, embedder, self._levels)
        self._chunks_since_optimize = 0

    def preview(self, source: Source, *, again: Again = Again.NOTHING) -> Plan:
        """What a sync would do now, and what reading will come to where names and sizes tell.

        Nothing is read but the folder and its labels, and nothing is changed.

        Raises:
            InvalidRequest: The folder is missing, or cannot be listed.
        """
        return foreseen(self._plan(Judge(source, self._settings, datetime.now(UTC), again)))

    def sync(
        self,
        source: Source,
        *,
        wish: Wish | None = None,
        progress: Progress | None = None,
        stop: Event | None = None,
        on_change: Callable[[Progress], None] = lambda _: None,
        on_file: Callable[[FileReport], None] = lambda _: None,
    ) -> Mapping[Outcome, int]:
        """Make catalog and index agree with the folder of `source`; returns how the files ended.

        Args:
            wish: What is wanted beyond the usual.
            progress: Filled while the run goes on, for those who watch.
            stop: Ends the run early; what was done stays done, the files at hand are left for the next run.
            on_change: Called from this thread whenever `progress` changed.
            on_file: Told how each file ended, but for those that are well and as they were.

        Raises:
            InvalidRequest: The folder is missing, cannot be listed, is suddenly empty, or too much of it is missing.
            NotFound: The source was removed meanwhile.
            Conflict: The source is paused, is being removed, or is removed while its files are read.
            IndexUnavailable, CatalogUnavailable, ModelUnavailable: A part failed; run it again once it is back.
        """
        source = self._catalog.source(source.id)  # it may have changed while this run waited for its turn
        if source.removing:
            raise Conflict(f"'{source.name}' is being removed, so nothing of it is synced.")
        if source.paused:
            raise Conflict(f"'{source.name}' is paused, so nothing of it is synced. Resume it first.")
        wish = wish or Wish()
        with self._catalog.looked_at(source.id):
            sync = self._begun(source, wish, progress or Progress(), stop or Event(), on_change, on_file)
            return self._worked_off(sync)

    def _worked_off(self, sync: Sync) -> Mapping[Outcome, int]:
        """Plan a sync and do what it takes; returns how the files ended."""
        source, wish = sync.source, sync.wish
        plan = self._plan_or_close(sync.judge)
        missing = _require_folder(source, plan, wish, self._settings)
        self._remember(source, wish.again)
        sync.progress.total = len(plan.steps)
        sync.planned.update((step.path, step.groups) for step in plan.steps)
        settling = Settling(sync, self._catalog, self._holdings)
        settling.withdraw(plan)
        reconcile(self._catalog, self._index, self._embedder, sync.stop)
        settling.relabel(plan)
        settling.remove(plan, spare=missing)
        settling.refuse(plan)
        settling.leave(plan, released=settling.release())
        self._read(sync, plan, settling)
        sync.on_change(sync.progress)
        self._optimize(sync.progress)
        if missing:
            raise InvalidRequest(_too_much_missing(source, missing))
        return sync.progress.counts

    def withdraw(self, source: Source) -> None:
        """Let those who are to lose sight of documents of a source lose it now, in the catalog. The index is not asked.

        Syncs may go on meanwhile, of other sources too.

        Raises:
            NotFound: The source is gone.
            InvalidRequest: The folder is missing, or cannot be listed.
        """
        source = self._catalog.source(source.id)  # it may have changed since somebody read it
        sync = self._begun(source, Wish(), Progress(), Event(), lambda _: None, lambda _: None)
        Settling(sync, self._catalog, self._holdings).withdraw(self._plan_or_close(sync.judge))

    def read_otherwise(self) -> int:
        """How many documents were read otherwise than they would be now; the next sync reads them again."""
        judges = {source.id: Judge(source, self._settings, datetime.now(UTC)) for source in self._catalog.sources()}
        readings = self._catalog.readings().items()
        return sum(n for (source, reading), n in readings if source in judges and reading != judges[source].reading)

    def hide(self, source: Source, stop: Event) -> None:
        """Let no search meet a source that waits to be removed. Runs of other sources may go on meanwhile.

        Raises:
            IndexUnavailable, CatalogUnavailable: A part failed, and some of it takes places in searches until it goes.
        """
        self._holdings.hide_source(source, stop)

    def remove(
        self, source: Source, *, stop: Event | None = None, on_end: Callable[[Source], object] = lambda _: None
    ) -> None:
        """Nothing of a source stays, with a receipt for each of its documents. Its files are not touched.

        Args:
            source: The source.
            stop: Ends it early; doing it again completes it.
            on_end: Told when only the source itself is left to be forgotten; perhaps again, if that fails.

        Raises:
            ApplianceError: A part failed, and some of it is left that nobody sees; doing it again completes it.
        """
        self._holdings.remove_source(source, stop=stop, on_end=on_end)

    def finding(self, source: Source, path: str) -> Finding:
        """Who is to see a file of a source, and why, as folder and settings say now. Raises DocumentRejected."""
        return AccessLabels(source, self._levels.names).finding(path)

    def _begun(
        self,
        source: Source,
        wish: Wish,
        progress: Progress,
        stop: Event,
        on_change: Callable[[Progress], None],
        on_file: Callable[[FileReport], None],
    ) -> Sync:
        inside = self._catalog.inside(source.id)
        return Sync(
            source=source,
            wish=wish,
            judge=Judge(source, self._settings, datetime.now(UTC), wish.again),
            progress=progress,
            stop=stop,
            on_change=on_change,
            on_file=on_file,
            containers=set(inside),
            inside=inside,
            unwell_inside=self._catalog.unwell_inside(source.id),
            levels=self._levels,
        )

    def _remember(self, source: Source, again: Again) -> None:
        """Put on record what is wanted to be read again, so that the next run completes it if this one is cut short."""
        if again is Again.NOTHING:
            return
        known = self._catalog.every_file(source.id)
        wanted = [item for item in known if again is Again.EVERYTHING or OUTCOME_OF.get(item.state) in TROUBLE]
        self._catalog.forget_judgement([item.document_id for item in wanted])

    def _plan(self, judge: Judge) -> Plan:
        source = judge.source
        root = Path(source.path)
        known, inside = self._catalog.files(source.id), self._catalog.untaken_members(source.id)
        return make_plan(judge, discover(root), known, inside, AccessLabels(source, self._levels.names))

    def _plan_or_close(self, judge: Judge) -> Plan:
        """The plan of a source; one whose share has closed its folder to us too is closed to everybody.

        Raises:
            InvalidRequest: The folder is missing, or cannot be listed.
        """
        try:
            return self._plan(judge)
        except InvalidRequest as error:
            if is_closed(unlisted(error), judge.source):
                files = self._catalog.files(judge.source.id)
                self._catalog.narrow(judge.source.id, dict.fromkeys(files, frozenset()), self._levels, bind=False)
            raise

    def _read(self, sync: Sync, plan: Plan, settling: Settling) -> None:
        """Parse, chunk, embed, index: each stage a bounded number of documents ahead of the next."""
        to_read = plan.of(Action.READ, Action.READ_AGAIN)
        sync.progress.to_read_bytes = sum(step.file.size_bytes for step in to_read)
        sync.progress.reading_since = time.monotonic()
        limits = ChunkLimits(self._settings.chunk_tokens, self._settings.overlap_tokens)
        with Steps(self._embedder, self._index.upsert) as steps:
            intake = Intake(
                sync,
                catalog=self._catalog,
                holdings=self._holdings,
                settling=settling,
                steps=steps,
                settings=self._settings,
            )
            try:
                intake.fail(plan)
                for finished in Reader(sync, self._parsers, self._embedder, limits).read(to_read):
                    for step, reading in finished:
                        intake.take(step, reading)
                    intake.advance()
                intake.finish()
            except BaseException:
                intake.abandon()
                raise

    def _optimize(self, progress: Progress) -> None:
        self._chunks_since_optimize += progress.chunks
        if self._chunks_since_optimize >= _OPTIMIZE_AFTER_CHUNKS:
            self._index.optimize()
            self._chunks_since_optimize = 0


def _require_folder(source: Source, plan: Plan, wish: Wish, settings: IngestSettings) -> int:
    """How many documents are missing without anybody having confirmed it; 0 if what is missing may be removed.

    Raises:
        InvalidRequest: The folder is empty, but documents of it are known.
    """
    missing = 0 if wish.missing_ok else plan.unconfirmed(settings.max_missing_share)
    if missing and plan.is_empty_folder:
        if source.kind is SourceKind.UPLOADS and missing <= FEW:
            return 0  # the appliance keeps this folder itself: the last of its files was withdrawn
        raise InvalidRequest(
            f"The folder {source.path} is empty, but {missing} of its documents are known. Nothing was removed: "
            "check whether the share is mounted. If the files are really gone, remove the source."
        )
    return missing


def _too_much_missing(source: Source, missing: int) -> str:
    return (
        f"{missing:,} documents of '{source.name}' are no longer in their folder, which is more than it is likely to "
        "lose. They were kept: check whether everything is mounted. If they are really gone, sync again and confirm it."
    )
