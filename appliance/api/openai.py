"""The OpenAI-compatible door: `/v1/chat/completions` answers with the same retrieval, access and log as `/api/ask`.

The last user message is the question, the messages before it are the conversation. Sampling parameters are accepted and
ignored: how the model generates is the appliance's decision, and on record. The citations follow the text as a list, so
that a client which knows nothing of them still shows them. Format: OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from appliance.answering.answerer import Answered, AnswerEvent, Token
from appliance.answering.followup import remembered
from appliance.api.gate import Asking, StillAsking, TheAppliance
from appliance.api.schemas.asking import MAX_QUESTION_CHARACTERS
from appliance.api.schemas.shapes import Problem
from appliance.api.streaming import Events, streamed
from appliance.api.wire import cited_out, grounding_out
from appliance.domain import Answer, Conversation, Turn
from appliance.errors import InvalidRequest

router = APIRouter(tags=["openai"])
MODEL = "strongroom"


def _kind(content: object) -> str:
    return "parts" if isinstance(content, list) else "text"


class ChatMessage(BaseModel):
    """One message. Parts that are not text are refused."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Annotated[str, Field(max_length=MAX_QUESTION_CHARACTERS), Tag("text")]
        | Annotated[list[ContentPart], Field(max_length=50), Tag("parts")],
        Discriminator(_kind),  # what is wrong with it is then told of the one kind that it is
    ]

    @property
    def text(self) -> str:
        """The text of the message, whichever way it was sent."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class ContentPart(BaseModel):
    """A part of a message."""

    type: Literal["text"]
    text: Annotated[str, Field(max_length=MAX_QUESTION_CHARACTERS)]


class ChatRequest(BaseModel):
    """What is used of a chat completion request; the rest is accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    model: str = MODEL
    stream: bool = False
    n: Literal[1] = 1


@router.get("/models")
def models(_reader: Asking) -> dict[str, Any]:
    """The one model there is: the appliance."""
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}


@router.post("/chat/completions", response_class=JSONResponse)
def chat_completions(request: ChatRequest, reader: Asking, standing: StillAsking, appliance: TheAppliance) -> Response:
    """Answer the last user message from the documents the reader may see."""
    reader = appliance.outside(reader)
    question, turns = _question(request.messages)
    conversation = Conversation(appliance.conversations.start(), turns)
    left = threading.Event()
    events = appliance.answerer.ask(
        question,
        reader,
        conversation,
        origin="openai-api",
        standing=lambda: appliance.outside(standing()),
        is_wanted=lambda: not left.is_set(),
    )
    completion_id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
    if request.stream:
        next(events)  # the question is on record, or the status says why not
        return StreamingResponse(
            _stream(events, left, completion_id, created),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
    return JSONResponse(_completion(_finished(events), completion_id, created))


def _question(messages: list[ChatMessage]) -> tuple[str, tuple[Turn, ...]]:
    if messages[-1].role != "user" or not messages[-1].text.strip():
        raise InvalidRequest("The last message must be the user's question.")
    if any(len(message.text) > MAX_QUESTION_CHARACTERS for message in messages):
        raise InvalidRequest(f"A message may have {MAX_QUESTION_CHARACTERS:,} characters. Send shorter ones.")
    turns, asked = [], ""
    for message in messages[:-1]:
        if message.role == "user":
            asked = message.text
        elif message.role == "assistant" and asked:
            turns.append(Turn(asked, message.text))
            asked = ""
    return messages[-1].text.strip(), tuple(remembered(turns))


def _finished(events: Iterator[AnswerEvent]) -> Answered:
    for event in events:
        if isinstance(event, Answered):
            return event
    raise InvalidRequest("The answer was not finished. Ask again.")


def _stream(events: Events, left: threading.Event, completion_id: str, created: int) -> AsyncIterator[str]:
    """The answer as it is written, then what follows it; one that was replaced at its end is sent whole, after."""
    sent: list[str] = []

    def frames(event: AnswerEvent) -> Iterator[str]:
        if isinstance(event, Token):
            sent.append(event.text)
            yield _chunk(completion_id, created, {"content": event.text})
        elif isinstance(event, Answered):
            yield _chunk(completion_id, created, {"content": _rest(event.answer, "".join(sent))})
            yield _chunk(completion_id, created, {}, finish="stop", extra=_extra(event))

    def failed(problem: Problem) -> str:
        return _data({"error": {"message": problem.message, "type": problem.code, "code": problem.code}})

    async def whole() -> AsyncIterator[str]:
        yield _chunk(completion_id, created, {"role": "assistant", "content": ""})
        async for frame in streamed(events, left, frames=frames, failed=failed):
            yield frame
        yield "data: [DONE]\n\n"

    return whole()


def _completion(event: Answered, completion_id: str, created: int) -> dict[str, Any]:
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _text(event.answer)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        **_extra(event),
    }


def _chunk(
    completion_id: str,
    created: int,
    delta: dict[str, str],
    *,
    finish: str | None = None,
    extra: dict[str, Any] | None = None,
) -> str:
    return _data(
        {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            **(extra or {}),
        }
    )


def _text(answer: Answer) -> str:
    """The answer, then what the reader must know about it, then its sources."""
    return "\n\n".join([answer.text, *_appendix(answer)])


def _rest(answer: Answer, sent: str) -> str:
    """What is still to be sent when `sent` was streamed already."""
    if not sent.strip():
        return _text(answer)
    if sent.strip() == answer.text:
        return "".join(f"\n\n{part}" for part in _appendix(answer))
    return f"\n\n----\n\n{_text(answer)}"


def _appendix(answer: Answer) -> list[str]:
    parts = list(answer.notices)
    if answer.citations:
        sources = [
            f"[{item.number}] {item.hit.title} ({item.hit.path}{_page(item.hit.chunk.place.page)})"
            for item in answer.citations
        ]
        parts.append("Sources:\n" + "\n".join(sources))
    return parts


def _page(page: int | None) -> str:
    return "" if page is None else f", page {page}"


def _extra(event: Answered) -> dict[str, Any]:
    """Our own fields, for clients that know the appliance."""
    answer = event.answer
    checked = grounding_out(answer.grounding, answer.text)
    return {
        "strongroom": {
            "query_id": event.query_id,
            "kind": answer.kind.value,
            "citations": [passage.model_dump() for passage in cited_out(answer)],
            "searched_for": event.completed,
            "grounding": checked.model_dump() if checked else None,
        }
    }


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


ChatMessage.model_rebuild()
