"""Sources over HTTP, on an appliance of their own: folders come, get other groups, and are read while others look on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from appliance.config import IngestSettings, ModelSettings, Provider, ServerSettings, Settings
from appliance.domain import EVERYONE, AccessFilter, DocumentState, Role
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import BASE, PASSWORD, write_documents

SLOW = b"word;" * 12_000_000  # a table that takes many seconds to read


@contextmanager
def _opened(folder: Path) -> Iterator[Appliance]:
    settings = Settings(
        data_dir=folder / "data",
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        ingest=IngestSettings(workers=1),
    )
    with opened(settings) as appliance:
        yield appliance


def _signed_in(appliance: Appliance, name: str) -> TestClient:
    client = TestClient(create_headless_app(appliance), base_url=BASE, follow_redirects=False)
    token = appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token
    client.cookies.set("strongroom_session", token, domain="testserver.local", path="/")
    return client


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    with _opened(tmp_path) as built:
        yield built


@pytest.fixture
def admin(appliance: Appliance) -> TestClient:
    appliance.accounts.add("admin", PASSWORD, (Role.ADMIN,), ())
    return _signed_in(appliance, "admin")


def _add(admin: TestClient, path: Path, name: str = "Handbook") -> str:
    answer = admin.post("/api/sources", json={"name": name, "path": str(path), "groups": [EVERYONE]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _wait(appliance: Appliance) -> None:
    for run in appliance.runs.latest():
        appliance.runs.wait(run.id, 60)
        assert run.error is None


def _busy(appliance: Appliance) -> None:
    """Until the latest run has a document at hand."""
    limit = time.monotonic() + 60
    while not appliance.runs.latest()[0].progress.total and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.5)
    assert appliance.runs.latest()[0].finished_at is None


def test_no_folder_that_is_holds_or_lies_in_the_data_folder_becomes_a_source(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    data = appliance.folder.path
    (tmp_path / "link").symlink_to(data / "log")
    for path in (data, data / "log", data / "index", tmp_path, Path("/"), tmp_path / "link", data / "log" / ".."):
        answer = admin.post("/api/sources", json={"name": "Own", "path": str(path), "groups": [EVERYONE]})
        assert answer.status_code == 422, path
        assert "data folder" in answer.json()["message"]
    assert appliance.catalog.sources() == []
    beside = tmp_path / "data-room"
    beside.mkdir()
    _add(admin, beside)


def test_narrower_groups_act_by_a_sync_that_starts_at_once(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    key = _add(admin, write_documents(tmp_path / "documents"))
    assert admin.post(f"/api/sources/{key}/sync").status_code == 202
    _wait(appliance)
    everyone, board = (AccessFilter(frozenset({group})) for group in (EVERYONE, "board"))

    def seen(access: AccessFilter) -> int:
        return appliance.catalog.library(access, text="", source_id=None, limit=1, offset=0).total

    assert (seen(everyone), seen(board)) == (3, 0)
    answer = admin.put(f"/api/sources/{key}/groups", json={"groups": ["board"]})
    assert (answer.status_code, answer.json()["groups"]) == (200, ["board"])
    runs = admin.get("/api/runs").json()
    assert [run["source_id"] for run in runs] == [key, key]
    _wait(appliance)
    assert (seen(everyone), seen(board)) == (0, 3)
    assert admin.get("/api/runs").json()[0]["counts"] == {"relabelled": 3, "unchanged": 1}


def test_groups_of_a_source_that_is_being_synced_are_left_as_they_are(
    admin: TestClient, appliance: Appliance, tmp_path: Path
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "slow.csv").write_bytes(SLOW)
    key = _add(admin, tmp_path / "documents")
    admin.post(f"/api/sources/{key}/sync")
    answer = admin.put(f"/api/sources/{key}/groups", json={"groups": ["board"]})
    assert answer.status_code == 409
    assert "change its groups again" in answer.json()["message"]
    assert appliance.catalog.source(key).groups == {EVERYONE}


def test_a_page_picture_does_not_queue_behind_a_long_document_and_neither_does_the_end(tmp_path: Path) -> None:
    folder = write_documents(tmp_path / "documents")
    with ExitStack() as stack:
        appliance = stack.enter_context(_opened(tmp_path))
        appliance.accounts.add("admin", PASSWORD, (Role.ADMIN,), ())
        appliance.accounts.add("employee", PASSWORD, (Role.EMPLOYEE,), ())
        admin, employee = _signed_in(appliance, "admin"), _signed_in(appliance, "employee")
        key = _add(admin, folder)
        admin.post(f"/api/sources/{key}/sync")
        _wait(appliance)
        manual = next(item for item in admin.get("/api/files").json()["files"] if item["path"] == "manual.pdf")
        (folder / "slow.csv").write_bytes(SLOW)
        admin.post(f"/api/sources/{key}/sync")
        _busy(appliance)
        picture = employee.get(f"/api/documents/{manual['document_id']}/pages/1.png")
        assert picture.status_code == 200
        assert picture.content.startswith(b"\x89PNG")
        run = appliance.runs.latest()[0]
        assert run.finished_at is None
        began = time.monotonic()
        stack.close()
        assert time.monotonic() - began < 2
    assert run.error is not None
    assert "was stopped" in run.error
    with _opened(tmp_path) as again:
        assert again.catalog.states() == {DocumentState.INDEXED: 4}
