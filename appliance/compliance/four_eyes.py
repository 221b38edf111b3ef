"""Acts that need two officers: one proposes with a reason, another decides. One of them an administrator proposes.

Rules this module keeps:

1. Nobody decides about what they proposed themselves.
2. Proposal and decision are entries of the log, written before they take effect.
3. A decision is made once. A proposal that nobody decided about within `LAPSES_AFTER` lapses.
   After either, its words go with what else is on record of whoever proposed it.
4. What follows from an approval is done before the approval counts. If it fails, the proposal stays open and can be
   approved again, but not refused any more; so what is registered here must bear being done twice.
5. While that is done others propose and decide: it may take minutes. The same proposal is done by one at a time.
6. Who may not decide about an act is turned away before anything is on record, whatever they would decide.
7. What was approved is of no use to an officer whose account is handed over (see `officers`), for as long as it is.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Row, String, Table, Text, and_, exists, insert, or_, select, text, update

from appliance.audit.entries import ActDecided, ActProposed
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts, now_utc
from appliance.auth.tables import people
from appliance.database import Database, Moment, metadata, month_in
from appliance.errors import AccessDenied, Conflict, InvalidRequest, NotFound

LAPSES_AFTER = timedelta(days=14)
OPEN, APPROVED, REFUSED, LAPSED = "", "approved", "refused", "lapsed"

proposals = Table(
    "proposals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("act", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("decided_at", Moment, nullable=True),
    Column("outcome", String(16), nullable=False),  # OPEN, APPROVED or REFUSED; that one lapsed is told by its age
    Column("person_id", String(36), nullable=False, server_default=text("''")),
)

_MONTH = month_in(proposals.c.proposed_at)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that one officer proposed; `act` is a stable name, `subject` the id of what it is done to.

    `proposed_by` and `decided_by` are account ids. `outcome` is "" while it is open, else "approved", "refused" or
    "lapsed". One that is open and has a `decided_by` was approved, and what follows from that could not be done.
    `person_id` is the account that the subject named when it was proposed, if it was a name; it is not for showing.
    """

    id: str
    act: str
    subject: str
    reason: str
    detail: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    decided_at: datetime | None
    outcome: str
    person_id: str = ""

    @property
    def lapses_at(self) -> datetime:
        """When nobody can decide about it any more."""
        return self.proposed_at + LAPSES_AFTER


@dataclass(frozen=True, slots=True)
class Grant:
    """What two officers may do until then, because one proposed it and the other approved. `id` is the proposal's."""

    id: str
    subject: str
    reason: str
    until: datetime
    person_id: str = ""


Deed = Callable[[Proposal], object]
"""What follows from an approval."""

Veto = Callable[[str, Proposal], None]
"""Raises when that officer may not decide about this proposal."""

Check = Callable[[str, Proposal, bool], None]
"""Raises when that officer may not decide about this proposal, or not approve it, whatever the act is."""


