"""Acts that need two compliance officers: what waits for the second one, and their decision."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.gate import Officer, TheAppliance
from appliance.api.schemas.compliance import ProposalDecidedOut, ProposalDecisionIn, ProposalOut
from appliance.compliance.four_eyes import LAPSES_AFTER

router = APIRouter(prefix="/compliance", tags=["compliance"])


@router.get("/proposals")
def proposals(officer: Officer, appliance: TheAppliance) -> list[ProposalOut]:
    """What waits for a second officer, the oldest first."""
    names = {person.id: person.name for person in appliance.accounts.people()}
    return [
        ProposalOut(
            id=waiting.id,
            act=waiting.act,
            subject=waiting.subject,
            reason=waiting.reason,
            detail=waiting.detail,
            proposed_by=names.get(waiting.proposed_by, waiting.proposed_by),
            proposed_at=waiting.proposed_at,
            lapses_at=waiting.proposed_at + LAPSES_AFTER,
            own=waiting.proposed_by == officer.id,
        )
        for waiting in appliance.four_eyes.open_proposals()
    ]


@router.post("/proposals/{proposal_id}/decision")
def decide(
    proposal_id: str, decision: ProposalDecisionIn, officer: Officer, appliance: TheAppliance
) -> ProposalDecidedOut:
    """Approve or refuse what another officer proposed. What follows from an approval is done when this answers."""
    decided = appliance.four_eyes.decide(officer.id, proposal_id, decision.approve, decision.note)
    return ProposalDecidedOut(id=decided.id, outcome=decided.outcome)
