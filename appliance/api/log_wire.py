"""What the query log holds, in the wire types of the compliance desk.

Rules this module keeps:

1. People go by their pseudonym. No name and no account id leaves here, whatever kind of entry it stands in.
2. An officer is no reader: of a document that their own access does not include they are told its title and page, and
   the identifiers that prove which passage it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from appliance.api.cases import title_of
from appliance.api.schemas.asking import GroundingOut
from appliance.api.schemas.log import EventOut, FlagOut, InCaseOut, ProofOut, QueryDetail, QueryOut, RetrievedOut
from appliance.api.wire import grounding_out
from appliance.audit.entries import (
    ActDecided,
    ActProposed,
    AdminAction,
    AnswerClosed,
    Entry,
    EvaluationEnded,
    FeedbackGiven,
    LogOpened,
    PassagesRetrieved,
    QueryReplayed,
    QuestionRewritten,
    SignInFailed,
)
from appliance.audit.entries import split as split_entry
from appliance.audit.records import QueryRecord, Recorded
from appliance.audit.signatures import signed_notes
from appliance.audit.telling import happened, why_unreadable
from appliance.compliance.naming import ACT as NAMING
from appliance.domain import AnswerKind, Grounding, Principal, StatementCheck
from appliance.evaluation.metrics import BY_NAME
from appliance.flags import MEANINGS
from appliance.replay.state import ANSWERABLE_ABOVE, setting
from appliance.wiring import Appliance
from appliance.wiring.put_on_record import WITHHELD
from appliance.wording import VERDICTS

SOMEBODY = "somebody whose account is gone"
_UNNAMED = "somebody"

_OF_PEOPLE = ("person.", "token.", "second_factor.", "password.", "access.")
"""How the acts begin whose subject is a person."""

_UNTOLD = ("actor_name", "name", "origin", "person", "pseudonym")
"""What is left out of any entry: names, the address somebody signed in from, which is as good as one, and of which
pseudonym two officers were told, because what they asked for stands in another entry."""

_SAID = ("action", "act")
"""What the words for an event say already."""

_UNNAMED_PARTS = ("what", "subject", "detail")
"""What says by itself what it is, beside the words for an event. It stands before the rest."""

_CODES: Mapping[type[Entry], str] = {AdminAction: "error", QueryReplayed: "findings", SignInFailed: "reason"}
"""Parts that are stable names, shown with spaces for their signs. The same part of another entry is a sentence."""


def query_out(appliance: Appliance, record: QueryRecord) -> QueryOut:
    """A query for the list."""
    question, answer, retrieval = record.question, record.answer, record.retrieval
    return QueryOut(
        seq=record.asked.seq,
        query_id=record.query_id,
        asked_at=record.asked.time,
        person=appliance.pseudonyms.of(question.actor) if question else "",
        groups=list(question.groups) if question else [],
        levels=list(question.levels) if question else [],
        origin=question.origin if question else "",
        conversation_id=question.conversation_id if question else "",
        question=question.question if question else why_unreadable(record.asked),
        answer=answer.answer if answer else (why_unreadable(record.closed) if record.closed else ""),
        kind=AnswerKind(answer.kind) if answer and not answer.error else None,
        model=retrieval.model.name if retrieval else "",
        citations=len(answer.citations) if answer else 0,
        retrieved=len(retrieval.retrieved) if retrieval else 0,
        prompted=_prompted(retrieval),
        feedback=record.feedback[-1].verdict if record.feedback else "",
        error=answer.error if answer else "",
        total_ms=answer.latency.total_ms if answer else None,
        flags=_flags(answer),
    )


def query_detail(appliance: Appliance, officer: Principal, record: QueryRecord) -> QueryDetail:
    """Everything on record about a query."""
    answer, retrieval = record.answer, record.retrieval
    threshold = setting(retrieval.state, ANSWERABLE_ABOVE) if retrieval else ""
    parameters = retrieval.parameters if retrieval else None
    return QueryDetail(
        **query_out(appliance, record).model_dump(),
        model_digest=retrieval.model.digest if retrieval else "",
        model_provider=retrieval.model.provider if retrieval else "",
        quantisation=retrieval.model.quantisation if retrieval else "",
        prompt_sha256=retrieval.prompt_sha256 if retrieval else "",
        prompt_template=retrieval.prompt_template if retrieval else "",
        parameters={name: str(value) for name, value in asdict(parameters).items() if value is not None}
        if parameters
        else {},
        answer_sha256=answer.answer_sha256 if answer else "",
        latency_ms=_latency(answer),
        notices=list(answer.notices) if answer else [],
        passages=_passages(appliance, officer, retrieval, answer),
        feedback_comment=record.feedback[-1].comment if record.feedback else "",
        proof=_proof(appliance, record),
        searched_for=record.searched_for,
        reranker_digest=retrieval.reranker_digest if retrieval else "",
        answerable=retrieval.answerable if retrieval else None,
        answerable_above=float(threshold) if threshold else None,
        grounding=grounding_on_record(answer),
        highlights=list(answer.highlights) if answer else [],
        rewriting=_rewriting(record.rewritten) if record.rewritten else "",
        cases=[
            InCaseOut(number=case.number, title=title_of(appliance.cases.opening(case)))
            for case in appliance.cases.of(record.query_id)
        ],
    )


def event_out(appliance: Appliance, recorded: Recorded, ids: Mapping[str, str]) -> EventOut:
    """An entry that is not of a query. `ids` are the accounts there are, by name."""
    entry = recorded.entry
    return EventOut(
        seq=recorded.seq,
        time=recorded.time,
        type=recorded.type,
        words=happened(recorded),
        actor=appliance.pseudonyms.of(getattr(entry, "actor", "")),
        detail=_detail(appliance, entry, ids) if entry else why_unreadable(recorded),
    )


def _passages(
    appliance: Appliance, officer: Principal, retrieval: PassagesRetrieved | None, answer: AnswerClosed | None
) -> list[RetrievedOut]:
    retrieved = retrieval.retrieved if retrieval else ()
    cited = {citation.chunk_id for citation in answer.citations} if answer else set()
    wanted = [item.chunk_id for item in retrieved]
    readable = appliance.catalog.visible_chunks(wanted, officer.access, current_only=False)
    return [
        RetrievedOut(
            chunk_id=item.chunk_id,
            document_id=item.document_id,
            version_id=item.version_id,
            version_sha256=item.version_sha256,
            title=item.title,
            path=item.path if item.chunk_id in readable else "",
            page=item.page,
            rank=item.rank,
            number=item.number,
            reranking=item.reranking,
            cited=item.chunk_id in cited,
            readable=item.chunk_id in readable,
        )
        for item in retrieved
    ]


def _proof(appliance: Appliance, record: QueryRecord) -> ProofOut:
    inclusion = appliance.log.inclusion_proof(record.asked.seq)
    return ProofOut(
        leaf_hash=inclusion.leaf_hash.hex(),
        path=[part.hex() for part in inclusion.path],
        size=inclusion.checkpoint.size,
        root=inclusion.checkpoint.root.hex(),
        signed=next(iter(signed_notes(appliance.log.path)[-1:]), ""),
    )


def _flags(answer: AnswerClosed | None) -> list[FlagOut]:
    return [
        FlagOut(name=flag.name, meaning=MEANINGS.get(flag.name, ""), where=flag.where, detail=flag.detail)
        for flag in (answer.flags if answer else ())
    ]


def grounding_on_record(answer: AnswerClosed | None) -> GroundingOut | None:
    """How the statements of an answer stood on its passages; None where no language model wrote."""
    if answer is None or answer.checked is None:
        return None
    checks = tuple(StatementCheck(**asdict(check)) for check in answer.checked.statements)
    return grounding_out(Grounding(answer.checked.score, checks), answer.answer)


def _rewriting(asked: QuestionRewritten) -> str:
    """What a model made of a follow-up, which model, and whether it was taken."""
    return f"{asked.model.name}, {asked.prompt_template}: {asked.said} ({'taken' if asked.used else 'not taken'})"


def _prompted(retrieval: PassagesRetrieved | None) -> int:
    """How many passages were put before the model. Quoted passages have numbers too, but no prompt."""
    if retrieval is None or not retrieval.prompt_sha256:
        return 0
    return sum(passage.number is not None for passage in retrieval.retrieved)


def _latency(answer: AnswerClosed | None) -> dict[str, float]:
    if answer is None:
        return {}
    latency = answer.latency
    known = {"retrieval": latency.retrieval_ms, "first_token": latency.first_token_ms, "total": latency.total_ms}
    return {name: value for name, value in known.items() if value is not None}


def _detail(appliance: Appliance, entry: Entry, ids: Mapping[str, str]) -> str:
    words = _measured(entry) if isinstance(entry, EvaluationEnded) else _parts(appliance, entry, ids)
    for account in ids.values():
        words = words.replace(account, _UNNAMED)
    return words


def _parts(appliance: Appliance, entry: Entry, ids: Mapping[str, str]) -> str:
    """What an entry holds, part by part, most of them under their names."""
    content = {name: value for name, value in split_entry(entry)[1].items() if name not in (*_UNTOLD, *_SAID)}
    subject = content.get("subject")
    if isinstance(subject, str):
        content["subject"] = _subject(appliance, entry, subject, ids)
    told = {name: _told(entry, name, value) for name, value in content.items() if not name.endswith("sha256")}
    if isinstance(entry, LogOpened) and entry.settings_sha256:
        told["settings"] = _settings(entry)
    first = [told.pop(name, "") for name in _UNNAMED_PARTS]
    named = [f"{name.replace('_', ' ')}: {it}" for name, it in told.items() if it]
    return "; ".join([*filter(None, first), *named])


def _measured(entry: EvaluationEnded) -> str:
    """What an evaluation was of, and its figures under the names that people know them by."""
    figures = (
        f"{BY_NAME[metric.name].title if metric.name in BY_NAME else metric.name} {metric.value:.3g}"
        for metric in entry.metrics
        if metric.value is not None
    )
    read_as = ", ".join(entry.groups) or "those who asked"
    answered = ", with answers" if entry.answers else ""
    told = f"{entry.set_name}: {entry.questions:,} questions{answered}, read as {read_as}"
    error = f"error: {entry.error}" if entry.error else ""
    return "; ".join(part for part in (told, ", ".join(figures), error) if part)


def _settings(opening: LogOpened) -> str:
    told = ", ".join(f"{it.name} is {it.value or 'empty'}" for it in opening.settings)
    return f"not as delivered: {told}" if told else "all as delivered"


def _subject(appliance: Appliance, entry: Entry, subject: str, ids: Mapping[str, str]) -> str:
    """What something was done to; a person by their pseudonym where an admin did it.

    Officers choose the subject of what they do. A pseudonym in the place of a name they typed would tell them whose it
    is, so it stays as they asked it where two of them agree on a name, and nobody is named in what else they propose.
    """
    if isinstance(entry, AdminAction):
        of_a_person = entry.action != WITHHELD and entry.action.startswith(_OF_PEOPLE)
        account = ids.get(subject.casefold(), subject if subject in ids.values() else "")
        return (appliance.pseudonyms.of(account) if account else SOMEBODY) if of_a_person else subject
    if isinstance(entry, ActProposed | ActDecided) and entry.act != NAMING and subject.casefold() in ids:
        return _UNNAMED
    return subject


def _told(entry: Entry, name: str, value: object) -> str:
    """A part of an entry for people; empty where it says nothing."""
    words = "" if value is None else _in_words(value)
    if isinstance(entry, FeedbackGiven) and name == "verdict":
        return VERDICTS.get(words, words)
    return words.replace("_", " ").replace(".", ": ") if _CODES.get(type(entry)) == name else words


def _in_words(value: object) -> str:
    """A recorded value for people: the parts of a list with commas, those of one item side by side."""
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, dict):
        return " ".join(_in_words(item) for item in value.values())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
