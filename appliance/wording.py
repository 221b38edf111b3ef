"""The words people read for how files stand, how a sync left them and what came of a question: everywhere the same.

What machines exchange (the API, the reports in CSV and JSON) keeps the values of `DocumentState` and of outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from appliance.domain import AnswerKind, DocumentState

STATES: Mapping[DocumentState, str] = {
    DocumentState.INDEXED: "indexed",
    DocumentState.DUPLICATE: "duplicate",
    DocumentState.PENDING_REVIEW: "waiting for review",
    DocumentState.NEEDS_PASSWORD: "needs a password",
    DocumentState.EMPTY: "empty",
    DocumentState.REFUSED: "refused",
    DocumentState.QUARANTINED: "quarantined",
    DocumentState.FAILED: "failed",
    DocumentState.GONE: "gone",
}
MISSING = "missing"
"""Files that a sync kept although they are not in the folder any more: so many are that it asks first."""

_OUTCOMES = {
    "indexed": "read and indexed",
    "unchanged": "unchanged",
    "relabelled": "relabelled",
    "duplicate": "duplicate",
    "pending_review": "waiting for review",
    "needs_password": "needing a password",
    "empty": "empty",
    "refused": "refused",
    "quarantined": "quarantined",
    "failed": "failed",
    "gone": "removed",
    MISSING: "missing and kept",
}
_CHANGES = ("indexed", "relabelled", "duplicate", "pending_review", "gone", MISSING)
_ACTIONS = {
    "read": "to be read (new)",
    "read_again": "to be read again",
    "relabel": "to be relabelled",
    "refuse": "to be refused",
    "empty": "that are empty",
    "fail": "that cannot be reached",
    "remove": "to be removed",
    "leave": "to be left as they are",
    "left_out": "left out by the patterns",
}

ANSWERS: Mapping[str, str] = {
    AnswerKind.GENERATED: "written by the model",
    AnswerKind.EXTRACTIVE: "quoted",
    AnswerKind.ABSTAINED: "not in the documents",
    AnswerKind.COURTESY: "nothing asked",
    AnswerKind.PASSAGES: "handed to a program",
}
"""What came of a question, for those who look at it later. Its reader is told in a sentence (`ui.screens.ask`)."""

VERDICTS: Mapping[str, str] = {"up": "helpful", "down": "not helpful"}
"""What readers find of an answer."""

DOORS: Mapping[str, str] = {
    "browser": "the screens",
    "api": "a program",
    "openai-api": "a program",
    "llama-index": "a program",
    "command-line": "the command line of the machine",
}
"""By which way a question came, as the log has it."""

ON_RECORD_FIRST = "An act is on record before it is done. One that failed is followed by an entry that says so."
"""What stands above a list of events, whose words are those of acts that were done."""

_ONE = {
    "read": "try to read",
    "read_again": "try to read again",
    "relabel": "give another label",
    "empty": "find it empty",
    "fail": "not reach it",
}


def outcome(named: str) -> str:
    """What came of a question, by the kind of its answer or the code of its error."""
    return ANSWERS.get(named, _spaced(named))


def counted(state: DocumentState, number: int) -> str:
    """A number of files in a state."""
    words = STATES[state]
    return f"{number:,} {words.replace('needs', 'need', 1) if number != 1 else words}"


def standing(states: Mapping[DocumentState, int]) -> str:
    """How files stand, in one line, in the order of the states; empty when there are none."""
    return ", ".join(counted(state, states[state]) for state in STATES if states.get(state))


def doing(current: str, done: int, total: int | None) -> str:
    """What a sync has at hand; empty when it is with no file that could be named."""
    return current or ("Putting the index in order" if total and done >= total else "")


def outcomes(counts: Mapping[str, int]) -> str:
    """What a sync did, in one line, in the order of the outcomes; empty when it looked at no file."""
    return ", ".join(f"{counts[name]:,} {words}" for name, words in _OUTCOMES.items() if counts.get(name))


def changed(counts: Mapping[str, int]) -> bool:
    """Whether a sync found anything otherwise than it was; what was refused or failed before is no news."""
    return any(counts.get(name) for name in _CHANGES)


def nothing_changed(looked_at: int, at: datetime | None) -> str:
    """What a sync says that found every file as it was.

    Args:
        looked_at: How many files.
        at: When it ended.
    """
    were = "file was" if looked_at == 1 else "files were"
    files = f"{looked_at:,} {were} looked at" if looked_at else "no file is there"
    return f"Nothing changed: {files}, {moment(at)}."


def actions(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """What a sync would do, with how many files; what it would do with none is left out."""
    return [(_ACTIONS.get(name, _spaced(name)), number) for name, number in counts.items() if number]


def action(name: str) -> str:
    """What a sync would do with one file."""
    return _ONE.get(name, _spaced(name))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def moment(at: datetime | None) -> str:
    """A time for people, in UTC, to the minute; a dash when there is none."""
    return f"{day(at.astimezone(UTC))}, {at.astimezone(UTC):%H:%M} UTC" if at else "\N{EN DASH}"


def moment_to_the_second(at: datetime | None) -> str:
    """A time for people who hold it against other records, in UTC; a dash when there is none."""
    return f"{day(at.astimezone(UTC))}, {at.astimezone(UTC):%H:%M:%S} UTC" if at else "\N{EN DASH}"


def day(on: date) -> str:
    """A day for people."""
    return f"{on:%-d %b %Y}"


def not_yet_measured(documents: int) -> str:
    """Why an evaluation lets no change pass: it is not in force yet."""
    verb = "was" if documents == 1 else "were"
    noun = "document" if documents == 1 else "documents"
    return (
        f"The change is not measured yet: {documents:,} {noun} {verb} still cut or embedded as before. Let the change "
        "of the embedding model end, or sync the sources, and evaluate again."
    )


def questions_asked(asked: int, total: int) -> str:
    """How many questions an evaluation asked, of those that its golden set has."""
    noun = "question" if total == 1 else "questions"
    return f"{total:,} {noun}" if asked == total else f"{asked:,} of {total:,} {noun} asked"


def read_as(groups: Sequence[str], own: str) -> str:
    """The groups that an evaluation read with. `own` is how many questions named theirs, if some did."""
    if not groups:
        return "read as those who asked"
    return f"read as {', '.join(groups)}{f' ({own} named their groups)' if own else ''}"


def of_threshold(answerable_above: float) -> str:
    """What the threshold means from which on a question is answered."""
    return (
        f"Below {answerable_above:.2f} (retrieval.answerable_above) a reader is told that the documents do not answer. "
        "Held against it is an estimate from 0 to 1: how near the best passage is in meaning, and whether the "
        "names and numbers of the question stand in it. The shipped 0.17 was measured on questions with known answers: "
        "it turns away at most 5 of 100 that the documents answer, and catches two thirds of those about something "
        "else altogether. Raise it to catch more, at the price of turning away more; 0 turns nobody away."
    )


def cited_in(answers: bool, precision: float | None, written: float | None) -> str:
    """In which answers an evaluation measured the citations; empty where it measured none.

    Args:
        answers: Whether questions were answered as people's are.
        precision: The citation precision.
        written: The share of the answers that a language model wrote.
    """
    if precision is None:
        return ""
    if not answers or not written:
        return "quoted passages"
    return "answers of the language model" if written == 1 else f"answers, {written:.0%} of them of the language model"


def went_otherwise(better: int, worse: int, both_ways: int, p_value: float) -> str:
    """How many questions of two evaluations went otherwise, in a sentence, and how likely chance alone makes that."""
    noun = "question" if better == 1 else "questions"
    mixed = f", {both_ways:,} better by one measure and worse by another" if both_ways else ""
    return (
        f"{better:,} {noun} went better and {worse:,} worse, by any measure{mixed} (sign test of better against worse: "
        f"p = {p_value:.3f})."
    )


def absent_since(questions: int, named: str) -> str:
    """Why an evaluation lets no change pass: it could not ask what the earlier one counted. `named` are the first."""
    head, name, these = (
        ("1 question that counted in the earlier evaluation was", "it names", "this question")
        if questions == 1
        else (f"{questions:,} questions that counted in the earlier evaluation were", "they name", "these questions")
    )
    return (
        f"{head} not asked, because what {name} is not in the appliance any more, or is closed now to the groups that "
        f"are asked with: {named}. Bring it back and evaluate again, or take {these} out of the golden set; that makes "
        "it another set, with a first evaluation of its own."
    )
