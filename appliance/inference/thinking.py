"""Takes a reasoning model's thinking out of its answer.

Servers are asked not to think, or to keep the thinking apart; some models write it into the answer all the same,
between `<think>` and `</think>` before the first word. Only a block at the very start is taken out: further on the
same characters are part of the answer, and an answer must never be hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_OPENING, _CLOSING = "<think>", "</think>"


def strip_thinking(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces without a leading block of thinking, and without white space before the first word.

    Tags may be spread over pieces in any way. A block that never closes leaves nothing: the model got no further than
    thinking.
    """
    rest = iter(pieces)
    start = ""
    for piece in rest:
        start = (start + piece).lstrip()
        if start.startswith(_OPENING):
            start = _after_thinking(start.removeprefix(_OPENING), rest)
            break
        if not _OPENING.startswith(start):
            break
    if start:
        yield start
        yield from rest
        return
    yield from _without_leading_space(rest)


def _after_thinking(text: str, rest: Iterator[str]) -> str:
    """Read on until the block is closed; what came after it in the same piece."""
    while _CLOSING not in text:
        piece = next(rest, None)
        if piece is None:
            return ""
        # Keep no more of the thinking than a closing tag could begin in.
        text = text[-len(_CLOSING) :] + piece
    return text.split(_CLOSING, 1)[1].lstrip()


def _without_leading_space(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        if piece.strip():
            yield piece.lstrip()
            break
    yield from pieces
