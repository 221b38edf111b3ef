"""A whole appliance on a small folder of documents, without the screens, and a client for each role."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from appliance.api.opening import session_name
from appliance.audit.entries import AdminAction
from appliance.config import (
    AccessSettings,
    IngestSettings,
    ModelSettings,
    Provider,
    ServerSettings,
    Settings,
    SignInSettings,
)
from appliance.domain import EVERYONE, Role, Source
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.data.embedding_model import models_loaded_once

PASSWORD = "copper lantern under nine stairs"
BASE = "http://testserver"

DOCUMENTS = {
    "travel.md": "# Travel policy\n\nA hotel in Zurich may cost at most 240 CHF per night.\n\nTrains are booked second class.\n",
    "retention.txt": "Retention periods\n\nInvoices are kept for ten years. Applications are deleted after six months.\n",
    "hr/salaries.md": "# Salary bands\n\nA senior engineer earns between 95,000 and 118,000 CHF a year.\n",
    "hr/.access.toml": 'groups = ["hr"]\n',
}

PEOPLE = {
    "employee": ((Role.EMPLOYEE,), ()),
    "hr": ((Role.EMPLOYEE,), ("hr",)),
    "admin": ((Role.ADMIN,), ()),
    "compliance": ((Role.COMPLIANCE,), ()),
}

Client = Callable[[str], TestClient]


@pytest.fixture(scope="module", autouse=True)
def _a_model_is_loaded_once() -> Iterator[None]:
    with models_loaded_once():
        yield


def write_documents(folder: Path) -> Path:
    """The documents above, and a PDF of two pages."""
    for name, text in DOCUMENTS.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    _write_pdf(folder / "manual.pdf")
    return folder


def _write_pdf(path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), invariant=1)
    for heading, sentence in (
        ("Safety", "The press may only be operated by two trained people."),
        ("Maintenance", "The hydraulic filter is replaced every 800 operating hours."),
    ):
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 760, heading)
        canvas.setFont("Helvetica", 11)
        canvas.drawString(72, 720, sentence)
        canvas.showPage()
    canvas.save()


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with four accounts and one synced source."""
    folder = write_documents(tmp_path_factory.mktemp("documents"))
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        ingest=IngestSettings(workers=1),  # each loads the parsers for itself, and there are four files
        sign_in=SignInSettings(max_failures=1000),
    )
    with opened(settings) as built:
        for name, (roles, groups) in PEOPLE.items():
            built.accounts.add(name, PASSWORD, roles, groups)
        source = Source("00000000-0000-0000-0000-000000000001", "Handbook", str(folder), frozenset({EVERYONE}))
        built.catalog.add_source(source)
        run = built.runs.start(source)
        while run.finished_at is None:
            built.runs.wait(run.id)
        assert run.error is None
        yield built


@pytest.fixture(scope="session")
def _sessions(appliance: Appliance) -> dict[str, str]:
    """Signed in once each: a password check is slow on purpose."""
    tokens = {name: appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token for name in PEOPLE}
    open_log(appliance, tokens["compliance"])
    return tokens


def open_log(appliance: Appliance, token: str) -> None:
    """Open the query log to the session or token of an officer, for as long as the tests last."""
    principal = appliance.sessions.authenticate(token)
    appliance.openings.open(principal.id, session_name(token), "Tests of the compliance desk")


def officer(appliance: Appliance, name: str) -> TestClient:
    """Another officer, new, to whom the log is open."""
    appliance.accounts.add(name, PASSWORD, (Role.COMPLIANCE,), ())
    token = appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token
    open_log(appliance, token)
    made = TestClient(create_headless_app(appliance), base_url=BASE)
    made.cookies.set("strongroom_session", token, domain="testserver.local", path="/")
    return made


@pytest.fixture(scope="session")
def second(appliance: Appliance) -> TestClient:
    """The second officer."""
    return officer(appliance, "second-officer")


def approve(officer: TestClient, subject: str) -> None:
    """Decide about what waits for a second officer."""
    waiting = officer.get("/api/compliance/proposals").json()
    proposal = next(item for item in waiting if item["subject"] == subject)
    decided = officer.post(f"/api/compliance/proposals/{proposal['id']}/decision", json={"approve": True, "note": ""})
    assert decided.status_code == 200, decided.text


@pytest.fixture(scope="session")
def _served(appliance: Appliance) -> ASGIApp:
    """Its routes, which are put together by the first requests; that takes longer than most requests."""
    return create_headless_app(appliance)


@pytest.fixture
def client(_served: ASGIApp, _sessions: dict[str, str]) -> Client:
    """A client signed in under a name; nobody's for ""."""

    def make(name: str) -> TestClient:
        made = TestClient(_served, base_url=BASE, follow_redirects=False)
        if name:
            made.cookies.set("strongroom_session", _sessions[name], domain="testserver.local", path="/")
        return made

    return make


def events(response: httpx.Response) -> list[tuple[str, str]]:
    """The server-sent events of a response as (name, data)."""
    found = []
    for block in response.text.split("\n\n"):
        if block.strip():
            name, data = block.split("\n", 1)
            found.append((name.removeprefix("event: "), data.removeprefix("data: ")))
    return found


