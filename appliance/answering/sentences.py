"""Cuts a text into its statements, and a statement into the words that carry it. Pure.

Rules this module keeps:

1. A statement is a sentence, an item of a list or a row of a table. Rules of tables and fences of code state nothing;
   headings, lines that only lead into a list and heads of tables do where they are asked for.
2. Where a sentence ends is for `sentence_ends` to say. Markers after the dot belong to the sentence before it.
3. A statement keeps its place: `text[start:end]` is what was cut out.
4. Words that carry have four letters or more, or letters and digits; the commonest words of five languages do not. Two
   are the same when their stems are (`language.endings`). For numbers see `numbers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.answering.sentence_ends import sentence_ends
from appliance.language.endings import stem
from appliance.language.words import ANY, one_of

_LINE = re.compile(r"[^\n]+")
_LEAD = re.compile(r"\s*(?:[-*+•–]\s+|#{1,6}\s+|(?:\*\*|__)?\d{1,3}[.)]\s+|>\s+)*")
_HEADING = re.compile(r"\s*+#{1,6}\s")
_SILENT = re.compile(r"\s*+(?:`{3,}.*|~{3,}.*|[-=_*|:+\s]*+)\Z")
_BLANKS = r"[^\S\n]*+"
_TABLE_RULE = re.compile(rf"\n{_BLANKS}\|?{_BLANKS}:?-{{2,}}+:?{_BLANKS}\|(?:[-:|]|[^\S\n])*+(?:\n|\Z)")
MARKER = re.compile(r"\[(\d{1,6})\]")
"""What cites a passage in an answer, by its number."""

_WORD = re.compile(r"[^\W_]+")
_FEWEST_LETTERS = 4
COMMON = frozenset(ANY.common_words)
"""The commonest words of four letters or more, which carry nothing."""

_DENIAL = re.compile(rf"\b{one_of(ANY.denials)}\b|{one_of(ANY.denying_endings)}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text, at `start` to `end`. `markers` are the numbers it cites, `is_row` a row of a table.

    `leads` says that it is a heading, the head of a table or a line that leads into a list.
    """

    text: str
    start: int
    end: int
    markers: tuple[int, ...]
    is_row: bool
    leads: bool = False


def statements(text: str, *, leads: bool = False) -> list[Statement]:
    """The statements of a text, in order; with `leads` also what stands above others: headings and their like."""
    return [
        made
        for line in _LINE.finditer(text)
        if not _SILENT.match(line[0])
        for start, end in _pieces(text, line)
        if (made := _statement(text, start, end, above=_stands_above(text, line))) is not None
        and (leads or not made.leads)
    ]


def words(text: str) -> frozenset[str]:
    """The stems of the words that carry a text."""
    return frozenset(_carrying(text))


def marked(text: str) -> frozenset[int]:
    """The numbers of all its markers."""
    return frozenset(map(int, MARKER.findall(text)))


def unmarked(text: str) -> str:
    """A text with spaces for its markers, which are no numbers of its own."""
    return MARKER.sub(lambda marker: " " * len(marker[0]), text)


def denies(sentence: str) -> bool:
    """Whether a sentence has a word of denial, in one of five languages."""
    return _DENIAL.search(sentence) is not None


def has_words(text: str) -> bool:
    """Whether a text holds anything that can be read: a letter or a digit."""
    return any(character.isalnum() for character in text)


def _stands_above(text: str, line: re.Match[str]) -> bool:
    return bool(_HEADING.match(line[0]) or _TABLE_RULE.match(text, line.end()))


def _pieces(text: str, line: re.Match[str]) -> Iterator[tuple[int, int]]:
    lead = _LEAD.match(line[0])
    start, end = line.start() + (lead.end() if lead else 0), line.end()
    if line[0].count("|") < 2:
        for ended in sentence_ends(text, start, end):
            yield start, ended
            start = ended
    yield start, end


def _statement(text: str, start: int, end: int, *, above: bool) -> Statement | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    said = text[start:end]
    markers = tuple(dict.fromkeys(int(number) for number in MARKER.findall(said)))
    leads_in = said.rstrip("*_").endswith(":") and not markers
    if not has_words(unmarked(said)):
        return None
    return Statement(said, start, end, markers, said.count("|") >= 2, leads=above or leads_in)


def _carrying(text: str) -> Iterator[str]:
    for word in _WORD.findall(unmarked(text).casefold()):
        if word not in COMMON and not word.isdecimal() and (len(word) >= _FEWEST_LETTERS or not word.isalpha()):
            yield stem(word)
