"""The few pages outside of the screens that signing in and out needs: plain HTML, with no script at all."""

from __future__ import annotations

import html
from importlib.resources import files
from string import Template

from starlette.responses import HTMLResponse

from appliance.api.goals import with_goal
from appliance.api.schemas.pages import NEXT

STATIC = files("appliance.api").joinpath("static")


def sign_in_page(
    message: str = "", status: int = 200, sign_on_name: str = "", *, goal: str = "", name: str = ""
) -> HTMLResponse:
    """The sign-in page, with a button for single sign-on where that has a name.

    It leads to the `goal` (`goals`). A `name` that was typed stays in its field, whether somebody has it or not.
    """
    label = html.escape(f"Sign in with {sign_on_name}")
    begin = with_goal("/login/oidc", goal)
    button = f'<a class="sign-on" href="{html.escape(begin)}">{label}</a>\n<p class="or">or</p>' if sign_on_name else ""
    return page(
        "login.html",
        "Sign in",
        status,
        message=html.escape(message),
        sign_on=button,
        goal=goal_field(goal),
        typed=html.escape(name),
        at_name="" if name else " autofocus",
        at_password=" autofocus" if name else "",
    )


def goal_field(goal: str) -> str:
    """A field, which nobody sees, that brings the goal back with a form; as HTML."""
    return f'<input name="{NEXT}" type="hidden" value="{html.escape(goal)}">' if goal else ""


def arrival_page(address: str) -> HTMLResponse:
    """Takes a browser on to one of our own addresses, as a step that begins on our own site."""
    return notice_page("Signed in", "One moment.", onward=address, link="Continue")


def notice_page(
    title: str, message: str, status: int = 200, *, onward: str = "", link: str = "", back: str = "/login"
) -> HTMLResponse:
    """Says one thing. With `onward` the browser goes there by itself; without, there is a link `back`."""
    goal, label = (onward, link or "Continue") if onward else (back, link or "Sign in")
    refresh = f'<meta http-equiv="refresh" content="0;url={html.escape(onward)}">' if onward else ""
    return page(
        "notice.html",
        title,
        status,
        refresh=refresh,
        message=html.escape(message),
        goal=html.escape(goal),
        label=html.escape(label),
    )


def page(name: str, title: str, status: int, *, refresh: str = "", **values: str) -> HTMLResponse:
    """A page, which no cache keeps: the part called `name` within the frame that all of them have.

    Args:
        name: A file in `static`.
        title: In plain text.
        status: Of the answer.
        refresh: A tag that leads the browser on, or nothing.
        values: What is put into that part, as HTML.
    """
    heading = html.escape(title)
    body = _template(name).safe_substitute(values, title=heading)
    return HTMLResponse(
        _template("frame.html").safe_substitute(title=heading, refresh=refresh, body=body),
        status,
        {"Cache-Control": "no-store"},
    )


def _template(name: str) -> Template:
    return Template(STATIC.joinpath(name).read_text("utf-8"))
