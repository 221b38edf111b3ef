"""Who is let in, and as whom, by a real OpenLDAP."""

from __future__ import annotations

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from appliance.config.identity import LdapKind
from appliance.domain import Role
from appliance.errors import ConfigurationError, DirectoryUnavailable
from appliance.ldap.directory import LdapDirectory
from tests.appliance.ldap import organisation, slapd
from tests.appliance.ldap.conftest import SettingsFor
from tests.appliance.ldap.organisation import GROUPS, PASSWORD, STAFF, dn, group_dn

pytestmark = pytest.mark.integration


def test_somebody_is_let_in_as_who_the_directory_says(directory: LdapDirectory) -> None:
    anna = directory.verify("Anna", PASSWORD)
    assert anna is not None
    assert (anna.directory, anna.name, anna.display_name) == ("ldap", "anna", "Anna Ärmel")
    assert UUID(anna.subject)
    assert anna.roles == {Role.EMPLOYEE}


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", "wrong"),
        ("anna", ""),
        ("nobody", PASSWORD),
        ("anna*", PASSWORD),
        ("*", PASSWORD),
        ("(star)*", PASSWORD),
        ("anna)(uid=*", PASSWORD),
        ("anna\x00", PASSWORD),
        (" anna ", PASSWORD),
        ("", PASSWORD),
        ("twice", PASSWORD),
        ("expired", PASSWORD),
        ("locked", PASSWORD),
        ("mustchange", PASSWORD),
        (organisation.dn("anna"), PASSWORD),
    ],
)
def test_whoever_is_not_one_person_with_that_password_is_nobody(
    directory: LdapDirectory, name: str, password: str
) -> None:
    assert directory.verify(name, password) is None


def test_an_account_that_ends_one_day_is_let_in_until_then(directory: LdapDirectory) -> None:
    assert directory.verify("ending", PASSWORD) is not None


def test_too_many_wrong_passwords_lock_somebody_there_and_do_not_shut_them_out_here(directory: LdapDirectory) -> None:
    known = directory.verify("guessed", PASSWORD)
    assert known is not None
    for _ in range(3):
        assert directory.verify("guessed", "wrong") is None
    assert directory.verify("guessed", PASSWORD) is None
    assert [person.name for person in directory.census([known.subject]).identities] == ["guessed"]


def test_groups_come_through_groups_and_circles_end(directory: LdapDirectory) -> None:
    anna, boris = directory.verify("anna", PASSWORD), directory.verify("boris", PASSWORD)
    assert anna is not None and boris is not None
    assert anna.groups == {"rag-finance", "rag-all", "rag-unix", "rag-unique"}
    assert boris.groups == {"rag-circle-a", "rag-circle-b", "rag-all"}


def test_no_group_comes_in_that_nobody_chose(settings_for: SettingsFor) -> None:
    anna = LdapDirectory(settings_for(include_groups=())).verify("anna", PASSWORD)
    assert anna is not None and anna.groups == frozenset()
    anna = LdapDirectory(settings_for(groups_base="")).verify("anna", PASSWORD)
    assert anna is not None and anna.groups == frozenset()


def test_groups_can_be_called_otherwise_here(settings_for: SettingsFor) -> None:
    named = {
        group_dn("rag-finance").upper().replace(",", ", "): "Finance",
        "canteen": "lunch",
        group_dn("rag-sales", f"ou=berlin,{GROUPS}"): "sales-berlin",
    }
    anna = LdapDirectory(settings_for(groups=named)).verify("anna", PASSWORD)
    assert anna is not None
    assert {"Finance", "lunch", "sales-berlin", "rag-all"} <= anna.groups
    assert "rag-finance" not in anna.groups and "rag-sales" not in anna.groups


@pytest.mark.parametrize(
    "named",
    [
        "Geheimhaltung, Stufe 2",
        rf"CN=geheimhaltung\, stufe 2, {GROUPS}",
        rf"cn=Geheimhaltung\2c Stufe\20\32,{GROUPS}",
    ],
)
def test_a_group_with_a_comma_in_its_name_is_named_like_any_other(settings_for: SettingsFor, named: str) -> None:
    anna = LdapDirectory(settings_for(groups={named: "secrets"})).verify("anna", PASSWORD)
    assert anna is not None and "secrets" in anna.groups


