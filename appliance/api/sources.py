"""Sources, syncs and files: how documents get in, and how each of them stands. For admins."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Admin, TheAppliance, record_act
from appliance.api.schemas import FileOut, FilesOut, RunOut, RunState, SourceGroups, SourceIn, SourceOut
from appliance.audit.entries import AdminAction
from appliance.domain import DocumentState, Principal, Source
from appliance.errors import Conflict, InvalidRequest
from appliance.wiring import Appliance
from ingest.runs import Run

router = APIRouter(tags=["sources"])


@router.get("/sources")
def sources(_admin: Admin, appliance: TheAppliance) -> list[SourceOut]:
    """Every source, and how its files stand."""
    return [_source_out(appliance, source) for source in appliance.catalog.sources()]


@router.post("/sources", status_code=201)
def add_source(wanted: SourceIn, admin: Admin, appliance: TheAppliance) -> SourceOut:
    """Add a folder. Nothing is read until it is synced."""
    path = Path(wanted.path)
    if not path.is_absolute() or not path.is_dir():
        raise InvalidRequest(
            f"'{wanted.path}' is not a folder on the machine that runs the appliance. Give its full path there."
        )
    path = path.resolve()
    _refuse_data_folder(appliance, path)
    _refuse_overlap(appliance, path)
    source = Source(str(uuid.uuid4()), wanted.name, str(path), frozenset(wanted.groups))
    record_act(appliance, admin, "source.added", source.name, f"groups: {', '.join(sorted(source.groups))}")
    appliance.catalog.add_source(source)
    return _source_out(appliance, source)


@router.put("/sources/{source_id}/groups")
def set_groups(source_id: str, wanted: SourceGroups, admin: Admin, appliance: TheAppliance) -> SourceOut:
    """Change who sees the documents of a source that have no label of their own, by a sync that starts at once."""
    source = appliance.catalog.source(source_id)
    groups = frozenset(wanted.groups)
    if appliance.runs.is_running(source_id):
        raise Conflict(f"'{source.name}' is being synced. Wait for the run to end, then change its groups again.")
    record_act(appliance, admin, "source.relabelled", source.name, f"groups: {', '.join(sorted(groups))}")
    appliance.catalog.set_source_groups(source_id, groups)
    _start_sync(appliance, admin, appliance.catalog.source(source_id))
    return _source_out(appliance, appliance.catalog.source(source_id))


@router.delete("/sources/{source_id}", status_code=204)
def remove_source(source_id: str, admin: Admin, appliance: TheAppliance) -> Response:
    """Forget a source: its documents leave the index and the catalog. The files stay where they are."""
    source = appliance.catalog.source(source_id)
    if appliance.runs.is_running(source_id):
        raise Conflict(f"'{source.name}' is being synced. Wait for the run to end, then remove it.")
    record_act(appliance, admin, "source.removed", source.name)
    documents = [facts.document_id for facts in appliance.catalog.files(source_id).values()]
    appliance.catalog.remove_source(source_id)  # first: from now on no reader sees its documents
    for document_id in documents:
        appliance.index.delete_document(document_id)
    return Response(status_code=204)


@router.post("/sources/{source_id}/sync", status_code=202)
def sync(source_id: str, admin: Admin, appliance: TheAppliance) -> RunOut:
    """Make the index agree with the folder, in the background."""
    return _run_out(_start_sync(appliance, admin, appliance.catalog.source(source_id)))


@router.get("/runs")
def runs(_admin: Admin, appliance: TheAppliance) -> list[RunOut]:
    """The latest syncs, newest first, with their progress."""
    return [_run_out(run) for run in appliance.runs.latest()]


@router.get("/files")
def files(
    _admin: Admin,
    appliance: TheAppliance,
    source_id: Annotated[str | None, Query(max_length=36)] = None,
    state: DocumentState | None = None,
    text: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> FilesOut:
    """Every file that was ever seen, its state, and the reason."""
    names = {source.id: source.name for source in appliance.catalog.sources()}
    page = appliance.catalog.inventory(source_id=source_id, state=state, text=text, limit=limit, offset=offset)
    return FilesOut(
        files=[
            FileOut(
                document_id=document.id,
                source=names.get(document.source_id, ""),
                path=document.path,
                state=document.state,
                reason=document.reason,
                groups=sorted(document.groups),
                size_bytes=document.size_bytes,
                updated_at=document.updated_at,
            )
            for document in page.documents
        ],
        total=page.total,
    )


def _start_sync(appliance: Appliance, admin: Principal, source: Source) -> Run:
    """Sync in the background, with both ends on record. Raises Conflict when the source is being synced already."""
    record_act(appliance, admin, "source.synced", source.name)

    def record_end(run: Run) -> None:
        counts = ", ".join(f"{name.value}: {count}" for name, count in sorted(run.progress.counts.items()))
        appliance.log.append(AdminAction(admin.id, "source.sync_ended", source.name, run.error or counts))

    return appliance.runs.start(source, on_end=record_end)


def _refuse_data_folder(appliance: Appliance, path: Path) -> None:
    """What readers asked, and the text of every document, must not become a document for others."""
    own = appliance.folder.path.resolve()
    if path == own or path in own.parents or own in path.parents:
        raise InvalidRequest(
            f"'{path}' is, holds, or lies in the data folder of the appliance ({own}). Choose another folder."
        )


def _refuse_overlap(appliance: Appliance, path: Path) -> None:
    """The same file in two sources would carry two labels."""
    for other in appliance.catalog.sources():
        there = Path(other.path)
        if path == there or path in there.parents or there in path.parents:
            raise Conflict(f"This folder overlaps with the source '{other.name}' ({other.path}). Choose another one.")


def _source_out(appliance: Appliance, source: Source) -> SourceOut:
    return SourceOut(
        id=source.id,
        name=source.name,
        path=source.path,
        groups=sorted(source.groups),
        states=appliance.catalog.states(source.id),
    )


def _run_out(run: Run) -> RunOut:
    state = RunState.RUNNING
    if run.finished_at is not None:
        state = RunState.FAILED if run.error else RunState.FINISHED
    progress = run.progress
    return RunOut(
        id=run.id,
        source_id=run.source.id,
        source=run.source.name,
        state=state,
        started_at=run.started_at,
        finished_at=run.finished_at,
        total=progress.total,
        done=progress.done,
        counts={name.value: count for name, count in list(progress.counts.items())},
        current=progress.current,
        message=run.error or "",
    )
