"""Opening the query log with a reason."""

from __future__ import annotations

import pytest

from appliance.audit.entries import DeskOpened
from appliance.audit.log import QueryLog
from appliance.compliance.openings import Openings
from appliance.errors import InvalidRequest, LogNotOpened
from tests.appliance.compliance.conftest import Clock


def test_the_reason_is_on_record_before_the_log_is_open(log: QueryLog) -> None:
    openings = Openings(log, 3600)
    opened = openings.open("officer-1", "session-1", "  Complaint of a   customer ")
    assert openings.require("session-1") == opened
    assert log.entry(0).entry == DeskOpened("officer-1", "Complaint of a customer", "session-1")


def test_an_opening_is_for_one_session_and_ends_by_itself(log: QueryLog, clock: Clock) -> None:
    openings = Openings(log, 3600, clock)
    openings.open("officer-1", "session-1", "Complaint of a customer")
    assert openings.of("session-2") is None
    clock.forward(seconds=3599)
    assert openings.of("session-1") is not None
    clock.forward(seconds=1)
    assert openings.of("session-1") is None
    with pytest.raises(LogNotOpened):
        openings.require("session-1")


def test_the_last_reason_counts_and_both_are_on_record(log: QueryLog) -> None:
    openings = Openings(log, 3600)
    openings.open("officer-1", "session-1", "Complaint of a customer")
    openings.open("officer-1", "session-1", "Yearly audit of answers")
    assert openings.require("session-1").reason == "Yearly audit of answers"
    assert log.size() == 2


@pytest.mark.parametrize("reason", ["", "   ", "audit", "ok ok", "1 2 3 4", ". . . .", "a complaint"])
def test_a_word_or_two_is_no_reason(log: QueryLog, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="at least 3 words"):
        Openings(log, 3600).open("officer-1", "session-1", reason)
    assert log.size() == 0


def test_a_reason_in_another_script_is_one(log: QueryLog) -> None:
    assert Openings(log, 3600).open("officer-1", "session-1", "Жалоба от клиента")