@pytest.mark.parametrize("named", [rf"cn=Geheimhaltung\,Stufe 2,{GROUPS}", f"cn=Geheimhaltung,Stufe 2,{GROUPS}"])
def test_a_group_is_not_taken_for_one_whose_name_only_looks_like_it(settings_for: SettingsFor, named: str) -> None:
    anna = LdapDirectory(settings_for(groups={named: "secrets"})).verify("anna", PASSWORD)
    assert anna is not None and "secrets" not in anna.groups


def test_a_group_whose_cn_reads_like_the_dn_of_another_is_not_that_one(
    server: slapd.Slapd, settings_for: SettingsFor
) -> None:
    real = group_dn("operators")
    escaped = real.replace(",", r"\2C").replace("=", r"\3D")
    posing = f"cn={escaped},ou=paris,{GROUPS}"
    server.change(
        f"dn: {posing}\nchangetype: add\nobjectClass: groupOfNames\ncn: {real}\nmember: {organisation.dn('boris')}\n"
    )
    try:
        directory = LdapDirectory(settings_for(admin_groups=(real,), groups={real: "finance"}))
        boris, carla = directory.verify("boris", PASSWORD), directory.verify("carla", PASSWORD)
    finally:
        server.change(f"dn: {posing}\nchangetype: delete\n")
    assert boris is not None and (boris.roles, "finance" in boris.groups) == ({Role.EMPLOYEE}, False)
    assert carla is not None and (carla.roles, "finance" in carla.groups) == ({Role.EMPLOYEE, Role.ADMIN}, True)


def test_two_groups_of_one_name_are_never_taken_for_one(settings_for: SettingsFor) -> None:
    directory = LdapDirectory(settings_for(groups={"rag-sales": "sales"}))
    anna = directory.verify("anna", PASSWORD)
    assert anna is not None and not {"sales", "rag-sales"} & anna.groups
    (note,) = directory.census([anna.subject]).notes
    assert "'rag-sales' is left out" in note and "ou=berlin" in note


def test_groups_give_roles_but_never_both(settings_for: SettingsFor) -> None:
    directory = LdapDirectory(settings_for(admin_groups=("operators",), compliance_groups=(group_dn("auditors"),)))
    carla = directory.verify("carla", PASSWORD)
    assert carla is not None and carla.roles == {Role.EMPLOYEE, Role.ADMIN}
    assert directory.verify("dora", PASSWORD) is None
    known = LdapDirectory(settings_for()).verify("dora", PASSWORD)
    assert known is not None
    census = directory.census([known.subject])
    assert census.identities == () and "both admin and compliance officer" in census.notes[0]


def test_somebody_renamed_is_still_the_same(server: slapd.Slapd, settings_for: SettingsFor) -> None:
    kind = {"kind": LdapKind.ACTIVE_DIRECTORY, "people_filter": "(objectClass=user)"}
    directory = LdapDirectory(settings_for(people_base=STAFF, groups_base=STAFF, **kind))
    before = directory.verify("erika", PASSWORD)
    assert before is not None and before.subject == str(organisation.guid("Erika"))
    server.change(
        f"dn: {organisation.staff_dn('Erika')}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: e.neumann\n"
    )
    (after,) = directory.census([before.subject]).identities
    assert (after.subject, after.name) == (before.subject, "e.neumann")
    server.change(
        f"dn: {organisation.staff_dn('Erika')}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: Erika\n"
    )


@pytest.mark.parametrize(
    ("name", "is_let_in"), [("Erika", True), ("disabled", False), ("expired", False), ("mustchange", False)]
)
def test_what_active_directory_says_of_an_account_counts(settings_for: SettingsFor, name: str, is_let_in: bool) -> None:
    settings = settings_for(
        kind="active_directory",
        people_base=STAFF,
        people_filter="(objectClass=user)",
        groups_base=STAFF,
        include_groups=("RAG *",),
    )
    person = LdapDirectory(settings).verify(name, PASSWORD)
    assert (person is not None) is is_let_in
    if person is not None:
        assert person.groups == {"RAG Board"}


