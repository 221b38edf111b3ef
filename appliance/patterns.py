"""Glob patterns over the paths inside a folder: `**` crosses folders, `{a,b}` is either.

Rules this module keeps:

1. Upper and lower case are the same, as on the shares that most folders come from.
2. A letter with an accent is the same however the file system spells it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain

from wcmatch import glob

from appliance.errors import InvalidRequest

_GLOB = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.IGNORECASE | glob.FORCEUNIX


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns stands for the path."""
    return bool(patterns) and glob.globmatch(_spelled(path), [_spelled(each) for each in patterns], flags=_GLOB)


def require_patterns(patterns: Sequence[str]) -> None:
    """Raises InvalidRequest when one of them can match no path, or when there are more than can be matched."""
    for pattern in patterns:
        if "\0" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
            raise InvalidRequest(
                f"The pattern '{pattern}' matches no path inside a folder. Write it as 'drafts/**' or '**/*.pdf'."
            )
    try:
        for expression in chain(*glob.translate(list(patterns), flags=_GLOB)):
            re.compile(expression)
    except Exception as error:  # the library has no public one for "too many"
        raise InvalidRequest(
            "The patterns cannot be used: with their braces they stand for too many others, or one is not complete. "
            "Give fewer, like 'drafts/**' or '**/*.pdf'."
        ) from error


def _spelled(text: str) -> str:
    return unicodedata.normalize("NFC", text)
