"""Cases: what is put in them stays, what officers write lies in the log alone, and two of them close one."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.audit.entries import CaseNoted, CaseOpened, CaseQueryAdded
from appliance.audit.log import QueryLog
from appliance.compliance.cases import Cases
from appliance.compliance.four_eyes import FourEyes
from appliance.database import Database
from appliance.errors import AccessDenied, Conflict, NotFound

from .conftest import Clock
from .record import ANNA, BELA, answered


@pytest.fixture
def cases(database: Database, log: QueryLog, four_eyes: FourEyes, clock: Clock) -> Cases:
    return Cases(database, log, four_eyes, clock)


def test_a_case_is_opened_filled_and_noted_on_record(cases: Cases, log: QueryLog) -> None:
    answered(log, "q1")
    case = cases.open(ANNA, "Salaries seen", "An employee told of it.")
    cases.put(BELA, case.id, "q1")
    cases.put(ANNA, case.id, "q1")
    cases.note(BELA, case.id, "The folder had the wrong group.")
    found = cases.one(case.id)
    assert (found.number, found.query_ids) == (1, ("q1",))
    assert [recorded.entry for recorded in cases.entries(found)] == [
        CaseOpened(ANNA.id, "anna", case.id, "Salaries seen", "An employee told of it."),
        CaseQueryAdded("q1", BELA.id, "bela", case.id),
        CaseNoted(BELA.id, "bela", case.id, "The folder had the wrong group."),
    ]


def test_what_officers_write_is_in_no_file_but_the_log_and_there_it_is_sealed(
    cases: Cases, log: QueryLog, four_eyes: FourEyes, tmp_path: Path
) -> None:
    answered(log, "q1", question="Who is Gudrun Falkenrath?")
    case = cases.open(ANNA, "Concerns Falkenrath", "Somebody asked about Falkenrath.")
    cases.put(ANNA, case.id, "q1")
    cases.note(ANNA, case.id, "Falkenrath was told.")
    proposal = cases.propose_closing(ANNA, case.id, "Falkenrath has agreed.")
    four_eyes.decide(BELA.id, proposal.id, True)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert [path for path in files if b"Falkenrath" in path.read_bytes()] == []


def test_only_what_is_on_record_is_put_in_a_case(cases: Cases) -> None:
    case = cases.open(ANNA, "Title", "Reason")
    with pytest.raises(NotFound):
        cases.put(ANNA, case.id, "no-such-question")
    with pytest.raises(NotFound):
        cases.note(ANNA, "no-such-case", "words")


def test_a_case_is_closed_by_two_officers_and_takes_nothing_more(
    cases: Cases, log: QueryLog, four_eyes: FourEyes
) -> None:
    answered(log, "q1")
    case = cases.open(ANNA, "Title", "Reason")
    proposal = cases.propose_closing(ANNA, case.id, "All is well.")
    assert cases.is_closing(cases.one(case.id))
    for act in (lambda: cases.put(BELA, case.id, "q1"), lambda: cases.propose_closing(BELA, case.id, "Again.")):
        with pytest.raises(Conflict, match="second officer"):
            act()
    with pytest.raises(AccessDenied):
        four_eyes.decide(ANNA.id, proposal.id, True)
    four_eyes.decide(BELA.id, proposal.id, True)
    assert cases.one(case.id).closed_at is not None
    assert not cases.is_closing(cases.one(case.id))
    with pytest.raises(Conflict, match="closed"):
        cases.note(ANNA, case.id, "One more thing.")


def test_whoever_asked_a_question_in_a_case_does_not_decide_about_closing_it(
    cases: Cases, log: QueryLog, four_eyes: FourEyes
) -> None:
    answered(log, "q1")
    answered(log, "q2", actor=BELA.id)
    case = cases.open(ANNA, "Title", "Reason")
    for query_id in ("q1", "q2"):
        cases.put(ANNA, case.id, query_id)
    proposal = cases.propose_closing(ANNA, case.id, "All is well.")
    before = log.size()
    for approve in (True, False):
        with pytest.raises(AccessDenied, match="own questions"):
            four_eyes.decide(BELA.id, proposal.id, approve)
    assert (log.size(), cases.is_closing(cases.one(case.id))) == (before, True)
    four_eyes.decide("officer-c", proposal.id, True)
    assert cases.one(case.id).closed_at is not None


def test_a_case_whose_closing_is_refused_goes_on(cases: Cases, four_eyes: FourEyes) -> None:
    case = cases.open(ANNA, "Title", "Reason")
    four_eyes.decide(BELA.id, cases.propose_closing(ANNA, case.id, "All is well.").id, False, "It is not.")
    cases.note(ANNA, case.id, "Looking again.")
    cases.propose_closing(BELA, case.id, "Now it is.")


def test_open_cases_come_first_and_of_each_the_newest(cases: Cases, four_eyes: FourEyes) -> None:
    first, second, third = (cases.open(ANNA, title, "Reason") for title in ("A", "B", "C"))
    four_eyes.decide(BELA.id, cases.propose_closing(ANNA, third.id, "Done.").id, True)
    assert [case.id for case in cases.all()] == [second.id, first.id, third.id]


def test_a_case_is_about_one_log_and_never_shows_the_entries_of_another(
    cases: Cases, database: Database, log: QueryLog, clock: Clock, tmp_path: Path
) -> None:
    answered(log, "q1")
    old = cases.open(ANNA, "Salaries seen", "Reason")
    cases.put(ANNA, old.id, "q1")
    with QueryLog(tmp_path / "another" / "queries.db", clock=clock) as another:
        for number in range(4):
            answered(another, f"n{number}")
        after = Cases(database, another, FourEyes(database, another, clock), clock)
        found = after.one(old.id)
        assert (found.is_here, after.entries(found), after.opening(found)) == (False, (), None)
        for act in (after.put, after.note, after.propose_closing):
            with pytest.raises(Conflict, match="moved away"):
                act(ANNA, old.id, "n1")
        for number in range(3):  # at the numbers that the old case has in the old log
            new = after.open(ANNA, f"New {number}", "Reason")
        assert [case.is_here for case in after.all()] == [True, True, True, False]
        assert len(after.entries(new)) == 1
    assert cases.one(old.id).is_here
    assert len(cases.entries(cases.one(old.id))) == 2
