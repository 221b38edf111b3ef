"""Files in documents: embedded in Office files, attached to PDFs."""

from __future__ import annotations

import pytest

from appliance.errors import DocumentRejected
from ingest.parse import embedded, inclosed, readers
from ingest.parse.elements import Member
from tests.ingest.parse import documents as made


def members(data: bytes, name: str) -> dict[str, Member]:
    parsed = readers.read(data, name, readers.Limits(100, (), 30.0), lambda done, total, ocr: None)
    assert parsed.elements
    return {member.path: member for member in parsed.members}


def text_of(member: Member) -> str:
    assert member.parsed is not None
    return "\n".join(element.text for element in member.parsed.elements)


@pytest.mark.parametrize(
    ("document", "name", "folder"),
    [(made.word(), "a.docx", "word"), (made.slides(), "a.pptx", "ppt"), (made.workbook(), "a.xlsx", "xl")],
)
def test_a_file_embedded_in_an_office_file_is_a_member(document: bytes, name: str, folder: str) -> None:
    whole = made.with_part(document, f"{folder}/embeddings/Microsoft_Excel_Sheet1.xlsx", made.workbook(rows=1))
    found = members(whole, name)
    assert "Unit 0 | 1000.5 | 25%" in text_of(found["Microsoft_Excel_Sheet1.xlsx"])


def test_a_file_in_an_ole_wrapping_is_taken_out_under_its_name() -> None:
    whole = made.with_part(made.word(), "word/embeddings/oleObject1.bin", made.in_ole("annex.txt", b"Fees are due."))
    whole = made.with_part(whole, "word/embeddings/oleObject2.bin", made.compound(Package=made.workbook()))
    whole = made.with_part(whole, "word/embeddings/oleObject3.bin", made.in_ole("run.exe", b"MZ\0\0"))
    found = members(whole, "a.docx")
    assert list(found) == ["annex.txt", "oleObject2.bin", "run.exe"]
    assert text_of(found["annex.txt"]) == "Fees are due."
    assert "Unit 0" in text_of(found["oleObject2.bin"])
    assert found["run.exe"].code == DocumentRejected.code


def test_an_object_without_a_file_in_it_is_passed_over() -> None:
    whole = made.with_part(made.word(), "word/embeddings/oleObject1.bin", made.compound(**{"Equation Native": b"x"}))
    whole = made.with_part(whole, "word/embeddings/oleObject2.bin", made.compound(**{"\x01Ole10Native": b"cut off"}))
    assert members(whole, "a.docx") == {}


def test_an_object_in_an_opendocument_file_is_a_member() -> None:
    sheet = made.opendocument(
        "spreadsheet",
        '<table:table table:name="Fees"><table:table-row><table:table-cell><text:p>Fee 40</text:p></table:table-cell>'
        "</table:table-row></table:table>",
    )
    kind = "application/vnd.oasis.opendocument"
    manifest = (
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<m:file-entry m:full-path="/" m:media-type="{kind}.text"/>'
        f'<m:file-entry m:full-path="Object 1/" m:media-type="{kind}.spreadsheet"/>'
        f'<m:file-entry m:full-path="Object 2/" m:media-type="{kind}.chart"/>'
        '<m:file-entry m:full-path="Object 3" m:media-type="application/vnd.sun.star.oleobject"/></m:manifest>'
    )
    whole = made.opendocument("text", "<text:p>Outside.</text:p>")
    whole = made.with_part(whole, "META-INF/manifest.xml", manifest.encode())
    whole = made.with_part(whole, "Object 1/content.xml", made.part_of(sheet, "content.xml"))
    whole = made.with_part(whole, "Object 3", made.in_ole("annex.txt", b"Fees are due."))
    found = members(whole, "a.odt")
    assert list(found) == ["Object 1.ods", "annex.txt"]
    assert text_of(found["Object 1.ods"]) == "Fee 40"


def test_files_attached_to_a_pdf_are_members_and_can_be_shown() -> None:
    inner = made.pdf(made.text_page(["The annex says what is due."]))
    whole = made.with_files(
        made.pdf(made.text_page([made.LOREM])), ("invoice.xml", b"<a><total>40</total></a>"), ("../annex.pdf", inner)
    )
    found = members(whole, "a.pdf")
    assert set(found) == {"invoice.xml", "annex.pdf"}
    assert text_of(found["invoice.xml"]) == "total: 40"
    assert readers.render(whole, "a.pdf", 1, 40, (), member="annex.pdf").size[1] > 300


def test_what_is_embedded_counts_against_the_limits_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inclosed, "MAX_EXPANDED_BYTES", 100)
    whole = made.with_part(made.word(), "word/embeddings/a.txt", b"word " * 100)
    with pytest.raises(DocumentRejected, match="holds more than 100 bytes when unpacked"):
        members(whole, "a.docx")
    whole = made.with_files(made.pdf(made.text_page([made.LOREM])), ("a.txt", b"word " * 100))
    with pytest.raises(DocumentRejected, match="holds more than 100 bytes when unpacked"):
        members(whole, "a.pdf")


def test_embedding_has_an_end() -> None:
    whole = made.word()
    for _ in range(readers.MAX_NESTING + 2):
        whole = made.with_part(made.word(), "word/embeddings/inner.docx", whole)
    found = members(whole, "a.docx")
    assert len(found) == readers.MAX_NESTING + 1
    assert "nested more than" in list(found.values())[-1].reason


@pytest.mark.parametrize("length", [0, 5, 40, 1_000])
def test_a_damaged_wrapping_is_passed_over(length: int) -> None:
    assert embedded._unwrapped(made.in_ole("annex.txt", b"Fees are due.")[: 512 + length]) in (None, ("", b""))
