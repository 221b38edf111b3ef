"""Passages: a cited one in its place (the page with it marked, or the text around it), and a document's own."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from appliance.api.schemas.asking import PlaceOut
from appliance.api.schemas.calling import segment
from appliance.api.schemas.documents import CitedPassage, PassageTextOut
from ui import pieces
from ui.addresses import SOURCE
from ui.client import Client
from ui.inert import Html, quoted, render, text

_AT_ONCE = 10


def _close() -> None:
    st.query_params.pop(SOURCE, None)


@st.dialog("Cited passage", width="medium", on_dismiss=_close)
def open_passage(client: Client, chunk_id: str, cited: PlaceOut) -> None:
    """Show a passage of an answer, which the address names. `cited` is where stands what the answer has of it."""
    with pieces.problems_shown():
        show_passage(client, chunk_id, cited)


def show_passage(client: Client, chunk_id: str, cited: PlaceOut | None = None) -> None:
    """Show a passage in its place: the page with it marked, or the text around it.

    It is called by the headings above what is cited of it, where that is known, else by those above its beginning.
    """
    passage = client.passage(chunk_id)
    pieces.show(_heading(passage, cited or passage.place))
    if not passage.current:
        words = "Superseded: the document has changed since. This is the passage as it was when it was cited."
        pieces.show(pieces.notice(words, "warn"))
    if passage.place.has_image:
        alt = f"{pieces.where(passage.place)} of {passage.title}, the passage marked"
        pieces.show(pieces.page_image(f"/api/passages/{segment(chunk_id)}/page.png", alt))
        with st.expander("The passage as text"):
            pieces.show(_in_context(passage))
    else:
        pieces.show(_in_context(passage))


def _heading(passage: CitedPassage, named: PlaceOut) -> Html:
    file, place = pieces.dotted(passage.source, passage.path), pieces.where(named)
    return Html(
        f'<div class="sr-source"><div><h2>{text(passage.title)}</h2><p>{text(place)}</p><p>{text(file)}</p></div></div>'
    )


def _in_context(passage: CitedPassage) -> Html:
    return Html(
        f'<div class="sr-context" dir="auto"><div class="sr-around">{quoted(passage.before)}</div>'
        f"<div>{quoted(passage.text, is_marked=True)}</div>"
        f'<div class="sr-around">{quoted(passage.after)}</div></div>'
    )


def show_passages(passages: Sequence[PassageTextOut], of: int, key: str) -> None:
    """Show the passages of a document inside a dialog, some at first and more when asked.

    Args:
        passages: In reading order; of a very long document the first ones.
        of: How many the document has.
        key: Tells apart what is shown at the same time.
    """
    if len(passages) < of:
        whole = pieces.count(of, "passage")
        pieces.show(pieces.line(f"A long document: here are the first {len(passages):,} of {whole}."))
    shown = int(st.session_state.get(f"shown-{key}", _AT_ONCE))
    for passage in passages[:shown]:
        pieces.show(_passage(passage))
    if shown < len(passages) and st.button("Show more passages", key=f"more-{key}"):
        st.session_state[f"shown-{key}"] = shown + _AT_ONCE
        st.rerun(scope="fragment")


def _passage(passage: PassageTextOut) -> Html:
    place = pieces.where(passage.place) or f"Passage {passage.number}"
    return Html(f'<div class="sr-passage"><p class="sr-muted">{text(place)}</p>{render(passage.text, rows=True)}</div>')
