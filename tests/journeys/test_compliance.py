"""The compliance officer's journey: find an entry, read everything on record, verify, export."""

from __future__ import annotations

import json
import re
import uuid
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.journeys.browser import visit
from tests.journeys.served import Served


def test_a_question_is_found_read_and_the_log_verified_and_exported(browser: Browser, served: Served) -> None:
    question = "Which class is used on train journeys?"
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask(question)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        page = visiting.page
        expect(page.get_by_text("Last verified:")).to_be_visible()
        visiting.enter(page.get_by_label("Words in the question or answer"), "train journeys")
        card = page.locator('[class*="st-key-sr-card-"]', has_text=question).first
        expect(card).to_contain_text(re.compile(r"P-\w{5}-\w{5}"))
        assert "erin" not in card.inner_text()
        expect(card).to_contain_text("found")
        assert "in the prompt" not in card.inner_text()  # nothing was put before a model: there is none
        visiting.click(card.get_by_role("button"))
        dialog = page.get_by_role("dialog")
        mark = dialog.locator(".sr-text mark")
        expect(mark).to_contain_text("second class")  # as the reader saw it
        expect(mark).to_have_css("background-color", "rgb(255, 240, 184)")
        for name in ("Person", "Groups then", "Outcome"):
            expect(dialog.locator("dt", has_text=name).first).to_be_visible()
        expect(dialog.locator("dt", has_text="Prompt SHA-256")).not_to_be_visible()  # what few need is behind its name
        visiting.click(dialog.get_by_text("How it was made: model, parameters, hashes"))
        for name in ("Model", "Prompt SHA-256", "Answer SHA-256"):
            expect(dialog.locator("dt", has_text=name).first).to_be_visible()
        visiting.click(dialog.get_by_text("Everything that was found"))
        expect(dialog.get_by_role("row", name="travel.md").first).to_be_visible()
        expect(dialog.get_by_role("row", name="travel.md").first).to_contain_text("[")  # its number
        table = dialog.locator(".st-key-sr-retrieved .sr-table")
        assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
        visiting.click(dialog.get_by_role("button", name="Run it again"))
        expect(dialog).to_contain_text("The same answer comes of it today, word for word.")
        visiting.click(dialog.get_by_text("as then, at the same rank"))
        again = dialog.locator(".st-key-sr-replay .sr-table")
        expect(again).to_contain_text("still in force")
        assert again.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
        visiting.click(dialog.get_by_text("Proof that it is in the log"))
        expect(dialog.locator("dt", has_text="Leaf hash")).to_be_visible()
        visiting.click(dialog.get_by_role("button", name="Look at passage").first)
        expect(dialog.locator(".sr-context mark").first).to_be_visible()
        expect(dialog).to_contain_text("The same answer comes of it today, word for word.")  # it stays
        visiting.click(dialog.get_by_text("Put it in a case"))
        if dialog.get_by_role("combobox", name="Case").input_value() == "":  # another journey opened a case
            visiting.click(dialog.get_by_role("combobox", name="Case"))
            visiting.click(page.get_by_role("option", name="A new case"))
        visiting.fill(dialog.get_by_label("Title"), "Trains")
        visiting.fill(dialog.get_by_label("Reason"), "Somebody took another class.")
        visiting.click(dialog.get_by_role("button", name="Open the case"))
        expect(dialog.get_by_text("is open, with this question in it.")).to_be_visible()
        expect(dialog.get_by_role("button", name="Open the case")).to_be_hidden()  # nobody opens another one by mistake
        visiting.close_dialog()
        visiting.click(card.get_by_role("button"))
        expect(dialog.locator("dd", has_text=re.compile(r"Case \d+: Trains"))).to_be_visible()
        visiting.close_dialog()
        visiting.click(page.get_by_role("tab", name="Other events"))
        expect(page.get_by_role("row", name="Ran a question again").first).to_contain_text("reproduced")
        newest = [page.get_by_role("row").nth(row).inner_text() for row in range(1, 13)]
        assert (
            sum("one query" in row for row in newest) == 2
        )  # as often as it was opened: running it again reads nothing
        visiting.click(page.get_by_role("tab", name="Questions"))
        visiting.click(page.get_by_role("button", name="Verify the log"))
        expect(page.get_by_text("The log is intact")).to_be_visible()
        expect(page.get_by_text(re.compile(r"Last verified: \d"))).to_be_visible()  # without another click
        lines = visiting.download(page.get_by_role("link", name="Export the proof")).decode().splitlines()
        assert len(lines) > 5
        assert all(json.loads(entry) for entry in lines)
        visiting.click(page.get_by_role("link", name="Print a checkpoint"))
        expect(page.get_by_role("heading", name="Checkpoint of the query log")).to_be_visible()
        expect(page.get_by_role("img", name="The signed checkpoint")).to_be_visible()
        expect(page.locator("pre").first).to_contain_text("strongroom/query-log")
        assert page.pdf(format="A4").count(b"/Type /Page\n") == 1  # one sheet of paper
        visiting.click(page.get_by_role("link", name="Back to the query log"))
        expect(page.get_by_role("heading", name="Query log")).to_be_visible()


def test_the_address_of_an_entry_leads_another_officer_to_it_once_there_is_a_reason(
    browser: Browser, served: Served
) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("How long are tax papers kept?")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        page = visiting.page
        visiting.enter(page.get_by_label("Words in the question or answer"), "tax papers")
        card = page.locator('[class*="st-key-sr-card-"]', has_text="tax papers").first
        visiting.click(card.get_by_role("button"))
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".sr-question")).to_contain_text("tax papers")
        visiting.settle()
        address = urlsplit(page.url)
        assert (address.path, address.query.partition("=")[0]) == ("/compliance", "entry")
        assert uuid.UUID(address.query.partition("=")[2])  # and nothing else
        page.reload()
        expect(dialog.locator(".sr-question")).to_contain_text("tax papers")
        visiting.close_dialog()
        page.wait_for_url("**/compliance")
        visiting.settle()
        page.go_back()
        expect(dialog.locator(".sr-question")).to_contain_text("tax papers")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.second_officer)
        page = visiting.page
        visiting.go(f"/compliance?{address.query}")
        expect(page.get_by_text("Why do you read the log?")).to_be_visible()
        assert "tax papers" not in page.locator("body").inner_text()
        visiting.open_log("A colleague asks for a second look")
        expect(page.get_by_role("dialog").locator(".sr-question")).to_contain_text("tax papers")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.go(f"/compliance?{address.query}")
        expect(visiting.page.get_by_role("heading", name="This page is not for your account")).to_be_visible()


def test_other_events_are_listed_and_a_page_drawn_again_reads_the_log_once(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Other events"))
        expect(page.get_by_role("row").nth(2)).to_be_visible()
        visiting.settle()
        numbers = page.get_by_role("row").nth(1).get_by_role("cell").first
        newest = int(numbers.inner_text())
        for tab in ("Questions", "Other events", "Questions", "Other events"):
            visiting.click(page.get_by_role("tab", name=tab))
            visiting.settle()
        assert int(numbers.inner_text()) == newest
        visiting.click(page.get_by_role("button", name="Refresh"))
        expect(numbers).not_to_have_text(str(newest))
        assert int(numbers.inner_text()) - newest <= 2


def test_a_filter_that_matches_nothing_says_so(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        visiting.open_log()
        visiting.enter(visiting.page.get_by_label("Words in the question or answer"), "zzzz-no-such-word")
        expect(visiting.page.get_by_text("No entry matches.")).to_be_visible()
