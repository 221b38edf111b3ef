"""Hostile words in answers, titles, paths, passages, names and log entries: a real browser shows letters, no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.browser import DESKTOP, Visit, visit
from tests.journeys.labels import LABELS
from tests.journeys.served import ROOT, free_port, process
from tests.ui.payloads import PAYLOADS

ALLOWED_TAGS = {"DIV", "SPAN", "P", "BR", "UL", "OL", "LI", "H3", "H4", "H5", "H6", "STRONG", "EM", "CODE", "PRE"} | {
    "TABLE",
    "THEAD",
    "TBODY",
    "TR",
    "TH",
    "TD",
}

INSPECT = """() => {
  const found = {tags: [], attributes: [], loads: []};
  for (const root of document.querySelectorAll('.sr-text')) {
    for (const node of root.querySelectorAll('*')) {
      found.tags.push(node.tagName);
      for (const {name, value} of node.attributes)
        if (!(name === 'start' || (name === 'class' && ['sr-chip', 'sr-scroll'].includes(value))))
          found.attributes.push(node.tagName + ' ' + name + '=' + value);
    }
  }
  for (const node of document.querySelectorAll('[src], [href], [srcset], [poster], [background], [action], [data]'))
    for (const name of ['src', 'href', 'srcset', 'poster', 'background', 'action', 'data']) {
      const value = node.getAttribute(name);
      if (value && /evil|javascript:|^x$|^data:text/i.test(value)) found.loads.push(node.tagName + ' ' + value);
    }
  return found;
}"""


def assert_only_letters(visiting: Visit) -> None:
    """Nothing that was written by an attacker is an element, an attribute, a load or a script."""
    found = visiting.page.evaluate(INSPECT)
    assert set(found["tags"]) <= ALLOWED_TAGS
    assert found["attributes"] == []
    assert found["loads"] == []
    assert visiting.page.evaluate("window.owned") is None
    assert (
        visiting.page.evaluate("document.querySelectorAll('iframe, object, embed, video, audio, marquee').length") == 0
    )
    visiting.assert_nothing_left()


def test_a_hostile_answer_stays_letters_while_it_streams_and_in_the_history(browser: Browser, hostile: str) -> None:
    asked = "**b** :smile: $x$ -- [a](http://evil.test) www.evil.test ![x](http://evil.test/q.png) a@evil.test"
    with visit(browser, hostile) as visiting:
        visiting.sign_in("erin", "any password")
        visiting.put(asked)
        done = visiting.page.get_by_text("Was this helpful?")
        for _ in range(600):  # look again and again while the answer grows
            assert_only_letters(visiting)
            if done.count():
                break
            visiting.page.wait_for_timeout(100)
        assert done.count()
        assert "window.owned=1" in visiting.page.locator(".sr-answer").inner_text()
        visiting.click(visiting.page.get_by_role("button", name="New conversation"))
        visiting.page.get_by_text("Ask your documents").wait_for()
        visiting.click(visiting.page.locator('[class*="st-key-history-"] button').first)
        done.wait_for()
        assert_only_letters(visiting)
        history = visiting.page.locator('[class*="st-key-history-"]').first
        assert history.locator("a, img, strong").count() == 0
        assert "evil" in history.inner_text()


def test_a_label_shows_every_character_and_acts_on_none(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    settings = (f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true")
    arguments = ["-m", "streamlit", "run", "tests/journeys/labels.py", *settings, "--browser.gatherUsageStats=false"]
    with process(arguments, port, tmp_path / "log", {"PYTHONPATH": str(ROOT)}) as url:
        page = browser.new_page()
        try:
            page.goto(url)
            page.locator(f".st-key-label-{len(LABELS) - 1} button").wait_for()
            for number, written in enumerate(LABELS):
                button = page.locator(f".st-key-label-{number} button")
                expect(button).to_have_text(re.compile(r"\S"))
                shown = button.evaluate("button => button.textContent").replace("\N{WORD JOINER}", "")
                assert " ".join(shown.split()) == written
                tags = button.evaluate("button => [...button.querySelectorAll('*')].map(inside => inside.tagName)")
                assert {*tags} <= {"DIV", "SPAN", "P"}, written
        finally:
            page.close()


def test_a_hostile_passage_stays_letters_in_its_dialog(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("erin", "any password")
        visiting.ask("anything")
        for number in (1, 2):
            visiting.click(visiting.page.get_by_role("button", name=f"Open source {number}"))
            visiting.page.get_by_role("dialog").locator(".sr-source").first.wait_for()
            visiting.settle()
            assert_only_letters(visiting)
            visiting.close_dialog()


@pytest.mark.parametrize(
    ("name", "path", "tabs"),
    [
        ("erin", "/library", []),
        ("erin", "/account", []),
        ("adam", "/admin", ["Runs", "Files", "Review", "People", "Access", "Directories", "Evaluation", "Health"]),
        ("cora", "/compliance", ["Charts", "People", "Other events"]),
        ("cora", "/protection", []),
        ("cora", "/review", ["Second officer", "Rules"]),
        ("cora", "/cases", []),
    ],
)
def test_hostile_names_stay_letters_on_every_page(
    browser: Browser, hostile: str, name: str, path: str, tabs: list[str]
) -> None:
    with visit(browser, hostile, DESKTOP) as visiting:
        visiting.sign_in(name, "any password", to=path)
        visiting.page.get_by_text("window.owned").first.wait_for()
        visiting.settle()
        assert_only_letters(visiting)
        for tab in tabs:
            visiting.click(visiting.page.get_by_role("tab", name=tab))
            visiting.settle()
            assert_only_letters(visiting)


def test_a_hostile_replay_stays_letters(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("cora", "any password", to="/compliance")
        visiting.click(visiting.page.get_by_role("button", name="Open entry").first)
        visiting.click(visiting.page.get_by_role("dialog").get_by_role("button", name="Run it again"))
        visiting.page.locator(".st-key-sr-replay").get_by_text("window.owned").first.wait_for(state="attached")
        visiting.settle()
        assert_only_letters(visiting)


def test_hostile_files_previews_and_versions_in_review_stay_letters(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("adam", "any password", to="/admin")
        page = visiting.page
        for tab, opener in (
            ("Sources", "Preview"),
            ("Sources", "Settings"),
            ("Files", "Open file"),
            ("Review", "Review"),
        ):
            visiting.click(page.get_by_role("tab", name=tab))
            visiting.settle()
            visiting.click(page.get_by_role("button", name=opener, exact=True).first)
            page.get_by_role("dialog").get_by_text("window.owned").first.wait_for(state="attached")
            visiting.settle()
            assert_only_letters(visiting)
            visiting.close_dialog()


def test_hostile_words_about_access_stay_letters(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("adam", "any password", to="/admin")
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Access"))
        for view in ("What somebody sees", "What groups would see", "Why a document is seen"):
            visiting.click(page.get_by_text(view))
            visiting.settle()
            page.get_by_text("window.owned").first.wait_for(state="attached")
            assert_only_letters(visiting)


def test_what_belongs_to_a_hostile_document_is_opened_and_left_again(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("erin", "any password", to="/library")
        visiting.click(visiting.page.get_by_role("button", name="Open document").first)
        dialog = visiting.page.get_by_role("dialog")
        for tab in ("Passages", "Pages", "History", "Related"):
            visiting.click(dialog.get_by_role("tab", name=tab))
            visiting.settle()
            assert_only_letters(visiting)
        visiting.click(dialog.get_by_role("button", name="Open document").first)
        expect(dialog.get_by_role("heading", name="Litigation Hold Handbook")).to_be_visible()
        visiting.click(dialog.get_by_role("tab", name="Passages"))
        visiting.click(dialog.get_by_role("button", name="Back to the document before"))
        expect(dialog.get_by_role("tab", name="Related")).to_be_visible()
        assert_only_letters(visiting)


def test_a_hostile_list_of_choices_stays_letters(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile) as visiting:
        visiting.sign_in("erin", "any password", to="/library")
        visiting.page.get_by_text("window.owned").first.wait_for()
        visiting.click(visiting.page.get_by_role("combobox"))
        visiting.page.get_by_role("option").nth(1).wait_for()
        assert visiting.page.get_by_role("listbox").locator("a, img, strong, script").count() == 0
        assert_only_letters(visiting)


def test_the_watch_notices_what_it_is_there_for(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile, checked=False) as visiting:
        visiting.go("/login")
        visiting.page.set_content("<img src='http://evil.test/x.png'>")
        visiting.page.evaluate("setTimeout(() => { throw new Error('seen') })")
        for _ in range(200):
            if visiting.seen.off_origin and visiting.seen.script_errors:
                break
            visiting.page.wait_for_timeout(100)
        assert visiting.seen.off_origin == ["http://evil.test/x.png"]
        assert visiting.seen.script_errors


def test_the_policy_stops_what_would_slip_through(browser: Browser, hostile: str) -> None:
    with visit(browser, hostile, checked=False) as visiting:
        visiting.sign_in("erin", "any password")
        slipped = "<img src=x onerror=window.owned=1><svg onload=window.owned=1>"
        visiting.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", slipped)
        visiting.page.wait_for_timeout(500)
        assert visiting.page.evaluate("window.owned") is None


def test_the_payloads_are_many() -> None:
    assert len(PAYLOADS) >= 150
