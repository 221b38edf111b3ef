from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table, func, select

from appliance.auth import tables
from appliance.auth.accounts import Accounts
from appliance.auth.brake import ADDRESS_FACTOR, Attempt
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.auth.sessions import Sessions, TokenKind
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Role, Scope, text_sha256
from appliance.errors import (
    ApplianceError,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PasswordChangeRequired,
    TooManyAttempts,
)

from .conftest import PASSWORD, Clock, Staff
from .test_accounts import NOBODY, UNUSABLE_HASH, store_hash

HERE = "192.0.2.10"
ELSEWHERE = "192.0.2.20"
WRONG = "not the password"
WEEK = timedelta(days=7)


def fail(sessions: Sessions, name: str, *, address: str = HERE) -> None:
    with pytest.raises(NotSignedIn):
        sessions.sign_in(name, WRONG, address)


def seen_at(database: Database, token: str) -> datetime:
    query = select(tables.sessions.c.last_seen_at).where(tables.sessions.c.token_sha256 == text_sha256(token))
    with database.read() as connection:
        at: datetime = connection.execute(query).scalar_one()
    return at


def rows(database: Database, table: Table) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


# Sessions


def test_a_session_says_who_signed_in_until_it_is_ended(sessions: Sessions, staff: Staff, clock: Clock) -> None:
    session = sessions.sign_in("clerk", PASSWORD, HERE)
    assert session.principal == staff.clerk
    assert session.expires_at == clock.now + timedelta(hours=6)
    assert sessions.authenticate(session.token) == staff.clerk
    sessions.sign_out(session.token)
    sessions.sign_out(session.token)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(session.token)


@pytest.mark.parametrize("token", ["", "guess", "\ud800", "sr_" + "x" * 10_000])
def test_a_made_up_token_is_nobody(sessions: Sessions, token: str) -> None:
    for kind in TokenKind:
        with pytest.raises(NotSignedIn):
            sessions.authenticate(token, kind=kind)


def test_a_session_ends_when_it_was_idle_too_long(sessions: Sessions, clock: Clock) -> None:
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    clock.forward(minutes=59)
    sessions.authenticate(token)
    clock.forward(minutes=59)
    sessions.authenticate(token)
    clock.forward(minutes=60)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token)


def test_a_session_in_use_still_ends_with_its_lifetime(sessions: Sessions, clock: Clock) -> None:
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    for _ in range(11):
        clock.forward(minutes=30)
        sessions.authenticate(token)
    clock.forward(minutes=30)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token)


def test_being_seen_is_written_at_most_once_a_minute(sessions: Sessions, clock: Clock, database: Database) -> None:
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    start = clock.now
    clock.forward(seconds=59)
    sessions.authenticate(token)
    assert seen_at(database, token) == start
    clock.forward(seconds=1)
    sessions.authenticate(token)
    assert seen_at(database, token) == clock.now


def test_somebody_at_work_is_not_idle_even_when_the_timeout_is_shorter_than_a_minute(
    database: Database, clock: Clock
) -> None:
    sessions = Sessions(database, SignInSettings(idle_timeout_s=30), clock)
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    for _ in range(5):
        clock.forward(seconds=10)
        sessions.authenticate(token)


def test_a_change_of_groups_or_roles_acts_on_the_next_request(
    sessions: Sessions, accounts: Accounts, staff: Staff
) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    accounts.set_groups(staff.clerk.id, ["claims"])
    accounts.set_roles(staff.clerk.id, [])
    principal = sessions.authenticate(token, kind=TokenKind.API)
    assert principal.groups == {"claims"}
    assert principal.roles == frozenset()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.COMPLIANCE])
def test_who_becomes_admin_or_officer_signs_in_anew_and_chooses_another_password(
    sessions: Sessions, accounts: Accounts, staff: Staff, role: Role
) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    browser = sessions.sign_in("clerk", PASSWORD, HERE).token
    secret = sessions.second_factors.begin(staff.clerk.id)
    accounts.set_roles(staff.clerk.id, [role])
    for shown, kind in ((token, TokenKind.API), (browser, TokenKind.SESSION)):
        with pytest.raises(NotSignedIn):
            sessions.authenticate(shown, kind=kind)
    assert sessions.second_factors.begin(staff.clerk.id) != secret
    again = sessions.sign_in("clerk", PASSWORD, HERE).token
    with pytest.raises(PasswordChangeRequired):
        sessions.authenticate(again)
    changed = sessions.change_password(staff.clerk.id, PASSWORD, "two slow barges under bridge").token
    accounts.set_roles(staff.clerk.id, [role, Role.EMPLOYEE])  # no news: the role was there
    assert sessions.authenticate(changed).roles == {role, Role.EMPLOYEE}


