"""Sources, and what a sync of one would do."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from appliance import invalid
from appliance.api.schemas.shapes import GroupName, In, Name, Out
from appliance.domain import DocumentState, ShareKind, SourceKind

Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=200)]
SourceLanguage = Annotated[str, Field(pattern=invalid.LANGUAGE)]
CompareMinutes = Annotated[int, Field(ge=0, le=366 * 24 * 60)]
LevelName = Annotated[str, Field(max_length=32)]
NOBODY = "nobody"
SourceGroupNames = Annotated[list[GroupName], Field(min_length=1, max_length=200)]


class LabelRuleOut(Out):
    """Who may see the files whose paths match, and at which level. None and empty: the rule does not say.

    Written in one line: `hr/**, **/*.key => hr, legal @ secret`; `=> nobody` for no group at all.
    """

    paths: list[str]
    groups: list[str] | None = None
    level: str = ""

    def __str__(self) -> str:
        groups = "" if self.groups is None else ", ".join(self.groups) or NOBODY
        return f"{', '.join(self.paths)} => {groups}{f' @ {self.level}' if self.level else ''}".strip()


class LabelRuleIn(In):
    """Who may see the files whose paths match, and at which level. What it leaves out it does not say."""

    paths: Annotated[Patterns, Field(min_length=1)]
    groups: Annotated[list[GroupName], Field(max_length=200)] | None = None
    level: LevelName = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.groups is None and not self.level:
            raise ValueError("must name groups, or a level")
        return self


def rule_in(line: str) -> dict[str, object]:
    """The fields of a rule that is written in one line, as `LabelRuleOut` writes it; for `LabelRuleIn` to check."""
    paths, _, said = line.rpartition("=>")
    groups, _, level = said.partition(" @ ")
    named = None if not groups.strip() else [] if groups.strip() == NOBODY else _listed(groups)
    return {"paths": _listed(paths), "groups": named, "level": level.strip()}


def _listed(text: str) -> list[str]:
    """What stands between commas, but for those in braces."""
    return [part.strip() for part in re.split(r",(?![^{]*\})", text) if part.strip()]


Rules = Annotated[list[LabelRuleIn], Field(max_length=500)]


class ShareOut(Out):
    """Whether the rights of a file on its share say who may see it; `groups` by principal of the share."""

    kind: ShareKind = ShareKind.NONE
    groups: dict[str, str] = {}


class ShareIn(In):
    """Whether the rights of a file on its share say who may see it.

    `groups` says which group a principal of the share is here: `user:NAME`, `group:NAME` and `others` for POSIX rights,
    security identifiers (`S-1-5-21-...`) for those of NTFS. Principals that are not there count for nothing.
    """

    kind: ShareKind = ShareKind.NONE
    groups: Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], GroupName], Field(max_length=2000)] = {}


class SourceIn(In):
    """A folder to keep in sync, or a place for uploads (then without a path: the appliance keeps the files).

    `groups` see its documents, at `level`, unless an access file, one of the `rules` (the first that matches) or the
    rights on the `share` say otherwise. `include` and `exclude` are glob patterns over the paths in it. `language`
    overrides what is detected. Every `compare_every_minutes` the whole folder is compared, 0 for never by itself; a
    `watched` one is synced soon after something changes; both from its first sync on. What a `curated` one holds is
    found by nobody before a curator has approved it; places for uploads are curated unless said otherwise.
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
    level: LevelName = ""
    rules: Rules = []
    share: ShareIn = ShareIn()


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
    level: LevelName | None = None
    rules: Rules | None = None
    share: ShareIn | None = None


class SourceOut(Out):
    """A folder kept in sync, and how its files stand. `retry_at` is when the first of the failed ones is due again.

    Of a source that is `removing` nobody sees anything any more; it is listed until nothing of it is left.
    `removal_problem` says why the last attempt failed; there is another one every minute.
    """

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
    removing: bool = False
    removal_problem: str = ""
    retry_at: datetime | None = None
    level: str = ""
    rules: list[LabelRuleOut] = []
    share: ShareOut = ShareOut()

    @property
    def seen_by(self) -> str:
        """Who sees its documents, in words, and what may say otherwise of some of them."""
        folder, shared = self.kind is SourceKind.FOLDER, self.share.kind is not ShareKind.NONE
        named = "whoever may read them on their share" if shared else ", ".join(sorted(self.groups))
        others = [*(["an access file"] if folder else []), *(["a rule"] if self.rules else [])]
        return f"{named}, unless {' or '.join(others)} says otherwise" if others else named


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

    `counts` has `read` (new), `read_again` (changed, or to be tried again), `relabel`, `refuse`, `empty`, `fail`,
    `remove`, `leave`, and `left_out` (by the patterns). What is to be refused for its kind is told by the names of
    files, which are not opened: one that holds something else than its name says may be read. `needs_confirmation` says
    that so much is missing that it would be kept.
    """

    counts: dict[str, int]
    files: list[PreviewFileOut]
    needs_confirmation: bool

    @property
    def matches_nothing(self) -> bool:
        """Whether there are files, and the patterns leave out every one."""
        return sum(self.counts.values()) == self.counts.get("left_out", 0) > 0
