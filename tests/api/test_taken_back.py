"""A label that was taken back does not come back: not even from a sync that was under way when the change was answered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from appliance.domain import EVERYONE
from appliance.index.port import IndexEntry
from ingest.withdrawals import Withdrawals
from tests.api.conftest import Desk, write
from tests.ingest.conftest import disk_full
from tests.ingest.parse.documents import archive

_SALARY = "A fitter earns 80,000 CHF a year."


class _Admin:
    """Opens a source of personnel to everyone by mistake, and takes it back once the sync is at it."""

    def __init__(self, desk: Desk, source: str) -> None:
        self._desk = desk
        self._source = source
        self.has_taken_back = False

    def changes(self, *groups: str) -> None:
        answer = self._desk.admin.patch(f"/api/sources/{self._source}", json={"groups": list(groups)})
        assert answer.status_code == 200, answer.text

    def takes_it_back(self) -> None:
        if not self.has_taken_back:
            self.has_taken_back = True
            self.changes("personnel")
            assert _seen(self._desk) == []


def _seen(desk: Desk) -> list[str]:
    return sorted(each["path"] for each in desk.client("employee").get("/api/documents").json()["documents"])


def _watch_index(desk: Desk, monkeypatch: pytest.MonkeyPatch, admin: _Admin, seen: list[str], *, at: int = 1) -> None:
    """Let the admin take it back while the index lets everyone see the document of that number; note what is seen."""
    original, opened = desk.appliance.index.set_groups, 0

    def set_groups(document_id: str, groups: frozenset[str], *, version_id: str | None = None) -> None:
        nonlocal opened
        original(document_id, groups, version_id=version_id)
        if EVERYONE in groups:
            opened += 1
            if opened == at:
                admin.takes_it_back()
        if admin.has_taken_back:
            seen.extend(_seen(desk))

    monkeypatch.setattr(desk.appliance.index, "set_groups", set_groups)


def test_a_document_whose_label_is_taken_back_while_a_sync_gives_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = desk.add(desk.folder(pay__txt=_SALARY), groups=["personnel"])
    desk.sync(key)
    admin, seen = _Admin(desk, key), list[str]()
    _watch_index(desk, monkeypatch, admin, seen)
    original = desk.appliance.catalog.relabel

    def relabel(*arguments: Any, **named: Any) -> None:
        try:
            original(*arguments, **named)
        finally:
            if admin.has_taken_back:
                seen.extend(_seen(desk))

    monkeypatch.setattr(desk.appliance.catalog, "relabel", relabel)
    admin.changes(EVERYONE)
    desk.wait()
    assert admin.has_taken_back
    assert seen == [] == _seen(desk)
    assert not desk.finds("employee", _SALARY)
    assert {run["message"] for run in desk.runs_of(key)} <= {"", "The sync was paused. The next one completes it."}


def test_what_is_in_an_archive_is_not_opened_one_by_one_after_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = desk.folder()
    files = ((f"{number}.txt", f"Fitter number {number} earns {80 + number},000 CHF.".encode()) for number in range(12))
    write(folder / "pay.zip", archive(*files))
    key = desk.add(folder, groups=["personnel"])
    desk.sync(key)
    admin, seen = _Admin(desk, key), list[str]()
    _watch_index(desk, monkeypatch, admin, seen, at=4)
    admin.changes(EVERYONE)
    desk.wait()
    assert admin.has_taken_back
    assert seen == [] == _seen(desk)


def test_a_duplicate_that_takes_over_does_so_under_the_label_of_by_then(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = desk.folder(a__txt=_SALARY)
    key = desk.add(folder)
    desk.sync(key)
    write(folder / "b.txt", _SALARY)
    desk.sync(key)
    assert _seen(desk) == ["a.txt"]
    duplicate = desk.id_of(key, "b.txt")
    write(folder / "a.txt", "Something else altogether stands here now.")
    admin, seen = _Admin(desk, key), list[str]()
    upsert, publish = desk.appliance.index.upsert, desk.appliance.catalog.publish

    def slow(entries: Sequence[IndexEntry]) -> None:
        upsert(entries)
        if any(entry.document_id == duplicate for entry in entries):
            admin.takes_it_back()

    def published(*arguments: Any, **named: Any) -> None:
        try:
            publish(*arguments, **named)
        finally:
            if admin.has_taken_back:
                seen.extend(_seen(desk))

    monkeypatch.setattr(desk.appliance.index, "upsert", slow)
    monkeypatch.setattr(desk.appliance.catalog, "publish", published)
    desk.sync(key)
    assert admin.has_taken_back
    assert seen == [] == _seen(desk)
    assert not desk.finds("employee", _SALARY)


def test_a_folder_whose_place_a_link_has_taken_is_not_read(desk: Desk) -> None:
    share = desk.folder()
    write(share / "team" / "a.txt", "The canteen opens at eleven.")
    write(share / "board" / "plan.txt", "The merger with Zinnober closes in May.")
    key = desk.add(share / "team")
    desk.sync(key)
    (share / "team").rename(share / "as-it-was")
    (share / "team").symlink_to(share / "board")
    assert "is a link by now" in desk.sync(key, missing_ok=True)["message"]
    assert desk.finds("employee", "The canteen opens at eleven")  # nothing of it goes because of that
    assert not desk.finds("employee", "The merger with Zinnober closes")


def test_nor_where_what_leads_to_it_is_a_link_by_now(desk: Desk) -> None:
    share = desk.folder()
    write(share / "team" / "notes" / "a.txt", "The canteen opens at eleven.")
    write(share / "board" / "notes" / "plan.txt", "The merger with Zinnober closes in May.")
    key = desk.add(share / "team" / "notes")
    desk.sync(key)
    (share / "team").rename(share / "as-it-was")
    (share / "team").symlink_to(share / "board")
    assert "is a link by now" in desk.sync(key, missing_ok=True)["message"]
    assert not desk.finds("employee", "The merger with Zinnober closes")


def test_while_it_cannot_be_written_down_what_was_taken_away_no_way_out_shows_anything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.catalog.owed._AGAIN_S", 0.0)
    folder = desk.folder(pay__txt=_SALARY, menu__txt="On Friday there is soup.")
    key = desk.add(folder)
    desk.sync(key)
    reader = desk.client("employee")
    pay, menu = sorted(reader.get("/api/documents").json()["documents"], key=lambda each: each["path"], reverse=True)
    detail = reader.get(f"/api/documents/{pay['id']}").json()
    chunk, version = detail["passages"][0]["chunk_id"], detail["versions"][0]["id"]
    asked = reader.post("/api/ask", json={"question": "What does a fitter earn?"})
    assert "80,000" in asked.text
    (conversation, *_) = reader.get("/api/conversations").json()
    ways = [
        "/api/documents",
        f"/api/documents/{pay['id']}",
        f"/api/documents/{menu['id']}",  # of all it is not known which
        f"/api/documents/{pay['id']}/changes?older={version}&newer={version}",
        f"/api/documents/{pay['id']}/pages/1.png",
        f"/api/passages/{chunk}",
        f"/api/passages/{chunk}/page.png",
        f"/api/conversations/{conversation['id']}",
    ]
    write(folder / ".access.toml", 'groups = ["board"]')
    withdrawals = Withdrawals(desk.appliance.catalog, desk.appliance.settings.access.scale)
    with disk_full():
        withdrawals.look_at(key, [".access.toml"], threading.Event())
        answers = {way: reader.get(way) for way in ways}
    refused = {way: (answer.status_code, "lost access" in answer.text) for way, answer in answers.items()}
    assert refused == dict.fromkeys(ways, (503, True))
    assert reader.get("/api/documents").json()["documents"] == []
    assert reader.get(ways[1]).status_code == reader.get(ways[5]).status_code == 404
    assert "80,000" not in reader.get(ways[-1]).text
