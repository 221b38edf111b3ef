"""The employee's journey: sign in, ask, open what is cited, follow up, judge, come back, leave."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Locator, Route, expect

from tests.journeys.browser import PHONE, visit
from tests.journeys.served import Served
from ui import front_page

SMALL = (PHONE[0], 560)
QUESTION = "How long are records of terminated treaties kept?"


def test_an_answer_names_its_source_and_the_source_opens_on_its_page(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask(QUESTION)
        expect(page.locator(".sr-answer").last).to_contain_text("ten years")
        expect(page.get_by_text("Quoted from documents (no language model)")).to_be_visible()
        card = page.locator('[class*="st-key-sr-card-"]', has_text="records-retention.pdf").first
        held: list[Route] = []
        page.route("**/page.png", lambda route: held.append(route))
        visiting.click(card.get_by_role("button"))
        picture = page.get_by_role("dialog").locator("img.sr-page")
        picture.wait_for()
        loading = page.get_by_role("dialog").get_by_text("Loading the page")
        expect(loading).to_be_visible()
        for route in held:
            route.continue_()
        visiting.wait_for_page_image()
        expect(loading).to_be_hidden()
        assert "marked" in (picture.get_attribute("alt") or "")


def test_a_source_without_pages_opens_as_text_with_the_passage_marked(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What may a hotel night cost?")
        card = visiting.page.locator('[class*="st-key-sr-card-"]', has_text="travel.md").first
        visiting.click(card.get_by_role("button"))
        expect(visiting.page.get_by_role("dialog").locator("mark")).to_contain_text("140 euros")


def test_an_answer_that_is_longer_than_the_screen_is_read_from_its_beginning(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url, SMALL) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask(QUESTION)
        visiting.settle()
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") > SMALL[1]
        expect(page.locator(".sr-question")).to_be_in_viewport()
        expect(page.get_by_test_id("stChatInputTextArea")).to_be_in_viewport()
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 100000)")
        visiting.ask("Who keeps them?")
        visiting.settle()
        expect(page.locator(".sr-question").last).to_be_in_viewport()


def test_every_question_comes_to_the_top_when_it_is_asked(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url, (1200, 900)) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask(QUESTION)
        visiting.put("What may a hotel night cost?")
        expect(page.locator(".sr-answer")).to_have_count(2, timeout=60_000)
        visiting.settle()
        page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 0")
        box = page.locator(".sr-question").last.bounding_box()
        assert box is not None
        assert 0 <= box["y"] < 450
        expect(page.locator(".sr-answer").last).to_be_in_viewport(ratio=1)


def test_a_table_that_is_too_wide_scrolls_and_breaks_no_word(browser: Browser) -> None:
    cells = "".join(f"<td>{word}</td>" for word in ("number", "Reimbursement", "TRV-2024-000117-A", "Accommodation"))
    table = f'<div class="sr-scroll"><table><tr>{cells}</tr></table></div>'
    style = front_page.SCRIPT.with_name("strongroom.css").read_text("utf-8")
    page = browser.new_page(viewport={"width": 400, "height": 600})
    try:
        for around in ("sr-text", "sr-context"):
            page.set_content(f'<style>{style}</style><div class="{around}" style="width: 200px">{table}</div>')
            box = page.locator(".sr-scroll")
            assert box.evaluate("box => box.scrollWidth > box.clientWidth"), around
            assert box.bounding_box()["width"] <= 200, around  # type: ignore[index]
            for cell in page.locator("td").all():
                # one box for each line of the words; a code may be broken after a hyphen
                lines = cell.evaluate(
                    "cell => { const words = document.createRange(); words.selectNodeContents(cell);"
                    " return words.getClientRects().length; }"
                )
                assert lines == 1 or "-" in cell.inner_text(), around
    finally:
        page.close()


def test_what_the_documents_do_not_say_is_said_to_be_missing(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("Which football team won the cup in 1974?")
        expect(visiting.page.get_by_text("Not in the documents", exact=True)).to_be_visible()
        expect(visiting.page.get_by_role("button", name="Open source 1")).to_have_count(0)


def test_a_question_that_is_too_long_stays_in_its_field(browser: Browser, served: Served) -> None:
    words = ("Why are records kept for so long? " * 600).strip()
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.put(words)
        expect(visiting.page.get_by_text("A question may have at most 20,000 characters")).to_be_visible()
        expect(visiting.page.get_by_test_id("stChatInputTextArea")).to_have_value(words)


def test_a_reader_never_sees_a_document_of_another_group(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask("What does the board consider about the Lindqvist group?")
        assert "Halyard" not in visiting.page.locator("body").inner_text()
        visiting.go("/library")
        expect(visiting.page.get_by_text("2 documents")).to_be_visible()
        visiting.settle()
        assert "Board papers" not in visiting.page.content()


def test_a_conversation_goes_on_is_judged_found_again_and_deleted(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask("Since when does the retention period of treaty records run?")
        visiting.put("And how long is it?")
        expect(page.locator(".sr-answer")).to_have_count(2, timeout=60_000)
        expect(page.get_by_text("Searched for: Since when does the retention period")).to_be_visible()
        assert page.locator(".sr-answer mark").count() >= 2
        visiting.settle()
        composer, judge = (
            page.locator(".st-key-sr-asking"),
            page.get_by_role("button", name="Not helpful", exact=True).last,
        )
        page.evaluate(
            "([main, judge, composer]) => main.scrollBy(0, judge.getBoundingClientRect().bottom"
            " - composer.getBoundingClientRect().top)",
            [page.get_by_test_id("stMain").element_handle(), judge.element_handle(), composer.element_handle()],
        )
        visiting.click(judge)
        field = page.get_by_label("What was wrong?")
        field.wait_for()
        visiting.settle()
        send = page.get_by_role("button", name="Send", exact=True)
        assert _bottom_of(send) <= _top_of(composer)  # nobody has to scroll for it
        looks = [
            page.get_by_role("button", name=words, exact=True).last.evaluate(
                "it => getComputedStyle(it).backgroundColor"
            )
            for words in ("Helpful", "Not helpful")
        ]
        assert looks[0] != looks[1]  # the one that was given looks pressed
        visiting.fill(field, "The start is missing.")
        visiting.click(page.get_by_role("button", name="Send", exact=True))
        expect(page.get_by_text("Thank you. It is on record.")).to_be_visible()
        visiting.click(page.get_by_role("button", name="New conversation"))
        expect(page.get_by_text("Ask your documents")).to_be_visible()
        entry = page.get_by_role("button", name="Since when does the retention period")
        visiting.click(entry.first)
        expect(page.locator(".sr-answer")).to_have_count(2)
        visiting.settle()
        assert 0 <= _top_of(page.locator(".sr-question").last) < 200  # one stands where one left it
        expect(page.get_by_text("You found this not helpful.")).to_be_visible()
        row = page.locator('[class*="st-key-sr-history-current-"]')
        visiting.click(row.get_by_role("button", name="Delete"))
        visiting.click(page.get_by_role("button", name="Delete conversation"))
        expect(entry).to_have_count(0)


def _top_of(target: Locator) -> float:
    box = target.bounding_box()
    assert box is not None
    return box["y"]


def _bottom_of(target: Locator) -> float:
    box = target.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def test_a_reload_and_the_way_back_open_a_conversation_again(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask(QUESTION)
        visiting.settle()
        address = urlsplit(page.url)
        assert (address.path, address.query.partition("=")[0]) == ("/ask", "conversation")
        assert uuid.UUID(address.query.partition("=")[2])  # and nothing else
        page.reload()
        expect(page.locator(".sr-answer")).to_contain_text("ten years")
        visiting.click(page.get_by_role("link", name="Library"))
        expect(page.get_by_role("heading", name="Library")).to_be_visible()
        visiting.click(page.get_by_role("link", name="Ask"))
        expect(page.locator(".sr-answer")).to_contain_text("ten years")
        visiting.click(page.get_by_role("button", name="New conversation"))
        expect(page.get_by_text("Ask your documents")).to_be_visible()
        visiting.settle()
        assert page.url == f"{served.base_url}/ask"
        page.go_back()
        expect(page.locator(".sr-answer")).to_contain_text("ten years")
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert not [words for words in ("treaties", "ten years", address.query.partition("=")[2]) if words in kept]


def test_the_way_back_closes_a_source_and_stays_in_its_conversation(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.ask(QUESTION)
        visiting.settle()
        conversation, dialog = page.url, page.get_by_role("dialog")
        visiting.click(page.get_by_role("button", name="Open source 1"))
        expect(dialog).to_contain_text("records-retention.pdf")
        visiting.settle()
        name, _, ids = page.url.removeprefix(conversation).partition("=")
        assert (name, uuid.UUID(ids.removesuffix("-1"))) == ("&source", uuid.UUID(ids[:-2]))  # and nothing else
        page.go_back()
        expect(dialog).to_have_count(0)
        expect(page.locator(".sr-answer")).to_contain_text("ten years")
        visiting.settle()
        assert page.url == conversation
        page.go_forward()
        expect(dialog).to_contain_text("records-retention.pdf")
        page.reload()
        expect(dialog).to_contain_text("records-retention.pdf")
        visiting.close_dialog()
        page.wait_for_url(conversation)
        expect(page.locator(".sr-answer")).to_contain_text("ten years")
        visiting.settle()
        page.go_back()  # not to the source that was closed
        expect(page.get_by_text("Ask your documents")).to_be_visible()
        expect(dialog).to_have_count(0)
        visiting.go(f"/ask?{urlsplit(conversation).query}&source={ids}")  # as a bookmark leads there
        expect(dialog).to_contain_text("records-retention.pdf")
        visiting.close_dialog()
        page.wait_for_url(conversation)
        visiting.settle()
        page.go_back()
        expect(page.get_by_text("Ask your documents")).to_be_visible()
        expect(dialog).to_have_count(0)


def test_the_conversation_of_somebody_else_is_told_as_one_that_there_is_not(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        visiting.ask(QUESTION)
        visiting.settle()
        theirs = urlsplit(visiting.page.url).query
    told = []
    for query in (theirs, f"conversation={uuid.uuid4()}"):
        with visit(browser, served.base_url) as visiting:
            visiting.sign_in(*served.accounts.admin)
            visiting.go(f"/ask?{query}")
            expect(visiting.page.get_by_text("The conversation of this address cannot be opened")).to_be_visible()
            visiting.settle()
            told.append((visiting.page.url, visiting.page.locator("body").inner_text()))
    assert told[0] == told[1]
    assert told[0][0] == f"{served.base_url}/ask"


def test_a_question_is_written_where_the_cursor_is_already(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        field = visiting.page.get_by_test_id("stChatInputTextArea")
        expect(field).to_be_focused()
        visiting.type(QUESTION)
        visiting.press("Enter")
        expect(visiting.page.locator(".sr-answer")).to_contain_text("ten years", timeout=60_000)
        visiting.click(visiting.page.get_by_role("button", name="New conversation"))
        expect(visiting.page.get_by_text("Ask your documents")).to_be_visible()
        visiting.type("Who keeps them?")
        expect(field).to_have_value("Who keeps them?")


def test_signing_out_stays_in_sight_beside_many_conversations(browser: Browser, served: Served) -> None:
    name, password = served.accounts.employee
    with httpx.Client(base_url=served.base_url, trust_env=False, timeout=60) as api:
        api.post("/api/session", json={"name": name, "password": password}).raise_for_status()
        for number in range(12):
            api.post("/api/ask", json={"question": f"Which football team won in {1990 + number}?"}).raise_for_status()
    with visit(browser, served.base_url, (1280, 560)) as visiting:
        visiting.sign_in(name, password)
        page = visiting.page
        expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport(ratio=1)
        visiting.click(page.get_by_role("button", name="All conversations"))
        visiting.enter(page.get_by_label("Words of the first question"), "won 1990")
        expect(page.get_by_role("button", name="Open conversation")).to_have_count(1)
        visiting.click(page.get_by_role("button", name="Open conversation"))
        expect(page.locator(".sr-question")).to_contain_text("1990")
        row = page.locator('[class*="st-key-sr-history-current-"]')
        visiting.click(row.get_by_role("button", name="Delete"))
        visiting.click(page.get_by_role("button", name="Delete conversation"))
        expect(row).to_have_count(0)
        visiting.click(page.get_by_role("button", name="Sign out"))
        page.wait_for_url("**/login")


def test_the_menu_of_a_phone_closes_once_something_is_chosen_in_it(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url, PHONE) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        menu, opens = page.get_by_test_id("stSidebar"), page.get_by_test_id("stExpandSidebarButton")
        visiting.ask("What may a hotel night cost?")
        expect(menu).to_have_attribute("data-collapsed", "true")
        choices = (
            (page.locator('[class*="st-key-history-"] button').first, page.locator(".sr-question")),
            (page.get_by_role("button", name="New conversation"), page.get_by_text("Ask your documents")),
            (page.get_by_role("link", name="Library"), page.get_by_role("heading", name="Library")),
        )
        for choice, shown in choices:
            visiting.click(opens)
            visiting.click(choice)
            expect(shown).to_be_visible()
            expect(menu).to_have_attribute("data-collapsed", "true")
        visiting.click(opens)
        expect(menu).to_have_attribute("data-collapsed", "false")
        page.reload()
        expect(page.get_by_role("heading", name="Library")).to_be_visible()
        visiting.settle()
        expect(menu).to_have_attribute("data-collapsed", "true")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.reload()
        expect(page.get_by_role("link", name="Library")).to_be_in_viewport()  # a wide window has room for it


def test_the_library_shows_how_each_page_was_read(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        visiting.click(page.get_by_role("link", name="Library"))
        visiting.enter(page.get_by_label("Search by title or path"), "retention")
        expect(page.get_by_text("1 document", exact=True)).to_be_visible()
        visiting.settle()
        visiting.click(page.get_by_role("button", name="Open document"))
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("2 of 2 pages gave text").first).to_be_visible()
        visiting.click(dialog.get_by_role("tab", name="Pages"))
        visiting.wait_for_page_image()
        visiting.click(dialog.get_by_role("tab", name="Passages"))
        expect(dialog.get_by_text("kept for ten years").first).to_be_visible()
        expect(dialog.get_by_text("A long document")).to_have_count(0)
        visiting.settle()
        page.go_back()
        expect(dialog).to_have_count(0)
        expect(page.get_by_text("1 document", exact=True)).to_be_visible()  # what was looked for is still there
        visiting.settle()
        page.go_forward()
        expect(dialog.get_by_text("2 of 2 pages gave text").first).to_be_visible()
        visiting.close_dialog()
        page.wait_for_url("**/library")


def test_a_session_that_ended_leads_back_to_the_sign_in_page(browser: Browser, served: Served) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.sign_in(*served.accounts.employee)
        page = visiting.page
        ended = httpx.delete(  # from elsewhere: the browser keeps what it has of it
            f"{served.base_url}/api/session",
            headers={"Cookie": "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())},
            trust_env=False,
        )
        assert ended.is_success, ended.text
        visiting.go("/library")
        expect(page.get_by_role("heading", name="Your session ended")).to_be_visible()
        expect(page).to_have_title("Sign in - Strongroom")
        expect(page.get_by_test_id("stSidebar")).to_be_hidden()
        expect(page.get_by_text("Anything you just typed was not sent.")).to_be_visible()
        visiting.click(page.get_by_role("link", name="Sign in again"))
        expect(page.get_by_label("Password")).to_be_visible()


def test_a_stranger_gets_the_sign_in_page_and_one_sentence_for_a_wrong_password(
    browser: Browser, served: Served
) -> None:
    with visit(browser, served.base_url) as visiting:
        visiting.go("/")
        page = visiting.page
        assert page.url.endswith("/login")
        expect(page.get_by_label("Name")).to_be_focused()
        visiting.type("nobody")
        visiting.press("Tab")
        visiting.type("wrong")
        visiting.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
        expect(page.get_by_label("Name")).to_have_value("nobody")
        expect(page.get_by_label("Password")).to_be_focused()
        expect(page.get_by_label("Password")).to_have_value("")
