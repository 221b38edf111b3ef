"""Query log: what was asked, what was answered from what, and the proof that nothing was changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import TypeVar

import streamlit as st

from appliance.api.schemas.log import EventOut, QueryDetail, QueryOut, RetrievedOut, VerifiedOut
from appliance.domain import AnswerKind
from ui import log_condition, pieces
from ui.client import Client
from ui.inert import Html, one_line, render, text
from ui.log_opening import log_is_open
from ui.replay_view import offer_replay

_KINDS: dict[AnswerKind | None, tuple[str, pieces.Tone]] = {
    AnswerKind.GENERATED: ("written by the model", "quiet"),
    AnswerKind.EXTRACTIVE: ("quoted", "quiet"),
    AnswerKind.ABSTAINED: ("not in the documents", "warn"),
    AnswerKind.PASSAGES: ("handed to a program", "quiet"),
    None: ("unfinished", "bad"),
}
_FEEDBACK = {"": "Any feedback", "up": "Helpful", "down": "Not helpful"}
_VERIFIED = "strongroom_verified"
_QUERIES = "strongroom_log_queries"
_EVENTS = "strongroom_log_events"
_Read = TypeVar("_Read")


def page(client: Client) -> None:
    """Show the entries, the other events, and the proof."""
    pieces.heading("Query log", "Every question and answer on record. Reading the log is itself on record.", wide=True)
    log_condition.show(client)
    if not log_is_open(client):
        return
    _offer_proof(client)
    queries, events = st.tabs(["Questions", "Other events"], key="log-tab", on_change="rerun")
    with queries, pieces.problems_shown():
        if queries.open:
            _show_queries(client)
    with events, pieces.problems_shown():
        if events.open:
            _show_events(client)


def _read_once(place: str, asked: object, read: Callable[[], _Read]) -> _Read:
    """What was read for the same request before, or a new reading.

    Every reading is an entry of the log, so a page that is merely drawn again must not read again.
    """
    kept = st.session_state.get(place)
    if kept is None or kept[0] != asked:
        kept = st.session_state[place] = (asked, read())
    found: _Read = kept[1]
    return found


# the proof


def _offer_proof(client: Client) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if st.button("Verify the log", type="primary", key="verify"):
            with pieces.problems_shown():
                st.session_state[_VERIFIED] = client.verify_log()
        if st.button("Refresh", key="refresh"):
            for place in (_QUERIES, _EVENTS):
                st.session_state.pop(place, None)
        pieces.show(pieces.link_button("Export the log", "/api/log/export", download=True), "content")
        pieces.show(pieces.link_button("Print a checkpoint", "/api/log/checkpoint"), "content")
    if _VERIFIED in st.session_state:
        pieces.show(_verdict(st.session_state[_VERIFIED]))


def _verdict(verified: VerifiedOut) -> Html:
    tone = "good" if verified.ok else "bad"
    if verified.ok:
        head = f"The log is intact: {pieces.count(verified.size, 'entry', 'entries')} checked."
    elif verified.first_bad is None:
        head = "The log does not verify."
    else:
        head = f"The log does not verify: entry {verified.first_bad} is the first bad one."
    facts = pieces.fields(
        [("Checked", text(pieces.moment(verified.checked_at))), ("Root of the tree", pieces.code(verified.root))]
    )
    return Html(
        f'<div class="sr-notice sr-{tone}" role="{"status" if verified.ok else "alert"}"><strong>{text(head)}</strong>'
        f"<p>{text(verified.message)}</p>{facts}</div>"
    )


# questions


def _show_queries(client: Client) -> None:
    filters = _filters()
    if filters != st.session_state.get("log-asked"):
        st.session_state["log-asked"] = filters
        st.session_state["log-before"] = []
    earlier: list[int] = st.session_state["log-before"]
    before = earlier[-1] if earlier else None
    found = _read_once(_QUERIES, (filters, before), lambda: client.queries(filters, before=before))
    if not found.queries:
        pieces.show(pieces.notice("No entry matches."))
    for query in found.queries:
        with st.container(key=f"sr-card-{query.query_id}", border=True):
            pieces.show(_entry(query))
            if st.button(f"Open entry {query.seq}", key=f"entry-{query.query_id}"):
                _open(client, query.query_id)
    _offer_older("log-before", found.next_before)


def _filters() -> dict[str, str]:
    kinds = {"": "Any answer"} | {
        kind.value: words.capitalize() for kind, (words, _) in _KINDS.items() if kind is not None
    }
    wanted = st.text_input("Words in the question or answer", key="log-text")
    with st.expander("More filters"):
        person, answer, judged = st.columns(3)
        actor = person.text_input("Person", key="log-actor")
        kind = answer.selectbox("Answer", list(kinds), format_func=kinds.__getitem__, key="log-kind")
        feedback = judged.selectbox("Feedback", list(_FEEDBACK), format_func=_FEEDBACK.__getitem__, key="log-feedback")
        since, until = st.columns(2)
        start = since.date_input("From (UTC)", None, key="log-since", format="YYYY-MM-DD")
        end = until.date_input("To (UTC)", None, key="log-until", format="YYYY-MM-DD")
    return {
        "text": wanted,
        "actor": actor,
        "kind": kind,
        "feedback": feedback,
        "since": _instant(start, time.min),
        "until": _instant(end, time.max),
    }


def _instant(day: date | None, at: time) -> str:
    return datetime.combine(day, at, UTC).isoformat() if day else ""


def _entry(query: QueryOut) -> Html:
    facts = pieces.dotted(f"#{query.seq}", pieces.moment(query.asked_at), query.actor_name or query.actor, query.origin)
    feedback = pieces.badge(_FEEDBACK[query.feedback].lower()) if query.feedback else Html("")
    error = pieces.badge(query.error.replace("_", " "), "bad") if query.error else Html("")
    sources = pieces.badge(_sources(query))
    return Html(
        f'<div class="sr-source"><div><strong>{text(one_line(query.question, 200))}</strong>'
        f"<p>{text(one_line(query.answer, 240))}</p><p>{text(facts)}</p>"
        f"<p>{pieces.badge(*_KINDS[query.kind])}{error}{sources}{feedback}</p></div></div>"
    )


def _sources(query: QueryOut) -> str:
    """How many passages were cited, of those that could have been, or handed over."""
    if query.kind is AnswerKind.PASSAGES:
        return f"{query.citations:,} handed over of {query.retrieved:,} found"
    if query.prompted:
        return f"{query.citations:,} cited of {query.prompted:,} in the prompt"
    return f"{query.citations:,} cited of {query.retrieved:,} found"


def _offer_older(key: str, next_before: int | None) -> None:
    """Two buttons to walk a list that is only known page by page."""
    earlier: list[int] = st.session_state.setdefault(key, [])
    if not earlier and next_before is None:
        return
    with st.container(horizontal=True, key=f"sr-pager-{key}"):
        if st.button("Newer", key=f"{key}-newer", disabled=not earlier):
            earlier.pop()
            st.rerun()
        if st.button("Older", key=f"{key}-older", disabled=next_before is None) and next_before is not None:
            earlier.append(next_before)
            st.rerun()


@st.dialog("Entry of the query log", width="medium")
def _open(client: Client, query_id: str) -> None:
    with pieces.problems_shown():
        query = client.query(query_id)
        pieces.show(
            Html(
                '<h3 class="sr-small-head">Question</h3>'
                f'<div class="sr-question" dir="auto">{text(query.question)}</div>'
                f'<h3 class="sr-small-head">Answer as shown</h3>{render(query.answer)}'
            )
        )
        pieces.show(_on_record(query))
        if query.passages:
            pieces.show(Html('<h3 class="sr-small-head">Retrieved passages</h3>'))
            rows = [_passage_row(passage) for passage in query.passages]
            number = "In the prompt as" if query.prompt_sha256 else "Number"  # without a model there is no prompt
            with st.container(key="sr-retrieved"):
                pieces.show(pieces.table(("Rank", "Document", "Page", number, "Cited", "Version (SHA-256)"), rows))
        offer_replay(client, query_id)


def _on_record(query: QueryDetail) -> Html:
    words, tone = _KINDS[query.kind]
    parameters = ", ".join(f"{name} = {value}" for name, value in query.parameters.items())
    latency = ", ".join(f"{name.replace('_', ' ')} {ms:,.0f} ms" for name, ms in query.latency_ms.items())
    facts = [
        ("Entry", text(query.seq)),
        ("Asked", text(pieces.moment(query.asked_at))),
        ("Person", text(pieces.dotted(query.actor_name, query.actor))),
        ("Groups then", text(pieces.listed(query.groups))),
        ("Cleared for then", text(pieces.listed(query.levels))),
        ("Origin", text(query.origin)),
        ("Outcome", pieces.badge(words, tone)),
        ("Searched for", text(query.searched_for if query.searched_for != query.question else "")),
        ("Completed by", text(query.rewriting)),
        ("Reranked by", pieces.code(query.reranker_digest)),
        ("Answerable", text("" if query.answerable is None else f"{query.answerable:.2f}")),
        ("Grounded", text(_grounded(query))),
        ("Error", text(query.error)),
        ("Notices shown", text(" ".join(query.notices))),
        ("Feedback", text(pieces.dotted(_FEEDBACK[query.feedback] if query.feedback else "", query.feedback_comment))),
        ("Model", text(pieces.dotted(query.model, query.model_provider, query.quantisation))),
        ("Model digest", pieces.code(query.model_digest)),
        ("Prompt template", text(query.prompt_template)),
        ("Prompt SHA-256", pieces.code(query.prompt_sha256)),
        ("Parameters", text(parameters)),
        ("Answer SHA-256", pieces.code(query.answer_sha256)),
        ("Latency", text(latency)),
        ("Conversation", pieces.code(query.conversation_id)),
        ("Query", pieces.code(query.query_id)),
        ("Leaf hash", pieces.code(query.leaf_hash)),
    ]
    return pieces.fields((name, value or text("none")) for name, value in facts)


def _grounded(query: QueryDetail) -> str:
    """How the answer was held against its passages, and what was not found there."""
    if query.grounding is None:
        return ""
    missing = [number for statement in query.grounding.statements for number in statement.numbers_missing]
    found = f"{query.grounding.supported:,} of {query.grounding.judged:,} sentences stand in the cited passages"
    return f"{found}; not found: {', '.join(missing)}" if missing else found


def _passage_row(passage: RetrievedOut) -> tuple[Html, ...]:
    return (
        text(passage.rank),
        Html(f"{text(passage.title)}<br><small>{text(passage.path)}</small>"),
        text("" if passage.page is None else passage.page),
        text("none" if passage.number is None else f"[{passage.number}]"),
        pieces.badge("cited", "good") if passage.cited else text("no"),
        pieces.code(passage.version_sha256),
    )


# other events


def _show_events(client: Client) -> None:
    earlier: list[int] = st.session_state.setdefault("events-before", [])
    before = earlier[-1] if earlier else None
    found = _read_once(_EVENTS, before, lambda: client.events(before=before))
    pieces.show(pieces.table(("Entry", "Time", "Event", "By", "Detail"), [_event_row(event) for event in found.events]))
    _offer_older("events-before", found.next_before)


def _event_row(event: EventOut) -> tuple[Html, ...]:
    return (
        text(event.seq),
        text(pieces.moment(event.time)),
        text(event.type),
        text(event.actor),
        text(event.detail),
    )
