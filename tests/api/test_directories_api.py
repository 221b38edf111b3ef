"""A directory through the API: how it stands, a sync on record, and the command line for the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from appliance.api import own_account
from appliance.api.signin import next_address
from appliance.audit.entries import AdminAction, SignInFailed
from appliance.audit.records import LogFilter
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.cli import app as commands
from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.config.identity import LdapSettings
from appliance.doctor import Status, examine
from appliance.domain import Role
from appliance.errors import AuditUnavailable
from appliance.ldap import second_look
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.appliance.ldap import organisation, slapd
from tests.appliance.ldap.slapd import SERVICE_DN, SERVICE_PASSWORD

pytestmark = pytest.mark.integration

LOCAL_PASSWORD = "seven brass keys on a ring"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slapd.Slapd]:
    with slapd.running(tmp_path_factory.mktemp("slapd"), organisation.ldif()) as running:
        running.folder.joinpath("password").write_text(SERVICE_PASSWORD)
        running.folder.joinpath("password").chmod(0o600)
        yield running


@pytest.fixture(scope="module")
def settings(server: slapd.Slapd, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    ldap = LdapSettings(
        urls=(server.ldaps,),
        ca_file=server.ca_file,
        bind_dn=SERVICE_DN,
        bind_password_file=str(server.folder / "password"),
        people_base=organisation.PEOPLE,
        groups_base=organisation.GROUPS,
        include_groups=("rag-*",),
    )
    return Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        ldap=ldap,
    )


@pytest.fixture(scope="module")
def appliance(settings: Settings) -> Iterator[Appliance]:
    with opened(settings) as built:
        built.accounts.add("admin", LOCAL_PASSWORD, [Role.ADMIN], [])
        yield built


@pytest.fixture(scope="module")
def admin(appliance: Appliance) -> Iterator[TestClient]:
    with _signed_in(appliance, "admin", LOCAL_PASSWORD) as client:
        yield client


def _signed_in(appliance: Appliance, name: str, password: str) -> TestClient:
    client = TestClient(create_headless_app(appliance), base_url="http://testserver")
    answer = client.post(
        "/api/session", json={"name": name, "password": password}, headers={"Origin": "http://testserver"}
    )
    assert answer.status_code == 200, answer.text
    return client


def test_somebody_of_the_directory_signs_in_and_an_admin_sees_it(appliance: Appliance, admin: TestClient) -> None:
    anna = _signed_in(appliance, "anna", organisation.PASSWORD)
    me = anna.get("/api/session").json()
    assert (me["display_name"], me["roles"]) == ("Anna Ärmel", ["employee"])
    assert "rag-finance" in me["groups"]
    assert anna.get("/api/directories/ldap").status_code == 403
    (listed,) = admin.get("/api/directories").json()
    assert (listed["name"], listed["kind"], listed["configured"]) == ("ldap", "ldap", True)
    found = admin.get("/api/directories/ldap").json()
    assert (found["people"], found["groups"], found["gone"], found["stale"]) == (1, 4, 0, 0)
    assert admin.get("/api/directories/unknown").status_code == 404


def test_what_a_sign_in_brings_and_why_one_is_refused_is_on_record(appliance: Appliance) -> None:
    _signed_in(appliance, "boris", organisation.PASSWORD)
    acts = [item.entry for item in appliance.log.entries(LogFilter(type=AdminAction.type), limit=50)]
    (made_known,) = [act for act in acts if isinstance(act, AdminAction) and act.subject == "boris"]
    assert (made_known.actor, made_known.action) == ("appliance", "person.made_known")
    assert made_known.detail == "directory: ldap; roles: employee; groups: rag-all, rag-circle-a, rag-circle-b"

    terms = [DirectoryTerms(name, "oidc", 3600.0) for name in ("ldap", "partner")]
    appliance.accounts.set_directories(terms)
    appliance.accounts.admit(Identity("partner", "1", "carla", "Carla", frozenset(), frozenset({Role.EMPLOYEE})))
    client = TestClient(create_headless_app(appliance), base_url="http://testserver")
    answer = client.post("/api/session", json={"name": "carla", "password": organisation.PASSWORD})
    assert answer.status_code == 409 and "somebody else has that name" in answer.json()["message"]
    (refused,) = [item.entry for item in appliance.log.entries(LogFilter(type=SignInFailed.type), limit=1)]
    assert isinstance(refused, SignInFailed) and refused.reason == "conflict"


def test_a_sync_on_demand_is_on_record_and_says_what_was_left_out(appliance: Appliance, admin: TestClient) -> None:
    _signed_in(appliance, "anna", organisation.PASSWORD)
    before = appliance.log.size()
    found = admin.post("/api/directories/ldap/sync", json={}, headers={"Origin": "http://testserver"}).json()
    assert found["problem"] == "" and "'rag-sales' is left out" in found["notes"][0]
    assert appliance.log.size() == before + 1  # that it was asked for; nothing changed for anybody
    (check,) = [check for check in examine(appliance) if check.name == "directory"]
    assert check.status is Status.WARNING and "'rag-sales' is left out" in check.detail
    password = Path(appliance.settings.ldap.bind_password_file)
    password.chmod(0o644)
    (check,) = [check for check in examine(appliance) if check.name == "directory"]
    assert check.status is Status.WARNING and check.remedy == f"chmod 600 {password}"
    password.chmod(0o600)


def test_a_directory_that_is_down_is_told_to_admins_and_not_to_strangers(
    appliance: Appliance, admin: TestClient, server: slapd.Slapd
) -> None:
    password = server.folder / "password"
    password.write_text("wrong")
    try:
        found = admin.post("/api/directories/ldap/sync", json={}, headers={"Origin": "http://testserver"}).json()
        assert "does not let the service account in" in found["problem"]
        stranger = TestClient(create_headless_app(appliance), base_url="http://testserver")
        answer = stranger.post("/login", data={"name": "anna", "password": organisation.PASSWORD})
        assert answer.status_code == 503
        assert "cannot be asked at the moment" in answer.text and "service account" not in answer.text
        (check,) = [check for check in examine(appliance) if check.name == "directory"]
        assert check.status is Status.ERROR and "does not let the service account in" in check.detail
    finally:
        password.write_text(SERVICE_PASSWORD)


def test_the_command_line_syncs_and_shows(
    settings: Settings, server: slapd.Slapd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STRONGROOM_MODEL__PROVIDER", "none")
    for key, value in settings.ldap.model_dump(include=set(settings.ldap.model_fields_set)).items():
        told = "[" + ", ".join(f'"{one}"' for one in value) + "]" if isinstance(value, tuple) else value
        monkeypatch.setenv(f"STRONGROOM_LDAP__{key.upper()}", told)
    assert CliRunner().invoke(commands, ["init"]).exit_code == 0
    synced = CliRunner().invoke(commands, ["directory", "sync"])
    assert synced.exit_code == 0, synced.output
    assert "ldap: in sync: 0 people, 0 groups." in synced.stdout
    showed = CliRunner().invoke(commands, ["directory", "show"])
    assert showed.exit_code == 0 and "ldap" in showed.stdout
    monkeypatch.setenv("STRONGROOM_LDAP__URLS", '["ldaps://127.0.0.1:1"]')
    down = CliRunner().invoke(commands, ["directory", "sync"])
    assert down.exit_code == 1 and "cannot be reached" in " ".join(down.stdout.split())


@pytest.fixture
def browser(appliance: Appliance, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Of Anna, whom the directory is asked about again with every request."""
    monkeypatch.setattr(appliance.sessions._look_again, "_every_s", 0.001)
    monkeypatch.setattr(second_look, "_WAIT_S", 20.0)  # however slow this machine is
    client = TestClient(create_headless_app(appliance), base_url="http://testserver", follow_redirects=False)
    signed_in = client.post("/login", data={"name": "anna", "password": organisation.PASSWORD})
    assert signed_in.status_code == 303, signed_in.text
    return client


