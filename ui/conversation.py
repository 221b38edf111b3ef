"""The conversation on the screen, as the browser's session keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from appliance.api.schemas.asking import TurnOut

_STATE = "strongroom_ask"


@dataclass
class Conversation:
    """The conversation on the screen. `asking` is the question under way or the one that got no answer.

    `too_long` are words that go back into the field to be shortened.
    """

    id: str | None = None
    turns: list[TurnOut] = field(default_factory=list)
    asking: str = ""
    problem: str = ""
    too_long: str = ""


def current() -> Conversation:
    """The one on the screen; a new one where there is none yet."""
    found: Conversation = st.session_state.setdefault(_STATE, Conversation())
    return found


def put_on_screen(conversation: Conversation) -> None:
    """Show this one instead, from the next run on."""
    st.session_state[_STATE] = conversation
