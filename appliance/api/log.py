"""The query log for compliance officers. It opens for a written reason, and every reading of it is itself an entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from appliance import invalid
from appliance.api.gate import Compliance, OpenedLog, TheAppliance, TheSession
from appliance.api.schemas.asking import GroundingOut
from appliance.api.schemas.log import (
    EventOut,
    EventsOut,
    OpeningIn,
    OpeningOut,
    QueriesOut,
    QueryDetail,
    QueryOut,
    RetrievedOut,
    VerifiedOut,
)
from appliance.api.wire import grounding_out, verified_out
from appliance.audit.entries import (
    AnswerClosed,
    Entry,
    LogExported,
    LogRead,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
    QuestionRewritten,
)
from appliance.audit.entries import split as split_entry
from appliance.audit.records import LogFilter, QueryRecord, Recorded
from appliance.auth.standing import Person
from appliance.domain import AnswerKind, Grounding, StatementCheck

router = APIRouter(prefix="/log", tags=["log"])
_QUERY_TYPES = frozenset({kind.type for kind in (QuestionReceived, QuestionCompleted, PassagesRetrieved, AnswerClosed)})
_DAMAGED = "This entry was altered after it was written. Verify the log."
_ERASED = "What this entry held was erased. That it is in the log is still proved."
_SEALED = "The key to this entry is not there, so nobody can read it. That it is in the log is still proved."


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
    appliance: TheAppliance,
    text: Annotated[str, Query(max_length=500)] = "",
    actor: Annotated[str, Query(max_length=64)] = "",
    kind: AnswerKind | None = None,
    feedback: Annotated[str, Query(pattern=invalid.VERDICT)] = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueriesOut:
    """Queries on record, newest first. `actor` is a name or an account id."""
    wanted = LogFilter(
        text=text,
        actor=_account_id(appliance.accounts.people(), actor),
        kind=kind.value if kind else "",
        verdict=feedback,
        since=_aware(since),
        until=_aware(until),
    )
    appliance.log.append(LogRead(officer.id, f"queries matching {_described(wanted)}"))
    found = appliance.log.queries(wanted, limit=limit, before_seq=before)
    return QueriesOut(
        queries=[_query_out(query) for query in found],
        next_before=found[-1].asked.seq if len(found) == limit else None,
    )


@router.get("/queries/{query_id}")
def query(query_id: str, officer: OpenedLog, appliance: TheAppliance) -> QueryDetail:
    """Everything on record about one query."""
    record = appliance.log.query(query_id)
    appliance.log.append(LogRead(officer.id, "one query", query_id))
    answer, retrieval = record.answer, record.retrieval
    cited = {citation.chunk_id for citation in answer.citations} if answer else set()
    parameters = retrieval.parameters if retrieval else None
    return QueryDetail(
        **_query_out(record).model_dump(),
        model_digest=retrieval.model.digest if retrieval else "",
        model_provider=retrieval.model.provider if retrieval else "",
        quantisation=retrieval.model.quantisation if retrieval else "",
        prompt_sha256=retrieval.prompt_sha256 if retrieval else "",
        prompt_template=retrieval.prompt_template if retrieval else "",
        parameters={name: str(value) for name, value in asdict(parameters).items() if value is not None}
        if parameters
        else {},
        answer_sha256=answer.answer_sha256 if answer else "",
        latency_ms=_latency(answer),
        notices=list(answer.notices) if answer else [],
        passages=[
            RetrievedOut(
                chunk_id=item.chunk_id,
                document_id=item.document_id,
                version_id=item.version_id,
                version_sha256=item.version_sha256,
                title=item.title,
                path=item.path,
                page=item.page,
                rank=item.rank,
                number=item.number,
                reranking=item.reranking,
                cited=item.chunk_id in cited,
            )
            for item in (retrieval.retrieved if retrieval else ())
        ],
        feedback_comment=record.feedback[-1].comment if record.feedback else "",
        leaf_hash=appliance.log.inclusion_proof(record.asked.seq).leaf_hash.hex(),
        searched_for=record.searched_for,
        reranker_digest=retrieval.reranker_digest if retrieval else "",
        answerable=retrieval.answerable if retrieval else None,
        grounding=_grounding_out(answer) if answer else None,
        rewriting=_rewriting(record.rewritten) if record.rewritten else "",
    )


def _grounding_out(answer: AnswerClosed) -> GroundingOut | None:
    if answer.checked is None:
        return None
    checks = tuple(StatementCheck(**asdict(check)) for check in answer.checked.statements)
    return grounding_out(Grounding(answer.checked.score, checks), answer.answer)


def _rewriting(asked: QuestionRewritten) -> str:
    """What a model made of a follow-up, which model, and whether it was taken."""
    return f"{asked.model.name}, {asked.prompt_template}: {asked.said} ({'taken' if asked.used else 'not taken'})"


@router.get("/events")
def events(
    officer: OpenedLog,
    appliance: TheAppliance,
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EventsOut:
    """Every entry that is not part of a query: sign-ins, acts of admins, readings of the log."""
    appliance.log.append(LogRead(officer.id, "events"))
    found = appliance.log.entries(LogFilter(), limit=limit, before_seq=before)
    names = {person.id: person.name for person in appliance.accounts.people()}
    return EventsOut(
        events=[_event(recorded, names) for recorded in found if recorded.type not in _QUERY_TYPES],
        next_before=found[-1].seq if len(found) == limit and found[-1].seq else None,
    )


@router.post("/verify")
def verify_log(officer: Compliance, appliance: TheAppliance) -> VerifiedOut:
    """Check every entry and the whole tree, and that the log still contains its latest checkpoint."""
    appliance.log.append(LogRead(officer.id, "verification"))
    return verified_out(appliance.monitor.verification.run())


@router.get("/export", response_class=StreamingResponse)
def export(officer: OpenedLog, appliance: TheAppliance) -> StreamingResponse:
    """The whole log as JSON lines, verifiable without the appliance."""
    appliance.log.append(LogExported(officer.id, "the whole log"))
    return StreamingResponse(
        _lines(appliance.log.export()),
        media_type="application/jsonl",
        headers={
            "Content-Disposition": 'attachment; filename="strongroom-query-log.jsonl"',
            "Cache-Control": "no-store",
        },
    )


def _lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n") + "\n"


def _query_out(record: QueryRecord) -> QueryOut:
    question, answer, retrieval = record.question, record.answer, record.retrieval
    return QueryOut(
        seq=record.asked.seq,
        query_id=record.query_id,
        asked_at=record.asked.time or datetime.fromtimestamp(0, UTC),
        actor=question.actor if question else "",
        actor_name=question.actor_name if question else "",
        groups=list(question.groups) if question else [],
        levels=list(question.levels) if question else [],
        origin=question.origin if question else "",
        conversation_id=question.conversation_id if question else "",
        question=question.question if question else _unreadable(record.asked),
        answer=answer.answer if answer else (_unreadable(record.closed) if record.closed else ""),
        kind=AnswerKind(answer.kind) if answer and not answer.error else None,
        model=retrieval.model.name if retrieval else "",
        citations=len(answer.citations) if answer else 0,
        retrieved=len(retrieval.retrieved) if retrieval else 0,
        prompted=_prompted(retrieval),
        feedback=record.feedback[-1].verdict if record.feedback else "",
        error=answer.error if answer else "",
        total_ms=answer.latency.total_ms if answer else None,
    )


def _prompted(retrieval: PassagesRetrieved | None) -> int:
    """How many passages were put before the model. Quoted passages have numbers too, but no prompt."""
    if retrieval is None or not retrieval.prompt_sha256:
        return 0
    return sum(passage.number is not None for passage in retrieval.retrieved)


def _latency(answer: AnswerClosed | None) -> dict[str, float]:
    if answer is None:
        return {}
    latency = answer.latency
    known = {"retrieval": latency.retrieval_ms, "first_token": latency.first_token_ms, "total": latency.total_ms}
    return {name: value for name, value in known.items() if value is not None}


def _event(recorded: Recorded, names: Mapping[str, str]) -> EventOut:
    actor = getattr(recorded.entry, "actor", "")
    return EventOut(
        seq=recorded.seq,
        time=recorded.time or datetime.fromtimestamp(0, UTC),
        type=recorded.type,
        actor=names.get(actor, actor),
        detail=_detail(recorded.entry) if recorded.entry else _unreadable(recorded),
    )


def _unreadable(recorded: Recorded) -> str:
    if recorded.erased:
        return _ERASED
    return _SEALED if recorded.sealed else _DAMAGED


def _detail(entry: Entry) -> str:
    content = split_entry(entry)[1]
    return "; ".join(f"{name}: {_in_words(value)}" for name, value in content.items() if value not in ("", None))


def _in_words(value: object) -> str:
    """A recorded value for people: the parts of a list with commas, those of one item side by side."""
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, dict):
        return " ".join(_in_words(item) for item in value.values())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _account_id(people: Iterable[Person], wanted: str) -> str:
    """The account id behind a name; anything else is taken for an account id."""
    for person in people:
        if person.name == wanted.strip().casefold():
            return person.id
    return wanted.strip()


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _described(wanted: LogFilter) -> str:
    """What was looked for, for the record of the reading."""
    parts = {
        "text": wanted.text,
        "actor": wanted.actor,
        "kind": wanted.kind,
        "feedback": wanted.verdict,
        "since": wanted.since.isoformat() if wanted.since else "",
        "until": wanted.until.isoformat() if wanted.until else "",
    }
    return ", ".join(f"{name} '{value}'" for name, value in parts.items() if value) or "anything"
