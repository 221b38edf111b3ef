"""The steady clock of an appliance: not behind anything that acts under four eyes have on record either."""

from __future__ import annotations

from appliance.auth.steady_clock import SteadyClock
from appliance.compliance.four_eyes import proposals
from appliance.database import Database


def steady_clock(database: Database) -> SteadyClock:
    """What stamps accounts, sessions and proposals alike: which of two came first is for one clock to say."""
    return SteadyClock(database, also=(proposals.c.proposed_at, proposals.c.decided_at))
