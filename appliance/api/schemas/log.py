"""The query log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.asking import GroundingOut
from appliance.api.schemas.shapes import In, Out
from appliance.domain import AnswerKind


class OpeningIn(In):
    """Why somebody reads the log, in a few words at least."""

    reason: Annotated[str, Field(max_length=500)]


class OpeningOut(Out):
    """Why the log is open to a session, and until when; empty and None when it is not."""

    reason: str
    until: datetime | None


class RetrievedOut(Out):
    """A passage on record with a query: identifiers, version hash and rank, as they were.

    `number` is the n of its [n] before the model; None if it was found but not put there. `reranking` is the score of
    the reranking model; None if none judged it.
    """

    chunk_id: str
    document_id: str
    version_id: str
    version_sha256: str
    title: str
    path: str
    page: int | None
    rank: int
    number: int | None
    reranking: float | None
    cited: bool


class QueryOut(Out):
    """A query on record. `kind` is None while unfinished: asked, but never answered to the end.

    Of the `retrieved` passages `prompted` were put before the model; none where no model was asked.
    """

    seq: int
    query_id: str
    asked_at: datetime
    actor: str
    actor_name: str
    groups: list[str]
    levels: list[str] = []
    origin: str
    conversation_id: str
    question: str
    answer: str
    kind: AnswerKind | None
    model: str
    citations: int
    retrieved: int
    prompted: int
    feedback: str
    error: str
    total_ms: float | None


class QueriesOut(Out):
    """Queries on record, newest first. `next_before` continues the list, None at its end."""

    queries: list[QueryOut]
    next_before: int | None


class QueryDetail(QueryOut):
    """A query with everything on record about it.

    `answerable` is how likely the documents were held to answer, `rewriting` what a model made of a follow-up,
    `reranker_digest` the model that put the passages in their order; each is empty where that was not asked.
    """

    model_digest: str
    model_provider: str
    quantisation: str
    prompt_sha256: str
    prompt_template: str
    parameters: dict[str, str]
    answer_sha256: str
    latency_ms: dict[str, float]
    notices: list[str]
    passages: list[RetrievedOut]
    feedback_comment: str
    leaf_hash: str
    searched_for: str
    reranker_digest: str
    answerable: float | None
    grounding: GroundingOut | None
    rewriting: str


class EventOut(Out):
    """An entry of the log that is not a query: sign-ins, acts of admins, readings of the log."""

    seq: int
    time: datetime
    type: str
    actor: str  # the person's name, or the account id when the account is gone
    detail: str


class EventsOut(Out):
    """Entries, newest first. `next_before` continues the list, None at its end."""

    events: list[EventOut]
    next_before: int | None


class VerifiedOut(Out):
    """The result of checking the whole log. `first_bad` is the first entry that does not verify, None if all do."""

    ok: bool
    size: int
    root: str
    first_bad: int | None
    message: str
    checked_at: datetime
