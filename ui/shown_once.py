"""A secret that was just made, a password or a token: shown until somebody says it was noted, and stored nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import streamlit as st

from ui import pieces
from ui.inert import Html, text

_PLACE = "strongroom_shown_once"


@dataclass
class _MadeUp:
    """What was made last, until it was noted; empty when there is none."""

    of: str = ""
    what: str = ""
    secret: str = ""
    making: Lock = field(default_factory=Lock)


def keep(what: str, make: Callable[[], tuple[str, str]], *, once_for: str = "") -> None:
    """Have a secret made and keep it, and none if the one that is kept is `once_for` this one.

    A second click begins a second run beside the first, and the first ends as soon as it touches the session's state.
    What is stored nowhere else must not be lost with it: so the place is taken from the state before the secret is
    made, and the second run waits for the first.

    Args:
        what: What it is, as in "The password of".
        make: Makes it; returns whose it is, and the secret, which may be empty.
        once_for: Whose it would be.
    """
    place = _place()
    with place.making:
        if once_for and once_for == place.of:
            return
        of, secret = make()
        if secret:
            place.of, place.what, place.secret = of, what, secret


def show() -> None:
    """The secret, until somebody says it was noted."""
    made = _place()
    if not made.secret:
        return
    with st.container(border=True, key="sr-password"):
        pieces.show(
            Html(
                f"<p>{text(made.what)} <strong>{text(made.of)}</strong>. It is shown this once and stored nowhere.</p>"
                f'<p class="sr-secret"><code>{text(made.secret)}</code></p>'
            )
        )
        st.button("I have noted it", key="password-noted", on_click=_forget)


def _place() -> _MadeUp:
    found: _MadeUp = st.session_state.setdefault(_PLACE, _MadeUp())
    return found


def _forget() -> None:
    st.session_state.pop(_PLACE, None)
