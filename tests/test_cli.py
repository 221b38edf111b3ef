"""`strongroom ...` as a person uses it: what it prints, what it says when something is wrong, and never a traceback."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from appliance import __version__
from appliance.audit import verifier
from appliance.audit.entries import AdminAction, LogRead
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.auth.accounts import Accounts
from appliance.cli import app
from appliance.config import load_settings
from appliance.data_folder import DataFolder, announce, owned
from appliance.database import Database
from tests.api.conftest import write_documents

pytestmark = pytest.mark.integration

WHY = ("--reason", "Tests of the command line")
PASSWORD = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){4}")


class Room:
    """A data folder and a folder of documents, and the command line on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.first_ingestion = self.first_status = ""
        self.data = root / "data"
        self.documents = write_documents(root / "documents")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")},
            "STRONGROOM_DATA_DIR": str(self.data),
            "STRONGROOM_MODEL__PROVIDER": "none",
            "STRONGROOM_SERVER__PORT": "8671",
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, ok: bool = True, status: int | None = None, **environment: str) -> str:
        """Standard output and error of a command; its status must be zero, or must not, as `ok` says, or be `status`."""
        result = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *arguments],
            env={**self.environment, **environment}, capture_output=True, text=True, timeout=150, cwd=self.root, check=False,
        )  # fmt: skip
        text = result.stdout + result.stderr
        assert "Traceback" not in text
        assert result.returncode == status if status is not None else (result.returncode == 0) == ok, text
        return text

    def copied(self, root: Path) -> Room:
        """A room with a copy of this one's data, and the same documents."""
        made = Room(root)
        shutil.rmtree(made.data, ignore_errors=True)
        shutil.copytree(self.data, made.data)
        made.documents = self.documents
        return made

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every file of the data folder, less the side files that come and go with a connection."""
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.data.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Set up and filled once."""
    made = Room(tmp_path_factory.mktemp("room"))
    (made.documents / "empty.pdf").touch()
    (made.documents / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    made.run("init")
    made.first_ingestion = made.run("ingest", str(made.documents))
    made.first_status = made.run("status")
    return made


def test_init_makes_an_account_per_role_once_and_then_changes_nothing(room: Room, tmp_path: Path) -> None:
    fresh = Room(tmp_path)
    first = fresh.run("init")
    passwords = PASSWORD.findall(first)
    assert len(set(passwords)) == 3
    assert {"employee", "admin", "compliance"} <= set(first.split())
    size = (fresh.data / "log" / "queries.db").stat().st_size
    second = fresh.run("init")
    assert "nothing was changed" in second
    assert not any(password in second for password in passwords)
    assert (fresh.data / "log" / "queries.db").stat().st_size == size
    assert fresh.data.stat().st_mode & 0o077 == 0
    assert (fresh.data / "strongroom.db").stat().st_mode & 0o077 == 0


def test_init_prints_the_passwords_before_anything_can_go_wrong_with_the_samples(tmp_path: Path) -> None:
    fresh = Room(tmp_path)
    broken = {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model"}
    text = fresh.run("init", "--samples", str(fresh.documents), ok=False, **broken)
    assert len(set(PASSWORD.findall(text))) == 3
    again = fresh.run("init", "--samples", str(fresh.documents))  # the samples were never taken in
    assert "4 indexed" in again
    assert not PASSWORD.search(again)


def test_init_takes_up_samples_that_were_left_half_done_and_leaves_finished_ones_alone(
    room: Room, tmp_path: Path
) -> None:
    copy = room.copied(tmp_path)
    samples = str(room.documents)
    before = copy.digests()
    # a model that cannot be loaded and an index that nobody serves: neither is asked for
    idle = {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model", "QDRANT_URL": "http://127.0.0.1:9"}
    assert "nothing was changed" in copy.run("init", "--samples", samples, ok=True, **idle)
    assert copy.digests() == before
    with sqlite3.connect(copy.data / "strongroom.db") as database:
        database.execute("DELETE FROM documents WHERE path = 'travel.md'")  # as if it had ended before this file
    database.close()
    assert "1 read and indexed" in copy.run("init", "--samples", samples)
    assert "nothing was changed" in copy.run("init", "--samples", samples, ok=True, **idle)


def test_ingesting_again_says_unchanged(room: Room) -> None:
    text = room.run("ingest", str(room.documents))
    assert "this sync: 4 unchanged" in text
    assert "all its files now: 4 indexed" in text
    assert "read and indexed" not in text


def test_a_dry_run_says_what_would_be_done_and_does_nothing(room: Room, tmp_path: Path) -> None:
    copy = room.copied(tmp_path / "copy")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "new.txt").write_text("The pump is blue.", "utf-8")
    (folder / "left.tmp").write_text("Nobody wants this.", "utf-8")
    (folder / "large.txt").write_text("x" * 2000, "utf-8")
    small = {"STRONGROOM_INGEST__MAX_FILE_BYTES": "1000"}
    text = copy.run("ingest", str(folder), "--dry-run", "--exclude", "*.tmp", ok=True, **small)
    assert "1 to be read (new)" in text
    assert "1 to be refused" in text
    assert "1 left out by the patterns" in text
    assert "Nothing was changed" in text
    assert re.search(r"new\.txt.*read.*new", text)
    assert re.search(r"large\.txt.*refuse.*limit is 1,000", text)
    assert "leave out every file" not in text
    assert "leave out every file" in copy.run("ingest", str(folder), "--dry-run", "--include", "**/*.pfd")
    again = copy.run("ingest", str(room.documents), "--dry-run", "--reread", "everything")
    assert "read again" in again
    assert "papers" not in copy.run("status")


def test_a_folder_is_added_with_patterns_and_a_curator_and_keeps_them(room: Room, tmp_path: Path) -> None:
    copy = room.copied(tmp_path / "copy")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "new.txt").write_text("The pump is blue.", "utf-8")
    (folder / "left.tmp").write_text("Nobody wants this.", "utf-8")
    text = copy.run("ingest", str(folder), "--include", "*.txt", "--curated", "--language", "en", "--group", "hr")
    assert "papers, this sync: 1 waiting for review" in text
    assert "papers, all its files now: 1 waiting for review" in text
    status = copy.run("status", "--files")
    assert "1 waiting for review" in status
    assert re.search(r"papers: new\.txt.*Waits for a curator", status)
    assert "1 waiting for review" in copy.run("doctor")
    same = ("--include", "*.txt", "--curated", "--language", "en", "--group", "hr", "--name", "papers")
    assert "1 waiting for review" in copy.run("ingest", str(folder), *same)
    for option in (
        ("--include", "*"), ("--exclude", "*.md"), ("--group", "everyone"), ("--language", "de"), ("--name", "Letters")
    ):  # fmt: skip
        text = copy.run("ingest", str(folder), *option, ok=False)
        assert "is a source already" in text
        assert option[0] in text
    (tmp_path / "others").mkdir()
    assert "pattern" in copy.run("ingest", str(tmp_path / "others"), "--include", "/etc/*", ok=False)
    (folder / "new.txt").unlink()
    (folder / "other.txt").write_text("The valve is red.", "utf-8")
    assert "1 removed" in copy.run("ingest", str(folder), "--missing-ok")


def test_a_folder_of_which_the_patterns_take_in_nothing_is_not_added(room: Room, tmp_path: Path) -> None:
    copy = room.copied(tmp_path / "copy")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "new.txt").write_text("The pump is blue.", "utf-8")
    text = copy.run("ingest", str(folder), "--include", "**/*.pfd", ok=False)
    assert "leave out every file" in text
    assert "papers" not in copy.run("status")


