"""The tables of a log in PostgreSQL, in a schema of their own.

Rules this module keeps:

1. The columns to search by are computed by the server from the head, with `told`; `is_as_made` compares every one of
   them with what it is computed from, since the owner of a table can make them say something else.
2. Triggers refuse every change but the next entry, TRUNCATE included, and what `erasing` does inside one transaction;
   the account of the appliance has no right to any other. They stop mistakes; against the owner of the database they do
   nothing, and no verification relies on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from appliance.audit.store import Cursor

NAME = "query_log"

_SEARCHED = ("type", "time", "actor", "query_id")

# Half a character and NUL, which canonical JSON escapes, cannot be in a text of PostgreSQL.
_TOLD = f"""
DECLARE
    escaped CONSTANT text := '(?<!\\\\)((\\\\\\\\)*)\\\\u(0000|d[89a-f][0-9a-f]{{2}})';
    written json;
BEGIN
    written := regexp_replace(convert_from(head, 'UTF8'), escaped, '\\1?', 'g');
    RETURN ARRAY[{", ".join(f"written ->> '{field}'" for field in _SEARCHED)}];
EXCEPTION WHEN OTHERS THEN
    RETURN ARRAY[{", ".join("NULL" for _ in _SEARCHED)}]::text[];
END
"""
_REFUSE = """
BEGIN
    RAISE EXCEPTION 'the query log is append-only' USING ERRCODE = 'restrict_violation';
END
"""
_NEXT = """
DECLARE
    next bigint;
BEGIN
    EXECUTE format('SELECT coalesce(max(seq), -1) + 1 FROM query_log.%I', TG_TABLE_NAME) INTO next;
    IF NEW.seq IS DISTINCT FROM next THEN
        RAISE EXCEPTION 'the query log is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
"""
_FUNCTIONS = {"told": _TOLD, "refuse": _REFUSE, "next_only": _NEXT}

_TABLES = f"""
CREATE SCHEMA query_log;
REVOKE ALL ON SCHEMA query_log FROM PUBLIC;
CREATE FUNCTION query_log.told(head bytea) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT AS $body${_TOLD}$body$;
CREATE FUNCTION query_log.refuse() RETURNS trigger LANGUAGE plpgsql AS $body${_REFUSE}$body$;
CREATE FUNCTION query_log.next_only() RETURNS trigger LANGUAGE plpgsql AS $body${_NEXT}$body$;
CREATE TABLE query_log.heads (
    seq bigint PRIMARY KEY,
    head bytea NOT NULL,
    {
    ", ".join(
        f'{field} text COLLATE "C" GENERATED ALWAYS AS ((query_log.told(head))[{place}]) STORED'
        for place, field in enumerate(_SEARCHED, 1)
    )
}
);
CREATE TABLE query_log.payloads (seq bigint PRIMARY KEY, payload bytea NOT NULL);
CREATE TABLE query_log.nodes (level integer, idx bigint, hash bytea NOT NULL, PRIMARY KEY (level, idx));
REVOKE UPDATE, DELETE, TRUNCATE ON query_log.heads, query_log.payloads, query_log.nodes FROM CURRENT_USER;
ALTER TABLE query_log.payloads ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX heads_by_type ON query_log.heads (type, seq);
CREATE INDEX heads_by_actor ON query_log.heads (actor);
CREATE INDEX heads_by_query ON query_log.heads (query_id);
CREATE INDEX payloads_erased ON query_log.payloads (seq) WHERE length(payload) = 0;
"""

_TRIGGERS = {
    **{
        (table, name): f"BEFORE {events} ON query_log.{table} FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
        for table in ("heads", "payloads", "nodes")
        for name, events in (("no_update", "UPDATE"), ("no_delete", "DELETE OR TRUNCATE"))
    },
    **{
        (table, "in_order"): f"BEFORE INSERT ON query_log.{table} FOR EACH ROW EXECUTE FUNCTION next_only()"
        for table in ("heads", "payloads")
    },
}

_THERE = "SELECT count(*) FROM pg_namespace WHERE nspname = 'query_log'"
_UNTRUE = "SELECT count(*) FROM heads WHERE seq >= ? AND seq < ? AND ARRAY[type, time, actor, query_id] <> told(head)"
_COMPARED_AT_ONCE = 20_000
_ENABLED = "O"
_TRIGGERS_THERE = """
    SELECT relname, tgname, tgenabled::text,
        split_part(pg_get_triggerdef(pg_trigger.oid), ' TRIGGER ' || tgname || ' ', 2)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = 'query_log'::regnamespace AND NOT tgisinternal
