"""The doors besides the password, through the whole appliance: a certified OpenID Connect provider, and a reverse proxy.

The provider is panva's oidc-provider (see tests/identity_provider): certified, and not built on the library that the
appliance uses, so that nothing is proven by two halves of one mistake.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from appliance import doctor
from appliance.audit.entries import AdminAction, SignedIn, SignInFailed
from appliance.audit.records import LogFilter
from appliance.auth.brake import Attempt
from appliance.auth.identity import DirectoryTerms
from appliance.auth.sessions import TokenKind
from appliance.auth.tables import people
from appliance.config import ModelSettings, PasswordsFor, Provider, ServerSettings, Settings, SignInSettings
from appliance.config.identity import OidcSettings, TrustedHeaderSettings
from appliance.data_folder import database_in
from appliance.domain import Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.identity_provider.real import SECRET, real_provider
from tests.statements import executed

pytestmark = pytest.mark.integration

PASSWORD = "copper lantern under nine stairs"
US = "http://127.0.0.1:8600"
STREAM = "ws://127.0.0.1:8600/_stcore/stream"  # in full: else the client asks at another host, and is refused for that
PROXY = "10.0.0.1"
PROXY_SECRET = "known to the proxy alone"
PEOPLE = {
    "s-anna": {"preferred_username": "Anna", "name": "Anna Berg", "groups": ["/staff", "/finance"]},
    "s-ops": {"preferred_username": "ops", "name": "Ole Ops", "groups": ["/staff", "admins"]},
    "s-both": {"preferred_username": "both", "groups": ["/staff", "admins", "auditors"]},
    "s-guest": {"preferred_username": "guest", "groups": ["visitors"]},
    "s-reader": {"preferred_username": "reader", "groups": ["/staff"]},
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with real_provider(free_port(), US, PEOPLE) as running:
        yield running


@pytest.fixture(scope="module")
def house(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with both doors, a local admin and a local reader."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("127.0.0.1",)),
        model=ModelSettings(provider=Provider.NONE),
        sign_in=SignInSettings(passwords=PasswordsFor.ADMINS),
        oidc=OidcSettings(
            issuer=issuer,
            name="Town <Hall>",
            client_id="strongroom",
            client_secret=SECRET,
            public_url=US,
            scopes=("openid", "profile", "groups"),
            groups={"/finance": "finance"},
            employee_groups=("/staff",),
            admin_groups=("admins",),
            compliance_groups=("auditors",),
            sign_out=True,
        ),
        trusted_header=TrustedHeaderSettings(
            user_header="X-Remote-User",
            groups_header="X-Remote-Groups",
            display_name_header="X-Remote-Name",
            proxies=("10.0.0.0/30",),
            secret_header="X-Proxy-Secret",
            secret=PROXY_SECRET,
            compliance_groups=("auditors",),
            admin_groups=("admins",),
        ),
    )
    with opened(settings) as built:
        built.accounts.add("local-admin", PASSWORD, (Role.ADMIN,), ())
        built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        yield built


@pytest.fixture(scope="module")
def served(house: Appliance) -> Any:
    return create_headless_app(house)


@pytest.fixture
def browser(served: Any) -> TestClient:
    return TestClient(served, base_url=US, follow_redirects=False)


def at_provider(address: str, name: str) -> str:
    """Sign in at the provider as somebody; the address on our side that it sends the browser to."""
    with httpx.Client(trust_env=False, follow_redirects=False) as window:
        response = window.get(address)
        while response.is_redirect and not response.headers["location"].startswith(US):
            response = window.get(httpx.URL(address).join(response.headers["location"]))
            if "<form" in response.text:
                response = window.post(response.url, data={"name": name})
        return str(response.headers["location"])


def sign_on(browser: TestClient, name: str, page: str = "") -> httpx.Response:
    begun = browser.get("/login/oidc", params={"next": page} if page else {})
    return browser.get(at_provider(begun.headers["location"], name))


def entries(house: Appliance, kind: type[Any]) -> list[Any]:
    """The latest first."""
    return [item.entry for item in house.log.entries(LogFilter(type=kind.type))]


def test_the_whole_way_through_a_certified_provider(browser: TestClient, house: Appliance) -> None:
    assert "Sign in with Town &lt;Hall&gt;" in browser.get("/login").text
    arrival = sign_on(browser, "Anna")
    assert arrival.status_code == 200  # a page of ours: on a redirect the strict cookie would stay behind
    assert 'content="0;url=/login/arrived"' in arrival.text
    session, attempt = arrival.headers.get_list("set-cookie")
    assert re.match(r"strongroom_session=[^;]{43}; expires=.*; HttpOnly; Path=/; SameSite=strict$", session)
    assert attempt.startswith('strongroom_attempt=""')
    assert browser.get("/login/arrived").headers["location"] == "/"
    me = browser.get("/api/session").json()
    assert me == {**me, "name": "anna", "display_name": "Anna Berg", "groups": ["finance"], "roles": ["employee"]}
    assert (entries(house, SignedIn)[0].door, entries(house, SignedIn)[0].actor_name) == ("oidc", "anna")
    assert house.accounts.people()[0].directory == "oidc"


def test_a_browser_goes_to_the_provider_with_nothing_but_what_is_meant_for_it(browser: TestClient, issuer: str) -> None:
    response = browser.get("/login/oidc?next=https://evil.example&redirect_uri=https://evil.example")
    assert response.headers["location"].startswith(f"{issuer}/auth?")
    assert "evil" not in response.headers["location"]
    cookie = SimpleCookie(response.headers["set-cookie"])["strongroom_attempt"]
    assert (cookie["samesite"].lower(), cookie["httponly"], cookie["max-age"]) == ("lax", True, "600")
    assert cookie.value.split(".")[1] not in response.headers["location"]


def test_single_sign_on_leads_to_the_page_that_somebody_came_for(browser: TestClient) -> None:
    assert 'href="/login/oidc?next=library"' in browser.get("/login?next=library").text
    arrival = sign_on(browser, "Anna", "library")
    assert 'content="0;url=/login/arrived?next=library"' in arrival.text
    assert browser.get("/login/arrived?next=library").headers["location"] == "/library"
    arrival = sign_on(browser, "Anna", "compliance?log-tab=Other+events")
    onward = "/login/arrived?next=compliance%3Flog-tab%3DOther%2Bevents"
    assert f'content="0;url={onward}"' in arrival.text
    assert browser.get(onward).headers["location"] == "/compliance?log-tab=Other+events"


@pytest.mark.parametrize("hostile", ["//evil.example", "/\\evil.example", "javascript:alert(1)", "%2F%2Fevil.example"])
def test_single_sign_on_leads_nowhere_else(browser: TestClient, hostile: str) -> None:
    begun = browser.get("/login/oidc", params={"next": hostile})
    kept = begun.cookies["strongroom_attempt"]
    browser.cookies.set("strongroom_attempt", f"{kept}{hostile}", domain="127.0.0.1", path="/")  # or planted there
    arrival = browser.get(at_provider(begun.headers["location"], "Anna"))
    assert 'content="0;url=/login/arrived"' in arrival.text
    assert "evil" not in begun.headers["set-cookie"] + arrival.text


def test_every_sign_in_opens_a_session_of_its_own(browser: TestClient) -> None:
    browser.cookies.set("strongroom_session", "planted-by-somebody-else", domain="127.0.0.1", path="/")
    sign_on(browser, "Anna")
    first = browser.cookies.get("strongroom_session", domain="127.0.0.1")
    sign_on(browser, "Anna")
    second = browser.cookies.get("strongroom_session", domain="127.0.0.1")
    assert len({first, second, "planted-by-somebody-else"}) == 3


def test_an_answer_that_somebody_else_fetched_signs_nobody_in(browser: TestClient, served: Any) -> None:
    attacker = TestClient(served, base_url=US, follow_redirects=False)
    theirs = at_provider(attacker.get("/login/oidc").headers["location"], "Anna")
    browser.get("/login/oidc")
    for window in (browser, TestClient(served, base_url=US, follow_redirects=False)):
        refused = window.get(theirs)
        assert (refused.status_code, "strongroom_session" in refused.headers.get("set-cookie", "")) == (401, False)
        assert "begun in another browser" in refused.text
    attacker.get(theirs)
    assert attacker.get("/api/session").json()["name"] == "anna"
    assert attacker.get(theirs).status_code == 401  # nor twice


def test_what_comes_twice_in_an_address_does_not_count(browser: TestClient) -> None:
    back = at_provider(browser.get("/login/oidc").headers["location"], "Anna")
    assert browser.get(f"{back}&code=another").status_code == 401


def test_a_code_that_the_provider_did_not_give_signs_nobody_in(browser: TestClient, house: Appliance) -> None:
    back = at_provider(browser.get("/login/oidc").headers["location"], "Anna")
    refused = browser.get(re.sub("code=[^&]+", "code=invented", back))
    assert (refused.status_code, "did not confirm this sign-in" in refused.text) == (401, True)
    failed = entries(house, SignInFailed)[0]
    assert (failed.door, failed.reason, failed.name) == ("oidc", "not_signed_in", "")


def test_a_flood_from_an_address_fills_no_record_and_keeps_nobody_out_who_is_vouched_for(
    served: Any, house: Appliance
) -> None:
    address, brake = "192.0.2.77", house.sessions.brake
    for number in range(50):
        brake.count(Attempt.at_the_door(f"guess-{number}", address))
    for _ in range(5):
        brake.count(Attempt.by_single_sign_on(address))
    browser = TestClient(served, base_url=US, follow_redirects=False, client=(address, 50_000))
    assert browser.post("/login", data={"name": "local-admin", "password": PASSWORD}).status_code == 429
    size = house.log.size()
    back = at_provider(browser.get("/login/oidc").headers["location"], "Anna")
    assert browser.get(re.sub("code=[^&]+", "code=invented", back)).status_code == 401
    assert house.log.size() == size
    assert sign_on(browser, "Anna").status_code == 200
    assert browser.get("/api/session").json()["name"] == "anna"


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("both", 403, "both admin and compliance officer"),
        ("guest", 403, "no group of yours there"),
        ("reader", 409, "somebody else has that name here"),
        ("nobody-there", 401, "did not sign you in"),
    ],
)
def test_who_may_not_come_in_is_told_why(
    browser: TestClient, house: Appliance, name: str, status: int, words: str
) -> None:
    refused = sign_on(browser, name)
    assert (refused.status_code, words in refused.text) == (status, True)
    assert browser.get("/api/session").status_code == 401
    assert entries(house, SignInFailed)[0].door == "oidc"


def test_a_role_comes_from_the_group_that_is_named_for_it(browser: TestClient) -> None:
    sign_on(browser, "ops")
    assert browser.get("/api/session").json()["roles"] == ["admin", "employee"]
    assert browser.get("/api/people").status_code == 200


def test_somebody_disabled_here_stays_out_whatever_the_provider_says(browser: TestClient, house: Appliance) -> None:
    sign_on(browser, "ops")
    ops = next(person for person in house.accounts.people() if person.name == "ops")
    house.accounts.set_disabled(ops.id, disabled=True)
    assert browser.get("/api/session").status_code == 401
    assert "disabled here" in sign_on(browser, "ops").text
    house.accounts.set_disabled(ops.id, disabled=False)


def test_signing_out_leads_to_the_providers_own_signing_out(browser: TestClient, issuer: str) -> None:
    sign_on(browser, "Anna")
    left = browser.post("/logout")
    address = re.search('content="0;url=([^"]+)"', left.text)
    assert address is not None
    assert address[1].startswith(f"{issuer}/session/end?client_id=strongroom&amp;post_logout_redirect_uri=http")
    assert browser.get("/api/session").status_code == 401
    assert httpx.get(address[1].replace("&amp;", "&"), trust_env=False).status_code == 200


def test_passwords_are_for_admins_alone_where_that_is_set(browser: TestClient, house: Appliance) -> None:
    refused = browser.post("/login", data={"name": "reader", "password": PASSWORD})
    assert (refused.status_code, "Only administrators" in refused.text) == (403, True)
    assert browser.post("/api/session", json={"name": "reader", "password": PASSWORD}).status_code == 403
    assert browser.get("/api/session").status_code == 401
    assert browser.post("/login", data={"name": "local-admin", "password": PASSWORD}).status_code == 303
    assert entries(house, SignInFailed)[0].reason == "access_denied"


def test_a_browser_that_keeps_no_cookies_is_told_so_and_goes_round_in_no_circle(served: Any) -> None:
    told = TestClient(served, base_url=US, follow_redirects=False).get("/login/arrived")
    assert "did not keep the cookie" in told.text
    assert "http-equiv" not in told.text


def test_the_doctor_tells_how_the_provider_and_the_proxy_are(house: Appliance) -> None:
    provider, proxy = *doctor._single_sign_on(house), *doctor._trusted_header(house)  # the others take their time
    assert (provider.status, "2 keys" in provider.detail) == (doctor.Status.OK, True)
    assert proxy.status is doctor.Status.OK
    open_to_all = TrustedHeaderSettings(user_header="X-Remote-User", proxies=("10.0.0.0/8",))
    careless = house.settings.model_copy(update={"trusted_header": open_to_all})
    (warning,) = doctor._trusted_header(replace(house, settings=careless))
    assert (warning.status, "the proxy's own address" in warning.remedy) == (doctor.Status.WARNING, True)


def proxied(served: Any, peer: str = PROXY, **headers: str) -> TestClient:
    """A browser behind the proxy, or one that pretends to be; underscores in names are hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return TestClient(served, base_url=US, follow_redirects=False, client=(peer, 4711), headers=sent)