def test_an_ingestion_says_how_much_it_read(room: Room) -> None:
    assert re.search(r"Read \d+ pages, indexed \d+ chunks\.", room.first_ingestion)


def test_the_report_of_a_run_is_a_table_or_json(room: Room) -> None:
    first = re.search(r"run ([0-9a-f]{8})", room.first_status)
    assert first
    table = list(csv.DictReader(room.run("report", first[1]).splitlines()))
    outcomes = {row["path"]: row["outcome"] for row in table if row["outcome"] != "indexed"}
    assert outcomes == {"broken.pdf": "failed", "empty.pdf": "empty"}
    assert all(row["reason"] for row in table if row["outcome"] != "indexed")
    report = json.loads(room.run("report", "--format", "json"))
    assert report["run"]["source"] == "documents"
    assert "No run begins with" in room.run("report", "ffffffff-ffff", ok=False)


def test_reconciling_says_what_differed_and_repairs_it(room: Room, tmp_path: Path) -> None:
    assert "agrees with the catalog" in room.run("reconcile", "--check")
    hurt = room.copied(tmp_path)
    shutil.rmtree(hurt.data / "index")
    assert "4 documents were incomplete" in hurt.run("reconcile", "--check", ok=False)
    assert "repaired" in hurt.run("reconcile")
    assert "agrees with the catalog" in hurt.run("reconcile", "--check")


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
    assert "read as everyone, hr" in first
    assert "nothing to compare with yet" in first


