"""The tones of how files, syncs and pages stand, beside the words for them (`appliance.wording`)."""

from __future__ import annotations

from appliance.api.schemas.runs import RunState
from appliance.domain import DocumentState, TextMeans
from appliance.wording import STATES
from ui import pieces
from ui.inert import Html

_TONES: dict[DocumentState, pieces.Tone] = {
    DocumentState.INDEXED: "good",
    DocumentState.DUPLICATE: "quiet",
    DocumentState.PENDING_REVIEW: "warn",
    DocumentState.NEEDS_PASSWORD: "warn",
    DocumentState.EMPTY: "quiet",
    DocumentState.REFUSED: "warn",
    DocumentState.QUARANTINED: "bad",
    DocumentState.FAILED: "bad",
    DocumentState.GONE: "quiet",
}
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


def badge(state: DocumentState, words: str = "") -> Html:
    """A state as a badge, in its own words or in these."""
    return pieces.badge(words or STATES[state], _TONES[state])
