"""Every format through the real sandbox: text, places, headings, tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.domain import TextMeans
from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse import confine, legacy
from ingest.parse.detect import Format
from ingest.parse.elements import ElementKind, Parsed
from ingest.parse.sandbox import ParserPool
from tests.ingest.parse import documents as made

pytestmark = pytest.mark.integration

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")


Read = Callable[[str, bytes], Parsed]


@pytest.fixture
def read(pool: ParserPool, tmp_path: Path) -> Read:
    def parse(name: str, data: bytes) -> Parsed:
        path = tmp_path / name
        path.write_bytes(data)
        return pool.parse(path, name=name)

    return parse


def facts(parsed: Parsed) -> list[tuple[ElementKind, int, str]]:
    return [(element.kind, element.level, element.text) for element in parsed.elements]


TABLE = (ElementKind.TABLE, 0, "Class | Years\nTrades | 7\nMail | 5")


def test_word(read: Read) -> None:
    parsed = read("policy.docx", made.word())
    assert parsed.title == "Retention policy"
    assert facts(parsed) == [
        (ElementKind.HEADING, 1, "Retention policy"),
        (ElementKind.TEXT, 0, "Records are kept for seven years."),
        (ElementKind.HEADING, 2, "Exceptions"),
        (ElementKind.LIST_ITEM, 0, "Telephone notes"),
        TABLE,
    ]


def test_tracked_insertions_and_fields_of_a_word_file_are_read_and_deletions_are_not(read: Read) -> None:
    texts = [element.text for element in read("contract.docx", made.word(insertion=True)).elements]
    assert "The fee is forty euros under section 9" in texts
    assert not any("ten euros" in text for text in texts)


def test_footnotes_and_text_boxes_of_a_word_file_are_read(read: Read) -> None:
    assert facts(read("note.docx", made.word_with_a_note()))[-1] == (ElementKind.TEXT, 0, "Save on public holidays.")
    assert [element.text for element in read("box.docx", made.word_with_a_text_box()).elements] == [
        "Before the box.",
        "Boxed warning",
    ]


def test_a_workbook_saved_as_strict_open_xml_is_read(read: Read) -> None:
    assert "Unit 0 | 1000.5 | 25%" in read("strict.xlsx", made.strict_workbook()).elements[0].text


def test_a_single_cell_at_the_far_corner_of_a_sheet_is_found(read: Read) -> None:
    assert [element.text for element in read("far.xlsx", made.far_cell()).elements] == ["the last cell"]


def test_entities_of_the_file_itself_are_read_and_nothing_outside_it_is(read: Read) -> None:
    inner = b'<!DOCTYPE x [<!ENTITY in "inside">]><x>what is &in; is read</x>'
    assert [element.text for element in read("b.xml", inner).elements] == ["what is inside is read"]
    with pytest.raises(DocumentUnreadable, match="refers to other files"):
        read("a.xml", b'<!DOCTYPE x [<!ENTITY out SYSTEM "file:///etc/hostname">]><x>Host &out;</x>')


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.eml", made.nested_parts(500)),
        ("laughs.xml", made.billion_laughs()),
        ("laughs.docx", made.with_part(made.word(), "word/document.xml", made.billion_laughs())),
        ("other.docx", made.with_part(made.word(), "word/document.xml", b"<unfinished")),
        ("a.xlsx", made.with_part(made.workbook(), "xl/workbook.xml", b"<unfinished")),
        ("a.pptx", made.with_part(made.slides(), "ppt/presentation.xml", b"<unfinished")),
    ],
)
def test_files_made_to_hurt_are_refused(read: Read, name: str, data: bytes) -> None:
    with pytest.raises(DocumentRejected, match=f"Document '{name}' "):
        read(name, data)


def test_slides(read: Read) -> None:
    parsed = read("review.pptx", made.slides())
    assert [(e.page, e.label, e.text) for e in parsed.elements] == [
        (1, "Slide 1", "Quarterly review"),
        (1, "Slide 1", "Margins rose in spring"),
        (2, "Slide 2", "Outlook"),
        (2, "Slide 2", "Costs stay level"),
    ]
    assert [page.page for page in parsed.pages] == [1, 2]


def test_a_workbook_gives_its_rows_by_sheet_as_a_person_reads_them(read: Read) -> None:
    parsed = read("budget.xlsx", made.workbook())
    assert [(e.page, e.label) for e in parsed.elements] == [(1, "Sheet Budget"), (2, "Sheet Notes")]
    assert parsed.elements[0].text.split("\n")[:2] == ["Department | Amount | Share", "Unit 0 | 1000.5 | 25%"]


def test_a_long_sheet_comes_in_pieces_that_repeat_the_head_row(read: Read) -> None:
    parsed = read("long.xlsx", made.workbook(rows=5_000))
    budget = [element for element in parsed.elements if element.page == 1]
    assert len(budget) > 100
    assert all(element.text.startswith("Department | Amount | Share\n") for element in budget)
    assert sum(element.text.count("\n") for element in budget) == 5_000


HTML = b"""<html><head><title>x</title><script>evil()</script></head><body><h1>Fees</h1><p>Paid <b>monthly</b>.</p>
<h2>Scale</h2><ul><li>Basic</li></ul><table><tr><th>Class</th><th>Years</th></tr><tr><td>Trades</td><td>7</td></tr>
<tr><td>Mail</td><td>5</td></tr></table><img src="http://203.0.113.1/x.png"></body></html>"""


def test_html(read: Read) -> None:
    assert facts(read("page.html", HTML)) == [
        (ElementKind.HEADING, 1, "Fees"),
        (ElementKind.TEXT, 0, "Paid monthly."),
        (ElementKind.HEADING, 2, "Scale"),
        (ElementKind.LIST_ITEM, 0, "Basic"),
        TABLE,
    ]


def test_markdown(read: Read) -> None:
    text = b"# Fees\n\nPaid *monthly*.\n\n## Scale\n\n- Basic\n\n"
    text += b"| Class | Years |\n|---|---|\n| Trades | 7 |\n| Mail | 5 |\n"
    assert [fact[1:] for fact in facts(read("page.md", text))] == [
        (1, "Fees"),
        (0, "Paid monthly."),
        (2, "Scale"),
        (0, "Basic"),
        TABLE[1:],
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.rtf", rb"{\rtf1\ansi Call the desk first.\par}"),
        ("a.org", b"* Chapter one\nCall the desk first.\n"),
        ("a.rst", b"Chapter one\n===========\n\nCall the desk first.\n"),
        ("a.epub", made.epub()),
        ("a.xml", b"<doc><h>Chapter one</h><p>Call the <b>desk</b> first.</p></doc>"),
        ("a.json", b'{"advice": "Call the desk first."}'),
        ("a.tsv", b"who\twhat\ndesk\tCall the desk first.\n"),
    ],
)
def test_other_formats_give_their_text(read: Read, name: str, data: bytes) -> None:
    text = " ".join(element.text for element in read(name, data).elements).replace("\n", " ")
    assert "Call the desk first." in text


def test_an_include_directive_is_not_followed(read: Read, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret figure")
    parsed = read("a.rst", f"Visible.\n\n.. include:: {tmp_path}/secret.txt\n\n.. include:: /etc/passwd\n".encode())
    text = " ".join(element.text for element in parsed.elements)
    assert "Visible." in text
    assert "secret figure" not in text
    assert "root:" not in text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_text_in_any_usual_encoding(read: Read, encoding: str) -> None:
    parsed = read(
        "a.txt", "Größere Beträge müssen gemeldet werden.\n\nDas gilt für alle Konten im Haus.".encode(encoding)
    )
    assert [element.text for element in parsed.elements] == [
        "Größere Beträge müssen gemeldet werden.",
        "Das gilt für alle Konten im Haus.",
    ]
    assert parsed.language == "de"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separated_values_with_any_separator(read: Read, separator: str) -> None:
    rows = [("Class", "Years"), ("Trades", "7"), ("Mail", "5")]
    assert facts(read("a.csv", "\n".join(separator.join(row) for row in rows).encode())) == [TABLE]


def test_a_row_of_a_million_characters_comes_in_parts_and_nothing_is_lost(read: Read) -> None:
    parsed = read("wide.csv", b"start;" + b"word;" * 300_000 + b"end")
    text = "".join(element.text for element in parsed.elements)
    assert text.count("word") > 299_000
    assert text.endswith("end")


def test_a_mailbox_comes_through_the_sandbox_with_its_mails_and_their_attachments(read: Read) -> None:
    mail = made.letter("Limits", "1")
    mail.add_attachment(made.workbook(), maintype="application", subtype="octet-stream", filename="limits.xlsx")
    parsed = read("Inbox.mbox", made.mailbox(mail, made.letter("Re: Limits", "2", "1")))
    first, attached, second = parsed.members
    assert attached.path == f"{first.path}/limits.xlsx"
    assert [member.parsed.title for member in (first, second) if member.parsed] == ["Limits", "Re: Limits"]
    assert all(member.parsed is not None and member.parsed.elements for member in parsed.members)


def test_a_page_in_an_archive_is_drawn_in_the_sandbox(pool: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(made.archive(("plan.pdf", made.pdf(made.text_page(["Seen."])))))
    assert pool.render(path, 1, 50.0, member="plan.pdf").startswith(b"\x89PNG")


@pytest.mark.skipif(
    legacy.program_for(Format.DOC) is None or "/etc/libreoffice" not in confine.readable_paths(),
    reason="LibreOffice is not installed, or the confinement does not let it read its settings",
)
def test_libreoffice_runs_within_the_confinement(read: Read, tmp_path: Path) -> None:
    old = made.of_before_2007(made.word(), "doc", tmp_path)
    assert facts(read("policy.doc", old))[:2] == facts(read("policy.docx", made.word()))[:2]


def test_invisible_characters_never_leave_the_parser(read: Read) -> None:
    parsed = read("a.html", "<p>pay\u202eroll\u200b list\U000e0049\U000e0047 of\u00adfice</p>".encode())
    assert [element.text for element in parsed.elements] == ["payroll list office"]


@needs_tesseract
def test_a_picture_is_recognised_page_by_page(read: Read) -> None:
    first, second = made.picture(["Board minutes"]), made.picture(["Second sheet"])
    parsed = read("scan.tiff", made.image_file(first, "TIFF", second))
    assert [page.means for page in parsed.pages] == [TextMeans.OCR, TextMeans.OCR]
    assert [(element.page, element.text) for element in parsed.elements] == [(1, "Board minutes"), (2, "Second sheet")]
    box = parsed.elements[0].boxes[0]
    assert box.left == pytest.approx(80 / 1240, abs=0.02)


@needs_tesseract
def test_a_page_scanned_sideways_is_read_and_marked_where_it_stands(read: Read) -> None:
    texts = made.wrapped(made.LOREM * 2, 45)
    turned = made.picture(texts, size=(1400, 1900), points=44).rotate(-90, expand=True)
    parsed = read("sideways.png", made.image_file(turned, "PNG"))
    assert "retention period for trading records" in " ".join(element.text for element in parsed.elements)
    box = parsed.elements[0].boxes[0]
    assert box.bottom - box.top > box.right - box.left


@needs_tesseract
def test_a_picture_without_text_is_no_success(read: Read) -> None:
    with pytest.raises(DocumentUnreadable, match="gave no text"):
        read("empty.png", made.image_file(made.picture([]), "PNG"))
