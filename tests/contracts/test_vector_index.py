"""What every vector index must do, checked on each implementation.

`edge` is the product's own default. `server-local` is the server adapter on the client's in-memory stand-in; with
`QDRANT_URL` set, `server` is the same adapter on a real server, in a collection that is removed afterwards.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy
import pytest
from qdrant_client import QdrantClient

from appliance.domain import AccessFilter
from appliance.errors import IndexUnavailable
from appliance.index.edge import EdgeIndex
from appliance.index.port import IndexEntry, IndexLegs, Vector, VectorIndex
from appliance.index.server import ServerIndex, connect

DIMENSION = 32
MODEL = "test-model@1"
OWNER = "a data folder"
STAFF = AccessFilter(frozenset({"staff"}))
BOARD = AccessFilter(frozenset({"board"}))
BOTH = AccessFilter(frozenset({"staff", "board"}))
NOBODY = AccessFilter(frozenset())


class Place(Protocol):
    """Somewhere an index lives, so that a test can open it again and look at what is stored."""

    def open(self, dimension: int = DIMENSION, model_id: str = MODEL, owner: str = OWNER) -> VectorIndex: ...

    def stored(self) -> bytes: ...


class EdgePlace:
    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, dimension: int = DIMENSION, model_id: str = MODEL, owner: str = OWNER) -> VectorIndex:
        return EdgeIndex(self.path, dimension=dimension, model_id=model_id, owner=owner)

    def stored(self) -> bytes:
        return b"".join(file.read_bytes() for file in sorted(self.path.rglob("*")) if file.is_file())


class LocalPlace:
    def __init__(self) -> None:
        self.client = QdrantClient(":memory:")

    def open(self, dimension: int = DIMENSION, model_id: str = MODEL, owner: str = OWNER) -> VectorIndex:
        return ServerIndex(self.client, collection="test", dimension=dimension, model_id=model_id, owner=owner)

    def stored(self) -> bytes:
        return repr(self.client.scroll("test", limit=10_000, with_vectors=True)).encode()


class LivePlace:
    def __init__(self, url: str) -> None:
        self.url = url
        self.key = os.environ.get("QDRANT_API_KEY", "")
        self.collection = f"test-{uuid.uuid4().hex}"

    def open(self, dimension: int = DIMENSION, model_id: str = MODEL, owner: str = OWNER) -> VectorIndex:
        return connect(
            self.url,
            api_key=self.key,
            timeout_s=30,
            collection=self.collection,
            dimension=dimension,
            model_id=model_id,
            owner=owner,
        )

    def stored(self) -> bytes:
        client = QdrantClient(url=self.url, api_key=self.key or None, check_compatibility=False)
        return repr(client.scroll(self.collection, limit=10_000, with_vectors=True)).encode()

    def remove(self) -> None:
        QdrantClient(url=self.url, api_key=self.key or None, check_compatibility=False).delete_collection(
            self.collection
        )


LIVE = [pytest.param("server", marks=pytest.mark.integration)] if "QDRANT_URL" in os.environ else []


@pytest.fixture(params=["edge", "server-local", *LIVE])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "edge":
        yield EdgePlace(tmp_path / "index")
    elif request.param == "server-local":
        yield LocalPlace()
    else:
        live = LivePlace(os.environ["QDRANT_URL"])
        yield live
        live.remove()


@pytest.fixture
def index(place: Place) -> Iterator[VectorIndex]:
    index = place.open()
    yield index
    index.close()


def vector(seed: int) -> Vector:
    drawn = numpy.random.default_rng(seed).standard_normal(DIMENSION).astype(numpy.float32)
    return numpy.asarray(drawn / numpy.linalg.norm(drawn), dtype=numpy.float32)


def chunk(
    number: int,
    text: str = "the annual budget",
    *,
    groups: frozenset[str] = STAFF.groups,
    document: str = "doc-1",
    version: str = "ver-1",
    seed: int | None = None,
    language: str = "en",
    names: str = "",
) -> IndexEntry:
    return IndexEntry(
        chunk_id=str(uuid.UUID(int=number)),
        document_id=document,
        version_id=version,
        groups=groups,
        vector=vector(number if seed is None else seed),
        text=text,
        language=language,
        names=names,
    )


def filing(number: int, names: str, *, groups: frozenset[str] = STAFF.groups) -> IndexEntry:
    """The first chunk of a document of its own."""
    return chunk(number, groups=groups, document=f"doc-{number}", version=f"ver-{number}", names=names)


def ask(index: VectorIndex, text: str, access: AccessFilter, *, seed: int = 0, limit: int = 10) -> IndexLegs:
    return index.search(vector(seed), text, access=access, limit=limit, language="en")


def ids(legs: IndexLegs) -> tuple[set[str], set[str]]:
    return {hit.chunk_id for hit in legs.dense}, {hit.chunk_id for hit in legs.sparse}


def same(place: Place, one: IndexLegs, other: IndexLegs) -> bool:
    """Equal to the last bit; but the stand-in's cosines, a matrix product in numpy, wobble in the tenth decimal."""
    if isinstance(place, LocalPlace):
        cosines = [hit.score for hit in one.dense] == pytest.approx([hit.score for hit in other.dense], abs=1e-6)
        chunks = [hit.chunk_id for hit in one.dense] == [hit.chunk_id for hit in other.dense]
        return one.sparse == other.sparse and chunks and cosines
    return one == other


