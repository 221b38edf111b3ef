"""How far a run is, and how the files it dealt with ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from appliance.domain import DocumentState
from appliance.history import RunProgress


class Outcome(StrEnum):
    """What one run did with one file, or in which state it left it."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    RELABELLED = "relabelled"
    DUPLICATE = "duplicate"
    PENDING_REVIEW = "pending_review"
    NEEDS_PASSWORD = "needs_password"  # noqa: S105 - a state, not a secret
    EMPTY = "empty"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    GONE = "gone"
    MISSING = "missing"  # not in the folder any more, but too many at once to believe it


TROUBLE = (Outcome.NEEDS_PASSWORD, Outcome.REFUSED, Outcome.QUARANTINED, Outcome.FAILED, Outcome.MISSING)
"""The outcomes an admin should look at."""

OUTCOME_OF: Mapping[DocumentState, Outcome] = {
    DocumentState.INDEXED: Outcome.UNCHANGED,
    DocumentState.DUPLICATE: Outcome.UNCHANGED,
    DocumentState.PENDING_REVIEW: Outcome.PENDING_REVIEW,
    DocumentState.NEEDS_PASSWORD: Outcome.NEEDS_PASSWORD,
    DocumentState.EMPTY: Outcome.EMPTY,
    DocumentState.REFUSED: Outcome.REFUSED,
    DocumentState.QUARANTINED: Outcome.QUARANTINED,
    DocumentState.FAILED: Outcome.FAILED,
}
"""How a file that is left as it is counts."""


_FILES_FOR_A_PACE = 5
_SHARE_FOR_A_PACE = 0.05


@dataclass(slots=True)
class Progress:
    """How far a run is. Written by the run, read by anybody.

    `total` is None until the folder was walked; it grows by the files in containers. `at_hand` are the files that are
    being read or indexed, with their sizes, in the order in which that began. `to_read_bytes`, `read_bytes`,
    `read_files` and `last_read` (when) are of the files that have to be read: what the time left is estimated by. A
    file counts as read once it is indexed, or has ended otherwise.
    """

    total: int | None = None
    done: int = 0
    at_hand: dict[str, int] = field(default_factory=dict)
    pages: int = 0
    chunks: int = 0
    to_read_bytes: int = 0
    read_bytes: int = 0
    read_files: int = 0
    reading_since: float | None = None
    last_read: float = 0.0
    counts: dict[Outcome, int] = field(default_factory=dict)

    def count(self, outcome: Outcome, files: int = 1) -> None:
        """One more file ended this way, or more."""
        self.counts[outcome] = self.counts.get(outcome, 0) + files
        self.done += files

    def begin(self, path: str, size_bytes: int) -> None:
        """A file is being read from now on."""
        self.at_hand[path] = size_bytes

    def end(self, path: str) -> None:
        """A file has ended, whether it was read or not."""
        size_bytes = self.at_hand.pop(path, None)
        if size_bytes is not None:
            self.read_bytes += size_bytes
            self.read_files += 1
            self.last_read = time.monotonic()

    @property
    def current(self) -> str:
        """The file that has been at hand for the longest time; empty when there is none."""
        return next(iter(self.at_hand.copy()), "")

    @property
    def failures(self) -> int:
        """Files that an admin should look at."""
        return sum(self.counts.get(outcome, 0) for outcome in TROUBLE)

    @property
    def seconds_left(self) -> float | None:
        """How long reading and indexing will go on at the pace so far, by bytes; None while that cannot be told.

        A few files tell no pace, nor does a small part of all there is to read; and when the next file takes longer
        than everything that is left was to take, nothing is known any more.
        """
        is_known = self.read_files >= _FILES_FOR_A_PACE and self.read_bytes >= _SHARE_FOR_A_PACE * self.to_read_bytes
        if self.reading_since is None or not self.read_bytes or not is_known:
            return None
        seconds_a_byte = (self.last_read - self.reading_since) / self.read_bytes
        left_s = seconds_a_byte * (self.to_read_bytes - self.read_bytes) - (time.monotonic() - self.last_read)
        return left_s if left_s >= 0 else None

    @property
    def pages_per_s(self) -> float | None:
        """Pages read a second so far; None while that cannot be told."""
        if self.reading_since is None or not self.pages:
            return None
        return self.pages / max(0.001, time.monotonic() - self.reading_since)

    def record(self) -> RunProgress:
        """What is kept of it."""
        counts = {outcome.value: number for outcome, number in list(self.counts.items())}
        return RunProgress(self.total, self.done, self.pages, self.chunks, counts)
