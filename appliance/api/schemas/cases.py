"""Cases of the compliance desk, and evidence packages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from appliance.api.schemas.review_queue import Title, Words
from appliance.api.schemas.shapes import In, Out


class CaseIn(In):
    """A case to be opened, with questions to be put in it."""

    title: Title
    reason: Words
    query_ids: Annotated[list[str], Field(max_length=500)] = []


class CaseOut(Out):
    """A case. `title` is what stands in for it when its key is gone."""

    id: str
    number: int
    title: str
    opened_by: str
    opened_at: datetime
    state: Literal["open", "closing", "closed"]
    queries: int
    closed_at: datetime | None


class CaseEntryOut(Out):
    """Something on record about a case: `kind` is "opened", "query", "note" or "unread"."""

    seq: int
    at: datetime | None
    kind: Literal["opened", "query", "note", "unread"]
    by: str
    words: str
    query_id: str


class CaseQueryOut(Out):
    """A question in a case, without whose it is; its words say why where nobody can read them any more.

    `seq` is None when its entry in the log was altered.
    """

    query_id: str
    seq: int | None
    question: str
    answer: str


class CaseDetail(CaseOut):
    """A case with everything on record about it. `own` says that the reader proposed to close it."""

    entries: list[CaseEntryOut]
    contents: list[CaseQueryOut]
    proposal_id: str
    own: bool


class CaseQueryIn(In):
    """A question to be put in a case."""

    query_id: Annotated[str, Field(min_length=1, max_length=64)]


class CaseNoteIn(In):
    """Something to be written down in a case; when it is to be closed, what came of it."""

    note: Words
