"""Distinguished names as they are compared, whoever wrote them (RFC 4514).

Rules this module keeps:

1. Two spellings of one name are the same: capitals, spaces beside the signs that divide it, the order of what is joined
   by '+', and how a sign is escaped.
2. Two names are never taken for one. What is escaped belongs to a value and divides nothing, and a letter stands for no
   other than its own capital.
"""

from __future__ import annotations

import re

from appliance.letter_case import in_one_case

_PART = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)\s*=\s*((?:[^\\,+\"\x00]|\\.)*)(,|\+|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)
_ESCAPED_SPACE = r"\20"

Name = tuple[frozenset[tuple[str, str]], ...]
"""A name as it is compared: its parts from the innermost on, each the attributes with their values."""


def compared(text: str) -> Name | None:
    """The name that a text is, None for a text that is none."""
    parts: list[frozenset[tuple[str, str]]] = []
    joined: list[tuple[str, str]] = []
    at = 0
    while (found := _PART.match(text, at)) is not None:
        attribute, value, sign = found.groups()
        joined.append((attribute.lower(), _value(value)))
        at = found.end()
        if sign != "+":
            parts.append(frozenset(joined))
            joined = []
        if not sign:
            return tuple(parts)
    return None


def _value(written: str) -> str:
    """A value without its escapes, in one case and with one space where there are several."""
    kept = re.sub(r"\\ ", lambda _: _ESCAPED_SPACE, written).strip()
    plain = _ESCAPED.sub(_unescaped, kept)
    return in_one_case(re.sub(r" +", " ", plain))


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    return bytes.fromhex(found[0].replace("\\", "")).decode("utf-8", "surrogateescape")
