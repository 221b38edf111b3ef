"""Files and how each of them stands: state, reason, coverage, and what can be done about it. For admins."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from appliance.api.gate import IngestAdmin, TheAppliance, record_act
from appliance.api.runs import request_sync, require_not_paused, run_out, start_sync
from appliance.api.schemas.files import CoverageOut, FileOut, FilePassword, FilesIn, FilesOut
from appliance.api.schemas.runs import RunOut
from appliance.api.wire import has_images, page_out
from appliance.catalog import FileFacts
from appliance.domain import Document, DocumentState, Source, SourceKind
from appliance.errors import Conflict
from appliance.labels import groups_in, level_in
from ingest.pipeline import Wish

router = APIRouter(prefix="/files", tags=["files"])


@router.get("")
def files(
    _admin: IngestAdmin,
    appliance: TheAppliance,
    source_id: Annotated[str | None, Query(max_length=36)] = None,
    state: DocumentState | None = None,
    text: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    latest_first: bool = False,
) -> FilesOut:
    """Every file that was ever seen, its state, and the reason: by path, or those first that were looked at last."""
    sources = {source.id: source for source in appliance.catalog.sources()}
    page = appliance.catalog.inventory(
        source_id=source_id, state=state, text=text, limit=limit, offset=offset, latest_first=latest_first
    )
    return FilesOut(
        files=[_file_out(document, sources.get(document.source_id)) for document in page.documents], total=page.total
    )


@router.post("/retry", status_code=202)
def retry(wanted: FilesIn, admin: IngestAdmin, appliance: TheAppliance) -> list[RunOut]:
    """Read files again, whatever was said of them before."""
    given = [appliance.catalog.facts(document_id) for document_id in dict.fromkeys(wanted.document_ids)]
    sources = {facts.source_id: appliance.catalog.source(facts.source_id) for facts in given}
    for source in sources.values():
        require_not_paused(source)
    with ExitStack() as acts:
        for facts in given:
            acts.enter_context(record_act(appliance, admin, "file.retried", _subject(sources[facts.source_id], facts)))
        appliance.catalog.forget_judgement([document for facts in given for document in _to_judge(facts)])
    return [run_out(request_sync(appliance, admin, source)) for source in sources.values()]


@router.post("/{document_id}/password", status_code=202)
def give_password(document_id: str, given: FilePassword, admin: IngestAdmin, appliance: TheAppliance) -> RunOut:
    """Read an encrypted file with a password, which is kept nowhere."""
    facts = appliance.catalog.facts(document_id)
    source = appliance.catalog.source(facts.source_id)
    require_not_paused(source)
    if appliance.runs.is_running(source.id):
        raise Conflict(f"'{source.name}' is being synced. Wait for the run to end, then give the password again.")
    with record_act(appliance, admin, "file.password_given", _subject(source, facts)):
        appliance.catalog.forget_judgement(_to_judge(facts))
        run = start_sync(appliance, admin, source, Wish(passwords={facts.path: given.password}))
    return run_out(run)


@router.delete("/{document_id}", status_code=202)
def withdraw(document_id: str, admin: IngestAdmin, appliance: TheAppliance) -> RunOut:
    """Remove an uploaded file, and with it its document."""
    facts = appliance.catalog.facts(document_id)
    source = appliance.catalog.source(facts.source_id)
    if source.kind is not SourceKind.UPLOADS:
        raise Conflict("Only what was uploaded can be removed here. Remove the file from its folder, and sync it.")
    if facts.container_id is not None:
        raise Conflict("This file lies in another one that was uploaded. Remove that one, or upload it without this.")
    require_not_paused(source)
    with record_act(appliance, admin, "file.withdrawn", _subject(source, facts)):
        (Path(source.path) / facts.path).unlink(missing_ok=True)
    return run_out(request_sync(appliance, admin, source))


@router.get("/{document_id}/coverage")
def coverage(document_id: str, admin: IngestAdmin, appliance: TheAppliance) -> CoverageOut:
    """Which pages of a file gave text, and by which means. Never the text."""
    document, version = appliance.catalog.coverage(document_id)
    return CoverageOut(
        document_id=document.id,
        path=document.full_path,
        state=document.state,
        reason=document.reason,
        pages=[page_out(page) for page in version.pages] if version else [],
        has_images=version is not None and has_images(document.media_type),
        may_open=version is not None and admin.access.admits(document.groups),
    )


def _file_out(document: Document, source: Source | None) -> FileOut:
    return FileOut(
        document_id=document.id,
        source=source.name if source else "",
        path=document.full_path,
        state=document.state,
        reason=document.reason,
        groups=sorted(groups_in(document.groups)),
        level=level_in(document.groups),
        size_bytes=document.size_bytes,
        updated_at=document.updated_at,
        source_kind=source.kind if source else SourceKind.FOLDER,
        container_id=document.container_id,
        attempts=document.attempts,
        retry_at=document.retry_at,
    )


def _to_judge(facts: FileFacts) -> list[str]:
    """The documents to be judged anew: a file in a container is read with it, and what was said of either may stand."""
    return [facts.document_id, facts.container_id] if facts.container_id else [facts.document_id]


def _subject(source: Source, facts: FileFacts) -> str:
    """A file on record."""
    return f"{source.name}: {facts.path}/{facts.member}" if facts.member else f"{source.name}: {facts.path}"
