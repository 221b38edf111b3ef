"""Two officers erase a person whom a hold protects at first, and one of them hands out everything about another."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, expect

from tests.journeys.browser import Visit, visit
from tests.journeys.served import Served

QUESTION = "What may a hotel night cost in Ultramarin?"


def test_a_person_is_erased_by_two_officers_once_no_hold_protects_them(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as asking:
        asking.sign_in(*served.accounts.employee)
        asking.ask(QUESTION)
    with visit(browser, served.base_url) as first, visit(browser, served.base_url) as second:
        for officer, account in ((first, served.accounts.compliance), (second, served.accounts.second_officer)):
            officer.sign_in(*account)
            if officer is first:
                officer.open_log()
            officer.go("/protection")
        hand_out(first, "erin", QUESTION)
        place_hold(first, "erin")
        propose_erasure(first, "erin")
        expect(first.page.get_by_text("yours: another officer decides")).to_be_visible()
        expect(first.page.get_by_role("button", name="Approve")).to_have_count(0)
        approve(second, "Everything of erin")
        expect(second.page.get_by_text("A hold keeps")).to_be_visible()
        first.fill(first.page.get_by_label("Reason for the release"), "The case is closed.")
        first.click(first.page.get_by_role("button", name="Propose the release"))
        expect(first.page.get_by_text("Proposed. Another officer decides.")).to_be_visible()
        approve(second, "Hold of erin")
        expect(second.page.get_by_text("complete").first).to_be_visible()
        with second.page.expect_download() as download:
            second.click(second.page.get_by_role("link", name="PDF").first)
        assert download.value.path().read_bytes().startswith(b"%PDF-")
        first.go("/compliance")
        first.enter(first.page.get_by_label("Words in the question or answer"), "Ultramarin")
        expect(first.page.get_by_text("No entry matches.")).to_be_visible()
    with visit(browser, served.base_url) as asking:
        asking.sign_in(*served.accounts.employee)
        expect(asking.page.get_by_text("Ultramarin")).to_have_count(0)


def hand_out(officer: Visit, name: str, expected: str) -> None:
    officer.enter(officer.page.get_by_label("Whom it is about (name)"), name)
    with officer.page.expect_download() as download:
        officer.click(officer.page.get_by_role("link", name="Download as JSON"))
    facts = json.loads(download.value.path().read_text("utf-8"))
    assert expected in json.dumps(facts["own_entries"])


def place_hold(officer: Visit, name: str) -> None:
    page = officer.page
    officer.click(page.get_by_text("Place a hold"))
    officer.fill(page.get_by_label("Name of the person (empty: everybody)"), name)
    officer.fill(page.get_by_label("Reason for the hold"), "A case is open.")
    officer.click(page.get_by_role("button", name="Place the hold"))
    expect(page.get_by_text("The hold is in force.")).to_be_visible()


def propose_erasure(officer: Visit, name: str) -> None:
    page = officer.page
    officer.click(page.get_by_text("Propose an erasure"))
    officer.fill(page.get_by_label("Name of the person", exact=True), name)
    officer.fill(page.get_by_label("Reason for the erasure"), "They asked for it.")
    officer.click(page.get_by_role("button", name="Propose", exact=True))
    expect(page.get_by_text("Proposed. Another officer decides.")).to_be_visible()


def approve(officer: Visit, about: str) -> None:
    officer.go("/protection")
    panel = officer.page.locator('[class*="st-key-sr-panel-"]', has_text=about).first
    officer.click(panel.get_by_role("button", name="Approve"))
    expect(officer.page.get_by_text(": approved.")).to_be_visible()
