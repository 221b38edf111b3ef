"""What a sync takes over, what it refuses to believe, and what it leaves alone."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.audit.acts import begun
from appliance.audit.entries import AdminAction
from appliance.auth.accounts import Accounts, now_utc
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.auth.sessions import Sessions
from appliance.config import SignInSettings
from appliance.config.identity import LdapSettings
from appliance.database import Database, metadata
from appliance.domain import Role
from appliance.errors import AuditUnavailable, DirectoryUnavailable, NotSignedIn
from appliance.ldap import second_look
from appliance.ldap.directory import Census, LdapDirectory
from appliance.ldap.second_look import SecondLook
from appliance.ldap.sync import DirectorySync
from appliance.wiring import put_on_record
from tests.appliance.ldap import organisation, slapd
from tests.appliance.ldap.organisation import PASSWORD, group_dn

pytestmark = pytest.mark.integration

HERE = "192.0.2.10"
LOCAL_PASSWORD = "seven brass keys on a ring"
MAX_AGE = timedelta(hours=1)
FIVE = ("anna", "carla", "dora", "ending", "guessed")  # one more than are asked about at once


@dataclass
class House:
    """An appliance's accounts beside a directory of its own, and what was put on record."""

    database: Database
    server: slapd.Slapd
    settings: LdapSettings
    acts: list[AdminAction]

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.database)

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.database, SignInSettings(max_failures=100), directories=[LdapDirectory(self.settings)])

    def sync(self, **changes: Any) -> DirectorySync:
        settings = self.settings.model_copy(update=changes)
        return DirectorySync(LdapDirectory(settings), self.accounts, settings, self.acts.append)

    def sign_in(self, *names: str) -> None:
        for name in names:
            self.sessions.sign_in(name, PASSWORD, HERE)

    def standing(self, name: str) -> tuple[set[str], bool]:
        (person,) = [person for person in self.accounts.people() if person.name == name]
        return set(person.groups), person.shut_out

    def take_from_anna(self) -> None:
        self.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")

    def change(self, dn: str, change: str) -> None:
        self.server.change(f"dn: {dn}\nchangetype: modify\n{change}\n")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("house") / "strongroom.db"
    database = Database(path)
    with database.write() as connection:
        metadata.create_all(connection)
    accounts = Accounts(database)
    accounts.add(
        "boris", LOCAL_PASSWORD, [Role.ADMIN], []
    )  # a break-glass admin, called like somebody of the directory
    accounts.set_directories([DirectoryTerms("ldap", "ldap", MAX_AGE.total_seconds())])
    database.close()
    return path


@pytest.fixture
def house(empty: Path, password_file: Path, tmp_path: Path) -> Iterator[House]:
    path = tmp_path / "strongroom.db"
    shutil.copy(empty, path)
    database = Database(path)
    with slapd.running(tmp_path / "slapd", organisation.ldif()) as server:
        settings = LdapSettings(
            urls=(server.ldaps,),
            ca_file=server.ca_file,
            bind_dn=slapd.SERVICE_DN,
            bind_password_file=str(password_file),
            people_base=organisation.PEOPLE,
            groups_base=organisation.GROUPS,
            include_groups=("rag-*",),
            admin_groups=("operators",),
            max_age_s=MAX_AGE.total_seconds(),
            sync_every_s=60,
        )
        yield House(database, server, settings, [])
    database.close()


def test_who_signs_in_is_made_known_with_their_groups(house: House) -> None:
    session = house.sessions.sign_in("Anna", PASSWORD, HERE)
    assert session.principal.name == "anna"
    assert session.principal.groups == {"rag-finance", "rag-all", "rag-unix", "rag-unique"}
    assert session.principal.roles == {Role.EMPLOYEE}


def test_a_name_of_a_local_account_is_never_the_directorys(house: House) -> None:
    with pytest.raises(NotSignedIn):
        house.sessions.sign_in("boris", PASSWORD, HERE)
    assert house.sessions.sign_in("boris", LOCAL_PASSWORD, HERE).principal.roles == {Role.ADMIN}
    house.accounts.add("second", LOCAL_PASSWORD, [Role.ADMIN], [])
    (boris,) = [person for person in house.accounts.people() if person.name == "boris"]
    house.accounts.set_disabled(boris.id, disabled=True)
    with pytest.raises(NotSignedIn):  # nor does it fall through while the local one is shut out
        house.sessions.sign_in("boris", PASSWORD, HERE)


