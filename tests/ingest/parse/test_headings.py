"""What of a PDF is a heading, what says a heading again, and what stands under what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.domain import Box
from ingest.parse.elements import Element, ElementKind
from ingest.parse.headings import Draft, finished

TEXT = "What a paragraph says at some length, to tell which type is the usual one. " * 4


@dataclass(frozen=True)
class Line:
    """A block of a made-up page: its text, the height of its type, how far down it stands."""

    text: str
    height: float = 10
    top: float = 0.15
    bold: bool = False


def read(pages: Sequence[Sequence[Line]]) -> list[Element]:
    drafts = []
    for number, page in enumerate(pages, start=1):
        for at, line in enumerate(page):
            top = line.top + 0.05 * at
            element = Element(ElementKind.TEXT, line.text, page=number, boxes=(Box(number, 0.1, top, 0.9, top + 0.02),))
            drafts.append(Draft(element, line.height, bold=line.bold, margin=top < 0.08, lines=1))
    return list(finished(drafts, len(pages)))


def paths(elements: Sequence[Element]) -> dict[int | None, list[str]]:
    """The headings that the last paragraph of each page stands under, as chunks have them."""
    path: list[tuple[int, str]] = []
    found: dict[int | None, list[str]] = {}
    for element in elements:
        if element.level:
            path = [(level, text) for level, text in path if level < element.level] + [(element.level, element.text)]
        elif element.kind is ElementKind.TEXT:
            found[element.page] = [text for _, text in path]
    return found


def test_the_name_of_a_section_at_the_head_of_its_pages_is_a_heading_once() -> None:
    names = ["Report", "Report (continued)", "Report (continued)", "Notes", "Notes", "Report"]
    pages = [[Line(name, 16), Line(f"Part {n}", bold=True), Line(TEXT)] for n, name in enumerate(names)]
    elements = read(pages)
    assert paths(elements) == {
        1: ["Report", "Part 0"],
        2: ["Report", "Part 1"],
        3: ["Report", "Part 2"],
        4: ["Notes", "Part 3"],
        5: ["Notes", "Part 4"],
        6: ["Report", "Part 5"],
    }
    assert [element.page for element in elements if element.kind is ElementKind.HEADER] == [2, 3, 5]


def test_headings_that_are_alike_but_for_a_number_or_stand_elsewhere_are_headings() -> None:
    chapters = read([[Line(f"Chapter {number}", 16), Line(TEXT)] for number in range(4)])
    assert paths(chapters)[4] == ["Chapter 3"]
    elsewhere = read([[Line("Risks", 16, top=top), Line(TEXT)] for top in (0.15, 0.4, 0.6)])
    assert [element.page for element in elsewhere if element.level] == [1, 2, 3]


def test_the_largest_type_in_the_middle_of_a_document_does_not_stand_above_all_that_follows() -> None:
    pages = [[Line("Annual report", 20), Line(TEXT)]]
    pages += [[Line(f"Section {number}", 14), Line(TEXT)] for number in range(8)]
    pages += [[Line("PENSION PLAN", 26), Line(TEXT)]]
    pages += [[Line(f"Section {number}", 14), Line(TEXT)] for number in range(8, 20)]
    found = paths(read(pages))
    assert found[9] == ["Annual report", "Section 7"]
    assert found[11] == ["PENSION PLAN", "Section 8"]
    assert found[20] == ["Section 17"]


def test_chapters_reach_as_far_as_chapters_of_the_document_do() -> None:
    pages = []
    for chapter in range(3):
        pages += [[Line(f"Chapter {'ABC'[chapter]}", 20), Line(TEXT)]]
        pages += [[Line(f"Section {chapter}{number}", 14), Line(TEXT)] for number in range(12)]
    found = paths(read(pages))
    assert found[13] == ["Chapter A", "Section 011"]
    assert found[39] == ["Chapter C", "Section 211"]


def test_a_numbered_heading_stands_under_the_one_with_its_number() -> None:
    pages = [
        [Line("Manual", 24), Line(TEXT)],
        [Line("3 Operation", 20), Line("Caution", 18), Line(TEXT), Line("3.8 Steam", 14), Line(TEXT)],
        [Line("3.8.1 Wands", 14), Line(TEXT), Line("3.9 Milk", 14), Line(TEXT)],
    ]
    elements = read(pages)
    assert [(element.text, element.level) for element in elements if element.level] == [
        ("Manual", 1), ("3 Operation", 2), ("Caution", 3), ("3.8 Steam", 3), ("3.8.1 Wands", 4), ("3.9 Milk", 3),
    ]  # fmt: skip


def test_a_part_of_a_document_in_larger_type_throughout_is_not_all_headings() -> None:
    """Exhibits that are bound in have type of their own; what is a heading there is larger than is usual there."""
    pages = [[Line(TEXT * 3)] for _ in range(9)]
    exhibit = "A term has the meaning that is given to it in this agreement"
    pages += [[Line(f"Article {n}", 18), *[Line(exhibit, 13)] * 16, Line(exhibit + ".", 13)] for n in range(6)]
    headings = [element.text for element in read(pages) if element.level]
    assert headings == [f"Article {n}" for n in range(6)]


def test_a_bold_line_that_leads_into_what_follows_is_no_heading() -> None:
    elements = read([[Line("Results", bold=True), Line("Year 2022 results:", bold=True), Line(TEXT)]])
    assert [element.text for element in elements if element.level] == ["Results"]
