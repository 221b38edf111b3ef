"""Attacks on a log by somebody who holds its file, and what finds them.

Each attack is made with the triggers out of the way. What it must lead to is stated twice: with the database alone, and
with one checkpoint that was carried out before. Where the database alone is not enough, the test says so too: that is
why checkpoints are carried out.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.audit import canonical, checkpoint, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.checkpoint import latest_path as checkpoint_path
from appliance.audit.log import QueryLog
from appliance.audit.records import to_text
from appliance.audit.verify import Verified, verify
from appliance.errors import AuditBroken, AuditUnavailable

from .conftest import Ask

ENTRIES = 60
CARRIED = 50

Attack = Callable[[sqlite3.Connection], object]


@pytest.fixture
def victim(log_path: Path, asked: Ask) -> Path:
    """A closed log of 60 entries."""
    with QueryLog(log_path) as log:
        for number in range(ENTRIES):
            log.append(asked(f"q{number}"))
    return log_path


@pytest.fixture
def carried(victim: Path) -> Checkpoint:
    """A checkpoint of its first 50 entries, from outside the house."""
    with closing(sqlite3.connect(victim)) as connection:
        frontier = tree.Frontier()
        for (head,) in connection.execute("SELECT head FROM heads ORDER BY seq LIMIT ?", (CARRIED,)):
            frontier.append(tree.leaf_hash(head))
    return Checkpoint(ORIGIN, CARRIED, frontier.root())


@contextmanager
def without_triggers(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        connection.commit()


def rewrite(connection: sqlite3.Connection, change: Callable[[list[tuple[dict[str, Any], bytes]]], object]) -> None:
    """Read all entries, change them, and write a log without a fault in itself: new numbers, hashes and nodes."""
    rows = connection.execute("SELECT head, payload FROM heads JOIN payloads USING (seq) ORDER BY seq").fetchall()
    entries = [(canonical.from_bytes(head), payload) for head, payload in rows]
    change(entries)
    for table in ("heads", "payloads", "nodes"):
        connection.execute(f"DELETE FROM {table}")
    frontier = tree.Frontier()
    for seq, (facts, payload) in enumerate(entries):
        facts = {**facts, "seq": seq, "payload_sha256": hashlib.sha256(payload).hexdigest()}
        head = canonical.to_bytes(facts)
        connection.execute("INSERT INTO heads (seq, head) VALUES (?, ?)", (seq, head))
        connection.execute("INSERT INTO payloads VALUES (?, ?)", (seq, payload))
        for node in frontier.append(tree.leaf_hash(head)):
            connection.execute("INSERT INTO nodes VALUES (?, ?, ?)", (node.level, node.index, node.hash))


def flip(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def set_payload(connection: sqlite3.Connection, seq: int, change: Callable[[bytes], object]) -> None:
    (payload,) = connection.execute("SELECT payload FROM payloads WHERE seq = ?", (seq,)).fetchone()
    connection.execute("UPDATE payloads SET payload = ? WHERE seq = ?", (change(payload), seq))


def set_head(connection: sqlite3.Connection, seq: int, /, *, leaf_too: bool = False, **facts: Any) -> None:
    (head,) = connection.execute("SELECT head FROM heads WHERE seq = ?", (seq,)).fetchone()
    changed = canonical.to_bytes({**canonical.from_bytes(head), **facts})
    connection.execute("UPDATE heads SET head = ? WHERE seq = ?", (changed, seq))
    if leaf_too:
        set_node(connection, 0, seq, tree.leaf_hash(changed))


def set_node(connection: sqlite3.Connection, level: int, index: int, value: object) -> None:
    connection.execute("UPDATE nodes SET hash = ? WHERE level = ? AND idx = ?", (value, level, index))


def payload_of_another(connection: sqlite3.Connection) -> None:
    (payload,) = connection.execute("SELECT payload FROM payloads WHERE seq = 7").fetchone()
    set_payload(connection, 20, lambda _own: payload)


def delete(connection: sqlite3.Connection, *seqs: int) -> None:
    for seq in seqs:
        connection.execute("DELETE FROM heads WHERE seq = ?", (seq,))
        connection.execute("DELETE FROM payloads WHERE seq = ?", (seq,))
        connection.execute("DELETE FROM nodes WHERE level = 0 AND idx = ?", (seq,))


def swap(connection: sqlite3.Connection, *, heads_too: bool) -> None:
    for table in ("heads", "payloads"):
        for old, new in ((20, -1), (33, 20), (-1, 33)):
            connection.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))
    if heads_too:
        set_head(connection, 20, leaf_too=True, seq=20)
        set_head(connection, 33, leaf_too=True, seq=33)


def replace_with_a_view(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE payloads RENAME TO hidden")
    connection.execute("CREATE VIEW payloads AS SELECT * FROM hidden")


def add_a_trigger(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TRIGGER later AFTER INSERT ON heads BEGIN DELETE FROM heads WHERE actor = 'u-boss'; END")


def hide_from_an_index(connection: sqlite3.Connection) -> None:
    """Take entry 20 out of the index by query, so that the desk does not find it, with all rows in place."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = sql || ' WHERE seq <> 20' WHERE name = 'heads_by_query'")
    connection.commit()
    connection.execute("PRAGMA writable_schema = RESET")
    connection.execute("REINDEX heads_by_query")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_master SET sql = replace(sql, ' WHERE seq <> 20', '') WHERE name = 'heads_by_query'"
    )
    connection.commit()
    connection.execute("PRAGMA writable_schema = RESET")


