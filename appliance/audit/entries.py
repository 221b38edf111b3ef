"""What the log records, as frozen values.

Rules this module keeps:

1. An entry is split in two. The *head* holds identifiers only: who (by account id), which question, which
   conversation. The *content* holds everything a person typed, read or is named by. The tree covers the head, and the
   head covers the content by its hash, so content can be encrypted, and one day erased, without breaking the tree.
2. A type's name and its fields stay readable for as long as logs are kept: fields may be added, with a default, and
   are never renamed, removed or given another meaning. Fields a newer release wrote are passed over.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

ITSELF = "appliance"
"""Who acted where the appliance did something that nobody asked for."""

HEAD_FIELDS = ("actor", "query_id", "conversation_id", "session_id", "key_epoch", "erased_sha256")
"""The fields of an entry that go to its head, where the entry has them."""


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """One passage that was found, and how. `number` is the n of its [n] before the model; None: not put before it.

    `reranking` is the score that gave it its rank among those that a reranking model judged; None: it was not judged,
    or an older release wrote the entry. `text_sha256` is of the passage's own text; empty in entries of older releases.
    `superseded_by` is the document (id) that was the newest edition of its document, where one was found as well.
    """

    chunk_id: str
    document_id: str
    version_id: str
    version_sha256: str
    path: str
    title: str
    page: int | None
    rank: int
    score: float
    similarity: float | None
    number: int | None
    reranking: float | None = None
    text_sha256: str = ""
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting and its value as text; of what may be a secret it says only that it is set."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SearchState:
    """What a search and a prompt depended on besides question and reader.

    `embedding_model` names the exact model of the index that answered, `index_format` the form it is written in, and
    `catalog_changes` is how often what readers can find had changed when the search began.
    """

    release: str
    embedding_model: str
    index_format: int
    catalog_changes: int
    settings: tuple[SettingInForce, ...]


@dataclass(frozen=True, slots=True)
class EarlierTurn:
    """An earlier turn of the conversation that stood in a prompt, by the query under which it is on record itself.

    One that a program brought along has no such query; its words stand here.
    """

    query_id: str
    question: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """The model that answered; `digest` names its exact weights. All empty for an answer without a model."""

    provider: str = ""
    name: str = ""
    digest: str = ""
    quantisation: str = ""
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class GenerationParameters:
    """How the model was asked to generate; temperature and seed are None where they do not reach it."""

    temperature: float | None
    seed: int | None
    max_tokens: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class CitedPassage:
    """The passage that marker [number] of an answer points at."""

    number: int
    chunk_id: str


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the steps of an answer took, in milliseconds. `first_token_ms` is None when no token came."""

    retrieval_ms: float
    first_token_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class QuestionRewritten:
    """How a model was asked to complete a follow-up, and what it `said`; `used` says whether that was taken."""

    said: str
    used: bool
    model: ModelUsed
    prompt_sha256: str
    prompt_template: str
    parameters: GenerationParameters


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """How one statement of an answer, its characters `start` to `end`, was held against the passages it cites.

    `score` is the share of its words that stand there, `numbers_missing` are the numbers that do not. One that is not
    `comparable` was not judged: it is in another language than its passages.
    """

    start: int
    end: int
    cited: tuple[int, ...]
    score: float
    supported: bool
    comparable: bool
    numbers_missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """How an answer was held against the passages it cites: the share of it that stands there, and every statement."""

    score: float
    statements: tuple[CheckedStatement, ...]


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """One thing worth a second look: `name` as in `appliance.flags`, `where` it was found ("question", "passage 3").

    `detail` says more where there is more to say; it never repeats what was found.
    """

    name: str
    where: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QuestionReceived:
    """A question came in. It is on record before anything is searched for.

    `levels` are those the reader was cleared for then; entries of older releases say nothing of it.
    """

    type: ClassVar[str] = "question.received"
    query_id: str
    actor: str
    actor_name: str
    groups: tuple[str, ...]
    conversation_id: str
    question: str
    origin: str
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionCompleted:
    """A model was asked to complete a follow-up. It is on record before anybody sees what it said.

    `searched_for` is what the question became: what the model said, where that was taken, or what the rules made.
    """

    type: ClassVar[str] = "question.completed"
    query_id: str
    actor: str
    searched_for: str
    rewritten: QuestionRewritten


