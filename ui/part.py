"""The part of a page that is open, a tab or a view, as the page's address names it.

So a reload, a bookmark and the browser's way back open it again. Streamlit binds a choice to the address by itself too,
but writes each over the one before (`replaceState`): the way back would leave the page. What a script writes to
`st.query_params` is a step of its own in the browser's history.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import streamlit as st

from appliance.api.schemas.pages import PARTS
from ui.addresses import and_back

_SHOWN = "strongroom_parts_shown"
"""Under it lies, by the name of each choice, what was open when its page was drawn last."""


def keep_in_address(name: str, parts: Sequence[str], *, within: str = "") -> None:
    """Bring a choice among the parts of a page and its address together. Call it right before that is drawn.

    Args:
        name: The key of the choice, and the parameter of the address.
        parts: What there is to choose. The first is open where the address names none.
        within: The parameter of the part in which this choice stands. Another part has no use for any other parameter.
    """
    part, named = _open(name, parts), st.query_params.get(name, parts[0])
    if st.session_state.get(name) != part:
        st.session_state[name] = part
    if named != part:
        around = {within: st.query_params[within]} if within in st.query_params else {}
        st.query_params.from_dict(around if part == parts[0] else around | {name: part})
    _shown()[name] = part  # last: a run that is broken off before is followed by one that sees the same choice


def address(page: str, *, is_open: bool) -> dict[str, str]:
    """The parameters of the address that leads to what is open on a page, or was when somebody left it."""
    found = {}
    for name, parts in PARTS.get(page, {}).items():
        part = _open(name, parts) if is_open else _shown().get(name, parts[0])
        if part != parts[0]:
            found[name] = part
    return found


def and_back_here(step: str) -> str:
    """The address of a step that comes first, from which a reader comes back to what is open, or was just chosen."""
    url = st.context.url or ""
    page = urlsplit(url).path.strip("/")
    return and_back(step, url, st.query_params.to_dict() | address(page, is_open=True))


def _open(name: str, parts: Sequence[str]) -> str:
    """What was chosen since the page was drawn last; else what its address names."""
    chosen = st.session_state.get(name)
    if chosen in parts and chosen != _shown().get(name):
        return str(chosen)
    named = st.query_params.get(name, "")
    return named if named in parts else parts[0]


def _shown() -> dict[str, str]:
    found: dict[str, str] = st.session_state.setdefault(_SHOWN, {})
    return found
