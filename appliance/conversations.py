"""A person's own conversations: what they asked, what they were shown, in the order of asking.

Rules this module keeps:

1. Every call names the person; a conversation of somebody else is `NotFound`.
2. A turn refers to its passages by chunk id, those that were not cited too. Whoever shows a turn checks access to
   all of them again at that moment.
3. Deleting a conversation removes it from here. The query log keeps its own record.
4. What is erased of a month takes the titles of conversations with it: they were made of a question.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from appliance.database import Database, Moment, metadata
from appliance.domain import AnswerKind, Grounding, StatementCheck
from appliance.errors import NotFound

_TITLE_CHARACTERS = 80

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("person_id", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("citations", Text, nullable=False),
    Column("notices", Text, nullable=False),
    Column("feedback", String(8), nullable=False),
    Column("searched_for", Text, nullable=False),
    Column("grounding", Text, nullable=False),
    Column("highlights", Text, nullable=False),
    Column("drew_on", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation as the history lists it."""

    id: str
    title: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A question and what was shown for it. `citations` are (number, chunk id); `drew_on` every chunk id its words
    came from, cited or not.

    `searched_for` is empty where it was the question itself; `grounding` and `highlights` are those of the answer.
    """

    query_id: str
    question: str
    answer: str
    kind: AnswerKind
    citations: tuple[tuple[int, str], ...]
    notices: tuple[str, ...]
    asked_at: datetime
    feedback: str = ""
    searched_for: str = ""
    grounding: Grounding | None = None
    highlights: tuple[tuple[int, int], ...] = ()
    drew_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PraisedTurn:
    """A turn whose answer the person who asked found helpful, and their questions before it, oldest first."""

    person_id: str
    turn: StoredTurn
    earlier: tuple[str, ...]


class Conversations:
    """Conversations in SQL. Raises CatalogUnavailable when the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self) -> str:
        """An identifier for a new conversation; it is stored with its first turn."""
        return str(uuid.uuid4())

    def add(self, conversation_id: str, person_id: str, turn: StoredTurn) -> None:
        """Append a turn. Raises NotFound when the conversation is somebody else's."""
        with self._database.write() as connection:
            owner = connection.execute(
                select(conversations.c.person_id).where(conversations.c.id == conversation_id)
            ).scalar()
            if owner is None:
                connection.execute(
                    insert(conversations).values(
                        id=conversation_id,
                        person_id=person_id,
                        title=_title(turn.question),
                        updated_at=turn.asked_at,
                    )
                )
            elif owner != person_id:
                raise NotFound
            else:
                connection.execute(
                    update(conversations).where(conversations.c.id == conversation_id).values(updated_at=turn.asked_at)
                )
            position = connection.execute(
                select(func.coalesce(func.max(turns.c.position) + 1, 0)).where(
                    turns.c.conversation_id == conversation_id
                )
            ).scalar_one()
            connection.execute(
                insert(turns).values(
                    query_id=turn.query_id,
                    conversation_id=conversation_id,
                    position=position,
                    asked_at=turn.asked_at,
                    question=turn.question,
                    answer=turn.answer,
                    kind=turn.kind.value,
                    citations=json.dumps(turn.citations),
                    notices=json.dumps(turn.notices),
                    feedback=turn.feedback,
                    searched_for=turn.searched_for,
                    grounding=json.dumps(asdict(turn.grounding)) if turn.grounding else "",
                    highlights=json.dumps(turn.highlights),
                    drew_on=json.dumps(turn.drew_on),
                )
            )

    def recent(self, person_id: str, *, limit: int) -> list[ConversationSummary]:
        """A person's conversations, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(conversations)
                .where(conversations.c.person_id == person_id)
                .order_by(conversations.c.updated_at.desc(), conversations.c.id)
                .limit(limit)
            )
            return [ConversationSummary(id=row.id, title=row.title, updated_at=row.updated_at) for row in rows]

    def turns(self, conversation_id: str, person_id: str) -> Sequence[StoredTurn]:
        """The turns of a conversation, oldest first. Raises NotFound."""
        with self._database.read() as connection:
            _require(connection, conversation_id, person_id)
            rows = connection.execute(
                select(turns).where(turns.c.conversation_id == conversation_id).order_by(turns.c.position)
            )
            return [_turn(row) for row in rows]

    def require_turn(self, query_id: str, person_id: str) -> None:
        """Raises NotFound unless the person asked this query in one of their conversations."""
        owned = select(conversations.c.id).where(conversations.c.person_id == person_id)
        query = select(turns.c.query_id).where(turns.c.query_id == query_id, turns.c.conversation_id.in_(owned))
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                raise NotFound

    def praised(self) -> list[PraisedTurn]:
        """Every turn whose answer was found helpful, whoever asked, by the time of asking.

        For machines alone: nobody but the person is shown what they asked.
        """
        query = (
            select(turns, conversations.c.person_id).join(conversations).order_by(turns.c.asked_at, turns.c.query_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.where(turns.c.feedback == "up")).all()
            return [
                PraisedTurn(row.person_id, _turn(row), tuple(connection.execute(_questions_before(row)).scalars()))
                for row in rows
            ]

    def set_feedback(self, query_id: str, person_id: str, verdict: str) -> None:
        """Note a person's verdict on an answer of theirs. Raises NotFound."""
        with self._database.write() as connection:
            owned = select(conversations.c.id).where(conversations.c.person_id == person_id)
            changed = connection.execute(
                update(turns)
                .where(turns.c.query_id == query_id, turns.c.conversation_id.in_(owned))
                .values(feedback=verdict)
            )
        if changed.rowcount == 0:
            raise NotFound

    def delete(self, conversation_id: str, person_id: str) -> None:
        """Remove a conversation. Raises NotFound."""
        with self._database.write() as connection:
            _require(connection, conversation_id, person_id)
            connection.execute(delete(conversations).where(conversations.c.id == conversation_id))

    def months(self) -> list[tuple[str, str]]:
        """Whose turns there are of which month ("2026-03")."""
        query = select(conversations.c.person_id, _MONTH).join(turns).distinct()
        with self._database.read() as connection:
            return [(person_id, month) for person_id, month in connection.execute(query)]

    def count(self, person_id: str, month: str) -> int:
        """How many turns a person has of a month."""
        with self._database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(turns).where(_of_month(person_id, month))
            ).scalar_one()

    def erase(self, person_id: str, month: str) -> None:
        """Remove a person's turns of a month, and the conversations of which nothing is left."""
        with self._database.write() as connection:
            of_month = _of_month(person_id, month)
            touched = set(connection.execute(select(turns.c.conversation_id).where(of_month)).scalars())
            connection.execute(delete(turns).where(of_month))
            for conversation_id in touched:
                _name_anew(connection, conversation_id)

    def all_turns(self, person_id: str) -> list[StoredTurn]:
        """Every turn of a person, by the time of asking."""
        query = select(turns).join(conversations).where(conversations.c.person_id == person_id)
        with self._database.read() as connection:
            return [_turn(row) for row in connection.execute(query.order_by(turns.c.asked_at, turns.c.query_id))]


