"""Ask: a question, the answer as it is written, and the passages it stands on."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from appliance.api.schemas.asking import (
    MAX_QUESTION_CHARACTERS,
    AnswerOut,
    FeedbackIn,
    PassageOut,
    PassagesOut,
    StartedOut,
    TokenOut,
    TurnOut,
)
from appliance.domain import AnswerKind
from ui import answer_view, fields, pieces
from ui.addresses import SOURCE
from ui.client import CUT_OFF, ApiProblem, Client, checked
from ui.conversation import Conversation, current, newly_addressed, open_earlier, put_on_screen
from ui.grounding_view import show_grounding
from ui.inert import Html, render, text
from ui.passage_view import open_passage
from ui.screens import history

KIND_BADGES: dict[AnswerKind, tuple[str, pieces.Tone]] = {
    AnswerKind.GENERATED: ("Written by the language model from the sources below", "quiet"),
    AnswerKind.EXTRACTIVE: ("Quoted from documents (no language model)", "quiet"),
    AnswerKind.ABSTAINED: ("Not in the documents", "warn"),
    AnswerKind.COURTESY: ("Nothing was searched for", "quiet"),
}
_VERDICTS = {
    "": "Was this helpful?",
    "up": "You found this helpful.",
    "down": "You found this not helpful.",
}
_WELCOME = Html(
    '<div class="sr-empty"><h1>Ask your documents</h1>'
    "<p>Every answer names the passages it stands on. Open one to see it on its page. "
    "If the documents do not say, the answer will tell you so.</p></div>"
)
_NO_LONGER_THERE = (
    "This conversation was deleted, or is not there any more. The question was not asked. "
    "Ask again to begin a new conversation with it."
)
_FIELD = "question"
_REDRAW_S = 0.08  # a token may come every few milliseconds; a page need not be drawn as often


def page(client: Client) -> None:
    """Show the conversation and take the next question."""
    _follow_the_address(client)
    conversation = current()
    with st.sidebar, pieces.problems_shown():
        history.show(client)
    talk = st.container(key="sr-talk")
    with talk:
        welcome = st.empty()
        if not conversation.turns and not conversation.asking:
            _draw(welcome, _WELCOME)
        for turn in conversation.turns:
            _show_turn(client, turn, latest_of=conversation.id or "" if turn is conversation.turns[-1] else "")
    if conversation.too_long:
        st.session_state[_FIELD] = conversation.too_long  # Streamlit's own limit would drop a longer text in silence
    # in a container: with a field of the page itself Streamlit would scroll every answer to its end.
    # `screens.js` scrolls the question under way to the top instead.
    with st.container(key="sr-asking", gap="xsmall"):
        asked = st.chat_input("Ask a question", key=_FIELD)
    with talk:
        if asked and asked.strip():
            welcome.empty()  # its height would be missing above the answer, which would move out of view
            _take(client, conversation, asked.strip())
        elif conversation.too_long:
            _tell_too_long(conversation)
        elif conversation.asking:
            _offer_again(client, conversation)
    _open_the_source_of_the_address(client, conversation)


def _follow_the_address(client: Client) -> None:
    """Show what the address names, where somebody changed it. What is not theirs is told as what there is not.

    Any other failure is raised, and the address left as it is: it is followed by the next run, or after a reload.
    """
    named = newly_addressed()
    if named is None:
        return
    try:
        if named:
            open_earlier(client, named)
        else:
            put_on_screen(Conversation())
    except ApiProblem as problem:
        if not problem.not_found:
            raise
        put_on_screen(Conversation())
        st.query_params.clear()
        pieces.say_after_rerun(f"The conversation of this address cannot be opened: {problem.message}", "warn")
    st.rerun()  # the links beside the page lead to it then


def _take(client: Client, conversation: Conversation, question: str) -> None:
    """Ask what was typed, or give it back."""
    if len(question) > MAX_QUESTION_CHARACTERS:
        conversation.too_long = question
        st.rerun()
    _ask(client, conversation, question)


def _tell_too_long(conversation: Conversation) -> None:
    length, conversation.too_long = len(conversation.too_long), ""
    words = f"A question may have at most {MAX_QUESTION_CHARACTERS:,} characters, and this one has {length:,}."
    pieces.show(pieces.notice(f"{words} Shorten it: it is still in the field below. It was not asked.", "bad"))


def _ask(client: Client, conversation: Conversation, question: str) -> None:
    conversation.asking, conversation.problem = question, ""
    pieces.show(_question(question, "sr-under-way"))
    slot = st.empty()
    try:
        turn = _stream(client, conversation, question, slot)
    except ApiProblem as problem:
        if problem.signed_out:
            raise
        conversation.problem = problem.message
        if problem.not_found and conversation.id:  # deleted, in another tab perhaps
            conversation.id, conversation.turns, conversation.problem = None, [], _NO_LONGER_THERE
    else:
        conversation.turns.append(turn)
        conversation.asking = ""
    st.rerun()


def _stream(client: Client, conversation: Conversation, question: str, slot: DeltaGenerator) -> TurnOut:
    """The finished turn; draws what has arrived on the way."""
    _draw(slot, _progress("Searching the documents"))
    written, drawn_at = "", 0.0
    numbers: frozenset[int] = frozenset()
    for part in client.ask(question, conversation.id):
        match part:
            case StartedOut():
                if part.searched_for != question:
                    _draw(slot, _progress(f"Searching for: {part.searched_for}"))
            case PassagesOut():
                numbers = frozenset(passage.number for passage in part.passages)
                _draw(slot, _progress(f"Reading {pieces.count(len(part.passages), 'passage')}"))
            case TokenOut():
                written += part.text
                if time.monotonic() - drawn_at > _REDRAW_S:
                    _draw(slot, render(written, numbers))
                    drawn_at = time.monotonic()
            case AnswerOut():
                conversation.id = part.conversation_id  # it is stored with its first finished answer, not before
                return _turn(question, part)
    raise ApiProblem(CUT_OFF)


def _draw(slot: DeltaGenerator, html: Html) -> None:
    slot.html(html)


def _turn(question: str, answer: AnswerOut) -> TurnOut:
    return TurnOut(
        query_id=answer.query_id,
        question=question,
        answer=answer.text,
        kind=answer.kind,
        citations=answer.citations,
        withheld_passages=0,
        notices=answer.notices,
        asked_at=datetime.now(UTC),
        feedback="",
        searched_for=answer.searched_for,
        grounding=answer.grounding,
        highlights=answer.highlights,
    )


def _offer_again(client: Client, conversation: Conversation) -> None:
    """The last question got no answer: it was refused, or the reader clicked away while it was written."""
    pieces.show(_question(conversation.asking))
    pieces.show(pieces.notice(conversation.problem or "The answer was interrupted.", "bad"))
    if st.button("Ask again", key="ask-again"):
        _ask(client, conversation, conversation.asking)


def _show_turn(client: Client, turn: TurnOut, *, latest_of: str) -> None:
    """A question and its answer. `latest_of` is the conversation of which it is the latest one, if it is."""
    words, tone = KIND_BADGES[turn.kind]
    pieces.show(_question(turn.question, f"sr-latest-{latest_of}" if latest_of else ""))
    if turn.searched_for:
        pieces.show(pieces.line(f"Searched for: {turn.searched_for}"))
    pieces.show(Html(f'<div class="sr-answer">{_answer(turn)}{pieces.badge(words, tone)}</div>'))
    for words in turn.notices:
        pieces.show(pieces.notice(words, "warn"))
    if turn.grounding and turn.grounding.statements:
        show_grounding(turn.query_id, turn.grounding)
    if turn.citations:
        _show_sources(turn)
    if turn.withheld_passages:
        withheld = pieces.count(turn.withheld_passages, "passage")
        pieces.show(pieces.line(f"{withheld} that this answer drew on may no longer be shown to you."))
    if turn.kind is not AnswerKind.COURTESY:  # which answers nothing that could be judged
        with pieces.problems_shown():
            _take_feedback(client, turn)


def _answer(turn: TurnOut) -> Html:
    return answer_view.answer(
        turn.answer,
        frozenset(passage.number for passage in turn.citations),
        is_quoted=turn.kind is AnswerKind.EXTRACTIVE,
        highlights=turn.highlights,
        grounding=turn.grounding,
    )


def _show_sources(turn: TurnOut) -> None:
    with st.container(key=f"sr-sources-{turn.query_id}", gap="xsmall"):
        pieces.show(Html('<h2 class="sr-small-head">Sources</h2>'))
        places = Counter(map(_place, turn.citations))
        for passage in turn.citations:
            with st.container(key=f"sr-card-{turn.query_id}-{passage.number}", border=True):
                pieces.show(_source(passage, is_alike=places[_place(passage)] > 1))
                if st.button(f"Open source {passage.number}", key=f"open-{turn.query_id}-{passage.number}"):
                    st.query_params[SOURCE] = _named(turn, passage)  # the page opens what its address names


def _named(turn: TurnOut, passage: PassageOut) -> str:
    """What an address calls a source of an answer."""
    return f"{turn.query_id}-{passage.number}"


def _open_the_source_of_the_address(client: Client, conversation: Conversation) -> None:
    """Open the source that the address names, if it names one that the conversation on the screen has."""
    named = st.query_params.get(SOURCE)
    if named is None:
        return
    for turn in conversation.turns:
        for passage in turn.citations:
            if _named(turn, passage) == named:
                open_passage(client, passage.chunk_id, passage.place)
                return
    st.query_params.pop(SOURCE, None)
    pieces.say_after_rerun("The source of this address cannot be opened. It may no longer be shown to you.", "warn")
    st.rerun()


def _place(passage: PassageOut) -> tuple[str, str]:
    return passage.document_id, pieces.where(passage.place)


def _source(passage: PassageOut, *, is_alike: bool) -> Html:
    """A source's card. Its first words tell it from another one of the same place, or tell where it is without one."""
    where, file = pieces.where(passage.place), pieces.dotted(passage.source, passage.path)
    place = pieces.dotted(where, pieces.opening(passage.text) if is_alike or not where else "")
    return Html(
        f'<div class="sr-source"><span class="sr-chip">{passage.number}</span>'
        f"<div><strong>{text(passage.title)}</strong><p>{text(place)}</p><p>{text(file)}</p></div></div>"
    )


