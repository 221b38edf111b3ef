"""A real browser whose every request is watched: one that leaves the origin fails the test.

A journey clicks, types and presses through `Visit` alone, which waits until the page is quiet (`quiet.py` says why) and
then acts. A test keeps this rule.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Dialog,
    Locator,
    Page,
    Request,
    Response,
    WebSocket,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

from appliance.api.goals import with_goal
from tests.journeys.quiet import Runs, wait_until_quiet

BROWSERS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
"""The first that is installed is used. They are one engine; but the second draws windows of its own besides, which
nobody sees, and that takes a third of its time.
"""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-features=MediaRouter,OptimizationHints,Translate,AutofillServerCommunication",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2",
)
DESKTOP = (1280, 800)
PHONE = (390, 844)
_KEPT = "cookies,local_storage,indexeddb,service_workers,cache_storage"
"""What a page may keep in a browser, as the protocol of its developer tools has it (Storage.clearDataForOrigin)."""
_ARTEFACTS = Path(__file__).parents[2] / "artefacts"
SCREENSHOTS = _ARTEFACTS / "screenshots"
FAILURES = _ARTEFACTS / "failures"
_ACT_MS = 60_000
"""Most that a click, an address or a download may take: two cores may be busy with two browsers and other tests."""
_LAST_LOOK_MS = 10_000
_TOLD = 1_000
"""Characters of a window that a failure's message tells; the file beside the picture holds all."""


@dataclass
class Seen:
    """What a visit did besides showing pages."""

    off_origin: list[str] = field(default_factory=list)
    without_policy: list[str] = field(default_factory=list)
    script_errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


