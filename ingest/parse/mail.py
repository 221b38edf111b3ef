"""Mail: who, to whom, when and about what; the body; and the files inside, handed on to be read like any other.

EML through the standard library, MSG (Outlook) through python-oxmsg. Bodies in HTML go the way of web pages.
"""

from __future__ import annotations

import email
import email.policy
import io
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

import oxmsg

from appliance.errors import DocumentNeedsPassword, DocumentRejected, DocumentUnreadable
from ingest.parse.elements import Element, ElementKind, clean_line, clean_name

MAX_DEPTH = 20
MAX_PARTS = 1_000
_HEADERS = ("From", "To", "Cc", "Date", "Subject")


@dataclass(frozen=True, slots=True)
class Inclosed:
    """A file inside a mail."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart. `body` is HTML when `is_html`."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_html: bool
    files: tuple[Inclosed, ...]

    def header_element(self) -> Element:
        """The headers as the first element: "From: ..." and so on, one per line."""
        text = "\n".join(f"{name}: {value}" for name, value in self.headers if value)
        return Element(ElementKind.TEXT, text)


def open_eml(data: bytes) -> Mail:
    """An RFC 5322 mail.

    Raises:
        DocumentNeedsPassword: It is encrypted (S/MIME or PGP).
        DocumentRejected: It has too many parts, or they are nested too deep.
        DocumentUnreadable: It is damaged.
    """
    try:
        message = email.message_from_bytes(data.lstrip(b"\r\n"), policy=email.policy.default)
        if _is_encrypted(message):
            raise DocumentNeedsPassword("is an encrypted mail; store it decrypted and try again")
        parts = list(_parts(message, 0))
        if len(parts) > MAX_PARTS:
            raise DocumentRejected(f"has {len(parts):,} parts; the limit is {MAX_PARTS:,}")
        return _mail(message, parts)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentUnreadable("is damaged: it cannot be read as a mail") from error


def _is_encrypted(message: EmailMessage) -> bool:
    kind = message.get_content_type()
    sealed = kind in ("application/pkcs7-mime", "application/x-pkcs7-mime")
    return kind == "multipart/encrypted" or (sealed and message.get_param("smime-type") != "signed-data")


def _parts(part: EmailMessage, depth: int) -> Iterator[EmailMessage]:
    """The leaves; a mail inside the mail is one."""
    if depth > MAX_DEPTH:
        raise DocumentRejected(f"has parts nested more than {MAX_DEPTH} deep")
    if part.is_multipart() and part.get_content_type() != "message/rfc822":
        for inner in part.iter_parts():
            if isinstance(inner, EmailMessage):
                yield from _parts(inner, depth + 1)
    else:
        yield part


def _mail(message: EmailMessage, parts: list[EmailMessage]) -> Mail:
    body: EmailMessage | None = None
    files: list[Inclosed] = []
    for part in parts:
        kind, name = part.get_content_type(), part.get_filename()
        is_body = kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment" and not name
        if is_body and (body is None or (kind == "text/html" and body.get_content_type() == "text/plain")):
            body = part
        elif not is_body and (inclosed := _inclosed(part, name)):
            files.append(inclosed)
    headers = tuple((name, clean_line(str(message.get(name, "")), 1_000)) for name in _HEADERS)
    text = _text(body) if body is not None else ""
    is_html = body is not None and body.get_content_type() == "text/html"
    return Mail(dict(headers)["Subject"], headers, text.encode("utf-8", "replace"), is_html, tuple(files))


def _inclosed(part: EmailMessage, name: str | None) -> Inclosed | None:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        first = inner[0] if isinstance(inner, list) and inner else None
        data = first.as_bytes() if isinstance(first, EmailMessage) else b""
        return Inclosed(clean_name(name or "mail.eml"), data) if data else None
    content = part.get_payload(decode=True)
    return Inclosed(clean_name(name), content) if name and isinstance(content, bytes) and content else None


def _text(part: EmailMessage) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    for encoding in (part.get_content_charset() or "utf-8", "utf-8"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def open_msg(data: bytes) -> Mail:
    """An Outlook mail.

    Raises:
        DocumentNeedsPassword: It is encrypted.
        DocumentUnreadable: It is damaged.
    """
    try:
        message = oxmsg.Message.load(io.BytesIO(data))
        if (message.message_class or "").upper().startswith("IPM.NOTE.SMIME") and not message.body:
            raise DocumentNeedsPassword("is an encrypted mail; store it decrypted and try again")
        to = ", ".join(f"{person.name} <{person.email_address}>" for person in message.recipients)
        sent = message.sent_date.isoformat(" ", "minutes") if message.sent_date else ""
        values = (message.sender or "", to, "", sent, message.subject or "")
        headers = tuple((name, clean_line(value, 1_000)) for name, value in zip(_HEADERS, values, strict=True))
        files = tuple(
            Inclosed(clean_name(item.file_name or "attachment"), item.file_bytes)
            for item in message.attachments
            if item.file_bytes
        )
        body = message.html_body or message.body or ""
        is_html = bool(message.html_body)
    except DocumentRejected:
        raise
    except Exception as error:  # the edge of an untrusted parser: it raises whatever its parsers raise
        raise DocumentUnreadable("is damaged: it cannot be read as a mail") from error
    return Mail(dict(headers)["Subject"], headers, body.encode("utf-8", "replace"), is_html, files[:MAX_PARTS])
