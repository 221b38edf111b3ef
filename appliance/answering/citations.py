"""Checks the [n] markers of an answer against the passages it was given. Pure.

Rules this module keeps:

1. A marker is a number of up to six digits in square brackets, or several. What models write besides is understood:
   "[1, 2]", "[1 and 2]", "[1-3]", "[passage 1]", "[source: 1]", "[^1]", "【1】", "[**1**]". It is shown as "[1]".
2. A marker that points at no passage is taken out and reported; it is never shown, so nothing can look like a source
   that was not retrieved. Taking one out cannot make another: "[9[99]9]" leaves nothing.
3. What is read is what a reader sees: characters that a screen does not show are taken out before anything is looked
   at, those of emphasis and code do not count between brackets.
4. What a stream lets through does not depend on where its pieces end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import reduce

from appliance.domain import Citation

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # control
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero-width, bidirectional, annotation
    "\ue000\ue001"  # the screens' own signs
    "\ufe00-\ufe0d\U000e0000-\U000e0fff"  # variation selectors and tags
    "\U0001d173-\U0001d17a"  # musical format
    "]"
)
"""What the screens (`ui.inert`) do not show; a test holds the two alike."""

_OPENS, _CLOSES = r"\[［【〔〖", r"\]］】〕〗"
_DIGITS = "⁰¹²³⁴-⁹₀-₉①-⑳"  # beside those of `\d`
_DASHES = r"\-\u2010-\u2015\u2212"
_SILENT = (
    r"*_~`\\^#\u200c\u200d\ufe0e\ufe0f"  # emphasis, code, a footnote's sign, joiners and choices of a picture
    r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # marks above and below
)
_CALLED_WORDS = """
passage passages textstelle textstellen extrait extraits brano brani fragmento fragmentos
source sources quelle quellen fonte fonti fuente fuentes
"""
_AND_WORDS = "and und et ed e y"
_CALLED, _AND = _CALLED_WORDS.split(), _AND_WORDS.split()


def _written(word: str) -> str:
    """A pattern for a word, whatever silent characters stand in it."""
    return rf"[{_SILENT}]*".join(word)


def _begun(word: str) -> str:
    """A pattern for the beginning of a word."""
    return reduce(lambda rest, letter: rf"{letter}(?:[{_SILENT}]*{rest})?", reversed(word))


_KNOWN_WORDS = sorted((*_CALLED, *_AND), key=len, reverse=True)
_KNOWN_WORD = rf"(?ai:{'|'.join(map(_written, _KNOWN_WORDS))})"
_BEGINNING = re.compile(rf"(?ai:{'|'.join(map(_begun, _KNOWN_WORDS))})[{_SILENT}]*\Z")
_SIGNS = rf"{_OPENS}{_CLOSES}{_DIGITS}{_DASHES}{_SILENT}\d\s,;.:&，；、：．"
_RUN = re.compile(rf"[{_OPENS}](?:[{_SIGNS}]|{_KNOWN_WORD})*+")
"""Everything a marker can be made of, from the first bracket on. No marker reaches beyond its run."""

_GROUP = re.compile(rf"[{_OPENS}]([^{_OPENS}{_CLOSES}]*)[{_CLOSES}]")
_ONE = rf"(?:(?ai:{'|'.join(_CALLED)}) ?[:.]? ?)?(\d{{1,6}})(?: ?[{_DASHES}] ?(\d{{1,6}}))?"
_MARKER = re.compile(rf"{_ONE}(?:(?: ?[,;、&] ?| (?:(?ai:{'|'.join(_AND)}) )?){_ONE})* ?[.:]?")
_NUMBERS = re.compile(_ONE)


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
        text = self._held + without_hidden(piece)
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
            checked = _GROUP.sub(self._checked_group, run)
            if checked == run:
                return run
            run = checked

    def _checked_group(self, group: re.Match[str]) -> str:
        numbers = _numbers(group[1])
        return "".join(map(self._kept, numbers)) if numbers else group[0]

    def _kept(self, numbers: tuple[int, int]) -> str:
        """The markers of a number, or of those from one to another; none where an end of a range is not known."""
        unknown = [number for number in dict.fromkeys(numbers) if number not in self._known]
        if unknown:
            self._unknown += unknown
            return ""
        first, last = numbers
        cited = [number for number in self._known if first <= number <= last] or [first, last]
        self._cited |= {number: self._known[number] for number in cited}
        return "".join(f"[{number}]" for number in cited)


def without_hidden(text: str) -> str:
    """A text without the characters that a screen does not show."""
    return _UNSEEN.sub("", text)


def without_markers(answer: str) -> str:
    """An earlier answer without its markers, which count the passages of that answer and mean nothing in another."""
    gate = MarkerGate(())
    return gate.feed(answer) + gate.finish()


def in_round_brackets(untrusted_text: str) -> str:
    """A document's text with the bracketed numbers of its own, like "[4]", as "(4)": they are no markers of ours.

    Characters that no screen shows are taken out, as the gate would do.
    """
    return _GROUP.sub(
        lambda group: f"({group[1].strip()})" if _numbers(group[1]) else group[0], without_hidden(untrusted_text)
    )


def _numbers(inside: str) -> list[tuple[int, int]]:
    """What stands between brackets as the numbers of a marker, the first and the last of each range; none if it is
    no marker."""
    plain = re.sub(f"[{_SILENT}]", "", unicodedata.normalize("NFKD", inside))
    said = " ".join(plain.split())
    if not _MARKER.fullmatch(said):
        return []
    return [(int(found[1]), int(found[2] or found[1])) for found in _NUMBERS.finditer(said)]


def _start_of_open_run(text: str) -> int:
    """Where the run begins that the next piece may go on with; the length of the text when there is none."""
    return next((run.start() for run in _RUN.finditer(text) if _may_go_on(text, run.end())), len(text))


def _may_go_on(text: str, end: int) -> bool:
    """Whether a run that ends here may reach further, because nothing or the beginning of a word comes after it."""
    return end == len(text) or _BEGINNING.match(text, end) is not None
