"""Single sign-on in a real browser: to a certified provider on another site, back, to the screens, and out again.

The provider listens at 127.0.0.2, which is another site than the appliance at 127.0.0.1. So the browser treats the way back
as it would in an office: a cookie that is SameSite=Strict does not come along on a redirect.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.identity_provider.real import SECRET, real_provider
from tests.journeys.browser import visit
from tests.journeys.served import can_trap, free_port, process

PEOPLE = {"s-anna": {"preferred_username": "anna", "name": "Anna Berg", "groups": ["finance"]}}


def test_somebody_signs_in_at_the_provider_reaches_the_screens_and_signs_out(browser: Browser, tmp_path: Path) -> None:
    port, at = free_port(), free_port()
    us = f"http://127.0.0.1:{port}"
    report = tmp_path / "attempts.txt" if can_trap() else None
    with real_provider(at, us, PEOPLE, host="127.0.0.2") as issuer:
        environ = {
            "STRONGROOM_DATA_DIR": str(tmp_path / "data"),
            "STRONGROOM_SERVER__PORT": str(port),
            "STRONGROOM_MODEL__PROVIDER": "none",
            "STRONGROOM_OIDC__ISSUER": issuer,
            "STRONGROOM_OIDC__NAME": "the town hall",
            "STRONGROOM_OIDC__CLIENT_ID": "strongroom",
            "STRONGROOM_OIDC__CLIENT_SECRET": SECRET,
            "STRONGROOM_OIDC__PUBLIC_URL": us,
            "STRONGROOM_OIDC__SCOPES": '["openid", "profile", "groups"]',
            "STRONGROOM_OIDC__SIGN_OUT": "true",
        }
        server = process(["-m", "tests.brisk", "serve"], port, tmp_path / "server.log", environ, report=report)
        with server, visit(browser, us, checked=False) as visiting:  # it goes to the provider, which has no policy
            page = visiting.page
            visiting.go("/library")
            visiting.click(page.get_by_role("link", name="Sign in"))
            visiting.click(page.get_by_role("link", name="Sign in with the town hall"))
            visiting.fill(page.get_by_label("Your name"), "anna")
            visiting.click(page.get_by_role("button", name="Go on"))
            page.wait_for_url(lambda url: urlsplit(url).netloc == urlsplit(us).netloc and "/login" not in url)
            expect(page.get_by_text("Anna Berg")).to_be_visible()
            expect(page.get_by_role("heading", name="Library")).to_be_visible()  # what she came for
            visiting.photograph("sign-on")
            visiting.click(page.get_by_role("button", name="Sign out"))
            page.wait_for_url(f"{issuer}/session/end?*")
            visiting.click(page.get_by_role("button", name="Yes"))
            page.wait_for_url(f"{us}/login*")
            visiting.go("/")
            expect(page.get_by_role("link", name="Sign in with the town hall")).to_be_visible()
            elsewhere = {urlsplit(url).netloc for url in visiting.seen.off_origin}
            assert (elsewhere, visiting.seen.script_errors) == ({f"127.0.0.2:{at}"}, [])
