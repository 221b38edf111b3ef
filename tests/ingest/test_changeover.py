"""Another embedding model takes over: completely, at once, and whatever happens meanwhile."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest
from qdrant_client import QdrantClient

from appliance.config import EmbeddingSettings, IndexSettings, Settings
from appliance.domain import AccessFilter
from appliance.errors import Conflict, IndexUnavailable, ModelUnavailable
from appliance.index import server
from appliance.index.port import IndexEntry
from appliance.index.roster import FIRST, name_for, read_roster
from appliance.indexes import Indexes, OpenIndexes
from appliance.inference.missing import MissingEmbedder
from appliance.inference.port import Vectors
from ingest import changeover as module
from ingest import embed
from ingest.changeover import Changeover
from ingest.pipeline import Again, Wish
from ingest.reconcile import reconcile
from ingest.twofold import Twofold
from ingest.whole_texts import WholeTexts
from tests.ingest.changeover_process import NobodySyncs
from tests.ingest.conftest import BOARD, STAFF, CountingPool, Room, ToyEmbedder, open_room

NEW = "toy@2"


@pytest.fixture(autouse=True)
def _in_a_small_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few documents are many, and nobody searches beside the test."""
    monkeypatch.setattr(module, "_A_STEP", 0)
    monkeypatch.setattr(module, "_GRACE_S", 0.0)
    monkeypatch.setattr(module, "_RETRY_S", 0.05)


