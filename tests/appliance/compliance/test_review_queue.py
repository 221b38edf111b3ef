"""The review queue: what rules draw from the log, how it is judged, and that two officers close what is not fine."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from appliance.audit.entries import AnswerClosed, AnswerReviewed, LogOpened, SamplingRuleEnded, SamplingRuleMade
from appliance.audit.log import QueryLog
from appliance.compliance.cases import Cases
from appliance.compliance.four_eyes import LAPSES_AFTER, FourEyes, Proposal
from appliance.compliance.log_identity import adopt
from appliance.compliance.review_queue import Judgement, ReviewQueue
from appliance.compliance.sampling import WHOLE
from appliance.compliance.sampling_rules import SamplingRules
from appliance.database import Database
from appliance.domain import Principal, ReviewState, Selects, Verdict
from appliance.errors import AccessDenied, Conflict, InvalidRequest, NotFound

from .conftest import Clock
from .record import ANNA, BELA, SOURCE, answered


@pytest.fixture
def rules(database: Database, log: QueryLog) -> SamplingRules:
    return SamplingRules(database, log)


@pytest.fixture
def cases(database: Database, log: QueryLog, four_eyes: FourEyes, clock: Clock) -> Cases:
    return Cases(database, log, four_eyes, clock)


@pytest.fixture
def queue(
    database: Database, log: QueryLog, rules: SamplingRules, cases: Cases, four_eyes: FourEyes, clock: Clock
) -> ReviewQueue:
    return ReviewQueue(database, log, rules, cases, four_eyes, clock)


def waiting(queue: ReviewQueue) -> list[str]:
    queue.catch_up()
    return [review.query_id for review in queue.in_state(ReviewState.WAITING, limit=100, offset=0)[0]]


def test_without_a_rule_nothing_is_drawn_and_with_one_only_what_comes_after_it(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog
) -> None:
    answered(log, "q1")
    assert waiting(queue) == []
    rule = rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q2")
    answered(log, "q3")
    rules.end(ANNA.id, rule.id)
    answered(log, "q4")
    assert waiting(queue) == ["q2", "q3"]


def test_what_was_drawn_does_not_depend_on_when_the_queue_is_opened(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog, database: Database, cases: Cases, four_eyes: FourEyes
) -> None:
    rules.make(ANNA.id, Selects.ALL, "", 3_000)
    seqs = {}
    for number in range(40):
        seqs[f"q{number}"] = answered(log, f"q{number}")
        if number % 7 == 0:
            queue.catch_up()
    drawn = waiting(queue)
    assert 2 <= len(drawn) <= 25
    (rule,) = rules.all()
    again = [query_id for query_id, seq in seqs.items() if rule.draws(log.entry(seq).leaf_hash)]
    assert drawn == again


def test_rules_by_flag_and_by_source_draw_what_they_name(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog
) -> None:
    flagged = rules.make(ANNA.id, Selects.FLAG, "personal_data.iban", WHOLE)
    sourced = rules.make(ANNA.id, Selects.SOURCE, SOURCE, WHOLE)
    answered(log, "q1")  # finds a passage of the source, and cites another one
    answered(log, "q2", flags=("abstained",))
    answered(log, "q3", flags=("abstained", "personal_data.iban"))
    answered(log, "q4", cites=(SOURCE, "handbook.zip › chapter.txt"))
    answered(log, "q5", cites=(SOURCE, "a.txt"), flags=("personal_data.iban",))
    assert waiting(queue) == ["q3", "q4", "q5"]
    assert set(queue.one("q5").rules) == {flagged.id, sourced.id}


def test_with_a_new_log_the_queue_begins_anew_and_with_the_old_one_it_goes_on(
    database: Database, log: QueryLog, queue: ReviewQueue, rules: SamplingRules, clock: Clock, tmp_path: Path
) -> None:
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    for number in range(5):
        answered(log, f"old-{number}")
    assert len(waiting(queue)) == 5
    with QueryLog(tmp_path / "another" / "queries.db", clock=clock) as new:
        new.append(LogOpened("test"))
        four_eyes, new_rules = FourEyes(database, new, clock), SamplingRules(database, new)
        after = ReviewQueue(database, new, new_rules, Cases(database, new, four_eyes, clock), four_eyes, clock)
        assert (waiting(after), new_rules.in_force()) == ([], [])
        new_rules.make(ANNA.id, Selects.ALL, "", WHOLE)
        answered(new, "new-1")
        assert waiting(after) == ["new-1"]
        with pytest.raises(NotFound):
            after.one("old-1")
    answered(log, "old-5")
    assert waiting(queue) == [f"old-{number}" for number in range(6)]


def test_what_was_kept_before_it_told_of_logs_is_about_the_one_that_is_there(
    database: Database, log: QueryLog, queue: ReviewQueue, rules: SamplingRules, cases: Cases
) -> None:
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q1")
    queue.catch_up()
    case = queue.judge(ANNA, "q1", Judgement(Verdict.LEAK, "Salaries.", title="Salaries seen")).case_id
    tables = ("cases", "case_entries", "reviews", "sampling_rules", "sampling_progress")
    with database.write() as connection:
        for table in tables:
            assert connection.execute(text(f"UPDATE {table} SET log = ''")).rowcount >= 1
    assert (rules.in_force(), cases.one(case).is_here) == ([], False)
    adopt(database, log)
    assert (len(rules.in_force()), cases.one(case).is_here) == (1, True)
    assert queue.one("q1").state is ReviewState.IN_CASE
    assert len(cases.entries(cases.one(case))) == 2


def test_an_answer_that_broke_off_takes_part(queue: ReviewQueue, rules: SamplingRules, log: QueryLog) -> None:
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q1", answer="Ten", error="cancelled")
    assert waiting(queue) == ["q1"]


def test_making_and_ending_a_rule_is_on_record_and_its_secret_is_not(rules: SamplingRules, log: QueryLog) -> None:
    rule = rules.make(ANNA.id, Selects.ALL, "ignored", 250)
    rules.end(BELA.id, rule.id)
    made, ended = log.entry(0).entry, log.entry(1).entry
    assert isinstance(made, SamplingRuleMade)
    assert (made.actor, made.selects, made.subject, made.share) == (ANNA.id, "all", "", 250)
    assert made.secret_sha256 != rule.secret.hex()
    assert ended == SamplingRuleEnded(BELA.id, rule.id)
    with pytest.raises(NotFound):
        rules.end(BELA.id, rule.id)


def test_rules_that_make_no_sense_are_refused(rules: SamplingRules, log: QueryLog) -> None:
    for share in (0, WHOLE + 1):
        with pytest.raises(InvalidRequest, match="share"):
            rules.make(ANNA.id, Selects.ALL, "", share)
    with pytest.raises(InvalidRequest, match="source"):
        rules.make(ANNA.id, Selects.SOURCE, "", WHOLE)
    rules.make(ANNA.id, Selects.ALL, "", 100)
    with pytest.raises(Conflict, match="already"):
        rules.make(BELA.id, Selects.ALL, "", 200)
    assert log.size() == 1


def test_no_rule_is_made_while_answers_are_drawn(rules: SamplingRules, log: QueryLog) -> None:
    making = threading.Thread(target=rules.make, args=(ANNA.id, Selects.ALL, "", WHOLE))
    with rules.held():
        making.start()
        making.join(0.2)
        assert (making.is_alive(), log.size()) == (True, 0)
    making.join(10)
    assert len(rules.in_force()) == 1


@pytest.fixture
def drawn(queue: ReviewQueue, rules: SamplingRules, log: QueryLog) -> ReviewQueue:
    """A queue in which q1 and q2 wait."""
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q1")
    answered(log, "q2")
    queue.catch_up()
    return queue


def test_fine_closes_a_review_at_once(drawn: ReviewQueue, log: QueryLog) -> None:
    review = drawn.judge(ANNA, "q1", Judgement(Verdict.FINE))
    assert (review.state, review.verdict) == (ReviewState.CLOSED, Verdict.FINE)
    assert waiting(drawn) == ["q2"]
    assert review.reviewed_seq is not None
    assert log.entry(review.reviewed_seq).entry == AnswerReviewed("q1", ANNA.id, "anna", "fine")
    with pytest.raises(Conflict, match="already"):
        drawn.judge(BELA, "q1", Judgement(Verdict.FINE))


def test_wrong_is_closed_by_a_second_officer(drawn: ReviewQueue, four_eyes: FourEyes) -> None:
    review = drawn.judge(ANNA, "q1", Judgement(Verdict.WRONG, "It is six years."))
    assert review.state is ReviewState.SECOND
    with pytest.raises(AccessDenied):
        four_eyes.decide(ANNA.id, review.proposal_id, True)
    four_eyes.decide(BELA.id, review.proposal_id, True)
    assert drawn.one("q1").state is ReviewState.CLOSED


def test_an_approval_that_comes_at_once_is_not_undone(
    database: Database, log: QueryLog, rules: SamplingRules, clock: Clock
) -> None:
    class AtOnce(FourEyes):
        """Another officer approves before whoever proposed hears of it."""

        def propose(self, officer: str, act: str, subject: str, reason: str, detail: str = "") -> Proposal:
            return self.decide(BELA.id, super().propose(officer, act, subject, reason, detail).id, True)

    four_eyes = AtOnce(database, log, clock)
    queue = ReviewQueue(database, log, rules, Cases(database, log, four_eyes, clock), four_eyes, clock)
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q1")
    queue.catch_up()
    review = queue.judge(ANNA, "q1", Judgement(Verdict.WRONG, "It is six years."))
    assert (review.state, review.verdict) == (ReviewState.CLOSED, Verdict.WRONG)


def test_an_answer_whose_question_is_not_found_does_not_stop_the_queue(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog
) -> None:
    rules.make(ANNA.id, Selects.SOURCE, SOURCE, WHOLE)
    closed = log.entry(answered(log, "elsewhere", cites=(SOURCE, "a.txt"))).entry
    assert isinstance(closed, AnswerClosed)
    log.append(replace(closed, query_id="lost"))
    answered(log, "q2", cites=(SOURCE, "a.txt"))
    assert waiting(queue) == ["elsewhere", "q2"]


def test_a_judgement_that_the_second_officer_refuses_or_leaves_waits_again(
    drawn: ReviewQueue, four_eyes: FourEyes, clock: Clock
) -> None:
    first = drawn.judge(ANNA, "q1", Judgement(Verdict.WRONG, "It is six years."))
    four_eyes.decide(BELA.id, first.proposal_id, False, "It is ten.")
    assert drawn.one("q1").state is ReviewState.WAITING
    drawn.judge(BELA, "q1", Judgement(Verdict.WRONG, "I looked again."))
    clock.now += LAPSES_AFTER
    assert drawn.one("q1").state is ReviewState.WAITING
    drawn.judge(ANNA, "q1", Judgement(Verdict.WRONG, "Once more."))
    assert drawn.one("q1").state is ReviewState.SECOND


def test_a_leak_opens_a_case_and_is_closed_with_it(drawn: ReviewQueue, cases: Cases, four_eyes: FourEyes) -> None:
    leak = drawn.judge(ANNA, "q1", Judgement(Verdict.LEAK, "Salaries.", title="Salaries seen"))
    drawn.judge(BELA, "q2", Judgement(Verdict.ESCALATE, "The same reader.", case_id=leak.case_id))
    assert cases.one(leak.case_id).query_ids == ("q1", "q2")
    assert drawn.one("q2").state is ReviewState.IN_CASE
    proposal = cases.propose_closing(BELA, leak.case_id, "The label was put right.")
    four_eyes.decide(ANNA.id, proposal.id, True)
    assert [drawn.one(query_id).state for query_id in ("q1", "q2")] == [ReviewState.CLOSED] * 2


def test_what_is_not_fine_needs_words_and_a_case_where_it_belongs_in_one(drawn: ReviewQueue, log: QueryLog) -> None:
    before = log.size()
    for given in (
        Judgement(Verdict.WRONG),
        Judgement(Verdict.LEAK, "Salaries."),
        Judgement(Verdict.ESCALATE, title="x"),
    ):
        with pytest.raises(InvalidRequest):
            drawn.judge(ANNA, "q1", given)
    with pytest.raises(NotFound):
        drawn.judge(ANNA, "q1", Judgement(Verdict.LEAK, "Salaries.", case_id="no such case"))
    with pytest.raises(NotFound):
        drawn.judge(ANNA, "q9", Judgement(Verdict.FINE))
    assert log.size() == before


def test_nobody_judges_the_answer_to_their_own_question(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog, four_eyes: FourEyes
) -> None:
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    answered(log, "q1", actor=ANNA.id)
    queue.catch_up()
    with pytest.raises(AccessDenied, match="own questions"):
        queue.judge(ANNA, "q1", Judgement(Verdict.FINE))
    review = queue.judge(BELA, "q1", Judgement(Verdict.WRONG, "It is six years."))
    before = log.size()
    for approve in (True, False):
        with pytest.raises(AccessDenied, match="own questions"):
            four_eyes.decide(ANNA.id, review.proposal_id, approve)
    assert log.size() == before
    assert queue.one("q1").state is ReviewState.SECOND
    third = Principal("officer-c", "cleo", ANNA.roles, frozenset())
    four_eyes.decide(third.id, review.proposal_id, True)
    assert queue.one("q1").state is ReviewState.CLOSED


def test_an_opening_of_the_queue_looks_for_so_long_and_the_next_goes_on(
    queue: ReviewQueue, rules: SamplingRules, log: QueryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.compliance.review_queue._BATCH", 2)
    monkeypatch.setattr("appliance.compliance.review_queue._LOOKS_FOR_S", -1)
    rules.make(ANNA.id, Selects.ALL, "", WHOLE)
    for number in range(3):
        answered(log, f"q{number}")
    assert not queue.catch_up()
    assert queue.in_state(ReviewState.WAITING, limit=100, offset=0)[1] == 2
    assert queue.catch_up()
    assert waiting(queue) == ["q0", "q1", "q2"]
