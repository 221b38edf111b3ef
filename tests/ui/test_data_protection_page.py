"""The page for data protection, in Streamlit's own test runner against the stand-in API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.api_standin import Standin, create_api
from tests.ui.ingest_standin import NOW
from tests.ui.test_client import Served
from tests.ui.test_pages import shown

pytestmark = pytest.mark.integration


def _run(url: str) -> None:
    from ui import pieces
    from ui.client import Client
    from ui.screens import data_protection

    with pieces.problems_shown():
        pieces.say_what_was_kept()
        data_protection.page(Client(url, "cora"))


@pytest.fixture
def base_url() -> Iterator[str]:
    with Served(create_api(Standin())) as url:
        yield url


def test_an_officer_sees_what_waits_what_is_held_what_expires_and_what_was_erased(base_url: str) -> None:
    at = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    page = shown(at)
    assert "Everything of erin" in page
    assert "yours: another officer decides" in page
    assert "about yourself: another officer decides" in page
    assert [button.key for button in at.button if str(button.key).startswith("approve-")] == ["approve-p1"]
    # what is read in the log alone is decided where it is read
    assert page.count('href="/cases?case=case-1"') == page.count('href="/review?reviews-tab=Second+officer"') == 1
    assert "the beginning to 2026-03" in page
    assert "1,200" in page
    assert "A hold keeps 2026-03." in page
    assert page.count("/certificate?form=pdf") == 1


def test_an_officer_whose_account_was_handed_over_is_told_so_and_asks_to_be_confirmed() -> None:
    state = Standin()
    with Served(create_api(state)) as url:
        at = AppTest.from_function(_run, kwargs={"url": url}, default_timeout=20).run()
        assert "you decide about nothing here" not in shown(at)
        state.desk.handed_over = True
        at = at.run()
        assert "you decide about nothing here" in shown(at)
        at.text_input(key="confirmation-reason").set_value("I am back, call me on the house telephone.")
        next(button for button in at.button if button.label.startswith("Ask another officer")).click().run()
    assert ("POST", "/api/compliance/confirmations") in [(method, path) for method, path, *_ in state.requests]


def test_a_month_that_is_none_is_refused_in_words(base_url: str) -> None:
    at = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    at.text_input(key="hold-since").set_value("March")
    at.text_input(key="hold-reason").set_value("A case is open.")
    next(button for button in at.button if button.label == "Place the hold").click().run()
    assert "First month must be a month such as 2026-03, or nothing." in shown(at)
    assert "The hold is in force." not in shown(at)


def test_proposing_an_erasure_says_what_a_hold_keeps_and_the_table_names_the_person(base_url: str) -> None:
    at = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    page = shown(at)
    assert '<td data-label="Person">erin' in page
    assert "(account is gone)" in page
    at.text_input(key="erase-person").set_value("erin")
    at.text_input(key="erase-reason").set_value("They asked for it.")
    next(button for button in at.button if button.label == "Propose").click().run()
    assert "A legal hold keeps 2026-03: that is erased once two officers released the hold." in shown(at)
    assert at.text_input(key="erase-person").value == ""


def test_what_is_wrong_with_a_form_is_said_in_the_form(base_url: str) -> None:
    at = AppTest.from_function(_run, kwargs={"url": base_url}, default_timeout=20).run()
    next(button for button in at.button if button.label == "Propose").click().run()
    form = next(found for found in at.expander if found.label == "Propose an erasure")
    assert "Name of the person must not be empty." in "".join(block.proto.body for block in form.get("html"))


def test_a_name_that_nobody_has_is_said_to_be_so_and_offers_no_download() -> None:
    state = Standin()
    state.desk.may_export_until = NOW
    with Served(create_api(state)) as url:
        at = AppTest.from_function(_run, kwargs={"url": url}, default_timeout=20).run()
        at.text_input(key="subject-name").set_value("nobody").run()
        page = shown(at)
        assert "There is nobody with this name." in page
        assert "/api/log/subjects/" not in page
        at.run()
        assert "There is nobody with this name." in shown(at)
        asked = [path for _, path, _ in state.requests if path == "/api/log/subjects/nobody/account"]
        assert len(asked) == 1  # drawn again it is not asked again, for that is an entry of the log
        at.text_input(key="subject-name").set_value("erin").run()
        page = shown(at)
        assert "Everything about Erin" in page
        assert page.count("/api/log/subjects/erin?form=") == 2
