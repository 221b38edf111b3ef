"""Making somebody compliance officer, and changing the account of one: an administrator asks, an officer agrees.

Whoever makes the accounts of officers, or sets their passwords, could sign in as two of them, and read and take out the
query log alone.

Rules this module keeps:

1. Once there are two officers, nobody is made one, and none is given a password, other roles or their sign-in back, or
   loses their second factor, before an officer agreed to it for that account.
2. Who ever was an officer counts, whether or not they may sign in, or are one still: disabling officers, taking roles
   away or having a directory forget them is no way round. Nor is anybody left without two: the role stays theirs then.
3. Whoever asked may do it for a limited time, to that account alone.
4. An account that was made or changed in that way is its administrator's until somebody looked. So its officer decides
   about nothing, and uses nothing that two officers agreed on, before another officer confirmed that they have it
   themselves (`impartial`, `four_eyes`). Else one agreement about one account would be enough to agree to the next one.
   That it was changed is noted in the transaction that changes it: what was refused hands nothing over.
5. Who runs the machine needs nobody, on the command line: it is the way out when no officer is left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from appliance.auth.accounts import Accounts
from appliance.auth.naming import checked_name
from appliance.auth.standing import Person
from appliance.compliance.four_eyes import FourEyes, Grant, Proposal
from appliance.domain import Role
from appliance.errors import AccessDenied, Conflict

ACT = "officer.changed"
CONFIRMED = "officer.confirmed"
ENOUGH_TO_AGREE = 2
"""From this many officers on one of them agrees; before that, the house is being set up."""


class Officers:
    """Who may make or change the account of an officer, and until when."""

    def __init__(self, four_eyes: FourEyes, accounts: Accounts, lasts_s: float) -> None:
        self._four_eyes = four_eyes
        self._accounts = accounts
        self._lasts = timedelta(seconds=lasts_s)
        four_eyes.on_approval(CONFIRMED, self._confirm)

    def ask(self, admin: str, name: str, reason: str) -> Proposal:
        """Put it before an officer; `name` is that of an account, there or yet to be made.

        Raises InvalidRequest for what can be nobody's name, and as `FourEyes.propose`.
        """
        named = checked_name(name)
        person_id = next((person.id for person in self._accounts.people() if person.name == named), "")
        return self._four_eyes.propose(admin, ACT, named, reason, person_id=person_id)

    def agreed(self, admin: str) -> tuple[Grant, ...]:
        """Which accounts this administrator may make or change, and until when; the latest first."""
        return self._four_eyes.granted(ACT, admin, self._lasts)

    def require(self, admin: str, name: str, person_id: str = "") -> bool:
        """Whether an officer had to agree that this administrator makes or changes the account of this name, and did.

        `person_id` is that of the account, if it is there. What is then done to it is done as `handed_over`.

        Raises AccessDenied when they had to, and did not.
        """
        if sum(person.was_officer for person in self._accounts.people()) < ENOUGH_TO_AGREE:
            return False
        if not any(_is_about(grant, name, person_id) for grant in self.agreed(admin)):
            raise AccessDenied(
                f"'{name}' is, or is to be, a compliance officer: an officer agrees first. Ask for it under "
                "Administration > People (POST /api/people/agreements), and do this again once it was approved. "
                "Disabling needs nobody. Where no officer is left, whoever runs the machine uses 'strongroom user'."
            )
        return True

    def ask_to_be_confirmed(self, officer: str, reason: str) -> Proposal:
        """Put before another officer that this one has their account themselves.

        Raises Conflict when nobody has to confirm it, and as `FourEyes.propose`.
        """
        if self._accounts.person(officer).handed_over_at is None:
            raise Conflict("No administrator changed your account since it was confirmed. There is nothing to confirm.")
        return self._four_eyes.propose(officer, CONFIRMED, officer, reason)

    def _confirm(self, approved: Proposal) -> None:
        self._accounts.confirm(approved.subject, asked_at=approved.proposed_at)


def _is_about(grant: Grant, name: str, person_id: str) -> bool:
    """Whether it was agreed for this account: the one that had the name then, or one that was yet to be made."""
    return grant.person_id == person_id if grant.person_id else grant.subject == name.casefold()


def require_enough_with(everybody: Sequence[Person], person_id: str, roles: Collection[Role]) -> None:
    """Raises Conflict where too few officers would be left of everybody if this person were given these roles."""
    officers = [one for one in everybody if is_officer(one)]
    loses = [one for one in officers if one.id == person_id and Role.COMPLIANCE not in {*roles, *one.told_roles}]
    if loses and len(officers) == ENOUGH_TO_AGREE:
        raise Conflict(
            f"'{loses[0].name}' is one of two compliance officers, and what they agree on needs two. Make "
            "another one first, or disable the account."
        )


def is_officer(person: Person) -> bool:
    """Whether somebody has the role compliance, also while they may not sign in or their directory is silent."""
    return Role.COMPLIANCE in person.given_roles | person.told_roles
