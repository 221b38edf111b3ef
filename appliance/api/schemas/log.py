"""The query log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance import invalid
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


class ExportAskedOut(Out):
    """That it was asked to take out what the log holds, which waits for an officer who did not. `own`: they asked."""

    asked_by: str
    asked_at: datetime
    lapses_at: datetime
    own: bool


class MayExportOut(Out):
    """Until when an officer may take out what the log holds; None when they may not. `waits` is what was asked for."""

    until: datetime | None
    waits: ExportAskedOut | None = None


class RetrievedOut(Out):
    """A passage on record with a query: identifiers, version hash and rank, as they were.

    `number` is the n of its [n] before the model; None if it was found but not put there. `reranking` is the score of
    the reranking model; None if none judged it. Not `readable`: the officer's own access does not include the document,
    or it is gone; then `path` is empty.
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
    readable: bool


class FlagOut(Out):
    """Something worth a second look: its stable name, what that means, and where it was found."""

    name: str
    meaning: str
    where: str
    detail: str


class ProofOut(Out):
    """That the question is in the log: its leaf, the way from there to the root, and what the log was then.

    Hashes are in hex. `signed` is the latest signed checkpoint; empty when nothing was signed yet.
    """

    leaf_hash: str
    path: list[str]
    size: int
    root: str
    signed: str


class QueriesWanted(In):
    """Which queries; what is empty wants all. `person` is a pseudonym, `flag` the name of a flag."""

    text: Annotated[str, Field(max_length=500)] = ""
    person: Annotated[str, Field(max_length=64)] = ""
    group: Annotated[str, Field(max_length=128)] = ""
    document: Annotated[str, Field(max_length=500)] = ""
    model: Annotated[str, Field(max_length=200)] = ""
    flag: Annotated[str, Field(max_length=64)] = ""
    kind: AnswerKind | None = None
    feedback: Annotated[str, Field(pattern=invalid.VERDICT)] = ""
    since: datetime | None = None
    until: datetime | None = None
    before: Annotated[int | None, Field(ge=0)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class QueryOut(Out):
    """A query on record. `kind` is None while unfinished: asked, but never answered to the end.

    `asked_at` is None where the entry was altered, so that nothing tells when it was written. `person` is the pseudonym
    of whoever asked. Of the `retrieved` passages `prompted` were put before the model; none where no model was asked.
    """

    seq: int
    query_id: str
    asked_at: datetime | None
    person: str
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
    flags: list[FlagOut] = []


class QueriesOut(Out):
    """Queries on record, newest first. `next_before` continues the list, None at its end.

    `reached` is when the last query was asked that was looked at, None when there was none. `hurried` says that the
    search stopped there because its time was up.
    """

    queries: list[QueryOut]
    next_before: int | None
    reached: datetime | None = None
    hurried: bool = False


class InCaseOut(Out):
    """A case that a question is in. `title` is what stands in for it when its key is gone."""

    number: int
    title: str


class QueryDetail(QueryOut):
    """A query with everything on record about it.

    `answerable` is how likely the documents were held to answer, `answerable_above` from where on they count as
    answering, as it was set then; `rewriting` is what a model made of a follow-up, `reranker_digest` the model that put
    the passages in their order. Each is empty where that was not asked, or an older release did not write it down; so
    are `highlights`, the characters (start, end) of a quotation that its reader saw marked.
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
    proof: ProofOut
    searched_for: str
    reranker_digest: str
    answerable: float | None
    answerable_above: float | None
    grounding: GroundingOut | None
    highlights: list[tuple[int, int]] = []
    rewriting: str
    cases: list[InCaseOut] = []


class EventOut(Out):
    """An entry of the log that is not a query: sign-ins, acts of admins, readings of the log.

    `words` say what happened; `type` is the stable name of the kind of entry. `time` is None where the entry was
    altered, so that nothing tells when it was written.
    """

    seq: int
    time: datetime | None
    type: str
    words: str
    actor: str  # the pseudonym of whoever acted
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
