"""Asking: the answer as server-sent events, and the reader's verdict on it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from appliance.answering.answerer import Answered, AnswerEvent, Found, Started, Token
from appliance.answering.course import Standing
from appliance.answering.followup import remembered
from appliance.api.conversations import drawn_on, visible_passages, withheld
from appliance.api.gate import Asking, StillAsking, TheAppliance, TheDoor
from appliance.api.schemas.asking import AnswerOut, AskEvent, FeedbackIn, PassagesOut, Question, StartedOut, TokenOut
from appliance.api.streaming import Events, streamed
from appliance.api.wire import cited_out, grounding_out, passage_out
from appliance.audit.entries import FeedbackGiven
from appliance.conversations import StoredTurn
from appliance.domain import Conversation, Principal, Turn
from appliance.errors import InvalidRequest
from appliance.wiring import Appliance

router = APIRouter(tags=["ask"])


@router.post("/ask", response_class=StreamingResponse)
def ask(
    question: Question, reader: Asking, standing: StillAsking, door: TheDoor, appliance: TheAppliance
) -> StreamingResponse:
    """Answer a question; the events are those of `AskEvent`.

    The question is on record before this returns: when that fails, the status says so and nothing is streamed.
    """
    left = threading.Event()
    events = ask_in_conversation(
        appliance, question.question, reader, question.conversation_id, left, origin=door, standing=standing
    )
    started = next(events)
    if not isinstance(started, Started):
        raise TypeError("an answer begins with its start")
    frames = _frames(started.conversation_id)
    return StreamingResponse(
        _after(frames(started), streamed(events, left, frames=frames, failed=lambda it: _frame(AskEvent.ERROR, it))),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/queries/{query_id}/feedback", status_code=204)
def give_feedback(query_id: str, feedback: FeedbackIn, reader: Asking, appliance: TheAppliance) -> Response:
    """Judge an answer of one's own."""
    appliance.conversations.require_turn(query_id, reader.id)
    appliance.log.append(FeedbackGiven(query_id, reader.id, feedback.verdict, feedback.comment))
    appliance.conversations.set_feedback(query_id, reader.id, feedback.verdict)
    return Response(status_code=204)


def ask_in_conversation(
    appliance: Appliance,
    question: str,
    reader: Principal,
    conversation_id: str | None,
    left: threading.Event,
    *,
    origin: str,
    standing: Standing | None = None,
) -> Events:
    """Answer a question as the next turn of a stored conversation, and store the turn, until its reader has `left`."""
    text = question.strip()
    if not text:
        raise InvalidRequest("The question is empty. Write one.")
    conversation = _conversation(appliance, conversation_id, reader)
    received_at = datetime.now(UTC)
    for event in appliance.answerer.ask(
        text, reader, conversation, origin=origin, standing=standing, is_wanted=lambda: not left.is_set()
    ):
        if isinstance(event, Answered):
            turn = _turn(text, received_at, event)
            appliance.conversations.add(conversation.id, reader.id, turn, goes_on=conversation_id is not None)
        yield event


def _conversation(appliance: Appliance, conversation_id: str | None, reader: Principal) -> Conversation:
    if conversation_id is None:
        return Conversation(appliance.conversations.start())
    turns = remembered(appliance.conversations.turns(conversation_id, reader.id))
    visible = visible_passages(appliance, reader, turns)
    shown = (turn for turn in turns if turn.is_readable and not withheld(turn, visible))
    earlier = (Turn(turn.question, turn.answer, turn.query_id, tuple(sorted(drawn_on(turn)))) for turn in shown)
    return Conversation(conversation_id, tuple(earlier))


def _turn(question: str, asked_at: datetime, event: Answered) -> StoredTurn:
    answer = event.answer
    return StoredTurn(
        query_id=event.query_id,
        question=question,
        answer=answer.text,
        kind=answer.kind,
        citations=tuple((citation.number, citation.hit.chunk.id) for citation in answer.citations),
        notices=answer.notices,
        asked_at=asked_at,
        searched_for=event.completed,
        grounding=answer.grounding,
        highlights=answer.highlights,
        quoted_at=answer.quoted_at,
        drew_on=event.drew_on,
    )


def _frames(conversation_id: str) -> Callable[[AnswerEvent], list[str]]:
    def frames(event: AnswerEvent) -> list[str]:
        return [_frame(*_on_the_wire(event, conversation_id))]

    return frames


def _on_the_wire(event: AnswerEvent, conversation_id: str) -> tuple[AskEvent, BaseModel]:
    match event:
        case Started():
            return AskEvent.STARTED, StartedOut(
                query_id=event.query_id, conversation_id=event.conversation_id, searched_for=event.searched_for
            )
        case Found():
            return AskEvent.PASSAGES, PassagesOut(passages=[passage_out(citation) for citation in event.passages])
        case Token():
            return AskEvent.TOKEN, TokenOut(text=event.text)
        case Answered():
            return AskEvent.ANSWER, answer_out(event, conversation_id)


def answer_out(event: Answered, conversation_id: str) -> AnswerOut:
    """A finished answer on the wire."""
    answer = event.answer
    return AnswerOut(
        query_id=event.query_id,
        conversation_id=conversation_id,
        text=answer.text,
        kind=answer.kind,
        citations=cited_out(answer),
        notices=list(answer.notices),
        model=event.model,
        searched_for=event.completed,
        grounding=grounding_out(answer.grounding, answer.text),
        highlights=list(answer.highlights),
    )


async def _after(first: Iterable[str], rest: AsyncIterator[str]) -> AsyncIterator[str]:
    for frame in first:
        yield frame
    async for frame in rest:
        yield frame


def _frame(name: AskEvent, body: BaseModel) -> str:
    return f"event: {name.value}\ndata: {body.model_dump_json()}\n\n"