def named(who: str, **more: str) -> dict[str, str]:
    return {"X_Remote_User": who, "X_Proxy_Secret": PROXY_SECRET, **more}


def test_the_proxy_signs_somebody_in(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("Paula", X_Remote_Groups="hr, board,"))
    assert window.get("/").headers["location"] == "/login"
    assert 'content="0;url=/login/arrived?next=ask"' in window.get("/login?next=ask").text
    assert 'content="0;url=/login/arrived"' in window.get("/login?next=//evil.example").text
    arrival = window.get("/login", headers={b"X-Remote-Name": "Paula Überall".encode()})
    assert 'content="0;url=/login/arrived"' in arrival.text
    me = window.get("/api/session").json()
    assert me == {**me, "name": "paula", "display_name": "Paula Überall", "groups": ["board", "hr"]}
    assert entries(house, SignedIn)[0].door == "header"
    screens = TestClient(served, base_url=US)  # as the screens ask: from this machine, with the cookie alone
    screens.cookies.update(window.cookies)
    assert screens.get("/api/session").json()["name"] == "paula"
    assert "not at the reverse proxy" in window.post("/logout").text


def test_a_header_alone_opens_no_route_of_the_api(served: Any) -> None:
    assert proxied(served, **named("paula")).get("/api/session").status_code == 401


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.0.0.9", named("paula")),
        ("127.0.0.1", named("paula")),
        ("testclient", named("paula")),
        ("10.0.0.9", {**named("paula"), "X_Forwarded_For": PROXY}),
        ("10.0.0.9", {"X_Remote_Groups": "board"}),
        ("10.0.0.9", {"X_Proxy_Secret": PROXY_SECRET}),
        (PROXY, {"X_Remote_User": "paula"}),
        (PROXY, {"X_Remote_User": "paula", "X_Proxy_Secret": "guessed"}),
        (PROXY, {"X_Remote_User": "paula", "X_Proxy_Secret": ""}),
    ],
)
def test_a_header_from_elsewhere_or_without_the_secret_is_refused_on_every_path(
    served: Any, peer: str, headers: dict[str, str]
) -> None:
    window = proxied(served, peer, **headers)
    window.cookies.set("strongroom_session", "x" * 43, domain="127.0.0.1", path="/")
    for path in ("/", "/login", "/api/session", "/api/ready", "/v1/models", "/login/oidc"):
        refused = window.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
        assert "strongroom_session" not in refused.headers.get("set-cookie", "")
        assert "content-security-policy" in refused.headers


