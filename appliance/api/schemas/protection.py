"""Data protection: holds, erasures, retention."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance import invalid
from appliance.api.schemas.shapes import In, Name, Out

Month = Annotated[str, Field(pattern=invalid.MONTH)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class HoldIn(In):
    """Places a hold: on a person by name (everybody, if empty), on the months `since` to `until` (no limit)."""

    person: Annotated[str, Field(max_length=200)] = ""
    since: Month = ""
    until: Month = ""
    reason: Reason


class HoldOut(Out):
    """A hold in force; `person` is the name of the account, empty for everybody."""

    id: str
    person: str
    since: str
    until: str
    reason: str
    placed_by: str
    placed_at: datetime


class ReleaseIn(In):
    """Proposes the release of a hold to a second officer."""

    reason: Reason


class ErasureIn(In):
    """Proposes to a second officer that a person is erased: of all months up to `until`, of all if that is empty."""

    person: Name
    until: Month = ""
    reason: Reason


class ProposedOut(Out):
    """What waits for a second officer now. `held` are the months that a hold keeps from an erasure."""

    proposal_id: str
    held: list[str] = []


class ErasureOut(Out):
    """An order to erase, by the id of the account. `completed_at` is None while a hold keeps the months `held`.

    `person` is the name the account signs in with, empty when it is gone.
    """

    id: str
    account: str
    person: str = ""
    until: str
    ordered_at: datetime
    completed_at: datetime | None
    months: list[str]
    held: list[str]
    entries: int
    turns: int


class SubjectOut(Out):
    """The person of a name, of whom everything may be taken out."""

    name: str
    display_name: str


class ExpiryOut(Out):
    """What of a month is announced to expire under a profile, and of how many people a hold keeps it."""

    month: str
    profile: str
    expires_at: datetime
    people: int
    entries: int
    turns: int
    held: int


class GroupRetentionOut(Out):
    """The profile of what people of a group asked."""

    group: str
    profile: str
    months: int


class RetentionOut(Out):
    """The profiles in force and what they will erase. `months` is None where content is kept for ever."""

    profile: str
    months: int | None
    groups: list[GroupRetentionOut]
    notice_days: int
    coming: list[ExpiryOut]
    problems: list[str]
