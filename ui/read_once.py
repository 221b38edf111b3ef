"""Reading the query log from a page: each reading is an entry, so a page that is merely drawn again reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

_PLACE = "strongroom_read_once"
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
