"""The few pages outside of the screens that signing in and out needs: plain HTML, with no script at all."""

from __future__ import annotations

import html
from importlib.resources import files
from string import Template

from starlette.responses import HTMLResponse

STATIC = files("appliance.api").joinpath("static")


def sign_in_page(message: str = "", status: int = 200, sign_on_name: str = "") -> HTMLResponse:
    """The sign-in page, with a button for single sign-on where that has a name."""
    label = html.escape(f"Sign in with {sign_on_name}")
    button = f'<a class="sign-on" href="/login/oidc">{label}</a>\n<p class="or">or</p>' if sign_on_name else ""
    return _page("login.html", status, message=html.escape(message), sign_on=button)


def arrival_page(address: str) -> HTMLResponse:
    """Takes a browser on to one of our own addresses, as a step that begins on our own site."""
    return notice_page("Signed in", "One moment.", onward=address, link="Continue")


def notice_page(title: str, message: str, *, onward: str = "", link: str = "", back: str = "/login") -> HTMLResponse:
    """Says one thing. With `onward` the browser goes there by itself; without, there is a link to sign in again."""
    goal, label = (onward, link or "Continue") if onward else (back, "Sign in")
    refresh = f'<meta http-equiv="refresh" content="0;url={html.escape(onward)}">' if onward else ""
    return _page(
        "notice.html",
        200,
        refresh=refresh,
        title=html.escape(title),
        message=html.escape(message),
        goal=html.escape(goal),
        label=html.escape(label),
    )


def _page(name: str, status: int, **values: str) -> HTMLResponse:
    template = Template(STATIC.joinpath(name).read_text("utf-8"))
    return HTMLResponse(template.safe_substitute(values), status, {"Cache-Control": "no-store"})