# ---- searching


def test_the_nearest_vector_comes_first_with_its_cosine(index: VectorIndex) -> None:
    index.upsert([chunk(number) for number in range(1, 40)])
    dense = ask(index, "", STAFF, seed=7).dense
    assert dense[0].chunk_id == str(uuid.UUID(int=7))
    assert dense[0].score == pytest.approx(1.0, abs=1e-5)
    expected = sorted((float(vector(7) @ vector(n)) for n in range(1, 40)), reverse=True)[:10]
    assert [hit.score for hit in dense] == pytest.approx(expected, abs=1e-5)


def test_the_rarer_word_weighs_more(index: VectorIndex) -> None:
    index.upsert([chunk(number, "budget report") for number in range(1, 10)] + [chunk(10, "dividend report")])
    sparse = ask(index, "budget dividend", STAFF).sparse
    assert sparse[0].chunk_id == str(uuid.UUID(int=10))
    assert sparse[0].score > sparse[1].score > 0


def test_only_chunks_with_a_word_of_the_question_are_on_the_sparse_leg(index: VectorIndex) -> None:
    index.upsert([chunk(1, "budget"), chunk(2, "holiday")])
    assert ids(ask(index, "budget", STAFF)) == ({chunk(1).chunk_id, chunk(2).chunk_id}, {chunk(1).chunk_id})


def test_a_question_without_a_word_has_an_empty_sparse_leg(index: VectorIndex) -> None:
    index.upsert([chunk(1)])
    legs = ask(index, " ?! ", STAFF)
    assert legs.sparse == ()
    assert len(legs.dense) == 1


def test_a_chunk_without_a_word_is_found_by_its_vector(index: VectorIndex) -> None:
    index.upsert([chunk(1, "***"), chunk(2, "budget")])
    assert ids(ask(index, "budget", STAFF)) == ({chunk(1).chunk_id, chunk(2).chunk_id}, {chunk(2).chunk_id})


def test_no_more_than_limit_hits_come_back_and_none_for_a_limit_of_zero(index: VectorIndex) -> None:
    index.upsert([chunk(number) for number in range(1, 60)])
    legs = ask(index, "budget", STAFF, limit=3)
    assert (len(legs.dense), len(legs.sparse)) == (3, 3)
    assert ask(index, "budget", STAFF, limit=0) == IndexLegs((), ())


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert ask(index, "budget", STAFF) == IndexLegs((), ())
    assert (index.count(), dict(index.versions())) == (0, {})


def test_equal_scores_come_in_the_order_of_their_chunk_ids_wherever_the_cut_falls(index: VectorIndex) -> None:
    order = numpy.random.default_rng(1).permutation(numpy.arange(1, 201)).tolist()
    for start in range(0, 200, 40):
        index.upsert([chunk(number, "the same clause", seed=5) for number in order[start : start + 40]])
    legs = ask(index, "clause", STAFF, seed=5, limit=4)
    expected = [str(uuid.UUID(int=number)) for number in range(1, 5)]
    assert [hit.chunk_id for hit in legs.dense] == expected
    assert [hit.chunk_id for hit in legs.sparse] == expected


