"""Sealing what an older release kept of people's words in plain text, once, at the first start after the update.

Rules this module keeps:

1. A migration has set the plain rows aside, and made a row for each that holds nothing yet. Here each is sealed with
   its person's key of its month, some at a time; a start that is cut off is gone on with by the next one.
2. The plain rows stay until all are sealed. Then they are removed, which overwrites every page of them, and the side
   file is emptied; that this is still to be done stands in the database until it is done. They go some at a time: what
   one statement removes, SQLite keeps beside it until that has ended, outside this folder if it is much.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    column,
    delete,
    inspect,
    select,
    table,
    update,
)
from sqlalchemy.schema import CreateTable, DropTable

from appliance import access_requests, conversations
from appliance.access_requests import access_requests as requests
from appliance.audit.keys import Key
from appliance.audit.log import QueryLog
from appliance.audit.records import month_of
from appliance.conversations import conversations as talks
from appliance.conversations import turns
from appliance.database import Database

KeyOf = Callable[[str, str], Key]
_BATCH = 500
_UNSEALED = b""
_PLAIN = ("plain_turns", "plain_conversations", "plain_access_requests")  # what refers to another one comes first
_TO_CLEAR = Table("side_files_to_clear", MetaData(), Column("what", Integer))

_turn = table(
    "plain_turns",
    column("rowid", Integer),
    column("query_id", Text),
    *(
        column(name, Text)
        for name in ("question", "answer", "citations", "notices", "searched_for", "grounding", "highlights", "drew_on")
    ),
)
_TURNS = (
    select(_turn, turns.c.asked_at, talks.c.person_id)
    .join(turns, turns.c.query_id == _turn.c.query_id)
    .join(talks, talks.c.id == turns.c.conversation_id)
    .where(turns.c.question == _UNSEALED)
)

_request = table(
    "plain_access_requests", column("rowid", Integer), *(column(name, Text) for name in ("id", "reason", "answer"))
)
_REQUESTS = (
    select(_request, requests.c.asked_at, requests.c.person_id)
    .join(requests, requests.c.id == _request.c.id)
    .where(requests.c.reason == _UNSEALED)
)


def seal_what_is_plain(database: Database, log: QueryLog) -> None:
    """Seal what stands in plain text, if anything does, and leave nothing of it in any file.

    Raises:
        AuditUnavailable, CatalogUnavailable: It could not be done to its end; the next start goes on with it.
    """
    if _has(database, _PLAIN[0]):
        key_of = functools.cache(log.key_of)
        _seal_all(database, _TURNS, _turn.c.rowid, lambda connection, row: _seal_turn(connection, row, key_of))
        _seal_all(database, _REQUESTS, _request.c.rowid, lambda connection, row: _seal_request(connection, row, key_of))
        for name in _PLAIN:
            _empty(database, name)
        with database.write() as connection:
            connection.execute(CreateTable(_TO_CLEAR, if_not_exists=True))
            for name in _PLAIN:
                connection.execute(DropTable(Table(name, MetaData()), if_exists=True))
    if _has(database, _TO_CLEAR.name):
        database.clear_side_files()
        with database.write() as connection:
            connection.execute(DropTable(_TO_CLEAR, if_exists=True))


def _has(database: Database, name: str) -> bool:
    with database.read() as connection:
        return inspect(connection).has_table(name)


def _seal_all(
    database: Database, waiting: Select[Any], rowid: Any, seal: Callable[[Connection, Row[Any]], object]
) -> None:
    after = 0
    while True:
        with database.write() as connection:
            rows = connection.execute(waiting.where(rowid > after).order_by(rowid).limit(_BATCH)).all()
            for row in rows:
                seal(connection, row)
        if not rows:
            return
        after = rows[-1].rowid


def _empty(database: Database, name: str) -> None:
    plain = table(name, column("rowid", Integer))
    some = select(plain.c.rowid).limit(_BATCH)
    removed = 1
    while removed:
        with database.write() as connection:
            removed = connection.execute(delete(plain).where(plain.c.rowid.in_(some))).rowcount


def _seal_turn(connection: Connection, row: Row[Any], key_of: KeyOf) -> None:
    shown = {
        "answer": row.answer,
        "citations": json.loads(row.citations),
        "notices": json.loads(row.notices),
        "searched_for": row.searched_for,
        "grounding": json.loads(row.grounding) if row.grounding else None,
        "highlights": json.loads(row.highlights),
        "drew_on": json.loads(row.drew_on),
    }
    key = key_of(row.person_id, month_of(row.asked_at))
    words = conversations.sealed(row.query_id, row.person_id, row.question, shown, key)
    connection.execute(update(turns).where(turns.c.query_id == row.query_id).values(**words))


def _seal_request(connection: Connection, row: Row[Any], key_of: KeyOf) -> None:
    key = key_of(row.person_id, month_of(row.asked_at))
    words = {
        name: access_requests.sealed(name, row.id, row.person_id, row._mapping[name], key)
        for name in ("reason", "answer")
    }
    connection.execute(update(requests).where(requests.c.id == row.id).values(**words))
