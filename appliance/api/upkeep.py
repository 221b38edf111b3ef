"""Whether index and catalog agree, repairing the index, changing its model, receipts for what left it. For admins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from appliance.api.gate import IngestAdmin, TheAppliance, record_act
from appliance.api.schemas.files import ReceiptOut
from appliance.api.schemas.upkeep import DifferenceOut, ModelChangeOut
from ingest.reconcile import compare, reconcile

router = APIRouter(tags=["upkeep"])


@router.get("/index/difference")
def difference(_admin: IngestAdmin, appliance: TheAppliance) -> DifferenceOut:
    """Where index and catalog differ now. While a source is being synced they do."""
    found = compare(appliance.catalog, appliance.index)
    return DifferenceOut(surplus=len(found.surplus), incomplete=len(found.incomplete), repaired=False)


@router.post("/index/reconcile")
def repair(admin: IngestAdmin, appliance: TheAppliance) -> DifferenceOut:
    """Make the index agree with the catalog; says what differed. Not while a source is being synced."""
    with appliance.runs.alone(), record_act(appliance, admin, "index.reconciled", "index"):
        found = reconcile(appliance.catalog, appliance.index, appliance.embedder)
    return DifferenceOut(surplus=len(found.surplus), incomplete=len(found.incomplete), repaired=True)


@router.get("/index/model-change")
def model_change(_admin: IngestAdmin, appliance: TheAppliance) -> ModelChangeOut | None:
    """How far the change to another embedding model is; null when there is none."""
    change = appliance.change()
    return None if change is None else ModelChangeOut(**asdict(change), replaces=appliance.embedder.model_id)


@router.get("/receipts")
def receipts(
    _admin: IngestAdmin,
    appliance: TheAppliance,
    document_id: Annotated[str | None, Query(max_length=36)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> list[ReceiptOut]:
    """That documents left the index, newest first."""
    found = appliance.catalog.receipts(document_id=document_id, limit=limit, offset=offset)
    return [ReceiptOut(**asdict(receipt)) for receipt in found]