def test_who_asks_for_more_gets_the_same_first_and_all_of_it_where_there_is_no_more(index: VectorIndex) -> None:
    index.upsert([chunk(n, f"budget {'report ' * (n % 7)}", seed=n % 20, document=f"doc-{n}") for n in range(1, 90)])
    index.upsert([filing(n, f"Budget {n % 5}") for n in range(100, 160)])
    few, more, everything = (ask(index, "budget report", STAFF, limit=limit) for limit in (10, 40, 500))
    for leg in ("dense", "sparse"):
        first, next_, all_ = ([hit.chunk_id for hit in getattr(legs, leg)] for legs in (few, more, everything))
        assert (first, next_) == (all_[:10], all_[:40])
        assert len(set(all_)) == len(all_) == 149
    named = [
        [document.document_id for document in index.named("What of the Budget 3?", access=STAFF, limit=limit)]
        for limit in (5, 20, 500)
    ]
    assert named[:2] == [named[2][:5], named[2][:20]]
    assert len(named[2]) == 60


# ---- searching in parts


def test_a_search_in_some_documents_finds_no_others_and_scores_as_in_all(index: VectorIndex) -> None:
    index.upsert([chunk(number, "budget report", document=f"doc-{number % 3}") for number in range(1, 30)])
    everything = ask(index, "budget", STAFF, limit=30)
    some = index.search(
        vector(0), "budget", access=STAFF, limit=30, language="en", documents=frozenset({"doc-1", "doc-x"})
    )
    wanted = {str(uuid.UUID(int=number)) for number in range(1, 30, 3)}
    assert ids(some) == (wanted, wanted)
    scores = {hit.chunk_id: hit.score for hit in everything.sparse}
    assert all(hit.score == pytest.approx(scores[hit.chunk_id], abs=1e-6) for hit in some.sparse)


def test_chunks_are_compared_as_a_search_would_score_them_and_closed_ones_are_not(index: VectorIndex) -> None:
    index.upsert([chunk(number, f"budget {number}") for number in range(1, 30)] + [chunk(99, groups=BOARD.groups)])
    everything = ask(index, "budget 7", STAFF, limit=40)
    given = [str(uuid.UUID(int=number)) for number in (3, 7, 99, 500)]
    compared = index.compare(vector(0), "budget 7", access=STAFF, language="en", chunk_ids=given)
    assert ids(compared) == (set(given[:2]), set(given[:2]))
    for one, other in ((compared.dense, everything.dense), (compared.sparse, everything.sparse)):
        scores = {hit.chunk_id: hit.score for hit in other}
        assert [hit.score for hit in one] == pytest.approx([scores[hit.chunk_id] for hit in one], abs=1e-6)
    assert index.compare(vector(0), "budget", access=NOBODY, language="en", chunk_ids=given) == IndexLegs((), ())
    assert index.compare(vector(0), "budget", access=STAFF, language="en", chunk_ids=[]) == IndexLegs((), ())


# ---- names


def test_a_document_is_named_by_its_company_and_its_year_however_they_are_written(index: VectorIndex) -> None:
    names = ["NORTHWIND_2021_10K", "NORTHWIND_2022_10K", "FABRIKAM_2022_10K", "BlueYonder_2022Q2_10Q"]
    index.upsert([filing(number, name) for number, name in enumerate(names, start=1)] + [chunk(50)])

    def first(question: str) -> str:
        return index.named(question, access=STAFF, limit=5)[0].document_id

    assert first("What was the capex of Northwind in FY2022?") == "doc-2"
    assert first("And of Fabrikam?") == "doc-3"
    assert first("Did Blue Yonder grow in Q2 2022?") == "doc-4"
    assert index.named("how many filings are there?", access=STAFF, limit=5) == ()
    assert index.named("Who is Contoso?", access=STAFF, limit=5) == ()


