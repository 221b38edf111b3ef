"""What the journeys share: one browser, one furnished appliance, one stand-in that says hostile things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tests.appliance.ldap import organisation, slapd
from tests.journeys.browser import chromium
from tests.journeys.served import Served, appliance, free_port, process

_SYNC_S = 120
expect.set_options(timeout=30_000)  # milliseconds; two cores may be busy with a browser, the appliance and other tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An appliance that has read two folders: one for everyone, one for a group nobody here belongs to."""
    folder = tmp_path_factory.mktemp("appliance")
    _write_documents(folder / "documents")
    with (
        slapd.running(folder / "slapd", organisation.ldif()) as directory,
        appliance(folder, _people_come_from(directory)) as running,
    ):
        _take_in(running, "Policies", running.documents / "policies", ["everyone"])
        _take_in(running, "Board papers", running.documents / "board", ["board"])
        yield running


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The screens in front of an API whose every word is an attack."""
    port = free_port()
    log = tmp_path_factory.mktemp("hostile") / "server.log"
    with process(["-m", "tests.ui.served", str(port), "hostile"], port, log, {}) as base_url:
        yield base_url


def _people_come_from(directory: slapd.Slapd) -> dict[str, str]:
    password = directory.folder / "service-password"
    password.write_text(slapd.SERVICE_PASSWORD)
    settings = {
        "urls": f'["{directory.ldaps}"]',
        "ca_file": directory.ca_file,
        "bind_dn": slapd.SERVICE_DN,
        "bind_password_file": str(password),
        "people_base": organisation.PEOPLE,
        "groups_base": organisation.GROUPS,
        "include_groups": '["rag-*"]',
    }
    return {f"STRONGROOM_LDAP__{key.upper()}": value for key, value in settings.items()}


def _write_documents(folder: Path) -> None:
    (folder / "policies").mkdir(parents=True)
    (folder / "board").mkdir()
    canvas = Canvas(str(folder / "policies" / "records-retention.pdf"), pagesize=A4, invariant=1)
    canvas.setTitle("Records Retention Policy")
    for heading, *lines in (
        ("Records Retention Policy", "This policy applies to every office of the company."),
        (
            "Retention of treaty records",
            "Records of terminated reinsurance treaties are kept for ten years.",
            "The period starts on the day the last claim is settled.",
        ),
    ):
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(72, 760, heading)
        canvas.setFont("Helvetica", 11)
        for number, words in enumerate(lines):
            canvas.drawString(72, 720 - 18 * number, words)
        canvas.showPage()
    canvas.save()
    (folder / "policies" / "travel.md").write_text(
        "# Travel\n\nTrain journeys of less than four hours are made in second class.\n\n"
        "## Hotels\n\nA hotel night costs at most 140 euros, breakfast included.\n",
        encoding="utf-8",
    )
    (folder / "board" / "merger.md").write_text(
        "# Project Halyard\n\nThe board considers the merger with the Lindqvist group in March.\n", encoding="utf-8"
    )


def _take_in(running: Served, name: str, path: Path, groups: list[str]) -> None:
    with httpx.Client(base_url=running.base_url, trust_env=False, timeout=60) as api:
        user, password = running.accounts.admin
        api.post("/api/session", json={"name": user, "password": password}).raise_for_status()
        source = api.post("/api/sources", json={"name": name, "path": str(path), "groups": groups})
        assert source.is_success, source.text
        run = api.post(f"/api/sources/{source.json()['id']}/sync").json()
        deadline = time.monotonic() + _SYNC_S
        while time.monotonic() < deadline:
            state = next(item for item in api.get("/api/runs").json() if item["id"] == run["id"])
            if state["state"] != "running":
                assert state["state"] == "finished", state
                return
            time.sleep(0.5)
        raise AssertionError(f"'{name}' was not read in {_SYNC_S} s")
