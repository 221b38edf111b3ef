"""Every page on a desk and on a phone: it fits, is labelled, can be reached by keyboard, and is photographed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.browser import DESKTOP, PHONE, Visit, visit
from tests.journeys.served import Served, free_port, process

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])

UNNAMED = """() => [...document.querySelectorAll('button, a[href], input:not([type=hidden]), textarea, select')]
  .filter(node => node.checkVisibility({visibilityProperty: true}) && !node.closest('[aria-hidden=true], [inert]'))
  .filter(node => !(node.ariaLabel || node.innerText?.trim() || node.title || node.labels?.length
      || node.getAttribute('aria-labelledby') || node.querySelector('img[alt], svg title')))
  .map(node => node.outerHTML.slice(0, 160))"""


def assert_presentable(visiting: Visit, name: str) -> None:
    """The page fits its window, has a heading, and every control has a name."""
    visiting.photograph(name)
    page = visiting.page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('main, section')].every(part => part.scrollWidth <= innerWidth)"
    )
    assert page.locator("h1, h2").count() >= 1
    assert page.evaluate(UNNAMED) == []
    for clutter in ("Deploy", "Made with Streamlit"):
        assert page.get_by_text(clutter, exact=True).count() == 0


@SIZES
def test_the_sign_in_page(browser: Browser, served: Served, size: tuple[int, int]) -> None:
    with visit(browser, served.base_url, size) as visiting:
        visiting.go("/login")
        visiting.photograph("login")
        assert visiting.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert visiting.page.evaluate(UNNAMED) == []
        assert visiting.page.locator("script").count() == 0


@SIZES
def test_the_pages_of_the_employee(browser: Browser, served: Served, size: tuple[int, int]) -> None:
    with visit(browser, served.base_url, size) as visiting:
        visiting.sign_in(*served.accounts.employee)
        assert_presentable(visiting, "ask-empty")
        visiting.ask("How long are records of terminated treaties kept?")
        assert_presentable(visiting, "ask-answer")
        visiting.click(visiting.page.get_by_role("button", name="Open source 1"))
        visiting.page.get_by_role("dialog").locator("img.sr-page").wait_for()
        visiting.wait_for_page_image()
        assert_presentable(visiting, "ask-source")
        visiting.close_dialog()
        visiting.go("/library")
        visiting.page.get_by_role("button", name="Open document").first.wait_for()
        assert_presentable(visiting, "library")
        visiting.click(visiting.page.get_by_role("button", name="Open document").first)
        visiting.page.locator(".sr-fields").wait_for()
        assert_presentable(visiting, "library-document")


@SIZES
def test_the_pages_of_the_admin(browser: Browser, served: Served, size: tuple[int, int]) -> None:
    with visit(browser, served.base_url, size) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        visiting.page.get_by_role("button", name="Sync now").first.wait_for()
        assert_presentable(visiting, "admin-sources")
        for tab in ("Runs", "Files", "Review", "People", "Access", "Directories", "Evaluation", "Health"):
            visiting.click(visiting.page.get_by_role("tab", name=tab))
            visiting.settle()
            assert_presentable(visiting, f"admin-{tab.lower()}")
        visiting.click(visiting.page.get_by_role("tab", name="Files"))
        visiting.click(visiting.page.locator('[class*="st-key-sr-card-"]', has_text=".pdf").get_by_role("button").first)
        visiting.page.locator(".sr-strip").wait_for()
        assert_presentable(visiting, "admin-file")


@SIZES
def test_the_pages_of_the_compliance_officer(browser: Browser, served: Served, size: tuple[int, int]) -> None:
    with visit(browser, served.base_url, size) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost?")
    with visit(browser, served.base_url, size) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        visiting.click(visiting.page.get_by_role("button", name="Verify the log"))
        visiting.page.get_by_text("The log is intact").wait_for()
        assert_presentable(visiting, "log")
        visiting.click(visiting.page.locator('[class*="st-key-sr-card-"] button').first)
        visiting.page.locator("dt", has_text="Outcome").wait_for()
        assert_presentable(visiting, "log-entry")
        visiting.close_dialog()
        visiting.click(visiting.page.get_by_role("tab", name="Charts"))
        visiting.page.get_by_text("Nothing is counted per person").wait_for()
        assert_presentable(visiting, "log-charts")
        visiting.click(visiting.page.get_by_role("tab", name="People"))
        visiting.page.get_by_label("Why it is needed").wait_for()
        assert_presentable(visiting, "log-people")
        visiting.click(visiting.page.get_by_role("tab", name="Other events"))
        visiting.page.get_by_role("row").nth(1).wait_for()
        assert_presentable(visiting, "log-events")
        visiting.go("/protection")
        visiting.page.get_by_label("Whom it is about (name)").wait_for()
        assert_presentable(visiting, "data-protection")


def test_the_keyboard_alone_is_enough_to_ask_and_to_open_a_source(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost?")
        page = visiting.page
        source = page.get_by_role("button", name="Open source 1")
        visiting.press("Tab")
        for _ in range(40):
            if source.evaluate("node => node === document.activeElement"):
                break
            visiting.press("Tab")
        expect(source).to_be_focused()
        ring = source.evaluate("node => getComputedStyle(node, '::after').outlineWidth")
        assert ring == "3px"
        visiting.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        visiting.close_dialog()


def test_a_bookmark_is_the_first_address_that_is_opened_after_a_start(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    with (
        process(["-m", "tests.ui.served", str(port)], port, tmp_path / "server.log", {}) as base_url,
        visit(browser, base_url) as visiting,
    ):
        visiting.page.context.add_cookies([{"name": "strongroom_session", "value": "erin", "url": base_url}])
        visiting.go("/ask")
        expect(visiting.page.get_by_test_id("stChatInputTextArea")).to_be_visible()
