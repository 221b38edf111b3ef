"""Everything there is about a person: what they did, what they keep here, and what others did that concerned them.

Rules this module keeps:

1. Everything of the person's own is handed out as it was recorded. Entries whose key is gone are named as such.
2. Of what others did only what names the person, or looked at a question of theirs, is handed out, with the reason for
   which the log was opened; and that it was an officer, an administrator or the appliance, never who: the right of
   access does not extend to those who act for the organisation.
3. Secrets are not handed out: no password hash, no second factor, no session or token.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.access_requests import AccessRequest, AccessRequests
from appliance.audit import entries
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter, Recorded
from appliance.auth.standing import Person
from appliance.conversations import Conversations, StoredTurn

_ALL = 2**62
_OWN_ALONE = frozenset(
    {
        *(kind.type for kind in (entries.QuestionReceived, entries.QuestionCompleted, entries.PassagesRetrieved)),
        *(kind.type for kind in (entries.AnswerClosed, entries.FeedbackGiven, entries.SignedIn, entries.SignedOut)),
        *(kind.type for kind in (entries.SignInFailed, entries.LogOpened, entries.LogClosed, entries.ClockStepped)),
        *(kind.type for kind in (entries.ContentErased, entries.ExpiryAnnounced)),
    }
)
"""Entries that say nothing about another person than the one who acted."""
_WHO_IT_WAS = ("actor_name", "session_id")
"""What tells who acted, besides `actor`."""


@dataclass(frozen=True, slots=True)
class About:
    """Everything about a person. Entries are in the order of the log.

    `reasons` are why the log had been opened to whoever made those of the entries `by_others`, by their numbers.
    """

    person: Person
    made_at: datetime
    checkpoint: Checkpoint
    own: tuple[Recorded, ...]
    by_others: tuple[Recorded, ...]
    turns: tuple[StoredTurn, ...]
    requests: tuple[AccessRequest, ...]
    reasons: Mapping[int, str]


def gather(
    log: QueryLog, person: Person, conversations: Conversations, requests: AccessRequests, opening_lasts_s: float
) -> About:
    """Everything about a person. Raises AuditUnavailable, CatalogUnavailable."""
    own = log.entries(LogFilter(actor=person.id), limit=_ALL)[::-1]
    asked = {query_id for recorded in own if (query_id := getattr(recorded.entry, "query_id", ""))}
    by_others = tuple(sorted(_by_others(log, person, asked), key=lambda recorded: recorded.seq))
    return About(
        person=person,
        made_at=datetime.now(UTC),
        checkpoint=log.checkpoint(),
        own=own,
        by_others=by_others,
        turns=tuple(conversations.all_turns(person.id)),
        requests=tuple(requests.of(person.id)),
        reasons=dict(_reasons(log, by_others, timedelta(seconds=opening_lasts_s))),
    )


def _by_others(log: QueryLog, person: Person, asked: set[str]) -> Iterator[Recorded]:
    named = re.compile("|".join(rf"(?<![\w.@-]){re.escape(name)}(?![\w@-])" for name in (person.id, person.name)))
    for kind in entries.names_of_types():
        if kind in _OWN_ALONE:
            continue
        for recorded in log.entries(LogFilter(type=kind), limit=_ALL):
            if recorded.entry is not None and _concerns(recorded.entry, person, asked, named):
                yield recorded


def _reasons(log: QueryLog, by_others: Iterable[Recorded], lasts: timedelta) -> Iterator[tuple[int, str]]:
    """Why the log was open to each of those who read it, where that is certain: nobody else's matter is handed out."""
    openings = defaultdict[str, list[tuple[Recorded, entries.DeskOpened]]](list)  # of each officer, the newest first
    for recorded in log.entries(LogFilter(type=entries.DeskOpened.type), limit=_ALL):
        if isinstance(recorded.entry, entries.DeskOpened):
            openings[recorded.entry.actor].append((recorded, recorded.entry))
    for recorded in by_others:
        read = recorded.entry
        if isinstance(read, entries.LogRead | entries.QueryReplayed | entries.LogExported):
            before = [opening for opening in openings[read.actor] if opening[0].seq < recorded.seq]
            if read.session_id:
                found = [opened for _, opened in before if opened.session_id == read.session_id][:1]
            else:  # of an older release, which did not say by which of several openings it was
                found = [opened for opening, opened in before if _lasted(opening, recorded, lasts)]
            if len(found) == 1:
                yield recorded.seq, found[0].reason


def _lasted(opening: Recorded, until: Recorded, lasts: timedelta) -> bool:
    return opening.time is not None and until.time is not None and until.time - opening.time < lasts


def _concerns(entry: entries.Entry, person: Person, asked: set[str], named: re.Pattern[str]) -> bool:
    if getattr(entry, "actor", "") == person.id:
        return False
    if getattr(entry, "query_id", "") in asked:
        return True
    return any(named.search(text.casefold()) for text in _texts(entries.split(entry)[1]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def as_json(about: About) -> str:
    """Everything, for programs."""
    return json.dumps(
        {
            "format": "strongroom-subject-access/1",
            "made_at": about.made_at.isoformat(),
            "checkpoint": about.checkpoint.text(),
            "account": _account(about.person),
            "own_entries": [_entry(recorded) for recorded in about.own],
            "entries_by_others": [_by_another(recorded, about) for recorded in about.by_others],
            "conversations": [asdict(turn) for turn in about.turns],
            "access_requests": [_request(request) for request in about.requests],
        },
        ensure_ascii=False,
        indent=1,
        default=str,
    )


def _account(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "display_name": person.display_name,
        "roles": sorted(role.value for role in person.roles),
        "groups": sorted(person.groups),
        "clearance": person.clearance,
        "directory": person.directory,
        "subject_in_directory": person.subject,
        "created_at": person.created_at.isoformat(),
        "disabled": person.shut_out,
        "second_factor": person.totp_on,
    }


def _entry(recorded: Recorded) -> dict[str, Any]:
    content = None
    if recorded.entry is not None:
        identifiers, told = entries.split(recorded.entry)
        content = {name: value for name, value in {**identifiers, **told}.items() if name != "actor"}
    time = recorded.time.isoformat() if recorded.time else None
    return {"entry": recorded.seq, "type": recorded.type, "time": time, "content": content}


def _by_another(recorded: Recorded, about: About) -> dict[str, Any]:
    found = _entry(recorded)
    if found["content"] is not None:
        found["content"] = {name: value for name, value in found["content"].items() if name not in _WHO_IT_WAS}
    return {**found, "why": about.reasons.get(recorded.seq)}


def _request(request: AccessRequest) -> dict[str, Any]:
    return {
        "group": request.group,
        "reason": request.reason,
        "asked_at": request.asked_at.isoformat(),
        "decided_at": request.decided_at.isoformat() if request.decided_at else None,
        "approved": request.approved,
        "answer": request.answer,
    }