PAGES = ("/password", "/second-factor")


def test_what_a_directory_says_by_now_and_cannot_be_put_on_record_is_told_in_words(
    appliance: Appliance, browser: TestClient, server: slapd.Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritten(_: object) -> None:
        raise AuditUnavailable("The query log cannot be written. Make room.")

    token = browser.cookies["strongroom_session"]
    member = f"member\nmember: {organisation.dn('anna')}\n"
    group = f"dn: {organisation.group_dn('rag-finance')}\nchangetype: modify\n"
    server.change(f"{group}delete: {member}")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(appliance.log, "append", unwritten)
            for path in PAGES:
                page = browser.get(path)
                assert page.status_code == 503 and "cannot be written. Make room." in page.text
            refused = browser.get("/api/session")
            assert refused.status_code == 503 and refused.json()["code"] == AuditUnavailable.code
            stays = browser.post("/logout")
            assert stays.status_code == 503 and "cannot be written. Make room." in stays.text
        assert "rag-finance" not in appliance.sessions.authenticate(token).groups
        assert [browser.get(path).status_code for path in PAGES] == [200, 200]
    finally:
        server.change(f"{group}add: {member}")


def test_whose_session_ends_before_the_answer_is_led_to_the_sign_in_page(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended_before(appliance: Appliance, token: str, goal: str) -> str:
        appliance.sessions.sign_out(token)
        return next_address(appliance, token, goal)

    monkeypatch.setattr(own_account, "next_address", ended_before)
    left = browser.get("/second-factor?next=cases")
    assert (left.status_code, left.headers["location"]) == (303, "/login?next=cases")


def test_who_left_is_led_to_the_sign_in_page(browser: TestClient, server: slapd.Slapd) -> None:
    anna = f"dn: {organisation.dn('anna')}\nchangetype: modify\nreplace: pwdReset\npwdReset: "
    server.change(f"{anna}TRUE\n")
    try:
        for path in PAGES:
            left = browser.get(f"{path}?next=cases")
            assert (left.status_code, left.headers["location"]) == (303, "/login?next=cases")
    finally:
        server.change(f"{anna}FALSE\n")
