"""Papers that data protection and the AI Act ask for, for those who run the appliance and those who watch over it."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.gate import AdminOrCompliance, TheAppliance
from appliance.api.schemas.papers import PaperOut, PapersOut
from appliance.papers.facts import facts_of
from appliance.papers.written import written

router = APIRouter(tags=["papers"])


@router.get("/papers")
def papers(_caller: AdminOrCompliance, appliance: TheAppliance) -> PapersOut:
    """The papers as the appliance stands now. They hold no name of a person, and nothing of documents and questions."""
    found = written(facts_of(appliance))
    return PapersOut(papers=[PaperOut(name=paper.name, markdown=paper.markdown) for paper in found])
