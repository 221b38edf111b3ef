"""Acts that need two compliance officers: what waits for the second one, and their decision."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from appliance.api.gate import Officer, TheAppliance, TheSession
from appliance.api.schemas.compliance import ConfirmationIn, ProposalDecidedOut, ProposalDecisionIn, ProposalOut
from appliance.audit.telling import OFFICERS_ACTS
from appliance.compliance import erasures, exporting, holds, officers
from appliance.compliance.cases import CASE_CLOSED
from appliance.compliance.four_eyes import Proposal
from appliance.compliance.review_queue import REVIEW_CLOSED
from appliance.wiring import Appliance

router = APIRouter(prefix="/compliance", tags=["compliance"])


@router.get("/proposals")
def proposals(officer: Officer, appliance: TheAppliance) -> list[ProposalOut]:
    """What waits for a second officer, the oldest first."""
    names = appliance.accounts.names()
    return [
        ProposalOut(
            id=waiting.id,
            act=waiting.act,
            words=OFFICERS_ACTS.get(waiting.act, waiting.act).capitalize(),
            subject=waiting.subject,
            reason=waiting.reason,
            detail=waiting.detail,
            about=_about(appliance, waiting, names),
            proposed_by=names.get(waiting.proposed_by, waiting.proposed_by),
            proposed_at=waiting.proposed_at,
            lapses_at=waiting.lapses_at,
            own=waiting.proposed_by == officer.id,
            about_reader=appliance.impartial.is_about(officer.id, waiting),
        )
        for waiting in appliance.four_eyes.open_proposals()
    ]


@router.post("/confirmations", status_code=202)
def ask_to_be_confirmed(wanted: ConfirmationIn, officer: Officer, appliance: TheAppliance) -> None:
    """Ask another officer to confirm that one has one's account oneself, after an administrator made or changed it."""
    appliance.officers.ask_to_be_confirmed(officer.id, wanted.reason)


@router.post("/proposals/{proposal_id}/decision")
def decide(
    proposal_id: str, decision: ProposalDecisionIn, officer: Officer, session: TheSession, appliance: TheAppliance
) -> ProposalDecidedOut:
    """Approve or refuse what another officer proposed. What follows from an approval is done when this answers.

    Whoever decides about what stands in the log alone has opened it.
    """
    if appliance.four_eyes.one(proposal_id).act in (CASE_CLOSED, REVIEW_CLOSED):
        appliance.openings.require(session)
    decided = appliance.four_eyes.decide(officer.id, proposal_id, decision.approve, decision.note)
    return ProposalDecidedOut(id=decided.id, outcome=decided.outcome)


def _about(appliance: Appliance, proposal: Proposal, names: Mapping[str, str]) -> str:
    """What an act is done to, in words; nothing where the subject may be a secret."""
    if proposal.act == erasures.ERASED:
        until = f"up to {proposal.detail}" if proposal.detail else "of every month so far"
        held = appliance.protection.erasures.kept_now(proposal.subject, proposal.detail)
        but = f". A legal hold keeps {', '.join(held)} until two officers release it" if held else ""
        return f"Everything of {names.get(proposal.subject, proposal.subject)}, {until}{but}"
    if proposal.act == holds.RELEASED:
        hold = appliance.protection.holds.one(proposal.subject)
        whose = f"of {names.get(hold.person_id, hold.person_id)}" if hold.person_id else "of everybody"
        return f"Hold {whose}, {hold.since or 'the beginning'} to {hold.until or 'no end'}: {hold.reason}"
    if proposal.act == CASE_CLOSED:
        return f"Case {appliance.cases.one(proposal.subject).number}"  # what it is called is in the log alone
    if proposal.act == REVIEW_CLOSED:
        return "An answer in the review queue"
    if proposal.act == exporting.ACT:
        return exporting.OPENS
    if proposal.act == officers.CONFIRMED:
        return f"The account '{names.get(proposal.subject, proposal.subject)}', which an administrator made or changed"
    if proposal.act == officers.ACT:
        name = names.get(proposal.person_id, proposal.subject)
        return f"The account '{name}', {'which is there' if name in names.values() else 'which is yet to be made'}"
    return ""
