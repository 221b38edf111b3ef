"""The admin's hands beside the browser: sources made and removed over the API, so that a journey shows only its own part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from reportlab.pdfgen.canvas import Canvas

from tests.journeys.served import Served

_LIMIT_S = 120


class Desk:
    """The API as the admin."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def add(self, name: str, path: Path, **settings: object) -> str:
        """A folder that is synced only when somebody asks; gives its id."""
        body = {"name": name, "path": str(path), "groups": ["everyone"], "watched": False, "compare_every_minutes": 0}
        answer = self._api.post("/api/sources", json={**body, **settings})
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["id"]
        return key

    def sync(self, key: str) -> None:
        """Sync a source to its end."""
        answer = self._api.post(f"/api/sources/{key}/sync")
        assert answer.status_code == 202, answer.text
        self.wait(key)

    def wait(self, key: str) -> None:
        """Wait until no sync of a source runs."""
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            runs = [run for run in self._api.get("/api/runs").json() if run["source_id"] == key]
            if not any(run["state"] == "running" for run in runs):
                return
            time.sleep(0.3)
        raise AssertionError(f"A sync did not end in {_LIMIT_S} s.")

    def forget(self, name: str) -> None:
        """Remove the source of this name, if there is one. A sync that runs ends first."""
        for source in self._api.get("/api/sources").json():
            if source["name"] == name:
                self._api.post(f"/api/sources/{source['id']}/pause").raise_for_status()
                self.wait(source["id"])
                self._api.delete(f"/api/sources/{source['id']}").raise_for_status()


@contextmanager
def desk(served: Served, *names: str) -> Iterator[Desk]:
    """The admin's desk; sources of these names are removed at the end, however it ends."""
    with httpx.Client(base_url=served.base_url, trust_env=False, timeout=60) as api:
        user, password = served.accounts.admin
        api.post("/api/session", json={"name": user, "password": password}).raise_for_status()
        opened = Desk(api)
        try:
            yield opened
        finally:
            for name in names:
                opened.forget(name)


def write_pdf(path: Path, *pages: str) -> None:
    """A PDF with one line on each page; an empty one makes an empty page."""
    canvas = Canvas(str(path), invariant=1)
    for words in pages:
        if words:
            canvas.drawString(72, 720, words)
        canvas.showPage()
    canvas.save()
