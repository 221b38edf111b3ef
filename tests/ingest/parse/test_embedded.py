"""Files in documents: embedded in Office files, attached to PDFs."""

from __future__ import annotations

import pytest

from appliance.errors import DocumentRejected
from ingest.parse import embedded, inclosed, pdf_files, readers
from ingest.parse.elements import Member
from tests.ingest.parse import documents as made

OPENDOCUMENT = "application/vnd.oasis.opendocument"


def members(data: bytes, name: str) -> dict[str, Member]:
    parsed = readers.read(data, name, readers.Limits(100, (), 30.0), lambda done, total, ocr: None)
    assert parsed.elements
    return {member.path: member for member in parsed.members}


def text_of(member: Member) -> str:
    assert member.parsed is not None
    return "\n".join(element.text for element in member.parsed.elements)


def with_objects(*objects: bytes) -> bytes:
    """A Word file with OLE objects in it."""
    whole = made.word()
    for number, data in enumerate(objects, start=1):
        whole = made.with_related_part(whole, f"word/embeddings/oleObject{number}.bin", data, "oleObject")
    return whole


@pytest.mark.parametrize(
    ("document", "kind"), [(made.word(), "docx"), (made.slides(), "pptx"), (made.workbook(), "xlsx")]
)
def test_a_file_embedded_in_an_office_file_is_a_member(document: bytes, kind: str) -> None:
    name = f"{made.MAIN[kind].split('/')[0]}/embeddings/Microsoft_Excel_Sheet1.xlsx"
    whole = made.with_related_part(document, name, made.workbook(rows=1), "package", by=made.MAIN[kind])
    found = members(whole, f"a.{kind}")
    assert "Unit 0 | 1000.5 | 25%" in text_of(found["Microsoft_Excel_Sheet1.xlsx"])


def test_what_no_part_of_an_office_file_refers_to_is_not_in_it() -> None:
    assert members(made.with_part(made.word(), "word/embeddings/policy.txt", b"The limit is 9,999."), "a.docx") == {}


def test_a_file_in_an_ole_wrapping_is_taken_out_under_its_name() -> None:
    whole = with_objects(
        made.in_ole("annex.txt", b"Fees are due."),
        made.compound(Package=made.workbook()),
        made.in_ole("run.exe", b"MZ\0\0"),
    )
    found = members(whole, "a.docx")
    assert list(found) == ["annex.txt", "oleObject2.bin", "run.exe"]
    assert text_of(found["annex.txt"]) == "Fees are due."
    assert "Unit 0" in text_of(found["oleObject2.bin"])
    assert found["run.exe"].code == DocumentRejected.code


def test_an_object_without_a_file_in_it_is_passed_over() -> None:
    whole = with_objects(made.compound(**{"Equation Native": b"x"}), made.compound(**{"\x01Ole10Native": b"cut off"}))
    assert members(whole, "a.docx") == {}


def opendocument_with_objects(*sheets: str, more: str = "") -> bytes:
    """A text in whose manifest these sheets are listed, the first of which is there."""
    sheet = made.opendocument(
        "spreadsheet",
        '<table:table table:name="Fees"><table:table-row><table:table-cell><text:p>Fee 40</text:p></table:table-cell>'
        "</table:table-row></table:table>",
    )
    entries = "".join(
        f'<m:file-entry m:full-path="{path}" m:media-type="{OPENDOCUMENT}.{kind}"/>'
        for path, kind in (("/", "text"), *((path, "spreadsheet") for path in sheets))
    )
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    manifest = f'<m:manifest xmlns:m="{space}">{entries}{more}</m:manifest>'
    whole = made.opendocument("text", "<text:p>Outside.</text:p>")
    whole = made.with_part(whole, "META-INF/manifest.xml", manifest.encode())
    return made.with_part(whole, f"{sheets[0]}content.xml", made.part_of(sheet, "content.xml"))


def test_an_object_in_an_opendocument_file_is_a_member() -> None:
    more = (
        f'<m:file-entry m:full-path="Object 2/" m:media-type="{OPENDOCUMENT}.chart"/>'
        '<m:file-entry m:full-path="Object 3" m:media-type="application/vnd.sun.star.oleobject"/>'
    )
    whole = opendocument_with_objects("Object 1/", more=more)
    whole = made.with_part(whole, "Object 3", made.in_ole("annex.txt", b"Fees are due."))
    found = members(whole, "a.odt")
    assert list(found) == ["Object 1.ods", "annex.txt"]
    assert text_of(found["Object 1.ods"]) == "Fee 40"


