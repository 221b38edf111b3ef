"""What people ask to be given: a group, or whatever they write to those who run the appliance.

Rules this module keeps:

1. Asking says nothing about what there is: any group may be asked for, whether it exists or not.
2. Nobody decides about what they asked for themselves.
3. A decision is made once. What follows from it is done by whoever makes it.
4. Reason and answer are sealed with the key that the query log has of who asked for that month, as their conversations
   are. Where it is gone, they say so. The group stands in the open, so that it can be given all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from appliance.audit.keys import Key, opened
from appliance.audit.log import QueryLog
from appliance.audit.records import month_of
from appliance.auth.accounts import now_utc
from appliance.auth.tables import MAX_LABEL_CHARACTERS, people
from appliance.database import Database, Moment, metadata, month_in
from appliance.errors import AccessDenied, Conflict, NotFound

MAX_OPEN = 20
"""Requests of one person that wait for a decision."""

_LOST = "This cannot be read any more: its key is gone."

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("person_id", ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("group_name", String(MAX_LABEL_CHARACTERS), nullable=False),  # empty: none was named
    Column("asked_at", Moment, nullable=False),
    Column("decided_at", Moment, nullable=True),
    Column("decided_by", String(64), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("reason", LargeBinary, nullable=False),  # sealed
    Column("answer", LargeBinary, nullable=False),  # sealed; empty until there is a decision
)


_MONTH = month_in(access_requests.c.asked_at)


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """That somebody asked for access, and what became of it; `decided_at` is None while it waits."""

    id: str
    person_id: str
    person: str
    group: str
    reason: str
    asked_at: datetime
    decided_at: datetime | None
    approved: bool
    answer: str


class AccessRequests:
    """What people asked to be given, sealed with the keys of the log."""

    def __init__(self, database: Database, log: QueryLog, clock: Callable[[], datetime] = now_utc) -> None:
        self._database = database
        self._log = log
        self._clock = clock

    def ask(self, person_id: str, group: str, reason: str) -> None:
        """Keep a request. Raises Conflict when too many of this person wait already."""
        waiting = select(func.count()).where(
            access_requests.c.person_id == person_id, access_requests.c.decided_at.is_(None)
        )
        request_id, now = str(uuid.uuid4()), self._clock()
        key = self._log.key_of(person_id, month_of(now))
        with self._database.write() as connection:
            if connection.execute(waiting).scalar_one() >= MAX_OPEN:
                raise Conflict(f"{MAX_OPEN} of your requests wait for an answer. Wait for some to be answered.")
            connection.execute(
                insert(access_requests).values(
                    id=request_id,
                    person_id=person_id,
                    group_name=group,
                    reason=sealed("reason", request_id, person_id, reason, key),
                    asked_at=now,
                    decided_at=None,
                    decided_by="",
                    approved=False,
                    answer=b"",
                )
            )

    def of(self, person_id: str) -> list[AccessRequest]:
        """What one person asked for, the newest first."""
        return self._found(access_requests.c.person_id == person_id)

    def waiting(self) -> list[AccessRequest]:
        """What waits for a decision, the newest first."""
        return self._found(access_requests.c.decided_at.is_(None))

    def one(self, request_id: str) -> AccessRequest:
        """One request. Raises NotFound."""
        found = self._found(access_requests.c.id == request_id)
        if not found:
            raise NotFound("There is no such request.")
        return found[0]

    def decide(self, request_id: str, by: str, *, approved: bool, answer: str) -> None:
        """Note a decision. Raises NotFound, Conflict when there is one already, AccessDenied for one's own request."""
        asked = self.one(request_id)
        require_of_somebody_else(asked, by)
        key = self._log.key_of(asked.person_id, month_of(asked.asked_at))
        undecided = (access_requests.c.id == request_id) & access_requests.c.decided_at.is_(None)
        decision = {"decided_at": self._clock(), "decided_by": by, "approved": approved}
        with self._database.write() as connection:
            told = sealed("answer", request_id, asked.person_id, answer, key)
            changed = connection.execute(update(access_requests).where(undecided).values(answer=told, **decision))
            if changed.rowcount == 0:
                raise Conflict("This request was decided already.")

    def months(self) -> list[tuple[str, str]]:
        """Who asked in which month ("2026-03")."""
        query = select(access_requests.c.person_id, _MONTH).distinct()
        with self._database.read() as connection:
            return [(person_id, month) for person_id, month in connection.execute(query)]

    def erase(self, person_id: str, month: str) -> None:
        """Remove what a person asked for in a month."""
        with self._database.write() as connection:
            connection.execute(delete(access_requests).where(_of_month(person_id, month)))

    def _found(self, condition: Any) -> list[AccessRequest]:
        query = (
            select(access_requests, people.c.name)
            .join(people, people.c.id == access_requests.c.person_id)
            .where(condition)
            .order_by(access_requests.c.asked_at.desc(), access_requests.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        keys = {person_id: self._log.keys_of(person_id) for person_id in {row.person_id for row in rows}}
        return [_request(row, keys[row.person_id].get(month_of(row.asked_at))) for row in rows]


def _of_month(person_id: str, month: str) -> Any:
    return (access_requests.c.person_id == person_id) & (month == _MONTH)


def require_of_somebody_else(request: AccessRequest, by: str) -> None:
    """Raises AccessDenied when somebody is to decide about their own request."""
    if request.person_id == by:
        raise AccessDenied("Nobody decides about what they asked for themselves. Leave it to another administrator.")


def sealed(column: str, request_id: str, person_id: str, words: str, key: Key) -> bytes:
    """A sealed column of a request.

    Raises:
        UnicodeEncodeError: A text holds half a character.
    """
    return key.seal(words.encode("utf-8"), _place(column, request_id, person_id))


def _place(column: str, request_id: str, person_id: str) -> bytes:
    """What a sealed column belongs to."""
    return f"access_requests.{column} {request_id} {person_id}".encode()


def _words(column: str, row: Row[Any], key: Key | None) -> str:
    words = opened(key, row._mapping[column], _place(column, row.id, row.person_id))
    return _LOST if words is None else words


def _request(row: Row[Any], key: Key | None) -> AccessRequest:
    return AccessRequest(
        row.id,
        row.person_id,
        row.name,
        row.group_name,
        _words("reason", row, key),
        row.asked_at,
        row.decided_at,
        row.approved,
        _words("answer", row, key) if row.decided_at else "",
    )
