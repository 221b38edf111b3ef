"""What is wrong with a value that does not fit its type, in plain words: for settings, requests and forms alike.

Rules this module keeps:

1. A sentence says what is allowed. It never repeats what was given, which may be a secret.
2. A pattern is told by what it means (`MEANT_BY`), never as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

GROUP_NAME = r"^[\w.@ -]{1,100}$"
LABEL = r"^[a-z0-9-]{1,32}$"
LANGUAGE = r"^([a-z]{2})?$"
CONVERSATION = r"^[0-9a-f-]{36}$"
VERDICT = "^(up|down|)$"
MONTH = r"^([0-9]{4}-(0[1-9]|1[0-2]))?$"

MEANT_BY: Mapping[str, str] = {
    GROUP_NAME: "must be 1 to 100 letters, digits, spaces and signs of . @ _ -",
    LABEL: "must be 1 to 32 small letters, digits and signs of -",
    LANGUAGE: "must be two small letters, such as 'de', or nothing",
    CONVERSATION: "must be the identifier of a conversation, as the API gave it",
    MONTH: "must be a month such as 2026-03, or nothing",
    VERDICT: "must be 'up', 'down' or nothing",
}

_Told = Callable[[Mapping[str, Any]], str]
_TOLD: Mapping[str, _Told] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "is not known here; leave it out",
    "string_too_short": lambda about: _at_least(about["min_length"], "character"),
    "string_too_long": lambda about: f"may have at most {about['max_length']:,} characters",
    "string_pattern_mismatch": lambda about: MEANT_BY.get(about["pattern"], "does not have the right form"),
    "too_short": lambda about: _at_least(about["min_length"], "entry", "entries"),
    "too_long": lambda about: f"may have at most {about['max_length']:,} entries",
    "greater_than": lambda about: f"must be more than {about['gt']:,}",
    "greater_than_equal": lambda about: f"must be at least {about['ge']:,}",
    "less_than": lambda about: f"must be less than {about['lt']:,}",
    "less_than_equal": lambda about: f"may be at most {about['le']:,}",
    "enum": lambda about: f"must be {about['expected']}",
    "literal_error": lambda about: f"must be {about['expected']}",
    "value_error": lambda about: str(about["error"]).rstrip("."),
    "json_invalid": lambda _: "is not valid JSON",
}
_KINDS = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a group of values with names",
    "datetime": "a time such as 2026-11-20T09:30:00Z",
    "date": "a date such as 2026-11-20",
    "path": "a path",
    "bytes": "a text",
    "frozen": "a list",
    "tuple": "a list",
    "model": "a group of values with names",
    "url": "an address that begins with http:// or https://",
}


def told(kind: str, about: Mapping[str, Any] | None = None) -> str:
    """What is wrong with a value, to be read after its name.

    Args:
        kind: The type of the error as pydantic calls it.
        about: Its context, which holds the limits.
    """
    if kind in _TOLD:
        return _TOLD[kind](about or {})
    wanted = _KINDS.get(kind.split("_")[0])
    return f"must be {wanted}" if wanted else "is not valid"


def named(location: Sequence[int | str]) -> str:
    """The name of a value, and its number where it is one of a list; empty for the whole."""
    names = ".".join(str(part) for part in location if isinstance(part, str))
    number = next((part for part in reversed(location) if isinstance(part, int)), None)
    return f"{names} (number {number + 1})" if names and number is not None else names


def _at_least(number: int, one: str, many: str = "") -> str:
    return "must not be empty" if number == 1 else f"must have at least {number:,} {many or one + 's'}"
