"""Watches an answer while it streams: how it begins, and whether it will ever end. Pure."""

from __future__ import annotations

from appliance.answering.instructions import NOT_IN_DOCUMENTS

_LOOP_CHARACTERS = 1_000
_LONGEST_ROUND = 200
_LOOK_EVERY = 100


class Opening:
    """Holds back the beginning of an answer while it may still be the words that mean "not in the documents"."""

    def __init__(self) -> None:
        self._held = ""
        self._decided = False
        self.says_no = False

    def feed(self, piece: str) -> str:
        """What of the answer so far is no such beginning."""
        if self._decided:
            return piece
        self._held += piece
        begun = self._held.lstrip(" \n\t\"'*`.")
        if begun.startswith(NOT_IN_DOCUMENTS):
            self._decided = self.says_no = True
            return ""
        if NOT_IN_DOCUMENTS.startswith(begun):
            return ""
        return self.finish()

    def finish(self) -> str:
        """What was still held back."""
        self._decided = True
        text, self._held = self._held, ""
        return "" if self.says_no else text


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
