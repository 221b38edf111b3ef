"""A request that does not fit is answered in plain words, without what was sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.api.app import create_api
from appliance.invalid import MEANT_BY
from appliance.wiring import Appliance
from tests.api.conftest import Desk, write

pytestmark = pytest.mark.integration


def patterns_in(value: object) -> Iterator[str]:
    """Every pattern in a JSON schema."""
    if isinstance(value, dict):
        yield from (inner for name, inner in value.items() if name == "pattern" and isinstance(inner, str))
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from patterns_in(inner)


def test_every_pattern_of_the_api_is_told_by_what_it_means(appliance: Appliance) -> None:
    patterns = set(patterns_in(create_api(appliance).openapi()))
    assert patterns
    assert patterns <= MEANT_BY.keys()


def test_no_two_types_of_the_api_share_a_name(appliance: Appliance) -> None:
    named = create_api(appliance).openapi()["components"]["schemas"]
    assert "DrawnAnswerOut" in named
    assert [name for name in named if "__" in name] == []  # FastAPI tells them apart by their modules


def test_a_wrong_request_is_answered_in_plain_words(desk: Desk) -> None:
    body = {"name": "Policies", "path": "/srv", "groups": ["hr", "<h/r>"], "kind": "xml"}
    answer = desk.admin.post("/api/sources", json=body)
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        "The request is not valid: 'groups (number 2)' must be 1 to 100 letters, digits, spaces and signs of . @ _ -; "
        "'kind' must be 'folder' or 'uploads'."
    )
    answer = desk.admin.get("/api/files", params={"limit": "many"})
    assert answer.json()["message"] == "The request is not valid: 'limit' must be a whole number."
    answer = desk.admin.post("/api/sources", content=b"{", headers={"Content-Type": "application/json"})
    assert "is not valid JSON" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "said"), [('{"question": "Für wen?"}'.encode("latin-1"), "not valid UTF-8"), (b"[" * 50_000, "too deeply")]
)
def test_a_body_that_cannot_be_read_is_told_in_plain_words(desk: Desk, body: bytes, said: str) -> None:
    for door in ("/api/ask", "/v1/chat/completions"):
        answer = desk.admin.post(door, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["code"] == "invalid_request"
        assert said in answer.json()["message"]


def test_another_spelling_of_a_group_is_refused_wherever_a_group_is_given(desk: Desk) -> None:
    folder = desk.folder(a__txt="The archive moves in May.")
    body = {"name": "Papers", "path": str(folder), "groups": ["HR"]}
    person = {"name": "novice", "roles": ["employee"], "groups": ["Hr"]}
    key = desk.add(folder, groups=["hr"])
    novice = next(person["id"] for person in desk.admin.get("/api/people").json() if person["name"] == "employee")
    for answer in (
        desk.admin.post("/api/sources", json=body | {"path": str(desk.folder())}),
        desk.admin.patch(f"/api/sources/{key}", json={"groups": ["hr", "HR"]}),
        desk.admin.post("/api/people", json=person),
        desk.admin.patch(f"/api/people/{novice}", json={"groups": ["HR"]}),
    ):
        assert answer.status_code == 422, answer.text
        assert "Write 'hr'." in answer.json()["message"]
    assert "person.added" not in desk.actions()
    assert desk.sync(key)["counts"] == {"indexed": 1}
    assert (desk.finds("employee", "archive moves"), desk.finds("hr", "archive moves")) == (False, True)


def test_groups_that_differ_in_an_access_file_alone_are_named_by_the_doctor(desk: Desk) -> None:
    folder = desk.folder(a__txt="The archive moves in May.")
    write(folder / "a.txt.access.toml", 'groups = ["HR"]')
    desk.sync(desk.add(folder))
    assert not desk.finds("hr", "archive moves")  # what is written is what counts
    checks = {check["name"]: check for check in desk.admin.get("/api/health").json()["checks"]}
    assert checks["groups"]["status"] == "warning"
    assert "'HR' and 'hr'" in checks["groups"]["detail"]
