"""Who may see what, and why; and asking to be given access."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from appliance import invalid
from appliance.api.schemas.people import MembershipOut
from appliance.api.schemas.shapes import In, Out


class TermsOut(Out):
    """The levels there are, lowest first, the one of documents that were given none, and whom to ask for access."""

    levels: list[str]
    default_level: str
    default_clearance: str
    contact: str


class GroundOut(Out):
    """That a group may see a document, and what says so."""

    group: str
    by: str


class SeerOut(Out):
    """Somebody who may see a document, and through which groups."""

    name: str
    groups: list[str]


class ExplanationOut(Out):
    """Who may see a document, and why.

    `groups` and `level` are in force. `grounds` and `level_by` are what says so as the folder and the settings are now;
    `acts_later` says that this differs from what is in force, until a sync puts it in force. `problem` says why it
    cannot be told, or why nobody may see it. `found` is False for a document that is not in force: nobody finds it.
    `unread` says why the file as it is now was not taken in; empty where it was.
    """

    document_id: str
    source: str
    path: str
    groups: list[str]
    level: str
    grounds: list[GroundOut]
    level_by: str
    acts_later: bool
    problem: str
    found: bool
    unread: str
    people: list[SeerOut]


class DocumentCountOut(Out):
    """How many documents of a source and a level."""

    source: str
    level: str
    documents: int


class VisibleDocumentOut(Out):
    """Where a document lies, its level, and through which of the groups it is seen. Never its title or text."""

    document_id: str
    source: str
    path: str
    level: str
    groups: list[str]


class VisibleOut(Out):
    """What certain groups and a clearance let somebody see."""

    groups: list[str]
    clearance: str
    levels: list[str]
    counts: list[DocumentCountOut]
    documents: list[VisibleDocumentOut]
    total: int


class EffectiveOut(VisibleOut):
    """What a person may see, and by what."""

    name: str
    memberships: list[MembershipOut]
    clearance_by: str
    disabled: bool


class AccessRequestIn(In):
    """Asks for access: to a group, or in one's own words."""

    group: Annotated[str, Field(pattern=invalid.GROUP_NAME)] | None = None
    reason: Annotated[str, Field(max_length=1000)] = ""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.group and not self.reason:
            raise ValueError("must name a group, or say what is missing")
        return self


class AccessRequestOut(Out):
    """What somebody asked for, and what became of it."""

    id: str
    person: str
    group: str
    reason: str
    asked_at: datetime
    decided_at: datetime | None
    approved: bool
    answer: str


class DecisionIn(In):
    """A decision about a request. A group that was asked for is given where it is approved."""

    approved: bool
    answer: Annotated[str, Field(max_length=1000)] = ""
