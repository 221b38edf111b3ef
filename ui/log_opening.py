"""The door of the query log: whoever reads it writes down why first."""

from __future__ import annotations

import streamlit as st

from ui import fields, pieces
from ui.client import Client
from ui.inert import Html, text
from ui.read_once import read_again

_UNDER = "strongroom_log_opening"


def log_is_open(client: Client) -> bool:
    """Whether the log is open to this session; asks for the reason where it is not.

    Every page that shows what the log holds begins with this, and shows nothing more when it says no.
    """
    opening = client.log_opening()
    if st.session_state.get(_UNDER) != opening:
        read_again()  # what was read under another reason is read under this one, and that is on record
        st.session_state[_UNDER] = opening
    if opening.until is None:
        _ask(client)
        return False
    pieces.show(
        Html(
            f'<p class="sr-muted">Open until {text(pieces.moment(opening.until))} for: '
            f"<strong>{text(opening.reason)}</strong></p>"
        )
    )
    return True


def _ask(client: Client) -> None:
    with st.form("open-log", border=True):
        pieces.show(
            Html(
                '<h2 class="sr-small-head">Why do you read the log?</h2>'
                '<p class="sr-muted">Write at least three words. Your reason goes on record, beside everything you '
                "read, and others judge by it. It opens the log for a while to this session alone.</p>"
            )
        )
        reason = fields.line("Reason", "log-reason", fields.example("Complaint 2026-14 of a customer"))
        if st.form_submit_button("Open the log", type="primary"):
            with pieces.problems_shown():
                client.open_log(reason)
                fields.accepted("log-reason")
                st.rerun()
