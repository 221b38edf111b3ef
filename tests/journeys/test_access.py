"""Access, as those see it who ask for it and those who give it."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.journeys.browser import visit
from tests.journeys.served import Served


def test_access_is_asked_for_looked_into_and_given(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee, to="/library")
        page = visiting.page
        visiting.click(page.get_by_text("Something is missing? Ask for access"))
        visiting.fill(page.get_by_label("Group (if you know it)"), "auditors")
        visiting.click(page.get_by_role("button", name="Send request"))
        expect(page.get_by_text("Your request was sent.")).to_be_visible()
        visiting.photograph("access-asked")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Access"))
        request = page.locator('[class*="st-key-sr-panel-"]', has_text="asks to be in the group 'auditors'")
        expect(request).to_contain_text("erin")
        visiting.photograph("access-requests")
        visiting.click(page.get_by_text("Why a document is seen"))
        visiting.enter(page.get_by_label("Search by path"), "merger")
        expect(page.get_by_text("Seen by board, at level internal.")).to_be_visible()
        expect(page.get_by_text("At present nobody may see it.")).to_be_visible()
        visiting.photograph("access-why")
        visiting.click(page.get_by_text("Requests", exact=True))
        visiting.click(request.get_by_role("button", name="Add to the group"))
        expect(page.get_by_text("Approved: erin.")).to_be_visible()
        visiting.click(page.get_by_text("What somebody sees"))
        visiting.click(page.get_by_label("Person"))
        visiting.click(page.get_by_role("option", name="erin"))
        expect(page.get_by_text("Cleared for internal, by the default.")).to_be_visible()
        expect(page.get_by_role("row", name="auditors given here yes")).to_be_visible()
        visiting.photograph("access-person")
        page.reload()
        expect(page.get_by_label("Person")).to_be_visible()
