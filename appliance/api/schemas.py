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

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance import invalid
from appliance.domain import AnswerKind, DocumentState, Role, SourceKind, TextMeans

MAX_QUESTION_CHARACTERS = 20_000

SESSION_COOKIE = "strongroom_session"
"""The cookie a browser proves itself with; the screens pass it on."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024)]
"""As it was typed: a space may be part of it."""

GroupName = Annotated[str, Field(pattern=invalid.GROUP_NAME)]


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
    password: Annotated[Password, Field(min_length=1)]


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
    conversation_id: Annotated[str, Field(pattern=invalid.CONVERSATION)] | None = None


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


class StatementOut(_Out):
    """How one statement of an answer, its characters `start` to `end`, was held against the passages it cites.

    `score` is the share of its words that stand there, `numbers_missing` are the numbers that do not. One that is not
    `comparable` (another language than its passages, or without a word that carries it) was not judged. `missing_at`
    is where in the answer those numbers stand (start, end).
    """

    text: str
    start: int
    end: int
    cited: list[int]
    score: float
    supported: bool
    comparable: bool
    numbers_missing: list[str]
    missing_at: list[tuple[int, int]]


class GroundingOut(_Out):
    """How far an answer stands on its passages: `score` is the share of its text, 0 to 1, whose statements do.

    Of the `judged` statements `supported` stand.
    """

    score: float
    judged: int
    supported: int
    statements: list[StatementOut]


class AnswerOut(_Out):
    """A finished answer. `citations` are the passages its markers and notices point at, in order of number.

    `searched_for` is empty unless a follow-up was completed; `grounding` is known of what a language model wrote;
    `highlights` are the characters (start, end) of a quotation that are nearest to the question.
    """

    query_id: str
    conversation_id: str
    text: str
    kind: AnswerKind
    citations: list[PassageOut]
    notices: list[str]
    model: str
    searched_for: str
    grounding: GroundingOut | None
    highlights: list[tuple[int, int]]


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
    """A question and the answer that was shown. Citations the reader may no longer see are left out.

    `searched_for`, `grounding` and `highlights` as in `AnswerOut`.
    """

    query_id: str
    question: str
    answer: str
    kind: AnswerKind
    citations: list[PassageOut]
    withheld_citations: int
    notices: list[str]
    asked_at: datetime
    feedback: str
    searched_for: str = ""
    grounding: GroundingOut | None = None
    highlights: list[tuple[int, int]] = []


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
    """What one page gave: by which means, how many characters, and why none if none.

    `confidence` (0 to 1) is how sure text recognition was; `unsure` says that it was too unsure to rely on.
    """

    page: int
    means: TextMeans
    characters: int
    reason: str
    confidence: float | None = None
    unsure: bool = False


class RelatedOut(_Out):
    """Another document that belongs to one: a copy, a near-duplicate, a file in it, a mail of the same conversation.

    `resemblance` (0 to 1) is the share of text that near-duplicates have in common, None for the others.
    """

    id: str
    title: str
    path: str
    source: str
    resemblance: float | None = None


class VersionOut(_Out):
    """One state of a document's content, and from when to when it was in force; `superseded_at` is None for now."""

    id: str
    sha256: str
    title: str
    published_at: datetime
    superseded_at: datetime | None
    chunk_count: int


class ChangedLineOut(_Out):
    """A line that one version has and the other has not."""

    text: str
    page: int | None


class ChangesOut(_Out):
    """What a newer version of a document added and removed; cut to the first lines of very many."""

    added: list[ChangedLineOut]
    removed: list[ChangedLineOut]
    added_count: int
    removed_count: int


class DocumentDetail(DocumentOut):
    """A document with its page coverage and its passages in reading order.

    `chunk_count` is how many passages it has; `passages` are the first of them where a document is very long.
    `versions` are newest first. `copies` have the same content under the same label and are searched as this one;
    `similar` are much like it; `members` are the files in it, `thread` the other mails of its conversation. `author`,
    `created` and `modified` are what the document says of itself, empty where it does not.
    """

    sha256: str
    indexed_at: datetime
    pages: list[PageOut]
    has_images: bool
    chunk_count: int
    passages: list[PassageTextOut]
    author: str = ""
    created: str = ""
    modified: str = ""
    versions: list[VersionOut] = []
    copies: list[RelatedOut] = []
    similar: list[RelatedOut] = []
    members: list[RelatedOut] = []
    thread: list[RelatedOut] = []


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


Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=200)]
SourceLanguage = Annotated[str, Field(pattern=invalid.LANGUAGE)]
CompareMinutes = Annotated[int, Field(ge=0, le=366 * 24 * 60)]
SourceGroupNames = Annotated[list[GroupName], Field(min_length=1, max_length=200)]


