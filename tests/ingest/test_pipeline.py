"""Syncing a folder: what ends where, what is read, and what happens when something breaks half-way."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from appliance.domain import DocumentState
from appliance.errors import (
    ApplianceError,
    IndexUnavailable,
    InvalidRequest,
    ModelUnavailable,
    NotFound,
)
from appliance.history import FileReport
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from ingest.pipeline import Again, Outcome, Progress, Wish
from tests.ingest.conftest import BOARD, STAFF, CountingPool, Room, ToyEmbedder, mode, open_room, tally

ROOT = Path(__file__).parents[2]


def _pdf(*pages: str) -> bytes:
    buffer = BytesIO()
    canvas = Canvas(buffer, invariant=True)
    for text in pages:
        if text:
            canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _locked_pdf() -> bytes:
    buffer = BytesIO()
    with pikepdf.open(BytesIO(_pdf("Salaries of the board."))) as pdf:
        pdf.save(buffer, encryption=pikepdf.Encryption(owner="owner", user="user"))
    return buffer.getvalue()


def _after_the_walk(room: Room, act: Callable[[], None], **changes: int) -> dict[str, int]:
    """Sync, and act once the folder was walked but before any file is read: when the first link is reported."""
    (room.folder / "0-link").symlink_to("nowhere")
    acted: list[str] = []

    def on_file(report: FileReport) -> None:
        if not acted:
            acted.append(report.path)
            act()

    counts = tally(room.pipeline(**changes).sync(room.source, on_file=on_file))
    assert acted == ["0-link"]
    (room.folder / "0-link").unlink()
    return counts


def _unavailable(*_: object, **__: object) -> None:
    raise IndexUnavailable("The index cannot be written.")


@contextmanager
def _watching(room: Room, text: str) -> Iterator[list[set[str]]]:
    """What searches for `text` find, again and again from another thread: the documents of each."""
    seen: list[set[str]] = []
    enough = threading.Event()

    def watch() -> None:
        while not enough.is_set():
            seen.append(room.paths(text))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        enough.set()
        thread.join()


# what a sync does


def test_the_first_sync_takes_every_format_in_and_the_second_does_nothing(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("sub/b.md", "# Leave\n\nTwenty-five days a year.")
    room.write("sub/c.html", "<html><body><h1>Travel</h1><p>Second class by rail.</p></body></html>")
    room.write("d.pdf", _pdf("Expenses need receipts.", ""))
    assert tally(room.sync()) == {"indexed": 4}
    assert sorted(room.parsers.parsed) == ["a.txt", "d.pdf", "sub/b.md", "sub/c.html"]
    assert room.agrees()
    assert isinstance(room.embedder, ToyEmbedder)
    assert room.paths("notice period") == {"a.txt"}
    assert room.paths("Twenty-five days") == {"sub/b.md"}
    assert room.paths("Second class") == {"sub/c.html"}
    assert room.paths("receipts") == {"d.pdf"}
    assert room.document("d.pdf").reason.startswith("1 of 2 pages gave no text (pages 2)")
    assert room.progress.done == room.progress.total == 4
    assert room.progress.chunks == room.index.count() == 4

    embedded = room.embedder.embedded
    assert tally(room.sync()) == {"unchanged": 4}
    assert room.parsers.parsed == []
    assert room.embedder.embedded == embedded
    assert room.progress.done == room.progress.total == 4


def test_a_changed_file_is_superseded_and_at_no_moment_missing(room: Room) -> None:
    rest = "It has a door of steel. " * 60
    room.write("vault.txt", "The vault opens at seven. " + rest)
    room.sync()
    version = room.known()["vault.txt"].version_id
    assert version is not None
    room.write("vault.txt", "The vault opens at nine. " + rest)
    with _watching(room, "The vault opens at") as seen:
        time.sleep(0.05)
        assert tally(room.sync()) == {"indexed": 1}
        time.sleep(0.05)
    assert len(seen) > 5
    assert all(found == {"vault.txt"} for found in seen)
    assert room.paths("opens at nine") == {"vault.txt"}
    assert room.paths("opens at seven") == set()
    assert room.index.count(version_id=version) == 0
    assert room.agrees()


def test_a_long_document_takes_no_place_among_the_hits_before_it_is_in_force(room: Room) -> None:
    room.write("short.txt", "The turbine is oiled in spring.")
    room.sync()
    room.write("long.txt", " ".join(f"The turbine of hall {number} is oiled in spring." for number in range(2_000)))
    admitted: list[int] = []

    def on_change(progress: Progress) -> None:
        if progress.chunks and not progress.counts.get(Outcome.INDEXED):
            admitted.append(room.indexed("turbine", STAFF))

    room.pipeline().sync(room.source, on_change=on_change)
    assert len(admitted) > 1
    assert set(admitted) == {1}
    assert room.indexed("turbine", STAFF) == 50
    assert room.agrees()


def test_a_long_document_that_is_in_force_stays_in_sight_while_it_is_read_once_more(room: Room) -> None:
    room.write("long.txt", " ".join(f"The turbine of hall {number} is oiled in spring." for number in range(2_000)))
    room.sync()
    with _watching(room, "turbine of hall") as seen:
        assert tally(room.sync(wish=Wish(again=Again.EVERYTHING))) == {"indexed": 1}
    assert len(seen) > 5
    assert all(found == {"long.txt"} for found in seen)


def test_a_document_read_again_after_a_failure_is_at_no_moment_missing(room: Room) -> None:
    file = room.write("vault.txt", "The vault opens at seven. " + "It has a door of steel. " * 60)
    room.sync()
    os.utime(file, ns=(1, 1))
    with mode(file, 0o000):
        assert tally(room.sync()) == {"failed": 1}
    document = room.document("vault.txt")
    assert document.state is DocumentState.FAILED
    assert "Permission denied" in document.reason
    assert document.reason.endswith("The version read before is still being used.")
    with _watching(room, "The vault opens at") as seen:
        assert tally(room.sync()) == {"indexed": 1}
    assert seen
    assert all(found == {"vault.txt"} for found in seen)
    assert room.agrees()


def test_a_touched_file_with_the_same_content_is_not_parsed(room: Room) -> None:
    file = room.write("a.txt", "The notice period is three months.")
    room.sync()
    os.utime(file, ns=(1_000, 1_000))
    assert tally(room.sync()) == {"unchanged": 1}
    assert room.parsers.parsed == []
    assert room.known()["a.txt"].modified_ns == 1_000


def test_a_deleted_file_is_gone_from_index_and_catalog(room: Room) -> None:
    room.write("keep.txt", "The canteen opens at noon.")
    room.write("a.txt", "The merger is secret.")
    room.sync()
    document = room.document("a.txt").id
    (room.folder / "a.txt").unlink()
    assert tally(room.sync()) == {"unchanged": 1, "gone": 1}
    assert room.index.count(document_id=document) == 0
    assert room.paths("merger") == set()
    assert room.document("a.txt").state is DocumentState.GONE
    room.database.close()
    assert b"merger" not in (room.data / "catalog.sqlite").read_bytes()
    assert tally(room.sync()) == {"unchanged": 1}


def test_a_file_that_comes_back_is_indexed_again(room: Room) -> None:
    room.write("keep.txt", "The canteen opens at noon.")
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    (room.folder / "a.txt").rename(room.folder / "b.txt")
    assert tally(room.sync()) == {"unchanged": 1, "gone": 1, "indexed": 1}
    assert room.paths("notice period") == {"b.txt"}
    (room.folder / "b.txt").rename(room.folder / "a.txt")
    assert tally(room.sync()) == {"unchanged": 1, "gone": 1, "indexed": 1}
    assert room.paths("notice period") == {"a.txt"}
    assert room.agrees()


def test_a_file_replaced_by_a_folder_of_its_name_is_gone_and_the_inner_file_indexed(room: Room) -> None:
    room.write("plan", "The old plan.")
    room.sync()
    (room.folder / "plan").unlink()
    room.write("plan/new.txt", "The new plan.")
    assert tally(room.sync()) == {"gone": 1, "indexed": 1}
    assert room.paths("plan") == {"plan/new.txt"}


def test_a_document_replaced_by_what_is_refused_keeps_its_title_and_is_read_once(room: Room) -> None:
    file = room.write("a.md", "# The travel policy\n\nSecond class by rail.")
    room.sync()
    before = room.document("a.md")
    room.write("a.md", _locked_pdf())
    assert tally(room.sync()) == {"refused": 1}
    after = room.document("a.md")
    assert after.title == before.title == "The travel policy"
    assert (after.size_bytes, after.media_type) == (before.size_bytes, before.media_type)
    assert room.paths("Second class") == {"a.md"}
    assert tally(room.sync()) == {"refused": 1}
    assert room.parsers.parsed == []
    times = file.stat().st_mtime_ns
    file.write_bytes(_locked_pdf() + b"\n")
    os.utime(file, ns=(times, times))
    room.sync()
    assert room.parsers.parsed == ["a.md"]  # of another size, although of the same time


# what deletes nothing


def test_a_missing_and_an_empty_folder_delete_nothing(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("sub/b.txt", "Twenty-five days.")
    room.sync()
    room.folder.rename(room.folder.with_name("away"))
    with pytest.raises(InvalidRequest, match="does not exist"):
        room.sync()
    room.folder.mkdir()
    (room.folder / "sub").mkdir()
    with pytest.raises(InvalidRequest, match="is empty, but 2 of its documents are known"):
        room.sync()
    assert room.paths("notice period") == {"a.txt"}
    assert room.agrees()


def test_access_files_that_documents_left_behind_do_not_make_a_folder_less_empty(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("a.txt.access.toml", 'groups = ["staff"]')
    room.sync()
    (room.folder / "a.txt").unlink()
    with pytest.raises(InvalidRequest, match="is empty, but 1 of its documents"):
        room.sync()
    assert room.paths("notice period") == {"a.txt"}


def test_an_access_file_that_covers_nothing_is_reported_until_it_does_whatever_the_patterns_take_in(room: Room) -> None:
    room.write("salaries.txt", "The notice period is three months.")
    room.source = replace(room.source, include=("*.txt",))
    room.catalog.change_source(room.source)
    misspelt = room.write("salaries.txt.acces.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"indexed": 1, "refused": 1}
    assert "not called 'salaries.txt.access.toml'" in room.report["salaries.txt.acces.toml"].reason
    assert room.document("salaries.txt.acces.toml").state is DocumentState.REFUSED
    assert tally(room.sync()) == {"unchanged": 1, "refused": 1}
    assert set(room.report) == {"salaries.txt.acces.toml"}
    misspelt.rename(room.folder / "salaries.txt.access.toml")
    assert tally(room.sync()) == {"relabelled": 1, "gone": 1}
    assert not room.paths("notice period")


def test_a_closed_subfolder_deletes_nothing_and_is_reported(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("sub/b.txt", "Twenty-five days.")
    room.write("submarine.txt", "A boat.")
    room.sync()
    (room.folder / "submarine.txt").unlink()
    with mode(room.folder / "sub", 0o000):
        assert tally(room.sync()) == {"unchanged": 1, "gone": 1, "failed": 1}
        assert room.progress.done == room.progress.total == 3
    assert room.paths("Twenty-five") == {"sub/b.txt"}
    assert room.document("sub").state is DocumentState.FAILED
    assert room.document("sub").reason == "The folder cannot be listed: Permission denied."
    assert tally(room.sync()) == {"unchanged": 2, "gone": 1}
    assert room.states() == {
        "a.txt": DocumentState.INDEXED,
        "sub": DocumentState.GONE,
        "sub/b.txt": DocumentState.INDEXED,
        "submarine.txt": DocumentState.GONE,
    }


def test_a_folder_with_nothing_but_a_closed_subfolder_still_deletes_nothing(room: Room) -> None:
    room.write("sub/b.txt", "Twenty-five days.")
    room.sync()
    with mode(room.folder / "sub", 0o000):
        assert tally(room.sync()) == {"failed": 1}
    with mode(room.folder / "sub", 0o444):
        assert tally(room.sync()) == {"failed": 1, "gone": 1}  # the folder itself is no longer reported
    assert room.paths("Twenty-five") == {"sub/b.txt"}
    assert "cannot be examined" in room.document("sub/b.txt").reason
    assert tally(room.sync()) == {"indexed": 1}


def test_a_file_that_vanishes_after_the_walk_is_settled_by_the_next_sync(room: Room) -> None:
    known = room.write("known.txt", "The notice period is three months.")
    room.sync()
    room.write("known.txt", "The notice period is four months.")
    new = room.write("new.txt", "Twenty-five days.")
    room.write("stays.txt", "The canteen opens at noon.")

    def delete() -> None:
        known.unlink()
        new.unlink()

    assert _after_the_walk(room, delete) == {"refused": 1, "failed": 2, "indexed": 1}
    assert "No such file" in room.document("new.txt").reason
    assert tally(room.sync()) == {"gone": 3, "unchanged": 1}
    assert room.paths("months") == set()
    assert room.agrees()


# what cannot be taken in


def test_every_file_that_is_not_taken_in_has_a_state_and_a_reason(room: Room) -> None:
    closed = room.write("closed.txt", "text")
    room.write("empty.txt", "")
    room.write("locked.pdf", _locked_pdf())
    room.write("large.txt", "x" * 1_000_001)
    room.write("program.exe", b"\x7fELF" + bytes(500))
    room.write("torn.docx", b"PK\x03\x04" + b"\x00" * 100)
    room.write("good.txt", "The canteen opens at noon.")
    (room.folder / "link.txt").symlink_to("good.txt")
    os.mkfifo(room.folder / "pipe.txt")
    with mode(closed, 0o000):
        assert tally(room.sync()) == {"refused": 4, "failed": 2, "empty": 1, "needs_password": 1, "indexed": 1}
    assert room.progress.done == room.progress.total == 9
    states = room.states()
    assert {path for path, state in states.items() if state is DocumentState.FAILED} == {
        "closed.txt",
        "torn.docx",
    }
    assert states["locked.pdf"] is DocumentState.NEEDS_PASSWORD
    assert all(room.document(path).reason for path in states if path != "good.txt")
    assert "limit is 1,000,000" in room.document("large.txt").reason
    assert "large.txt" not in room.parsers.parsed
    assert room.agrees()


def test_a_name_that_is_not_utf8_costs_no_other_file_its_place(room: Room) -> None:
    room.write("a?.txt", "The canteen opens at noon.")
    room.write(os.fsdecode(b"a\xff.txt"), "The canteen is closed.")
    for _ in range(3):
        room.sync()
        assert room.paths("noon") == {"a?.txt"}
        assert room.states() == {"a?.txt": DocumentState.INDEXED, r"a\xff.txt": DocumentState.REFUSED}
    assert room.catalog.receipts() == []


def test_what_is_refused_for_what_it_is_is_not_read_again_until_it_changes(room: Room) -> None:
    room.write("locked.pdf", _locked_pdf())
    room.write("program.exe", b"\x7fELF" + bytes(500))
    room.write("torn.docx", b"PK\x03\x04" + b"\x00" * 100)
    assert tally(room.sync()) == {"refused": 1, "failed": 1, "needs_password": 1}
    assert tally(room.sync()) == {"refused": 1, "failed": 1, "needs_password": 1}
    assert room.parsers.parsed == []
    room.write("locked.pdf", _pdf("Now it is open."))
    assert tally(room.sync()) == {"refused": 1, "failed": 1, "indexed": 1}
    room.parsers.parsed.clear()
    room.pipeline(max_pages=7).sync(room.source)  # a limit may be what it was refused for
    assert "program.exe" in room.parsers.parsed


def test_a_file_that_becomes_too_large_or_a_link_leaves_nothing_behind(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("b.txt", "The vault opens at seven.")
    room.sync()
    room.write("a.txt", "x" * 1_000_001)
    (room.folder / "b.txt").unlink()
    (room.folder / "b.txt").symlink_to("a.txt")
    assert tally(room.sync()) == {"refused": 2}
    assert room.index.count() == 0
    assert room.paths("months") == set()
    assert room.agrees()


def test_a_file_that_cannot_be_read_any_more_keeps_its_version_and_says_so(room: Room) -> None:
    room.write("a.pdf", _pdf("Expenses need receipts."))
    room.sync()
    room.write("a.pdf", b"%PDF-1.7 torn")
    assert tally(room.sync()) == {"failed": 1}
    assert room.document("a.pdf").state is DocumentState.FAILED
    assert room.document("a.pdf").reason.endswith("The version read before is still being used.")
    assert room.paths("receipts") == {"a.pdf"}
    assert room.agrees()


def test_a_folder_swapped_for_a_link_after_the_walk_is_not_entered(room: Room, tmp_path: Path) -> None:
    room.write("sub/minutes.txt", "Nothing was decided.")
    outside = tmp_path / "board"
    outside.mkdir()
    (outside / "minutes.txt").write_text("The merger is secret.")

    def swap() -> None:
        (room.folder / "sub").rename(room.folder / ".was-sub")
        (room.folder / "sub").symlink_to(outside)

    assert _after_the_walk(room, swap) == {"refused": 2}  # its label cannot be known any more
    assert room.paths("merger") == set()
    assert room.index.count() == 0


def test_a_file_that_grows_while_it_is_read_ends_whole(room: Room) -> None:
    file = room.write("log.txt", "The first entry.\n" + "Nothing happened today.\n" * 1500)
    stop = threading.Event()

    def grow() -> None:
        with file.open("a") as log:
            while not stop.is_set():
                log.write("Still growing by the line.\n")
                log.flush()
                time.sleep(0.001)

    thread = threading.Thread(target=grow)
    thread.start()
    counts = tally(room.sync())
    stop.set()
    thread.join()
    assert counts == {"indexed": 1}
    with file.open("a") as log:
        log.write("The last entry.\n")
    assert tally(room.sync()) == {"indexed": 1}
    assert room.known()["log.txt"].size_bytes == file.stat().st_size
    assert room.paths("The last entry") == {"log.txt"}
    assert tally(room.sync()) == {"unchanged": 1}
    assert room.agrees()


def test_a_file_that_outgrows_the_limit_after_the_walk_is_refused(room: Room) -> None:
    file = room.write("log.txt", "short")
    assert _after_the_walk(room, lambda: os.truncate(file, 1_000_001)) == {"refused": 2}
    assert "limit" in room.document("log.txt").reason


# labels


def test_a_sidecar_relabels_without_reading_and_acts_at_once(room: Room) -> None:
    room.write("sub/a.txt", "The merger is secret.")
    room.sync()
    assert room.paths("merger") == {"sub/a.txt"}
    room.write("sub/.access.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"relabelled": 1}
    assert room.parsers.parsed == []
    assert room.paths("merger") == set()
    assert room.paths("merger", BOARD) == {"sub/a.txt"}
    assert (room.indexed("merger", STAFF), room.indexed("merger", BOARD)) == (0, 1)
    assert tally(room.sync()) == {"unchanged": 1}
    (room.folder / "sub/.access.toml").unlink()
    assert tally(room.sync()) == {"relabelled": 1}
    assert (room.indexed("merger", STAFF), room.indexed("merger", BOARD)) == (1, 0)


def test_the_default_of_the_source_is_the_one_in_force_when_the_run_begins(room: Room) -> None:
    room.write("a.txt", "The merger is secret.")
    room.catalog.change_source(replace(room.source, groups=BOARD))  # after `room.source` was handed to somebody
    room.sync()
    assert room.paths("merger") == set()
    assert room.paths("merger", BOARD) == {"a.txt"}


def test_a_broken_sidecar_hides_what_it_covers_until_it_is_mended(room: Room) -> None:
    room.write("sub/a.txt", "The merger is secret.")
    room.write("b.txt", "The canteen opens at noon.")
    room.sync()
    room.write("sub/.access.toml", "groups = board")
    assert tally(room.sync()) == {"refused": 1, "unchanged": 1}
    assert room.index.count() == 1
    assert room.paths("merger", STAFF | BOARD) == set()
    assert "'sub/.access.toml' is wrong" in room.document("sub/a.txt").reason
    room.write("sub/.access.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"indexed": 1, "unchanged": 1}
    assert room.paths("merger", BOARD) == {"sub/a.txt"}
    assert room.agrees()


def test_a_withdrawn_label_acts_although_the_changed_content_cannot_be_read(room: Room) -> None:
    room.write("a.pdf", _pdf("The merger is secret."))
    room.sync()
    room.write("a.pdf", b"%PDF-1.7 torn")
    room.write("a.pdf.access.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"failed": 1}
    assert room.paths("merger", STAFF) == set()
    assert room.indexed("merger", STAFF) == 0
    assert room.paths("merger", BOARD) == set()  # who is in both groups, a label cannot say


def test_labels_are_withdrawn_before_anything_is_read(room: Room) -> None:
    room.write("z.txt", "The merger is secret.")
    room.sync()
    room.write("z.txt.access.toml", "groups = []")
    for number in range(8):
        room.write(f"{number}.txt", f"New file {number} that comes first.")
    seen = []

    def on_file(report: FileReport) -> None:
        seen.append((report.path, bool(room.paths("merger")), room.indexed("merger", STAFF)))

    assert tally(room.pipeline().sync(room.source, on_file=on_file)) == {"relabelled": 1, "indexed": 8}
    assert seen[0] == ("z.txt", False, 0)


def test_content_is_never_published_under_a_label_older_than_itself(room: Room) -> None:
    room.write("z.txt", "It is unchanged, and settled once the label of the other was read.")
    room.sync()
    room.write("a.txt", "Nothing is decided yet.")

    def close_then_fill(progress: Progress) -> None:
        if tally(progress.counts) == {"unchanged": 1}:
            room.write("a.txt.access.toml", 'groups = ["board"]')
            room.write("a.txt", "The merger is decided and secret.")

    assert tally(room.pipeline().sync(room.source, on_change=close_then_fill)) == {"unchanged": 1, "indexed": 1}
    assert (room.paths("merger", STAFF), room.paths("merger", BOARD)) == (set(), set())  # nor under a newer one
    assert tally(room.sync()) == {"unchanged": 1, "relabelled": 1}
    assert (room.paths("merger", STAFF), room.paths("merger", BOARD)) == (set(), {"a.txt"})
    assert (room.indexed("merger", STAFF), room.indexed("merger", BOARD)) == (1, 1)  # z.txt, a.txt


def test_a_relabelling_the_index_missed_is_made_up_for(room: Room) -> None:
    room.write("a.txt", "The merger is secret.")
    room.sync()
    room.write(".access.toml", 'groups = ["board"]')
    room.index.set_groups = _unavailable  # type: ignore[method-assign]
    with pytest.raises(IndexUnavailable):
        room.sync()
    room.index.close()
    room.reopen_index()
    assert room.paths("merger", STAFF) == set()  # the catalog closed it although the index could not
    assert room.indexed("merger", STAFF) == 1
    room.sync()
    assert room.parsers.parsed == []
    assert (room.indexed("merger", STAFF), room.indexed("merger", BOARD)) == (0, 1)
    assert room.paths("merger", BOARD) == {"a.txt"}
    assert tally(room.sync()) == {"unchanged": 1}


# when a part fails


def test_an_index_that_fails_half_way_stops_the_run_and_the_next_completes_it(room: Room) -> None:
    for number in range(12):
        room.write(f"{number:02}.txt", f"Rule {number} of the house. " * 200)  # more than is written at once

    def close_after_three(progress: Progress) -> None:
        if progress.done == 3:
            room.index.close()

    with pytest.raises(IndexUnavailable, match="closed"):
        room.pipeline().sync(room.source, on_change=close_after_three)
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("parse")]:
        thread.join(20)
        assert not thread.is_alive()
    room.reopen_index()
    counts = tally(room.sync())
    assert counts["unchanged"] >= 3
    assert counts["unchanged"] + counts["indexed"] == 12
    assert room.agrees()


def test_an_embedding_model_that_is_missing_is_a_clear_error_and_loses_nothing(room: Room, tmp_path: Path) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    toy = room.embedder
    room.write("a.txt", "The notice period is four months.")
    room.embedder = SentenceTransformersEmbedder(tmp_path / "no-model", batch_size=8, threads=0)
    with pytest.raises(ModelUnavailable, match=r"no sentence-transformers model in .*no-model"):
        room.sync()
    room.embedder = toy
    assert room.paths("three months") == {"a.txt"}
    assert tally(room.sync()) == {"indexed": 1}
    assert room.paths("four months") == {"a.txt"}


def test_a_source_that_was_removed_is_not_synced(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.catalog.remove_source(room.source.id)
    with pytest.raises(NotFound):
        room.sync()
    assert room.index.count() == 0


def test_a_source_removed_while_its_files_are_read_leaves_nothing_in_the_index(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    with pytest.raises(ApplianceError, match="removed"):
        _after_the_walk(room, lambda: room.catalog.remove_source(room.source.id))
    assert room.index.count() == 0


def test_a_run_that_is_stopped_ends_after_the_file_at_hand_and_the_next_completes_it(room: Room) -> None:
    for number in range(10):
        room.write(f"{number}.txt", f"Rule {number} of the house.")
    stop = threading.Event()

    def stop_after_two(progress: Progress) -> None:
        if progress.done == 2:
            stop.set()

    counts = room.pipeline().sync(room.source, stop=stop, on_change=stop_after_two)
    assert tally(counts) == {"indexed": 2}
    assert room.agrees()
    room.sync()
    assert len(room.paths("of the house")) == 10


@pytest.mark.parametrize(
    ("again", "completed"), [(Again.EVERYTHING, {"indexed", "failed"}), (Again.TROUBLED, {"failed"})]
)
def test_what_was_to_be_read_again_is_read_by_the_next_run_when_one_is_cut_short(
    room: Room, again: Again, completed: set[str]
) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("broken.pdf", b"%PDF-1.7 broken")
    room.sync()
    stop = threading.Event()
    stop.set()
    room.sync(stop=stop, wish=Wish(again=again))
    assert room.parsers.parsed == []
    assert tally(room.sync()).keys() - {"unchanged"} == completed
    assert len(room.parsers.parsed) == len(completed)
    room.sync()
    assert room.parsers.parsed == []


def test_a_document_without_a_searchable_word_is_not_called_indexed(room: Room) -> None:
    room.write("blank.txt", "\n \n")
    room.write("rules.md", "---\n\n***\n")
    assert tally(room.sync()) == {"empty": 1, "failed": 1}


def test_a_file_that_becomes_empty_while_it_waits_for_a_curator_failed_and_what_it_said_goes_on_waiting(
    room: Room,
) -> None:
    room.source = replace(room.source, curated=True)
    room.catalog.change_source(room.source)
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    room.write("a.txt", "")
    assert tally(room.sync()) == {"failed": 1}
    facts = room.known()["a.txt"]
    room.catalog.approve(facts.document_id, "curator", version_id=facts.pending_version_id)
    room.sync()
    assert room.paths("notice period") == {"a.txt"}
    assert room.states() == {"a.txt": DocumentState.FAILED}, "the file is still worth a look"


def _process(room: Room, empty_database: Path) -> dict[str, Any]:
    return {
        "args": [sys.executable, "-m", "tests.ingest.sync_process", room.folder, room.data, empty_database],
        "cwd": ROOT,
        "stdout": subprocess.PIPE,
        "env": {**os.environ, "TMPDIR": str(room.folder.parent)},
    }


def _sync_in_a_process(room: Room, empty_database: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(**_process(room, empty_database), check=False)


@contextmanager
def _small_disk(path: Path, size: str) -> Iterator[None]:
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("left", [0, 200_000])
def test_a_full_disk_ends_the_run_and_the_next_completes_it(
    tmp_path: Path, empty_database: Path, parsers: CountingPool, left: int
) -> None:
    """In a process of its own: the index maps its files, and a page that found no room would end it by SIGBUS."""
    folder = tmp_path / "library"
    folder.mkdir()
    with _small_disk(tmp_path / "data", "400m"):
        room = open_room(folder, tmp_path / "data", empty_database, parsers)
        room.write("00.txt", "The canteen opens at noon.")
        room.sync()
        room.index.close()
        room.database.close()
        for number in range(1, 40):
            room.write(f"{number:02}.txt", f"Rule {number} of the house. " * 200)
        filler = room.data / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(room.data).free - left)
        ended = _sync_in_a_process(room, empty_database)
        assert ended.returncode == 1
        assert b"Check the free disk space" in ended.stdout or b"disk's space" in ended.stdout
        filler.unlink()
        room = open_room(folder, tmp_path / "data", empty_database, parsers)
        assert room.paths("canteen") == {"00.txt"}
        room.sync()
        assert room.agrees()
        assert set(room.states().values()) == {DocumentState.INDEXED}
        assert len(room.known()) == 40
        room.index.close()
        room.database.close()


# killed


def _killed_sync(room: Room, empty_database: Path, after_s: float) -> bool:
    """Start a sync in a process of its own and kill it; whether it was still at work."""
    process = subprocess.Popen(**_process(room, empty_database))
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        process.kill()
        finished = b"done" in process.stdout.read()
    process.wait()
    return not finished


_ARCHIVE = "3/papers.zip"
_LONG = "1/long.txt"


def _rule(number: int, round_number: int) -> str:
    return f"Rule {number} of round {round_number}. " + "It is kept. " * 20


def _slips(round_number: int) -> dict[str, str]:
    """What is in the archive: a sentence by path."""
    return {f"{name}.txt": f"Slip{name} from week{round_number}." for name in ("a", "b")}


def _write_others(room: Room, round_number: int) -> None:
    """A document that takes two steps to embed, and an archive of two."""
    room.write(_LONG, " ".join(f"Lamp{number} burns edition{round_number} tonight." for number in range(1_600)))
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, sentence in _slips(round_number).items():
            archive.writestr(name, sentence)
    room.write(_ARCHIVE, data.getvalue())


def _disturb(room: Room, dice: random.Random, round_number: int) -> None:
    """New, changed, copied, deleted and relabelled files."""
    for _ in range(16):
        number = dice.randrange(40)
        room.write(f"{number % 4}/{number}.txt", _rule(number, round_number))
    if dice.random() < 0.5:
        _write_others(room, round_number)
    for _ in range(3):
        copied = dice.choice(sorted(_rules(room)))
        room.write(f"{dice.randrange(4)}/copy{dice.randrange(8)}.txt", (room.folder / copied).read_text())
    for path in dice.sample(sorted([*_rules(room), _LONG, _ARCHIVE]), 2):
        (room.folder / path).unlink(missing_ok=True)
    room.write(f"{dice.randrange(4)}/.access.toml", f'groups = ["{dice.choice(["staff", "board"])}"]')


def _rules(room: Room) -> dict[str, str]:
    """The first sentence of each file with a rule, copies included, by path."""
    files = (file for file in room.folder.rglob("*.txt") if file != room.folder / _LONG)
    return {str(file.relative_to(room.folder)): f"{file.read_text().split('.')[0]}." for file in files}


def _label(room: Room, path: str) -> frozenset[str]:
    sidecar = room.folder / Path(path).parent / ".access.toml"
    return frozenset({sidecar.read_text().split('"')[1]}) if sidecar.exists() else STAFF


def _sweep(tmp_path: Path, empty_database: Path, parsers: CountingPool, moments: int) -> None:
    dice = random.Random(20)
    folder, data = tmp_path / "library", tmp_path / "data"
    folder.mkdir()
    shell = Room(folder, data, None, None, None, None, parsers, None, None)  # type: ignore[arg-type]
    for number in range(40):
        shell.write(f"{number % 4}/{number}.txt", _rule(number, 0))
    _write_others(shell, 0)
    interrupted = 0
    for moment in range(moments):
        interrupted += _killed_sync(shell, empty_database, dice.uniform(0.0, 1.0))
        _disturb(shell, dice, moment + 1)
    _write_others(shell, moments)
    assert interrupted > 0
    room = open_room(folder, data, empty_database, parsers)
    room.sync()
    assert room.agrees()
    rules, slips = _rules(room), {f"{_ARCHIVE} › {name}": sentence for name, sentence in _slips(moments).items()}
    _require_found(room, {**rules, **slips, _LONG: f"edition{moments} tonight."})
    assert tally(room.sync()) == {"unchanged": len(rules) + len(slips) + 2}
    room.index.close()
    room.database.close()


def _require_found(room: Room, sentences: Mapping[str, str]) -> None:
    """Each document is found by whom its label admits, a duplicate through its original, and nothing else is there."""
    known = room.catalog.every_file(room.source.id)
    path_of = {facts.document_id: f"{facts.path} › {facts.member}" if facts.member else facts.path for facts in known}
    held = {path_of[facts.document_id]: facts for facts in known}
    assert held.keys() == {*sentences, _ARCHIVE}
    assert held[_ARCHIVE].groups == _label(room, _ARCHIVE)
    for path, sentence in sentences.items():
        facts, label = held[path], _label(room, path)
        assert facts.groups == label
        holder = path
        if facts.state is DocumentState.DUPLICATE:
            holder = path_of[facts.duplicate_of or ""]
            assert (held[holder].state, held[holder].groups) == (DocumentState.INDEXED, label)
        else:
            assert facts.state is DocumentState.INDEXED
        assert holder in room.paths(sentence, label)
        alike = {other for other in sentences if sentences[other] == sentence}
        for group in (STAFF, BOARD):
            assert room.paths(sentence, group) <= {other for other in alike if _label(room, other) == group}
    assert room.catalog.current_versions()[held[_LONG].version_id or ""] > 256


def test_syncs_killed_at_random_moments_are_completed_by_the_next(
    tmp_path: Path, empty_database: Path, parsers: CountingPool
) -> None:
    _sweep(tmp_path, empty_database, parsers, 4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_syncs_killed_at_two_hundred_random_moments_are_completed_by_the_next(
    tmp_path: Path, empty_database: Path, parsers: CountingPool
) -> None:
    _sweep(tmp_path, empty_database, parsers, 200)


def test_a_source_of_another_name_does_not_touch_this_ones_documents(room: Room, tmp_path: Path) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.sync()
    other = replace(room.source, id="source-2", name="Other", path=str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("The vault opens at seven.")
    room.catalog.add_source(other)
    room.pipeline().sync(other)
    (tmp_path / "other" / "a.txt").unlink()
    (tmp_path / "other" / "b.txt").write_text("The vault opens at nine.")
    room.pipeline().sync(other)
    assert room.paths("notice period") == {"a.txt"}
    assert room.agrees()
