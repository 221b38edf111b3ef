"""Review queue: answers that a rule drew, judging them, and the second officer's decision."""

from __future__ import annotations

import streamlit as st

from appliance.api.schemas.compliance import ProposalDecisionIn
from appliance.api.schemas.review_queue import DrawnAnswerOut, JudgementIn
from appliance.domain import AnswerKind, ReviewState, Verdict
from appliance.flags import MEANINGS, WORDS
from appliance.wording import outcome
from ui import answer_view, pieces
from ui.client import Client, checked
from ui.inert import Html, one_line, render, text
from ui.log_opening import log_is_open
from ui.part import keep_in_address
from ui.read_once import read_again, read_once
from ui.screens import sampling_rules
from ui.screens.into_case import OWN_WORDS, open_cases

_LIMIT = 25
_TABS = {
    ReviewState.WAITING: ("Waiting", "Nothing waits for review."),
    ReviewState.SECOND: ("Second officer", "Nothing waits for a second officer."),
    ReviewState.IN_CASE: ("In a case", "No answer is in a case that is open."),
    ReviewState.CLOSED: ("Closed", "No review is closed yet."),
}
_VERDICTS: dict[Verdict, tuple[str, pieces.Tone]] = {
    Verdict.FINE: ("Fine", "good"),
    Verdict.WRONG: ("Wrong", "warn"),
    Verdict.LEAK: ("Leak", "bad"),
    Verdict.ESCALATE: ("Escalate", "bad"),
}
_MEANS = {
    Verdict.FINE: "nothing to object to",
    Verdict.WRONG: "not what the documents say; a second officer decides",
    Verdict.LEAK: "somebody read what was not for them; goes in a case",
    Verdict.ESCALATE: "others have to look at it; goes in a case",
}


def page(client: Client) -> None:
    """Show what waits, for whom, what was decided, and the rules."""
    lead = "Answers that your rules drew, without whose they are. The oldest come first."
    pieces.heading("Review queue", lead, wide=True)
    if not log_is_open(client):
        return
    st.button("Refresh", key="reviews-refresh", on_click=read_again)
    names = [words for words, _ in _TABS.values()]
    keep_in_address("reviews-tab", [*names, "Rules"])
    *tabs, rules = st.tabs([*names, "Rules"], key="reviews-tab", on_change="rerun")
    for state, tab in zip(_TABS, tabs, strict=True):
        with tab, pieces.problems_shown():
            if tab.open:
                _show(client, state)
    with rules, pieces.problems_shown():
        if rules.open:
            sampling_rules.show(client)


def _show(client: Client, state: ReviewState) -> None:
    key = f"reviews-{state.value}"
    offset = pieces.offset(key, _LIMIT)
    found = read_once(key, offset, lambda: client.drawn_answers(state, _LIMIT, offset))
    if not found.complete:
        pieces.show(pieces.notice("There are more answers than one look takes in. Refresh to go on drawing.", "warn"))
    if not found.total:
        pieces.show(_nothing(client, state))
    for review in found.reviews:
        with st.container(key=f"sr-card-{review.query_id}", border=True):
            pieces.show(_entry(review))
            if st.button(f"Open answer {review.seq}", key=f"review-{review.query_id}"):
                _open(client, review)
    pieces.pager(key, found.total, _LIMIT)


def _nothing(client: Client, state: ReviewState) -> Html:
    """That there is no answer in this state; and where none ever comes, why."""
    words = _TABS[state][1]
    if state is not ReviewState.WAITING:
        return pieces.notice(words)
    if not client.sampling_rules().rules:
        return pieces.notice(f"{words} No rule draws answers, so none will. Make one under 'Rules'.", "warn")
    return pieces.notice(words, "good")


def _entry(review: DrawnAnswerOut) -> Html:
    verdict = pieces.badge(*_VERDICTS[review.verdict]) if review.verdict else Html("")
    facts = pieces.dotted(f"#{review.seq}", pieces.moment(review.answered_at), review.reviewed_by)
    return Html(
        f'<div class="sr-source"><div><strong>{text(one_line(review.question or review.unread, 200))}</strong>'
        f"<p>{text(one_line(review.answer, 240))}</p><p>{text(facts)}</p>"
        f"<p>{verdict}{_flags(review)}{pieces.badges(review.drawn_by)}</p></div></div>"
    )


def _flags(review: DrawnAnswerOut) -> Html:
    return pieces.join(pieces.badge(WORDS.get(name, name), "warn") for name in review.flags)