class SourceIn(_In):
    """A folder to keep in sync, or a place for uploads (then without a path: the appliance keeps the files).

    `groups` see its documents unless a sidecar file says otherwise. `include` and `exclude` are glob patterns over the
    paths in it. `language` overrides what is detected. Every `compare_every_minutes` the whole folder is compared, 0
    for never by itself; a `watched` one is synced soon after something changes. What a `curated` one holds is found by
    nobody before a curator has approved it; places for uploads are curated unless said otherwise.
    """

    name: Name
    path: Annotated[str, Field(max_length=4096)] = ""
    groups: SourceGroupNames
    kind: SourceKind = SourceKind.FOLDER
    include: Patterns = []
    exclude: Patterns = []
    owner: Annotated[str, Field(max_length=200)] = ""
    language: SourceLanguage = ""
    compare_every_minutes: CompareMinutes = 60
    watched: bool = True
    curated: bool | None = None


class SourcePatch(_In):
    """Changes to a source; what is left out stays. They act by a sync, which starts at once."""

    name: Name | None = None
    groups: SourceGroupNames | None = None
    include: Patterns | None = None
    exclude: Patterns | None = None
    owner: Annotated[str, Field(max_length=200)] | None = None
    language: SourceLanguage | None = None
    compare_every_minutes: CompareMinutes | None = None
    watched: bool | None = None
    curated: bool | None = None


class SourceOut(_Out):
    """A folder kept in sync, and how its files stand. `retry_at` is when the first of the failed ones is due again."""

    id: str
    name: str
    path: str
    groups: list[str]
    states: dict[DocumentState, int]
    kind: SourceKind = SourceKind.FOLDER
    include: list[str] = []
    exclude: list[str] = []
    owner: str = ""
    language: str = ""
    compare_every_minutes: int = 60
    watched: bool = True
    curated: bool = False
    paused: bool = False
    retry_at: datetime | None = None


class Reread(StrEnum):
    """Which files a sync reads although nothing about them changed."""

    NOTHING = "nothing"
    TROUBLED = "troubled"
    EVERYTHING = "everything"


class SyncIn(_In):
    """What is wanted of a sync beyond the usual. `missing_ok` confirms that files which are missing may be removed."""

    again: Reread = Reread.NOTHING
    missing_ok: bool = False


class PreviewFileOut(_Out):
    """What a sync would do with one file, and why."""

    path: str
    action: str
    reason: str


class PreviewOut(_Out):
    """What a sync would do now: how many files by action, and the first of those it would touch.

    `counts` has `read` (new), `read_again` (changed, or to be tried again), `relabel`, `refuse`, `fail`, `remove`,
    `leave`, and `left_out` (by the patterns). `needs_confirmation` says that so much is missing that it would be kept.
    """

    counts: dict[str, int]
    files: list[PreviewFileOut]
    needs_confirmation: bool

    @property
    def matches_nothing(self) -> bool:
        """Whether there are files, and the patterns leave out every one."""
        return sum(self.counts.values()) == self.counts.get("left_out", 0) > 0


class RunState(StrEnum):
    """How a sync stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class RunOut(_Out):
    """One sync of one source. `total` is None until the folder was walked; `message` says why it failed.

    `failures` are files to look at. `pages_per_s` and `seconds_left` are None while they cannot be told.
    """

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
    pages: int = 0
    chunks: int = 0
    failures: int = 0
    pages_per_s: float | None = None
    seconds_left: float | None = None


class ReportFileOut(_Out):
    """What a run did with one file, and why."""

    path: str
    outcome: str
    reason: str
    pages: int
    chunks: int


class ReportOut(_Out):
    """A run, and every file it did something with or that needs a look. Files found as they were are only counted."""

    run: RunOut
    files: list[ReportFileOut]


class FileOut(_Out):
    """A file as the admin sees it: where, in which state, and why. Never its text.

    `path` goes on inside a container, which `container_id` names. `retry_at` is when a failed one is tried again,
    `attempts` how often it was tried. `source_kind` says whether it was uploaded, and so can be withdrawn here.
    """

    document_id: str
    source: str
    path: str
    state: DocumentState
    reason: str
    groups: list[str]
    size_bytes: int
    updated_at: datetime
    source_kind: SourceKind = SourceKind.FOLDER
    container_id: str | None = None
    attempts: int = 0
    retry_at: datetime | None = None


class FilesOut(_Out):
    """A page of files."""

    files: list[FileOut]
    total: int


class FilesIn(_In):
    """Files by their documents' ids."""

    document_ids: Annotated[list[Annotated[str, Field(max_length=36)]], Field(min_length=1, max_length=500)]


class FilePassword(_In):
    """The password that opens an encrypted file. It is used once and kept nowhere."""

    password: Annotated[Password, Field(min_length=1)]


class CoverageOut(_Out):
    """Which pages of a file gave text, and by which means. Never the text.

    `may_open` says whether this admin may read the document, and so look at its pages; `has_images` whether it has any
    to look at.
    """

    document_id: str
    path: str
    state: DocumentState
    reason: str
    pages: list[PageOut]
    has_images: bool
    may_open: bool


class ReceiptOut(_Out):
    """That a document left the index: its chunks there before and after."""

    id: str
    removed_at: datetime
    source: str
    path: str
    document_id: str
    version_id: str
    sha256: str
    chunks_before: int
    chunks_after: int


