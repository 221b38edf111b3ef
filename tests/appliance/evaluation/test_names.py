"""What the names in a golden set stand for, in a real catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.catalog import Catalog
from appliance.domain import AccessFilter, Box, DocumentState, Place
from appliance.evaluation.golden import Evidence, GoldenQuestion
from appliance.evaluation.names import Names, look_up
from tests.appliance.retrieval.test_retriever import STAFF
from tests.data.builders import SOURCE, make_outcome, publish
from tests.data.migrated import migrated

BOARD = frozenset({"board"})


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A document of two pages for the staff, a text of theirs, and a document that is closed to them."""
    database = migrated(tmp_path / "catalog.db")
    found = Catalog(database)
    found.add_source(SOURCE)
    place = Place(page=1, boxes=(Box(1, 0, 0, 1, 1), Box(2, 0, 0, 1, 1)))
    publish(found, "rules/leave.pdf", "Parental leave is sixteen weeks long.", groups=STAFF.groups, place=place)
    publish(found, "canteen.txt", "The canteen opens at eleven.", groups=STAFF.groups)
    publish(found, "board.txt", "The board does earn nothing.", groups=BOARD)
    yield found
    database.close()


def names(catalog: Catalog, *evidence: Evidence, access: AccessFilter = STAFF) -> Names:
    return looked_up(catalog, GoldenQuestion("q", "How?", evidence), access)


def looked_up(catalog: Catalog, question: GoldenQuestion, access: AccessFilter = STAFF) -> Names:
    found = look_up([question], catalog, access, is_over=lambda: False)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "piece",
    [Evidence("leave.pdf"), Evidence("RULES/leave"), Evidence(f"{SOURCE.name}/rules/leave.pdf"), Evidence("leave", 1), Evidence("leave", 2),
     Evidence("leave.pdf", quote="words that stand nowhere in it"), Evidence("some collection", passage="canteen"),
     Evidence("board.txt"), Evidence("board.txt", 40)],
)  # fmt: skip
def test_what_is_there_is_there_whoever_may_see_it(catalog: Catalog, piece: Evidence) -> None:
    assert names(catalog, piece).absent == frozenset()


@pytest.mark.parametrize(
    "piece",
    [Evidence("leave.docx"), Evidence("other/leave.pdf"), Evidence("leave.pdf", 3), Evidence("canteen.txt", 2),
     Evidence("some collection", passage="terrace"), Evidence("canteen.txt", passage="terrace")],
)  # fmt: skip
def test_a_document_a_page_or_a_passage_that_is_not_there_is_named(catalog: Catalog, piece: Evidence) -> None:
    asked = GoldenQuestion("q", "How?", (Evidence("canteen.txt"), piece))
    assert looked_up(catalog, asked).absent_of(asked) == (piece,)


def test_a_passage_is_there_by_its_id_for_those_who_may_see_it(catalog: Catalog) -> None:
    (open_one,) = publish(catalog, "terrace.txt", "The terrace is closed.", groups=STAFF.groups)
    (closed,) = publish(catalog, "vault.txt", "The vault is open.", groups=BOARD)
    assert names(catalog, Evidence(passage=open_one.id), Evidence(open_one.document_id)).absent == frozenset()
    assert names(catalog, Evidence(passage=closed.id)).absent == {Evidence(passage=closed.id)}
    assert names(catalog, Evidence(passage=closed.id), access=AccessFilter(BOARD)).absent == frozenset()


def test_a_passage_that_is_named_by_its_id_has_its_pages_whatever_its_document_is_called(catalog: Catalog) -> None:
    place = Place(page=4, boxes=(Box(4, 0, 0, 1, 1), Box(5, 0, 0, 1, 1)))
    (chunk,) = publish(catalog, "terrace.txt", "The terrace is closed.", groups=STAFF.groups, place=place)
    (closed,) = publish(catalog, "vault.txt", "The vault is open.", groups=BOARD, place=place)
    for doc in ("", "called otherwise.pdf", "canteen.txt"):
        for page in (4, 5):
            assert names(catalog, Evidence(doc, page, passage=chunk.id)).absent == frozenset()
        for gone in (Evidence(doc, 6, passage=chunk.id), Evidence(doc, 4, passage=closed.id)):
            assert names(catalog, gone).absent == {gone}


def test_a_name_stands_for_a_content_to_those_alone_who_may_see_the_document(catalog: Catalog) -> None:
    assert names(catalog, Evidence("board.txt")).contents["board.txt"] == frozenset()
    assert len(names(catalog, Evidence("board.txt"), access=AccessFilter(BOARD)).contents["board.txt"]) == 1


def test_a_document_is_closed_where_all_that_go_by_its_name_are(catalog: Catalog) -> None:
    closed = (Evidence("board.txt"), Evidence("board.txt", 40), Evidence("some", passage="board.txt"))
    assert names(catalog, *closed, Evidence("canteen.txt")).closed == frozenset(closed)
    assert names(catalog, *closed, access=AccessFilter(BOARD)).closed == frozenset()
    publish(catalog, "minutes/board.txt", "The board met.", groups=STAFF.groups)
    assert names(catalog, *closed).closed == frozenset()
    catalog.record(replace(make_outcome("lost.txt"), state=DocumentState.FAILED), keep_version=False)
    assert names(catalog, Evidence("lost.txt")) == Names({"lost.txt": frozenset()})  # counts as not found


def test_a_file_that_is_gone_is_not_there(catalog: Catalog) -> None:
    catalog.record(replace(make_outcome("canteen.txt"), state=DocumentState.GONE), keep_version=False)
    assert names(catalog, Evidence("canteen.txt")).absent == {Evidence("canteen.txt")}
