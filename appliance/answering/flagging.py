"""Which flags a question raises when its answer is closed. Pure; `appliance.flags` says what each means.

Rules this module keeps:

1. The question is looked at as it was typed, passages only if they were put before a model or a reader.
2. What says how an answer came out is raised only where there was one: not after an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from appliance.answering.course import Course
from appliance.audit.entries import RaisedFlag
from appliance.domain import Answer, AnswerKind, Citation
from appliance.flags import Flag
from appliance.flags.instructions import TELLS_WHAT_TO_ANSWER, told_to_models
from appliance.flags.personal_data import personal_data

ENOUGH_GROUNDING = 0.5
"""The share of an answer that must stand in its passages; below it the answer is flagged."""

_QUESTION, _ANSWER = "question", "answer"
_WRITTEN = (AnswerKind.GENERATED, AnswerKind.EXTRACTIVE)


def raised(course: Course, answer: Answer, *, error: str = "") -> tuple[RaisedFlag, ...]:
    """The flags of a question whose answer was `answer`, or ended early with the stable code `error`."""
    return (
        *_of_question(course.question),
        *_of_passages(course.passages),
        *_of_access(course),
        *(() if error else _of_answer(answer)),
    )


def _of_question(question: str) -> Iterator[RaisedFlag]:
    for finding in personal_data(question):
        yield RaisedFlag(finding.flag, _QUESTION, finding.detail)
    rules = [rule for rule in told_to_models(question) if rule != TELLS_WHAT_TO_ANSWER]  # people may: "only yes or no"
    yield from _of_rules(Flag.INSTRUCTIONS_IN_QUESTION, rules, _QUESTION)


def _of_passages(passages: Sequence[Citation]) -> Iterator[RaisedFlag]:
    for passage in passages:
        yield from _of_rules(Flag.INSTRUCTIONS, told_to_models(passage.hit.chunk.text), f"passage {passage.number}")


def _of_rules(flag: Flag, rules: Sequence[str], where: str) -> Iterator[RaisedFlag]:
    if rules:
        yield RaisedFlag(flag, where, f"it {'; it '.join(rules)}")


def _of_access(course: Course) -> Iterator[RaisedFlag]:
    if course.withheld:
        yield RaisedFlag(Flag.ACCESS_REMOVED, "search", f"{course.withheld} passages were left out of the search")
    if course.is_withdrawn:
        yield RaisedFlag(Flag.ACCESS_REMOVED, _ANSWER, "the answer was withdrawn while it was written")


def _of_answer(answer: Answer) -> Iterator[RaisedFlag]:
    if answer.kind is AnswerKind.ABSTAINED:
        yield RaisedFlag(Flag.ABSTAINED, _ANSWER)
    if answer.kind in _WRITTEN and not answer.citations:
        yield RaisedFlag(Flag.NO_CITATION, _ANSWER)
    checked = answer.grounding
    if checked is not None and checked.judged and checked.score < ENOUGH_GROUNDING:
        yield RaisedFlag(Flag.LOW_GROUNDING, _ANSWER, f"{checked.score:.0%} of it stands in the passages it cites")
