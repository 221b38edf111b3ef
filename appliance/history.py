"""The history of syncs: how far each run is, how it ended, and what became of every file it dealt with.

Rules this module keeps:

1. A run that was not finished when the appliance ended is found as such at the next start (`interrupted`).
2. Files that are well and that a run found as they were are counted, not listed: a report tells what happened, and what
   is still to be looked at.
3. Of each source the latest `KEPT` runs are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import Column, ForeignKey, Integer, Row, String, Table, Text, delete, func, insert, select, update

from appliance.database import Database, Moment, metadata
from appliance.errors import NotFound

KEPT = 50
_AT_ONCE = 1_000

runs = Table(
    "runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source_id", String(36), nullable=False, index=True),
    Column("source", String(200), nullable=False),
    Column("started_at", Moment, nullable=False, index=True),
    Column("finished_at", Moment, nullable=True),
    Column("error", Text, nullable=False),
    Column("progress", Text, nullable=False),
)

run_files = Table(
    "run_files",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. `total` is None until the folder was walked; `counts` are files by outcome."""

    total: int | None = None
    done: int = 0
    pages: int = 0
    chunks: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One sync of one source. `error` is the sentence for people when it failed, empty while it runs or went well."""

    id: str
    source_id: str
    source: str
    started_at: datetime
    finished_at: datetime | None = None
    error: str = ""
    progress: RunProgress = RunProgress()


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a run did with one file, and why."""

    path: str
    outcome: str
    reason: str = ""
    pages: int = 0
    chunks: int = 0


class RunHistory:
    """The runs, in SQL. Raises CatalogUnavailable when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: RunRecord) -> None:
        """Record that a run has begun, and forget the oldest ones of its source."""
        with self._database.write() as connection:
            connection.execute(insert(runs).values(**_values(run)))
            old = (
                select(runs.c.id)
                .where(runs.c.source_id == run.source_id)
                .order_by(runs.c.started_at.desc())
                .offset(KEPT)
            )
            connection.execute(delete(runs).where(runs.c.id.in_(old)))

    def forget(self, run_id: str) -> None:
        """Take a run back that did not begin after all."""
        with self._database.write() as connection:
            connection.execute(delete(runs).where(runs.c.id == run_id))

    def note(self, run: RunRecord, files: Sequence[FileReport] = ()) -> None:
        """Record how far a run is, or how it ended, with the files it dealt with since the last time."""
        with self._database.write() as connection:
            connection.execute(update(runs).where(runs.c.id == run.id).values(**_values(run)))
            if files:
                connection.execute(insert(run_files), [{"run_id": run.id, **asdict(file)} for file in files])

    def interrupted(self) -> list[RunRecord]:
        """The runs that were never finished, oldest first. At a start these are the ones the last process left."""
        query = select(runs).where(runs.c.finished_at.is_(None)).order_by(runs.c.started_at)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def latest(self, limit: int = KEPT) -> list[RunRecord]:
        """The latest runs, newest first."""
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id).limit(limit)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def latest_of(self, source_id: str) -> RunRecord | None:
        """The latest run of one source, None before the first."""
        query = select(runs).where(runs.c.source_id == source_id).order_by(runs.c.started_at.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _run(row)

    def latest_of_each(self) -> list[RunRecord]:
        """The latest run of every source."""
        newest = select(runs.c.source_id, func.max(runs.c.started_at).label("at")).group_by(runs.c.source_id).subquery()
        query = select(runs).join(newest, (newest.c.source_id == runs.c.source_id) & (newest.c.at == runs.c.started_at))
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def run(self, run_id: str) -> RunRecord:
        """One run. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
        if row is None:
            raise NotFound("There is no such run, or it is too long ago.")
        return _run(row)

    def files(self, run_id: str) -> Iterator[FileReport]:
        """What a run did with each file it dealt with, in order; fetched piece by piece, for long reports."""
        last = 0
        while True:
            query = (
                select(run_files)
                .where(run_files.c.run_id == run_id, run_files.c.id > last)
                .order_by(run_files.c.id)
                .limit(_AT_ONCE)
            )
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            for row in rows:
                yield FileReport(row.path, row.outcome, row.reason, row.pages, row.chunks)
            last = rows[-1].id


def _values(run: RunRecord) -> dict[str, object]:
    return {
        "id": run.id,
        "source_id": run.source_id,
        "source": run.source,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "error": run.error,
        "progress": json.dumps({**asdict(run.progress), "counts": dict(run.progress.counts)}),
    }


def _run(row: Row[tuple[object, ...]]) -> RunRecord:
    return RunRecord(
        id=row.id,
        source_id=row.source_id,
        source=row.source,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
        progress=RunProgress(**json.loads(row.progress)),
    )
