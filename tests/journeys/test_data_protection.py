"""Two officers erase a person whom a hold protects at first, and one of them hands out everything about another."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, expect

from tests.journeys.browser import Visit, visit
from tests.journeys.officers import approve, ask_to_take_out
from tests.journeys.served import Served

QUESTION = "What may a hotel night cost in Ultramarin?"


def test_a_person_is_erased_by_two_officers_once_no_hold_protects_them(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as asking:
        asking.sign_in(*served.accounts.employee)
        asking.ask(QUESTION)
    with visit(browser, served.base_url) as first, visit(browser, served.base_url) as second:
        first.sign_in(*served.accounts.compliance)
        first.open_log()
        first.go("/protection")
        second.sign_in(*served.accounts.second_officer, to="/protection")
        first.enter(first.page.get_by_label("Whom it is about (name)"), "erin")
        if ask_to_take_out(first, "She asked for it."):
            approve(second, "Take out what the log holds")
        hand_out(first, "erin", QUESTION)
        place_hold(first, "erin")
        propose_erasure(first, "erin")
        expect(first.page.get_by_text("yours: another officer decides")).to_be_visible()
        expect(first.page.get_by_role("button", name="Approve")).to_have_count(0)
        approve(second, "Everything of erin")
        expect(second.page.get_by_text("A hold keeps")).to_be_visible()
        propose_release(first)
        approve(second, "Hold of erin")
        expect(second.page.get_by_text("complete").first).to_be_visible()
        take_certificate(second)
        first.go("/compliance")
        first.enter(first.page.get_by_label("Words in the question or answer"), "Ultramarin")
        expect(first.page.get_by_text("No entry matches.")).to_be_visible()
    with visit(browser, served.base_url) as asking:
        asking.sign_in(*served.accounts.employee)
        expect(asking.page.get_by_text("Ultramarin")).to_have_count(0)


def hand_out(visiting: Visit, name: str, expected: str) -> None:
    visiting.go("/protection")
    visiting.enter(visiting.page.get_by_label("Whom it is about (name)"), name)
    facts = json.loads(visiting.download(visiting.page.get_by_role("link", name="Download as JSON")))
    assert expected in json.dumps(facts["own_entries"])


def place_hold(visiting: Visit, name: str) -> None:
    page = visiting.page
    visiting.click(page.get_by_text("Place a hold"))
    visiting.fill(page.get_by_label("Name of the person (empty: everybody)"), name)
    reason, send = page.get_by_label("Reason for the hold"), page.get_by_role("button", name="Place the hold")
    visiting.fill(reason, "z" * 1001)
    visiting.click(send)
    expect(page.get_by_text("Reason may have at most 1,000 characters.")).to_be_visible()
    expect(reason).to_have_value("z" * 1001)
    visiting.fill(reason, "A case is open.")
    visiting.click(send)
    expect(page.get_by_text("The hold is in force.")).to_be_visible()
    expect(reason).to_have_value("")


def propose_release(visiting: Visit) -> None:
    visiting.fill(visiting.page.get_by_label("Reason for the release"), "The case is closed.")
    visiting.click(visiting.page.get_by_role("button", name="Propose the release"))
    expect(visiting.page.get_by_text("Proposed. Another officer decides.")).to_be_visible()


def take_certificate(visiting: Visit) -> None:
    assert visiting.download(visiting.page.get_by_role("link", name="PDF").first).startswith(b"%PDF-")


def propose_erasure(visiting: Visit, name: str) -> None:
    page = visiting.page
    visiting.click(page.get_by_text("Propose an erasure"))
    visiting.fill(page.get_by_label("Name of the person", exact=True), name)
    visiting.fill(page.get_by_label("Reason for the erasure"), "They asked for it.")
    visiting.click(page.get_by_role("button", name="Propose", exact=True))
    expect(page.get_by_text("Proposed. Another officer decides.")).to_be_visible()
