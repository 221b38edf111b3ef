"""The stand-in's part for who sees what: every word of a document's or a person's own carries the poison."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.schemas.access import (
    AccessRequestIn,
    AccessRequestOut,
    DecisionIn,
    DocumentCountOut,
    EffectiveOut,
    ExplanationOut,
    GroundOut,
    SeerOut,
    TermsOut,
    VisibleDocumentOut,
    VisibleOut,
)
from appliance.api.schemas.people import MembershipOut
from tests.ui.ingest_standin import NOW


class Doorkeeper:
    """What may be seen, and what was asked for."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.asked: list[AccessRequestIn] = []
        self.decided: list[tuple[str, DecisionIn]] = []
        self.not_taken_in, self.is_found = "It is damaged.", False

    def request(self) -> AccessRequestOut:
        return AccessRequestOut(
            id="a-1", person=f"erin{self.poison}", group=f"claims{self.poison}", reason=f"For the audit{self.poison}",
            asked_at=NOW, decided_at=None, approved=False, answer=self.poison,
        )  # fmt: skip

    def visible(self) -> VisibleOut:
        where = {"source": f"Policies{self.poison}", "level": "internal"}
        listed = VisibleDocumentOut(
            document_id="d-0", path=f"a.pdf{self.poison}", groups=[f"claims{self.poison}"], **where
        )
        return VisibleOut(
            groups=["everyone"], clearance="internal", levels=["public", "internal"],
            counts=[DocumentCountOut(documents=41, **where)], documents=[listed], total=41,
        )  # fmt: skip


def routes(keeper: Doorkeeper) -> APIRouter:
    """What the screens ask."""
    api = APIRouter(prefix="/access")

    @api.get("/terms")
    def terms() -> TermsOut:
        levels = ["public", "internal", "confidential", "secret"]
        return TermsOut(
            levels=levels, default_level="internal", default_clearance="internal", contact=f"Ask Ana.{keeper.poison}"
        )

    @api.get("/people/{key}")
    def effective(key: str) -> EffectiveOut:
        return EffectiveOut(
            **keeper.visible().model_dump(),
            name=f"erin{keeper.poison}",
            memberships=[MembershipOut(group=f"claims{keeper.poison}", origin=f"ldap{keeper.poison}", counts=False)],
            clearance_by=f"the group claims{keeper.poison}",
            disabled=True,
        )

    @api.get("/preview")
    def preview() -> VisibleOut:
        return keeper.visible()

    @api.get("/documents/{key}")
    def explained(key: str) -> ExplanationOut:
        poison = keeper.poison
        return ExplanationOut(
            document_id=key, source=f"Policies{poison}", path=f"a.pdf{poison}", groups=[f"claims{poison}"],
            level="internal", grounds=[GroundOut(group=f"claims{poison}", by=f"rule 1{poison}")], level_by=f"x{poison}",
            acts_later=True, problem=f"It cannot be read.{poison}", found=keeper.is_found,
            unread=f"{keeper.not_taken_in}{poison}",
            people=[SeerOut(name=f"erin{poison}", groups=[f"claims{poison}"])],
        )  # fmt: skip

    @api.post("/requests", status_code=204)
    def ask(body: AccessRequestIn) -> None:
        keeper.asked.append(body)

    @api.get("/requests/mine")
    def mine() -> list[AccessRequestOut]:
        return [keeper.request()]

    @api.get("/requests")
    def waiting() -> list[AccessRequestOut]:
        return [keeper.request()]

    @api.post("/requests/{key}")
    def decide(key: str, body: DecisionIn) -> AccessRequestOut:
        keeper.decided.append((key, body))
        return keeper.request()

    return api
