"""A cited passage in its place: the page with the passage marked, or the text around it."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas import CitedPassage
from ui import pieces
from ui.client import Client
from ui.inert import Html, text


@st.dialog("Cited passage", width="medium")
def open_passage(client: Client, chunk_id: str) -> None:
    """Show a passage in a dialog."""
    with pieces.problems_shown():
        passage = client.passage(chunk_id)
        pieces.show(_heading(passage))
        if not passage.current:
            pieces.show(
                pieces.notice(
                    "Superseded: the document has changed since. This is the passage as it was when it was cited.",
                    "warn",
                )
            )
        if passage.place.has_image:
            alt = f"{pieces.where(passage.place)} of {passage.title}, the passage marked"
            pieces.show(pieces.page_image(f"/api/passages/{pieces.segment(chunk_id)}/page.png", alt))
            with st.expander("The passage as text"):
                pieces.show(_in_context(passage))
        else:
            pieces.show(_in_context(passage))


def _heading(passage: CitedPassage) -> Html:
    file, place = pieces.dotted(passage.source, passage.path), pieces.where(passage.place)
    return Html(
        f'<div class="sr-source"><div><h2>{text(passage.title)}</h2><p>{text(place)}</p><p>{text(file)}</p></div></div>'
    )


def _in_context(passage: CitedPassage) -> Html:
    return Html(
        f'<div class="sr-context" dir="auto"><span>{text(passage.before)}</span>\n'
        f"<mark>{text(passage.text)}</mark>\n<span>{text(passage.after)}</span></div>"
    )
