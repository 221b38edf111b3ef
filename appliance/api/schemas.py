"""The wire types of the API. The user interface knows the appliance through these and nothing else.

Rules this module keeps:

1. Texts of documents and models travel as plain text. Whoever shows them treats them as untrusted.
2. Scores never travel: a rank says what a reader needs, a score may say more.
3. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from appliance.domain import AnswerKind, DocumentState, Role, TextMeans

MAX_QUESTION_CHARACTERS = 20_000

SESSION_COOKIE = "strongroom_session"
"""The cookie a browser proves itself with; the screens pass it on."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
GroupName = Annotated[str, Field(pattern=r"^[\w.@ -]{1,100}$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Out):
    """Every error: a stable code for programs and a message for people that says what to do."""

    code: str
    message: str


# the person


class Credentials(_In):
    """What signing in takes."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class Me(_Out):
    """Who is signed in."""

    name: str
    display_name: str
    roles: list[Role]
    groups: list[str]


class TokenRequest(_In):
    """Asks for an API token of one's own."""

    label: Name
    days: Annotated[int, Field(ge=1, le=366)] = 90


class TokenInfo(_Out):
    """An API token of one's own; `id` revokes it and opens nothing."""

    id: str
    label: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class IssuedToken(_Out):
    """A new API token. `token` is shown once and stored nowhere."""

    token: str
    label: str
    expires_at: datetime


# asking


class Question(_In):
    """A question, alone or as the next turn of a conversation."""

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS)]
    conversation_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] | None = None


class PlaceOut(_Out):
    """Where a passage stands. `page` counts from 1; `has_image` says whether its page can be shown as a picture."""

    page: int | None
    label: str
    headings: list[str]
    has_image: bool


class PassageOut(_Out):
    """A passage that was found. `number` is the n of its [n] marker."""

    number: int
    chunk_id: str
    document_id: str
    version_id: str
    title: str
    path: str
    source: str
    place: PlaceOut
    text: str
    rank: int


class AnswerOut(_Out):
    """A finished answer. `citations` are the passages its markers point at, in order of number."""

    query_id: str
    conversation_id: str
    text: str
    kind: AnswerKind
    citations: list[PassageOut]
    notices: list[str]
    model: str


class AskEvent(StrEnum):
    """The server-sent events of an answer, in order: one started, one passages, many token, one answer or error."""

    STARTED = "started"
    PASSAGES = "passages"
    TOKEN = "token"  # noqa: S105 - a piece of an answer, not a secret
    ANSWER = "answer"
    ERROR = "error"


class StartedOut(_Out):
    """The question is on record; `searched_for` is what was searched when a follow-up had to be completed."""

    query_id: str
    conversation_id: str
    searched_for: str


class PassagesOut(_Out):
    """What was found, before the answer is written."""

    passages: list[PassageOut]


class TokenOut(_Out):
    """The next piece of the answer."""

    text: str


class FeedbackIn(_In):
    """A reader's verdict on an answer."""

    verdict: Literal["up", "down"]
    comment: Annotated[str, Field(max_length=2000)] = ""


class ConversationOut(_Out):
    """A conversation of one's own, as the history lists it."""

    id: str
    title: str
    updated_at: datetime


class TurnOut(_Out):
    """A question and the answer that was shown. Citations the reader may no longer see are left out."""

    query_id: str
    question: str
    answer: str
    kind: AnswerKind
    citations: list[PassageOut]
    withheld_citations: int
    notices: list[str]
    asked_at: datetime
    feedback: str


class ConversationDetail(ConversationOut):
    """A conversation with its turns, oldest first."""

    turns: list[TurnOut]


# documents


class DocumentOut(_Out):
    """A document the reader may see."""

    id: str
    title: str
    path: str
    source: str
    media_type: str
    groups: list[str]
    size_bytes: int
    updated_at: datetime
    version_id: str


class LibraryOut(_Out):
    """A page of the library. `sources` are those that hold at least one document the reader may see."""

    documents: list[DocumentOut]
    total: int
    sources: list[str]


class PageOut(_Out):
    """What one page gave: by which means, how many characters, and why none if none."""

    page: int
    means: TextMeans
    characters: int
    reason: str


class DocumentDetail(DocumentOut):
    """A document with its page coverage and its passages in reading order.

    `chunk_count` is how many passages it has; `passages` are the first of them where a document is very long.
    """

    sha256: str
    indexed_at: datetime
    pages: list[PageOut]
    has_images: bool
    chunk_count: int
    passages: list[PassageTextOut]