def test_a_metric_that_fell_too_far_is_a_status_of_its_own(measured: tuple[Room, str, str]) -> None:
    room, golden, first = measured
    worse = room.run("eval", golden, "--compare", _evaluation_of(first), status=3)
    assert "too much worse" in worse
    assert "A metric got worse by more than 0.02" in worse
    assert "0 questions went better, 1 worse" in worse
    assert re.search(r"pay.*nDCG@10.*1\.00.*0\.00.*senior engineer", worse)
    assert "read as: everyone, hr -> everyone" in worse
    assert "118,000" not in worse


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
        assert "over 1 questions both asked" in told
        assert "1 question that counted in the earlier evaluation was not asked" in told
        assert "is not in the appliance any more: lunch (canteen.md). Bring it back" in told
        assert "A metric got worse" not in told


def test_an_evaluation_with_answers_is_printed_as_json_and_listed(measured: tuple[Room, str, str]) -> None:
    room, golden, first = measured
    options = ("--answers", "--compare", _evaluation_of(first), "--max-drop", "0.5", "--json")
    report = room.run("eval", golden, *options)
    told = json.loads(report[report.index("{") : report.rindex("}") + 1])
    assert told["comparison"]["passes"]
    assert told["evaluation"]["metrics"]["recall@10"] == 0.5
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