@dataclass
class Desk:
    """An admin at a desk of their own: sources over folders that the test writes, and what came of them."""

    appliance: Appliance
    client: Client
    root: Path
    seen: int

    @property
    def admin(self) -> TestClient:
        return self.client("admin")

    def folder(self, **files: str | bytes) -> Path:
        """A new folder with these files; a name's double underscores are its dots."""
        made = self.root / f"folder-{len(list(self.root.iterdir()))}"
        made.mkdir()
        for name, content in files.items():
            write(made / name.replace("__", "."), content)
        return made

    def add(self, folder: Path | None = None, **wanted: Any) -> str:
        """A new source: over a folder, or without one a place for uploads. Returns its id."""
        kind = {"kind": "uploads"} if folder is None else {"path": str(folder)}
        body = {"name": f"Source {uuid.uuid4()}", "groups": [EVERYONE], "watched": False, **kind, **wanted}
        answer = self.admin.post("/api/sources", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def sync(self, key: str, **wanted: Any) -> dict[str, Any]:
        """Sync to the end; the run as the API tells of it."""
        answer = self.admin.post(f"/api/sources/{key}/sync", json=wanted or None)
        assert answer.status_code == 202, answer.text
        return self.ended(answer)

    def remove(self, key: str) -> None:
        """Remove a source, until nothing is left of it."""
        answer = self.admin.delete(f"/api/sources/{key}")
        assert answer.status_code in (202, 204), answer.text
        assert self.appliance.removals.wait(key, 60)

    def ended(self, answer: httpx.Response) -> dict[str, Any]:
        """The run that an answer tells of, and every other one, once they have ended."""
        assert answer.status_code == 202, answer.text
        self.wait()
        return next(run for run in self.runs() if run["id"] == answer.json()["id"])

    def runs(self) -> list[dict[str, Any]]:
        return list(self.admin.get("/api/runs").json())

    def runs_of(self, key: str) -> list[dict[str, Any]]:
        return [run for run in self.runs() if run["source_id"] == key]

    def name(self, key: str) -> str:
        return next(str(source["name"]) for source in self.admin.get("/api/sources").json() if source["id"] == key)

    def wait(self) -> None:
        """Until nothing is being synced."""
        while unfinished := [run for run in self.appliance.runs.latest() if run.finished_at is None]:
            for run in unfinished:
                self.appliance.runs.wait(run.id, 100)

    def upload(self, key: str, name: str, content: str | bytes) -> httpx.Response:
        return self.admin.post(f"/api/sources/{key}/uploads", files={"file": (name, content)})

    def files(self, key: str) -> dict[str, dict[str, Any]]:
        """The files of a source that are not gone, by path."""
        found = self.admin.get("/api/files", params={"source_id": key, "limit": 500}).json()["files"]
        return {file["path"]: file for file in found if file["state"] != "gone"}

    def states(self, key: str) -> dict[str, str]:
        return {path: str(file["state"]) for path, file in self.files(key).items()}

    def id_of(self, key: str, path: str) -> str:
        return str(self.files(key)[path]["document_id"])

    def finds(self, who: str, words: str) -> bool:
        """Whether somebody who asks for these words is shown a passage that has them."""
        answer = self.client(who).post("/api/ask", json={"question": words})
        assert answer.status_code == 200, answer.text
        passages = [data for name, data in events(answer) if name == "passages"]
        return any(words in passage["text"] for data in passages for passage in json.loads(data)["passages"])

    def acts(self) -> list[tuple[str, str, str]]:
        """What admins did since the test began: action, subject, detail."""
        recorded = reversed(self.appliance.log.entries(limit=500))
        entries = [item.entry for item in recorded if item.seq >= self.seen]
        return [(entry.action, entry.subject, entry.detail) for entry in entries if isinstance(entry, AdminAction)]

    def actions(self) -> list[str]:
        """What admins did themselves since the test began."""
        return [action for action, _, _ in self.acts() if action != "source.sync_ended"]


def write(path: Path, content: str | bytes) -> Path:
    """A file; one that was there already gets a later time, however fast the test is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if path.stat().st_mtime_ns <= before:
        os.utime(path, ns=(before + 1, before + 1))
    return path


@pytest.fixture(scope="session")
def _workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Appliance, Client]]:
    """An appliance without any source, to add some to, and clients of it. Its routes are made once: that takes long."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("workshop"),
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
        ingest=IngestSettings(max_file_bytes=3_000_000),
        access=AccessSettings(export_up_to="confidential"),
    )
    people = {**PEOPLE, "hr-admin": ((Role.ADMIN,), ("hr",))}
    with opened(settings) as built:
        for name, (roles, groups) in people.items():
            built.accounts.add(name, PASSWORD, roles, groups)
        sessions = {name: built.sessions.sign_in(name, PASSWORD, "127.0.0.1").token for name in people}
        open_log(built, sessions["compliance"])
        served = create_headless_app(built)

        def make(name: str) -> TestClient:
            made = TestClient(served, base_url=BASE, follow_redirects=False)
            made.cookies.set("strongroom_session", sessions[name], domain="testserver.local", path="/")
            return made

        yield built, make


@pytest.fixture
def desk(_workshop: tuple[Appliance, Client], tmp_path: Path) -> Iterator[Desk]:
    """The workshop, left without a source afterwards."""
    built, make = _workshop
    at = Desk(built, make, tmp_path, built.log.size())
    yield at
    for source in built.catalog.sources():
        built.runs.cancel(source.id)
    at.wait()
    for source in built.catalog.sources():
        at.remove(source.id)
    assert built.index.count() == 0
