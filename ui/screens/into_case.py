"""Putting a question in a case from where one reads it: an open case, or a new one."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.cases import CaseIn, CaseOut, CaseQueryIn
from ui import fields, pieces
from ui.client import Client, checked
from ui.inert import one_line
from ui.read_once import read_again, read_once

OWN_WORDS = "Use your own words and do not copy the text: a copy outlives the erasure of the original."
NEW_CASE = "A new case"
_DONE = "strongroom_into_case"


@st.fragment  # so that a choice draws this part again, and does not read again what is open beside it
def offer(client: Client, query_id: str) -> None:
    """Offer it, folded: which cases there are is read, and that is on record, when somebody unfolds it."""
    with pieces.problems_shown():
        pieces.say_what_was_kept()
        key = f"into-case-{query_id}"
        if st.session_state.pop(_DONE, "") == query_id:
            st.session_state[key] = False  # folded, so that nobody opens a second case with the form of the first
        part = st.expander("Put it in a case", key=key, on_change="rerun")
        with part, pieces.problems_shown():
            if part.open:
                _choose(client, query_id)


def open_cases(client: Client) -> dict[str, str]:
    """What the open cases are called, by their ids, and a new one, by an empty id; for a list to choose from."""
    found = read_once("cases", "all", client.cases)
    return {"": NEW_CASE} | {case.id: one_line(_called(case)) for case in found if case.state == "open"}


def _called(case: CaseOut) -> str:
    return f"Case {case.number}: {case.title}"


def _choose(client: Client, query_id: str) -> None:
    names = open_cases(client)
    case_id = st.selectbox(
        "Case",
        list(names),
        index=0 if len(names) == 1 else None,
        format_func=names.__getitem__,
        key=f"into-{query_id}",
        placeholder="Choose one: nothing is taken out of a case again",
    )
    if case_id == "":
        _offer_new(client, query_id)
    elif st.button("Put it in", key=f"put-{query_id}", disabled=case_id is None) and case_id is not None:
        client.put_in_case(case_id, checked(CaseQueryIn, query_id=query_id))
        _done(query_id, f"The question is in case {_number(client, case_id)}.")


def _offer_new(client: Client, query_id: str) -> None:
    title_key, reason_key = f"into-title-{query_id}", f"into-reason-{query_id}"
    with st.form(f"into-new-{query_id}", border=False):
        title = fields.line("Title", title_key)
        reason = fields.area("Reason", reason_key, OWN_WORDS)
        sent = st.form_submit_button("Open the case")
    if sent:
        case = client.open_case(checked(CaseIn, title=title, reason=reason, query_ids=[query_id]))
        fields.accepted(title_key, reason_key)
        _done(query_id, f"Case {case.number} is open, with this question in it.")


def _number(client: Client, case_id: str) -> int:
    return next(case.number for case in read_once("cases", "all", client.cases) if case.id == case_id)


def _done(query_id: str, words: str) -> None:
    st.session_state[_DONE] = query_id
    read_again("cases", "case")
    pieces.say_after_rerun(words)
    pieces.draw_again()
