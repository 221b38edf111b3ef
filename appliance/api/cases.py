"""Cases and evidence packages over HTTP. For officers; whatever shows words of the log asks that it was opened."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Officer, OpenedLog, TheAppliance, TheSession
from appliance.api.schemas.cases import (
    CaseDetail,
    CaseEntryOut,
    CaseIn,
    CaseNoteIn,
    CaseOut,
    CaseQueryIn,
    CaseQueryOut,
)
from appliance.api.wire import as_file
from appliance.audit.entries import CaseNoted, CaseOpened, CaseQueryAdded, LogRead
from appliance.audit.records import Recorded
from appliance.audit.telling import DAMAGED, why_unreadable
from appliance.compliance.cases import Case
from appliance.errors import NotFound
from appliance.wiring import Appliance

router = APIRouter(prefix="/compliance", tags=["compliance"])
_MOVED_AWAY = "This case is about a query log that was moved away: nothing of it can be told."
_ZIP = "application/zip"
QueryIds = Annotated[list[str], Query(min_length=1, max_length=500)]


@router.get("/cases")
def cases(officer: Officer, _opened: OpenedLog, session: TheSession, appliance: TheAppliance) -> list[CaseOut]:
    """Every case, the open ones first."""
    appliance.log.append(LogRead(officer.id, "the list of cases", session_id=session))
    return [_case_out(appliance, case) for case in appliance.cases.all()]


@router.post("/cases", status_code=201)
def open_case(wanted: CaseIn, officer: Officer, appliance: TheAppliance) -> CaseOut:
    """Open a case."""
    for query_id in wanted.query_ids:
        appliance.log.query(query_id)
    case = appliance.cases.open(officer, wanted.title, wanted.reason)
    for query_id in wanted.query_ids:
        appliance.cases.put(officer, case.id, query_id)
    return _case_out(appliance, appliance.cases.one(case.id))


@router.get("/cases/{case_id}")
def case(
    case_id: str, officer: Officer, _opened: OpenedLog, session: TheSession, appliance: TheAppliance
) -> CaseDetail:
    """A case with everything on record about it."""
    found = appliance.cases.one(case_id)
    appliance.log.append(LogRead(officer.id, f"case {found.number}", session_id=session))
    proposal = appliance.four_eyes.one(found.proposal_id) if found.proposal_id else None
    return CaseDetail(
        **_case_out(appliance, found).model_dump(),
        entries=[_entry_out(recorded) for recorded in appliance.cases.entries(found)],
        contents=[_query_out(appliance, query_id) for query_id in found.query_ids] if found.is_here else [],
        proposal_id=proposal.id if proposal else "",
        own=proposal is not None and proposal.proposed_by == officer.id,
    )


@router.post("/cases/{case_id}/queries", status_code=204)
def put_in_case(case_id: str, wanted: CaseQueryIn, officer: Officer, appliance: TheAppliance) -> Response:
    """Put a question in a case."""
    appliance.cases.put(officer, case_id, wanted.query_id)
    return Response(status_code=204)


@router.post("/cases/{case_id}/notes", status_code=204)
def note_in_case(case_id: str, wanted: CaseNoteIn, officer: Officer, appliance: TheAppliance) -> Response:
    """Write something down in a case."""
    appliance.cases.note(officer, case_id, wanted.note)
    return Response(status_code=204)


@router.post("/cases/{case_id}/closing", status_code=204)
def close_case(case_id: str, wanted: CaseNoteIn, officer: Officer, appliance: TheAppliance) -> Response:
    """Propose to close a case, with what came of it. It is closed when a second officer agrees."""
    appliance.cases.propose_closing(officer, case_id, wanted.note)
    return Response(status_code=204)


@router.get("/cases/{case_id}/package", response_class=Response)
def case_package(
    case_id: str, officer: Officer, _opened: OpenedLog, session: TheSession, appliance: TheAppliance
) -> Response:
    """The evidence package of a case, where two agreed on it."""
    found = appliance.cases.one(case_id)
    appliance.exporting.require(officer.id)
    return _download(appliance.evidence.of_case(officer, found, session), f"case-{found.number}")


@router.get("/package/questions", status_code=204)
def package_questions(_: Officer, _opened: OpenedLog, appliance: TheAppliance, query_id: QueryIds) -> Response:
    """Whether there are these questions: to be asked before two officers agree to take out the evidence of them."""
    appliance.evidence.require_on_record(query_id)
    return Response(status_code=204)


@router.get("/package", response_class=Response)
def package(
    officer: Officer, _opened: OpenedLog, session: TheSession, appliance: TheAppliance, query_id: QueryIds
) -> Response:
    """The evidence package of some questions, where two agreed on it."""
    appliance.exporting.require(officer.id)
    return _download(appliance.evidence.of_queries(officer, query_id, session), "questions")


def _download(data: bytes, name: str) -> Response:
    return Response(data, media_type=_ZIP, headers=as_file(f"strongroom-evidence-{name}.zip"))


def _case_out(appliance: Appliance, case: Case) -> CaseOut:
    recorded = appliance.cases.opening(case)
    opened = recorded.entry if recorded else None
    return CaseOut(
        id=case.id,
        number=case.number,
        title=title_of(recorded),
        opened_by=opened.actor_name if isinstance(opened, CaseOpened) else "",
        opened_at=case.opened_at,
        state=_state(appliance, case),
        queries=len(case.query_ids),
        closed_at=case.closed_at,
    )


def title_of(opening: Recorded | None) -> str:
    """The title of a case, or why there is none."""
    if opening is None:
        return _MOVED_AWAY
    return opening.entry.title if isinstance(opening.entry, CaseOpened) else why_unreadable(opening)


def _state(appliance: Appliance, case: Case) -> Literal["open", "closing", "closed"]:
    if case.closed_at is not None:
        return "closed"
    return "closing" if appliance.cases.is_closing(case) else "open"


def _entry_out(recorded: Recorded) -> CaseEntryOut:
    entry = recorded.entry
    kind: Literal["opened", "query", "note", "unread"] = "unread"
    words, by, query_id = why_unreadable(recorded), "", ""
    if isinstance(entry, CaseOpened):
        kind, words, by = "opened", entry.reason, entry.actor_name
    elif isinstance(entry, CaseNoted):
        kind, words, by = "note", entry.note, entry.actor_name
    elif isinstance(entry, CaseQueryAdded):
        kind, words, by, query_id = "query", "", entry.actor_name, entry.query_id
    return CaseEntryOut(seq=recorded.seq, at=recorded.time, kind=kind, by=by, words=words, query_id=query_id)


def _query_out(appliance: Appliance, query_id: str) -> CaseQueryOut:
    try:
        record = appliance.log.query(query_id)
    except NotFound:  # its entry was altered: the others are shown all the same
        return CaseQueryOut(query_id=query_id, seq=None, question=DAMAGED, answer="")
    return CaseQueryOut(
        query_id=query_id,
        seq=record.asked.seq,
        question=record.question.question if record.question else why_unreadable(record.asked),
        answer=record.answer.answer if record.answer else why_unreadable(record.closed) if record.closed else "",
    )
