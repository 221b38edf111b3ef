"""Sealing what an older release kept of conversations in plain text, once, at the first start after the update.

Rules this module keeps:

1. A migration has set the plain rows aside, and made a turn for each that holds nothing yet. Here each is sealed with
   its person's key of its month, some at a time; a start that is cut off is gone on with by the next one.
2. The plain rows stay until all are sealed. Then their tables are removed, which overwrites every page of them, and the
   side file is emptied; that this is still to be done stands in the database until it is done.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Integer, Row, Text, column, inspect, select, table, text, update

from appliance.audit.keys import Key
from appliance.audit.log import QueryLog
from appliance.audit.records import month_of
from appliance.conversations import conversations, sealed, turns
from appliance.database import Database

_BATCH = 500
_UNSEALED = b""
_TO_CLEAR = "side_files_to_clear"

_plain_turns = table(
    "plain_turns",
    column("rowid", Integer),
    column("query_id", Text),
    *(
        column(name, Text)
        for name in ("question", "answer", "citations", "notices", "searched_for", "grounding", "highlights", "drew_on")
    ),
)
_WAITING = (
    select(_plain_turns, turns.c.asked_at, conversations.c.person_id)
    .join(turns, turns.c.query_id == _plain_turns.c.query_id)
    .join(conversations, conversations.c.id == turns.c.conversation_id)
    .where(turns.c.question == _UNSEALED)
    .order_by(_plain_turns.c.rowid)
    .limit(_BATCH)
)


def seal_what_is_plain(database: Database, log: QueryLog) -> None:
    """Seal what stands in plain text, if anything does, and leave nothing of it in any file.

    Raises:
        AuditUnavailable, CatalogUnavailable: It could not be done to its end; the next start goes on with it.
    """
    after: int | None = 0
    while after is not None:
        after = _seal_some(database, log, after)
    with database.read() as connection:
        is_to_clear = inspect(connection).has_table(_TO_CLEAR)
    if is_to_clear:
        database.clear_side_files()
        with database.write() as connection:
            connection.execute(text(f"DROP TABLE IF EXISTS {_TO_CLEAR}"))


def _seal_some(database: Database, log: QueryLog, after: int) -> int | None:
    """Seal the next rows behind row `after`. The last of them; None when there is no more to seal."""
    keys: dict[tuple[str, str], Key] = {}
    with database.write() as connection:
        if not inspect(connection).has_table(_plain_turns.name):
            return None
        rows = connection.execute(_WAITING.where(_plain_turns.c.rowid > after)).all()
        for row in rows:
            owner = (row.person_id, month_of(row.asked_at))
            keys[owner] = keys.get(owner) or log.key_of(*owner)
            words = sealed(row.query_id, row.person_id, row.question, _shown(row), keys[owner])
            connection.execute(update(turns).where(turns.c.query_id == row.query_id).values(**words))
        if not rows:
            _remove_plain(connection)
            return None
        return int(rows[-1].rowid)


def _remove_plain(connection: Connection) -> None:
    connection.execute(text("DROP TABLE plain_turns"))
    connection.execute(text("DROP TABLE plain_conversations"))
    connection.execute(text(f"CREATE TABLE {_TO_CLEAR} (what INTEGER)"))


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "answer": row.answer,
        "citations": json.loads(row.citations),
        "notices": json.loads(row.notices),
        "searched_for": row.searched_for,
        "grounding": json.loads(row.grounding) if row.grounding else None,
        "highlights": json.loads(row.highlights),
        "drew_on": json.loads(row.drew_on),
    }