def test_a_name_that_one_document_alone_has_is_as_strong_among_few_as_among_many(index: VectorIndex) -> None:
    index.upsert([filing(number, f"Report {number}") for number in range(100, 110)] + [filing(1, "Merger")])
    few = index.named("What of the Merger?", access=STAFF, limit=3)
    index.upsert([filing(number, f"Report {number}") for number in range(110, 500)])
    many = index.named("What of the Merger?", access=STAFF, limit=3)
    assert [item.document_id for item in (*few, *many)] == ["doc-1", "doc-1"]
    assert few[0].strength == pytest.approx(many[0].strength, abs=0.2)
    assert len(index.named("Which Report?", access=STAFF, limit=3)) == 3


def test_names_of_closed_documents_neither_show_nor_weigh(index: VectorIndex) -> None:
    question = "Does Budget 17 or the Merger say so?"
    index.upsert([filing(number, f"Budget {number}") for number in range(11, 20)])
    before = index.named(question, access=STAFF, limit=20)
    index.upsert([filing(number, "Budget Merger 17", groups=BOARD.groups) for number in range(100, 160)])
    assert index.named(question, access=STAFF, limit=20) == before
    assert before[0].document_id == "doc-17"
    assert {item.document_id for item in before} == {f"doc-{number}" for number in range(11, 20)}
    assert index.named(question, access=NOBODY, limit=20) == ()
    index.delete_document("doc-17")
    assert "doc-17" not in {item.document_id for item in index.named(question, access=STAFF, limit=20)}


def test_documents_are_found_by_what_they_are_called_capitals_or_not_the_closed_ones_neither(
    index: VectorIndex,
) -> None:
    names = ("Rules/Bicycle leasing policy 2024", "bicycle_leasing-policy 2025", "Car leasing policy", "Straße 7")
    index.upsert([filing(number, name) for number, name in enumerate(names, start=1)] + [chunk(50)])
    found = index.called("Bicycle leasing policy", access=STAFF, limit=2)
    assert found == {"doc-1", "doc-2"}
    assert index.called("Bicycle leasing policy", access=STAFF, limit=1) == frozenset()  # a part of them tells nothing
    assert index.called("straße", access=STAFF, limit=3) == {"doc-4"}
    assert index.called("of nothing", access=STAFF, limit=3) == index.called("", access=STAFF, limit=3) == frozenset()
    index.upsert([filing(number, "bicycle leasing policy", groups=BOARD.groups) for number in range(100, 160)])
    assert index.called("Bicycle leasing policy", access=STAFF, limit=2) == found
    assert index.called("Bicycle leasing policy", access=NOBODY, limit=2) == frozenset()
    assert len(index.called("Bicycle leasing policy", access=BOARD, limit=80)) == 60


# ---- rules 1 and 2: access


def test_a_reader_never_sees_a_chunk_of_another_group_on_either_leg(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2, groups=BOARD.groups), chunk(3, groups=BOTH.groups)])
    staff, board = {chunk(1).chunk_id, chunk(3).chunk_id}, {chunk(2).chunk_id, chunk(3).chunk_id}
    assert ids(ask(index, "budget", STAFF, seed=2)) == (staff, staff)
    assert ids(ask(index, "budget", BOARD, seed=1)) == (board, board)
    assert ids(ask(index, "budget", BOTH)) == (staff | board, staff | board)


def test_an_empty_filter_matches_nothing_not_even_chunks_without_groups(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2, groups=frozenset())])
    assert ask(index, "budget", NOBODY) == IndexLegs((), ())


def test_a_chunk_without_groups_is_seen_by_nobody(index: VectorIndex) -> None:
    index.upsert([chunk(1, groups=frozenset())])
    assert ask(index, "budget", BOTH) == IndexLegs((), ())


def test_a_group_name_is_taken_literally(index: VectorIndex) -> None:
    index.upsert([chunk(1, groups=frozenset({"staff*"})), chunk(2, groups=frozenset({"Staff", "staff "}))])
    assert ask(index, "budget", STAFF) == IndexLegs((), ())


def test_the_best_visible_chunks_are_found_among_many_closer_closed_ones(index: VectorIndex) -> None:
    index.upsert([chunk(number, groups=BOARD.groups, seed=0) for number in range(100, 700)])
    index.upsert([chunk(1), chunk(2)])
    expected = {chunk(1).chunk_id, chunk(2).chunk_id}
    assert ids(ask(index, "budget", STAFF, seed=0, limit=5)) == (expected, expected)


