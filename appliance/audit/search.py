"""Looking for questions on record: newest first, opening as few entries as it takes to say no.

Rules this module keeps:

1. There is no index of what entries hold: it would be a second copy of it, and outlive its keys. Every search opens
   entries, and stops when its time is up; what it came to by then is the beginning of the next one.
2. An entry is first looked at as text, for words that it must have (`_Needles`). Only one that has them is read,
   checked against the tree, and judged exactly (`matches`).
3. Of words that are looked for, each must stand somewhere in what is on record about a question (`terms`).
4. Nobody is found by the name they sign in with, unless they wrote it themselves.
"""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance.audit import canonical, entries, records
from appliance.audit.entries import (
    AnswerClosed,
    FeedbackGiven,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
)
from appliance.audit.keys import Keyring
from appliance.audit.records import LogFilter, QueryRecord, Recorded
from appliance.audit.store import Connection

SELECT = """
    SELECT heads.seq, heads.head, payloads.payload, nodes.hash, heads.query_id FROM heads
    LEFT JOIN payloads ON payloads.seq = heads.seq
    LEFT JOIN nodes ON nodes.level = 0 AND nodes.idx = heads.seq
"""
"""All there is of entries. Its columns are those of `Row`."""

Row = tuple[int, bytes, bytes | None, bytes | None, str | None]

_OF_A_QUESTION = """
    SELECT heads.type, heads.head, payloads.payload FROM heads JOIN payloads ON payloads.seq = heads.seq
    WHERE heads.query_id = ? ORDER BY heads.seq
"""
_TERM = re.compile(r'["“”„]([^"“”„]+)["“”„]|([^\s"“”„]+)')
"""A phrase in quotation marks, or a word; a mark that has no other one is none."""

_LATER = (QuestionCompleted, PassagesRetrieved, AnswerClosed, FeedbackGiven)
_STEP_BACK = timedelta(days=1)
"""How much earlier than `since` an entry is before no later one can be newer: clocks step, and an entry says so."""


@dataclass(frozen=True, slots=True)
class Found:
    """Questions that match, newest first. `next_before` goes on from there; None: there are no more.

    `reached` is when the last question was asked that was looked at. `hurried` says that time was up before the page
    was full.
    """

    queries: tuple[QueryRecord, ...]
    next_before: int | None
    reached: datetime | None
    hurried: bool


def search(
    connection: Connection,
    ring: Keyring | None,
    wanted: LogFilter,
    *,
    limit: int,
    before_seq: int | None,
    budget_s: float | None = None,
) -> Found:
    """The newest `limit` questions that match."""
    ends_at = None if budget_s is None else time.monotonic() + budget_s
    needles = _Needles(wanted)
    found: list[QueryRecord] = []
    at: int | None = None
    reached: datetime | None = None
    for seq, query_id, asked_at in _asked(connection, ring, wanted, before_seq):
        if len(found) == limit:
            return Found(tuple(found), at, reached, False)
        if ends_at is not None and at is not None and time.monotonic() > ends_at:
            return Found(tuple(found), at, reached, True)
        at, reached = seq, asked_at
        if needles.are_in(connection, ring, query_id):
            query = assembled(connection, ring, query_id)
            if query is not None and matches(query, wanted):
                found.append(query)
    return Found(tuple(found), None, reached, False)


def matches(query: QueryRecord, wanted: LogFilter) -> bool:
    """Whether what is on record about a question holds what a filter looks for in the content."""
    question, retrieval, answer, feedback = query.question, query.retrieval, query.answer, query.feedback
    return (
        (not wanted.kind or (answer is not None and answer.kind == wanted.kind and not answer.error))
        and (not wanted.verdict or (bool(feedback) and feedback[-1].verdict == wanted.verdict))
        and (wanted.state is None or query.state == wanted.state)
        and (not wanted.group or (question is not None and wanted.group in question.groups))
        and (not wanted.model or (retrieval is not None and retrieval.model.name == wanted.model))
        and (not wanted.flag or (answer is not None and any(flag.name == wanted.flag for flag in answer.flags)))
        and (not wanted.document or _has_document(retrieval, wanted.document))
        and (not wanted.text or _has_words(query, wanted.text))
    )


def terms(text: str) -> tuple[str, ...]:
    """What must stand on record about a question, each anywhere: the words of a text, and what is in quotation marks.

    Such a phrase is meant as it stands. Nothing but blanks and quotation marks asks for nothing.
    """
    return tuple(dict.fromkeys(phrase or word for phrase, word in _TERM.findall(text) if word or phrase.strip()))


def recorded(row: Row, ring: Keyring | None) -> Recorded:
    """The entry in a row."""
    seq, head, payload, leaf, _ = row
    return replace(records.unseal(seq, head, payload, leaf, ring), leaf_hash=leaf if isinstance(leaf, bytes) else b"")


