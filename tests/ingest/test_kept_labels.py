"""A version keeps the label it was read under: what was redacted stays closed when the document is opened to more."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from appliance.domain import EVERYONE, AccessFilter, DocumentState
from appliance.errors import NotFound
from ingest import settling
from ingest.holdings import Holdings
from ingest.parse.sandbox import ParserPool
from ingest.pipeline import Again, Wish
from ingest.settling import Settling
from tests.ingest.conftest import BOARD, STAFF, Room, ToyEmbedder, tally

_SECRET = "The merger with Zinnober closes at 42 million."
_REDACTED = "The terms of the merger were removed."
_BROKEN = (b"\x00\x01\x02\x03" * 20)[: len(_SECRET)]  # of the same size
_BOTH = STAFF | BOARD


@pytest.fixture
def closed(room: Room) -> Room:
    """A document for the board."""
    room.write("plan.txt", _SECRET)
    room.write("plan.txt.access.toml", 'groups = ["board"]')
    room.sync()
    assert (room.paths("Zinnober"), room.paths("Zinnober", BOARD)) == (set(), {"plan.txt"})
    return room


def _open(room: Room, content: str | bytes | None = None) -> None:
    """Let it be for everybody on the staff, redacted or as it is."""
    if content is not None:
        room.write("plan.txt", content)
    (room.folder / "plan.txt.access.toml").unlink()


def _releases(room: Room, groups: frozenset[str]) -> list[str]:
    document = room.known()["plan.txt"].document_id
    return [release.version.id for release in room.catalog.history(document, AccessFilter(groups))]


def _can_read(room: Room, version: str, groups: frozenset[str]) -> bool:
    try:
        return bool(room.catalog.passages(version, AccessFilter(groups), limit=9, offset=0))
    except NotFound:
        return False


def _watched(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, look: Callable[[], object]) -> list[object]:
    """What there was to see right before each call of a step."""
    step, seen = getattr(owner, name), list[object]()

    def watching(*given: object, **named: object) -> object:
        seen.append(look())
        return step(*given, **named)

    monkeypatch.setattr(owner, name, watching)
    return seen


def test_a_version_that_was_replaced_is_for_those_whom_its_label_and_that_of_now_admit(closed: Room) -> None:
    first = closed.known()["plan.txt"].version_id or ""
    chunk = closed.catalog.version_chunks(first)[0][0].id
    closed.write("plan.txt", "The merger with Zinnober closes at 43 million.")
    closed.sync()
    assert _releases(closed, BOARD)[1:] == [first]
    _open(closed, _REDACTED)
    closed.write("plan.txt.access.toml", 'groups = ["board", "staff"]')
    closed.sync()
    assert closed.paths("were removed") == {"plan.txt"}
    assert len(_releases(closed, STAFF)) == 1
    assert len(_releases(closed, BOARD)) == 3
    assert [_can_read(closed, first, groups) for groups in (STAFF, BOARD)] == [False, True]
    seen = [
        chunk in closed.catalog.visible_chunks([chunk], AccessFilter(groups), current_only=False)
        for groups in (STAFF, BOARD)
    ]
    assert seen == [False, True]
    closed.write("plan.txt.access.toml", 'groups = ["staff"]')
    closed.sync()
    assert [_can_read(closed, first, groups) for groups in (STAFF, BOARD, _BOTH)] == [False, False, True]


def test_what_is_redacted_and_opened_is_not_opened_before_it_was_read(
    closed: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(closed, _REDACTED)
    seen = _watched(monkeypatch, ParserPool, "parse_in", lambda: (closed.paths("Zinnober"), closed.indexed("x", STAFF)))
    monkeypatch.setattr("ingest.intake.AT_ONCE", 0)  # as if it were long
    before = [chunk.id for chunk in closed.catalog.version_chunks(closed.known()["plan.txt"].version_id or "")[0]]
    published = _watched(
        monkeypatch,
        Holdings,
        "publish",
        lambda: (closed.paths("Zinnober"), closed.index.admitted(before, AccessFilter(STAFF))),
    )
    closed.sync()
    assert (seen, published) == ([(set(), 0)], [(set(), frozenset())])
    assert (closed.paths("were removed"), closed.paths("Zinnober")) == ({"plan.txt"}, set())
    assert closed.indexed("merger", STAFF) == 1
    assert closed.agrees()


def test_what_is_redacted_and_opened_is_not_opened_while_it_cannot_be_read(closed: Room) -> None:
    _open(closed, _BROKEN)
    for _ in range(2):
        closed.sync()
        assert closed.paths("Zinnober") == set()
        assert closed.indexed("Zinnober", STAFF) == 0
    assert "only those see it" in closed.document("plan.txt").reason.lower()
    closed.write("plan.txt", _REDACTED)
    closed.sync()
    assert (closed.paths("were removed"), closed.paths("Zinnober", _BOTH)) == ({"plan.txt"}, set())
    assert closed.agrees()


def test_who_saw_what_was_read_before_goes_on_seeing_it_where_the_new_label_is_for_everyone(room: Room) -> None:
    room.source = replace(room.source, groups=frozenset({EVERYONE}))
    room.catalog.change_source(room.source)
    room.write("plan.txt", _SECRET)
    room.write("plan.txt.access.toml", 'groups = ["board"]')
    room.sync()
    _open(room, _BROKEN)
    room.sync()
    everyone = frozenset({EVERYONE})
    assert (room.paths("Zinnober", everyone), room.paths("Zinnober", everyone | BOARD)) == (set(), {"plan.txt"})
    assert room.indexed("Zinnober", everyone) == 0
    room.write("plan.txt", _REDACTED)
    room.sync()
    assert room.paths("were removed", everyone) == {"plan.txt"}
    assert [len(_releases(room, groups)) for groups in (everyone, everyone | BOARD)] == [1, 2]


def test_what_is_redacted_and_opened_is_not_opened_while_it_waits_for_a_curator(closed: Room) -> None:
    closed.catalog.change_source(replace(closed.source, curated=True))
    _open(closed, _REDACTED)
    for _ in range(2):
        closed.sync()
        assert (closed.paths("Zinnober"), closed.indexed("Zinnober", STAFF)) == (set(), 0)
    staff = AccessFilter(STAFF)
    assert closed.catalog.pending(AccessFilter(BOARD), limit=9, offset=0).total == 0
    assert [item.groups for item in closed.catalog.pending(staff, limit=9, offset=0).documents] == [STAFF]
    document = closed.known()["plan.txt"].document_id
    assert closed.catalog.pending_document(document, staff, limit=9)[2][0].text == _REDACTED
    closed.catalog.approve(document, "curator")
    closed.sync()
    assert (closed.paths("were removed"), closed.paths("Zinnober")) == ({"plan.txt"}, set())
    assert len(_releases(closed, STAFF)) == 1
    assert closed.agrees()


def test_what_waits_for_a_curator_is_not_opened_with_what_took_its_place(room: Room) -> None:
    room.catalog.change_source(replace(room.source, curated=True))
    room.write("plan.txt", _SECRET)
    room.write("plan.txt.access.toml", 'groups = ["board"]')
    room.sync()
    _open(room, _BROKEN)
    room.sync()
    assert room.known()["plan.txt"].pending_version_id is not None
    assert room.catalog.pending(AccessFilter(STAFF), limit=9, offset=0).total == 0
    room.catalog.approve(room.known()["plan.txt"].document_id, "curator")
    room.sync()
    assert room.paths("Zinnober") == set()


def test_what_a_curator_turned_down_opens_nothing_that_was_before_it(closed: Room) -> None:
    closed.catalog.change_source(replace(closed.source, curated=True))
    closed.write("plan.txt", _REDACTED)
    closed.sync()
    closed.catalog.turn_down(closed.known()["plan.txt"].document_id, "Not yet.")
    assert closed.paths("Zinnober", BOARD) == {"plan.txt"}
    _open(closed)
    closed.sync()
    assert closed.paths("Zinnober") == set()


@pytest.mark.parametrize("label", ["", 'groups = ["board", "staff"]'])
def test_a_document_that_says_the_same_is_opened_at_once_and_not_read(closed: Room, label: str) -> None:
    _open(closed)
    if label:
        closed.write("plan.txt.access.toml", label)
    embedded = closed.embedder.embedded  # type: ignore[attr-defined]
    assert tally(closed.sync()) == {"relabelled": 1}
    assert closed.paths("Zinnober") == {"plan.txt"}
    assert (closed.parsers.parsed, closed.embedder.embedded - embedded) == ([], 0)  # type: ignore[attr-defined]
    assert tally(closed.sync()) == {"unchanged": 1}


def test_a_document_that_was_only_touched_is_opened(closed: Room) -> None:
    _open(closed, _SECRET)
    assert tally(closed.sync()) == {"relabelled": 1}
    assert (closed.paths("Zinnober"), closed.parsers.parsed) == ({"plan.txt"}, [])
    assert closed.indexed("Zinnober", STAFF) == 1


def test_a_document_that_is_read_again_for_another_reason_is_opened(closed: Room) -> None:
    _open(closed)
    closed.sync(wish=Wish(again=Again.EVERYTHING))
    assert closed.paths("Zinnober") == {"plan.txt"}
    assert closed.agrees()


def test_a_document_that_says_again_what_it_said_is_opened(closed: Room) -> None:
    _open(closed, _BROKEN)
    closed.sync()
    closed.write("plan.txt", _SECRET)
    closed.sync()
    assert (closed.paths("Zinnober"), closed.indexed("Zinnober", STAFF)) == ({"plan.txt"}, 1)


def test_a_file_that_is_written_while_its_label_is_looked_at_is_not_opened(
    closed: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(closed)
    looked = settling.is_as_found

    def written(*given: object) -> bool:
        closed.write("plan.txt", _REDACTED)
        return looked(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(settling, "is_as_found", written)
        closed.sync()
    assert closed.paths("Zinnober") == set()
    closed.sync()
    assert (closed.paths("were removed"), closed.paths("Zinnober")) == ({"plan.txt"}, set())


def test_what_was_read_before_it_was_redacted_is_not_published_for_more(room: Room) -> None:
    room.write("plan.txt", _SECRET)
    room.write("plan.txt.access.toml", 'groups = ["board"]')

    class Redacting(ToyEmbedder):
        def embed_passages(self, texts):  # type: ignore[no-untyped-def]
            if (room.folder / "plan.txt.access.toml").exists():
                _open(room, _REDACTED)
            return super().embed_passages(texts)

    room.embedder = Redacting()
    room.sync()
    assert (room.paths("Zinnober"), room.indexed("Zinnober", STAFF)) == (set(), 0)
    room.sync()
    assert (room.paths("were removed"), room.paths("Zinnober")) == ({"plan.txt"}, set())


def test_a_copy_that_was_only_touched_is_opened_although_its_original_is_broken(closed: Room) -> None:
    closed.write("copy.txt", _SECRET)
    closed.write("copy.txt.access.toml", 'groups = ["board"]')
    closed.sync()
    original = next(path for path, state in closed.states().items() if state is DocumentState.INDEXED)
    copy = next(path for path in closed.states() if path != original)
    closed.write(original, _BROKEN)
    closed.write(copy, _SECRET)
    for path in (original, copy):
        (closed.folder / f"{path}.access.toml").unlink()
    closed.sync()
    assert closed.paths("Zinnober") == {copy}
    assert closed.agrees()


@pytest.mark.parametrize("content", [_REDACTED, _BROKEN])
def test_a_label_that_is_narrowed_acts_before_new_content_is_read(
    room: Room, monkeypatch: pytest.MonkeyPatch, content: str | bytes
) -> None:
    room.write("plan.txt", _SECRET)
    room.sync()
    first = room.known()["plan.txt"].version_id or ""
    room.write("plan.txt", content)
    room.write("plan.txt.access.toml", 'groups = ["board"]')
    seen = _watched(monkeypatch, Settling, "refuse", lambda: (room.paths("Zinnober"), room.indexed("merger", STAFF)))
    room.sync()
    assert seen == [(set(), 0)]
    (room.folder / "plan.txt.access.toml").unlink()
    room.sync()
    assert not _can_read(room, first, STAFF)


def test_a_copy_that_is_redacted_and_opened_opens_neither_itself_nor_its_original(closed: Room) -> None:
    for name in ("copy.txt", "plan.txt"):
        closed.write(f"{name}.access.toml", 'groups = ["board"]')
    closed.write("copy.txt", _SECRET)
    closed.sync()
    assert sorted(closed.states().values()) == [DocumentState.DUPLICATE, DocumentState.INDEXED]
    copy = next(path for path, state in closed.states().items() if state is DocumentState.DUPLICATE)
    original = next(path for path in closed.states() if path != copy)
    closed.write(copy, _BROKEN)
    (closed.folder / f"{copy}.access.toml").unlink()
    closed.sync()
    assert closed.paths("Zinnober") == set()
    for name in (original, f"{original}.access.toml"):
        (closed.folder / name).unlink()  # the copy takes over what it said, for those who saw it
    closed.sync()
    assert closed.paths("Zinnober") == set()
    closed.write(f"{copy}.access.toml", 'groups = ["staff", "lab"]')  # nothing was written to the file since
    closed.sync()
    assert closed.paths("Zinnober") == set()
    assert closed.states()[copy] is DocumentState.REFUSED  # of its bytes, as before
    closed.write(copy, _REDACTED)
    closed.sync()
    assert (closed.paths("were removed"), closed.paths("Zinnober", _BOTH)) == ({copy}, set())
    assert closed.agrees()


def test_a_broken_copy_that_took_over_is_not_opened_later(closed: Room) -> None:
    closed.write("copy.txt", _SECRET)
    closed.write("copy.txt.access.toml", 'groups = ["board"]')
    closed.sync()
    original = next(path for path, state in closed.states().items() if state is DocumentState.INDEXED)
    copy = next(path for path in closed.states() if path != original)
    closed.write(copy, _BROKEN)
    closed.sync()
    for name in (original, f"{original}.access.toml"):
        (closed.folder / name).unlink()
    closed.sync()
    assert (closed.paths("Zinnober", BOARD), closed.states()[copy]) == ({copy}, DocumentState.REFUSED)
    (closed.folder / f"{copy}.access.toml").unlink()
    closed.sync()
    assert closed.paths("Zinnober") == set()


def test_a_copy_that_says_the_same_is_opened_although_its_original_is_redacted(closed: Room) -> None:
    closed.write("copy.txt", _SECRET)
    closed.write("copy.txt.access.toml", 'groups = ["board"]')
    closed.sync()
    original = next(path for path, state in closed.states().items() if state is DocumentState.INDEXED)
    copy = next(path for path in closed.states() if path != original)
    closed.write(original, _REDACTED)
    for path in (original, copy):
        (closed.folder / f"{path}.access.toml").unlink()
    closed.sync()
    assert (closed.paths("Zinnober"), closed.paths("were removed")) == ({copy}, {original})
    assert closed.agrees()


def test_what_is_in_an_archive_is_opened_file_by_file(room: Room) -> None:
    room.write("plan.zip", _archive({"plan.txt": _SECRET, "menu.txt": "The canteen opens at noon."}))
    room.write("plan.zip.access.toml", 'groups = ["board"]')
    room.sync()
    assert len(room.paths("", BOARD)) == 2
    room.write("plan.zip", b"PK is broken")
    (room.folder / "plan.zip.access.toml").unlink()
    for _ in range(2):
        room.sync()
        assert (room.paths(""), room.indexed("canteen", STAFF)) == (set(), 0)
    room.write("plan.zip", _archive({"plan.txt": "", "menu.txt": "The canteen opens at noon."}))
    room.sync()
    assert room.paths("") == {"plan.zip › menu.txt"}
    assert room.indexed("canteen", STAFF) == 1
    room.write("plan.zip.access.toml", 'groups = ["staff", "lab"]')  # the archive is as it was read, but not the plan
    room.sync()
    assert room.paths("", frozenset({"lab"})) == {"plan.zip › menu.txt"}
    assert room.agrees()


def _archive(texts: dict[str, str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return whole.getvalue()
