"""Pages that follow what happens: drawn anew when a sync begins or ends, whoever started it.

Rules this module keeps:

1. While nothing happens nothing is drawn: one small request every few seconds.
2. An open dialog stays, with what is typed into it. The page beneath is drawn anew when it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Literal, ParamSpec

import streamlit as st

from appliance.api.schemas.runs import RunOut, RunState
from ui import pieces
from ui.client import Client

BUSY_S = 1.5
IDLE_S = 4.0
_DIALOG = "strongroom_dialog_is_open"
_Given = ParamSpec("_Given")
_Standing = frozenset[tuple[str, RunState]]


def begin() -> None:
    """Call it where a page begins to be drawn: that closes whatever dialog is open."""
    st.session_state[_DIALOG] = False


def follow(client: Client, runs: Iterable[RunOut]) -> None:
    """Draw this page anew as soon as a sync begins or ends that is not among `runs`, as the page shows them."""
    shown = _standing(runs)
    busy = any(state is RunState.RUNNING for _, state in shown)
    st.fragment(_look, run_every=BUSY_S if busy else IDLE_S)(client, shown)


def dialog(
    title: str, width: Literal["small", "medium"] = "small"
) -> Callable[[Callable[_Given, None]], Callable[_Given, None]]:
    """Make a function the content of a dialog on a page that follows."""

    def made(content: Callable[_Given, None]) -> Callable[_Given, None]:
        show = st.dialog(title, width=width, on_dismiss="rerun")(content)

        @wraps(content)
        def opened(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
            st.session_state[_DIALOG] = True
            show(*args, **kwargs)

        return opened

    return made


def redraw() -> None:
    """Draw the whole page anew, unless a dialog is open."""
    if not st.session_state.get(_DIALOG):
        st.rerun(scope="app")


def _look(client: Client, shown: _Standing) -> None:
    with pieces.problems_shown():
        if _standing(client.runs()) != shown:
            redraw()


def _standing(runs: Iterable[RunOut]) -> _Standing:
    return frozenset((run.id, run.state) for run in runs)
