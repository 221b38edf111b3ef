"""Texts, workbooks and slides of OpenDocument."""

from __future__ import annotations

import pytest

from appliance.domain import DocumentFacts
from appliance.errors import DocumentNeedsPassword, DocumentUnreadable
from ingest.parse import readers
from ingest.parse.detect import Format
from ingest.parse.elements import ElementKind, Parsed
from ingest.parse.opendocument import parse_opendocument
from tests.ingest.parse import documents as made


def read(data: bytes, name: str, password: str = "") -> Parsed:
    return readers.read(data, name, readers.Limits(100, (), 30.0, password), lambda done, total, ocr: None)


TEXT = """
<text:tracked-changes><text:changed-region><text:deletion><text:p>gone for good</text:p></text:deletion>
</text:changed-region></text:tracked-changes>
<text:h text:outline-level="2">Fees</text:h>
<text:p>Paid<text:s/>monthly<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Or weekly.</text:p>
</text:note-body></text:note> <text:a xlink:href="https://bank.example/x">as agreed</text:a>.<office:annotation>
<dc:creator>B. Checker</dc:creator><text:p>Really?</text:p></office:annotation></text:p>
<text:list><text:list-item><text:p>Basic</text:p></text:list-item></text:list>
<text:p><draw:frame><draw:text-box><text:p>Boxed</text:p></draw:text-box></draw:frame></text:p>
<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Class</text:p></table:table-cell>
<table:table-cell><text:p>Years</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-row><table:table-cell><text:p>Trades</text:p></table:table-cell><table:table-cell><text:p>7</text:p>
</table:table-cell></table:table-row></table:table>
"""
EDGES = """<style:header><text:p>Confidential</text:p></style:header><style:footer><text:p>Page</text:p></style:footer>
<style:footer-left><text:p>Page</text:p></style:footer-left>"""


def test_a_text_is_read_with_its_notes_comments_boxes_and_page_edges() -> None:
    parsed = read(made.opendocument("text", TEXT, edges=EDGES), "a.odt")
    assert [(element.kind, element.level, element.text) for element in parsed.elements] == [
        (ElementKind.HEADER, 0, "Confidential"),
        (ElementKind.HEADING, 2, "Fees"),
        (ElementKind.TEXT, 0, "Paid monthly as agreed (https://bank.example/x)."),
        (ElementKind.TEXT, 0, "Or weekly."),
        (ElementKind.TEXT, 0, "Comment by B. Checker: Really?"),
        (ElementKind.LIST_ITEM, 0, "Basic"),
        (ElementKind.TEXT, 0, "Boxed"),
        (ElementKind.TABLE, 0, "Class | Years\nTrades | 7"),
        (ElementKind.FOOTER, 0, "Page"),
    ]
    assert parsed.title == "Plan 2026"
    assert parsed.facts == DocumentFacts("A. Writer", "2026-06-01T09:00:00", "2026-06-02T10:00:00Z")


def test_a_paragraph_that_is_only_called_a_heading_is_a_text() -> None:
    long = "word " * 1000
    head = f'<text:h text:outline-level="1">{long}</text:h><text:h text:outline-level="1">Fees</text:h>'
    parsed = read(made.opendocument("text", head), "a.odt")
    assert [(element.kind, element.level, element.text) for element in parsed.elements] == [
        (ElementKind.TEXT, 0, long.strip()),
        (ElementKind.HEADING, 1, "Fees"),
    ]


@pytest.mark.parametrize(("said", "level"), [("0", 1), ("9", 9), ("10", 9), ("²", 1), ("1" * 5000, 1), ("", 1)])
def test_a_level_that_is_none_is_the_first(said: str, level: int) -> None:
    (heading,) = read(made.opendocument("text", f'<text:h text:outline-level="{said}">Fees</text:h>'), "a.odt").elements
    assert (heading.kind, heading.level) == (ElementKind.HEADING, level)


def row(*cells: str, more: str = "") -> str:
    inner = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
    return f"<table:table-row {more}>{inner}</table:table-row>"


