"""Mails and mailboxes, read in this process: what they say, what is attached, which conversation they belong to."""

from __future__ import annotations

import email.policy
import re
from email.message import EmailMessage

import pytest

from appliance.domain import DocumentFacts
from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse import mail, readers
from ingest.parse.elements import Member, Parsed, from_json, to_json
from tests.ingest.parse import documents as made


def read(data: bytes, name: str = "a.eml") -> Parsed:
    parsed = readers.read(data, name, readers.Limits(100, (), 30.0), lambda done, total, ocr: None)
    sent = from_json(to_json(parsed)).members
    assert [member.path for member in sent] == [member.path for member in parsed.members]
    return parsed


def texts(parsed: Parsed | None) -> list[str]:
    assert parsed is not None
    return [element.text for element in parsed.elements]


def test_a_mail_is_a_document_and_what_is_attached_are_its_members() -> None:
    parsed = read(made.mail())
    assert parsed.title == "Limits for June"
    assert texts(parsed) == [
        "From: desk@bank.example\nTo: archive@bank.example\nDate: Mon, 01 Jun 2026 09:00:00 +0000\nSubject: Limits for June",
        "Please find the new limits attached.",
        "Attachments: limits.xlsx, tool.bin",
    ]
    table, tool = parsed.members
    assert table.parsed is not None
    assert table.path == "limits.xlsx"
    assert "Unit 0 | 1000.5 | 25%" in texts(table.parsed)[0]
    assert [page.page for page in table.parsed.pages] == [1, 2]
    assert tool == Member("tool.bin", None, "document_rejected", tool.reason)
    assert "not supported" in tool.reason


def test_a_mail_says_who_wrote_it_when_and_in_which_conversation() -> None:
    parsed = read(made.letter("Limits", "3", "1", "2", date="Mon, 01 Jun 2026 09:00:00 +0200").as_bytes())
    assert parsed.facts == DocumentFacts("desk@bank.example", "2026-06-01T09:00:00+02:00", "", "1@bank.example")
    assert read(made.letter("Limits", "3").as_bytes()).facts.thread == "3@bank.example"


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Jun 2026 09:00:00 +0000", "", "1 Jan 99999 00:00 +0000"])
def test_a_date_that_is_none_is_not_made_up(date: str) -> None:
    assert read(b"From: a@bank.example\nDate: " + date.encode() + b"\nSubject: x\n\nwords").facts.created == ""