def test_a_refused_header_is_on_record_and_a_flood_of_them_is_not(served: Any, house: Appliance) -> None:
    before = house.log.size()
    for _ in range(5):
        proxied(served, "10.9.9.9", **named("paula")).get("/login")
    assert house.log.size() == before + 1
    assert (entries(house, SignInFailed)[0].door, entries(house, SignInFailed)[0].origin) == ("header", "10.9.9.9")


async def asked(served: Any, headers: list[tuple[str, str]]) -> tuple[int, dict[bytes, bytes]]:
    """What comes back for exactly these headers: a client would make one of two that are called the same."""
    raw = [(name.lower().encode(), value.encode()) for name, value in [("Host", "127.0.0.1"), *headers]]
    answered: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        answered.append(message)

    line = {"type": "http", "method": "GET", "path": "/login", "raw_path": b"/login", "query_string": b""}
    around = {"scheme": "http", "http_version": "1.1", "root_path": "", "server": ("127.0.0.1", 8600)}
    await served({**line, **around, "headers": raw, "client": (PROXY, 1)}, receive, send)
    return answered[0]["status"], dict(answered[0]["headers"])


@pytest.mark.parametrize(
    "extra",
    [
        [("X-Remote-User", "mallory")],
        [("x-remote-user", "paula")],
        [("X_Remote_User", "mallory")],
        [("X-Remote_User", "mallory")],
        [("X_Remote_Groups", "admins")],
        [("X-Remote-Groups", "a"), ("X-Remote-Groups", "admins")],
        [("X-Proxy-Secret", PROXY_SECRET)],
    ],
)
def test_a_header_that_comes_twice_or_in_disguise_is_refused(served: Any, extra: list[tuple[str, str]]) -> None:
    good = [("X-Remote-User", "paula"), ("X-Proxy-Secret", PROXY_SECRET)]
    for headers in (good + extra, extra + good):
        status, answered = asyncio.run(asked(served, headers))
        assert (status, b"set-cookie" in answered) == (403, False)
    assert asyncio.run(asked(served, good))[0] == 200


