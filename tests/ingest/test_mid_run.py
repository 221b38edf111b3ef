"""Labels, copies and reviews when something changes or fails in the middle of a sync."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import Any, Never

import pytest
from sqlalchemy import func, select

import ingest.reading
from appliance.catalog.tables import version_bands, versions
from appliance.domain import Chunk, DocumentState, Source
from appliance.errors import Conflict, IndexUnavailable, InvalidRequest, ModelUnavailable
from appliance.inference.port import Vectors
from ingest.holdings import Holdings, NewVersion
from ingest.parse.elements import Parsed
from ingest.pipeline import Again, Wish
from tests.ingest.conftest import BOARD, STAFF, Room, ToyEmbedder, mode, tally

_LONG = " ".join(f"The turbine of hall {number} is oiled in spring." for number in range(2_000))


class _ActingEmbedder(ToyEmbedder):
    """Does something before texts are embedded."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self._act()
        return super().embed_passages(texts)


def _raising(error: Exception) -> Callable[..., Never]:
    def fail(*_: Any, **__: Any) -> Never:
        raise error

    return fail


def _bands(room: Room) -> int:
    """How much there is to find near-duplicates by."""
    with room.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(version_bands)).scalar() or 0)


# labels


@pytest.mark.parametrize("broken", ["index", "model"])
def test_a_label_is_withdrawn_although_index_or_model_fails(
    room: Room, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    room.write("a.txt", "The merger is secret.")
    room.write("b.txt", "Something else.")
    room.sync()
    room.write("a.txt.access.toml", 'groups = ["board"]')
    if broken == "index":
        monkeypatch.setattr(room.index, "versions", _raising(IndexUnavailable("The index is away.")))
    else:
        room.index.delete_version(room.known()["b.txt"].version_id or "")
        monkeypatch.setattr(room.embedder, "embed_passages", _raising(ModelUnavailable("The model is away.")))
    with pytest.raises((IndexUnavailable, ModelUnavailable)):
        room.sync()
    assert room.paths("merger") == set()


def test_a_document_that_is_to_be_refused_is_closed_before_others_are_removed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("keep.txt", "Something else.")
    room.write("old.txt", "Rules of before.")
    room.write("z.txt", "The merger is secret.")
    room.sync()
    (room.folder / "old.txt").unlink()
    room.write("z.txt.access.toml", "groups = 1")
    seen: list[set[str]] = []
    remove = Holdings.remove

    def watching(self: Holdings, *given: Any) -> None:
        seen.append(room.paths("merger"))
        remove(self, *given)

    monkeypatch.setattr(Holdings, "remove", watching)
    assert tally(room.sync()) == {"gone": 1, "refused": 1, "unchanged": 1}
    assert seen == [set(), set()]


def test_a_run_that_is_stopped_refuses_no_more_files_but_hides_them(room: Room) -> None:
    for number in range(3):
        room.write(f"{number}.txt", f"Rule {number} of the house.")
    room.sync()
    room.write(".access.toml", "groups = 1")
    stop = Event()
    stop.set()
    assert tally(room.sync(stop=stop)) == {}
    assert set(room.states().values()) == {DocumentState.INDEXED}
    assert room.paths("of the house") == set()
    assert tally(room.sync()) == {"refused": 3}


def test_a_source_that_was_narrowed_while_a_version_is_published_is_not_widened_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.write("a.txt", "The merger is decided.")
    publish = Holdings.publish

    def narrowed(self: Holdings, new: NewVersion, source: Source) -> None:
        room.catalog.change_source(replace(room.source, groups=BOARD), was=room.source)
        publish(self, new, source)

    with monkeypatch.context() as patch, pytest.raises(Conflict, match="was changed while its files"):
        patch.setattr(Holdings, "publish", narrowed)
        room.sync()
    assert room.paths("merger") == set()
    assert room.index.count() == 0
    room.source = replace(room.source, groups=BOARD)
    room.sync()
    assert (room.paths("merger"), room.paths("merger", BOARD)) == (set(), {"a.txt"})


# copies


def test_a_copy_takes_over_when_its_original_gets_another_label_while_everything_is_read_again(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.write("b.txt", "The canteen opens at noon.")
    room.sync()
    assert room.states()["b.txt"] is DocumentState.DUPLICATE
    room.embedder = _ActingEmbedder(lambda: room.write("a.txt.access.toml", 'groups = ["board"]'))
    room.sync(wish=Wish(again=Again.EVERYTHING))
    room.embedder = ToyEmbedder()
    room.sync()
    assert (room.paths("noon"), room.paths("noon", BOARD)) == ({"b.txt"}, {"a.txt"})
    assert room.agrees()


def test_two_copies_that_change_alike_leave_nothing_of_what_they_said(room: Room) -> None:
    for name in ("0.txt", "1.txt"):
        room.write(name, "The canteen opens at noon.")
        room.sync()
    for name in ("0.txt", "1.txt"):
        room.write(name, "The canteen is closed for good.")
    assert tally(room.sync()) == {"indexed": 1, "duplicate": 1}
    assert room.agrees()
    assert room.indexed("noon", STAFF) == 1


def test_a_copy_out_of_reach_takes_over_from_its_original(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    copy = room.write("b.txt", "The canteen opens at noon.")
    room.write("c.txt", "Something else.")
    room.sync()
    room.write("b.txt", "The canteen opens at noon.")  # with a later time, so that it is to be read
    with mode(copy, 0o000):
        assert tally(room.sync()) == {"failed": 1, "unchanged": 2}
        (room.folder / "a.txt").unlink()
        room.sync()
        assert room.paths("noon") == {"b.txt"}
    room.sync()
    assert room.states() == {
        "a.txt": DocumentState.GONE,
        "b.txt": DocumentState.INDEXED,
        "c.txt": DocumentState.INDEXED,
    }
    assert room.agrees()


# reviews


def test_a_long_version_takes_no_place_among_the_hits_while_it_is_released(room: Room) -> None:
    room.write("short.txt", "The turbine is oiled in spring.")
    room.sync()
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("long.txt", _LONG)
    room.sync()
    room.catalog.approve(room.known()["long.txt"].document_id, "curator")
    admitted: list[int] = []

    def look() -> None:
        if room.known()["long.txt"].version_id is None:
            admitted.append(room.indexed("turbine", STAFF))

    room.embedder = _ActingEmbedder(look)
    room.sync()
    assert set(admitted) == {1}
    assert room.indexed("turbine", STAFF) == 50
    assert room.agrees()


def test_a_file_that_broke_after_its_version_was_read_says_so_although_the_version_is_approved(room: Room) -> None:
    room.write("a.txt", "The canteen opens at noon.")
    room.sync()
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("a.txt", "The canteen opens at nine.")
    room.sync()
    room.write("a.txt", b"\x00\x01\x02\x03" * 6 + b"\x00\x00")
    room.sync()
    broken = room.document("a.txt")
    room.catalog.approve(broken.id, "curator")
    room.sync()
    assert room.paths("opens at nine") == {"a.txt"}
    after = room.document("a.txt")
    assert (after.state, after.reason) == (broken.state, broken.reason)
    assert after.state is not DocumentState.INDEXED


@pytest.mark.parametrize("left", [0, 1])
def test_what_waits_for_a_curator_counts_as_lost_when_its_folder_is_suddenly_empty(room: Room, left: int) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    for number in range(30):
        room.write(f"in/{number}.txt", f"Rule {number} waits.")
    for number in range(left):
        room.write(f"{number}.txt", "Something else.")
    room.sync()
    room.catalog.approve(room.known()["in/4.txt"].document_id, "curator")
    shutil.move(room.folder / "in", room.folder.with_name("away"))
    with pytest.raises(InvalidRequest, match=r"30 .*documents"):
        room.sync()
    shutil.move(room.folder.with_name("away"), room.folder / "in")
    room.sync()
    assert room.states()["in/4.txt"] is DocumentState.INDEXED


# what is read again


def test_other_sizes_of_passages_are_another_version_and_there_is_always_one(room: Room) -> None:
    room.write("long.txt", _LONG)
    room.sync()
    before = room.known()["long.txt"].version_id
    room.settings = room.settings.model_copy(update={"chunk_tokens": 44})
    found: list[set[str]] = []
    room.embedder = _ActingEmbedder(lambda: found.append(room.paths("turbine of hall")))
    assert tally(room.sync()) == {"indexed": 1}
    assert len(found) > 1
    assert all(paths == {"long.txt"} for paths in found)
    assert room.known()["long.txt"].version_id != before
    assert room.agrees()


def test_a_text_that_defeats_the_splitter_ends_no_run(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    split = ingest.reading.split

    def defeated(parsed: Parsed, **given: Any) -> list[Chunk]:
        if given["title"] == "a":
            raise ValueError("quotes its input")
        return split(parsed, **given)

    monkeypatch.setattr("ingest.reading.split", defeated)
    room.write("a.txt", "The canteen opens at noon.")
    room.write("b.txt", "Something else.")
    assert tally(room.sync()) == {"failed": 1, "indexed": 1}
    assert room.document("a.txt").reason == "Document 'a.txt' could not be cut into passages (ValueError)."


# what is left of a document that is gone


def test_title_and_author_of_a_document_that_is_gone_are_gone(room: Room) -> None:
    room.write("a.html", "<html><head><title>Dismissal of Mr M</title><meta name='author' content='Ms P'></head>"
               f"<body><p>{'He has to leave in spring. ' * 20}</p></body></html>")  # fmt: skip
    room.write("b.txt", "Something else.")
    room.sync()
    assert room.document("a.html").title == "Dismissal of Mr M"
    assert _bands(room) > 0
    (room.folder / "a.html").unlink()
    room.sync()
    with room.database.read() as connection:
        rows = connection.execute(select(versions.c.title, versions.c.facts, versions.c.signature)).all()
    gone = [row for row in rows if row.title == ""]
    assert len(gone) == 1
    assert (json.loads(gone[0].facts), gone[0].signature) == ({}, b"")
    assert _bands(room) == 0
    assert "Dismissal" not in str(rows)
    assert "Ms P" not in str(rows)
