"""The library within what a reader may see, and the pictures of pages."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from appliance.domain import AccessFilter
from appliance.wiring import Appliance
from tests.api.conftest import Client

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