@st.dialog("Review of an answer", width="medium")
def _open(client: Client, review: DrawnAnswerOut) -> None:
    with pieces.problems_shown():
        pieces.show(_whole(review))
        if review.verdict is not None:
            pieces.show(_judged(review))
        if review.state is ReviewState.WAITING:
            _judge(client, review)
        elif review.state is ReviewState.SECOND and review.own:
            pieces.show(pieces.notice("You judged this answer. Another officer decides."))
        elif review.state is ReviewState.SECOND and decide(client, review.proposal_id):
            st.rerun()


def _whole(review: DrawnAnswerOut) -> Html:
    unread = pieces.notice(review.unread, "warn") if review.unread else Html("")
    answer = answer_view.answer(
        review.answer,
        frozenset(review.numbers),
        is_quoted=review.outcome == AnswerKind.EXTRACTIVE,
        highlights=review.highlights,
        grounding=review.grounding,
    )
    withdrawn = (
        f'<h3 class="sr-small-head">Shown before, and taken back</h3>{render(review.withdrawn)}'
        if review.withdrawn
        else ""
    )
    facts = [
        ("Answered", text(pieces.moment(review.answered_at))),
        ("Outcome", text(outcome(review.outcome))),
        ("Cites", text("\n".join(review.cited))),
        ("Flags", text("\n".join(MEANINGS.get(name, name) for name in review.flags))),
        ("Drawn by", text("\n".join(review.drawn_by))),
        ("Id of the question", pieces.code(review.query_id)),
    ]
    return Html(
        f'{unread}<h3 class="sr-small-head">Question</h3>'
        f'<div class="sr-question" dir="auto">{text(review.question)}</div>'
        f'<h3 class="sr-small-head">Answer as it was left</h3>{answer}{withdrawn}{pieces.fields(facts)}'
    )


def _judged(review: DrawnAnswerOut) -> Html:
    verdict = pieces.badge(*_VERDICTS[review.verdict]) if review.verdict else Html("")
    entry = text(f"#{review.reviewed_seq}")
    again = ": no second officer agreed" if review.state is ReviewState.WAITING else ""
    return Html(
        f'<h3 class="sr-small-head">Judgement{again}</h3>'
        + pieces.fields(
            [("Verdict", verdict), ("By", text(review.reviewed_by)), ("Notes", text(review.notes)), ("Entry", entry)]
        )
    )


def _judge(client: Client, review: DrawnAnswerOut) -> None:
    names = open_cases(client)
    with st.form(f"judge-{review.query_id}", border=False):
        verdict = st.radio(
            "Verdict",
            list(Verdict),
            index=None,
            format_func=lambda one: _VERDICTS[one][0],
            captions=[_MEANS[one] for one in Verdict],
            key=f"verdict-{review.query_id}",
        )
        notes = st.text_area("Notes", placeholder=OWN_WORDS, key=f"notes-{review.query_id}")
        case_id, title = _choose_case(review, names)
        sent = st.form_submit_button("Record the judgement", type="primary")
    if sent and verdict is None:
        pieces.show(pieces.notice("Choose a verdict: nothing was recorded yet.", "bad"))
    elif sent:
        given = checked(JudgementIn, verdict=verdict, notes=notes, case_id=case_id, title=title)
        state = client.judge_answer(review.query_id, given).state
        read_again()
        pieces.say_after_rerun(f"Recorded. The review {_THEN[state]}.")
        st.rerun()


_THEN = {
    ReviewState.CLOSED: "is closed",
    ReviewState.SECOND: "waits for a second officer",
    ReviewState.IN_CASE: "is closed with its case",
    ReviewState.WAITING: "waits",
}


def _choose_case(review: DrawnAnswerOut, names: dict[str, str]) -> tuple[str, str]:
    """For a leak or an escalation: the id of a case, or the title of a new one."""
    left, right = st.columns(2)
    case_id = left.selectbox(
        "Case, for a leak or an escalation", list(names), format_func=names.__getitem__, key=f"case-{review.query_id}"
    )
    title = right.text_input("Title of a new case", key=f"title-{review.query_id}")
    return case_id, title


def decide(client: Client, proposal_id: str) -> bool:
    """Offer the decision about what another officer proposed; whether it was taken now."""
    with st.form(f"decide-{proposal_id}", border=False):
        note = st.text_input("Note")
        with st.container(horizontal=True, gap="small"):
            agreed = st.form_submit_button("Agree", type="primary")
            refused = st.form_submit_button("Do not agree")
    if agreed or refused:
        client.decide_proposal(proposal_id, checked(ProposalDecisionIn, approve=agreed, note=note))
        read_again()
        pieces.say_after_rerun("You agreed: it is closed." if agreed else "You did not agree: it stays open.")
    return agreed or refused
