"""One directory of people: how it stands, and what a sync of it is asked for."""

from __future__ import annotations

from appliance.api.schemas.people import DirectoryOut
from appliance.api.schemas.shapes import In


class DirectoryDetail(DirectoryOut):
    """What came of a directory: `people` who are known here, of whom some are `gone` from it, and some `stale`.

    What it said of somebody counts for `max_age_s`; then they are stale. `notes` name what the last sync left out.
    """

    can_sync: bool
    notes: list[str]
    people: int
    gone: int
    stale: int
    groups: int


class DirectorySyncIn(In):
    """`accept_missing`: it is right that many of its people are missing at once."""

    accept_missing: bool = False