def test_an_object_of_an_opendocument_file_has_the_same_digest_whenever_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = opendocument_with_objects("Object 1/")
    first = members(whole, "a.odt")["Object 1.ods"].parsed
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    second = members(whole, "a.odt")["Object 1.ods"].parsed
    assert first is not None
    assert second is not None
    assert first.sha256 == second.sha256


def test_an_opendocument_file_has_each_object_once_and_none_that_is_not_there() -> None:
    whole = opendocument_with_objects("Object 1/", "Object 1/", *(f"Object {number}/" for number in range(2, 2_000)))
    assert list(members(whole, "a.odt")) == ["Object 1.ods"]


def test_files_attached_to_a_pdf_are_members_and_can_be_shown() -> None:
    inner = made.pdf(made.text_page(["The annex says what is due."]))
    whole = made.with_files(
        made.pdf(made.text_page([made.LOREM])), ("invoice.xml", b"<a><total>40</total></a>"), ("../annex.pdf", inner)
    )
    found = members(whole, "a.pdf")
    assert set(found) == {"invoice.xml", "annex.pdf"}
    assert text_of(found["invoice.xml"]) == "total: 40"
    assert readers.render(whole, "a.pdf", 1, 40, (), member="annex.pdf").size[1] > 300


def test_what_is_attached_to_a_document_makes_no_text_of_its_own() -> None:
    limits = readers.Limits(100, (), 30.0)
    blank = made.with_files(made.pdf(lambda canvas: None), ("run.exe", b"MZ\0\0"))
    parsed = readers.read(blank, "a.pdf", limits, lambda done, total, ocr: None)
    assert (parsed.elements, [member.code for member in parsed.members]) == ((), [DocumentRejected.code])
    inner, attached = readers.read(
        made.archive(("a.pdf", blank)), "a.zip", limits, lambda done, total, ocr: None
    ).members
    assert (inner.parsed, inner.reason) == (None, "gave no text: the page is blank")
    assert attached.path == "a.pdf/run.exe"


def test_of_more_attached_files_than_an_archive_may_hold_the_rest_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_files, "MAX_FILES", 2)
    whole = made.pdf(made.text_page([made.LOREM]))
    whole = made.with_files(whole, *((f"{number}.txt", b"Fees are due.") for number in range(4)))
    found = members(whole, "a.pdf")
    assert list(found) == ["0.txt", "1.txt", "(more files)"]
    assert found["(more files)"].reason == "is not read: 2 files attached to one document are the limit"


def test_damage_in_what_is_embedded_is_a_reason_and_costs_nothing_else() -> None:
    name = "word/embeddings/annex.txt"
    whole = made.with_related_part(made.word(), name, b"Fees are due. " * 200, "package")
    whole = made.with_related_part(whole, "word/embeddings/other.txt", b"Fees are due.", "package")
    whole = made.with_broken_part(whole, name)
    found = members(whole, "a.docx")
    assert text_of(found["other.txt"]) == "Fees are due."
    assert found["annex.txt"].reason == "is damaged: it cannot be taken out of its document"


def test_what_is_embedded_counts_against_the_limits_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inclosed, "MAX_EXPANDED_BYTES", 100)
    whole = made.with_related_part(made.word(), "word/embeddings/a.txt", b"word " * 100, "package")
    with pytest.raises(DocumentRejected, match="holds more than 100 bytes when unpacked"):
        members(whole, "a.docx")
    whole = made.with_files(made.pdf(made.text_page([made.LOREM])), ("a.txt", b"word " * 100))
    with pytest.raises(DocumentRejected, match="holds more than 100 bytes when unpacked"):
        members(whole, "a.pdf")


def test_embedding_has_an_end() -> None:
    whole = made.word()
    for _ in range(readers.MAX_NESTING + 2):
        whole = made.with_related_part(made.word(), "word/embeddings/inner.docx", whole, "package")
    found = members(whole, "a.docx")
    assert len(found) == readers.MAX_NESTING + 1
    assert "nested more than" in list(found.values())[-1].reason


@pytest.mark.parametrize("length", [0, 5, 40, 1_000])
def test_a_damaged_wrapping_is_passed_over(length: int) -> None:
    assert embedded._unwrapped(made.in_ole("annex.txt", b"Fees are due.")[: 512 + length]) in (None, ("", b""))
