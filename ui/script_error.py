"""What happens when a screen fails: a sentence for the reader, type and place for the operator.

Streamlit would print the traceback with the error's message, and a message may hold what somebody wrote.
"""

from __future__ import annotations

import logging

import streamlit as st

_log = logging.getLogger(__name__)


def on_script_error(error: Exception) -> bool:
    """Show and log the failure of a screen. Returns True: nothing more is to be shown or printed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown place"
    _log.error("A screen failed with %s at %s", type(error).__name__, place)
    st.error("Something went wrong on this page. Reload it; if it happens again, tell the administrator.")
    return True
