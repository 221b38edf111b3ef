from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse.detect import Format, detect
from tests.ingest.parse import documents as made


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (made.pdf(made.text_page(["a"])), "a.pdf", Format.PDF),
        (made.pdf(made.text_page(["a"])), "no-ending", Format.PDF),
        (b"junk\n" * 20 + made.pdf(made.text_page(["a"])), "a.pdf", Format.PDF),
        (made.word(), "a.docx", Format.DOCX),
        (made.word(), "mislabelled.doc", Format.DOCX),
        (made.slides(), "a.pptx", Format.PPTX),
        (made.workbook(), "a.xlsx", Format.XLSX),
        (made.epub(), "a.epub", Format.EPUB),
        (rb"{\rtf1 hi}", "a.doc", Format.RTF),
        (b"# Title", "a.md", Format.MARKDOWN),
        (b"Title", "README", Format.TEXT),
        (b"<!DOCTYPE html><html>", "page", Format.HTML),
        (b"From: a\nTo: b\nSubject: c\n\nhi", "mail", Format.EML),
        ("Größe".encode("utf-16"), "a.txt", Format.TEXT),
        (made.archive(("a.pdf", made.pdf(made.text_page(["a"]))), method=zipfile.ZIP_STORED), "a.zip", Format.ZIP),
        (made.tar(("a.pdf", made.pdf(made.text_page(["a"])))), "a.tar", Format.TAR),
        (gzip.compress(made.tar(("a.txt", b"a")), mtime=0), "a.tgz", Format.TAR),
        (gzip.compress(b"words", mtime=0), "a.txt.gz", Format.GZIP),
        (made.mailbox(made.letter("Limits", "1")), "Inbox", Format.MBOX),
        (made.mailbox(made.letter("Limits", "1")), "a.eml", Format.EML),
        (made.word(), "a.zip", Format.DOCX),
        (b"How a PDF begins: %PDF-1.7", "a.txt", Format.TEXT),
    ],
)
def test_content_then_name_tells_the_format(data: bytes, name: str, kind: Format) -> None:
    assert detect(data, name) is kind


@pytest.mark.parametrize(
    ("data", "name", "error", "said"),
    [
        (b"", "a.pdf", DocumentEmpty, "is empty"),
        (b" \r\n\t" * 9, "a.txt", DocumentEmpty, "is empty"),
        (b"-----BEGIN PGP MESSAGE-----", "a.txt.pgp", DocumentRejected, "decrypt it"),
        (b"0\x82\x01", "smime.p7s", DocumentRejected, "a digital signature"),
        (b"not a pdf at all", "a.pdf", DocumentUnreadable, "not the .pdf file"),
        (made.word(), "a.pdf", DocumentRejected, "is named .pdf but holds"),
        (made.pdf(made.text_page(["a"])), "a.docx", DocumentRejected, "is named .docx but holds"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "a.txt", DocumentRejected, "neither text"),
        (b"MZ\x90\x00" + bytes(100), "setup.exe", DocumentRejected, "neither text"),
        (b"import os", "a.py", DocumentRejected, "ends in '.py'"),
        (made.word()[:2000], "a.docx", DocumentUnreadable, "damaged"),
        (b"PK\x03\x04" + bytes(50), "a.zip", DocumentUnreadable, "damaged"),
        (b"anything", "old.ppt", DocumentUnreadable, "not the .ppt file"),
        (b"anything", "old.pages", DocumentRejected, "export it as .docx"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "a.7z", DocumentRejected, "pack it as .zip"),
        (made.archive(("a.class", b"x")), "a.jar", DocumentRejected, "ends in '.jar'"),
        (made.archive(("a.txt", b"x")), "a.docx", DocumentRejected, "is named .docx but holds application/zip"),
        (made.archive(("Index/Document.iwa", b"x")), "a.numbers", DocumentRejected, "export it as .xlsx"),
        (made.with_broken_part(made.epub(), "mimetype"), "a.epub", DocumentUnreadable, "damaged"),
        (made.zip_bomb(), "a.docx", DocumentRejected, "ZIP bomb"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    data: bytes, name: str, error: type[DocumentRejected], said: str
) -> None:
    with pytest.raises(error, match=said):
        detect(data, name)


def test_an_archive_with_too_many_parts_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(10_001):
            archive.writestr(f"word/{number}", "")
    with pytest.raises(DocumentRejected, match="parts"):
        detect(out.getvalue(), "a.docx")


def test_an_encrypted_member_asks_for_the_password() -> None:
    data = bytearray(made.word())
    place = data.find(b"PK\x01\x02")
    data[place + 8] |= 1
    with pytest.raises(DocumentNeedsPassword):
        detect(bytes(data), "a.docx")
