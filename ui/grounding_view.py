"""How an answer was held against the passages that it cites."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.asking import GroundingOut, StatementOut
from ui import pieces
from ui.inert import Html, render


def show_grounding(query_id: str, grounding: GroundingOut) -> None:
    """The check in one line, and sentence by sentence when it is opened."""
    with st.expander(_grounded(grounding), key=f"grounding-{query_id}"):
        pieces.show(pieces.line("Checked by words and numbers: whether a passage says it, not whether it is right."))
        rows = [(render(statement.text), _verdict(statement)) for statement in grounding.statements]
        pieces.show(pieces.table(("Sentence", "In the cited passages"), rows))


def _grounded(grounding: GroundingOut) -> str:
    """The check in one line."""
    if not grounding.judged:
        return "Not checked: too short, or in another language than the passages"
    sentences = pieces.count(grounding.judged, "sentence")
    stand = "stands" if grounding.supported == 1 else "stand"
    return f"Grounded: {grounding.supported:,} of {sentences} {stand} in the cited passages"


def _verdict(statement: StatementOut) -> Html:
    if statement.numbers_missing:
        return pieces.badge(f"Not found: {', '.join(statement.numbers_missing)}", "warn")
    if not statement.comparable:
        return pieces.badge("Not checked: too short, or another language")
    if not statement.supported:
        return pieces.badge("Not found", "warn")
    own = "".join(f"[{number}]" for number in statement.cited)
    return pieces.badge(f"Found {own}" if own else "Found, names no source of its own", "good")