def test_who_is_refused_is_told_the_same_whatever_is_wrong(house: House) -> None:
    told = set()
    for name in ("anna", "boris", "nobody", "expired", "locked", "twice", "*"):
        with pytest.raises(NotSignedIn) as caught:
            house.sessions.sign_in(name, "wrong", HERE)
        told.add(str(caught.value))
    assert len(told) == 1


def test_a_membership_taken_away_there_is_gone_here_at_the_next_sync_and_on_record(house: House) -> None:
    house.sign_in("anna")
    house.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")
    report = house.sync().run()
    assert report.problem == ""
    assert house.standing("anna") == ({"rag-unix"}, False)
    (act,) = house.acts
    assert (act.actor, act.action, act.subject) == ("appliance", "person.renewed", "anna")
    assert act.detail == "roles: employee; groups: rag-unix"
    house.sync().run()
    assert len(house.acts) == 1  # nothing changed since


def test_a_membership_taken_away_there_is_gone_here_at_the_next_sign_in_too(house: House) -> None:
    house.sign_in("anna")
    house.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")
    assert house.sessions.sign_in("anna", PASSWORD, HERE).principal.groups == {"rag-unix"}


def test_who_leaves_is_shut_out_with_their_session_and_comes_back_if_they_do(house: House) -> None:
    token = house.sessions.sign_in("anna", PASSWORD, HERE).token
    house.change(organisation.dn("anna"), "replace: pwdReset\npwdReset: TRUE\n")
    house.sync().run()
    assert house.standing("anna")[1]
    with pytest.raises(NotSignedIn):
        house.sessions.authenticate(token)
    assert [act.action for act in house.acts] == ["person.gone"]
    house.change(organisation.dn("anna"), "replace: pwdReset\npwdReset: FALSE\n")
    house.sync().run()
    assert not house.standing("anna")[1]


def test_a_renamed_person_keeps_their_account(house: House) -> None:
    house.sign_in("carla")
    before = [person.id for person in house.accounts.people() if person.name == "carla"]
    dn = organisation.dn("carla")
    house.server.change(f"dn: {dn}\nchangetype: modrdn\nnewrdn: uid=carla.new\ndeleteoldrdn: 1\n")
    house.sync().run()
    after = [person.id for person in house.accounts.people() if person.name == "carla.new"]
    assert after == before and before


def test_a_directory_that_is_down_changes_nothing_says_so_and_is_worth_nothing_in_the_end(house: House) -> None:
    house.sign_in("anna")
    down = house.sync(urls=("ldaps://127.0.0.1:1",))
    report = down.run()
    assert "cannot be reached" in report.problem
    assert "cannot be reached" in house.accounts.directories()[0].problem
    assert "rag-finance" in house.standing("anna")[0] and house.acts == []
    later = Accounts(house.database, lambda: now_utc() + MAX_AGE)
    (anna,) = [person for person in later.people() if person.name == "anna"]
    assert anna.groups == frozenset() and not anna.is_fresh
    assert house.sync().run().problem == ""
    assert house.accounts.directories()[0].problem == ""


def test_a_directory_that_fails_midway_changes_nothing(house: House) -> None:
    house.sign_in("anna", "carla")
    house.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")
    report = house.sync(groups_base=f"ou=nowhere,{slapd.SUFFIX}").run()
    assert "groups_base" in report.problem
    assert "rag-finance" in house.standing("anna")[0]


def test_what_cannot_be_put_on_record_is_not_done(house: House) -> None:
    house.sign_in("anna")
    house.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")

    def full(_act: AdminAction) -> None:
        raise AuditUnavailable("The query log cannot be written. Make room.")

    report = DirectorySync(LdapDirectory(house.settings), house.accounts, house.settings, full).run()
    assert "cannot be written" in report.problem
    assert "rag-finance" in house.standing("anna")[0]


