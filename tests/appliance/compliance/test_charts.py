"""Counting how the appliance is used."""

from __future__ import annotations

from datetime import date, timedelta

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


def put(log: QueryLog, number: int, person: str, *, answered: bool = True, flag: str = "") -> None:
    query = f"q{number}"
    log.append(QuestionReceived(query, person, person, ("everyone",), "", "What may a hotel cost?", "browser"))
    log.append(PassagesRetrieved(query, person, "hotel", (PASSAGE,), ModelUsed(), "", "", None))
    log.append(
        AnswerClosed(
            query,
            person,
            "240 CHF [1]." if answered else "",
            "cd" * 32,
            "extractive" if answered else "abstained",
            (CitedPassage(1, "c-1"),) if answered else (),
            (),
            (),
            Latency(1.0, None, 2.0),
            flags=(RaisedFlag(flag, "question"),) if flag else (),
        )
    )


def counted(log: QueryLog, clock: Clock, days: int = 7) -> Counted:
    return count(log, clock.now, days, budget_s=60)


def test_numbers_of_enough_people_are_told_day_by_day(log: QueryLog, clock: Clock) -> None:
    for number in range(6):
        put(log, number, f"u-{number}", answered=number > 0, flag="personal_data.email")
    clock.forward(days=1)
    for number in range(6, 12):
        put(log, number, f"u-{number}", answered=False)
    found = counted(log, clock)
    assert (found.since, found.until, found.whole) == (date(2026, 3, 10), date(2026, 3, 16), True)
    assert [span.asked for span in found.spans] == [0, 0, 0, 0, 0, 6, 6]
    assert [span.unanswered for span in found.spans] == [0, 0, 0, 0, 0, None, 6]  # one person's is nobody's business
    assert found.cited == (("Travel policy", 5),)
    assert found.flags == (("personal_data.email", 6),)


def test_no_number_stands_for_fewer_than_five_people(log: QueryLog, clock: Clock) -> None:
    for number in range(40):
        put(log, number, f"u-{number % 4}", flag="personal_data.iban")
    found = counted(log, clock)
    assert found.spans[-1].asked is None
    assert found.spans[-1].unanswered is None
    assert found.cited == ()
    assert found.flags == ()


def test_a_longer_time_is_counted_in_weeks_that_end_today(log: QueryLog, clock: Clock) -> None:
    for number in range(5):
        put(log, number, f"u-{number}")
    clock.forward(days=10)
    for number in range(5, 10):
        put(log, number, f"u-{number}")
    found = counted(log, clock, days=35)
    assert [(span.start, span.asked) for span in found.spans[-2:]] == [(date(2026, 3, 12), 5), (date(2026, 3, 19), 5)]
    assert len(found.spans) == 5


def test_what_there_was_no_time_for_is_left_out_in_whole_days(log: QueryLog, clock: Clock) -> None:
    for day in range(3):
        for number in range(5):
            put(log, 10 * day + number, f"u-{number}")
        clock.forward(days=1)
    clock.now -= timedelta(days=1)
    found = count(log, clock.now, 7, budget_s=0.0)
    assert (found.whole, found.since) == (False, clock.now.date())
    assert [span.asked for span in found.spans] == [5]
