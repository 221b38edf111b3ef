"""The library within what a reader may see, and the pictures of pages."""

from __future__ import annotations

import io
from email.message import EmailMessage

import pytest
from PIL import Image

from appliance.domain import AccessFilter
from appliance.wiring import Appliance
from tests.api.conftest import Client, Desk, write

UNKNOWN = "00000000-0000-0000-0000-00000000beef"


def ids(appliance: Appliance, group: str) -> dict[str, str]:
    page = appliance.catalog.library(AccessFilter(frozenset({group})), text="", source_id=None, limit=50, offset=0)
    return {document.path: document.id for document in page.documents}


def first_chunk(client: Client, who: str, document: str) -> str:
    return str(client(who).get(f"/api/documents/{document}").json()["passages"][0]["chunk_id"])


def test_the_library_shows_and_counts_what_the_reader_may_see(client: Client) -> None:
    mine = client("employee").get("/api/documents").json()
    theirs = client("hr").get("/api/documents").json()
    assert {item["path"] for item in mine["documents"]} == {"travel.md", "retention.txt", "manual.pdf"}
    assert mine["total"] == 3
    assert {item["path"] for item in theirs["documents"]} - {item["path"] for item in mine["documents"]} == {
        "hr/salaries.md"
    }
    assert client("employee").get("/api/documents", params={"text": "salar"}).json()["total"] == 0
    assert client("hr").get("/api/documents", params={"text": "SALAR"}).json()["total"] == 1
    assert client("hr").get("/api/documents", params={"source": "No such source"}).json()["total"] == 0


def test_a_document_of_another_group_looks_like_one_that_does_not_exist(client: Client, appliance: Appliance) -> None:
    hidden = ids(appliance, "hr")["hr/salaries.md"]
    chunk = first_chunk(client, "hr", hidden)
    for path in (
        "/api/documents/{}",
        "/api/documents/{}/pages/1.png",
    ):
        foreign, missing = (client("employee").get(path.format(item)) for item in (hidden, UNKNOWN))
        assert (foreign.status_code, foreign.content) == (404, missing.content)
    for path in ("/api/passages/{}", "/api/passages/{}/page.png"):
        for who in ("employee", "compliance", "admin"):
            foreign, missing = (client(who).get(path.format(item)) for item in (chunk, UNKNOWN))
            assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_a_document_opens_with_its_pages_and_passages(client: Client, appliance: Appliance) -> None:
    detail = client("employee").get(f"/api/documents/{ids(appliance, 'everyone')['manual.pdf']}").json()
    assert [page["means"] for page in detail["pages"]] == ["text", "text"]
    assert detail["has_images"]
    assert any("800 operating hours" in passage["text"] for passage in detail["passages"])
    assert {passage["place"]["page"] for passage in detail["passages"]} == {1, 2}


def test_a_cited_passage_opens_the_picture_of_its_page_with_the_passage_marked(
    client: Client, appliance: Appliance
) -> None:
    document = ids(appliance, "everyone")["manual.pdf"]
    detail = client("employee").get(f"/api/documents/{document}").json()
    passage = next(item for item in detail["passages"] if "hydraulic" in item["text"])
    marked = client("employee").get(f"/api/passages/{passage['chunk_id']}/page.png")
    plain = client("employee").get(f"/api/documents/{document}/pages/2.png")
    assert marked.headers["content-type"] == "image/png"
    assert _yellow(marked.content) > 500
    assert _yellow(plain.content) == 0
    assert "no-store" in marked.headers["cache-control"]


def test_a_passage_without_a_picture_says_so_and_gives_its_text(client: Client, appliance: Appliance) -> None:
    chunk = first_chunk(client, "employee", ids(appliance, "everyone")["travel.md"])
    assert client("employee").get(f"/api/passages/{chunk}/page.png").status_code == 422
    opened = client("employee").get(f"/api/passages/{chunk}").json()
    assert "240 CHF" in opened["text"]
    assert opened["current"] is True