def test_an_evaluation_that_cannot_be_run_says_why(room: Room, tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    golden.write_text('{"question": "How?"}', "utf-8")
    assert "Line 1 of the golden set names no 'evidence'" in room.run("eval", str(golden), status=1)
    assert "found helpful yet" in room.run("eval", "--from-feedback", status=1)
    assert "cannot be read" in room.run("eval", str(tmp_path / "none.jsonl"), status=1)
    assert "Give a golden set" in room.run("eval", status=1)
    assert "leave --group and --clearance out" in room.run("eval", "--from-feedback", "--group", "hr", status=1)
    assert "No evaluation begins with" in room.run("eval", str(golden), "--compare", "ffff", status=1)


def test_asking_cites_and_respects_groups(room: Room) -> None:
    text = room.run("ask", "What may a hotel in Zurich cost per night?")
    assert "240 CHF" in text
    assert "[1] Travel policy (travel.md)" in text


def test_an_answer_as_json(room: Room) -> None:
    text = room.run("ask", "--json", "--group", "hr", "What does a senior engineer earn a year?")
    answer = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert answer["kind"] == "extractive"
    assert "118,000" in answer["text"]


def test_status_and_doctor_say_how_things_stand(room: Room) -> None:
    text = room.run("status", "--files")
    assert "not running" in text
    assert "4 indexed" in text
    assert re.search(r"documents.*broken\.pdf.*failed", text)
    doctor = room.run("doctor")
    for part in ("query log", "catalog", "sources", "index", "embedding model", "parser sandbox", "offline switches"):
        assert part in doctor


def test_a_file_that_fails_is_named_with_its_reason(room: Room) -> None:
    text = room.first_ingestion
    assert re.search(r"empty\.pdf\tempty\t.*nothing in it", text)
    assert re.search(r"broken\.pdf.*(failed|refused)", text)
    assert "4 indexed" in text


def test_the_log_verifies_shows_and_exports(room: Room, tmp_path: Path) -> None:
    assert "verifies" in room.run("log", "verify")
    assert "question" in room.run("log", "show", *WHY)
    target = tmp_path / "export.jsonl"
    assert "at least 3 words" in room.run("log", "export", str(target), ok=False)
    room.run("log", "export", str(target), *WHY)
    assert f'"reason":"{WHY[1]}"' in target.read_text("utf-8").replace('\\"', '"')
    assert target.stat().st_mode & 0o777 == 0o600
    assert "verifies" in room.run("log", "verify", "--export", str(target))
    assert "cannot be written" in room.run("log", "export", str(target), *WHY, ok=False)


def test_everything_about_a_person_is_written_for_programs_and_for_people(room: Room, tmp_path: Path) -> None:
    data, paper = tmp_path / "everything.json", tmp_path / "everything.pdf"
    room.run("user", "add", "erin", "--role", "employee")
    assert "nobody with this name" in room.run("log", "subject", "ann", str(data), *WHY, ok=False)
    room.run("log", "subject", "erin", str(data), *WHY)
    facts = json.loads(data.read_text("utf-8"))
    assert facts["account"]["name"] == "erin"
    told = [entry["content"].get("what", "") for entry in facts["entries_by_others"]]
    assert any("everything about the account" in what for what in told)
    room.run("log", "subject", "Erin", str(paper), *WHY)
    again = tmp_path / "again.json"
    room.run("log", "subject", "erin", str(again), *WHY)
    entries = json.loads(again.read_text("utf-8"))["entries_by_others"]
    assert [entry["why"] for entry in entries if "everything" in entry["content"].get("what", "")] == [WHY[1]] * 3
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_mode & 0o777 == 0o600


def test_an_officer_runs_a_question_again(room: Room, tmp_path: Path) -> None:
    asked = room.run("ask", "--json", "How long are invoices kept?")
    query_id = json.loads(asked[asked.index("{") : asked.rindex("}") + 1])["query_id"]
    token = tmp_path / "token"
    token.write_text(room.run("user", "token", "compliance", "--scope", "log").split()[-1])
    arguments = ("log", "replay", query_id, "--reason", "Complaint of a customer", "--token-file", str(token))
    text = room.run(*arguments)
    assert "Reproduced" in text
    assert "in force" in text
    token.write_text(room.run("user", "token", "employee").split()[-1])
    assert "not for that" in room.run(*arguments, ok=False)
    assert "There is no token" in room.run(*arguments[:-1], str(tmp_path / "none"), ok=False)


def test_the_papers_are_written_once_and_never_over_others(room: Room, tmp_path: Path) -> None:
    text = room.run("papers", str(tmp_path / "papers"))
    assert text.count("places are yours to fill in") == 3
    record = (tmp_path / "papers" / "record-of-processing.md").read_text("utf-8")
    assert "none: answers are quotations of the documents" in record
    assert "cannot be written" in room.run("papers", str(tmp_path / "papers"), ok=False)


def test_an_auditor_checks_an_export_with_one_file_and_what_was_carried_out(room: Room, tmp_path: Path) -> None:
    export, program = tmp_path / "export.jsonl", tmp_path / "verifier.py"
    room.run("log", "export", "--proof-only", str(export))
    room.run("log", "verifier", str(program))
    key, signed = tmp_path / "key.txt", tmp_path / "carried.txt"
    key.write_text(room.run("log", "checkpoint", "--key"), "utf-8")
    printed, later = room.run("log", "checkpoint").split("It covers ")  # the second is on standard error
    signed.write_text(printed, "utf-8")
    assert re.match(r"\d+ of \d+ entries: [1-9]\d* came after", later)
    unsigned = Room(tmp_path / "unsigned")
    unsigned.run("user", "add", "only", "--role", "employee")
    assert "Nothing has been signed" in unsigned.run("log", "checkpoint", ok=False)
    command = [sys.executable, "-I", "-S", program, export, "--key", key, "--checkpoint", signed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "verifies" in done.stdout) == (0, True)
    carried = ("--key", str(key), "--checkpoint", str(signed))
    assert "none of them with what it holds" in room.run("log", "verify", "--export", str(export), *carried)
    assert "verifies" in room.run("log", "verify", *carried)
    signed.write_text(signed.read_text("utf-8").replace("/query-log\n", "/query-log\n1"), "utf-8")
    assert "NOT verify" in room.run("log", "verify", *carried, ok=False)
    for garbage in ("no checkpoint at all\n", "a\n\nb\n", ""):
        signed.write_text(garbage, "utf-8")
        for what in ((), ("--export", str(export))):
            told = room.run("log", "verify", *carried, *what, status=2)
            assert f"{signed} holds no checkpoint, so the log was not judged" in told
            assert "verif" not in told


def test_how_far_signatures_reach_is_said_and_a_key_judges_nothing_that_nobody_signed(
    room: Room, tmp_path: Path
) -> None:
    copy, key, export = room.copied(tmp_path), tmp_path / "key.txt", tmp_path / "export.jsonl"
    key.write_text(copy.run("log", "checkpoint", "--key"), "utf-8")
    copy.run("user", "add", "unsigned.visitor", "--role", "employee")
    assert re.search(r"The last signature covers \d+ of \d+ entries", copy.run("log", "verify", "--key", str(key)))
    (copy.data / "log" / "checkpoints" / "queries.signed.txt").unlink()
    copy.run("log", "export", "--proof-only", str(export))
    for what in ((), ("--export", str(export))):
        told = " ".join(copy.run("log", "verify", "--key", str(key), *what, status=2).split())
        assert "Not judged:" in told
        assert "verifies" not in told
    assert "none of them with what it holds" in told


def test_a_witness_cosigns_with_the_one_file_and_what_comes_back_is_kept(room: Room, tmp_path: Path) -> None:
    asked, key = tmp_path / "request.txt", room.data / "log" / "checkpoints" / "queries.signer.txt"
    room.run("log", "ask-witness", str(asked))
    command = [sys.executable, "-I", "-S", verifier.__file__, asked, "--key", key, "--witness", tmp_path / "witness"]
    cosigned = tmp_path / "cosigned.txt"
    cosigned.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    witness_key = ("--witness-key", str(tmp_path / "witness" / "witness-key.txt"))
    assert "Kept" in room.run("log", "keep-cosigned", str(cosigned), *witness_key)
    assert "Kept" in room.run("log", "keep-cosigned", str(cosigned), *witness_key)  # known now, which is nothing new
    signed = room.run("log", "checkpoint").splitlines()
    with QueryLog(room.data / "log" / "queries.db") as log:
        acts = [each.entry for each in log.entries(LogFilter(type=AdminAction.type), limit=500)]
        (read,) = [each.entry for each in log.entries(LogFilter(type=LogRead.type), limit=1)]
    taken = f"the signed checkpoint of {signed[1]} entries, on the command line"
    assert isinstance(read, LogRead) and (read.actor, read.what) == ("operator", taken)
    trusted = [act for act in acts if isinstance(act, AdminAction) and act.action == "witness.trusted"]
    assert [(act.actor, act.subject, act.error) for act in trusted] == [("operator", "strongroom/witness", "")]
    assert trusted[0].detail == Path(witness_key[1]).read_text("utf-8").strip()
    typed = tmp_path / "typed.txt"
    typed.write_bytes(b"\r\n" + cosigned.read_bytes().strip().replace(b"\n", b"\r\n"))  # as from a phone
    told = room.run("log", "verify", *witness_key, "--checkpoint", str(typed))
    assert "The witness 'strongroom/witness' had seen" in " ".join(told.split())


def test_a_log_changed_by_hand_is_found_out_with_the_entry_named(tmp_path: Path) -> None:
    victim = Room(tmp_path)
    victim.run("init")
    victim.run("user", "add", "second", "--role", "employee")
    path = victim.data / "log" / "queries.db"
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE payloads SET payload = CAST(payload || x'00' AS BLOB) WHERE seq = 1")
    database.close()
    kept = victim.digests()
    text = victim.run("log", "verify", ok=False)
    assert "does NOT verify" in text
    assert "First bad entry: 1." in text
    assert victim.digests() == kept  # nobody runs it: it stays as it was found
    with owned(DataFolder(victim.data)):
        announce(DataFolder(victim.data), "http://127.0.0.1:8671")
        victim.run("log", "verify", status=1)
    with closing(QueryLog(victim.data / "log" / "queries.db")) as log:
        entry = log.entry(log.size() - 1).entry
    assert isinstance(entry, AdminAction)
    assert (entry.actor, entry.action) == ("operator", "log.not_verified")
    assert "Entry 1 " in entry.detail


def test_accounts_are_managed(room: Room) -> None:
    assert "Password (shown this once)" in room.run("user", "add", "Visitor", "--role", "employee", "--group", "hr")
    assert "already" in room.run("user", "add", "visitor", "--role", "employee", ok=False)
    assert "admin" in room.run("user", "add", "both", "--role", "admin", "--role", "compliance", ok=False)
    assert "Write 'hr'" in room.run("user", "add", "other", "--role", "employee", "--group", "HR", ok=False)
    assert "Write 'hr'" in room.run("user", "groups", "visitor", "--group", "Hr", ok=False)
    assert "Write 'hr'" in room.run("ask", "--group", "HR", "What does a senior engineer earn?", ok=False)
    room.run("user", "groups", "visitor", "--group", "finance")
    assert re.search(r"visitor.*finance", room.run("user", "list"))
    assert "sr_" in room.run("user", "token", "visitor")
    room.run("user", "disable", "visitor")
    assert re.search(r"visitor.*disabled", room.run("user", "list"))
    room.run("user", "enable", "visitor")
    assert "New password" in room.run("user", "password", "visitor")
    assert "There is no account 'ghost'" in room.run("user", "password", "ghost", ok=False)


def test_an_officer_is_confirmed_on_the_machine_where_no_other_one_can(room: Room) -> None:
    room.run("user", "add", "olga", "--role", "compliance")
    with closing(Database(room.data / "strongroom.db")) as database:
        accounts = Accounts(database)
        accounts.change(accounts.named("olga").id, handed_over=True)
    assert re.search(r"olga.*to be confirmed", " ".join(room.run("user", "list", COLUMNS="200").split()))
    assert "signs in anew" in room.run("user", "confirm", "olga")
    assert "to be confirmed" not in " ".join(room.run("user", "list", COLUMNS="200").split())


def test_no_account_is_made_that_is_not_on_record(room: Room, tmp_path: Path) -> None:
    fresh, copy = Room(tmp_path / "fresh"), room.copied(tmp_path / "copy")
    for hurt in (fresh, copy):
        log = hurt.data / "log" / "queries.db"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"this is no log" * 1000)
    fresh.run("init", ok=False)
    assert "employee" not in fresh.run("user", "list")
    copy.run("user", "add", "unrecorded", "--role", "employee", ok=False)
    assert "unrecorded" not in copy.run("user", "list")