@dataclass(frozen=True, slots=True)
class PassagesRetrieved:
    """What was found for a question and what the model was about to be asked. It is on record before the first token.

    `searched_for` is what `retrieved` was found for. It is not what was typed for a follow-up that was completed, and
    for a question that was searched again without the form of the answer at its end. `prompt_sha256` is hex; `model`,
    prompt and `parameters` are empty when no model is asked. `answerable` is how likely the documents were held to
    answer; None where that was not judged, and in entries of older releases. `rewritten` stands in entries of before
    `QuestionCompleted`. `reranker_digest` names the exact model that put the passages in their order; empty where that
    is the order of the search, and in entries of older releases.

    From the rest, with the text of the passages by their ids, the prompt can be made again word for word: `language` is
    that of the instructions in it (two letters, empty where it was not clear), `turns` are the earlier turns in it,
    `differing` the pairs of passages that it says contradict each other. `state` is None where nothing was searched.
    Entries of older releases have none of these.
    """

    type: ClassVar[str] = "passages.retrieved"
    query_id: str
    actor: str
    searched_for: str
    retrieved: tuple[RetrievedPassage, ...]
    model: ModelUsed
    prompt_sha256: str
    prompt_template: str
    parameters: GenerationParameters | None
    answerable: float | None = None
    rewritten: QuestionRewritten | None = None
    reranker_digest: str = ""
    language: str = ""
    turns: tuple[EarlierTurn, ...] = ()
    differing: tuple[tuple[int, int], ...] = ()
    state: SearchState | None = None


@dataclass(frozen=True, slots=True)
class AnswerClosed:
    """An answer ended, well or with an error: `error` is then the stable code of `appliance.errors`, otherwise empty.

    `answer` is what the reader was left with and `withdrawn` what was shown before and taken back, empty if nothing
    was. `answer_sha256` is hex. `checked` is None where no language model wrote, and in entries of older releases.
    `flags` are empty in entries of older releases, which raised none. `highlights` are the characters (start, end) of a
    quotation that the reader saw marked, as nearest to the question; entries of older releases do not say.
    """

    type: ClassVar[str] = "answer.closed"
    query_id: str
    actor: str
    answer: str
    answer_sha256: str
    kind: str
    citations: tuple[CitedPassage, ...]
    notices: tuple[str, ...]
    unknown_markers: tuple[int, ...]
    latency: Latency
    error: str = ""
    withdrawn: str = ""
    checked: CheckedAnswer | None = None
    flags: tuple[RaisedFlag, ...] = ()
    highlights: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """A reader judged an answer: `verdict` is "up" or "down"."""

    type: ClassVar[str] = "feedback.given"
    query_id: str
    actor: str
    verdict: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person signed in."""

    type: ClassVar[str] = "session.opened"
    actor: str
    actor_name: str = ""
    session_id: str = ""  # a name for the session, never the secret that opens it
    origin: str = ""
    door: str = ""  # by which they came: "" the password, "oidc", "header"


@dataclass(frozen=True, slots=True)
class SignInFailed:
    """Somebody failed to sign in under a name, whoever it was. `actor` is the account of that name.

    Where there is none, and in entries of older releases, `actor` is empty and `name` is the SHA-256, in hex, of what
    was typed there: it may be a password. Both are empty where no name was given. `origin` is the network address.
    """

    type: ClassVar[str] = "session.refused"
    actor: str
    name: str
    origin: str = ""
    reason: str = ""
    door: str = ""  # as in SignedIn


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A person signed out."""

    type: ClassVar[str] = "session.closed"
    actor: str
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class DeskOpened:
    """An officer wrote down why they read the log; it is then open to the session `session_id` (see SignedIn)."""

    type: ClassVar[str] = "desk.opened"
    actor: str
    reason: str
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class LogRead:
    """Somebody read the log. `what` says what they looked for or at; `query_id` is set when it was one question.

    `session_id` is that of the `DeskOpened` which let them; empty in entries of older releases, and where none had to.
    """

    type: ClassVar[str] = "log.read"
    actor: str
    what: str
    query_id: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class QueryReplayed:
    """An officer had a question on record run again, which asks nothing in anybody's name.

    `outcome` is a name of `appliance.replay.outcome.Outcome`, and `findings` are names of `Finding`: what is not any
    more as it was. What came of it is on record nowhere: it can be had again. `session_id` is as in `LogRead`.
    """

    type: ClassVar[str] = "query.replayed"
    actor: str
    query_id: str
    outcome: str
    findings: tuple[str, ...] = ()
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class PersonNamed:
    """An officer was told who is behind a pseudonym of the desk, as two of them had agreed to in that proposal."""

    type: ClassVar[str] = "person.named"
    actor: str
    pseudonym: str
    proposal_id: str


