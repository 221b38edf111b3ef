"""Taking out what the log holds, as a whole, as evidence, or all about one person: it has names in it, so two officers
agree on it, as they do on a single name.

The proof of the log, which holds nothing that anybody said, needs no second officer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.errors import AccessDenied

ACT = "log.exported"
OPENS = (
    "The whole query log with what it holds and all names; evidence packages of every case and of any questions; "
    "everything about every person, whoever it is. To both officers, as often as they like, until the approval lapses."
)
"""What one approval opens, for whoever is to decide about it."""

_SUBJECT = "what the log holds"


class Exporting:
    """Who may take out what the log holds, and until when."""

    def __init__(self, four_eyes: FourEyes, lasts_s: float) -> None:
        self._four_eyes = four_eyes
        self._lasts = timedelta(seconds=lasts_s)

    def ask(self, officer: str, reason: str) -> Proposal:
        """Put it before a second officer. Raises as `FourEyes.propose`."""
        return self._four_eyes.propose(officer, ACT, _SUBJECT, reason)

    def waiting(self) -> Proposal | None:
        """What was asked for and waits for a second officer; nobody can ask again meanwhile."""
        return next((waiting for waiting in self._four_eyes.open_proposals() if waiting.act == ACT), None)

    def until(self, officer: str) -> datetime | None:
        """Until when this officer may take it out; None when they may not."""
        granted = self._four_eyes.granted(ACT, officer, self._lasts)
        return granted[0].until if granted else None

    def require(self, officer: str) -> None:
        """Raises AccessDenied when this officer may not take out what the log holds."""
        if self.until(officer) is None:
            raise AccessDenied(
                "What the log holds has names in it: two officers agree before it is taken out. Ask for it first, or "
                "take out the proof alone."
            )
