"""Data protection, put together: holds, erasures and retention over one eraser.

Rules this module keeps:

1. When a hold is released, what it kept is erased at once: orders that waited, and months whose time is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from appliance.access_requests import AccessRequests
from appliance.audit.log import QueryLog
from appliance.auth.accounts import now_utc
from appliance.compliance import erasures, holds
from appliance.compliance.daily import Daily
from appliance.compliance.eraser import Eraser
from appliance.compliance.erasures import Erasures
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.holds import Holds
from appliance.compliance.retention import Retention
from appliance.config import RetentionSettings
from appliance.conversations import Conversations
from appliance.database import Database
from appliance.errors import Conflict


@dataclass(frozen=True, slots=True)
class Protection:
    """What compliance officers protect people's data with. `daily` runs what is pending and what is over."""

    holds: Holds
    erasures: Erasures
    retention: Retention
    daily: Daily


def build(
    database: Database,
    log: QueryLog,
    four_eyes: FourEyes,
    settings: RetentionSettings,
    is_answered: Callable[[str], bool],
    clock: Callable[[], datetime] = now_utc,
) -> Protection:
    """Everything of it, with what two officers may do registered.

    `is_answered` says of an account whether a question of theirs is being answered.
    """
    held = Holds(database, log, four_eyes, clock)
    eraser = Eraser(database, log, Conversations(database, log), AccessRequests(database, log), four_eyes, held)
    orders = Erasures(database, eraser, four_eyes, is_answered, clock)
    retention = Retention(database, log, eraser, settings, clock)

    def release(proposal: Proposal) -> None:
        held.release(proposal.subject)
        with suppress(Conflict):  # somebody is being answered: the daily run goes on with that
            orders.run_pending()
        retention.run()

    four_eyes.on_approval(holds.RELEASED, release)
    four_eyes.on_approval(erasures.ERASED, orders.carry_out_approved)
    return Protection(
        held, orders, retention, Daily({"pending erasures": orders.run_pending, "retention": retention.run})
    )
