"""Counting how the appliance is used."""

from __future__ import annotations

from datetime import date

from appliance.audit.entries import (
    AnswerClosed,
    CitedPassage,
    Latency,
    ModelUsed,
    PassagesRetrieved,
    QuestionReceived,
    RaisedFlag,
    RetrievedPassage,
)
from appliance.audit.log import QueryLog
from appliance.compliance.charts import Counted, count
from tests.appliance.compliance.conftest import Clock

PASSAGE = RetrievedPassage("c-1", "d-1", "v-1", "ab" * 32, "travel.md", "Travel policy", 1, 1, 1.0, 0.9, 1)


def put(log: QueryLog, number: int, person: str, *, answered: bool = True, flag: str = "", kind: str = "") -> None:
    query = f"q{number}"
    log.append(QuestionReceived(query, person, person, ("everyone",), "", "What may a hotel cost?", "browser"))
    log.append(PassagesRetrieved(query, person, "hotel", (PASSAGE,), ModelUsed(), "", "", None))
    log.append(
        AnswerClosed(
            query,
            person,
            "240 CHF [1]." if answered else "",
            "cd" * 32,
            kind or ("extractive" if answered else "abstained"),
            (CitedPassage(1, "c-1"),) if answered else (),
            (),
            (),
            Latency(1.0, None, 2.0),
            flags=(RaisedFlag(flag, "question"),) if flag else (),
        )
    )


def counted(log: QueryLog, clock: Clock, weeks: int = 1) -> Counted:
    return count(log, clock.now, weeks, budget_s=60)


def test_numbers_of_enough_people_are_told_week_by_week(log: QueryLog, clock: Clock) -> None:
    for number in range(6):
        put(log, number, f"u-{number}", answered=number > 0, flag="personal_data.email")
    clock.forward(days=1)  # from a Sunday to a Monday
    for number in range(6, 12):
        put(log, number, f"u-{number}", answered=False)
    clock.forward(days=7)
    found = counted(log, clock, weeks=3)
    assert (found.since, found.until, found.whole) == (date(2026, 3, 2), date(2026, 3, 22), True)
    assert [span.start.day for span in found.spans] == [2, 9, 16]
    assert [span.asked for span in found.spans] == [0, 6, 6]
    assert [span.unanswered for span in found.spans] == [0, None, 6]  # one person's is nobody's business
    assert found.cited == (("Travel policy", 5),)
    assert found.flags == (("personal_data.email", 6),)


def test_greetings_and_thanks_are_no_questions(log: QueryLog, clock: Clock) -> None:
    for number in range(5):
        put(log, number, f"u-{number}")
        put(log, number + 5, f"u-{number}", answered=False, kind="courtesy")
    clock.forward(days=7)
    assert [(span.asked, span.unanswered) for span in counted(log, clock).spans] == [(5, 0)]


def test_no_number_stands_for_fewer_than_five_people(log: QueryLog, clock: Clock) -> None:
    for number in range(40):
        put(log, number, f"u-{number % 4}", flag="personal_data.iban")
    clock.forward(days=1)
    found = counted(log, clock)
    assert found.spans[-1].asked is None
    assert found.spans[-1].unanswered is None
    assert found.cited == ()
    assert found.flags == ()


def test_no_chart_taken_from_another_shows_what_one_person_did(log: QueryLog, clock: Clock) -> None:
    put(log, 0, "u-alone", flag="personal_data.iban")
    clock.forward(days=7)
    for number in range(1, 7):
        put(log, number, f"u-{number}", flag="personal_data.iban")
    clock.forward(days=1)
    short, long = counted(log, clock, weeks=1), counted(log, clock, weeks=2)
    assert short.cited == long.cited == (("Travel policy", 6),)
    assert short.flags == long.flags == (("personal_data.iban", 6),)
    assert [span.asked for span in long.spans] == [None, 6]
    put(log, 7, "u-alone", flag="personal_data.iban")  # between two looks at the same chart
    assert counted(log, clock, weeks=2) == long
    clock.forward(days=6)  # when the oldest week leaves, and this one is not over
    assert counted(log, clock, weeks=2) == long


def test_what_was_not_answered_does_not_tell_of_the_one_who_was(log: QueryLog, clock: Clock) -> None:
    for number in range(6):
        put(log, number, f"u-{number}", answered=number == 0)
    clock.forward(days=1)
    (week,) = counted(log, clock).spans
    assert (week.asked, week.unanswered) == (6, None)


def test_what_there_was_no_time_for_is_left_out_in_whole_weeks(log: QueryLog, clock: Clock) -> None:
    for week in range(3):
        for number in range(5):
            put(log, 10 * week + number, f"u-{number}")
        clock.forward(days=7)
    clock.forward(days=-6)
    found = count(log, clock.now, 7, budget_s=0.0)
    assert (found.whole, found.since, found.until) == (False, date(2026, 3, 23), date(2026, 3, 29))
    assert [span.asked for span in found.spans] == [5]
