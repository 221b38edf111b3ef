"""BER, as far as LDAP needs it (RFC 4511, section 5.1): definite lengths and tags of one byte.

Rules this module keeps:

1. What comes in was written by a stranger. A length that lies is a `Malformed`, never a wait, a crash or a guess.
2. Nothing is nested by what was read: a caller opens one level at a time, and knows how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31


class Malformed(ValueError):
    """This is not BER, or not what LDAP allows of it."""


def element(tag: int, *parts: bytes) -> bytes:
    """An element with the given contents."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A whole number; an enumeration with `ENUMERATED`."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def text(value: str | bytes, tag: int = OCTET_STRING) -> bytes:
    """A string of bytes; text as UTF-8."""
    return element(tag, value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


def elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in turn. Raises Malformed."""
    rest = content
    while rest:
        header, size = header_of(rest)
        if len(rest) < header + size:
            raise Malformed("an element is longer than what holds it")
        yield rest[0], rest[header : header + size]
        rest = rest[header + size :]


def header_of(data: bytes) -> tuple[int, int]:
    """How many bytes the header of the first element takes, and how many its content. Raises Malformed."""
    if len(data) < 2:
        raise Malformed("an element ends within its header")
    if data[1] < 0x80:
        return 2, data[1]
    count = data[1] & 0x7F
    if not 0 < count <= 4 or len(data) < 2 + count:
        raise Malformed("an element has a length that LDAP does not allow")
    return 2 + count, int.from_bytes(data[2 : 2 + count], "big")


def number(content: bytes) -> int:
    """The whole number that was read. Raises Malformed."""
    if not 0 < len(content) <= 8:
        raise Malformed("a number is empty, or too large")
    return int.from_bytes(content, "big", signed=True)


def take(content: Iterator[tuple[int, bytes]], *tags: int) -> bytes:
    """The content of the next element, which must have one of these tags. Raises Malformed."""
    tag, value = next(content, (None, b""))
    if tag not in tags:
        raise Malformed("an element is missing, or is another than it should be")
    return value