@pytest.mark.parametrize("page", ["0", "3", "-1", "99999999999999999999"])
def test_a_page_that_is_not_there_is_refused_with_a_sentence(client: Client, appliance: Appliance, page: str) -> None:
    response = client("employee").get(f"/api/documents/{ids(appliance, 'everyone')['manual.pdf']}/pages/{page}.png")
    assert response.status_code in (404, 409, 422)
    assert response.json()["message"]


def test_a_file_that_changed_is_not_passed_off_as_what_was_cited(client: Client, appliance: Appliance) -> None:
    document = ids(appliance, "everyone")["manual.pdf"]
    [source] = appliance.catalog.sources()
    from pathlib import Path

    path = Path(source.path) / "manual.pdf"
    original = path.read_bytes()
    try:
        path.write_bytes(original + b"\n% changed")
        response = client("employee").get(f"/api/documents/{document}/pages/1.png")
        assert response.status_code == 409
        assert "changed" in response.json()["message"]
        path.unlink()
        assert client("employee").get(f"/api/documents/{document}/pages/1.png").status_code == 409
    finally:
        path.write_bytes(original)


def _yellow(png: bytes) -> int:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return sum(red > 200 and green > 180 and blue < 190 for red, green, blue in image.getdata())


TEXT = [f"Machine number {number} is checked every {number + 3} weeks by two people." for number in range(40)]


def test_an_earlier_version_is_listed_and_what_changed_is_shown_line_by_line(desk: Desk) -> None:
    folder = desk.folder(press__md="# Press\n\nIt weighs nine tons.\n\nIt stands in hall four.\n")
    key = desk.add(folder)
    desk.sync(key)
    document = desk.id_of(key, "press.md")
    write(folder / "press.md", "# Press\n\nIt weighs nine tons.\n\nIt stands in hall nine.\n\nIt is loud.\n")
    desk.sync(key)
    reader = desk.client("employee")
    newer, older = reader.get(f"/api/documents/{document}").json()["versions"]
    assert newer["superseded_at"] is None
    assert older["published_at"] < older["superseded_at"] <= newer["published_at"]
    assert older["sha256"] != newer["sha256"]
    changes = reader.get(f"/api/documents/{document}/changes", params={"older": older["id"], "newer": newer["id"]})
    assert {side: [line["text"] for line in changes.json()[side]] for side in ("added", "removed")} == {
        "added": ["It stands in hall nine.", "It is loud."],
        "removed": ["It stands in hall four."],
    }
    assert (changes.json()["added_count"], changes.json()["removed_count"]) == (2, 1)
    assert not desk.finds("employee", "It stands in hall four.")


def test_changes_are_of_versions_of_this_document_that_the_reader_may_see(desk: Desk) -> None:
    folder = desk.folder(open__txt="The pump is blue.")
    write(folder / "hr" / "pay.txt", "A fitter earns 80,000 CHF.")
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder)
    desk.sync(key)
    mine, theirs = desk.id_of(key, "open.txt"), desk.id_of(key, "hr/pay.txt")
    [own] = desk.client("employee").get(f"/api/documents/{mine}").json()["versions"]
    [foreign] = desk.client("hr").get(f"/api/documents/{theirs}").json()["versions"]

    def status(who: str, document: str, older: str, newer: str) -> int:
        path = f"/api/documents/{document}/changes"
        return desk.client(who).get(path, params={"older": older, "newer": newer}).status_code

    assert status("employee", mine, own["id"], own["id"]) == 200
    assert status("employee", mine, own["id"], foreign["id"]) == 404
    assert status("employee", theirs, foreign["id"], foreign["id"]) == 404
    assert status("hr", mine, own["id"], foreign["id"]) == 404  # they may see both, but not as one document
    assert status("employee", mine, own["id"], UNKNOWN) == 404