def test_many_missing_at_once_are_not_believed_until_somebody_confirms_it(house: House) -> None:
    house.sign_in("anna", "carla", "ending", "guessed")
    wrong_base = house.sync(people_filter="(uid=anna)")
    report = wrong_base.run()
    assert "names 3 of its 4 people no more" in report.problem
    assert not house.standing("carla")[1] and house.acts == []
    assert wrong_base.run("boss", confirmed=True).problem == ""
    assert [house.standing(name)[1] for name in ("anna", "carla", "ending", "guessed")] == [False, True, True, True]
    assert {act.actor for act in house.acts} == {"boss"}


def test_the_last_of_a_small_team_who_leaves_needs_no_confirmation(house: House) -> None:
    house.sign_in("anna", "carla")
    assert house.sync(people_filter="(uid=nobody)").run().problem == ""
    assert house.standing("anna")[1] and house.standing("carla")[1]


def test_it_syncs_by_itself_from_the_start_and_stops_when_told(house: House) -> None:
    house.sign_in("anna")
    house.change(group_dn("rag-finance"), f"delete: member\nmember: {organisation.dn('anna')}\n")
    sync = house.sync()
    sync.start()
    try:
        for _ in range(200):
            if house.acts:
                break
            sync._stop.wait(0.02)
    finally:
        sync.close()
    assert house.standing("anna")[0] == {"rag-unix"}
    assert sync.latest is not None and sync.latest.problem == ""


def test_nobody_gets_in_while_the_directory_is_down_but_local_accounts_do(house: House) -> None:
    house.sign_in("anna")
    down = house.settings.model_copy(update={"urls": ("ldaps://127.0.0.1:1",)})
    sessions = Sessions(house.database, SignInSettings(), directories=[LdapDirectory(down)])
    with pytest.raises(DirectoryUnavailable) as caught:
        sessions.sign_in("anna", PASSWORD, HERE)
    assert "127.0.0.1" not in str(caught.value)  # a stranger is not told where it is
    assert sessions.sign_in("boris", LOCAL_PASSWORD, HERE)


# who asks for something is looked up again


