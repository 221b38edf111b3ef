"""What the API makes of domain values."""

from __future__ import annotations

from appliance.api.wire import grounding_out
from appliance.domain import Grounding, StatementCheck


def test_a_missing_number_is_told_where_it_stands_and_not_where_it_is_part_of_another() -> None:
    answer = "It grew by 3.5 percent in 5 years [5], at 5:30."
    check = StatementCheck(
        start=0, end=len(answer), cited=(5,), score=0.2, supported=False, comparable=True, numbers_missing=("5",)
    )
    told = grounding_out(Grounding(0.2, (check,)), answer)
    assert told is not None
    assert [answer[start : start + 7] for start, _ in told.statements[0].missing_at] == ["5 years"]
