"""How the parts are: a bare "ready" for anybody, every check for admins."""

from __future__ import annotations

from fastapi import APIRouter

from appliance.api.gate import HealthAdmin, TheAppliance
from appliance.api.schemas.upkeep import CheckOut, HealthOut
from appliance.doctor import examine

router = APIRouter(tags=["health"])


@router.get("/ready")
def ready() -> dict[str, str]:
    """Answers once the appliance serves: the only route that answers strangers, but for signing in."""
    return {"status": "ready"}


@router.get("/health")
def health(_admin: HealthAdmin, appliance: TheAppliance) -> HealthOut:
    """Every check of `strongroom doctor`, on the running appliance."""
    return HealthOut(
        checks=[
            CheckOut(name=check.name, status=check.status.value, detail=check.detail, remedy=check.remedy)
            for check in examine(appliance)
        ]
    )
