"""A real browser whose every request is watched: one that leaves the origin fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, Response, WebSocket, sync_playwright

CHROMIUM = "/usr/bin/chromium"
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
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
DESKTOP = (1280, 800)
PHONE = (390, 844)
SCREENSHOTS = Path(__file__).parents[2] / "artefacts" / "screenshots"


@dataclass
class Seen:
    """What a visit did besides showing pages."""

    off_origin: list[str] = field(default_factory=list)
    without_policy: list[str] = field(default_factory=list)
    script_errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


class Visit:
    """One person's window on the appliance."""

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        self.base_url = base_url
        self.seen = Seen()
        self.page: Page = context.new_page()
        context.on("request", self._on_request)
        context.on("response", self._on_response)
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
        if "text/html" in response.headers.get("content-type", "") and not response.headers.get(
            "content-security-policy"
        ):
            self.seen.without_policy.append(response.url)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str) -> None:
        """Open a page of the appliance."""
        self.page.goto(f"{self.base_url}{path}")

    def sign_in(self, name: str, password: str) -> None:
        """Sign in and wait for the first page."""
        self.go("/login")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("h1").first.wait_for()

    def show_navigation(self) -> None:
        """On a phone the navigation lies behind a button."""
        if self.page.viewport_size and self.page.viewport_size["width"] < 600:
            self.page.get_by_test_id("stExpandSidebarButton").click()

    def ask(self, question: str) -> None:
        """Ask, and wait until the answer is complete."""
        answers = self.page.get_by_text("Was this helpful?")
        before = answers.count()
        self.page.get_by_test_id("stChatInputTextArea").fill(question)
        self.page.keyboard.press("Enter")
        answers.nth(before).wait_for(timeout=60_000)

    def settle(self) -> None:
        """Wait until the script of the page has run to its end."""
        self.page.wait_for_timeout(300)
        self.page.locator('[data-test-script-state="notRunning"]').first.wait_for(state="attached")

    def wait_for_page_image(self) -> None:
        """Wait until the picture of a page has arrived. (The policy forbids `wait_for_function`: it is an eval.)"""
        picture = self.page.locator("img.sr-page").first
        for _ in range(150):
            if picture.evaluate("image => image.complete && image.naturalWidth > 300"):
                return
            self.page.wait_for_timeout(100)
        answer = self.page.request.get(f"{self.base_url}{picture.get_attribute('src')}")
        raise AssertionError(f"The picture of the page did not arrive: {answer.status} {answer.text()[:300]}")

    def photograph(self, name: str, *, settled: bool = False) -> None:
        """Keep what the window shows under artefacts/screenshots."""
        if not settled:
            self.settle()
        size = self.page.viewport_size or {"width": 0}
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}.png")

    def assert_nothing_left(self) -> None:
        """No request went elsewhere, every page came with its policy, and no script failed or spoke up."""
        assert self.seen == Seen()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Browser, base_url: str, size: tuple[int, int] = DESKTOP, *, checked: bool = True) -> Iterator[Visit]:
    """A window of its own, with no cookies; checked when it closes."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
    try:
        visiting = Visit(context, base_url)
        yield visiting
        if checked:
            visiting.assert_nothing_left()
    finally:
        context.close()