def test_the_address_is_the_peers_own_even_where_forwarded_addresses_are_believed(house: Appliance) -> None:
    believing = house.settings.model_copy(
        update={"server": house.settings.server.model_copy(update={"trust_forwarded_for": True})}
    )
    served = create_headless_app(replace(house, settings=believing))
    forged = proxied(served, "127.0.0.1", **named("paula"), X_Forwarded_For=PROXY)
    assert forged.get("/login").status_code == 403
    assert proxied(served, **named("paula"), X_Forwarded_For="10.9.9.9").get("/login").status_code == 200


def test_the_same_proxy_is_known_by_its_address_in_ipv6_too(served: Any) -> None:
    assert "arrived" in proxied(served, f"::ffff:{PROXY}", **named("paula")).get("/login").text
    assert proxied(served, "::ffff:10.0.0.9", **named("paula")).get("/login").status_code == 403


def test_a_request_of_the_proxy_that_names_nobody_is_nobodys(served: Any) -> None:
    for headers in ({}, named(""), named("  ")):
        window = proxied(served, **headers)
        assert "<form" in window.get("/login").text
        assert window.get("/api/session").status_code == 401


@pytest.mark.parametrize("name", ["päula", "kelvin\u212a", "a b", "x" * 65, "../paula", "reader", "local-admin"])
def test_a_name_that_cannot_be_one_or_is_somebody_elses_signs_nobody_in(served: Any, name: str) -> None:
    window = proxied(served)
    headers = {b"X-Remote-User": name.encode(), b"X-Proxy-Secret": PROXY_SECRET.encode()}
    refused = window.get("/login", headers=headers)
    assert refused.status_code in (409, 422)
    assert window.get("/api/session").status_code == 401


