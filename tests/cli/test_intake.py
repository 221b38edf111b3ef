"""`strongroom ingest`, `report`, `reconcile`, `status` and `doctor`: what a person reads of their documents."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.room import Room

pytestmark = pytest.mark.integration


def test_an_ingestion_says_how_much_it_read(room: Room) -> None:
    assert re.search(r"\d+ pages? read, \d+ passages? indexed\.", room.first_ingestion)


def test_a_file_that_fails_is_named_with_its_reason(room: Room) -> None:
    text = room.first_ingestion
    assert re.search(r"empty\.pdf\tempty\t.*nothing in it", text)
    assert re.search(r"broken\.pdf.*(failed|refused)", text)
    assert "4 indexed" in text


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
    wanted = ("--include", "*.txt", "--curated", "--language", "en", "--group", "hr")
    text = copy.run_apart("ingest", str(folder), *wanted)
    assert "papers, this sync: 1 waiting for review" in text
    assert "papers, all its files now: 1 waiting for review" in text
    status = copy.run("status", "--files")
    assert "1 waiting for review" in status
    assert re.search(r"papers: new\.txt.*Waits for a curator", status)
    assert "1 waiting for review" in copy.run("doctor")
    assert "1 waiting for review" in copy.run("ingest", str(folder), *wanted, "--name", "papers")
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


def test_the_report_that_is_not_named_is_of_the_latest_sync_that_changed_something(room: Room, tmp_path: Path) -> None:
    copy = room.copied(tmp_path / "copy")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "new.txt").write_text("The pump is blue.", "utf-8")
    copy.run("ingest", str(folder))
    copy.run("ingest", str(folder))  # finds everything as it was
    table = copy.run("report").splitlines()
    head = next(number for number, line in enumerate(table) if line.startswith("papers, the sync of"))
    (row,) = csv.DictReader(table[:head] + table[head + 1 :])
    assert (row["path"], row["outcome"]) == ("new.txt", "indexed")


def test_reconciling_says_what_differed_and_repairs_it(room: Room, tmp_path: Path) -> None:
    assert "agrees with the catalog" in room.run_apart("reconcile", "--check")
    hurt = room.copied(tmp_path)
    shutil.rmtree(hurt.data / "index")
    assert "4 documents were incomplete" in hurt.run("reconcile", "--check", ok=False)
    assert "repaired" in hurt.run("reconcile")
    assert "agrees with the catalog" in hurt.run("reconcile", "--check")


def test_status_and_doctor_say_how_things_stand(room: Room) -> None:
    text = room.run("status", "--files")
    assert "not running" in text
    assert "4 indexed" in text
    assert re.search(r"documents.*broken\.pdf.*failed", text)
    doctor = room.run("doctor")
    for part in ("query log", "catalog", "sources", "index", "embedding model", "parser sandbox", "offline switches"):
        assert part in doctor


def test_a_damaged_index_is_said_and_rebuilt_once_it_is_moved_away(room: Room, tmp_path: Path) -> None:
    hurt = room.copied(tmp_path)
    index = hurt.data / "index"
    (index / "meta.json").write_text("{", "utf-8")
    assert "index" in hurt.run("status", ok=False)
    index.rename(hurt.data / "index.damaged")
    assert "incomplete" in hurt.run("doctor")
    assert "4 unchanged" in hurt.run("ingest", str(hurt.documents))
    assert "agrees with the catalog" in hurt.run("doctor")
