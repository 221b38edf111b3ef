"""Content that was erased is gone, and the log is whole without it."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.audit import erasing, keys, sqlite
from appliance.audit.entries import ContentErased
from appliance.audit.erasing import Erased
from appliance.audit.keys import Holding, encryption_key_path, keys_path
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter, QueryState
from appliance.audit.verifier import NotJudged
from appliance.audit.verifier import verify as verify_export
from appliance.audit.verify import verify
from appliance.errors import AuditBroken, AuditUnavailable

from . import older
from .conftest import Ask, Close
from .test_sealing import raw

SECRET = "Ultramarin-Quartalsbericht"


def clock_of(*moments: datetime) -> object:
    """A clock that tells these moments one after the other, and the last one ever after."""
    waiting = list(moments)
    return lambda: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def of(log: QueryLog, person: str, month: str = "") -> list[Holding]:
    return [held for held in log.holdings() if held.person == person and month in ("", held.month)]


def secrets_of(path: Path, person: str) -> list[bytes]:
    """Everything that opens what a person's keys sealed: the keys, as they are wrapped and as they are, and the KEK."""
    with keys.open_to_write(keys_path(path), 1.0, may_be_new=False) as ring, raw(keys_path(path)) as connection:
        rows = connection.execute("SELECT subject, wrapped FROM keys WHERE person = ?", (person,)).fetchall()
        opened = [key.secret for subject, _ in rows if (key := ring.find(subject))]
        assert len(opened) == len(rows)
        return [
            *opened,
            *(wrapped for _, wrapped in rows),
            encryption_key_path(keys_path(path), ring.epoch()).read_bytes(),
        ]


def erase(log: QueryLog, holdings: list[Holding], order_id: str = "") -> Erased:
    erased = log.erase(holdings, order_id)
    assert erased is not None
    return erased


def found_in_any_file(folder: Path, *wanted: bytes) -> list[str]:
    """Which files hold one of these, as it is, in hex or in base64."""
    forms = [form for item in wanted for form in (item, item.hex().encode(), base64.b64encode(item))]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]


def test_no_file_holds_a_key_or_a_word_of_what_was_erased_and_the_log_is_what_it_was(
    log_path: Path, asked: Ask, closed: Close
) -> None:
    """STANDARD A8, with the log open, as an appliance has it."""
    with QueryLog(log_path) as log:
        for number in range(40):
            log.append(asked(f"q{number}", f"{SECRET} {number}", actor="u-gone"))
            log.append(closed(f"q{number}", SECRET))
            log.append(asked(f"k{number}", "What may stay?", actor="u-stays"))
        doomed = secrets_of(log_path, "u-gone")
        assert found_in_any_file(log_path.parent, *doomed)
        before = log.checkpoint()
        erased = erase(log, of(log, "u-gone"), "order-1")
        assert found_in_any_file(log_path.parent, *doomed, SECRET.encode()) == []
        assert (erased.entries, erased.before) == (40, before)
        assert erased.after == log.checkpoint()
        assert verify(log_path, before, erased.after).size == 121
        assert log.query("k7").question == asked("k7", "What may stay?", actor="u-stays")
        gone = log.query("q7")
        assert (gone.question, gone.asked.erased, gone.asked.damaged) == (None, True, False)
        report = verify_export(log.export(), [before.text(), erased.after.text()])
        assert report.without_content == 40
        assert any("Erased, as entry 120 says" in remark and ": 0, 3, 6, " in remark for remark in report.remarks)
    assert found_in_any_file(log_path.parent, *doomed, SECRET.encode()) == []
    assert verify(log_path, before).size == 121


def test_an_erasure_is_on_record_without_saying_of_whom(log: QueryLog, asked: Ask) -> None:
    log.append(asked(actor="u-gone"))
    erased = erase(log, of(log, "u-gone"), "order-1")
    entry = log.entry(erased.seq).entry
    assert isinstance(entry, ContentErased)
    assert (entry.key_epoch, entry.entries, entry.order_id) == (2, 1, "order-1")
    assert len(entry.months) == 1
    assert "u-gone" not in repr(entry)


