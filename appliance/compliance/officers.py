"""Making somebody compliance officer, and changing the account of one: an administrator asks, an officer agrees.

Whoever makes the accounts of officers, or sets their passwords, could sign in as two of them, and read and take out the
query log alone.

Rules this module keeps:

1. Once there are two officers, nobody is made one, and none is given a password, other roles or their sign-in back, or
   loses their second factor, before an officer agreed to it for that account.
2. Officers are counted whether or not they may sign in: they can be disabled at once, and that is no way round.
3. Whoever asked may do it for a limited time, to that account alone.
4. Who runs the machine needs nobody, on the command line: it is the way out when no officer is left.
"""

from __future__ import annotations

from datetime import timedelta

from appliance.auth.accounts import Accounts
from appliance.auth.naming import checked_name
from appliance.auth.standing import Person
from appliance.compliance.four_eyes import FourEyes, Grant, Proposal
from appliance.domain import Role
from appliance.errors import AccessDenied

ACT = "officer.changed"
ENOUGH_TO_AGREE = 2
"""From this many officers on one of them agrees; before that, the house is being set up."""


class Officers:
    """Who may make or change the account of an officer, and until when."""

    def __init__(self, four_eyes: FourEyes, accounts: Accounts, lasts_s: float) -> None:
        self._four_eyes = four_eyes
        self._accounts = accounts
        self._lasts = timedelta(seconds=lasts_s)

    def ask(self, admin: str, name: str, reason: str) -> Proposal:
        """Put it before an officer; `name` is that of an account, there or yet to be made.

        Raises InvalidRequest for what can be nobody's name, and as `FourEyes.propose`.
        """
        return self._four_eyes.propose(admin, ACT, checked_name(name), reason)

    def agreed(self, admin: str) -> tuple[Grant, ...]:
        """Which accounts this administrator may make or change, and until when; the latest first."""
        return self._four_eyes.granted(ACT, admin, self._lasts)

    def require(self, admin: str, name: str) -> None:
        """Raises AccessDenied when this administrator may not make or change the account of an officer of this name."""
        if sum(is_officer(person) for person in self._accounts.people()) < ENOUGH_TO_AGREE:
            return
        if not any(grant.subject == name.casefold() for grant in self.agreed(admin)):
            raise AccessDenied(
                f"'{name}' is, or is to be, a compliance officer: an officer agrees first. Ask for it under "
                "Administration > People (POST /api/people/agreements), and do this again once it was approved. "
                "Disabling needs nobody. Where no officer is left, whoever runs the machine uses 'strongroom user'."
            )


def is_officer(person: Person) -> bool:
    """Whether somebody has the role compliance, also while they may not sign in or their directory is silent."""
    return Role.COMPLIANCE in person.given_roles | person.told_roles
