"""The review queue: answers that a rule drew, until an officer has judged them, and where it matters a second one.

Rules this module keeps:

1. The queue is worked out from the log when somebody opens it, from where it was left on. No answer waits for it.
2. A judgement is an entry of the log before it counts. Only its verdict and who gave it lie here, not what was written.
3. "fine" closes a review. "wrong" is closed when a second officer agrees; until then it waits for them, and if they
   refuse, or nobody decides, it waits for a judgement again. "leak" and "escalate" put the question in a case, and are
   closed with the case, which takes two officers too.
4. An answer is drawn once, whatever rules draw it.
5. Nobody judges the answer to their own question, nor decides about a judgement of it.
6. Answers of another log are not in it: what was moved away cannot be judged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Integer, Row, Select, String, Table, func, insert, select, update
from sqlalchemy import case as sql_case

from appliance.audit.entries import AnswerClosed, AnswerReviewed
from appliance.audit.log import QueryLog
from appliance.audit.records import Recorded
from appliance.auth.accounts import now_utc
from appliance.compliance.cases import Cases, cases, require_of_somebody_else
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.log_identity import LOG_ID_LENGTH, log_id
from appliance.compliance.sampling import Rule
from appliance.compliance.sampling_rules import SamplingRules
from appliance.database import Database, Moment, metadata
from appliance.domain import Principal, ReviewState, Selects, Verdict, is_of_source
from appliance.errors import Conflict, InvalidRequest, NotFound

REVIEW_CLOSED = "review.closed"
"""The act that a second officer approves."""

_BATCH = 100
_LOOKS_FOR_S = 5.0
"""How long one opening of the queue looks at answers: what is left is looked at by the next."""

reviews = Table(
    "reviews",
    metadata,
    Column("query_id", String(64), primary_key=True),
    Column("seq", Integer, nullable=False, index=True),  # of the entry that closed the answer
    Column("answered_at", Moment, nullable=True),  # None: the entry is damaged
    Column("rules", JSON, nullable=False),  # the ids of those that drew it
    Column("verdict", String(16), nullable=False),  # the last one given; empty: none yet
    Column("reviewed_seq", Integer, nullable=True),  # the entry of that judgement
    Column("reviewed_by", String(64), nullable=False),
    Column("case_id", String(36), nullable=False),
    Column("proposal_id", String(36), nullable=False),
    Column("closed_at", Moment, nullable=True),
    Column("log", String(LOG_ID_LENGTH), nullable=False, server_default=""),  # the one it is about (`log_identity`)
)

sampling_progress = Table(
    "sampling_progress",
    metadata,
    Column("log", String(LOG_ID_LENGTH), primary_key=True),
    Column("seen", Integer, nullable=False),  # the last entry of the log that the rules have looked at
)


_INTO_A_CASE = frozenset({Verdict.LEAK, Verdict.ESCALATE})


@dataclass(frozen=True, slots=True)
class Review:
    """An answer that was drawn, and what came of it. `reviewed_seq` is the entry with the last judgement."""

    query_id: str
    seq: int
    answered_at: datetime | None
    rules: tuple[str, ...]
    state: ReviewState
    verdict: Verdict | None
    reviewed_seq: int | None
    reviewed_by: str
    case_id: str
    proposal_id: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an officer gives. A leak, and what is escalated, goes in the case `case_id`; in a new one if it is empty."""

    verdict: Verdict
    notes: str = ""
    case_id: str = ""
    title: str = ""