class ReviewOut(_Out):
    """A document that waits for a curator. `replaces` says that an approved version is in force meanwhile."""

    document_id: str
    version_id: str
    path: str
    source: str
    groups: list[str]
    read_at: datetime
    replaces: bool


class ReviewsOut(_Out):
    """What waits for review and this admin may read. `withheld` waits too, for somebody who may read it."""

    reviews: list[ReviewOut]
    total: int
    withheld: int


class ReviewDetail(ReviewOut):
    """A version in question: what it says, what its pages gave, and what it changes of the one in force."""

    title: str
    media_type: str
    size_bytes: int
    has_images: bool
    pages: list[PageOut]
    chunk_count: int
    passages: list[PassageTextOut]
    changes: ChangesOut | None


class Approval(_In):
    """Releases the version that was looked at; without `version_id` whichever waits by now."""

    version_id: Annotated[str, Field(max_length=36)] = ""


class Rejection(Approval):
    """Why a curator turns a document down."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class ModelChangeOut(_Out):
    """How far the change to another embedding model is, in passages. `error` is why it waits, empty if it does not.

    `replaces` answers now. When it is `model_id` itself, the index before is left to be removed.
    """

    model_id: str
    replaces: str
    done: int
    total: int
    error: str


class DifferenceOut(_Out):
    """Where index and catalog differ: versions only the index knows, and versions it does not hold whole."""

    surplus: int
    incomplete: int
    repaired: bool


class PersonIn(_In):
    """A new account. Without a password one is made up and returned once."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(max_length=200)] = ""
    password: Password = ""
    roles: Annotated[list[Role], Field(min_length=1)]
    groups: list[GroupName] = []


class PersonPatch(_In):
    """Changes to an account; what is left out stays."""

    roles: Annotated[list[Role], Field(min_length=1)] | None = None
    groups: list[GroupName] | None = None
    disabled: bool | None = None


class NewPassword(_In):
    """Sets a password; empty makes one up."""

    password: Password = ""


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


# measuring the answers

MAX_GOLDEN_BYTES = 16 * 1024 * 1024
"""How large a golden set may be."""


class MetricOut(_Out):
    """A metric there is: what it is called, and what it says in one plain sentence."""

    name: str
    title: str
    meaning: str
    higher_is_better: bool
    gated: bool


class EvaluationState(StrEnum):
    """How an evaluation stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class EvaluationOut(_Out):
    """A run of a golden set. `groups` is what it read as; empty for `from_feedback`, where each asked as themselves.

    `metrics` are by name, None where there was nothing to measure. `settings` is what was in force.
    """

    id: str
    name: str
    from_feedback: bool
    set_sha256: str
    groups: list[str]
    answers: bool
    state: EvaluationState
    started_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    message: str
    metrics: dict[str, float | None]
    settings: dict[str, str]


class EvaluationsOut(_Out):
    """The latest evaluations, newest first, and the metrics there are, in the order to show them in."""

    metrics: list[MetricOut]
    evaluations: list[EvaluationOut]


class FoundPlaceOut(_Out):
    """What stood at a rank: its place, and whether it was evidence."""

    document_id: str
    path: str
    page: int | None
    relevant: bool


class QuestionResultOut(_Out):
    """How one question went. `first_rank` is that of the first evidence, None when none was among the first 10.

    Of a question that somebody asked, words and places are empty. `failed` says that an answer was refused, as to a
    question that is too long for the model.
    """

    question_id: str
    question: str
    answerable: bool
    ndcg: float | None
    first_rank: int | None
    pieces: int
    found: int
    abstained: bool
    citations: int | None
    right_citations: int | None
    retrieval_ms: float
    answer_ms: float | None
    places: list[FoundPlaceOut]
    failed: bool = False


class EvaluationDetail(EvaluationOut):
    """An evaluation with its questions, those that went worst first; `questions` of `question_count`."""

    questions: list[QuestionResultOut]
    question_count: int


class MetricChangeOut(_Out):
    """A metric before and after, over the questions both runs asked."""

    name: str
    title: str
    before: float | None
    after: float | None
    higher_is_better: bool
    fails: bool


class QuestionChangeOut(_Out):
    """A question that went otherwise: `what` changed, measured from 0 to 1, higher is better."""

    question_id: str
    question: str
    what: str
    before: float
    after: float


class SettingChangeOut(_Out):
    """What was in force before and after; empty where it was not there."""

    name: str
    before: str
    after: str


class ComparisonOut(_Out):
    """Two evaluations side by side. `passes` is False when a metric got worse by more than `max_drop`.

    `better` and `worse` count the questions by nDCG@10; `p_value` says how likely chance alone makes such a difference.
    """

    before: EvaluationOut
    after: EvaluationOut
    max_drop: float
    passes: bool
    shared: int
    before_only: int
    after_only: int
    better: int
    worse: int
    p_value: float
    metrics: list[MetricChangeOut]
    questions: list[QuestionChangeOut]
    settings: list[SettingChangeOut]


# the query log


class RetrievedOut(_Out):
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