_MONTH = func.strftime("%Y-%m", turns.c.asked_at)


def _of_month(person_id: str, month: str) -> Any:
    owned = select(conversations.c.id).where(conversations.c.person_id == person_id)
    return turns.c.conversation_id.in_(owned) & (month == _MONTH)


def _name_anew(connection: Connection, conversation_id: str) -> None:
    """Name a conversation by the first question that is left of it; remove it when none is."""
    left = select(turns.c.question).where(turns.c.conversation_id == conversation_id).order_by(turns.c.position)
    question = connection.execute(left.limit(1)).scalar()
    this = conversations.c.id == conversation_id
    if question is None:
        connection.execute(delete(conversations).where(this))
    else:
        connection.execute(update(conversations).where(this).values(title=_title(question)))


def _title(question: str) -> str:
    return " ".join(question.split())[:_TITLE_CHARACTERS]


def _require(connection: Connection, conversation_id: str, person_id: str) -> None:
    found = connection.execute(
        select(conversations.c.id).where(conversations.c.id == conversation_id, conversations.c.person_id == person_id)
    ).first()
    if found is None:
        raise NotFound


def _questions_before(row: Row[Any]) -> Select[Any]:
    same = turns.c.conversation_id == row.conversation_id
    return select(turns.c.question).where(same, turns.c.position < row.position).order_by(turns.c.position)


def _turn(row: Row[Any]) -> StoredTurn:
    return StoredTurn(
        query_id=row.query_id,
        question=row.question,
        answer=row.answer,
        kind=AnswerKind(row.kind),
        citations=tuple((number, chunk) for number, chunk in json.loads(row.citations)),
        notices=tuple(json.loads(row.notices)),
        asked_at=row.asked_at,
        feedback=row.feedback,
        searched_for=row.searched_for,
        grounding=_grounding(json.loads(row.grounding)) if row.grounding else None,
        highlights=tuple((start, end) for start, end in json.loads(row.highlights)),
        drew_on=tuple(json.loads(row.drew_on)),
    )


def _grounding(stored: Mapping[str, Any]) -> Grounding:
    checks = (
        StatementCheck(**{**check, "cited": tuple(check["cited"]), "numbers_missing": tuple(check["numbers_missing"])})
        for check in stored["statements"]
    )
    return Grounding(stored["score"], tuple(checks))
