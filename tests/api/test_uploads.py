"""Places for uploads: what may be given to the appliance, under which name, and what becomes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from appliance.api.uploads import _Incoming
from appliance.config import ModelSettings, Provider, Settings
from appliance.data_folder import UPLOAD_PREFIX
from appliance.wiring import opened
from tests.api.conftest import Desk, write


def kept(desk: Desk, key: str) -> dict[str, bytes]:
    """The files in a place for uploads, hidden ones included."""
    folder = desk.appliance.folder.uploads / key
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_uploaded_is_kept_by_the_appliance_and_found_after_the_sync_that_starts_at_once(desk: Desk) -> None:
    key = desk.add(curated=False)
    run = desk.ended(desk.upload(key, "pump.txt", "The pump is blue."))
    assert (run["state"], run["counts"]) == ("finished", {"indexed": 1})
    assert kept(desk, key) == {"pump.txt": b"The pump is blue."}
    assert desk.files(key)["pump.txt"]["source_kind"] == "uploads"
    assert desk.finds("employee", "The pump is blue.")
    for path in (desk.appliance.folder.uploads / key, desk.appliance.folder.uploads / key / "pump.txt"):
        assert path.stat().st_mode & 0o077 == 0
    assert ("file.uploaded", f"{desk.name(key)}: pump.txt", "17 bytes") in desk.acts()


def test_a_place_for_uploads_is_curated_unless_somebody_said_otherwise(desk: Desk) -> None:
    made = {desk.add(): True, desk.add(curated=False): False, desk.add(desk.folder()): False}
    assert {item["id"]: item["curated"] for item in desk.admin.get("/api/sources").json()} == made


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("../../strongroom.txt", "strongroom.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\papers\\lease.txt", "lease.txt"),
        ("a/b/../c.txt", "c.txt"),
        ("Zürich 1.txt", "Zürich 1.txt"),
    ],
)
def test_of_a_name_with_a_path_the_last_part_is_kept(desk: Desk, given: str, becomes: str) -> None:
    key = desk.add(curated=False)
    desk.ended(desk.upload(key, given, "The pump is blue."))
    assert list(kept(desk, key)) == [becomes]
    others = [path for path in desk.appliance.folder.path.rglob(becomes) if path.parent.name != key]
    assert others == []


@pytest.mark.parametrize(
    "given",
    [
        ".access.toml", "pump.txt.access.toml", "x/.access.toml", ".hidden.txt", "..", f"{UPLOAD_PREFIX}1", "~$pump.docx",
        "pump.txt~", "Thumbs.db", "ä" * 101, "x" * 5000 + ".txt",
    ],
)  # fmt: skip
def test_names_that_set_labels_or_that_no_sync_takes_in_are_refused(desk: Desk, given: str) -> None:
    key = desk.add(curated=False)
    answer = desk.upload(key, given, 'groups = ["everyone"]')
    assert answer.status_code == 422, answer.text
    assert answer.json()["message"]
    assert kept(desk, key) == {}
    assert "file.uploaded" not in desk.actions()


def test_a_file_that_is_too_large_is_refused_and_nothing_of_it_stays(desk: Desk) -> None:
    key = desk.add(curated=False)
    most = desk.appliance.settings.ingest.max_file_bytes
    answer = desk.upload(key, "large.txt", b"x" * (most + 1))
    assert answer.status_code == 422
    assert f"{most:,} bytes" in answer.json()["message"]
    assert kept(desk, key) == {}
    assert desk.upload(key, "far-too-large.txt", b"x" * (most + 200_000)).status_code == 413
    assert kept(desk, key) == {}
    assert desk.upload(key, "just.bin", b"x" * most).status_code == 202


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/json"}, b"{}"),
        ({"Content-Type": "multipart/form-data"}, b"--x\r\n"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b""),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"no form at all"),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},  # it breaks off
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nThe pump',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},  # another field
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a.txt"\r\n\r\nThe pump\r\n--x--\r\n',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},  # two files
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nThe pump\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.txt"\r\n\r\nThe valve\r\n--x--\r\n',
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},  # no file
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nThe pump\r\n--x--\r\n',
        ),
    ],
)
def test_a_form_without_exactly_one_whole_file_is_refused(desk: Desk, headers: dict[str, str], body: bytes) -> None:
    key = desk.add(curated=False)
    answer = desk.admin.post(f"/api/sources/{key}/uploads", content=body, headers=headers)
    assert answer.status_code == 422
    assert "multipart/form-data" in answer.json()["message"]
    assert kept(desk, key) == {}


def test_a_file_of_the_same_name_is_a_new_version(desk: Desk) -> None:
    key = desk.add(curated=False)
    desk.ended(desk.upload(key, "pump.txt", "The pump is blue."))
    desk.ended(desk.upload(key, "pump.txt", "The pump is green."))
    assert kept(desk, key) == {"pump.txt": b"The pump is green."}
    assert (desk.finds("employee", "The pump is blue."), desk.finds("employee", "The pump is green.")) == (False, True)
    detail = desk.client("employee").get(f"/api/documents/{desk.id_of(key, 'pump.txt')}").json()
    assert len(detail["versions"]) == 2


def test_two_uploads_at_once_both_arrive_whole(desk: Desk) -> None:
    key = desk.add(curated=False)
    desk.ended(desk.upload(key, "same.txt", "The first edition."))
    texts = {f"{number}.txt": f"Machine {number} stands still. " * 5000 for number in range(4)}
    same = {number: f"Edition {number} is the last. " * 5000 for number in range(4)}
    with ThreadPoolExecutor(8) as together:
        answers = [together.submit(desk.upload, key, name, text) for name, text in texts.items()]
        answers += [together.submit(desk.upload, key, "same.txt", text) for text in same.values()]
        assert {answer.result().status_code for answer in answers} == {202}
    found = kept(desk, key)
    assert found.pop("same.txt").decode() in same.values()
    assert {name: content.decode() for name, content in found.items()} == texts
    desk.appliance.runs.cancel(key)


def test_only_a_place_for_uploads_takes_uploads_and_a_paused_one_does_not(desk: Desk) -> None:
    folder = desk.folder()
    refused = desk.upload(desk.add(folder), "pump.txt", "The pump is blue.")
    assert (refused.status_code, list(folder.iterdir())) == (409, [])
    key = desk.add(curated=False)
    desk.admin.post(f"/api/sources/{key}/pause")
    assert desk.upload(key, "pump.txt", "The pump is blue.").status_code == 409
    assert kept(desk, key) == {}
    assert desk.upload("unknown", "pump.txt", "The pump is blue.").status_code == 404


def test_what_was_uploaded_can_be_withdrawn_the_last_file_too(desk: Desk) -> None:
    key = desk.add(curated=False)
    desk.ended(desk.upload(key, "pump.txt", "The pump is blue."))
    document = desk.id_of(key, "pump.txt")
    run = desk.ended(desk.admin.delete(f"/api/files/{document}"))
    assert (run["state"], run["counts"]) == ("finished", {"gone": 1})
    assert kept(desk, key) == {}
    assert not desk.finds("employee", "The pump is blue.")
    [receipt] = desk.admin.get("/api/receipts", params={"document_id": document}).json()
    assert (receipt["chunks_before"], receipt["chunks_after"]) == (1, 0)
    assert ("file.withdrawn", f"{desk.name(key)}: pump.txt", "") in desk.acts()
    assert desk.admin.delete(f"/api/files/{document}").status_code == 404


def test_a_file_of_a_folder_is_never_removed(desk: Desk) -> None:
    folder = desk.folder(pump__txt="The pump is blue.")
    key = desk.add(folder)
    desk.sync(key)
    answer = desk.admin.delete(f"/api/files/{desk.id_of(key, 'pump.txt')}")
    assert answer.status_code == 409
    assert (folder / "pump.txt").exists()


def test_a_place_for_uploads_has_no_path_of_its_own_and_goes_with_its_source(desk: Desk) -> None:
    body = {"name": "Desk drawer", "groups": ["everyone"], "kind": "uploads"}
    assert desk.admin.post("/api/sources", json=body | {"path": "/srv"}).status_code == 422
    key = str(desk.admin.post("/api/sources", json=body).json()["id"])
    uploads = desk.appliance.folder.uploads
    assert desk.admin.post("/api/sources", json=body).status_code == 409
    assert [path.name for path in uploads.iterdir()] == [key]
    desk.ended(desk.upload(key, "pump.txt", "The pump is blue."))
    desk.remove(key)
    assert list(uploads.iterdir()) == []


def test_half_an_upload_that_a_crash_left_is_gone_after_the_next_start(tmp_path: Path) -> None:
    place = tmp_path / "data" / "uploads" / "some-source"
    write(place / f"{UPLOAD_PREFIX}0123", "The pump")
    write(place / "whole.txt", "The pump is blue.")
    with opened(Settings(data_dir=tmp_path / "data", model=ModelSettings(provider=Provider.NONE))):
        assert [path.name for path in place.iterdir()] == ["whole.txt"]


@pytest.mark.parametrize("act", ["put_in_place", "note_upload"])
def test_a_file_that_comes_while_its_place_is_removed_is_not_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    key = desk.add(curated=False)
    where = _Incoming if act == "put_in_place" else type(desk.appliance.catalog)
    real = getattr(where, act)

    def remove_first(*given: Any) -> None:
        desk.appliance.removals.begin(key)
        if act == "put_in_place":
            assert desk.appliance.removals.wait(key, 60)
        real(*given)

    monkeypatch.setattr(where, act, remove_first)
    answer = desk.upload(key, "pump.txt", "The pump is blue.")
    assert answer.status_code in (404, 409), answer.text
    assert desk.appliance.removals.wait(key, 60)
    assert not (desk.appliance.folder.uploads / key).exists()
