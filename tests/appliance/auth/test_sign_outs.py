"""Sign-outs that a directory tells of by itself: what they end, what they withdraw, and what they leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from appliance.auth import directories
from appliance.auth.accounts import Accounts
from appliance.auth.identity import DirectoryTerms, Identity, News, SignedOut, SignOut
from appliance.auth.sessions import Sessions, TokenKind
from appliance.auth.steady_clock import SteadyClock
from appliance.auth.tables import sign_outs
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import InvalidRequest, NotFound, NotSignedIn

from .conftest import PASSWORD, Clock, Staff

WEEK = timedelta(days=7)
ANNE = Identity("oidc", "0815", "anne", "Anne", frozenset({"finance"}), frozenset({Role.EMPLOYEE}), "first")
BERT = Identity("oidc", "0816", "bert", "Bert", frozenset({"finance"}), frozenset({Role.EMPLOYEE}), "berts")
ALL_OF_ANNE = SignOut("oidc", "m1", "0815")


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    made = Accounts(database, clock)
    made.set_directories([DirectoryTerms("oidc", "oidc", 86_400.0), DirectoryTerms("corp", "ldap", 86_400.0)])
    return made


@pytest.fixture
def sessions(database: Database, clock: Clock, accounts: Accounts) -> Sessions:
    return Sessions(database, SignInSettings(), clock, accounts=accounts)


def is_open(sessions: Sessions, token: str) -> bool:
    try:
        sessions.authenticate(token)
    except NotSignedIn:
        return False
    return True


def groups(sessions: Sessions, token: str) -> set[str]:
    return set(sessions.recognise(token, kind=TokenKind.API).principal.groups)


def test_whoever_is_signed_out_has_no_session_and_a_token_without_what_the_directory_gave(
    accounts: Accounts, sessions: Sessions, staff: Staff
) -> None:
    theirs = [sessions.open_for(ANNE), sessions.open_for(replace(ANNE, session="second"))]
    anne = theirs[0].principal
    accounts.set_groups(anne.id, ["project x"])
    token = sessions.issue_token(anne.id, "report", WEEK)
    others = [sessions.open_for(BERT), sessions.sign_in("clerk", PASSWORD, "192.0.2.10")]
    assert sessions.end_for(ALL_OF_ANNE) == [SignedOut("anne", 2, withdrawn=True)]
    assert [is_open(sessions, session.token) for session in (*theirs, *others)] == [False, False, True, True]
    found = sessions.recognise(token, kind=TokenKind.API).principal
    assert (found.groups, found.roles) == ({"project x"}, frozenset())
    assert accounts.person(others[0].principal.id).groups == {"finance"}
    assert (accounts.person(anne.id).is_fresh, accounts.person(anne.id).told_groups) == (False, {"finance"})


def test_what_was_withdrawn_counts_again_as_the_directory_tells_it_at_the_next_sign_in(sessions: Sessions) -> None:
    anne = sessions.open_for(ANNE).principal
    token = sessions.issue_token(anne.id, "report", WEEK)
    sessions.end_for(ALL_OF_ANNE)
    assert groups(sessions, token) == set()
    again = sessions.open_for(replace(ANNE, groups=frozenset({"hr"})))
    assert groups(sessions, token) == {"hr"} == set(again.principal.groups)


def test_one_session_that_ended_there_ends_here_and_nothing_else_does(sessions: Sessions) -> None:
    first, second = sessions.open_for(ANNE), sessions.open_for(replace(ANNE, session="second"))
    token = sessions.issue_token(first.principal.id, "report", WEEK)
    assert sessions.end_for(SignOut("oidc", "m1", "", "first")) == [SignedOut("anne", 1, withdrawn=False)]
    assert [is_open(sessions, session.token) for session in (first, second)] == [False, True]
    assert groups(sessions, token) == {"finance"}
    assert sessions.end_for(SignOut("oidc", "m2", "0815", "second")) == [SignedOut("anne", 1, withdrawn=False)]
    assert not is_open(sessions, second.token)
    assert groups(sessions, token) == {"finance"}


def test_a_session_of_which_it_is_not_known_which_it_is_there_may_be_the_one_that_ended(sessions: Sessions) -> None:
    unknown, known = sessions.open_for(replace(ANNE, session="")), sessions.open_for(ANNE)
    berts = sessions.open_for(replace(BERT, session=""))
    sessions.end_for(SignOut("oidc", "m1", "0815", "another"))
    assert [is_open(sessions, session.token) for session in (unknown, known, berts)] == [False, True, True]


def test_a_message_counts_once_also_for_an_appliance_that_was_started_again(
    sessions: Sessions, database: Database, clock: Clock
) -> None:
    sessions.open_for(ANNE)
    sessions.end_for(ALL_OF_ANNE)
    again = sessions.open_for(ANNE)
    started_again = Sessions(database, SignInSettings(), clock)
    for which in (sessions, started_again):
        clock.forward(minutes=20)
        with pytest.raises(InvalidRequest, match="heard before"):
            which.end_for(ALL_OF_ANNE)
    assert is_open(sessions, again.token)
    assert sessions.end_for(replace(ALL_OF_ANNE, message="m2")) == [SignedOut("anne", 1, withdrawn=True)]


def test_what_changes_nothing_is_no_news(sessions: Sessions) -> None:
    sessions.open_for(ANNE)
    sessions.end_for(ALL_OF_ANNE)
    assert sessions.end_for(SignOut("oidc", "m2", "0815")) == []
    assert sessions.end_for(SignOut("oidc", "m3", "nobody")) == []
    assert sessions.end_for(SignOut("oidc", "m4", "", "no session")) == []


def test_a_directory_signs_out_its_own_people_alone(sessions: Sessions, staff: Staff) -> None:
    anne, clerk = sessions.open_for(ANNE), sessions.sign_in("clerk", PASSWORD, "192.0.2.10")
    sessions.end_for(SignOut("corp", "m1", "0815"))
    sessions.end_for(SignOut("oidc", "m2", "", "another"))
    with pytest.raises(NotFound, match="configured"):
        sessions.end_for(SignOut("partner", "m3", "0815"))
    assert is_open(sessions, anne.token)
    assert is_open(sessions, clerk.token)


@pytest.mark.parametrize(
    "told", [ALL_OF_ANNE, SignOut("oidc", "m1", "", "first"), SignOut("oidc", "m1", "0815", "first")]
)
def test_a_sign_in_that_began_before_a_sign_out_brings_nothing_back(
    told: SignOut, accounts: Accounts, sessions: Sessions, clock: Clock
) -> None:
    began = clock()
    clock.forward(seconds=1)
    sessions.end_for(told)  # of somebody who is not even known yet
    clock.forward(seconds=1)
    with pytest.raises(NotSignedIn, match="signed out there while"):
        sessions.open_for(ANNE, since=began)
    assert accounts.known_as(ANNE) is None
    assert sessions.open_for(BERT, since=began).principal.name == "bert"
    assert sessions.open_for(ANNE, since=clock()).principal.groups == {"finance"}


def test_another_session_than_the_one_that_ended_goes_on_signing_in(sessions: Sessions, clock: Clock) -> None:
    began = clock()
    sessions.end_for(SignOut("oidc", "m1", "0815", "first"))
    assert sessions.open_for(replace(ANNE, session="second"), since=began).principal.name == "anne"
    with pytest.raises(NotSignedIn, match="signed out there while"):  # it may be the one that ended
        sessions.open_for(replace(ANNE, session=""), since=began)


def test_a_sign_out_between_being_admitted_and_the_session_opens_none(
    database: Database, accounts: Accounts, clock: Clock
) -> None:
    other = Sessions(database, SignInSettings(), clock, accounts=accounts)
    said: list[list[SignedOut]] = []

    class Slow(Accounts):
        def admit(self, *told: object, **how: object) -> object:  # type: ignore[override]
            admitted = accounts.admit(*told, **how)  # type: ignore[arg-type]
            said.append(other.end_for(ALL_OF_ANNE))
            return admitted

    sessions = Sessions(database, SignInSettings(), clock, accounts=Slow(database, clock))
    with pytest.raises(NotSignedIn, match="signed out there while"):
        sessions.open_for(ANNE, since=clock())
    assert said == [[SignedOut("anne", 0, withdrawn=True)]]
    known = accounts.known_as(ANNE)
    assert known is not None
    assert accounts.person(known).groups == frozenset()


def test_what_is_not_taken_over_after_a_sign_out_is_no_news_either(accounts: Accounts, clock: Clock) -> None:
    news: list[News] = []

    @contextmanager
    def noting(told: News) -> Iterator[None]:
        news.append(told)
        yield

    with accounts._database.write() as connection:
        directories.sign_out(connection, ALL_OF_ANNE, clock())
    with pytest.raises(NotSignedIn):
        accounts.admit(ANNE, noting, since=clock())
    assert news == []


def test_what_was_said_long_ago_is_forgotten(sessions: Sessions, database: Database, clock: Clock) -> None:
    sessions.end_for(ALL_OF_ANNE)
    clock.forward(seconds=directories.SIGN_OUTS_KEPT.total_seconds() - 1)
    sessions.purge()
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(sign_outs)) == 1
    clock.forward(seconds=1)
    sessions.open_for(BERT)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(sign_outs)) == 0


def test_a_clock_set_back_at_a_start_is_not_behind_a_sign_out(database: Database, accounts: Accounts) -> None:
    late = Clock()
    late.forward(days=36_500)
    Sessions(database, SignInSettings(), late, accounts=accounts).end_for(SignOut("oidc", "m1", "nobody"))
    assert SteadyClock(database)() >= late.now
