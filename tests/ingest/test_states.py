"""Every state a document can be in, how it gets there, and how it gets out again."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import update

from appliance.catalog import FileFacts, FileOutcome, changes_between
from appliance.catalog.tables import documents
from appliance.domain import AccessFilter, DocumentState, document_id
from appliance.errors import InvalidRequest, NotFound, ParserBroken
from ingest.parse.elements import Member, Parsed
from ingest.pipeline import Again, Progress, Wish
from ingest.plan import Action
from tests.data.builders import make_outcome
from tests.ingest.conftest import BOARD, STAFF, CountingPool, Room, mode, tally

READER = AccessFilter(STAFF)
_LONG = "The notice period of the lease is three months to the end of a quarter. " * 12


def _mail(subject: str, *, attachment: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", subject
    message["Message-ID"] = f"<{subject}@example.org>"
    message.set_content("See the file.")
    message.add_attachment(attachment.encode(), maintype="text", subtype="plain", filename="rules.txt")
    return message.as_bytes()


def _zip(**files: str) -> bytes:
    return _zip_of(*((f"{name}.txt", text.encode()) for name, text in files.items()))


def _zip_of(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def _facts(room: Room, path: str) -> FileFacts:
    return room.known()[path]


# nothing in it


def test_an_empty_file_is_settled_until_it_has_something_in_it(room: Room) -> None:
    room.write("a.txt", "")
    room.write("b.md", " \n\n")
    assert tally(room.sync()) == {"empty": 2}
    assert _facts(room, "a.txt").reason == "Document 'a.txt' is empty: there is nothing in it to read."
    for wish in (Wish(), Wish(again=Again.TROUBLED)):
        assert tally(room.sync(wish=wish)) == {"empty": 2}
        assert room.parsers.parsed == []
    assert room.progress.failures == 0
    room.write("a.txt", "The canteen opens at noon.")
    assert tally(room.sync()) == {"indexed": 1, "empty": 1}
    assert room.paths("opens at noon") == {"a.txt"}


def test_a_file_that_is_empty_all_of_a_sudden_is_to_be_looked_at_and_what_it_said_stays(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.write("a.txt", "")
    assert tally(room.sync()) == {"failed": 1}
    assert "is empty" in _facts(room, "a.txt").reason
    assert room.paths("opens at noon") == {"a.txt"}


def test_a_preview_calls_a_file_empty_only_if_it_never_said_anything(room: Room) -> None:
    room.write("a.txt", "The notice period is three months.")
    room.write("b.txt", "")
    room.sync()
    for path in ("a.txt", "b.txt", "c.txt"):
        room.write(path, "")
    steps = room.pipeline().preview(room.source).steps
    assert {step.path: step.action for step in steps} == {
        "a.txt": Action.READ_AGAIN,
        "b.txt": Action.EMPTY,
        "c.txt": Action.EMPTY,
    }
    room.sync()
    assert (room.states()["a.txt"], room.states()["c.txt"]) == (DocumentState.FAILED, DocumentState.EMPTY)


def test_a_preview_foresees_no_refusal_of_what_was_read_whatever_it_is_called(room: Room) -> None:
    from tests.ingest.parse.documents import pdf, text_page

    room.write("old.pages", pdf(text_page(["The canteen opens at noon."])))
    assert [step.action for step in room.pipeline().preview(room.source).steps] == [Action.REFUSE]
    assert tally(room.sync()) == {"indexed": 1}
    again = room.pipeline().preview(room.source, again=Again.EVERYTHING)
    assert [step.action for step in again.steps] == [Action.READ_AGAIN]


# duplicates


def test_the_same_content_is_indexed_once_and_the_other_is_called_its_duplicate(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b/copy.txt", "The canteen opens at noon.")
    assert tally(room.sync()) == {"indexed": 1, "duplicate": 1}
    states = room.states()
    assert sorted(states.values()) == [DocumentState.DUPLICATE, DocumentState.INDEXED]
    assert room.index.count() == 1
    assert room.agrees()
    assert tally(room.sync()) == {"unchanged": 2}
    original, copy = (path for path, _ in sorted(states.items(), key=lambda item: item[1], reverse=True))
    assert [item.path for item in room.catalog.copies(_facts(room, original).document_id, READER)] == [copy]


@pytest.mark.parametrize("change", ["deleted", "changed", "refused"])
def test_a_duplicate_takes_over_when_its_original_goes(room: Room, change: str) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.write("b.txt", "The canteen opens at noon.")
    room.write("c.txt", "The canteen opens at noon.")
    room.sync()
    assert room.states()["b.txt"] is DocumentState.DUPLICATE
    if change == "deleted":
        (room.folder / "a.txt").unlink()
    elif change == "changed":
        room.write("a.txt", "The canteen is closed.")
    else:
        room.write("a.txt.access.toml", "groups = 1")
    room.sync()
    assert room.paths("opens at noon") == {"b.txt"}
    assert room.states()["c.txt"] is DocumentState.DUPLICATE
    assert room.agrees()
    room.sync()
    assert room.paths("opens at noon") == {"b.txt"}


@pytest.mark.parametrize("change", ["closed", "deleted"])
def test_nothing_of_its_originals_name_is_left_in_a_duplicate_that_takes_over(room: Room, change: str) -> None:
    room.write("dismissals.txt", "The canteen opens at noon.\n\nIt closes at two.")
    room.sync()
    room.write("notes.txt", "The canteen opens at noon.\n\nIt closes at two.")
    room.sync()
    if change == "closed":
        room.write("dismissals.txt.access.toml", 'groups = ["board"]')
    else:
        (room.folder / "dismissals.txt").unlink()
    room.sync()
    taken_over = _facts(room, "notes.txt").version_id or ""
    chunks, _ = room.catalog.version_chunks(taken_over)
    assert [chunk.context for chunk in chunks] == ["notes"]
    assert room.catalog.stored_version(taken_over)[1] == room.document("notes.txt").title == "notes"
    room.sync(wish=Wish(again=Again.EVERYTHING))
    assert room.catalog.version_chunks(_facts(room, "notes.txt").version_id or "")[0] == chunks
    assert room.agrees()


def test_the_same_bytes_that_are_read_in_another_way_are_no_duplicate(room: Room) -> None:
    room.write("a.md", "# The canteen\n\nIt opens at noon.")
    room.write("a.txt", "# The canteen\n\nIt opens at noon.")
    assert tally(room.sync()) == {"indexed": 2}


def test_a_copy_under_another_label_is_a_document_of_its_own(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b/.access.toml", 'groups = ["board"]')
    room.write("b/copy.txt", "The canteen opens at noon.")
    assert tally(room.sync()) == {"indexed": 2}
    assert (room.paths("noon"), room.paths("noon", BOARD)) == ({"a.txt"}, {"b/copy.txt"})


@pytest.mark.parametrize("relabelled", ["a.txt", "b.txt"])
def test_a_duplicate_that_gets_a_label_of_its_own_gets_a_copy_of_its_own(room: Room, relabelled: str) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.write("b.txt", "The canteen opens at noon.")
    room.sync()
    room.write(f"{relabelled}.access.toml", 'groups = ["board"]')
    room.sync()
    other = "b.txt" if relabelled == "a.txt" else "a.txt"
    assert (room.paths("noon"), room.paths("noon", BOARD)) == ({other}, {relabelled})
    assert room.agrees()


# containers


def test_files_in_an_archive_are_documents_under_the_label_of_the_archive(room: Room) -> None:
    room.write("old.zip", _zip(rent="The rent is due on the third.", heat="Heating is included."))
    room.write("old.zip.access.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"indexed": 3}
    assert room.paths("due on the third") == set()
    assert room.paths("due on the third", BOARD) == {"old.zip › rent.txt"}
    (room.folder / "old.zip.access.toml").unlink()
    room.sync()
    assert room.paths("due on the third") == {"old.zip › rent.txt"}
    assert room.agrees()


def test_every_sync_counts_the_files_in_containers_as_they_stand(room: Room) -> None:
    from tests.ingest.parse.documents import encrypted_pdf

    room.write("old.zip", _zip_of(("rent.txt", b"The rent is due."), ("pay.pdf", encrypted_pdf()), ("none.txt", b"")))
    first = {"indexed": 2, "needs_password": 1, "empty": 1}
    assert tally(room.sync()) == first
    later = {"unchanged": 2, "needs_password": 1, "empty": 1}
    for _ in range(2):
        assert tally(room.sync()) == later
        assert (room.progress.done, room.progress.failures) == (room.progress.total, 1)
        os.utime(room.folder / "old.zip")  # other times, the same content
    room.write("old.zip.access.toml", 'groups = ["board"]')
    assert tally(room.sync()) == {"relabelled": 2, "needs_password": 1, "empty": 1}
    room.write("old.zip", b"PK\x03\x04 this is no archive any more")
    assert tally(room.sync()) == {"failed": 1, "unchanged": 1, "needs_password": 1, "empty": 1}
    assert sum(room.catalog.states(room.source.id).values()) == room.progress.done


def test_a_file_in_an_archive_is_called_the_same_in_lists_and_reports(room: Room) -> None:
    room.write("old.zip", _zip(rent="The rent is due on the third.", copy="The rent is due on the third.", none=""))
    room.sync()
    assert set(room.report) == set(room.states())
    assert "old.zip › none.txt" in room.report


def test_what_leaves_an_archive_leaves_the_index_and_so_does_all_of_it_with_the_archive(room: Room) -> None:
    room.write("old.zip", _zip(rent="The rent is due on the third.", heat="Heating is included."))
    room.sync()
    room.write("old.zip", _zip(heat="Heating is included."))
    assert tally(room.sync()) == {"indexed": 2, "gone": 1}
    assert room.paths("due on the third") == set()
    assert room.paths("included") == {"old.zip › heat.txt"}
    assert room.states()["old.zip › rent.txt"] is DocumentState.GONE
    (room.folder / "old.zip").unlink()
    room.write("other.txt", "Quite another matter.")
    assert tally(room.sync()) == {"gone": 2, "indexed": 1}
    assert room.progress.done == room.progress.total
    assert room.index.count() == 1
    assert room.agrees()


def test_a_file_in_an_archive_that_a_curator_released_counts_once_and_as_released(room: Room) -> None:
    room.source = replace(room.source, curated=True)
    room.catalog.change_source(room.source)
    room.write("old.zip", _zip(rent="The rent is due on the third.", heat="Heating is included."))
    assert tally(room.sync()) == {"pending_review": 3}
    room.catalog.approve(room.document("old.zip › rent.txt").id, "curator")
    assert tally(room.sync()) == {"indexed": 1, "pending_review": 2}
    assert room.progress.done == room.progress.total == 3
    assert room.report["old.zip › rent.txt"].reason == "Released by a curator."
    for path in ("old.zip", "old.zip › heat.txt"):
        room.catalog.approve(room.document(path).id, "curator")
    assert tally(room.sync()) == {"indexed": 2, "unchanged": 1}
    assert tally(room.sync()) == {"unchanged": 3}


def test_a_file_attached_to_many_mails_is_indexed_once(room: Room) -> None:
    for number in range(4):
        room.write(f"{number}.eml", _mail(f"Number {number}", attachment="The canteen opens at noon."))
    assert tally(room.sync()) == {"indexed": 5, "duplicate": 3}
    assert len(room.paths("opens at noon")) == 1
    holder = next(iter(room.paths("opens at noon"))).split(" › ")[0]
    (room.folder / holder).unlink()
    room.sync()
    assert len(room.paths("opens at noon") - {f"{holder} › rules.txt"}) == 1
    assert room.agrees()


class _ChoosyPool(CountingPool):
    """The real pool, but that it has something against one file in an archive."""

    against = ""

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        parsed = super().parse_in(root, path, password=password)
        if not self.against:
            return parsed
        rest = tuple(member for member in parsed.members if member.path != "rent.txt")
        return replace(parsed, members=(Member("rent.txt", None, self.against, "was not read"), *rest))


@pytest.fixture
def choosy(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room with an archive of two files, one of which broke its parser."""
    monkeypatch.setattr(room.parsers, "__class__", _ChoosyPool)
    monkeypatch.setattr(_ChoosyPool, "against", ParserBroken.code)
    room.write("old.zip", _zip(rent="The rent is due on the third.", heat="Heating is included."))
    assert tally(room.sync()) == {"indexed": 2, "failed": 1}
    assert tally(room.sync()) == {"unchanged": 2, "failed": 1}
    assert room.parsers.parsed == []
    return room