def test_one_month_is_erased_and_the_others_stay(log_path: Path, asked: Ask) -> None:
    january, february = datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 2, 9, tzinfo=UTC)
    with QueryLog(log_path, clock=clock_of(january, february)) as log:
        log.append(asked("q1"))
        log.append(asked("q2"))
        assert log.count(of(log, "u-records")) == 2
        assert erase(log, of(log, "u-records", "2026-01")).months == ("2026-01",)
        assert log.query("q1").question is None
        assert log.query("q2").question == asked("q2")
        assert of(log, "u-records", "2026-01") == []


def test_a_person_who_goes_on_asking_gets_another_key(log: QueryLog, asked: Ask) -> None:
    log.append(asked("q1"))
    log.erase(of(log, "u-records"))
    log.append(asked("q2"))
    assert log.query("q1").question is None
    assert [query.query_id for query in log.queries(LogFilter(actor="u-records"))] == ["q2"]
    assert verify(log.path).size == 3


def test_an_answer_that_was_erased_is_not_called_altered(log: QueryLog, asked: Ask, closed: Close) -> None:
    log.append(asked())
    log.append(closed())
    log.erase(of(log, "u-records"))
    assert log.query("q1").state == QueryState.SEALED


def test_what_an_older_release_wrote_in_plain_text_is_erased_too(log_path: Path, asked: Ask, closed: Close) -> None:
    carried = older.write(log_path, [asked("q1", SECRET), closed("q1", SECRET), asked("q9", "Else?", actor="u-stays")])
    with QueryLog(log_path) as log:
        log.append(asked("q2", SECRET))
        assert erase(log, of(log, "u-records")).entries == 3
        assert log.query("q9").question == asked("q9", "Else?", actor="u-stays")
    assert found_in_any_file(log_path.parent, SECRET.encode()) == []
    assert verify(log_path, carried).size == 5


def altered(path: Path, seq: int, head: str) -> None:
    with raw(path) as connection:
        connection.execute("DROP TRIGGER heads_no_update")
        connection.execute("UPDATE heads SET head = ? WHERE seq = ?", (head.encode(), seq))


@pytest.mark.parametrize("head", ["{", "[]", "{}", '{"v": null}', '{"v": "one"}'])
def test_a_damaged_head_is_said_to_be_one_when_somebody_asks_what_there_is_to_erase(
    log_path: Path, asked: Ask, head: str
) -> None:
    older.write(log_path, [asked("q1"), asked("q2")])
    with QueryLog(log_path) as log:
        altered(log_path, 1, head)
        with pytest.raises(AuditBroken, match="Entry 1 was altered") as raised:
            log.holdings()
    assert raised.value.seq == 1


@pytest.mark.parametrize("epoch", ["", ', "key_epoch": null', ', "key_epoch": "two"', ', "key_epoch": [2]'])
def test_a_damaged_head_of_an_erasure_keeps_the_log_closed_and_says_why(log_path: Path, asked: Ask, epoch: str) -> None:
    with QueryLog(log_path) as log:
        log.append(asked("q1"))
        seq = erase(log, of(log, "u-records")).seq
        altered(log_path, seq, f'{{"type": "{ContentErased.type}"{epoch}}}')
        with pytest.raises(AuditBroken, match=f"Entry {seq} was altered"):
            log.query("q1")
    with pytest.raises(AuditBroken, match=f"Entry {seq} was altered"):
        QueryLog(log_path)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_entry_that_was_emptied_without_an_erasure_is_found(log_path: Path, asked: Ask, when: str) -> None:
    with QueryLog(log_path) as log:
        for number in range(6):
            log.append(asked(f"q{number}", actor=f"u-{number % 2}"))
        log.erase(of(log, "u-0"))
        log.append(asked("q6", actor="u-1"))
    with raw(log_path) as connection:
        connection.execute("DROP TRIGGER payloads_no_update")
        victim = 3 if when == "before" else 7
        connection.execute("UPDATE payloads SET payload = x'' WHERE seq = ?", (victim,))
    with pytest.raises(AuditBroken) as raised:
        verify(log_path)
    assert raised.value.seq == (None if when == "before" else 7)


