"""Query log, questions: found by what one can search for, newest first."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from appliance import flags
from appliance.api.schemas.log import QueriesOut, QueryOut
from appliance.domain import AnswerKind
from appliance.wording import ANSWERS
from ui import fields, pieces
from ui.addresses import ENTRY
from ui.client import Client
from ui.inert import Html, one_line, text
from ui.read_once import read_once
from ui.screens.log_entry import FEEDBACK, by_way_of, outcome

_LOOKED_BACK_DAYS = 30
_WORDS = 'All of them, in any order; "a phrase" as it stands'
_KINDS = {"": "Any answer"} | {str(kind): words.capitalize() for kind, words in ANSWERS.items()}
_FLAGS = {"": "Any or none"} | {str(name): words.capitalize() for name, words in flags.WORDS.items()}


def show(client: Client) -> None:
    """Show the questions that match, and offer to open each."""
    filters = _filters()
    if filters != st.session_state.get("log-asked"):
        st.session_state["log-asked"] = filters
        st.session_state["log-before"] = []
    earlier: list[int] = st.session_state["log-before"]
    before = earlier[-1] if earlier else None
    found = read_once("log-queries", (filters, before), lambda: client.queries(filters, before=before))
    for query in found.queries:
        with st.container(key=f"sr-card-{query.query_id}", border=True):
            pieces.show(_card(query))
            if st.button(f"Open entry {query.seq}", key=f"entry-{query.query_id}"):
                st.query_params[ENTRY] = query.query_id  # the page opens what its address names
    _tell_how_far(found)
    pieces.older_and_newer("log-before", found.next_before)


def _tell_how_far(found: QueriesOut) -> None:
    if found.hurried:
        reached = pieces.moment(found.reached)
        more = "Nothing matches" if not found.queries else "This is what matches"
        pieces.show(pieces.notice(f"{more} back to {reached}; there was no time to look further. Older goes on there."))
    elif not found.queries:
        pieces.show(pieces.notice("No entry matches."))


def _filters() -> dict[str, str]:
    wanted = st.text_input("Words in the question or answer", key="log-text", placeholder=_WORDS)
    since, until = st.columns(2)
    a_while_ago = datetime.now(UTC).date() - timedelta(days=_LOOKED_BACK_DAYS)
    start = since.date_input("From (UTC)", a_while_ago, key="log-since", format="YYYY-MM-DD")
    end = until.date_input("To (UTC)", None, key="log-until", format="YYYY-MM-DD")
    with st.expander("More filters"):
        first, second, third = st.columns(3)
        person = first.text_input("Person (pseudonym)", key="log-person", placeholder=fields.example("P-7K3M9-Q2XDA"))
        group = second.text_input("Group of the person", key="log-group")
        document = third.text_input("Document (title, path or id)", key="log-document")
        kind = first.selectbox("Answer", list(_KINDS), format_func=_KINDS.__getitem__, key="log-kind")
        flag = second.selectbox("Flag", list(_FLAGS), format_func=_FLAGS.__getitem__, key="log-flag")
        feedback = third.selectbox("Feedback", list(FEEDBACK), format_func=FEEDBACK.__getitem__, key="log-feedback")
        model = first.text_input("Model", key="log-model")
    return {
        "text": wanted,
        "person": person,
        "group": group,
        "document": document,
        "model": model,
        "kind": kind,
        "flag": flag,
        "feedback": feedback,
        "since": _instant(start, time.min),
        "until": _instant(end, time.max),
    }


def _instant(day: date | None, at: time) -> str:
    return datetime.combine(day, at, UTC).isoformat() if day else ""


def _card(query: QueryOut) -> Html:
    groups = pieces.listed([group for group in query.groups if group != "everyone"])
    asked = pieces.recorded_moment(query.asked_at)
    facts = pieces.dotted(f"#{query.seq}", asked, query.person, groups, by_way_of(query.origin))
    feedback = pieces.badge(FEEDBACK[query.feedback].lower()) if query.feedback else Html("")
    error = pieces.badge(query.error.replace("_", " "), "bad") if query.error else Html("")
    sources = pieces.badge(_sources(query))
    told = [flag.name for flag in query.flags if flag.name != flags.Flag.ABSTAINED]  # the outcome says that one
    flagged = pieces.join(pieces.badge(flags.WORDS.get(name, name), "warn") for name in told)
    return Html(
        f'<div class="sr-source"><div><strong>{text(one_line(query.question, 200))}</strong>'
        f"<p>{text(one_line(query.answer, 240))}</p><p>{text(facts)}</p>"
        f"<p>{pieces.badge(*outcome(query.kind))}{error}{sources}{feedback}{flagged}</p></div></div>"
    )


def _sources(query: QueryOut) -> str:
    """How many passages were cited, of those that could have been, or handed over."""
    if query.kind is AnswerKind.PASSAGES:
        return f"{query.citations:,} handed over of {query.retrieved:,} found"
    if query.prompted:
        return f"{query.citations:,} cited of {query.prompted:,} in the prompt"
    return f"{query.citations:,} cited of {query.retrieved:,} found"