def test_who_changes_at_the_proxy_does_not_go_on_as_who_was_there_before(served: Any) -> None:
    window = proxied(served, **named("paula", X_Remote_Groups="board"))
    window.get("/login")
    window.headers["X-Remote-User"] = "quentin"
    assert window.get("/").headers["location"] == "/login"
    refused = window.get("/api/session")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in")
    window.headers["X-Remote-Groups"] = ""
    window.get("/login")
    assert window.get("/api/session").json()["name"] == "quentin"
    assert window.get("/api/session").json()["groups"] == []


def test_a_session_that_is_not_finished_is_not_taken_over_at_the_proxy_either(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("petra", X_Remote_Groups="board"))
    window.get("/login")
    petra = house.accounts.of_directory("header", "petra")
    assert petra is not None
    with closing(database_in(house.folder)) as database, database.write() as connection:
        connection.execute(update(people).where(people.c.id == petra.id).values(must_change_password=True))
    assert window.get("/password").status_code == 200
    window.headers["X-Remote-User"] = "quentin"
    refused = window.get("/password")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in")


def test_the_door_of_uploads_goes_by_the_header_of_that_very_request(served: Any) -> None:
    window = proxied(served, **named("ricarda", X_Remote_Groups="admins"))
    window.get("/login")
    behind = window.put("/_stcore/upload_file/a/b")
    assert behind.text == "Not Found"  # said by what is behind the door: there are no screens in this application
    window.headers["X-Remote-Groups"] = "hr"
    assert window.put("/_stcore/upload_file/a/b").json()["message"] == "There is nothing here."


