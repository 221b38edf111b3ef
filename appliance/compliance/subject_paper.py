"""Everything there is about a person, as a paper that they can read.

Rules this module keeps:

1. The first page says what this is, whose, when it was made, and how much of what there is.
2. Each question stands together with all that came of it: the answer, the documents it cites, what its reader said of
   it, and who looked at it afterwards, and why. Who that was by name is not told (`subject_access`, rule 2), and never
   that nobody looked: not every look is on record with the questions that it showed.
3. Identifiers, hashes and settings are for programs: they stand in the JSON alone, and the first page says so.
4. What was erased or cannot be read is named as such where it would stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from appliance.access_requests import AccessRequest
from appliance.audit.entries import (
    AdminAction,
    AnswerClosed,
    Entry,
    FeedbackGiven,
    QuestionReceived,
    RaisedFlag,
    RetrievedPassage,
    SignInFailed,
)
from appliance.audit.records import Recorded
from appliance.audit.telling import happened, why_unreadable, without_begun
from appliance.auth.standing import Person
from appliance.compliance.paper import Paper
from appliance.compliance.subject_access import About
from appliance.compliance.subject_questions import AskedThen, found_for, searched_for, sorted_out, words_of
from appliance.compliance.subject_words import called, count, sentences, told, view, who
from appliance.flags import MEANINGS
from appliance.wording import DOORS, ON_RECORD_FIRST, VERDICTS, day, moment

_KINDS = {
    "generated": "Answer, written by the language model",
    "extractive": "Answer, quoted from documents",
    "abstained": "Answer: the documents do not say",
    "courtesy": "Answer to a greeting or to thanks",
    "passages": "Passages handed to a program",
}
_WHAT_THIS_IS = (
    "This is what the appliance Strongroom of your organisation holds about you: your account, every question you "
    "asked and what came of it, what else you did, what others did about it and why, and what is kept for you now. "
    "Those who looked are named by their office, not by name. Passages and answers may speak of other people."
)
_WHERE_THE_REST_IS = (
    "Identifiers, hashes, measurements, settings of the language model and other fields for programs are left out. "
    "They are in the file for programs (JSON), which belongs to it and holds every entry in full."
)
_NONE_BY_OTHERS = "No entry of others names you or a question of yours."
_WHOEVER_TRIED = "A sign-in that was refused under your name may have been tried by somebody else."
_NOT_EVERY_LOOK = (
    "Lists, searches, the review queue, cases and exports are on record without naming each question that they showed: "
    "somebody may have read a question of yours there."
)


def on_paper(about: About) -> bytes:
    """Everything, for people."""
    questions, rest = sorted_out(about)
    paper = Paper(f"What is on record about {about.person.name}", "The file for programs (JSON)")
    _put_summary(paper, about, questions)
    _put_account(paper, about.person)
    paper.new_page()
    paper.heading("Your questions")
    for number, question in enumerate(questions, 1):
        _put_question(paper, about, number, question)
    if not questions:
        paper.text("There are none on record.")
    _put_acts(paper, "What else you did", rest, about.person)
    _put_views(paper, about, questions)
    _put_turns(paper, about, questions)
    _put_requests(paper, about.requests)
    return paper.pdf()


# the first page


def _put_summary(paper: Paper, about: About, questions: list[AskedThen]) -> None:
    person = about.person
    unreadable = sum(recorded.entry is None for recorded in about.own)
    paper.text(_WHAT_THIS_IS)
    paper.facts(
        [
            ("About", called(person)),
            ("Made", moment(about.made_at)),
            ("Questions", _over_time(questions)),
            ("Cited for you", count(len(_cited_documents(questions)), "document")),
            ("Of your entries", f"{unreadable:,} cannot be read any more; why is said with each" if unreadable else ""),
            ("In your history", f"{count(len(about.turns), 'question')} in your conversations now"),
            ("Asked to be given", count(len(about.requests), "request") if about.requests else ""),
        ]
    )
    paper.label("Who looked at it, or did something about you")
    counted = Counter((who(recorded), happened(recorded)) for recorded in without_begun(about.by_others))
    if counted:
        rows = [(office, what, f"{number:,}") for (office, what), number in sorted(counted.items())]
        paper.rows(("Who", "What", "Times"), rows, (3, 5, 1))
    else:
        paper.text(_NONE_BY_OTHERS)
    paper.text(_NOT_EVERY_LOOK)
    paper.label("What is not in this paper")
    paper.text(_WHERE_THE_REST_IS)


def _over_time(questions: list[AskedThen]) -> str:
    times = [question.asked.time for question in questions if question.asked.time]
    if not times:
        return "none"
    return f"{len(questions):,}, from {day(min(times))} to {day(max(times))}"


def _cited_documents(questions: list[AskedThen]) -> set[str]:
    return {passage.document_id for question in questions for passage in found_for(question)[0]}


def _put_account(paper: Paper, person: Person) -> None:
    paper.heading("Your account")
    paper.facts(
        [
            ("Name", person.name),
            ("Shown as", person.display_name if person.display_name != person.name else ""),
            ("Roles", ", ".join(sorted(role.value for role in person.roles))),
            ("Groups", ", ".join(sorted(person.groups))),
            ("Cleared for", person.clearance or ""),
            ("Known from", person.directory),
            ("Made", moment(person.created_at)),
            ("Second factor", "on" if person.totp_on else "off"),
            ("State", "disabled" if person.shut_out else ""),
        ]
    )


# questions


def _put_question(paper: Paper, about: About, number: int, question: AskedThen) -> None:
    paper.entry(f"Question {number} · {moment(question.asked.time)}")
    asked = question.asked.entry
    if not isinstance(asked, QuestionReceived):
        paper.text(why_unreadable(question.asked))
        return
    paper.text(asked.question)
    paper.facts(
        [
            ("Your groups then", ", ".join(sorted(asked.groups))),
            ("Cleared for then", ", ".join(asked.levels)),
            ("Asked by way of", DOORS.get(asked.origin, asked.origin)),
            ("Searched for", "; ".join(searched_for(question))),
        ]
    )
    for recorded in question.parts:
        _put_part(paper, recorded.entry)
    cited, others = found_for(question)
    if cited:
        paper.label("Documents cited")
        paper.text("\n".join(f"[{passage.number}] {_place(passage)}" for passage in cited))
    if others:
        paper.label("Also found, and not cited")
        paper.text("; ".join(_places(others)))
    if not any(isinstance(recorded.entry, AnswerClosed) for recorded in question.parts):
        paper.label("Answer")
        paper.text("There is none on record: it was not finished, or cannot be read any more.")
    for recorded in question.by_others:
        paper.label(f"{who(recorded)}, {moment(recorded.time)}")
        paper.text(view(about, recorded))


def _put_part(paper: Paper, entry: Entry | None) -> None:
    """What came of a question: its answer, what was flagged, what its reader said of it."""
    if isinstance(entry, AnswerClosed):
        failed = f"No answer: {entry.error.replace('_', ' ')}"
        paper.label(failed if entry.error else _KINDS.get(entry.kind, "Answer"))
        for words in (entry.answer, *entry.notices):
            if words:
                paper.text(words)
        if entry.withdrawn:
            paper.label("Shown before, and taken back")
            paper.text(entry.withdrawn)
        if entry.flags:
            paper.label("Flagged for those who review answers")
            paper.text("\n".join(map(_flag, entry.flags)))
    elif isinstance(entry, FeedbackGiven):
        paper.label("What you said of it")
        paper.text(": ".join(filter(None, (VERDICTS.get(entry.verdict, entry.verdict).capitalize(), entry.comment))))


def _flag(flag: RaisedFlag) -> str:
    return sentences(MEANINGS.get(flag.name, flag.name).rstrip("."), f"Found in: {flag.where}", flag.detail)


def _place(passage: RetrievedPassage) -> str:
    return passage.title if passage.page is None else f"{passage.title}, page {passage.page}"


def _places(passages: list[RetrievedPassage]) -> Iterator[str]:
    """Each document once, with the pages."""
    for title in dict.fromkeys(passage.title for passage in passages):
        pages = sorted({passage.page for passage in passages if passage.title == title and passage.page is not None})
        yield f"{title}, page {', '.join(map(str, pages))}" if pages else title


# what else there is


def _put_acts(paper: Paper, heading: str, acts: list[Recorded], person: Person) -> None:
    rows = [(moment(each.time), happened(each), told(each, person)) for each in acts]
    paper.heading(heading)
    _put_how_acts_are_recorded(paper, acts)
    if any(isinstance(each.entry, SignInFailed) for each in acts):
        paper.text(_WHOEVER_TRIED)
    if rows:
        paper.rows(("When", "What", "More"), rows, (4, 4, 6))
    else:
        paper.text("Nothing is on record.")


def _put_views(paper: Paper, about: About, questions: list[AskedThen]) -> None:
    """What others did that concerns the person, and is not told with a question."""
    elsewhere = {recorded.seq for question in questions for recorded in question.by_others}
    others = [each for each in about.by_others if each.seq not in elsewhere]
    rows = [(moment(each.time), who(each), view(about, each)) for each in others]
    paper.heading("What others did that concerns you")
    if not about.by_others:
        paper.text(_NONE_BY_OTHERS)
    if elsewhere:
        paper.text("Who looked at a question stands with that question.")
    _put_how_acts_are_recorded(paper, others)
    if rows:
        paper.rows(("When", "Who", "What"), rows, (4, 4, 8))


def _put_how_acts_are_recorded(paper: Paper, acts: list[Recorded]) -> None:
    if any(isinstance(each.entry, AdminAction) for each in acts):
        paper.text(ON_RECORD_FIRST)


def _put_turns(paper: Paper, about: About, questions: list[AskedThen]) -> None:
    paper.heading("Your conversations as they are kept now")
    told_above = words_of(questions)
    kept = [turn for turn in about.turns if told_above.get(turn.query_id) != (turn.question, turn.answer)]
    same = count(len(about.turns) - len(kept), "question")
    paper.text(f"{same} with the answers, word for word as above{', and besides:' if kept else '.'}")
    for turn in kept:
        paper.entry(moment(turn.asked_at))
        paper.text(turn.question)
        paper.label("Answer")
        paper.text(turn.answer)


def _put_requests(paper: Paper, requests: Iterable[AccessRequest]) -> None:
    rows = [
        (moment(request.asked_at), request.group or "not named", request.reason, _became_of(request))
        for request in requests
    ]
    paper.heading("What you asked to be given")
    if rows:
        paper.rows(("When", "Group", "Why", "What became of it"), rows, (5, 2, 6, 5))
    else:
        paper.text("Nothing.")


def _became_of(request: AccessRequest) -> str:
    if request.decided_at is None:
        return "It waits."
    decided = "Approved" if request.approved else "Declined"
    return sentences(f"{decided}, {moment(request.decided_at)}", request.answer)
