"""The provider signs somebody out here: a certified one by itself, over real sockets; and one that does wrong.

See tests/identity_provider. What is asked afterwards is asked as anybody asks it, with a cookie or an API token.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from appliance.api.sign_outs import MAX_SIGN_OUT_BYTES, SIGN_OUT_PATH
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.auth.brake import Attempt
from appliance.auth.identity import Identity
from appliance.auth.oidc.sign_on import SingleSignOn
from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.config.identity import OidcSettings
from appliance.domain import Role, Source
from appliance.errors import AuditUnavailable
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.identity_provider.misbehaving import (
    CLIENT,
    Misbehaving,
    misbehaving_provider,
    reply,
    signed_by_nobody,
    signed_with_the_public_key,
)
from tests.identity_provider.real import SECRET, real_provider
from tests.journeys.served import free_port

pytestmark = pytest.mark.integration

QUESTION = "What does a senior engineer earn a year?"
SALARY = "A senior engineer earns between 95,000 and 118,000 CHF a year."


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with one document, for the group hr. Its provider is for each test to give."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("127.0.0.1",)),
        model=ModelSettings(provider=Provider.NONE),
        oidc=OidcSettings(issuer="http://127.0.0.1:1", client_id=CLIENT, public_url="http://127.0.0.1:8600"),
    )
    folder = tmp_path_factory.mktemp("documents")
    folder.joinpath("salaries.txt").write_text(SALARY, "utf-8")
    with opened(settings) as built:
        source = Source("00000000-0000-0000-0000-000000000001", "Salaries", str(folder), frozenset({"hr"}))
        built.catalog.add_source(source)
        run = built.runs.start(source)
        while run.finished_at is None:
            built.runs.wait(run.id)
        yield built


@contextmanager
def with_provider(appliance: Appliance, **oidc: Any) -> Iterator[Appliance]:
    """The same appliance, with this provider."""
    settings = OidcSettings.model_validate({**appliance.settings.oidc.model_dump(), **oidc})
    with closing(SingleSignOn(settings)) as sign_on:
        yield replace(appliance, sign_on=sign_on)


# a certified provider


@dataclass(frozen=True)
class House:
    """An appliance that can be reached, and a provider that says who is in which group.

    `names_sessions`: It says which session it is that ended.
    """

    appliance: Appliance
    address: str
    issuer: str
    names_sessions: bool
    somebody: str
    another: str


@contextmanager
def listening(appliance: Appliance, port: int) -> Iterator[None]:
    config = uvicorn.Config(create_headless_app(appliance), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(params=[(False, "anna", "bert"), (True, "carla", "dirk")], ids=["of all sessions", "of one session"])
def house(request: pytest.FixtureRequest, appliance: Appliance) -> Iterator[House]:
    names_sessions, *names = request.param
    people = {f"s-{name}": {"preferred_username": name, "groups": ["hr"]} for name in names}
    port, at = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    ours = {"public_url": address, "client_secret": SECRET, "scopes": ("openid", "profile", "groups")}
    with (
        real_provider(at, address, people, tells=True, names_sessions=names_sessions) as issuer,
        with_provider(appliance, issuer=issuer, **ours) as built,
        listening(built, port),
    ):
        yield House(built, address, issuer, names_sessions, *names)


def signed_in(house: House, name: str) -> httpx.Client:
    """A browser in which somebody signed in at the provider and came back."""
    browser = httpx.Client(base_url=house.address, trust_env=False, follow_redirects=True)
    page = browser.get("/login/oidc")
    arrived = browser.post(page.url, data={"name": name})
    assert arrived.status_code == 200, arrived.text
    assert browser.get("/api/session").json()["groups"] == ["hr"]
    return browser


def sign_out_there(house: House, browser: httpx.Client) -> None:
    """Sign out at the provider, and not here."""
    page = browser.get(f"{house.issuer}/session/end").text
    address, secret = (re.search(pattern, page) for pattern in ('action="([^"]+)"', 'name="xsrf" value="([^"]+)"'))
    assert address is not None
    assert secret is not None
    left = browser.post(address[1], data={"xsrf": secret[1], "logout": "yes"})
    assert left.status_code == 200, left.text


def is_shown(client: Any, token: str) -> bool:
    """Whether who asks with an API token is shown the passage that is for the group alone."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.post("/api/ask", json={"question": QUESTION}, headers=headers)
    assert (answer.status_code, "event: answer" in answer.text) == (200, True), answer.text
    return SALARY in answer.text