def test_a_workbook_gives_its_sheets_as_pages_with_dates_and_hidden_ones_named_so() -> None:
    far = '<table:table-row><table:table-cell table:number-columns-repeated="2"/><table:table-cell office:value-type="date" '
    far += 'office:date-value="2026-06-01"><text:p>1. Juni</text:p></table:table-cell></table:table-row>'
    style = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    sheets = f'<table:table table:name="Budget">{row("Unit", "Amount")}{row("a", "1")}{row("b", "2")}</table:table>'
    sheets += f'<table:table table:name="Old" table:style-name="ta2">{far}</table:table>'
    parsed = read(made.opendocument("spreadsheet", sheets, automatic=style), "a.ods")
    assert [(element.page, element.label, element.text) for element in parsed.elements] == [
        (1, "Sheet Budget", "Unit | Amount\na | 1\nb | 2"),
        (2, "Sheet Old (hidden)", "| | 2026-06-01"),
    ]


def test_hidden_rows_and_columns_of_a_workbook_are_called_so() -> None:
    columns = "<table:table-column/><table:table-column-group><table:table-column table:visibility='collapse'/>"
    columns += "</table:table-column-group><table:table-column table:number-columns-repeated='9'/>"
    rows = row("Name", "Pay", "Grade") + row("A. Reader", "50", "3")
    rows += row("C. Gone", "70", "5", more='table:visibility="filter"') + row("B. Writer", "60", "4")
    parsed = read(
        made.opendocument("spreadsheet", f'<table:table table:name="Pay">{columns}{rows}</table:table>'), "a.ods"
    )
    assert [(element.label, element.text) for element in parsed.elements] == [
        ("Sheet Pay", "Name | Grade\nA. Reader | 3\nB. Writer | 4"),
        ("Sheet Pay, hidden rows", "Name | Pay | Grade\nC. Gone | 70 | 5"),
        ("Sheet Pay, hidden columns", "Name | Pay\nA. Reader | 50\nB. Writer | 60"),
    ]


def test_repetitions_are_counted_and_not_followed() -> None:
    empty = '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/>'
    same = row("same", more='table:number-rows-repeated="999999999"')
    data = made.opendocument(
        "spreadsheet", f'<table:table table:name="A">{empty}</table:table-row>{same}</table:table>'
    )
    text = "\n".join(element.text for element in parse_opendocument(data, Format.ODS, lambda: None))
    assert 1 <= text.count("same") <= 1_000


def test_slides_are_pages_with_their_notes() -> None:
    page = '<draw:page draw:name="p1"><draw:frame presentation:class="title"><draw:text-box><text:p>Outlook</text:p>'
    page += "</draw:text-box></draw:frame><draw:custom-shape><text:p>Costs stay level</text:p></draw:custom-shape>"
    page += (
        "<presentation:notes><draw:frame><draw:text-box><text:p>Say it slowly.</text:p></draw:text-box></draw:frame>"
    )
    page += "</presentation:notes></draw:page>"
    parsed = read(made.opendocument("presentation", page + page), "a.odp")
    assert [(e.page, e.label, e.kind, e.text) for e in parsed.elements[:3]] == [
        (1, "Slide 1", ElementKind.HEADING, "Outlook"),
        (1, "Slide 1", ElementKind.TEXT, "Costs stay level"),
        (1, "Slide 1, notes", ElementKind.TEXT, "Say it slowly."),
    ]
    assert [page.page for page in parsed.pages] == [1, 2]


@pytest.mark.parametrize("content", [b"<unfinished", made.billion_laughs(), b""])
def test_a_damaged_one_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentUnreadable):
        read(made.with_part(made.opendocument("text", TEXT), "content.xml", content), "a.odt")


def test_an_encrypted_one_is_opened_by_its_password() -> None:
    data = made.encrypted_opendocument(made.opendocument("text", TEXT), "geheim")
    parsed = read(data, "a.odt", "geheim")
    assert parsed.title == "Plan 2026"
    assert parsed.elements == read(made.opendocument("text", TEXT), "a.odt").elements
    with pytest.raises(DocumentNeedsPassword, match="is encrypted; give its password"):
        read(data, "a.odt")
    with pytest.raises(DocumentNeedsPassword, match="was not opened by the password given"):
        read(data, "a.odt", "geheimnis")
