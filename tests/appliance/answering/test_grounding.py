"""An answer, held statement by statement against the passages it cites."""

from __future__ import annotations

from dataclasses import replace

from appliance.answering.grounding import grounding
from appliance.domain import Citation, Place
from tests.data.builders import make_hit, make_passages
from tests.growth import assert_linear

PASSAGES = make_passages(
    "Invoices are kept for ten years from the day of booking.",
    "Applications of candidates are deleted after six months.",
)


def test_what_stands_in_its_passage_is_supported() -> None:
    found = grounding(
        "Invoices are kept for 10 years [1]. Applications are deleted after 6 months [2].", PASSAGES, "en"
    )
    assert [check.supported for check in found.statements] == [True, True]
    assert found.score == 1.0


def test_a_number_that_stands_in_another_passage_only_is_missing() -> None:
    (check,) = grounding("Invoices are kept for 6 years [1].", PASSAGES, "en").statements
    assert (check.supported, check.numbers_missing) == (False, ("6",))


def test_a_number_in_words_that_its_passage_does_not_have_is_missing() -> None:
    said = "Invoices are kept for twelve years [1]. Invoices are kept for ten years [1]. Two of them are kept [1]."
    first, second, third = grounding(said, PASSAGES, "en").statements
    assert (first.supported, first.numbers_missing) == (False, ("twelve years",))
    assert second.supported
    assert third.numbers_missing == ()


def test_words_that_stand_nowhere_are_not_supported_even_without_a_number() -> None:
    (check,) = grounding("The canteen serves vegetarian dishes [1].", PASSAGES, "en").statements
    assert not check.supported
    assert check.score == 0.0


def test_a_statement_without_a_marker_is_held_against_all_that_is_cited() -> None:
    text = "Applications are deleted after 6 months. Invoices are kept for 10 years [1][2]."
    first, second = grounding(text, PASSAGES, "en").statements
    assert (first.cited, first.supported) == ((), True)
    assert (second.cited, second.supported) == ((1, 2), True)


def test_an_answer_that_cites_nothing_stands_on_nothing() -> None:
    found = grounding("Invoices are kept for 10 years.", (), "en")
    assert (found.score, found.statements[0].supported) == (0.0, False)
    assert found.statements[0].numbers_missing == ("10",)


def test_title_headings_and_page_count_because_the_model_saw_them() -> None:
    hit = make_hit("It may cost at most 240 CHF.", title="Travel policy 2024", place=Place(7, headings=("Hotels",)))
    (check,) = grounding(
        "On page 7 the travel policy of 2024 allows hotels for 240 CHF [1].", [Citation(1, hit)], "en"
    ).statements
    assert check.supported


def test_the_page_a_passage_stands_on_counts_as_a_page_alone() -> None:
    cited = [Citation(1, make_hit("Invoices are kept for ten years.", place=Place(5, label="5")))]
    wrong, right, other = grounding(
        "Invoices are kept 5 years [1]. Invoices: page 5 says years [1]. Invoices: page 6 says years [1].", cited, "en"
    ).statements
    assert (wrong.numbers_missing, right.numbers_missing, other.numbers_missing) == (("5",), (), ("6",))


def test_claims_of_headings_and_lead_ins_are_judged_by_their_numbers() -> None:
    text = (
        "# Invoices for 99 million\n## 2. Retention\nInvoices are kept for 98 years, namely:\n"
        "- Invoices are kept for ten years [1]\nIn short:\n**1. Applications:**\n- Applications are deleted [2]"
    )
    found = grounding(text, PASSAGES, "en")
    assert [check.numbers_missing for check in found.statements] == [("99",), ("98",), (), ()]
    assert found.score < 1.0


def test_a_long_answer_is_checked_in_time_linear_in_its_length() -> None:
    cited = make_passages(*("Invoices of 2024 are kept for ten years. " * 100 for _ in range(8)))
    assert_linear(lambda text: grounding(text, cited, "en"), "Invoices are kept for 10 years [1][2]. ".__mul__, 500)


def test_the_score_weighs_statements_by_their_length() -> None:
    text = "Invoices are kept for ten years from the day of booking [1]. Cats bark [1]."
    assert 0.7 < grounding(text, PASSAGES, "en").score < 0.9


def test_rows_of_a_table_are_checked_one_by_one() -> None:
    text = "| What | Kept |\n|---|---|\n| Invoices | 10 years [1] |\n| Applications | 9 months [2] |"
    first, second = grounding(text, PASSAGES, "en").statements
    assert first.supported
    assert second.numbers_missing == ("9",)


def test_another_language_than_the_passages_is_judged_by_its_numbers_alone() -> None:
    text = "Rechnungen bewahrt man 10 Jahre auf [1]. Bewerbungen werden gelöscht [2]. Belege 7 Jahre [1]."
    first, second, third = grounding(text, PASSAGES, "de").statements
    assert (first.comparable, first.supported) == (True, True)
    assert second.comparable is False
    assert (third.supported, third.numbers_missing) == (False, ("7",))


def test_words_are_compared_when_the_language_of_a_passage_is_not_known() -> None:
    unknown = [replace(c, hit=replace(c.hit, chunk=replace(c.hit.chunk, language=""))) for c in PASSAGES]
    (check,) = grounding("Katzen bellen laut [1].", unknown, "de").statements
    assert (check.comparable, check.supported) == (True, False)


def test_a_list_number_or_a_marker_is_no_number_of_the_answer() -> None:
    found = grounding("1. Invoices are kept for ten years [1].\n2. Applications are deleted [2].", PASSAGES, "en")
    assert all(check.numbers_missing == () for check in found.statements)


def test_a_bare_yes_is_not_judged() -> None:
    yes, rest = grounding("Yes [1]. Invoices are kept [1].", PASSAGES, "en").statements
    assert (yes.comparable, rest.comparable) == (False, True)


def test_an_empty_answer_has_no_statement() -> None:
    assert grounding("", PASSAGES, "en").statements == ()
