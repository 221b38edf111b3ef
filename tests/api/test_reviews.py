"""Curation over HTTP: what waits is seen by curators who may read the document, and by nobody else before they say so."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import pikepdf
import pytest
from sqlalchemy import delete

from appliance.auth.identity import DirectoryTerms, Identity
from appliance.catalog.tables import uploads
from appliance.domain import Role
from tests.api.conftest import PASSWORD, Desk, write
from tests.api.test_files import letter
from tests.ingest.parse.documents import archive, pdf, text_page

FIRST = "The press stands in hall four."
SECOND = "The press stands in hall nine."
LATER_NS = 1_900_000_000 * 10**9
UNKNOWN = "00000000-0000-0000-0000-00000000beef"


def pdf_with(name: str, content: str) -> bytes:
    """A PDF without a word of its own, with a file attached."""
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(lambda _: None))) as document:
        document.attachments[name] = pikepdf.AttachedFileSpec(document, content.encode(), filename=name)
        document.save(made)
    return made.getvalue()


def approve(desk: Desk, document: str, who: str = "hr-admin", **body: str) -> dict[str, object]:
    return desk.ended(desk.client(who).post(f"/api/reviews/{document}/approve", json=body or None))


def waiting(desk: Desk, who: str = "admin") -> list[str]:
    return [item["path"] for item in desk.client(who).get("/api/reviews").json()["reviews"]]


def assert_nobody_sees(desk: Desk, document: str, sentence: str) -> None:
    """Neither a question, nor the library, nor a page, a passage or a chat shows anything of the document."""
    chunk = desk.admin.get(f"/api/reviews/{document}").json()["passages"][0]["chunk_id"]
    for who in ("employee", "hr"):
        client = desk.client(who)
        assert not desk.finds(who, sentence)
        assert client.get("/api/documents").json()["total"] == 0
        assert client.get("/api/documents").json()["sources"] == []
        for path in ("/api/documents/{}", "/api/documents/{}/pages/1.png"):
            hidden, missing = (client.get(path.format(item)) for item in (document, UNKNOWN))
            assert (hidden.status_code, hidden.content) == (404, missing.content)
        chat = {"model": "strongroom", "messages": [{"role": "user", "content": sentence}]}
        token = client.post("/api/tokens", json={"label": "chat"}).json()["token"]
        answer = desk.client("compliance").post(
            "/v1/chat/completions", json=chat, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200
        assert sentence not in answer.text
    for who in ("employee", "hr", "admin", "hr-admin", "compliance"):
        for path in ("/api/passages/{}", "/api/passages/{}/page.png"):
            hidden, missing = (desk.client(who).get(path.format(item)) for item in (chunk, UNKNOWN))
            assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert desk.appliance.index.count(document_id=document) == 0


def test_what_waits_for_a_curator_is_seen_by_nobody_and_found_once_it_is_approved(desk: Desk) -> None:
    key = desk.add()
    run = desk.ended(desk.upload(key, "press.pdf", pdf(text_page([FIRST]))))
    assert run["counts"] == {"pending_review": 1}
    document = desk.id_of(key, "press.pdf")
    assert_nobody_sees(desk, document, FIRST)
    [listed] = desk.admin.get("/api/reviews").json()["reviews"]
    assert (listed["path"], listed["source"], listed["replaces"]) == ("press.pdf", desk.name(key), False)
    detail = desk.admin.get(f"/api/reviews/{document}").json()
    assert FIRST in detail["passages"][0]["text"]
    assert (detail["changes"], detail["has_images"], len(detail["pages"])) == (None, True, 1)
    assert desk.admin.get(f"/api/reviews/{document}/pages/1.png").content.startswith(b"\x89PNG")
    assert approve(desk, document, version_id=listed["version_id"])["state"] == "finished"
    assert desk.finds("employee", FIRST)
    assert desk.client("employee").get("/api/documents").json()["total"] == 1
    assert waiting(desk) == []
    assert desk.admin.get(f"/api/reviews/{document}").status_code == 404
    assert desk.states(key) == {"press.pdf": "indexed"}
    assert desk.sync(key)["counts"] == {"unchanged": 1}
    approved = [act for act in desk.acts() if act[0] == "review.approved"]
    assert approved == [("review.approved", f"{desk.name(key)}: press.pdf", f"version: {listed['version_id']}")]
    assert FIRST not in str(desk.acts())


def test_an_admin_reviews_only_what_they_may_read_and_is_told_how_much_else_waits(desk: Desk) -> None:
    folder = desk.folder(open__txt=FIRST)
    write(folder / "hr" / "pay.txt", "A fitter earns 80,000 CHF.")
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder, curated=True)
    desk.sync(key)
    closed = desk.id_of(key, "hr/pay.txt")
    assert (waiting(desk), waiting(desk, "hr-admin")) == (["open.txt"], ["hr/pay.txt", "open.txt"])
    counts = {who: desk.client(who).get("/api/reviews").json() for who in ("admin", "hr-admin")}
    assert [(item["total"], item["withheld"]) for item in counts.values()] == [(1, 1), (2, 0)]
    for method, path in (
        ("GET", "/api/reviews/{}"), ("GET", "/api/reviews/{}/pages/1.png"), ("POST", "/api/reviews/{}/approve"),
        ("POST", "/api/reviews/{}/reject"),
    ):  # fmt: skip
        body = {"reason": "No."} if path.endswith("reject") else None
        hidden, missing = (desk.admin.request(method, path.format(item), json=body) for item in (closed, UNKNOWN))
        assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert not [action for action in desk.actions() if action.startswith("review.")]
    approve(desk, closed)
    assert (desk.finds("hr", "A fitter earns 80,000 CHF."), desk.finds("employee", "A fitter earns")) == (True, False)


def test_a_file_with_the_bytes_of_a_released_one_says_so_to_those_who_may_read_that(desk: Desk) -> None:
    folder = desk.folder(first__txt=FIRST, other__txt=SECOND)
    write(folder / "hr" / "closed.txt", SECOND)
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder, curated=True)
    desk.sync(key)
    for path in ("first.txt", "hr/closed.txt"):
        approve(desk, desk.id_of(key, path))
    write(folder / "again.txt", FIRST)
    desk.sync(key)

    def copies(who: str) -> dict[str, list[str]]:
        listed = desk.client(who).get("/api/reviews").json()["reviews"]
        for item in listed:
            assert {copy["source"] for copy in item["copies"]} <= {desk.name(key)}
            detail = desk.client(who).get(f"/api/reviews/{item['document_id']}").json()
            assert detail["copies"] == item["copies"]
        return {item["path"]: [copy["path"] for copy in item["copies"]] for item in listed}

    assert copies("admin") == {"again.txt": ["first.txt"], "other.txt": []}
    assert copies("hr-admin") == {"again.txt": ["first.txt"], "other.txt": ["hr/closed.txt"]}


def test_nobody_releases_what_they_uploaded_while_another_admin_could(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "letter.eml", letter(("press.txt", FIRST.encode()))))
    for path in ("letter.eml", "letter.eml › press.txt"):
        document = desk.id_of(key, path)
        assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
        assert not desk.client("hr-admin").get(f"/api/reviews/{document}").json()["needs_another"]
        refused = desk.admin.post(f"/api/reviews/{document}/approve")
        assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
    assert waiting(desk) == ["letter.eml", "letter.eml › press.txt"]
    approve(desk, document)
    assert (waiting(desk), desk.finds("employee", FIRST)) == (["letter.eml"], True)


def test_disabling_the_other_admins_frees_no_upload(desk: Desk) -> None:
    accounts = desk.appliance.accounts
    other, own = accounts.add("harbour", PASSWORD, (Role.ADMIN,), ("quay",)).id, accounts.named("admin").id
    program = accounts.add_service("crane", (Role.ADMIN,), ("quay",)).id  # releases nothing
    accounts.set_groups(own, ["quay"])
    try:
        key = desk.add(groups=["quay"])
        desk.ended(desk.upload(key, "press.txt", FIRST))
        document = desk.id_of(key, "press.txt")
        assert desk.admin.patch(f"/api/people/{other}", json={"disabled": True}).status_code == 200
        assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
        assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
        accounts.set_roles(other, (Role.EMPLOYEE,))
        approve(desk, document, "admin")
        assert waiting(desk) == []
    finally:
        accounts.set_groups(own, [])
        accounts.set_disabled(program, disabled=True)


def test_an_admin_who_is_gone_from_their_directory_keeps_no_upload_waiting(desk: Desk) -> None:
    accounts = desk.appliance.accounts
    accounts.set_directories([DirectoryTerms("corp", "ldap", 86_400)])
    own = accounts.named("admin").id
    accounts.set_groups(own, ["pier"])
    try:
        accounts.admit(Identity("corp", "9", "gone-admin", "", frozenset({"pier"}), frozenset({Role.ADMIN})))
        key = desk.add(groups=["pier"])
        desk.ended(desk.upload(key, "press.txt", FIRST))
        document = desk.id_of(key, "press.txt")
        assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
        accounts.renew("corp", [], datetime.now(UTC) + timedelta(minutes=6))
        assert not desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
        approve(desk, document, "admin")
        assert waiting(desk) == []
    finally:
        accounts.set_groups(own, [])
        accounts.set_directories(())


@pytest.mark.parametrize(
    ("name", "whole", "broken"),
    [
        ("a.zip", archive(("press.txt", FIRST.encode())), b"PK\x03\x04 broken"),
        ("letter.eml", letter(("press.txt", FIRST.encode())), b""),
        ("cover.pdf", pdf_with("press.txt", FIRST), b"%PDF-1.7 broken"),
    ],
)
def test_what_lies_in_an_upload_is_released_by_another_also_when_the_upload_could_not_be_read(
    desk: Desk, name: str, whole: bytes, broken: bytes
) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, name, whole))
    document = desk.id_of(key, f"{name} › press.txt")
    assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
    desk.ended(desk.upload(key, name, broken))
    assert f"{name} › press.txt" in desk.states(key)
    assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
    assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
    approve(desk, document)
    assert desk.finds("employee", FIRST)


def test_a_broken_upload_of_somebody_else_does_not_make_what_lay_in_the_first_one_theirs(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "a.zip", archive(("press.txt", FIRST.encode()))))
    document = desk.id_of(key, "a.zip › press.txt")
    broken = {"file": ("a.zip", b"PK\x03\x04 broken")}
    desk.ended(desk.client("hr-admin").post(f"/api/sources/{key}/uploads", files=broken))
    answers = [desk.client(who).get(f"/api/reviews/{document}").json() for who in ("admin", "hr-admin")]
    assert [answer["needs_another"] for answer in answers] == [True, False]


def test_what_an_earlier_release_read_of_an_upload_is_told_by_the_upload(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "a.zip", archive(("press.txt", FIRST.encode()))))
    document = desk.id_of(key, "a.zip › press.txt")
    with desk.appliance.catalog._database.write() as connection:  # which did not note it
        connection.execute(delete(uploads).where(uploads.c.path == "a.zip › press.txt"))
    assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
    desk.ended(desk.upload(key, "a.zip", b"PK\x03\x04 broken"))
    answers = [desk.client(who).get(f"/api/reviews/{document}").json() for who in ("admin", "hr-admin")]
    assert [answer["needs_another"] for answer in answers] == [True, False]


def test_an_upload_that_waits_goes_on_waiting_when_its_source_needs_no_curator_any_more(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "press.txt", FIRST))
    document = desk.id_of(key, "press.txt")
    assert desk.admin.patch(f"/api/sources/{key}", json={"curated": False}).status_code == 200
    desk.wait()
    desk.sync(key, again="everything")
    desk.admin.post("/api/files/retry", json={"document_ids": [document]})
    desk.wait()
    desk.ended(desk.upload(key, "press.txt", SECOND))  # another version of what waits
    assert (waiting(desk), desk.states(key)) == (["press.txt"], {"press.txt": "pending_review"})
    assert not desk.finds("employee", "The press stands")
    assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
    desk.ended(desk.upload(key, "crane.txt", "The crane lifts two tons."))  # nobody was asked to look at that one
    approve(desk, document)
    assert (desk.finds("employee", SECOND), desk.finds("employee", "The crane lifts")) == (True, True)


def test_a_token_releases_nothing_whoever_it_belongs_to(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "press.txt", FIRST))
    document = desk.id_of(key, "press.txt")
    made = desk.admin.post("/api/people", json={"name": "nightly", "roles": ["admin"], "service": True}).json()
    token = desk.admin.post(f"/api/people/{made['id']}/tokens", json={"label": "sync", "scopes": ["ingest"]}).json()
    own = desk.client("hr-admin").post("/api/tokens", json={"label": "own", "scopes": ["ingest"]}).json()
    try:
        for shown in (token["token"], own["token"]):
            program = {"Authorization": f"Bearer {shown}"}
            assert desk.admin.get(f"/api/reviews/{document}", headers=program).status_code == 200
            refused = desk.admin.post(f"/api/reviews/{document}/approve", headers=program)
            assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")
            assert "a session of a person" in refused.json()["message"]
    finally:
        desk.appliance.accounts.set_disabled(made["id"], disabled=True)
    assert waiting(desk) == ["press.txt"]


def test_what_a_program_uploads_counts_as_given_by_who_made_its_token(desk: Desk) -> None:
    key = desk.add()
    made = desk.admin.post("/api/people", json={"name": "hourly", "roles": ["admin"], "service": True}).json()
    path = f"/api/people/{made['id']}/tokens"
    token = desk.admin.post(path, json={"label": "sync", "scopes": ["ingest"]}).json()["token"]
    program = {"Authorization": f"Bearer {token}"}
    file = {"file": ("press.txt", FIRST)}
    try:
        desk.ended(desk.admin.post(f"/api/sources/{key}/uploads", files=file, headers=program))
    finally:
        desk.appliance.accounts.set_disabled(made["id"], disabled=True)
    document = desk.id_of(key, "press.txt")
    assert desk.admin.get(f"/api/reviews/{document}").json()["needs_another"]
    assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
    approve(desk, document)
    assert desk.finds("employee", FIRST)


def test_an_upload_of_somebody_else_under_the_same_name_does_not_free_the_one_before(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "press.txt", FIRST))
    document = desk.id_of(key, "press.txt")
    [other] = [person.id for person in desk.appliance.accounts.people() if person.name == "hr-admin"]
    digest = hashlib.sha256(SECOND.encode()).hexdigest()
    desk.appliance.catalog.note_upload(key, "press.txt", digest, other)  # it is yet to be read
    assert desk.admin.post(f"/api/reviews/{document}/approve").status_code == 403
    assert waiting(desk) == ["press.txt"]


def test_who_may_not_read_a_document_is_no_other_who_could_release_it(desk: Desk) -> None:
    key = desk.add(groups=["hr"])
    given = desk.client("hr-admin").post(f"/api/sources/{key}/uploads", files={"file": ("pay.txt", FIRST)})
    desk.ended(given)
    document = desk.id_of(key, "pay.txt")
    assert not desk.client("hr-admin").get(f"/api/reviews/{document}").json()["needs_another"]
    approve(desk, document)
    assert desk.finds("hr", FIRST)


def test_what_was_turned_down_is_not_read_again_before_it_changes(desk: Desk) -> None:
    folder = desk.folder(press__txt=FIRST)
    key = desk.add(folder, curated=True)
    desk.sync(key)
    document = desk.id_of(key, "press.txt")
    answer = desk.admin.post(f"/api/reviews/{document}/reject", json={"reason": "It is a draft."})
    assert answer.status_code == 204
    file = desk.files(key)["press.txt"]
    assert (file["state"], file["reason"]) == ("refused", "Turned down by a curator: It is a draft.")
    assert waiting(desk) == []
    check = next(one for one in desk.admin.get("/api/health").json()["checks"] if one["name"] == "catalog")
    assert check["status"] == "ok"  # nothing is wrong with what somebody turned down
    assert check["detail"].endswith("1 refused (1 of them turned down by a curator)")
    for again in ("nothing", "nothing"):
        assert desk.sync(key, again=again)["counts"] == {"refused": 1}
    write(folder / "press.txt", FIRST)  # saved again as it is
    desk.sync(key)
    assert desk.files(key)["press.txt"]["reason"] == file["reason"]
    write(folder / "press.txt", SECOND)
    assert desk.sync(key)["counts"] == {"pending_review": 1}
    assert waiting(desk) == ["press.txt"]
    desk.admin.post(f"/api/reviews/{document}/reject", json={"reason": "Still a draft."})
    desk.admin.post("/api/files/retry", json={"document_ids": [document]})
    desk.wait()
    assert waiting(desk) == ["press.txt"]  # somebody asked for it
    assert not desk.finds("employee", "The press stands")
    turned_down = [detail for action, _, detail in desk.acts() if action == "review.rejected"]
    assert [detail.split("; ")[1] for detail in turned_down] == ["It is a draft.", "Still a draft."]


def test_an_approved_version_stays_while_the_next_waits_and_when_that_is_turned_down(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "press.txt", f"# Press\n\nIt weighs nine tons.\n\n{FIRST}"))
    document = desk.id_of(key, "press.txt")
    approve(desk, document)
    desk.ended(desk.upload(key, "press.txt", f"# Press\n\nIt weighs nine tons.\n\n{SECOND}"))
    assert (desk.finds("employee", FIRST), desk.finds("employee", SECOND)) == (True, False)
    [listed] = desk.admin.get("/api/reviews").json()["reviews"]
    assert listed["replaces"]
    changes = desk.admin.get(f"/api/reviews/{document}").json()["changes"]
    assert ([line["text"] for line in changes["added"]], [line["text"] for line in changes["removed"]]) == (
        [SECOND], [FIRST]
    )  # fmt: skip
    assert len(desk.client("employee").get(f"/api/documents/{document}").json()["versions"]) == 1
    desk.admin.post(f"/api/reviews/{document}/reject", json={"reason": "Wrong hall."})
    assert (desk.finds("employee", FIRST), desk.finds("employee", SECOND)) == (True, False)
    assert desk.states(key) == {"press.txt": "indexed"}
    assert desk.sync(key)["counts"] == {"unchanged": 1}
    assert waiting(desk) == []


def test_a_reader_is_not_told_that_a_later_version_waits_was_turned_down_or_could_not_be_read(desk: Desk) -> None:
    folder = desk.folder(press__txt=FIRST)
    key = desk.add(folder, curated=True)
    desk.sync(key)
    document = desk.id_of(key, "press.txt")
    approve(desk, document)

    def told() -> list[object]:
        reader = desk.client("employee")
        listed = [item for item in reader.get("/api/documents").json()["documents"] if item["id"] == document]
        return [reader.get(f"/api/documents/{document}").json(), listed]

    before = told()
    os.utime(write(folder / "press.txt", SECOND), ns=(LATER_NS, LATER_NS))
    desk.sync(key)
    assert (desk.states(key), told()) == ({"press.txt": "pending_review"}, before)
    desk.admin.post(f"/api/reviews/{document}/reject", json={"reason": "Not yet."})
    assert (waiting(desk), told()) == ([], before)
    os.utime(write(folder / "press.txt", b"\0\1\2"), ns=(2 * LATER_NS, 2 * LATER_NS))
    desk.sync(key)
    assert (desk.states(key)["press.txt"] == "indexed", told()) == (False, before)
    os.utime(write(folder / "press.txt", SECOND + " Now."), ns=(LATER_NS, LATER_NS))
    desk.sync(key)
    approve(desk, document)
    [shown, _] = told()
    assert str(dict(shown)["file_modified_at"]).startswith("2030-03-17")  # type: ignore[call-overload]


def test_a_version_that_came_after_the_one_that_was_looked_at_is_not_approved_with_it(desk: Desk) -> None:
    folder = desk.folder(press__txt=FIRST)
    key = desk.add(folder, curated=True)
    desk.sync(key)
    document = desk.id_of(key, "press.txt")
    looked_at = desk.admin.get(f"/api/reviews/{document}").json()["version_id"]
    write(folder / "press.txt", SECOND)
    desk.sync(key)
    for act in ("approve", "reject"):
        body = {"version_id": looked_at} | ({"reason": "No."} if act == "reject" else {})
        answer = desk.admin.post(f"/api/reviews/{document}/{act}", json=body)
        assert answer.status_code == 409
        assert "changed since you looked" in answer.json()["message"]
    assert waiting(desk) == ["press.txt"]
    assert not desk.finds("employee", "The press stands")


def test_nothing_is_approved_while_the_source_is_paused(desk: Desk) -> None:
    key = desk.add()
    desk.ended(desk.upload(key, "press.txt", FIRST))
    document = desk.id_of(key, "press.txt")
    desk.admin.post(f"/api/sources/{key}/pause")
    assert desk.client("hr-admin").post(f"/api/reviews/{document}/approve").status_code == 409
    desk.admin.post(f"/api/sources/{key}/resume")
    desk.wait()
    assert waiting(desk) == ["press.txt"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "x", "more": "y"}])
def test_turning_down_needs_a_reason(desk: Desk, body: dict[str, str]) -> None:
    assert desk.admin.post(f"/api/reviews/{UNKNOWN}/reject", json=body).status_code == 422


def test_the_files_of_a_mail_wait_each_for_themselves(desk: Desk) -> None:
    key = desk.add(desk.folder(letter__eml=letter(("press.txt", FIRST.encode()))), curated=True)
    desk.sync(key)
    assert waiting(desk) == ["letter.eml", "letter.eml › press.txt"]
    approve(desk, desk.id_of(key, "letter.eml › press.txt"))
    assert waiting(desk) == ["letter.eml"]
    assert desk.finds("employee", FIRST)
    assert not desk.finds("employee", "Please find the manual")
