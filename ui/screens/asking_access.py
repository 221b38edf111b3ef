"""Asking for access, below the library: whom to ask, a request, and what became of earlier ones."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.access import AccessRequestIn, AccessRequestOut
from ui import fields, pieces
from ui.client import Client, checked
from ui.inert import Html, text


def show(client: Client) -> None:
    """Show the form, folded up. What there is to be seen is not asked about: that would tell."""
    with st.expander("Something is missing? Ask for access"):
        with pieces.problems_shown():
            contact = client.access_terms().contact
            if contact:
                pieces.show(pieces.line(contact))
        with pieces.problems_shown(), st.form("ask-access", border=False):
            group = fields.line("Group (if you know it)", "ask-access-group").strip()
            reason = fields.area("What you need, and why", "ask-access-reason").strip()
            if st.form_submit_button("Send request", type="primary"):
                client.ask_for_access(checked(AccessRequestIn, group=group or None, reason=reason))
                fields.accepted("ask-access-group", "ask-access-reason")
                pieces.say_after_rerun("Your request was sent. You see here what becomes of it.")
                st.rerun()
        with pieces.problems_shown():
            mine = client.my_access_requests()
            if mine:
                pieces.show(pieces.table(("Asked", "For", "Answer"), [_row(request) for request in mine]))


def _row(request: AccessRequestOut) -> tuple[Html, ...]:
    decided = "approved" if request.approved else "declined"
    state = decided if request.decided_at else "waits for an answer"
    return (
        text(pieces.moment(request.asked_at)),
        text(request.group or request.reason),
        text(pieces.dotted(state, request.answer)),
    )