def test_disabling_a_person_ends_their_sessions_for_good(sessions: Sessions, accounts: Accounts, staff: Staff) -> None:
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    api_token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    accounts.set_disabled(staff.clerk.id, disabled=True)
    accounts.set_disabled(staff.clerk.id, disabled=False)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(api_token, kind=TokenKind.API)


def test_a_disabled_person_holds_no_valid_session_however_it_came_about(
    sessions: Sessions, staff: Staff, database: Database
) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    with database.write() as connection:
        connection.execute(tables.people.update().values(disabled=True))
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token, kind=TokenKind.API)
    with pytest.raises(NotSignedIn):
        sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_new_password_ends_every_session_and_token_of_that_person_only(
    sessions: Sessions, accounts: Accounts, staff: Staff
) -> None:
    theirs = sessions.sign_in("clerk", PASSWORD, HERE).token
    api_token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    other = sessions.issue_token(staff.admin.id, "backup", WEEK)
    accounts.set_password(staff.clerk.id, "another long password")
    with pytest.raises(NotSignedIn):
        sessions.authenticate(theirs)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(api_token, kind=TokenKind.API)
    assert sessions.authenticate(other, kind=TokenKind.API).id == staff.admin.id


def test_a_password_changed_during_the_sign_in_opens_no_session(
    database: Database, settings: SignInSettings, accounts: Accounts, staff: Staff, clock: Clock
) -> None:
    calls = 0

    def clock_that_changes_the_password() -> datetime:
        nonlocal calls
        calls += 1
        if calls == 4:  # after the two checks of the brake, and that of the password
            store_hash(database, "clerk", UNUSABLE_HASH)
        return clock()

    sessions = Sessions(database, settings, clock_that_changes_the_password)
    with pytest.raises(NotSignedIn, match="changed while"):
        sessions.sign_in("clerk", PASSWORD, HERE)
    assert rows(database, tables.sessions) == 0


def test_everything_of_a_person_can_be_ended_at_once(sessions: Sessions, staff: Staff) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    other = sessions.issue_token(staff.admin.id, "backup", WEEK)
    sessions.revoke_all(staff.clerk.id)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token, kind=TokenKind.API)
    sessions.authenticate(other, kind=TokenKind.API)


def test_a_password_that_somebody_else_set_is_good_for_changing_it_alone(
    sessions: Sessions, accounts: Accounts, staff: Staff
) -> None:
    accounts.set_password(staff.clerk.id, "handed over in person", must_change=True)
    session = sessions.sign_in("clerk", "handed over in person", HERE).token
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    for held, kind in ((session, TokenKind.SESSION), (token, TokenKind.API)):
        with pytest.raises(PasswordChangeRequired, match="/password"):
            sessions.authenticate(held, kind=kind)
    sessions.recognise(session, kind=TokenKind.SESSION, may_be_unfinished=True)
    with pytest.raises(InvalidRequest, match="is the old one"):
        sessions.change_password(staff.clerk.id, "handed over in person", "handed over in person")
    renewed = sessions.change_password(staff.clerk.id, "handed over in person", "chosen by the clerk")
    assert sessions.authenticate(renewed.token) == staff.clerk
    with pytest.raises(NotSignedIn):
        sessions.authenticate(session)


def test_the_old_password_is_no_easier_to_guess_by_changing_it(sessions: Sessions, staff: Staff) -> None:
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            sessions.change_password(staff.clerk.id, WRONG, "chosen by a thief")
    with pytest.raises(TooManyAttempts):
        sessions.change_password(staff.clerk.id, PASSWORD, "chosen by a thief")
    sessions.sign_in("clerk", PASSWORD, HERE)  # the thief of a session keeps its owner out of nothing


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [(0.2, "1 second"), (89, "89 seconds"), (90, "2 minutes"), (284, "5 minutes"), (3600, "60 minutes")],
)
def test_a_pause_is_told_in_minutes_where_it_is_long(wait_s: float, words: str) -> None:
    assert f"Wait {words} and try again" in str(TooManyAttempts(wait_s))


def test_who_is_signed_in_changes_their_password_whatever_strangers_guess(
    sessions: Sessions, staff: Staff, settings: SignInSettings
) -> None:
    for number in range(settings.max_failures_per_name):
        fail(sessions, "clerk", address=f"192.0.2.{number}")
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE)
    renewed = sessions.change_password(staff.clerk.id, PASSWORD, "chosen by the clerk")
    assert sessions.authenticate(renewed.token) == staff.clerk


