"""Acts that need two officers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.audit.entries import ActDecided, ActProposed
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.auth.passwords import generate_password
from appliance.compliance.four_eyes import LAPSES_AFTER, FourEyes, Proposal
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import AccessDenied, AuditUnavailable, Conflict, IndexUnavailable, InvalidRequest, NotFound
from tests.appliance.compliance.conftest import Clock
from tests.statements import executed

FIRST, SECOND = "officer-1", "officer-2"


def proposed(four_eyes: FourEyes, subject: str = "hold-1") -> Proposal:
    return four_eyes.propose(FIRST, "hold.released", subject, "The case is closed.", "person clerk")


def test_a_second_officer_approves_and_only_then_it_is_done(four_eyes: FourEyes) -> None:
    done: list[Proposal] = []
    four_eyes.on_approval("hold.released", done.append)
    waiting = proposed(four_eyes)
    assert four_eyes.open_proposals() == (waiting,)
    assert not done
    decided = four_eyes.decide(SECOND, waiting.id, approve=True, note="Agreed.")
    assert (decided.outcome, decided.decided_by) == ("approved", SECOND)
    assert done == [decided]
    assert four_eyes.one(waiting.id) == decided
    assert four_eyes.open_proposals() == ()


def test_nobody_decides_about_their_own_proposal(four_eyes: FourEyes) -> None:
    done: list[Proposal] = []
    four_eyes.on_approval("hold.released", done.append)
    waiting = proposed(four_eyes)
    for approve in (True, False):
        with pytest.raises(AccessDenied):
            four_eyes.decide(FIRST, waiting.id, approve)
    assert not done
    assert four_eyes.open_proposals() == (waiting,)


def test_who_may_not_decide_about_an_act_is_turned_away_before_anything_is_on_record(
    four_eyes: FourEyes, log: QueryLog
) -> None:
    def not_second(officer: str, proposal: Proposal) -> None:
        if (officer, proposal.subject) == (SECOND, "hold-1"):
            raise AccessDenied("It is about them.")

    four_eyes.before_decision("hold.released", not_second)
    waiting = proposed(four_eyes)
    before = log.size()
    for approve in (True, False):
        with pytest.raises(AccessDenied, match="about them"):
            four_eyes.decide(SECOND, waiting.id, approve)
    assert (log.size(), four_eyes.open_proposals()) == (before, (waiting,))
    assert four_eyes.decide("officer-3", waiting.id, approve=True).outcome == "approved"


def test_what_is_refused_is_not_done(four_eyes: FourEyes) -> None:
    done: list[Proposal] = []
    four_eyes.on_approval("hold.released", done.append)
    waiting = proposed(four_eyes)
    assert four_eyes.decide(SECOND, waiting.id, approve=False).outcome == "refused"
    assert not done


def test_a_decision_is_made_once(four_eyes: FourEyes) -> None:
    waiting = proposed(four_eyes)
    four_eyes.decide(SECOND, waiting.id, approve=False)
    with pytest.raises(Conflict):
        four_eyes.decide("officer-3", waiting.id, approve=True)


def test_what_nobody_decided_about_lapses(four_eyes: FourEyes, clock: Clock) -> None:
    waiting = proposed(four_eyes)
    clock.now += LAPSES_AFTER
    assert four_eyes.one(waiting.id).outcome == "lapsed"
    assert four_eyes.open_proposals() == ()
    with pytest.raises(Conflict):
        four_eyes.decide(SECOND, waiting.id, approve=True)
    assert proposed(four_eyes).outcome == ""


def test_the_same_act_on_the_same_subject_waits_once(four_eyes: FourEyes) -> None:
    proposed(four_eyes)
    with pytest.raises(Conflict):
        proposed(four_eyes)
    proposed(four_eyes, "hold-2")


def test_a_proposal_needs_a_reason(four_eyes: FourEyes) -> None:
    with pytest.raises(InvalidRequest):
        four_eyes.propose(FIRST, "hold.released", "hold-1", "  ")


def test_nothing_is_known_of_a_proposal_that_never_was(four_eyes: FourEyes) -> None:
    with pytest.raises(NotFound):
        four_eyes.decide(SECOND, "nothing", approve=True)


def test_proposal_and_decision_are_on_record(four_eyes: FourEyes, log: QueryLog) -> None:
    waiting = proposed(four_eyes)
    four_eyes.decide(SECOND, waiting.id, approve=True, note="Agreed.")
    decision, proposal = (recorded.entry for recorded in log.entries())
    assert proposal == ActProposed(FIRST, waiting.id, "hold.released", "hold-1", "The case is closed.", "person clerk")
    assert decision == ActDecided(SECOND, waiting.id, "hold.released", "hold-1", "approved", "Agreed.")


def test_the_record_names_the_two_officers_and_nobody_else_is_looked_up(
    database: Database, four_eyes: FourEyes, log: QueryLog
) -> None:
    accounts = Accounts(database)
    first, second = (accounts.add(name, generate_password(), [Role.COMPLIANCE], []).id for name in ("anna", "ben"))
    with executed(lambda statement: "people" in statement) as looked_up:
        waiting = four_eyes.propose(first, "hold.released", "hold-1", "The case is closed.")
        four_eyes.decide(second, waiting.id, approve=True)
    decision, proposal = (recorded.entry for recorded in log.entries())
    assert isinstance(proposal, ActProposed) and proposal.actor_name == "anna"
    assert isinstance(decision, ActDecided) and decision.actor_name == "ben"
    assert len(looked_up) == 2
    assert all("WHERE people.id = " in statement for statement in looked_up)


def test_what_cannot_be_recorded_is_neither_proposed_nor_done(four_eyes: FourEyes, log: QueryLog) -> None:
    done: list[Proposal] = []
    four_eyes.on_approval("hold.released", done.append)
    waiting = proposed(four_eyes)
    log.close()
    with pytest.raises(AuditUnavailable):
        four_eyes.decide(SECOND, waiting.id, approve=True)
    with pytest.raises(AuditUnavailable):
        proposed(four_eyes, "hold-2")
    assert not done
    assert four_eyes.open_proposals() == (waiting,)


def test_an_act_that_fails_leaves_its_proposal_open_to_be_approved_again_and_never_refused(
    four_eyes: FourEyes, log: QueryLog
) -> None:
    done: list[Proposal] = []

    def fails_once(proposal: Proposal) -> None:
        done.append(proposal)
        if len(done) == 1:
            raise IndexUnavailable("The index is not there.")

    four_eyes.on_approval("hold.released", fails_once)
    waiting = proposed(four_eyes)
    with pytest.raises(IndexUnavailable):
        four_eyes.decide(SECOND, waiting.id, approve=True)
    assert [proposal.id for proposal in four_eyes.open_proposals()] == [waiting.id]
    size = log.size()
    with pytest.raises(Conflict, match="approved already"):
        four_eyes.decide(SECOND, waiting.id, approve=False)
    assert log.size() == size
    assert four_eyes.decide(SECOND, waiting.id, approve=True).outcome == "approved"
    assert len(done) == 2


def test_while_an_act_is_done_others_propose_and_decide_and_nobody_begins_it_twice(four_eyes: FourEyes) -> None:
    long, short = proposed(four_eyes), proposed(four_eyes, "hold-2")
    done: list[str] = []

    def deed(proposal: Proposal) -> None:
        if proposal.id == long.id:
            somebody.submit(proposed, four_eyes, "hold-3").result(30)
            somebody.submit(four_eyes.decide, SECOND, short.id, approve=True).result(30)
            for approve in (True, False):
                with pytest.raises(Conflict, match="being done now"):
                    four_eyes.decide("officer-3", long.id, approve)
        done.append(proposal.subject)

    four_eyes.on_approval("hold.released", deed)
    with ThreadPoolExecutor(1) as somebody:
        decided = four_eyes.decide(SECOND, long.id, approve=True)
    assert done == ["hold-2", "hold-1"]
    assert four_eyes.one(long.id) == decided
    assert [proposal.subject for proposal in four_eyes.open_proposals()] == ["hold-3"]
