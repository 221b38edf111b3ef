"""Accounts over the API and the two pages for one's own: what an admin may do, and what nobody may do to themselves."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from appliance.audit.entries import AdminAction
from appliance.audit.records import LogFilter
from appliance.auth.identity import DirectoryTerms, Identity
from appliance.auth.second_factor import STEP_S, totp
from appliance.config import ModelSettings, Provider, ServerSettings, Settings, SignInSettings
from appliance.domain import EVERYONE, Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.test_roles import ALLOWED, call

PASSWORD = "copper lantern under nine stairs"
CHOSEN = "a password of their own"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance of its own, in which compliance officers need a second factor."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        sign_in=SignInSettings(second_factor_roles=(Role.COMPLIANCE,)),
    )
    with opened(settings) as built:
        built.accounts.add("admin", PASSWORD, (Role.ADMIN,), ("board",))
        yield built


@pytest.fixture(scope="module")
def app(house: Appliance) -> object:
    return create_headless_app(house)


@pytest.fixture(scope="module")
def admin(house: Appliance, app: object) -> TestClient:
    made = browser_of(app)
    made.cookies.set("strongroom_session", house.sessions.sign_in("admin", PASSWORD, "127.0.0.1").token)
    return made


@pytest.fixture
def browser(app: object) -> TestClient:
    return browser_of(app)


def browser_of(app: object) -> TestClient:
    return TestClient(app, base_url="http://testserver", follow_redirects=False)  # type: ignore[arg-type]


def add(admin: TestClient, name: str, **wanted: object) -> dict[str, str]:
    answer = admin.post("/api/people", json={"name": name, "roles": ["employee"], **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def settle(house: Appliance, name: str, role: Role = Role.EMPLOYEE) -> str:
    """Somebody who has chosen their password already; the id of their account."""
    return house.accounts.add(name, CHOSEN, (role,), ()).id


def log_in(browser: TestClient, name: str, password: str, code: str = "") -> str:
    """Where the browser is sent, empty when it is refused."""
    answer = browser.post("/login", data={"name": name, "password": password, "code": code})
    return answer.headers.get("location", "")


def person(admin: TestClient, name: str) -> dict[str, object]:
    return next(found for found in admin.get("/api/people").json() if found["name"] == name)


def acts(house: Appliance) -> list[tuple[str, str]]:
    return [(act.action, act.subject) for act in on_record(house)]


def on_record(house: Appliance) -> list[AdminAction]:
    entries = [item.entry for item in house.log.entries(LogFilter(type=AdminAction.type), limit=50)]
    return [entry for entry in entries if isinstance(entry, AdminAction)]


def test_a_password_that_an_admin_handed_over_is_changed_before_anything_else(
    admin: TestClient, browser: TestClient, house: Appliance
) -> None:
    handed_over = add(admin, "newcomer")["password"]
    assert person(admin, "newcomer")["must_change_password"]
    assert log_in(browser, "newcomer", handed_over) == "/password"
    for path in ("/api/session", "/api/account", "/api/documents", "/v1/models"):
        refused = browser.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "password_change_required")
    assert "New password again" in browser.get("/password").text
    assert "Somebody else set your password." in browser.get("/password").text
    form = {"old": handed_over, "new": CHOSEN, "again": CHOSEN + "!"}
    assert "in two ways" in browser.post("/password", data=form).text
    assert browser.post("/password", data=form | {"old": "wrong", "again": CHOSEN}).status_code == 401
    assert "at least 12" in browser.post("/password", data={"old": handed_over, "new": "x", "again": "x"}).text
    before = browser.cookies["strongroom_session"]
    assert "Back to your account" not in browser.get("/password").text  # it is not open yet
    assert browser.post("/password", data=form | {"again": CHOSEN}).headers["location"] == "/"
    assert browser.cookies["strongroom_session"] != before
    assert "Somebody else" not in browser.get("/password").text
    for path in ("/password", "/second-factor"):
        assert '<a href="/account">Back to your account</a>' in browser.get(path).text
    assert browser.get("/api/session").json()["name"] == "newcomer"
    assert ("password.changed", "newcomer") in acts(house)
    assert not person(admin, "newcomer")["must_change_password"]


def test_the_page_that_somebody_came_for_is_reached_past_a_password_change_and_a_second_factor(
    admin: TestClient, browser: TestClient
) -> None:
    handed_over = add(admin, "aimed", roles=["compliance"])["password"]
    form = {"name": "aimed", "password": handed_over, "next": "cases"}
    assert browser.post("/login", data=form).headers["location"] == "/password?next=cases"
    factor = browser.get("/second-factor?next=cases").text
    assert "/account" not in factor  # it is not open yet
    assert '<a href="/password?next=cases">Change your password first</a>' in factor
    field = '<input name="next" type="hidden" value="cases">'
    change = {"old": handed_over, "new": CHOSEN, "again": "another", "next": "cases"}
    for page in (browser.get("/password?next=cases"), browser.post("/password", data=change)):
        assert field in page.text
    changed = browser.post("/password", data=change | {"again": CHOSEN})
    assert changed.headers["location"] == "/second-factor?next=cases"
    page = browser.get("/second-factor?next=cases").text
    assert field in page
    assert "/account" not in page
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page)
    assert found is not None
    code = totp(found[1].replace(" ", ""), int(time.time()) // STEP_S)
    assert field in browser.post("/second-factor", data={"code": "no code", "next": "cases"}).text
    done = browser.post("/second-factor", data={"code": code, "next": "cases"}).text
    assert '<a href="/cases">I have noted them. Continue</a>' in done
    browser.post("/logout")
    assert browser.get("/password?next=cases").headers["location"] == "/login?next=cases"


@pytest.mark.parametrize(
    ("number", "goal"), enumerate(["//evil.example", "https://evil.example", "cases/../x", "nowhere", '"><b>'])
)
def test_no_step_leads_to_what_is_none_of_the_pages(
    admin: TestClient, browser: TestClient, number: int, goal: str
) -> None:
    handed_over = add(admin, f"lured-{number}")["password"]
    log_in(browser, f"lured-{number}", handed_over)
    assert 'name="next"' not in browser.get("/password", params={"next": goal}).text
    form = {"old": handed_over, "new": CHOSEN, "again": CHOSEN, "next": goal}
    assert browser.post("/password", data=form).headers["location"] == "/"


def test_who_must_change_their_password_may_sign_out_and_change_it_over_the_api(
    admin: TestClient, browser: TestClient
) -> None:
    handed_over = add(admin, "scripted")["password"]
    log_in(browser, "scripted", handed_over)
    assert browser.delete("/api/session").status_code == 204
    log_in(browser, "scripted", handed_over)
    assert browser.post("/logout").headers["location"] == "/login"
    log_in(browser, "scripted", handed_over)
    assert browser.post("/api/session/password", json={"old": handed_over, "new": CHOSEN}).json()["name"] == "scripted"
    assert browser.get("/api/account").json()["directory"] == ""


def test_nothing_else_is_open_to_somebody_whose_sign_in_is_not_finished(
    admin: TestClient, browser: TestClient, app: object, house: Appliance
) -> None:
    log_in(browser, "unready", add(admin, "unready", roles=["employee", "compliance"])["password"])
    settle(house, "unproven", Role.COMPLIANCE)
    other = browser_of(app)
    log_in(other, "unproven", CHOSEN)
    open_to_them = {"DELETE /api/session", "POST /api/session/password"}
    for route in sorted(set(ALLOWED) - open_to_them):
        assert call(browser, route).json()["code"] == "password_change_required", route
        assert call(other, route).json()["code"] == "second_factor_required", route
    assert call(other, "POST /api/session/password").status_code == 422
    assert call(other, "DELETE /api/session").status_code == 204


def test_the_pages_of_one_s_own_account_lead_strangers_to_the_sign_in_page(browser: TestClient) -> None:
    for path in ("/password", "/second-factor"):
        assert browser.get(path).headers["location"] == "/login"
        assert browser.post(path, data={"code": "000000"}).headers["location"] == "/login"
    evil = {"Origin": "https://evil.example"}
    assert browser.post("/second-factor/remove", data={}, headers=evil).status_code == 403


def test_a_role_that_needs_a_second_factor_sets_it_up_first_and_then_signs_in_with_it(
    admin: TestClient, browser: TestClient, app: object, house: Appliance
) -> None:
    settle(house, "officer", Role.COMPLIANCE)
    assert log_in(browser, "officer", CHOSEN) == "/second-factor"
    assert browser.get("/api/session").json()["code"] == "second_factor_required"
    page = browser.get("/second-factor")
    assert "<svg" in page.text
    assert "<script" not in page.text
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert found is not None
    secret = found[1].replace(" ", "")
    assert browser.post("/second-factor", data={"code": "no code"}).status_code == 422
    step = int(time.time()) // STEP_S
    done = browser.post("/second-factor", data={"code": totp(secret, step)})
    codes = re.findall(r"<li>([a-z2-9-]{19})</li>", done.text)
    assert len(codes) == 10
    assert browser.get("/api/session").status_code == 200
    assert secret not in browser.get("/second-factor").text.replace(" ", "")
    assert ("second_factor.set_up", "officer") in acts(house)

    other = browser_of(app)
    assert log_in(other, "officer", CHOSEN) == ""
    wrong = other.post("/api/session", json={"name": "officer", "password": CHOSEN, "code": totp(secret, step)})
    assert wrong.status_code == 401  # used up
    assert log_in(other, "officer", CHOSEN, codes[0]) == "/"
    assert other.post("/second-factor/remove", data={"code": codes[0]}).status_code == 401
    assert person(admin, "officer")["second_factor"]
    house.sessions.second_factors.remove(str(person(admin, "officer")["id"]))
    assert other.get("/api/session").json()["code"] == "second_factor_required"


def test_an_act_that_fails_is_on_record_as_failed(
    admin: TestClient, browser: TestClient, app: object, house: Appliance
) -> None:
    settle(house, "taken")
    assert admin.post("/api/people", json={"name": "taken", "roles": ["employee"]}).status_code == 409
    log_in(browser, "taken", CHOSEN)
    assert browser.post("/password", data={"old": "wrong", "new": PASSWORD, "again": PASSWORD}).status_code == 401
    assert browser.post("/second-factor", data={"code": "000000"}).status_code == 422
    assert browser.post("/second-factor/remove", data={"code": "000000"}).status_code == 303  # there was none
    assert browser.post("/password", data={"old": CHOSEN, "new": PASSWORD, "again": PASSWORD}).status_code == 303
    told = [(act.action, act.error) for act in reversed(on_record(house)) if act.subject == "taken"]
    assert told == [
        ("person.added", ""), ("person.added", "conflict"),
        ("password.changed", ""), ("password.changed", "not_signed_in"),
        ("second_factor.set_up", ""), ("second_factor.set_up", "invalid_request"),
        ("second_factor.removed", ""),
        ("password.changed", ""),
    ]  # fmt: skip


def test_a_change_that_is_refused_is_not_half_done(admin: TestClient, house: Appliance) -> None:
    key, before = settle(house, "mover"), house.log.size()
    wanted = {"roles": ["employee", "admin"], "groups": ["project x"], "clearance": "no such level"}
    assert admin.patch(f"/api/people/{key}", json=wanted).status_code == 422
    found = person(admin, "mover")
    assert (found["roles"], found["groups"]) == (["employee"], [])
    assert house.log.size() == before


def test_an_admin_sees_a_pause_and_lifts_it(admin: TestClient, browser: TestClient, house: Appliance) -> None:
    key = settle(house, "clumsy")
    for _ in range(5):
        log_in(browser, "clumsy", "not the password")
    assert 0 < float(str(person(admin, "clumsy")["paused_s"])) <= 300
    assert admin.post(f"/api/people/{key}/unlock").json()["paused_s"] == 0
    assert log_in(browser, "clumsy", CHOSEN) == "/"
    assert ("person.unlocked", "clumsy") in acts(house)


def test_a_group_that_nothing_has_yet_is_taken_and_named(admin: TestClient, house: Appliance) -> None:
    made = add(admin, "speller", groups=["board", "bord"])
    assert made["new_groups"] == ["bord"]
    address = f"/api/people/{made['id']}"
    assert admin.patch(address, json={"groups": ["bord", "borad"]}).json()["new_groups"] == ["borad"]
    assert admin.patch(address, json={"groups": ["board", EVERYONE]}).json()["new_groups"] == []
    assert admin.patch(address, json={"roles": ["employee"]}).json()["new_groups"] == []


def test_nobody_changes_their_own_rights(admin: TestClient, house: Appliance) -> None:
    key = person(admin, "admin")["id"]
    size = house.log.size()
    for wanted in ({"groups": ["board", "hr"]}, {"roles": ["admin", "employee"]}, {"disabled": True}):
        refused = admin.patch(f"/api/people/{key}", json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
        assert "another administrator" in refused.json()["message"]
    assert admin.post(f"/api/people/{key}/password", json={}).status_code == 403
    assert admin.delete(f"/api/people/{key}/second-factor").status_code == 403
    assert house.log.size() == size
    assert person(admin, "admin")["groups"] == ["board"]


def test_a_program_holds_tokens_that_an_admin_makes_and_a_person_makes_their_own(
    admin: TestClient, browser: TestClient, app: object
) -> None:
    robot = add(admin, "robot", service=True, roles=["admin"])
    assert (robot["service"], robot["password"]) == (True, "")
    path = f"/api/people/{robot['id']}/tokens"
    made = admin.post(path, json={"label": "nightly", "scopes": ["ingest"]})
    assert made.status_code == 201
    program = browser_of(app)
    program.headers["Authorization"] = f"Bearer {made.json()['token']}"
    assert program.get("/api/sources").status_code == 200
    assert program.get("/api/people").status_code == 403
    assert program.post(path, json={"label": "more", "scopes": ["people"]}).status_code == 403
    [listed] = admin.get(path).json()
    assert listed["scopes"] == ["ingest"]
    assert admin.delete(f"{path}/{listed['id']}").status_code == 204
    assert program.get("/api/sources").status_code == 401
    somebody = add(admin, "somebody")
    refused = admin.post(f"/api/people/{somebody['id']}/tokens", json={"label": "as them"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_where_each_membership_came_from_is_told_to_admins_and_to_the_person(
    admin: TestClient, browser: TestClient, house: Appliance
) -> None:
    house.accounts.set_directories([DirectoryTerms("corp", "ldap", 3600)])
    anne = Identity("corp", "1", "anne", "Anne", frozenset({"finance"}), frozenset({Role.EMPLOYEE}))
    session = house.sessions.open_for(anne)
    assert admin.patch(f"/api/people/{session.principal.id}", json={"groups": ["project x"]}).status_code == 200
    told = [
        {"group": "finance", "origin": "corp", "counts": True},
        {"group": "project x", "origin": "", "counts": True},
    ]
    assert person(admin, "anne")["memberships"] == told
    browser.cookies.set("strongroom_session", session.token)
    assert browser.get("/api/account").json()["memberships"] == told
    assert "kept elsewhere" in browser.get("/password").text
    assert "signs in with a password" in browser.get("/second-factor").text
    house.accounts.directory_failed("corp", "It does not answer.")
    [corp] = admin.get("/api/directories").json()
    assert (corp["problem"], corp["configured"]) == ("It does not answer.", True)
    house.accounts.set_directories([])
    assert [one["counts"] for one in person(admin, "anne")["memberships"]] == [False, True]  # type: ignore[attr-defined]
    assert browser.get("/api/documents").status_code == 403  # with the directory went the role it gave