def test_an_archive_is_read_again_when_a_file_in_it_is_due(choosy: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room = choosy
    _let_time_pass(room)
    assert room.pipeline().preview(room.source).of(Action.READ_AGAIN)[0].path == "old.zip"
    room.sync()
    assert room.document("old.zip › rent.txt").attempts == 2
    room.sync()
    assert room.parsers.parsed == []
    os.utime(room.folder / "old.zip")
    _let_time_pass(room)
    monkeypatch.setattr(_ChoosyPool, "against", "")
    room.sync()  # read, though its content is what it was
    assert room.paths("due on the third") == {"old.zip › rent.txt"}
    assert room.agrees()
    assert tally(room.sync()) == {"unchanged": 3}
    assert room.parsers.parsed == []


def test_a_file_in_an_archive_is_quarantined_as_any_other_and_read_when_somebody_says_so(
    choosy: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = choosy
    for _ in range(2):
        _let_time_pass(room)
        room.sync()
    assert room.states()["old.zip › rent.txt"] is DocumentState.QUARANTINED
    _let_time_pass(room)
    room.sync()
    assert room.parsers.parsed == []
    monkeypatch.setattr(_ChoosyPool, "against", "")
    room.sync(wish=Wish(again=Again.TROUBLED))
    assert room.paths("due on the third") == {"old.zip › rent.txt"}


def test_an_archive_is_read_again_when_a_limit_changed_that_a_file_in_it_was_over(
    choosy: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = choosy
    monkeypatch.setattr(_ChoosyPool, "against", "document_rejected")
    _let_time_pass(room)
    room.sync()
    assert room.states()["old.zip › rent.txt"] is DocumentState.REFUSED
    room.sync()
    assert room.parsers.parsed == []
    monkeypatch.setattr(_ChoosyPool, "against", "")
    room.settings = room.settings.model_copy(update={"max_pages": room.settings.max_pages + 1})
    room.sync()
    assert room.paths("due on the third") == {"old.zip › rent.txt"}


def test_a_file_in_an_archive_whose_judgement_is_forgotten_is_read_again(choosy: Room) -> None:
    known = choosy.catalog.members(_facts(choosy, "old.zip").document_id)
    choosy.catalog.forget_judgement([known["heat.txt"].document_id])
    choosy.sync()
    assert choosy.parsers.parsed == ["old.zip"]
    choosy.sync()
    assert choosy.parsers.parsed == []


def test_an_archive_that_failed_itself_is_not_read_before_its_time_for_a_file_in_it(choosy: Room) -> None:
    failed = replace(_outcome_of(_facts(choosy, "old.zip")), retry_at=datetime.now(UTC) + timedelta(hours=1))
    choosy.catalog.record(failed, keep_version=True)
    inner = _facts_in(choosy, "old.zip", "rent.txt")
    past = datetime.now(UTC) - timedelta(seconds=1)
    choosy.catalog.record(replace(_outcome_of(inner), retry_at=past), keep_version=True)
    choosy.sync()
    assert choosy.parsers.parsed == []


def _facts_in(room: Room, path: str, member: str) -> FileFacts:
    return room.catalog.members(_facts(room, path).document_id)[member]


def _outcome_of(known: FileFacts) -> FileOutcome:
    """A failure of a file, judged as it was."""
    return replace(
        make_outcome(known.path, state=DocumentState.FAILED),
        document_id=known.document_id,
        source_id=known.source_id,
        member=known.member,
        container_id=known.container_id,
        modified_ns=known.modified_ns,
        changed_ns=known.changed_ns,
        judged=known.judged,
    )


# the language of a source


def test_a_changed_language_takes_effect_with_the_next_sync_and_the_dry_run_shows_it(room: Room) -> None:
    room.write("a.txt", "Die Kündigungsfrist beträgt drei Monate.")
    room.write("copy.txt", "Die Kündigungsfrist beträgt drei Monate.")
    room.write("old.zip", _zip(rent="Die Miete ist am dritten Werktag fällig."))
    room.sync()
    room.catalog.change_source(replace(room.source, language="it"))
    [source] = room.catalog.sources()
    steps = room.pipeline().preview(source).of(Action.READ_AGAIN)
    assert [step.path for step in steps] == ["a.txt", "copy.txt", "old.zip"]
    os.utime(room.folder / "a.txt")  # other times are no reason to look at its content only
    assert tally(room.sync()) == {"indexed": 3, "duplicate": 1}
    versions = room.catalog.current_versions()
    assert {chunk.language for version in versions for chunk in room.catalog.version_chunks(version)[0]} == {"it"}
    assert room.paths("drei Monate") <= {"a.txt", "copy.txt"}
    assert room.agrees()
    assert tally(room.sync()) == {"unchanged": 4}
    assert room.parsers.parsed == []


def test_a_changed_language_asks_no_curator_about_what_was_approved(room: Room) -> None:
    room.write("a.txt", "Die Kündigungsfrist beträgt drei Monate.")
    room.sync()
    room.catalog.change_source(replace(room.source, curated=True, language="it"))
    assert tally(room.sync()) == {"indexed": 1}
    assert room.paths("drei Monate") == {"a.txt"}


# reports


def test_a_report_tells_what_a_sync_did_and_what_is_still_to_be_looked_at(room: Room) -> None:
    room.write("torn.docx", b"PK\x03\x04" + b"\x00" * 100)
    room.write("large.txt", "x" * 1_000_001)
    (room.folder / "link").symlink_to("nowhere")
    room.write("waits.txt", "The canteen opens at noon.")
    room.catalog.change_source(replace(room.source, curated=True))
    counts = {"failed": 1, "refused": 2, "pending_review": 1}
    assert tally(room.sync()) == counts
    assert set(room.report) == {"torn.docx", "large.txt", "link", "waits.txt"}
    assert tally(room.sync()) == counts
    assert set(room.report) == {"torn.docx", "large.txt", "link", "waits.txt"}
    assert all(file.reason for file in room.report.values())
    room.write("large.txt", "x" * 1_000_002)  # the sentence about it is another one
    room.write("torn.docx.access.toml", 'groups = ["board"]')
    room.sync()
    assert set(room.report) == {"torn.docx", "large.txt", "link", "waits.txt"}


def test_a_report_leaves_out_what_is_well_and_as_it_was(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("copy of a.txt", "The canteen opens at noon.")
    room.sync()
    assert set(room.report) == {"a.txt", "copy of a.txt"}
    assert tally(room.sync()) == {"unchanged": 2}
    assert room.report == {}


def test_a_report_names_the_files_in_an_archive_that_are_still_to_be_looked_at(room: Room) -> None:
    room.write("old.zip", _zip(rent="The rent is due on the third.", none=""))
    assert tally(room.sync()) == {"indexed": 2, "empty": 1}
    first = room.report["old.zip › none.txt"]
    counts = tally(room.sync())
    assert counts == {"unchanged": 2, "empty": 1}
    assert room.report == {"old.zip › none.txt": first}


def test_a_folder_that_stays_out_of_reach_is_reported_each_time(room: Room) -> None:
    room.write("closed/a.txt", "The canteen opens at noon.")
    with mode(room.folder / "closed", 0):
        assert tally(room.sync()) == {"failed": 1}
        assert set(room.report) == {"closed"}
        assert tally(room.sync()) == {"failed": 1}
        assert set(room.report) == {"closed"}


# curated sources


def test_a_curated_source_publishes_only_what_a_curator_approved(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    assert tally(room.sync()) == {"pending_review": 1}
    assert room.index.count() == 0
    facts = _facts(room, "a.txt")
    with pytest.raises(NotFound):
        room.catalog.document(facts.document_id, READER)
    with pytest.raises(NotFound):
        room.catalog.passages(facts.pending_version_id or "", READER, limit=9, offset=0)
    pending, _, passages = room.catalog.pending_document(facts.document_id, READER, limit=9)
    assert (pending.path, passages[0].text) == ("a.txt", "The canteen opens at noon.")
    assert room.catalog.visible_chunks([passages[0].id], READER, current_only=False) == {}
    assert room.catalog.pending(AccessFilter(BOARD), limit=9, offset=0).total == 0
    room.catalog.approve(facts.document_id, "curator")
    assert tally(room.sync()) == {"indexed": 1}
    assert tally(room.sync()) == {"unchanged": 1}
    assert room.paths("noon") == {"a.txt"}
    assert room.agrees()


def test_the_approved_version_stays_until_the_next_one_is_approved(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    document = _facts(room, "a.txt").document_id
    room.catalog.approve(document, "curator")
    room.sync()
    room.write("a.txt", "The canteen opens at one, or a little later.")
    assert tally(room.sync()) == {"pending_review": 1}
    assert (room.paths("noon"), room.paths("at one")) == ({"a.txt"}, set())
    room.sync()
    assert room.parsers.parsed == []
    room.catalog.turn_down(document, "Turned down: not true.")
    assert tally(room.sync()) == {"unchanged": 1}
    assert room.parsers.parsed == []
    assert room.paths("noon") == {"a.txt"}
    room.write("a.txt", "The canteen opens at two.")
    room.sync()
    room.catalog.approve(document, "curator")
    room.sync()
    assert (room.paths("noon"), room.paths("at two")) == (set(), {"a.txt"})
    assert room.agrees()


def test_what_was_turned_down_is_not_read_again_until_it_changes(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.catalog.turn_down(_facts(room, "a.txt").document_id, "Turned down: not ours.")
    assert tally(room.sync()) == {"refused": 1}
    assert room.parsers.parsed == []
    assert room.document("a.txt").reason == "Turned down: not ours."
    with pytest.raises(NotFound):
        room.catalog.approve(_facts(room, "a.txt").document_id, "curator")


def test_a_copy_of_what_was_released_waits_for_a_curator_too(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b.txt", "The canteen opens at one, or a little later.")
    room.sync()
    for path in ("a.txt", "b.txt"):
        room.catalog.approve(_facts(room, path).document_id, "curator")
    room.sync()
    room.write("b.txt", "The canteen opens at noon.")
    room.write("why ann was dismissed.txt", "The canteen opens at noon.")
    assert tally(room.sync()) == {"pending_review": 2, "unchanged": 1}
    released = _facts(room, "a.txt").document_id
    assert room.catalog.copies(released, READER) == []
    assert (room.paths("noon"), room.paths("at one")) == ({"a.txt"}, {"b.txt"})
    room.catalog.approve(_facts(room, "b.txt").document_id, "curator")
    room.sync()
    assert _facts(room, "b.txt").held_sha256 == _facts(room, "a.txt").sha256
    assert room.paths("at one") == set()
    assert room.agrees()


def test_what_was_a_copy_before_its_source_had_a_curator_stays_one(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b.txt", "The canteen opens at noon.")
    room.sync()
    room.catalog.change_source(replace(room.source, curated=True))
    assert tally(room.sync(wish=Wish(again=Again.EVERYTHING))) == {"indexed": 1, "duplicate": 1}
    assert room.catalog.pending_count() == 0
    assert room.agrees()


# failures


class _BreakingPool(CountingPool):
    """The real pool, but that some files break their parser."""

    breaks: frozenset[str] = frozenset()

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        if path in self.breaks:
            self.parsed.append(path)
            raise ParserBroken(f"Document '{path}' was given up: the parser was stopped after 60 s.")
        return super().parse_in(root, path, password=password)


@pytest.fixture
def breaking(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(room.parsers, "__class__", _BreakingPool)
    monkeypatch.setattr(_BreakingPool, "breaks", frozenset({"a.txt"}))
    return room


def _let_time_pass(room: Room) -> None:
    with room.database.write() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(update(documents).where(documents.c.retry_at.is_not(None)).values(retry_at=past))


def test_a_file_that_breaks_its_parser_is_tried_again_later_and_then_quarantined(breaking: Room) -> None:
    room = breaking
    room.write("a.txt", "boom")
    before = datetime.now(UTC)
    assert tally(room.sync()) == {"failed": 1}
    first = _facts(room, "a.txt")
    assert first.retry_at is not None
    assert timedelta(seconds=290) < first.retry_at - before < timedelta(seconds=330)
    assert room.catalog.next_retry(room.source.id) == first.retry_at
    assert tally(room.sync()) == {"failed": 1}
    assert room.parsers.parsed == []  # not yet
    _let_time_pass(room)
    room.sync()
    second = _facts(room, "a.txt")
    assert second.retry_at is not None
    assert second.retry_at - datetime.now(UTC) > timedelta(seconds=550)  # twice as long
    _let_time_pass(room)
    assert tally(room.sync()) == {"quarantined": 1}
    _let_time_pass(room)
    assert tally(room.sync()) == {"quarantined": 1}
    assert room.parsers.parsed == []


def test_only_what_broke_a_parser_leads_to_quarantine(breaking: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room = breaking
    file = room.write("a.txt", "boom")
    assert tally(room.sync()) == {"failed": 1}
    _let_time_pass(room)
    with monkeypatch.context() as patch, mode(file, 0o000):
        patch.setattr(_BreakingPool, "breaks", frozenset())
        for _ in range(3):
            assert tally(room.sync()) == {"failed": 1}
    assert tally(room.sync()) == {"failed": 1}  # the second time
    assert _facts(room, "a.txt").attempts == 2
    room.write("a.txt", "quite another content")
    assert tally(room.sync()) == {"failed": 1}
    assert _facts(room, "a.txt").attempts == 1


def test_a_quarantined_file_is_read_when_somebody_says_so_or_it_changes(breaking: Room) -> None:
    room = breaking
    room.write("a.txt", "boom")
    for _ in range(3):
        room.sync()
        _let_time_pass(room)
    assert room.states()["a.txt"] is DocumentState.QUARANTINED
    room.sync(wish=Wish(again=Again.TROUBLED))
    assert room.parsers.parsed == ["a.txt"]
    room.write("a.txt", "boom once more")
    room.sync()
    assert room.parsers.parsed == ["a.txt"]


def test_a_file_whose_judgement_is_forgotten_is_read_again(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("torn.docx", b"PK\x03\x04" + b"\x00" * 100)
    room.sync()
    room.sync()
    assert room.parsers.parsed == []
    room.catalog.forget_judgement([facts.document_id for facts in room.known().values()])
    room.sync()
    assert sorted(room.parsers.parsed) == ["a.txt", "torn.docx"]
    assert room.agrees()


def test_everything_is_read_again_on_demand(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    assert tally(room.sync(wish=Wish(again=Again.EVERYTHING))) == {"indexed": 1}
    assert room.parsers.parsed == ["a.txt"]
    assert room.agrees()


def test_a_limit_that_was_raised_lets_the_file_in(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon. " * 10)
    room.settings = room.settings.model_copy(update={"max_file_bytes": 100})
    assert tally(room.sync()) == {"refused": 1}
    room.settings = room.settings.model_copy(update={"max_file_bytes": 1000})
    assert tally(room.sync()) == {"indexed": 1}


def test_a_file_with_its_times_set_back_is_noticed(room: Room) -> None:
    file = room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    before = file.stat()
    file.write_text("The canteen opens at nine.")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert tally(room.sync()) == {"indexed": 1}
    assert room.paths("at nine") == {"a.txt"}


# what is missing


def test_when_too_much_is_missing_nothing_is_removed_before_somebody_confirms_it(room: Room) -> None:
    for number in range(30):
        room.write(f"{number}.txt", f"Rule number {number} of the house.")
    room.sync()
    for number in range(25):
        (room.folder / f"{number}.txt").unlink()
    room.write("new.txt", "A new rule.")
    with pytest.raises(InvalidRequest, match="25 documents"):
        room.sync()
    assert tally(room.progress.counts) == {"missing": 25, "unchanged": 5, "indexed": 1}
    assert len(room.paths("of the house")) == 30
    assert tally(room.sync(wish=Wish(missing_ok=True))) == {"gone": 25, "unchanged": 6}
    assert len(room.paths("of the house")) == 5
    receipts = room.catalog.receipts()
    assert {(receipt.chunks_before, receipt.chunks_after) for receipt in receipts} == {(1, 0)}
    assert len(receipts) == 25


def test_a_deleted_document_leaves_a_receipt(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    facts = _facts(room, "a.txt")
    (room.folder / "a.txt").unlink()
    room.sync(wish=Wish(missing_ok=True))
    (receipt,) = room.catalog.receipts(document_id=facts.document_id)
    assert (receipt.path, receipt.source, receipt.sha256) == ("a.txt", room.source.name, facts.sha256)
    assert (receipt.chunks_before, receipt.chunks_after) == (1, 0)


# patterns and dry runs


def test_patterns_say_what_is_taken_in_and_what_they_leave_out_leaves_the_index(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("drafts/deep/b.txt", "The canteen may open at noon.")
    room.write("c.log", "noise")
    room.catalog.change_source(replace(room.source, include=("**/*.txt",)))
    assert tally(room.sync()) == {"indexed": 2}
    room.catalog.change_source(replace(room.source, include=("**/*.txt",), exclude=("drafts/**",)))
    assert tally(room.sync()) == {"gone": 1, "unchanged": 1}
    assert "patterns" in room.document("drafts/deep/b.txt").reason
    assert room.paths("noon") == {"a.txt"}


def test_a_dry_run_tells_what_a_sync_would_do_and_does_nothing(room: Room) -> None:
    room.write("same.txt", "The canteen opens at noon.")
    changed = room.write("changed.txt", "The gate opens at six.")
    gone = room.write("gone.txt", "The shop opens at ten.")
    room.sync()
    changed.write_text("The gate opens at seven.")
    gone.unlink()
    room.write("new.txt", "The pool opens at nine.")
    (room.folder / "link").symlink_to("same.txt")
    before = room.known()
    plan = room.pipeline().preview(room.source)
    assert {step.path: step.action for step in plan.steps} == {
        "same.txt": Action.LEAVE,
        "changed.txt": Action.READ_AGAIN,
        "new.txt": Action.READ,
        "link": Action.REFUSE,
        "gone.txt": Action.REMOVE,
    }
    assert room.known() == before
    assert room.paths("opens at") == {"same.txt", "changed.txt", "gone.txt"}


# versions


def test_a_document_keeps_its_history_and_tells_what_changed(room: Room) -> None:
    room.write("a.txt", "Opening hours\n\nThe canteen opens at noon.")
    room.sync()
    document = _facts(room, "a.txt").document_id
    room.write("a.txt", "Opening hours\n\nThe canteen opens at one.")
    room.sync()
    new, old = room.catalog.history(document, READER)
    assert new.version.superseded_at is None
    assert old.version.superseded_at == new.published_at
    texts = [room.catalog.passages(item.version.id, READER, limit=99, offset=0) for item in (old, new)]
    changes = changes_between(*texts)
    assert [line.text for line in changes.removed] == ["The canteen opens at noon."]
    assert [line.text for line in changes.added] == ["The canteen opens at one."]
    with pytest.raises(NotFound):
        room.catalog.history(document, AccessFilter(BOARD))


def test_documents_that_are_much_alike_are_found_by_those_who_may_see_them(room: Room) -> None:
    room.write("a.txt", _LONG + "Signed in May by the landlord and the tenant of the house.")
    room.write("b.txt", _LONG + "Signed in June by the landlord and the tenant of the house.")
    room.write("c.txt", "Quite another matter altogether, about boats and the sea and the wind. " * 10)
    room.write("d.txt", _LONG + "Signed in July by the landlord and the tenant of the house.")
    room.write("d.txt.access.toml", 'groups = ["board"]')
    room.sync()
    facts = _facts(room, "a.txt")
    _, similar = room.catalog.candidates(facts.version_id or "", READER)
    assert [item.document.path for item in similar] == ["b.txt"]


def test_an_encrypted_file_is_read_with_the_password_somebody_gives(room: Room) -> None:
    import pikepdf

    from tests.ingest.parse.documents import pdf, text_page

    buffer = io.BytesIO()
    plain = pdf(text_page(["The canteen opens at noon for everybody in the house."]))
    with pikepdf.open(io.BytesIO(plain)) as document:
        document.save(buffer, encryption=pikepdf.Encryption(owner="o", user="sesame"))
    room.write("a.pdf", buffer.getvalue())
    assert tally(room.sync()) == {"needs_password": 1}
    assert tally(room.sync(wish=Wish(again=Again.TROUBLED, passwords={"a.pdf": "wrong"}))) == {"needs_password": 1}
    assert tally(room.sync(wish=Wish(again=Again.TROUBLED, passwords={"a.pdf": "sesame"}))) == {"indexed": 1}
    assert room.paths("noon") == {"a.pdf"}
    assert tally(room.sync()) == {"unchanged": 1}


# what a cold eye found


def test_a_container_whose_taking_in_was_cut_short_is_completed_by_the_next_sync(room: Room) -> None:
    room.write("old.zip", _zip(**{f"n{number}": f"Rule number {number} of the house." for number in range(6)}))
    stop = threading.Event()

    def stop_after_two(progress: Progress) -> None:
        if progress.done == 2:
            stop.set()

    room.pipeline().sync(room.source, stop=stop, on_change=stop_after_two)
    assert len(room.paths("of the house")) < 6
    room.sync()
    assert len(room.paths("of the house")) == 6
    assert room.agrees()
    assert tally(room.sync()) == {"unchanged": 7}


def test_an_original_and_its_duplicate_deleted_together_leave_nothing(room: Room) -> None:
    for name in ("a", "b", "stays"):
        room.write(f"{name}.txt", "The canteen opens at noon." if name != "stays" else "Quite another matter.")
    room.sync()
    for name in ("a", "b"):
        (room.folder / f"{name}.txt").unlink()
    assert tally(room.sync()) == {"gone": 2, "unchanged": 1}
    assert room.index.count() == 1
    assert room.agrees()


def test_a_source_whose_label_changes_keeps_its_duplicates_together(room: Room) -> None:
    for name in "abcd":
        room.write(f"{name}.txt", "The canteen opens at noon.")
    room.write("x.zip", _zip(one="The shop opens at ten.", two="The shop opens at ten."))
    room.sync()
    room.write(".access.toml", 'groups = ["board"]')
    room.sync()
    assert room.index.count() == 2
    assert (len(room.paths("noon", BOARD)), room.paths("noon")) == (1, set())
    assert (len(room.paths("at ten", BOARD)), room.paths("at ten")) == (1, set())
    assert room.indexed("opens", STAFF) == 0
    assert room.agrees()


def test_a_narrower_source_is_closed_at_once_although_its_folder_is_gone(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b.txt", "The board meets at noon.")
    room.write("b.txt.access.toml", 'groups = ["staff", "board"]')
    room.sync()
    room.folder.rename(room.folder.with_name("away"))
    room.catalog.change_source(replace(room.source, groups=BOARD), was=room.source)
    assert room.paths("noon") == {"b.txt"}
    room.folder.with_name("away").rename(room.folder)
    room.sync()
    assert (room.paths("canteen"), room.paths("canteen", BOARD)) == (set(), {"a.txt"})
    assert room.agrees()


def test_two_changes_of_a_source_do_not_undo_each_other(room: Room) -> None:
    read = room.catalog.source(room.source.id)
    room.catalog.change_source(replace(read, groups=BOARD), was=read)
    room.catalog.change_source(replace(read, owner="Records"), was=read)
    assert (room.catalog.source(read.id).groups, room.catalog.source(read.id).owner) == (BOARD, "Records")


def test_a_file_out_of_reach_is_tried_by_every_sync_and_starts_none_by_itself(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    (room.folder / "a.txt.access.toml").write_text('groups = ["staff"]')
    room.catalog.record(
        replace(
            make_outcome("a.txt", state=DocumentState.FAILED),
            document_id=document_id(room.source.id, "a.txt"),
            source_id=room.source.id,
        ),
        keep_version=True,
    )
    assert room.catalog.next_retry(room.source.id) is None
    assert tally(room.sync()) == {"indexed": 1}


def test_what_was_approved_stays_in_force_when_everything_is_read_again(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.catalog.approve(_facts(room, "a.txt").document_id, "curator")
    room.sync(wish=Wish(again=Again.EVERYTHING))
    assert room.paths("noon") == {"a.txt"}
    assert _facts(room, "a.txt").pending_version_id is None


def test_a_deleted_document_no_longer_waits_for_review(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b.txt", "The shop is closed.")
    room.sync()
    (room.folder / "a.txt").unlink()
    room.sync()
    assert room.catalog.pending_count() == 1


def test_patterns_may_leave_out_most_of_a_folder(room: Room) -> None:
    for number in range(25):
        room.write(f"m/{number}.txt", f"Rule number {number} of the house.")
    room.write("stays.txt", "Quite another matter.")
    room.sync()
    room.catalog.change_source(replace(room.source, exclude=("m/**",)))
    assert tally(room.sync()) == {"gone": 25, "unchanged": 1}


def test_an_archive_in_an_archive_is_no_failure(room: Room) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("inner.zip", _zip(one="The shop opens at ten."))
    room.write("outer.zip", inner.getvalue())
    room.sync()
    assert DocumentState.FAILED not in room.states().values()
    assert len(room.paths("at ten")) == 1


# files in documents


def _blank_pdf_with(**files: str) -> bytes:
    from tests.ingest.parse.documents import pdf, with_files

    return with_files(pdf(lambda _: None), *((f"{name}.txt", text.encode()) for name, text in files.items()))


def test_a_document_without_text_has_failed_whatever_is_in_it_and_what_is_in_it_is_read(room: Room) -> None:
    room.write("a.pdf", _blank_pdf_with(rent="The rent is due on the third.", heat="Heating is included."))
    room.write("b.zip", _zip_of(("inner.pdf", _blank_pdf_with(fee="The fee is forty."))))
    assert tally(room.sync()) == {"failed": 2, "indexed": 4}
    assert _facts(room, "a.pdf").reason == "The file itself gave no text. The files in it are documents of their own."
    assert "gave no text: the page is blank" in _facts_in(room, "b.zip", "inner.pdf").reason
    assert room.paths("due on the third") == {"a.pdf › rent.txt"}
    assert room.paths("fee is forty") == {"b.zip › inner.pdf/fee.txt"}
    assert tally(room.sync()) == {"unchanged": 4, "failed": 2}
    room.write("a.pdf.access.toml", 'groups = ["board"]')
    room.sync()
    assert (room.paths("due on the third"), room.paths("due", BOARD)) == (set(), {"a.pdf › rent.txt"})
    room.write("a.pdf", _blank_pdf_with(heat="Heating is included."))
    room.sync()
    assert room.states()["a.pdf › rent.txt"] is DocumentState.GONE
    assert room.states()["a.pdf › heat.txt"] is DocumentState.INDEXED
    (room.folder / "a.pdf").unlink()
    room.sync()
    assert room.states()["a.pdf › heat.txt"] is DocumentState.GONE
    assert room.agrees()


def test_a_document_without_text_whose_taking_in_was_cut_short_is_completed_by_the_next_sync(room: Room) -> None:
    room.write("a.pdf", _blank_pdf_with(**{f"n{number}": f"Rule {number} of the house." for number in range(6)}))
    stop = threading.Event()

    def stop_after_two(progress: Progress) -> None:
        if progress.done == 2:
            stop.set()

    room.pipeline().sync(room.source, stop=stop, on_change=stop_after_two)
    assert len(room.paths("of the house")) < 6
    room.sync()
    assert len(room.paths("of the house")) == 6
    assert room.agrees()


def test_a_mail_of_nothing_but_a_file_is_no_failure(room: Room) -> None:
    message = EmailMessage()
    message.add_attachment(b"Heating is included.", maintype="text", subtype="plain", filename="rules.txt")
    room.write("a.eml", message.as_bytes())
    assert tally(room.sync()) == {"indexed": 2}


@pytest.mark.parametrize("change", ["deleted", "changed", "relabelled"])
def test_a_duplicate_with_files_in_it_takes_over_with_them_when_its_original_goes(room: Room, change: str) -> None:
    document = _mail("Rules", attachment="The canteen opens at noon.")
    room.write("a.eml", document)
    room.sync()
    room.write("b.eml", document)
    assert tally(room.sync()) == {"duplicate": 2, "unchanged": 2}
    states = room.states()
    assert (states["b.eml"], states["b.eml › rules.txt"]) == (DocumentState.DUPLICATE, DocumentState.DUPLICATE)
    assert tally(room.sync()) == {"unchanged": 4}
    if change == "deleted":
        (room.folder / "a.eml").unlink()
    elif change == "changed":
        room.write("a.eml", "From: a@example.org\nSubject: Closed\n\nThe canteen is closed.\n")
    else:
        room.write("a.eml.access.toml", 'groups = ["board"]')
    room.sync()
    assert room.paths("opens at noon") == {"b.eml › rules.txt"}
    assert room.states()["b.eml"] is DocumentState.INDEXED
    assert room.agrees()
    room.sync()
    assert room.paths("opens at noon") == {"b.eml › rules.txt"}


def test_copies_with_files_in_them_found_together_are_indexed_once(room: Room) -> None:
    document = _mail("Rules", attachment="The canteen opens at noon.")
    for number in range(3):
        room.write(f"{number}.eml", document)
    assert tally(room.sync()) == {"indexed": 2, "duplicate": 4}
    for number in range(2):
        (room.folder / f"{number}.eml").unlink()
    room.sync()
    assert room.paths("opens at noon") == {"2.eml › rules.txt"}
    assert room.agrees()
