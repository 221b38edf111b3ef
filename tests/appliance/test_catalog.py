"""The catalog: what a reader sees, what a sync leaves behind, and what comes back as it went in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from appliance.catalog import Catalog, LibraryPage
from appliance.catalog.tables import admitted, documents
from appliance.database import Database
from appliance.domain import (
    AccessFilter,
    Box,
    Chunk,
    DocumentFacts,
    DocumentState,
    PageCoverage,
    Place,
    Rule,
    Share,
    ShareKind,
    Source,
    TextMeans,
    Version,
    document_id,
)
from appliance.errors import Conflict, InvalidRequest, NotFound
from appliance.labels import FileLabels
from tests.data.builders import SOURCE, make_chunk, make_outcome, publish

STAFF = AccessFilter(frozenset({"staff"}))
LEGAL = AccessFilter(frozenset({"legal"}))
NOBODY = AccessFilter(frozenset())
GROUPS = ("staff", "legal", "Staff", "everyone")
names = st.frozensets(st.sampled_from(GROUPS))
_numbers = itertools.count()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("catalog") / "catalog.db")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def catalog(database: Database) -> Catalog:
    """An empty catalog with one source."""
    catalog = Catalog(database)
    for source in catalog.sources():
        catalog.remove_source(source.id)
    catalog.add_source(SOURCE)
    return catalog


def library(catalog: Catalog, access: AccessFilter, text: str = "", source_id: str | None = None) -> list[str]:
    page = catalog.library(access, text=text, source_id=source_id, limit=100, offset=0)
    assert page.total == len(page.documents)
    return [document.title for document in page.documents]


def inventory(catalog: Catalog, text: str = "", state: DocumentState | None = None) -> LibraryPage:
    return catalog.inventory(source_id=None, state=state, text=text, limit=100, offset=0)


def visible(catalog: Catalog, chunks: list[Chunk], access: AccessFilter, *, current_only: bool = True) -> set[str]:
    return set(catalog.visible_chunks([chunk.id for chunk in chunks], access, current_only=current_only))


# what a reader may see


@settings(max_examples=25, deadline=None)
@given(st.lists(names, min_size=1, max_size=5), names)
def test_a_reader_sees_exactly_what_their_groups_admit_through_every_door(
    database: Database, labels: list[frozenset[str]], mine: frozenset[str]
) -> None:
    source = Source(str(next(_numbers)), f"property {next(_numbers)}", f"/{next(_numbers)}", frozenset())
    catalog, access = Catalog(database), AccessFilter(mine)
    catalog.add_source(source)
    published = {
        f"{number}.txt": publish(catalog, f"{number}.txt", f"text {number}", "more", groups=label, source=source)
        for number, label in enumerate(labels)
    }
    admitted = {f"{number}.txt" for number, label in enumerate(labels) if access.admits(label)}

    assert set(library(catalog, access, source_id=source.id)) == admitted
    every_chunk = list(itertools.chain.from_iterable(published.values()))
    expected = {chunk.id for path in admitted for chunk in published[path]}
    for current_only in (True, False):
        assert visible(catalog, every_chunk, access, current_only=current_only) == expected
    assert (source.id in catalog.visible_source_ids(access)) == bool(admitted)
    for path, chunks in published.items():
        key, version = document_id(source.id, path), chunks[0].version_id
        if path in admitted:
            assert catalog.document(key, access).path == path
            assert catalog.version(version, access).document_id == key
            assert catalog.passages(version, access, limit=9, offset=0) == chunks
            continue
        for look in (
            lambda key=key: catalog.document(key, access),
            lambda version=version: catalog.version(version, access),
            lambda version=version: catalog.passages(version, access, limit=9, offset=0),
        ):
            with pytest.raises(NotFound) as hidden:
                look()
            with pytest.raises(NotFound) as missing:
                catalog.document("no such document", access)
            assert str(hidden.value) == str(missing.value)


def test_no_groups_see_nothing_even_of_a_document_without_a_label(catalog: Catalog) -> None:
    chunks = publish(catalog, "a.txt", "text", groups=())
    for access in (NOBODY, STAFF):
        assert library(catalog, access) == []
        assert visible(catalog, chunks, access) == set()
    assert inventory(catalog).total == 1


def test_a_withdrawn_label_counts_from_the_next_question_on(catalog: Catalog) -> None:
    chunks = publish(catalog, "a.txt", "text")
    assert visible(catalog, chunks, STAFF)
    catalog.relabel(chunks[0].document_id, FileLabels.all(frozenset({"legal"})))
    assert visible(catalog, chunks, STAFF) == set()
    assert visible(catalog, chunks, LEGAL) == {chunks[0].id}
    assert catalog.document(chunks[0].document_id, LEGAL).groups == {"legal"}


def test_a_document_of_a_closed_source_does_not_open_its_neighbours(catalog: Catalog) -> None:
    publish(catalog, "open.txt", "text", groups={"staff"})
    publish(catalog, "closed.txt", "text", groups={"legal"})
    assert library(catalog, STAFF) == ["open.txt"]
    assert catalog.visible_source_ids(STAFF) == {SOURCE.id}


def test_counts_of_the_library_say_nothing_about_what_is_hidden(catalog: Catalog) -> None:
    for number in range(5):
        publish(catalog, f"{number}.txt", "text", groups={"legal"})
    publish(catalog, "mine.txt", "text")
    page = catalog.library(STAFF, text="", source_id=None, limit=1, offset=0)
    assert (page.total, len(page.documents)) == (1, 1)


def test_many_chunks_are_looked_up_in_portions_and_each_once(catalog: Catalog) -> None:
    chunks = publish(catalog, "a.txt", *(f"text {number}" for number in range(1201)))
    assert visible(catalog, chunks + chunks, STAFF) == {chunk.id for chunk in chunks}


def test_every_passage_is_read_before_it_is_asked_for(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(catalog.read_through()) == 0
    monkeypatch.setattr("appliance.catalog.library._AT_A_STEP", 2)
    publish(catalog, "a.txt", *(f"text {number}" for number in range(5)))
    assert sum(catalog.read_through()) == 5


def test_reader_questions_with_odd_characters_find_nothing_and_break_nothing(catalog: Catalog) -> None:
    publish(catalog, "a.txt", "text")
    for odd in ("'; DROP TABLE documents; --", "%", "_", "\\", "[a]", "*"):
        assert library(catalog, STAFF, text=odd) == []
        assert catalog.visible_chunks([odd], AccessFilter(frozenset({odd})), current_only=True) == {}
    with pytest.raises(InvalidRequest):
        library(catalog, STAFF, text="\ud800")


def test_the_groups_of_a_reader_are_not_looked_up_one_by_one_for_every_document(database: Database) -> None:
    """Somebody in 200 groups would wait for 200 searches for each document that is checked."""
    reader = AccessFilter(frozenset(f"team-{number}" for number in range(200)))
    query = select(documents.c.id).where(admitted(reader))
    with database.read() as connection:
        sql = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("SEARCH document_groups" in step and "(document_id=?)" in step for step in plan), plan


PER_FILE: dict[str, Callable[[Catalog, Chunk], object]] = {
    "an original": lambda catalog, _: catalog.original_of(
        SOURCE.id, "0" * 64, "text/plain", STAFF.groups, other_than="another"
    ),
    "facts": lambda catalog, chunk: catalog.facts(chunk.document_id),
    "duplicates": lambda catalog, chunk: catalog.duplicates_of(chunk.document_id),
    "members": lambda catalog, chunk: catalog.members(chunk.document_id),
    "publishing": lambda catalog, _: publish(catalog, "another.txt", "text"),
    "a failure": lambda catalog, _: catalog.record(make_outcome("third.txt"), keep_version=True),
    "relabelling": lambda catalog, chunk: catalog.relabel(chunk.document_id, FileLabels.all(LEGAL.groups)),
    "documents that may be read": lambda catalog, chunk: catalog.admitted_documents([chunk.document_id], STAFF),
    "chunks that may be read": lambda catalog, chunk: catalog.admitted_chunks([chunk.id], STAFF),
    "chunks": lambda catalog, chunk: catalog.visible_chunks([chunk.id], STAFF, current_only=True),
    "near-duplicates": lambda catalog, chunk: catalog.candidates(chunk.version_id, STAFF),
    "a version": lambda catalog, chunk: catalog.version_chunks(chunk.version_id),
}


@pytest.mark.parametrize("called", PER_FILE)
def test_what_is_asked_for_every_file_or_question_does_not_take_longer_the_more_documents_there_are(
    database: Database, catalog: Catalog, called: str
) -> None:
    """SQLite keeps no statistics: to find one document by its content it once read every indexed one."""
    (chunk,) = publish(catalog, "one.txt", "text")
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, sql: str, parameters: Any, *___: object) -> None:
        asked.append((sql, parameters))

    with database.read() as connection:
        event.listen(connection.engine, "before_cursor_execute", note)
        try:
            PER_FILE[called](catalog, chunk)
        finally:
            event.remove(connection.engine, "before_cursor_execute", note)
        plans = [
            (step.detail, sql)
            for sql, parameters in asked
            if sql.lstrip().startswith(("SELECT", "UPDATE", "DELETE"))
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        ]
    assert plans
    slow = re.compile(r"SCAN (documents|versions|chunks|document_groups)|ix_documents_(state|source_id)")
    assert [plan for plan in plans if slow.search(plan[0])] == []


# versions


def test_a_new_version_takes_the_place_of_the_old_one_whose_text_stays_for_old_citations(catalog: Catalog) -> None:
    old = publish(catalog, "a.txt", "old text")
    new = publish(catalog, "a.txt", "new text")
    assert visible(catalog, old + new, STAFF) == {new[0].id}
    both = catalog.visible_chunks([old[0].id, new[0].id], STAFF, current_only=False)
    assert {item.chunk.text: item.current for item in both.values()} == {"old text": False, "new text": True}
    assert catalog.current_versions() == {new[0].version_id: 1}
    assert catalog.version(old[0].version_id, STAFF).chunk_count == 1


def test_an_old_version_is_under_the_label_of_today(catalog: Catalog) -> None:
    old = publish(catalog, "a.txt", "old text", groups={"staff"})
    publish(catalog, "a.txt", "new text", groups={"legal"})
    assert visible(catalog, old, STAFF, current_only=False) == set()
    with pytest.raises(NotFound):
        catalog.version(old[0].version_id, STAFF)


def test_publishing_the_same_version_again_changes_nothing_a_reader_sees(catalog: Catalog) -> None:
    first = publish(catalog, "a.txt", "one", "two")
    assert publish(catalog, "a.txt", "one", "two") == first
    assert catalog.passages(first[0].version_id, STAFF, limit=9, offset=0) == first
    assert catalog.current_versions() == {first[0].version_id: 2}


def test_a_version_that_cannot_be_stored_whole_is_not_stored_at_all(catalog: Catalog) -> None:
    old = publish(catalog, "a.txt", "old text")
    outcome = replace(make_outcome("a.txt", text="new"), title="new title")
    version = Version("v2", outcome.document_id, outcome.sha256, outcome.parser, datetime.now(UTC))
    twice = [make_chunk("new", document=outcome.document_id, version="v2")] * 2
    with pytest.raises(Conflict):
        catalog.publish(outcome, version, twice)
    assert library(catalog, STAFF) == ["a.txt"]
    assert visible(catalog, old, STAFF) == {old[0].id}


def test_a_file_that_cannot_be_read_this_time_keeps_its_version_and_says_why(catalog: Catalog) -> None:
    chunks = publish(catalog, "a.txt", "text")
    failed = make_outcome("a.txt", state=DocumentState.FAILED, reason="The disk did not answer.")
    catalog.record(failed, keep_version=True)
    assert visible(catalog, chunks, STAFF) == {chunks[0].id}
    document = inventory(catalog, state=DocumentState.FAILED).documents[0]
    assert (document.state, document.reason, document.version_id) == (
        DocumentState.FAILED,
        "The disk did not answer.",
        chunks[0].version_id,
    )


def test_a_failed_reading_leaves_title_size_and_kind_of_the_version_in_use(catalog: Catalog) -> None:
    publish(catalog, "a.txt", "text", title="The travel policy")
    before = inventory(catalog).documents[0]
    failed = make_outcome("a.txt", state=DocumentState.NEEDS_PASSWORD, reason="It is encrypted.", groups={"legal"})
    failed = replace(failed, title="a", size_bytes=99, media_type="application/pdf", modified_ns=2, judged="p/2")
    catalog.record(failed, keep_version=True)
    after = inventory(catalog).documents[0]
    assert (after.title, after.size_bytes, after.media_type) == ("The travel policy", 4, "text/plain")
    assert after.version_id == before.version_id
    assert (after.state, after.reason, after.groups) == (failed.state, failed.reason, before.groups)
    assert after.updated_at >= before.updated_at
    known = catalog.files(SOURCE.id)["a.txt"]
    assert (known.modified_ns, known.judged, known.sha256) == (2, "p/2", "")
    assert (known.labels.file, known.labels.in_force) == ({"legal"}, before.groups)


def test_what_waits_for_a_curator_has_its_own_size_and_kind_and_leaves_those_of_the_version_in_force(
    catalog: Catalog,
) -> None:
    in_force = publish(catalog, "a.txt", "text", title="The travel policy")[0]
    outcome = make_outcome("a.txt", title="Draft", text="longer text", state=DocumentState.PENDING_REVIEW)
    outcome = replace(outcome, media_type="application/pdf", thread="<1@x>")
    facts = DocumentFacts(thread="<1@x>")
    version = Version("v2", outcome.document_id, outcome.sha256, outcome.parser, datetime.now(UTC), facts=facts)
    for _ in range(2):  # a version that waits may be replaced by another
        catalog.stage(outcome, version, [make_chunk("longer text", document=outcome.document_id, version="v2")])
        shown = catalog.document(outcome.document_id, STAFF)
        assert (shown.title, shown.size_bytes, shown.media_type) == ("The travel policy", 4, "text/plain")
        assert shown.version_id == in_force.version_id
        waits, _, _ = catalog.pending_document(outcome.document_id, STAFF, limit=1)
        assert (waits.title, waits.size_bytes, waits.media_type) == ("Draft", 11, "application/pdf")
        assert catalog.files(SOURCE.id)["a.txt"].size_bytes == 11  # what tells whether the file changed
    other = replace(make_outcome("b.txt", text="b"), thread="<1@x>")
    catalog.publish(other, Version("v3", other.document_id, other.sha256, other.parser, datetime.now(UTC)), [])
    assert catalog.thread_of(other.document_id, STAFF) == []
    catalog.publish_pending(outcome.document_id, source=SOURCE)
    shown = catalog.document(outcome.document_id, STAFF)
    assert (shown.title, shown.size_bytes, shown.media_type) == ("Draft", 11, "application/pdf")
    assert [found.path for found in catalog.thread_of(other.document_id, STAFF)] == ["a.txt"]


def test_turning_down_a_version_leaves_the_size_of_the_one_in_force_and_the_file_is_known(catalog: Catalog) -> None:
    publish(catalog, "a.txt", "text")
    outcome = make_outcome("a.txt", text="longer text", state=DocumentState.PENDING_REVIEW)
    catalog.stage(outcome, Version("v2", outcome.document_id, outcome.sha256, outcome.parser, datetime.now(UTC)), [])
    catalog.turn_down(outcome.document_id, "Not true.")
    assert catalog.document(outcome.document_id, STAFF).size_bytes == 4
    assert catalog.files(SOURCE.id)["a.txt"].size_bytes == 11


def test_a_failed_reading_of_a_document_without_a_version_is_recorded_whole(catalog: Catalog) -> None:
    failed = make_outcome("a.txt", state=DocumentState.FAILED, text="12345")
    catalog.record(failed, keep_version=True)
    assert inventory(catalog).documents[0].size_bytes == 5
    catalog.record(replace(failed, size_bytes=7, media_type="application/pdf"), keep_version=True)
    document = inventory(catalog).documents[0]
    assert (document.size_bytes, document.media_type, document.version_id) == (7, "application/pdf", None)


def test_the_text_of_a_document_that_is_gone_is_gone_in_every_version(catalog: Catalog) -> None:
    old = publish(catalog, "a.txt", "old text")
    new = publish(catalog, "a.txt", "new text")
    catalog.record(make_outcome("a.txt", state=DocumentState.GONE), keep_version=False)
    assert visible(catalog, old + new, STAFF, current_only=False) == set()
    assert catalog.version_chunks(old[0].version_id) == ([], frozenset())
    assert catalog.current_versions() == {}
    assert catalog.files(SOURCE.id) == {}
    assert library(catalog, STAFF) == []
    for version in (old[0].version_id, new[0].version_id):
        with pytest.raises(NotFound):
            catalog.version(version, STAFF)
    assert catalog.states() == {DocumentState.GONE: 1}


def test_the_text_of_a_document_that_is_gone_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    database.migrate()
    catalog = Catalog(database)
    catalog.add_source(SOURCE)
    publish(catalog, "a.txt", "xylophone quartz")
    catalog.record(make_outcome("a.txt", state=DocumentState.GONE), keep_version=False)
    database.close()  # the write-ahead log is merged into the file
    assert b"xylophone quartz" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_document_that_comes_back_is_there_again(catalog: Catalog) -> None:
    publish(catalog, "a.txt", "text")
    catalog.record(make_outcome("a.txt", state=DocumentState.GONE), keep_version=False)
    again = publish(catalog, "a.txt", "text")
    assert visible(catalog, again, STAFF) == {again[0].id}
    assert inventory(catalog).total == 1


def test_removing_a_source_leaves_nothing_of_it(catalog: Catalog) -> None:
    other = Source("other", "Other", "/srv/other", frozenset({"staff"}))
    catalog.add_source(other)
    mine, theirs = publish(catalog, "a.txt", "text"), publish(catalog, "a.txt", "text", source=other)
    catalog.remove_source(SOURCE.id)
    assert visible(catalog, mine + theirs, STAFF, current_only=False) == {theirs[0].id}
    assert [source.id for source in catalog.sources()] == ["other"]
    assert catalog.source_names() == {"other": "Other"}
    assert catalog.states() == {DocumentState.INDEXED: 1}


def test_a_file_of_a_source_that_was_removed_meanwhile_is_not_stored(catalog: Catalog) -> None:
    catalog.remove_source(SOURCE.id)
    with pytest.raises(Conflict, match="source was removed"):
        publish(catalog, "a.txt", "text")
    with pytest.raises(Conflict, match="source was removed"):
        catalog.record(make_outcome("a.txt", state=DocumentState.FAILED), keep_version=False)
    assert inventory(catalog).total == 0


# what comes back as it went in


def test_a_chunk_comes_back_as_it_was_stored(catalog: Catalog) -> None:
    place = Place(
        page=3,
        label="Sheet «Ölpreis»\0",
        boxes=(Box(3, 0.1, 0.25, 0.5, 1.0), Box(4, 0.0, 0.0, 1.0, 0.12345)),
        headings=("Über uns", "A > B"),
        later=((7, ("Über uns", "C")), (9, ())),
    )
    outcome = make_outcome("a.txt")
    chunk = replace(make_chunk("text\0\u202e😀", document=outcome.document_id, version="v", place=place), language="de")
    pages = (PageCoverage(1, TextMeans.OCR, 12), PageCoverage(2, TextMeans.NONE, 0, "empty"))
    version = Version("v", outcome.document_id, "0" * 64, "p", datetime(2026, 1, 2, tzinfo=UTC), pages, chunk_count=1)
    catalog.publish(outcome, version, [chunk])
    assert catalog.passages("v", STAFF, limit=1, offset=0) == [chunk]
    assert catalog.version_chunks("v") == ([chunk], outcome.groups)
    assert catalog.version("v", STAFF) == version


def test_a_title_with_half_a_character_is_refused_in_words(catalog: Catalog) -> None:
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        publish(catalog, "a.txt", "text", title="\ud83d")
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        publish(catalog, "a.txt", "half a \ud83d smile")
    assert inventory(catalog).total == 0


def test_a_sync_finds_its_own_facts_again(catalog: Catalog) -> None:
    chunks = publish(catalog, "a.txt", "text", groups={"staff", "legal"})
    catalog.touch(chunks[0].document_id, size_bytes=7, modified_ns=2**62, changed_ns=3)
    facts = catalog.files(SOURCE.id)["a.txt"]
    assert (facts.size_bytes, facts.modified_ns, facts.state) == (7, 2**62, DocumentState.INDEXED)
    assert (facts.groups, facts.version_id) == (frozenset({"staff", "legal"}), chunks[0].version_id)


# sources


def test_an_index_may_still_bring_what_is_in_a_source_that_is_being_removed(catalog: Catalog) -> None:
    publish(catalog, "leave.txt", "Leave is 25 days.")
    document = make_outcome("leave.txt").document_id
    chunks = [chunk.id for chunk in catalog.document_chunks(document)]
    catalog.relabel(document, FileLabels.all(frozenset({"legal"})))
    assert catalog.closed_chunks(chunks, STAFF) == frozenset(chunks)
    catalog.hide_source(SOURCE.id)
    catalog.relabel(document, FileLabels.all(frozenset({"legal"})))  # by a sync that has not ended yet
    assert catalog.closed_chunks(chunks, STAFF) == frozenset()


def test_two_sources_cannot_share_a_name_or_a_folder(catalog: Catalog) -> None:
    for twin in (replace(SOURCE, id="x", path="/other"), replace(SOURCE, id="x", name="Other")):
        with pytest.raises(Conflict):
            catalog.add_source(twin)
    assert catalog.sources() == [SOURCE]


def test_a_source_keeps_its_rules_its_level_and_the_rights_on_its_share(catalog: Catalog) -> None:
    rules = (
        Rule(("hr/**", "a,b"), frozenset({"hr"}), "secret"),
        Rule(("x",), None, "public"),
        Rule(("y",), frozenset()),
    )
    share = Share(ShareKind.POSIX, (("group:hr", "hr"), ("others", "staff")))
    changed = replace(SOURCE, rules=rules, share=share, level="confidential")
    catalog.change_source(changed)
    assert catalog.source(SOURCE.id) == changed
    assert {"hr", "staff"} <= catalog.groups()
    assert {"secret", "public", "confidential"} <= catalog.levels()


def test_a_source_is_changed_and_an_unknown_one_is_not_found(catalog: Catalog) -> None:
    changed = replace(
        SOURCE, groups=frozenset({"legal"}), include=("**/*.pdf",), exclude=("old/**",), owner="Records", language="de"
    )
    changed = replace(changed, compare_every_s=60, watched=False, curated=True, paused=True)
    catalog.change_source(changed)
    assert catalog.source(SOURCE.id) == changed
    with pytest.raises(NotFound):
        catalog.source("unknown")
    with pytest.raises(NotFound):
        catalog.change_source(replace(SOURCE, id="unknown"))


# searching titles


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("übersicht", True),
        ("ÜBERSICHT ärzte", True),
        ("ÉTÉ", True),
        ("handbuch", True),
        ("sicht bersi", True),
        ("übersicht fehlt", False),
        ("100%", True),
        ("1%0", False),
        ("a_b", True),
        ("a?b", False),
        ("back\\slash", True),
    ],
)
def test_titles_and_paths_are_found_by_their_words_in_any_case(catalog: Catalog, text: str, found: bool) -> None:
    publish(catalog, "handbuch/a_b/back\\slash/été.txt", "text", title="Übersicht Ärzte 100%")
    assert bool(library(catalog, STAFF, text=text)) == found


def test_the_inventory_is_searched_by_path_and_never_by_title(catalog: Catalog) -> None:
    publish(catalog, "reports/Été_100%.txt", "text", title="The merger with Nordlicht")
    for text in ("été", "REPORTS 100%", "_100", ""):
        assert inventory(catalog, text=text).total == 1
    for text in ("merger", "nordlicht", "m", "reports merger", "é?é"):
        assert inventory(catalog, text=text).total == 0


def test_the_inventory_is_in_the_order_of_paths_whatever_the_titles(catalog: Catalog) -> None:
    for path, title in (("b.txt", "Alpha"), ("C.txt", "Beta"), ("a.txt", "Zulu")):
        publish(catalog, path, "text", title=title)
    assert [document.path for document in inventory(catalog).documents] == ["a.txt", "b.txt", "C.txt"]


def test_the_library_is_in_the_order_of_titles_whatever_their_case_and_pages_do_not_overlap(catalog: Catalog) -> None:
    for number, title in enumerate(["beta", "Alpha", "Überblick", "gamma", "übersicht", "Beta"]):
        publish(catalog, f"{number}.txt", "text", title=title)
    in_order = ["Alpha", "beta", "Beta", "gamma", "Überblick", "übersicht"]
    assert library(catalog, STAFF) == in_order
    pages = [catalog.library(STAFF, text="", source_id=None, limit=4, offset=offset) for offset in (0, 4, 8)]
    assert [document.title for page in pages for document in page.documents] == in_order
    assert [page.total for page in pages] == [6, 6, 6]


def test_the_inventory_counts_every_state_and_shows_each(catalog: Catalog) -> None:
    publish(catalog, "a.txt", "text")
    for number, state in enumerate([DocumentState.FAILED, DocumentState.REFUSED, DocumentState.FAILED]):
        catalog.record(make_outcome(f"{number}.txt", state=state, reason="because"), keep_version=False)
    assert catalog.states(SOURCE.id) == {
        DocumentState.INDEXED: 1,
        DocumentState.FAILED: 2,
        DocumentState.REFUSED: 1,
    }
    assert catalog.states("another") == {}
    assert inventory(catalog, state=DocumentState.FAILED).total == 2


def test_whatever_changes_what_readers_can_find_is_counted_and_nothing_else(catalog: Catalog) -> None:
    def counted(act: Callable[[], object]) -> bool:
        before = catalog.changes()
        act()
        return catalog.changes() > before

    outcome = make_outcome("leave.txt")
    assert counted(lambda: publish(catalog, "leave.txt", "Leave is 25 days."))
    assert counted(lambda: publish(catalog, "leave.txt", "Leave is 27 days."))
    assert counted(lambda: catalog.relabel(outcome.document_id, FileLabels.all(frozenset({"legal"}))))
    assert not counted(lambda: catalog.relabel(outcome.document_id, FileLabels.all(frozenset({"legal"}))))
    assert not counted(lambda: catalog.touch(outcome.document_id, size_bytes=1, modified_ns=2, changed_ns=3))
    assert not counted(lambda: catalog.library(STAFF, text="", source_id=None, limit=1, offset=0))
    assert counted(lambda: catalog.record(make_outcome("leave.txt", state=DocumentState.GONE), keep_version=False))
    assert counted(lambda: catalog.hide_source(SOURCE.id))
    assert counted(lambda: catalog.remove_source(SOURCE.id))
