"""Who may decide about a proposal, whatever the act is: somebody whom it is not about, and of a colleague.

Rules this module keeps:

1. Whom a proposal is about does not decide about it: neither approves nor refuses what is to be erased, held, told or
   changed of them.
2. What was proposed by somebody who is no officer any more (for the account of an officer: no administrator), or may
   not sign in, is not approved. It can be refused. What was approved and begun already is gone on with.
3. Whose account an administrator made or changed decides about nothing before another officer confirmed that they have
   it themselves. It is not confirmed for what was asked before the administrator changed it again.
"""

from __future__ import annotations

from appliance.auth.accounts import Accounts
from appliance.compliance import holds, officers
from appliance.compliance.four_eyes import Proposal
from appliance.compliance.holds import Holds
from appliance.compliance.pseudonyms import NOT_PEOPLE, Pseudonyms
from appliance.domain import Role
from appliance.errors import AccessDenied, Conflict


class Impartial:
    """Looks whom a proposal is about, and how whoever proposed it stands now."""

    def __init__(self, accounts: Accounts, held: Holds, pseudonyms: Pseudonyms) -> None:
        self._accounts = accounts
        self._holds = held
        self._pseudonyms = pseudonyms

    def require(self, officer: str, proposal: Proposal, approve: bool) -> None:
        """Raises AccessDenied when this officer may not decide about it, Conflict when it cannot be approved now."""
        if self._accounts.person(officer).handed_over_at is not None:
            raise AccessDenied(
                "An administrator made your account, or changed how you sign in. Until another officer confirmed that "
                "you have it yourself you decide about nothing: ask for it under Data protection "
                "(POST /api/compliance/confirmations)."
            )
        if self.is_about(officer, proposal):
            raise AccessDenied("This is about yourself. Leave it to an officer whom it is not about.")
        if approve and proposal.act == officers.CONFIRMED and self._was_handed_over_since(proposal):
            raise Conflict(
                "An administrator changed this account again after this was asked. Refuse it; its officer asks again."
            )
        if approve and not proposal.decided_by and not self._still_stands(proposal):
            raise Conflict(
                "Whoever proposed this may not propose it any more: their account was disabled, or has another role. "
                "Refuse it; if it is still wanted, somebody else proposes it again."
            )

    def is_about(self, officer: str, proposal: Proposal) -> bool:
        """Whether a proposal is about this officer: by account, name or pseudonym, as its subject has it.

        Whose name it was when it was proposed: a directory may know them by another one since.
        """
        if proposal.act == holds.RELEASED:
            return self._holds.one(proposal.subject).person_id == officer
        if proposal.person_id:
            return proposal.person_id == officer
        return proposal.subject in (officer, self._accounts.person(officer).name, self._pseudonyms.of(officer))

    def _was_handed_over_since(self, proposal: Proposal) -> bool:
        handed_over_at = self._accounts.person(proposal.subject).handed_over_at
        return handed_over_at is not None and handed_over_at > proposal.proposed_at

    def _still_stands(self, proposal: Proposal) -> bool:
        if proposal.proposed_by in NOT_PEOPLE:  # on the machine
            return True
        needed = Role.ADMIN if proposal.act == officers.ACT else Role.COMPLIANCE
        proposer = self._accounts.person(proposal.proposed_by)
        return needed in proposer.roles and not proposer.shut_out
