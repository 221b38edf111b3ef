"""Accounts of compliance officers over the API: no administrator makes or changes one alone, once there are two."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.auth.accounts import Accounts
from appliance.auth.second_factor import STEP_S, totp
from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.domain import Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened

PASSWORD = "copper lantern under nine stairs"
HANDED_OVER = "seven silent herons at dusk"
EVERY_WAY = ["password", "second factor", "enabled", "roles"]
WHY = "Her phone was lost, she came by in person."


class House:
    """An appliance, and a browser for each of its people."""

    def __init__(self, appliance: Appliance) -> None:
        self.appliance = appliance
        self._served = create_headless_app(appliance)
        self._sessions: dict[str, str] = {}

    def add(self, name: str, *roles: Role) -> str:
        return self.appliance.accounts.add(name, PASSWORD, roles, ()).id

    def id_of(self, name: str) -> str:
        return self.appliance.accounts.named(name).id

    def at(self, name: str = "") -> TestClient:
        """A browser in which somebody of this name is signed in; nobody for an empty one."""
        made = TestClient(self._served, base_url="http://testserver", follow_redirects=False)
        if name and name not in self._sessions:
            self._sessions[name] = self.appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token
        if name:
            made.cookies.set("strongroom_session", self._sessions[name])
        return made

    def set_up_a_second_factor(self, name: str) -> None:
        factors, person = self.appliance.sessions.second_factors, self.id_of(name)
        factors.confirm(person, totp(factors.begin(person), int(time.time()) // STEP_S))

    def asked(self, admin: str, name: str) -> str:
        """Ask that an account may be made or changed; the id of the proposal."""
        asked = self.at(admin).post("/api/people/agreements", json={"name": name, "reason": WHY})
        assert asked.status_code == 202, asked.text
        return str(self.waiting(name)["id"])

    def waiting(self, name: str) -> dict[str, object]:
        """What waits about an account, as an officer sees it."""
        listed = self.at("anna").get("/api/compliance/proposals").json()
        return dict(next(item for item in listed if item["subject"] == name.casefold()))

    def decided(self, officer: str, proposal: str, *, approve: bool = True) -> int:
        body = {"approve": approve}
        return self.at(officer).post(f"/api/compliance/proposals/{proposal}/decision", json=body).status_code

    def taken_over(self, admin: str, name: str, password: str) -> TestClient:
        """A browser of an administrator who set the password of that account, and then signed in and changed it."""
        given = {"password": HANDED_OVER}
        assert self.at(admin).post(f"/api/people/{self.id_of(name)}/password", json=given).status_code == 200
        return self.signed_in_anew(name, HANDED_OVER, password)

    def signed_in_anew(self, name: str, given: str, password: str) -> TestClient:
        """A browser in which somebody signed in with the password they were given, and then chose one."""
        browser = self.at()
        signed_in = browser.post("/api/session", json={"name": name, "password": given})
        assert signed_in.status_code == 200, signed_in.text
        assert browser.get("/api/account").json()["code"] == "password_change_required"
        changed = browser.post("/api/session/password", json={"old": given, "new": password})
        assert changed.status_code == 200, changed.text
        self._sessions[name] = browser.cookies["strongroom_session"]
        return browser

    def what_gets_at(self, name: str) -> dict[str, tuple[str, str, dict[str, object] | None]]:
        """Every request with which an administrator could become an officer of that name."""
        path = f"/api/people/{self.id_of(name)}"
        return {
            "password": ("POST", f"{path}/password", {"password": HANDED_OVER}),
            "second factor": ("DELETE", f"{path}/second-factor", None),
            "enabled": ("PATCH", path, {"disabled": False}),
            "roles": ("PATCH", path, {"roles": ["employee"]}),
        }

    def refusals(self, admin: str, name: str) -> list[str]:
        found = {
            what: self.at(admin).request(method, path, json=body)
            for what, (method, path, body) in self.what_gets_at(name).items()
        }
        return [what for what, answer in found.items() if answer.status_code == 403 and "agrees first" in answer.text]


@contextmanager
def house_of(folder: Path, *, admins: Sequence[str], officers: Sequence[str]) -> Iterator[House]:
    """An appliance in a folder, with these people."""
    settings = Settings(
        data_dir=folder / "data",
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
    )
    with opened(settings) as built:
        made = House(built)
        for role, names in ((Role.ADMIN, admins), (Role.COMPLIANCE, officers)):
            for name in names:
                made.add(name, role)
        yield made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two administrators, one officer and an employee."""
    with house_of(tmp_path_factory.mktemp("house"), admins=("adam", "ada"), officers=("anna",)) as made:
        made.add("erin", Role.EMPLOYEE)
        yield made


