"""Takes back the line breaks with which prose was wrapped at a width, as in plain text and mail. Pure.

Rules this module keeps:

1. A text keeps its length: a space stands for each line break that is taken back, so every place in it stays.
2. A break is taken back where the first word of the next line had no more room in this one, and a sentence goes on:
   the next line begins with a small letter, or one after another full line of the text does.
3. It is kept after the end of a sentence and after a colon, around rows, headings, code and lines that are very short
   or long, and before an item of a list, a line with a label of its own ("Subject: ...") and a line all in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from appliance.answering.sentence_ends import sentence_ends

_NARROWEST, _WIDEST = 45, 120  # characters of a line that fills its width
_INDENTED = 4  # characters that an indented line had less room, which its text does not tell any more
_UNEVEN = 0.2  # of the width: not everybody fills each line; what begins with a small letter goes on all the same
_FEWEST_WORDS = 4
_WORD = re.compile(r"[^\W\d_]{2,}")
_NO_PROSE = re.compile(r"[|{}<>=\\`~^]|[-_*.]{3,}|\A\W*(?:#|//|/\*|--)")
_BEGINS_ANEW = re.compile(
    r"(?:[-*+•–—▪◦>]|\(?\d{1,3}[.)]|\(?[a-z]\)|\(?[ivx]{1,4}[.)])(?:\s|\Z)"  # an item
    r"|\d{4}-\d\d|\d\d?:\d\d"  # an entry of a log
    r"|[^\W\d_][^\s:]*(?: [^\s:]+){0,3}:(?:\s|\Z)"  # a label
    r"|\W*\Z",
    re.IGNORECASE,
)


def unwrapped(text: str, kept: Collection[str] = ()) -> str:
    """The text, with spaces for the line breaks that only keep its lines at a width. `kept` are lines of their own."""
    lines = text.split("\n")
    prose = [line if _is_prose(line, kept) else "" for line in lines]
    width = max(map(len, prose))
    if width < _NARROWEST:
        return text
    goes_on = [
        _is_full(line, following, width) and _goes_on(line, following, kept)
        for line, following in zip(prose, lines[1:], strict=False)
    ]
    is_wrapped = any(on and _is_small(following) for on, following in zip(goes_on, lines[1:], strict=True))
    parts = lines[:1]
    for on, following in zip(goes_on, lines[1:], strict=True):
        parts += (" " if on and (is_wrapped or _is_small(following)) else "\n", following)
    return "".join(parts)


def _is_prose(line: str, kept: Collection[str]) -> bool:
    stripped = line.strip()
    is_line = len(line) <= _WIDEST and not _NO_PROSE.search(line) and stripped.lstrip("# ") not in kept
    return is_line and len(_WORD.findall(line)) >= _FEWEST_WORDS


def _is_full(line: str, following: str, width: int) -> bool:
    """Whether the first word of the following line had no room in this one."""
    first = following.split(maxsplit=1)
    left = max(_INDENTED, _UNEVEN * width) if _is_small(following) else _INDENTED
    return bool(line and first) and len(line.rstrip()) + 1 + len(first[0]) > width - left


def _is_small(line: str) -> bool:
    return line.lstrip()[:1].islower()


def _goes_on(line: str, following: str, kept: Collection[str]) -> bool:
    """Whether a sentence may go on from a line to the following one."""
    ended, begun = line.rstrip(), following.strip()
    if ended.endswith(":") or begun in kept or begun.isupper() or _NO_PROSE.search(begun) or _BEGINS_ANEW.match(begun):
        return False
    joined = f"{ended} {begun[0].upper()}{begun[1:]}"
    return len(ended) not in sentence_ends(joined, 0, len(joined))
