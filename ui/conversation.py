"""The conversation on the screen, as the browser's session keeps it.

Its id stands in the address, so that a reload, a bookmark and the browser's way back open it again. Nothing that was
asked or answered stands there, and the API opens a conversation to nobody but whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from appliance.api.schemas.asking import TurnOut
from ui.client import Client

_STATE = "strongroom_ask"
_PARAMETER = "conversation"
_ADDRESS = "strongroom_ask_address"
"""Under it lies what the address named when it was looked at last."""
_WAITING = "strongroom_ask_waiting"
"""Under it lie the questions that wait to be asked again in conversations that are not on the screen."""


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
    """Show this one instead, from the next run on. A question that got no answer waits where it was asked."""
    left, waiting = current(), st.session_state.setdefault(_WAITING, {})
    waiting[_named(left)] = (left.asking, left.problem)
    asked, problem = waiting.pop(_named(conversation), ("", ""))
    if not conversation.turns or asked != conversation.turns[-1].question:  # it may have been answered after all
        conversation.asking, conversation.problem = asked, problem
    st.session_state[_STATE] = conversation


def open_earlier(client: Client, conversation_id: str) -> None:
    """Show one of the reader's own instead. Raises ApiProblem where they have none of this id."""
    detail = client.conversation(conversation_id)
    put_on_screen(Conversation(id=detail.id, turns=list(detail.turns)))


def address() -> dict[str, str]:
    """The parameters of the address that leads to the one on the screen; none where nothing was answered in it yet."""
    named = _named(current())
    return {_PARAMETER: named} if named else {}


def _named(conversation: Conversation) -> str:
    """What an address calls it; nothing where nothing was answered in it yet."""
    return conversation.id if conversation.id and conversation.turns else ""


def newly_addressed() -> str | None:
    """What the address names since somebody changed it: a conversation's id, or nothing for a new conversation.

    None where nobody did: then the address names what is on the screen. Until it does, every run is told of the change.
    """
    named, shown = st.query_params.get(_PARAMETER, ""), address().get(_PARAMETER, "")
    known = st.session_state.get(_ADDRESS, "")
    if named not in (known, shown):
        return named
    st.session_state[_ADDRESS] = shown
    if named != shown:
        st.query_params.from_dict(address())
    return None
