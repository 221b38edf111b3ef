"""Cases: what has to be found out, the questions that belong to it, closing it with two officers, and its evidence."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from appliance.api.schemas.calling import segment
from appliance.api.schemas.cases import CaseDetail, CaseEntryOut, CaseIn, CaseNoteIn, CaseOut, CaseQueryIn, CaseQueryOut
from ui import fields, pieces, taking_out
from ui.addresses import CASE
from ui.client import Client, checked
from ui.inert import Html, one_line, text
from ui.log_opening import log_is_open
from ui.read_once import read_again, read_once
from ui.screens.into_case import OWN_WORDS
from ui.screens.review_queue import decide

_STATES: dict[str, tuple[str, pieces.Tone]] = {
    "open": ("open", "warn"),
    "closing": ("waits for a second officer", "warn"),
    "closed": ("closed", "good"),
}
_KINDS = {"opened": "Opened", "query": "Question put in", "note": "Note", "unread": "Unreadable"}

_ID = "'Id of the question' in its entry of the query log, under 'How it was made'"
_IDS = f"{_ID}; several with blanks between them"
_OPENED = "strongroom_cases_opened"


def page(client: Client) -> None:
    """Show the cases, and offer to open one."""
    lead = "Questions that belong together because something has to be found out about them."
    pieces.heading("Cases", lead, wide=True)
    if not log_is_open(client):
        return
    st.button("Refresh", key="cases-refresh", on_click=read_again)
    found = read_once("cases", "all", client.cases)
    if not found:
        pieces.show(pieces.notice("There is no case."))
    for case in found:
        with st.container(key=f"sr-card-{case.id}", border=True):
            pieces.show(_entry(case))
            if st.button(f"Open case {case.number}", key=f"case-{case.id}"):
                st.query_params[CASE] = case.id
    for offer in (_offer_new, _offer_selection):
        with pieces.problems_shown():
            offer(client)
    if named := st.query_params.get(CASE):
        _open(client, named)
    else:
        read_again("case")  # opened again once it was closed, it is read again


def _entry(case: CaseOut) -> Html:
    facts = pieces.dotted(f"opened {pieces.moment(case.opened_at)}", case.opened_by)
    questions = pieces.badge(pieces.count(case.queries, "question"))
    return Html(
        f'<div class="sr-source"><div><strong>{case.number}. {text(one_line(case.title, 200))}</strong>'
        f"<p>{text(facts)}</p><p>{pieces.badge(*_STATES[case.state])}{questions}</p></div></div>"
    )


def _offer_new(client: Client) -> None:
    opened = st.session_state.get(_OPENED, 0)
    # under another key once a case is open: so it is folded again
    with st.expander("Open a case", key=f"another-case-{opened}"), st.form("open-case", border=False):
        title = fields.line("Title", "case-title")
        reason = fields.area("Reason", "case-reason", OWN_WORDS)
        query_ids = fields.line("Questions, by their ids", "case-questions", _IDS)
        sent = st.form_submit_button("Open the case", type="primary")
    if sent:
        client.open_case(
            checked(CaseIn, {"query_ids": "Questions"}, title=title, reason=reason, query_ids=query_ids.split())
        )
        read_again()
        fields.accepted("case-title", "case-reason", "case-questions")
        st.session_state[_OPENED] = opened + 1
        pieces.say_after_rerun("The case is open.")
        st.rerun()


def _offer_selection(client: Client) -> None:
    with st.expander("Evidence of single questions", key="evidence-selection"):
        wanted = st.text_input("Questions, by their ids", key="evidence-ids", placeholder=_IDS).split()
        if wanted:
            # before two officers agree on what cannot be; again only when others are named
            read_once("evidence-selection", wanted, lambda: client.require_questions(wanted))
            path = f"/api/compliance/package?{urlencode([('query_id', query_id) for query_id in wanted])}"
            taking_out.offer(client, {"Take the evidence package": path}, "selection")


def _close() -> None:
    st.query_params.pop(CASE, None)


@st.dialog("Case", width="medium", on_dismiss=_close)  # the list beneath it shows what was done
def _open(client: Client, case_id: str) -> None:
    with pieces.problems_shown():
        case = read_once("case", case_id, lambda: client.case(case_id))
        pieces.show(_heading(case))
        if case.contents:
            pieces.show(Html('<h3 class="sr-small-head">Questions</h3>'))
            pieces.show(pieces.table(("Entry", "Question", "Answer"), [_question(one) for one in case.contents]))
        pieces.show(Html('<h3 class="sr-small-head">On record</h3>'))
        pieces.show(pieces.join(_record(entry, case) for entry in case.entries))
        pieces.say_what_was_kept()
        with pieces.problems_shown():
            _offer_work(client, case)
        _offer_evidence(client, case)


def _offer_evidence(client: Client, case: CaseDetail) -> None:
    if case.state == "open" and not case.queries:
        pieces.show(pieces.line("There is no question in this case yet, and so no evidence to take out."))
        return
    path = f"/api/compliance/cases/{segment(case.id)}/package"
    with st.expander("Evidence package", key=f"evidence-{case.id}"), pieces.problems_shown():
        taking_out.offer(client, {"Take the evidence package": path}, "case")


def _heading(case: CaseDetail) -> Html:
    closed = f"closed {pieces.moment(case.closed_at)}" if case.closed_at else ""
    facts = pieces.dotted(f"opened {pieces.moment(case.opened_at)}", case.opened_by, closed)
    reason = next((entry.words for entry in case.entries if entry.kind == "opened"), "")
    return Html(
        f'<div class="sr-source"><div><h2>{case.number}. {text(case.title)}</h2>{text(reason)}'
        f"<p>{text(facts)}</p><p>{pieces.badge(*_STATES[case.state])}</p></div></div>"
    )


def _question(one: CaseQueryOut) -> tuple[Html, ...]:
    return (
        text("" if one.seq is None else f"#{one.seq}"),
        Html(f"{text(one_line(one.question, 300))}<br>{pieces.code(one.query_id)}"),
        text(one_line(one.answer, 300)),
    )


def _outcome(case: CaseDetail) -> CaseEntryOut | None:
    """What came of a case, as its closing was proposed: its last entry, for nothing is put in after it."""
    last = case.entries[-1] if case.entries and case.state != "open" else None
    return last if last is not None and last.kind == "note" else None


def _record(entry: CaseEntryOut, case: CaseDetail) -> Html:
    kind = "Proposed to close it" if entry is _outcome(case) else _KINDS[entry.kind]
    head = pieces.dotted(kind, entry.by, pieces.moment(entry.at), f"#{entry.seq}")
    question = next((one.question for one in case.contents if one.query_id == entry.query_id), entry.query_id)
    words = "" if entry.kind == "opened" else entry.words or one_line(question, 300)  # the reason stands above
    return Html(f'<div class="sr-source"><div><p>{text(head)}</p>{text(words)}</div></div>')


def _offer_work(client: Client, case: CaseDetail) -> None:
    """What can be done about a case now."""
    if case.state == "open":
        _offer_acts(client, case)
    elif case.state == "closing" and case.own:
        pieces.show(pieces.notice("You proposed to close this case. Another officer decides."))
    elif case.state == "closing":
        outcome = _outcome(case)
        told = outcome.words if outcome else "what came of it cannot be read"
        pieces.show(pieces.notice(f"To be decided: to close this case. What came of it: {told}"))
        if decide(client, case.proposal_id):
            pieces.draw_again()


def _offer_acts(client: Client, case: CaseDetail) -> None:
    put, note, close = st.tabs(["Put a question in", "Note", "Close"], key=f"case-work-{case.id}")
    with put, st.form(f"put-{case.id}", border=False):
        query_id = fields.line("Question, by its id", f"put-in-{case.id}", _ID)
        if st.form_submit_button("Put it in"):
            client.put_in_case(case.id, checked(CaseQueryIn, {"query_id": "Question"}, query_id=query_id))
            _done("The question is in the case.", f"put-in-{case.id}")
    with note, st.form(f"note-{case.id}", border=False):
        words = fields.area("Note", f"note-in-{case.id}", OWN_WORDS)
        if st.form_submit_button("Write it down"):
            client.note_in_case(case.id, checked(CaseNoteIn, note=words))
            _done("The note is on record.", f"note-in-{case.id}")
    with close, st.form(f"close-{case.id}", border=False):
        outcome = fields.area("What came of it", f"outcome-of-{case.id}")
        if st.form_submit_button("Propose to close it", type="primary"):
            client.close_case(case.id, checked(CaseNoteIn, {"note": "What came of it"}, note=outcome))
            _done("The case is closed when a second officer agrees.", f"outcome-of-{case.id}")


def _done(words: str, written: str) -> None:
    read_again()
    fields.accepted(written)
    pieces.say_after_rerun(words)
    pieces.draw_again()