class Visit:
    """One person's window on the appliance."""

    def __init__(self, context: BrowserContext, base_url: str, size: tuple[int, int] = DESKTOP) -> None:
        self.base_url = base_url
        self.seen = Seen()
        self.unanswered: list[str] = []
        """What came back with an error or not at all: no failure by itself, and the cause of many."""
        self.page: Page = context.new_page()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self._runs = Runs(self.page)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfailed", self._on_failure)
        self.page.on("websocket", self._on_websocket)
        self.page.on("pageerror", lambda error: self.seen.script_errors.append(str(error)))
        self.page.on("dialog", self._on_dialog)

    def _is_ours(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("data", "blob", "about") or parts.netloc == urlsplit(self.base_url).netloc

    def _on_request(self, request: Request) -> None:
        if not self._is_ours(request.url):
            self.seen.off_origin.append(request.url)

    def _on_websocket(self, socket: WebSocket) -> None:
        if not self._is_ours(socket.url):
            self.seen.off_origin.append(socket.url)

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.unanswered.append(f"{response.status} {response.url}")
        if "text/html" in response.headers.get("content-type", "") and not response.headers.get(
            "content-security-policy"
        ):
            self.seen.without_policy.append(response.url)

    def _on_failure(self, request: Request) -> None:
        self.unanswered.append(f"{request.failure} {request.url}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str) -> None:
        """Open a page of the appliance."""
        self.page.goto(f"{self.base_url}{path}")

    def settle(self) -> None:
        """Wait until nothing is on its way to the page and nothing on it moves."""
        wait_until_quiet(self.page, self._runs)

    def click(self, target: Locator) -> None:
        """Click once the page is quiet."""
        self.settle()
        target.click()

    def point(self, target: Locator) -> None:
        """Bring the pointer onto something once the page is quiet."""
        self.settle()
        target.hover()

    def download(self, target: Locator) -> bytes:
        """Click once the page is quiet, and give what is downloaded by that."""
        self.settle()  # before the time for the download begins
        with self.page.expect_download() as download:
            target.click()
        return download.value.path().read_bytes()

    def press(self, key: str) -> None:
        """Press a key once the page is quiet."""
        self.settle()
        self.page.keyboard.press(key)

    def type(self, words: str) -> None:
        """Type where the focus is, once the page is quiet."""
        self.settle()
        self.page.keyboard.type(words)

    def fill(self, target: Locator, words: str) -> None:
        """Write into a field once the page is quiet; the words have to stay there."""
        self.settle()
        target.fill(words)
        expect(target).to_have_value(words)

    def enter(self, target: Locator, words: str) -> None:
        """Write into a field and press Enter there."""
        self.fill(target, words)
        target.press("Enter")

    def enter_twice(self, target: Locator, words: str, gap_ms: int) -> None:
        """Write into a field and press Enter, and once more before anything can have happened."""
        self.enter(target, words)
        self.page.wait_for_timeout(gap_ms)
        self.page.keyboard.press("Enter")

    def close_dialog(self) -> None:
        """Close the open dialog with Escape and wait until it is gone, and the page is where it was opened."""
        self.press("Escape")
        expect(self.page.get_by_role("dialog")).to_have_count(0)
        self.settle()

    def sign_in(self, name: str, password: str, to: str = "") -> None:
        """Sign in and wait for the first page: the one whose address is given, as if somebody had come for it.

        To load the start page on the way to another takes as long as most of what a journey does then.
        """
        self.go(with_goal("/login", to.removeprefix("/")))
        self.give(name, password)
        # The sign-in page has a heading too, and to leave it before it has answered would be no sign-in.
        self.page.wait_for_url(lambda url: urlsplit(url).path not in ("/login", "/"))
        self.page.locator("h1").first.wait_for()
        self.settle()

    def give(self, name: str, password: str) -> None:
        """Give name and password where the sign-in page is open."""
        self.fill(self.page.get_by_label("Name"), name)
        self.fill(self.page.get_by_label("Password"), password)
        self.click(self.page.get_by_role("button", name="Sign in"))

    def open_log(self, reason: str = "Complaint of a customer") -> None:
        """Give the reason for which the query log is read, and wait until it is open."""
        self.fill(self.page.get_by_label("Reason"), reason)
        self.click(self.page.get_by_role("button", name="Open the log"))
        self.page.get_by_text("Open until").wait_for()
        self.settle()

    def put(self, question: str) -> None:
        """Put a question without waiting for the answer."""
        self.enter(self.page.get_by_test_id("stChatInputTextArea"), question)

    def ask(self, question: str) -> None:
        """Ask, and wait until the answer is complete."""
        self.settle()
        answers = self.page.get_by_text("Was this helpful?")
        before = answers.count()
        self.put(question)
        answers.nth(before).wait_for()

    def wait_for_page_image(self) -> None:
        """Wait until the picture of a page has arrived. (The policy forbids `wait_for_function`: it is an eval.)"""
        picture = self.page.locator("img.sr-page").first
        for _ in range(600):
            if picture.evaluate("image => image.complete && image.naturalWidth > 300"):
                return
            self.page.wait_for_timeout(100)
        answer = self.page.request.get(f"{self.base_url}{picture.get_attribute('src')}")
        raise AssertionError(f"The picture of the page did not arrive: {answer.status} {answer.text()[:300]}")

    def photograph(self, name: str) -> None:
        """Keep what the window shows under artefacts/screenshots."""
        self.settle()
        size = self.page.viewport_size or {"width": 0}
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}.png")

    def assert_nothing_left(self) -> None:
        """No request went elsewhere, every page came with its policy, and no script failed or spoke up."""
        assert self.seen == Seen()

    def leave(self) -> None:
        """Close the window and whatever was opened from it, and leave nothing of it to the next but what was loaded."""
        context = self.page.context
        keeping = context.new_cdp_session(self.page)
        keeping.send("Storage.clearDataForOrigin", {"origin": self.base_url, "storageTypes": _KEPT})
        context.clear_cookies()
        context.remove_listener("request", self._on_request)
        context.remove_listener("response", self._on_response)
        context.remove_listener("requestfailed", self._on_failure)
        for page in context.pages:
            page.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    installed = next((path for path in BROWSERS if Path(path).exists()), BROWSERS[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def _last_look(visiting: Visit) -> str:
    """What the window showed when a test failed: a few words for its message, all and a picture under artefacts/failures.

    Few, because the message comes after the line that failed, and who reads the end of an output should see both.
    """
    test = os.environ.get("PYTEST_CURRENT_TEST", "journey").rsplit("::", 1)[-1]
    name = re.sub(r"\W+", "-", test)[:100]
    page = visiting.page
    try:
        words = page.locator("body").inner_text(timeout=_LAST_LOOK_MS)
        run = page.locator("[data-test-script-state]").evaluate_all(
            "all => all.map(node => node.dataset.testScriptState)"
        )
        seen = f"{page.url}, script {run}, {visiting.seen}, unanswered: {visiting.unanswered}"
        FAILURES.mkdir(parents=True, exist_ok=True)
        (FAILURES / f"{name}.txt").write_text(f"{seen}\n{words}", encoding="utf-8")
        page.screenshot(path=FAILURES / f"{name}.png", timeout=_LAST_LOOK_MS)
    except PlaywrightError as error:
        return f"The window cannot be looked at: {error}"
    return f"The window showed ({FAILURES / name}.png, .txt): {seen}\n{words[:_TOLD]}"


@contextmanager
def visit(browser: Browser, base_url: str, size: tuple[int, int] = DESKTOP, *, checked: bool = True) -> Iterator[Visit]:
    """A window of its own, with no cookies; checked when it closes. A failure tells what the window showed.

    What an earlier window loaded of the screens themselves is not loaded and compiled again, as with a second visit of
    somebody; after a failure everything is.
    """
    context = next((one for one in browser.contexts if not one.pages), None)
    if context is None:
        context = browser.new_context(accept_downloads=True)
        context.set_default_timeout(_ACT_MS)
    visiting = Visit(context, base_url, size)
    try:
        yield visiting
        if checked:
            visiting.assert_nothing_left()
    except BaseException as failure:  # a timeout of pytest is no Exception
        failure.add_note(_last_look(visiting))
        context.close()
        raise
    visiting.leave()
