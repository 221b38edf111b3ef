"""`strongroom eval`: a golden set is measured, compared, and what it could not judge is told."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.audit.entries import DeskOpened, LogExported
from appliance.audit.log import QueryLog
from appliance.auth.accounts import Accounts
from appliance.conversations import Conversations, StoredTurn
from appliance.data_folder import DataFolder, database_in
from appliance.domain import AnswerKind
from tests.cli.room import Room

pytestmark = pytest.mark.integration


GOLDEN = (
    {"id": "hotel", "question": "What may a hotel in Zurich cost per night?", "evidence": [{"doc": "travel.md"}]},
    {"id": "pay", "question": "What does a senior engineer earn a year?", "evidence": [{"doc": "hr/salaries.md"}]},
    {"id": "moon", "question": "Who walked on the moon in 1969?", "answerable": False},
)


@pytest.fixture(scope="module")
def measured(room: Room, tmp_path_factory: pytest.TempPathFactory) -> tuple[Room, str, str]:
    """A room in which a golden set was run once, the set's path, and what that printed."""
    folder = tmp_path_factory.mktemp("measured")
    copy = room.copied(folder / "copy")
    golden = folder / "golden.jsonl"
    golden.write_text("\n".join(json.dumps(line) for line in GOLDEN), "utf-8")
    return copy, str(golden), copy.run("eval", str(golden), "--group", "hr", "--compare", "last")


def test_a_golden_set_is_measured_as_the_groups_that_are_named(measured: tuple[Room, str, str]) -> None:
    _, _, first = measured
    assert re.search(r"nDCG@10\s+│\s+1\.000", first)
    assert re.search(r"Citation precision\s+│\s+[01]\.\d", first)
    assert "Citation precision is that of quoted passages." in first
    assert "read as everyone, hr" in first
    assert "nothing to compare with yet" in first


def test_a_metric_that_fell_too_far_is_a_status_of_its_own(measured: tuple[Room, str, str]) -> None:
    room, golden, first = measured
    options = ("--group", "hr", "--compare", _evaluation_of(first))
    worse = room.run_apart("eval", golden, *options, status=3, STRONGROOM_RETRIEVAL__ANSWERABLE_ABOVE="1")
    assert "too much worse" in worse
    assert "A metric got worse by more than 0.02" in worse
    assert re.search(r"pay.*Rightly answered.*1\.00.*0\.00.*senior engineer", worse)
    assert "118,000" not in worse


def test_of_many_questions_that_went_otherwise_the_worst_are_listed_and_how_many_more_there_are_is_told(
    measured: tuple[Room, str, str], tmp_path: Path
) -> None:
    room, golden = measured[0], tmp_path / "golden.jsonl"
    golden.write_text("\n".join(json.dumps(GOLDEN[0] | {"id": f"hotel {n:02}"}) for n in range(23)), "utf-8")
    options = ("--compare", _evaluation_of(room.run("eval", str(golden))))
    above_all = {"STRONGROOM_RETRIEVAL__ANSWERABLE_ABOVE": "1"}
    told = " ".join(room.run("eval", str(golden), *options, status=3, **above_all).split())
    assert (
        "0 questions went better and 23 worse, by any measure (sign test of better against worse: p = 0.000)." in told
    )
    assert len(set(re.findall(r"hotel \d\d", told))) == 20
    assert "3 more changes are not listed here" in told
    assert "so does this command with --all-changes." in told
    told = " ".join(room.run("eval", str(golden), *options, "--all-changes", status=3, **above_all).split())
    assert len(set(re.findall(r"hotel \d\d", told))) == 23
    assert "not listed here" not in told


def test_questions_that_are_closed_to_those_asked_as_are_told_and_do_not_count(
    measured: tuple[Room, str, str],
) -> None:
    room, golden, first = measured
    told = " ".join(room.run("eval", golden, "--compare", _evaluation_of(first), status=3).split())
    assert "golden.jsonl: 2 of 3 questions asked, read as everyone, evaluation" in told
    assert re.search(r"nDCG@10 │ 1\.000", told)
    assert "is closed to the groups they are asked with" in told
    assert "1 of 3: pay (hr/salaries.md)" in told
    assert "read as: everyone, hr -> everyone" in told
    assert "1 question that counted in the earlier evaluation was not asked" in told
    assert "A metric got worse" not in told