def test_nobody_pauses_a_session_by_typing_a_name(sessions: Sessions, staff: Staff) -> None:
    typed = f"SESSION {staff.clerk.id}"
    fail(sessions, typed, address="")
    fail(sessions, typed, address="")
    sessions.change_password(staff.clerk.id, PASSWORD, "chosen by the clerk")


# Tokens


def test_who_chooses_a_password_does_not_undo_one_that_was_set_meanwhile(
    sessions: Sessions, accounts: Accounts, staff: Staff
) -> None:
    verified = accounts.verify("clerk", PASSWORD)
    accounts.set_password(staff.clerk.id, "set by an administrator")
    with pytest.raises(NotSignedIn, match="changed meanwhile"):
        accounts.set_password(staff.clerk.id, "chosen by a thief", in_place_of=verified)
    assert accounts.verify("clerk", "set by an administrator").principal.id == staff.clerk.id


def test_single_sign_on_under_somebody_elses_name_forgets_none_of_their_failures(
    sessions: Sessions, accounts: Accounts, settings: SignInSettings
) -> None:
    accounts.set_directories([DirectoryTerms("oidc", "oidc", 3600)])
    known = Identity("oidc", "1", "mallory", "Mallory", frozenset(), frozenset({Role.EMPLOYEE}))
    assert sessions.open_for(known).principal.name == "mallory"
    for _ in range(settings.max_failures - 1):
        fail(sessions, "clerk")
    assert sessions.open_for(replace(known, name="clerk")).principal.name == "mallory"
    fail(sessions, "clerk")
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_token_is_for_what_it_was_made_for(sessions: Sessions, staff: Staff) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK, [Scope.LOG, Scope.INGEST])
    assert sessions.recognise(token, kind=TokenKind.API).scopes == {Scope.LOG, Scope.INGEST}
    [listed] = sessions.tokens(staff.clerk.id)
    assert listed.scopes == {Scope.LOG, Scope.INGEST}
    with pytest.raises(InvalidRequest, match="is for something"):
        sessions.issue_token(staff.clerk.id, "nothing", WEEK, [])


def test_a_token_tells_when_it_was_used_last_and_that_it_never_was(
    sessions: Sessions, staff: Staff, clock: Clock
) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    assert [listed.last_seen_at for listed in sessions.tokens(staff.clerk.id)] == [None]
    clock.now += timedelta(seconds=1)  # less than that after which later uses are noted
    sessions.authenticate(token, kind=TokenKind.API)
    assert [listed.last_seen_at for listed in sessions.tokens(staff.clerk.id)] == [clock.now]


def test_a_session_is_no_api_token_and_the_other_way_round(sessions: Sessions, staff: Staff) -> None:
    session = sessions.sign_in("clerk", PASSWORD, HERE).token
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    assert token.startswith("sr_")
    with pytest.raises(NotSignedIn):
        sessions.authenticate(session, kind=TokenKind.API)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token)
    sessions.sign_out(token)  # ends browser sessions only
    assert sessions.authenticate(token, kind=TokenKind.API) == staff.clerk


def test_an_api_token_outlives_idleness_but_not_its_lifetime(sessions: Sessions, staff: Staff, clock: Clock) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    clock.forward(days=6)
    sessions.authenticate(token, kind=TokenKind.API)
    clock.forward(days=1)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token, kind=TokenKind.API)
    assert sessions.tokens(staff.clerk.id) == []


def test_tokens_are_listed_without_what_would_let_one_use_them(sessions: Sessions, staff: Staff, clock: Clock) -> None:
    token = sessions.issue_token(staff.clerk.id, "  monthly report ", WEEK)
    sessions.issue_token(staff.admin.id, "backup", WEEK)
    sessions.sign_in("clerk", PASSWORD, HERE)
    (listed,) = sessions.tokens(staff.clerk.id)
    assert (listed.label, listed.created_at, listed.expires_at) == ("monthly report", clock.now, clock.now + WEEK)
    assert token not in repr(listed)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(listed.id, kind=TokenKind.API)


def test_a_person_revokes_their_own_tokens_only(sessions: Sessions, staff: Staff) -> None:
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    kept = sessions.issue_token(staff.clerk.id, "backup", WEEK)
    revoked = next(listed.id for listed in sessions.tokens(staff.clerk.id) if listed.label == "report")
    with pytest.raises(NotFound):
        sessions.revoke_token(staff.admin.id, revoked)
    sessions.authenticate(token, kind=TokenKind.API)
    sessions.revoke_token(staff.clerk.id, revoked)
    with pytest.raises(NotSignedIn):
        sessions.authenticate(token, kind=TokenKind.API)
    sessions.authenticate(kept, kind=TokenKind.API)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=367), timedelta.max])
