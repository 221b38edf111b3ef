"""Sources, and what a sync of one would do."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from appliance import invalid
from appliance.api.schemas.shapes import GroupName, In, Name, Out
from appliance.domain import DocumentState, SourceKind

Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=200)]
SourceLanguage = Annotated[str, Field(pattern=invalid.LANGUAGE)]
CompareMinutes = Annotated[int, Field(ge=0, le=366 * 24 * 60)]
SourceGroupNames = Annotated[list[GroupName], Field(min_length=1, max_length=200)]


class SourceIn(In):
    """A folder to keep in sync, or a place for uploads (then without a path: the appliance keeps the files).

    `groups` see its documents unless a sidecar file says otherwise. `include` and `exclude` are glob patterns over the
    paths in it. `language` overrides what is detected. Every `compare_every_minutes` the whole folder is compared, 0
    for never by itself; a `watched` one is synced soon after something changes. What a `curated` one holds is found by
    nobody before a curator has approved it; places for uploads are curated unless said otherwise.
    """

    name: Name
    path: Annotated[str, Field(max_length=4096)] = ""
    groups: SourceGroupNames
    kind: SourceKind = SourceKind.FOLDER
    include: Patterns = []
    exclude: Patterns = []
    owner: Annotated[str, Field(max_length=200)] = ""
    language: SourceLanguage = ""
    compare_every_minutes: CompareMinutes = 60
    watched: bool = True
    curated: bool | None = None


class SourcePatch(In):
    """Changes to a source; what is left out stays. They act by a sync, which starts at once."""

    name: Name | None = None
    groups: SourceGroupNames | None = None
    include: Patterns | None = None
    exclude: Patterns | None = None
    owner: Annotated[str, Field(max_length=200)] | None = None
    language: SourceLanguage | None = None
    compare_every_minutes: CompareMinutes | None = None
    watched: bool | None = None
    curated: bool | None = None


class SourceOut(Out):
    """A folder kept in sync, and how its files stand. `retry_at` is when the first of the failed ones is due again."""

    id: str
    name: str
    path: str
    groups: list[str]
    states: dict[DocumentState, int]
    kind: SourceKind = SourceKind.FOLDER
    include: list[str] = []
    exclude: list[str] = []
    owner: str = ""
    language: str = ""
    compare_every_minutes: int = 60
    watched: bool = True
    curated: bool = False
    paused: bool = False
    retry_at: datetime | None = None


class Reread(StrEnum):
    """Which files a sync reads although nothing about them changed."""

    NOTHING = "nothing"
    TROUBLED = "troubled"
    EVERYTHING = "everything"


class SyncIn(In):
    """What is wanted of a sync beyond the usual. `missing_ok` confirms that files which are missing may be removed."""

    again: Reread = Reread.NOTHING
    missing_ok: bool = False


class PreviewFileOut(Out):
    """What a sync would do with one file, and why."""

    path: str
    action: str
    reason: str


class PreviewOut(Out):
    """What a sync would do now: how many files by action, and the first of those it would touch.

    `counts` has `read` (new), `read_again` (changed, or to be tried again), `relabel`, `refuse`, `fail`, `remove`,
    `leave`, and `left_out` (by the patterns). `needs_confirmation` says that so much is missing that it would be kept.
    """

    counts: dict[str, int]
    files: list[PreviewFileOut]
    needs_confirmation: bool

    @property
    def matches_nothing(self) -> bool:
        """Whether there are files, and the patterns leave out every one."""
        return sum(self.counts.values()) == self.counts.get("left_out", 0) > 0
