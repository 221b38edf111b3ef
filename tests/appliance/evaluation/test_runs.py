"""Evaluations on a small real index: results, turns, records, and runs that end before their time."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update

from appliance.answering.answerer import Answerer
from appliance.audit.entries import Entry, EvaluationEnded
from appliance.audit.log import QueryLog
from appliance.catalog import NamedDocument
from appliance.config import ModelSettings, RetrievalSettings
from appliance.conversations import Conversations, PraisedTurn, StoredTurn
from appliance.domain import EVERYONE, AccessFilter, AnswerKind, Chunk, DocumentState, Grounding, Hit, StatementCheck
from appliance.errors import AuditUnavailable, CatalogUnavailable, Conflict, IndexUnavailable, InvalidRequest, NotFound
from appliance.evaluation import runs
from appliance.evaluation.compare import compare
from appliance.evaluation.feedback import as_lines, digest_of, exercises_from
from appliance.evaluation.golden import Evidence, GoldenQuestion, read_golden
from appliance.evaluation.metrics import citation_precision
from appliance.evaluation.results import (
    OWN_GROUPS,
    THE_OTHERS,
    Asked,
    Evaluation,
    InForce,
    NotAsked,
    Outcome,
    SetKind,
)
from appliance.evaluation.runner import Examiner, Exercise, OnRecordAsAWhole, exercises_for
from appliance.evaluation.runs import Evaluations, Order
from appliance.evaluation.store import KEPT, EvaluationStore, evaluations
from appliance.inference.port import Generation, Message
from appliance.labels import NO_LEVEL
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.retriever import Retriever
from tests.appliance.answering.test_answerer import READER, Scripted
from tests.appliance.retrieval.test_retriever import Shop
from tests.data.builders import ToyEmbedder, make_outcome
from tests.statements import executed

STAFF = frozenset({"staff"})
QUESTIONS = (
    GoldenQuestion("leave", "How long is parental leave?", (Evidence("leave.txt"),)),
    GoldenQuestion("pay", "What does the board earn?", (Evidence("board.txt"),)),
    GoldenQuestion("moon", "xylophone quasar", (), answerable=False),
)


class Log:
    """Stands for the query log: keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fails = False

    def append(self, entry: Entry) -> None:
        if self.fails:
            raise AuditUnavailable("The query log cannot be written.")
        self.entries.append(entry)


