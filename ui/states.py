"""The words and tones for how files, syncs and pages stand: one word per idea on every screen."""

from __future__ import annotations

from collections.abc import Mapping

from appliance.api.schemas import RunOut, RunState
from appliance.domain import DocumentState, TextMeans
from ui import pieces

STATES: dict[DocumentState, tuple[str, pieces.Tone]] = {
    DocumentState.INDEXED: ("indexed", "good"),
    DocumentState.DUPLICATE: ("duplicate", "quiet"),
    DocumentState.PENDING_REVIEW: ("waiting for review", "warn"),
    DocumentState.NEEDS_PASSWORD: ("needs a password", "warn"),
    DocumentState.REFUSED: ("refused", "warn"),
    DocumentState.QUARANTINED: ("quarantined", "bad"),
    DocumentState.FAILED: ("failed", "bad"),
    DocumentState.GONE: ("gone", "quiet"),
}
TROUBLED = (
    DocumentState.NEEDS_PASSWORD,
    DocumentState.REFUSED,
    DocumentState.QUARANTINED,
    DocumentState.FAILED,
)
"""The states a file may leave by being read again."""

RUN_STATES: dict[RunState, tuple[str, pieces.Tone]] = {
    RunState.RUNNING: ("running", "quiet"),
    RunState.FINISHED: ("finished", "good"),
    RunState.FAILED: ("not finished", "bad"),
}
MEANS = {
    TextMeans.TEXT_LAYER: "Text of the file",
    TextMeans.OCR: "Read from the image (OCR)",
    TextMeans.NONE: "No text",
}
MISSING = "missing"
"""Files that a sync kept although they are not in the folder any more: so many are that it asks first."""

_OUTCOMES = {
    "needs_password": "needing a password",
    "pending_review": "waiting for review",
    "gone": "removed",
    MISSING: "missing and kept",
}
_ACTIONS = {
    "read": "to be read (new)",
    "read_again": "to be read again",
    "relabel": "to be relabelled",
    "refuse": "to be refused",
    "fail": "that cannot be reached",
    "remove": "to be removed",
    "leave": "to be left as they are",
    "left_out": "left out by the patterns",
}


def counted(state: DocumentState, number: int) -> str:
    """A number of files in a state."""
    words = STATES[state][0]
    return f"{number:,} {words.replace('needs', 'need', 1) if number != 1 else words}"


def outcomes(run: RunOut) -> str:
    """How the files of a sync ended, in one line."""
    return _counted(run.counts, _OUTCOMES)


def actions(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """What a sync would do, with how many files; what it would do with none is left out."""
    return [(_ACTIONS.get(name, _spaced(name)), number) for name, number in counts.items() if number]


def action(name: str) -> str:
    """What a sync would do with one file."""
    return {"read": "read", "relabel": "give another label", "fail": "cannot be reached"}.get(name, _spaced(name))


def _counted(counts: Mapping[str, int], words: Mapping[str, str]) -> str:
    return ", ".join(f"{number:,} {words.get(name, _spaced(name))}" for name, number in counts.items() if number)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
