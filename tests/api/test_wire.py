"""What the API makes of domain values."""

from __future__ import annotations

from appliance.api.wire import grounding_out, passage_out, said_of
from appliance.domain import Citation, Grounding, Place, StatementCheck
from tests.data.builders import make_hit


def test_a_missing_number_is_told_where_it_stands_and_not_where_it_is_part_of_another() -> None:
    answer = "It grew by 3.5 percent in 5 years [5], at 5:30."
    check = StatementCheck(
        start=0, end=len(answer), cited=(5,), score=0.2, supported=False, comparable=True, numbers_missing=("5",)
    )
    told = grounding_out(Grounding(0.2, (check,)), answer)
    assert told is not None
    assert [answer[start : start + 7] for start, _ in told.statements[0].missing_at] == ["5 years"]


def test_a_citation_tells_the_heading_that_its_quotation_stands_under() -> None:
    text = "Bicycles\nThey stand in row 7.\nCars\nThey stand in row 9 [2]."
    place = Place(headings=("Garage", "Bicycles"), later=((text.index("Cars"), ("Garage", "Cars")),))
    cited = Citation(3, make_hit(text, place=place))
    answer = "“They stand in row 7.” [3]\n\n“They stand in row 9 (2).” [1]"
    said = said_of(answer, [(1, 21), (answer.index("They", 9), len(answer) - 5)])
    assert said == {3: "They stand in row 7.", 1: "They stand in row 9 (2)."}
    for quoted, heading in (
        ("They stand in row 7.", "Bicycles"),
        ("They stand in row 9", "Cars"),
        ("They stand in row 9 (2).", "Bicycles"),  # its brackets were changed: told is where the passage begins
        ("", "Bicycles"),
    ):
        assert passage_out(cited, quoted).place.headings == ["Garage", heading], quoted
    assert said_of("Not shown.", [(40, 60)]) == {}
