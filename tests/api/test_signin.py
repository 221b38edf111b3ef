"""The sign-in page, the cookie, signing out, and the brake on guessing."""

from __future__ import annotations

import html
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from starlette.testclient import TestClient

from appliance.api.log_wire import event_out
from appliance.api.schemas.pages import PAGES
from appliance.audit.entries import SignedIn, SignedOut, SignInFailed
from appliance.audit.records import LogFilter
from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.domain import Role, text_sha256
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened

PASSWORD = "copper lantern under nine stairs"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance of its own, with the brake as it ships."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("testserver",), secure_cookie=True),
        model=ModelSettings(provider=Provider.NONE),
    )
    with opened(settings) as built:
        built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        built.accounts.add("other", PASSWORD, (Role.EMPLOYEE,), ())
        yield built


@pytest.fixture
def browser(fresh: Appliance) -> TestClient:
    return TestClient(create_headless_app(fresh), base_url="https://testserver", follow_redirects=False)


def log_in(browser: TestClient, name: str, password: str) -> int:
    return browser.post("/login", data={"name": name, "password": password}).status_code


def test_signing_in_sets_a_cookie_no_script_and_no_other_site_can_use(browser: TestClient, fresh: Appliance) -> None:
    response = browser.post("/login", data={"name": "READER", "password": PASSWORD})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" in cookie
    assert "path=/" in cookie
    assert browser.get("/api/session").json()["name"] == "reader"
    assert any(isinstance(item.entry, SignedIn) for item in fresh.log.entries(LogFilter(type=SignedIn.type)))


def test_a_new_session_never_takes_over_a_cookie_that_was_there(browser: TestClient) -> None:
    browser.cookies.set("__Host-strongroom_session", "planted", domain="testserver.local", path="/")
    browser.post("/login", data={"name": "reader", "password": PASSWORD})
    assert browser.cookies.get("__Host-strongroom_session", path="/") != "planted"


def test_signing_out_ends_the_session_on_the_server(browser: TestClient, fresh: Appliance) -> None:
    log_in(browser, "reader", PASSWORD)
    token = browser.cookies["__Host-strongroom_session"]
    response = browser.post("/logout")
    assert response.headers["location"] == "/login"
    browser.cookies.set("__Host-strongroom_session", token)
    assert browser.get("/api/session").status_code == 401
    assert any(isinstance(item.entry, SignedOut) for item in fresh.log.entries(LogFilter(type=SignedOut.type)))
    assert browser.post("/logout").status_code == 303  # twice is no error


def test_the_api_signs_in_and_out_too(browser: TestClient) -> None:
    response = browser.post("/api/session", json={"name": "reader", "password": PASSWORD})
    assert response.json()["roles"] == ["employee"]
    assert browser.delete("/api/session").status_code == 204
    assert browser.get("/api/session").status_code == 401


