"""What the browser has to say while a page loads, addresses that there are not, and the first visit of somebody."""

from __future__ import annotations

import httpx
from playwright.sync_api import Browser, ConsoleMessage, expect

from tests.journeys.browser import PHONE, visit
from tests.journeys.served import Served


def test_a_page_loads_without_a_complaint_of_the_browser_or_an_answer_of_not_found(
    browser: Browser, served: Served
) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.unanswered.clear()
        visiting.page.on("console", note)
        visiting.go("/library")
        expect(visiting.page.get_by_role("heading", name="Library")).to_be_visible()
        visiting.settle()
        assert (complaints, visiting.unanswered) == ([], [])


def test_an_address_that_there_is_not_is_told_on_a_page_of_its_own(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        for path in (
            "/nothing", "/start", "/nothing/deep", "/ask/deep", "/library.html?q=1", "/index.html", "/login/",
            "/favicon.pngx", "/manifest.json.bak", "/static", "/static/", "/static/nothing", "/static/..%2findex.html",
            "/_stcore", "/_stcore/nothing", "/_stcore/health/deep", "/_stcore/script-health-check", "/auth/login",
        ):  # fmt: skip
            answer = visiting.page.request.get(f"{served.base_url}{path}", max_redirects=0)
            assert (path, answer.status) in ((path, 404), (path, 400))
            assert "<script" not in answer.text(), path
        for path in ("/_stcore/health", "/_stcore/host-config", "/favicon.png", "/manifest.json"):
            assert visiting.page.request.get(f"{served.base_url}{path}").status == 200, path
        for method in ("POST", "PUT", "DELETE"):  # the back channel of single sign-on too, where there is none
            answer = visiting.page.request.fetch(f"{served.base_url}/login/oidc/signed-out", method=method)
            assert (method, answer.status) == (method, 404)
            assert "There is no such page" in answer.text()
        visiting.sign_in(*served.accounts.employee)
        visiting.go("/nothing")
        expect(visiting.page.get_by_role("heading", name="There is no such page")).to_be_visible()
        visiting.click(visiting.page.get_by_role("link", name="Start page"))
        expect(visiting.page.get_by_role("heading", name="Ask your documents")).to_be_visible()
        visiting.go("/library/")  # with a slash at its end it is the page
        expect(visiting.page.get_by_role("heading", name="Library")).to_be_visible()
        assert visiting.page.url == f"{served.base_url}/library"


def test_who_never_signed_in_is_asked_to_and_told_of_no_session(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.go("/library")
        expect(visiting.page.get_by_text("Sign in to see this page.")).to_be_visible()
        expect(visiting.page).to_have_title("Sign in - Strongroom")
        expect(visiting.page.get_by_text("session ended")).to_have_count(0)
        visiting.click(visiting.page.get_by_role("link", name="Sign in"))
        expect(visiting.page.get_by_label("Password")).to_be_visible()


def test_the_sign_in_leads_back_to_the_page_that_somebody_came_for(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.go("/library")
        visiting.click(visiting.page.get_by_role("link", name="Sign in"))
        visiting.give(*served.accounts.employee)
        expect(visiting.page.get_by_role("heading", name="Library")).to_be_visible()
        assert visiting.page.url == f"{served.base_url}/library"
        visiting.go("/login")  # who is signed in has nothing to do there
        expect(visiting.page.get_by_role("heading", name="Ask your documents")).to_be_visible()


def test_the_part_of_a_page_that_is_open_stands_in_its_address_and_comes_back(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Health"))
        page.wait_for_url("**/admin?admin-tab=Health")
        page.reload()
        expect(page.get_by_role("button", name="Check again")).to_be_visible()
        visiting.click(page.get_by_role("link", name="Your account"))
        page.wait_for_url("**/account")
        visiting.click(page.get_by_role("link", name="Administration"))
        expect(page.get_by_role("button", name="Check again")).to_be_visible()
        visiting.go("/admin?admin-tab=%3Cb%3ENowhere")
        expect(page.get_by_role("tab", name="Sources")).to_have_attribute("aria-selected", "true")
        visiting.settle()
        assert page.url == f"{served.base_url}/admin"


def test_the_way_back_leads_to_the_tab_and_the_view_before(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Administration"))
        for tab, address in (("Health", "admin-tab=Health"), ("Access", "admin-tab=Access")):
            visiting.click(page.get_by_role("tab", name=tab))
            page.wait_for_url(f"**/admin?{address}")
        visiting.click(page.get_by_text("What groups would see"))
        page.wait_for_url("**/admin?admin-tab=Access&access-view=What+groups+would+see")
        expect(page.get_by_label("Cleared for")).to_be_visible()
        visiting.settle()
        for tab, address in (("Access", "?admin-tab=Access"), ("Health", "?admin-tab=Health"), ("Sources", "")):
            page.go_back()
            expect(page.get_by_role("tab", name=tab, exact=True)).to_have_attribute("aria-selected", "true")
            visiting.settle()
            assert page.url == f"{served.base_url}/admin{address}"
            expect(page.get_by_label("Cleared for")).to_have_count(0)
        page.go_forward()
        expect(page.get_by_role("button", name="Check again")).to_be_visible()
        visiting.click(page.get_by_role("link", name="Administration"))  # where somebody is already
        visiting.settle()
        expect(page.get_by_role("button", name="Check again")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("tab", name="Sources")).to_have_attribute("aria-selected", "true")
        visiting.settle()
        page.go_back()
        expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()


def test_every_tab_is_in_sight_on_a_phone(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url, PHONE) as visiting:
        visiting.sign_in(*served.accounts.admin)
        visiting.go("/admin?admin-tab=Health")
        tabs = visiting.page.get_by_role("tab")
        expect(tabs.filter(has_text="Health")).to_have_attribute("aria-selected", "true")
        expect(tabs).to_have_count(9)
        visiting.settle()
        for tab in tabs.all():
            expect(tab).to_be_in_viewport(ratio=0.95)


def test_the_page_that_is_open_is_told_from_the_one_that_is_pointed_at(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        ask, library = (page.get_by_role("link", name=name, exact=True) for name in ("Ask", "Library"))
        expect(ask).to_have_attribute("aria-current", "page")
        visiting.click(library)
        expect(library).to_have_attribute("aria-current", "page")
        expect(page.locator("[aria-current]")).to_have_count(1)
        visiting.point(ask)
        here, there = (link.evaluate("link => getComputedStyle(link).backgroundColor") for link in (library, ask))
        assert here != there


def test_the_sign_in_leads_to_a_page_whose_address_names_a_part(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.go("/admin?admin-tab=Health")
        visiting.click(visiting.page.get_by_role("link", name="Sign in"))
        visiting.give(*served.accounts.admin)
        expect(visiting.page.get_by_role("button", name="Check again")).to_be_visible()
        assert visiting.page.url == f"{served.base_url}/admin?admin-tab=Health"


def test_who_has_to_sign_in_again_comes_back_to_the_part_that_was_open(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin)
        page = visiting.page
        visiting.go("/admin?admin-tab=Access")
        visiting.click(page.get_by_text("What somebody sees"))
        expect(page.get_by_label("Person")).to_be_visible()
        visiting.settle()
        with httpx.Client(base_url=served.base_url, trust_env=False) as api:
            cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
            api.delete("/api/session", headers={"Cookie": cookies}).raise_for_status()
        visiting.click(page.get_by_text("What groups would see"))
        visiting.click(page.get_by_role("link", name="Sign in again"))
        visiting.give(*served.accounts.admin)
        expect(page.get_by_label("Cleared for")).to_be_visible()


def test_a_tab_is_called_by_the_page_in_it(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.go("/library")
        expect(visiting.page).to_have_title("Sign in - Strongroom")
        visiting.sign_in(*served.accounts.employee)
        expect(visiting.page).to_have_title("Ask - Strongroom")
        visiting.click(visiting.page.get_by_role("link", name="Library"))
        expect(visiting.page).to_have_title("Library - Strongroom")
        visiting.go("/account")
        expect(visiting.page).to_have_title("Your account - Strongroom")
        visiting.go("/admin")
        expect(visiting.page).to_have_title("Not for your account - Strongroom")


def test_who_signed_out_is_asked_to_sign_in(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.click(visiting.page.get_by_role("button", name="Sign out"))
        visiting.page.wait_for_url("**/login")
        visiting.go("/library")
        expect(visiting.page.get_by_text("Sign in to see this page.")).to_be_visible()