def acts(appliance: Appliance, action: str) -> list[tuple[str, str, str]]:
    """Who, whom, and what of each act on record, the latest first."""
    entries = (item.entry for item in appliance.log.entries(limit=500))
    found = [entry for entry in entries if isinstance(entry, AdminAction) and entry.action == action]
    return [(entry.actor, entry.subject, entry.detail) for entry in found]


def token_of(appliance: Appliance, browser: httpx.Client) -> tuple[str, str]:
    """The account of who is signed in, who is given the role here too; and an API token that they made."""
    person = appliance.accounts.named(browser.get("/api/session").json()["name"])
    appliance.accounts.set_roles(person.id, [Role.EMPLOYEE])
    issued = browser.post("/api/tokens", json={"label": "report", "days": 7, "scopes": ["ask"]})
    assert issued.status_code == 201, issued.text
    return person.id, issued.json()["token"]


def test_a_certified_provider_signs_somebody_out_here(house: House) -> None:
    here, elsewhere, other = (signed_in(house, name) for name in (house.somebody, house.somebody, house.another))
    plain = httpx.Client(base_url=house.address, trust_env=False)
    person, token = token_of(house.appliance, here)
    _, token_of_other = token_of(house.appliance, other)
    assert is_shown(plain, token)
    refused = acts(house.appliance, "directory.sign_out_refused")
    sign_out_there(house, here)
    assert here.get("/api/session").status_code == 401
    assert elsewhere.get("/api/session").status_code == (200 if house.names_sessions else 401)
    assert is_shown(plain, token) is house.names_sessions
    groups = house.appliance.accounts.person(person).groups
    assert groups == (frozenset({"hr"}) if house.names_sessions else frozenset())
    assert other.get("/api/session").status_code == 200
    assert is_shown(plain, token_of_other)
    ended = "1" if house.names_sessions else "2; what it gave them counts for nothing until they sign in again"
    recorded = ("appliance", house.somebody, f"directory: oidc; sessions ended: {ended}")
    assert acts(house.appliance, "person.signed_out")[0] == recorded
    assert acts(house.appliance, "directory.sign_out_refused") == refused
    again = signed_in(house, house.somebody)
    assert again.get("/api/session").status_code == 200
    assert is_shown(plain, token)


# a provider that does wrong

SUBJECT = "0815"


@dataclass
class Scene:
    """Somebody signed in by a provider of the test's own, with a session and an API token."""

    appliance: Appliance
    provider: Misbehaving
    served: Any
    session: str
    token: str

    def client(self, address: str = "testclient", **headers: str) -> TestClient:
        return TestClient(self.served, base_url="http://127.0.0.1:8600", client=(address, 50_000), headers=headers)

    def tell(self, token: str | None = None, address: str = "testclient") -> httpx.Response:
        body = {"logout_token": self.provider.logout_token() if token is None else token}
        return self.client(address).post(SIGN_OUT_PATH, data=body)

    def is_signed_in(self) -> bool:
        browser = self.client()
        browser.cookies.set("strongroom_session", self.session, domain="127.0.0.1", path="/")
        status = browser.get("/api/session").status_code
        assert status in (200, 401)
        return status == 200


@pytest.fixture
def scene(appliance: Appliance) -> Iterator[Scene]:
    with (
        misbehaving_provider() as provider,
        with_provider(appliance, issuer=provider.issuer, timeout_s=1.0) as built,
    ):
        name = f"anna-{provider.issuer.rpartition(':')[2]}"
        subject = f"{SUBJECT} at {provider.issuer}"
        who = Identity("oidc", subject, name, "Anna", frozenset({"hr"}), frozenset({Role.EMPLOYEE}))
        session = built.sessions.open_for(who)
        built.accounts.set_roles(session.principal.id, [Role.EMPLOYEE])
        token = built.sessions.issue_token(session.principal.id, "report", timedelta(days=7))
        yield Scene(built, provider, create_headless_app(built), session.token, token)


def test_a_good_word_ends_the_session_before_it_is_answered(scene: Scene) -> None:
    assert is_shown(scene.client(), scene.token)
    said = scene.tell()
    assert (said.status_code, said.content, said.headers["cache-control"]) == (200, b"", "no-store")
    assert not scene.is_signed_in()
    assert not is_shown(scene.client(), scene.token)


