"""Mailboxes (mbox): many mails in one file, one after the other, each begun by a line "From sender date".

Rules this module keeps:

1. A mail is called by a digest ("mail 3f0c….eml"): file lists are seen by people who may not read the mail. Neither
   its place nor the other mails count, so that mails that come and go leave the names of the others as they are.
2. Mails come thread by thread, an answer after what it answers; threads come in the order of their first mail. Each
   mail is given the Message-ID of the first of its thread, which it alone may not know.
3. Only the headers of all mails are in memory at once; of their contents, one at a time.
"""

from __future__ import annotations

import email.parser
import email.policy
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

from appliance.errors import DocumentEmpty, DocumentRejected
from ingest.parse.elements import MAX_MEMBERS, clean_line
from ingest.parse.inclosed import Inclosed, Names
from ingest.parse.mail import Thread, header_text, neutral_name, sent_on, thread_of

_BEGIN = re.compile(
    rb"^From (?:- |[^\r\n]{0,200}\d\d?:\d\d)[^\r\n]{0,200}\r?\n(?=(?:>From [^\r\n]*\r?\n)?(?:[!-9;-~]{1,80}:|\r?\n))",
    re.MULTILINE,
)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_MAX_HEADER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Mail:
    number: int
    start: int
    end: int
    name: str
    sent: str
    thread: Thread


def looks_like_mailbox(opening: bytes) -> bool:
    """Whether a file begins with a mail and the line that parts it from the others."""
    return _BEGIN.match(opening.lstrip(b"\r\n")) is not None


def open_mailbox(data: bytes) -> Iterator[Inclosed]:
    """The mails, thread by thread.

    Raises:
        DocumentRejected: There are too many.
        DocumentEmpty: There are none.
    """
    mails = list(_mails(data))
    if not mails:
        raise DocumentEmpty("is empty: there are no mails in it")
    names = Names()
    paths = {mail.number: names.path(mail.name) for mail in mails}
    for root, mail in _by_thread(mails):
        yield Inclosed(paths[mail.number], functools.partial(_content, data, mail.start, mail.end), clean_line(root))


def _content(data: bytes, start: int, end: int) -> bytes:
    return _QUOTED_FROM.sub(rb"\1", data[start:end])


def _mails(data: bytes) -> Iterator[_Mail]:
    begins = [(found.start(), found.end()) for found in _BEGIN.finditer(data)]
    if len(begins) > MAX_MEMBERS:
        raise DocumentRejected(f"holds {len(begins):,} mails; the limit is {MAX_MEMBERS:,}. Split it")
    ends = [start for start, _ in begins[1:]] + [len(data)]
    parser = email.parser.BytesHeaderParser(policy=email.policy.default)
    for number, ((_, start), end) in enumerate(zip(begins, ends, strict=True), start=1):
        found = _HEADERS_END.search(data, start, min(end, start + _MAX_HEADER_BYTES))
        stop = found.start() if found else min(end, start + _MAX_HEADER_BYTES)
        headers = parser.parsebytes(data[start:stop])
        name = neutral_name(_identity(headers) + data[stop:end].strip())  # blank lines part it from the next
        yield _Mail(number, start, end, name, sent_on(headers), thread_of(headers))


def _identity(headers: EmailMessage) -> bytes:
    """What tells a mail from others before its body: its Message-ID, or else who sent it, and when.

    Two mails can have one Message-ID, so the body counts as well; the other headers do not, because mail programs write
    in them what has become of the mail.
    """
    own = thread_of(headers).own or f"{header_text(headers, 'From')} {header_text(headers, 'Date')}"
    return own.encode("utf-8", "replace") + b"\0"


def _by_thread(mails: list[_Mail]) -> Iterator[tuple[str, _Mail]]:
    """Every mail with the Message-ID its thread begins with, empty if no mail of it has any."""
    forest = _Forest()
    for mail in mails:
        chain = [*mail.thread.before, mail.thread.own]
        for before, after in itertools.pairwise(chain):
            forest.follow(before, after)
    threads: dict[str, list[_Mail]] = {}
    for mail in mails:
        known = mail.thread.own or mail.thread.root
        threads.setdefault(forest.root(known) if known else f" {mail.number}", []).append(mail)
    for root, members in threads.items():
        yield from ((root if root[0] != " " else "", mail) for mail in _in_order(members, forest))


class _Forest:
    """Which Message-ID follows which, as the mails tell; a claim that would close a circle is passed over."""

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}
        self._above: dict[str, str] = {}  # the same with shortcuts towards the roots

    def follow(self, before: str, after: str) -> None:
        if after and after not in self.parents and self.root(before) != after:
            self.parents[after] = self._above[after] = before

    def root(self, identity: str) -> str:
        while (above := self._above.get(identity)) is not None:
            self._above[identity] = self._above.get(above, above)
            identity = above
        return identity


def _in_order(members: list[_Mail], forest: _Forest) -> Iterator[_Mail]:
    """A thread as a reader follows it: every mail before its answers, the older before the younger."""
    known = {mail.thread.own for mail in members}
    answers: dict[str, list[_Mail]] = {}
    for mail in members:
        parent = forest.parents.get(mail.thread.own, "")
        answers.setdefault(parent if parent in known else "", []).append(mail)
    waiting = sorted(answers.pop("", []), key=_age, reverse=True)
    while waiting:
        mail = waiting.pop()
        yield mail
        if mail.thread.own:
            waiting += sorted(answers.pop(mail.thread.own, []), key=_age, reverse=True)


def _age(mail: _Mail) -> tuple[str, int]:
    return (mail.sent, mail.number)