class PassageTextOut(_Out):
    """A passage of a document, outside of any answer."""

    chunk_id: str
    number: int
    text: str
    place: PlaceOut


class CitedPassage(_Out):
    """A passage as a citation opens it: with what stands before and after, and whether it still holds."""

    chunk_id: str
    document_id: str
    title: str
    path: str
    source: str
    place: PlaceOut
    before: str
    text: str
    after: str
    current: bool


# running the appliance


class SourceIn(_In):
    """A folder to keep in sync. `groups` see its documents unless a sidecar file says otherwise."""

    name: Name
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    groups: Annotated[list[GroupName], Field(min_length=1, max_length=200)]


class SourceGroups(_In):
    """A new default label for a source."""

    groups: Annotated[list[GroupName], Field(min_length=1, max_length=200)]


class SourceOut(_Out):
    """A folder kept in sync, and how its files stand."""

    id: str
    name: str
    path: str
    groups: list[str]
    states: dict[DocumentState, int]


class RunState(StrEnum):
    """How a sync stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class RunOut(_Out):
    """One sync of one source. `total` is None until the folder was walked; `message` says why it failed."""

    id: str
    source_id: str
    source: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    total: int | None
    done: int
    counts: dict[str, int]
    current: str
    message: str


class FileOut(_Out):
    """A file as the admin sees it: where, in which state, and why. Never its text."""

    document_id: str
    source: str
    path: str
    state: DocumentState
    reason: str
    groups: list[str]
    size_bytes: int
    updated_at: datetime


class FilesOut(_Out):
    """A page of files."""

    files: list[FileOut]
    total: int


class PersonIn(_In):
    """A new account. Without a password one is made up and returned once."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[str, Field(max_length=1024)] = ""
    roles: Annotated[list[Role], Field(min_length=1)]
    groups: list[GroupName] = []


class PersonPatch(_In):
    """Changes to an account; what is left out stays."""

    roles: Annotated[list[Role], Field(min_length=1)] | None = None
    groups: list[GroupName] | None = None
    disabled: bool | None = None


class NewPassword(_In):
    """Sets a password; empty makes one up."""

    password: Annotated[str, Field(max_length=1024)] = ""


class PersonOut(_Out):
    """An account."""

    id: str
    name: str
    display_name: str
    roles: list[Role]
    groups: list[str]
    disabled: bool
    created_at: datetime


class PersonCreated(PersonOut):
    """An account that was just made, or whose password was just set. `password` is shown once if it was made up."""

    password: str


class CheckOut(_Out):
    """One thing `doctor` looked at. `remedy` says what to do when it is not well."""

    name: str
    status: Literal["ok", "warning", "error"]
    detail: str
    remedy: str


class HealthOut(_Out):
    """How the parts are."""

    checks: list[CheckOut]


# the query log


class RetrievedOut(_Out):
    """A passage on record with a query: identifiers, version hash and rank, as they were.

    `number` is the n of its [n] before the model; None if it was found but not put there.
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
    cited: bool


class QueryOut(_Out):
    """A query on record. `kind` is None while unfinished: asked, but never answered to the end.

    Of the `retrieved` passages `prompted` were put before the model; none where no model was asked.
    """

    seq: int
    query_id: str
    asked_at: datetime
    actor: str
    actor_name: str
    groups: list[str]
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


class QueriesOut(_Out):
    """Queries on record, newest first. `next_before` continues the list, None at its end."""

    queries: list[QueryOut]
    next_before: int | None


class QueryDetail(QueryOut):
    """A query with everything on record about it."""

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


class EventOut(_Out):
    """An entry of the log that is not a query: sign-ins, acts of admins, readings of the log."""

    seq: int
    time: datetime
    type: str
    actor: str  # the person's name, or the account id when the account is gone
    detail: str


class EventsOut(_Out):
    """Entries, newest first. `next_before` continues the list, None at its end."""

    events: list[EventOut]
    next_before: int | None


class VerifiedOut(_Out):
    """The result of checking the whole log. `first_bad` is the first entry that does not verify, None if all do."""

    ok: bool
    size: int
    root: str
    first_bad: int | None
    message: str
    checked_at: datetime


DocumentDetail.model_rebuild()
