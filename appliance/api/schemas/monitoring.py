"""How the query log is: what is wrong with it now, and when it was verified last."""

from __future__ import annotations

from datetime import datetime

from appliance.api.schemas.log import VerifiedOut
from appliance.api.schemas.shapes import Out


class AlarmOut(Out):
    """Something that is wrong since a moment. `title` says it for people, `name` for programs; `told` what to do."""

    name: str
    title: str
    since: datetime
    told: str


class ConditionOut(Out):
    """What is wrong now, and the latest verification, None before the first. It is made every day at an hour."""

    alarms: list[AlarmOut]
    verified: VerifiedOut | None
    verify_at_hour: int
