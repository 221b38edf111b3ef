"""What two officers do in several journeys."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys.browser import Visit


def ask_to_take_out(visiting: Visit, reason: str) -> bool:
    """Ask that what the log holds may be taken out. Whether that waits for the other officer now.

    The journeys share an appliance, and what both have agreed on in an earlier one holds for a day.
    """
    page = visiting.page
    why, agreed = page.get_by_label("Why it is taken out"), page.get_by_text("may be taken out until")
    expect(why.or_(agreed)).to_be_visible()
    if agreed.is_visible():
        return False
    visiting.fill(why, reason)
    visiting.click(page.get_by_role("button", name="Put before a second officer"))
    expect(page.get_by_text("It waits for a second officer.")).to_be_visible()
    return True


def approve(visiting: Visit, about: str) -> None:
    """Approve what waits, on the page of data protection."""
    visiting.go("/protection")
    panel = visiting.page.locator('[class*="st-key-sr-panel-"]', has_text=about).first
    visiting.click(panel.get_by_role("button", name="Approve"))
    expect(visiting.page.get_by_text(": approved.")).to_be_visible()
