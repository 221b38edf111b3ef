from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from sqlalchemy import select, text, update

from appliance.auth import passwords
from appliance.auth.accounts import Accounts
from appliance.auth.passwords import generate_password
from appliance.auth.sessions import Sessions
from appliance.auth.tables import people
from appliance.database import Database
from appliance.domain import Principal, Role
from appliance.errors import ApplianceError, Conflict, InvalidRequest, NotFound, NotSignedIn

from .conftest import PASSWORD, Staff

NOBODY = "00000000-0000-4000-8000-000000000000"
UNUSABLE_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$3dH2ZUOBBrR0BeQeJdlmAOTifjRDr90/7q6BJ9epUsA"  # salt too short


@pytest.fixture
def real_accounts(
    cost_of_a_hash: argon2.Parameters, database: Database, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> Accounts:
    """The accounts with hashes that cost what they do in the product, that of the clerk included."""
    monkeypatch.setattr(passwords, "COST", cost_of_a_hash)
    accounts = Accounts(database)
    accounts.set_password(staff.clerk.id, PASSWORD)
    return accounts


def stored_hash(database: Database, name: str) -> str:
    with database.read() as connection:
        return str(connection.scalar(select(people.c.password_hash).where(people.c.name == name)))


def store_hash(database: Database, name: str, password_hash: str) -> None:
    with database.write() as connection:
        connection.execute(update(people).where(people.c.name == name).values(password_hash=password_hash))


def test_a_person_signs_in_under_their_name_in_any_case(accounts: Accounts, staff: Staff) -> None:
    assert accounts.verify("CLERK", PASSWORD).principal == staff.clerk
    assert staff.clerk.name == "clerk"
    assert staff.clerk.groups == {"claims", "legal"}


def test_people_are_listed_by_name_with_all_that_an_admin_needs(accounts: Accounts, staff: Staff) -> None:
    admin, clerk = accounts.people()
    assert (admin.name, admin.groups) == ("admin", frozenset())
    assert admin.roles == {Role.ADMIN, Role.EMPLOYEE}
    assert (clerk.name, clerk.display_name, clerk.disabled) == ("clerk", "Clerk", False)
    assert clerk.groups == {"claims", "legal"}
    assert clerk.created_at.tzinfo is not None
    assert accounts.person(staff.clerk.id) == clerk


def test_an_account_is_named_by_its_id(accounts: Accounts, staff: Staff) -> None:
    assert accounts.name_of(staff.clerk.id) == "clerk"
    assert accounts.name_of(NOBODY) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 65,
        "two words",
        "clerk\n",
        "clerk\x00",
        "clerk\u200b",  # zero-width space
        "\u202ekrelc",  # right-to-left override
        "сlerk",  # Cyrillic es
        "cler\u212a",  # Kelvin sign, folds to k
        "ﬀ",  # ligature, folds to ff
        "straße",  # folds to strasse
        "\ud800",  # half of a surrogate pair
        "a/b",
        "a'--",
    ],
)
def test_a_name_outside_the_plain_characters_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidRequest, match="Choose another name"):
        accounts.add(name, PASSWORD, [Role.EMPLOYEE], [])
    with pytest.raises(NotSignedIn):
        accounts.verify(name, PASSWORD)


def test_the_longest_name_and_every_allowed_sign_are_accepted(accounts: Accounts) -> None:
    name = "A.b_c@d-0".ljust(64, "z")
    assert accounts.add(name, PASSWORD, [], []).name == name.casefold()


def test_a_name_is_taken_in_every_case(accounts: Accounts) -> None:
    with pytest.raises(Conflict, match="'clerk' already"):
        accounts.add("cLERK", PASSWORD, [Role.EMPLOYEE], [])


def test_of_two_who_take_a_name_at_once_one_gets_it(accounts: Accounts) -> None:
    def add(_: int) -> Principal | None:
        try:
            return accounts.add("auditor", PASSWORD, [Role.COMPLIANCE], ["audit"])
        except Conflict:
            return None

    with ThreadPoolExecutor(2) as pool:
        added = [principal for principal in pool.map(add, range(2)) if principal]
    assert [principal.name for principal in added] == ["auditor"]
    assert accounts.person(added[0].id).groups == {"audit"}


