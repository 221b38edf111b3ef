"""The admin measures the answers: a golden set is brought, run twice, and the two runs are laid side by side."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.journeys.browser import DESKTOP, PHONE, Visit, visit
from tests.journeys.served import Served
from tests.journeys.test_screens import assert_presentable

GOLDEN = (
    {"id": "treaties", "question": "How long are records of terminated treaties kept?",
     "evidence": [{"doc": "records-retention.pdf", "page": 2}]},
    {"id": "hotel", "question": "What may a hotel night cost?", "evidence": [{"doc": "travel.md", "quote": "a hotel night costs at most 140 euros"}]},
    {"id": "board", "question": "With whom does the board consider the merger?", "evidence": [{"doc": "merger.md"}]},
    {"id": "moon", "question": "Who was first on the moon?", "answerable": False},
)  # fmt: skip


def _run(visiting: Visit, golden: Path) -> None:
    page = visiting.page
    visiting.settle()
    if not page.get_by_role("button", name="Run the golden set").is_visible():
        visiting.click(page.get_by_text("Start an evaluation"))
    visiting.settle()
    page.locator('input[type="file"]').set_input_files(str(golden))
    expect(page.get_by_test_id("stFileUploader").get_by_text(golden.name)).to_be_visible()  # history names it too
    visiting.settle()
    visiting.click(page.get_by_role("button", name="Run the golden set"))


def _rows(page: Page) -> int:
    return page.locator("td[data-label='Golden set']").count()


def test_a_golden_set_is_run_and_a_run_compared_with_the_one_before(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    golden = tmp_path / "questions.jsonl"
    golden.write_text("\n".join(json.dumps(line) for line in GOLDEN), encoding="utf-8")
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Evaluation"))
        for number in (1, 2):
            _run(visiting, golden)
            expect(page.locator("td[data-label='nDCG@10'] .sr-number")).to_have_count(number + 4, timeout=60_000)
            expect(page.get_by_text("1.000").first).to_be_visible()
            expect(page.get_by_role("button", name="Run the golden set")).to_be_hidden()  # folded, above what it did
            expect(page.get_by_text("3 of 4 questions asked").first).to_be_visible()  # one is closed to everyone
        board = page.get_by_role("row", name="With whom does the board consider the merger?")
        expect(board).to_contain_text("closed to the groups it is asked with: ")
        expect(board).to_contain_text("not asked")
        visiting.settle()
        visiting.click(page.get_by_text("From which score on a question is answered"))
        expect(page.get_by_text("What another threshold would do")).to_be_visible()
        in_force = page.get_by_role("row").filter(has_text="in force")
        expect(in_force).to_contain_text("0.17")
        expect(in_force).to_contain_text("0 of 2 (0%)")  # none that the documents answer is turned away
        expect(in_force).to_contain_text("1 of 1 (100%)")  # and the moon is caught
        visiting.settle()
        visiting.photograph("evaluation-thresholds")
        board.evaluate("row => row.scrollIntoView()")
        visiting.photograph("evaluation-questions")
        expect(page.locator("figure.sr-chart").first).to_have_attribute(
            "aria-label", "Recall@10 over 2 evaluations: 1.000, 1.000"
        )
        assert page.locator(".sr-bars i").first.evaluate("bar => bar.getBoundingClientRect().height") > 30
        assert "Lindqvist" not in page.content()
        assert_presentable(visiting, "evaluation")
        compare = page.get_by_role("combobox", name="Compare with")
        compare.scroll_into_view_if_needed()
        page.wait_for_timeout(500)  # a page that still scrolls closes the list
        visiting.click(compare)
        visiting.click(page.get_by_role("option").nth(1))
        expect(page.get_by_text("No metric got worse by more than 0.02.")).to_be_visible()
        expect(page.get_by_text("No question went otherwise.")).to_be_visible()
        page.get_by_text("No question went otherwise.").evaluate("line => line.scrollIntoView()")
        visiting.photograph("evaluation-changes")
        assert_presentable(visiting, "evaluation-comparison")
    with visit(browser, served.base_url, PHONE) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        visiting.click(visiting.page.get_by_role("tab", name="Evaluation"))
        visiting.page.locator("figure.sr-chart").first.wait_for()
        assert_presentable(visiting, "evaluation")


def test_a_set_with_a_mistake_is_refused_with_the_line(browser: Browser, served: Served, tmp_path: Path) -> None:
    golden = tmp_path / "wrong.jsonl"
    golden.write_text(json.dumps(GOLDEN[0]) + '\n{"question": "Who?"}\n', encoding="utf-8")
    with visit(browser, served.base_url, DESKTOP) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        visiting.click(visiting.page.get_by_role("tab", name="Evaluation"))
        _run(visiting, golden)
        expect(visiting.page.get_by_role("alert")).to_contain_text("Line 2 of the golden set names no 'evidence'")


def test_what_a_reader_found_helpful_is_run_without_their_words(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost at most?")
        visiting.click(visiting.page.get_by_role("button", name="Helpful", exact=True))
        visiting.page.get_by_text("You found this helpful.").wait_for()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.admin, to="/admin")
        page = visiting.page
        visiting.click(page.get_by_role("tab", name="Evaluation"))
        visiting.settle()
        if not page.get_by_role("button", name="Run what people found helpful").is_visible():
            visiting.click(page.get_by_text("Start an evaluation"))
        visiting.click(page.get_by_role("button", name="Run what people found helpful"))
        expect(page.get_by_text("read as those who asked").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("place 1").first).to_be_visible(timeout=60_000)
        visiting.settle()
        assert "hotel night cost at most" not in page.content()
        assert "erin" not in page.locator("main, section").first.inner_text()
