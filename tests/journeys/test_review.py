"""Two compliance officers: one makes a rule and calls an answer wrong, another agrees; a leak becomes a case, is closed
by both, and its evidence is taken out and verifies."""

from __future__ import annotations

import io
import zipfile

from playwright.sync_api import Browser, Locator, expect

from appliance.audit import verifier
from tests.journeys.browser import PHONE, Visit, visit
from tests.journeys.officers import approve, ask_to_take_out
from tests.journeys.served import Served
from tests.journeys.test_screens import assert_presentable

WRONG, LEAK = "Which class is used on long train journeys?", "What may breakfast at a hotel cost?"


def _card(visiting: Visit, words: str) -> Locator:
    return visiting.page.locator('[class*="st-key-sr-card-"]', has_text=words)


def _open(visiting: Visit, question: str) -> None:
    visiting.click(_card(visiting, question).get_by_role("button"))
    visiting.page.get_by_role("dialog").get_by_role("heading", name="Question", exact=True).wait_for()
    visiting.settle()


def _judge(visiting: Visit, question: str, verdict: str, notes: str, title: str = "") -> None:
    _open(visiting, question)
    dialog = visiting.page.get_by_role("dialog")
    visiting.click(dialog.get_by_text(verdict, exact=True))
    visiting.fill(dialog.get_by_label("Notes"), notes)
    if title:
        visiting.fill(dialog.get_by_label("Title of a new case"), title)
    visiting.click(dialog.get_by_role("button", name="Record the judgement"))
    expect(visiting.page.get_by_text("Recorded. The review")).to_be_visible()


def _tab(visiting: Visit, name: str) -> None:
    visiting.click(visiting.page.get_by_role("tab", name=name))
    visiting.settle()


def test_two_officers_review_answers_and_take_the_evidence_out(browser: Browser, served: Served) -> None:
    _make_a_rule(browser, served)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask(WRONG)
        visiting.ask(LEAK)
    _judge_both(browser, served)
    waits = _agree_and_propose(browser, served)
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance)
        if waits:
            approve(visiting, "Take out what the log holds")
        visiting.go("/protection")
        panel = visiting.page.locator('[class*="st-key-sr-panel-"]', has_text="Close a case").first
        expect(panel.get_by_role("button", name="Approve")).to_have_count(0)  # not before what came of it was read
        visiting.click(panel.get_by_role("link", name="Look at it under Cases"))
        visiting.open_log()
        dialog = visiting.page.get_by_role("dialog")
        expect(dialog).to_contain_text("The folder is for everybody.")
        visiting.close_dialog()
        visiting.page.wait_for_url("**/cases")
        visiting.click(_card(visiting, "Prices seen").get_by_role("button"))
        expect(dialog).to_contain_text("The folder is for everybody.")
        visiting.page.reload()
        expect(dialog).to_contain_text("The folder is for everybody.")
        visiting.click(dialog.get_by_text("Evidence package", exact=True))
        _verify(visiting.download(dialog.get_by_role("link", name="Take the evidence package")))
        visiting.click(dialog.get_by_role("button", name="Agree", exact=True))
        expect(dialog.get_by_text("You agreed: it is closed.")).to_be_visible()
        expect(dialog.locator(".sr-badge").first).to_have_text("closed")
        visiting.close_dialog()
        expect(_card(visiting, "Prices seen")).to_contain_text("closed")


def _make_a_rule(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance, to="/review")
        visiting.open_log()
        _tab(visiting, "Rules")
        visiting.click(visiting.page.get_by_role("button", name="Make the rule"))
        expect(visiting.page.get_by_text("All answers", exact=True).first).to_be_visible()
        assert_presentable(visiting, "review-rules")


def _judge_both(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.compliance, to="/review")
        visiting.open_log()
        expect(_card(visiting, WRONG)).to_be_visible()
        assert_presentable(visiting, "review-waiting")
        _open(visiting, WRONG)
        assert_presentable(visiting, "review-answer")
        visiting.close_dialog()
        _judge(visiting, WRONG, "Wrong", "The rule was changed in spring.")
        _judge(visiting, LEAK, "Leak", "Prices are not for everybody.", "Prices seen")


def _agree_and_propose(browser: Browser, served: Served) -> bool:
    """Whether it waits for the other officer that the evidence may be taken out."""
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.second_officer, to="/protection")
        visiting.click(visiting.page.get_by_role("link", name="Look at it in the review queue"))
        visiting.open_log()
        expect(visiting.page.get_by_role("tab", name="Second officer")).to_have_attribute("aria-selected", "true")
        _open(visiting, WRONG)
        dialog = visiting.page.get_by_role("dialog")
        expect(dialog).to_contain_text("The rule was changed in spring.")
        assert_presentable(visiting, "review-second")
        visiting.click(dialog.get_by_role("button", name="Agree", exact=True))
        expect(visiting.page.get_by_text("You agreed: it is closed.")).to_be_visible()
        visiting.go("/cases")
        visiting.click(_card(visiting, "Prices seen").get_by_role("button"))
        expect(dialog).to_contain_text(LEAK)
        assert_presentable(visiting, "case")
        told = dialog.inner_text()
        parts = [told.index(words) for words in (LEAK, "On record", "Put a question in", "Evidence package")]
        assert parts == sorted(parts)
        visiting.click(dialog.get_by_role("tab", name="Note"))
        visiting.fill(dialog.get_by_role("textbox", name="Note"), "Seen in spring.")
        visiting.click(dialog.get_by_role("button", name="Write it down"))
        expect(dialog.get_by_text("The note is on record.")).to_be_visible()
        expect(dialog.locator(".sr-source", has_text="Seen in spring.")).to_be_visible()  # it stays open after an act
        visiting.click(dialog.get_by_role("tab", name="Close"))
        visiting.fill(dialog.get_by_label("What came of it"), "The folder is for everybody.")
        visiting.click(dialog.get_by_role("button", name="Propose to close it"))
        expect(dialog.get_by_text("You proposed to close this case.")).to_be_visible()
        visiting.close_dialog()
        expect(visiting.page.get_by_text("waits for a second officer")).to_be_visible()
        assert_presentable(visiting, "cases")
        visiting.click(_card(visiting, "Prices seen").get_by_role("button"))
        visiting.click(dialog.get_by_text("Evidence package", exact=True))
        return ask_to_take_out(visiting, "For the board.")


def _verify(package: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        lines = archive.read("entries.jsonl").decode().splitlines(keepends=True)
        key, signed = (archive.read(name).decode() for name in ("signer-key.txt", "checkpoint.txt"))
    report = verifier.verify(lines, [signed], key)
    assert report.entries >= 6
    assert report.remarks == []


def test_the_queue_and_the_cases_fit_a_phone(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url, PHONE) as visiting:
        visiting.sign_in(*served.accounts.compliance, to="/review")
        visiting.open_log()
        assert_presentable(visiting, "review-waiting")
        visiting.go("/cases")
        assert_presentable(visiting, "cases")
