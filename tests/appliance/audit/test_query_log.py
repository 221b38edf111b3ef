"""Appending to the log and reading it back. What holds wherever it is kept besides: tests/contracts/test_query_log.py."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.audit import checkpoint, tree
from appliance.audit.checkpoint import latest_path as checkpoint_path
from appliance.audit.entries import (
    ActDecided,
    ActProposed,
    AdminAction,
    AnswerReviewed,
    CaseNoted,
    CaseOpened,
    CaseQueryAdded,
    ClockStepped,
    ContentErased,
    DeskOpened,
    Entry,
    EvaluationEnded,
    ExpiryAnnounced,
    GenerationParameters,
    HoldPlaced,
    LogClosed,
    LogExported,
    LogOpened,
    LogRead,
    MeasuredValue,
    ModelUsed,
    PassagesRetrieved,
    PersonNamed,
    QueryReplayed,
    QuestionCompleted,
    QuestionRewritten,
    SamplingRuleEnded,
    SamplingRuleMade,
    SettingInForce,
    SignedIn,
    SignedOut,
    SignInFailed,
    names_of_types,
)
from appliance.audit.log import CHECKPOINT_EVERY, QueryLog
from appliance.audit.records import LogFilter, QueryState
from appliance.audit.verify import verify
from appliance.errors import AuditBroken, AuditUnavailable, NotFound

from .conftest import Ask, Close, Judge


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


REWRITTEN = QuestionRewritten(
    "How long?", False, ModelUsed("ollama", "qwen"), "00" * 32, "rewrite/1", GenerationParameters(0.0, 1, 96, 4096)
)


def test_a_follow_up_that_an_older_release_recorded_with_its_passages_is_still_known(
    log: QueryLog, asked: Ask, searched: PassagesRetrieved
) -> None:
    log.append(asked())
    log.append(replace(searched, rewritten=REWRITTEN))
    assert log.query("q1").rewritten == REWRITTEN


def test_every_type_of_entry_comes_back_as_it_was_written(
    log: QueryLog, asked: Ask, searched: PassagesRetrieved, closed: Close, judged: Judge
) -> None:
    written: list[Entry] = [
        LogOpened("0.1.0", "ab" * 32, (SettingInForce("retention.profile", "bank"),)),
        SignInFailed("", "root", "10.0.0.7", "no such account"),
        SignedIn("u-records", "Records officer", "s1", "10.0.0.7"),
        asked(),
        QuestionCompleted("q1", "u-records", "How long are invoices kept?", REWRITTEN),
        searched,
        closed(),
        EvaluationEnded("u-admin", "e1", "set", "ab" * 32, ("hr",), 3, True, (MeasuredValue("ndcg", 0.5),)),
        judged(verdict="down", comment="It is twelve years."),
        DeskOpened("u-compliance", "Complaint of a customer", "s2"),
        LogRead("u-compliance", "questions with 'invoice'"),
        PersonNamed("u-compliance", "P-7K3M9-Q2XDA", "p1"),
        LogExported("u-compliance", "everything of January"),
        QueryReplayed("u-compliance", "q1", "impossible", ("model.changed",)),
        AdminAction("u-admin", "group.created", "finance", "3 members"),
        ActProposed("u-compliance", "p1", "hold.released", "h1", "The case is closed."),
        ActDecided("u-other", "p1", "hold.released", "h1", "approved", "Agreed."),
        HoldPlaced("u-compliance", "h1", "u-records", "2026-01", "2026-02", "A case is open."),
        ExpiryAnnounced(("2025-07",), "2026-02-01", "standard"),
        ContentErased(1, "ab" * 32, 0, ("2025-07",)),
        SamplingRuleMade("u-compliance", "r1", "flag", "low_grounding", 10_000, "cd" * 32),
        SamplingRuleEnded("u-compliance", "r1"),
        AnswerReviewed("q1", "u-compliance", "Compliance officer", "leak", "It is not for clerks.", "case-1"),
        CaseOpened("u-compliance", "Compliance officer", "case-1", "Salaries seen", "A clerk told of it."),
        CaseQueryAdded("q1", "u-compliance", "Compliance officer", "case-1"),
        CaseNoted("u-compliance", "Compliance officer", "case-1", "The label was wrong."),
        ClockStepped(2.5),
        SignedOut("u-records", "s1"),
        LogClosed("stopped"),
    ]
    assert {entry.type for entry in written} == set(names_of_types())
    for entry in written:
        log.append(entry)
    read = [log.entry(seq) for seq in range(log.size())]
    assert [recorded.entry for recorded in read] == written
    assert [recorded.type for recorded in read] == [entry.type for entry in written]
    assert not any(recorded.damaged for recorded in read)


@pytest.mark.parametrize(
    "text", ["", "Größe? 😀 \u202e\u200b", "a\0b", "\ud800 lone", "\udc00\ud800", '"}\n{"seq":7', "x" * 100_000]
)
def test_any_text_can_be_asked_and_is_kept_as_it_is(log: QueryLog, asked: Ask, closed: Close, text: str) -> None:
    log.append(asked("q1", text))
    log.append(closed("q1", text))
    query = log.query("q1")
    assert query.question is not None
    assert query.answer is not None
    assert (query.question.question, query.answer.answer) == (text, text)
    assert verify(log.path, log.checkpoint()).size == 2


def test_an_entry_with_half_a_character_in_an_id_keeps_nothing_from_being_read(log: QueryLog, asked: Ask) -> None:
    log.append(LogRead("u-officer", "one query", "q\ud800"))
    log.append(asked("q1"))
    assert [recorded.damaged for recorded in log.entries()] == [False, False]
    assert len(list(log.export())) == 3
    assert [query.query_id for query in log.queries()] == ["q1"]


def test_no_file_of_the_log_holds_what_was_said_or_who_said_it(log: QueryLog, asked: Ask, closed: Close) -> None:
    log.append(asked("q1", "Is the merger off?"))
    log.append(closed("q1", "No, it is on."))
    with raw(log.path) as connection:
        head = json.loads(connection.execute("SELECT head FROM heads WHERE seq = 0").fetchone()[0])
        (payload,) = connection.execute("SELECT payload FROM payloads WHERE seq = 0").fetchone()
    assert head.keys() == {
        "v", "seq", "type", "time", "boot_id", "monotonic_us", "actor", "query_id", "content_sha256", "payload_sha256"
    }  # fmt: skip
    assert (head["v"], head["seq"], head["query_id"]) == (2, 0, "q1")
    assert head["payload_sha256"] == hashlib.sha256(payload).hexdigest()
    for file in log.path.parent.glob("queries*"):
        data = file.read_bytes()
        assert not any(word in data for word in (b"merger", b"u-records", b"Records officer", b'"c1"')), file.name


def test_the_same_question_twice_has_nothing_in_common_but_who_asked(log: QueryLog, asked: Ask) -> None:
    receipts = [log.append(asked("q1")), log.append(asked("q1"))]
    assert receipts[0].leaf_hash != receipts[1].leaf_hash
    with raw(log.path) as connection:
        heads = [json.loads(head) for (head,) in connection.execute("SELECT head FROM heads")]
    assert len({head["actor"] for head in heads}) == 1
    for hashed in ("payload_sha256", "content_sha256"):
        assert len({head[hashed] for head in heads}) == 2


def test_a_receipt_holds_the_root_with_its_entry_as_the_last(log: QueryLog, asked: Ask) -> None:
    frontier = tree.Frontier()
    assert log.root() == tree.EMPTY_ROOT
    for number in range(40):
        receipt = log.append(asked(f"q{number}"))
        frontier.append(receipt.leaf_hash)
        assert (receipt.seq, receipt.root) == (number, frontier.root())
    assert (log.size(), log.root()) == (40, frontier.root())


def test_what_is_not_there_is_not_found(log: QueryLog) -> None:
    with pytest.raises(NotFound):
        log.entry(0)
    with pytest.raises(NotFound):
        log.query("q1")
    assert log.entries() == ()
    assert log.queries() == ()


def test_a_question_is_read_with_its_answer_and_its_feedback(
    log: QueryLog, asked: Ask, searched: PassagesRetrieved, closed: Close, judged: Judge
) -> None:
    log.append(asked("q1"))
    log.append(asked("q2", "What about offers?"))
    log.append(closed("q2"))
    log.append(searched)
    log.append(closed("q1"))
    log.append(judged("q1", "up"))
    log.append(judged("q1", "down", "Not so."))
    query = log.query("q1")
    assert (query.question, query.retrieval, query.answer) == (asked("q1"), searched, closed("q1"))
    assert log.query("q2").retrieval is None
    assert [query.query_id for query in log.queries(LogFilter(text="retention.pdf"))] == ["q1"]
    assert [feedback.verdict for feedback in query.feedback] == ["up", "down"]
    assert query.state == QueryState.ANSWERED
    assert query.seqs == (0, 3, 4, 5, 6)
    assert [found.query_id for found in log.queries()] == ["q2", "q1"]


def test_a_question_whose_answer_never_closed_is_unfinished_and_a_failed_one_failed(
    log: QueryLog, asked: Ask, closed: Close
) -> None:
    log.append(asked("crashed"))
    log.append(asked("failed"))
    log.append(closed("failed", answer="", kind="", error="model_unavailable"))
    assert log.query("crashed").state == QueryState.UNFINISHED
    assert log.query("crashed").closed is None
    assert log.query("failed").state == QueryState.FAILED
    assert [query.query_id for query in log.queries(LogFilter(state=QueryState.UNFINISHED))] == ["crashed"]


def test_questions_are_found_by_words_person_kind_verdict_and_time(
    log_path: Path, asked: Ask, closed: Close, judged: Judge
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock = iter([noon + timedelta(hours=hour) for hour in range(6)])
    with QueryLog(log_path, clock=lambda: next(clock)) as log:
        log.append(asked("q1", "Wie lange gilt die BÜRGSCHAFT?"))
        log.append(closed("q1", "Zehn Jahre [1]."))
        log.append(asked("q2", "Who signs?", actor="u-legal"))
        log.append(closed("q2", "The documents do not say.", kind="abstained"))
        log.append(judged("q1", "up"))
        log.append(judged("q1", "down", "Wrong page"))

        def found(**wanted: object) -> list[str]:
            return [query.query_id for query in log.queries(LogFilter(**wanted))]  # type: ignore[arg-type]

        assert found() == ["q2", "q1"]
        assert found(text="bürgschaft") == found(text="zehn jahre") == found(text="wrong PAGE") == ["q1"]
        assert found(text="BU\u0308RGSCHAFT") == ["q1"]  # the same word in another Unicode form
        assert found(text="%") == found(text="wi_") == []
        assert found(actor="u-legal") == found(kind="abstained") == ["q2"]
        assert found(verdict="down") == ["q1"]
        assert found(verdict="up") == []
        assert found(since=noon + timedelta(hours=2)) == ["q2"]
        assert found(until=noon + timedelta(hours=2)) == ["q1"]
        assert found(since=noon, until=noon) == []
        assert [entry.seq for entry in log.entries(LogFilter(type="answer.closed"))] == [3, 1]
        assert [entry.seq for entry in log.entries(LogFilter(text="zehn jahre"))] == [1]
        assert [entry.seq for entry in log.entries(LogFilter(kind="abstained"))] == [3]


def test_pages_follow_each_other_without_overlap_or_gap(log: QueryLog, asked: Ask) -> None:
    for number in range(25):
        log.append(asked(f"q{number}"))
    seqs: list[int] = []
    before: int | None = None
    while page := log.entries(limit=7, before_seq=before):
        seqs += [entry.seq for entry in page]
        before = page[-1].seq
    assert seqs == list(range(24, -1, -1))
    first = log.queries(limit=20)
    assert [query.query_id for query in log.queries(limit=20, before_seq=first[-1].asked.seq)] == [
        f"q{number}" for number in range(4, -1, -1)
    ]


def test_the_log_goes_on_where_it_ended(log_path: Path, asked: Ask) -> None:
    for number in range(3):
        with QueryLog(log_path) as log:
            assert log.append(asked(f"q{number}")).seq == number
    assert verify(log_path).size == 3


@pytest.mark.parametrize("table", ["heads", "payloads", "nodes"])
def test_the_database_itself_refuses_to_change_or_remove_rows(filled: Path, table: str) -> None:
    column, key = {"heads": ("head", "seq"), "payloads": ("payload", "seq"), "nodes": ("hash", "idx")}[table]
    with closing(sqlite3.connect(filled)) as connection:
        for statement in (
            f"UPDATE {table} SET {column} = x'00' WHERE {key} = 3",
            f"UPDATE {table} SET {key} = 99 WHERE {key} = 3",
            f"DELETE FROM {table} WHERE {key} = 3",
            f"DELETE FROM {table}",
            f"INSERT OR REPLACE INTO {table} ({'level, ' * (table == 'nodes')}{key}, {column}) "
            f"VALUES ({'0, ' * (table == 'nodes')}3, x'00')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
    assert verify(filled).size == 12


def test_only_the_appliance_may_read_the_file(log: QueryLog, asked: Ask) -> None:
    log.append(asked())
    for file in (path for path in log.path.parent.iterdir() if path.is_file()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_checkpoint_that_cannot_be_kept_stops_the_log_until_it_can(log_path: Path, asked: Ask) -> None:
    with QueryLog(log_path) as log:
        folder = checkpoint_path(log_path).parent
        shutil.rmtree(folder)
        folder.write_text("in the way")
        for number in range(CHECKPOINT_EVERY - 1):
            log.append(asked(f"q{number}"))
        for _ in range(2):
            with pytest.raises(AuditUnavailable, match="Nothing is answered"):
                log.append(asked("last"))
        folder.unlink()
        log.append(asked("after"))
    assert verify(log_path, checkpoint.read(checkpoint_path(log_path))).size == CHECKPOINT_EVERY + 2


def test_a_clock_that_goes_back_is_on_record_before_the_next_entry(log_path: Path, asked: Ask) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock = iter([noon, noon - timedelta(days=1), noon - timedelta(days=1, seconds=1), noon])
    with QueryLog(log_path, clock=lambda: next(clock)) as log:
        receipts = [log.append(asked(f"q{number}")) for number in range(4)]
        assert [receipt.seq for receipt in receipts] == [0, 2, 3, 4]
        assert log.entry(1).entry == ClockStepped(86400.0)
        assert log.entry(2).time == noon - timedelta(days=1)
    assert verify(log_path).size == 5


def test_a_value_that_is_not_json_stops_the_answer_and_leaves_the_log_whole(log: QueryLog, asked: Ask) -> None:
    log.append(asked("q0"))
    for value in (float("nan"), b"bytes"):
        with pytest.raises(AuditUnavailable, match="defect"):
            log.append(ClockStepped(value))  # type: ignore[arg-type]
    assert log.append(asked("q1")).seq == 1
    assert verify(log.path).size == 2


def test_a_log_that_was_closed_takes_nothing_more(log_path: Path, asked: Ask) -> None:
    log = QueryLog(log_path)
    log.close()
    log.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        log.append(asked())


def test_an_altered_entry_is_listed_as_damaged_and_its_content_is_not_shown(
    log_path: Path, asked: Ask, closed: Close
) -> None:
    with QueryLog(log_path) as log:
        log.append(asked("q1"))
        log.append(closed("q1"))
        with raw(log_path) as connection:
            connection.execute("DROP TRIGGER payloads_no_update")
            connection.execute("UPDATE payloads SET payload = CAST(payload || x'00' AS BLOB) WHERE seq = 1")
        assert log.entry(1).damaged
        assert log.entry(1).entry is None
        assert log.query("q1").state == QueryState.DAMAGED
        assert log.query("q1").question == asked("q1")
        with pytest.raises(AuditBroken) as caught:
            list(log.export())
        assert caught.value.seq == 1


@pytest.mark.parametrize("head", [b"{", b"[]", b"{}", b"\xff", "{}"])
def test_a_head_that_was_rebuilt_into_nonsense_is_listed_as_damaged(filled: Path, head: object) -> None:
    with QueryLog(filled) as log:
        with raw(filled) as connection:
            connection.execute("DROP TRIGGER heads_no_update")
            connection.execute("DROP TRIGGER nodes_no_update")
            connection.execute("UPDATE heads SET head = ? WHERE seq = 5", (head,))
            leaf = tree.leaf_hash(head if isinstance(head, bytes) else b"{}")
            connection.execute("UPDATE nodes SET hash = ? WHERE level = 0 AND idx = 5", (leaf,))
        assert [entry.seq for entry in log.entries() if entry.damaged] == [5]
        assert len(log.queries()) == 11
        with pytest.raises(AuditBroken) as caught:
            list(log.export())
        assert caught.value.seq == 5
        with pytest.raises(AuditBroken):
            verify(filled)


def test_an_entry_of_a_newer_release_is_listed_but_not_read_as_damaged(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QueryLog(log_path) as log:
        with monkeypatch.context() as newer:
            newer.setattr(LogOpened, "type", "log.blessed")
            log.append(LogOpened("9.0"))
        recorded = log.entry(0)
    assert (recorded.type, recorded.entry, recorded.damaged) == ("log.blessed", None, False)


def test_a_file_that_is_not_a_log_is_refused_with_a_remedy(log_path: Path) -> None:
    log_path.parent.mkdir()
    log_path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(AuditUnavailable, match="not a log of the appliance"):
        QueryLog(log_path)


def test_another_database_is_refused_with_a_remedy(log_path: Path) -> None:
    log_path.parent.mkdir()
    with raw(log_path) as connection:
        connection.execute("CREATE TABLE letters (a)")
    with pytest.raises(AuditUnavailable, match="not a log of the appliance"):
        QueryLog(log_path)
