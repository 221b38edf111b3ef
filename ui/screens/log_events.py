"""Query log, other events: sign-ins, acts of admins, readings of the log."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.log import EventOut
from appliance.wording import ON_RECORD_FIRST
from ui import pieces
from ui.client import Client
from ui.inert import Html, text
from ui.read_once import read_once


def show(client: Client) -> None:
    """Show what is on record besides questions, newest first."""
    earlier: list[int] = st.session_state.setdefault("events-before", [])
    before = earlier[-1] if earlier else None
    found = read_once("log-events", before, lambda: client.events(before=before))
    pieces.show(pieces.line(ON_RECORD_FIRST))
    pieces.show(pieces.table(("Entry", "Time", "Event", "By", "Detail"), [_row(event) for event in found.events]))
    pieces.older_and_newer("events-before", found.next_before)


def _row(event: EventOut) -> tuple[Html, ...]:
    return (
        text(event.seq),
        pieces.unbroken(pieces.recorded_moment(event.time)),
        text(event.words),
        text(event.actor),
        text(event.detail),
    )