@dataclass(frozen=True, slots=True)
class LogExported:
    """Somebody took a copy of the log out. `what` describes the selection; `session_id` is as in `LogRead`."""

    type: ClassVar[str] = "log.exported"
    actor: str
    what: str
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class AdminAction:
    """Somebody changed the appliance: `action` is a stable name ("group.created"), `subject` what it was done to.

    It is on record before it is done. A second entry with an `error`, a stable code of `appliance.errors`, says that it
    was not done, or not to its end.
    """

    type: ClassVar[str] = "admin.action"
    actor: str
    action: str
    subject: str
    detail: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ActProposed:
    """An officer put an act before a second one: `act` is a stable name ("hold.released"), `subject` an id.

    `actor_name` is empty in entries of before it was kept, here and in `ActDecided`.
    """

    type: ClassVar[str] = "act.proposed"
    actor: str
    proposal_id: str
    act: str
    subject: str
    reason: str
    detail: str = ""
    actor_name: str = ""


@dataclass(frozen=True, slots=True)
class ActDecided:
    """A second officer decided about an act: `outcome` is "approved" or "refused". On record before it is done."""

    type: ClassVar[str] = "act.decided"
    actor: str
    proposal_id: str
    act: str
    subject: str
    outcome: str
    note: str = ""
    actor_name: str = ""


@dataclass(frozen=True, slots=True)
class ContentErased:
    """The log let go of what entries held, and their keys were destroyed before. It writes this by itself.

    `key_epoch` is the epoch that the keys have reached: older ones are of before. `erased_sha256` is taken over the
    numbers of all entries that hold nothing any more, so that none can be emptied besides. `entries` and `months` are
    those of this time; `order_id` is the erasure that it carries out, empty where their time was over.
    """

    type: ClassVar[str] = "content.erased"
    key_epoch: int
    erased_sha256: str
    entries: int
    months: tuple[str, ...]
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """An officer forbade that content is erased: of a person, of months, or all of it where both are empty."""

    type: ClassVar[str] = "hold.placed"
    actor: str
    hold_id: str
    person: str
    since: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExpiryAnnounced:
    """The content of these months is to be erased on that day, because the time for which it is kept is over."""

    type: ClassVar[str] = "expiry.announced"
    months: tuple[str, ...]
    on: str
    profile: str


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A metric of an evaluation; None where there was nothing to measure."""

    name: str
    value: float | None


@dataclass(frozen=True, slots=True)
class EvaluationEnded:
    """Somebody measured the answers with a set of questions, none of which is on record by itself.

    `groups` is what was read as, empty where each question was asked as the person who asked it. `error` is the
    sentence for people when it did not get to its end.
    """

    type: ClassVar[str] = "evaluation.ended"
    actor: str
    evaluation_id: str
    set_name: str
    set_sha256: str
    groups: tuple[str, ...]
    questions: int
    answers: bool
    metrics: tuple[MeasuredValue, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class SamplingRuleMade:
    """An officer made a rule for the review queue. It acts on the answers behind this entry.

    It looks at the answers that it `selects` by `subject`, and draws `share` hundredths of a percent of them with a
    secret of its own. `secret_sha256`, hex, shows later which secret that was.
    """

    type: ClassVar[str] = "sampling.rule_made"
    actor: str
    rule_id: str
    selects: str
    subject: str
    share: int
    secret_sha256: str


@dataclass(frozen=True, slots=True)
class SamplingRuleEnded:
    """An officer ended a rule for the review queue. It acts on no answer behind this entry."""

    type: ClassVar[str] = "sampling.rule_ended"
    actor: str
    rule_id: str


@dataclass(frozen=True, slots=True)
class AnswerReviewed:
    """An officer judged an answer: `verdict` is "fine", "wrong", "leak" or "escalate"; `case_id` its case, if any."""

    type: ClassVar[str] = "answer.reviewed"
    query_id: str
    actor: str
    actor_name: str
    verdict: str
    notes: str = ""
    case_id: str = ""


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """An officer opened a case."""

    type: ClassVar[str] = "case.opened"
    actor: str
    actor_name: str
    case_id: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class CaseQueryAdded:
    """An officer put a question and what became of it in a case."""

    type: ClassVar[str] = "case.query_added"
    query_id: str
    actor: str
    actor_name: str
    case_id: str


@dataclass(frozen=True, slots=True)
class CaseNoted:
    """An officer wrote something down in a case."""

    type: ClassVar[str] = "case.noted"
    actor: str
    actor_name: str
    case_id: str
    note: str


@dataclass(frozen=True, slots=True)
class LogOpened:
    """The appliance started. An opening without a closing before it means that it went down without saying so.

    `settings_sha256`, hex, is of all settings in force, without secrets, and `settings` are those that are not as
    delivered. Entries of older releases have neither.
    """

    type: ClassVar[str] = "log.opened"
    release: str = ""
    settings_sha256: str = ""
    settings: tuple[SettingInForce, ...] = ()


@dataclass(frozen=True, slots=True)
class LogClosed:
    """The appliance stopped in good order."""

    type: ClassVar[str] = "log.closed"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The machine's clock went back since the entry before, by this many seconds. The log writes this by itself."""

    type: ClassVar[str] = "clock.stepped"
    back_s: float


