"""Every page by its address, as every role: it is there for those whom the matrix names, and for nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect

from tests.access.matrix import PAGES, ROLES
from tests.journeys.browser import Visit, visit
from tests.journeys.served import Served

APP = Path(__file__).parents[2] / "ui" / "app.py"
ADDRESSES = dict(re.findall(r'title="([^"]+)", url_path="([^"]+)"\)\)', APP.read_text("utf-8")))
"""The address of each page, by its title, as the screens themselves have it."""

NOT_FOR_THEM = "This page is not for your account"
UNKNOWN = "Page not found"
"""What Streamlit says of an address that it does not know."""

ADMIN_ALONE = ("olga", "seven brass keys on a ring")
"""An admin who is nothing else; the one that the other journeys share may ask as well."""
HANDED_OVER = "eleven tin boats at low tide"


def test_a_page_is_there_for_the_roles_of_the_matrix_and_for_no_other(browser: Browser, served: Served) -> None:
    assert set(ADDRESSES) == set(PAGES)
    people = {"employee": served.accounts.employee, "admin": ADMIN_ALONE, "compliance": served.accounts.compliance}
    with _an_admin(served):
        for role in ROLES:
            _look_at_every_page(browser, served, role, people[role])


def _look_at_every_page(browser: Browser, served: Served, role: str, account: tuple[str, str]) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*account)
        links = visiting.page.locator('[class*="st-key-sr-nav"] a').all_inner_texts()
        assert links == [title for title in ADDRESSES if role in PAGES[title]], role
        for title, address in ADDRESSES.items():
            visiting.go(f"/{address}")
            if role in PAGES[title]:
                _is_there(visiting)
            else:
                _is_not_there(visiting)


@contextmanager
def _an_admin(served: Served) -> Iterator[None]:
    """There is one for as long: to the other journeys it would be somebody else who could release an upload."""
    name, password = ADMIN_ALONE
    with httpx.Client(base_url=served.base_url, trust_env=False, timeout=60) as api:
        first, its_password = served.accounts.admin
        api.post("/api/session", json={"name": first, "password": its_password}).raise_for_status()
        wanted = {"name": name, "password": HANDED_OVER, "roles": ["admin"]}
        made = api.post("/api/people", json=wanted).raise_for_status().json()
        api.post("/api/session", json={"name": name, "password": HANDED_OVER}).raise_for_status()
        api.post("/api/session/password", json={"old": HANDED_OVER, "new": password}).raise_for_status()
        try:
            yield
        finally:
            api.post("/api/session", json={"name": first, "password": its_password}).raise_for_status()
            api.patch(f"/api/people/{made['id']}", json={"roles": ["employee"]}).raise_for_status()


def _is_there(visiting: Visit) -> None:
    page = visiting.page
    expect(page.locator("h1").first).not_to_be_empty()
    visiting.settle()
    for words in (NOT_FOR_THEM, UNKNOWN):
        expect(page.get_by_text(words)).to_have_count(0)


def _is_not_there(visiting: Visit) -> None:
    """The page says so itself."""
    expect(visiting.page.get_by_role("heading", name=NOT_FOR_THEM)).to_be_visible()
    visiting.settle()
    expect(visiting.page.locator("h1")).to_have_count(1)
    expect(visiting.page.get_by_text(UNKNOWN)).to_have_count(0)
