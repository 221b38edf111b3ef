"""Closeness of a question's words in a passage."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.retrieval.closeness import closeness
from tests.growth import assert_linear

QUESTION = "What notice period applies to senior managers?"
FILLER = "Other matters are dealt with elsewhere in this handbook and need no further words. " * 4
texts = st.dictionaries(st.sampled_from("abcd"), st.text("notice period senior.\n-ßé\u0301\u200b", max_size=60))


def test_words_in_one_sentence_count_more_than_the_same_words_far_apart() -> None:
    together = "The notice period for senior managers is six months. " + FILLER * 2
    apart = f"Notice. {FILLER} Period. {FILLER} Senior. Managers."
    found = closeness(QUESTION, "en", {"together": together, "apart": apart})
    assert found["together"] > found["apart"] > 0


def test_words_in_the_order_of_the_question_count_more_than_the_same_words_in_another() -> None:
    found = closeness(QUESTION, "en", {"kept": "notice period", "turned": "period notice"})
    assert found["kept"] > found["turned"]


def test_a_pair_may_have_one_word_between_but_not_two() -> None:
    found = closeness("senior managers", "en", {"one": "senior sales managers", "two": "senior and other managers"})
    assert found["one"] > found["two"]


def test_a_pair_that_few_candidates_have_counts_more() -> None:
    common = {f"common {number}": "parental leave" for number in range(9)}
    found = closeness("parental leave carryover limit", "en", {**common, "rare": "carryover limit"})
    assert found["rare"] > found["common 0"]


def test_other_forms_of_a_word_are_the_word_and_longer_words_are_not() -> None:
    found = closeness("plan", "en", {"same": "plans", "other": "planetarium", "inside": "explan"})
    assert found["same"] > found["other"] == found["inside"] == 0.0


def test_spelling_and_case_do_not_matter() -> None:
    found = closeness("KÜNDIGUNGSFRIST", "de", {"a": "Kündigungsfrist", "b": "ku\u0308ndigungs\u00adfrist"})
    assert found["a"] == found["b"] > 0


def test_stop_words_alone_say_nothing() -> None:
    assert closeness("what is it?", "en", {"a": "what is it"}) == {"a": 0.0}
    assert closeness("", "", {"a": "anything"}) == {"a": 0.0}


@settings(deadline=None)
@given(st.text("notice period senior", max_size=40), texts)
def test_every_candidate_gets_a_value_within_the_limits(question: str, found: dict[str, str]) -> None:
    values = closeness(question, "en", found)
    assert values.keys() == found.keys()
    assert all(0 <= value <= 0.3 + 1e-9 for value in values.values())


@settings(deadline=None)
@given(texts)
def test_the_order_of_the_candidates_does_not_matter(found: dict[str, str]) -> None:
    turned = dict(reversed(found.items()))
    assert closeness(QUESTION, "en", found) == closeness(QUESTION, "en", turned)


def test_long_and_monotonous_input_takes_linear_time() -> None:
    def work(size: int) -> None:
        closeness("notice period " * size, "en", {"a": "notice period " * size, "b": "n" * 15 * size})

    assert_linear(work, int, 2_000)
