"""The review queue over HTTP: the rules that draw answers for it, what was drawn, and judging it. For officers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Officer, OpenedLog, TheAppliance, TheSession
from appliance.api.log_wire import grounding_on_record
from appliance.api.schemas.review_queue import (
    ChoiceOut,
    DrawnAnswerOut,
    DrawnAnswersOut,
    JudgedOut,
    JudgementIn,
    SamplingRuleIn,
    SamplingRuleOut,
    SamplingRulesOut,
)
from appliance.audit.entries import AnswerReviewed, LogRead
from appliance.audit.records import QueryRecord
from appliance.audit.telling import DAMAGED, why_unreadable
from appliance.compliance.review_queue import Judgement, Review
from appliance.compliance.sampling import WHOLE, Rule
from appliance.domain import ReviewState, Selects
from appliance.errors import InvalidRequest, NotFound
from appliance.flags import Flag
from appliance.wiring import Appliance

router = APIRouter(prefix="/compliance", tags=["compliance"])
_PERCENT = WHOLE // 100


@router.get("/rules")
def rules(_officer: Officer, appliance: TheAppliance) -> SamplingRulesOut:
    """The rules in force, and what one can name."""
    names = appliance.catalog.source_names()
    return SamplingRulesOut(
        rules=[_rule_out(rule, names) for rule in appliance.sampling_rules.in_force()],
        flags=[flag.value for flag in Flag],
        sources=[ChoiceOut(id=key, name=name) for key, name in names.items()],
    )


@router.post("/rules", status_code=201)
def make_rule(wanted: SamplingRuleIn, officer: Officer, appliance: TheAppliance) -> SamplingRuleOut:
    """Make a rule. It acts on the answers that come after it."""
    if wanted.selects is Selects.SOURCE:
        appliance.catalog.source(wanted.subject)
    elif wanted.selects is Selects.FLAG and wanted.subject not in set(Flag):
        raise InvalidRequest("There is no such flag. Choose one of those that are listed.")
    share = round(wanted.share_percent * _PERCENT)
    made = appliance.sampling_rules.make(officer.id, wanted.selects, wanted.subject, share)
    return _rule_out(made, appliance.catalog.source_names())


@router.delete("/rules/{rule_id}", status_code=204)
def end_rule(rule_id: str, officer: Officer, appliance: TheAppliance) -> Response:
    """End a rule. What it drew stays in the queue."""
    appliance.sampling_rules.end(officer.id, rule_id)
    return Response(status_code=204)


@router.get("/reviews")
def reviews(
    officer: Officer,
    _opened: OpenedLog,
    session: TheSession,
    appliance: TheAppliance,
    state: ReviewState = ReviewState.WAITING,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> DrawnAnswersOut:
    """Answers that were drawn and are in this state, the oldest first, without whose they are."""
    appliance.log.append(LogRead(officer.id, f"the review queue, {state.value}", session_id=session))
    complete = appliance.review_queue.catch_up()
    found, total = appliance.review_queue.in_state(state, limit=limit, offset=offset)
    names = appliance.catalog.source_names()
    drawn_by = {rule.id: _in_words(rule, names) for rule in appliance.sampling_rules.all()}
    return DrawnAnswersOut(
        reviews=[_review_out(appliance, review, drawn_by, officer.id) for review in found],
        total=total,
        complete=complete,
    )


@router.post("/reviews/{query_id}")
def judge(query_id: str, given: JudgementIn, officer: Officer, appliance: TheAppliance) -> JudgedOut:
    """Judge an answer. What is not fine waits for a second officer, or for its case to be closed."""
    judgement = Judgement(given.verdict, given.notes, given.case_id, given.title)
    judged = appliance.review_queue.judge(officer, query_id, judgement)
    return JudgedOut(state=judged.state, case_id=judged.case_id)


def _rule_out(rule: Rule, source_names: Mapping[str, str]) -> SamplingRuleOut:
    return SamplingRuleOut(
        id=rule.id,
        selects=rule.selects,
        subject=rule.subject,
        share_percent=rule.share / _PERCENT,
        since=rule.since,
        words=_in_words(rule, source_names),
    )


def _in_words(rule: Rule, source_names: Mapping[str, str]) -> str:
    which = {
        Selects.ALL: "answers",
        Selects.FLAG: f"answers flagged {rule.subject if rule.subject else 'with anything'}",
        Selects.SOURCE: f"answers that cite {source_names.get(rule.subject, 'a source that is gone')}",
    }[rule.selects]
    return f"All {which}" if rule.share == WHOLE else f"{rule.share / _PERCENT:g} % of the {which}"


def _review_out(appliance: Appliance, review: Review, drawn_by: Mapping[str, str], reader: str) -> DrawnAnswerOut:
    record = _on_record(appliance, review.query_id)
    answer = record.answer if record else None
    judged = appliance.log.entry(review.reviewed_seq).entry if review.reviewed_seq is not None else None
    given = judged if isinstance(judged, AnswerReviewed) else None
    return DrawnAnswerOut(
        query_id=review.query_id,
        seq=review.seq,
        answered_at=review.answered_at,
        drawn_by=[drawn_by[rule] for rule in review.rules if rule in drawn_by],
        question=record.question.question if record and record.question else "",
        answer=answer.answer if answer else "",
        withdrawn=answer.withdrawn if answer else "",
        numbers=[citation.number for citation in answer.citations] if answer else [],
        highlights=list(answer.highlights) if answer else [],
        grounding=grounding_on_record(answer),
        outcome=(answer.error or answer.kind) if answer else "",
        flags=[flag.name for flag in answer.flags] if answer else [],
        cited=_cited(record) if record else [],
        unread=_unread(record) if record else DAMAGED,
        state=review.state,
        verdict=review.verdict,
        notes=given.notes if given else "",
        reviewed_by=given.actor_name if given else "",
        reviewed_seq=review.reviewed_seq,
        own=review.reviewed_by == reader,
        case_id=review.case_id,
        proposal_id=review.proposal_id,
    )


def _on_record(appliance: Appliance, query_id: str) -> QueryRecord | None:
    """None when the entry of the question was altered: the others are shown all the same."""
    try:
        return appliance.log.query(query_id)
    except NotFound:
        return None


def _cited(record: QueryRecord) -> list[str]:
    """The documents that an answer cites, with the page, as they were called then."""
    if record.answer is None or record.retrieval is None:
        return []
    found = {passage.chunk_id: passage for passage in record.retrieval.retrieved}
    cited = [(citation.number, found.get(citation.chunk_id)) for citation in record.answer.citations]
    return [
        f"[{number}] {passage.title}{f', page {passage.page}' if passage.page is not None else ''}"
        for number, passage in cited
        if passage is not None
    ]


def _unread(record: QueryRecord) -> str:
    """Why there is no question, or no answer; empty when there are both."""
    unread = (part for part in (record.asked, record.closed) if part is not None and part.entry is None)
    return " ".join(dict.fromkeys(map(why_unreadable, unread)))
