"""What the keys of the log open, and what is left when they are not there."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.audit import keys
from appliance.audit.entries import AdminAction, LogOpened
from appliance.audit.keys import encryption_key_path, keys_path
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter, QueryState
from appliance.audit.verifier import NotJudged
from appliance.audit.verifier import verify as verify_export
from appliance.audit.verify import verify
from appliance.errors import AuditUnavailable

from . import older
from .conftest import Ask, Close


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def subjects_in(log: Path) -> list[str]:
    with raw(log) as connection:
        return [json.loads(head)["actor"] for (head,) in connection.execute("SELECT head FROM heads ORDER BY seq")]


def test_a_person_has_one_name_a_month_and_is_found_under_all_of_them(log_path: Path, asked: Ask) -> None:
    moments = iter([datetime(2026, 1, 31, 23, 59, tzinfo=UTC), *[datetime(2026, 2, 1, tzinfo=UTC)] * 3])
    with QueryLog(log_path, clock=lambda: next(moments)) as log:
        log.append(asked("q1"))
        log.append(asked("q2"))
        log.append(asked("q3"))
        log.append(asked("q4", actor="u-legal"))
        found = log.queries(LogFilter(actor="u-records"))
    january, february, also_february, another = subjects_in(log_path)
    assert february == also_february
    assert len({january, february, another}) == 3
    assert [query.query_id for query in found] == ["q3", "q2", "q1"]


def test_what_nobody_did_is_sealed_too_and_read(log: QueryLog) -> None:
    log.append(LogOpened("1.0"))
    assert log.entry(0).entry == LogOpened("1.0")


def test_only_the_appliance_may_read_the_keys(log: QueryLog, asked: Ask) -> None:
    log.append(asked())
    files = list(keys_path(log.path).parent.iterdir())
    assert {file.name for file in files} == {"queries.db", "queries.kek.1"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(keys_path(log.path).parent.stat().st_mode) == 0o700


def test_without_the_keys_the_log_verifies_and_says_nothing(log_path: Path, asked: Ask, closed: Close) -> None:
    with QueryLog(log_path) as log:
        log.append(asked())
        log.append(closed())
        shutil.rmtree(keys_path(log_path).parent)
        query = log.query("q1")
        assert (query.asked.sealed, query.asked.damaged, query.question) == (True, False, None)
        assert query.state == QueryState.SEALED
        with pytest.raises(NotJudged, match=r"explains it \(there is none\): 0-1. .* the keys to these are not there"):
            verify_export(log.export())
        assert log.queries(LogFilter(text="invoices")) == ()
    assert verify(log_path).size == 2


@pytest.mark.parametrize("how", ["gone", "emptied"])
def test_lost_keys_stop_the_log_and_are_not_made_anew(filled: Path, how: str) -> None:
    path = keys_path(filled)
    kept = {file: file.read_bytes() for file in path.parent.iterdir()}
    path.unlink() if how == "gone" else path.write_bytes(b"")
    with pytest.raises(AuditUnavailable, match="Restore the backup of the keys"):
        QueryLog(filled)
    for file, data in kept.items():
        file.write_bytes(data)
    with QueryLog(filled) as log:
        assert not any(recorded.sealed for recorded in log.entries())


@pytest.mark.parametrize("how", ["gone", "an older backup"])
def test_keys_exchanged_under_a_running_appliance_stop_the_log(
    filled: Path, tmp_path: Path, asked: Ask, how: str
) -> None:
    """What would be sealed with a key that is in no file any more could never be read again."""
    path, backup, newest = keys_path(filled), tmp_path / "backup.db", tmp_path / "newest.db"
    shutil.copy(path, backup)
    with QueryLog(filled) as log:
        log.append(asked("q98", actor="u-new"))
        shutil.copy(path, newest)
        path.unlink()
        if how == "an older backup":
            shutil.copy(backup, path)
        with pytest.raises(AuditUnavailable, match="were exchanged while"):
            log.append(asked("q99", actor="u-new"))
    shutil.copy(newest, path)
    with QueryLog(filled) as log:
        log.append(asked("q99", actor="u-new"))
        assert not any(recorded.sealed for recorded in log.entries())


@pytest.mark.parametrize("how", ["gone", "another"])
def test_keys_without_their_key_encryption_key_stop_the_log(filled: Path, asked: Ask, how: str) -> None:
    key = encryption_key_path(keys_path(filled), 1)
    key.unlink() if how == "gone" else key.write_bytes(bytes(32))
    with QueryLog(filled) as log:
        with pytest.raises(AuditUnavailable, match="Restore"):
            log.append(asked("q99"))
        assert log.entry(0).sealed
        assert log.size() == 12


def test_a_log_of_an_older_release_is_read_and_goes_on(log_path: Path, asked: Ask, closed: Close) -> None:
    carried = older.write(log_path, [asked("q1", "Wie lange?"), closed("q1")])
    with QueryLog(log_path) as log:
        log.append(asked("q2"))
        log.append(AdminAction("u-records", "group.created", "finance"))
        assert log.query("q1").question == asked("q1", "Wie lange?")
        assert log.query("q1").answer == closed("q1")
        assert [query.query_id for query in log.queries(LogFilter(actor="u-records"))] == ["q2", "q1"]
        lines = list(log.export())
    assert verify(log_path, carried).size == 4
    verified = verify_export(lines, [carried.text()])
    assert (verified.entries, verified.without_content) == (4, 0)


def test_keys_made_for_two_at_once_are_one(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "queries.db"
    with (
        keys.open_to_write(path, 1.0, may_be_new=True) as one,
        keys.open_to_write(path, 1.0, may_be_new=True) as two,
    ):
        assert one.obtain("u1", "2026-01") == two.obtain("u1", "2026-01")
        assert one.obtain("u1", "2026-02") != two.obtain("u2", "2026-02")
        assert two.find("nobody") is None


def test_a_key_shows_nothing_of_itself(tmp_path: Path) -> None:
    with keys.open_to_write(tmp_path / "keys" / "queries.db", 1.0, may_be_new=True) as ring:
        key = ring.obtain("u1", "2026-01")
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)
    for file in (tmp_path / "keys").iterdir():
        assert key.secret not in file.read_bytes()
