"""The review queue: the rules that draw answers for it, what was drawn, and what officers make of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.asking import GroundingOut
from appliance.api.schemas.shapes import In, Out
from appliance.domain import ReviewState, Selects, Verdict

Words = Annotated[str, Field(min_length=1, max_length=4000)]
Title = Annotated[str, Field(min_length=1, max_length=200)]


class SamplingRuleIn(In):
    """A rule to be made: `subject` is the name of a flag or the id of a source, empty where it needs none."""

    selects: Selects
    subject: Annotated[str, Field(max_length=128)] = ""
    share_percent: Annotated[float, Field(ge=0.01, le=100)] = 100


class SamplingRuleOut(Out):
    """A rule in force; `words` tell people what it draws. `since` is the entry that made it."""

    id: str
    selects: Selects
    subject: str
    share_percent: float
    since: int
    words: str


class ChoiceOut(Out):
    """Something a rule can name."""

    id: str
    name: str


class SamplingRulesOut(Out):
    """The rules in force, and the flags and sources that one can name."""

    rules: list[SamplingRuleOut]
    flags: list[str]
    sources: list[ChoiceOut]


class DrawnAnswerOut(Out):
    """An answer that was drawn, without whose it is.

    `unread` says why there is no question and answer: the key is gone, or the entry was altered. `drawn_by` tells the
    rules for people. `numbers` are those of the passages that it cites; `highlights` and `grounding` are as in
    `QueryDetail`. `own` says that the reader judged it last. `proposal_id` is what a second officer decides about.
    """

    query_id: str
    seq: int
    answered_at: datetime | None
    drawn_by: list[str]
    question: str
    answer: str
    withdrawn: str
    numbers: list[int] = []
    highlights: list[tuple[int, int]] = []
    grounding: GroundingOut | None = None
    outcome: str
    flags: list[str]
    cited: list[str]
    unread: str
    state: ReviewState
    verdict: Verdict | None
    notes: str
    reviewed_by: str
    reviewed_seq: int | None
    own: bool
    case_id: str
    proposal_id: str


class DrawnAnswersOut(Out):
    """A page of reviews, the oldest first, and how many there are; `complete` is False while more are being drawn."""

    reviews: list[DrawnAnswerOut]
    total: int
    complete: bool


class JudgementIn(In):
    """What an officer makes of an answer. A leak or an escalation names a case, or the title of a new one."""

    verdict: Verdict
    notes: Annotated[str, Field(max_length=4000)] = ""
    case_id: Annotated[str, Field(max_length=36)] = ""
    title: Annotated[str, Field(max_length=200)] = ""


class JudgedOut(Out):
    """What became of a review."""

    state: ReviewState
    case_id: str
