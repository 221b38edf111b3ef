"""What changed between two versions of a document, in lines of text. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.domain import Chunk

_MAX_LINES = 20_000  # beyond, lines are compared as two bags: the difference of long sequences takes too long


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line that one version has and the other has not. `page` is where it stands, None without pages."""

    text: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The lines that came and went, in reading order."""

    added: tuple[ChangedLine, ...]
    removed: tuple[ChangedLine, ...]


def changes_between(older: Sequence[Chunk], newer: Sequence[Chunk]) -> Changes:
    """The lines of `newer` that `older` has not, and the other way round. Both are chunks in order."""
    before, after = list(_lines(older)), list(_lines(newer))
    if len(before) + len(after) > _MAX_LINES:
        return Changes(added=_not_in(after, before), removed=_not_in(before, after))
    added: list[ChangedLine] = []
    removed: list[ChangedLine] = []
    matcher = difflib.SequenceMatcher(
        None, [line.text for line in before], [line.text for line in after], autojunk=False
    )
    for what, start, end, new_start, new_end in matcher.get_opcodes():
        if what != "equal":
            removed += before[start:end]
            added += after[new_start:new_end]
    return Changes(added=tuple(added), removed=tuple(removed))


def _lines(chunks: Sequence[Chunk]) -> Iterator[ChangedLine]:
    """Each line once: the pieces of one long text overlap."""
    last: set[str] = set()
    for chunk in chunks:
        lines = [line.strip() for line in chunk.text.splitlines() if line.strip()]
        yield from (ChangedLine(line, chunk.place.page) for line in lines if line not in last)
        last = set(lines)


def _not_in(lines: Sequence[ChangedLine], others: Sequence[ChangedLine]) -> tuple[ChangedLine, ...]:
    known = {line.text for line in others}
    return tuple(line for line in lines if line.text not in known)