def test_a_readers_scores_are_the_same_to_the_last_bit_with_and_without_documents_they_cannot_see(
    place: Place,
    index: VectorIndex,
) -> None:
    words = ["budget", "dividend", "holiday", "policy", "merger", "ISO-27001"]
    draw = numpy.random.default_rng(3)

    def texts(count: int) -> list[str]:
        return [" ".join(draw.choice(words, size=int(draw.integers(1, 20)))) for _ in range(count)]

    def answers(access: AccessFilter = STAFF) -> list[IndexLegs]:
        return [ask(index, text, access, seed=n, limit=12) for n, text in enumerate([*words, " ".join(words)])]

    def unchanged() -> bool:
        return all(same(place, one, other) for one, other in zip(answers(), before, strict=True))

    index.upsert([chunk(number, text) for number, text in enumerate(texts(80), start=1)])
    before = answers()
    secret = [
        chunk(number, f"merger dividend {text}", groups=BOARD.groups, document="doc-2", version="ver-2")
        for number, text in enumerate(texts(300), start=1000)
    ]
    index.upsert(secret)
    assert unchanged()
    index.optimize()
    assert unchanged()
    index.delete_document("doc-2")
    assert unchanged()
    index.upsert(secret)
    assert max(hit.score for hit in answers(BOTH)[0].sparse) != before[0].sparse[0].score  # IDF is in use at all


def test_changed_groups_act_at_once_on_both_legs(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2), chunk(3, document="doc-2")])
    index.set_groups("doc-1", BOARD.groups)
    assert ids(ask(index, "budget", STAFF)) == ({chunk(3).chunk_id}, {chunk(3).chunk_id})
    moved = {chunk(1).chunk_id, chunk(2).chunk_id}
    assert ids(ask(index, "budget", BOARD)) == (moved, moved)
    index.set_groups("doc-1", frozenset())
    assert ask(index, "budget", BOARD) == IndexLegs((), ())


def test_groups_are_changed_of_one_version_alone(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2, version="ver-2")])
    index.set_groups("doc-1", BOARD.groups, version_id="ver-2")
    assert ids(ask(index, "budget", STAFF)) == ({chunk(1).chunk_id}, {chunk(1).chunk_id})
    assert ids(ask(index, "budget", BOARD)) == ({chunk(2).chunk_id}, {chunk(2).chunk_id})


# ---- rule 3: writing


def test_writing_the_same_entries_twice_is_the_same_as_writing_them_once(place: Place, index: VectorIndex) -> None:
    entries = [chunk(number, f"budget {number}") for number in range(1, 30)]
    index.upsert(entries)
    once = ask(index, "budget 7", STAFF)
    index.upsert(entries)
    assert same(place, ask(index, "budget 7", STAFF), once)
    assert index.count() == 29


def test_an_entry_replaces_the_one_with_the_same_chunk_id(index: VectorIndex) -> None:
    index.upsert([chunk(1, "budget")])
    index.upsert([chunk(1, "holiday", groups=BOARD.groups, document="doc-2", version="ver-2", seed=9)])
    assert ask(index, "budget", STAFF) == IndexLegs((), ())
    legs = ask(index, "holiday", BOARD, seed=9)
    assert len(legs.sparse) == 1
    assert legs.dense[0].score == pytest.approx(1.0, abs=1e-5)
    assert ask(index, "budget", BOARD).sparse == ()
    assert dict(index.versions()) == {"ver-2": 1}


def test_more_entries_than_one_request_carries_all_arrive(index: VectorIndex) -> None:
    index.upsert([chunk(number, version=f"ver-{number % 7}") for number in range(1, 601)])
    assert index.count() == 600
    assert sum(index.versions().values()) == 600


def test_writing_nothing_changes_nothing(index: VectorIndex) -> None:
    index.upsert([])
    assert index.count() == 0


def test_deleting_a_version_removes_its_chunks_and_no_others(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2, version="ver-2"), chunk(3, document="doc-2", version="ver-3")])
    index.delete_version("ver-1")
    left = {chunk(2).chunk_id, chunk(3).chunk_id}
    assert ids(ask(index, "budget", STAFF)) == (left, left)
    assert dict(index.versions()) == {"ver-2": 1, "ver-3": 1}


