"""A clock that is set back gives nobody back what had come to an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from appliance.auth.accounts import Accounts
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.auth.passwords import generate_password
from appliance.auth.sessions import Sessions, TokenKind
from appliance.auth.steady_clock import SteadyClock
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import NotSignedIn

START = datetime(2100, 3, 1, 9, 0, tzinfo=UTC)  # later than what the database holds already


@dataclass
class Machine:
    """The clocks of a machine: the one on the wall, which can be set, and the one that counts."""

    wall: datetime = START
    counted_s: float = 1000.0

    def passes(self, **by: float) -> None:
        self.wall += timedelta(**by)
        self.counted_s += timedelta(**by).total_seconds()

    def clock(self, database: Database) -> SteadyClock:
        return SteadyClock(database, lambda: self.wall, lambda: self.counted_s)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_is_the_clock_of_the_machine_while_that_goes_on(database: Database, machine: Machine) -> None:
    clock = machine.clock(database)
    assert clock() == START
    machine.passes(hours=5)
    assert clock() == START + timedelta(hours=5)
    machine.wall += timedelta(days=2)  # set forward
    assert clock() == machine.wall
    assert clock.ahead() == timedelta(0)


def test_it_goes_on_when_the_clock_of_the_machine_is_set_back(database: Database, machine: Machine) -> None:
    clock = machine.clock(database)
    machine.passes(hours=5)
    clock()
    machine.wall -= timedelta(days=2)
    assert clock() == START + timedelta(hours=5)
    machine.passes(hours=1)
    assert clock() == START + timedelta(hours=6)
    assert clock.ahead() == timedelta(days=2)
    machine.wall += timedelta(days=3)
    assert clock() == machine.wall


def test_what_had_ended_stays_ended_also_after_a_start(database: Database, machine: Machine) -> None:
    clock = machine.clock(database)
    accounts, opened = Accounts(database, clock), Sessions(database, SignInSettings(), clock)
    accounts.set_directories([DirectoryTerms("corp", "ldap", 86_400.0)])
    told = Identity("corp", "s1", "dora", "Dora", frozenset({"hr"}), frozenset({Role.EMPLOYEE}))
    person = accounts.admit(told)
    short, long = (opened.issue_token(person.id, "a program", timedelta(days=days)) for days in (1, 30))

    def groups(sessions: Sessions, token: str) -> set[str]:
        return set(sessions.recognise(token, kind=TokenKind.API).principal.groups)

    assert groups(opened, long) == {"hr"}
    machine.passes(hours=30)
    assert groups(opened, long) == set()  # the directory was silent for longer than its word counts
    machine.wall -= timedelta(hours=20)
    started_again = Sessions(database, SignInSettings(), machine.clock(database))
    for sessions in (opened, started_again):
        assert groups(sessions, long) == set()
        with pytest.raises(NotSignedIn):
            sessions.recognise(short, kind=TokenKind.API)


def test_whose_second_factor_was_taken_away_after_they_asked_is_not_confirmed_by_a_clock_set_back(
    database: Database, machine: Machine
) -> None:
    clock = machine.clock(database)
    accounts = Accounts(database, clock)
    sessions = Sessions(database, SignInSettings(), clock, codes_clock=lambda: machine.wall, accounts=accounts)
    officer = accounts.add("olga", generate_password(), (Role.COMPLIANCE,), ()).id
    accounts.change(officer, handed_over=True)
    asked_at = clock()
    machine.passes(minutes=1)
    machine.wall -= timedelta(hours=1)
    sessions.second_factors.remove(officer, handed_over=True)
    accounts.confirm(officer, asked_at)
    assert accounts.person(officer).handed_over_at == asked_at + timedelta(minutes=1)


def test_after_a_start_it_is_not_earlier_than_the_last_hand_over(database: Database, machine: Machine) -> None:
    accounts = Accounts(database, machine.clock(database))
    officer = accounts.add("olga", generate_password(), (Role.COMPLIANCE,), ()).id
    machine.passes(hours=2)
    accounts.change(officer, handed_over=True)
    machine.wall -= timedelta(hours=1)
    assert machine.clock(database)() >= START + timedelta(hours=2)
