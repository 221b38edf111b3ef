"""Completing a question with other names of what it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import ConfigurationError
from appliance.retrieval.glossary import Glossary, load_glossary

OWN = Glossary(
    [
        ["capex", "capital expenditure", "purchases of property"],
        ["AU", "sick note"],
        ["capital", "equity"],
        ["P&L", "income statement"],
    ]
)


def test_a_question_is_completed_with_the_other_names_of_what_it_names() -> None:
    assert OWN.complete("What was the capex?") == "What was the capex? (capital expenditure; purchases of property)"
    assert OWN.complete("the P&L of 2022") == "the P&L of 2022 (income statement)"


def test_case_and_plural_do_not_matter_but_the_capitals_of_short_abbreviations_do() -> None:
    assert "purchases" in OWN.complete("Capital Expenditures?")
    assert OWN.complete("Wann brauche ich eine AU?") == "Wann brauche ich eine AU? (sick note)"
    assert OWN.complete("Je vais au bureau") == "Je vais au bureau"


def test_the_longest_name_counts_and_parts_of_words_do_not() -> None:
    assert "equity" not in OWN.complete("the capital expenditure")
    assert OWN.complete("recapitalised capexes of today") == "recapitalised capexes of today"


def test_what_stands_in_the_question_is_not_added() -> None:
    assert OWN.complete("capex, that is purchases of property") == (
        "capex, that is purchases of property (capital expenditure)"
    )


def test_a_name_of_several_things_is_completed_with_the_names_of_all_of_them() -> None:
    shipped = load_glossary()
    assert shipped.complete("Who is our DPO?") == (
        "Who is our DPO? (days payable outstanding; accounts payable, cost of sales; data protection officer; "
        "Datenschutzbeauftragter)"
    )
    assert shipped.complete("Who pays for PPE?") == (
        "Who pays for PPE? (PP&E; property, plant and equipment; personal protective equipment; "
        "persönliche Schutzausrüstung)"
    )


def test_of_several_things_the_question_means_the_one_that_it_calls_by_another_name_too() -> None:
    shipped = load_glossary()
    assert shipped.complete("Who is DPO, the data protection officer?") == (
        "Who is DPO, the data protection officer? (Datenschutzbeauftragter)"
    )
    assert shipped.complete("days payable outstanding (DPO)") == (
        "days payable outstanding (DPO) (accounts payable, cost of sales)"
    )
    assert "officer" in shipped.complete("DPO, DPO and DPO?")  # the same name again says nothing more


def test_turnover_of_staff_is_no_revenue() -> None:
    assert "revenue" in load_glossary().complete("the turnover of 2025")
    assert "revenue" not in load_glossary().complete("the staff turnover of 2025")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_question_is_never_changed_only_completed(question: str) -> None:
    assert load_glossary().complete(question).startswith(question)


def test_a_long_list_of_names_does_not_drown_the_question() -> None:
    many = Glossary([[f"word{number}", f"other{number}"] for number in range(50)])
    question = " ".join(f"word{number}" for number in range(50))
    assert many.complete(question).count("other") == 6


def test_an_organisations_own_names_come_before_the_shipped_ones(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('same = [["Kiosk", "canteen"], ["capex", "Invest"]]', encoding="utf-8")
    glossary = load_glossary(str(own))
    assert glossary.complete("Is the kiosk open?") == "Is the kiosk open? (canteen)"
    for question in ("capex?", "capex, which is capital expenditure?"):
        completed = glossary.complete(question)
        assert completed.index("Invest") < completed.index("property, plant and equipment")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("same = [", "is not valid TOML"),
        ("other = 1", "has no list 'same'"),
        ('same = [["alone"]]', "Entry 1 of the glossary"),
        ('same = [["a", "b"], ["ok", 3]]', "Entry 2 of the glossary"),
        ('same = [["a", "?!"]]', "Entry 1 of the glossary"),
    ],
)
def test_a_glossary_that_is_wrong_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_glossary(str(own))


def test_a_glossary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_glossary(str(tmp_path / "none.toml"))
