"""Syncs: starting them with both ends on record, watching them, and the report of what each did. For admins."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from appliance import wording
from appliance.api.gate import IngestAdmin, TheAppliance, record_act
from appliance.api.schemas.runs import ReportFileOut, RunOut, RunState
from appliance.api.wire import as_file
from appliance.domain import Principal, Source
from appliance.errors import Conflict
from appliance.history import FileReport, RunRecord
from appliance.wiring import Appliance
from ingest.pipeline import Wish
from ingest.progress import TROUBLE
from ingest.runs import Run, sync_ended

router = APIRouter(prefix="/runs", tags=["runs"])
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = ("path", "outcome", "reason", "pages", "chunks")


@router.get("")
def runs(_admin: IngestAdmin, appliance: TheAppliance) -> list[RunOut]:
    """The latest syncs, newest first, with their progress, and the latest of each source, however long ago that was."""
    live = {run.id: run for run in appliance.runs.latest()}
    known = appliance.history.latest()
    listed = {record.id for record in known}
    known += [record for record in appliance.history.latest_of_each() if record.id not in listed]
    listed |= {record.id for record in known}
    waiting = [run_out(run) for run in live.values() if run.finished_at is None and run.id not in listed]
    return waiting + [run_out(live[record.id]) if record.id in live else _record_out(record) for record in known]


@router.get("/{run_id}/report", response_class=StreamingResponse)
def report(
    run_id: str,
    _admin: IngestAdmin,
    appliance: TheAppliance,
    format: Literal["csv", "json"] = "csv",  # noqa: A002
) -> StreamingResponse:
    """What a sync did with each file, to keep or to open in a spreadsheet. JSON is a `ReportOut`."""
    run = appliance.history.run(run_id)
    files = appliance.history.files(run_id)
    live = next((item for item in appliance.runs.latest() if item.id == run_id), None)
    told = run_out(live) if live else _record_out(run)
    pieces = _csv(told, files) if format == "csv" else _json(told, files)
    name = f"sync-{run.started_at:%Y%m%d-%H%M%S}.{format}"
    return StreamingResponse(pieces, media_type=_MEDIA[format], headers=as_file(name))


def start_sync(appliance: Appliance, admin: Principal, source: Source, wish: Wish, detail: str = "") -> Run:
    """Sync in the background, with both ends on record. Raises Conflict when it is being synced already, or paused."""
    require_not_paused(source)
    with record_act(appliance, admin, "source.synced", source.name, detail):
        return appliance.runs.start(source, wish=wish, on_end=_recorder(appliance, admin))


def request_sync(appliance: Appliance, admin: Principal, source: Source) -> Run:
    """Sync in the background, once more if it is being synced already. Raises Conflict when it is paused."""
    require_not_paused(source)
    with record_act(appliance, admin, "source.synced", source.name):
        return appliance.runs.request(source, on_end=_recorder(appliance, admin))


def require_not_removed(source: Source) -> None:
    """Raises Conflict when a source is being removed."""
    if source.removing:
        raise Conflict(f"'{source.name}' is being removed: nothing more is done with it.")


def require_not_paused(source: Source) -> None:
    """Raises Conflict when a source is paused, or being removed."""
    require_not_removed(source)
    if source.paused:
        raise Conflict(f"'{source.name}' is paused, so nothing of it is synced. Resume it first.")


def run_out(run: Run) -> RunOut:
    """A sync of this process."""
    return _record_out(run.record()).model_copy(
        update={
            "current": run.progress.current if run.finished_at is None else "",
            "pages_per_s": run.progress.pages_per_s if run.finished_at is None else None,
            "seconds_left": run.progress.seconds_left if run.finished_at is None else None,
        }
    )


def _record_out(run: RunRecord) -> RunOut:
    state = RunState.RUNNING
    if run.finished_at is not None:
        state = RunState.FAILED if run.error else RunState.FINISHED
    progress = run.progress
    return RunOut(
        id=run.id,
        source_id=run.source_id,
        source=run.source,
        state=state,
        started_at=run.started_at,
        finished_at=run.finished_at,
        total=progress.total,
        done=progress.done,
        counts=dict(progress.counts),
        current="",
        message=run.error,
        pages=progress.pages,
        chunks=progress.chunks,
        failures=sum(progress.counts.get(outcome.value, 0) for outcome in TROUBLE),
    )


def _recorder(appliance: Appliance, admin: Principal) -> Callable[[Run], object]:
    return lambda run: appliance.log.append(sync_ended(admin.id, run))


def _csv(run: RunOut, files: Iterable[FileReport]) -> Iterator[str]:
    yield _csv_line(_COLUMNS)
    rows = map(_file_row, files)
    first = next(rows, None) or _row_of_a_run_without_files(run)
    for row in chain([first] if first else [], rows):
        yield _csv_line(row)


def _file_row(file: FileReport) -> tuple[str, ...]:
    return _inert(file.path), file.outcome, _inert(file.reason), str(file.pages), str(file.chunks)


def _row_of_a_run_without_files(run: RunOut) -> tuple[str, ...] | None:
    """What is said of a run that did nothing with any file, as the reason of a row; None while it goes on.

    The row has neither path nor outcome: whoever counts files by their outcome counts none in it.
    """
    if run.state is RunState.RUNNING:
        return None
    failed = run.state is RunState.FAILED
    return "", "", _inert(run.message if failed else wording.nothing_changed(run.done, run.finished_at)), "0", "0"


def _csv_line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(values)
    return line.getvalue()


def _inert(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula, and would obey the name of a file."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(run: RunOut, files: Iterable[FileReport]) -> Iterator[str]:
    yield f'{{"run":{run.model_dump_json()},"files":['
    for number, file in enumerate(files):
        line = ReportFileOut(
            path=file.path, outcome=file.outcome, reason=file.reason, pages=file.pages, chunks=file.chunks
        )
        yield ("," if number else "") + line.model_dump_json()
    yield "]}"
