"""Mail: who, to whom, when and about what; the body; and the files attached, handed on to be read like any other.

Rules this module keeps:

1. EML through the standard library, MSG (Outlook) through python-oxmsg. Bodies in HTML go the way of web pages.
2. Of alternatives of the same text the richest is read; parts that follow one another are all read.
3. A mail in a mail is a file in it, in EML whatever it was, and named by a digest where it has no file name: names of
   files are seen by people who may not read the mail, its subject is not for them.
4. What only serves the mail program (signatures, pictures of the layout without a name) is no attachment.
"""

from __future__ import annotations

import datetime as dt
import email
import email.errors
import email.header
import email.policy
import email.utils
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import cast

import oxmsg
from oxmsg.attachment import Attachment
from oxmsg.properties import Properties
from oxmsg.storage import Storage

from appliance.domain import DocumentFacts
from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.elements import Element, ElementKind, clean_line, clean_name
from ingest.parse.encodings import decoded, wide_encoding
from ingest.parse.facts import iso
from ingest.parse.inclosed import Inclosed, Names

MAX_DEPTH = 20
MAX_PARTS = 1_000
_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENCRYPTED = (
    "is an encrypted mail (S/MIME or PGP), which no password opens here; open it in the mail program of somebody who "
    "has the key, save it decrypted, and put that in its place"
)
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_NAMELESS = {
    "application/pdf": "attachment.pdf",
    "application/msword": "attachment.doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "attachment.docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "attachment.xlsx",
    "application/zip": "attachment.zip",
    "text/calendar": "invitation.ics",
    "text/csv": "attachment.csv",
}
_TEXTS = ("text/plain", "text/html")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,250})>")
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of what the mail says."""

    data: bytes
    is_html: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart."""

    headers: tuple[tuple[str, str], ...]
    bodies: tuple[Body, ...]
    files: tuple[Inclosed, ...]
    facts: DocumentFacts

    @property
    def subject(self) -> str:
        """What it is about, empty if it does not say."""
        return dict(self.headers)["Subject"]

    def header_element(self) -> Element:
        """The headers as the first element: "From: ..." and so on, one per line."""
        text = "\n".join(f"{name}: {value}" for name, value in self.headers if value)
        return Element(ElementKind.TEXT, text)

    def files_elements(self) -> Iterator[Element]:
        """The names of what is attached, so that the mail is found by them."""
        if self.files:
            yield Element(ElementKind.TEXT, "Attachments: " + ", ".join(file.path for file in self.files))


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a mail stands in a conversation: its own Message-ID and those it follows, the first one first."""

    own: str
    before: tuple[str, ...]

    @property
    def root(self) -> str:
        """The Message-ID of the first mail, as far as this one knows."""
        return self.before[0] if self.before else self.own


def open_eml(data: bytes) -> Mail:
    """An RFC 5322 mail.

    Raises:
        DocumentRejected: It is encrypted (S/MIME or PGP), has too many parts, or they are nested too deep.
        DocumentUnreadable: It is damaged.
    """
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(data[:4096]):
            data = decoded(data).encode("utf-8", "replace")  # a mail that somebody saved from an editor
        message = email.message_from_bytes(data.lstrip(b"\r\n"), policy=email.policy.default)
        if _is_encrypted(message):
            raise DocumentRejected(_ENCRYPTED)
        return _mail(message)
    except _DAMAGE as error:
        raise DocumentUnreadable("is damaged: it cannot be read as a mail") from error


def thread_of(message: EmailMessage) -> Thread:
    """Where a mail stands, by its References, In-Reply-To and Message-ID."""
    own = _MESSAGE_ID.findall(header_text(message, "Message-ID"))
    before = _MESSAGE_ID.findall(header_text(message, "References"))
    before += [found for found in _MESSAGE_ID.findall(header_text(message, "In-Reply-To")) if found not in before]
    return Thread(own[0] if own else "", tuple(before))


def header_text(message: EmailMessage, name: str) -> str:
    """A header in plain text; what the library stumbles over (it does, over malformed ones) as it stands."""
    try:
        return str(message.get(name, ""))
    except _DAMAGE:
        return _words(next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), ""))


def _words(raw: str) -> str:
    """A header with its encoded words ("=?utf-8?Q?...?=") decoded, where they can be."""
    try:
        return str(email.header.make_header(email.header.decode_header(raw)))
    except (*_DAMAGE, email.errors.HeaderParseError):
        return raw


def sent_on(message: EmailMessage) -> str:
    """The Date header in ISO 8601, empty if there is none that can be read."""
    try:
        return iso(email.utils.parsedate_to_datetime(header_text(message, "Date")))
    except (*_DAMAGE, OverflowError):
        return ""


def _is_encrypted(message: EmailMessage) -> bool:
    kind = message.get_content_type()
    sealed = kind in ("application/pkcs7-mime", "application/x-pkcs7-mime")
    return kind == "multipart/encrypted" or (sealed and message.get_param("smime-type") != "signed-data")


def _mail(message: EmailMessage) -> Mail:
    parts = _Parts()
    parts.sort(message, 0)
    headers = tuple((name, clean_line(header_text(message, name), 1_000)) for name in _HEADERS)
    facts = DocumentFacts(
        author=clean_line(dict(headers)["From"]),
        created=sent_on(message),
        thread=clean_line(thread_of(message).root),
    )
    return Mail(headers, tuple(parts.bodies), tuple(parts.files), facts)


class _Parts:
    """The leaves of a mail, sorted into what it says and what is attached."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.files: list[Inclosed] = []
        self._names = Names()
        self._count = 0

    def sort(self, part: EmailMessage, depth: int) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise DocumentRejected(f"has more than {MAX_PARTS:,} parts; that is the limit")
        if depth > MAX_DEPTH:
            raise DocumentRejected(f"has parts nested more than {MAX_DEPTH} deep")
        kind = part.get_content_type()
        if depth == 0 and kind in _TEXTS:
            self._body(part, kind)  # whatever else it says of itself
            return
        if not part.is_multipart() or kind == "message/rfc822":
            self._leaf(part, kind)
            return
        inner = [child for child in part.iter_parts() if isinstance(child, EmailMessage)]
        for child in _without_poorer_texts(inner) if kind == "multipart/alternative" else inner:
            self.sort(child, depth + 1)

    def _leaf(self, part: EmailMessage, kind: str) -> None:
        name = _file_name(part)
        attached = part.get_content_disposition() == "attachment"
        if kind in _TEXTS and not attached and not name:
            self._body(part, kind)
        elif kind == "message/rfc822":
            inner = _inner_mail(part)
            self._inclose(name or neutral_name(inner), inner)
        elif kind not in _SIGNATURES and (name or attached or kind in _NAMELESS):
            content = part.get_payload(decode=True)
            self._inclose(name or _NAMELESS.get(kind, "attachment"), content if isinstance(content, bytes) else b"")

    def _body(self, part: EmailMessage, kind: str) -> None:
        self.bodies.append(Body(_text(part).encode("utf-8", "replace"), kind == "text/html"))

    def _inclose(self, name: str, data: bytes) -> None:
        self.files.append(_inclosed(self._names.path(clean_name(name)), data))


