"""Files over HTTP: trying again, passwords, coverage, and the files that lie in others."""

from __future__ import annotations

import io
from email.message import EmailMessage
from pathlib import Path

import pytest
from PIL import Image

from tests.api.conftest import Desk, write
from tests.ingest.parse.documents import archive, pdf, text_page

SECRET = "open-sesame-42-never-written-down"


def locked_pdf(password: str, sentence: str) -> bytes:
    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(text_page([sentence])))) as document:
        document.save(out, encryption=pikepdf.Encryption(user=password, owner=password))
    return out.getvalue()


def letter(*attachments: tuple[str, bytes]) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "works@plant.example", "office@plant.example"
    message["Subject"], message["Date"] = "The new press", "Mon, 01 Jun 2026 09:00:00 +0000"
    message.set_content("Please find the manual of the new press attached.")
    for name, data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def holds(folder: Path, text: str) -> list[str]:
    """The files below a folder that hold these bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if text.encode() in path.read_bytes()]


def test_a_space_may_be_part_of_a_password(desk: Desk) -> None:
    folder = desk.folder()
    (folder / "lease.pdf").write_bytes(locked_pdf("   ", "The lease ends in March."))
    key = desk.add(folder)
    assert desk.sync(key)["counts"] == {"needs_password": 1}
    document = desk.files(key)["lease.pdf"]["document_id"]
    run = desk.ended(desk.admin.post(f"/api/files/{document}/password", json={"password": "   "}))
    assert run["counts"] == {"indexed": 1}


def test_the_right_password_opens_a_file_and_is_written_down_nowhere(desk: Desk) -> None:
    key = desk.add(desk.folder(lease__pdf=locked_pdf(SECRET, "The lease of the hall ends in May.")))
    assert desk.sync(key)["counts"] == {"needs_password": 1}
    document = desk.id_of(key, "lease.pdf")
    wrong = f"{SECRET}-wrong"
    run = desk.ended(desk.admin.post(f"/api/files/{document}/password", json={"password": wrong}))
    assert run["counts"] == {"needs_password": 1}
    assert "password" in desk.files(key)["lease.pdf"]["reason"]
    run = desk.ended(desk.admin.post(f"/api/files/{document}/password", json={"password": SECRET}))
    assert (run["counts"], run["failures"]) == ({"indexed": 1}, 0)
    assert desk.finds("employee", "The lease of the hall ends in May.")
    assert desk.sync(key)["counts"] == {"unchanged": 1}
    given = [act for act in desk.acts() if act[0] == "file.password_given"]
    assert given == [("file.password_given", f"{desk.name(key)}: lease.pdf", "")] * 2
    desk.appliance.log.checkpoint()
    assert holds(desk.appliance.folder.path, "lease.pdf")  # the search finds what is there
    assert holds(desk.appliance.folder.path, SECRET) == []


def test_a_password_that_is_missing_or_too_long_is_not_repeated_in_the_answer(desk: Desk) -> None:
    for body in ({}, {"password": ""}, {"password": SECRET * 100}, {"password": SECRET, "more": 1}):
        answer = desk.admin.post("/api/files/unknown/password", json=body)
        assert answer.status_code == 422
        assert SECRET not in answer.text
    assert desk.admin.post("/api/files/unknown/password", json={"password": SECRET}).status_code == 404


def test_a_file_that_was_given_up_is_read_again_when_somebody_asks(desk: Desk) -> None:
    folder = desk.folder(good__txt="The pump is blue.", broken__pdf=b"%PDF-1.7 broken")
    key = desk.add(folder)
    desk.sync(key)
    before = desk.files(key)
    body = {"document_ids": [file["document_id"] for file in before.values()]}
    answer = desk.admin.post("/api/files/retry", json=body)
    assert answer.status_code == 202
    [started] = answer.json()
    desk.wait()
    [run] = [run for run in desk.runs() if run["id"] == started["id"]]
    assert run["counts"] == {"indexed": 1, "failed": 1}
    assert all(file["updated_at"] > before[path]["updated_at"] for path, file in desk.files(key).items())
    assert [subject for action, subject, _ in desk.acts() if action == "file.retried"] == [
        f"{desk.name(key)}: {path}" for path in before
    ]
    assert desk.admin.post("/api/files/retry", json={"document_ids": ["unknown"]}).status_code == 404
    assert desk.admin.post("/api/files/retry", json={"document_ids": []}).status_code == 422


def test_coverage_tells_of_pages_and_never_their_text(desk: Desk) -> None:
    folder = desk.folder(manual__pdf=pdf(text_page(["The press is operated by two people."]), lambda canvas: None))
    write(folder / "hr" / "pay.txt", "A fitter earns 80,000 CHF.")
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    write(folder / "none.pdf", b"%PDF-1.7 broken")
    key = desk.add(folder)
    desk.sync(key)

    def coverage(who: str, path: str) -> dict[str, object]:
        answer = desk.client(who).get(f"/api/files/{desk.id_of(key, path)}/coverage")
        assert "two people" not in answer.text
        assert "80,000" not in answer.text
        return dict(answer.json())

    seen = coverage("admin", "manual.pdf")
    pages = seen["pages"]
    assert isinstance(pages, list)
    assert [(page["page"], page["means"], page["characters"] > 0, page["unsure"]) for page in pages] == [
        (1, "text", True, False), (2, "none", False, False)
    ]  # fmt: skip
    assert pages[1]["reason"]
    assert (seen["has_images"], seen["may_open"]) == (True, True)
    assert coverage("admin", "hr/pay.txt")["may_open"] is False
    assert coverage("hr-admin", "hr/pay.txt")["may_open"] is True
    failed = coverage("admin", "none.pdf")
    assert (failed["state"], failed["pages"], failed["may_open"]) == ("failed", [], False)
    assert desk.admin.get("/api/files/unknown/coverage").status_code == 404


def test_an_admin_looks_at_the_pages_of_what_they_may_read_and_of_nothing_else(desk: Desk) -> None:
    folder = desk.folder(open__pdf=pdf(text_page(["The press is operated by two people."])))
    write(folder / "hr" / "closed.pdf", pdf(text_page(["A fitter earns 80,000 CHF."])))
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder)
    desk.sync(key)
    opened, closed = (f"/api/documents/{desk.id_of(key, path)}/pages/1.png" for path in ("open.pdf", "hr/closed.pdf"))
    status = {
        who: (desk.client(who).get(opened).status_code, desk.client(who).get(closed).status_code)
        for who in ("admin", "hr-admin", "employee", "hr", "compliance")
    }
    assert status == {
        "admin": (200, 404), "hr-admin": (200, 200), "employee": (200, 404), "hr": (200, 200), "compliance": (403, 403)
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["mail", "archive"])
def test_a_file_in_another_is_a_document_of_its_own_under_the_label_of_the_other(desk: Desk, kind: str) -> None:
    manual = pdf(text_page(["The filter of the new press is replaced every 800 hours."]), text_page(["Second page."]))
    inner = ("manual.pdf", manual)
    name = "letter.eml" if kind == "mail" else "papers.zip"
    folder = desk.folder()
    write(folder / "hr" / name, letter(inner) if kind == "mail" else archive(inner))
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder)
    desk.sync(key)
    path = f"hr/{name} › manual.pdf"
    member = desk.files(key)[path]
    assert (member["state"], member["groups"]) == ("indexed", ["hr"])
    assert member["container_id"] == desk.files(key)[f"hr/{name}"]["document_id"]
    sentence = "The filter of the new press is replaced every 800 hours."
    assert (desk.finds("employee", sentence), desk.finds("hr", sentence)) == (False, True)
    hr = desk.client("hr")
    detail = hr.get(f"/api/documents/{member['document_id']}").json()
    assert (detail["path"], len(detail["pages"])) == (path, 2)
    for number, status in ((1, 200), (2, 200), (3, 422)):
        picture = hr.get(f"/api/documents/{member['document_id']}/pages/{number}.png")
        assert picture.status_code == status, picture.text
    passage = next(item for item in detail["passages"] if "800 hours" in item["text"])
    marked = hr.get(f"/api/passages/{passage['chunk_id']}/page.png")
    assert Image.open(io.BytesIO(marked.content)).width > 100
    assert desk.client("employee").get(f"/api/documents/{member['document_id']}/pages/1.png").status_code == 404
    around = hr.get(f"/api/documents/{member['container_id']}").json()
    assert [item["path"] for item in around["members"]] == [path]
    other = ("manual.pdf", pdf(text_page(["Quite another manual."])))
    write(folder / "hr" / name, letter(other) if kind == "mail" else archive(other))
    changed = hr.get(f"/api/documents/{member['document_id']}/pages/1.png")
    assert (changed.status_code, "changed" in changed.json()["message"]) == (409, True)
    write(folder / "hr" / name, letter() if kind == "mail" else archive(("other.txt", b"Nothing of the manual.")))
    desk.sync(key)
    assert path not in desk.files(key)
    assert not desk.finds("hr", sentence)


def test_trying_a_file_in_another_again_reads_the_other(desk: Desk) -> None:
    key = desk.add(desk.folder(letter__eml=letter(("broken.pdf", b"%PDF-1.7 broken"))))
    desk.sync(key)
    member = desk.files(key)["letter.eml › broken.pdf"]
    assert member["state"] == "failed"
    answer = desk.admin.post("/api/files/retry", json={"document_ids": [member["document_id"]]})
    desk.wait()
    assert answer.status_code == 202
    assert desk.files(key)["letter.eml › broken.pdf"]["updated_at"] > member["updated_at"]
    assert desk.runs_of(key)[0]["counts"].get("indexed") == 1  # the mail itself


def test_trying_a_file_in_another_again_takes_back_that_a_curator_turned_it_down(desk: Desk) -> None:
    papers = archive(("heat.txt", b"Heating is included."), ("rent.txt", b"The rent is due on the third."))
    key = desk.add(desk.folder(papers__zip=papers), curated=True)
    desk.sync(key)
    document = desk.id_of(key, "papers.zip › rent.txt")
    assert desk.admin.post(f"/api/reviews/{document}/reject", json={"reason": "A draft."}).status_code == 204
    desk.sync(key)
    assert desk.states(key)["papers.zip › rent.txt"] == "refused"
    desk.admin.post("/api/files/retry", json={"document_ids": [document]})
    desk.wait()
    assert desk.states(key)["papers.zip › rent.txt"] == "pending_review"


def test_files_are_listed_by_path_or_those_first_that_were_looked_at_last(desk: Desk) -> None:
    key = desk.add(desk.folder(a__txt="The first.", b__txt="The second."))
    desk.sync(key)
    write(Path(desk.appliance.catalog.source(key).path) / "a.txt", "The first, again.")
    desk.sync(key)
    listed = desk.admin.get("/api/files", params={"source_id": key}).json()["files"]
    latest = desk.admin.get("/api/files", params={"source_id": key, "latest_first": True, "limit": 1}).json()["files"]
    assert [file["path"] for file in listed] == ["a.txt", "b.txt"]
    assert [file["path"] for file in latest] == ["a.txt"]
