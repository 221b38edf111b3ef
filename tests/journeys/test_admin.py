"""The admin's journey: take a folder in, watch it, see what failed and why, let people in."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.journeys.browser import visit
from tests.journeys.served import Served


def test_a_folder_is_added_synced_and_removed(browser: Browser, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / "manual.md").write_text("# Claims\n\nA claim is acknowledged within two days.\n", encoding="utf-8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no document\n")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        page.get_by_role("link", name="Administration").click()
        page.get_by_text("Add a folder").click()
        page.get_by_label("Name", exact=True).fill("Claims desk")
        page.get_by_label("Folder on this machine").fill(str(folder))
        page.get_by_role("button", name="Add folder").click()
        expect(page.get_by_text("Added Claims desk.")).to_be_visible()
        panel = page.locator('[class*="st-key-sr-panel-"]', has_text="Claims desk")
        panel.get_by_role("button", name="Sync now").click()
        expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible(timeout=90_000)
        expect(panel.get_by_text("1 failed", exact=True)).to_be_visible()
        page.get_by_role("tab", name="Files").click()
        page.get_by_label("Search by path").fill("broken")
        page.keyboard.press("Enter")
        row = page.get_by_role("row", name="broken.pdf")
        expect(row).to_contain_text("failed")
        reason = row.get_by_role("cell").nth(2)
        expect(reason).not_to_be_empty()
        page.get_by_role("tab", name="Sources").click()
        panel.get_by_role("button", name="Remove").click()
        page.get_by_role("button", name="Remove source").click()
        expect(page.get_by_text("Removed Claims desk.")).to_be_visible()
        expect(panel).to_have_count(0)


def test_a_folder_that_is_not_there_is_refused_with_a_sentence(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        page.get_by_role("link", name="Administration").click()
        page.get_by_text("Add a folder").click()
        page.get_by_label("Name", exact=True).fill("Nowhere")
        page.get_by_label("Folder on this machine").fill("/no/such/folder")
        page.get_by_role("button", name="Add folder").click()
        expect(page.get_by_role("alert").filter(has_text="/no/such/folder")).to_be_visible()


def test_a_new_person_gets_a_password_that_is_shown_once_and_works(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        page.get_by_role("link", name="Administration").click()
        page.get_by_role("tab", name="People").click()
        page.get_by_text("Add a person").click()
        page.get_by_label("Sign-in name").fill("nina")
        page.get_by_role("button", name="Add person").click()
        secret = page.locator(".sr-secret code")
        secret.wait_for()
        password = secret.inner_text()
        visiting.settle()
        page.get_by_role("button", name="I have noted it").click()
        expect(secret).to_have_count(0)
        assert password not in page.content()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in("nina", password)
        expect(visiting.page.get_by_text("Ask your documents")).to_be_visible()


def test_health_says_how_every_part_is(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        visiting.page.get_by_role("link", name="Administration").click()
        visiting.page.get_by_role("tab", name="Health").click()
        expect(visiting.page.get_by_role("row").nth(3)).to_be_visible(timeout=60_000)