# Found in the file alone: (attack, first bad entry or None where no single entry is bad)
FOUND: dict[str, tuple[Attack, int | None]] = {
    "1 one bit of a payload": (lambda db: set_payload(db, 20, flip), 20),
    "1 a payload as text": (lambda db: set_payload(db, 20, lambda payload: payload.hex()), 20),
    "1 no payload": (lambda db: db.execute("DELETE FROM payloads WHERE seq = 20"), 20),
    "1 payload of another entry": (payload_of_another, 20),
    "1 a payload too many": (lambda db: db.execute("INSERT INTO payloads VALUES (60, x'00')"), 60),
    "1 a payload before the first": (lambda db: db.execute("INSERT INTO payloads VALUES (-1, x'00')"), 0),
    "2 who asked": (lambda db: set_head(db, 20, actor="u-other"), 20),
    "2 when": (lambda db: set_head(db, 20, time="2031-01-01T00:00:00.000000Z"), 20),
    "2 who asked, and its leaf": (lambda db: set_head(db, 21, leaf_too=True, actor="u-other"), 21),
    "2 a head that is no JSON": (lambda db: db.execute("UPDATE heads SET head = x'7b' WHERE seq = 20"), 20),
    "2 a head as text": (lambda db: db.execute("UPDATE heads SET head = CAST(head AS TEXT) WHERE seq = 20"), 20),
    "2 the same head, spaced": (
        lambda db: db.execute("UPDATE heads SET head = CAST(head || ' ' AS BLOB) WHERE seq = 20"),
        20,
    ),
    "3 a middle entry gone": (lambda db: delete(db, 20), 20),
    "3 the first entry gone": (lambda db: delete(db, 0), 0),
    "3 only its head gone": (lambda db: db.execute("DELETE FROM heads WHERE seq = 20"), 20),
    "5 two entries swapped": (lambda db: swap(db, heads_too=False), 20),
    "5 two entries swapped, with heads and leaves": (lambda db: swap(db, heads_too=True), 21),
    "7 the end cut, nodes left": (lambda db: delete(db, 58, 59), 58),
    "a leaf row changed": (lambda db: set_node(db, 0, 20, bytes(32)), 20),
    "a leaf row gone": (lambda db: db.execute("DELETE FROM nodes WHERE level = 0 AND idx = 20"), 20),
    "an inner node changed": (lambda db: set_node(db, 2, 3, bytes(32)), 15),
    "an inner node as text": (lambda db: set_node(db, 2, 3, "x"), 15),
    "an inner node gone": (lambda db: db.execute("DELETE FROM nodes WHERE level = 5 AND idx = 0"), 31),
    "a node too many": (lambda db: db.execute("INSERT INTO nodes VALUES (9, 0, x'00')"), 60),
    "a node of a negative level": (lambda db: db.execute("INSERT INTO nodes VALUES (-1, 0, x'00')"), 60),
    "a table gone": (lambda db: db.execute("DROP TABLE nodes"), None),
    "a view for a table": (replace_with_a_view, None),
    "a trigger of their own": (add_a_trigger, None),
    "an entry hidden from the desk": (hide_from_an_index, None),
}