def test_a_sign_in_that_was_begun_before_it_brings_back_nothing_even_if_the_code_holds_what_was_then(
    scene: Scene,
) -> None:
    browser = scene.client()
    place = browser.get("/login/oidc", follow_redirects=False).headers["location"]
    sent = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
    scene.provider.nonce = sent["nonce"]
    scene.provider.claims["preferred_username"] = f"anna-{scene.provider.issuer.rpartition(':')[2]}"
    held = scene.provider.id_token()
    scene.provider.claims.clear()
    assert scene.tell().status_code == 200
    scene.provider.id_token = lambda: held  # type: ignore[method-assign]
    back = browser.get("/login/oidc/return", params={"state": sent["state"], "code": "c"})
    assert back.status_code == 401
    assert "signed out there while you signed in" in back.text
    assert browser.get("/api/session").status_code == 401


def test_what_is_answered_does_not_tell_whether_there_is_somebody(scene: Scene) -> None:
    before = len(acts(scene.appliance, "person.signed_out"))
    answers = [scene.tell()]
    for changed in ({"sub": "nobody"}, {"sid": "none"}, {"sub": SUBJECT}):
        scene.provider.claims = dict(changed)
        answers.append(scene.tell())
    assert len({(answer.status_code, answer.content, tuple(answer.headers)) for answer in answers}) == 1
    assert len(acts(scene.appliance, "person.signed_out")) == before + 1


Change = Callable[[Misbehaving], object]
WRONG: dict[str, Change] = {
    "for another client": lambda provider: provider.claims.update(aud="another"),
    "of another issuer": lambda provider: provider.claims.update(iss="http://127.0.0.1:1"),
    "unsigned": lambda provider: setattr(provider, "sign", signed_by_nobody),
    "signed with the public key": lambda provider: setattr(provider, "sign", signed_with_the_public_key),
    "with a nonce": lambda provider: provider.claims.update(nonce="n"),
    "of long ago": lambda provider: provider.claims.update(iat=int(time.time()) - 3600),
    "expired": lambda provider: provider.claims.update(exp=int(time.time()) - 3600),
    "of no event": lambda provider: provider.without.add("events"),
    "of nobody": lambda provider: provider.without.add("sub"),
    "without a name of its own": lambda provider: provider.without.add("jti"),
    "that is none": lambda provider: setattr(provider, "sign", lambda *_: "none"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_nobody_is_signed_out_by_a_token(what: str, scene: Scene) -> None:
    WRONG[what](scene.provider)
    said = scene.tell(address=f"192.0.2.{len(what)}")
    assert (said.status_code, said.headers["cache-control"]) == (400, "no-store")
    assert said.json()["error"] == "invalid_request"
    assert SUBJECT not in said.text
    assert scene.is_signed_in()
    assert is_shown(scene.client(), scene.token)


def test_a_word_counts_once(scene: Scene) -> None:
    token = scene.provider.logout_token()
    assert scene.tell(token).status_code == 200
    again = scene.tell(token, address="192.0.2.99")
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    assert acts(scene.appliance, "directory.sign_out_refused")[0][1:] == (
        "oidc",
        "from 192.0.2.99: This sign-out was heard before, and counts once. Send a new one.",
    )


def test_without_the_providers_keys_nobody_is_signed_out_and_the_provider_is_told(scene: Scene) -> None:
    scene.provider.replies["/keys"] = lambda: reply({}, 503)
    said = scene.tell(address="192.0.2.98")
    assert (said.status_code, said.json()["error"]) == (400, "temporarily_unavailable")
    assert scene.is_signed_in()
    assert "HTTP status 503" in acts(scene.appliance, "directory.sign_out_refused")[0][2]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", "application/x-www-form-urlencoded"),
        ("logout_token=", "application/x-www-form-urlencoded"),
        ("logout_token={0}&logout_token={0}", "application/x-www-form-urlencoded"),
        ("token={0}", "application/x-www-form-urlencoded"),
        ("&".join(f"a{number}=1" for number in range(20)) + "&logout_token={0}", "application/x-www-form-urlencoded"),
        ("logout_token={0}&more=" + "x" * MAX_SIGN_OUT_BYTES, "application/x-www-form-urlencoded"),
        ("logout_token={0}&more=\u00fc", "application/x-www-form-urlencoded"),
        ("logout_token={0}", "text/plain"),
        ('{{"logout_token": "{0}"}}', "application/json"),
    ],
)
def test_what_is_no_form_with_one_token_signs_nobody_out(body: str, kind: str, scene: Scene) -> None:
    sent = body.format(scene.provider.logout_token()).encode()
    size = scene.appliance.log.size()
    said = scene.client().post(SIGN_OUT_PATH, content=sent, headers={"Content-Type": kind})
    assert (said.status_code, said.json()["error"]) == (400, "invalid_request")
    assert scene.is_signed_in()
    assert scene.appliance.log.size() == size


