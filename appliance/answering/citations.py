"""Checks the [n] markers of an answer against the passages it was given. Pure.

Rules this module keeps:

1. A marker is a number of up to six digits in square brackets, or several with commas or semicolons between them.
2. A marker that points at no passage is taken out and reported; it is never shown, so nothing can look like a source
   that was not retrieved. Taking one out cannot make another: "[9[99]9]" leaves nothing.
3. What a stream lets through does not depend on where its pieces end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from appliance.domain import Citation

_MARKER = re.compile(r"\[\s*(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)\s*\]")
_RUN = re.compile(r"\[[\[\]\d\s,;]*")
"""Everything a marker can be made of, from the first bracket on. No marker reaches beyond its run."""


class MarkerGate:
    """Lets a stream of answer pieces through, without the markers that point at no passage.

    A run that may hold a marker is held back until it has ended. "[1, 2]" is shown as "[1][2]".
    """

    def __init__(self, passages: Sequence[Citation]) -> None:
        self._known = {citation.number: citation for citation in passages}
        self._held = ""
        self._cited: dict[int, Citation] = {}
        self._unknown: list[int] = []

    def feed(self, piece: str) -> str:
        """The text that may be shown now."""
        text = self._held + piece
        end = _start_of_open_run(text)
        self._held = text[end:]
        return self._checked(text[:end])

    def finish(self) -> str:
        """What was still held back."""
        rest, self._held = self._held, ""
        return self._checked(rest)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The passages that were pointed at, by number."""
        return tuple(self._cited[number] for number in sorted(self._cited))

    @property
    def unknown_markers(self) -> tuple[int, ...]:
        """The numbers that pointed at nothing, in order of appearance."""
        return tuple(self._unknown)

    def _checked(self, text: str) -> str:
        return _RUN.sub(lambda match: self._checked_run(match.group()), text)

    def _checked_run(self, run: str) -> str:
        while True:  # until taking out a marker has left no other
            checked = _MARKER.sub(lambda match: "".join(self._kept(match.group(1))), run)
            if checked == run:
                return run
            run = checked

    def _kept(self, numbers: str) -> Iterator[str]:
        for part in re.split(r"[,;]", numbers):
            number = int(part)
            if number in self._known:
                self._cited[number] = self._known[number]
                yield f"[{number}]"
            else:
                self._unknown.append(number)


def without_markers(answer: str) -> str:
    """An earlier answer without its markers, which count the passages of that answer and mean nothing in another."""
    return _MARKER.sub("", answer)


def in_round_brackets(untrusted_text: str) -> str:
    """A document's text with the bracketed numbers of its own, like "[4]", as "(4)": they are no markers of ours."""
    return _MARKER.sub(r"(\1)", untrusted_text)


def _start_of_open_run(text: str) -> int:
    """Where the run begins that the next piece may go on with; the length of the text when there is none."""
    start = len(text)
    while start and (text[start - 1] in "[],;" or text[start - 1].isdecimal() or text[start - 1].isspace()):
        start -= 1
    opening = text.find("[", start)
    return len(text) if opening < 0 else opening