def test_content_put_back_after_an_erasure_is_found(log_path: Path, asked: Ask) -> None:
    with QueryLog(log_path) as log:
        log.append(asked(actor="u-gone"))
        with raw(log_path) as connection:
            (payload,) = connection.execute("SELECT payload FROM payloads WHERE seq = 0").fetchone()
        log.erase(of(log, "u-gone"))
    with raw(log_path) as connection:
        connection.execute("DROP TRIGGER payloads_no_update")
        connection.execute("UPDATE payloads SET payload = ? WHERE seq = 0", (payload,))
    with pytest.raises(AuditBroken, match="Other entries"):
        verify(log_path)


def test_the_file_of_keys_alone_from_a_backup_opens_with_nothing(log_path: Path, tmp_path: Path, asked: Ask) -> None:
    """Attack 21, when the old key-encryption key is gone from every place."""
    with QueryLog(log_path) as log:
        log.append(asked(actor="u-gone"))
        shutil.copy(keys_path(log_path), tmp_path / "old.db")
        log.erase(of(log, "u-gone"))
    assert [path.name for path in keys_path(log_path).parent.glob("*.kek.*")] == ["queries.kek.2"]
    shutil.copy(tmp_path / "old.db", keys_path(log_path))
    with pytest.raises(AuditUnavailable):
        QueryLog(log_path)
    with closing(sqlite3.connect(keys_path(log_path))) as connection:
        (wrapped, month) = connection.execute("SELECT wrapped, month FROM keys WHERE person = 'u-gone'").fetchone()
    survivor = encryption_key_path(keys_path(log_path), 2).read_bytes()
    with pytest.raises(ValueError, match="not sealed with this key"):
        keys.Key("", survivor).open(wrapped, f"{month} u-gone".encode())


@pytest.mark.parametrize("step", [(erasing, "empty"), (sqlite.Connection, "clear_away")], ids=["empty", "clear away"])
def test_an_erasure_that_was_cut_off_is_completed_at_the_next_start(
    log_path: Path, asked: Ask, step: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with QueryLog(log_path) as log:
        log.append(asked("q1", SECRET, actor="u-gone"))
        log.append(asked("q2", actor="u-stays"))
        doomed = secrets_of(log_path, "u-gone")
        with monkeypatch.context() as broken:
            broken.setattr(*step, fail)
            with pytest.raises(AuditUnavailable):
                log.erase(of(log, "u-gone"))
        assert log.query("q1").question is None
    with QueryLog(log_path) as log:
        assert log.query("q1").asked.erased
        assert log.query("q2").question == asked("q2", actor="u-stays")
    assert found_in_any_file(log_path.parent, *doomed, SECRET.encode()) == []
    verify(log_path)


def test_with_the_wrong_key_encryption_key_nothing_is_erased(log_path: Path, asked: Ask) -> None:
    with QueryLog(log_path) as log:
        log.append(asked("q1", actor="u-gone"))
        log.append(asked("q2", actor="u-stays"))
        path = encryption_key_path(keys_path(log_path), 1)
        right = path.read_bytes()
        path.write_bytes(bytes(32))
        with pytest.raises(AuditUnavailable):
            log.erase(of(log, "u-gone"))
        path.write_bytes(right)
        assert log.query("q1").question == asked("q1", actor="u-gone")
        assert log.append(asked("q3")).seq == 2


def test_a_reader_that_does_not_end_keeps_an_erasure_from_being_called_complete(log_path: Path, asked: Ask) -> None:
    with QueryLog(log_path, busy_timeout_s=0.1) as log:
        log.append(asked("q1", actor="u-gone"))
        with raw(log_path) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM payloads").fetchone()
            with pytest.raises(AuditUnavailable, match="being read"):
                log.erase(of(log, "u-gone"))
        assert erase(log, []).entries == 0
        assert log.erase([]) is None
        assert verify(log_path).size == 3


def test_an_export_that_is_fetched_slowly_holds_up_no_erasure_and_goes_on_without_what_was_erased(
    log_path: Path, asked: Ask
) -> None:
    with QueryLog(log_path, busy_timeout_s=0.1) as log:
        for number in range(600):
            log.append(asked(f"q{number}", SECRET, actor="u-gone"))
        lines = log.export()
        first = next(lines)
        assert erase(log, of(log, "u-gone")).entries == 600
        rest = list(lines)
        log.append(asked("later"))
    assert len(rest) == 600
    assert SECRET not in "".join(rest)
    with pytest.raises(NotJudged, match="while the export was being written"):
        verify_export([first, *rest])