@pytest.mark.parametrize(
    ("password", "remedy"),
    [
        ("eleven char", "longer"),
        ("Head-Of-Claims", "name of the account. Choose another one"),
        ("x" * 1025, "shorter"),
    ],
)
def test_a_weak_password_is_refused_with_the_remedy(accounts: Accounts, password: str, remedy: str) -> None:
    with pytest.raises(InvalidRequest, match=remedy):
        accounts.add("head-of-claims", password, [Role.EMPLOYEE], [])


def test_a_new_password_must_keep_the_rules_too(accounts: Accounts, staff: Staff) -> None:
    with pytest.raises(InvalidRequest, match="longer"):
        accounts.set_password(staff.clerk.id, "short")


def test_a_new_password_replaces_the_old_one(accounts: Accounts, staff: Staff) -> None:
    accounts.set_password(staff.clerk.id, "Ca\u0301scara sagrada \ud83d")
    with pytest.raises(NotSignedIn):
        accounts.verify("clerk", PASSWORD)
    # the same letters, composed: another keyboard; and half an emoji, which must not break anything
    assert accounts.verify("clerk", "C\u00e1scara sagrada \ud83d").principal.id == staff.clerk.id


def test_unknown_wrong_and_disabled_say_the_same(accounts: Accounts, staff: Staff) -> None:
    accounts.set_disabled(staff.clerk.id, disabled=True)
    messages = set()
    for name, password in [("nobody", PASSWORD), ("admin", "not the password"), ("clerk", PASSWORD)]:
        with pytest.raises(NotSignedIn) as caught:
            accounts.verify(name, password)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_an_unknown_name_costs_as_much_as_a_wrong_password(real_accounts: Accounts) -> None:
    def cpu_s(name: str) -> float:
        start = time.process_time()
        with pytest.raises(NotSignedIn):
            real_accounts.verify(name, "not the password")
        return time.process_time() - start

    unknown = statistics.median(cpu_s("nobody") for _ in range(3))
    wrong = statistics.median(cpu_s("clerk") for _ in range(3))
    assert 0.5 < unknown / wrong < 2


def test_no_password_matches_the_hash_that_stands_in_for_an_unknown_name(real_accounts: Accounts) -> None:
    parameters = argon2.extract_parameters(real_accounts._hasher.nobody)
    assert parameters == argon2.profiles.RFC_9106_LOW_MEMORY
    assert real_accounts._hasher.nobody != Accounts(real_accounts._database)._hasher.nobody


def test_a_hash_costs_what_rfc_9106_recommends(real_accounts: Accounts, database: Database) -> None:
    real_accounts.add("auditor", PASSWORD, [Role.COMPLIANCE], [])
    for name in ("auditor", "clerk"):
        assert argon2.extract_parameters(stored_hash(database, name)) == argon2.profiles.RFC_9106_LOW_MEMORY


def test_a_hash_with_old_parameters_is_renewed_at_sign_in(real_accounts: Accounts, database: Database) -> None:
    accounts = real_accounts
    store_hash(database, "clerk", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD))
    verified = accounts.verify("clerk", PASSWORD)
    renewed = stored_hash(database, "clerk")
    assert argon2.extract_parameters(renewed) == argon2.profiles.RFC_9106_LOW_MEMORY
    assert verified.password_hash == renewed
    accounts.verify("clerk", PASSWORD)
    assert stored_hash(database, "clerk") == renewed


def test_a_damaged_hash_lets_nobody_in(accounts: Accounts, database: Database) -> None:
    store_hash(database, "clerk", "rubbish")
    with pytest.raises(NotSignedIn):
        accounts.verify("clerk", PASSWORD)


def test_a_hash_that_cannot_be_computed_is_no_wrong_password(accounts: Accounts, database: Database) -> None:
    store_hash(database, "clerk", UNUSABLE_HASH)
    with pytest.raises(ApplianceError, match="cannot be checked") as caught:
        accounts.verify("clerk", PASSWORD)
    assert not isinstance(caught.value, NotSignedIn)


