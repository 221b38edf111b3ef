"""The query log for compliance officers. It opens for a written reason, and every reading of it is itself an entry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from appliance.api.charts import charts_out
from appliance.api.gate import Compliance, Officer, OpenedLog, TheAppliance, TheSession
from appliance.api.log_wire import event_out, query_detail, query_out
from appliance.api.schemas.charts import ChartsOut
from appliance.api.schemas.log import (
    EventsOut,
    ExportAskedOut,
    MayExportOut,
    OpeningIn,
    OpeningOut,
    QueriesOut,
    QueriesWanted,
    QueryDetail,
    VerifiedOut,
)
from appliance.api.wire import as_file, verified_out
from appliance.audit.entries import (
    AnswerClosed,
    LogExported,
    LogRead,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
)
from appliance.audit.records import LogFilter
from appliance.compliance.charts import count
from appliance.compliance.naming import account_of
from appliance.compliance.pseudonyms import spelled
from appliance.domain import Principal
from appliance.errors import InvalidRequest
from appliance.wiring import Appliance

router = APIRouter(prefix="/log", tags=["log"])
_QUERY_TYPES = frozenset({kind.type for kind in (QuestionReceived, QuestionCompleted, PassagesRetrieved, AnswerClosed)})
_SEARCH_S, _COUNT_S = 1.5, 10.0
_NOBODY = "nobody"
"""No account has this id, so that nothing is found."""


@router.post("/openings", status_code=201)
def open_log(wanted: OpeningIn, officer: Compliance, session: TheSession, appliance: TheAppliance) -> OpeningOut:
    """Write down why one reads the log. It is then open to this session, or this token, for a while."""
    opening = appliance.openings.open(officer.id, session, wanted.reason)
    return OpeningOut(reason=opening.reason, until=opening.until)


@router.get("/openings/mine")
def own_opening(_: Compliance, session: TheSession, appliance: TheAppliance) -> OpeningOut:
    """Why and until when the log is open to this session; both empty when it is not."""
    opening = appliance.openings.of(session)
    return OpeningOut(reason=opening.reason, until=opening.until) if opening else OpeningOut(reason="", until=None)


@router.get("/queries")
def queries(
    officer: OpenedLog,
    session: TheSession,
    appliance: TheAppliance,
    wanted: Annotated[QueriesWanted, Query()],
) -> QueriesOut:
    """Queries on record that match, newest first.

    A search looks for a second and a half, and gives what it has found by then: `hurried` says that there may be more
    where it stopped, and `next_before` goes on from there.
    """
    appliance.log.append(LogRead(officer.id, f"queries matching {_described(wanted)}", session_id=session))
    found = appliance.log.search(
        _filter(appliance, wanted), limit=wanted.limit, before_seq=wanted.before, budget_s=_SEARCH_S
    )
    return QueriesOut(
        queries=[query_out(appliance, query) for query in found.queries],
        next_before=found.next_before,
        reached=found.reached,
        hurried=found.hurried,
    )


@router.get("/queries/{query_id}")
def query(query_id: str, officer: OpenedLog, session: TheSession, appliance: TheAppliance) -> QueryDetail:
    """Everything on record about one query."""
    record = appliance.log.query(query_id)
    appliance.log.append(LogRead(officer.id, "one query", query_id, session))
    return query_detail(appliance, officer, record)


@router.get("/charts")
def charts(
    officer: OpenedLog,
    session: TheSession,
    appliance: TheAppliance,
    weeks: Annotated[int, Query(ge=1, le=53)] = 4,
) -> ChartsOut:
    """How the appliance is used in the last weeks, counted for no fewer than a handful of people at once."""
    appliance.log.append(LogRead(officer.id, f"charts of the last {weeks} weeks", session_id=session))
    counted = count(appliance.log, datetime.now(UTC), weeks, budget_s=_COUNT_S)
    return charts_out(counted)


@router.get("/events")
def events(
    officer: OpenedLog,
    session: TheSession,
    appliance: TheAppliance,
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EventsOut:
    """Every entry that is not part of a query: sign-ins, acts of admins, readings of the log."""
    appliance.log.append(LogRead(officer.id, "events", session_id=session))
    found = appliance.log.entries(LogFilter(except_types=_QUERY_TYPES), limit=limit, before_seq=before)
    ids = {person.name: person.id for person in appliance.accounts.people()}
    return EventsOut(
        events=[event_out(appliance, recorded, ids) for recorded in found],
        next_before=found[-1].seq if len(found) == limit and found[-1].seq else None,
    )


@router.post("/verify")
def verify_log(officer: Compliance, appliance: TheAppliance) -> VerifiedOut:
    """Check every entry and the whole tree, and that the log still contains its latest checkpoint."""
    found = appliance.monitor.verification.run()  # first: a log that was altered may take no entry
    if found.ok:
        appliance.log.append(LogRead(officer.id, "verification"))
    else:
        appliance.monitor.verification.put_failure_on_record(officer.id, found)
    return verified_out(found)


@router.post("/exports", status_code=202)
def ask_for_export(wanted: OpeningIn, officer: Officer, _: OpenedLog, appliance: TheAppliance) -> None:
    """Put before a second officer that both may take out what the log holds; see the proposals."""
    appliance.exporting.ask(officer.id, wanted.reason)


@router.get("/exports/mine")
def own_export(officer: Officer, appliance: TheAppliance) -> MayExportOut:
    """Until when one may take out what the log holds, and whether it waits for a second officer."""
    return MayExportOut(until=appliance.exporting.until(officer.id), waits=_asked_out(appliance, officer))


def _asked_out(appliance: Appliance, officer: Principal) -> ExportAskedOut | None:
    waiting = appliance.exporting.waiting()
    if waiting is None:
        return None
    names = appliance.accounts.names()
    return ExportAskedOut(
        asked_by=names.get(waiting.proposed_by, waiting.proposed_by),
        asked_at=waiting.proposed_at,
        lapses_at=waiting.lapses_at,
        own=waiting.proposed_by == officer.id,
    )


@router.get("/export", response_class=StreamingResponse)
def export(
    officer: OpenedLog, session: TheSession, appliance: TheAppliance, content: bool = False
) -> StreamingResponse:
    """The whole log as JSON lines, verifiable without the appliance; what entries hold only where two agreed on it."""
    if content:
        appliance.exporting.require(officer.id)
    what = "the whole log" if content else "the proof of the whole log"
    appliance.log.append(LogExported(officer.id, what, session))
    return StreamingResponse(
        _lines(appliance.log.export(with_content=content)),
        media_type="application/jsonl",
        headers=as_file("strongroom-query-log.jsonl"),
    )


def _lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n") + "\n"


def _filter(appliance: Appliance, wanted: QueriesWanted) -> LogFilter:
    return LogFilter(
        text=wanted.text,
        actor=_account(appliance, wanted.person) if wanted.person else "",
        kind=wanted.kind.value if wanted.kind else "",
        verdict=wanted.feedback,
        since=_aware(wanted.since),
        until=_aware(wanted.until),
        group=wanted.group,
        document=wanted.document,
        model=wanted.model,
        flag=wanted.flag,
    )


def _account(appliance: Appliance, pseudonym: str) -> str:
    """The account id behind a pseudonym; nobody's where there is none. Raises InvalidRequest: it is no pseudonym."""
    if not spelled(pseudonym):
        raise InvalidRequest(
            "People are found by their pseudonym, such as P-7K3M9-Q2XDA. To find somebody by name, ask for it under "
            "People: a second officer decides."
        )
    known = (person.id for person in appliance.accounts.people())
    return account_of(appliance.pseudonyms, appliance.log, pseudonym, known) or _NOBODY


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _described(wanted: QueriesWanted) -> str:
    """What was looked for, for the record of the reading."""
    parts = wanted.model_dump(mode="json", exclude={"before", "limit"})
    return ", ".join(f"{name} '{value}'" for name, value in parts.items() if value) or "anything"