def _question(words: str, also: str = "") -> Html:
    """A question. By the class that it has `also`, `screens.js` finds the one to scroll to."""
    asked = f'<span class="sr-hidden">You asked: </span>{text(words)}'
    return Html(f'<div class="sr-question {text(also)}" dir="auto">{asked}</div>')


def _progress(words: str) -> Html:
    return Html(f'<p class="sr-progress" role="status">{text(words)}</p>')


def _take_feedback(client: Client, turn: TurnOut) -> None:
    """Two thumbs, of which the one that was given looks pressed; after the lower one, a line for what was wrong."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"sr-feedback-{turn.query_id}", gap="small"):
        pieces.show(pieces.line(_VERDICTS[turn.feedback], f"sr-muted sr-verdict-{turn.feedback}"), "content")
        if st.button("Helpful", icon=":material/thumb_up:", type="tertiary", key=f"up-{turn.query_id}"):
            _give(client, turn, FeedbackIn(verdict="up"))
        if st.button("Not helpful", icon=":material/thumb_down:", type="tertiary", key=f"down-{turn.query_id}"):
            _give(client, turn, FeedbackIn(verdict="down"))
    if turn.feedback == "down":
        field = f"comment-words-{turn.query_id}"
        with st.container(key=f"sr-comment-{turn.query_id}"), st.form(f"comment-{turn.query_id}", border=False):
            comment = fields.line("What was wrong? (optional, goes on record)", field)
            if st.form_submit_button("Send") and comment.strip():
                given = checked(FeedbackIn, verdict="down", comment=comment)
                _give(client, turn, given, "Thank you. It is on record.", field)


def _give(client: Client, turn: TurnOut, feedback: FeedbackIn, thanks: str = "", *written: str) -> None:
    client.give_feedback(turn.query_id, feedback)
    fields.accepted(*written)
    conversation = current()
    conversation.turns = [
        kept.model_copy(update={"feedback": feedback.verdict}) if kept.query_id == turn.query_id else kept
        for kept in conversation.turns
    ]
    if thanks:
        pieces.say_after_rerun(thanks)
    st.rerun()