class Change:
    """A change under way in a room: what was opened, and whether the new index has taken over."""

    def __init__(
        self,
        room: Room,
        embedder: ToyEmbedder | None = None,
        turns: module.Turns | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.room = room
        self.embedder = embedder or ToyEmbedder(NEW)
        room.index.close()
        self.indexes = Indexes(settings or Settings(data_dir=room.data), owner="me" if settings else "")
        self.found: OpenIndexes = self.indexes.open(self.embedder)
        assert self.found.building is not None
        self.building = self.found.building
        self.both = Twofold(self.found.serving, self.building)
        room.index = self.both  # type: ignore[assignment]
        self.taken_over = False
        self.is_in_use = False
        self.after = Twofold(self.building, self.found.serving)
        self.changeover = Changeover(
            catalog=room.catalog,
            both=self.both,
            building=self.building,
            embedder=WholeTexts(self.embedder),
            turns=turns or NobodySyncs(),
            take_over=self._take_over,
            in_use=lambda: self.is_in_use,
            clear=self._clear,
        )

    def _take_over(self) -> None:
        assert not self.taken_over, "once is enough"
        self.indexes.take_over(self.embedder)
        self.room.index, self.room.embedder = self.after, self.embedder  # type: ignore[assignment]
        self.taken_over = True

    def _clear(self) -> None:
        self.found.serving.close()
        self.indexes.clear()
        self.after.let_go()

    def finds(self, text: str, groups: frozenset[str] = STAFF) -> int:
        """How many chunks the index being built admits."""
        access = AccessFilter(groups)
        legs = self.building.search(self.embedder.embed_query(text), text, access=access, limit=50, language="en")
        return len(legs.dense)


@pytest.fixture
def filled(room: Room) -> Room:
    room.write("public/doors.txt", "The strongroom has two doors. " * 12)
    room.write("public/keys.txt", "Every key has a number and an owner.")
    room.write("board/plan.txt", "The board plans a second vault.")
    room.write("board/.access.toml", 'groups = ["board"]\n')
    room.sync()
    return room


def test_the_new_index_takes_over_when_it_is_whole_and_the_old_one_goes(filled: Room) -> None:
    change = Change(filled)
    assert filled.paths("two doors") == {"public/doors.txt"}, "the old index answers meanwhile"
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()
    assert filled.paths("two doors") == {"public/doors.txt"}
    assert filled.paths("second vault") == set()
    assert filled.paths("second vault", BOARD) == {"board/plan.txt"}
    assert not (filled.data / FIRST).exists()
    assert read_roster(filled.data / "indexes.json").serving == name_for(NEW)


def test_what_is_cited_keeps_its_identifiers(filled: Room) -> None:
    def chunks() -> set[str]:
        versions = filled.catalog.current_versions()
        return {chunk.id for version in versions for chunk in filled.catalog.version_chunks(version)[0]}

    before = chunks()
    Change(filled).changeover.run()
    assert chunks() == before


def test_documents_that_come_change_and_go_meanwhile_are_in_the_new_index_as_they_are_then(filled: Room) -> None:
    change = Change(filled)
    change.changeover._build(change.changeover._difference())
    filled.write("public/lamps.txt", "Lamps burn all night.")
    filled.write("public/keys.txt", "Every key has a colour.")
    (filled.folder / "public/doors.txt").unlink()
    filled.sync()
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()
    assert filled.paths("Lamps") == {"public/lamps.txt"}
    assert filled.paths("colour") == {"public/keys.txt"}
    assert filled.paths("two doors") == set()


def test_what_is_removed_meanwhile_is_in_neither_index_when_that_is_reported(filled: Room) -> None:
    change = Change(filled)
    change.changeover._build(change.changeover._difference())
    document = filled.known()["public/doors.txt"].document_id
    assert change.building.count(document_id=document) > 0
    (filled.folder / "public/doors.txt").unlink()
    filled.sync()
    assert change.building.count(document_id=document) == 0


def test_what_goes_while_it_is_being_embedded_is_not_written_any_more(filled: Room) -> None:
    class Removing(ToyEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            (filled.folder / "public/doors.txt").unlink(missing_ok=True)
            filled.sync()
            return super().embed_passages(texts)

    document = filled.known()["public/doors.txt"].document_id
    change = Change(filled, Removing(NEW))
    change.changeover._build(change.changeover._difference())
    assert change.building.count(document_id=document) == 0
    assert change.building.count() > 0


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_label_that_changes_meanwhile_holds_in_the_new_index_too(filled: Room, when: str) -> None:
    def withdraw() -> None:
        filled.write("public/.access.toml", 'groups = ["board"]\n')
        filled.sync()

    class Withdrawing(ToyEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            vectors = super().embed_passages(texts)
            if when == "between":
                withdraw()
            return vectors

    change = Change(filled, Withdrawing(NEW))
    if when == "before":
        withdraw()
    change.changeover._build(change.changeover._difference())
    if when == "after":
        withdraw()
    change.changeover.run()
    assert change.taken_over
    assert change.finds("doors") == 0
    assert change.finds("doors", BOARD) == filled.index.count()
    assert filled.paths("two doors", BOARD) == {"public/doors.txt"}


def test_a_change_that_was_cut_short_goes_on_and_catches_up_on_labels_of_before(filled: Room) -> None:
    first = Change(filled)
    first.changeover._build(first.changeover._difference())
    embedded = first.embedder.embedded
    assert embedded > 0
    assert first.building.count() == first.both.count()
    first.both.close()
    filled.index = Change(filled, turns=Busy()).both  # type: ignore[assignment]
    filled.write("public/.access.toml", 'groups = ["board"]\n')
    filled.sync()
    filled.index.close()
    second = Change(filled)
    second.changeover.run()
    assert second.taken_over
    assert second.embedder.embedded == 0, "what was written is not embedded again"
    assert second.finds("doors") == 0


class Busy:
    """A sync that never ends."""

    @contextmanager
    def alone(self, *, wait_s: float = 0) -> Iterator[None]:
        raise Conflict("A source is being synced.")
        yield


def test_no_index_takes_over_while_a_sync_is_running(filled: Room) -> None:
    change = Change(filled, turns=Busy())
    with pytest.raises(Conflict):
        change.changeover.run()
    assert not change.taken_over
    assert change.building.count() == change.both.count()


def test_an_index_that_does_not_agree_with_the_catalog_does_not_take_over(
    filled: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = Change(filled)
    monkeypatch.setattr(change.changeover, "_build", lambda _difference: None)
    with pytest.raises(IndexUnavailable, match="does not take over before they agree"):
        change.changeover.run()
    assert not change.taken_over


def test_a_failure_is_told_and_tried_again(filled: Room) -> None:
    class Failing(ToyEmbedder):
        broken = True

        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            if self.broken:
                raise ModelUnavailable("The model has no memory.")
            return super().embed_passages(texts)

    embedder = Failing(NEW)
    change = Change(filled, embedder)
    change.changeover.start()
    _until(lambda: _error_of(change) == "The model has no memory.")
    progress = change.changeover.progress()
    assert progress is not None
    assert (progress.model_id, progress.done, progress.total) == (NEW, 0, change.both.count())
    embedder.broken = False
    assert change.changeover.wait(20)
    assert change.taken_over


def _error_of(change: Change) -> str:
    progress = change.changeover.progress()
    return progress.error if progress is not None else ""


def test_it_stops_after_the_step_at_hand_when_it_is_told_to(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    class Waiting(ToyEmbedder):
        entered, leave, steps = threading.Event(), threading.Event(), 0

        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            self.steps += 1
            self.entered.set()
            assert self.leave.wait(20)
            return super().embed_passages(texts)

    monkeypatch.setattr(embed, "AT_ONCE", 2)
    filled.write("public/long.txt", "\n\n".join(f"# Rule {number}\n\nIt is kept." * 3 for number in range(60)))
    filled.sync()
    assert filled.index.count() > 30
    optimized: list[bool] = []
    change = Change(filled, embedder := Waiting(NEW))
    monkeypatch.setattr(change.building, "optimize", lambda: optimized.append(True))
    monkeypatch.setattr(module, "_OPTIMIZE_AFTER_CHUNKS", 0)
    change.changeover.start()
    assert embedder.entered.wait(20)
    closing = threading.Thread(target=change.changeover.close)
    closing.start()
    _until(change.changeover._stop.is_set)
    embedder.leave.set()
    closing.join(20)
    assert not closing.is_alive()
    assert not change.taken_over
    assert embedder.steps <= 5, "steps that were begun ahead end, and no more are begun"
    assert optimized == []


def test_a_long_change_keeps_syncs_waiting_for_one_step_at_most(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched:
        inside = False

        @contextmanager
        def alone(self, *, wait_s: float = 0) -> Iterator[None]:
            self.inside = True
            try:
                yield
            finally:
                self.inside = False

    class Counting(ToyEmbedder):
        alone = 0

        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            self.alone += len(texts) if turns.inside else 0
            return super().embed_passages(texts)

    monkeypatch.setattr(module, "_A_STEP", embed.AT_ONCE)
    for letter in "ab":
        filled.write(f"public/{letter}.txt", "\n\n".join(f"Rule {letter}{n} is kept. " * 9 for n in range(160)))
    filled.sync()
    assert filled.index.count() > embed.AT_ONCE, "few documents, and more than a step"
    turns = Watched()
    change = Change(filled, embedder := Counting(NEW), turns=turns)
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()
    assert embedder.alone <= embed.AT_ONCE


def test_what_is_missing_at_the_end_is_added_a_step_at_a_time_with_turns_for_syncs_between(filled: Room) -> None:
    filled.write("public/.access.toml", "groups = []\n")  # what nobody may see is only written while no sync can run
    filled.sync()
    turns: list[int] = []

    class Counted(NobodySyncs):
        @contextmanager
        def alone(self, *, wait_s: float = 0) -> Iterator[None]:
            before = change.building.count()
            yield
            turns.append(change.building.count() - before)

    change = Change(filled, turns=Counted())
    change.changeover.run()
    assert change.taken_over
    assert len([written for written in turns if written]) == 2, "a document each time"


def test_the_old_index_that_cannot_be_removed_is_tried_again_alone_and_told(filled: Room) -> None:
    change = Change(filled)
    troubled, clear = [True], change._clear

    def failing() -> None:
        if troubled:
            raise IndexUnavailable("The server does not answer.")
        clear()

    change.changeover._clear = failing  # type: ignore[method-assign]
    change.changeover.start()
    _until(lambda: "not removed yet, which is tried again: The server does not answer." in _error_of(change))
    chunk = IndexEntry("00000000-0000-0000-0000-000000000009", "d", "v", STAFF, ToyEmbedder().embed_query("x"), "x", "")
    change.after.upsert([chunk])  # by a sync that has not put it in force yet
    time.sleep(0.3)
    assert change.building.count(version_id="v") == 1, "the index that answers is not touched"
    document = filled.known()["public/doors.txt"].document_id
    assert change.found.serving.count(document_id=document) > 0
    change.after.delete_document(document)
    assert change.found.serving.count(document_id=document) == 0, "removals reach the old index until it is gone"
    troubled.clear()
    assert change.changeover.wait(20)
    assert change.changeover.progress() is None
    assert not (filled.data / FIRST).exists()
    change.after.delete_document("another")


def test_the_old_index_stays_while_somebody_may_still_search_it(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_AGAIN_S", 0.01)
    change = Change(filled)
    change.is_in_use = True
    change.changeover.start()
    _until(lambda: change.taken_over)
    time.sleep(0.2)
    assert change.found.serving.count() > 0
    change.is_in_use = False
    assert change.changeover.wait(20)
    assert not (filled.data / FIRST).exists()


def test_the_old_index_stays_for_a_bounded_time(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_USE_S", 0.1)
    change = Change(filled)
    change.is_in_use = True
    change.changeover.start()
    assert change.changeover.wait(20)
    assert not (filled.data / FIRST).exists()


def test_a_version_that_is_read_again_meanwhile_has_its_new_text_in_the_new_index(filled: Room) -> None:
    change = Change(filled)
    change.changeover._build(change.changeover._difference())
    version = filled.known()["public/keys.txt"].version_id or ""
    assert change.building.count(version_id=version) > 0
    filled.sync(wish=Wish(again=Again.EVERYTHING))
    assert filled.known()["public/keys.txt"].version_id == version, "it keeps its id"
    assert change.building.count(version_id=version) == 0
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()


def test_a_text_that_was_fetched_before_its_version_was_written_again_is_not_kept(filled: Room) -> None:
    version = filled.known()["public/keys.txt"].version_id or ""

    class Rereading(ToyEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            filled.sync(wish=Wish(again=Again.EVERYTHING))
            return super().embed_passages(texts)

    change = Change(filled, Rereading(NEW))
    change.changeover._build(change.changeover._difference())
    assert change.building.count(version_id=version) == 0


def test_a_removal_is_proved_for_both_indexes(filled: Room) -> None:
    change = Change(filled)
    change.changeover._build(change.changeover._difference())
    document = filled.known()["public/doors.txt"].document_id
    change.found.serving.delete_document(document)
    assert change.both.count(document_id=document) == change.building.count(document_id=document) > 0
    change.both.delete_document(document)
    assert change.both.count(document_id=document) == 0


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# a model that reads less


def test_a_model_that_reads_fewer_tokens_reads_all_of_what_was_cut_for_another(filled: Room) -> None:
    filled.write("public/long.txt", " ".join(f"word{number}" for number in range(24)) + " lighthouse")
    filled.sync()
    (text,) = [text for text in filled.search("lighthouse") if "lighthouse" in text]
    small = ToyEmbedder("small@1", max_tokens=10)
    assert small.count_tokens(text) > 2 * small.max_tokens

    class Refusing(ToyEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            assert all(self.count_tokens(text) <= self.max_tokens - 2 for text in texts)
            return super().embed_passages(texts)

    refusing = Refusing("small@1", max_tokens=10)
    change = Change(filled, refusing)
    change.changeover.run()
    assert change.taken_over
    near = WholeTexts(refusing).embed_passages([text])[0] @ refusing.embed_query("lighthouse")
    far = WholeTexts(refusing).embed_passages([text.replace("lighthouse", "harbour")])[0]
    assert near > far @ refusing.embed_query("lighthouse") + 0.05


def test_texts_that_fit_are_embedded_as_they_are_and_longer_ones_to_length_one() -> None:
    inner = ToyEmbedder(max_tokens=8)
    short, long = "two doors", "doors and keys and lamps and shelves and records"
    whole = WholeTexts(inner).embed_passages([short, long, short])
    numpy.testing.assert_array_equal(whole[0], inner.embed_query(short))
    numpy.testing.assert_array_equal(whole[2], inner.embed_query(short))
    numpy.testing.assert_allclose(numpy.linalg.norm(whole, axis=1), 1.0, atol=1e-5)
    assert whole[1] @ inner.embed_query("records") > 0.1 < whole[1] @ inner.embed_query("doors")
    without_space = WholeTexts(inner).embed_passages(["x" * 200])
    numpy.testing.assert_allclose(numpy.linalg.norm(without_space, axis=1), 1.0, atol=1e-5)


# which index is opened


def _settings(room: Room, model_path: str = "") -> Settings:
    return Settings(data_dir=room.data, embedding=EmbeddingSettings(model_path=model_path))


def test_setting_the_old_model_again_drops_what_was_begun(filled: Room) -> None:
    change = Change(filled)
    change.changeover._build(change.changeover._difference())
    change.both.close()
    assert (filled.data / name_for(NEW)).exists()
    found = Indexes(_settings(filled), owner="").open(ToyEmbedder())
    assert found.building is None
    assert found.serving.count() > 0
    assert not (filled.data / name_for(NEW)).exists()
    found.serving.close()


def test_a_third_model_begins_anew_and_drops_what_was_begun_for_the_second(filled: Room) -> None:
    Change(filled).both.close()
    found = Indexes(_settings(filled), owner="").open(ToyEmbedder("toy@3"))
    assert found.building is not None
    assert not (filled.data / name_for(NEW)).exists()
    assert (filled.data / name_for("toy@3")).exists()
    Twofold(found.serving, found.building).close()


def test_what_was_begun_and_is_damaged_is_begun_again(filled: Room) -> None:
    Change(filled).both.close()
    (filled.data / name_for(NEW) / "meta.json").write_text("{")
    change = Change(filled)
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()


def test_an_index_without_a_passage_is_exchanged_at_once(room: Room) -> None:
    room.index.close()
    found = Indexes(_settings(room), owner="").open(ToyEmbedder(NEW))
    assert found.building is None
    assert read_roster(room.data / "indexes.json").serving == name_for(NEW)
    assert not (room.data / FIRST).exists()
    found.serving.close()


def test_without_the_old_model_nothing_is_searched_and_the_reason_says_what_to_do(filled: Room) -> None:
    change = Change(filled)
    missing = change.found.embedder
    assert isinstance(missing, MissingEmbedder)
    assert (missing.model_id, missing.dimension) == ("toy@1", 64)
    uses: list[Callable[[], object]] = [
        lambda: missing.embed_query("x"),
        lambda: missing.embed_passages(["x"]),
        lambda: missing.count_tokens("x"),
        lambda: missing.max_tokens,
    ]
    for use in uses:
        with pytest.raises(ModelUnavailable, match=r"toy@1, which is not there any more.*anew with toy@2.*Put the old"):
            use()


def test_on_a_server_the_new_index_is_a_collection_of_its_own(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(QdrantClient):
        """In memory, and so shared by all who connect."""

        def close(self, **_: object) -> None: ...

    client = Kept(":memory:")
    monkeypatch.setattr(server, "_client", lambda *_: client)
    settings = Settings(data_dir=filled.data, index=IndexSettings(url="http://127.0.0.1:1", collection="room"))
    first = Indexes(settings, owner="me").open(ToyEmbedder()).serving
    reconcile(filled.catalog, first, ToyEmbedder())
    change = Change(filled, settings=settings)
    assert sorted(item.name for item in client.get_collections().collections) == ["room", _collection(NEW)]
    change.changeover.run()
    assert change.taken_over
    assert filled.agrees()
    assert filled.paths("two doors") == {"public/doors.txt"}
    assert [item.name for item in client.get_collections().collections] == [_collection(NEW)]
    server.remove("http://127.0.0.1:1", api_key="", timeout_s=1, collection=_collection(NEW), owner="somebody else")
    assert change.building.count() > 0, "what belongs to somebody else is not removed"


def _collection(model_id: str) -> str:
    return "room" + name_for(model_id).removeprefix(FIRST)


def test_a_damaged_list_of_indexes_is_reported(filled: Room) -> None:
    filled.index.close()
    (filled.data / "indexes.json").write_text("{")
    with pytest.raises(IndexUnavailable, match="restore it"):
        Indexes(_settings(filled), owner="").open(ToyEmbedder())
    (filled.data / "indexes.json").unlink()
    filled.reopen_index()


# killed


def _killed_change(data: Path, after_s: float) -> bool:
    """Start a change in a process of its own and kill it; whether it was still at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ingest.changeover_process", str(data), NEW],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        process.kill()
        finished = b"done" in process.stdout.read()
    process.wait()
    return not finished


@pytest.mark.integration
def test_a_change_killed_at_random_moments_leaves_the_old_index_or_the_new_one_whole(
    tmp_path: Path, empty_database: Path, parsers: CountingPool
) -> None:
    _sweep(tmp_path, empty_database, parsers, 4)


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_change_killed_at_a_hundred_random_moments_leaves_the_old_index_or_the_new_one_whole(
    tmp_path: Path, empty_database: Path, parsers: CountingPool
) -> None:
    for number in range(10):
        _sweep(tmp_path / str(number), empty_database, parsers, 10, seed=number)


def _sweep(tmp_path: Path, empty_database: Path, parsers: CountingPool, moments: int, seed: int = 5) -> None:
    dice = random.Random(seed)
    folder, data = tmp_path / "library", tmp_path / "data"
    folder.mkdir(parents=True)
    room = open_room(folder, data, empty_database, parsers)
    for number in range(60):
        room.write(f"{number % 3}/{number}.txt", f"Rule {number} is kept by office {number}. " * 3)
    room.sync()
    room.index.close()
    interrupted = 0
    for moment in range(moments):
        interrupted += _killed_change(data, dice.uniform(0.0, 0.7))
        _check_and_disturb(room, dice, moment)
    assert interrupted > 0
    _finish(data)
    room.embedder = ToyEmbedder(NEW, max_tokens=16)
    found = Indexes(Settings(data_dir=data), owner="").open(room.embedder)
    assert found.building is None
    room.index = found.serving  # type: ignore[assignment]
    assert room.agrees()
    _require_labels(room)
    assert sorted(path.name for path in data.glob("index*")) == [name_for(NEW), "indexes.json"]
    room.index.close()
    room.database.close()


def _finish(data: Path) -> None:
    command = [sys.executable, "-m", "tests.ingest.changeover_process", str(data), NEW]
    told = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert b"done" in told


def _check_and_disturb(room: Room, dice: random.Random, moment: int) -> None:
    """What answers now agrees with the catalog; then files change, go and get other labels, in either index."""
    serving = read_roster(room.data / "indexes.json").serving
    room.embedder = ToyEmbedder() if serving == FIRST else ToyEmbedder(NEW, max_tokens=16)
    found = Indexes(Settings(data_dir=room.data), owner="").open(ToyEmbedder(NEW, max_tokens=16))
    both = found.serving if found.building is None else Twofold(found.serving, found.building)
    room.index = both  # type: ignore[assignment]
    assert room.agrees()
    _require_labels(room)
    room.write(f"{moment % 3}/new{moment}.txt", f"Note {moment} was written late.")
    (room.folder / f"{dice.randrange(3)}" / f"{dice.randrange(60)}.txt").unlink(missing_ok=True)
    label = dice.choice(["staff", "board"])
    room.write(f"{dice.randrange(3)}/.access.toml", f'groups = ["{label}"]\n')
    room.sync()
    both.close()


def _require_labels(room: Room) -> None:
    """The index admits each label's documents, and no others, before the catalog is asked."""
    for groups in (STAFF, BOARD):
        wanted = sum(
            room.catalog.current_versions()[facts.version_id]
            for facts in room.known().values()
            if facts.version_id and facts.groups == groups
        )
        vector = room.embedder.embed_query("office")
        legs = room.index.search(vector, "office", access=AccessFilter(groups), limit=500, language="en")
        assert len(legs.dense) == wanted
