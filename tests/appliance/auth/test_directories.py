"""What directories tell of people: taken over, kept apart from what was given here, and worth nothing once it is old."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from appliance.auth.accounts import Accounts
from appliance.auth.identity import DirectoryTerms, Identity, News
from appliance.auth.second_factor import STEP_S, SecondFactors, totp
from appliance.auth.sessions import Sessions, TokenKind
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Role
from appliance.errors import (
    AccessDenied,
    AuditUnavailable,
    Conflict,
    DirectoryUnavailable,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    SecondFactorRequired,
    TooManyAttempts,
)

from .conftest import PASSWORD, Clock, Staff

HERE = "192.0.2.10"
DAY = 86_400.0
ANNE = Identity("corp", "uuid-1", "anne", "Anne Archer", frozenset({"finance", "board"}), frozenset({Role.EMPLOYEE}))
BERT = Identity("corp", "uuid-2", "bert", "Bert", frozenset({"finance"}), frozenset({Role.EMPLOYEE}))


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Accounts:
    made = Accounts(database, clock)
    made.set_directories([DirectoryTerms("corp", "ldap", DAY), DirectoryTerms("partner", "oidc", DAY)])
    return made


@dataclass
class Ldap:
    """A directory that knows one password, or is down."""

    identity: Identity | None = ANNE
    down: bool = False
    asked: int = 0
    name: str = "corp"

    def verify(self, name: str, password: str) -> Identity | None:
        self.asked += 1
        if self.down:
            raise DirectoryUnavailable("The directory 'corp' does not answer. Try again later.")
        known = self.identity is not None and name == self.identity.name and password == PASSWORD
        return self.identity if known else None


def test_somebody_of_a_directory_is_made_known_once_and_renewed_by_their_subject(accounts: Accounts) -> None:
    first = accounts.admit(ANNE)
    married = replace(ANNE, name="anne.baker", display_name="Anne Baker", groups=frozenset({"board"}))
    again = accounts.admit(married)
    assert again.id == first.id
    assert (again.name, again.groups, again.roles) == ("anne.baker", {"board"}, {Role.EMPLOYEE})
    assert accounts.person(first.id).display_name == "Anne Baker"


def test_no_local_account_and_nobody_of_another_directory_is_taken_over(accounts: Accounts, staff: Staff) -> None:
    with pytest.raises(Conflict, match="somebody else has that name"):
        accounts.admit(replace(ANNE, name="ADMIN"))
    accounts.admit(ANNE)
    with pytest.raises(Conflict, match="somebody else has that name"):
        accounts.admit(replace(ANNE, directory="partner"))
    assert accounts.person(staff.admin.id).directory == ""
    bert = accounts.admit(BERT)
    assert accounts.admit(replace(BERT, name="admin")).name == bert.name  # renamed there: keeps the name they had


def test_groups_and_roles_of_both_origins_add_up_and_each_is_changed_by_its_own(accounts: Accounts) -> None:
    anne = accounts.admit(ANNE)
    accounts.set_groups(anne.id, ["finance", "project x"])
    accounts.set_roles(anne.id, [Role.COMPLIANCE])
    person = accounts.person(anne.id)
    assert person.groups == {"finance", "board", "project x"}
    assert person.roles == {Role.EMPLOYEE, Role.COMPLIANCE}
    assert [(found.group, found.origin) for found in person.memberships] == [
        ("board", "corp"), ("finance", ""), ("finance", "corp"), ("project x", ""),
    ]  # fmt: skip
    renewed = accounts.admit(replace(ANNE, groups=frozenset(), roles=frozenset()))
    assert (renewed.groups, renewed.roles) == ({"finance", "project x"}, {Role.COMPLIANCE})


def test_what_a_directory_gave_counts_for_nothing_once_its_word_is_too_old(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    accounts.set_groups(anne.id, ["project x"])
    clock.forward(seconds=DAY - 1)
    assert accounts.person(anne.id).groups == {"finance", "board", "project x"}
    clock.forward(seconds=1)
    stale = accounts.person(anne.id)
    assert (stale.groups, stale.roles, stale.is_fresh) == ({"project x"}, frozenset(), False)
    accounts.renew("corp", [ANNE], clock.now)
    assert accounts.person(anne.id).groups == {"finance", "board", "project x"}


def test_a_word_from_the_future_counts_for_nothing(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    clock.forward(minutes=-4)
    assert accounts.person(anne.id).is_fresh  # clocks differ a little
    clock.forward(minutes=-2)
    assert accounts.person(anne.id).groups == frozenset()


def test_a_directory_that_is_configured_no_more_counts_for_nothing_until_it_is_again(
    accounts: Accounts, clock: Clock
) -> None:
    anne = accounts.admit(ANNE)
    accounts.set_directories([])
    assert (accounts.person(anne.id).groups, accounts.person(anne.id).roles) == (frozenset(), frozenset())
    with pytest.raises(NotFound, match="configured"):
        accounts.admit(ANNE)
    with pytest.raises(NotFound, match="configured"):
        accounts.renew("corp", [ANNE], clock.now)
    accounts.set_directories([DirectoryTerms("corp", "ldap", DAY)])
    assert accounts.person(anne.id).groups == ANNE.groups


def test_a_sync_renews_those_who_are_known_and_shuts_out_those_who_are_gone(
    accounts: Accounts, sessions: Sessions, clock: Clock, staff: Staff
) -> None:
    anne, bert = accounts.admit(ANNE), accounts.admit(BERT)
    session, token = sessions.open_for(BERT).token, sessions.issue_token(bert.id, "report", timedelta(days=7))
    cleo = Identity("corp", "uuid-3", "cleo", "Cleo", frozenset(), frozenset())
    accounts.renew("corp", [replace(ANNE, groups=frozenset({"board"})), cleo], clock.now)
    assert accounts.person(anne.id).groups == {"board"}
    assert accounts.person(bert.id).gone
    assert "cleo" not in {person.name for person in accounts.people()}
    assert not accounts.person(staff.clerk.id).shut_out
    for held, kind in ((session, TokenKind.SESSION), (token, TokenKind.API)):
        with pytest.raises(NotSignedIn):
            sessions.authenticate(held, kind=kind)
    accounts.renew("corp", [ANNE, BERT], clock.now)  # found again: may sign in, but what had ended stays so
    assert not accounts.person(bert.id).gone
    with pytest.raises(NotSignedIn):
        sessions.authenticate(session)


def test_who_was_disabled_here_stays_so_whatever_the_directory_says(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    accounts.set_disabled(anne.id, disabled=True)
    accounts.renew("corp", [ANNE], clock.now)
    with pytest.raises(AccessDenied, match="disabled here"):
        accounts.admit(ANNE)
    assert accounts.person(anne.id).disabled


def test_a_directory_makes_nobody_admin_and_compliance_officer_at_once(accounts: Accounts) -> None:
    both = frozenset({Role.EMPLOYEE, Role.ADMIN, Role.COMPLIANCE})
    anne = accounts.admit(replace(ANNE, roles=both))
    assert anne.roles == {Role.EMPLOYEE}
    bert = accounts.admit(BERT)
    accounts.set_roles(bert.id, [Role.COMPLIANCE])
    assert accounts.admit(replace(BERT, roles=frozenset({Role.ADMIN}))).roles == {Role.COMPLIANCE}
    with pytest.raises(InvalidRequest, match="both admin and compliance"):
        accounts.set_roles(anne.id, [Role.ADMIN])
    accounts.set_roles(anne.id, [Role.EMPLOYEE])


def test_the_last_admin_is_a_local_account(accounts: Accounts, staff: Staff) -> None:
    accounts.set_roles(accounts.admit(ANNE).id, [Role.ADMIN])
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.set_disabled(staff.admin.id, disabled=True)


def test_what_cannot_be_a_group_here_is_left_out_and_holds_nothing_up(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    odd = replace(ANNE, display_name="A\u202eB", groups=frozenset({"board", "g" * 129, "\u202eecnanif", " "}))
    accounts.renew("corp", [odd], clock.now)
    assert (accounts.person(anne.id).groups, accounts.person(anne.id).display_name) == ({"board"}, "anne")


@pytest.mark.parametrize(
    "identity", [replace(ANNE, name="CORP\\anne"), replace(ANNE, subject=""), replace(ANNE, subject="s" * 256)]
)
def test_a_name_or_a_subject_that_cannot_be_one_admits_nobody(accounts: Accounts, identity: Identity) -> None:
    with pytest.raises(InvalidRequest):
        accounts.admit(identity)


def test_a_directory_tells_of_its_own_people_only(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    with pytest.raises(InvalidRequest, match="its own people"):
        accounts.renew("partner", [ANNE], clock.now)
    assert accounts.person(anne.id).groups == ANNE.groups


def test_a_failed_attempt_is_noted_beside_the_last_word(accounts: Accounts, clock: Clock) -> None:
    accounts.admit(ANNE)
    heard = clock.now
    clock.forward(minutes=5)
    accounts.directory_failed("corp", "It does not answer.")
    corp, partner = accounts.directories()
    assert (corp.synced_at, corp.attempted_at, corp.problem) == (heard, clock.now, "It does not answer.")
    assert (partner.synced_at, partner.is_configured) == (None, True)
    accounts.admit(ANNE)
    assert accounts.directories()[0].problem == ""


def test_no_password_of_ours_opens_an_account_of_a_directory(accounts: Accounts) -> None:
    anne = accounts.admit(ANNE)
    for password in ("", PASSWORD):
        with pytest.raises(NotSignedIn):
            accounts.verify("anne", password)
    with pytest.raises(InvalidRequest, match="Change it there"):
        accounts.set_password(anne.id, PASSWORD)


# The doors


def test_open_for_is_a_sign_in_like_any_other(accounts: Accounts, sessions: Sessions, clock: Clock) -> None:
    session = sessions.open_for(ANNE)
    assert session.expires_at == clock.now + timedelta(hours=6)
    assert sessions.authenticate(session.token) == session.principal
    accounts.set_disabled(session.principal.id, disabled=True)
    with pytest.raises(AccessDenied):
        sessions.open_for(ANNE)


def test_a_password_of_a_directory_signs_in_at_the_same_page_and_under_the_same_brake(
    accounts: Accounts, database: Database, settings: SignInSettings, clock: Clock
) -> None:
    ldap = Ldap()
    sessions = Sessions(database, settings, clock, [ldap])
    assert sessions.sign_in("anne", PASSWORD, HERE).principal.groups == ANNE.groups
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            sessions.sign_in("anne", "not the password", HERE)
    asked = ldap.asked
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("anne", PASSWORD, HERE)
    assert ldap.asked == asked


def test_the_password_of_a_local_account_is_shown_to_no_directory(
    accounts: Accounts, database: Database, settings: SignInSettings, clock: Clock, staff: Staff
) -> None:
    ldap = Ldap(replace(ANNE, name="clerk"))
    sessions = Sessions(database, settings, clock, [ldap])
    with pytest.raises(NotSignedIn):
        sessions.sign_in("Clerk", "not the password", HERE)
    assert ldap.asked == 0


def test_a_directory_that_is_down_lets_nobody_in_and_counts_against_nobody(
    accounts: Accounts, database: Database, settings: SignInSettings, clock: Clock
) -> None:
    ldap = Ldap(down=True)
    sessions = Sessions(database, settings, clock, [ldap])
    for _ in range(3):
        with pytest.raises(DirectoryUnavailable, match="cannot be asked at the moment"):
            sessions.sign_in("anne", PASSWORD, HERE)
    assert accounts.directories()[0].problem == "The directory 'corp' does not answer. Try again later."
    ldap.down = False
    sessions.sign_in("anne", PASSWORD, HERE)


def test_a_directory_that_hangs_holds_up_nobody_with_a_local_account(
    accounts: Accounts, database: Database, settings: SignInSettings, clock: Clock
) -> None:
    accounts.add("local", PASSWORD, [Role.ADMIN], [])
    asked, answer = threading.Event(), threading.Event()

    class Hanging(Ldap):
        def verify(self, name: str, password: str) -> Identity | None:
            asked.set()
            assert answer.wait(30)
            return None

    sessions = Sessions(database, settings, clock, [Hanging()])

    def guess() -> None:
        with pytest.raises(NotSignedIn):
            sessions.sign_in("anne", "wrong password", HERE)

    waiting = threading.Thread(target=guess)
    waiting.start()
    try:
        assert asked.wait(30)
        assert sessions.sign_in("local", PASSWORD, HERE).principal.name == "local"
    finally:
        answer.set()
        waiting.join()


def test_guesses_sent_at_once_do_not_slip_past_the_count_to_a_directory(
    accounts: Accounts, database: Database, settings: SignInSettings, clock: Clock
) -> None:
    ldap = Ldap()
    sessions = Sessions(database, settings, clock, [ldap])

    def guess(_: int) -> None:
        with contextlib.suppress(NotSignedIn, TooManyAttempts):
            sessions.sign_in("anne", "wrong password", HERE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(8)))
    assert ldap.asked == settings.max_failures


def test_a_word_that_was_overtaken_by_a_sign_in_changes_nothing_of_that_person(
    accounts: Accounts, clock: Clock
) -> None:
    asked_at = clock.now
    accounts.admit(BERT)
    clock.now += timedelta(seconds=2)
    anne = accounts.admit(ANNE)
    accounts.renew("corp", [], asked_at)
    assert accounts.person(anne.id).groups == ANNE.groups
    assert [person.name for person in accounts.people() if person.gone] == ["bert"]


def test_a_word_counts_from_when_it_was_asked_for_and_not_from_when_it_came(accounts: Accounts, clock: Clock) -> None:
    anne = accounts.admit(ANNE)
    clock.now += timedelta(seconds=2)
    asked_before, more = clock.now, replace(ANNE, groups=ANNE.groups | {"more"})
    clock.now += timedelta(seconds=2)
    asked_after = clock.now
    clock.now += timedelta(minutes=10)
    accounts.directory_failed("corp", "It names half of its people no more.")
    accounts.hear(more, asked_at=asked_before)
    assert accounts.person(anne.id).groups == more.groups
    assert accounts.person(anne.id).heard_at == asked_before
    assert accounts.directories()[0].problem  # one person's word says nothing of the others
    accounts.renew("corp", [replace(ANNE, groups=frozenset({"less"}))], asked_after)  # it was under way meanwhile
    assert accounts.person(anne.id).groups == {"less"}
    for overtaken in (accounts.hear, accounts.admit):
        overtaken(more, asked_at=asked_before)
        assert accounts.person(anne.id).groups == {"less"}
    accounts.renew("corp", [more], asked_before)
    assert accounts.person(anne.id).groups == {"less"}


def test_between_two_sign_ins_nobody_is_made_known_or_let_in_again(accounts: Accounts, clock: Clock) -> None:
    accounts.hear(ANNE, asked_at=clock.now)
    assert "anne" not in [person.name for person in accounts.people()]
    anne, bert = accounts.admit(ANNE), accounts.admit(BERT)
    accounts.set_disabled(anne.id, disabled=True)
    clock.now += timedelta(seconds=2)
    accounts.renew("corp", [replace(ANNE, groups=frozenset())], clock.now)
    clock.now += timedelta(seconds=2)
    for identity in (ANNE, BERT):
        accounts.hear(identity, asked_at=clock.now)
    assert accounts.person(anne.id).told_groups == frozenset()
    assert accounts.person(bert.id).gone


# what a sign-in brings is on record


def test_what_a_directory_changes_at_a_sign_in_is_noted_before_it_acts_and_only_then(
    database: Database, accounts: Accounts, clock: Clock
) -> None:
    directory, noted = Ldap(), list[News]()

    @contextlib.contextmanager
    def noting(news: News) -> Iterator[None]:
        assert news.is_new is not any(person.name == "anne" for person in accounts.people())
        noted.append(news)
        yield

    sessions = Sessions(database, SignInSettings(), clock, [directory], noting)
    anne = sessions.sign_in("anne", PASSWORD, HERE).principal
    sessions.sign_in("anne", PASSWORD, HERE)  # nothing is other than before
    accounts.set_groups(anne.id, ["given here"])
    directory.identity = replace(ANNE, groups=frozenset({"finance"}), roles=frozenset({Role.ADMIN}))
    sessions.sign_in("anne", PASSWORD, HERE)
    assert noted == [
        News("corp", "anne", frozenset({Role.EMPLOYEE}), frozenset({"finance", "board"}), is_new=True),
        News("corp", "anne", frozenset({Role.ADMIN}), frozenset({"finance"}), is_new=False),
    ]


def test_what_cannot_be_noted_is_not_taken_over(database: Database, accounts: Accounts, clock: Clock) -> None:
    def noting(_: News) -> contextlib.nullcontext[None]:
        raise AuditUnavailable("The query log cannot be written. Make room.")

    with pytest.raises(AuditUnavailable):
        Sessions(database, SignInSettings(), clock, [Ldap()], noting).sign_in("anne", PASSWORD, HERE)
    assert "anne" not in [person.name for person in accounts.people()]
    anne = accounts.admit(ANNE)
    with pytest.raises(AuditUnavailable):
        accounts.admit(replace(ANNE, groups=frozenset({"hr"})), noting)
    assert accounts.person(anne.id).groups == ANNE.groups


# the second factor of those whose password a directory checks


def test_somebody_of_a_password_directory_has_a_second_factor_like_anybody(
    database: Database, accounts: Accounts, clock: Clock
) -> None:
    directory = Ldap()
    settings = SignInSettings(second_factor_roles=(Role.EMPLOYEE,), max_failures=3)
    sessions = Sessions(database, settings, clock, [directory])
    session = sessions.sign_in("anne", PASSWORD, HERE)
    with pytest.raises(SecondFactorRequired):
        sessions.authenticate(session.token)
    step = int(clock.now.timestamp()) // STEP_S
    secret = sessions.second_factors.begin(session.principal.id)
    sessions.second_factors.confirm(session.principal.id, totp(secret, step))
    assert sessions.authenticate(session.token).name == "anne"

    directory.identity = replace(ANNE, groups=frozenset({"new"}))
    told = set()
    for password, code in ((PASSWORD, ""), (PASSWORD, totp(secret, step)), ("wrong", totp(secret, step + 1))):
        with pytest.raises(NotSignedIn) as refused:
            sessions.sign_in("anne", password, HERE, code)
        told.add(str(refused.value))
    assert len(told) == 1
    assert accounts.person(session.principal.id).groups == ANNE.groups  # a password alone brings nothing
    with pytest.raises(TooManyAttempts):
        sessions.sign_in("anne", PASSWORD, HERE, totp(secret, step + 1))
    sessions.brake.lift("anne")
    assert sessions.sign_in("anne", PASSWORD, HERE, totp(secret, step + 1)).principal.groups == {"new"}


def test_a_second_factor_begun_by_somebody_who_then_left_is_begun_anew(
    database: Database, accounts: Accounts, clock: Clock
) -> None:
    factors = SecondFactors(database, clock, ["corp"])
    anne = accounts.admit(ANNE)
    seen = factors.begin(anne.id)
    clock.now += timedelta(minutes=10)
    accounts.renew("corp", [], clock.now)
    accounts.admit(ANNE)
    assert factors.begin(anne.id) != seen
