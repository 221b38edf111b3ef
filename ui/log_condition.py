"""How the query log is, above everything that is shown of it: alarms, and when it was verified last."""

from __future__ import annotations

from appliance.api.schemas.monitoring import AlarmOut, ConditionOut
from ui import pieces
from ui.client import Client
from ui.inert import Html, text


def show(client: Client) -> None:
    """Show what is wrong now, and the latest verification."""
    condition = client.log_condition()
    for alarm in condition.alarms:
        pieces.show(_alarm(alarm))
    pieces.show(pieces.line(_verified(condition)))


def _alarm(alarm: AlarmOut) -> Html:
    head = f"{alarm.title}, since {pieces.moment(alarm.since)}"
    return Html(
        f'<div class="sr-notice sr-bad" role="alert"><strong>{text(head)}</strong><p>{text(alarm.told)}</p></div>'
    )


def _verified(condition: ConditionOut) -> str:
    every_day = f"every day at {condition.verify_at_hour}:00"
    latest = condition.verified
    if latest is None:
        return f"Last verified: not yet; {every_day}"
    outcome = pieces.count(latest.size, "entry", "entries") + ", no fault" if latest.ok else "it does NOT verify"
    return f"Last verified: {pieces.moment(latest.checked_at)}, {outcome}; {every_day}"
