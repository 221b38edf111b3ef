"""What the query log promises wherever its rows are kept: in an SQLite file, or in PostgreSQL.

Debian's PostgreSQL really runs. The attacks are those of somebody who owns the database: triggers stop nobody there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError

from appliance.audit import canonical, checkpoint, erasing, tree, verifier
from appliance.audit.checkpoint import Checkpoint, latest_path
from appliance.audit.entries import (
    AdminAction,
    AnswerClosed,
    ClockStepped,
    LogClosed,
    LogOpened,
    LogRead,
    QuestionReceived,
)
from appliance.audit.keys import Holding, keys_path
from appliance.audit.log import CHECKPOINT_EVERY, QueryLog
from appliance.audit.postgresql import PostgresqlStore
from appliance.audit.records import LogFilter, QueryState
from appliance.audit.sqlite import SqliteStore
from appliance.audit.store import Store
from appliance.audit.verify import verify
from appliance.errors import AuditBroken, AuditUnavailable, NotFound
from tests.appliance.audit import older, postgresql_server
from tests.appliance.audit.conftest import Ask, Close, Judge

pytestmark = pytest.mark.integration

ENTRIES = 12
Run = Callable[..., list[tuple[Any, ...]]]


class House(ABC):
    """A place for one log, and what somebody can do to it who owns the database."""

    store: Store
    refusals: type[Exception]

    @abstractmethod
    def as_owner(self, *, unhindered: bool) -> AbstractContextManager[Run]:
        """Statements on the database itself, with the triggers in the way or not."""

    @abstractmethod
    def impatient(self) -> Store:
        """The same place, for somebody who does not wait long."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[object]:
        """While it lasts, another program holds what is needed to write."""

    @abstractmethod
    def put_away(self) -> None:
        """Take the rows away, and leave all files beside them."""

    @abstractmethod
    def copied(self) -> Callable[[], None]:
        """Take a backup of the rows alone; call what comes back to put it in their place."""


class SqliteHouse(House):
    refusals = sqlite3.IntegrityError

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log" / "queries.db"
        self.store = SqliteStore(self._path)

    @contextmanager
    def as_owner(self, *, unhindered: bool) -> Iterator[Run]:
        with closing(sqlite3.connect(self._path)) as connection:
            if unhindered:
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    connection.execute(f"DROP TRIGGER {name}")
            yield lambda sql, *values: connection.execute(sql, values).fetchall()
            connection.commit()

    def impatient(self) -> Store:
        return SqliteStore(self._path, 0.1)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def put_away(self) -> None:
        self._path.unlink()

    def copied(self) -> Callable[[], None]:
        kept = self._path.with_name("copy")
        shutil.copy(self._path, kept)

        def put_back() -> None:
            for file in self._path.parent.glob("queries.db-*"):
                file.unlink()
            shutil.copy(kept, self._path)

        return put_back


class PostgresqlHouse(House):
    refusals = DatabaseError

    def __init__(self, folder: Path, server: postgresql_server.Server) -> None:
        self._server, self._path = server, folder / "log" / "queries.db"
        self.store = self._store(10.0)
        server.empty()

    def _store(self, patience_s: float) -> Store:
        return PostgresqlStore(self._path, self._server.over_the_socket(), patience_s)

    @contextmanager
    def as_owner(self, *, unhindered: bool) -> Iterator[Run]:
        with self._server.as_superuser() as connection:
            connection.run("SET search_path = query_log")
            if unhindered:
                connection.run("SET session_replication_role = replica")
            yield lambda sql, *values: self._run(connection, sql, values)

    @staticmethod
    def _run(connection: Any, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        names = {f"p{number}": value for number, value in enumerate(values)}
        for name in names:
            sql = sql.replace("?", f":{name}", 1)
        return [tuple(row) for row in connection.run(sql, **names) or ()]

    def impatient(self) -> Store:
        return self._store(0.1)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(self._store(10.0).open_to_append()) as connection, connection.transaction():
            yield

    def put_away(self) -> None:
        with self._server.as_superuser() as connection:
            connection.run("ALTER SCHEMA query_log RENAME TO query_log_away")

    def copied(self) -> Callable[[], None]:
        dump = self._server.dumped()
        return lambda: self._server.restore(dump)


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql_server.Server]:
    with postgresql_server.running() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    if request.param == "sqlite":
        return SqliteHouse(tmp_path)
    return PostgresqlHouse(tmp_path, request.getfixturevalue("server"))


