"""How an entry is laid out in bytes, and what reading the log gives back.

The *head* of an entry is the canonical JSON of

    v               2, the version of this layout
    seq             its number, from 0
    type            what happened (`entries`)
    time            wall time, UTC, 2026-01-31T12:00:00.000000Z
    boot_id         which run of the machine this was
    monotonic_us    microseconds of that run's steady clock, which nobody can set back
    actor           the subject of the key the entry is sealed with (`keys`): who did it, for those who have the key
    query_id        where the type has it; key_epoch and erased_sha256 likewise
    content_sha256  hex, over the content's bytes
    payload_sha256  hex, over the payload's bytes

Its *content* is the canonical JSON of {"content": ..., "identifiers": ..., "salt": ...}. The salt is 32 random bytes in
hex: without it, a short question could be guessed from the hash in the head. Its *payload* is the content, sealed for
this head and no other. So the tree shows that a payload is the one that was written without reading it, and that
content is what the payload held without the key. Order is `seq`, never time.

Entries of before keys were kept have `v` 1: their payload is the content itself, without identifiers, which stand in
the head as they are: actor (the account id), query_id, conversation_id, session_id. They are read as ever.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from appliance.audit import canonical, entries
from appliance.audit.entries import (
    AnswerClosed,
    Entry,
    FeedbackGiven,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
    QuestionRewritten,
)
from appliance.audit.keys import Key, Keyring
from appliance.audit.tree import leaf_hash

SALT_BYTES = 32
CLOCK_TOLERANCE = timedelta(seconds=1)
"""How far wall time may go back between two entries without an entry about it."""

_OPEN_IDENTIFIERS = ("query_id", "key_epoch", "erased_sha256")
"""What entries are found or checked by, and so stands in heads as it is. It says nothing of a person."""

ERASED = b""
"""The payload of an entry whose content was erased. No entry is written with it."""

_UNSEARCHED = ("_id", "sha256", "digest", "actor_name", "flags")
"""How the names of fields end that a search for words passes over. People are found by their pseudonym."""

_PAYLOAD_HASH = re.compile(rb',"payload_sha256":"[0-9a-f]{64}"')
"""What a head has that it was sealed without. No text in canonical bytes can look like this: its quotes are escaped."""

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Moment:
    """When an entry was written."""

    time: datetime
    boot_id: str
    monotonic_us: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the log.

    `entry` is None when it is `damaged`, so that altered content is never shown (its bytes are not those the tree was
    built over; `verify` says more), when it stays `sealed` because its key is not there, or because its content was
    `erased` (`verify` says whether an erasure speaks of it), and when a newer release wrote it and this one does not
    know its type. `leaf_hash` stands for it in the tree.
    """

    seq: int
    type: str
    time: datetime | None
    boot_id: str
    entry: Entry | None
    damaged: bool
    sealed: bool = False
    erased: bool = False
    leaf_hash: bytes = b""


