"""A whole appliance on a small folder of documents, without the screens, and a client for each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from appliance.config import ModelSettings, Provider, ServerSettings, Settings, SignInSettings
from appliance.domain import EVERYONE, Role, Source
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened

PASSWORD = "correct horse battery staple"
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
    return {name: appliance.sessions.sign_in(name, PASSWORD, "127.0.0.1").token for name in PEOPLE}


@pytest.fixture
def client(appliance: Appliance, _sessions: dict[str, str]) -> Client:
    """A client signed in under a name; nobody's for ""."""

    def make(name: str) -> TestClient:
        made = TestClient(create_headless_app(appliance), base_url=BASE, follow_redirects=False)
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