def test_a_census_leaves_out_who_is_gone_and_asks_for_many_at_once(directory: LdapDirectory) -> None:
    anna, boris = directory.verify("anna", PASSWORD), directory.verify("boris", PASSWORD)
    assert anna is not None and boris is not None
    strangers = [str(organisation.guid(str(number))) for number in range(120)]
    census = directory.census([anna.subject, *strangers, boris.subject])
    assert set(census.identities) == {anna, boris}


def test_the_next_server_is_asked_when_one_is_down(server: slapd.Slapd, settings_for: SettingsFor) -> None:
    down = "ldaps://127.0.0.1:1"
    assert LdapDirectory(settings_for(urls=(down, server.ldaps))).verify("anna", PASSWORD) is not None
    with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
        LdapDirectory(settings_for(urls=(down,))).verify("anna", PASSWORD)


def test_a_wrong_service_account_is_no_wrong_password_of_a_person(settings_for: SettingsFor, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    (tmp_path / "empty").write_text("\n")
    told = {"wrong": "does not let the service account in", "empty": "is empty", "absent": "cannot be read"}
    for file, words in told.items():
        with pytest.raises(DirectoryUnavailable, match=words):
            LdapDirectory(settings_for(bind_password_file=str(tmp_path / file))).verify("anna", PASSWORD)


def test_a_wrong_password_of_the_service_account_does_not_lock_it(settings_for: SettingsFor, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("wrong")
    directory = LdapDirectory(settings_for(bind_password_file=str(path)))
    for _ in range(5):  # the directory locks an account after three
        with pytest.raises(DirectoryUnavailable, match="does not let the service account in"):
            directory.verify("anna", PASSWORD)
    path.write_text(slapd.SERVICE_PASSWORD)
    assert directory.verify("anna", PASSWORD) is not None


def test_a_directory_that_hangs_keeps_few_sign_ins_waiting(settings_for: SettingsFor) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"ldaps://127.0.0.1:{silent.getsockname()[1]}"
        directory = LdapDirectory(settings_for(urls=(url,), timeout_s=2))

        def told(_: int) -> str:
            with pytest.raises(DirectoryUnavailable) as caught:
                directory.verify("anna", PASSWORD)
            return str(caught.value)

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(told, range(12)))
    assert sum("sign-ins wait for it already" in answer for answer in answers) == 4
    assert sum("said nothing for" in answer for answer in answers) == 8


def test_the_doctor_is_told_that_nobody_is_found(directory: LdapDirectory, settings_for: SettingsFor) -> None:
    assert directory.probe().startswith("ldaps://")
    with pytest.raises(DirectoryUnavailable, match="shows the service account nobody"):
        LdapDirectory(settings_for(people_filter="(objectClass=device)")).probe()


def test_a_filter_that_is_none_is_refused_before_anything_is_asked(settings_for: SettingsFor) -> None:
    with pytest.raises(ConfigurationError, match="RFC 4515"):
        LdapDirectory(settings_for(people_filter="objectClass=person"))


def test_an_unknown_name_takes_about_as_long_as_a_wrong_password(directory: LdapDirectory) -> None:
    def seconds(name: str) -> float:
        began = time.perf_counter()
        assert directory.verify(name, "wrong") is None
        return time.perf_counter() - began

    known, unknown = [], []
    for _ in range(15):
        known.append(seconds("ending"))
        unknown.append(seconds("nobody"))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


def test_nothing_of_a_password_is_told_when_something_fails(settings_for: SettingsFor) -> None:
    with pytest.raises(DirectoryUnavailable) as caught:
        LdapDirectory(settings_for(people_base=f"ou=nowhere,{slapd.SUFFIX}")).verify("anna", PASSWORD)
    told = f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert PASSWORD not in told and slapd.SERVICE_PASSWORD not in told and dn("anna") not in told
