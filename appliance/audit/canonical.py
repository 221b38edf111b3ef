"""The one way the log writes JSON as bytes.

The canonical form follows RFC 8785 where the log needs it:

1. UTF-8, no spaces, object keys sorted by code point, strings with the escapes JSON demands and no others.
2. A lone surrogate, which UTF-8 cannot hold, is written as its `\\uXXXX` escape. Two surrogates that make a pair are
   the character they make.
3. Numbers in heads are integers below 2^53, so every reader of JSON sees the same number. Payloads may hold floats, in
   the shortest form that reads back as the same float. There is no NaN and no infinity.

Hashes are taken over bytes as they were stored, never over bytes written anew. So this form makes entries alike and
readable; a verifier in another language needs none of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def to_bytes(value: Any) -> bytes:
    """The canonical bytes of a plain JSON value.

    Raises:
        ValueError: The value holds NaN or an infinity.
    """
    text = _ENCODER.encode(value)
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text.encode("utf-8")


def from_bytes(data: bytes) -> dict[str, Any]:
    """The object that canonical bytes hold.

    Raises:
        ValueError: These are not the bytes of a JSON object.
    """
    try:
        value = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply.") from error
    if not isinstance(value, dict):
        raise ValueError("JSON is not an object.")
    return value