Entry = (
    QuestionReceived
    | QuestionCompleted
    | PassagesRetrieved
    | AnswerClosed
    | FeedbackGiven
    | SignedIn
    | SignInFailed
    | SignedOut
    | DeskOpened
    | LogRead
    | QueryReplayed
    | LogExported
    | PersonNamed
    | AdminAction
    | ActProposed
    | ActDecided
    | ContentErased
    | HoldPlaced
    | ExpiryAnnounced
    | EvaluationEnded
    | SamplingRuleMade
    | SamplingRuleEnded
    | AnswerReviewed
    | CaseOpened
    | CaseQueryAdded
    | CaseNoted
    | LogOpened
    | LogClosed
    | ClockStepped
)

_BY_TYPE: Mapping[str, type[Any]] = {kind.type: kind for kind in typing.get_args(Entry)}


def split(entry: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
    """The identifiers and the content of an entry, as plain JSON values."""
    content = _plain(entry)
    identifiers = {name: content.pop(name) for name in HEAD_FIELDS if name in content}
    return identifiers, content


def _plain(value: Any) -> Any:
    """What an entry holds, without its classes. `dataclasses.asdict` copies every text besides: five times as long."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    names = _names(typing.cast("Hashable", type(value)))
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


@functools.cache
def _names(kind: Any) -> tuple[str, ...] | None:
    return tuple(held.name for held in fields(kind)) if is_dataclass(kind) else None


def join(type_name: str, head: Mapping[str, Any], content: Mapping[str, Any]) -> Entry:
    """The entry that was split into `head` and `content`.

    Raises:
        ValueError: No entry looks like this.
    """
    if type_name not in _BY_TYPE:
        raise ValueError(f"There is no entry type '{type_name}'.")
    identifiers = {name: head[name] for name in HEAD_FIELDS if name in head}
    return typing.cast("Entry", _build(_BY_TYPE[type_name], {**content, **identifiers}))


def names_of_types() -> tuple[str, ...]:
    """Every entry type there is, by its name."""
    return tuple(_BY_TYPE)


_Reader = Callable[[Any], Any]


def _build(kind: type[Any], values: Any) -> Any:
    """A dataclass from a JSON object; fields it does not have are passed over."""
    _expect(values, dict)
    readers = _field_readers(kind.__name__)
    try:
        return kind(**{name: readers[name](value) for name, value in values.items() if name in readers})
    except TypeError as error:
        raise ValueError(f"A recorded {kind.__name__} lacks a field.") from error


@functools.cache
def _field_readers(kind_name: str) -> dict[str, _Reader]:
    hints = typing.get_type_hints(globals()[kind_name])
    return {name: _reader(hint) for name, hint in hints.items() if typing.get_origin(hint) is not ClassVar}


def _reader(hint: Any) -> _Reader:
    """What turns a JSON value into the type that `hint` asks for."""
    if isinstance(hint, types.UnionType):  # only ever "or None"
        inner = _reader(next(arg for arg in hint.__args__ if arg is not types.NoneType))
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(hint) is tuple:
        *items, last = typing.get_args(hint)
        if last is not Ellipsis:
            return functools.partial(_items, [_reader(item) for item in (*items, last)])
        item = _reader(items[0])
        return lambda value: tuple(item(inner) for inner in _expect(value, list))
    if is_dataclass(hint):
        return functools.partial(_build, typing.cast("type[Any]", hint))
    if hint is float:
        return lambda value: float(_expect(value, (int, float)))
    return lambda value: _expect(value, hint)


def _items(readers: list[_Reader], value: Any) -> tuple[Any, ...]:
    """A tuple of so many items, each of its own type."""
    if len(_expect(value, list)) != len(readers):
        raise ValueError(f"A recorded value has {len(value)} items where {len(readers)} belong.")
    return tuple(reader(inner) for reader, inner in zip(readers, value, strict=True))


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"A recorded value is a {type(value).__name__} where another kind belongs.")
    return value