def test_a_token_needs_a_sensible_lifetime(sessions: Sessions, staff: Staff, lifetime: timedelta) -> None:
    with pytest.raises(InvalidRequest, match="366 days"):
        sessions.issue_token(staff.clerk.id, "report", lifetime)


def test_a_token_needs_a_label_and_an_enabled_owner(sessions: Sessions, accounts: Accounts, staff: Staff) -> None:
    with pytest.raises(InvalidRequest, match="token label"):
        sessions.issue_token(staff.clerk.id, " ", WEEK)
    accounts.set_disabled(staff.clerk.id, disabled=True)
    for person_id in (NOBODY, staff.clerk.id):
        with pytest.raises(NotFound):
            sessions.issue_token(person_id, "report", WEEK)


def test_a_token_is_stored_only_as_its_hash_and_shown_only_once(
    sessions: Sessions, staff: Staff, database: Database
) -> None:
    session = sessions.sign_in("clerk", PASSWORD, HERE)
    token = sessions.issue_token(staff.clerk.id, "report", WEEK)
    assert session.token not in repr(session)
    files = list(database.path.parent.glob("strongroom.db*"))
    stored = b"".join(file.read_bytes() for file in files)
    assert text_sha256(token).encode() in stored
    assert token.encode() not in stored
    assert session.token.encode() not in stored


def test_what_has_ended_is_deleted(sessions: Sessions, staff: Staff, clock: Clock, database: Database) -> None:
    sessions.sign_in("clerk", PASSWORD, HERE)
    sessions.issue_token(staff.clerk.id, "short", timedelta(hours=1))
    kept = sessions.issue_token(staff.clerk.id, "long", WEEK)
    fail(sessions, "admin")
    assert sessions.purge() == 0
    clock.forward(hours=1)
    assert sessions.purge() == 2
    assert rows(database, tables.sign_in_failures) == 0
    sessions.authenticate(kept, kind=TokenKind.API)


# The brake


def test_a_name_is_paused_where_somebody_guessed_and_nowhere_else(sessions: Sessions) -> None:
    fail(sessions, "clerk", address=ELSEWHERE)
    fail(sessions, "CLERK", address=ELSEWHERE)
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, ELSEWHERE)
    assert sessions.brake.pauses(["clerk", "admin"]).keys() == {"clerk"}
    sessions.sign_in("clerk", PASSWORD, HERE)


def test_many_failures_pause_a_name_everywhere(sessions: Sessions, clock: Clock) -> None:
    fail(sessions, "clerk", address="192.0.2.1")
    clock.forward(seconds=100)
    for address in ("192.0.2.2", "192.0.2.3", "192.0.2.4"):
        fail(sessions, "CLERK", address=address)
    clock.forward(seconds=50)
    with pytest.raises(TooManyAttempts) as caught:
        sessions.sign_in("clerk", PASSWORD, HERE)
    assert caught.value.wait_s == 150
    assert sessions.brake.pauses(["clerk"]) == {"clerk": timedelta(seconds=150)}
    clock.forward(seconds=149)
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE)
    clock.forward(seconds=1)
    sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_pause_is_not_made_longer_by_trying(sessions: Sessions, clock: Clock) -> None:
    fail(sessions, "clerk")
    fail(sessions, "clerk")
    for _ in range(4):
        clock.forward(seconds=74)
        with pytest.raises(TooManyAttempts):
            sessions.sign_in("clerk", WRONG, HERE)
    clock.forward(seconds=4)
    sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_paused_name_does_not_pause_others_or_end_open_sessions(sessions: Sessions, staff: Staff) -> None:
    token = sessions.sign_in("clerk", PASSWORD, HERE).token
    fail(sessions, "clerk")
    fail(sessions, "clerk")
    assert sessions.authenticate(token) == staff.clerk
    sessions.sign_in("admin", PASSWORD, HERE)


def test_a_success_forgets_the_failures_of_that_name(sessions: Sessions) -> None:
    fail(sessions, "admin")
    for _ in range(2):
        fail(sessions, "clerk")
        sessions.sign_in("clerk", PASSWORD, HERE)
    fail(sessions, "admin")  # the clerk's success did not help here
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("admin", PASSWORD, HERE)


