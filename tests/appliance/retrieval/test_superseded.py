"""What is packed of superseded documents."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import Hit
from appliance.retrieval.superseded import packed
from tests.data.builders import make_hit


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