@pytest.fixture
def filled(house: House, asked: Ask) -> House:
    """With a closed log of 12 questions."""
    with QueryLog(house.store) as log:
        for number in range(ENTRIES):
            log.append(asked(f"q{number}"))
    return house


def kept(house: House) -> Checkpoint:
    found = checkpoint.read(latest_path(house.store.path))
    assert found is not None
    return found


def test_entries_come_back_in_the_order_they_went_in_and_each_receipt_is_the_root_then(house: House) -> None:
    frontier = tree.Frontier()
    with QueryLog(house.store) as log:
        for number in range(40):
            receipt = log.append(AdminAction("u-admin", "test.written", str(number)))
            frontier.append(receipt.leaf_hash)
            assert (receipt.seq, receipt.root) == (number, frontier.root())
        assert (log.size(), log.root()) == (40, frontier.root())
        assert [found.seq for found in log.entries(limit=100)] == list(range(39, -1, -1))
        assert [log.entry(seq).entry.subject for seq in (0, 39)] == ["0", "39"]  # type: ignore[union-attr]
        with pytest.raises(NotFound):
            log.entry(40)
    assert verify(house.store, kept(house)).size == 40


def test_many_writers_leave_no_gap_and_no_number_twice(house: House) -> None:
    with QueryLog(house.store):
        pass
    written: list[tuple[int, str]] = []

    def write(name: str) -> None:
        with QueryLog(house.store) as log:
            for number in range(10):
                seq = log.append(AdminAction(name, "test.written", str(number))).seq
                written.append((seq, f"{name} {number}"))

    threads = [threading.Thread(target=write, args=(f"writer-{name}",)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seq for seq, _ in written) == list(range(40))
    with QueryLog(house.store) as log:
        for seq, told in written:
            entry = log.entry(seq).entry
            assert isinstance(entry, AdminAction)
            assert f"{entry.actor} {entry.subject}" == told
    assert verify(house.store, kept(house)).size == 40


def test_whoever_reads_sees_one_state_while_others_write(filled: House, asked: Ask) -> None:
    with QueryLog(filled.store) as log:
        lines = log.export()
        next(lines)
        for number in range(5):
            log.append(asked(f"later-{number}"))
        assert len(list(lines)) == ENTRIES
        assert len(list(log.export())) == ENTRIES + 5 + 1


def test_each_entry_is_proved_to_be_in_it_and_the_log_to_have_only_grown(house: House, asked: Ask) -> None:
    with QueryLog(house.store) as log:
        receipts = [log.append(asked(f"q{number}")) for number in range(21)]
        for receipt in receipts[::4]:
            proof = log.inclusion_proof(receipt.seq)
            assert proof.leaf_hash == receipt.leaf_hash
            assert tree.verify_inclusion(proof.seq, proof.checkpoint.size, proof.leaf_hash, proof.path, log.root())
            path, now = log.consistency_proof(receipt.seq + 1)
            assert tree.verify_consistency(receipt.seq + 1, now.size, path, receipt.root, now.root)
        with pytest.raises(NotFound):
            log.consistency_proof(22)


def test_a_question_is_found_with_all_that_became_of_it(house: House, asked: Ask, closed: Close, judged: Judge) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock = iter([noon + timedelta(hours=hour) for hour in range(6)])
    with QueryLog(house.store, clock=lambda: next(clock)) as log:
        log.append(asked("q1", "Wie lange gilt die BÜRGSCHAFT?"))
        log.append(closed("q1", "Zehn Jahre [1]."))
        log.append(asked("q2", "Who signs?", actor="u-legal"))
        log.append(closed("q2", "The documents do not say.", kind="abstained"))
        log.append(judged("q1", "down", "Wrong page"))
        assert log.query("q1").answer == closed("q1", "Zehn Jahre [1].")
        assert log.query("q1").seqs == (0, 1, 4)

        def found(**wanted: object) -> list[str]:
            return [query.query_id for query in log.queries(LogFilter(**wanted))]  # type: ignore[arg-type]

        assert found() == ["q2", "q1"]
        assert found(text="bürgschaft") == found(text="wrong PAGE") == found(verdict="down") == ["q1"]
        assert found(text="wi_") == found(text="%") == []
        assert found(actor="u-legal") == found(kind="abstained") == found(since=noon + timedelta(hours=2)) == ["q2"]
        assert found(until=noon + timedelta(hours=2)) == ["q1"]
        assert [entry.seq for entry in log.entries(LogFilter(type=AnswerClosed.type))] == [3, 1]
        assert [entry.seq for entry in log.entries(LogFilter(actor="u-legal"), limit=1)] == [2]
        assert [entry.seq for entry in log.entries(limit=2, before_seq=3)] == [2, 1]
        assert [entry.seq for entry in log.about("q1")] == [0, 1, 4]
        assert [query_id for query_id, _ in log.following(0, QuestionReceived.type, 5)] == ["q2"]
        assert [told.seq for told in log.outlines(3, limit=5)] == [3, 4]
        assert [entry.seq for entry in log.several([4, 0, 99])] == [0, 4]


def test_entries_besides_some_kinds_are_listed_without_a_gap_however_many_lie_between(house: House, asked: Ask) -> None:
    with QueryLog(house.store) as log:
        log.append(AdminAction("u-admin", "test.written", "before"))
        for number in range(20):
            log.append(asked(f"q{number}"))
        log.append(AdminAction("u-admin", "test.written", "after"))
        besides = LogFilter(except_types=frozenset({QuestionReceived.type, AnswerClosed.type}))
        assert [entry.seq for entry in log.entries(besides, limit=2)] == [21, 0]
        assert [entry.seq for entry in log.entries(besides, limit=1, before_seq=21)] == [0]
        with house.as_owner(unhindered=True) as run:
            flip_a_bit(run, "heads", "head")
        assert [entry.seq for entry in log.entries(besides) if entry.damaged] == [5]  # of no kind, and not left out


def test_an_answer_that_broke_off_is_of_no_kind(house: House, asked: Ask, closed: Close) -> None:
    with QueryLog(house.store) as log:
        log.append(asked("q1"))
        log.append(closed("q1"))
        log.append(asked("q2"))
        log.append(closed("q2", "", error="index_unavailable"))
        written = LogFilter(kind="generated")
        assert [query.query_id for query in log.queries(written)] == ["q1"]
        assert [entry.seq for entry in log.entries(written)] == [1]


def test_any_text_can_be_asked_and_is_kept_as_it_is(house: House, asked: Ask) -> None:
    texts = ["", "Größe? 😀 \u202e", "a\0b", "\ud800 lone", '"}\n{"seq":7', "$1 ? :a %s", "x" * 100_000]
    with QueryLog(house.store) as log:
        for number, text in enumerate(texts):
            log.append(asked(f"q{number}", text))
        found = [log.query(f"q{number}").question for number in range(len(texts))]
    assert [question.question for question in found if question] == texts
    assert verify(house.store, kept(house)).size == len(texts)


def test_an_id_that_is_no_proper_text_keeps_nothing_from_being_read(house: House, asked: Ask) -> None:
    odd = ["q\ud800", "\udc00\ud800", "q\0", "😀", "q\\ud800"]
    with QueryLog(house.store) as log:
        for query_id in odd:
            log.append(LogRead("u-officer", "one query", query_id))
        log.append(asked("q1"))
        assert not any(recorded.damaged for recorded in log.entries())
        assert len(log.entries(LogFilter(type=LogRead.type))) == len(odd)
        assert log.asked_among(["q1", "😀", "q\\ud800"]) == {"q1"}  # the others were looked for alone
        assert [entry.seq for entry in log.about("😀")] == [3]
        assert len(list(log.export())) == len(odd) + 2
    assert verify(house.store, kept(house)).size == len(odd) + 1


def test_what_cannot_be_written_leaves_nothing_behind(filled: House, asked: Ask) -> None:
    with QueryLog(filled.store) as log:
        with pytest.raises(AuditUnavailable, match="defect"):
            log.append(ClockStepped(float("nan")))
        assert log.append(asked("after")).seq == ENTRIES
    assert verify(filled.store, kept(filled)).size == ENTRIES + 1


def test_rows_hold_no_word_of_an_entry_and_no_name(house: House, asked: Ask) -> None:
    with QueryLog(house.store) as log:
        log.append(asked("q1", "Is the merger off?"))
    with house.as_owner(unhindered=False) as run:
        [row] = run("SELECT head, payload FROM heads, payloads")
        held = b"".join(bytes(value) for value in row)
    assert not any(word in held for word in (b"merger", b"u-records", b"Records officer"))
    assert b"q1" in held


@pytest.mark.parametrize("table", ["heads", "payloads", "nodes"])
def test_the_database_itself_refuses_to_change_or_remove_rows(filled: House, table: str) -> None:
    column, key = {"heads": ("head", "seq"), "payloads": ("payload", "seq"), "nodes": ("hash", "idx")}[table]
    level, value = ("level, ", "0, ") if table == "nodes" else ("", "")
    statements: list[tuple[str, *tuple[object, ...]]] = [
        (f"UPDATE {table} SET {column} = ? WHERE {key} = 3", b"\0"),
        (f"UPDATE {table} SET {key} = 99 WHERE {key} = 3",),
        (f"DELETE FROM {table} WHERE {key} = 3",),
        (f"DELETE FROM {table}",),
        (f"INSERT INTO {table} ({level}{key}, {column}) VALUES ({value}3, ?)", b"\0"),
    ]
    if table != "nodes":
        statements.append((f"INSERT INTO {table} ({key}, {column}) VALUES (99, ?)", b"\0"))
    if isinstance(filled, PostgresqlHouse):
        statements.append((f"TRUNCATE {table}",))
        upsert = f"ON CONFLICT ({level}{key}) DO UPDATE SET {column} = ?"
        statements.append((f"INSERT INTO {table} ({level}{key}, {column}) VALUES ({value}3, ?) {upsert}", b"\0", b"\0"))
    for statement, *values in statements:
        with filled.as_owner(unhindered=False) as run, pytest.raises(filled.refusals):
            run(statement, *values)
    assert verify(filled.store, kept(filled)).size == ENTRIES


def test_triggers_that_were_taken_away_come_back(filled: House) -> None:
    with filled.as_owner(unhindered=False) as run:
        if isinstance(filled, PostgresqlHouse):
            run("DROP TRIGGER no_delete ON heads")
            run("ALTER TABLE heads DISABLE TRIGGER no_update")
        else:
            run("DROP TRIGGER heads_no_delete")
            run("DROP TRIGGER heads_no_update")
    QueryLog(filled.store).close()
    for statement in ("DELETE FROM heads", "UPDATE heads SET seq = 99 WHERE seq = 3"):
        with filled.as_owner(unhindered=False) as run, pytest.raises(filled.refusals, match="append-only"):
            run(statement)


def flip_a_bit(run: Run, table: str, column: str) -> None:
    [(data,)] = run(f"SELECT {column} FROM {table} WHERE seq = 5")
    run(f"UPDATE {table} SET {column} = ? WHERE seq = 5", bytes(data[:-3]) + bytes([data[-3] ^ 1]) + bytes(data[-2:]))


def swap_payloads(run: Run) -> None:
    [(first,), (second,)] = run("SELECT payload FROM payloads WHERE seq IN (5, 6) ORDER BY seq")
    run("UPDATE payloads SET payload = ? WHERE seq = 5", bytes(second))
    run("UPDATE payloads SET payload = ? WHERE seq = 6", bytes(first))


def cut_the_end(run: Run) -> None:
    for table, key in (("heads", "seq"), ("payloads", "seq"), ("nodes", "idx")):
        run(f"DELETE FROM {table} WHERE {key} >= 8" + (" AND level = 0" if table == "nodes" else ""))
    run("DELETE FROM nodes WHERE (level = 1 AND idx >= 4) OR (level = 2 AND idx >= 2)")


ATTACKS: dict[str, tuple[Callable[[Run], object], int | None]] = {
    "a bit of a payload": (lambda run: flip_a_bit(run, "payloads", "payload"), 5),
    "a bit of a head": (lambda run: flip_a_bit(run, "heads", "head"), 5),
    "a node": (lambda run: run("UPDATE nodes SET hash = ? WHERE level = 1 AND idx = 2", bytes(32)), 5),
    "an entry is deleted": (lambda run: run("DELETE FROM heads WHERE seq = 5"), 5),
    "a payload is deleted": (lambda run: run("DELETE FROM payloads WHERE seq = 5"), 5),
    "a payload is emptied": (lambda run: run("UPDATE payloads SET payload = ? WHERE seq = 5", b""), 5),
    "two payloads are swapped": (swap_payloads, 5),
    "the end is cut": (cut_the_end, 8),
    "a payload is added": (lambda run: run("INSERT INTO payloads (seq, payload) VALUES (12, ?)", b"x"), 12),
    "a level of the tree is added": (lambda run: run("INSERT INTO nodes (level, idx, hash) VALUES (9, 0, ?)", b"x"), 12),
    "a table is another one": (lambda run: run("ALTER TABLE payloads ADD COLUMN note text"), None),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_verification_finds_what_the_owner_of_the_database_did(filled: House, attack: str) -> None:
    change, first_bad = ATTACKS[attack]
    with filled.as_owner(unhindered=True) as run:
        change(run)
    with pytest.raises(AuditBroken) as caught:
        verify(filled.store, kept(filled))
    assert caught.value.seq == first_bad


def test_an_altered_entry_is_shown_as_damaged_and_stops_an_export(filled: House) -> None:
    with QueryLog(filled.store) as log:
        with filled.as_owner(unhindered=True) as run:
            flip_a_bit(run, "payloads", "payload")
        assert [found.seq for found in log.entries() if found.damaged] == [5]
        assert log.entry(5).entry is None
        with pytest.raises(AuditBroken) as caught:
            list(log.export())
    assert caught.value.seq == 5


def test_a_log_that_is_cut_under_the_running_appliance_takes_no_more_entries(filled: House, asked: Ask) -> None:
    with contextlib.suppress(AuditBroken), QueryLog(filled.store) as log:
        with filled.as_owner(unhindered=True) as run:
            cut_the_end(run)
        with pytest.raises(AuditBroken, match="does not contain its own checkpoint of 12 entries"):
            log.append(asked())
        assert log.problem
    with pytest.raises(AuditBroken):
        QueryLog(filled.store)


def test_an_older_copy_of_the_rows_is_refused_by_the_checkpoint_beside_them(filled: House, asked: Ask) -> None:
    put_back = filled.copied()
    with QueryLog(filled.store) as log:
        log.append(asked("later"))
    put_back()
    with pytest.raises(AuditBroken, match="does not contain its own checkpoint of 13 entries"):
        QueryLog(filled.store)
    with pytest.raises(AuditBroken) as caught:
        verify(filled.store, kept(filled))
    assert caught.value.seq == ENTRIES


def test_a_copy_of_the_rows_that_is_not_older_goes_on(filled: House, asked: Ask) -> None:
    filled.copied()()
    with QueryLog(filled.store) as log:
        assert log.append(asked("later")).seq == ENTRIES
    assert verify(filled.store, kept(filled)).size == ENTRIES + 1


def test_rows_that_are_gone_are_not_begun_anew(filled: House) -> None:
    filled.put_away()
    for _ in range(2):
        with pytest.raises(AuditBroken, match="gone; its checkpoint tells of 12 entries"):
            QueryLog(filled.store)
    with pytest.raises(AuditBroken, match="There is no query log"):
        verify(filled.store)


def test_keys_that_are_gone_stop_the_log(filled: House) -> None:
    keys_path(filled.store.path).unlink()
    with pytest.raises(AuditUnavailable, match="keys"):
        QueryLog(filled.store)


def test_a_checkpoint_is_kept_at_opening_every_hundred_entries_and_at_closing(house: House) -> None:
    with QueryLog(house.store) as log:
        assert kept(house).size == 0
        for number in range(CHECKPOINT_EVERY):
            assert kept(house).size == 0
            log.append(AdminAction("u-admin", "test.written", str(number)))
        assert kept(house).size == CHECKPOINT_EVERY
        log.append(AdminAction("u-admin", "test.written", "the last"))
        assert kept(house).size == CHECKPOINT_EVERY
        assert len(list(log.export())) == CHECKPOINT_EVERY + 2
        assert [entry.seq for entry in log.entries(LogFilter(text="the last"), limit=1)] == [CHECKPOINT_EVERY]
        assert [entry.seq for entry in log.entries(LogFilter(text="99"), limit=1)] == [99]
    assert kept(house).size == CHECKPOINT_EVERY + 1


def test_while_another_program_locks_it_nothing_is_appended_and_reading_goes_on(filled: House, asked: Ask) -> None:
    with QueryLog(filled.impatient(), busy_timeout_s=0.1) as log:
        with filled.locked():
            with pytest.raises(AuditUnavailable, match="locked") as caught:
                log.append(asked("q99", "Is the merger off?"))
            assert "merger" not in str(caught.value)
            assert log.size() == ENTRIES
        assert log.append(asked("q99")).seq == ENTRIES
        log.examine()


def of(log: QueryLog, person: str) -> list[Holding]:
    return [held for held in log.holdings() if held.person == person]


def test_erased_entries_hold_nothing_and_the_log_verifies_with_what_was_carried_out_before(
    house: House, asked: Ask
) -> None:
    with QueryLog(house.store) as log:
        for number in range(6):
            log.append(asked(f"q{number}", "x" * 5000, actor=f"u-{number % 2}"))
        before = log.checkpoint()
        assert log.count(of(log, "u-1")) == 3
        erased = log.erase(of(log, "u-1"))
        assert erased is not None
        assert (erased.entries, erased.before.size, erased.seq) == (3, 6, 6)
        assert [log.entry(seq).erased for seq in range(6)] == [False, True] * 3
        assert log.query("q1").state == QueryState.UNFINISHED
        assert log.query("q0").question == asked("q0", "x" * 5000, actor="u-0")
        assert log.asked_among(["q0", "q1", "q8", "line 1"]) == {"q0", "q1"}  # erased ones too
        assert log.erase([]) is None
        assert log.append(asked("q9")).seq == 7
    with house.as_owner(unhindered=False) as run:
        assert run("SELECT seq FROM payloads WHERE length(payload) = 0 ORDER BY seq") == [(1,), (3,), (5,)]
        with pytest.raises(house.refusals):  # what was set aside for the erasure is back
            run("UPDATE payloads SET payload = ? WHERE seq = 0", b"")
    assert verify(house.store, before, kept(house)).size == 8


@pytest.mark.parametrize("step", ["empty", "clear_away"])
def test_an_erasure_that_was_cut_off_is_completed_at_the_next_start(
    house: House, asked: Ask, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with QueryLog(house.store) as log:
        log.append(asked("q1", actor="u-gone"))
        log.append(asked("q2", actor="u-stays"))
        with monkeypatch.context() as broken:
            broken.setattr(erasing if step == "empty" else type(log._connection), step, fail)
            with pytest.raises(AuditUnavailable):
                log.erase(of(log, "u-gone"))
        assert log.query("q1").question is None
    with QueryLog(house.store) as log:
        assert log.query("q1").asked.erased
        assert log.query("q2").question == asked("q2", actor="u-stays")
        assert log.erase([]) is None
    verify(house.store, kept(house))


def test_what_a_log_of_before_there_were_keys_holds_is_read_and_can_be_erased(house: House, asked: Ask) -> None:
    before = older.write(house.store, [asked("q1", actor="u-gone"), asked("q2", actor="u-stays")])
    with QueryLog(house.store) as log:
        assert log.query("q1").question == asked("q1", actor="u-gone")
        log.append(asked("q3", actor="u-gone"))
        assert sorted(held.month for held in of(log, "u-gone"))[0] == "2026-01"
        erased = log.erase(of(log, "u-gone"))
        assert erased is not None
        assert erased.entries == 2
        assert log.query("q2").question == asked("q2", actor="u-stays")
    assert verify(house.store, before, kept(house)).size == 4


def test_a_payload_put_under_another_entry_is_not_opened_however_well_the_log_is_rebuilt(
    house: House, asked: Ask
) -> None:
    """Attack 20, by somebody who has the rows and no key."""
    with QueryLog(house.store) as log:
        log.append(asked("q1", "Is the merger off?"))
        log.append(asked("q2", "Who signs?", actor="u-legal"))
    with house.as_owner(unhindered=True) as run:
        (first, moved), (head, _) = run("SELECT head, payload FROM heads JOIN payloads USING (seq) ORDER BY seq")
        facts = {**canonical.from_bytes(head), "payload_sha256": hashlib.sha256(moved).hexdigest()}
        rebuilt = canonical.to_bytes(facts)
        run("UPDATE heads SET head = ? WHERE seq = 1", rebuilt)
        run("UPDATE payloads SET payload = ? WHERE seq = 1", moved)
        frontier = tree.Frontier()
        for node in (*frontier.append(tree.leaf_hash(first)), *frontier.append(tree.leaf_hash(rebuilt))):
            run("UPDATE nodes SET hash = ? WHERE level = ? AND idx = ?", node.hash, node.level, node.index)
    assert verify(house.store).size == 2  # the rows alone are without fault
    checkpoint.write(latest_path(house.store.path), Checkpoint(checkpoint.ORIGIN, frontier.size, frontier.root()))
    with QueryLog(house.store) as log:
        assert (log.entry(1).damaged, log.entry(1).entry) == (True, None)


def test_keys_from_a_backup_of_before_an_erasure_bring_nothing_back_and_are_noticed(
    house: House, tmp_path: Path, asked: Ask
) -> None:
    """Attack 21, with the whole folder of keys, the old key-encryption key and all."""
    folder = keys_path(house.store.path).parent
    with QueryLog(house.store) as log:
        log.append(asked("q1", "Is the merger off?", actor="u-gone"))
        log.append(asked("q2", actor="u-stays"))
        shutil.copytree(folder, tmp_path / "backup")
        log.erase(of(log, "u-gone"))
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "backup", folder)
        with pytest.raises(AuditUnavailable, match="before an erasure"):
            log.query("q1")
        with pytest.raises(AuditUnavailable):
            log.append(asked("q3"))
    with pytest.raises(AuditUnavailable, match="before an erasure"):
        QueryLog(house.store)
    with house.as_owner(unhindered=False) as run:  # and whoever opens it with means of their own finds nothing to open
        assert run("SELECT length(payload) FROM payloads WHERE seq = 0") == [(0,)]


def test_what_was_erased_is_explained_in_an_export_by_the_log_itself_and_nothing_else_is(
    house: House, asked: Ask
) -> None:
    """Whoever makes the export may leave content out; only the log can say that it was erased."""
    with QueryLog(house.store) as log:
        for number in range(6):
            log.append(asked(f"q{number}", actor="u-gone" if number in (1, 2) else "u-stays"))
        assert log.erase([held for held in log.holdings() if held.person == "u-gone"], "order-1")
        first, *lines = map(json.loads, log.export())
    assert [line.get("without") for line in lines] == [None, "erased", "erased", *[None] * 4]
    unsaid = [{name: value for name, value in line.items() if name != "without"} for line in lines]
    explained = "Erased, as entry 6 says, and so without what they held: 1-2."
    for whole in (lines, unsaid):  # the second as an older release wrote it
        assert explained in verifier.verify(map(json.dumps, (first, *whole))).remarks
    left_out, of_an_older_one, called_erased = (
        [first, *whole[:4], {**whole[4], "content": None, **more}, *whole[5:]]
        for whole, more in ((lines, {}), (unsaid, {}), (lines, {"without": "erased"}))
    )
    with pytest.raises(verifier.NotJudged, match=r"\(entry 6 names others.*\): 4\. It was left out") as caught:
        verifier.verify(map(json.dumps, left_out))
    assert caught.value.report is not None
    assert explained in caught.value.report.remarks
    with pytest.raises(verifier.NotJudged, match=r": 1-2, 4\. It was left out"):
        verifier.verify(map(json.dumps, of_an_older_one))
    with pytest.raises(verifier.NotJudged, match=r": 1-2, 4\. Whoever made the export says that these were erased"):
        verifier.verify(map(json.dumps, called_erased))


def test_a_log_that_was_switched_off_and_on_shows_it(house: House) -> None:
    """Attack 22."""
    with QueryLog(house.store) as log:
        for entry in (LogOpened("1"), LogClosed(), LogOpened("1"), LogOpened("1"), LogClosed()):
            log.append(entry)
        told = verifier.verify(log.export()).remarks
    assert "Before entry 3 the appliance went down without saying so." in told
