"""The row of a table that is for what the table does not name. (By a name in the same column: `test_extract`.)"""

from __future__ import annotations

import pytest

from appliance.answering.others import lines_of_cells, of_kind
from tests.growth import assert_linear


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("City", "Other cities"),
        ("Country", "All other countries"),
        ("Countries", "The remaining countries"),
        ("Country of destination", "The other countries"),
        ("Land", "Übrige Länder"),
        ("Pays", "Autres pays"),
        ("Città", "Altre città"),
        ("País", "Otros países"),
    ],
)
def test_a_row_is_for_all_others_of_the_kind_that_its_column_names(head: str, row: str) -> None:
    assert of_kind(lines_of_cells(f"Per night\n{head} | Limit\nGeneva | 230\nRio de Janeiro | 90\n{row} | 120")) == 4
    assert of_kind(lines_of_cells(f"Limit | {head}\n230 | Geneva\n120 | {row} abroad")) == 2


@pytest.mark.parametrize(
    "table",
    [
        "Assets | 2025\nCash and cash equivalents | 5\nOther assets | 7",  # what stands there are no names
        "Room | Limit\nGeneva | 230\nOther cities | 120",
        "City | Limit\nGeneva | 230\nOthers | 120",
        "City | Limit\nGeneva | 230\nBern | Other cities",
        "Other cities | Limit\nGeneva | 230",
        "City\nGeneva: 230\nOther cities: 120",
        "Limit\n230 | Other cities",
        "",
    ],
)
def test_what_the_others_are_others_of_must_be_known(table: str) -> None:
    assert of_kind(lines_of_cells(table)) is None


@pytest.mark.parametrize("row", ["Bern | 90", "Other rooms | 90", "Other cities | 90", "a word | Other cities"])
def test_the_time_to_look_for_it_grows_with_the_table_and_no_faster(row: str) -> None:
    assert_linear(of_kind, lambda size: lines_of_cells("City | Limit\n" + f"{row}\n" * size), 1_200)
