"""The admin's journey: take a folder in, watch it, see what failed and why, let people in."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.appliance.ldap import organisation
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
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_text("Add a folder"))
        visiting.fill(page.get_by_label("Name", exact=True), "Claims desk")
        visiting.fill(page.get_by_label("Folder on this machine"), str(folder))
        visiting.click(page.get_by_role("button", name="Add folder"))
        expect(page.get_by_text("Added Claims desk. Its files are being read.")).to_be_visible()
        panel = page.locator('[class*="st-key-sr-panel-"]', has_text="Claims desk")
        expect(panel.get_by_text(re.compile("^What the last sync did"))).to_be_visible(timeout=90_000)
        visiting.click(page.get_by_role("tab", name="Files"))
        # First of all, because this page says why, should it be otherwise.
        expect(page.locator('[class*="st-key-sr-card-"]', has_text="manual.md")).to_contain_text("indexed")
        visiting.enter(page.get_by_label("Search by path"), "broken")
        card = page.locator('[class*="st-key-sr-card-"]', has_text="broken.pdf")
        expect(card).to_contain_text("failed")
        expect(card.locator("p").first).to_contain_text(".")  # the reason, a sentence
        visiting.click(page.get_by_role("tab", name="Sources"))
        expect(panel.get_by_text("1 indexed", exact=True)).to_be_visible()
        expect(panel.get_by_text("1 failed", exact=True)).to_be_visible()
        visiting.click(panel.get_by_role("button", name="Remove"))
        visiting.click(page.get_by_role("button", name="Remove source"))
        # Whether it is gone at once depends on how busy the machine is; that nobody sees it any more does not.
        expect(
            page.get_by_text(re.compile("^Removed Claims desk|^Nobody sees the documents of Claims"))
        ).to_be_visible()
        expect(panel).to_have_count(0, timeout=30_000)


def test_a_folder_that_is_not_there_is_refused_with_a_sentence(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_text("Add a folder"))
        visiting.fill(page.get_by_label("Name", exact=True), "Nowhere")
        visiting.fill(page.get_by_label("Folder on this machine"), "/no/such/folder")
        visiting.click(page.get_by_role("button", name="Add folder"))
        expect(page.get_by_role("alert").filter(has_text="/no/such/folder")).to_be_visible()


def test_a_new_person_gets_a_password_that_is_shown_once_and_works(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_role("tab", name="People"))
        visiting.click(page.get_by_text("Add a person"))
        visiting.fill(page.get_by_label("Sign-in name"), "nina")
        visiting.click(page.get_by_role("button", name="Add person"))
        secret = page.locator(".sr-secret code")
        expect(secret).to_be_in_viewport()  # the form is at the foot of the page
        password = secret.inner_text()
        visiting.click(page.get_by_role("button", name="I have noted it"))
        expect(secret).to_have_count(0)
        visiting.settle()
        assert password not in page.content()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in("nina", password)
        page = visiting.page
        expect(page.get_by_role("heading", name="Change your password")).to_be_visible()
        visiting.go("/ask")
        expect(page.get_by_role("link", name="Change your password")).to_be_visible()  # nothing else is offered
        visiting.go("/password")
        visiting.fill(page.get_by_label("Password now", exact=True), password)
        visiting.fill(page.get_by_label("New password", exact=True), "a password of her own")
        visiting.fill(page.get_by_label("New password again", exact=True), "a password of her own")
        visiting.click(page.get_by_role("button", name="Change password"))
        expect(page.get_by_text("Ask your documents")).to_be_visible()


def test_a_person_added_by_an_impatient_hand_is_added_once_and_no_password_is_lost(
    browser: Browser, served: Served
) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_role("tab", name="People"))
        name = page.get_by_label("Sign-in name")
        for gap_ms in (10, 30, 50, 70):  # the second run may begin at any moment of the first
            visiting.settle()
            if not name.is_visible():
                visiting.click(page.get_by_text("Add a person"))
            visiting.enter_twice(name, f"dora-{gap_ms}", gap_ms)
            expect(page.locator('[class*="st-key-sr-password"]')).to_contain_text(f"dora-{gap_ms}")
            expect(page.get_by_role("alert")).to_have_count(0)
        password = page.locator(".sr-secret code").inner_text()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in("dora-70", password)


def test_health_says_how_every_part_is(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        visiting.click(visiting.page.get_by_role("link", name="Administration"))
        visiting.click(visiting.page.get_by_role("tab", name="Health"))
        expect(visiting.page.get_by_role("row").nth(3)).to_be_visible(timeout=60_000)


def test_somebody_of_the_directory_signs_in_and_an_admin_sees_how_it_stands(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in("anna", organisation.PASSWORD)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_role("tab", name="Directories"))
        panel = page.locator('[class*="st-key-sr-panel-directory-ldap"]')
        expect(panel).to_contain_text("1 person · 4 groups")
        visiting.click(panel.get_by_role("button", name="Sync now"))
        expect(page.get_by_text("ldap is in sync.")).to_be_visible()
        expect(panel).to_contain_text("The group 'rag-sales' is left out")