def is_written(statement: str) -> bool:
    """Whether a statement changes something."""
    return not statement.startswith(("SELECT", "PRAGMA", "BEGIN"))


def renewed(house: Appliance, name: str) -> list[str]:
    """What is on record of a person's groups and sessions since they were made known, the latest first."""
    acts = [act for act in entries(house, AdminAction) if act.subject == name]
    return [f"{act.action} {act.detail}" for act in acts if act.action != "person.made_known"]


@pytest.mark.parametrize(("who", "fewer"), [("rita", "hr"), ("ria", "hr,"), ("rosa", ""), ("rike", None)])
def test_fewer_groups_in_the_header_count_in_the_session_that_is_open(
    served: Any, house: Appliance, who: str, fewer: str | None
) -> None:
    window = proxied(served, **named(who, X_Remote_Groups="hr,board,admins"))
    window.get("/login")
    screens = TestClient(served, base_url=US)  # its open page: from this machine, with the cookie alone
    screens.cookies.update(window.cookies)
    assert screens.get("/api/people").status_code == 200
    if fewer is None:
        del window.headers["X-Remote-Groups"]
    else:
        window.headers["X-Remote-Groups"] = fewer
    left = ["hr"] if fewer and "hr" in fewer else []
    for client in (window, screens):
        me = client.get("/api/session").json()
        assert (me["groups"], me["roles"]) == (left, ["employee"])
        assert client.get("/api/people").status_code == 403
    (told,) = renewed(house, who)
    assert told == f"person.renewed directory: header; roles: employee; groups: {''.join(left)}"


def test_more_groups_in_the_header_count_too(served: Any) -> None:
    window = proxied(served, **named("ralf", X_Remote_Groups="hr"))
    window.get("/login")
    window.headers["X-Remote-Groups"] = "board,hr"
    assert window.get("/api/session").json()["groups"] == ["board", "hr"]


def test_the_header_counts_for_a_token_and_for_the_page_that_opens_a_websocket(served: Any, house: Appliance) -> None:
    headers = named("rosi", X_Remote_Groups="hr,admins")
    window = proxied(served, **headers)
    window.get("/login")
    person = house.accounts.of_directory("header", "rosi")
    assert person is not None
    token = house.sessions.issue_token(person.id, "test", timedelta(days=1))
    program = proxied(served, **named("rosi", X_Remote_Groups="hr"), Authorization=f"Bearer {token}")
    assert program.get("/v1/models").status_code == 200
    assert house.sessions.authenticate(token, kind=TokenKind.API).groups == {"hr"}
    window.headers["X-Remote-Groups"] = ""
    with pytest.raises(WebSocketDisconnect), window.websocket_connect(STREAM):
        pass  # there are no screens in this application
    assert house.sessions.authenticate(token, kind=TokenKind.API).groups == set()