def test_a_wrong_password_and_an_unknown_name_look_the_same(browser: TestClient, fresh: Appliance) -> None:
    wrong = browser.post("/login", data={"name": "other", "password": "not the password"})
    unknown = browser.post("/login", data={"name": "nobody", "password": "not the password"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace('value="other"', 'value="nobody"') == unknown.text  # each as it was typed
    assert "wrong" in wrong.text
    failed = fresh.log.entries(LogFilter(type=SignInFailed.type))
    assert failed
    assert "nobody" not in repr(failed)


def test_a_refused_sign_in_keeps_the_name_that_was_typed(browser: TestClient) -> None:
    typed = "\"><script>alert(1)</script> O'Neil &quot; $message"

    def fields(page: str) -> list[dict[str, str | None]]:
        found: list[dict[str, str | None]] = []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, attrs: found.append(dict(attrs)) if tag == "input" else None  # type: ignore[method-assign]
        parser.feed(page)
        return found

    refused = browser.post("/login", data={"name": typed, "password": "not the password", "code": "123"})
    name, password, code = fields(refused.text)
    assert name["value"] == typed
    assert "<script" not in refused.text
    assert not {"value"} & (password.keys() | code.keys())
    assert ["autofocus" in field for field in (name, password)] == [False, True]
    name, password, _ = fields(browser.get("/login").text)
    assert (name["value"], "autofocus" in name, "autofocus" in password) == ("", True, False)


def test_a_refused_sign_in_is_on_record_of_the_account_and_else_by_a_hash_of_what_was_typed(
    browser: TestClient, fresh: Appliance
) -> None:
    known = {(holding.person, holding.month) for holding in fresh.log.holdings()}
    late = fresh.accounts.add("late", PASSWORD, (Role.EMPLOYEE,), ())
    for name in ("Late", "nobody.at.all"):
        assert log_in(browser, name, "not the password") == 401
    unknown, refused = fresh.log.entries(LogFilter(type=SignInFailed.type), limit=2)
    assert isinstance(refused.entry, SignInFailed) and isinstance(unknown.entry, SignInFailed)
    assert (refused.entry.actor, refused.entry.name) == (late.id, "")
    assert (unknown.entry.actor, unknown.entry.name) == ("", text_sha256("nobody.at.all"))
    shown = event_out(fresh, refused, {late.name: late.id})
    assert (shown.actor, shown.detail) == (fresh.pseudonyms.of(late.id), "reason: not signed in")
    # as erasure goes by it: hers, and nothing of the keys that were made for the time it takes
    made = {(holding.person, holding.month) for holding in fresh.log.holdings()} - known
    assert {person for person, _ in made} <= {late.id, ""} and late.id in {person for person, _ in made}


def test_guessing_is_braked_and_the_right_password_does_not_help(browser: TestClient) -> None:
    for _ in range(5):
        assert log_in(browser, "braked", "guess number one") == 401
    response = browser.post("/login", data={"name": "braked", "password": PASSWORD})
    assert response.status_code == 429
    assert "Wait" in response.text
    api = browser.post("/api/session", json={"name": "braked", "password": PASSWORD})
    assert (api.status_code, api.json()["code"]) == (429, "too_many_attempts")
    assert int(api.headers["retry-after"]) > 0


def test_guesses_of_a_stranger_do_not_keep_somebody_from_their_own_account(
    fresh: Appliance, browser: TestClient
) -> None:
    stranger = TestClient(create_headless_app(fresh), base_url="https://testserver", client=("192.0.2.66", 50_000))
    assert log_in(browser, "other", PASSWORD) == 303
    for _ in range(5):
        assert log_in(stranger, "other", "guess number one") == 401
    assert log_in(stranger, "other", PASSWORD) == 429
    assert log_in(browser, "other", PASSWORD) == 303
    for _ in range(5):
        assert log_in(browser, "other", "guess number one") == 401  # behind one address with the stranger
    changed = browser.post("/api/session/password", json={"old": PASSWORD, "new": "quince harbour ladder eleven"})
    assert changed.status_code == 200


def test_refusals_during_a_pause_do_not_fill_the_log(browser: TestClient, fresh: Appliance) -> None:
    for _ in range(6):
        log_in(browser, "flooder", "guess number one")
    size = fresh.log.size()
    for _ in range(20):
        assert log_in(browser, "flooder", "guess number one") == 429
    assert fresh.log.size() == size


def test_tokens_are_made_in_a_session_listed_revoked_and_on_record(browser: TestClient, fresh: Appliance) -> None:
    log_in(browser, "reader", PASSWORD)
    size = fresh.log.size()
    token = browser.post("/api/tokens", json={"label": "nightly report", "days": 2}).json()["token"]
    assert fresh.log.size() == size + 1
    [listed] = browser.get("/api/tokens").json()
    assert listed["label"] == "nightly report"
    assert token not in str(listed)
    bearer = {"Authorization": f"Bearer {token}"}
    program = TestClient(create_headless_app(fresh), base_url="https://testserver")
    assert program.get("/v1/models", headers=bearer).status_code == 200
    assert program.post("/api/tokens", json={"label": "another"}, headers=bearer).status_code == 403
    assert browser.delete(f"/api/tokens/{listed['id']}").status_code == 204
    assert program.get("/v1/models", headers=bearer).status_code == 401
    assert browser.delete(f"/api/tokens/{listed['id']}").status_code == 404


def test_what_a_proxy_says_in_its_own_authorization_header_decides_nothing(
    browser: TestClient, fresh: Appliance
) -> None:
    wanted = {"label": "report", "days": 1}
    basic = {"Authorization": "Basic YW5uZTpzZWNyZXQ="}
    assert browser.get("/api/account", headers=basic).status_code == 401
    browser.post("/login", data={"name": "reader", "password": PASSWORD})
    assert browser.get("/api/account", headers=basic).json()["name"] == "reader"
    assert browser.post("/api/tokens", json=wanted, headers=basic).status_code == 201
    token = browser.post("/api/tokens", json=wanted).json()["token"]
    for shown in (token, fresh.operator_token, "sr_forged"):  # whatever cookie comes along
        bearer = {"Authorization": f"Bearer {shown}"}
        assert browser.post("/api/tokens", json=wanted, headers=bearer).status_code in (401, 403)
        assert browser.get("/api/account", headers=bearer).status_code in (401, 403)


def test_the_page_carries_no_script_and_shows_messages_as_text(browser: TestClient) -> None:
    page = browser.get("/login")
    assert "<script" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    refused = browser.post("/login", data={"name": "<img src=x onerror=alert(1)>", "password": "x"})
    assert "<img" not in refused.text


@pytest.mark.parametrize("page", PAGES)
def test_the_sign_in_leads_to_the_page_that_somebody_came_for(browser: TestClient, page: str) -> None:
    asked = browser.get("/login", params={"next": page})
    assert f'<input name="next" type="hidden" value="{page}">' in asked.text
    form = {"name": "reader", "password": PASSWORD, "next": page}
    refused = browser.post("/login", data={**form, "password": "wrong"})
    assert f'<input name="next" type="hidden" value="{page}">' in refused.text
    assert browser.post("/login", data=form).headers["location"] == f"/{page}"


@pytest.mark.parametrize(
    "hostile",
    ["//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:alert(1)", "%2F%2Fevil.example",
     "/%2Fevil.example", "%252F%252Fevil.example", "/library", "library/", "library@evil.example", "library\r\nX-Evil: 1", "library ",
     "library?next=//evil.example", "admin?admin-tab=evil", "admin?admin-tab=Health&x=evil", "admin?x=evil", "cases?case=evil",
     "compliance?admin-tab=Health", "admin?admin-tab=Health#evil", "library?", "../library", ".evil.example", "LIBRARY", "login", "logout", "api/session", "", "\t//evil.example"],
)  # fmt: skip
def test_the_sign_in_leads_nowhere_else(browser: TestClient, hostile: str) -> None:
    for address in ({"next": hostile}, [("next", "ask"), ("next", hostile)]):
        page = browser.get("/login", params=address)
        assert page.status_code == 200
        assert 'name="next"' not in page.text
        assert "evil" not in page.text
    form = {"name": "reader", "password": PASSWORD, "next": hostile}
    answer = browser.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    for step in ("/login", "/login/arrived"):
        onward = browser.get(step, params={"next": hostile})
        assert (onward.status_code, onward.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "goal", ["admin?admin-tab=Access&access-view=Why+a+document+is+seen", "review?reviews-tab=Second+officer"]
)
def test_a_goal_names_the_part_of_its_page_that_is_open(browser: TestClient, fresh: Appliance, goal: str) -> None:
    assert f'name="next" type="hidden" value="{html.escape(goal)}"' in browser.get("/login", params={"next": goal}).text
    form = {"name": "reader", "password": PASSWORD, "next": goal}
    assert browser.post("/login", data=form).headers["location"] == f"/{goal}"
    assert browser.get("/login", params={"next": goal}).headers["location"] == f"/{goal}"
    name = goal.partition("?")[0]
    fresh.accounts.add(name, PASSWORD, (Role.EMPLOYEE,), (), must_change=True)
    first = browser.post("/login", data={**form, "name": name}).headers["location"]
    assert first == f"/password?next={quote_plus(goal)}"
    assert html.escape(goal) in browser.get(first).text


def test_a_goal_written_as_it_stands_in_an_address_is_no_other(browser: TestClient) -> None:
    for written in (
        "next=//evil.example",
        "next=%2F%2Fevil.example",
        "next=/%5Cevil.example",
        "next[]=ask",
        "NEXT=ask",
    ):
        assert 'name="next"' not in browser.get(f"/login?{written}").text
    assert 'name="next"' in browser.get("/login?next=%61sk").text  # "ask"


def test_who_is_signed_in_is_not_asked_to_sign_in_again(browser: TestClient) -> None:
    assert browser.get("/login").status_code == 200
    log_in(browser, "reader", PASSWORD)
    assert browser.get("/login").headers["location"] == "/"
    assert browser.get("/login?next=library").headers["location"] == "/library"
    assert "Password" in browser.get("/login?local").text  # a local admin, past the reverse proxy
    browser.post("/logout")
    assert "Password" in browser.get("/login").text
    browser.cookies.set("__Host-strongroom_session", "of nobody", domain="testserver.local", path="/")
    assert "Password" in browser.get("/login").text


def test_whose_sign_in_is_not_finished_is_led_to_what_is_to_be_done(browser: TestClient, fresh: Appliance) -> None:
    fresh.accounts.add("new", PASSWORD, (Role.EMPLOYEE,), (), must_change=True)
    form = {"name": "new", "password": PASSWORD, "next": "library"}
    assert browser.post("/login", data=form).headers["location"] == "/password?next=library"
    assert browser.get("/login").headers["location"] == "/password"


def test_a_browser_that_asks_for_an_icon_gets_none_and_no_error(browser: TestClient) -> None:
    assert browser.get("/favicon.ico").status_code == 204


def test_a_page_without_a_session_leads_to_the_sign_in(browser: TestClient) -> None:
    response = browser.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/login")


def test_a_form_of_another_site_is_refused(browser: TestClient) -> None:
    response = browser.post(
        "/login", data={"name": "reader", "password": PASSWORD}, headers={"Origin": "https://evil.example"}
    )
    assert response.status_code == 403
    assert browser.post("/logout", headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize("body", [b"", b"name=a", b"name=" + b"x" * 100_000, b"\xff\xfe=\x00"])
def test_a_mangled_form_gets_a_page_and_no_traceback(browser: TestClient, body: bytes) -> None:
    response = browser.post("/login", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert response.status_code in (400, 401, 413, 422, 429)
    assert "Traceback" not in response.text


def test_no_log_no_session(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
    )
    with opened(settings) as built:
        built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        client = TestClient(create_headless_app(built), base_url="http://testserver", follow_redirects=False)
        built.log.close()
        response = client.post("/login", data={"name": "reader", "password": PASSWORD})
        assert response.status_code == 503
        assert "set-cookie" not in response.headers
        built.log.__init__(built.log.path)  # type: ignore[misc] - opened again, so that stopping can be recorded