class ReviewQueue:
    """What was drawn, and judging it."""

    def __init__(
        self,
        database: Database,
        log: QueryLog,
        rules: SamplingRules,
        cases: Cases,
        four_eyes: FourEyes,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._cases = cases
        self._four_eyes = four_eyes
        self._clock = clock
        self._changing = threading.Lock()
        four_eyes.before_decision(REVIEW_CLOSED, self._require_another)
        four_eyes.on_approval(REVIEW_CLOSED, self._close)

    def catch_up(self) -> bool:
        """Draw from the answers since the last time. Gives back whether all of them were looked at."""
        with self._changing, self._rules.held() as rules:
            if not rules:
                return True
            here = log_id(self._log)
            seen = max(self._seen(here), min(rule.since for rule in rules))
            deadline = time.monotonic() + _LOOKS_FOR_S
            while True:
                answers = self._log.following(seen, AnswerClosed.type, _BATCH)
                drawn = [self._drawn(query_id, answer, rules) for query_id, answer in answers]
                seen = answers[-1][1].seq if answers else seen
                self._keep([row | {"log": here} for row in drawn if row], seen, here)
                if len(answers) < _BATCH:
                    return True
                if time.monotonic() > deadline:
                    return False

    def in_state(self, state: ReviewState, *, limit: int, offset: int) -> tuple[list[Review], int]:
        """Reviews in a state, the oldest first, and how many there are."""
        found = self._with_states().subquery()
        query = select(found).where(found.c.state == state.value)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            rows = connection.execute(query.order_by(found.c.seq).limit(limit).offset(offset)).all()
        return [_review(row) for row in rows], total

    def one(self, query_id: str) -> Review:
        """The review of an answer. Raises NotFound: it was never drawn."""
        query = self._with_states().where(reviews.c.query_id == query_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("This answer is not in the review queue.")
        return _review(row)

    def judge(self, officer: Principal, query_id: str, given: Judgement) -> Review:
        """Judge an answer.

        Raises:
            NotFound: It was never drawn, or there is no such case.
            InvalidRequest: What is needed for this verdict was not written down.
            AccessDenied: It is the answer to the officer's own question.
            Conflict: Somebody judged it already, or the case takes nothing in.
            AuditUnavailable: It cannot be recorded, so it is not judged.
        """
        if given.verdict is not Verdict.FINE and not given.notes:
            raise InvalidRequest("Write down what is not right about this answer: a second officer decides by it.")
        require_of_somebody_else(self._log, query_id, officer.id)
        with self._changing:
            if self.one(query_id).state is not ReviewState.WAITING:
                raise Conflict("Another officer has judged this answer already.")
            case_id = self._put_in_case(officer, query_id, given) if given.verdict in _INTO_A_CASE else ""
            entry = AnswerReviewed(query_id, officer.id, officer.name, given.verdict.value, given.notes, case_id)
            seq = self._log.append(entry).seq
            values: dict[str, Any] = {
                "verdict": given.verdict.value,
                "reviewed_seq": seq,
                "reviewed_by": officer.id,
                "case_id": case_id,
                "proposal_id": self._proposed(officer, query_id, seq) if given.verdict is Verdict.WRONG else "",
            }
            if given.verdict is Verdict.FINE:  # else it is for `_close`, which may have been here already
                values["closed_at"] = self._clock()
            with self._database.write() as connection:
                connection.execute(update(reviews).where(reviews.c.query_id == query_id).values(**values))
        return self.one(query_id)

    def _put_in_case(self, officer: Principal, query_id: str, given: Judgement) -> str:
        case_id = given.case_id
        if not case_id:
            if not given.title:
                raise InvalidRequest("Name a case that this belongs to, or give a new one a title.")
            case_id = self._cases.open(officer, given.title, given.notes).id
        self._cases.put(officer, case_id, query_id)
        return case_id

    def _proposed(self, officer: Principal, query_id: str, seq: int) -> str:
        told = f"An answer was judged wrong. Why is entry {seq} of the query log; look at it in the review queue."
        return self._four_eyes.propose(officer.id, REVIEW_CLOSED, query_id, told).id

    def _require_another(self, officer: str, proposal: Proposal) -> None:
        require_of_somebody_else(self._log, self.one(proposal.subject).query_id, officer)

    def _close(self, approved: Proposal) -> None:
        closing = update(reviews).where(reviews.c.query_id == approved.subject).values(closed_at=self._clock())
        with self._database.write() as connection:
            connection.execute(closing)

    def _with_states(self) -> Select[Any]:
        """Every review with its state, which follows from its case and from what became of its proposal."""
        undecided = [proposal.id for proposal in self._four_eyes.open_proposals() if proposal.act == REVIEW_CLOSED]
        state = sql_case(
            (reviews.c.closed_at.is_not(None) | cases.c.closed_at.is_not(None), ReviewState.CLOSED.value),
            (reviews.c.case_id != "", ReviewState.IN_CASE.value),
            (reviews.c.proposal_id.in_(undecided), ReviewState.SECOND.value),
            else_=ReviewState.WAITING.value,
        )
        found = select(reviews, state.label("state")).outerjoin(cases, cases.c.id == reviews.c.case_id)
        return found.where(reviews.c.log == log_id(self._log))

    def _drawn(self, query_id: str, answer: Recorded, rules: Collection[Rule]) -> dict[str, Any] | None:
        """The row of an answer that a rule draws; None when none does."""
        acting = [rule for rule in rules if rule.is_in_force(answer.seq) and rule.draws(answer.leaf_hash)]
        flags = {flag.name for flag in answer.entry.flags} if isinstance(answer.entry, AnswerClosed) else set()
        sources = self._cited_of(query_id, {rule.subject for rule in acting if rule.selects is Selects.SOURCE})
        by = [rule.id for rule in acting if rule.looks_at(flags, sources)]
        if not by:
            return None
        return {"query_id": query_id, "seq": answer.seq, "answered_at": answer.time, "rules": by} | _NOT_JUDGED

    def _cited_of(self, query_id: str, sources: Collection[str]) -> frozenset[str]:
        """Those of the sources of which a document is cited: the log says so, whatever became of the documents."""
        if not sources:
            return frozenset()
        try:
            record = self._log.query(query_id)
        except NotFound:  # the entry of the question was altered: nothing can be told of it, and the others go on
            return frozenset()
        if record.answer is None or record.retrieval is None:
            return frozenset()
        numbers = {citation.chunk_id for citation in record.answer.citations}
        cited = [found for found in record.retrieval.retrieved if found.chunk_id in numbers]
        return frozenset(
            source for source in sources if any(is_of_source(found.document_id, source, found.path) for found in cited)
        )

    def _seen(self, here: str) -> int:
        query = select(sampling_progress.c.seen).where(sampling_progress.c.log == here)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def _keep(self, rows: list[dict[str, Any]], seen: int, here: str) -> None:
        with self._database.write() as connection:
            drawn = {row["query_id"]: row for row in rows}
            there = select(reviews.c.query_id).where(reviews.c.query_id.in_(drawn))
            for known in connection.execute(there).scalars().all():
                del drawn[known]
            if drawn:
                connection.execute(insert(reviews), list(drawn.values()))
            connection.execute(sampling_progress.delete().where(sampling_progress.c.log == here))
            connection.execute(insert(sampling_progress).values(log=here, seen=seen))


_NOT_JUDGED = {
    "verdict": "",
    "reviewed_seq": None,
    "reviewed_by": "",
    "case_id": "",
    "proposal_id": "",
    "closed_at": None,
}


def _review(row: Row[Any]) -> Review:
    return Review(
        row.query_id,
        row.seq,
        row.answered_at,
        tuple(row.rules),
        ReviewState(row.state),
        Verdict(row.verdict) if row.verdict else None,
        row.reviewed_seq,
        row.reviewed_by,
        row.case_id,
        row.proposal_id,
    )
