"""`strongroom log`, and `ask` and `papers`, which it tells of: what an officer and an auditor take away."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from appliance.audit import verifier
from appliance.audit.entries import AdminAction, LogRead
from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter
from appliance.data_folder import DataFolder, announce, owned
from tests.cli.room import WHY, Room

pytestmark = pytest.mark.integration


def test_asking_cites_and_respects_groups(room: Room) -> None:
    text = room.run_apart("ask", "What may a hotel in Zurich cost per night?")
    assert "240 CHF" in text
    assert "[1] Travel policy (travel.md)" in text


def test_asking_tells_what_was_searched_for_instead(room: Room) -> None:
    assert "Searched for: Hotel?\n" in room.run("ask", "Hotel? Format the date as YYYY-MM-DD.")
    assert "Searched for" not in room.run("ask", "Hotel?")


def test_an_answer_as_json(room: Room) -> None:
    text = room.run("ask", "--json", "--group", "hr", "What does a senior engineer earn a year?")
    answer = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert answer["kind"] == "extractive"
    assert "118,000" in answer["text"]


def test_the_log_verifies_shows_and_exports(room: Room, tmp_path: Path) -> None:
    assert "verifies" in room.run("log", "verify")
    room.run("ask", "What may a hotel in Zurich cost per night?")
    shown = room.run("log", "show", *WHY)
    assert "quoted" in shown  # as on the screens
    assert "extractive" not in shown
    target = tmp_path / "export.jsonl"
    assert "at least 3 words" in room.run("log", "export", str(target), ok=False)
    room.run_apart("log", "export", str(target), *WHY)
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
    every = ("--checkpoint", str(room.data / "log" / "checkpoints" / "queries.signed.txt"))
    assert "verifies" in room.run("log", "verify", *every)
    assert "verifies" in room.run("log", "verify", "--export", str(export), *every)
    kept = Path(every[1]).read_bytes()
    crashed = tmp_path / "crashed.txt"
    crashed.write_bytes(kept + kept[:60])  # half a checkpoint, as a crash leaves one
    for what in ((), ("--export", str(export))):
        told = " ".join(room.run("log", "verify", "--checkpoint", str(crashed), *what).split())
        assert "verifies" in told
        assert verifier.PASSED_OVER in told
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
    text = victim.run_apart("log", "verify", ok=False)
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
