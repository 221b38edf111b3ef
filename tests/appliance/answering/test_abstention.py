"""Whether the documents may say anything to a question."""

from __future__ import annotations

import pytest

from appliance.answering.abstention import documents_may_say
from tests.data.builders import make_hit

QUESTION = "How long is parental leave?"


def test_nothing_found_means_the_documents_do_not_say() -> None:
    assert not documents_may_say(QUESTION, [], min_similarity=-1.0)


@pytest.mark.parametrize(("similarity", "may"), [(0.31, True), (0.30, True), (0.29, False), (-1.0, False)])
def test_a_hit_near_enough_in_meaning_is_enough(similarity: float, may: bool) -> None:
    hit = make_hit("Mothers stay at home for sixteen weeks.", similarity=similarity)
    assert documents_may_say(QUESTION, [hit], min_similarity=0.30) == may


def test_a_hit_that_only_words_found_needs_most_words_of_the_question() -> None:
    most = make_hit("PARENTAL leave: how long it is, is set by law.", similarity=None)
    few = make_hit("The leave of the tenant must be announced.", similarity=None)
    assert documents_may_say(QUESTION, [most], min_similarity=0.30)
    assert not documents_may_say(QUESTION, [few], min_similarity=0.30)


def test_words_of_title_and_headings_count_because_they_were_searched() -> None:
    hit = make_hit("16 weeks.", context="Leave > How long is parental leave", similarity=None)
    assert documents_may_say(QUESTION, [hit], min_similarity=0.30)


def test_only_the_best_three_hits_are_looked_at() -> None:
    far = [make_hit(f"far {rank}", rank=rank, similarity=0.1) for rank in (1, 2, 3)]
    near = make_hit("near", rank=4, similarity=0.9)
    assert not documents_may_say(QUESTION, [*far, near], min_similarity=0.30)
    assert documents_may_say(QUESTION, [*far[:2], near], min_similarity=0.30)


@pytest.mark.parametrize("question", ["", "?", "is it ok"])
def test_a_question_without_words_of_its_own_is_decided_by_similarity_alone(question: str) -> None:
    assert not documents_may_say(question, [make_hit("anything", similarity=0.1)], min_similarity=0.30)
    assert documents_may_say(question, [make_hit("anything", similarity=0.4)], min_similarity=0.30)
