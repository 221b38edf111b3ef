"""Watches an answer while it streams: how it begins, and whether it will ever end. Pure."""

from __future__ import annotations

import re

_LOOP_CHARACTERS = 1_000
_LONGEST_ROUND = 200
_LOOK_EVERY = 100


_SAID_AT_ONCE = re.compile(r"[\W_]*(?:(?i:not_in_documents)|NOT IN DOCUMENTS)(?![^\W_])")
_SAID_ANYWHERE = re.compile(
    r"(?<![^\W_])not[\s_*\-]*+in[\s_*\-]*+(?:the[\s_*\-]*+)?documents?(?![^\W_])", re.IGNORECASE
)
_LETTERS = "notindocuments"


def says_no(answer: str) -> bool:
    """Whether the words that mean "not in the documents" stand in an answer, as models write them."""
    return _SAID_ANYWHERE.search(answer.replace("\\", "")) is not None


class Opening:
    """Holds back the beginning of an answer while it may still be the words that mean "not in the documents".

    Small models write "Not_in_documents." or "NOT IN DOCUMENTS" for it.
    """

    def __init__(self) -> None:
        self._held = ""
        self._decided = False
        self.says_no = False

    def feed(self, piece: str) -> str:
        """What of the answer so far is no such beginning."""
        if self._decided:
            return piece
        self._held += piece
        if _SAID_AT_ONCE.match(self._held.replace("\\", "")):
            self._decided = self.says_no = True
            return ""
        return "" if _LETTERS.startswith(_letters(self._held)) else self.finish()

    def finish(self) -> str:
        """What was still held back."""
        self._decided = True
        self.says_no = self.says_no or _letters(self._held) == _LETTERS
        text, self._held = self._held, ""
        return "" if self.says_no else text


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


class LoopWatch:
    """Notices when an answer says the same thing again and again, as small models do until they are stopped."""

    def __init__(self) -> None:
        self._tail = ""
        self._unseen = 0

    def is_looping(self, piece: str) -> bool:
        """Whether the answer, with this piece at its end, goes round in circles."""
        self._tail = (self._tail + piece)[-_LOOP_CHARACTERS:]
        self._unseen += len(piece)
        if self._unseen < _LOOK_EVERY or len(self._tail) < _LOOP_CHARACTERS:
            return False
        self._unseen = 0
        return any(self._tail[length:] == self._tail[:-length] for length in range(1, _LONGEST_ROUND))
