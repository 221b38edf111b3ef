"""What the API makes of domain values."""

from __future__ import annotations

from appliance.api.wire import cited_chunk_out, grounding_out, passage_out, said_of
from appliance.catalog import ChunkInContext
from appliance.domain import AnswerKind, Citation, Grounding, Place, StatementCheck
from tests.data.builders import make_hit


def test_a_missing_number_is_told_where_it_stands_and_not_where_it_is_part_of_another() -> None:
    answer = "It grew by 3.5 percent in 5 years [5], at 5:30."
    check = StatementCheck(
        start=0, end=len(answer), cited=(5,), score=0.2, supported=False, comparable=True, numbers_missing=("5",)
    )
    told = grounding_out(Grounding(0.2, (check,)), answer)
    assert told is not None
    assert [answer[start : start + 7] for start, _ in told.statements[0].missing_at] == ["5 years"]


def stored(text: str, place: Place) -> ChunkInContext:
    hit = make_hit(text, place=place)
    return ChunkInContext(hit.chunk, hit.title, hit.path, hit.source, "00ff", current=True, dated="", signature=b"")


def test_a_citation_tells_the_heading_at_the_place_of_its_quotation() -> None:
    text = "Geneva\n230 francs.\nVienna\n230 francs."
    place = Place(headings=("Geneva",), later=((text.index("Vienna"), ("Vienna",)),))
    for at, heading in ((text.rindex("230"), "Vienna"), (text.index("230"), "Geneva"), (0, "Geneva")):
        assert passage_out(Citation(1, make_hit(text, place=place)), at).place.headings == [heading]
        assert cited_chunk_out(1, stored(text, place), at, "Vienna").place.headings == [heading]
    assert passage_out(Citation(1, make_hit(text, place=place))).place.headings == ["Geneva"]


def test_an_answer_of_before_tells_the_heading_that_its_quotation_is_found_under() -> None:
    text = "Bicycles\nThey stand in row 7.\nCars\nThey stand in\nrow 9 [2].\nNobody may stand there at night."
    place = Place(headings=("Garage", "Bicycles"), later=((text.index("Cars"), ("Garage", "Cars")),))
    cited = stored(text, place)
    answer = "“They stand in row 7.” [3]\n\n“… They stand in row 9 (2).” [1]\n\n“…\nNobody may stand …” [2]"
    said = said_of(answer, AnswerKind.EXTRACTIVE, [(1, 21), (answer.index("They", 9), answer.index("” [1]"))])
    assert (said[3], said[1]) == ("They stand in row 7.", "They stand in row 9 (2).")
    for quoted, heading in (
        (said[3], "Bicycles"),
        (said[1], "Cars"),  # its brackets and its line break are others than in the passage
        (said[2], "Cars"),  # which is quoted, and not marked
        ("Nothing of it.", "Bicycles"),
        ("", "Bicycles"),
    ):
        assert cited_chunk_out(3, cited, None, quoted).place.headings == ["Garage", heading], quoted
    assert said_of("Not shown.", AnswerKind.EXTRACTIVE, [(40, 60)]) == {}
    assert said_of("They stand in row 9 [1].", AnswerKind.GENERATED, []) == {}


def test_a_quotation_that_leaves_out_the_middle_of_a_table_is_found_by_its_first_row() -> None:
    text = "Bicycles\nRow 7\nCars\nKind | Row\nSmall | 9\nOther | 10\nLarge | 11"
    place = Place(headings=("Bicycles",), later=((text.index("Cars"), ("Cars",)),))
    said = said_of("“…\nKind | Row\n…\nLarge | 11\n” [1]", AnswerKind.EXTRACTIVE, [])
    assert cited_chunk_out(1, stored(text, place), None, said[1]).place.headings == ["Cars"]