@pytest.mark.parametrize("name", FOUND)
def test_tampering_is_found_in_the_file_alone(victim: Path, name: str) -> None:
    attack, first_bad = FOUND[name]
    assert verify(victim).size == ENTRIES
    with without_triggers(victim) as connection:
        attack(connection)
    with pytest.raises(AuditBroken) as caught:
        verify(victim)
    assert caught.value.seq == first_bad


def cut(connection: sqlite3.Connection, size: int) -> None:
    rewrite(connection, lambda entries: entries.__delitem__(slice(size, None)))


def replace_actor(entries: list[tuple[dict[str, Any], bytes]]) -> None:
    entries[:] = [({**facts, "actor": "u-other"}, payload) for facts, payload in entries]


# Without fault in themselves: (attack, whether the file alone shows it, first bad entry with the checkpoint)
REBUILT: dict[str, tuple[Attack, int | None]] = {
    "4 deleted, renumbered and rebuilt": (lambda db: rewrite(db, lambda entries: entries.pop(20)), None),
    "5 swapped and rebuilt": (lambda db: rewrite(db, lambda entries: entries.insert(20, entries.pop(21))), None),
    "6 one repeated and rebuilt": (lambda db: rewrite(db, lambda entries: entries.insert(20, entries[20])), None),
    "8 the end cut, nodes too": (lambda db: cut(db, 40), 40),
    "8 everything cut": (lambda db: cut(db, 0), 0),
    "9 all of it rewritten": (lambda db: rewrite(db, replace_actor), None),
}


@pytest.mark.parametrize("name", REBUILT)
def test_a_rebuilt_log_is_found_with_a_carried_checkpoint_and_only_then(
    victim: Path, carried: Checkpoint, name: str
) -> None:
    attack, first_bad = REBUILT[name]
    assert verify(victim, carried).size == ENTRIES
    with without_triggers(victim) as connection:
        attack(connection)
    verify(victim)  # the file alone is without fault: this is what the checkpoint is for
    with pytest.raises(AuditBroken) as caught:
        verify(victim, carried)
    assert caught.value.seq == first_bad


@pytest.mark.parametrize("name", REBUILT)
def test_a_rebuilt_log_is_not_opened_beside_its_own_checkpoint(victim: Path, name: str, asked: Ask) -> None:
    with without_triggers(victim) as connection:
        REBUILT[name][0](connection)
    with pytest.raises(AuditBroken, match="checkpoint"):
        QueryLog(victim)


def test_a_cut_after_the_carried_checkpoint_is_the_limit_of_what_it_shows(victim: Path, carried: Checkpoint) -> None:
    with without_triggers(victim) as connection:
        cut(connection, CARRIED)
    assert verify(victim, carried).size == CARRIED


def test_an_older_backup_put_back_is_found_with_a_carried_checkpoint(victim: Path, tmp_path: Path, asked: Ask) -> None:
    """Attack 10."""
    backup = tmp_path / "backup.db"
    shutil.copy(victim, backup)
    with QueryLog(victim) as log:
        log.append(asked("later"))
        carried = log.checkpoint()
    shutil.copy(backup, victim)
    assert verify(victim).size == ENTRIES
    with pytest.raises(AuditBroken) as caught:
        verify(victim, carried)
    assert caught.value.seq == ENTRIES
    with pytest.raises(AuditBroken, match="cut, exchanged or altered"):
        QueryLog(victim)


def test_a_log_that_is_gone_does_not_come_back_empty(victim: Path) -> None:
    victim.unlink()
    with pytest.raises(AuditBroken, match="gone"):
        QueryLog(victim)
    assert not victim.exists()
    with pytest.raises(AuditBroken, match="no query log"):
        verify(victim)