def test_a_body_without_end_is_read_no_further_than_it_may_be(scene: Scene) -> None:
    read, answered = 0, list[Any]()

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1024
        return {"type": "http.request", "body": b"x" * 1024, "more_body": True}

    async def send(message: Any) -> None:
        answered.append(message)

    line = {"type": "http", "method": "POST", "path": SIGN_OUT_PATH, "raw_path": b"", "query_string": b""}
    around = {"scheme": "http", "http_version": "1.1", "root_path": "", "server": ("127.0.0.1", 8600)}
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")]
    asyncio.run(scene.served({**line, **around, "headers": headers, "client": ("192.0.2.96", 1)}, receive, send))
    assert answered[0]["status"] == 400
    assert read == MAX_SIGN_OUT_BYTES + 1024


def test_a_page_of_another_site_and_another_name_of_the_host_are_refused(scene: Scene) -> None:
    body = {"logout_token": scene.provider.logout_token()}
    for headers, status in (
        ({"Origin": "https://evil.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.test"}, 421),
    ):
        assert scene.client().post(SIGN_OUT_PATH, data=body, headers=headers).status_code == status
    assert scene.client().get(SIGN_OUT_PATH).status_code == 405
    assert scene.is_signed_in()
    assert scene.client().post(SIGN_OUT_PATH, data=body).status_code == 200


def test_a_session_that_comes_along_counts_for_nothing(scene: Scene) -> None:
    browser = scene.client()
    browser.cookies.set("strongroom_session", scene.session, domain="127.0.0.1", path="/")
    assert browser.post(SIGN_OUT_PATH, data={"logout_token": "none"}).status_code == 400
    assert scene.is_signed_in()


def test_a_flood_of_words_that_are_none_fills_no_record_and_the_provider_is_heard_all_the_same(scene: Scene) -> None:
    address = "192.0.2.97"
    before = scene.appliance.log.size()
    for _ in range(12):
        assert scene.tell("none", address).status_code == 400
    assert scene.appliance.log.size() == before + scene.appliance.settings.sign_in.max_failures
    assert scene.tell(address=address).status_code == 200
    assert not scene.is_signed_in()


def test_a_flood_from_many_addresses_fills_no_record_and_stops_no_password(scene: Scene) -> None:
    brake, most = scene.appliance.sessions.brake, scene.appliance.settings.sign_in.max_failures_per_name
    others = [Attempt.by_sign_out(f"198.51.100.{number}") for number in range(most)]
    for other in others:
        brake.count(other)
    before = scene.appliance.log.size()
    try:
        assert scene.tell("none", "192.0.2.96").status_code == 400
        assert scene.appliance.log.size() == before
        assert not brake.pause(Attempt.at_the_door("anna", "198.51.100.1"))
        assert not brake.pauses(["anna"])
    finally:
        for other in others:  # the appliance is that of all tests here
            brake.take_back(other)
    assert scene.tell("none", "192.0.2.96").status_code == 400
    assert scene.appliance.log.size() == before + 1
    assert scene.tell(address="192.0.2.96").status_code == 200


def test_what_cannot_be_put_on_record_has_ended_all_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise AuditUnavailable("The query log cannot be written. Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(QueryLog, "append", full)
        said = scene.tell()
    assert (said.status_code, said.json()["error"]) == (400, "temporarily_unavailable")
    assert not scene.is_signed_in()
    assert not is_shown(scene.client(), scene.token)


def test_the_way_is_not_there_where_no_provider_is_configured(scene: Scene) -> None:
    plain = TestClient(create_headless_app(replace(scene.appliance, sign_on=None)), base_url="http://127.0.0.1:8600")
    said = plain.post(SIGN_OUT_PATH, data={"logout_token": scene.provider.logout_token()})
    assert said.status_code == 404
    assert scene.is_signed_in()
