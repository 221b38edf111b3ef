"""One's own account: password, second factor, groups and where they came from, and tokens for one's programs."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.people import AccountOut, TokenInfo
from ui import pieces, shown_once
from ui.client import Client
from ui.inert import Html, text
from ui.person_view import memberships, named
from ui.screens.people import token_input


def page(client: Client) -> None:
    """What I am in, and what I am signed in with."""
    pieces.heading("Your account")
    with pieces.problems_shown():
        _show_account(client.account())
    _show_tokens(client)


def _show_account(account: AccountOut) -> None:
    with st.container(border=True, key="sr-panel-account"):
        pieces.show(
            Html(
                f"<p><strong>{text(named(account.display_name, account.name))}</strong></p>"
                f"<p>{pieces.badges(role.value for role in account.roles)}</p>"
                f"{memberships(account.memberships, 'your')}"
            )
        )
        if account.directory:
            heard = f"You sign in by {account.directory}, which last told of you {pieces.moment(account.heard_at)}."
            pieces.show(pieces.line(heard))
        if account.can_have_second_factor:
            state = "on" if account.second_factor else "off"
            pieces.show(pieces.line(f"The second factor, a code from an app on your phone, is {state}."))
        with st.container(horizontal=True, gap="small"):
            if not account.directory:
                pieces.show(pieces.link_button("Change your password", "/password"), "content")
            if account.can_have_second_factor:
                pieces.show(pieces.link_button("Second factor", "/second-factor"), "content")


def _show_tokens(client: Client) -> None:
    tokens = client.tokens()
    for token in tokens:
        with st.container(border=True, key=f"sr-panel-token-{token.id[:12]}"):
            pieces.show(_token(token))
            with pieces.problems_shown():
                _offer_end(client, token)
    with st.expander("Make a token for a program"), pieces.problems_shown():
        wanted = token_input("own-token")
        if wanted is not None:
            shown_once.keep("The token for", lambda: (wanted.label, client.issue_token(wanted).token))
            st.rerun()


def _offer_end(client: Client, token: TokenInfo) -> None:
    if st.button("End this token", key=f"revoke-{token.id}", type="tertiary"):
        client.revoke_token(token.id)
        pieces.say_after_rerun(f"The token for {token.label} has ended.")
        st.rerun()


def _token(token: TokenInfo) -> Html:
    used = f"last used {pieces.moment(token.last_seen_at)}" if token.last_seen_at else "not used yet"
    times = f"Made {pieces.moment(token.created_at)}, {used}, good until {pieces.moment(token.expires_at)}"
    scopes = pieces.badges(scope.value for scope in token.scopes)
    return Html(f"<p><strong>{text(token.label)}</strong></p><p>{scopes}</p>{pieces.line(times)}")
