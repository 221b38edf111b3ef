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

# Words whose contrast to what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3; what is disabled is exempt).
HARD_TO_READ = """() => {
  const numbers = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => [0, 1, 2].map(at => top[at] * top[3] + under[at] * (1 - top[3]));
  const light = colour => colour.map(value => value / 255)
    .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = node => {
    const layers = [];
    for (let part = node; part; part = part.parentElement) layers.push(numbers(getComputedStyle(part).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const found = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const said = words.currentNode.textContent.trim(), node = words.currentNode.parentElement;
    if (!said || node.closest('script, style, [disabled], [aria-disabled=true], [data-disabled], [aria-hidden=true]')
        || !node.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    const paper = behind(node), ink = over(numbers(getComputedStyle(node).color), paper);
    const [less, more] = [light(ink), light(paper)].sort((one, other) => one - other);
    const contrast = (more + 0.05) / (less + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${said.slice(0, 60)}`);
  }
  return found;
}"""


def assert_legible(visiting: Visit) -> None:
    """Every word on the screen stands out from what is behind it, where the system is light and where it is dark."""
    for scheme, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 26, 23)")):
        visiting.page.emulate_media(color_scheme=scheme)
        expect(visiting.page.get_by_test_id("stApp")).to_have_css("background-color", paper)
        visiting.settle()
        assert (scheme, visiting.page.evaluate(HARD_TO_READ)) == (scheme, [])


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


def test_the_screens_are_dark_where_the_system_is_and_follow_it(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        page = visiting.page
        page.emulate_media(color_scheme="dark")
        visiting.go("/login")
        expect(page.locator("main")).to_have_css("background-color", "rgb(29, 37, 33)")
        visiting.photograph("login-dark")
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost?")
        screen, mark = page.get_by_test_id("stApp"), page.locator(".sr-text mark").first
        expect(screen).to_have_css("background-color", "rgb(20, 26, 23)")  # Streamlit's theme
        expect(mark).to_have_css("background-color", "rgb(90, 74, 18)")  # our style sheet
        assert_presentable(visiting, "ask-answer-dark")
        page.emulate_media(color_scheme="light")
        expect(screen).to_have_css("background-color", "rgb(255, 255, 255)")
        expect(mark).to_have_css("background-color", "rgb(255, 240, 184)")


def test_words_are_legible_where_the_system_is_light_and_where_it_is_dark(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost?")
        visiting.ask("Who was first on the moon?")
        assert_legible(visiting)
        visiting.click(visiting.page.get_by_role("button", name="Open source 1").first)
        expect(visiting.page.get_by_role("dialog")).to_contain_text("travel.md")
        assert_legible(visiting)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        for tab in ("People", "Files", "Health"):
            visiting.go(f"/admin?admin-tab={tab}")
            expect(visiting.page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
            if tab == "People":
                visiting.click(visiting.page.get_by_text("Add a person"))  # with a choice that was made
                expect(visiting.page.get_by_role("button", name="Add person")).to_be_visible()
            assert_legible(visiting)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        visiting.click(visiting.page.get_by_test_id("stDateInput").get_by_role("button").first)
        visiting.page.get_by_role("gridcell").first.wait_for()
        assert_legible(visiting)
        visiting.close_dialog()
        visiting.click(visiting.page.locator('[class*="st-key-sr-card-"] button').first)
        visiting.page.locator("dt", has_text="Outcome").wait_for()
        assert_legible(visiting)


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
