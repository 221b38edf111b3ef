"""Query log: what was asked, what was answered from what, and the proof that nothing was changed."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.log import VerifiedOut
from ui import log_condition, pieces
from ui.client import Client
from ui.inert import Html, text
from ui.log_opening import log_is_open
from ui.part import keep_in_address
from ui.read_once import read_again
from ui.screens import log_charts, log_entry, log_events, log_people, log_questions

_VERIFIED = "strongroom_verified"
_TABS = {
    "Questions": log_questions.show,
    "Charts": log_charts.show,
    "People": log_people.show,
    "Other events": log_events.show,
}


def page(client: Client) -> None:
    """Show what the log holds, a tab for each kind of looking at it."""
    pieces.heading("Query log", "Every question and answer on record. Reading the log is itself on record.", wide=True)
    condition = st.container()  # filled when a verification that was asked for is done
    is_open = log_is_open(client)
    if is_open:
        with pieces.problems_shown():
            _offer_proof(client)
    with condition, pieces.problems_shown():
        log_condition.show(client)
    if not is_open:
        return
    keep_in_address("log-tab", list(_TABS))
    tabs = st.tabs(list(_TABS), key="log-tab", on_change="rerun")
    for tab, show in zip(tabs, _TABS.values(), strict=True):
        with tab, pieces.problems_shown():
            if tab.open:
                show(client)
    log_entry.show_the_one_of_the_address(client)


def _offer_proof(client: Client) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if st.button("Verify the log", type="primary", key="verify"):
            with pieces.problems_shown():
                st.session_state[_VERIFIED] = client.verify_log()
        if st.button("Refresh", key="refresh"):
            read_again()
        pieces.show(pieces.link_button("Export the proof", "/api/log/export", download=True), "content")
        pieces.show(pieces.link_button("Print a checkpoint", "/api/log/checkpoint"), "content")
    verified: VerifiedOut | None = st.session_state.get(_VERIFIED)
    if verified is not None:
        pieces.show(_verdict(verified))
        if verified.ok:  # it was so then; what is wrong stays
            del st.session_state[_VERIFIED]


def _verdict(verified: VerifiedOut) -> Html:
    tone = "good" if verified.ok else "bad"
    if verified.ok:
        head = f"The log is intact: {pieces.count(verified.size, 'entry', 'entries')} checked."
    elif verified.first_bad is None:
        head = "The log does not verify."
    else:
        head = f"The log does not verify: entry {verified.first_bad} is the first bad one."
    told = "" if verified.ok else f"<p>{text(verified.message)}</p>"
    facts = pieces.fields(
        [("Checked", text(pieces.moment(verified.checked_at))), ("Root of the tree", pieces.code(verified.root))]
    )
    return Html(
        f'<div class="sr-notice sr-{tone}" role="{"status" if verified.ok else "alert"}"><strong>{text(head)}</strong>'
        f"{told}{facts}</div>"
    )