@dataclass
class Asked:
    """The sessions of a house that asks its directory again about whoever asks."""

    house: House
    sessions: Sessions
    look: SecondLook
    sync: DirectorySync
    times: list[int]

    def groups(self, token: str) -> set[str]:
        return set(self.sessions.authenticate(token).groups)

    def take_from_anna(self) -> None:
        self.house.take_from_anna()

    @contextmanager
    def answering_late(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Nobody waits for what the directory answers within; it is there once this ends."""
        answered, ended = threading.Event(), threading.Event()
        census = self.look._directory.census

        def held(subjects: Iterable[str]) -> Census:
            found = census(subjects)
            answered.set()
            assert ended.wait(20)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(second_look, "_WAIT_S", 0.0)
            patch.setattr(self.look._directory, "census", held)
            yield
            assert answered.wait(20)
        ended.set()
        for look in self.look._looks.values():
            look.answer.result(20)


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Asked]]:
    times: list[int] = []
    census = LdapDirectory.census

    def counted(self: LdapDirectory, subjects: Iterable[str]) -> Census:
        wanted = list(subjects)
        times.append(len(wanted))
        return census(self, wanted)

    monkeypatch.setattr(LdapDirectory, "census", counted)
    monkeypatch.setattr(second_look, "_WAIT_S", 20.0)  # however slow this machine is
    with ExitStack() as stack:

        def made(every_s: float, **changes: Any) -> Asked:
            sync = house.sync(**changes)
            look = stack.enter_context(closing(SecondLook(sync, every_s=every_s)))
            sessions = Sessions(
                house.database,
                SignInSettings(max_failures=100),
                directories=[LdapDirectory(house.settings)],
                noting=lambda news: begun(house.acts.append, put_on_record.news_of(news)),
                look_again=look,
            )
            return Asked(house, sessions, look, sync, times)

        yield made


def test_a_membership_taken_away_there_is_gone_here_when_somebody_asks(asked: Callable[..., Asked]) -> None:
    at = asked(every_s=0.001)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    assert "rag-finance" in at.groups(token)
    at.take_from_anna()
    assert at.groups(token) == {"rag-unix"}
    (act,) = [act for act in at.house.acts if act.action == "person.renewed"]
    assert act.subject == "anna"
    assert at.groups(token) == {"rag-unix"}
    assert len([act for act in at.house.acts if act.action == "person.renewed"]) == 1
    assert set(at.times) == {1}  # of nobody else


def test_an_error_that_nobody_foresaw_is_no_error_of_who_asks(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    at = asked(every_s=3600)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    monkeypatch.setattr(at.look._directory, "census", lambda _subjects: 1 / 0)
    for _ in range(2):
        assert "rag-finance" in at.groups(token)
    assert "could not be asked about somebody again: ZeroDivisionError" in caplog.text


def test_somebody_is_not_looked_up_again_before_it_is_time(asked: Callable[..., Asked]) -> None:
    at = asked(every_s=3600)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    at.groups(token)
    at.take_from_anna()
    assert "rag-finance" in at.groups(token)
    assert at.times == [1]


def test_who_left_is_shut_out_when_they_ask(asked: Callable[..., Asked]) -> None:
    at = asked(every_s=0.001)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    at.house.change(organisation.dn("anna"), "replace: pwdReset\npwdReset: TRUE\n")
    with pytest.raises(NotSignedIn):
        at.groups(token)
    assert at.house.standing("anna")[1]


def test_a_directory_that_names_nobody_any_more_shuts_nobody_out(asked: Callable[..., Asked]) -> None:
    at = asked(every_s=0.001, people_filter="(uid=nobody)")
    for name in ("carla", "dora", "ending"):
        at.house.sign_in(name)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    assert "rag-finance" in at.groups(token)


def test_while_the_directory_is_down_its_last_word_counts_and_it_is_left_alone(
    asked: Callable[..., Asked], caplog: pytest.LogCaptureFixture
) -> None:
    at = asked(every_s=3600, urls=("ldaps://127.0.0.1:1",))
    tokens = [at.sessions.sign_in(name, PASSWORD, HERE).token for name in ("anna", "carla")]
    assert "rag-finance" in at.groups(tokens[0])
    assert "could not be asked" in caplog.text
    at.groups(tokens[1])
    assert at.times == [1]


def test_nobody_waits_for_a_directory_that_hangs(asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_look, "_WAIT_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        at = asked(every_s=0.001, urls=(f"ldaps://127.0.0.1:{silent.getsockname()[1]}",), timeout_s=20)
        token = at.sessions.sign_in("anna", PASSWORD, HERE).token
        for _ in range(2):
            assert "rag-finance" in at.groups(token)
            (look,) = at.look._looks.values()
            assert not look.answer.done()
        assert at.times == [1]


def test_what_cannot_be_put_on_record_lets_nobody_go_on_with_what_they_had(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = asked(every_s=3600)
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    at.take_from_anna()

    def unwritten(_: object) -> None:
        raise AuditUnavailable("The disk is full.")

    monkeypatch.setattr(at.sessions, "_noting", lambda news: begun(unwritten, put_on_record.news_of(news)))
    for _ in range(3):
        with pytest.raises(AuditUnavailable):
            at.groups(token)
    assert at.times == [1]  # they try again to put it on record, and do not ask again


def with_a_late_answer(at: Asked, monkeypatch: pytest.MonkeyPatch) -> tuple[Asked, str]:
    """Anna, signed in, who asked for something and went on with what she had; the answer about her has come since."""
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    with at.answering_late(monkeypatch):
        assert "rag-finance" in at.groups(token)
    return at, token


def test_a_late_answer_gives_nothing_back_that_was_taken_away_since(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, token = with_a_late_answer(asked(every_s=3600), monkeypatch)
    at.take_from_anna()
    at.house.sync().run()
    for _ in range(2):
        assert at.groups(token) == {"rag-unix"}
    assert at.house.standing("anna") == ({"rag-unix"}, False)


def test_a_late_answer_brings_nobody_back_who_left_since(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, token = with_a_late_answer(asked(every_s=3600), monkeypatch)
    at.house.change(organisation.dn("anna"), "replace: pwdReset\npwdReset: TRUE\n")
    at.house.sync().run()
    with pytest.raises(NotSignedIn):
        at.groups(token)
    assert at.house.standing("anna")[1]


def test_an_answer_that_nobody_came_for_is_not_kept(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, token = with_a_late_answer(asked(every_s=0.001), monkeypatch)
    at.take_from_anna()
    assert at.groups(token) == {"rag-unix"}


def test_many_who_are_missing_set_off_one_sync_for_which_no_other_question_waits(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = asked(every_s=3600, people_filter="(uid=nobody)")
    tokens = [at.sessions.sign_in(name, PASSWORD, HERE).token for name in FIVE]
    monkeypatch.setattr(second_look, "_WAIT_S", 0.0)
    with at.sync._one_at_a_time:  # it cannot even begin
        for token in tokens:
            at.groups(token)
        for look in at.look._looks.values():
            told = look.answer.result(5)
            assert told is not None and told.identity is None
        assert at.times == [1] * len(FIVE)
    assert at.look._syncing is not None
    at.look._syncing.result(5)
    assert at.times == [1] * len(FIVE) + [len(FIVE)]
    late = at.sessions.sign_in("gone", PASSWORD, HERE).token
    at.groups(late)
    *_, look = at.look._looks.values()
    assert look.answer.result(5) is not None
    at.look._one_thread.shutdown()
    assert at.times == [1] * len(FIVE) + [len(FIVE), 1]  # another one so soon would tell nothing new


def test_a_directory_that_hangs_is_not_asked_by_those_who_were_queued(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        at = asked(every_s=3600, urls=(f"ldaps://127.0.0.1:{silent.getsockname()[1]}",), timeout_s=0.5)
        tokens = [at.sessions.sign_in(name, PASSWORD, HERE).token for name in FIVE]
        monkeypatch.setattr(second_look, "_WAIT_S", 0.0)
        for token in tokens:
            at.groups(token)
        for look in at.look._looks.values():
            assert look.answer.result(20) is None
        assert len(at.look._looks) == len(FIVE)
        assert at.times == [1] * second_look._AT_ONCE


# an answer that is overtaken


def test_an_answer_is_dated_by_the_clock_that_dates_sign_ins(house: House) -> None:
    ahead = now_utc() + timedelta(minutes=3)  # the machine's own clock was set back
    assert LdapDirectory(house.settings, lambda: ahead).census([]).asked_at == ahead


@pytest.mark.parametrize("leaves", [False, True])
def test_what_a_sync_takes_away_while_somebody_signs_in_stays_taken_away(
    house: House, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    house.sign_in("anna")
    sessions, verify = house.sessions, LdapDirectory.verify

    def overtaken(self: LdapDirectory, name: str, password: str) -> Identity | None:
        found = verify(self, name, password)
        if leaves:
            house.change(organisation.dn("anna"), "replace: pwdReset\npwdReset: TRUE\n")
        else:
            house.take_from_anna()
        house.sync().run()
        return found

    monkeypatch.setattr(LdapDirectory, "verify", overtaken)
    if leaves:
        with pytest.raises(NotSignedIn, match="changed while you signed in"):
            sessions.sign_in("anna", PASSWORD, HERE)
        assert house.standing("anna")[1]
    else:
        assert sessions.sign_in("anna", PASSWORD, HERE).principal.groups == {"rag-unix"}


def test_an_answer_that_comes_after_the_question_counts_at_the_next_request_however_late_that_is(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = asked(every_s=0.001)  # by the next request each answer is too old not to ask again
    token = at.sessions.sign_in("anna", PASSWORD, HERE).token
    at.take_from_anna()
    with at.answering_late(monkeypatch):
        assert "rag-finance" in at.groups(token)
    with at.answering_late(monkeypatch):
        assert at.groups(token) == {"rag-unix"}
    assert at.times == [1, 1]
