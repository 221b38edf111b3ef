"""Questions, answers and conversations."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from appliance import invalid
from appliance.api.schemas.shapes import In, Out
from appliance.domain import MAX_QUESTION_CHARACTERS as MAX_QUESTION_CHARACTERS  # for the screens
from appliance.domain import AnswerKind


class Question(In):
    """A question, alone or as the next turn of a conversation."""

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS)]
    conversation_id: Annotated[str, Field(pattern=invalid.CONVERSATION)] | None = None


class PlaceOut(Out):
    """Where a passage stands. `page` counts from 1; `has_image` says whether its page can be shown as a picture.

    `headings` is the path above its beginning; of a citation, above what is quoted and marked of it.
    """

    page: int | None
    label: str
    headings: list[str]
    has_image: bool


class PassageOut(Out):
    """A passage that was found. `number` is the n of its [n] marker."""

    number: int
    chunk_id: str
    document_id: str
    version_id: str
    title: str
    path: str
    source: str
    place: PlaceOut
    text: str
    rank: int


class StatementOut(Out):
    """How one statement of an answer, its characters `start` to `end`, was held against the passages it cites.

    `score` is the share of its words that stand there, `numbers_missing` are the numbers that do not. One that is not
    `comparable` (another language than its passages, or without a word that carries it) was not judged. `missing_at`
    is where in the answer those numbers stand (start, end).
    """

    text: str
    start: int
    end: int
    cited: list[int]
    score: float
    supported: bool
    comparable: bool
    numbers_missing: list[str]
    missing_at: list[tuple[int, int]]


class GroundingOut(Out):
    """How far an answer stands on its passages: `score` is the share of its text, 0 to 1, whose statements do.

    Of the `judged` statements `supported` stand.
    """

    score: float
    judged: int
    supported: int
    statements: list[StatementOut]


class AnswerOut(Out):
    """A finished answer. `citations` are the passages its markers and notices point at, in order of number.

    `searched_for` is empty unless they were found for something else than the question: for a follow-up completed, or
    for what is asked without the form of the answer; `grounding` is known of what a language model wrote; `highlights`
    are the characters (start, end) of a quotation that are nearest to the question.
    """

    query_id: str
    conversation_id: str
    text: str
    kind: AnswerKind
    citations: list[PassageOut]
    notices: list[str]
    model: str
    searched_for: str
    grounding: GroundingOut | None
    highlights: list[tuple[int, int]]


class AskEvent(StrEnum):
    """The server-sent events of an answer, in order: one started, one passages, many token, one answer or error."""

    STARTED = "started"
    PASSAGES = "passages"
    TOKEN = "token"  # noqa: S105 - a piece of an answer, not a secret
    ANSWER = "answer"
    ERROR = "error"


class StartedOut(Out):
    """The question is on record; `searched_for` is what is searched first: a follow-up is completed."""

    query_id: str
    conversation_id: str
    searched_for: str


class PassagesOut(Out):
    """What was found, before the answer is written."""

    passages: list[PassageOut]


class TokenOut(Out):
    """The next piece of the answer."""

    text: str


class FeedbackIn(In):
    """A reader's verdict on an answer."""

    verdict: Literal["up", "down"]
    comment: Annotated[str, Field(max_length=2000)] = ""


class ConversationOut(Out):
    """A conversation of one's own, as the history lists it."""

    id: str
    title: str
    updated_at: datetime


class TurnOut(Out):
    """A question and the answer that was shown. Citations the reader may no longer see are left out.

    `withheld_passages` counts what the answer drew on, cited or not, and the reader may no longer see: it is not shown.
    `searched_for`, `grounding` and `highlights` as in `AnswerOut`.
    """

    query_id: str
    question: str
    answer: str
    kind: AnswerKind
    citations: list[PassageOut]
    withheld_passages: int
    notices: list[str]
    asked_at: datetime
    feedback: str
    searched_for: str = ""
    grounding: GroundingOut | None = None
    highlights: list[tuple[int, int]] = []


class ConversationDetail(ConversationOut):
    """A conversation with its turns, oldest first."""

    turns: list[TurnOut]