@pytest.mark.parametrize("name", ["nobody", "not a name at all", "\ud800", "n" * 5000])
def test_an_unknown_name_is_paused_like_a_known_one(sessions: Sessions, name: str) -> None:
    for tried in ("clerk", name):
        for address in (HERE, HERE, ELSEWHERE):
            fail(sessions, tried, address=address)
    told = {}
    for tried in ("clerk", name):
        with pytest.raises(TooManyAttempts) as here:
            sessions.sign_in(tried, WRONG, HERE)
        fail(sessions, tried, address=ELSEWHERE)  # its pause at one address is none at another
        with pytest.raises(TooManyAttempts) as anywhere:  # four failures: the limit of a name
            sessions.sign_in(tried, WRONG, "192.0.2.30")
        told[tried] = (str(here.value), str(anywhere.value))
    assert told["clerk"] == told[name]


def test_an_address_is_paused_after_ten_times_as_many_failures(database: Database, clock: Clock) -> None:
    sessions = Sessions(database, SignInSettings(max_failures=1), clock)
    for number in range(ADDRESS_FACTOR):
        fail(sessions, f"guess-{number}")
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE)
    sessions.sign_in("clerk", PASSWORD, ELSEWHERE)


def test_the_pause_of_an_address_stops_nobody_whom_a_directory_vouches_for(
    database: Database, accounts: Accounts, staff: Staff, clock: Clock
) -> None:
    sessions = Sessions(database, SignInSettings(max_failures=1), clock)
    accounts.set_directories([DirectoryTerms("oidc", "oidc", 3600)])
    for number in range(ADDRESS_FACTOR):
        fail(sessions, f"guess-{number}")
    assert sessions.brake.pause(Attempt.at_the_door("clerk", HERE))
    assert not sessions.brake.pause(Attempt.by_single_sign_on(HERE))
    assert not sessions.brake.pause(Attempt.in_session(staff.clerk.id))
    anna = Identity("oidc", "1", "anna", "Anna", frozenset(), frozenset({Role.EMPLOYEE}))
    assert sessions.open_for(anna).principal.name == "anna"


def test_a_restart_forgets_no_failure(
    sessions: Sessions, settings: SignInSettings, clock: Clock, database: Database
) -> None:
    fail(sessions, "clerk")
    fail(sessions, "clerk")
    database.close()
    reopened = Database(database.path)
    try:
        with pytest.raises(TooManyAttempts):
            Sessions(reopened, settings, clock).sign_in("clerk", PASSWORD, HERE)
    finally:
        reopened.close()


def test_a_paused_name_is_refused_before_its_hash_is_touched(sessions: Sessions, database: Database) -> None:
    store_hash(database, "admin", UNUSABLE_HASH)
    with pytest.raises(ApplianceError, match="cannot be checked"):
        sessions.sign_in("admin", PASSWORD, HERE)
    store_hash(database, "clerk", UNUSABLE_HASH)
    with database.write() as connection:
        failure = {"name_key": text_sha256("clerk"), "address": HERE, "at": sessions._clock()}
        connection.execute(tables.sign_in_failures.insert(), [failure, failure])
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("clerk", PASSWORD, HERE)


def test_a_clock_set_back_pauses_for_no_more_than_a_window(sessions: Sessions, clock: Clock) -> None:
    fail(sessions, "clerk")
    fail(sessions, "clerk")
    clock.forward(days=-30)
    with pytest.raises(TooManyAttempts) as caught:
        sessions.sign_in("clerk", PASSWORD, HERE)
    assert caught.value.wait_s == 300


def test_what_was_typed_as_a_name_is_not_kept(sessions: Sessions, database: Database) -> None:
    fail(sessions, "a-password-in-the-wrong-field")
    stored = b"".join(file.read_bytes() for file in database.path.parent.glob("strongroom.db*"))
    assert b"wrong-field" not in stored
    assert text_sha256("a-password-in-the-wrong-field").encode() in stored


def test_guesses_sent_at_once_get_no_more_tries(sessions: Sessions) -> None:
    def outcome(_: int) -> type[Exception] | None:
        try:
            sessions.sign_in("clerk", WRONG, HERE)
        except (NotSignedIn, TooManyAttempts) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(outcome, range(6)))
    assert outcomes.count(NotSignedIn) == 2
    assert outcomes.count(TooManyAttempts) == 4


def test_one_person_may_sign_in_from_several_places_at_once(sessions: Sessions, staff: Staff) -> None:
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda _: sessions.sign_in("clerk", PASSWORD, HERE).token, range(4)))
    assert len(set(tokens)) == 4
    assert all(sessions.authenticate(token) == staff.clerk for token in tokens)
