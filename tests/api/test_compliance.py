"""Acts that need two compliance officers, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.domain import Role
from appliance.wiring import Appliance
from tests.api.conftest import PASSWORD, Client


@pytest.fixture(scope="module")
def other_officer(appliance: Appliance) -> str:
    """The account id of a second officer."""
    return appliance.accounts.add("officer-2", PASSWORD, (Role.COMPLIANCE,), ()).id


def _waiting(officer: Client, proposal: str) -> dict[str, Any] | None:
    """One proposal of the list, which other tests' proposals may be in as well."""
    listed = [waiting for waiting in officer.get("/api/compliance/proposals").json() if waiting["id"] == proposal]
    assert len(listed) <= 1
    return listed[0] if listed else None


def test_what_another_officer_proposed_is_listed_and_decided_once(
    appliance: Appliance, client: Client, other_officer: str
) -> None:
    made = appliance.four_eyes.propose(other_officer, "test.acted", "thing-1", "There is a reason.", "a thing")
    officer = client("compliance")
    waiting = _waiting(officer, made.id)
    assert waiting is not None
    assert (waiting["proposed_by"], waiting["own"]) == ("officer-2", False)
    assert waiting["reason"] == "There is a reason."
    path = f"/api/compliance/proposals/{made.id}/decision"
    assert officer.post(path, json={"approve": True}).json() == {"id": made.id, "outcome": "approved"}
    assert officer.post(path, json={"approve": True}).status_code == 409
    assert _waiting(officer, made.id) is None


def test_an_officer_sees_their_own_proposal_and_cannot_decide_it(appliance: Appliance, client: Client) -> None:
    me = next(person.id for person in appliance.accounts.people() if person.name == "compliance")
    made = appliance.four_eyes.propose(me, "test.acted", "thing-2", "There is a reason.")
    officer = client("compliance")
    waiting = _waiting(officer, made.id)
    assert waiting is not None
    assert waiting["own"] is True
    answer = officer.post(f"/api/compliance/proposals/{made.id}/decision", json={"approve": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