def test_copies_and_near_copies_are_named_to_those_who_may_see_them(desk: Desk) -> None:
    folder = desk.folder(one__txt="\n".join(TEXT))
    key = desk.add(folder)
    desk.sync(key)  # of two that come together, either may be read first
    write(folder / "two.txt", "\n".join(TEXT))
    write(folder / "near.txt", "\n".join([*TEXT[:-1], "The last machine is new."]))
    write(folder / "hr" / "hidden.txt", "\n".join([*TEXT[:-1], "The last machine is secret."]))
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    write(folder / "other.txt", "\n".join(f"Sentence {number} tells of something else." for number in range(40)))
    desk.sync(key)
    assert desk.states(key)["two.txt"] == "duplicate"
    document = desk.id_of(key, "one.txt")

    def related(who: str) -> dict[str, list[str]]:
        detail = desk.client(who).get(f"/api/documents/{document}").json()
        return {kind: sorted(item["path"] for item in detail[kind]) for kind in ("copies", "similar")}

    assert related("employee") == {"copies": ["two.txt"], "similar": ["near.txt"]}
    assert related("hr") == {"copies": ["two.txt"], "similar": ["hr/hidden.txt", "near.txt"]}
    detail = desk.client("employee").get(f"/api/documents/{document}").json()
    assert 0.8 <= detail["similar"][0]["resemblance"] <= 1


def test_a_document_is_found_by_the_name_of_a_copy_that_the_reader_may_see(desk: Desk) -> None:
    folder = desk.folder(one__txt="\n".join(TEXT))
    key = desk.add(folder)
    desk.sync(key)
    write(folder / "hall-north.txt", "\n".join(TEXT))
    write(folder / "hr" / "hall-south.txt", "\n".join(TEXT))
    write(folder / "hr" / "hall-west.txt", "\n".join(TEXT))
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    desk.sync(key)
    states = desk.states(key)
    assert states["hall-north.txt"] == "duplicate"
    assert sorted((states["hr/hall-south.txt"], states["hr/hall-west.txt"])) == ["duplicate", "indexed"]

    def found(who: str, text: str) -> list[str]:
        page = desk.client(who).get("/api/documents", params={"text": text}).json()
        paths = [document["path"] for document in page["documents"]]
        assert page["total"] == len(paths)
        return paths

    [of_hr] = found("hr", "hall-south")
    assert of_hr.startswith("hr/")
    assert found("hr", "hall-west") == [of_hr]
    assert found("employee", "HALL north") == found("employee", "one.txt") == ["one.txt"]
    assert found("hr", "hall-north") == ["one.txt"]
    for text in ("hall-south", "hall-west", "north south", "hall-north \0"):
        assert found("employee", text) == [], text


def test_what_a_document_says_of_itself_and_the_mails_of_its_conversation_are_shown(desk: Desk) -> None:
    folder = desk.folder()
    for number, before in enumerate(([], ["<0@plant.example>"], ["<0@plant.example>", "<1@plant.example>"])):
        message = EmailMessage()
        message["From"], message["To"] = "works@plant.example", "office@plant.example"
        message["Subject"], message["Date"] = "The press", f"Mon, 0{number + 1} Jun 2026 09:00:00 +0000"
        message["Message-ID"] = f"<{number}@plant.example>"
        if before:
            message["References"], message["In-Reply-To"] = " ".join(before), before[-1]
        message.set_content(f"This is letter number {number} about the press.")
        write(folder / f"{number}.eml", message.as_bytes())
    write(folder / "hr" / "2.eml", (folder / "2.eml").read_bytes())
    (folder / "2.eml").unlink()
    write(folder / "hr" / ".access.toml", 'groups = ["hr"]')
    key = desk.add(folder)
    desk.sync(key)
    path = f"/api/documents/{desk.id_of(key, '0.eml')}"
    detail = desk.client("employee").get(path).json()
    assert "works@plant.example" in detail["author"]
    assert detail["created"].startswith("2026-06-01")
    assert [item["path"] for item in detail["thread"]] == ["1.eml"]
    assert [item["path"] for item in desk.client("hr").get(path).json()["thread"]] == ["1.eml", "hr/2.eml"]