def test_neither_hash_nor_password_shows_in_anything_given_back(accounts: Accounts, database: Database) -> None:
    shown = repr([accounts.people(), accounts.verify("clerk", PASSWORD), accounts])
    assert stored_hash(database, "clerk") not in shown
    assert "argon2" not in shown
    assert PASSWORD not in shown


def test_the_database_never_holds_a_password(accounts: Accounts, database: Database) -> None:
    database.close()
    files = list(database.path.parent.glob("strongroom.db*"))
    assert files
    assert all(PASSWORD.encode() not in file.read_bytes() for file in files)


def test_nobody_is_both_admin_and_compliance_officer(accounts: Accounts, staff: Staff) -> None:
    both = [Role.ADMIN, Role.COMPLIANCE]
    with pytest.raises(InvalidRequest, match="someone else"):
        accounts.add("auditor", PASSWORD, both, [])
    with pytest.raises(InvalidRequest, match="someone else"):
        accounts.set_roles(staff.admin.id, both)
    assert accounts.person(staff.admin.id).roles == staff.admin.roles


def test_of_who_is_no_officer_any_more_there_is_nothing_to_confirm(accounts: Accounts, staff: Staff) -> None:
    officer = accounts.add("olga", PASSWORD, (Role.COMPLIANCE,), ()).id
    accounts.change(officer, handed_over=True)
    accounts.set_roles(officer, (Role.EMPLOYEE, Role.COMPLIANCE))
    assert accounts.person(officer).handed_over_at is not None
    accounts.set_roles(officer, (Role.ADMIN,))
    assert accounts.person(officer).handed_over_at is None


@pytest.mark.parametrize("what", ["password", "roles", "enabled", "second factor"])
@pytest.mark.parametrize("fails", ["UPDATE OF handed_over_at", "UPDATE OF password_hash, roles, disabled, totp_on"])
def test_an_account_is_handed_over_with_what_is_done_to_it_or_not_at_all(
    accounts: Accounts, sessions: Sessions, staff: Staff, database: Database, what: str, fails: str
) -> None:
    accounts.set_roles(staff.clerk.id, (Role.COMPLIANCE,))
    done: Callable[[], None] = {
        "password": lambda: accounts.set_password(staff.clerk.id, generate_password(), handed_over=True),
        "roles": lambda: accounts.change(staff.clerk.id, roles=(Role.EMPLOYEE, Role.COMPLIANCE), handed_over=True),
        "enabled": lambda: accounts.change(staff.clerk.id, disabled=False, handed_over=True),
        "second factor": lambda: sessions.second_factors.remove(staff.clerk.id, handed_over=True),
    }[what]
    before, kept = accounts.person(staff.clerk.id), stored_hash(database, "clerk")
    with database.write() as connection:
        connection.execute(text(f"CREATE TRIGGER fails BEFORE {fails} ON people BEGIN SELECT RAISE(ABORT, 'no'); END"))
    with pytest.raises(ApplianceError):
        done()
    assert (accounts.person(staff.clerk.id), stored_hash(database, "clerk")) == (before, kept)
    with database.write() as connection:
        connection.execute(text("DROP TRIGGER fails"))
    done()
    assert accounts.person(staff.clerk.id).handed_over_at is not None


def test_an_unknown_role_is_refused(accounts: Accounts, staff: Staff) -> None:
    with pytest.raises(InvalidRequest, match="employee, admin, compliance"):
        accounts.set_roles(staff.clerk.id, ["owner"])  # type: ignore[list-item]


def test_the_last_enabled_admin_stays(accounts: Accounts, staff: Staff) -> None:
    accounts.set_roles(staff.clerk.id, [Role.ADMIN])
    accounts.set_disabled(staff.clerk.id, disabled=True)  # an admin, but not one who could help
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.set_disabled(staff.admin.id, disabled=True)
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.set_roles(staff.admin.id, [Role.EMPLOYEE])
    assert accounts.person(staff.admin.id).roles == staff.admin.roles
    accounts.set_disabled(staff.clerk.id, disabled=False)
    accounts.set_roles(staff.admin.id, [Role.EMPLOYEE])
    assert accounts.person(staff.admin.id).roles == {Role.EMPLOYEE}


