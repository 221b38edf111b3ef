"""One's own conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import OwnHistory, TheAppliance
from appliance.api.schemas.asking import ConversationDetail, ConversationOut, TurnOut
from appliance.api.wire import cited_chunk_out, grounding_out, said_of
from appliance.catalog import ChunkInContext
from appliance.conversations import StoredTurn
from appliance.domain import Principal
from appliance.errors import NotFound
from appliance.wiring import Appliance

router = APIRouter(prefix="/conversations", tags=["conversations"])
_LISTED = 100
Words = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]
_NOT_SHOWN = "This answer drew on documents that are gone or that you may no longer see, so it is not shown."


@router.get("")
def conversations(
    reader: OwnHistory, appliance: TheAppliance, text: Words = "", limit: Limit = _LISTED
) -> list[ConversationOut]:
    """One's conversations, newest first: all, or those whose first question has the words of `text`."""
    return [
        ConversationOut(id=item.id, title=item.title, updated_at=item.updated_at)
        for item in appliance.conversations.recent(reader.id, limit=limit, words=text)
    ]


@router.get("/{conversation_id}")
def conversation(conversation_id: str, reader: OwnHistory, appliance: TheAppliance) -> ConversationDetail:
    """One conversation. An answer that drew on what the reader may see no more is not shown, nor is that."""
    turns = appliance.conversations.turns(conversation_id, reader.id)
    if not turns:
        raise NotFound
    return ConversationDetail(
        id=conversation_id,
        title=turns[0].question,
        updated_at=turns[-1].asked_at,
        turns=_shown(appliance, reader, turns),
    )


@router.delete("/{conversation_id}", status_code=204)
def delete_conversation(conversation_id: str, reader: OwnHistory, appliance: TheAppliance) -> Response:
    """Remove a conversation from the history. The query log keeps its record."""
    appliance.conversations.delete(conversation_id, reader.id)
    return Response(status_code=204)


def visible_passages(appliance: Appliance, reader: Principal, turns: Sequence[StoredTurn]) -> dict[str, ChunkInContext]:
    """Those of the passages that the turns drew on which the reader may see now, by chunk id."""
    wanted = chain.from_iterable(map(drawn_on, turns))
    return appliance.catalog.visible_chunks(wanted, reader.access, current_only=False)


def withheld(turn: StoredTurn, visible: Mapping[str, ChunkInContext]) -> int:
    """How many of the passages that a turn drew on the reader may not see any more; its words came from them too."""
    return len(drawn_on(turn) - visible.keys())


def drawn_on(turn: StoredTurn) -> set[str]:
    """The passages (chunk ids) that a turn's words came from. Older releases kept only those that are cited."""
    return {chunk for _, chunk in turn.citations} | set(turn.drew_on)


def _shown(appliance: Appliance, reader: Principal, turns: Sequence[StoredTurn]) -> list[TurnOut]:
    """The turns; what completed a follow-up may be the words of an answer that is not shown any more."""
    visible = visible_passages(appliance, reader, turns)
    shown = [_turn(turn, visible) for turn in turns]
    first = next((at for at, turn in enumerate(shown) if turn.withheld_passages), len(shown))
    return [*shown[:first], *(turn.model_copy(update={"searched_for": ""}) for turn in shown[first:])]


def _turn(turn: StoredTurn, visible: Mapping[str, ChunkInContext]) -> TurnOut:
    missing = withheld(turn, visible)
    quoted_at = dict(turn.quoted_at)
    said = {} if quoted_at else said_of(turn.answer, turn.kind, turn.highlights)
    return TurnOut(
        query_id=turn.query_id,
        question=turn.question,
        answer=_NOT_SHOWN if missing else turn.answer,
        kind=turn.kind,
        citations=[
            cited_chunk_out(number, visible[chunk], quoted_at.get(number), said.get(number, ""))
            for number, chunk in turn.citations
            if chunk in visible
        ],
        withheld_passages=missing,
        notices=[] if missing else list(turn.notices),  # they quote passages too
        asked_at=turn.asked_at,
        feedback=turn.feedback,
        searched_for=turn.searched_for,
        grounding=None if missing else grounding_out(turn.grounding, turn.answer),
        highlights=[] if missing else list(turn.highlights),
    )