def test_deleting_a_document_removes_all_its_versions_and_no_others(index: VectorIndex) -> None:
    index.upsert([chunk(1), chunk(2, version="ver-2"), chunk(3, document="doc-2", version="ver-3")])
    index.delete_document("doc-1")
    assert dict(index.versions()) == {"ver-3": 1}
    assert (index.count(document_id="doc-1"), index.count(document_id="doc-2")) == (0, 1)


def test_deleting_or_relabelling_what_is_not_there_is_no_error(index: VectorIndex) -> None:
    index.upsert([chunk(1)])
    index.delete_version("never")
    index.delete_document("never")
    index.set_groups("never", BOARD.groups)
    assert index.count() == 1


def test_counts_are_exact_for_all_for_a_document_and_for_a_version(index: VectorIndex) -> None:
    index.upsert([chunk(n, document=f"doc-{n % 3}", version=f"ver-{n % 6}") for n in range(300)])
    assert index.count() == 300
    assert index.count(document_id="doc-1") == 100
    assert index.count(version_id="ver-4") == 50
    assert index.count(document_id="doc-1", version_id="ver-4") == 50
    assert index.count(document_id="doc-0", version_id="ver-4") == 0
    assert dict(index.versions()) == {f"ver-{n}": 50 for n in range(6)}


def test_version_ids_come_back_as_they_were_given(index: VectorIndex) -> None:
    given = str(uuid.uuid5(uuid.NAMESPACE_URL, "a version"))
    index.upsert([chunk(1, version=given)])
    assert dict(index.versions()) == {given: 1}


def test_every_version_is_listed_when_there_are_hundreds(index: VectorIndex) -> None:
    index.upsert([chunk(n, version=f"ver-{n}") for n in range(400)])
    assert dict(index.versions()) == {f"ver-{n}": 1 for n in range(400)}


# ---- rule 4: lasting


def test_what_was_written_is_there_after_opening_again(place: Place) -> None:
    first = place.open()
    first.upsert([chunk(number) for number in range(1, 20)])
    first.set_groups("doc-1", BOARD.groups)
    before = ask(first, "budget", BOARD)
    if not isinstance(place, LocalPlace):
        first.close()  # closing the in-memory stand-in would end its life
    again = place.open()
    assert ask(again, "budget", BOARD) == before
    assert ask(again, "budget", STAFF) == IndexLegs((), ())
    again.close()


_WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_vector_index import BOARD, EdgePlace, chunk
index = EdgePlace(Path(sys.argv[1])).open()
index.upsert([chunk(number, version="ver-2" if number > 500 else "ver-1") for number in range(1, 601)])
index.delete_version("ver-2")
index.set_groups("doc-1", BOARD.groups)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.integration
def test_every_kind_of_write_survives_the_death_of_the_process(tmp_path: Path) -> None:
    here = Path(__file__).resolve()
    folders = [str(here.parents[2]), str(here.parent)]
    died = subprocess.run(
        [sys.executable, "-c", _WRITE_AND_DIE, str(tmp_path / "index"), *folders], check=False, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    index = EdgePlace(tmp_path / "index").open()
    assert dict(index.versions()) == {"ver-1": 500}
    assert ask(index, "budget", STAFF) == IndexLegs((), ())
    assert len(ask(index, "budget", BOARD).sparse) == 10
    index.close()


def test_optimising_changes_no_answer(index: VectorIndex) -> None:
    index.upsert([chunk(number, f"budget {number % 50}") for number in range(1, 500)])
    index.delete_document("never")
    before = ask(index, "budget 7", STAFF, seed=3)
    index.optimize()
    after = ask(index, "budget 7", STAFF, seed=3)
    assert after.sparse == before.sparse
    assert [hit.chunk_id for hit in after.dense] == [hit.chunk_id for hit in before.dense]
    index.upsert([chunk(1000, "holiday")])
    assert ids(ask(index, "holiday", STAFF))[1] == {chunk(1000).chunk_id}
    assert index.count() == 500


def test_many_threads_search_while_others_write(place: Place) -> None:
    if isinstance(place, LocalPlace):
        pytest.skip("the client's local mode is not made for several threads")
    index = place.open()
    index.upsert([chunk(1, "cornerstone", seed=0)])
    stop = threading.Event()
    errors: list[str] = []
    found: list[tuple[set[str], set[str]]] = []

    def search() -> None:
        try:
            while not stop.is_set():
                found.append(ids(ask(index, "cornerstone budget", STAFF, seed=0, limit=5)))
        except IndexUnavailable as error:
            errors.append(str(error))

    def write(start: int) -> None:
        for first in range(start, start + 600, 60):
            index.upsert([chunk(n, groups=BOARD.groups, document=f"doc-{start}") for n in range(first, first + 60)])

    def watched(job: threading.Thread) -> threading.Thread:
        job.start()
        return job

    searching = [watched(threading.Thread(target=search)) for _ in range(3)]
    writing = [watched(threading.Thread(target=write, args=(start,))) for start in (10_000, 20_000)]
    for thread in writing:
        thread.join()
    index.optimize()
    stop.set()
    for thread in searching:
        thread.join()
    assert errors == []
    assert len(found) > 10
    assert all(legs == ({chunk(1).chunk_id}, {chunk(1).chunk_id}) for legs in found)
    assert index.count() == 1201
    index.close()


# ---- rules 5 and 6


def test_a_vector_of_another_dimension_is_refused_with_both_numbers(index: VectorIndex) -> None:
    entry = chunk(1)
    wrong = numpy.ones(7, dtype=numpy.float32)
    with pytest.raises(IndexUnavailable, match=r"\(7,\).*32"):
        index.search(wrong, "budget", access=STAFF, limit=5, language="en")
    with pytest.raises(IndexUnavailable, match=r"\(7,\).*32"):
        index.upsert([IndexEntry(entry.chunk_id, "d", "v", STAFF.groups, wrong, "text", "en")])
    assert index.count() == 0


def test_a_vector_that_is_no_number_is_refused(index: VectorIndex) -> None:
    poison = numpy.full(DIMENSION, numpy.nan, dtype=numpy.float32)
    with pytest.raises(IndexUnavailable, match="no number"):
        index.upsert([IndexEntry(chunk(1).chunk_id, "d", "v", STAFF.groups, poison, "text", "en")])
    with pytest.raises(IndexUnavailable, match="no number"):
        index.search(poison, "budget", access=STAFF, limit=5, language="en")


def test_a_chunk_id_that_is_no_uuid_is_refused(index: VectorIndex) -> None:
    with pytest.raises(IndexUnavailable):
        index.upsert([IndexEntry("chunk-1", "d", "v", STAFF.groups, vector(1), "text", "en")])


def test_an_index_of_another_model_is_refused_with_its_name_and_what_to_do(place: Place) -> None:
    index = place.open()
    if not isinstance(place, LocalPlace):
        index.close()  # closing the in-memory stand-in would end its life
    with pytest.raises(IndexUnavailable, match=r"built with embedding model 'test-model@1'.*new data folder"):
        place.open(model_id="other-model@2")
    with pytest.raises(IndexUnavailable, match="32 dimensions"):
        place.open(dimension=64)


def test_an_index_of_another_data_folder_is_refused_and_left_as_it_was(place: Place) -> None:
    index = place.open()
    index.upsert([chunk(1)])
    if not isinstance(place, LocalPlace):
        index.close()  # closing the in-memory stand-in would end its life
    for stranger in ("another data folder", ""):
        with pytest.raises(IndexUnavailable, match="belongs to another data folder; "):
            place.open(owner=stranger)
    again = place.open()
    assert dict(again.versions()) == {"ver-1": 1}
    again.close()


def test_a_closed_index_can_be_closed_again_and_refuses_to_work(place: Place) -> None:
    index = place.open()
    index.close()
    index.close()
    with pytest.raises(IndexUnavailable):
        ask(index, "budget", STAFF)
    with pytest.raises(IndexUnavailable):
        index.upsert([chunk(1)])
    with pytest.raises(IndexUnavailable):
        index.count()


def test_no_word_of_a_document_is_stored(place: Place) -> None:
    index = place.open()
    index.upsert([chunk(1, "Zwetschgenkuchen for everyone", groups=frozenset({"visible-label"}))])
    index.optimize()
    stored = place.stored()
    assert b"visible-label" in stored  # we do look in the right place
    assert b"wetschgenkuchen" not in stored
    index.close()
