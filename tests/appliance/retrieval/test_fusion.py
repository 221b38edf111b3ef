"""Fusion of the two legs: pure, and the same for the same hits."""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.index.port import IndexHit, IndexLegs, NamedDocument
from appliance.retrieval.fusion import fuse as fuse_weighted

fuse = partial(fuse_weighted, dense_weight=0.6)

scores = st.integers(-4, 200).map(lambda quarters: quarters / 4)
hits = st.dictionaries(st.sampled_from("abcdefgh"), scores).map(
    lambda found: tuple(
        IndexHit(key, score) for key, score in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )
)
legs = st.builds(IndexLegs, hits, hits)


def leg(**found: float) -> tuple[IndexHit, ...]:
    return tuple(IndexHit(key, score) for key, score in found.items())


def test_nothing_found_is_nothing_fused() -> None:
    assert fuse(IndexLegs((), ())) == []


@settings(deadline=None)
@given(legs)
def test_every_chunk_that_a_leg_found_is_there_once_and_no_other(found: IndexLegs) -> None:
    fused = [hit.chunk_id for hit in fuse(found)]
    assert len(fused) == len(set(fused))
    assert set(fused) == {hit.chunk_id for hit in (*found.dense, *found.sparse)}


@settings(deadline=None)
@given(legs)
def test_the_list_is_best_first_and_equal_scores_are_in_the_order_of_chunk_ids(found: IndexLegs) -> None:
    order = [(-hit.score, hit.chunk_id) for hit in fuse(found)]
    assert order == sorted(order)
    assert all(hit.score <= 1.0 for hit in fuse(found))


@settings(deadline=None)
@given(legs, st.randoms())
def test_the_order_in_which_a_leg_hands_its_hits_over_changes_no_score(found: IndexLegs, chance: object) -> None:
    shuffled = IndexLegs(*(tuple(chance.sample(part, len(part))) for part in (found.dense, found.sparse)))  # type: ignore[attr-defined]
    assert [(hit.chunk_id, hit.score) for hit in fuse(shuffled)] == [(hit.chunk_id, hit.score) for hit in fuse(found)]


@settings(deadline=None)
@given(legs)
def test_ranks_and_similarity_are_those_of_the_legs(found: IndexLegs) -> None:
    for hit in fuse(found):
        for part, rank in ((found.dense, hit.dense_rank), (found.sparse, hit.sparse_rank)):
            if rank is None:
                assert all(other.chunk_id != hit.chunk_id for other in part)
            else:
                assert part[rank - 1].chunk_id == hit.chunk_id
        assert hit.similarity == (found.dense[hit.dense_rank - 1].score if hit.dense_rank else None)


def test_a_hit_of_both_legs_comes_before_the_best_of_one() -> None:
    found = IndexLegs(leg(a=0.9, b=0.8, x=0.1), leg(c=9.0, b=8.0, y=1.0))
    assert fuse(found)[0].chunk_id == "b"


def test_how_much_better_a_hit_is_counts_not_only_its_rank() -> None:
    found = IndexLegs(leg(a=0.9, b=0.6, c=0.5), leg(c=5.0, b=4.9, d=0.1))
    assert [hit.chunk_id for hit in fuse(found)] == ["b", "c", "a", "d"]


def test_the_scores_of_a_leg_are_shares_of_its_best() -> None:
    fused = fuse(IndexLegs(leg(b=7.0, a=7.0, c=3.5), leg(a=2.0)), dense_weight=0.5)
    assert [(hit.chunk_id, hit.score) for hit in fused] == [("a", 1.0), ("b", 0.5), ("c", 0.25)]


@settings(deadline=None)
@given(legs)
def test_how_much_nearer_a_chunk_is_says_what_its_score_gains_when_weight_goes_to_nearness(found: IndexLegs) -> None:
    more = {hit.chunk_id: hit.score for hit in fuse(found, dense_weight=0.8)}
    for hit in fuse(found, dense_weight=0.7):
        assert abs(hit.score + 0.1 * hit.nearer - more[hit.chunk_id]) < 1e-9


def test_where_nothing_is_near_the_order_of_the_leg_stays() -> None:
    fused = fuse(IndexLegs(leg(b=-0.1, a=-0.4), ()))
    assert [hit.chunk_id for hit in fused] == ["b", "a"]
    assert fused[0].score == 0.0


def test_a_named_document_comes_first_if_it_is_named_clearly_and_a_common_word_changes_little() -> None:
    found = IndexLegs(leg(a=0.9, b=0.8, c=0.7), leg(a=9.0, b=8.0, c=7.0))
    documents = {"a": "first", "b": "second", "c": "second"}

    def order(*named: NamedDocument) -> list[str]:
        return [hit.chunk_id for hit in fuse(found, document_of=documents, named=named)]

    assert order() == ["a", "b", "c"]
    assert order(NamedDocument("second", 2.0), NamedDocument("first", 0.4)) == ["b", "c", "a"]
    assert order(NamedDocument("second", 0.3)) == ["a", "b", "c"]
    assert order(NamedDocument("unknown", 2.0)) == ["a", "b", "c"]


@settings(deadline=None)
@given(legs)
def test_all_the_weight_on_one_leg_is_the_order_of_that_leg(found: IndexLegs) -> None:
    fused = fuse(found, dense_weight=1.0)
    assert [hit.chunk_id for hit in fused if hit.dense_rank is not None] == [hit.chunk_id for hit in found.dense]
