"""Taking out what the query log holds: the link where two officers agreed on it, else what waits for that, or the form
that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from appliance.api.schemas.log import ExportAskedOut
from ui import fields, pieces
from ui.client import Client
from ui.inert import Html, one_line


def offer(client: Client, links: Mapping[str, str], key: str) -> None:
    """Offer downloads, by their labels, or to ask for them. `key` tells the places on one page apart."""
    if is_agreed(client, key):
        show(links)


def is_agreed(client: Client, key: str) -> bool:
    """Whether two officers agreed on it; shows until when, what waits for a second officer, or the form that asks."""
    found = client.may_export()
    if found.until is not None:
        pieces.show(pieces.line(f"What the log holds may be taken out until {pieces.moment(found.until)}."))
        return True
    if found.waits is not None:
        pieces.show(_waits(found.waits))
    else:
        _ask(client, key)
    return False


def _waits(asked: ExportAskedOut) -> Html:
    who = "You" if asked.own else one_line(asked.asked_by)
    return pieces.notice(
        f"{who} asked on {pieces.moment(asked.asked_at)} to take out what the log holds. That waits until "
        f"{pieces.moment(asked.lapses_at)} for an officer who did not ask, and who decides under Data protection."
    )


def show(links: Mapping[str, str]) -> None:
    """Downloads, by their labels."""
    with st.container(horizontal=True, gap="small"):
        for label, path in links.items():
            pieces.show(pieces.link_button(label, path, download=True), "content")


def _ask(client: Client, key: str) -> None:
    with st.form(f"ask-export-{key}", border=True):
        pieces.show(
            Html(
                '<h3 class="sr-small-head">Ask to take out what the log holds</h3>'
                '<p class="sr-muted">There are names in it: two officers agree first. That opens to both of them the '
                "whole log, evidence packages and everything about every person.</p>"
            )
        )
        reason = fields.line("Why it is taken out", f"export-reason-{key}")
        if st.form_submit_button("Put before a second officer "):
            with pieces.problems_shown():
                client.ask_for_export(reason)
                fields.accepted(f"export-reason-{key}")
                pieces.say_after_rerun("It waits for a second officer.")
                pieces.draw_again()
