"""The messages of LDAP that are used here (RFC 4511, section 4): what is asked, and what is read in an answer.

Pure: bytes in, bytes out. What an answer holds is a stranger's word, and raises `Malformed` where it is none of LDAP's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.ldap import ber
from appliance.ldap.filters import Filter

_START_TLS = "1.3.6.1.4.1.1466.20037"
_PAGED = "1.2.840.113556.1.4.319"

_BIND, BOUND, UNBIND = 0x60, 0x61, 0x42
_SEARCH, ENTRY, DONE, REFERENCE = 0x63, 0x64, 0x65, 0x73
_EXTENDED, EXTENDED_DONE = 0x77, 0x78
CONTROLS = 0xA0

OK, SIZE_LIMIT, REFERRAL, NO_SUCH_OBJECT = 0, 4, 10, 32
NOT_LET_IN = frozenset({19, 32, 48, 49, 50, 53})
"""How servers refuse a bind: with a wrong password, for nobody, or for an account that is locked or expired."""

RESULTS = {
    1: "it reports an error of its own (1)",
    2: "it does not understand the request (2)",
    3: "it took longer than its time limit (3)",
    8: "it wants a stronger sign-in (8): use ldaps",
    13: "it wants an encrypted connection (13): use ldaps",
    50: "the service account may not read there (50): give it the right to",
    51: "it is busy (51)",
    52: "it is not available at the moment (52)",
    53: "it is unwilling to (53)",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something of the directory: its name there, and values by attribute in lower case."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]] = field(repr=False)

    def texts(self, attribute: str) -> tuple[str, ...]:
        """The values of an attribute that are text."""
        texts: list[str] = []
        for value in self.values.get(attribute.lower(), ()):
            with contextlib.suppress(UnicodeDecodeError):
                texts.append(value.decode())
        return tuple(texts)

    def text(self, attribute: str) -> str:
        """The first of these, empty if there is none."""
        return next(iter(self.texts(attribute)), "")


def start_tls() -> bytes:
    """Asks for TLS."""
    return ber.element(_EXTENDED, ber.text(_START_TLS, 0x80))


def bind(dn: str, password: str) -> bytes:
    """Says who this is, and their password."""
    return ber.element(_BIND, ber.integer(3), ber.text(dn), ber.text(password, 0x80))


def search(base: str, wanted: Filter, attributes: tuple[str, ...], size_limit: int) -> bytes:
    """Asks for what lies below `base`; a limit of 0 is none."""
    subtree, never_follow_aliases = ber.integer(2, ber.ENUMERATED), ber.integer(0, ber.ENUMERATED)
    limits = ber.integer(size_limit) + ber.integer(0)
    values_too = ber.element(ber.BOOLEAN, b"\x00")
    names = ber.element(ber.SEQUENCE, *(ber.text(name) for name in attributes))
    return ber.element(_SEARCH, ber.text(base), subtree, never_follow_aliases, limits, values_too, wanted, names)


def paging(size: int, cookie: bytes) -> bytes:
    """The control that asks for a page; the cookie of the page before gives the next one (RFC 2696)."""
    value = ber.element(ber.SEQUENCE, ber.integer(size), ber.text(cookie))
    return ber.element(ber.SEQUENCE, ber.text(_PAGED), ber.text(value))


def cookie(controls: bytes) -> bytes:
    """The cookie that came with a page, empty after the last one. Raises Malformed."""
    for _, control in ber.elements(controls):
        parts = list(ber.elements(control))
        if parts and parts[0][1] == _PAGED.encode():
            value = ber.elements(ber.take(ber.elements(parts[-1][1]), ber.SEQUENCE))
            ber.take(value, ber.INTEGER)
            return ber.take(value, ber.OCTET_STRING)
    return b""


def result(answer: bytes) -> int:
    """How a request ended. Raises Malformed."""
    return ber.number(ber.take(ber.elements(answer), ber.ENUMERATED))


def entry(answer: bytes) -> Entry:
    """What was found. Raises Malformed."""
    parts = ber.elements(answer)
    dn = ber.take(parts, ber.OCTET_STRING).decode("utf-8", "replace")
    values: dict[str, tuple[bytes, ...]] = {}
    for _, attribute in ber.elements(ber.take(parts, ber.SEQUENCE)):
        inside = ber.elements(attribute)
        name = ber.take(inside, ber.OCTET_STRING).decode("ascii", "replace").lower()
        values[name] = tuple(value for _, value in ber.elements(ber.take(inside, ber.SET)))
    return Entry(dn, values)
