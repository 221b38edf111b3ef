"""Counting terms within access, held against counting them one by one."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import AccessFilter
from appliance.index.statistics import Change, TermStatistics, load_statistics, save_statistics

Held = list[tuple[frozenset[str], tuple[int, ...]]]

TERMS = (0, 1, 2, 3, 2**31, 2**32 - 1)
GROUPS = ("a", "b", "c")
chunks = st.tuples(st.frozensets(st.sampled_from(GROUPS)), st.frozensets(st.sampled_from(TERMS)).map(tuple))
accesses = st.frozensets(st.sampled_from((*GROUPS, "d"))).map(AccessFilter)


def after(steps: list[tuple[Held, int]]) -> tuple[TermStatistics, Held]:
    """The statistics after steps that each add chunks and remove so many of the oldest, and what is left."""
    statistics, held = TermStatistics(), []
    for added, removed in steps:
        held += added
        gone, held = held[:removed], held[removed:]
        statistics = statistics.changed(
            [*(Change(*chunk, 1) for chunk in added), *(Change(*chunk, -1) for chunk in gone)]
        )
    return statistics, held


def change(groups: set[str], *terms: int) -> Change:
    return Change(frozenset(groups), terms, 1)


def weight(total: int, found: int) -> float:
    return math.log(1 + (total - found + 0.5) / (found + 0.5)) if found else 0.0


@given(st.lists(st.tuples(st.lists(chunks, max_size=12), st.integers(0, 8)), max_size=8), accesses)
def test_terms_weigh_what_counting_one_by_one_gives(steps: list[tuple[Held, int]], access: AccessFilter) -> None:
    statistics, held = after(steps)
    visible = [terms for label, terms in held if label & access.groups]
    assert statistics.total(access) == len(visible)
    expected = [weight(len(visible), sum(term in terms for terms in visible)) for term in TERMS]
    assert statistics.idf(TERMS, access).tolist() == pytest.approx(expected)


@given(st.lists(st.tuples(st.lists(chunks, max_size=12), st.integers(0, 8)), max_size=6), st.lists(chunks), accesses)
def test_what_a_reader_cannot_see_changes_no_bit(
    steps: list[tuple[Held, int]], secret: Held, access: AccessFilter
) -> None:
    statistics, _ = after(steps)
    closed = [Change(label - access.groups, terms, 1) for label, terms in secret]
    assert statistics.changed(closed).idf(TERMS, access).tobytes() == statistics.idf(TERMS, access).tobytes()


@given(st.lists(st.tuples(st.lists(chunks, max_size=12), st.integers(0, 8)), max_size=6), st.lists(chunks), accesses)
def test_what_stands_on_no_chunk_may_be_left_out_of_what_a_reader_carries(
    steps: list[tuple[Held, int]], secret: Held, access: AccessFilter
) -> None:
    statistics, held = after(steps)
    met = statistics.met(access)
    assert met.groups == access.groups & frozenset().union(*(label for label, _ in held))
    assert statistics.idf(TERMS, met).tobytes() == statistics.idf(TERMS, access).tobytes()
    closed = [Change(label - access.groups, terms, 1) for label, terms in secret]
    assert statistics.changed(closed).met(access) == met  # and what is left says nothing of what they cannot see


def test_a_change_leaves_the_statistics_that_a_search_has_in_hand_as_they_are() -> None:
    before = TermStatistics().changed([change({"a"}, 1), change({"a"}, 2)])
    weights = before.idf([1, 2], AccessFilter(frozenset({"a"}))).tolist()
    before.changed([change({"a"}, 1)] * 10)
    assert before.idf([1, 2], AccessFilter(frozenset({"a"}))).tolist() == weights


def test_many_small_changes_leave_few_layers() -> None:
    statistics = TermStatistics()
    for number in range(500):
        statistics = statistics.changed([change({"a"}, number, number + 1)])
    assert len(statistics.layers) <= 10
    assert statistics.total(AccessFilter(frozenset({"a"}))) == 500


@given(st.lists(st.tuples(st.lists(chunks, max_size=12), st.integers(0, 8)), max_size=6), accesses)
def test_they_come_back_from_a_file_as_they_were(steps: list[tuple[Held, int]], access: AccessFilter) -> None:
    statistics, _ = after(steps)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "statistics"
        save_statistics(path, {"one": statistics, "other": TermStatistics()})
        found = load_statistics(path, ("one", "other"))
    assert found["one"].labels == statistics.labels
    assert found["one"].chunks == statistics.chunks
    assert found["one"].idf(TERMS, access).tobytes() == statistics.idf(TERMS, access).tobytes()
    assert found["other"].total(access) == 0


def test_statistics_under_another_name_are_none(tmp_path: Path) -> None:
    save_statistics(tmp_path / "statistics", {"one": TermStatistics()})
    with pytest.raises(KeyError):
        load_statistics(tmp_path / "statistics", ("other",))


def test_labels_that_no_chunk_has_any_more_are_forgotten_and_nothing_else_changes() -> None:
    mine = AccessFilter(frozenset({"mine"}))
    stay = [change({"mine"}, 1, 2), change({"mine", "first"}, 2, 2**32 - 1), change({"last"}, 1)]
    passing = [change({f"group {number}"}, 1, 2, number) for number in range(1000)]
    statistics = TermStatistics().changed([stay[0], *passing[:500], stay[1], *passing[500:], stay[2]])
    for gone in passing:
        statistics = statistics.changed([Change(gone.groups, gone.terms, -1)])
    plain = TermStatistics().changed(stay)
    assert len(statistics.labels) < 200
    assert statistics.total(mine) == plain.total(mine) == 2
    for access in (mine, AccessFilter(frozenset({"last"})), AccessFilter(frozenset({"first", "last", "group 7"}))):
        assert statistics.idf(TERMS, access).tobytes() == plain.idf(TERMS, access).tobytes()
        assert statistics.met(access) == plain.met(access)
