"""What people wrote and an older release kept in plain text: sealed at the start, and nothing of them left in any file."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event

from appliance import conversations as conversations_module
from appliance import database as database_module
from appliance.access_requests import AccessRequests
from appliance.audit.log import QueryLog
from appliance.config import Settings
from appliance.conversations import Conversations, StoredTurn
from appliance.database import Database, metadata
from appliance.domain import AnswerKind, Grounding, StatementCheck
from appliance.evaluation.store import EvaluationStore
from appliance.personnel import subject_of
from appliance.sealing import seal_what_is_plain
from tests.appliance.test_database import upgrade

SECRET = "Ultramarin-Quartalsbericht"
START = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
AT = "2026-02-01 00:00:00.000000"
TURNS = 1200


def plain(number: int) -> StoredTurn:
    """A turn with everything in it, of one or many pages; they are of two months."""
    return StoredTurn(
        query_id=f"q{number}",
        question=f"{SECRET} {number}?",
        answer=f"{SECRET}, answered {number} [1]. " + "lang " * (number % 7) * 600,
        kind=AnswerKind.GENERATED,
        citations=((1, "chunk-1"),),
        notices=(f"{SECRET} said otherwise.",),
        asked_at=START + timedelta(minutes=number),
        feedback="up" if number == 7 else "",
        searched_for=f"{SECRET} completed",
        grounding=Grounding(0.5, (StatementCheck(0, 9, (1,), 0.5, False, True, ("12",)),)),
        highlights=((0, 9),),
        drew_on=("chunk-1", "chunk-2"),
    )


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Path]:
    """A data folder of the release before: two people, a hundred turns to a conversation, an evaluation, requests."""
    database = Database(tmp_path / "strongroom.db")
    upgrade(database, "0020")
    with database.write() as connection:
        for number in range(0, TURNS, 100):
            connection.exec_driver_sql(
                "INSERT INTO conversations VALUES (?, ?, ?, ?)",
                (f"c{number}", f"u-{number // 100 % 2}", f"{SECRET} {number}?", AT),
            )
        connection.exec_driver_sql(
            "INSERT INTO turns (query_id, conversation_id, position, asked_at, question, answer, kind, citations, notices,"
            " feedback, searched_for, grounding, highlights, drew_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(number) for number in range(TURNS)],
        )
        connection.exec_driver_sql(
            "INSERT INTO evaluations VALUES ('e', 'helpful', 'feedback', 'ab', '[]', 0, 'admin', ?, ?, 1, 1, '', '{}',"
            " '{}', '[]')",
            (AT, AT),
        )
        connection.exec_driver_sql(
            "INSERT INTO evaluation_results VALUES (1, 'e', 'q7', 'q7', '', 1, 1, '[1]', 1, 0.5, 0, 1.0, '[]', '', NULL,"
            " NULL, NULL)"
        )
        connection.exec_driver_sql(
            "INSERT INTO people (id, name, display_name, password_hash, roles, disabled, created_at) VALUES"
            " ('u-0', 'ann', 'Ann', '', '[]', 0, '2026-01-01 00:00:00.000000')"
        )
        connection.exec_driver_sql(
            "INSERT INTO access_requests VALUES ('r0', 'u-0', 'legal', ?, ?, NULL, '', 0, ''),"
            " ('r1', 'u-0', '', ?, ?, ?, 'admin', 1, ?)",
            (f"{SECRET} please", AT, f"{SECRET} again", AT, AT, f"{SECRET} is yours"),
        )
    database.close()
    yield tmp_path


def _row(number: int) -> tuple[object, ...]:
    turn = plain(number)
    assert turn.grounding is not None
    at = turn.asked_at.strftime("%Y-%m-%d %H:%M:%S.%f")
    return (
        turn.query_id, f"c{number // 100 * 100}", number % 100, at, turn.question, turn.answer, turn.kind.value,
        json.dumps(turn.citations), json.dumps(turn.notices), turn.feedback, turn.searched_for, json.dumps(asdict(turn.grounding)),
        json.dumps(turn.highlights), json.dumps(turn.drew_on),
    )  # fmt: skip


def files_with(words: str, folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if words.encode() in path.read_bytes()]


def start(folder: Path) -> None:
    """What a start does with conversations."""
    database = Database(folder / "strongroom.db")
    database.migrate()
    with QueryLog(folder / "log" / "queries.db") as log:
        seal_what_is_plain(database, log)
    database.close()


def assert_sealed(folder: Path) -> None:
    """Everything is there for the person, in nothing but sealed columns."""
    database = Database(folder / "strongroom.db")
    with QueryLog(folder / "log" / "queries.db") as log:
        conversations = Conversations(database, log)
        assert conversations.all_turns("u-0") == [plain(number) for number in range(TURNS) if number // 100 % 2 == 0]
        assert conversations.turns("c300", "u-1") == [plain(number) for number in range(300, 400)]
        titles = [item.title for item in conversations.recent("u-1", limit=100)]
        assert sorted(titles) == sorted(f"{SECRET} {number}?" for number in range(100, TURNS, 200))
        assert [item.turn.query_id for item in conversations.praised()] == ["q7"]
        assert [item.query_id for item in EvaluationStore(database).results("e")] == ["q7"]
        asked = {item.id: (item.group, item.reason, item.answer) for item in AccessRequests(database, log).of("u-0")}
        assert asked == {
            "r0": ("legal", f"{SECRET} please", ""),
            "r1": ("", f"{SECRET} again", f"{SECRET} is yours"),
        }
        assert files_with(SECRET, folder) == []
        conversations.delete("c0", "u-0")
        assert EvaluationStore(database).results("e") == []
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    database.close()
    assert files_with(SECRET, folder) == []


def test_what_stood_in_plain_text_is_sealed_at_the_start_and_in_no_file_any_more(older: Path) -> None:
    assert files_with(SECRET, older) == ["strongroom.db"]
    start(older)
    assert_sealed(older)


def test_what_is_told_about_a_person_is_whole_when_it_is_asked_for_before_the_first_start(older: Path) -> None:
    log = QueryLog(older / "log" / "queries.db")
    with log, subject_of(Settings(data_dir=older), "ann", log) as (person, conversations, requests):
        assert [turn.is_readable for turn in conversations.all_turns(person.id)] == [True] * (TURNS // 2)
        assert len(requests.of(person.id)) == 2
    assert files_with(SECRET, older) == []


def test_a_start_without_plain_text_changes_nothing(older: Path) -> None:
    start(older)
    before = (older / "strongroom.db").read_bytes()
    start(older)
    assert (older / "strongroom.db").read_bytes() == before


def _start_that_is_cut_off(folder: Path, when: str) -> None:
    """In a process of its own: it dies in the second batch, or as soon as there is only the side file to be emptied."""
    sealed = conversations_module.sealed

    def dies(*_: object) -> None:
        os._exit(9)

    def dies_at_the_700th(query_id: str, *values: Any) -> dict[str, bytes]:
        if query_id == "q700":
            dies()
        return sealed(query_id, *values)

    database_module._PRAGMAS += ("wal_autocheckpoint=0",)  # type: ignore[assignment] # nor is it emptied in between
    if when == "among the rows":
        conversations_module.sealed = dies_at_the_700th  # type: ignore[assignment]
    else:
        Database.clear_side_files = dies  # type: ignore[method-assign, assignment]
    start(folder)


@pytest.mark.parametrize("when", ["among the rows", "before the side file is emptied"])
def test_a_start_that_is_cut_off_is_gone_on_with_by_the_next_one(older: Path, when: str) -> None:
    process = multiprocessing.get_context("fork").Process(target=_start_that_is_cut_off, args=(older, when))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert files_with(SECRET, older)
    start(older)
    assert_sealed(older)


def test_nothing_that_is_removed_is_set_aside_in_a_file_elsewhere(older: Path) -> None:
    """What one statement removes SQLite keeps until it has ended, in a nameless file of /var/tmp if that is much."""
    set_aside: set[str] = set()

    def look(*_: object) -> None:
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                target = str(descriptor.readlink())
                set_aside.update({target} if "etilqs" in target else ())

    event.listen(Engine, "after_cursor_execute", look)
    try:
        start(older)
    finally:
        event.remove(Engine, "after_cursor_execute", look)
    assert set_aside == set()