def assembled(connection: Connection, ring: Keyring | None, query_id: str) -> QueryRecord | None:
    """Everything on record about one question; None when there is no such question."""
    rows = connection.execute(f"{SELECT} WHERE heads.query_id = ? ORDER BY heads.seq", (query_id,))
    parts = [recorded(row, ring) for row in rows]
    asked = next((part for part in parts if part.type == QuestionReceived.type), None)
    if asked is None:
        return None
    later = {kind.type: [part for part in parts if part.type == kind.type and part.seq > asked.seq] for kind in _LATER}
    return QueryRecord(
        query_id,
        asked,
        # The last one: a prompt that was too long is packed again, and on record again.
        searched=next(iter(later[PassagesRetrieved.type][::-1]), None),
        closed=next(iter(later[AnswerClosed.type]), None),
        feedback_given=tuple(later[FeedbackGiven.type]),
        completed=next(iter(later[QuestionCompleted.type]), None),
    )


def _asked(
    connection: Connection, ring: Keyring | None, wanted: LogFilter, before_seq: int | None
) -> Iterator[tuple[int, str, datetime | None]]:
    """Number, question id and time of the questions whose heads match, newest first."""
    conditions: dict[str, tuple[object, ...]] = {"type = ?": (QuestionReceived.type,)}
    if before_seq is not None:
        conditions["seq < ?"] = (before_seq,)
    if wanted.until is not None:
        conditions["time < ?"] = (records.to_text(wanted.until),)
    if wanted.actor:
        names = (wanted.actor, *(ring.subjects(wanted.actor) if ring else ()))
        conditions[f"actor IN ({', '.join('?' * len(names))})"] = names
    if wanted.verdict:
        conditions["query_id IN (SELECT query_id FROM heads WHERE type = ?)"] = (FeedbackGiven.type,)
    values = [value for given in conditions.values() for value in given]
    where = " AND ".join(conditions)
    query = f"SELECT seq, query_id, time FROM heads WHERE {where} ORDER BY seq DESC"  # noqa: S608 - conditions are our own
    for seq, query_id, text in connection.stream(query, values):
        at = _moment(text)
        if wanted.since is not None and (at is None or at < wanted.since):
            if at is not None and at + _STEP_BACK < wanted.since:
                return
            continue
        yield seq, str(query_id), at


def _moment(text: object) -> datetime | None:
    """The time of a head; None where somebody altered it into none."""
    with contextlib.suppress(ValueError):
        return records.to_time(str(text))
    return None


class _Needles:
    """What the text of a question's entries must hold for it to match; that it does is no proof."""

    def __init__(self, wanted: LogFilter) -> None:
        name = '"name":'
        given = {
            QuestionReceived.type: (_quoted("", wanted.group),),
            PassagesRetrieved.type: (_quoted(name, wanted.model), _inner(wanted.document)),
            AnswerClosed.type: (_quoted('"kind":', wanted.kind), _quoted(name, wanted.flag)),
            FeedbackGiven.type: (_quoted('"verdict":', wanted.verdict),),
        }
        self._of = {kind: tuple(filter(None, needles)) for kind, needles in given.items() if any(needles)}
        self._anywhere = frozenset(map(_inner, terms(wanted.text)))

    def are_in(self, connection: Connection, ring: Keyring | None, query_id: str) -> bool:
        """Whether a question can match at all."""
        missing, anywhere = set(self._of), self._anywhere
        if not missing and not anywhere:
            return True
        for kind, head, payload in connection.execute(_OF_A_QUESTION, (query_id,)):
            if kind not in missing and not anywhere:
                continue
            text = _text_of(head, payload, ring)
            if all(text is None or needle in text for needle in self._of.get(kind, ())):
                missing.discard(kind)
            anywhere = frozenset() if text is None else frozenset(needle for needle in anywhere if needle not in text)
            if not missing and not anywhere:
                return True
        return False


def _text_of(head: bytes, payload: bytes, ring: Keyring | None) -> str | None:
    """What an entry holds, as folded text; "" when its key is not there, None when it has to be read to tell."""
    try:
        content = records.content_of(head, payload, ring)
        text = "" if content is None else content.decode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""  # damaged
    return text.casefold() if unicodedata.is_normalized("NFC", text) else None


def _inner(text: str) -> str:
    """A text as it stands inside a string of an entry, folded."""
    return canonical.to_bytes(records.folded(text)).decode("utf-8")[1:-1]


def _quoted(name: str, text: str) -> str:
    return f'{name}"{_inner(text)}"' if text else ""


def _has_document(retrieval: PassagesRetrieved | None, wanted: str) -> bool:
    return retrieval is not None and any(
        passage.document_id == wanted or records.holds(wanted, (passage.title, passage.path))
        for passage in retrieval.retrieved
    )


def _has_words(query: QueryRecord, wanted: str) -> bool:
    told = [part for part in (query.question, query.completion, query.retrieval, query.answer, *query.feedback) if part]
    texts = [records.folded(text) for part in told for text in records.strings(entries.split(part)[1])]
    return all(any(term in text for text in texts) for term in map(records.folded, terms(wanted)))
