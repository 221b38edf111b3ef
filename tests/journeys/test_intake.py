"""Taking documents in, from the admin's screens to the reader's: settings, previews, coverage, uploads, reviews."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pikepdf
from playwright.sync_api import Browser, Locator, expect

from tests.journeys.browser import Visit, visit
from tests.journeys.intake import desk, write_pdf
from tests.journeys.served import Served

_SYNC_MS = 90_000


def _open_tab(visiting: Visit, name: str) -> None:
    visiting.click(visiting.page.get_by_role("tab", name=name, exact=True))
    visiting.settle()


def _panel(visiting: Visit, name: str) -> Locator:
    return visiting.page.locator('[class*="st-key-sr-panel-"]').filter(
        has=visiting.page.get_by_role("heading", name=name)
    )


def _card(visiting: Visit, words: str) -> Locator:
    return visiting.page.locator('[class*="st-key-sr-card-"]', has_text=words)


def _open_file(visiting: Visit, path: str) -> Locator:
    """The dialog of a file."""
    _open_tab(visiting, "Files")
    visiting.enter(visiting.page.get_by_label("Search by path"), path)
    card = _card(visiting, path)
    expect(card).to_have_count(1)
    visiting.click(card.get_by_role("button", name="Open file"))
    dialog = visiting.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=path)).to_be_visible()
    return dialog


def test_a_folder_is_looked_at_added_with_settings_synced_and_accounted_for(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "audits"
    (folder / "drafts").mkdir(parents=True)
    write_pdf(folder / "audit.pdf", "The audit found the vault in order.", "", "The next audit is due in spring.")
    (folder / "drafts" / "notes.md").write_text("# Notes\n\nNothing yet.\n", encoding="utf-8")
    with desk(served, "Audits"), visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        visiting.click(page.get_by_text("Add a folder"))
        visiting.fill(page.get_by_label("Name", exact=True), "Audits")
        visiting.fill(page.get_by_label("Folder on this machine"), str(folder))
        visiting.click(page.get_by_text("More settings"))
        visiting.fill(page.get_by_role("textbox", name="Leave out"), "drafts/**")
        visiting.click(page.get_by_text("Sync soon after something changes"))
        visiting.click(page.get_by_role("button", name="Preview first"))
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("row", name="audit.pdf")).to_contain_text("read")
        expect(dialog.get_by_role("row", name="notes.md")).to_have_count(0)
        visiting.click(dialog.get_by_role("button", name="Add the folder and read its files"))
        expect(page.get_by_text("Added Audits.")).to_be_visible()
        panel = _panel(visiting, "Audits")
        expect(panel).to_contain_text("Leaves out drafts/**")
        expect(panel).to_contain_text("not watched")
        expect(panel.get_by_text(re.compile("^What the last sync did"))).to_be_visible(timeout=_SYNC_MS)
        visiting.click(panel.get_by_role("button", name="Preview"))
        visiting.click(dialog.get_by_role("button", name="Sync like this"))
        expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible(timeout=_SYNC_MS)

        dialog = _open_file(visiting, "audit.pdf")
        cells = dialog.locator(".sr-strip .sr-cell")
        expect(cells).to_have_count(3)
        expect(cells.nth(0)).to_have_text("T1")
        expect(cells.nth(1)).to_have_text("\N{EN DASH}2")
        assert "No text" in (cells.nth(1).get_attribute("title") or "")
        visiting.enter(dialog.get_by_label("Look at page (1 to 3)"), "3")
        visiting.wait_for_page_image()
        visiting.close_dialog()

        _open_tab(visiting, "Runs")
        row = page.get_by_role("row", name="Audits").last  # the first sync, which read it
        expect(row).to_contain_text("finished")
        assert b'"audit.pdf","indexed"' in visiting.download(row.get_by_role("link", name="CSV"))
        report = json.loads(visiting.download(row.get_by_role("link", name="JSON")))
        assert [(file["path"], file["pages"]) for file in report["files"]] == [("audit.pdf", 3)]


def test_an_upload_waits_for_a_curator_and_is_found_once_it_is_approved(browser: Browser, served: Served) -> None:
    question = "How many keys does the vault in Trondheim have?"
    words = "# Trondheim\n\nThe vault in Trondheim has four keys, kept by four people.\n"
    with desk(served, "Expert opinions"):
        with visit(browser, served.base_url) as visiting:
            visiting.sign_in(*served.accounts.admin, to="/admin")
            page = visiting.page
            visiting.click(page.get_by_text("Add a place for uploads"))
            visiting.fill(page.get_by_label("Name of the place"), "Expert opinions")
            visiting.click(page.get_by_role("button", name="Add place for uploads"))
            panel = _panel(visiting, "Expert opinions")
            expect(panel).to_contain_text("curated")
            visiting.settle()
            panel.locator("input[type=file]").set_input_files(
                {"name": "trondheim.md", "mimeType": "text/markdown", "buffer": words.encode()}
            )
            expect(panel.get_by_text("trondheim.md")).to_be_visible()
            visiting.click(panel.get_by_role("button", name="Take these files in"))
            expect(page.get_by_text("1 of 1 file taken")).to_be_visible()
            row = panel.get_by_role("row", name="trondheim.md")
            expect(row).to_contain_text("waiting for review", timeout=_SYNC_MS)
            visiting.go("/library")
            visiting.enter(page.get_by_label("Search by title or path"), "trondheim")
            expect(page.get_by_text("0 documents")).to_be_visible()
            visiting.go("/admin")
            _open_tab(visiting, "Review")
            visiting.click(_card(visiting, "trondheim.md").get_by_role("button", name="Review"))
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("four keys")
            visiting.click(dialog.get_by_role("button", name="Approve"))
            expect(page.get_by_text("is approved")).to_be_visible()
            _open_tab(visiting, "Sources")
            expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible(timeout=_SYNC_MS)
        with visit(browser, served.base_url) as visiting:
            visiting.sign_in(*served.accounts.employee)
            visiting.ask(question)
            expect(visiting.page.locator(".sr-answer").last).to_contain_text("four keys")


def test_an_encrypted_file_is_opened_with_its_password(browser: Browser, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir()
    write_pdf(tmp_path / "plain.pdf", "The sealed minutes name the winning bid.")
    with pikepdf.open(tmp_path / "plain.pdf") as plain:
        plain.save(folder / "minutes.pdf", encryption=pikepdf.Encryption(user="lantern-9", owner="owner-9", R=6))
    with desk(served, "Sealed") as admin, visit(browser, served.base_url) as visiting:
        admin.sync(admin.add("Sealed", folder))
        visiting.sign_in(*served.accounts.admin, to="/admin")
        dialog = _open_file(visiting, "minutes.pdf")
        expect(dialog).to_contain_text("needs a password")
        visiting.fill(dialog.get_by_label("Password of the file"), "lantern-9")
        visiting.click(dialog.get_by_role("button", name="Open with this password"))
        expect(visiting.page.get_by_text("is being read with the password")).to_be_visible()
        expect(_card(visiting, "minutes.pdf")).to_contain_text("indexed", timeout=_SYNC_MS)  # by itself
        _open_tab(visiting, "Sources")
        expect(_panel(visiting, "Sealed").get_by_text("1 indexed", exact=True)).to_be_visible(timeout=_SYNC_MS)
        visiting.settle()
        assert "lantern-9" not in visiting.page.content()


def test_an_open_page_follows_a_sync_that_begins_behind_it_and_loses_nothing_typed(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "behind"
    folder.mkdir()
    (folder / "memo.md").write_text("# Memo\n\nThe archive moves in May.\n", encoding="utf-8")
    with desk(served, "Behind the scenes") as admin, visit(browser, served.base_url) as visiting:
        key = admin.add("Behind the scenes", folder)
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        panel = _panel(visiting, "Behind the scenes")
        expect(panel).to_contain_text("Not synced yet")
        visiting.click(page.get_by_text("Add a folder"))
        visiting.fill(page.get_by_label("Name", exact=True), "Half written")
        admin.sync(key)
        expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible(timeout=_SYNC_MS)
        expect(page.get_by_label("Name", exact=True)).to_have_value("Half written")

        visiting.click(panel.get_by_role("button", name="Settings"))
        dialog = page.get_by_role("dialog")
        visiting.fill(dialog.get_by_role("textbox", name="Owner"), "Records office")
        (folder / "note.md").write_text("# Note\n\nThe cellar stays open.\n", encoding="utf-8")
        admin.sync(key)
        page.wait_for_timeout(2 * 4_000)  # the page has looked twice
        expect(dialog.get_by_role("textbox", name="Owner")).to_have_value("Records office")
        visiting.close_dialog()
        expect(panel.get_by_text("2 indexed", exact=True)).to_be_visible()


def test_a_paused_source_is_left_alone_until_it_is_resumed(browser: Browser, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "quiet"
    folder.mkdir()
    (folder / "memo.md").write_text("# Memo\n\nThe archive moves in May.\n", encoding="utf-8")
    with desk(served, "Quiet corner") as admin, visit(browser, served.base_url) as visiting:
        admin.add("Quiet corner", folder)
        visiting.sign_in(*served.accounts.admin, to="/admin")
        panel = _panel(visiting, "Quiet corner")
        visiting.click(panel.get_by_role("button", name="Pause"))
        expect(panel.get_by_text("paused", exact=True)).to_be_visible()
        expect(panel.get_by_role("button", name="Sync now")).to_be_disabled()
        visiting.click(panel.get_by_role("button", name="Resume"))
        expect(panel.get_by_text("paused", exact=True)).to_have_count(0)
        expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible(timeout=_SYNC_MS)


def test_the_library_shows_what_a_new_version_changed(browser: Browser, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "terms"
    folder.mkdir()
    terms = folder / "terms.md"
    terms.write_text("# Terms\n\nNotice is given six months before.\n\nInvoices are due at once.\n", encoding="utf-8")
    with desk(served, "Terms") as admin, visit(browser, served.base_url) as visiting:
        key = admin.add("Terms", folder)
        admin.sync(key)
        terms.write_text(terms.read_text("utf-8").replace("six months", "three months"), encoding="utf-8")
        admin.sync(key)
        visiting.sign_in(*served.accounts.employee, to="/library")
        page = visiting.page
        visiting.enter(page.get_by_label("Search by title or path"), "terms.md")
        expect(page.get_by_text("1 document", exact=True)).to_be_visible()
        visiting.click(page.get_by_role("button", name="Open document"))
        dialog = page.get_by_role("dialog")
        visiting.click(dialog.get_by_role("tab", name="History"))
        expect(dialog.get_by_role("row")).to_have_count(3)  # the head and two versions
        expect(dialog.locator("ins")).to_have_text(["Notice is given three months before."])
        expect(dialog.locator("del")).to_have_text(["Notice is given six months before."])
