"""A person's own conversations: what they asked, what they were shown, in the order of asking.

Rules this module keeps:

1. Every call names the person; a conversation of somebody else is `NotFound`.
2. A turn refers to its passages by chunk id, those that were not cited too. Whoever shows a turn checks access to
   all of them again at that moment.
3. Deleting a conversation removes it from here. The query log keeps its own record.
4. What was asked and what was shown is sealed with the key that the query log has of the person for that month, bound
   to the turn: a copy of the database says nothing of it without the keys, and nothing at all once they are destroyed.
   A turn whose key is gone says so in its place.
5. A conversation is called by its first question that is left. No title is stored.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from appliance.audit.keys import Key, opened
from appliance.audit.log import QueryLog
from appliance.audit.records import folded, month_of
from appliance.database import Database, Moment, metadata, month_in
from appliance.domain import AnswerKind, Grounding, StatementCheck
from appliance.errors import NotFound

_TITLE_CHARACTERS = 80
_LOST_QUESTION = "This question cannot be read any more: its key is gone."
_LOST_ANSWER = "This answer cannot be read any more: its key is gone."

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("person_id", String(64), nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("query_id", String(36), primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("feedback", String(8), nullable=False),
    Column("question", LargeBinary, nullable=False),  # sealed
    Column("shown", LargeBinary, nullable=False),  # sealed: the answer and what belongs to it, as JSON
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

    `searched_for` is empty where it was the question itself; `grounding`, `highlights` and `quoted_at` are those
    of the answer; releases before kept no `quoted_at`.
    Question and answer of one that is not `is_readable` say that their key is gone; of what belongs to them nothing is
    known.
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
    quoted_at: tuple[tuple[int, int], ...] = ()
    drew_on: tuple[str, ...] = ()
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class PraisedTurn:
    """A turn whose answer the person who asked found helpful, and their questions before it, oldest first."""

    person_id: str
    turn: StoredTurn
    earlier: tuple[str, ...]


class Conversations:
    """Conversations in SQL, sealed with the keys of the log.

    Raises CatalogUnavailable when the database fails, AuditUnavailable when the file of keys does.
    """

    def __init__(self, database: Database, log: QueryLog) -> None:
        self._database = database
        self._log = log

    def start(self) -> str:
        """An identifier for a new conversation; it is stored with its first turn."""
        return str(uuid.uuid4())

    def add(self, conversation_id: str, person_id: str, turn: StoredTurn, *, goes_on: bool = False) -> None:
        """Append a turn; nothing, where a conversation that `goes_on` has been deleted meanwhile.

        Raises NotFound when the conversation is somebody else's.
        """
        key = self._log.key_of(person_id, month_of(turn.asked_at))
        with self._database.write() as connection:
            owner = connection.execute(
                select(conversations.c.person_id).where(conversations.c.id == conversation_id)
            ).scalar()
            if owner is None:
                if goes_on:
                    return
                connection.execute(
                    insert(conversations).values(id=conversation_id, person_id=person_id, updated_at=turn.asked_at)
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
                    kind=turn.kind.value,
                    feedback=turn.feedback,
                    **sealed(turn.query_id, person_id, turn.question, _shown(turn), key),
                )
            )

    def recent(self, person_id: str, *, limit: int, words: str = "") -> list[ConversationSummary]:
        """A person's conversations, newest first.

        Args:
            person_id: Whose.
            limit: How many at most.
            words: Only those whose first question has all of these in it, in any order; a word may be a part of one.
        """
        query: Select[Any] = (
            select(conversations.c.id, conversations.c.updated_at, *_OF_A_QUESTION)
            .join(turns)
            .where(conversations.c.person_id == person_id, turns.c.position == _FIRST)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id)
        )
        wanted = folded(words).split()
        with self._database.read() as connection:  # what is sealed no database can search
            rows = connection.execute(query if wanted else query.limit(limit)).all()
        keys = self._log.keys_of(person_id)
        questions = ((row, _question(row, person_id, keys)) for row in rows)
        found = ((row, question) for row, question in questions if all(word in folded(question) for word in wanted))
        return [ConversationSummary(row.id, _title(question), row.updated_at) for row, question in islice(found, limit)]

    def turns(self, conversation_id: str, person_id: str) -> Sequence[StoredTurn]:
        """The turns of a conversation, oldest first. Raises NotFound."""
        with self._database.read() as connection:
            _require(connection, conversation_id, person_id)
            rows = connection.execute(
                select(turns).where(turns.c.conversation_id == conversation_id).order_by(turns.c.position)
            ).all()
        keys = self._log.keys_of(person_id)
        return [_turn(row, person_id, keys) for row in rows]

    def require_turn(self, query_id: str, person_id: str) -> None:
        """Raises NotFound unless the person asked this query in one of their conversations."""
        owned = select(conversations.c.id).where(conversations.c.person_id == person_id)
        query = select(turns.c.query_id).where(turns.c.query_id == query_id, turns.c.conversation_id.in_(owned))
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                raise NotFound

    def praised(self) -> list[PraisedTurn]:
        """Every turn whose answer was found helpful and can be read, whoever asked, by the time of asking.

        For an evaluation, which shows nobody but the person what they asked; and for who has put on record why.
        """
        query = (
            select(turns, conversations.c.person_id).join(conversations).order_by(turns.c.asked_at, turns.c.query_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.where(turns.c.feedback == "up")).all()
            before = [connection.execute(_questions_before(row)).all() for row in rows]
        keys = {person_id: self._log.keys_of(person_id) for person_id in {row.person_id for row in rows}}
        found = (_praised(row, earlier, keys[row.person_id]) for row, earlier in zip(rows, before, strict=True))
        return [praised for praised in found if praised.turn.is_readable]

    def asked_among(self, query_ids: Iterable[str]) -> frozenset[str]:
        """Those of some ids that are of questions people asked: of turns, or on record where their turn is gone."""
        possible = [query_id for query_id in query_ids if query_id.isascii() and query_id.isprintable()]
        with self._database.read() as connection:
            there = connection.execute(select(turns.c.query_id).where(turns.c.query_id.in_(possible))).scalars().all()
        return self._log.asked_among(possible).union(there)

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
        is_left = select(turns.c.query_id).where(turns.c.conversation_id == conversations.c.id).exists()
        with self._database.write() as connection:
            connection.execute(delete(turns).where(_of_month(person_id, month)))
            connection.execute(delete(conversations).where(conversations.c.person_id == person_id, ~is_left))

    def all_turns(self, person_id: str) -> list[StoredTurn]:
        """Every turn of a person, by the time of asking."""
        query = select(turns).join(conversations).where(conversations.c.person_id == person_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(turns.c.asked_at, turns.c.query_id)).all()
        keys = self._log.keys_of(person_id)
        return [_turn(row, person_id, keys) for row in rows]


_MONTH = month_in(turns.c.asked_at)
_OF_A_QUESTION = (turns.c.query_id, turns.c.asked_at, turns.c.question)
_same = turns.alias()
_ASKS = case((_same.c.kind != AnswerKind.COURTESY.value, _same.c.position))  # a greeting does not
_FIRST = (
    select(func.coalesce(func.min(_ASKS), func.min(_same.c.position)))
    .where(_same.c.conversation_id == turns.c.conversation_id)
    .scalar_subquery()
)
"""The place of the first question of a conversation; of its first message where all of them only greet."""


def sealed(query_id: str, person_id: str, question: str, shown: Mapping[str, Any], key: Key) -> dict[str, bytes]:
    """The sealed columns of a turn.

    Raises:
        UnicodeEncodeError: A text holds half a character.
    """
    told = json.dumps(shown, ensure_ascii=False)
    return {
        name: key.seal(words.encode("utf-8"), _place(name, query_id, person_id))
        for name, words in (("question", question), ("shown", told))
    }


def _of_month(person_id: str, month: str) -> Any:
    owned = select(conversations.c.id).where(conversations.c.person_id == person_id)
    return turns.c.conversation_id.in_(owned) & (month == _MONTH)


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
    return select(*_OF_A_QUESTION).where(same, turns.c.position < row.position).order_by(turns.c.position)


def _praised(row: Row[Any], earlier: Sequence[Row[Any]], keys: Mapping[str, Key]) -> PraisedTurn:
    turn = _turn(row, row.person_id, keys)
    return PraisedTurn(row.person_id, turn, tuple(_question(before, row.person_id, keys) for before in earlier))


def _place(column: str, query_id: str, person_id: str) -> bytes:
    """What a sealed column belongs to."""
    return f"turns.{column} {query_id} {person_id}".encode()


def _opened(column: str, row: Row[Any], person_id: str, keys: Mapping[str, Key]) -> str | None:
    """What a column holds; None when its key is gone."""
    key = keys.get(month_of(row.asked_at))
    return opened(key, row._mapping[column], _place(column, row.query_id, person_id))


def _question(row: Row[Any], person_id: str, keys: Mapping[str, Key]) -> str:
    question = _opened("question", row, person_id, keys)
    return _LOST_QUESTION if question is None else question


def _turn(row: Row[Any], person_id: str, keys: Mapping[str, Key]) -> StoredTurn:
    question, told = _question(row, person_id, keys), _opened("shown", row, person_id, keys)
    shown: dict[str, Any] = json.loads(told) if told is not None else {"answer": _LOST_ANSWER}
    return StoredTurn(
        query_id=row.query_id,
        question=question,
        answer=shown["answer"],
        kind=AnswerKind(row.kind),
        citations=tuple((number, chunk) for number, chunk in shown.get("citations", ())),
        notices=tuple(shown.get("notices", ())),
        asked_at=row.asked_at,
        feedback=row.feedback,
        searched_for=shown.get("searched_for", ""),
        grounding=_grounding(shown["grounding"]) if shown.get("grounding") else None,
        highlights=tuple((start, end) for start, end in shown.get("highlights", ())),
        quoted_at=tuple((number, at) for number, at in shown.get("quoted_at", ())),
        drew_on=tuple(shown.get("drew_on", ())),
        is_readable=told is not None,
    )


def _shown(turn: StoredTurn) -> dict[str, Any]:
    return {
        "answer": turn.answer,
        "citations": turn.citations,
        "notices": turn.notices,
        "searched_for": turn.searched_for,
        "grounding": asdict(turn.grounding) if turn.grounding else None,
        "highlights": turn.highlights,
        "quoted_at": turn.quoted_at,
        "drew_on": turn.drew_on,
    }


def _grounding(stored: Mapping[str, Any]) -> Grounding:
    checks = (
        StatementCheck(**{**check, "cited": tuple(check["cited"]), "numbers_missing": tuple(check["numbers_missing"])})
        for check in stored["statements"]
    )
    return Grounding(stored["score"], tuple(checks))
