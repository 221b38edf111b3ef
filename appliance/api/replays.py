"""Running a question on record again, for compliance officers. What a replay shows: `appliance.replay`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from appliance.api.gate import OpenedLog, TheAppliance, TheSession
from appliance.api.schemas.replays import ReplayOut

router = APIRouter(prefix="/log", tags=["log"])


@router.post("/queries/{query_id}/replay")
def replay(query_id: str, officer: OpenedLog, session: TheSession, appliance: TheAppliance) -> ReplayOut:
    """What comes of a question on record today, and what is not as it was. It asks nothing in anybody's name."""
    return ReplayOut.model_validate(asdict(appliance.replayer.replay(query_id, officer, session)))
