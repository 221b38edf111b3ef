"""Fields in which people write words that go on record.

Rules this module keeps:

1. A field has no limit of its own: Streamlit would drop a longer paste without a word. The API has the limits, and
   `client.checked` says them where something is sent.
2. What was written stays in its field until it was accepted: whoever is refused corrects it, and writes nothing twice.
3. What stands in an empty field is said to be an example where it could pass for what somebody wrote.
"""

from __future__ import annotations

import streamlit as st

_EMPTIED = "strongroom_emptied_fields"


def line(label: str, key: str, placeholder: str = "") -> str:
    """What was written in a field of one line."""
    _empty_if_accepted(key)
    return st.text_input(label, key=key, placeholder=placeholder or None)


def area(label: str, key: str, placeholder: str = "") -> str:
    """What was written in a field of several lines."""
    _empty_if_accepted(key)
    return st.text_area(label, key=key, placeholder=placeholder or None)


def example(words: str) -> str:
    """What an empty field shows of what may be written in it."""
    return f"For example: {words}"


def accepted(*keys: str) -> None:
    """What was written in these fields was accepted: they are empty in the run that follows."""
    st.session_state.setdefault(_EMPTIED, set()).update(keys)


def _empty_if_accepted(key: str) -> None:
    emptied: set[str] = st.session_state.get(_EMPTIED, set())
    if key in emptied:  # a field takes a value only before it is drawn
        emptied.discard(key)
        st.session_state[key] = ""
