"""Office files: what stands beside their text, numbers Word only shows, passwords, and formats of before 2007."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest

from appliance.domain import DocumentFacts
from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse import legacy, readers, sheets
from ingest.parse.detect import Format
from ingest.parse.elements import ElementKind, Parsed
from tests.ingest.parse import documents as made


def read(data: bytes, name: str, password: str = "") -> Parsed:
    return readers.read(data, name, readers.Limits(100, (), 30.0, password), lambda done, total, ocr: None)


def texts(data: bytes, name: str) -> list[str]:
    return [element.text for element in read(data, name).elements]


def test_the_numbers_word_shows_before_clauses_are_text() -> None:
    assert texts(made.numbered_word(), "a.docx") == [
        "1. Fees",
        "1.1 Monthly",
        "(a) first case",
        "(b) second case",
        "1.2 Yearly",
        "2. Term",
    ]


def test_what_the_master_shows_on_every_slide_is_read_once() -> None:
    found = read(made.slides_with_a_master_text("For internal use only"), "a.pptx").elements
    assert [(e.page, e.label) for e in found if e.text == "For internal use only"] == [(1, "Slide master")]
    assert not any("Click to edit" in e.text for e in found)


def test_text_boxes_of_a_workbook_are_read_unless_they_are_hidden() -> None:
    box = "<x:sp><x:nvSpPr><x:cNvPr id='1' hidden='%d'/></x:nvSpPr><a:p><a:t>%s</a:t></a:p></x:sp>"
    spaces = "xmlns:x='urn:x' xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main'"
    drawing = f"<x:wsDr {spaces}>{box % (0, 'Seen')}{box % (1, 'Not seen')}</x:wsDr>"
    sheet = "xl/worksheets/sheet1.xml"
    rels = b"<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'></Relationships>"
    book = made.with_part(made.workbook(), "xl/worksheets/_rels/sheet1.xml.rels", rels)
    book = made.with_related_part(book, "xl/drawings/drawing1.xml", drawing.encode(), "drawing", by=sheet)
    found = texts(book, "a.xlsx")
    assert "Seen" in found
    assert "Not seen" not in found


@pytest.mark.parametrize("wrong", [{"left": -1_000}, {"unshown": "layout"}, {"unshown": "slide"}])
def test_what_a_master_has_but_no_slide_shows_is_not_read(wrong: dict[str, Any]) -> None:
    found = read(made.slides_with_a_master_text("For nobody", **wrong), "a.pptx").elements
    assert found == read(made.slides(), "a.pptx").elements


@pytest.mark.parametrize(
    ("left", "top", "is_shown"),
    [
        (-50, -20, True),
        (900, 300, True),
        (-150, 300, False),
        (300, -150, False),
        (1_100, 300, False),
        (300, 800, False),
    ],
)
def test_shapes_that_are_partly_on_a_slide_are_read_and_others_are_not(left: int, top: int, is_shown: bool) -> None:
    data = made.slide_with_a_shape(left, top, "Seen or not")
    assert ("Seen or not" in texts(data, "a.pptx")) is is_shown


def test_headings_of_a_word_file_need_not_be_called_so() -> None:
    elements = read(made.word_without_heading_styles(), "a.docx").elements
    assert [(element.level, element.text) for element in elements] == [
        (1, "Fees"),
        (0, "They are due in June."),
        (2, "Exceptions"),
        (0, "There are none."),
        (9, "Late payment"),
        (0, "It costs interest"),
        (0, "This is important, and a sentence."),
        (0, "Bold cell"),
    ]


def test_a_number_of_any_length_in_an_office_file_costs_nothing_but_itself() -> None:
    with zipfile.ZipFile(io.BytesIO(made.word_without_heading_styles())) as archive:
        document = archive.read("word/document.xml").decode()
    long = document.replace('<w:outlineLvl w:val="1"', f'<w:outlineLvl w:val="{"1" * 5000}"')
    assert long != document
    word = read(made.with_part(made.word_without_heading_styles(), "word/document.xml", long.encode()), "a.docx")
    assert [(element.level, element.text) for element in word.elements[:3]] == [
        (1, "Fees"),
        (0, "They are due in June."),
        (0, "Exceptions"),
    ]
    book = made.commented_workbook()
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        name = next(name for name in archive.namelist() if "comment" in name and name.endswith(".xml"))
        comments = archive.read(name).decode()
    long = comments.replace('authorId="0"', f'authorId="{"1" * 5000}"')
    assert long != comments
    told = [element.text for element in read(made.with_part(book, name, long.encode()), "a.xlsx").elements]
    assert "Comment on B2: Checked twice." in told


def test_a_word_file_that_is_all_bold_has_no_headings_for_it() -> None:
    import docx

    document = docx.Document()
    for text in ("One line", "Another line", "A third"):
        document.add_paragraph().add_run(text).bold = True
    assert {element.level for element in read(made.saved(document), "a.docx").elements} == {0}


def test_hidden_text_of_a_word_file_is_left_out() -> None:
    assert texts(made.word_with_hidden_text(), "a.docx") == ["Fees", "The fee is 40 euros", "Class"]


def test_hidden_text_is_left_out_of_a_word_file_without_styles() -> None:
    found = texts(made.without_styles(made.word_with_hidden_text()), "a.docx")
    assert found == ["Fees", "The fee is 40 and secret euros", "Class"]


@pytest.mark.parametrize(
    ("data", "kind"), [(made.word_with_hidden_text(), "docx"), (made.slides(), "pptx"), (made.workbook(), "xlsx")]
)
def test_the_main_part_of_an_office_file_may_have_any_name(data: bytes, kind: str) -> None:
    name = made.MAIN[kind].replace(".xml", "2.xml")
    assert read(made.renamed_main(data, kind, name), f"a.{kind}").elements == read(data, f"a.{kind}").elements


def test_shapes_hidden_in_the_selection_pane_are_left_out() -> None:
    found = read(made.hidden_in_the_selection_pane(made.slides(), "Secret"), "a.pptx").elements
    assert found == read(made.slides(), "a.pptx").elements


def test_bold_numbered_clauses_are_headings_with_their_numbers() -> None:
    document = made.part_of(made.numbered_word(), "word/document.xml").replace(
        b"<w:t>Fees", b"<w:rPr><w:b/></w:rPr><w:t>Fees"
    )
    found = read(made.with_part(made.numbered_word(), "word/document.xml", document), "a.docx").elements
    assert [(element.level, element.text) for element in found][:2] == [(9, "1. Fees"), (0, "1.1 Monthly")]


def test_comments_and_hidden_sheets_of_a_workbook_are_read_and_named() -> None:
    parsed = read(made.commented_workbook(), "a.xlsx")
    assert [(element.page, element.label, element.text) for element in parsed.elements] == [
        (1, "Sheet Sheet", "| 40"),
        (1, "Sheet Sheet", "Comment on B2 by A. Checker: Checked twice."),
        (2, "Sheet Old prices (hidden)", "Fee | 30"),
    ]


def tables(data: bytes, name: str) -> list[tuple[str, str]]:
    return [(element.label, element.text) for element in read(data, name).elements]


HIDDEN = [
    ("Sheet Pay", "Name | Grade\nA. Reader | 3\nB. Writer | 4"),
    ("Sheet Pay, hidden rows", "Name | Pay | Grade\nC. Gone | 70 | 5"),
    ("Sheet Pay, hidden columns", "Name | Pay\nA. Reader | 50\nB. Writer | 60"),
]


def test_hidden_rows_and_columns_of_a_workbook_are_called_so() -> None:
    assert tables(made.workbook_that_hides(), "a.xlsx") == HIDDEN


@pytest.mark.parametrize("size", [1, 7, 64])
def test_hidden_rows_are_found_wherever_the_file_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_PIECE_BYTES", size)
    assert tables(made.workbook_that_hides(), "a.xlsx") == HIDDEN


def written_in_utf_16(part: bytes) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-16"?>' + part.decode()).encode("utf-16")


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda part: part.replace(b' hidden="1"', b" hidden = '1'"),
        lambda part: part.replace(b' hidden="1"', b' hidden="&#49;"'),
        written_in_utf_16,
    ],
)
def test_hidden_rows_are_found_however_they_are_written(otherwise: Callable[[bytes], bytes]) -> None:
    book, name = made.workbook_that_hides(), "xl/worksheets/sheet1.xml"
    assert tables(made.with_part(book, name, otherwise(made.part_of(book, name))), "a.xlsx") == HIDDEN


def test_a_sheet_with_entities_is_refused() -> None:
    book, name = made.workbook(), "xl/worksheets/sheet1.xml"
    part = b'<!DOCTYPE x [<!ENTITY a "b">]>' + made.part_of(book, name)
    with pytest.raises(DocumentUnreadable, match="is damaged"):
        read(made.with_part(book, name, part), "a.xlsx")


def test_an_old_workbook_says_what_is_hidden_and_shows_percentages() -> None:
    book = made.old_workbook(
        [["Name", "Pay", "Share"], ["A. Reader", 50, 0.25], ["C. Gone", 70, 0.5]], hidden_row=2, hidden_column=1
    )
    assert tables(book, "a.xls") == [
        ("Sheet Sheet1", "Name | Share\nA. Reader | 25%"),
        ("Sheet Sheet1, hidden rows", "Name | Pay | Share\nC. Gone | 70 | 50%"),
        ("Sheet Sheet1, hidden columns", "Name | Pay\nA. Reader | 50"),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (rb"{\rtf1\ansi\ansicpg1250 \'c8l\'e1nek}", "Článek"),
        (
            rb"{\rtf1\ansi\deff0{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}Fee {\f1 \'d1\'f3\'ec\'ec\'e0} 5}",
            "Fee Сумма 5",
        ),
        (rb"{\rtf1{\fonttbl{\f0\fcharset128 A;}}\f0 \'83\'5c\'93\'8c\'8b\'9e}", "ソ東京"),
        (rb"{\rtf1{\fonttbl{\f0\fcharset128 A;}}\f0 \'83\\\'93\'8c\'8b\'9e}", "ソ東京"),
        (rb"{\rtf1\ansi\uc1 \u268\'c8l\u225\'e1nek \{x\}}", "Článek {x}"),
        (rb"{\rtf1\ansi Gr\'f6\'dfe}", "Größe"),
        (b"{\\rtf1\\ansi Gr\xf6\xdfe}", "Größe"),
    ],
)
def test_letters_of_an_rtf_file_are_those_of_its_code_pages(source: bytes, text: str) -> None:
    assert texts(source, "a.rtf") == [text]


def test_rtf_nested_too_deep_is_refused() -> None:
    with pytest.raises(DocumentRejected, match="nested more than 1,000 deep"):
        read(b"{\\rtf1 " + b"{" * 5_000 + b"x" + b"}" * 5_001, "a.rtf")


def test_a_web_page_that_stands_in_a_word_file_is_read() -> None:
    data = made.with_part(made.word(), "word/page.htm", b"<p>Inserted as it was.</p>")
    relation = b'<Relationship Id="rPage" Type="x/relationships/aFChunk" Target="page.htm"/></Relationships>'
    rels = made.part_of(data, "word/_rels/document.xml.rels").replace(b"</Relationships>", relation)
    data = made.with_part(data, "word/_rels/document.xml.rels", rels)
    kinds = made.part_of(data, "[Content_Types].xml")
    kinds = kinds.replace(b"<Default ", b'<Default Extension="htm" ContentType="text/html"/><Default ', 1)
    data = made.with_part(data, "[Content_Types].xml", kinds)
    assert texts(data, "a.docx")[-1] == "Inserted as it was."


def test_links_of_a_word_file_keep_their_address() -> None:
    import docx
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    paragraph = document.add_paragraph("Read ")
    identity = document.part.relate_to("https://bank.example/x", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    link = f'<w:hyperlink {nsdecls("w", "r")} r:id="{identity}"><w:r><w:t>the terms</w:t></w:r></w:hyperlink>'
    paragraph._p.append(parse_xml(link))
    assert texts(made.saved(document), "a.docx") == ["Read the terms (https://bank.example/x)"]


def test_title_and_facts_come_from_the_properties() -> None:
    import datetime as dt

    import docx

    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Fees 2026", "A. Writer"
    document.core_properties.created = dt.datetime(2026, 6, 1, 9, tzinfo=dt.UTC)
    document.core_properties.modified = dt.datetime(2026, 6, 2, 9, tzinfo=dt.UTC)
    document.add_heading("Something else", level=1)
    parsed = read(made.saved(document), "a.docx")
    assert parsed.title == "Fees 2026"
    assert parsed.facts == DocumentFacts("A. Writer", "2026-06-01T09:00:00Z", "2026-06-02T09:00:00Z")


@pytest.mark.parametrize(
    ("name", "plain"), [("a.docx", made.word()), ("a.xlsx", made.workbook()), ("a.pptx", made.slides())]
)
def test_an_encrypted_office_file_is_opened_by_its_password(name: str, plain: bytes) -> None:
    data = made.under_password(plain, "geheim")
    assert read(data, name, "geheim").elements == read(plain, name).elements
    with pytest.raises(DocumentNeedsPassword, match="is encrypted; give its password"):
        read(data, name)
    with pytest.raises(DocumentNeedsPassword, match="was not opened by the password given"):
        read(data, name, "geheimnis")


def test_an_encryption_that_is_not_known_does_not_blame_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Never:
        raise ValueError("Invalid key size (160) for AES.")  # as cryptography says of a kind Word 2007 could write

    monkeypatch.setattr("msoffcrypto.format.ooxml.OOXMLFile.load_key", unknown)
    data = made.under_password(made.word(), "geheim")
    with pytest.raises(DocumentNeedsPassword, match="is encrypted; give its password"):
        read(data, "a.docx")
    with pytest.raises(DocumentNeedsPassword, match="in a way that no password opens here"):
        read(data, "a.docx", "geheim")


def test_a_workbook_excel_opens_unasked_is_opened_unasked() -> None:
    assert read(made.under_password(made.workbook(), "VelvetSweatshop"), "a.xlsx").elements


def test_a_password_does_no_harm_where_none_is_needed() -> None:
    assert read(made.word(), "a.docx", "geheim").elements


def test_a_member_is_opened_by_the_password_as_well() -> None:
    whole = made.archive(("a.docx", made.under_password(made.word(), "geheim")), ("b.docx", made.word()))
    assert [member.code for member in read(whole, "a.zip", "geheim").members] == ["", ""]
    assert [member.code for member in read(whole, "a.zip").members] == ["document_needs_password", ""]


needs_libreoffice = pytest.mark.skipif(
    any(legacy.program_for(kind) is None for kind in legacy.MODERN), reason="LibreOffice is not installed"
)


@needs_libreoffice
def test_a_word_97_file_is_read_like_one_of_today(tmp_path: Path) -> None:
    parsed = read(made.of_before_2007(made.word(), "doc", tmp_path), "policy.doc")
    assert parsed.media_type == "application/msword"
    assert [(element.kind, element.text) for element in parsed.elements][:2] == [
        (ElementKind.HEADING, "Retention policy"),
        (ElementKind.TEXT, "Records are kept for seven years."),
    ]
    assert parsed.elements[3].text == "Telephone notes"


@needs_libreoffice
def test_powerpoint_97_slides_are_read_like_those_of_today(tmp_path: Path) -> None:
    parsed = read(made.of_before_2007(made.slides(), "ppt", tmp_path), "review.ppt")
    assert {(element.page, element.text) for element in parsed.elements} >= {
        (1, "Quarterly review"),
        (2, "Costs stay level"),
    }


@needs_libreoffice
def test_a_damaged_word_97_file_is_refused(tmp_path: Path) -> None:
    whole = made.of_before_2007(made.word(), "doc", tmp_path)
    with pytest.raises(DocumentRejected):
        read(whole[:600] + bytes(len(whole) - 600), "policy.doc")


def test_without_libreoffice_the_refusal_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "_PROGRAMS", ())
    with pytest.raises(DocumentRejected, match=r"libreoffice-impress-nogui.*save it as \.pptx or PDF"):
        legacy.modern(b"", Format.PPT)