"""
_MADE = """
    SELECT 'table', relname::text, relkind::text, concat_ws(' ', relrowsecurity, relhasrules, relhassubclass)
    FROM pg_class WHERE relnamespace = 'query_log'::regnamespace AND relkind <> 'i'
    UNION ALL
    SELECT 'column', relname || '.' || attname, format_type(atttypid, atttypmod),
        concat_ws(' ', attnotnull, attgenerated, pg_get_expr(adbin, adrelid))
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'query_log'::regnamespace AND relkind <> 'i' AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'function', proname::text, prosrc, concat_ws(' ', lanname, provolatile, proisstrict, prosecdef)
    FROM pg_proc JOIN pg_language ON pg_language.oid = prolang WHERE pronamespace = 'query_log'::regnamespace
"""

_EXPECTED = {
    *(("table", table, "r", "f f f") for table in ("heads", "payloads", "nodes")),
    *(
        ("column", f"heads.{field}", "text", f"f s (told(head))[{place}]")
        for place, field in enumerate(_SEARCHED, 1)
    ),
    *(
        ("column", name, kind, "t ")
        for name, kind in (
            ("heads.seq", "bigint"), ("heads.head", "bytea"), ("payloads.seq", "bigint"), ("payloads.payload", "bytea"),
            ("nodes.level", "integer"), ("nodes.idx", "bigint"), ("nodes.hash", "bytea"),
        )
    ),
    *(
        ("function", name, _FUNCTIONS[name], f"plpgsql {kind} f")
        for name, kind in (("told", "i t"), ("refuse", "v f"), ("next_only", "v f"))
    ),
}  # fmt: skip


class Connection(Protocol):
    """What is asked of a connection here."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """The rows of a statement."""

    def script(self, sql: str, /) -> Cursor:
        """Statements without values, in one go."""


def is_there(connection: Connection) -> bool:
    """Whether a log was made in the database."""
    return bool(connection.execute(_THERE).fetchone()[0])


def make(connection: Connection) -> None:
    """Make the tables if there are none, and every trigger that is not there or not as it was. Inside a transaction."""
    if not is_there(connection):
        connection.script(_TABLES)
    found = {tuple(row[:2]): tuple(row[2:]) for row in connection.execute(_TRIGGERS_THERE)}
    for (table, name), made in _TRIGGERS.items():
        if found.get((table, name)) != (_ENABLED, made):
            connection.script(f"DROP TRIGGER IF EXISTS {name} ON {table}; CREATE TRIGGER {name} {made}")


def is_as_made(connection: Connection) -> bool:
    """Whether tables, functions and triggers are those that are made here, and every computed column is true.

    A trigger may be missing, or off: it is made again at the next opening.
    """
    triggers = {(table, name): made for table, name, _, made in connection.execute(_TRIGGERS_THERE)}
    if not triggers.items() <= _TRIGGERS.items() or set(connection.execute(_MADE)) != _EXPECTED:
        return False
    (size,) = connection.execute("SELECT coalesce(max(seq), -1) + 1 FROM heads").fetchone()
    parts = ((first, first + _COMPARED_AT_ONCE) for first in range(0, size, _COMPARED_AT_ONCE))
    return not any(connection.execute(_UNTRUE, part).fetchone()[0] for part in parts)