@pytest.mark.parametrize(
    "headers",
    [
        b"From: =?utf-8?B?//8=?= <a@b\nSubject: =?x-unknown?Q?a?=",
        b"From: \xff\xfe <a@b>, ,,;\nSubject: \xe4\xf6",
        b"From: a@[1\nTo: undisclosed:;,\nSubject: a\nMessage-ID: <\nReferences: <>< <a",
        b"Content-Disposition: attachment; filename*0*=x''%FF; filename*2=b\nSubject: a\nFrom: a\nTo: b",
    ],
)
def test_malformed_headers_cost_a_mail_nothing_but_themselves(headers: bytes) -> None:
    assert any("The body." in member for member in texts(read(headers + b"\n\nThe body.\n")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_mail_saved_in_another_encoding_keeps_its_headers(encoding: str) -> None:
    assert read("From: a@bank.example\nSubject: Limits\n\nThe body.\n".encode(encoding)).title == "Limits"


def test_all_parts_that_follow_one_another_are_read_and_the_richest_of_alternatives() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@bank.example", "Parts"
    message.set_content("first, plain")
    message.add_alternative("<p>first, rich</p>", subtype="html")
    message.make_mixed()
    last = EmailMessage()
    last.set_content("a footer of the list")
    message.attach(last)
    assert texts(read(message.as_bytes()))[1:] == ["first, rich", "a footer of the list"]


def test_signatures_and_pictures_of_the_layout_are_no_attachments() -> None:
    message = made.letter("Signed", "1")
    message.add_attachment(b"0", maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    assert read(message.as_bytes()).members == ()


def test_a_picture_without_text_in_a_mail_is_empty_and_no_failure() -> None:
    message = made.letter("With a logo", "1")
    logo = made.image_file(made.picture([], size=(120, 60)), "PNG")
    message.add_attachment(logo, maintype="image", subtype="png", filename="logo.png")
    message.add_attachment(b"no picture at all", maintype="image", subtype="png", filename="broken.png")
    (member, broken) = read(message.as_bytes()).members
    assert (member.path, member.code) == ("logo.png", DocumentEmpty.code)
    assert member.reason.startswith("is a picture without text")
    assert broken.reason != member.reason
    archive = read(made.archive(("scan.png", logo)), "scans.zip")
    assert archive.members[0].code == DocumentUnreadable.code


def test_a_mail_in_a_mail_and_an_attachment_without_a_name_are_members() -> None:
    message = made.letter("Outer", "1")
    message.add_attachment(made.letter("Inner: plan/2026", "2"))
    message.add_attachment(made.pdf(made.text_page(["seen"])), maintype="application", subtype="pdf")
    message.add_attachment(b"words", maintype="text", subtype="plain", filename="..\\..\\a.txt")
    message.add_attachment(b"words", maintype="text", subtype="plain", filename="a.txt")
    found = read(message.as_bytes()).members
    assert found[0].parsed is not None
    assert found[0].parsed.title == "Inner: plan/2026"
    assert re.fullmatch("mail [0-9a-f]{16}.eml", found[0].path)
    assert [member.path for member in found[1:]] == [
        "attachment.pdf",
        "a.txt",
        "a (2).txt",
    ]


@pytest.mark.parametrize(
    "kind", ["multipart/encrypted; boundary=x", "application/pkcs7-mime; smime-type=enveloped-data"]
)
def test_an_encrypted_mail_is_refused_for_no_password_opens_it(kind: str) -> None:
    with pytest.raises(DocumentRejected, match="save it decrypted") as refusal:
        mail.open_eml(f"Content-Type: {kind}\n\n--x\n\n--x--\n".encode())
    assert not isinstance(refusal.value, DocumentNeedsPassword)


def test_a_mailbox_lists_its_mails_thread_by_thread_and_what_is_in_them() -> None:
    plan = made.letter("Plan", "1")
    answer = made.letter("Re: Plan", "2", "1", date="Tue, 02 Jun 2026 09:00:00 +0000")
    late = made.letter("Re: Plan", "3", "2", date="Mon, 01 Jun 2026 08:00:00 +0000")  # a clock that is wrong
    other = made.letter("Lunch", "4")
    other.add_attachment(made.pdf(made.text_page(["menu"])), maintype="application", subtype="pdf", filename="menu.pdf")
    parsed = read(made.mailbox(late, other, plan, answer), "Inbox.mbox")
    assert [(member.parsed.title, member.parsed.facts.thread) for member in parsed.members if member.parsed] == [
        ("Plan", "1@bank.example"),
        ("Re: Plan", "1@bank.example"),
        ("Re: Plan", "1@bank.example"),
        ("Lunch", "4@bank.example"),
        ("menu", ""),
    ]
    assert parsed.members[4].path == f"{parsed.members[3].path}/menu.pdf"


def paths(*mails: EmailMessage) -> dict[str, str]:
    """The member paths of a mailbox, and the title of each."""
    members = read(made.mailbox(*mails), "Inbox.mbox").members
    return {member.path: member.parsed.title for member in members if member.parsed}


def test_names_of_mails_tell_nothing_and_do_not_change_when_others_come_or_go() -> None:
    mails = [made.letter("Dismissal of A. Reader", "1"), made.letter("Plan", "2"), made.letter("Lunch", "3")]
    whole = paths(*mails)
    assert all(re.fullmatch("mail [0-9a-f]{16}.eml", path) for path in whole)
    assert paths(mails[2], mails[1]).items() < whole.items()
    assert whole.items() < paths(made.letter("New", "4"), *mails).items()
    mails[1]["X-Status"] = "RO"  # what a mail program writes when it was read and answered
    assert paths(*mails) == whole


def test_mails_of_one_message_id_or_of_none_are_told_apart_by_their_bodies() -> None:
    one, other = made.letter("Plan A", "1"), made.letter("Plan B", "1")
    both = paths(one, other)
    assert len(both) == 2
    assert paths(other).items() < both.items()
    for mail_without in (one, other):
        del mail_without["Message-ID"]
    assert len(paths(one, other)) == 2
    assert len(paths(one, one)) == 2


def test_lines_that_begin_with_from_part_no_mails_and_are_unquoted() -> None:
    parsed = read(made.mailbox(made.letter("A", "1"), made.letter("B", "2")), "a.mbox")
    assert len(parsed.members) == 2
    assert texts(parsed.members[0].parsed)[-1] == "From now on the desk answers."


def test_threads_that_go_in_circles_or_are_made_to_be_slow_end() -> None:
    circle = [
        made.letter("a", "1", "2"),
        made.letter("b", "2", "1"),
        made.letter("c", "1", "1"),
        made.letter("d", "9", "9"),
    ]
    assert len(read(made.mailbox(*circle), "a.mbox").members) == 4
    chain = b"".join(
        b"From a@b Mon Jun  1 09:00:00 2026\nMessage-ID: <%d>\nIn-Reply-To: <%d>\n\nx\n\n" % (number, number + 1)
        for number in range(3_000)
    )
    from ingest.parse.mailbox import open_mailbox

    opened = list(open_mailbox(chain))
    assert len(opened) == 3_000
    assert {inclosed.thread for inclosed in opened} == {"3000"}


def test_a_mail_without_headers_is_one_all_the_same() -> None:
    parsed = read(b"From a@bank.example Mon Jun  1 09:00:00 2026\n\nJust words.\n", "a.mbox")
    assert texts(parsed.members[0].parsed) == ["Just words."]


def test_a_mailbox_without_mails_is_refused() -> None:
    with pytest.raises(DocumentUnreadable):
        read(b"Just words.", "a.mbox")


def outlook(*, to: str = "") -> mail.Mail:
    """A mail as the reader of Outlook files hands it on."""
    headers = (("From", "A <a@bank.example>"), ("To", to), ("Cc", ""), ("Date", ""), ("Subject", "Inner"))
    facts = DocumentFacts("A", "2026-06-01T09:00:00+00:00", "", "1@bank.example")
    return mail.Mail(
        headers, (mail.Body("<p>Gr\u00f6\u00dfe</p>".encode(), True),), (mail.Inclosed("a.txt", lambda: b"x"),), facts
    )


@pytest.mark.parametrize("to", ["", "B <b@bank.example>", "someone odd <>, ;;"])
def test_an_outlook_mail_in_another_is_handed_on_as_a_mail(to: str) -> None:
    data = mail._as_eml(outlook(to=to))
    assert data == mail._as_eml(outlook(to=to))
    parsed = read(data)
    assert "Gr\u00f6\u00dfe" in texts(parsed)
    assert (parsed.title, parsed.facts.thread) == ("Inner", "1@bank.example")
    assert [member.path for member in parsed.members] == ["a.txt"]
    assert email.message_from_bytes(data, policy=email.policy.default)["Date"] is not None
