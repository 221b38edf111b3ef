"""The script Streamlit runs for every reader: who is it, which pages are theirs, show one.

The API decides what a reader may do; leaving a page out of the navigation is a courtesy, not a protection.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from appliance.api.schemas.pages import PAGES
from appliance.api.schemas.people import SESSION_COOKIE, Me
from appliance.domain import Role
from ui import conversation, part, pieces, shown_once
from ui.addresses import DOOR
from ui.client import ApiProblem, Client
from ui.inert import Html, text
from ui.read_once import read_anew_on_another
from ui.screens import account, admin, ask, cases, compliance, data_protection, library, review_queue

API_URL = "STRONGROOM_API_URL"
"""The environment variable that says where the API listens."""

_STYLE = Path(__file__).parent / "static" / "strongroom.css"
_READER = "strongroom_reader"
_NAME = "Strongroom"
_UNFINISHED = {
    "password_change_required": ("Change your password", "/password"),
    "second_factor_required": ("Set up your second factor", "/second-factor"),
}
"""By the code of the refusal, what has to be done first, and where."""


def main() -> None:
    """One run of the script."""
    st.set_page_config(layout="centered", initial_sidebar_state="auto")
    st.html(_STYLE)
    client = Client(os.environ[API_URL], _session())
    try:
        me = client.me()
    except ApiProblem as problem:
        _show_closed_door(problem)
        return
    _forget_another_reader(me)
    _show(client, me)


def _session() -> str:
    """What the browser has of a session; nothing where nobody signed in, or signed out."""
    return st.context.cookies.get(SESSION_COOKIE, "")


def _show(client: Client, me: Me) -> None:
    pages = _pages_of(client, me)
    # Streamlit serves the first page under "/" alone. A door in front of them gives every page an address that lasts.
    door = st.Page(partial(st.switch_page, pages[0]), title=_NAME, url_path=DOOR, default=True)
    # Those of other roles have a page that says so: Streamlit would say over another one that there is no such page.
    here = {page.url_path for page in pages}
    others = [st.Page(_not_for_them, title="Not for your account", url_path=path) for path in PAGES if path not in here]
    chosen = st.navigation([door, *pages, *others], position="hidden")
    _call_the_tab(chosen)
    read_anew_on_another(chosen.url_path)
    with st.sidebar:
        pieces.show(Html('<div class="sr-wordmark">Strongroom</div>'))
        with st.container(key="sr-nav", gap="xxsmall"):
            for entry in pages:
                st.page_link(entry, label=entry.title, query_params=_address(entry.url_path, chosen.url_path))
        with st.container(key="sr-footer"):
            pieces.show(_signed_in(me))
    with pieces.problems_shown(), pieces.kept_until_drawn():
        with pieces.notices():
            pieces.say_what_was_kept()
            shown_once.show()
        chosen.run()


def _pages_of(client: Client, me: Me) -> list[StreamlitPage]:
    listed = []
    if Role.EMPLOYEE in me.roles:
        listed.append(st.Page(partial(ask.page, client), title="Ask", url_path="ask"))
        listed.append(st.Page(partial(library.page, client), title="Library", url_path="library"))
    if Role.ADMIN in me.roles:
        listed.append(st.Page(partial(admin.page, client, me), title="Administration", url_path="admin"))
    if Role.COMPLIANCE in me.roles:
        listed.append(st.Page(partial(compliance.page, client), title="Query log", url_path="compliance"))
        listed.append(st.Page(partial(review_queue.page, client), title="Review queue", url_path="review"))
        listed.append(st.Page(partial(cases.page, client), title="Cases", url_path="cases"))
        listed.append(st.Page(partial(data_protection.page, client), title="Data protection", url_path="protection"))
    listed.append(st.Page(partial(account.page, client), title="Your account", url_path="account"))
    return listed


def _address(path: str, open_path: str) -> dict[str, str]:
    """What was open on a page when somebody left it is open there again."""
    return conversation.address() if path == "ask" else part.address(path, is_open=path == open_path)


def _call_the_tab(page: StreamlitPage) -> None:
    """Tabs and bookmarks tell the pages apart by their titles."""
    st.set_page_config(page_title=_NAME if page.title == _NAME else f"{page.title} - {_NAME}")


def _not_for_them() -> None:
    pieces.show(
        Html(
            '<div class="sr-empty"><h1>This page is not for your account</h1>'
            "<p>It belongs to a role that you do not have. An administrator gives roles.</p>"
            f"{pieces.link_button('Start page', '/')}</div>"
        )
    )


def _signed_in(me: Me) -> Html:
    roles = ", ".join(role.value for role in me.roles)
    name = me.name if me.display_name not in ("", me.name) else ""
    return Html(
        f'<div class="sr-who"><strong>{text(me.display_name or me.name)}</strong>'
        f"<span>{text(pieces.dotted(name, roles))}</span>"
        '<form method="post" action="/logout"><button type="submit">Sign out</button></form></div>'
    )


def _show_closed_door(problem: ApiProblem) -> None:
    """Every address leads to the same door, so that Streamlit does not call any of them unknown."""
    doors = [st.Page(partial(_door, problem), title=_door_title(problem), url_path=path) for path in (DOOR, *PAGES)]
    chosen = st.navigation(doors, position="hidden")
    _call_the_tab(chosen)
    chosen.run()


def _door_title(problem: ApiProblem) -> str:
    return "Sign in" if problem.signed_out else _NAME


def _door(problem: ApiProblem) -> None:
    if problem.signed_out and not _session():
        pieces.show_not_signed_in()
    elif problem.signed_out:
        pieces.show_signed_out()
    elif problem.code in _UNFINISHED:
        pieces.show(pieces.notice(problem.message, "warn"))
        words, step = _UNFINISHED[problem.code]
        pieces.show(pieces.link_button(words, part.and_back_here(step)))
    else:
        pieces.show(pieces.notice(problem.message, "bad"))


def _forget_another_reader(me: Me) -> None:
    """A browser tab keeps its state over a sign-out; nothing in it may reach the next reader."""
    if st.session_state.get(_READER) != me.name:
        st.session_state.clear()
        st.session_state[_READER] = me.name


main()
