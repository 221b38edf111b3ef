"""Codes of an authenticator app: right once, in their time, and said to be wrong like a wrong password."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from appliance.auth.accounts import Accounts
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.auth.second_factor import RECOVERY_CODES, STEP_S, SecondFactors, address_for_apps, totp
from appliance.auth.sessions import Sessions
from appliance.auth.tables import people, recovery_codes
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    SecondFactorRequired,
    TooManyAttempts,
)

from .conftest import PASSWORD, Clock, Staff
from .test_accounts import NOBODY

HERE = "192.0.2.10"
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.fixture
def factors(database: Database, clock: Clock) -> SecondFactors:
    return SecondFactors(database, clock)


def step_of(clock: Clock) -> int:
    return int(clock.now.timestamp()) // STEP_S


def set_up(factors: SecondFactors, person_id: str, clock: Clock) -> tuple[str, list[str]]:
    """The secret and the recovery codes of somebody who has just set up their second factor; its code is used up."""
    secret = factors.begin(person_id)
    return secret, factors.confirm(person_id, totp(secret, step_of(clock)))


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
)
def test_the_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp(RFC_SECRET, at // STEP_S) == code  # RFC 6238, appendix B, the last six digits


def test_the_qr_code_holds_what_apps_read() -> None:
    address = address_for_apps(RFC_SECRET, "anne@home")
    assert address.startswith("otpauth://totp/Strongroom%3Aanne%40home?secret=")
    assert "digits=6&period=30" in address


def test_signing_in_takes_a_code_from_the_first_right_one_on(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret = factors.begin(staff.clerk.id)
    assert factors.begin(staff.clerk.id) == secret  # the page may be opened again
    sessions.sign_in("clerk", PASSWORD, HERE)  # not yet proved to be in an app
    with pytest.raises(InvalidRequest, match="Check the clock"):
        factors.confirm(staff.clerk.id, "000000" if totp(secret, step_of(clock)) != "000000" else "000001")
    factors.confirm(staff.clerk.id, totp(secret, step_of(clock)))
    clock.forward(seconds=STEP_S)
    with pytest.raises(NotSignedIn) as without:
        sessions.sign_in("clerk", PASSWORD, HERE)
    with pytest.raises(NotSignedIn) as wrong:
        sessions.sign_in("admin", "not the password", HERE)
    assert str(without.value) == str(wrong.value)
    sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))


def test_a_code_is_good_once_and_no_earlier_one_after_it(factors: SecondFactors, staff: Staff, clock: Clock) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    assert not factors.passes(staff.clerk.id, totp(secret, step_of(clock)))  # was used to set it up
    clock.forward(seconds=STEP_S)
    earlier = totp(secret, step_of(clock))
    clock.forward(seconds=STEP_S)
    code = totp(secret, step_of(clock))
    assert factors.passes(staff.clerk.id, f" {code[:3]} {code[3:]}")
    assert not factors.passes(staff.clerk.id, code)
    assert not factors.passes(staff.clerk.id, earlier)


def test_of_two_who_use_one_code_at_once_one_gets_in(factors: SecondFactors, staff: Staff, clock: Clock) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    clock.forward(seconds=STEP_S)
    code = totp(secret, step_of(clock))
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: factors.passes(staff.clerk.id, code), range(2))) == [False, True]


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(
    factors: SecondFactors, staff: Staff, clock: Clock, *, steps: int, good: bool
) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    clock.forward(hours=1)
    assert factors.passes(staff.clerk.id, totp(secret, step_of(clock) + steps)) is good


@pytest.mark.parametrize("code", ["", "abcdef", "١٢٣٤٥٦", "\ud800", "1" * 1000])
def test_what_is_no_code_opens_nothing(factors: SecondFactors, staff: Staff, clock: Clock, code: str) -> None:
    set_up(factors, staff.clerk.id, clock)
    assert not factors.passes(staff.clerk.id, code)


def test_a_recovery_code_is_good_once_and_none_lies_in_the_database(
    factors: SecondFactors, staff: Staff, clock: Clock, database: Database
) -> None:
    _, codes = set_up(factors, staff.clerk.id, clock)
    assert len(set(codes)) == RECOVERY_CODES
    assert factors.passes(staff.clerk.id, codes[0].upper())
    assert not factors.passes(staff.clerk.id, codes[0])
    with database.read() as connection:
        kept = set(connection.scalars(select(recovery_codes.c.code_sha256)))
    assert len(kept) == RECOVERY_CODES - 1
    assert kept.isdisjoint(codes)


def test_wrong_codes_pause_the_name_like_wrong_passwords(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    clock.forward(seconds=STEP_S)
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            sessions.sign_in("clerk", PASSWORD, HERE, "000000")
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))
    assert set(sessions.pauses(["clerk", "admin"])) == {"clerk"}
    sessions.lift("Clerk")
    assert sessions.pauses(["clerk", "admin"]) == {}
    sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))


def wrong_code(sessions: Sessions, address: str, password: str = PASSWORD, code: str = "000000") -> type[Exception]:
    """How a sign-in of the clerk is refused."""
    with pytest.raises((NotSignedIn, TooManyAttempts)) as refused:
        sessions.sign_in("clerk", password, address, code)
    return refused.type


def test_wrong_codes_are_counted_in_a_row_wherever_they_come_from_and_each_pause_is_longer(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    clock.forward(seconds=STEP_S)
    assert [wrong_code(sessions, f"2001:db8::{n}") for n in range(3)] == [NotSignedIn, NotSignedIn, TooManyAttempts]
    assert sessions.pauses(["clerk"]) == {"clerk": timedelta(seconds=300)}
    right = totp(secret, step_of(clock))
    assert wrong_code(sessions, "2001:db8::4", code=right) is TooManyAttempts
    clock.forward(seconds=300)  # what was counted by name and address is forgotten by now
    assert wrong_code(sessions, "2001:db8::5") is NotSignedIn
    assert sessions.pauses(["clerk"]) == {"clerk": timedelta(seconds=600)}
    clock.forward(seconds=599)
    assert wrong_code(sessions, "2001:db8::6") is TooManyAttempts
    clock.forward(seconds=1)
    sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))
    assert wrong_code(sessions, "2001:db8::7") is NotSignedIn  # the first of a new row
    assert sessions.pauses(["clerk"]) == {}


def test_after_so_many_wrong_codes_only_an_administrator_ends_the_pause(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    for n in range(4):  # of four by name, in these settings
        assert wrong_code(sessions, f"2001:db8::{n}") is NotSignedIn
        clock.forward(days=1)
    clock.forward(days=400)
    assert wrong_code(sessions, HERE, code=totp(secret, step_of(clock))) is TooManyAttempts
    sessions.lift("clerk")
    sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))


def test_nobody_without_the_password_makes_codes_pause_and_during_a_pause_nothing_tells_that_it_is_right(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret, _ = set_up(factors, staff.clerk.id, clock)
    clock.forward(seconds=STEP_S)
    for n in range(3):
        assert wrong_code(sessions, f"2001:db8::{n}", password="not the password") is NotSignedIn
    assert wrong_code(sessions, HERE, code="") is NotSignedIn  # no guess
    assert sessions.second_factors.pauses() == {}
    clock.forward(seconds=300)
    sessions.sign_in("clerk", PASSWORD, HERE, totp(secret, step_of(clock)))
    for n in range(2):
        assert wrong_code(sessions, f"2001:db8::{n}") is NotSignedIn
    assert wrong_code(sessions, HERE, password="not the password") is TooManyAttempts
    assert wrong_code(sessions, HERE) is TooManyAttempts


def test_a_clock_set_back_makes_no_pause_of_codes_longer(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    set_up(factors, staff.clerk.id, clock)
    for n in range(2):
        assert wrong_code(sessions, f"2001:db8::{n}") is NotSignedIn
    clock.forward(days=-30)
    assert sessions.pauses(["clerk"]) == {"clerk": timedelta(seconds=300)}


def test_who_takes_their_own_away_gives_a_code_and_an_admin_needs_none(
    factors: SecondFactors, sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    secret, codes = set_up(factors, staff.clerk.id, clock)
    with pytest.raises(NotSignedIn, match="code is wrong"):
        sessions.remove_second_factor(staff.clerk.id, "000000")
    sessions.remove_second_factor(staff.clerk.id, codes[0])
    sessions.sign_in("clerk", PASSWORD, HERE)
    again, _ = set_up(factors, staff.clerk.id, clock)
    assert again != secret
    with pytest.raises(Conflict, match="already"):
        factors.begin(staff.clerk.id)
    factors.remove(staff.clerk.id)
    sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_role_that_needs_a_second_factor_does_nothing_before_it_is_set_up(
    database: Database, factors: SecondFactors, staff: Staff, clock: Clock
) -> None:
    sessions = Sessions(database, SignInSettings(second_factor_roles=(Role.ADMIN,)), clock)
    token = sessions.sign_in("admin", PASSWORD, HERE).token
    with pytest.raises(SecondFactorRequired, match="/second-factor"):
        sessions.authenticate(token)
    sessions.authenticate(sessions.sign_in("clerk", PASSWORD, HERE).token)
    set_up(factors, staff.admin.id, clock)
    assert sessions.authenticate(token) == staff.admin


def test_only_somebody_who_signs_in_with_a_password_has_a_second_factor_here(
    factors: SecondFactors, database: Database, clock: Clock, accounts: Accounts
) -> None:
    directory = Accounts(database, clock)
    directory.set_directories([DirectoryTerms("corp", "oidc", 3600)])
    anne = directory.admit(Identity("corp", "1", "anne", "Anne", frozenset(), frozenset({Role.ADMIN})))
    robot = accounts.add_service("robot", [Role.EMPLOYEE], [])
    for person in (anne, robot):
        with pytest.raises(InvalidRequest, match="signs in with a password"):
            factors.begin(person.id)
    with pytest.raises(NotFound):
        factors.begin(NOBODY)
    strict = Sessions(database, SignInSettings(second_factor_roles=(Role.ADMIN,)), clock)
    strict.authenticate(strict.open_for(Identity("corp", "1", "anne", "", frozenset(), anne.roles)).token)


@pytest.mark.parametrize("secret", ["rubbish!", RFC_SECRET[:8]])
def test_a_damaged_secret_lets_nobody_in(
    factors: SecondFactors, staff: Staff, clock: Clock, database: Database, secret: str
) -> None:
    set_up(factors, staff.clerk.id, clock)
    with database.write() as connection:
        connection.execute(update(people).where(people.c.id == staff.clerk.id).values(totp_secret=secret))
    assert not factors.passes(staff.clerk.id, "000000")


def test_the_second_factor_is_one_person_s_alone(factors: SecondFactors, staff: Staff, clock: Clock) -> None:
    _, codes = set_up(factors, staff.clerk.id, clock)
    set_up(factors, staff.admin.id, clock)
    assert not factors.passes(staff.admin.id, codes[0])
    assert factors.passes(staff.clerk.id, codes[0])


def test_a_second_factor_that_was_begun_ends_with_the_password(
    factors: SecondFactors, accounts: Accounts, staff: Staff
) -> None:
    seen_by_a_thief = factors.begin(staff.clerk.id)
    assert factors.begin(staff.clerk.id) == seen_by_a_thief
    accounts.set_password(staff.clerk.id, "another good password")
    assert factors.begin(staff.clerk.id) != seen_by_a_thief