def test_tokens_are_listed_and_revoked_one_by_one_or_all_together(room: Room) -> None:
    room.run("user", "add", "robot", "--role", "employee")
    for label in ("first", "second", "third"):
        room.run("user", "token", "robot", "--label", label)

    def listed() -> dict[str, str]:
        text = room.run("user", "tokens", "robot")
        assert "sr_" not in text
        return {label: token_id for token_id, label in re.findall(r"\b([0-9a-f]{12})\b\W+(\w+)", text)}

    ids = listed()
    assert list(ids) == ["first", "second", "third"]
    assert "has ended" in room.run("user", "revoke", "robot", ids["second"][:10])
    assert list(listed()) == ["first", "third"]
    assert "No token" in room.run("user", "revoke", "robot", ids["second"], ok=False)
    assert "No token" in room.run("user", "revoke", "employee", ids["first"], ok=False)  # somebody else's
    assert "--all" in room.run("user", "revoke", "robot", ok=False)
    assert "--all" in room.run("user", "revoke", "robot", ids["first"], "--all", ok=False)
    assert list(listed()) == ["first", "third"]
    room.run("user", "revoke", "robot", "--all")
    assert listed() == {}
    export = room.root / "with-revocations.jsonl"
    room.run("log", "export", str(export), *WHY)
    recorded = export.read_text("utf-8")
    assert f"second ({ids['second']})" in recorded
    assert "person.sessions_ended" in recorded


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("ingest", "/no/such/folder"), {}, "is not a folder"),
        (("ask", "   "), {}, "question"),
        (("status",), {"STRONGROOM_NO_SUCH_SETTING": "1"}, "unknown setting 'no_such_setting'"),
        (("status",), {"STRONGROOM_SERVER__PORT": "many"}, "server.port"),
        (("status",), {"STRONGROOM_CONFIG": "/no/such/file.toml"}, "cannot be read"),
        (("status",), {"STRONGROOM_EMBEDDING__MODEL_PATH": "/no/such/model"}, "/no/such/model"),
        (("status",), {"STRONGROOM_MODEL__PROVIDER": "llamacpp"}, "gguf_path"),
        (("status",), {"QDRANT_URL": "http://127.0.0.1:9"}, "Qdrant server"),
        (("log", "verify", "--checkpoint", "/no/such/file"), {}, "no readable file at /no/such/file"),
        (("log", "verify", "--export", "/no/such/file"), {}, "cannot be read"),
        (("status",), {"STRONGROOM_DATA_DIR": "/proc/nowhere"}, "data folder"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    room: Room, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    text = room.run(*arguments, ok=False, **environment)
    assert says in " ".join(text.split()), text
    assert "Error" in text or "not" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("doctor",), ("report",), ("reconcile", "--check"), ("ask", "Why?", "--group", "hr"), ("eval", "--list"),
        ("papers", "papers"), ("user", "list"), ("user", "password", "employee"), ("log", "show", *WHY), ("log", "checkpoint"),
        ("log", "export", "export.jsonl", *WHY), ("log", "subject", "erin", "erin.pdf", *WHY),
    ],
)  # fmt: skip
def test_what_reads_makes_no_data_folder_and_says_where_it_looked(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    elsewhere = Room(tmp_path)
    before = sorted(tmp_path.iterdir())
    told = " ".join(elsewhere.run(*arguments, ok=False).split())
    assert f"There is no data folder of Strongroom at {elsewhere.data}." in told
    assert "STRONGROOM_DATA_DIR" in told
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_index_is_said_and_rebuilt_once_it_is_moved_away(room: Room, tmp_path: Path) -> None:
    hurt = room.copied(tmp_path)
    index = hurt.data / "index"
    (index / "meta.json").write_text("{", "utf-8")
    assert "index" in hurt.run("status", ok=False)
    index.rename(hurt.data / "index.damaged")
    assert "incomplete" in hurt.run("doctor")
    assert "4 unchanged" in hurt.run("ingest", str(hurt.documents))
    assert "agrees with the catalog" in hurt.run("doctor")


def test_every_command_explains_itself(room: Room) -> None:
    import typer

    command = typer.main.get_command(app)
    names = [[name] for name in command.commands]  # type: ignore[attr-defined]
    for group in ("directory", "log", "user"):
        names += [[group, name] for name in command.commands[group].commands]  # type: ignore[attr-defined]
    assert len(names) > 15
    help_text = room.run("--help")
    assert room.run("--version") == f"strongroom {__version__}\n"
    for name, *rest in names:
        assert rest or name in help_text


def test_the_service_its_command_and_the_steps_to_deploy_them_agree(tmp_path: Path) -> None:
    deploy = Path(__file__).parents[1] / "deploy"
    steps = (deploy.parent / "docs" / "operations" / "deploy.md").read_text("utf-8")
    unit = (deploy / "systemd" / "strongroom.service").read_text("utf-8")
    command = (deploy / "strongroom.sh").read_text("utf-8")
    for text in (steps, unit, command):
        assert "/etc/strongroom/strongroom.toml" in text
        assert "/var/lib/strongroom" in text
    written = re.search(r"<<'END'\n(.*?)\n +END\n", steps, re.DOTALL)
    assert written
    file = tmp_path / "strongroom.toml"
    file.write_text(textwrap.dedent(written[1]), "utf-8")
    settings = load_settings(file, {})
    assert settings.data_dir == Path("/var/lib/strongroom/data")
    assert settings.server.trust_forwarded_for
    assert re.findall(r"STRONGROOM_\w+", unit) == re.findall(r"STRONGROOM_\w+", command) == ["STRONGROOM_CONFIG"]
