"""What an evaluation finds out, as frozen values: of one question, and of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from appliance.domain import AnswerKind


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """What stood at a rank, by its place alone: an admin may run an evaluation without reading the documents."""

    document_id: str
    path: str
    page: int | None
    relevant: bool


class Outcome(StrEnum):
    """What became of a question. One that was not asked counts for nothing; its places are those that it names.

    One is closed when what it names is closed to the groups it is asked with, or when it is to be asked with groups
    that are not for whoever started the run.
    """

    ASKED = "asked"
    FAILED = "failed"  # refused an answer, as one that is too long for the model: it counts as answered wrongly
    ABSENT = "absent"  # not asked: it names a document or a page which is not in the appliance
    CLOSED = "closed"  # not asked


NOT_ASKED = frozenset({Outcome.ABSENT, Outcome.CLOSED})


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """How one question went.

    `gains` are the pieces of evidence newly found at each rank, out of `pieces`. `abstained` is whether the reader
    would be told that the documents do not say. `kind` and `answer_ms` are None where no answer was made as a
    person's is; the citations are of passages that were quoted then, and None where there was nothing to quote. Of a
    question that somebody asked, the texts and places are left empty, and `query_id` names it.
    """

    question_id: str
    question: str
    answerable: bool
    pieces: int
    gains: tuple[int, ...]
    right_document: bool
    answerability: float
    abstained: bool
    retrieval_ms: float
    places: tuple[FoundPlace, ...] = ()
    outcome: Outcome = Outcome.ASKED
    kind: AnswerKind | None = None
    citations: int | None = None
    right_citations: int | None = None
    answer_ms: float | None = None
    query_id: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it was asked."""
        return self.outcome not in NOT_ASKED


@dataclass(frozen=True, slots=True)
class NotAsked:
    """How many questions of a run were not asked for one reason, and which the first of them are (`named_absent`)."""

    questions: int = 0
    named: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a result depends on besides the questions: settings by name, and how many documents are not as they want."""

    settings: Mapping[str, str]
    not_yet: int = 0


NOT_YET = "documents not yet as set"
NOT_THERE = "questions that name what is not in the appliance"
NOT_OPEN = "questions that name what is closed to those who are asked as"
"""What people read the counts of a run under, among its settings."""

LEFT_OUT = "answers found helpful that were left out"
OWN_GROUPS = "questions asked with groups of their own"
THE_OTHERS = "the other questions asked with"
"""The names under which the settings of a run tell what its questions are, where there is something to tell: how many
were left out; how many name the groups that they are asked with; and the groups and levels of those that do not, where
there are both."""


_NAMED_ABSENT = 10
_LONGEST_NAME = 80  # characters, of a question's id or of what it names


def named_absent(absent: Sequence[QuestionResult]) -> str:
    """The first of some questions that were not asked, by id, each with what it names, and how many more there are."""
    first = absent[:_NAMED_ABSENT]
    named = [f"{result.question_id[:_LONGEST_NAME]}{_named(result.places)}" for result in first]
    more = [f"{len(absent) - len(named):,} more"] if len(absent) > len(named) else []
    return ", ".join([*named, *more])


def _named(places: Sequence[FoundPlace]) -> str:
    if not places:
        return ""
    page = "" if places[0].page is None else f", page {places[0].page}"
    return f" ({places[0].path[:_LONGEST_NAME]}{page})"


@dataclass(frozen=True, slots=True)
class Asked:
    """How many questions of a run count, and the ids of those that were `NOT_ASKED`."""

    counted: int = 0
    absent: frozenset[str] = frozenset()


class SetKind(StrEnum):
    """Where the questions of a run come from."""

    FILE = "file"  # an admin brought them
    FEEDBACK = "feedback"  # people asked them, and found the answers helpful


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run. `groups` is what it read as; of questions from feedback each was asked as the person who asked it.

    `levels` are those that `groups` were cleared for; empty where that is not known, as of questions from feedback.
    `settings` is what was in force, by name; `metrics` what came out, None where there was nothing to measure.
    `not_yet` is how many documents were still cut or embedded as before. `absent` and `closed` are questions that were
    not asked. `error` is the sentence for people when it did not get to its end.
    """

    id: str
    name: str
    kind: SetKind
    set_sha256: str
    groups: tuple[str, ...]
    answers: bool
    started_by: str
    started_at: datetime
    total: int
    settings: Mapping[str, str]
    done: int = 0
    finished_at: datetime | None = None
    error: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    levels: frozenset[str] = frozenset()
    not_yet: int = 0
    absent: NotAsked = NotAsked()
    closed: NotAsked = NotAsked()

    @property
    def is_whole(self) -> bool:
        """Whether it got to its end, so that it can be compared."""
        return self.finished_at is not None and not self.error

    @property
    def not_asked(self) -> int:
        """How many questions were not asked."""
        return self.absent.questions + self.closed.questions

    @property
    def asked_nothing(self) -> bool:
        """Whether it got to its end and not one question could be asked: each names what is not there, or closed."""
        return self.is_whole and self.not_asked > 0 and all(value is None for value in self.metrics.values())

    def told(self, not_asked: NotAsked) -> str:
        """How many questions were not asked for one reason, and which, for people."""
        return f"{not_asked.questions:,} of {self.done:,}: {not_asked.named}"

    @property
    def circumstances(self) -> dict[str, str]:
        """The settings and the counts, by name, for people."""
        counted = {NOT_THERE: self.absent, NOT_OPEN: self.closed}
        told = {name: self.told(found) for name, found in counted.items() if found.questions}
        return {**self.settings, NOT_YET: str(self.not_yet), **told}
