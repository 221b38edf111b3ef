"""Acts that need two compliance officers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.shapes import In, Out


class ProposalOut(Out):
    """An act that waits for a second officer.

    `own` says that it is the reader's, and `about_reader` that it is about them: who therefore cannot decide.

    `words` say what is to be done, and `about` to what, where `act` and `subject` alone would not.
    """

    id: str
    act: str
    words: str
    subject: str
    reason: str
    detail: str
    about: str
    proposed_by: str
    proposed_at: datetime
    lapses_at: datetime
    own: bool
    about_reader: bool = False


class ProposalDecisionIn(In):
    """A decision about what another officer, or an administrator, proposed."""

    approve: bool
    note: Annotated[str, Field(max_length=1000)] = ""


class ConfirmationIn(In):
    """Asks another officer to confirm that one has one's account oneself."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ProposalDecidedOut(Out):
    """What became of a proposal: "approved" or "refused"."""

    id: str
    outcome: str