def test_a_question_is_asked_with_the_groups_it_names(measured: tuple[Room, str, str], tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    lines = (GOLDEN[0], GOLDEN[1] | {"groups": ["hr"]}, GOLDEN[2] | {"groups": ["everyone"]})
    golden.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    told = measured[0].run("eval", str(golden))
    assert "golden.jsonl: 3 questions, read as everyone, hr (2 of 3 named their groups)" in told
    assert re.search(r"nDCG@10\s+│\s+1\.000", told)


def test_a_change_that_is_not_in_force_yet_does_not_pass(measured: tuple[Room, str, str]) -> None:
    room, golden, first = measured
    options = ("--group", "hr", "--compare", _evaluation_of(first))
    told = room.run("eval", golden, *options, status=3, STRONGROOM_INGEST__CHUNK_TOKENS="60")
    assert "ingest.chunk_tokens: 200 -> 60" in told
    assert "The change is not measured yet: 4 documents were still cut or embedded as before." in told
    assert "A metric got worse" not in told


def test_questions_whose_document_is_gone_do_not_pass_and_are_named(room: Room, tmp_path: Path) -> None:
    copy, folder, golden = room.copied(tmp_path / "copy"), tmp_path / "canteen", tmp_path / "golden.jsonl"
    folder.mkdir()
    (folder / "canteen.md").write_text("# Canteen\n\nThe canteen serves lunch from eleven until two.\n", "utf-8")
    lunch = {"id": "lunch", "question": "When does the canteen serve lunch?", "evidence": [{"doc": "canteen.md"}]}
    golden.write_text("\n".join(json.dumps(line) for line in (GOLDEN[0], lunch)), "utf-8")
    copy.run("ingest", str(folder))
    copy.run("eval", str(golden))
    (folder / "canteen.md").unlink()
    copy.run("ingest", str(folder), "--missing-ok")
    for _ in range(2):  # trying again changes nothing
        told = " ".join(copy.run("eval", str(golden), "--compare", "last", status=3).split())
        assert "over 1 question both asked" in told
        assert "1 question that counted in the earlier evaluation was not asked" in told
        assert "asked with: lunch (canteen.md). Bring it back" in told
        assert "A metric got worse" not in told


def test_an_evaluation_with_answers_is_printed_as_json_and_listed(measured: tuple[Room, str, str]) -> None:
    room, golden, first = measured
    options = ("--group", "hr", "--answers", "--compare", _evaluation_of(first), "--max-drop", "0.5", "--json")
    report = room.run("eval", golden, *options)
    told = json.loads(report[report.index("{") : report.rindex("}") + 1])
    assert told["comparison"]["passes"]
    assert told["evaluation"]["metrics"]["recall@10"] == 1.0
    assert told["evaluation"]["metrics"]["citation_precision"] is not None
    listed = room.run("eval", "--list")
    assert "golden.jsonl" in listed
    assert _evaluation_of(first) in listed


def _evaluation_of(output: str) -> str:
    found = re.search(r"evaluation ([0-9a-f]{8})", output)
    assert found
    return found[1]


def test_questions_about_what_is_not_there_are_told_and_do_not_count(
    measured: tuple[Room, str, str], tmp_path: Path
) -> None:
    lost = [{"id": f"lost {at}", "question": "How?", "evidence": [{"doc": f"lost-{at}.pdf"}]} for at in range(12)]
    golden = tmp_path / "lost.jsonl"
    golden.write_text("\n".join(json.dumps(line) for line in (*GOLDEN[:1], *lost)), "utf-8")
    told = " ".join(measured[0].run("eval", str(golden)).split())
    assert re.search(r"nDCG@10 │ 1\.000", told)
    assert "They were not asked, and do not count: 12 of 13: lost 0 (lost-0.pdf), lost 1 (lost-1.pdf)" in told
    assert "lost 9 (lost-9.pdf), 2 more." in told


def test_a_golden_set_of_which_nothing_can_be_asked_is_an_error(
    measured: tuple[Room, str, str], tmp_path: Path
) -> None:
    golden = tmp_path / "lost.jsonl"
    golden.write_text('{"id": "lost", "question": "How?", "evidence": [{"doc": "lost.pdf"}]}', "utf-8")
    for options in ((), ("--compare", "last")):
        told = " ".join(measured[0].run("eval", str(golden), *options, status=1).split())
        assert "Error: No question could be asked, and nothing was measured" in told
        assert "lost (lost.pdf). Add or sync the source that has them" in told
        assert "what it says" not in told  # no table of nothing
    report = measured[0].run("eval", str(golden), "--json", status=1)
    assert json.loads(report[report.index("{") : report.rindex("}") + 1])["evaluation"]["asked_nothing"]


def test_what_people_found_helpful_is_written_by_command_with_a_reason_on_record(room: Room, tmp_path: Path) -> None:
    copy, written = room.copied(tmp_path / "copy"), tmp_path / "helpful.jsonl"
    why = ("--reason", "Golden set for the new model")
    copy.run("user", "add", "erin", "--role", "employee", "--group", "hr")
    assert "found helpful yet" in copy.run("eval", "--from-feedback", "--write", str(written), *why, status=1)
    question = "What does a senior engineer earn a year?"
    with (
        closing(QueryLog(copy.data / "log" / "queries.db")) as log,
        closing(database_in(DataFolder(copy.data))) as database,
    ):
        person = Accounts(database).named("erin")
        with database.read() as connection:
            chunk = connection.exec_driver_sql(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.path = 'hr/salaries.md'"
            ).scalar_one()
        turn = StoredTurn("q1", question, "Much [1].", AnswerKind.EXTRACTIVE, ((1, chunk),), (), datetime.now(UTC))
        conversations = Conversations(database, log)
        conversations.add(conversations.start(), person.id, turn)
        conversations.set_feedback("q1", person.id, "up")
    options = ("eval", "--from-feedback", "--write", str(written))
    assert "reason" in copy.run(*options, status=1)
    assert not written.exists()
    told = copy.run(*options, *why)
    assert "1 question." in told
    assert question not in told
    assert written.stat().st_mode & 0o777 == 0o600
    (line,) = map(json.loads, written.read_text("utf-8").splitlines())
    assert (line["question"], line["groups"], line["evidence"][0]["path"]) == (question, ["hr"], "hr/salaries.md")
    with closing(QueryLog(copy.data / "log" / "queries.db")) as log:
        opened, exported = (log.entry(log.size() - back).entry for back in (2, 1))
    assert isinstance(opened, DeskOpened) and opened.reason == why[1]
    assert isinstance(exported, LogExported)
    assert exported.what == "1 question found helpful, as a golden set, on the command line"
    assert "cannot be written" in copy.run(*options, *why, status=1)  # never over another file
    assert re.search(r"Recall@1\s+│\s+1\.000", copy.run("eval", str(written)))
    assert "give --from-feedback with --write" in copy.run("eval", str(written), "--write", "x", *why, status=1)


def test_an_evaluation_that_cannot_be_run_says_why(room: Room, tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    golden.write_text('{"question": "How?"}', "utf-8")
    assert "Line 1 of the golden set names no 'evidence'" in room.run("eval", str(golden), status=1)
    assert "found helpful yet" in room.run("eval", "--from-feedback", status=1)
    assert "cannot be read" in room.run("eval", str(tmp_path / "none.jsonl"), status=1)
    assert "Give a golden set" in room.run("eval", status=1)
    assert "leave --group and --clearance out" in room.run("eval", "--from-feedback", "--group", "hr", status=1)
    assert "No evaluation begins with" in room.run("eval", str(golden), "--compare", "ffff", status=1)
