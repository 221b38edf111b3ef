"""Sessions and tokens under attack: planted, confused, smuggled, sent by pages of other sites, brought from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.api.schemas.people import HOST_COOKIE, SESSION_COOKIE
from appliance.config import ModelSettings, Provider, ServerSettings, Settings, SignInSettings
from appliance.domain import Role, Scope
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened

PASSWORD = "copper lantern under nine stairs"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance behind TLS."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("testserver",), secure_cookie=True),
        model=ModelSettings(provider=Provider.NONE),
        sign_in=SignInSettings(max_failures=1000),
    )
    with opened(settings) as built:
        built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        yield built


@pytest.fixture(scope="module")
def app(house: Appliance) -> Any:
    return create_headless_app(house)


@pytest.fixture(scope="module")
def session(house: Appliance) -> str:
    return house.sessions.sign_in("reader", PASSWORD, "127.0.0.1").token


@pytest.fixture
def browser(app: Any) -> TestClient:
    return TestClient(app, base_url="https://testserver", follow_redirects=False)


def _person(house: Appliance) -> str:
    return house.accounts.people()[0].id


# the cookie


def test_the_cookie_is_bound_to_this_host_and_out_of_reach_of_scripts_and_sites(browser: TestClient) -> None:
    answer = browser.post("/login", data={"name": "reader", "password": PASSWORD})
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == HOST_COOKIE
    attributes = {part.strip().lower() for part in rest.split(";")[1:]}
    assert {"httponly", "secure", "path=/", "samesite=strict"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    assert browser.get("/api/session").status_code == 200


def test_signing_out_deletes_the_cookie_in_a_way_that_browsers_accept(browser: TestClient) -> None:
    browser.post("/login", data={"name": "reader", "password": PASSWORD})
    deleted = browser.post("/logout").headers["set-cookie"].lower()
    assert deleted.startswith(f'{HOST_COOKIE.lower()}="";')
    assert "; secure" in deleted
    assert "path=/" in deleted


def test_a_session_that_a_neighbour_planted_under_the_plain_name_is_none(app: Any, session: str) -> None:
    for cookie in (
        f"{SESSION_COOKIE}={session}",
        f"a=b; {SESSION_COOKIE} = {session}",
        f"{SESSION_COOKIE}={session}; x",
    ):
        answer = TestClient(app, base_url="https://testserver").get("/api/session", headers={"cookie": cookie})
        assert answer.status_code == 401


def test_beside_the_bound_cookie_a_planted_one_counts_for_nothing(app: Any, session: str) -> None:
    planted = f"{SESSION_COOKIE}={'x' * 43}"
    for cookie in (f"{HOST_COOKIE}={session}; {planted}", f"{planted}; {HOST_COOKIE}={session}"):
        answer = TestClient(app, base_url="https://testserver").get("/api/session", headers={"cookie": cookie})
        assert answer.status_code == 200


@pytest.mark.parametrize("planted", ["planted-by-somebody-else", "x" * 43, ""])
def test_a_sign_in_makes_a_session_of_its_own_whatever_the_browser_brought(browser: TestClient, planted: str) -> None:
    headers = {"cookie": f"{HOST_COOKIE}={planted}"}
    answer = browser.post("/login", data={"name": "reader", "password": PASSWORD}, headers=headers)
    token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert token not in ("", planted)
    brought = TestClient(browser.app, base_url="https://testserver")
    assert brought.get("/api/session", headers=headers).status_code == 401


def test_a_session_that_ended_stays_ended_however_it_is_brought(browser: TestClient) -> None:
    browser.post("/login", data={"name": "reader", "password": PASSWORD})
    kept = browser.cookies[HOST_COOKIE]
    browser.post("/logout")
    for headers in ({"cookie": f"{HOST_COOKIE}={kept}"}, {"authorization": f"Bearer {kept}"}):
        fresh = TestClient(browser.app, base_url="https://testserver")
        assert fresh.get("/api/session", headers=headers).status_code == 401


# one token for another


def test_no_token_is_good_for_another_purpose(house: Appliance, app: Any, session: str) -> None:
    token = house.sessions.issue_token(_person(house), "program", timedelta(hours=1), {Scope.ASK})
    confused = [
        {"cookie": f"{HOST_COOKIE}={token}"},
        {"cookie": f"{HOST_COOKIE}={house.operator_token}"},
        {"authorization": f"Bearer {session}"},
        {"authorization": f"Basic {token}"},
        {"authorization": token},
        {"authorization": f"Bearer {token}, Bearer {token}"},
        {"authorization": f"Bearer {token} "[:-8]},
        {"authorization": f"Bearer {token.upper()}"},
    ]
    for headers in confused:
        answer = TestClient(app, base_url="https://testserver").get("/v1/models", headers=headers)
        assert answer.status_code == 401, headers
    good = {"authorization": f"Bearer {token}"}
    assert TestClient(app, base_url="https://testserver").get("/v1/models", headers=good).status_code == 200


def test_a_wrong_token_is_not_made_good_by_a_cookie_beside_it(app: Any, session: str) -> None:
    both = {"cookie": f"{HOST_COOKIE}={session}", "authorization": f"Bearer sr_{'x' * 43}"}
    assert TestClient(app, base_url="https://testserver").get("/api/session", headers=both).status_code == 401


def test_the_operators_token_is_good_on_this_machine_alone(house: Appliance, app: Any) -> None:
    headers = {"authorization": f"Bearer {house.operator_token}"}

    def asked(peer: str, **more: str) -> int:
        client = TestClient(app, base_url="https://testserver", client=(peer, 50000))
        return client.get("/api/health", headers={**headers, **more}).status_code

    assert asked("127.0.0.1") == asked("::1") == 200
    assert asked("192.0.2.7") == asked("2001:db8::7") == 401
    assert asked("127.0.0.1", **{"x-forwarded-for": "192.0.2.7"}) == 401
    assert asked("192.0.2.7", **{"x-forwarded-for": "127.0.0.1"}) == 401


# requests that other pages make a browser send


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "SAME-ORIGIN", "none, same-origin"])
@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/api/session", "/api/ask", "/api/tokens", "/v1/chat/completions"]
)
def test_what_a_page_of_another_site_sends_is_refused_though_it_tells_no_origin(
    app: Any, session: str, path: str, site: str
) -> None:
    headers = {"cookie": f"{HOST_COOKIE}={session}", "sec-fetch-site": site}
    answer = TestClient(app, base_url="https://testserver").post(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")
    still = TestClient(app, base_url="https://testserver").get("/api/session", headers={"cookie": headers["cookie"]})
    assert still.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_json_in_the_clothes_of_a_form_is_not_read(app: Any, session: str, kind: str) -> None:
    headers = {"cookie": f"{HOST_COOKIE}={session}", "content-type": kind}
    client = TestClient(app, base_url="https://testserver")
    answer = client.post("/api/tokens", content=b'{"label": "planted", "scopes": ["ask"]}', headers=headers)
    assert answer.status_code == 422
    assert "planted" not in client.get("/api/tokens", headers={"cookie": headers["cookie"]}).text


@pytest.mark.parametrize(
    "headers",
    [
        {"x-http-method-override": "DELETE"},
        {"x-method-override": "DELETE"},
        {"x-original-url": "/api/people"},
        {"x-rewrite-url": "/api/people"},
        {"x-forwarded-host": "evil.example"},
        {"x-forwarded-user": "admin"},
        {"x-remote-user": "admin"},
        {"remote-user": "admin"},
    ],
)
def test_a_header_that_some_servers_obey_changes_nothing(app: Any, session: str, headers: dict[str, str]) -> None:
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    plain = client.get("/api/session", headers={"cookie": f"{HOST_COOKIE}={session}"})
    tried = client.get("/api/session", headers={"cookie": f"{HOST_COOKIE}={session}", **headers})
    assert (tried.status_code, tried.content) == (plain.status_code, plain.content) == (200, plain.content)
    assert client.get("/api/session", headers=headers).status_code == 401


def test_no_answer_of_the_api_may_be_kept_by_a_cache_or_framed(app: Any, session: str) -> None:
    answer = TestClient(app, base_url="https://testserver").get(
        "/api/session", headers={"cookie": f"{HOST_COOKIE}={session}"}
    )
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
