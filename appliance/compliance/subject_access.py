"""Everything there is about a person: what they did, what they keep here, and what others did that concerned them.

Rules this module keeps:

1. Everything of the person's own is handed out as it was recorded. Entries whose key is gone are named as such.
2. Of what others did only what names the person, by account, name or the pseudonym that the desk knows them by, or
   looked at a question of theirs, is handed out, with the reason for which the log was opened; and that it was an
   officer, an administrator or the appliance, never who: the right of access does not extend to those who act for the
   organisation. What others asked and were answered is theirs, whomever it names (`_OWN_ALONE`).
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
from appliance.compliance.pseudonyms import Pseudonyms, mentioned
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
"""Entries that are of the one who acted alone: what they asked and were answered, whomever it names, and what says
nothing of anybody else."""
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
    log: QueryLog,
    person: Person,
    pseudonyms: Pseudonyms,
    conversations: Conversations,
    requests: AccessRequests,
    opening_lasts_s: float,
) -> About:
    """Everything about a person. Raises AuditUnavailable, CatalogUnavailable."""
    own = log.entries(LogFilter(actor=person.id), limit=_ALL)[::-1]
    asked = {query_id for recorded in own if (query_id := getattr(recorded.entry, "query_id", ""))}
    whom = _Whom(person, pseudonyms.of(person.id), asked)
    by_others = tuple(sorted(_by_others(log, whom), key=lambda recorded: recorded.seq))
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


class _Whom:
    """Whom entries are looked through for: a person, and the questions that they `asked`."""

    def __init__(self, person: Person, pseudonym: str, asked: set[str]) -> None:
        names = "|".join(rf"(?<![\w.@-]){re.escape(name)}(?![\w@-])" for name in (person.id, person.name))
        self._named, self._account, self._pseudonym, self._asked = re.compile(names), person.id, pseudonym, asked

    def concerns(self, entry: entries.Entry) -> bool:
        """Whether something that another did is about the person, or about a question of theirs."""
        if getattr(entry, "actor", "") == self._account:
            return False
        if getattr(entry, "query_id", "") in self._asked:
            return True
        return any(map(self._stand_in, _texts(entries.split(entry)[1])))

    def _stand_in(self, text: str) -> bool:
        return bool(self._named.search(text.casefold())) or self._pseudonym in mentioned(text)


def _by_others(log: QueryLog, whom: _Whom) -> Iterator[Recorded]:
    for kind in entries.names_of_types():
        if kind in _OWN_ALONE:
            continue
        for recorded in log.entries(LogFilter(type=kind), limit=_ALL):
            if recorded.entry is not None and whom.concerns(recorded.entry):
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
