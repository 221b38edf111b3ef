"""Who is behind a pseudonym, and which pseudonym somebody has: told to two officers who agreed that it is needed.

Rules this module keeps:

1. One officer asks with a reason, another approves (`four_eyes`). Nothing is told before.
2. Both are told for a limited time after the approval, and nobody else is.
3. Every telling is an entry of the log, written before it is told.
4. Whom nobody means is not asked for. That there is somebody of a name is no secret here: a hold is placed on a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.audit.entries import PersonNamed
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.auth.standing import Person
from appliance.compliance.four_eyes import FourEyes, Grant, Proposal
from appliance.compliance.pseudonyms import Pseudonyms, spelled
from appliance.errors import InvalidRequest, NotFound

ACT = "person.named"
MAX_SUBJECT_CHARACTERS = 64
_NOBODY = "Nobody signs in with that name."


@dataclass(frozen=True, slots=True)
class Named:
    """A pseudonym with the person behind it. Name and display name are empty when their account is gone."""

    pseudonym: str
    name: str
    display_name: str
    until: datetime


class Naming:
    """Asks for names, and tells them where that was approved."""

    def __init__(
        self,
        four_eyes: FourEyes,
        log: QueryLog,
        accounts: Accounts,
        pseudonyms: Pseudonyms,
        lasts_s: float,
    ) -> None:
        self._four_eyes = four_eyes
        self._log = log
        self._accounts = accounts
        self._pseudonyms = pseudonyms
        self._lasts = timedelta(seconds=lasts_s)

    def ask(self, officer: str, subject: str, reason: str) -> Proposal:
        """Propose to a second officer that both be told.

        Args:
            officer: The account id of who asks.
            subject: A pseudonym, or the name somebody signs in with.
            reason: Why it is needed.

        Raises:
            InvalidRequest: There is no reason, or nobody is meant.
            NotFound: Nobody has that pseudonym, or signs in with that name.
            Conflict, AuditUnavailable: See `FourEyes.propose`.
        """
        subject = spelled(subject) or subject.strip().casefold()
        if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
            raise InvalidRequest("Name a pseudonym as the desk shows it, or the name somebody signs in with.")
        if spelled(subject):
            self._account_of(subject)
            return self._four_eyes.propose(officer, ACT, subject, reason)
        found = next((person for person in self._accounts.people() if person.name == subject), None)
        if found is None:
            raise NotFound(_NOBODY)
        return self._four_eyes.propose(officer, ACT, subject, reason, person_id=found.id)

    def granted(self, officer: str) -> tuple[Grant, ...]:
        """What this officer may be told now: who is behind a pseudonym, or which one a name has; the latest first."""
        return self._four_eyes.granted(ACT, officer, self._lasts)

    def tell(self, officer: str, granted_id: str) -> Named:
        """Who it is.

        Raises:
            NotFound: It was not approved, is not this officer's, its time is over, or nobody has that name.
            AuditUnavailable: It cannot be recorded, so it is not told.
        """
        granted = next((one for one in self.granted(officer) if one.id == granted_id), None)
        if granted is None:
            raise NotFound("This was not approved for you, or its time is over. Ask again.")
        person = self._person(granted)
        pseudonym = self._pseudonyms.of(person.id) if person else granted.subject
        self._log.append(PersonNamed(officer, pseudonym, granted.id))
        return Named(pseudonym, person.name if person else "", person.display_name if person else "", granted.until)

    def _person(self, granted: Grant) -> Person | None:
        """Whoever is meant; None for somebody of the log whose account is gone. Raises NotFound."""
        people, subject = self._accounts.people(), granted.subject
        account = self._account_of(subject) if spelled(subject) else granted.person_id
        found = next((one for one in people if (account == one.id if account else subject == one.name)), None)
        if found is None and not account:
            raise NotFound(_NOBODY)
        return found

    def _account_of(self, pseudonym: str) -> str:
        known = (person.id for person in self._accounts.people())
        account = account_of(self._pseudonyms, self._log, pseudonym, known)
        if not account:
            raise NotFound("Nobody in the log has that pseudonym.")
        return account


def account_of(pseudonyms: Pseudonyms, log: QueryLog, pseudonym: str, known: Iterable[str]) -> str:
    """The account that has a pseudonym, among those `known` and those the log can still be read of; empty: none."""
    return pseudonyms.account(pseudonym, known) or pseudonyms.account(pseudonym, log.people())
