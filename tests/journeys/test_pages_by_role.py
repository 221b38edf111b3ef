"""Every page by its address, as every role: it is there for those whom the matrix names, and for nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser

from tests.access.matrix import PAGES, ROLES
from tests.journeys.browser import Visit, visit
from tests.journeys.served import Served

APP = Path(__file__).parents[2] / "ui" / "app.py"
ADDRESSES = dict(re.findall(r'title="([^"]+)", url_path="([^"]+)"\)\)', APP.read_text("utf-8")))
"""The address of each page, by its title, as the screens themselves have it."""

NOT_FOUND = "Page not found"
ADMIN_ALONE = ("olga", "seven brass keys on a ring")
"""An admin who is nothing else; the one that the other journeys share may ask as well."""


def test_a_page_is_there_for_the_roles_of_the_matrix_and_for_no_other(browser: Browser, served: Served) -> None:
    assert set(ADDRESSES) == set(PAGES)
    _add_an_admin(served)
    people = {"employee": served.accounts.employee, "admin": ADMIN_ALONE, "compliance": served.accounts.compliance}
    headings: dict[tuple[str, str], str] = {}
    for role in ROLES:
        with visit(browser, served.base_url) as visiting:
            visiting.sign_in(*people[role])
            links = visiting.page.locator('[class*="st-key-sr-nav"] a').all_inner_texts()
            assert links == [title for title in ADDRESSES if role in PAGES[title]], role
            headings |= {(role, title): _heading(visiting, address) for title, address in ADDRESSES.items()}
    for title, allowed in PAGES.items():
        shown = {headings[role, title] for role in allowed}
        assert NOT_FOUND not in shown and "" not in shown, title
        assert {headings[role, title] for role in set(ROLES) - allowed} <= {NOT_FOUND}, title


def _add_an_admin(served: Served) -> None:
    name, password = ADMIN_ALONE
    with httpx.Client(base_url=served.base_url, trust_env=False, timeout=60) as api:
        first, its_password = served.accounts.admin
        api.post("/api/session", json={"name": first, "password": its_password}).raise_for_status()
        wanted = {"name": name, "password": password, "roles": ["admin"], "must_change_password": False}
        api.post("/api/people", json=wanted).raise_for_status()


def _heading(visiting: Visit, address: str) -> str:
    """What the page at an address is headed, or that there is none."""
    visiting.go(f"/{address}")
    page = visiting.page
    page.locator("h1").or_(page.get_by_text(NOT_FOUND)).first.wait_for()
    visiting.settle()
    return NOT_FOUND if page.get_by_text(NOT_FOUND).count() else page.locator("h1").first.inner_text()
