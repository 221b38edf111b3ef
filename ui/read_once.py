"""Reading the query log from a page: each reading is an entry, so a page that is merely drawn again reads nothing.

Who comes to a page from another one reads what it shows anew: it is as it is now, and that they looked is on record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

_PLACE = "strongroom_read_once"
_PAGE = "strongroom_read_on"
"""Under it lies on which page what is kept was read."""
_Read = TypeVar("_Read")


def read_once(place: str, asked: object, read: Callable[[], _Read]) -> _Read:
    """What was read in this place for the same request before, or a new reading."""
    kept = st.session_state.setdefault(_PLACE, {}).get(place)
    if kept is None or kept[0] != asked:
        kept = st.session_state[_PLACE][place] = (asked, read())
    found: _Read = kept[1]
    return found


def read_again(*places: str) -> None:
    """Read these places, or everything, anew from now on: something was changed, or somebody asks for it."""
    kept = st.session_state.setdefault(_PLACE, {})
    for place in places or tuple(kept):
        kept.pop(place, None)


def read_anew_on_another(page: str) -> None:
    """Keep nothing that was read on another page, or here before somebody went to one."""
    if st.session_state.get(_PAGE) != page:
        read_again()
        st.session_state[_PAGE] = page
