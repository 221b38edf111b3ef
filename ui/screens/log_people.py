"""Query log, people: who is behind a pseudonym. Two officers have to agree that it is needed."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.namings import NamedOut, NamingOut
from ui import fields, pieces, taking_out
from ui.client import Client
from ui.inert import Html, text

_TOLD = "strongroom_told_names"


def show(client: Client) -> None:
    """Show what one may be told, and ask for more."""
    pieces.show(
        pieces.line(
            "The desk calls everybody by a pseudonym, which stays the same over the months. A name is told to two "
            "officers who agreed that it is needed, for a while, and each telling is on record."
        )
    )
    for granted in client.namings():
        _show_granted(client, granted)
    _ask(client)
    taking_out.offer(client, {"Export the whole log": "/api/log/export?content=true"}, "log")


def _show_granted(client: Client, granted: NamingOut) -> None:
    told: dict[str, NamedOut] = st.session_state.setdefault(_TOLD, {})
    with st.container(key=f"sr-card-naming-{granted.id}", border=True):
        facts = pieces.dotted(f"may be told until {pieces.moment(granted.until)}", granted.reason)
        pieces.show(
            Html(f'<div class="sr-source"><div><strong>{text(granted.person)}</strong><p>{text(facts)}</p></div></div>')
        )
        if granted.id in told:
            pieces.show(_named(told[granted.id]))
        elif st.button("Tell me who this is", key=f"tell-{granted.id}"):
            with pieces.problems_shown():
                told[granted.id] = client.tell_name(granted.id)
                st.rerun()


def _named(named: NamedOut) -> Html:
    name = pieces.dotted(named.name, named.display_name if named.display_name != named.name else "")
    return pieces.fields(
        [("Pseudonym", pieces.code(named.pseudonym)), ("Person", text(name or "somebody whose account is gone"))]
    )


def _ask(client: Client) -> None:
    with st.form("ask-name", border=True):
        pieces.show(Html('<h3 class="sr-small-head">Ask for a name</h3>'))
        person = fields.line("Pseudonym, or the name somebody signs in with", "naming-person")
        reason = fields.line("Why it is needed", "naming-reason")
        if st.form_submit_button("Put before a second officer"):
            with pieces.problems_shown():
                client.ask_for_name(person, reason)
                fields.accepted("naming-person", "naming-reason")
                pieces.say_after_rerun("It waits for a second officer.")
                st.rerun()
