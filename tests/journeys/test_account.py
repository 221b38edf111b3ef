"""One's own account: a second factor from the first scan to the next sign-in, and a token that is shown once."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Browser, expect

from appliance.auth.second_factor import STEP_S, totp
from tests.journeys.browser import visit
from tests.journeys.served import Served


def test_somebody_sets_up_a_second_factor_makes_a_token_and_an_admin_removes_the_factor(
    browser: Browser, served: Served
) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Your account"))
        expect(page.get_by_text("is off.")).to_be_visible()
        visiting.click(page.get_by_text("Make a token for a program"))
        visiting.fill(page.get_by_label("What it is for"), "monthly report")
        visiting.click(page.get_by_role("button", name="Make a token"))
        token = page.locator(".sr-secret code")
        expect(token).to_contain_text("sr_")
        visiting.click(page.get_by_role("button", name="I have noted it"))
        expect(token).to_have_count(0)
        visiting.click(page.get_by_role("link", name="Second factor"))
        secret = re.sub(r"\s", "", page.locator(".secret").inner_text())
        expect(page.locator("svg.qr")).to_be_visible()
        visiting.fill(page.get_by_label("Code that the app shows"), totp(secret, int(time.time()) // STEP_S))
        visiting.click(page.get_by_role("button", name="Turn on"))
        recovery = page.locator(".codes li").first.inner_text()
        visiting.click(page.get_by_role("link", name="I have noted them"))
        expect(page.get_by_role("link", name="Your account")).to_be_visible()
    name, password = served.accounts.employee
    with visit(browser, served.base_url, checked=False) as visiting:  # a refusal is an error in the console
        visiting.go("/login")
        page = visiting.page
        for code in ("", recovery):
            visiting.fill(page.get_by_label("Name"), name)
            visiting.fill(page.get_by_label("Password"), password)
            visiting.fill(page.get_by_label("Code"), code)
            visiting.click(page.get_by_role("button", name="Sign in"))
            if not code:
                expect(page.get_by_role("alert")).to_contain_text("password or the code is wrong")
        expect(page.get_by_role("link", name="Your account")).to_be_visible()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        visiting.click(page.get_by_role("tab", name="People"))
        panel = page.locator('[class*="st-key-sr-panel-"]', has_text=name)
        visiting.click(panel.get_by_role("button", name="Remove second factor"))
        visiting.click(page.get_by_role("button", name="Remove it"))
        expect(page.get_by_text("has no second factor any more")).to_be_visible()
        expect(page.get_by_text("This is you.")).to_be_visible()
