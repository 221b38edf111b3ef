"""Which edition is the newest, and what is packed of superseded documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.catalog import Edition, resemblance
from appliance.domain import Hit
from appliance.retrieval.editions import name_of, names_of, newer, same_place
from appliance.retrieval.superseded import ALIKE, Namesakes, packed
from tests.data.builders import make_hit
from tests.growth import assert_linear

_VALUES = np.arange(64, dtype="<u4")
_SIGNATURES = [
    b"",
    *((np.where(np.arange(64) < share, _VALUES, _VALUES + 100 * share)).tobytes() for share in (16, 24)),
]
_SIGNATURES.append(_VALUES.tobytes())
_MARKS = ("", " 2024", " 2024-03", " 2024-03-01", " 2024-03-08", " 2025", " v1", " v1.2", " v2", " rev B", " 2024 v2")
_FOLDERS = ("", "board/", "board/archive/", "staff/")


@st.composite
def made_up(draw: st.DrawFn, number: int = 0) -> Edition:
    file, title = (
        f"{draw(st.sampled_from(('Minutes', 'Minutes', 'Policy')))}{draw(st.sampled_from(_MARKS))}" for _ in range(2)
    )
    return Edition(
        str(number),
        draw(st.sampled_from((title, file, ""))),
        f"{draw(st.sampled_from(_FOLDERS))}{file}.pdf",
        "files",
        draw(st.sampled_from(("", "2024-05-01", "2025-01-01"))),
        draw(st.sampled_from(_SIGNATURES)),
    )


def hit_of(edition: Edition) -> Hit:
    return replace(
        make_hit("1", rank=1),
        title=edition.title,
        path=edition.path,
        source=edition.source,
        dated=edition.dated,
    )


def newest_of_pairs(hit: Hit, signature: bytes, others: Sequence[Edition]) -> Edition | None:
    """The newest edition, told from pairs of documents one after the other."""
    is_series, newest = any(len(name.date) > 1 for name in names_of(hit)), None
    for other in others:
        later = [newer(one, other) for one in (hit, newest or hit)]
        by_place = same_place(hit, other) and not (is_series and signature and other.signature)
        if all(it and it.hit is other for it in later) and (
            by_place or resemblance(signature, other.signature) >= ALIKE
        ):
            newest = other
    return newest


def policy(mark: str) -> Edition:
    return Edition(mark, "", f"Policy {mark}.pdf", "files", "", b"")


@settings(max_examples=400)
@example(hit=policy("2024-03 v1"), others=[policy("2024 v2"), policy("2024-02 v3")])  # newer than the newer one alone
@given(hit=made_up(), others=st.lists(made_up(), max_size=12))
def test_the_newest_edition_is_the_one_that_pairs_of_documents_tell(hit: Edition, others: list[Edition]) -> None:
    found = Namesakes(others).newest_edition(hit_of(hit), hit.signature)
    assert found is newest_of_pairs(hit_of(hit), hit.signature, others)


def weekly(count: int) -> list[Edition]:
    days = [(date(1950, 1, 1) + timedelta(weeks=week)).isoformat() for week in range(count)]
    return [Edition(day, f"Minutes {day}", f"Minutes {day}.pdf", "files", day, _SIGNATURES[-1]) for day in days]


def test_the_newest_of_a_long_series_is_found_in_one_pass() -> None:
    def work(series: list[Edition]) -> None:
        namesakes = Namesakes(series)
        assert namesakes.newest_edition(hit_of(series[0]), _SIGNATURES[-1]) is series[-1]

    assert_linear(work, weekly, 1600)


def test_each_name_of_a_series_is_read_once_however_many_documents_of_it_are_found() -> None:
    def read(series: list[Edition], found: int) -> int:
        before = name_of.cache_info()
        namesakes = Namesakes(series)
        for one in series[:found]:
            assert namesakes.newest_edition(hit_of(one), _SIGNATURES[-1]) is series[-1]
        after = name_of.cache_info()
        return after.hits + after.misses - before.hits - before.misses

    short, long = weekly(60), weekly(240)
    assert read(short, 50) - read(short, 1) == read(long, 50) - read(long, 1)


def hits_of(documents: list[str], newest: dict[str, str]) -> list[Hit]:
    """A hit of each of these documents, in this order; `newest` says which is superseded by which."""
    made = [make_hit(str(rank), rank=rank) for rank in range(1, len(documents) + 1)]
    return [
        replace(hit, chunk=replace(hit.chunk, document_id=name), superseded_by=newest.get(name, ""))
        for name, hit in zip(documents, made, strict=True)
    ]


def ranks(documents: str, newest: dict[str, str], most: int) -> list[int]:
    return [hit.rank for hit in packed(hits_of(list(documents), newest), most)]


def test_the_best_hit_of_the_newest_edition_stands_directly_behind_what_it_supersedes() -> None:
    assert ranks("abcdnn", {"a": "n"}, 4) == [1, 5, 2, 3]
    assert ranks("banc", {"a": "n"}, 3) == [1, 2, 3]
    assert ranks("nab", {"a": "n"}, 3) == [1, 2, 3]
    assert ranks("aabn", {"a": "n"}, 9) == [1, 4, 2, 3]  # once


def test_what_has_no_room_beside_its_newest_edition_gives_way_to_it() -> None:
    assert ranks("abn", {"a": "n"}, 1) == [3]
    assert ranks("banc", {"a": "n"}, 2) == [1, 3]


_NEWEST = {"a": "n", "b": "n", "c": "m"}


@given(documents=st.lists(st.sampled_from("abcdmn"), max_size=14), most=st.integers(1, 16))
def test_no_superseded_document_is_packed_without_its_newest_edition(documents: list[str], most: int) -> None:
    hits = hits_of(documents, {old: new for old, new in _NEWEST.items() if new in documents})
    chosen = packed(hits, most)
    there = {hit.chunk.document_id for hit in chosen}
    assert all(hit.superseded_by in there for hit in chosen if hit.superseded_by)
    assert len(chosen) == len({hit.chunk.id for hit in chosen}) == min(most, len(hits))
    if not any(hit.superseded_by for hit in hits):
        assert chosen == hits[:most]