def test_groups_by_which_nobody_may_sign_in_end_the_session(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("rolf", X_Remote_Groups="hr"))
    window.get("/login")
    screens = TestClient(served, base_url=US)
    screens.cookies.update(window.cookies)
    window.headers["X-Remote-Groups"] = "hr,admins,auditors"
    assert window.get("/api/session").status_code == screens.get("/api/session").status_code == 401
    assert "both admin and compliance" in window.get("/login").text
    (told,) = renewed(house, "rolf")
    assert told.startswith("person.signed_out directory: header; sessions ended: 1; what it gave them counts for")
    window.headers["X-Remote-Groups"] = "hr"
    assert window.get("/api/session").status_code == 401
    window.get("/login")
    assert window.get("/api/session").json()["groups"] == ["hr"]


def test_nothing_is_written_while_the_groups_are_the_same(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("runa", X_Remote_Groups="hr,board"))
    window.headers["X-Remote-Groups"] = "hr,board," + "x" * 300  # one that can be none here
    window.get("/login")
    size = house.log.size()
    with executed(is_written) as statements:
        for groups in ("hr,board", " board , hr,", "board,hr,hr," + "x" * 300):
            window.headers["X-Remote-Groups"] = groups
            assert window.get("/api/session").json()["groups"] == ["board", "hr"]
    assert (statements, house.log.size()) == ([], size)
    window.headers["X-Remote-Groups"] = "hr"
    with executed(is_written) as statements:
        window.get("/api/session")
    assert statements


def test_who_is_disabled_gets_nothing_back_by_the_header(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("ruth", X_Remote_Groups="hr"))
    window.get("/login")
    person = house.accounts.of_directory("header", "ruth")
    assert person is not None
    house.accounts.set_disabled(person.id, disabled=True)
    window.headers["X-Remote-Groups"] = "board"
    assert window.get("/api/session").status_code == 401
    assert house.accounts.person(person.id).told_groups == {"hr"}
    assert renewed(house, "ruth") == []


def test_a_local_admin_signs_in_past_the_proxy(served: Any) -> None:
    window = proxied(served, **named("paula"))
    assert "<form" in window.get("/login?local").text
    window.post("/login", data={"name": "local-admin", "password": PASSWORD})
    assert window.get("/api/session").json()["name"] == "local-admin"


def test_the_proxy_cannot_make_anybody_admin_and_compliance_officer(served: Any) -> None:
    refused = proxied(served, **named("rosa", X_Remote_Groups="admins,auditors")).get("/login")
    assert (refused.status_code, "both admin and compliance" in refused.text) == (403, True)


def test_a_websocket_with_a_forged_header_is_closed(served: Any) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        proxied(served, "10.0.0.9", **named("paula")).websocket_connect(STREAM),
    ):
        pass
    assert closed.value.code == 1008


def test_the_directory_of_a_door_that_is_closed_again_counts_for_nothing(served: Any, house: Appliance) -> None:
    window = proxied(served, **named("paula", X_Remote_Groups="board"))
    window.get("/login")
    assert window.get("/api/session").json()["groups"] == ["board"]
    terms = [state for state in house.accounts.directories() if state.name == "header"]
    house.accounts.set_directories(())
    try:
        me = proxied(served)
        me.cookies.update(window.cookies)
        assert (me.get("/api/session").json()["groups"], me.get("/api/session").json()["roles"]) == ([], [])
    finally:
        house.accounts.set_directories([DirectoryTerms(name, name, terms[0].max_age_s) for name in ("oidc", "header")])


def test_the_routes_are_not_there_where_nothing_is_configured(house: Appliance) -> None:
    plain = house.settings.model_copy(update={"oidc": OidcSettings(), "trusted_header": TrustedHeaderSettings()})
    served = create_headless_app(replace(house, settings=plain, sign_on=None))
    window = TestClient(served, base_url=US, follow_redirects=False)
    assert window.get("/login/oidc").status_code == window.get("/login/oidc/return").status_code == 404
    assert window.post("/login/oidc/signed-out", data={"logout_token": "x"}).status_code == 404
    assert "Sign in with" not in window.get("/login").text
    assert urlsplit(str(window.get("/login", headers={"X-Remote-User": "paula"}).url)).path == "/login"
    assert window.get("/api/session", headers={"X-Remote-User": "paula"}).status_code == 401
