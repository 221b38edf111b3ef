"""What waits for a curator."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.documents import ChangesOut, PageOut, PassageTextOut
from appliance.api.schemas.shapes import In, Out


class CopyOut(Out):
    """A document in force with the very bytes of one that waits."""

    path: str
    source: str


class ReviewOut(Out):
    """A document that waits for a curator. `replaces` says that an approved version is in force meanwhile.

    `copies` are other documents in force with the very same bytes, as far as who asks may read them.
    """

    document_id: str
    version_id: str
    path: str
    source: str
    groups: list[str]
    read_at: datetime
    replaces: bool
    copies: list[CopyOut] = []


class ReviewsOut(Out):
    """What waits for review and this admin may read. `withheld` waits too, for somebody who may read it."""

    reviews: list[ReviewOut]
    total: int
    withheld: int


class ReviewDetail(ReviewOut):
    """A version in question: what it says, what its pages gave, and what it changes of the one in force.

    `needs_another` says that the admin who looks uploaded it and may not release it.
    """

    title: str
    media_type: str
    size_bytes: int
    has_images: bool
    pages: list[PageOut]
    chunk_count: int
    passages: list[PassageTextOut]
    changes: ChangesOut | None
    needs_another: bool = False


class Approval(In):
    """Releases the version that was looked at; without `version_id` whichever waits by now."""

    version_id: Annotated[str, Field(max_length=36)] = ""


class Rejection(Approval):
    """Why a curator turns a document down."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