class Gate:
    """A search that waits until it is let through, in front of the real one."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self.open = threading.Event()
        self.open.set()
        self.asked: list[tuple[str, AccessFilter]] = []
        self.error: Exception | None = None

    def admits(self, hits: Iterable[Hit], earlier: Collection[str], access: AccessFilter) -> bool:
        return True

    def retrieve(self, question: str, access: AccessFilter, **_: object) -> list[Hit]:
        self.asked.append((question, access))
        assert self.open.wait(30)
        if self.error:
            raise self.error
        return self._retriever.retrieve(question, access)


class Desk:
    """Evaluations over an index with a document for the staff and one for the board."""

    conversations: Conversations

    def __init__(self, shop: Shop, model: Scripted | None = None) -> None:
        self.shop, self.log, self.busy = shop, Log(), False
        settings = RetrievalSettings(answerable_above=0.3)
        retriever = Retriever(
            catalog=shop.catalog, index=shop.index, embedder=ToyEmbedder(), settings=settings, glossary=Glossary()
        )
        self.gate = Gate(retriever)
        answerer = Answerer(
            retriever=self.gate,  # type: ignore[arg-type]
            log=OnRecordAsAWhole(),
            embedder=ToyEmbedder(),
            model=model,
            model_expected=False,
            model_settings=ModelSettings(),
            settings=settings,
        )
        self.store = EvaluationStore(shop.database)
        self.runs = Evaluations(
            lambda: Examiner(self.gate, answerer, shop.catalog),  # type: ignore[arg-type]
            self.store,
            self.log,
            in_force=lambda answers: InForce({"embedding.model": ToyEmbedder.model_id, "answers": str(answers)}, 7),
            is_busy=lambda: self.busy,
        )

    def start(
        self, exercises: Sequence[Exercise] | None = None, *, answers: bool = False, **changed: object
    ) -> Evaluation:
        exercises = exercises_for(QUESTIONS, STAFF) if exercises is None else exercises
        order = Order("set.jsonl", SetKind.FILE, "ab" * 32, exercises, ("everyone", "staff"), answers, "admin")
        return self.runs.start(replace(order, **changed))  # type: ignore[arg-type]

    def ended(self, run: Evaluation) -> Evaluation:
        self.runs.wait(60)
        return self.runs.run(run.id)

    @property
    def recorded(self) -> list[EvaluationEnded]:
        return [entry for entry in self.log.entries if isinstance(entry, EvaluationEnded)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    shop = Shop(tmp_path)
    shop.add("leave.txt", "Parental leave is sixteen weeks long.")
    shop.add("canteen.txt", "The canteen opens at eleven.")
    shop.add("board.txt", "The board does earn nothing.", groups=frozenset({"board"}))
    desk = Desk(shop)
    with QueryLog(tmp_path / "log" / "queries.db") as log:
        desk.conversations = Conversations(shop.database, log)
        yield desk
    desk.gate.open.set()
    desk.runs.close()
    shop.index.close()
    shop.database.close()


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# what comes out


def test_a_run_measures_each_question_with_the_groups_it_is_given(desk: Desk) -> None:
    run = desk.ended(desk.start())
    assert run.is_whole
    assert (run.done, run.total, run.error) == (3, 3, "")
    assert run.metrics["recall@1"] == 1.0  # the board's document is closed to the staff, and does not count
    assert (run.closed, run.absent, run.not_asked) == (NotAsked(1, "pay (board.txt)"), NotAsked(), 1)
    leave, pay, moon = desk.runs.results(run.id)
    assert (leave.gains[0], leave.right_document, leave.question) == (1, True, "How long is parental leave?")
    assert (leave.places[0].path, leave.places[0].relevant) == ("leave.txt", True)
    assert (pay.outcome, pay.kind, pay.counts, pay.gains) == (Outcome.CLOSED, None, False, ())
    assert all(question != "What does the board earn?" for question, _ in desk.gate.asked)
    assert (moon.answerable, moon.abstained, moon.pieces) == (False, True, 0)
    board = desk.ended(desk.start(exercises_for(QUESTIONS, frozenset({"board"}))))
    assert sum(desk.runs.results(board.id)[1].gains) == 1


def test_a_question_that_names_groups_is_asked_with_those(desk: Desk) -> None:
    asked = [replace(QUESTIONS[0], groups=("staff",)), replace(QUESTIONS[1], groups=("board",)), QUESTIONS[2]]
    run = desk.ended(desk.start(exercises_for(asked, frozenset())))
    assert (run.metrics["recall@1"], run.not_asked, run.settings[OWN_GROUPS]) == (1.0, 0, "2 of 3")
    assert [access.groups for _, access in desk.gate.asked[-3:]] == [
        Exercise(QUESTIONS[0], groups).reader.access.groups for groups in (STAFF, frozenset({"board"}), frozenset())
    ]
    narrow = desk.ended(desk.start(exercises_for(asked, frozenset(), within=STAFF)))
    assert (narrow.metrics["recall@1"], narrow.closed) == (1.0, NotAsked(1, "pay (board.txt)"))


def test_a_question_about_a_name_that_stands_nowhere_counts_as_not_answered_where_no_model_reads(desk: Desk) -> None:
    canteen = GoldenQuestion("canteen", "Where does the canteen of Paris open at eleven?", (), answerable=False)
    for answers in (False, True):  # what is judged is what happens
        run = desk.ended(desk.start(exercises_for([canteen], STAFF), answers=answers))
        (result,) = desk.runs.results(run.id)
        assert (result.answerability >= 0.3, result.abstained) == (True, True)


def test_what_is_answered_only_without_the_form_counts_as_answered_with_what_was_found_first(desk: Desk) -> None:
    opens = "When does the canteen open?"
    asked = f"{opens} Answer in one short sentence, for example nine or noon."
    exercise = Exercise(GoldenQuestion("opens", asked, (Evidence("canteen.txt"),)), STAFF)
    first = [hit.path for hit in desk.gate.retrieve(asked, exercise.reader.access)]
    for answers in (False, True):  # what is judged is what happens
        desk.gate.asked.clear()
        run = desk.ended(desk.start([exercise], answers=answers))
        (result,) = desk.runs.results(run.id)
        assert (result.answerability >= 0.3, result.abstained) == (True, False)
        assert [place.path for place in result.places] == first
        assert [question for question, _ in desk.gate.asked][-2:] == [asked, opens]


def test_nothing_of_a_document_is_kept(desk: Desk) -> None:
    run = desk.ended(desk.start(answers=True))
    with desk.shop.database.read() as connection:
        kept = str(
            [
                connection.exec_driver_sql(f"SELECT * FROM {name}").all()
                for name in ("evaluations", "evaluation_results")
            ]
        )
    assert run.is_whole
    assert "How long is parental leave?" in kept
    assert "sixteen" not in kept
    assert "sixteen" not in str(desk.log.entries)


def test_answers_are_made_and_their_citations_checked(desk: Desk) -> None:
    quoted = desk.ended(desk.start(answers=True))
    leave = desk.runs.results(quoted.id)[0]
    assert leave.kind == "extractive"
    assert (leave.citations or 0) >= (leave.right_citations or 0) >= 1
    assert quoted.metrics["written_by_model"] == 0.0
    written = Desk(desk.shop, Scripted("It is sixteen weeks [1]."))
    run = written.ended(written.start(answers=True))
    first = written.runs.results(run.id)[0]
    assert (first.kind, first.citations, first.right_citations) == ("generated", 1, 1)
    assert run.metrics["written_by_model"] == 1.0


def test_without_answers_what_is_quoted_is_checked_and_no_model_asked(desk: Desk) -> None:
    model = Scripted("It is sixteen weeks [1].")
    for measuring in (desk, Desk(desk.shop, model)):
        run = measuring.ended(measuring.start())
        leave, _, moon = measuring.runs.results(run.id)
        assert (leave.kind, leave.answer_ms) == (None, None)  # no answer was made as a person's is
        assert (leave.citations or 0) >= (leave.right_citations or 0) >= 1
        assert moon.citations is None  # nothing would be quoted
        assert run.metrics["citation_precision"] == (leave.right_citations or 0) / (leave.citations or 1)
        assert run.metrics["written_by_model"] is None
    assert model.prompts == []
    assert len(desk.log.entries) == 1  # the run alone is on record


def test_of_a_large_set_passages_are_quoted_for_the_same_questions_in_every_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = [replace(QUESTIONS[0], id=f"leave {number}") for number in range(6)]
    others = [GoldenQuestion(f"other {number}", answered[0].question, (), answerable=False) for number in range(6)]
    many = [one for pair in zip(others, answered, strict=True) for one in pair]  # of either kind in turn

    def quoted(asked: Sequence[GoldenQuestion]) -> set[str]:
        run = desk.ended(desk.start(exercises_for(asked, STAFF)))
        found = [result for result in desk.runs.results(run.id) if result.citations is not None]
        assert run.metrics["citation_precision"] == citation_precision(found[0])
        return {result.question_id for result in found}

    assert quoted(many) == {question.id for question in answered}
    monkeypatch.setattr(runs, "MOST_QUOTED", 3)
    chosen = quoted(many)
    assert len(chosen) == 3
    assert quoted(list(reversed(many))) == chosen
    fewer = [question for question in many if question.id != min(chosen)]  # as a set that is made anew for each run
    assert quoted(fewer) > chosen - {min(chosen)}


def test_a_passage_that_only_a_notice_points_at_is_no_citation_of_the_answer(desk: Desk) -> None:
    desk.shop.add("old.txt", "Parental leave is fourteen weeks and 3 days long.")
    desk.shop.add("new.txt", "Parental leave is fourteen weeks and 4 days long.")
    written = Desk(desk.shop, Scripted("It is sixteen weeks [1]."))
    question = GoldenQuestion("q", "How many weeks and days long is parental leave?", (Evidence("leave.txt"),))
    run = written.ended(written.start(exercises_for([question], STAFF), answers=True))
    assert run.is_whole
    assert written.runs.results(run.id)[0].citations == 1


def test_the_run_is_one_entry_of_the_log_and_no_question_is_another(desk: Desk) -> None:
    run = desk.ended(desk.start(answers=True))
    (entry,) = desk.log.entries
    assert isinstance(entry, EvaluationEnded)
    assert (entry.actor, entry.evaluation_id, entry.set_sha256, entry.groups, entry.questions, entry.answers) == (
        "admin", run.id, "ab" * 32, ("everyone", "staff"), 2, True,
    )  # fmt: skip
    assert {item.name: item.value for item in entry.metrics} == run.metrics


def test_the_first_search_is_not_measured_because_it_waits_for_the_model(desk: Desk) -> None:
    run = desk.ended(desk.start())
    assert [question for question, _ in desk.gate.asked] == [
        QUESTIONS[0].question,
        *(item.question for item in (QUESTIONS[0], QUESTIONS[2])),
    ]
    assert run.done == 3


def test_what_was_in_force_is_kept_with_the_run(desk: Desk) -> None:
    run = desk.ended(desk.start(exercises_for(QUESTIONS[:1], STAFF)))
    assert run.settings == {"embedding.model": "toy@1", "answers": "False"}
    assert run.not_yet == 7


# what cannot be recorded, or does not get to its end


def test_a_result_that_cannot_be_recorded_is_thrown_away(desk: Desk) -> None:
    desk.log.fails = True
    run = desk.ended(desk.start())
    assert "cannot be written" in run.error
    assert run.metrics == {}
    assert desk.runs.results(run.id) == []


def test_a_run_whose_search_fails_ends_with_the_reason_and_without_results(desk: Desk) -> None:
    desk.gate.error = IndexUnavailable("The index is gone. Repair it.")
    run = desk.ended(desk.start())
    assert run.error == "The index is gone. Repair it."
    assert run.metrics == {}
    assert [entry.error for entry in desk.recorded] == ["The index is gone. Repair it."]


def test_a_fault_that_nobody_foresaw_is_named_without_its_words(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.gate.error = RuntimeError("words of a document")
    run = desk.ended(desk.start())
    assert "RuntimeError" in run.error
    assert "words of a document" not in run.error + caplog.text


def test_a_question_that_is_too_long_for_the_model_is_a_wrong_one_and_ends_nothing(desk: Desk) -> None:
    too_long = GoldenQuestion("long", "How long is parental leave? " + "leave " * 20_000, (Evidence("leave.txt"),))
    written = Desk(desk.shop, Scripted("It is sixteen weeks [1]."))
    run = written.ended(written.start(exercises_for([too_long, QUESTIONS[0]], STAFF), answers=True))
    assert run.is_whole, run.error
    failed, leave = written.runs.results(run.id)
    assert (failed.question_id, failed.outcome, failed.kind, failed.abstained) == ("long", Outcome.FAILED, None, True)
    assert failed.citations is None
    assert (leave.kind, run.metrics["abstained_wrongly"]) == ("generated", 0.5)


@pytest.mark.parametrize("ending", ["cancel", "close"])
def test_a_run_that_ends_does_not_wait_for_an_answer_to_be_written(desk: Desk, ending: str) -> None:
    class Endless(Scripted):
        def stream(self, messages: Sequence[Message], generation: Generation) -> Iterator[str]:
            self.prompts.append((messages, generation))
            for number in range(12_000):
                yield f"It is {number} weeks. "
                time.sleep(0.01)

    model = Endless()
    written = Desk(desk.shop, model)
    run = written.start(exercises_for(QUESTIONS[:1], STAFF), answers=True)
    until(lambda: bool(model.prompts))
    begun = time.monotonic()
    if ending == "cancel":
        written.runs.cancel(run.id)
    else:
        written.runs.close()
    assert not written.ended(run).is_whole
    assert time.monotonic() - begun < 60


def test_a_run_can_be_cancelled_and_another_begun(desk: Desk) -> None:
    desk.gate.open.clear()
    run = desk.start()
    until(lambda: len(desk.gate.asked) == 1)
    desk.runs.cancel(run.id)
    desk.gate.open.set()
    ended = desk.ended(run)
    assert ended.error == "The evaluation was cancelled."
    assert ended.done == 1
    assert desk.runs.results(run.id) == []
    with pytest.raises(NotFound):
        desk.runs.cancel(run.id)
    assert desk.ended(desk.start()).is_whole


def test_there_is_one_run_at_a_time(desk: Desk) -> None:
    desk.gate.open.clear()
    run = desk.start()
    with pytest.raises(Conflict, match="running already"):
        desk.start()
    with pytest.raises(Conflict, match="Cancel it first"):
        desk.runs.remove(run.id)
    desk.gate.open.set()
    assert desk.ended(run).is_whole
    desk.runs.remove(run.id)
    assert desk.runs.latest() == []


def test_a_run_waits_while_a_person_is_answered(desk: Desk) -> None:
    desk.busy = True
    run = desk.start()
    time.sleep(0.3)
    assert desk.gate.asked == []
    assert desk.runs.run(run.id).done == 0
    desk.busy = False
    assert desk.ended(run).is_whole


def test_a_run_that_waits_can_be_cancelled(desk: Desk) -> None:
    desk.busy = True
    run = desk.start()
    desk.runs.cancel(run.id)
    assert desk.ended(run).error == "The evaluation was cancelled."


def test_a_run_that_ends_does_not_go_on_looking_up_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    named, ended, seen = desk.shop.catalog.named, threading.Event(), list[NamedDocument]()

    def slowly(access: AccessFilter) -> Iterator[NamedDocument]:
        for document in named(access):
            seen.append(document)
            assert ended.wait(30)
            yield document

    monkeypatch.setattr(desk.shop.catalog, "named", slowly)
    run = desk.start()
    until(lambda: len(seen) == 1)
    desk.runs.cancel(run.id)
    ended.set()
    assert desk.ended(run).error == "The evaluation was cancelled."
    assert (len(seen), desk.gate.asked) == (1, [])


def test_closing_ends_the_run_and_starts_no_more(desk: Desk) -> None:
    desk.busy = True
    run = desk.start()
    desk.runs.close()
    assert "stopped during the evaluation" in desk.runs.run(run.id).error
    with pytest.raises(Conflict, match="stopping"):
        desk.start()


def test_a_run_that_the_last_process_left_is_closed_at_the_start(desk: Desk) -> None:
    left = Evaluation("e0", "set.jsonl", SetKind.FILE, "", (), False, "admin", datetime.now(UTC), 9, {})
    desk.store.begin(left)
    assert "stopped during the evaluation" in Desk(desk.shop).runs.run("e0").error


def test_a_run_whose_end_the_database_does_not_take_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise CatalogUnavailable("The disk is full.")

    monkeypatch.setattr(desk.store, "finish", full)
    run = desk.ended(desk.start())
    assert run.error == "The disk is full."
    assert run.finished_at is not None


# the history


def test_the_run_before_is_the_latest_that_asked_the_same_in_the_same_way(desk: Desk) -> None:
    first = desk.ended(desk.start())
    desk.ended(desk.start(set_sha256="cd" * 32))
    desk.ended(desk.start(groups=("everyone",)))
    desk.ended(desk.start(answers=True))
    desk.gate.error = IndexUnavailable("gone")
    desk.ended(desk.start())
    desk.gate.error = None
    last = desk.ended(desk.start())
    before = desk.runs.before(last, max_drop=0.02)
    assert before is not None
    assert before.id == first.id
    assert desk.runs.before(first, max_drop=0.02) is None


def test_documents_that_were_away_for_a_while_do_not_let_a_gate_pass(desk: Desk) -> None:
    texts = {"leave.txt": "Parental leave is sixteen weeks long.", "canteen.txt": "The canteen opens at eleven."}
    canteen = GoldenQuestion("canteen", "When does the canteen open?", (Evidence("canteen.txt"),))
    asked = (QUESTIONS[0], canteen)

    def run(groups: frozenset[str] = STAFF) -> tuple[Evaluation, str, bool]:
        """A run, the one before it, and whether the gate lets pass what differs."""
        ended = desk.ended(desk.start(exercises_for(asked, groups)))
        before = desk.runs.before(ended, max_drop=0.02)
        if before is None:
            return ended, "", True
        sides = [(each, desk.runs.results(each.id)) for each in (before, ended)]
        return ended, before.id, compare(*sides, max_drop=0.02).passes

    right, *_ = run()
    assert right.metrics["recall@10"] == 1.0
    for path in ("canteen.txt", "leave.txt"):  # one of them, then all
        desk.shop.catalog.record(replace(make_outcome(path), state=DocumentState.GONE), keep_version=False)
        assert run()[1:] == (right.id, False)
    for path, words in texts.items():
        desk.shop.add(path, words)
    assert run(frozenset({"board"}))[1:] == (right.id, False)  # there, and closed
    assert run(frozenset({"board"}))[1:] == (right.id, False)
    assert run()[1:] == (right.id, True)


def test_a_run_in_which_another_reader_asked_what_names_no_groups_is_none_to_compare_with(desk: Desk) -> None:
    """All readers together are the same, where the questions that name groups name those of both."""
    both = replace(QUESTIONS[0], groups=("staff", "board"))

    def asked(groups: frozenset[str], *levels: str) -> Evaluation:
        exercises = exercises_for([both, QUESTIONS[1]], groups, lambda _: frozenset({NO_LEVEL, *levels}))
        return desk.ended(desk.start(exercises, groups=("board", "everyone", "staff")))

    board = frozenset({"board"})
    first = asked(board, "internal")
    assert first.settings[THE_OTHERS] == "board, everyone; levels: internal"
    for other in (asked(STAFF, "internal"), asked(board)):
        assert desk.runs.before(other, max_drop=1) is None
    assert desk.runs.before(asked(board, "internal"), max_drop=1) == first
    for alike in ([both], [QUESTIONS[1]]):
        assert THE_OTHERS not in desk.ended(desk.start(exercises_for(alike, STAFF))).settings


def test_the_citations_of_a_run_are_read_as_they_are_measured(desk: Desk) -> None:
    nothing = replace(QUESTIONS[0], id="unknown", evidence=(), answerable=False)
    run = desk.ended(desk.start(exercises_for((*QUESTIONS, nothing), STAFF)))
    results = {result.question_id: result for result in desk.runs.results(run.id)}
    measured = {name: found for name, it in results.items() if (found := citation_precision(it)) is not None}
    assert desk.store.citation_precisions(run.id) == measured
    assert 0 < len(measured) < len(results)


def test_the_questions_of_the_runs_before_are_counted_and_not_read(desk: Desk) -> None:
    """Of a hundred runs of a large set that would be gigabytes; only what was not asked is read."""
    away = replace(QUESTIONS[1], evidence=(Evidence("away.txt"),))
    whole = desk.ended(desk.start(exercises_for((QUESTIONS[0], QUESTIONS[2]), STAFF)))
    assert desk.store.asked(whole) == Asked(2)
    for not_asked in (away, QUESTIONS[1]):  # one is not there, one is closed
        without = desk.ended(desk.start(exercises_for((QUESTIONS[0], not_asked), STAFF)))
        assert desk.store.asked(without) == Asked(1, frozenset({"pay"}))
    with executed(lambda statement: statement.startswith("SELECT")) as read:
        desk.store.asked(without)
    with closing(sqlite3.connect(desk.shop.database.path)) as connection:
        plans = [
            connection.execute(f"EXPLAIN QUERY PLAN {query}", ("",) * query.count("?")).fetchall() for query in read
        ]
    assert [step[-1] for plan in plans for step in plan] == [
        "SEARCH evaluation_results USING COVERING INDEX ix_evaluation_results_kind (evaluation_id=?)",
        "SEARCH evaluation_results USING INDEX ix_evaluation_results_kind (evaluation_id=? AND kind=?)",
    ]


def test_a_run_that_a_release_before_kept_is_read_as_it_was(desk: Desk) -> None:
    absent = replace(QUESTIONS[1], evidence=(Evidence("away.txt"),))
    run = desk.ended(desk.start(exercises_for((QUESTIONS[0], QUESTIONS[1], absent), STAFF), answers=True))
    kept = {
        "embedding.model": "toy@1",
        "answers": "True",
        "documents not yet as set": "12",
        "questions that name what is not in the appliance": "1,012 of 1,045: pay (a: b.txt), lost (c.txt)",
        "questions that name what is closed to those who are asked as": "3 of 1,045: hr (hr.txt)",
    }
    with desk.shop.database.write() as connection:
        connection.execute(update(evaluations).where(evaluations.c.id == run.id).values(settings=json.dumps(kept)))
    read = desk.runs.run(run.id)
    assert (read.not_yet, read.not_asked) == (12, 1_015)
    assert read.absent == NotAsked(1_012, "pay (a: b.txt), lost (c.txt)")
    assert read.closed == NotAsked(3, "hr (hr.txt)")
    assert read.settings == {"embedding.model": "toy@1", "answers": "True"}
    with desk.shop.database.read() as connection:
        kinds = connection.exec_driver_sql("SELECT kind FROM evaluation_results ORDER BY id").scalars().all()
    assert kinds == ["extractive", "closed", "absent"]  # as they were kept from the beginning


def test_the_oldest_runs_are_forgotten(desk: Desk) -> None:
    for number in range(KEPT + 3):
        at = datetime(2026, 1, 1, 0, number // 60, number % 60, tzinfo=UTC)
        desk.store.begin(Evaluation(f"e{number}", "s", SetKind.FILE, "", (), False, "admin", at, 1, {}, 1, at))
    listed = desk.store.latest()
    assert len(listed) == KEPT
    assert (listed[0].id, listed[-1].id) == (f"e{KEPT + 2}", "e3")


# what people found helpful


def praise(
    desk: Desk, question: str, chunk_id: str, *, verdict: str = "up", conversation: str = "", cited: bool = True
) -> str:
    conversations = desk.conversations
    key = conversation or conversations.start()
    query_id = f"query about {question}"[:36]
    conversations.add(
        key, READER.id,
        StoredTurn(query_id, question, "An answer [1].", AnswerKind.EXTRACTIVE, ((1, chunk_id),) if cited else (), (), datetime.now(UTC)),
    )  # fmt: skip
    if verdict:
        conversations.set_feedback(query_id, READER.id, verdict)
    return query_id


def test_questions_found_helpful_are_asked_as_who_asked_and_kept_without_words(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    conversations = desk.conversations
    key = conversations.start()
    praised = praise(desk, "How long is parental leave of fathers?", leave.id, conversation=key)
    follow_up = praise(desk, "And for mothers?", leave.id, conversation=key)
    praise(desk, "down", leave.id, verdict="down")
    praise(desk, "nothing", leave.id, verdict="")
    praise(desk, "no citation", leave.id, cited=False)
    praise(desk, "gone", "no such chunk")
    reader = replace(READER, groups=STAFF)
    praised_set = exercises_from(conversations.praised(), {READER.id: reader}, desk.shop.catalog)
    exercises = praised_set.exercises
    assert praised_set.left_out == (
        "1 because the answer cites nothing, 1 because what the answer cites is gone, or closed to whoever asked"
    )
    assert [item.question.id for item in exercises] == [praised, follow_up]
    assert exercises[1].question.question == "How long is parental leave of fathers? And for mothers?"
    run = desk.ended(desk.start(exercises, kind=SetKind.FEEDBACK, groups=()))
    results = desk.runs.results(run.id)
    assert [(item.question, item.places, item.query_id) for item in results] == [("", (), praised), ("", (), follow_up)]
    assert sum(results[0].gains) == 1
    assert {access for _, access in desk.gate.asked} == {reader.access}


def test_a_run_that_ends_reads_no_turns_but_those_it_asked(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    praised = praise(desk, "How long is parental leave of fathers?", leave.id)
    praise(desk, "fathers", leave.id, verdict="")
    reader = replace(READER, groups=STAFF)
    exercises = exercises_from(desk.conversations.praised(), {READER.id: reader}, desk.shop.catalog).exercises
    said: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        said.append((" ".join(statement.split()), values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        desk.ended(desk.start(exercises, kind=SetKind.FEEDBACK, groups=()))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert [values for statement, values in said if statement.startswith("SELECT turns.query_id FROM turns")] == [
        (praised,)
    ]


def test_a_follow_up_that_a_model_completed_is_asked_as_it_was_searched(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    (other,) = desk.shop.add("leave3.txt", "Parental leave of fathers is three weeks.")
    conversations = desk.conversations
    key = conversations.start()
    turn = StoredTurn(
        "q1", "And for fathers?", "Two weeks [1].", AnswerKind.GENERATED, ((1, leave.id), (2, other.id)), (), datetime.now(UTC),
        searched_for="How long is the leave of fathers?",
    )  # fmt: skip
    conversations.add(key, READER.id, turn)
    conversations.set_feedback("q1", READER.id, "up")
    reader = replace(READER, groups=STAFF)
    (exercise,) = exercises_from(conversations.praised(), {READER.id: reader}, desk.shop.catalog).exercises
    assert exercise.question.question == "How long is the leave of fathers?"
    assert [piece.doc for piece in exercise.question.evidence] == [leave.document_id]  # the other one was not cited


def quoted_turn(answer: str, citations: Sequence[Chunk], **shown: object) -> StoredTurn:
    numbered = tuple((number, chunk.id) for number, chunk in enumerate(citations, start=1))
    turn = StoredTurn(
        "q1", "How long is the leave of fathers?", answer, AnswerKind.EXTRACTIVE, numbered, (), datetime.now(UTC)
    )
    return replace(turn, **shown)  # type: ignore[arg-type]


def test_what_an_answer_tells_of_other_things_is_no_evidence(desk: Desk) -> None:
    (fathers,) = desk.shop.add("fathers.txt", "The leave of fathers is two weeks long.")
    (mothers,) = desk.shop.add("mothers.txt", "The leave of mothers is sixteen weeks long.")
    cited, reader = (fathers, mothers), replace(READER, groups=STAFF)
    quotes = "\u201cThe leave of fathers is two weeks.\u201d [1]\n\n\u201cThe leave of mothers is 16 weeks.\u201d [2]"
    near = (1, quotes.index("."))
    checks = (
        StatementCheck(0, 10, (1,), 1.0, supported=True),
        StatementCheck(10, 20, (2,), 0.2, supported=False),
    )
    for turn, evidence in (
        (quoted_turn(quotes, cited, highlights=(near,)), [fathers]),
        (quoted_turn(quotes, cited), [fathers, mothers]),  # nothing tells which of them it was
        (quoted_turn("Two weeks [1]. Of mothers more [2].", cited, grounding=Grounding(0.5, checks)), [fathers]),
    ):
        praised = PraisedTurn(READER.id, turn, ())
        (exercise,) = exercises_from([praised], {READER.id: reader}, desk.shop.catalog).exercises
        assert [piece.doc for piece in exercise.question.evidence] == [chunk.document_id for chunk in evidence]


def test_what_people_found_helpful_is_written_as_a_golden_set_that_can_be_run(desk: Desk) -> None:
    (board,) = desk.shop.add("pay.txt", "The pay of the board is nothing at all.", groups=frozenset({"board"}))
    praised = praise(desk, "What is the pay of the board?", board.id)
    reader = replace(READER, groups=frozenset({"board", EVERYONE}))
    exercises = exercises_from(desk.conversations.praised(), {READER.id: reader}, desk.shop.catalog).exercises
    (line,) = as_lines(exercises, desk.shop.catalog)
    assert json.loads(line) == {
        "id": praised, "question": "What is the pay of the board?", "groups": ["board"],
        "evidence": [{"doc": board.document_id, "path": "pay.txt", "page": 1}],
    }  # fmt: skip
    (again,) = read_golden("set.jsonl", line.encode()).questions
    run = desk.ended(desk.start(exercises_for([again], frozenset())))
    assert (run.metrics["recall@1"], run.not_asked) == (1.0, 0)


def test_a_set_that_holds_what_people_asked_keeps_no_words_of_it(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    keys = [desk.conversations.start() for _ in range(2)]
    asked, gone = (praise(desk, f"{n} fathers", leave.id, conversation=key) for n, key in enumerate(keys))
    reader = replace(READER, groups=STAFF)
    praised = exercises_from(desk.conversations.praised(), {READER.id: reader}, desk.shop.catalog).exercises
    written = read_golden("set.jsonl", "\n".join(as_lines(praised, desk.shop.catalog)).encode()).questions
    lost = replace(written[1], evidence=(Evidence("fathers at home.txt"),))
    questions = [written[0], lost, QUESTIONS[0], replace(QUESTIONS[2], id="half \ud83d")]
    known = desk.conversations.asked_among(question.id for question in questions)
    assert known == {asked, gone}
    run = desk.ended(desk.start(exercises_for(questions[:3], STAFF, asked_before=known)))
    assert run.absent == NotAsked(1, gone)  # what the document is called may be the person's word
    results = desk.runs.results(run.id)
    assert [(found.question, found.query_id) for found in results] == [
        ("", asked),
        ("", gone),
        (QUESTIONS[0].question, None),
    ]
    assert [found.places for found in results[:2]] == [(), ()]
    assert (results[0].pieces, sum(results[0].gains), results[1].outcome) == (1, 1, Outcome.ABSENT)
    desk.conversations.delete(keys[1], READER.id)
    assert [found.question_id for found in desk.runs.results(run.id)] == [asked, "leave"]
    with desk.shop.database.read() as connection:
        kept = str(
            [
                connection.exec_driver_sql(f"SELECT * FROM {name}").all()
                for name in ("evaluations", "evaluation_results")
            ]
        )
    assert "0 fathers" not in kept.replace(asked, "")


def test_who_takes_back_what_they_said_or_may_not_see_it_any_more_is_not_asked(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    conversations = desk.conversations
    query_id = praise(desk, "fathers", leave.id)
    reader = replace(READER, groups=STAFF)
    (exercise,) = exercises_from(conversations.praised(), {READER.id: reader}, desk.shop.catalog).exercises
    for readers, why in (
        ({}, "1 because whoever asked may not ask any more"),
        (
            {READER.id: replace(READER, groups=frozenset({"board"}))},
            "1 because what the answer cites is gone, or closed",
        ),
    ):
        with pytest.raises(InvalidRequest, match=why):
            exercises_from(conversations.praised(), readers, desk.shop.catalog)
    conversations.set_feedback(query_id, READER.id, "down")
    with pytest.raises(InvalidRequest, match="found helpful yet"):
        exercises_from(conversations.praised(), {READER.id: reader}, desk.shop.catalog)
    assert len(digest_of([exercise])) == 64


def test_a_result_goes_with_the_conversation_it_is_of(desk: Desk) -> None:
    (leave,) = desk.shop.add("leave2.txt", "Parental leave of fathers is two weeks.")
    conversations = desk.conversations
    keys = [conversations.start() for _ in range(2)]
    for number, key in enumerate(keys):
        praise(desk, f"{number} fathers", leave.id, conversation=key)
    praised_set = exercises_from(conversations.praised(), {READER.id: replace(READER, groups=STAFF)}, desk.shop.catalog)
    exercises = praised_set.exercises
    desk.busy = True
    run = desk.start(exercises, kind=SetKind.FEEDBACK, groups=())
    conversations.delete(keys[0], READER.id)  # while it runs
    desk.busy = False
    assert desk.ended(run).is_whole
    assert [item.question_id for item in desk.runs.results(run.id)] == ["query about 1 fathers"]
    conversations.delete(keys[1], READER.id)
    assert desk.runs.results(run.id) == []
    assert desk.runs.run(run.id).total == 2