class QueryState(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    FAILED = "failed"  # closed with an error code
    UNFINISHED = "unfinished"  # never closed: still under way, or cut off by a crash
    DAMAGED = "damaged"  # the record of its answer was altered
    SEALED = "sealed"  # it ended, and the key to how is not there


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """Everything on record about one question. Feedback is in the order it came; the last one counts."""

    query_id: str
    asked: Recorded
    searched: Recorded | None
    closed: Recorded | None
    feedback_given: tuple[Recorded, ...]
    completed: Recorded | None = None

    @property
    def question(self) -> QuestionReceived | None:
        """What was asked, by whom; None when that entry is damaged or sealed."""
        return self.asked.entry if isinstance(self.asked.entry, QuestionReceived) else None

    @property
    def retrieval(self) -> PassagesRetrieved | None:
        """What was found for it and put before the model; None when it did not come to that, or is damaged."""
        return self.searched.entry if self.searched and isinstance(self.searched.entry, PassagesRetrieved) else None

    @property
    def completion(self) -> QuestionCompleted | None:
        """What a model made of a follow-up; None when none was asked, when that is damaged, and in older records."""
        return self.completed.entry if self.completed and isinstance(self.completed.entry, QuestionCompleted) else None

    @property
    def rewritten(self) -> QuestionRewritten | None:
        """How a model was asked to complete a follow-up, wherever that release put it on record."""
        found = self.completion or self.retrieval
        return found.rewritten if found else None

    @property
    def searched_for(self) -> str:
        """What was searched for, or was about to be; empty when it is not on record."""
        found = self.retrieval or self.completion
        return found.searched_for if found else ""

    @property
    def answer(self) -> AnswerClosed | None:
        """What came of it; None when nothing did, or when that entry is damaged."""
        return self.closed.entry if self.closed and isinstance(self.closed.entry, AnswerClosed) else None

    @property
    def feedback(self) -> tuple[FeedbackGiven, ...]:
        """What readers said of the answer."""
        return tuple(given.entry for given in self.feedback_given if isinstance(given.entry, FeedbackGiven))

    @property
    def seqs(self) -> tuple[int, ...]:
        """The numbers of all its entries, for an export."""
        parts = (self.asked, self.completed, self.searched, self.closed, *self.feedback_given)
        return tuple(sorted(part.seq for part in parts if part))

    @property
    def state(self) -> QueryState:
        """How the question ended."""
        if self.closed is None:
            return QueryState.UNFINISHED
        if self.answer is None:
            return QueryState.SEALED if self.closed.sealed else QueryState.DAMAGED
        return QueryState.FAILED if self.answer.error else QueryState.ANSWERED


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries, or which questions, are wanted. A part that is empty or None wants all.

    `text` is found anywhere in what was recorded, in any case, but for the names of people: in a single entry as it
    stands, and of a question each of its words somewhere (`search.terms`). `actor` is an account id.
    `since` is the first moment wanted and `until` the first one no longer wanted; of a question, the moment it was
    asked. Of single entries, those of `except_types` are left out. What follows belongs to questions: single entries
    are matched by `kind` and `verdict` if they have them. `kind` is that of an answer that came to its end, `verdict`
    the last one given, `group` one that the asker was in, `document` the id or a part of title or path of one that was
    found, `model` and `flag` are names.
    """

    text: str = ""
    actor: str = ""
    type: str = ""
    except_types: frozenset[str] = frozenset()
    kind: str = ""
    verdict: str = ""
    state: QueryState | None = None
    since: datetime | None = None
    until: datetime | None = None
    group: str = ""
    document: str = ""
    model: str = ""
    flag: str = ""


def seal(entry: Entry, seq: int, moment: Moment, key: Key) -> tuple[bytes, bytes]:
    """Head and payload of an entry, sealed with `key`.

    Raises:
        ValueError, TypeError: The entry holds something that is not plain JSON.
    """
    identifiers, told = entries.split(entry)
    content = canonical.to_bytes(
        {"content": told, "identifiers": identifiers, "salt": secrets.token_hex(SALT_BYTES)},
    )
    head = {
        "v": 2,
        "seq": seq,
        "type": entry.type,
        "time": to_text(moment.time),
        "boot_id": moment.boot_id,
        "monotonic_us": moment.monotonic_us,
        "actor": key.subject,
        **{name: identifiers[name] for name in _OPEN_IDENTIFIERS if name in identifiers},
        "content_sha256": hashlib.sha256(content).hexdigest(),
    }
    payload = key.seal(content, canonical.to_bytes(head))
    return canonical.to_bytes({**head, "payload_sha256": hashlib.sha256(payload).hexdigest()}), payload


def person_of(entry: Entry) -> str:
    """Whose key an entry is sealed with: the account that acted; empty where nobody did."""
    return str(getattr(entry, "actor", ""))


def month_of(moment: datetime) -> str:
    """Which month's key an entry of that moment is sealed with."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def unseal(seq: int, head: bytes, payload: bytes | None, stored_leaf: bytes | None, keys: Keyring | None) -> Recorded:
    """The entry that head and payload hold, shown only if both are what the tree was built over."""
    try:
        facts = canonical.from_bytes(head)
        type_name, time, boot_id = str(facts["type"]), to_time(facts["time"]), str(facts["boot_id"])
        if payload == ERASED and leaf_hash(head) == stored_leaf:
            return Recorded(seq, type_name, time, boot_id, None, damaged=False, sealed=True, erased=True)
        if payload is None or not is_intact(head, payload, stored_leaf):
            return Recorded(seq, type_name, time, boot_id, None, damaged=True)
        content = content_of(head, payload, keys)
        if content is None:
            return Recorded(seq, type_name, time, boot_id, None, damaged=False, sealed=True)
        held = canonical.from_bytes(content)
        known = type_name in entries.names_of_types()
        entry = entries.join(type_name, held.get("identifiers", facts), held["content"]) if known else None
        return Recorded(seq, type_name, time, boot_id, entry, damaged=False)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Recorded(seq, "", None, "", None, damaged=True)


def content_of(head: bytes, payload: bytes, keys: Keyring | None) -> bytes | None:
    """The content a payload holds; None when its key is not there.

    Raises:
        ValueError, KeyError: It is not the content the head was made for.
    """
    facts = canonical.from_bytes(head)
    if facts["v"] == 1:
        return payload
    key = keys.find(str(facts["actor"])) if keys else None
    if key is None:
        return None
    content = key.open(payload, _PAYLOAD_HASH.sub(b"", head, count=1))  # the head as it was when it was sealed
    if hashlib.sha256(content).hexdigest() != facts["content_sha256"]:
        raise ValueError("This is not the content that was recorded.")
    return content


def is_intact(head: object, payload: object, stored_leaf: object) -> bool:
    """Whether the payload is the head's, and the head the one the tree was built over. SQLite can hold any type."""
    if not isinstance(head, bytes) or not isinstance(payload, bytes) or leaf_hash(head) != stored_leaf:
        return False
    try:
        return bool(canonical.from_bytes(head)["payload_sha256"] == hashlib.sha256(payload).hexdigest())
    except (ValueError, KeyError):
        return False


def entry_matches(recorded: Recorded, wanted: LogFilter) -> bool:
    """Whether an entry holds what a filter looks for in the content."""
    content = entries.split(recorded.entry)[1] if recorded.entry else {}
    return (
        (not wanted.kind or (content.get("kind") == wanted.kind and not content.get("error")))
        and (not wanted.verdict or content.get("verdict") == wanted.verdict)
        and holds(wanted.text, strings(content))
    )


def to_text(time: datetime) -> str:
    """A moment as the log writes it; such texts sort as the moments do."""
    return time.astimezone(UTC).strftime(TIME_FORMAT)


def to_time(text: str) -> datetime:
    """The moment a text of the log stands for.

    Raises:
        ValueError: It is not in the form the log writes.
    """
    if len(text) != len("2026-01-31T12:00:00.000000Z") or not text.endswith("Z"):
        raise ValueError("This is not a time of the log.")
    return datetime.fromisoformat(text)


def holds(text: str, candidates: Iterable[str]) -> bool:
    """Whether one of these texts holds a text, in any case."""
    wanted = folded(text)
    return not wanted or any(wanted in folded(candidate) for candidate in candidates)


def folded(text: str) -> str:
    """A text without what case and composition make different."""
    return unicodedata.normalize("NFC", text).casefold()


def strings(value: Any) -> Iterable[str]:
    """The texts in recorded content that people look for words in: no identifiers, and nobody's name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not name.endswith(_UNSEARCHED):
                yield from strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from strings(inner)
