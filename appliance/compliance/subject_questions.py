"""What is on record about a person, sorted by the questions that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.audit.entries import (
    AnswerClosed,
    FeedbackGiven,
    PassagesRetrieved,
    QuestionCompleted,
    QuestionReceived,
    RetrievedPassage,
)
from appliance.audit.records import Recorded
from appliance.compliance.subject_access import About

_OF_QUESTIONS = (QuestionReceived, QuestionCompleted, PassagesRetrieved, AnswerClosed, FeedbackGiven)


@dataclass
class AskedThen:
    """A question and all that is on record of it."""

    asked: Recorded
    parts: list[Recorded] = field(default_factory=list)
    by_others: list[Recorded] = field(default_factory=list)


def sorted_out(about: About) -> tuple[list[AskedThen], list[Recorded]]:
    """The questions with what belongs to each, and the person's other entries."""
    found: dict[str, AskedThen] = {}
    rest: list[Recorded] = []
    for recorded in about.own:
        query_id = str(getattr(recorded.entry, "query_id", ""))
        if recorded.type == QuestionReceived.type:
            found[query_id or f"entry {recorded.seq}"] = AskedThen(recorded)
        elif query_id in found and isinstance(recorded.entry, _OF_QUESTIONS):
            found[query_id].parts.append(recorded)
        else:
            rest.append(recorded)
    for recorded in about.by_others:
        if (query_id := str(getattr(recorded.entry, "query_id", ""))) in found:
            found[query_id].by_others.append(recorded)
    return list(found.values()), rest


def found_for(question: AskedThen) -> tuple[list[RetrievedPassage], list[RetrievedPassage]]:
    """The passages that the answer cites, by their numbers, and the others that were found."""
    retrieved = [each.entry for each in question.parts if isinstance(each.entry, PassagesRetrieved)][-1:]
    closed = [each.entry for each in question.parts if isinstance(each.entry, AnswerClosed)][:1]
    wanted = {citation.chunk_id for answer in closed for citation in answer.citations}
    passages = [passage for searched in retrieved for passage in searched.retrieved]
    cited = [passage for passage in passages if passage.chunk_id in wanted]
    return sorted(cited, key=lambda passage: passage.number or 0), [each for each in passages if each not in cited]


def searched_for(question: AskedThen) -> list[str]:
    """What was searched for in the place of the words that were typed: a follow-up completed, the form left out."""
    typed = question.asked.entry.question if isinstance(question.asked.entry, QuestionReceived) else ""
    searched = (each.entry for each in question.parts if isinstance(each.entry, QuestionCompleted | PassagesRetrieved))
    return [words for words in dict.fromkeys(entry.searched_for for entry in searched) if words not in ("", typed)]


def words_of(questions: list[AskedThen]) -> dict[str, tuple[str, str]]:
    """Question and answer of each that can be read whole, by the id of the query."""
    found = {}
    for question in questions:
        asked = question.asked.entry
        answers = [each.entry.answer for each in question.parts if isinstance(each.entry, AnswerClosed)]
        if isinstance(asked, QuestionReceived) and answers:
            found[asked.query_id] = (asked.question, answers[0])
    return found
