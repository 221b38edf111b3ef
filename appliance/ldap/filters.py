"""Search filters, built as what goes over the wire (RFC 4511, section 4.5.1.7).

What somebody typed becomes a value, never a piece of filter text, so there is nothing to escape and nothing to inject.
Only filters from the settings are written as text (RFC 4515), and read by `parsed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NewType

from appliance.errors import ConfigurationError
from appliance.ldap import ber

Filter = NewType("Filter", bytes)

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4
_COMPARISONS = {">": 0xA5, "<": 0xA6, "~": 0xA8}
_PRESENT, _EXTENSIBLE = 0x87, 0xA9
_MAX_DEPTH = 16

_ATTRIBUTE = r"[A-Za-z0-9][A-Za-z0-9.;-]*"
_VALUE = r"(?:[^()*\\\x00]|\\[0-9A-Fa-f]{2})*"
_ITEM = re.compile(rf"({_ATTRIBUTE})([><~]?)=({_VALUE}(?:\*{_VALUE})*)\)")
_RULE = re.compile(rf"({_ATTRIBUTE}):({_ATTRIBUTE}):=({_VALUE})\)")
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})")


def equal(attribute: str, value: str | bytes) -> Filter:
    """Entries that have this value."""
    return Filter(ber.element(_EQUAL, ber.text(attribute), ber.text(value)))


def all_of(*filters: Filter) -> Filter:
    """Entries that each of them finds."""
    return Filter(ber.element(_AND, *filters))


def any_of(filters: Iterable[Filter]) -> Filter:
    """Entries that one of them finds."""
    return Filter(ber.element(_OR, *filters))


def present(attribute: str) -> Filter:
    """Entries that have the attribute at all."""
    return Filter(ber.text(attribute, _PRESENT))


def parsed(text: str) -> Filter:
    """A filter as it is written in settings. Raises ConfigurationError."""
    found, rest = _filter(text.strip(), 0)
    if rest:
        raise _wrong(rest)
    return found


def _filter(text: str, depth: int) -> tuple[Filter, str]:
    """The filter at the beginning, and what follows it."""
    if not text.startswith("(") or depth > _MAX_DEPTH:
        raise _wrong(text)
    inside = text[1:]
    if inside[:1] in ("&", "|", "!"):
        return _combined(inside[0], inside[1:], depth)
    if match := _ITEM.match(inside):
        return _item(*match.groups()), inside[match.end() :]
    if match := _RULE.match(inside):
        attribute, rule, value = match.groups()
        parts = ber.text(rule, 0x81), ber.text(attribute, 0x82), ber.text(_bytes(value), 0x83)
        return Filter(ber.element(_EXTENSIBLE, *parts)), inside[match.end() :]
    raise _wrong(text)


def _combined(sign: str, rest: str, depth: int) -> tuple[Filter, str]:
    filters: list[Filter] = []
    while rest.startswith("("):
        found, rest = _filter(rest, depth + 1)
        filters.append(found)
    if not rest.startswith(")") or not filters or (sign == "!" and len(filters) > 1):
        raise _wrong(rest)
    return Filter(ber.element({"&": _AND, "|": _OR, "!": _NOT}[sign], *filters)), rest[1:]


def _item(attribute: str, comparison: str, value: str) -> Filter:
    if comparison:
        return Filter(ber.element(_COMPARISONS[comparison], ber.text(attribute), ber.text(_bytes(value))))
    if value == "*":
        return present(attribute)
    if "*" not in value:
        return equal(attribute, _bytes(value))
    first, *middle, last = value.split("*")
    parts = [(0x80, first), *((0x81, part) for part in middle), (0x82, last)]
    pieces = [ber.text(_bytes(part), tag) for tag, part in parts if part]
    return Filter(ber.element(_SUBSTRINGS, ber.text(attribute), ber.element(ber.SEQUENCE, *pieces)))


def _bytes(value: str) -> bytes:
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), value.encode())


def _wrong(rest: str) -> ConfigurationError:
    where = f"at '{rest[:40]}'" if rest else "at its end"
    return ConfigurationError(
        f"A filter of the directory is not written as RFC 4515 wants it, {where}. Correct it in the settings, "
        "for example (objectClass=person)."
    )