def _without_poorer_texts(parts: list[EmailMessage]) -> list[EmailMessage]:
    """Alternatives without the plain text that is said again, and better, in HTML (or in a part that has some)."""
    rich = [part for part in parts if part.get_content_type() == "text/html" or part.is_multipart()]
    return [part for part in parts if not rich or part.get_content_type() != "text/plain"]


def _file_name(part: EmailMessage) -> str:
    try:
        return part.get_filename() or ""
    except _DAMAGE:  # a malformed header
        return "attachment"


def _inner_mail(part: EmailMessage) -> bytes:
    payload = part.get_payload()
    first = payload[0] if isinstance(payload, list) and payload else None
    return first.as_bytes() if isinstance(first, EmailMessage) else b""


def neutral_name(content: bytes) -> str:
    """A file name for a mail that has none: it tells nothing of the mail, and is always the same for the same one."""
    return f"mail {hashlib.sha256(content).hexdigest()[:16]}.eml"


def _text(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    for encoding in (part.get_content_charset() or "utf-8", "utf-8"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return decoded(data)


def open_msg(data: bytes) -> Mail:
    """An Outlook mail.

    Raises:
        DocumentRejected: It is encrypted.
        DocumentUnreadable: It is damaged.
    """
    try:
        return _outlook_mail(oxmsg.Message.load(io.BytesIO(data)), 0)
    except DocumentRejected:
        raise
    except Exception as error:  # the edge of an untrusted parser: it raises whatever its parsers raise
        raise DocumentUnreadable("is damaged: it cannot be read as a mail") from error


_INTERNET_MESSAGE_ID, _REFERENCES, _IN_REPLY_TO = 0x1035, 0x1039, 0x1042
_SHORT_NAME, _EMBEDDED = 0x3704, "__substg1.0_3701000D"
_EMBEDDED_HEADER_BYTES = 24
_BOUNDARY = "=_part"  # the library would draw lots; all parts are in base64, which has no "_"


class _EmbeddedMessage(oxmsg.Message):
    """A mail attached to a mail: laid out like one of its own but for a shorter header."""

    @property
    def properties(self) -> Properties:
        return Properties(self._storage, properties_header_offset=_EMBEDDED_HEADER_BYTES)


def _outlook_mail(message: oxmsg.Message, depth: int) -> Mail:
    sealed = (message.message_class or "").upper().startswith("IPM.NOTE.SMIME") and not message.body
    if sealed or any(item.mime_type == "application/pgp-encrypted" for item in message.attachments):
        raise DocumentRejected(_ENCRYPTED)
    body = message.html_body or message.body or ""
    bodies = (Body(body.encode("utf-8", "replace"), bool(message.html_body)),) if body else ()
    names, files = Names(), []
    for item in message.attachments[:MAX_PARTS]:
        name, content = _outlook_file(item, depth)
        if content:
            files.append(_inclosed(names.path(clean_name(name)), content))
    return Mail(_outlook_headers(message), bodies, tuple(files), _outlook_facts(message))


def _inclosed(path: str, data: bytes) -> Inclosed:
    return Inclosed(path, lambda: data, may_decorate=True)


def _outlook_headers(message: oxmsg.Message) -> tuple[tuple[str, str], ...]:
    to = ", ".join(f"{person.name} <{person.email_address}>" for person in message.recipients)
    sent = message.sent_date.isoformat(" ", "minutes") if message.sent_date else ""
    values = (_words(message.sender or ""), _words(to), "", sent, _words(message.subject or ""))
    return tuple((name, clean_line(value, 1_000)) for name, value in zip(_HEADERS, values, strict=True))


def _outlook_facts(message: oxmsg.Message) -> DocumentFacts:
    own, references, reply = (
        _MESSAGE_ID.findall(message.properties.str_prop_value(number) or "")
        for number in (_INTERNET_MESSAGE_ID, _REFERENCES, _IN_REPLY_TO)
    )
    root = [*references, *reply, *own][:1]
    created = iso(message.sent_date) if message.sent_date else ""
    return DocumentFacts(clean_line(_words(message.sender or "")), created, "", clean_line("".join(root)))


def _outlook_file(item: Attachment, depth: int) -> tuple[str, bytes]:
    storages = cast("Storage", item._storage).storages  # the library does not open a mail in a mail
    embedded = next((inner for inner in storages if inner.name == _EMBEDDED), None)
    if embedded is not None and depth < MAX_DEPTH:
        inner = _as_eml(_outlook_mail(_EmbeddedMessage(embedded), depth + 1))
        return neutral_name(inner), inner
    name = item.file_name or item.properties.str_prop_value(_SHORT_NAME) or "attachment"
    return name, item.file_bytes or b""


def _as_eml(mail: Mail) -> bytes:
    """A mail written as EML."""
    whole = MIMEMultipart(boundary=_BOUNDARY)
    for name, value in mail.headers:
        if value and name != "Date":
            whole[name] = email.header.Header(value, "utf-8").encode()
    if mail.facts.created:
        whole["Date"] = email.utils.format_datetime(dt.datetime.fromisoformat(mail.facts.created))
    if mail.facts.thread:
        whole["References"] = f"<{mail.facts.thread}>"
    for body in mail.bodies:
        whole.attach(MIMEText(body.data.decode("utf-8"), "html" if body.is_html else "plain", "utf-8"))
    for file in mail.files:
        part = MIMEApplication(file.take())
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", file.path))
        whole.attach(part)
    return whole.as_bytes()
