"""Cases: questions that belong together because something has to be found out about them.

Rules this module keeps:

1. Here lie identifiers and the numbers of entries. What officers write (title, reason, notes) is in the log and
   nowhere else: sealed, unalterable, and gone with its key.
2. Nothing is taken out of a case, and a closed one takes nothing in.
3. A case is closed by two officers: one proposes it, another one approves. The reviews in it are closed with it.
4. Who asked one of the questions in a case does not decide about closing it.
5. A case is about one log. When another one is there, it is shown as such, and the new one's entries never as its own.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, Row, String, Table, func, insert, select, update

from appliance.audit.entries import CaseNoted, CaseOpened, CaseQueryAdded, Entry, QuestionReceived
from appliance.audit.log import QueryLog
from appliance.audit.records import Recorded
from appliance.auth.accounts import now_utc
from appliance.compliance.four_eyes import OPEN, FourEyes, Proposal
from appliance.compliance.log_identity import LOG_ID_LENGTH, log_id
from appliance.database import Database, Moment, metadata
from appliance.domain import Principal
from appliance.errors import AccessDenied, Conflict, NotFound

CASE_CLOSED = "case.closed"
"""The act that a second officer approves."""

cases = Table(
    "cases",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),  # what people call it by
    Column("opened_by", String(64), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("proposal_id", String(36), nullable=False),  # to close it, the last one; empty: none was made
    Column("closed_at", Moment, nullable=True),
    Column("log", String(LOG_ID_LENGTH), nullable=False, server_default=""),  # the one it is about (`log_identity`)
)

case_entries = Table(
    "case_entries",
    metadata,
    Column("log", String(LOG_ID_LENGTH), primary_key=True),  # as of the case
    Column("seq", Integer, primary_key=True),  # of the entry of the log
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("query_id", String(64), nullable=False),  # of a question that was put in it; else empty
)


@dataclass(frozen=True, slots=True)
class Case:
    """A case: who opened it, what is in it, and the numbers of the entries of the log that make it up.

    `is_here` is whether they are numbers of the log that is there now. If not, nothing of the case can be told.
    """

    id: str
    number: int
    opened_by: str
    opened_at: datetime
    proposal_id: str
    closed_at: datetime | None
    seqs: tuple[int, ...]
    query_ids: tuple[str, ...]
    is_here: bool


class Cases:
    """The cases there are."""

    def __init__(
        self, database: Database, log: QueryLog, four_eyes: FourEyes, clock: Callable[[], datetime] = now_utc
    ) -> None:
        self._database = database
        self._log = log
        self._four_eyes = four_eyes
        self._clock = clock
        self._changing = threading.RLock()
        four_eyes.before_decision(CASE_CLOSED, self._require_another)
        four_eyes.on_approval(CASE_CLOSED, self._close)

    def all(self) -> list[Case]:
        """Every case, the open ones first, and of each the newest first."""
        query = select(cases).order_by(cases.c.closed_at.is_not(None), cases.c.number.desc())
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            inside = connection.execute(select(case_entries).order_by(case_entries.c.seq)).all()
        here = log_id(self._log)
        return [_case(row, [entry for entry in inside if entry.case_id == row.id], here) for row in rows]

    def one(self, case_id: str) -> Case:
        """One case. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(cases).where(cases.c.id == case_id)).one_or_none()
            own = select(case_entries).where(case_entries.c.case_id == case_id).order_by(case_entries.c.seq)
            inside = connection.execute(own).all()
        if row is None:
            raise NotFound("There is no such case.")
        return _case(row, inside, log_id(self._log))

    def of(self, query_id: str) -> list[Case]:
        """The cases that a question was put in, the oldest first; not those of another log."""
        query = select(case_entries.c.case_id).where(case_entries.c.query_id == query_id)
        with self._database.read() as connection:
            ids = {row.case_id for row in connection.execute(query)}
        found = (self.one(case_id) for case_id in ids)
        return sorted((case for case in found if case.is_here), key=lambda case: case.number)

    def open(self, officer: Principal, title: str, reason: str) -> Case:
        """Open a case. Raises AuditUnavailable: it cannot be recorded, so there is none."""
        case_id = str(uuid.uuid4())
        with self._changing:
            opened = self._log.append(CaseOpened(officer.id, officer.name, case_id, title, reason))
            here = log_id(self._log)
            with self._database.write() as connection:
                last = connection.execute(select(func.max(cases.c.number))).scalar() or 0
                connection.execute(
                    insert(cases).values(
                        id=case_id,
                        number=last + 1,
                        opened_by=officer.id,
                        opened_at=self._clock(),
                        proposal_id="",
                        closed_at=None,
                        log=here,
                    )
                )
                connection.execute(insert(case_entries).values(log=here, seq=opened.seq, case_id=case_id, query_id=""))
        return self.one(case_id)

    def put(self, officer: Principal, case_id: str, query_id: str) -> None:
        """Put a question in a case; once is enough.

        Raises:
            NotFound: There is no such case, or no such question was ever recorded.
            Conflict: The case is closed, or is about to be.
            AuditUnavailable: It cannot be recorded, so it is not done.
        """
        self._log.query(query_id)
        with self._changing:
            if query_id not in self._open_one(case_id).query_ids:
                self._add(case_id, CaseQueryAdded(query_id, officer.id, officer.name, case_id), query_id)

    def note(self, officer: Principal, case_id: str, note: str) -> int:
        """Write something down in a case; the number of its entry. Raises as `put`."""
        with self._changing:
            self._open_one(case_id)
            return self._add(case_id, CaseNoted(officer.id, officer.name, case_id, note))

    def propose_closing(self, officer: Principal, case_id: str, outcome: str) -> Proposal:
        """Put the closing of a case before a second officer; what came of it becomes its last note. Raises as `put`."""
        with self._changing:
            case = self._open_one(case_id)
            seq = self.note(officer, case_id, outcome)
            told = f"The outcome is entry {seq} of the query log, the last note of case {case.number}."
            proposal = self._four_eyes.propose(officer.id, CASE_CLOSED, case_id, told)
            with self._database.write() as connection:
                connection.execute(update(cases).where(cases.c.id == case_id).values(proposal_id=proposal.id))
        return proposal

    def is_closing(self, case: Case) -> bool:
        """Whether a second officer is to decide about closing it."""
        return bool(case.proposal_id) and self._four_eyes.one(case.proposal_id).outcome == OPEN and not case.closed_at

    def entries(self, case: Case) -> tuple[Recorded, ...]:
        """The entries of the log that make up a case, oldest first: its opening is the first one."""
        return self._log.several(case.seqs) if case.is_here else ()

    def opening(self, case: Case) -> Recorded | None:
        """The first of them; None when the log it is in is not there."""
        return next(iter(self._log.several(case.seqs[:1])), None) if case.is_here else None

    def _open_one(self, case_id: str) -> Case:
        case = self.one(case_id)
        if not case.is_here:
            raise _moved_away()
        if case.closed_at is not None:
            raise Conflict("This case is closed. Open another one.")
        if self.is_closing(case):
            raise Conflict("A second officer is to decide about closing this case. Wait for that.")
        return case

    def _add(self, case_id: str, entry: Entry, query_id: str = "") -> int:
        seq = self._log.append(entry).seq
        with self._database.write() as connection:
            values = {"log": log_id(self._log), "seq": seq, "case_id": case_id, "query_id": query_id}
            connection.execute(insert(case_entries).values(values))
        return seq

    def _require_another(self, officer: str, proposal: Proposal) -> None:
        """Whoever asked a question in a case does not decide whether it is closed."""
        case = self.one(proposal.subject)
        if not case.is_here:
            raise _moved_away()
        for query_id in case.query_ids:
            require_of_somebody_else(self._log, query_id, officer)

    def _close(self, approved: Proposal) -> None:
        with self._database.write() as connection:
            closing = update(cases).where(cases.c.id == approved.subject)
            connection.execute(closing.values(closed_at=self._clock()))


def require_of_somebody_else(log: QueryLog, query_id: str, officer: str) -> None:
    """Raises AccessDenied if this is a question of that officer."""
    on_record = (recorded.entry for recorded in log.about(query_id))
    if any(isinstance(entry, QuestionReceived) and entry.actor == officer for entry in on_record):
        raise AccessDenied("Nobody judges the answers to their own questions. Leave it to another officer.")


def _moved_away() -> Conflict:
    return Conflict("This case is about a query log that was moved away. Open another one.")


def _case(row: Row[Any], inside: Sequence[Row[Any]], here: str) -> Case:
    return Case(
        row.id,
        row.number,
        row.opened_by,
        row.opened_at,
        row.proposal_id,
        row.closed_at,
        tuple(entry.seq for entry in inside),
        tuple(entry.query_id for entry in inside if entry.query_id),
        row.log == here,
    )
