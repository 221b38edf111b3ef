"""The part of the stand-in that tells of a directory: one that was asked in vain, until a sync that may find many missing."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from appliance.api.schemas.directories import DirectoryDetail, DirectorySyncIn
from tests.ui.ingest_standin import NOW

PROBLEM = "The directory 'corp' names 30 of its 40 people no more. Nothing was changed."


class Staff:
    """The directory, with the poison where somebody else's words stand."""

    def __init__(self, poison: str) -> None:
        self.poison = poison
        self.problem = PROBLEM

    def detail(self) -> DirectoryDetail:
        return DirectoryDetail(
            name="corp",
            kind="ldap",
            configured=True,
            max_age_s=86_400,
            synced_at=NOW - timedelta(hours=3),
            attempted_at=NOW,
            problem=self.problem and self.problem + self.poison,
            can_sync=True,
            notes=["The group 'sales' is left out: the directory has another of that name." + self.poison],
            people=40,
            gone=2,
            stale=1,
            groups=7,
        )


def add_routes(api: APIRouter, staff: Staff) -> None:
    """What the screens ask about directories."""

    @api.get("/directories/{key}")
    def directory(key: str) -> DirectoryDetail:
        return staff.detail()

    @api.post("/directories/{key}/sync")
    def sync(key: str, body: DirectorySyncIn) -> DirectoryDetail:
        staff.problem = "" if body.accept_missing else PROBLEM
        return staff.detail()