def test_a_change_that_is_refused_changes_nothing(accounts: Accounts, staff: Staff) -> None:
    before = accounts.person(staff.admin.id)
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.change(staff.admin.id, groups=["board"], clearance="secret", disabled=True)
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.change(staff.admin.id, roles=[Role.EMPLOYEE], disabled=True)
    assert accounts.person(staff.admin.id) == before


def test_two_admins_cannot_remove_each_other_at_once(accounts: Accounts, staff: Staff) -> None:
    accounts.set_roles(staff.clerk.id, [Role.ADMIN])

    def refused(person_id: str) -> bool:
        try:
            accounts.set_disabled(person_id, disabled=True)
        except Conflict:
            return True
        return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(refused, [staff.admin.id, staff.clerk.id])) == [False, True]


def test_groups_are_replaced_as_a_whole(accounts: Accounts, staff: Staff) -> None:
    accounts.set_groups(staff.clerk.id, ["legal", "a group nobody named before", "legal"])
    assert accounts.person(staff.clerk.id).groups == {"legal", "a group nobody named before"}
    accounts.set_groups(staff.clerk.id, [])
    assert accounts.person(staff.clerk.id).groups == frozenset()


@pytest.mark.parametrize("group", ["", " ", "g" * 129, "legal\u202e", "le\ngal", "\ud800"])
def test_a_group_name_that_cannot_be_shown_is_refused(accounts: Accounts, staff: Staff, group: str) -> None:
    with pytest.raises(InvalidRequest, match="group name"):
        accounts.set_groups(staff.clerk.id, ["claims", group])
    assert accounts.person(staff.clerk.id).groups == {"claims", "legal"}


def test_a_display_name_that_hides_characters_is_refused(accounts: Accounts) -> None:
    with pytest.raises(InvalidRequest, match="display name"):
        accounts.add("auditor", PASSWORD, [], [], display_name="Head of\u200bAudit")


@pytest.mark.parametrize(
    "act",
    [
        lambda accounts: accounts.person(NOBODY),
        lambda accounts: accounts.set_password(NOBODY, PASSWORD),
        lambda accounts: accounts.set_groups(NOBODY, ["claims"]),
        lambda accounts: accounts.set_roles(NOBODY, [Role.EMPLOYEE]),
        lambda accounts: accounts.set_disabled(NOBODY, disabled=True),
    ],
)
def test_an_unknown_person_is_not_found(accounts: Accounts, act: Callable[[Accounts], object]) -> None:
    with pytest.raises(NotFound):
        act(accounts)


def test_a_program_has_no_password_is_no_compliance_officer_and_no_last_admin(accounts: Accounts, staff: Staff) -> None:
    robot = accounts.add_service("robot", [Role.ADMIN], ["claims"], "Nightly sync")
    for password in ("", PASSWORD):
        with pytest.raises(NotSignedIn):
            accounts.verify("robot", password)
    with pytest.raises(InvalidRequest, match="Give it a token"):
        accounts.set_password(robot.id, PASSWORD)
    with pytest.raises(InvalidRequest, match="cannot be compliance officer"):
        accounts.set_roles(robot.id, [Role.COMPLIANCE])
    with pytest.raises(InvalidRequest, match="cannot be compliance officer"):
        accounts.add_service("reader", [Role.COMPLIANCE], [])
    with pytest.raises(Conflict, match="last enabled admin"):
        accounts.set_disabled(staff.admin.id, disabled=True)
    accounts.set_disabled(robot.id, disabled=True)


def test_a_generated_password_is_strong_and_readable() -> None:
    passwords = {generate_password() for _ in range(200)}
    assert len(passwords) == 200
    letters = set("".join(passwords)) - {"-"}
    assert letters.isdisjoint("01olI")
    assert all([len(part) for part in password.split("-")] == [4] * 5 for password in passwords)
    assert 20 * math.log2(len(letters)) >= 80
