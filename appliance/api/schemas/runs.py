"""Syncs: how far they are, and what they did."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from appliance.api.schemas.shapes import Out


class RunState(StrEnum):
    """How a sync stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class RunOut(Out):
    """One sync of one source. `total` is None until the folder was walked; `message` says why it failed.

    `current` is the file that has been at hand for the longest time, empty when none is being read or indexed.

    `failures` are files to look at. `pages_per_s` and `seconds_left` are None while they cannot be told.
    """

    id: str
    source_id: str
    source: str
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    total: int | None
    done: int
    counts: dict[str, int]
    current: str
    message: str
    pages: int = 0
    chunks: int = 0
    failures: int = 0
    pages_per_s: float | None = None
    seconds_left: float | None = None


class ReportFileOut(Out):
    """What a run did with one file, and why."""

    path: str
    outcome: str
    reason: str
    pages: int
    chunks: int


class ReportOut(Out):
    """A run, and every file it did something with or that needs a look. Files found as they were are only counted."""

    run: RunOut
    files: list[ReportFileOut]
