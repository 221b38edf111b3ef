"""Nobody decides what is about themselves, and nothing is approved that was proposed by somebody without the office."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.compliance import officers
from appliance.compliance.four_eyes import FourEyes, Proposal
from appliance.compliance.impartial import Impartial
from appliance.compliance.naming import ACT as NAMING
from appliance.compliance.naming import Naming
from appliance.compliance.officers import Officers
from appliance.compliance.protection import Protection
from appliance.compliance.pseudonyms import Pseudonyms
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import AccessDenied, ApplianceError, Conflict
from tests.appliance.compliance.conftest import Clock

WHY = "There is a good reason."


class House:
    """Two officers, an administrator, an employee, and what they put before each other."""

    def __init__(
        self, database: Database, four_eyes: FourEyes, protection: Protection, clock: Clock, log: QueryLog
    ) -> None:
        self.log = log
        self.accounts, self.four_eyes, self.protection = Accounts(database, clock), four_eyes, protection
        self.pseudonyms = Pseudonyms(b"s" * 32)
        self.officers = Officers(four_eyes, self.accounts, 3600)
        self.clock = clock
        self.accounts.set_directories([DirectoryTerms("corp", "ldap", 10**9)])
        self.anna, self.berta = self._add("anna", Role.COMPLIANCE), self._add("berta", Role.COMPLIANCE)
        self.adam, self.erin = self._add("adam", Role.ADMIN), self._add("erin", Role.EMPLOYEE)
        self.impartial = Impartial(self.accounts, protection.holds, self.pseudonyms)
        four_eyes.before_every_decision(self.impartial.require)

    def _add(self, name: str, role: Role, subject: str = "") -> str:
        return self.accounts.admit(
            Identity("corp", subject or name, name, name.title(), frozenset(), frozenset({role}))
        ).id

    def told(self, name: str, *roles: Role) -> None:
        """What the directory says of somebody from now on."""
        self.accounts.admit(Identity("corp", name, name, name.title(), frozenset(), frozenset(roles)))

    def about(self, person: str) -> list[Proposal]:
        """Everything that can be proposed about somebody, proposed by the first officer."""
        name, hold = self.accounts.person(person).name, self.protection.holds.place(self.anna, person, "", "", WHY)
        return [
            self.protection.erasures.propose(self.anna, person, "", WHY),
            self.protection.holds.propose_release(self.anna, hold.id, WHY),
            self.four_eyes.propose(self.anna, NAMING, name, WHY),
            self.four_eyes.propose(self.anna, NAMING, self.pseudonyms.of(person), WHY),
            self.four_eyes.propose(self.adam, officers.ACT, name, WHY),
        ]

    def turned_away(self, officer: str, proposal: Proposal, *, approve: bool) -> type[ApplianceError] | None:
        try:
            self.four_eyes.decide(officer, proposal.id, approve)
        except ApplianceError as error:
            return type(error)
        return None


@pytest.fixture
def house(database: Database, four_eyes: FourEyes, protection: Protection, clock: Clock, log: QueryLog) -> House:
    return House(database, four_eyes, protection, clock, log)


@pytest.mark.parametrize("approve", [True, False])
def test_whom_a_proposal_is_about_does_not_decide_it(house: House, log: QueryLog, approve: bool) -> None:
    about_berta = house.about(house.berta)
    before = log.size()
    found = [house.turned_away(house.berta, proposal, approve=approve) for proposal in about_berta]
    assert found == [AccessDenied] * 5
    assert (log.size(), set(house.four_eyes.open_proposals())) == (before, set(about_berta))


def test_what_is_about_somebody_else_or_everybody_is_decided(house: House) -> None:
    everybody = house.protection.holds.place(house.anna, "", "", "", WHY)
    release = house.protection.holds.propose_release(house.anna, everybody.id, WHY)
    for proposal in (*house.about(house.erin), release):
        assert house.turned_away(house.berta, proposal, approve=True) is None


def test_an_officer_may_ask_to_be_erased_and_another_one_decides(house: House) -> None:
    wanted = house.protection.erasures.propose(house.anna, house.anna, "", WHY)
    assert house.turned_away(house.anna, wanted, approve=True) is AccessDenied
    assert house.turned_away(house.berta, wanted, approve=True) is None


def test_what_somebody_proposed_who_is_shut_out_since_is_refused_and_not_approved(house: House) -> None:
    first, *_, last = waiting = house.about(house.erin)
    for proposer in (house.anna, house.adam):
        house.accounts.set_disabled(proposer, disabled=True)
    assert {house.turned_away(house.berta, proposal, approve=True) for proposal in waiting} == {Conflict}
    assert house.turned_away(house.berta, first, approve=False) is None
    assert house.turned_away(house.berta, last, approve=False) is None


def test_what_an_administrator_asked_needs_an_administrator_and_the_rest_an_officer(house: House) -> None:
    by_adam = house.four_eyes.propose(house.adam, NAMING, "erin", WHY)
    by_anna = house.four_eyes.propose(house.anna, officers.ACT, "erin", WHY)
    by_the_machine = house.four_eyes.propose("operator", officers.ACT, "adam", WHY)
    found = [house.turned_away(house.berta, one, approve=True) for one in (by_adam, by_anna, by_the_machine)]
    assert found == [Conflict, Conflict, None]


def test_what_was_approved_and_begun_is_gone_on_with_whoever_proposed_it(house: House) -> None:
    tries = []

    def fails_once(proposal: Proposal) -> None:
        tries.append(proposal)
        if len(tries) == 1:
            raise Conflict("Not now.")

    house.four_eyes.on_approval(NAMING, fails_once)
    begun = house.four_eyes.propose(house.anna, NAMING, "erin", WHY)
    assert house.turned_away(house.berta, begun, approve=True) is Conflict
    house.accounts.set_disabled(house.anna, disabled=True)
    assert house.turned_away(house.berta, begun, approve=True) is None
    assert len(tries) == 2


def test_whose_account_an_administrator_had_a_hand_in_decides_nothing_however_long_ago_until_confirmed(
    house: House,
) -> None:
    house.accounts.change(house.berta, handed_over=True)
    house.clock.forward(days=400)
    waiting = house.about(house.erin)
    for approve in (True, False):
        assert {house.turned_away(house.berta, one, approve=approve) for one in waiting} == {AccessDenied}
    asked = house.officers.ask_to_be_confirmed(house.berta, WHY)
    assert house.turned_away(house.berta, asked, approve=True) is AccessDenied
    assert house.turned_away(house.anna, asked, approve=True) is None
    assert {house.turned_away(house.berta, one, approve=False) for one in waiting} == {None}


def test_what_two_officers_agreed_on_is_of_no_use_to_one_whose_account_is_handed_over(house: House) -> None:
    wanted = house.four_eyes.propose(house.anna, NAMING, "erin", WHY)
    assert house.turned_away(house.berta, wanted, approve=True) is None
    house.accounts.change(house.anna, handed_over=True)
    granted = {who: house.four_eyes.granted(NAMING, who, timedelta(hours=1)) for who in (house.anna, house.berta)}
    assert [grant.id for grant in granted[house.berta]] == [wanted.id]
    assert granted[house.anna] == ()
    house.accounts.confirm(house.anna)
    assert house.four_eyes.granted(NAMING, house.anna, timedelta(hours=1)) == granted[house.berta]


def test_a_directory_that_forgets_the_officers_frees_nobody_from_asking_them(house: House) -> None:
    for officer in ("anna", "berta"):
        house.told(officer, Role.EMPLOYEE)
    with pytest.raises(AccessDenied, match="an officer agrees first"):
        house.officers.require(house.adam, "dora")


def test_a_new_name_makes_nobody_another_person(house: House) -> None:
    naming = Naming(house.four_eyes, house.log, house.accounts, house.pseudonyms, 3600)
    waiting = [naming.ask(house.anna, "berta", WHY), house.officers.ask(house.adam, "berta", WHY)]
    before = house.four_eyes.propose(house.anna, NAMING, "gesine", WHY)
    house.accounts.admit(Identity("corp", "berta", "gesine", "Berta", frozenset(), frozenset({Role.COMPLIANCE})))
    assert {house.turned_away(house.berta, one, approve=False) for one in [*waiting, before]} == {AccessDenied}
    house._add("berta", Role.COMPLIANCE, subject="another")
    another = house.accounts.named("berta").id
    carla = house._add("carla", Role.COMPLIANCE)
    assert not house.impartial.is_about(another, waiting[0])
    assert {house.turned_away(carla, one, approve=True) for one in waiting} == {None}
    [granted] = naming.granted(house.anna)
    assert naming.tell(house.anna, granted.id).name == "gesine"
    assert house.officers.require(house.adam, "gesine", house.berta)
    for name, person_id in (("berta", another), ("berta", "")):
        with pytest.raises(AccessDenied):
            house.officers.require(house.adam, name, person_id)