@pytest.fixture(scope="module")
def staffed(house: House) -> House:
    """The same with two more officers, one of whom has a second factor."""
    for name in ("berta", "carla"):
        house.add(name, Role.COMPLIANCE)
    house.set_up_a_second_factor("carla")
    return house


def test_while_a_house_is_set_up_an_administrator_makes_its_officers(house: House) -> None:
    admin, officer = house.at("adam"), house.id_of("anna")
    assert admin.patch(f"/api/people/{officer}", json={"roles": ["employee"]}).status_code == 200
    assert admin.patch(f"/api/people/{officer}", json={"roles": ["compliance"]}).status_code == 200
    house.appliance.accounts.set_password(officer, PASSWORD)  # as she would have to do first, now that she is one
    assert admin.delete(f"/api/people/{officer}/second-factor").status_code == 200


def test_nobody_who_makes_accounts_becomes_an_officer_alone(staffed: House) -> None:
    admin, erin = staffed.at("adam"), staffed.id_of("erin")
    wanted = {"name": "Own-Officer", "roles": ["compliance"], "password": HANDED_OVER}
    refused = admin.post("/api/people", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
    assert "/api/people/agreements" in refused.json()["message"]
    assert admin.patch(f"/api/people/{erin}", json={"roles": ["employee", "compliance"]}).status_code == 403
    assert staffed.refusals("adam", "carla") == EVERY_WAY
    assert staffed.appliance.accounts.named("carla").totp_on
    assert "own-officer" not in [person.name for person in staffed.appliance.accounts.people()]


def test_an_officer_is_disabled_at_once_and_still_counts(staffed: House) -> None:
    admin = staffed.at("adam")
    for name in ("berta", "carla"):
        answer = admin.patch(f"/api/people/{staffed.id_of(name)}", json={"disabled": True})
        assert answer.status_code == 200
    assert admin.post("/api/people", json={"name": "own-officer", "roles": ["compliance"]}).status_code == 403
    assert staffed.refusals("adam", "carla") == EVERY_WAY
    for name in ("berta", "carla"):  # as whoever runs the machine does
        staffed.appliance.accounts.set_disabled(staffed.id_of(name), disabled=False)


def test_what_else_is_changed_about_an_officer_needs_nobody(staffed: House) -> None:
    admin, path = staffed.at("adam"), f"/api/people/{staffed.id_of('anna')}"
    changed = admin.patch(path, json={"roles": ["compliance"], "groups": ["board"]})  # as the screen sends it
    assert (changed.status_code, changed.json()["groups"]) == (200, ["board"])
    assert admin.post(f"{path}/unlock").status_code == 200
    other = admin.post("/api/people", json={"name": "newcomer", "roles": ["employee"]})
    assert admin.post(f"/api/people/{other.json()['id']}/password", json={}).status_code == 200


def test_who_asked_may_change_that_one_account_once_an_officer_agreed(staffed: House) -> None:
    proposal = staffed.asked("adam", "Carla")
    listed = staffed.waiting("carla")
    assert listed["words"] == "Make or change the account of a compliance officer"
    assert (listed["about"], listed["proposed_by"]) == ("The account 'carla', which is there", "adam")
    assert staffed.refusals("adam", "carla") == EVERY_WAY
    assert staffed.decided("anna", proposal) == 200
    [agreed] = staffed.at("adam").get("/api/people/agreements").json()
    assert (agreed["name"], agreed["reason"]) == ("carla", WHY)
    assert staffed.at("ada").get("/api/people/agreements").json() == []
    assert staffed.refusals("ada", "carla") == EVERY_WAY
    assert staffed.refusals("adam", "berta") == EVERY_WAY
    assert staffed.refusals("adam", "carla") == []
    assert staffed.appliance.accounts.named("carla").roles == {Role.EMPLOYEE}
    assert not staffed.appliance.accounts.named("carla").totp_on


def test_an_account_that_is_yet_to_be_made_is_agreed_on_by_its_name(staffed: House) -> None:
    proposal = staffed.asked("ada", "dora")
    assert staffed.waiting("dora")["about"] == "The account 'dora', which is yet to be made"
    assert staffed.decided("berta", proposal) == 200
    for name, status in (("dorothy", 403), ("Dora", 201)):
        made = staffed.at("ada").post("/api/people", json={"name": name, "roles": ["compliance"]})
        assert made.status_code == status
    browser = staffed.at()
    assert browser.post("/api/session", json={"name": "dora", "password": made.json()["password"]}).status_code == 200
    assert browser.get("/api/log/openings/mine").json()["code"] == "password_change_required"


def test_the_officer_of_the_account_does_not_decide_and_is_told_why(staffed: House) -> None:
    proposal = staffed.asked("ada", "berta")
    seen = {
        name: next(item for item in staffed.at(name).get("/api/compliance/proposals").json() if item["id"] == proposal)
        for name in ("anna", "berta")
    }
    assert {name: item["about_reader"] for name, item in seen.items()} == {"anna": False, "berta": True}
    assert [staffed.decided("berta", proposal, approve=approve) for approve in (True, False)] == [403, 403]
    staffed.appliance.accounts.set_disabled(staffed.id_of("ada"), disabled=True)
    assert staffed.decided("anna", proposal) == 409  # whoever asked may not sign in any more
    assert staffed.decided("anna", proposal, approve=False) == 200


def test_what_an_officer_refused_stays_forbidden(staffed: House) -> None:
    assert staffed.decided("berta", staffed.asked("adam", "erin"), approve=False) == 200
    path = f"/api/people/{staffed.id_of('erin')}"
    assert staffed.at("adam").patch(path, json={"roles": ["compliance"]}).status_code == 403


def test_asking_takes_a_name_that_somebody_can_have_and_a_reason(staffed: House) -> None:
    for wrong in ({"name": "no name", "reason": WHY}, {"name": "berta", "reason": " "}, {"name": "berta"}):
        assert staffed.at("adam").post("/api/people/agreements", json=wrong).status_code == 422


def test_a_password_that_somebody_else_set_is_always_changed_first(staffed: House) -> None:
    path, kept = f"/api/people/{staffed.id_of('erin')}/password", {"must_change_password": False}
    wanted = {"name": "keeper", "roles": ["employee"], "password": HANDED_OVER}
    assert staffed.at("adam").post("/api/people", json=wanted | kept).status_code == 422
    assert staffed.at("adam").post(path, json={"password": HANDED_OVER} | kept).status_code == 422
    assert staffed.at("adam").post(path, json={"password": HANDED_OVER}).json()["must_change_password"]


def test_one_agreement_about_one_officer_does_not_lead_to_the_next(staffed: House) -> None:
    staffed.add("abel", Role.ADMIN)
    for name in ("olga", "petra"):
        staffed.add(name, Role.COMPLIANCE)
    reason = {"reason": "Complaint 2026-14 of a customer"}
    staffed.at("olga").post("/api/log/openings", json=reason)
    assert staffed.at("olga").post("/api/log/exports", json=reason).status_code == 202
    [export] = [item for item in staffed.at("berta").get("/api/compliance/proposals").json() if "export" in item["act"]]
    assert staffed.decided("berta", export["id"]) == 200  # before anybody has a hand in it
    assert staffed.decided("berta", staffed.asked("adam", "olga")) == 200
    olga = staffed.taken_over("adam", "olga", "nine copper kettles in rain")
    for admin in ("adam", "abel"):
        proposal = staffed.asked(admin, "petra")
        assert [staffed.decided("olga", proposal, approve=approve) for approve in (True, False)] == [403, 403]
        assert staffed.decided("anna", proposal, approve=False) == 200
    assert olga.get("/api/account").json()["handed_over"]
    assert olga.post("/api/log/openings", json=reason).status_code == 201
    assert olga.get("/api/log/exports/mine").json()["until"] is None
    assert olga.get("/api/log/export", params={"content": True}).status_code == 403
    assert staffed.at("berta").get("/api/log/exports/mine").json()["until"] is not None


def test_an_officer_who_is_confirmed_by_another_one_signs_in_anew_and_decides_again(staffed: House) -> None:
    here = {"reason": "I am back: call me on the house telephone."}
    olga = staffed.at("olga")
    assert olga.post("/api/compliance/confirmations", json=here).status_code == 202
    asked = dict(next(item for item in olga.get("/api/compliance/proposals").json() if item["own"]))
    assert asked["about"] == "The account 'olga', which an administrator made or changed"
    assert (asked["act"], staffed.decided("olga", asked["id"])) == ("officer.confirmed", 403)
    chosen = "four grey wolves by river"
    olga = staffed.taken_over("adam", "olga", chosen)  # the agreement is good for a day
    assert staffed.decided("petra", asked["id"]) == 409  # whoever asked may not be who has it now
    assert staffed.decided("petra", asked["id"], approve=False) == 200
    assert olga.post("/api/compliance/confirmations", json=here).status_code == 202
    asked = dict(next(item for item in olga.get("/api/compliance/proposals").json() if item["own"]))
    assert staffed.decided("petra", asked["id"]) == 200
    assert olga.get("/api/account").status_code == 401
    olga = staffed.signed_in_anew("olga", chosen, "two slow barges under bridge")
    assert not olga.get("/api/account").json()["handed_over"]
    assert olga.post("/api/compliance/confirmations", json=here).status_code == 409
    assert staffed.decided("olga", staffed.asked("adam", "petra"), approve=False) == 200


def test_who_is_made_officer_signs_in_anew_and_decides_once_confirmed(staffed: House) -> None:
    staffed.add("emil", Role.EMPLOYEE)
    before = staffed.taken_over("adam", "emil", "nine copper kettles in rain")  # an employee: nobody is asked
    token = before.post("/api/tokens", json={"label": "report", "scopes": ["log"]}).json()["token"]
    proposal = staffed.asked("adam", "emil")
    assert staffed.decided("anna", proposal) == 200
    changed = staffed.at("adam").patch(f"/api/people/{staffed.id_of('emil')}", json={"roles": ["compliance"]})
    assert (changed.status_code, changed.json()["must_change_password"]) == (200, True)
    assert before.get("/api/compliance/proposals").status_code == 401
    shown = staffed.at().get("/api/log/openings/mine", headers={"Authorization": f"Bearer {token}"})
    assert shown.status_code == 401
    emil = staffed.signed_in_anew("emil", "nine copper kettles in rain", "two slow barges under bridge")
    assert emil.get("/api/account").json()["handed_over"]
    assert staffed.decided("emil", staffed.asked("adam", "petra")) == 403


def test_what_is_refused_hands_no_account_over(staffed: House) -> None:
    staffed.add("gero", Role.COMPLIANCE)
    assert staffed.decided("anna", staffed.asked("adam", "gero")) == 200
    path, admin = f"/api/people/{staffed.id_of('gero')}", staffed.at("adam")
    assert admin.post(f"{path}/password", json={"password": "gero gero gero gero"}).status_code == 422
    assert admin.patch(path, json={"roles": ["admin", "compliance"]}).status_code == 422
    assert not staffed.at("gero").get("/api/account").json()["handed_over"]
    assert staffed.decided("gero", staffed.asked("adam", "anna"), approve=False) == 200
    assert admin.delete(f"{path}/second-factor").status_code == 200
    assert staffed.at("gero").get("/api/account").json()["handed_over"]


def test_two_officers_are_left(tmp_path: Path) -> None:
    with house_of(tmp_path, admins=("adam",), officers=("anna", "berta")) as house:
        assert house.decided("anna", house.asked("adam", "berta")) == 200
        path = f"/api/people/{house.id_of('berta')}"
        refused = house.at("adam").patch(path, json={"roles": ["employee"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert "disable the account" in refused.json()["message"]
        assert house.at("adam").patch(path, json={"disabled": True}).status_code == 200
        house.appliance.accounts.set_roles(house.id_of("berta"), [Role.EMPLOYEE])  # as whoever runs the machine does
        assert house.at("adam").post("/api/people", json={"name": "dora", "roles": ["compliance"]}).status_code == 403


def test_two_officers_are_left_when_two_of_three_lose_the_role_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_of(tmp_path, admins=("adam", "ada"), officers=("anna", "berta", "carla")) as house:
        wanted = {"adam": "berta", "ada": "carla"}
        for admin, officer in wanted.items():
            assert house.decided("anna", house.asked(admin, officer)) == 200
        together, change = threading.Barrier(2), Accounts.change

        def at_once(*args: Any, **kwargs: Any) -> None:
            together.wait(30)  # so both requests have looked at how many officers there are, and neither has written
            change(*args, **kwargs)

        def taken_away(admin: str) -> int:
            path = f"/api/people/{house.id_of(wanted[admin])}"
            return house.at(admin).patch(path, json={"roles": ["employee"]}).status_code

        monkeypatch.setattr(Accounts, "change", at_once)
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(taken_away, wanted)) == [200, 409]
        assert sum(Role.COMPLIANCE in person.roles for person in house.appliance.accounts.people()) == 2