def test_time_that_goes_back_without_a_word_is_found(victim: Path) -> None:
    """Attack 11: entries of another day pushed in, everything rebuilt."""

    def backdate(entries: list[tuple[dict[str, Any], bytes]]) -> None:
        yesterday = to_text(datetime.now(UTC) - timedelta(days=1))
        entries[30] = ({**entries[30][0], "time": yesterday}, entries[30][1])

    with without_triggers(victim) as connection:
        rewrite(connection, backdate)
    with pytest.raises(AuditBroken, match="Time goes back") as caught:
        verify(victim)
    assert caught.value.seq == 30


def test_a_forged_checkpoint_is_found(victim: Path, carried: Checkpoint) -> None:
    """Attack 12."""
    for forged in (
        Checkpoint(ORIGIN, CARRIED, bytes(32)),
        Checkpoint(ORIGIN, CARRIED + 1, carried.root),
        Checkpoint(ORIGIN, ENTRIES + 1, carried.root),
        Checkpoint(ORIGIN, 0, carried.root),
    ):
        with pytest.raises(AuditBroken):
            verify(victim, forged)
    checkpoint.write(checkpoint_path(victim), Checkpoint(ORIGIN, CARRIED, bytes(32)))
    with pytest.raises(AuditBroken):
        QueryLog(victim)
    checkpoint.write(checkpoint_path(victim), Checkpoint("another/log", CARRIED, carried.root))
    with pytest.raises(AuditBroken, match="another log"):
        QueryLog(victim)


def test_a_file_exchanged_under_a_running_appliance_stops_the_log(victim: Path, tmp_path: Path, asked: Ask) -> None:
    """Attack 18, with a copy that is the same to the byte: what is appended would go to a file nobody finds."""
    with pytest.raises(AuditBroken, match="exchanged"), QueryLog(victim) as log:
        log.append(asked("q60"))
        copy = tmp_path / "copy.db"
        shutil.copy(victim, copy)
        copy.replace(victim)
        log.append(asked("q61"))


def test_rows_changed_under_a_running_appliance_stop_the_log(victim: Path, asked: Ask) -> None:
    log = QueryLog(victim)
    with without_triggers(victim) as connection:
        cut(connection, 40)
    with pytest.raises(AuditBroken, match="cut, exchanged or altered"):
        log.append(asked("q60"))
    with pytest.raises(AuditBroken):
        log.close()
    with closing(sqlite3.connect(victim)) as connection:
        assert connection.execute("SELECT count(*) FROM heads").fetchone() == (40,)  # kept as it was found


def test_a_damaged_file_is_reported_whatever_page_is_hit(victim: Path) -> None:
    whole = victim.read_bytes()
    pages = len(whole) // 4096
    assert pages > 10
    for page in range(pages):
        at = page * 4096
        victim.write_bytes(whole[:at] + b"\xa5" * 4096 + whole[at + 4096 :])
        with pytest.raises(AuditBroken, match="backup"):
            verify(victim)
    victim.write_bytes(whole)
    assert verify(victim).size == ENTRIES


@pytest.mark.parametrize("content", [b"", b"x", b"not a database" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_not_a_log_is_reported(log_path: Path, content: bytes) -> None:
    log_path.parent.mkdir()
    log_path.write_bytes(content)
    with pytest.raises(AuditBroken, match="backup"):
        verify(log_path)


def test_a_log_that_is_locked_away_is_unavailable_not_broken(victim: Path) -> None:
    with closing(sqlite3.connect(victim, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AuditUnavailable, match="locked"):
            verify(victim, busy_timeout_s=0.1)


def test_clean_logs_of_every_size_verify_with_every_checkpoint_they_ever_had(log_path: Path, asked: Ask) -> None:
    with QueryLog(log_path) as log:
        checkpoints = [log.checkpoint()]
        for number in range(34):
            log.append(asked(f"q{number}"))
            checkpoints.append(log.checkpoint())
            assert verify(log_path, checkpoints[-1]) == Verified(number + 1, log.root())
        for earlier in checkpoints:
            assert verify(log_path, earlier).size == 34


def test_verification_changes_nothing(victim: Path, tmp_path: Path) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    copy = medium / "queries.db"
    shutil.copy(victim, copy)
    before = copy.read_bytes()
    copy.chmod(0o400)
    medium.chmod(0o500)
    try:
        assert verify(copy).size == ENTRIES
    finally:
        medium.chmod(0o700)
    assert copy.read_bytes() == before