class FourEyes:
    """Proposals, and what is done when a second officer approves."""

    def __init__(self, database: Database, log: QueryLog, clock: Callable[[], datetime] = now_utc) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._accounts = Accounts(database, clock)
        self._deeds: dict[str, Deed] = {}
        self._vetoes: dict[str, Veto] = {}
        self._checks: list[Check] = []
        self._deciding = threading.Lock()
        self._being_done: set[str] = set()

    def on_approval(self, act: str, deed: Deed) -> None:
        """Have `deed` done with every proposal of this act that is approved."""
        self._deeds[act] = deed

    def before_decision(self, act: str, veto: Veto) -> None:
        """Ask `veto` before every decision about this act, approval or refusal."""
        self._vetoes[act] = veto

    def before_every_decision(self, check: Check) -> None:
        """Ask `check` before every decision about any act, and whether it may be approved."""
        self._checks.append(check)

    def propose(
        self, officer: str, act: str, subject: str, reason: str, detail: str = "", *, person_id: str = ""
    ) -> Proposal:
        """Put an act before a second officer; `person_id` is the account that the subject names, if it is a name.

        Raises:
            InvalidRequest: No reason is given.
            Conflict: The same act on the same subject waits already.
            AuditUnavailable: It cannot be recorded, so it is not proposed.
        """
        if not reason.strip():
            raise InvalidRequest("Write down the reason: a second officer decides by it, and it stays on record.")
        with self._deciding:
            if any(waiting.act == act and waiting.subject == subject for waiting in self.open_proposals()):
                raise Conflict("This waits for a second officer already.")
            made = Proposal(
                str(uuid.uuid4()),
                act,
                subject,
                reason.strip(),
                detail,
                officer,
                self._clock(),
                "",
                None,
                OPEN,
                person_id,
            )
            name = self._accounts.name_of(officer)
            self._log.append(ActProposed(officer, made.id, act, subject, made.reason, detail, name))
            with self._database.write() as connection:
                connection.execute(insert(proposals).values(**_values(made)))
        return made

    def decide(self, officer: str, proposal_id: str, approve: bool, note: str = "") -> Proposal:
        """Approve or refuse; what follows from an approval is done when this returns.

        Raises:
            NotFound: There is no such proposal.
            AccessDenied: It is the officer's own, about them, or the act is not theirs to decide about.
            Conflict: It was decided already, is being done, or lapsed; or it is to be refused, and what it is about was
                begun; or who proposed it may do so no more.
            AuditUnavailable: The decision cannot be recorded, so it is not made.
            ApplianceError: Whatever the act itself raises; the proposal is then still open.
        """
        with self._deciding:
            found = self.one(proposal_id)
            self._require_decidable(officer, found, approve=approve)
            outcome = APPROVED if approve else REFUSED
            decided = replace(found, decided_by=officer, decided_at=self._clock(), outcome=outcome)
            name = self._accounts.name_of(officer)
            self._log.append(ActDecided(officer, found.id, found.act, found.subject, outcome, note, name))
            deed = self._deeds.get(found.act) if approve else None
            if deed is None:
                self._keep(decided)
                return decided
            self._keep(replace(decided, outcome=OPEN))
            self._being_done.add(found.id)
        try:
            deed(decided)
            self._keep(decided)
        finally:
            with self._deciding:
                self._being_done.remove(found.id)
        return decided

    def _require_decidable(self, officer: str, found: Proposal, *, approve: bool) -> None:
        if found.proposed_by == officer:
            raise AccessDenied("Nobody decides about what they proposed themselves. Leave it to another officer.")
        if found.outcome != OPEN:
            raise Conflict(f"This proposal is {found.outcome} already. If it is still wanted, propose it again.")
        if found.id in self._being_done:
            raise Conflict("This was approved, and is being done now. Look again in a few minutes.")
        if found.decided_by and not approve:
            raise Conflict(
                "This was approved already, and begun; it could not be done to its end. Approve it again to go on."
            )
        for check in self._checks:
            check(officer, found, approve)
        if found.act in self._vetoes:
            self._vetoes[found.act](officer, found)

    def one(self, proposal_id: str) -> Proposal:
        """One proposal. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(proposals).where(proposals.c.id == proposal_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such proposal.")
        return self._proposal(row)

    def open_proposals(self) -> tuple[Proposal, ...]:
        """What waits for a second officer, the oldest first."""
        query = select(proposals).where(proposals.c.outcome == OPEN).order_by(proposals.c.proposed_at, proposals.c.id)
        with self._database.read() as connection:
            found = [self._proposal(row) for row in connection.execute(query)]
        return tuple(proposal for proposal in found if proposal.outcome == OPEN)

    def granted(self, act: str, officer: str, lasts: timedelta) -> tuple[Grant, ...]:
        """What an approval lets this officer do for as long as it `lasts`: one of the two, the latest first."""
        wanted = and_(
            proposals.c.act == act,
            proposals.c.outcome == APPROVED,
            proposals.c.decided_at > self._clock() - lasts,
            or_(proposals.c.proposed_by == officer, proposals.c.decided_by == officer),
            ~exists().where(people.c.id == officer, people.c.handed_over_at.is_not(None)),
        )
        query = select(proposals).where(wanted).order_by(proposals.c.decided_at.desc(), proposals.c.id)
        with self._database.read() as connection:
            return tuple(
                Grant(row.id, row.subject, row.reason, row.decided_at + lasts, row.person_id)
                for row in connection.execute(query)
            )

    def months(self) -> list[tuple[str, str]]:
        """Who proposed in which month ("2026-03") what nobody waits for any more, as far as its words are there."""
        query = select(proposals.c.proposed_by, _MONTH).where(self._over(), proposals.c.reason != "").distinct()
        with self._database.read() as connection:
            return [(officer, month) for officer, month in connection.execute(query)]

    def erase(self, officer: str, month: str) -> None:
        """Remove the words of what an officer proposed in a month and nobody waits for any more."""
        theirs = (proposals.c.proposed_by == officer) & (month == _MONTH) & self._over()
        with self._database.write() as connection:
            connection.execute(update(proposals).where(theirs).values(subject="", reason="", detail="", person_id=""))

    def _over(self) -> Any:
        return or_(proposals.c.outcome != OPEN, proposals.c.proposed_at <= self._clock() - LAPSES_AFTER)

    def _keep(self, decided: Proposal) -> None:
        decision = {"decided_by": decided.decided_by, "decided_at": decided.decided_at, "outcome": decided.outcome}
        with self._database.write() as connection:
            connection.execute(update(proposals).where(proposals.c.id == decided.id).values(decision))

    def _proposal(self, row: Row[Any]) -> Proposal:
        found = Proposal(**row._mapping)
        lapsed = found.outcome == OPEN and self._clock() >= found.lapses_at
        return replace(found, outcome=LAPSED) if lapsed else found


def _values(proposal: Proposal) -> dict[str, Any]:
    return {name: getattr(proposal, name) for name in proposals.c.keys()}  # noqa: SIM118 - not a dict
