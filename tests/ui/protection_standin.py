"""The part of the stand-in that tells of data protection, with the poison where somebody's words stand."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from appliance.api.schemas.compliance import ConfirmationIn, ProposalDecidedOut, ProposalDecisionIn, ProposalOut
from appliance.api.schemas.protection import (
    ErasureIn,
    ErasureOut,
    ExpiryOut,
    GroupRetentionOut,
    HoldIn,
    HoldOut,
    ProposedOut,
    RetentionOut,
)
from tests.ui.ingest_standin import NOW


def routes(poison: str) -> APIRouter:
    """What the page asks."""
    api = APIRouter(prefix="/compliance")

    @api.get("/proposals")
    def proposals() -> list[ProposalOut]:
        about_reader = _proposal("p3", "some.act", poison, own=False).model_copy(update={"about_reader": True})
        return [
            _proposal("p1", "person.erased", poison, own=False),
            _proposal("p2", "some.act", poison, own=True),
            about_reader,
            _proposal("p5", "case.closed", poison, own=False),
            _proposal("p6", "review.closed", poison, own=False),
            _proposal("p7", "case.closed", poison, own=True),
        ]

    @api.post("/confirmations", status_code=202)
    def confirm(body: ConfirmationIn) -> None:
        del body

    @api.post("/proposals/{key}/decision")
    def decide(key: str, body: ProposalDecisionIn) -> ProposalDecidedOut:
        return ProposalDecidedOut(id=key, outcome="approved" if body.approve else "refused")

    @api.get("/holds")
    def holds() -> list[HoldOut]:
        told = {"person": f"erin{poison}", "reason": f"A case is open.{poison}", "placed_by": f"cleo{poison}"}
        return [HoldOut(id="h1", since="", until="2026-03", placed_at=NOW, **told)]

    @api.post("/holds", status_code=201)
    def place(body: HoldIn) -> HoldOut:
        return HoldOut(id="h2", placed_by="cleo", placed_at=NOW, **body.model_dump())

    @api.get("/retention")
    def retention() -> RetentionOut:
        coming = ExpiryOut(
            month="2026-03", profile=f"standard{poison}", expires_at=NOW, people=3, entries=1200, turns=40, held=1
        )
        return RetentionOut(
            profile=f"standard{poison}",
            months=6,
            notice_days=7,
            coming=[coming],
            groups=[GroupRetentionOut(group=f"trading{poison}", profile="bank", months=60)],
            problems=[f"It failed.{poison}"],
        )

    @api.get("/erasures")
    def erasures() -> list[ErasureOut]:
        facts = {"account": f"u-1{poison}", "until": "2026-03", "ordered_at": NOW, "entries": 12, "turns": 4}
        done = ErasureOut(id="e1", person=f"erin{poison}", completed_at=NOW, months=["2026-03"], held=[], **facts)  # type: ignore[arg-type]
        waits = ErasureOut(id="e2", completed_at=None, months=[], held=["2026-03"], **facts)  # type: ignore[arg-type]
        return [done, waits]

    @api.post("/erasures", status_code=202)
    def propose_erasure(body: ErasureIn) -> ProposedOut:
        return ProposedOut(proposal_id="p4", held=["2026-03"])

    return api


def _proposal(key: str, act: str, poison: str, *, own: bool) -> ProposalOut:
    return ProposalOut(
        id=key,
        act=act,
        words=f"{act} in words{poison}",
        subject="case-1" if act == "case.closed" else f"u-1{poison}",  # the id of a case is nobody's words
        reason=f"They asked for it.{poison}",
        detail=f"2026-03{poison}",
        about="" if own else f"Everything of erin{poison}",
        proposed_by=f"cleo{poison}",
        proposed_at=NOW,
        lapses_at=NOW + timedelta(days=14),
        own=own,
    )
