"""Labels, levels and what follows from them at every door: from the next request on, without anything being read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from appliance.access_requests import MAX_OPEN
from appliance.api.schemas.sources import LabelRuleIn, LabelRuleOut, rule_in
from appliance.audit.entries import QuestionReceived
from appliance.config import RetentionSettings
from appliance.data_folder import DataFolder
from appliance.doctor import Status, examine
from appliance.domain import EVERYONE, SAMPLES
from appliance.errors import AccessDenied, Conflict
from appliance.server import create_headless_app
from tests.api.conftest import BASE, Desk

FACT = "The vault opens at seven."


def _person(desk: Desk, name: str) -> dict[str, Any]:
    return next(person for person in desk.admin.get("/api/people").json() if person["name"] == name)


def _cleared(desk: Desk, name: str, level: str) -> None:
    answer = desk.admin.patch(f"/api/people/{_person(desk, name)['id']}", json={"clearance": level})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def secret(desk: Desk) -> Any:
    """A document for everyone who is cleared for secrets; nobody is left cleared after the test."""
    key = desk.add(desk.folder(vault__txt=FACT, __access__toml='level = "secret"'))
    desk.sync(key)
    yield key
    for name in ("employee", "hr"):
        _cleared(desk, name, "")


def test_a_clearance_acts_on_the_next_question_both_ways(desk: Desk, secret: str) -> None:
    assert not desk.finds("employee", FACT)
    _cleared(desk, "employee", "secret")
    assert desk.finds("employee", FACT)
    _cleared(desk, "employee", "confidential")
    assert not desk.finds("employee", FACT)


def test_what_a_reader_is_not_cleared_for_is_as_unknown_as_what_does_not_exist(desk: Desk, secret: str) -> None:
    document = desk.id_of(secret, "vault.txt")
    reader = desk.client("employee")
    for path in ("", "/pages/1.png"):
        foreign = reader.get(f"/api/documents/{document}{path}")
        unknown = reader.get(f"/api/documents/00000000-0000-0000-0000-000000000000{path}")
        assert (
            (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content) == (404, foreign.content)
        )
    assert document not in reader.get("/api/documents", params={"limit": 200}).text


def test_a_level_that_is_no_level_is_refused(desk: Desk) -> None:
    answer = desk.admin.patch(f"/api/people/{_person(desk, 'employee')['id']}", json={"clearance": "cosmic"})
    assert answer.json()["code"] == "invalid_request"
    assert "public, internal, confidential, secret" in answer.json()["message"]
    body = {"name": "x", "path": str(desk.folder()), "groups": [EVERYONE], "level": "cosmic"}
    assert desk.admin.post("/api/sources", json=body).json()["code"] == "invalid_request"


def test_rules_label_documents_and_a_change_of_rules_takes_them_away_before_any_sync(desk: Desk) -> None:
    rules = [{"paths": ["*.txt"], "groups": ["everyone"]}]
    key = desk.add(desk.folder(plan__txt="The plan is blue.", note__md="The note is grey."), groups=["hr"], rules=rules)
    desk.sync(key)
    assert desk.finds("employee", "The plan is blue.")
    assert not desk.finds("employee", "The note is grey.")
    with desk.appliance.runs.alone(wait_s=5):  # nothing is synced meanwhile, as behind a long run of another source
        answer = desk.admin.patch(f"/api/sources/{key}", json={"rules": [{"paths": ["*.txt"], "groups": ["hr"]}]})
        assert answer.status_code == 200, answer.text
        assert not desk.finds("employee", "The plan is blue.")
    desk.wait()
    assert not desk.finds("employee", "The plan is blue.")
    assert desk.finds("hr", "The plan is blue.")
    assert desk.files(key)["plan.txt"]["groups"] == ["hr"]


def test_raising_a_level_hides_at_once_from_those_not_cleared_and_from_nobody_else(desk: Desk) -> None:
    key = desk.add(desk.folder(tide__txt="The tide is high."))
    desk.sync(key)
    _cleared(desk, "hr", "secret")
    with desk.appliance.runs.alone(wait_s=5):
        assert desk.admin.patch(f"/api/sources/{key}", json={"level": "secret"}).status_code == 200
        assert not desk.finds("employee", "The tide is high.")
        assert desk.finds("hr", "The tide is high.")
    desk.wait()
    assert desk.finds("hr", "The tide is high.")
    _cleared(desk, "hr", "")
    assert not desk.finds("hr", "The tide is high.")


def test_where_the_share_is_to_say_nobody_sees_until_it_has_said(desk: Desk) -> None:
    folder = desk.folder(rain__txt="The rain is warm.")
    (folder / "rain.txt").chmod(0o644)
    folder.chmod(0o755)
    key = desk.add(folder)
    desk.sync(key)
    share = {"kind": "posix", "groups": {"others": "hr"}}
    assert desk.admin.patch(f"/api/sources/{key}", json={"share": share}).status_code == 200
    desk.wait()
    assert not desk.finds("employee", "The rain is warm.")
    assert desk.finds("hr", "The rain is warm.")
    (folder / "rain.txt").chmod(0o640)
    desk.sync(key)
    assert not desk.finds("hr", "The rain is warm.")
    assert desk.states(key) == {"rain.txt": "indexed"}  # it was not read again to become nobody's


def test_what_is_uploaded_has_no_rights_on_a_share(desk: Desk) -> None:
    body = {"name": "Box", "kind": "uploads", "groups": [EVERYONE], "share": {"kind": "posix"}}
    assert desk.admin.post("/api/sources", json=body).json()["code"] == "invalid_request"


def test_why_a_document_is_seen_is_explained_without_a_word_of_it(desk: Desk) -> None:
    folder = desk.folder(pay__txt="A carpenter earns nine.")
    key = desk.add(folder, groups=["board"], rules=[{"paths": ["pay*"], "groups": ["hr", "law"], "level": "internal"}])
    desk.sync(key)
    document = desk.id_of(key, "pay.txt")
    told = desk.admin.get(f"/api/access/documents/{document}")
    found = told.json()
    assert found["grounds"] == [{"group": group, "by": "rule 1 of the source"} for group in ("hr", "law")]
    assert (found["groups"], found["level"], found["level_by"]) == (["hr", "law"], "internal", "rule 1 of the source")
    assert found["people"] == [{"name": name, "groups": ["hr"]} for name in ("hr", "hr-admin")]
    assert (found["acts_later"], found["found"], found["problem"], found["unread"]) == (False, True, "", "")
    assert "carpenter" not in told.text
    (folder / "pay.txt.access.toml").write_text("groups = []")
    later = desk.admin.get(f"/api/access/documents/{document}").json()
    assert (later["acts_later"], later["groups"]) == (True, ["hr", "law"])
    assert later["problem"] == "Nobody is named by the access file 'pay.txt.access.toml'."
    assert desk.admin.get("/api/access/documents/unknown").status_code == 404


def test_why_nobody_sees_a_document_says_that_reading_it_failed(desk: Desk) -> None:
    folder = desk.folder(broken__pdf="%PDF-1.7 and no more")
    key = desk.add(folder, groups=["hr"])
    desk.sync(key)
    found = desk.admin.get(f"/api/access/documents/{desk.id_of(key, 'broken.pdf')}").json()
    assert not found["found"]
    assert found["unread"] == next(
        file["reason"] for file in desk.admin.get("/api/files", params={"source_id": key}).json()["files"]
    )
    assert found["unread"]


def test_a_reader_is_told_through_which_of_their_groups_they_see_a_document(desk: Desk) -> None:
    key = desk.add(desk.folder(b__txt="Bees are busy."), groups=["hr", "law"])
    desk.sync(key)
    reader = desk.client("hr")
    detail = reader.get(f"/api/documents/{desk.id_of(key, 'b.txt')}")
    assert (detail.json()["groups"], detail.json()["level"]) == (["hr"], "internal")
    listed = reader.get("/api/documents", params={"text": "b.txt"})
    assert [document["groups"] for document in listed.json()["documents"]] == [["hr"]]
    assert "law" not in detail.text + listed.text  # who else sees it is for admins


def test_an_admin_sees_what_a_person_may_see_and_what_groups_would_and_never_what_it_says(desk: Desk) -> None:
    key = desk.add(desk.folder(hr__txt="# Ants are strong."), groups=["hr"], level="confidential")
    desk.sync(key)
    name = desk.name(key)
    person = _person(desk, "hr")["id"]
    without = desk.admin.get(f"/api/access/people/{person}").json()
    assert name not in {count["source"] for count in without["counts"]}
    assert (without["clearance"], without["clearance_by"]) == ("internal", "the default")
    _cleared(desk, "hr", "confidential")
    having = desk.admin.get(f"/api/access/people/{person}", params={"limit": 500})
    found = having.json()
    assert {"source": name, "level": "confidential", "documents": 1} in found["counts"]
    assert found["memberships"] == [{"group": "hr", "origin": "", "counts": True}]
    assert found["total"] == sum(count["documents"] for count in found["counts"])
    listed = next(document for document in found["documents"] if document["source"] == name)
    assert (listed["path"], listed["level"], listed["groups"]) == ("hr.txt", "confidential", ["hr"])
    assert "Ants" not in having.text
    _cleared(desk, "hr", "")
    preview = desk.admin.get("/api/access/preview", params={"group": ["hr"], "clearance": "confidential"}).json()
    assert preview["counts"] == found["counts"]
    assert desk.admin.get("/api/access/preview", params={"clearance": "cosmic"}).status_code != 200
    assert "access.looked_up" in desk.actions()


def test_a_program_is_given_nothing_above_the_level_that_may_leave(desk: Desk, secret: str) -> None:
    allowed = desk.add(desk.folder(wolf__txt="The wolf is tame."), level="confidential")
    desk.sync(allowed)
    _cleared(desk, "employee", "secret")
    reader, program = desk.client("employee"), TestClient(create_headless_app(desk.appliance), base_url=BASE)
    wanted = {"label": "export", "scopes": ["ask", "library"]}
    program.headers["Authorization"] = f"Bearer {reader.post('/api/tokens', json=wanted).json()['token']}"
    for asker, sees_secrets in ((reader, True), (program, False)):
        found = asker.get("/api/documents", params={"limit": 200}).text
        assert ("vault.txt" in found, "wolf.txt" in found) == (sees_secrets, True)
    for asker in (reader, program):  # that door leads out of the screens whoever comes through it
        answers = [
            asker.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": words}]}).text
            for words in ("When does the vault open?", "Is the wolf tame?")
        ]
        assert (FACT in answers[0], "The wolf is tame." in answers[1]) == (False, True)


def test_what_was_asked_is_on_record_with_the_groups_and_levels_it_was_asked_with(desk: Desk) -> None:
    assert desk.client("hr").post("/api/ask", json={"question": "Who?"}).status_code == 200
    recorded = (item.entry for item in reversed(desk.appliance.log.entries(limit=20)))
    asked = [entry for entry in recorded if isinstance(entry, QuestionReceived)][-1]
    assert (asked.groups, asked.levels) == ((EVERYONE, "hr"), ("internal", "public"))


def test_asking_for_a_group_says_nothing_of_it_and_approval_acts_on_the_next_question(desk: Desk) -> None:
    key = desk.add(desk.folder(owl__txt="The owl is awake."), groups=["night watch"])
    desk.sync(key)
    reader = desk.client("employee")
    asked = [reader.post("/api/access/requests", json={"group": name}) for name in ("night watch", "no such group")]
    assert {(answer.status_code, answer.content) for answer in asked} == {(204, b"")}
    waiting = {item["group"]: item for item in desk.admin.get("/api/access/requests").json()}
    assert waiting.keys() == {"night watch", "no such group"}
    assert not desk.finds("employee", "The owl is awake.")
    for group, approved in (("night watch", True), ("no such group", False)):
        decision = {"approved": approved, "answer": "As agreed."}
        address = f"/api/access/requests/{waiting[group]['id']}"
        assert desk.admin.post(address, json=decision).status_code == 200
        assert desk.admin.post(address, json=decision).json()["code"] == "conflict"
    assert desk.finds("employee", "The owl is awake.")
    mine = {item["group"]: item["approved"] for item in reader.get("/api/access/requests/mine").json()}
    assert mine == {"night watch": True, "no such group": False}
    assert desk.client("hr").get("/api/access/requests/mine").json() == []
    assert ("access.approved", "employee", "groups: night watch") in desk.acts()
    desk.admin.patch(f"/api/people/{_person(desk, 'employee')['id']}", json={"groups": []})
    assert not desk.finds("employee", "The owl is awake.")


def test_a_request_says_something_and_nobody_piles_them_up_or_decides_on_their_own(desk: Desk) -> None:
    assert desk.client("hr").post("/api/access/requests", json={}).status_code == 422
    requests = desk.appliance.requests
    person = _person(desk, "hr-admin")["id"]
    for number in range(MAX_OPEN):
        requests.ask(person, "", f"{number}")
    with pytest.raises(Conflict, match="wait for an answer"):
        requests.ask(person, "", "one more")
    own = requests.of(person)[0].id
    with pytest.raises(AccessDenied, match="asked for themselves"):
        requests.decide(own, person, approved=True, answer="")
    for item in requests.of(person):
        requests.decide(item.id, "somebody else", approved=False, answer="")
    assert requests.waiting() == []


def test_the_doctor_names_groups_that_documents_are_for_and_nobody_is_in(desk: Desk) -> None:
    key = desk.add(desk.folder(plan__txt="The plan is blue.", __access__toml='groups = ["finnance"]'))
    desk.sync(key)
    told = [
        check for check in examine(desk.appliance) if check.name == "empty groups" and check.status is Status.WARNING
    ]
    assert any("'finnance'" in check.detail and "misspelt" in check.remedy for check in told)
    assert not any("'hr'" in check.detail for check in told)


def test_the_doctor_warns_of_no_group_that_is_in_the_samples_alone(desk: Desk) -> None:
    def told() -> list[tuple[Status, str]]:
        return [(check.status, check.detail) for check in examine(desk.appliance) if check.name == "empty groups"]

    files = {"plan__txt": "The plan is blue.", "__access__toml": 'groups = ["treasury"]'}
    desk.sync(desk.add(desk.folder(**files), name=SAMPLES))
    assert told() == [(Status.OK, "the samples alone are for groups that nobody is in, to show it: 'treasury'")]
    desk.sync(desk.add(desk.folder(**files)))
    assert told() == [(Status.WARNING, "documents are for groups that nobody is in: 'treasury'")]


def test_a_part_that_the_system_lets_nobody_look_at_gives_a_check(desk: Desk, tmp_path: Path) -> None:
    before = examine(desk.appliance)
    checks = examine(replace(desk.appliance, folder=DataFolder(tmp_path / "gone")))
    (failed,) = [check for check in checks if check.name == "data folder"]
    assert (failed.status, failed.detail) == (Status.ERROR, "could not be examined (FileNotFoundError)")
    assert failed.remedy
    assert [check.name for check in checks] == [check.name for check in before]


def test_the_doctor_names_groups_with_a_profile_of_retention_that_nobody_is_in(desk: Desk) -> None:
    def told(*groups: str) -> list[str]:
        kept = RetentionSettings(groups=dict.fromkeys(groups, "bank"))
        settings = desk.appliance.settings.model_copy(update={"retention": kept})
        checks = examine(replace(desk.appliance, settings=settings))
        return [check.detail for check in checks if check.name == "retention"]

    assert told() == ["no profile is set: questions and answers are kept for ever"]
    assert told("traiding", "everyone") == ["has profiles for groups that nobody is in: 'traiding'"]
    assert told("everyone") == ["groups with a profile: 1"]


def test_a_rule_in_one_line_says_the_same_as_its_fields() -> None:
    for rule in (
        LabelRuleOut(paths=["hr/**", "**/*.{key,pem}"], groups=["hr", "a@b"], level="secret"),
        LabelRuleOut(paths=["x/**"], groups=[]),
        LabelRuleOut(paths=["x/**"], level="public"),
        LabelRuleOut(paths=["x=>y/**"], groups=["hr"]),
    ):
        assert LabelRuleIn.model_validate(rule_in(str(rule))).model_dump() == rule.model_dump()
    with pytest.raises(ValidationError):
        LabelRuleIn.model_validate(rule_in("hr/** hr"))
