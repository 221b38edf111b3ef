"""Archives, read in this process: what they hold, what they may not do, and under which names."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable, InvalidRequest
from ingest.parse import inclosed, readers
from ingest.parse.elements import MAX_MEMBER_PATH, Member, Parsed, from_json, to_json
from ingest.parse.inclosed import Names
from tests.ingest.parse import documents as made

NOTE = b"Call the desk first."


def nothing(done: int, total: int, ocr: bool) -> None:
    """Progress nobody listens to."""


def read(data: bytes, name: str, password: str = "") -> Parsed:
    parsed = readers.read(data, name, readers.Limits(100, (), 30.0, password), nothing)
    sent = from_json(to_json(parsed)).members
    assert [member.path for member in sent] == [member.path for member in parsed.members]
    return parsed


def outcome(member: Member) -> str:
    if member.parsed is None:
        return member.reason
    return member.parsed.elements[0].text if member.parsed.elements else ""


def outcomes(data: bytes, name: str, password: str = "") -> dict[str, str]:
    return {member.path: outcome(member) for member in read(data, name, password).members}


PACKED = [
    ("a.zip", made.archive(("b/note.txt", NOTE))),
    ("a.tar", made.tar(("b/note.txt", NOTE))),
    ("a.tar.gz", made.tar(("b/note.txt", NOTE), mode="w:gz")),
    ("a.tgz", made.tar(("b/note.txt", NOTE), mode="w:gz")),
    ("a.tar.bz2", made.tar(("b/note.txt", NOTE), mode="w:bz2")),
    ("a.tar.xz", made.tar(("b/note.txt", NOTE), mode="w:xz")),
    ("no-ending", made.archive(("b/note.txt", NOTE))),
]


@pytest.mark.parametrize(("name", "data"), PACKED)
def test_a_file_in_an_archive_is_a_document_of_its_own(name: str, data: bytes) -> None:
    parsed = read(data, name)
    assert parsed.elements == ()
    assert outcomes(data, name) == {"b/note.txt": "Call the desk first."}
    (member,) = parsed.members
    assert member.parsed is not None
    assert (member.parsed.media_type, member.parsed.size_bytes, member.parsed.title) == ("text/plain", 20, "note")
    assert member.parsed.sha256 == hashlib.sha256(NOTE).hexdigest()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("note.txt.gz", gzip.compress(NOTE, mtime=0)),
        ("note.txt.bz2", bz2.compress(NOTE)),
        ("note.txt.xz", lzma.compress(NOTE)),
    ],
)
def test_a_single_compressed_file_is_called_what_its_name_says(name: str, data: bytes) -> None:
    assert outcomes(data, name) == {"note.txt": "Call the desk first."}


def test_files_that_cannot_be_read_are_members_with_a_reason_and_cost_the_others_nothing() -> None:
    data = made.archive(
        ("a.txt", NOTE), ("b.exe", b"MZ" + bytes(99)), ("c.pdf", b"no"), ("d.pdf", made.encrypted_pdf())
    )
    members = read(data, "a.zip").members
    assert [member.code for member in members] == [
        "",
        "document_rejected",
        "document_unreadable",
        "document_needs_password",
    ]
    assert "not supported" in members[1].reason


def test_an_archive_without_a_readable_file_is_still_a_container() -> None:
    assert list(outcomes(made.archive(("b.exe", b"MZ" + bytes(99))), "a.zip")) == ["b.exe"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (made.archive(), "a.zip"),
        (made.archive(("folder/", b""), ("__MACOSX/._a.txt", NOTE), (".DS_Store", NOTE)), "a.zip"),
        (made.tar(), "a.tar"),
        (made.tar(("Thumbs.db", NOTE)), "a.tar"),
    ],
)
def test_an_archive_without_files_is_refused_as_empty(data: bytes, name: str) -> None:
    with pytest.raises(DocumentEmpty, match="is empty"):
        read(data, name)


def test_members_of_containers_in_containers_are_listed_under_them() -> None:
    inner = made.archive(("plan.txt", NOTE), ("letter.eml", made.mail()))
    assert list(outcomes(made.tar(("in/box.zip", inner), mode="w:gz"), "a.tgz")) == [
        "in/box.zip",
        "in/box.zip/plan.txt",
        "in/box.zip/letter.eml",
        "in/box.zip/letter.eml/limits.xlsx",
        "in/box.zip/letter.eml/tool.bin",
    ]


def test_containers_are_opened_so_deep_and_no_deeper() -> None:
    data = made.archive(("note.txt", NOTE))
    for level in range(1, 8):
        data = made.archive((f"{level}.zip", data))
    (*_, last) = read(data, "a.zip").members
    assert last.path == "7.zip/6.zip/5.zip/4.zip/3.zip/2.zip"
    assert last.reason == "is nested more than 5 deep"


@pytest.mark.parametrize(
    ("untrusted", "path"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\files\\plan.pdf", "C:/files/plan.pdf"),
        ("a//b/./c.txt", "a/b/c.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("pay\u202eroll\x00.txt", "payroll.txt"),
        ("a\uff0fb\uff0f\uff0e\uff0e.txt", "a/b/...txt"),
        ("\ud800.txt", "\ufffd.txt"),
        ("x" * 500 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_a_path_from_a_container_leads_nowhere(untrusted: str, path: str) -> None:
    assert Names().path(untrusted) == path


def test_a_path_of_many_folders_keeps_its_end() -> None:
    path = Names().path("/".join(["folder"] * 200) + "/plan.pdf")
    assert len(path) <= inclosed.MAX_PATH < MAX_MEMBER_PATH
    assert path.endswith("folder/plan.pdf")


def test_folders_that_a_path_loses_anyway_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []

    def clean_name(part: str) -> str:
        cleaned.append(part)
        return part

    monkeypatch.setattr(inclosed, "clean_name", clean_name)
    assert Names().path("a/" * 4_900 + "b.txt").endswith("/a/b.txt")
    assert len(cleaned) < inclosed.MAX_PATH


def test_no_two_files_have_one_path_and_none_is_the_folder_of_another() -> None:
    names = Names()
    given = ["a.zip", "a.zip/b.txt", "a.zip", "A.ZIP", "c/d", "c", "c (2)", "../a.zip", "a.tar.gz", "a.tar.gz"]
    paths = [names.path(name) for name in given]
    assert paths == [
        "a.zip",
        "a (2).zip/b.txt",
        "a (3).zip",
        "A.ZIP",
        "c/d",
        "c (2)",
        "c (2) (2)",
        "a (4).zip",
        "a.tar.gz",
        "a (2).tar.gz",
    ]


def test_names_a_thousand_times_over_are_told_apart_quickly() -> None:
    names = Names()
    assert len({names.path("same.txt") for _ in range(5_000)}) == 5_000


def test_a_name_in_utf_8_that_the_archive_does_not_declare_is_read() -> None:
    data = made.archive(("B\u00fccher.txt", NOTE))
    undeclared = bytearray(data)
    for signature, place in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        undeclared[data.index(signature) + place] &= ~0x08
    assert list(outcomes(bytes(undeclared), "a.zip")) == ["B\u00fccher.txt"]


def test_a_tar_whose_first_block_was_lost_is_damaged_and_not_empty() -> None:
    damaged = bytes(512) + made.tar(("b/note.txt", NOTE))[512:]
    with pytest.raises(DocumentUnreadable, match="its beginning is blank"):
        read(damaged, "a.tar")
    with pytest.raises(DocumentEmpty):
        read(bytes(10_240), "a.tar")


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_links_and_devices_in_a_tar_are_refused_one_by_one() -> None:
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
    found = outcomes(
        made.tar(*((f"{number}.txt", link(kind)) for number, kind in enumerate(kinds)), ("n.txt", NOTE)), "a.tar"
    )
    assert [text[:12] for text in found.values()] == [
        "is a link in",
        "is a link in",
        "is not an or",
        "is not an or",
        "Call the des",
    ]


def test_an_archive_that_breaks_off_gives_what_comes_before() -> None:
    whole = made.tar(("a.txt", NOTE), ("b.txt", bytes(range(256)) * 400), mode="w:gz")
    found = outcomes(whole[: len(whole) * 2 // 3], "a.tgz")
    assert found["a.txt"] == "Call the desk first."
    assert "breaks off" in list(found.values())[-1]


def test_a_damaged_file_in_a_zip_costs_the_others_nothing() -> None:
    data = bytearray(
        made.archive(("a.txt", b"These words are stored as they are."), ("b.txt", NOTE), method=zipfile.ZIP_STORED)
    )
    data[data.index(b"words")] ^= 1
    assert outcomes(bytes(data), "a.zip") == {
        "a.txt": "is damaged: it cannot be taken out of its archive",
        "b.txt": "Call the desk first.",
    }


BOMB = bytes(30 * 1024**2)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (made.archive(("a.txt", BOMB)), "a.zip"),
        (gzip.compress(BOMB, mtime=0), "a.txt.gz"),
        (bz2.compress(BOMB), "a.txt.bz2"),
        (made.tar(("a.txt", BOMB), mode="w:gz"), "a.tar.gz"),
        (made.overlapping_zip(), "a.zip"),
    ],
)
def test_archives_made_to_burst_are_refused(data: bytes, name: str) -> None:
    with pytest.raises(DocumentRejected, match=r"bomb|the limit|parts"):
        read(data, name)


@pytest.mark.parametrize(("packed", "name"), [(made.archive, "a.zip"), (made.tar, "a.tar")])
def test_archives_of_too_many_files_are_refused(packed: Callable[..., bytes], name: str) -> None:
    data = packed(*((f"{number}.txt", b"") for number in range(10_001)))
    with pytest.raises(DocumentRejected, match=r"the limit|parts"):
        read(data, name)


def test_a_bomb_in_a_mail_or_an_archive_is_refused_alone() -> None:
    found = outcomes(made.archive(("a.txt", NOTE), ("bomb.zip", made.archive(("a.txt", BOMB)))), "a.zip")
    assert found["a.txt"] == "Call the desk first."
    assert "bomb" in found["bomb.zip"]


def test_an_archive_that_lies_about_sizes_gives_no_more_than_it_says() -> None:
    data = bytearray(made.archive(("a.txt", BOMB)))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + place
        data[start : start + 4] = (100).to_bytes(4, "little")
    assert "is damaged" in outcomes(bytes(data), "a.zip")["a.txt"]


def test_what_is_taken_out_of_all_archives_together_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inclosed, "MAX_EXPANDED_BYTES", 3_000)
    inner = made.archive(("a.txt", b"x" * 1_000))
    assert len(read(made.archive(("1.zip", inner), ("2.zip", inner)), "a.zip").members) == 4
    with pytest.raises(DocumentRejected, match="more than 3,000 bytes"):
        read(made.archive(*((f"{number}.zip", inner) for number in range(3))), "a.zip")


PROTECTED = [
    made.encrypted_zip("geheim", ("a.txt", NOTE), ("b.txt", b"Second.")),
    made.aes_zip("geheim", "a.txt", NOTE),
]


@pytest.mark.parametrize("data", PROTECTED)
def test_an_encrypted_zip_is_opened_by_its_password(data: bytes) -> None:
    assert outcomes(data, "a.zip", "geheim")["a.txt"] == "Call the desk first."
    with pytest.raises(DocumentNeedsPassword, match="is encrypted; give its password"):
        read(data, "a.zip")
    with pytest.raises(DocumentNeedsPassword, match="was not opened by the password given"):
        read(data, "a.zip", "geheimnis")


def test_a_changed_byte_in_an_aes_member_is_noticed() -> None:
    data = bytearray(PROTECTED[1])
    data[data.index(b"PK\x01\x02") - 12] ^= 1
    with pytest.raises(DocumentNeedsPassword):
        read(bytes(data), "a.zip", "geheim")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_page_of_a_file_in_an_archive_can_be_shown(name: str) -> None:
    page = made.pdf(made.text_page(["Seen."]))
    inner = made.archive(("x/plan.pdf", page))
    outer = made.archive(("o.zip", inner)) if name.endswith("zip") else made.tar(("o.zip", inner), mode="w:gz")
    picture = readers.render(outer, name, 1, 50, (), member="o.zip/x/plan.pdf")
    assert picture.width > 100
    with pytest.raises(InvalidRequest, match="no such file"):
        readers.render(outer, name, 1, 50, (), member="o.zip/other.pdf")


def test_progress_grows_with_every_file() -> None:
    seen: list[tuple[int, int]] = []
    data = made.archive(
        *((f"{number}.txt", NOTE) for number in range(5)), ("p.pdf", made.pdf(*[made.text_page(["a"])] * 3))
    )
    readers.read(data, "a.zip", readers.Limits(100, (), 30.0), lambda done, total, ocr: seen.append((done, total)))
    assert [total for _, total in seen] == sorted(total for _, total in seen)
    assert all(done <= total for done, total in seen)
    assert seen[-1][1] >= 8
