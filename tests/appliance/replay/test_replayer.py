"""Replays on the real catalog, index and log: what is named when it cannot be made again, and what is on record of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from appliance.answering.answerer import Answered, Answerer
from appliance.answering.searching import Searcher
from appliance.audit import entries
from appliance.audit.entries import AnswerClosed, Entry, PassagesRetrieved, QueryReplayed, QuestionReceived
from appliance.audit.log import QueryLog
from appliance.audit.records import QueryRecord
from appliance.catalog import FileOutcome
from appliance.config import EmbeddingSettings, ModelSettings, RetrievalSettings, Settings
from appliance.domain import Conversation, DocumentState, Principal, Role, Turn
from appliance.errors import AuditUnavailable, ModelUnavailable, NotFound
from appliance.labels import NO_LEVEL
from appliance.replay.outcome import Fate, Finding, Outcome, Replay
from appliance.replay.replayer import Replayer
from appliance.replay.state import settings_in_force, state_of
from appliance.retrieval.retriever import Retriever
from tests.appliance.answering.test_answerer import Scripted
from tests.appliance.retrieval.test_retriever import GLOSSARY, OLD_RATE, RATE, Shop, of_leasing
from tests.data.builders import ToyEmbedder, make_outcome

QUESTION = "How many weeks is parental leave?"
READER = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), frozenset({"staff"}), frozenset({NO_LEVEL}))
OFFICER = Principal("o1", "officer", frozenset({Role.COMPLIANCE}), frozenset())
NEWER = "Bicycle policy 2025.txt"
FORM = "Answer in one sentence."
WITH_FORM_IS_TURNED_AWAY = Settings(retrieval=RetrievalSettings(answerable_above=0.9))
SETTINGS = Settings(retrieval=RetrievalSettings(answerable_above=0.0), embedding=EmbeddingSettings())


class Desk:
    """Answers, searches and replays over a shop, with the model it is given."""

    def __init__(self, shop: Shop, log: QueryLog, model: Scripted | None = None) -> None:
        self.shop, self.log, self.model, self.settings = shop, log, model, SETTINGS
        self.model_expected = False

    def answerer(self, record: object = None) -> Answerer:
        return Answerer(
            retriever=self._retriever(),
            log=record or self.log,  # type: ignore[arg-type]
            embedder=ToyEmbedder(),
            model=self.model,
            model_expected=self.model_expected,
            model_settings=ModelSettings(),
            settings=self.settings.retrieval,
            state=self._state,
        )

    def ask(self, *turns: Turn, record: object = None, question: str = QUESTION) -> str:
        events = list(self.answerer(record).ask(question, READER, Conversation("c1", turns), origin="test"))
        assert isinstance(events[-1], Answered)
        return events[-1].query_id

    def search(self, limit: int = 2, question: str = QUESTION) -> str:
        Searcher(self._retriever(), self.log, self._state).search(question, READER, limit=limit, origin="test")
        return self.log.queries(limit=1)[0].query_id

    def replay(self, query_id: str) -> Replay:
        replayer = Replayer(
            log=self.log,
            catalog=self.shop.catalog,
            retriever=self._retriever(),
            embedder=ToyEmbedder(),
            model=self.model,
            state=self._state,
            time_s=10,
        )
        return replayer.replay(query_id, OFFICER)

    def _retriever(self) -> Retriever:
        return Retriever(
            catalog=self.shop.catalog,
            index=self.shop.index,
            embedder=ToyEmbedder(),
            settings=self.settings.retrieval,
            glossary=GLOSSARY,
        )

    def _state(self) -> entries.SearchState:
        return state_of(settings_in_force(self.settings, ""), self.shop.catalog, ToyEmbedder())


class Altered:
    """A record that writes each entry as somebody says."""

    def __init__(self, log: QueryLog, alter: Callable[[Entry], Entry]) -> None:
        self._log, self._alter = log, alter

    def append(self, entry: Entry) -> object:
        return self._log.append(self._alter(entry))


@pytest.fixture
def desk(shop: Shop, log: QueryLog) -> Desk:
    return Desk(shop, log, Scripted("It is 16 weeks [1]."))


def found(replay: Replay) -> set[Finding]:
    return {note.finding for note in replay.notes}


def handed_over(record: QueryRecord) -> list[str]:
    """The paths of the passages that had a number, in its order."""
    assert record.retrieval is not None
    return [path for _, path in sorted((it.number, it.path) for it in record.retrieval.retrieved if it.number)]


def recorded(alter: Callable[[PassagesRetrieved], PassagesRetrieved]) -> Callable[[Entry], Entry]:
    return lambda entry: alter(entry) if isinstance(entry, PassagesRetrieved) else entry


def test_what_was_written_quoted_and_handed_over_is_reproduced(desk: Desk) -> None:
    for query_id in (desk.ask(), desk.search()):
        assert (desk.replay(query_id).outcome, desk.replay(query_id).notes) == (Outcome.REPRODUCED, ())
    desk.model = None
    assert desk.replay(desk.ask()).outcome is Outcome.REPRODUCED


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_a_search_that_handed_over_a_newest_edition_is_reproduced(desk: Desk, limit: int) -> None:
    of_leasing(desk.shop)
    query_id = desk.search(limit, RATE)
    assert NEWER in handed_over(desk.log.query(query_id))[:2]
    replay = desk.replay(query_id)
    assert (replay.outcome, replay.notes) == (Outcome.REPRODUCED, ())


@pytest.mark.parametrize("model", [Scripted("It is 52 EUR [2]."), Scripted(ModelUnavailable("Down.")), None])
def test_an_answer_from_a_superseded_document_and_its_newest_edition_is_reproduced(
    desk: Desk, model: Scripted | None
) -> None:
    desk.shop.add("Bicycle policy 2024.txt", OLD_RATE)
    for number, thing in enumerate(("car", "van", "phone", "desk", "printer"), start=10):
        desk.shop.add(f"{thing}.txt", f"The monthly rate of a leased {thing} is {number} EUR, of its bicycle rack 1.")
    desk.shop.add(NEWER, "Whoever rides contributes 52 EUR.")
    desk.model = model
    query_id = desk.ask(question=RATE)
    record = desk.log.query(query_id)
    assert record.answer is not None and record.retrieval is not None
    assert NEWER in handed_over(record)
    assert next(it.rank for it in record.retrieval.retrieved if it.path == NEWER) > 3  # of which quotations are made
    replay = desk.replay(query_id)
    assert (replay.outcome, replay.notes, replay.pieces) == (Outcome.REPRODUCED, (), ())


@pytest.mark.parametrize(
    ("question", "begin"),
    [
        ("Wie viele Wochen dauert die parental leave bei uns?", "<<<Textstelle [1] leave.txt"),
        ("Combien de semaines dure le parental leave ?", "<<<extrait [1] leave.txt"),
    ],
)
def test_a_prompt_in_another_language_is_made_again_as_it_was(desk: Desk, question: str, begin: str) -> None:
    assert desk.model is not None
    replay = desk.replay(desk.ask(question=question))
    assert (replay.outcome, replay.notes) == (Outcome.REPRODUCED, ())
    assert replay.prompt_now == replay.prompt_then
    asked = [messages[-1].content for messages, _ in desk.model.prompts]
    assert len(asked) == 2 and all(begin in prompt for prompt in asked)


@pytest.mark.parametrize(
    ("model", "is_expected"),
    [
        (None, False),
        (Scripted(ModelUnavailable("Down.")), False),
        (Scripted(card_error=ModelUnavailable("Down.")), True),  # which has no prompt on record
        (Scripted(card_error=ModelUnavailable("Down.")), False),  # of which the reader is told nothing
    ],
)
@pytest.mark.parametrize("question", ["And in Paris?", "What is the hotel limit in Paris?"])
def test_what_was_quoted_of_a_table_with_a_row_for_others_is_quoted_again(
    desk: Desk, question: str, model: Scripted | None, is_expected: bool
) -> None:
    desk.model, desk.model_expected = model, is_expected
    table = (
        "The hotel limit of each city is told per night.\nCity | Limit\nGeneva | 230\nVienna | 155\nOther cities | 120"
    )
    desk.shop.add("travel.txt", table, "Each hotel has a limit of one breakfast. Nobody has a limit of two.")
    turn = Turn("What is the hotel limit in Geneva?", "230 [1].")
    query_id = desk.ask(turn, question=question)
    closed = desk.log.query(query_id).answer
    assert closed is not None and "Other cities | 120" in closed.answer
    replay = desk.replay(query_id)
    assert (replay.outcome, replay.notes) == (Outcome.REPRODUCED, ())


@pytest.mark.parametrize("model", [Scripted("It is 16 weeks [1]."), Scripted("NOT_IN_DOCUMENTS"), None])
def test_what_was_found_without_the_form_of_the_answer_is_reproduced(desk: Desk, model: Scripted | None) -> None:
    desk.model, desk.settings = model, WITH_FORM_IS_TURNED_AWAY
    query_id = desk.ask(question=f"{QUESTION} {FORM}")
    record = desk.log.query(query_id)
    assert record.retrieval is not None and record.retrieval.searched_for == QUESTION
    replay = desk.replay(query_id)
    assert (replay.outcome, replay.notes, replay.found_now) == (Outcome.REPRODUCED, (), ())


def test_what_is_turned_away_with_and_without_the_form_is_reproduced(desk: Desk) -> None:
    desk.settings = Settings(retrieval=RetrievalSettings(answerable_above=1.0))
    query_id = desk.ask(question=f"{QUESTION} {FORM}")
    record = desk.log.query(query_id)
    assert record.retrieval is not None and record.retrieval.searched_for == f"{QUESTION} {FORM}"
    assert (desk.replay(query_id).outcome, desk.replay(query_id).notes) == (Outcome.REPRODUCED, ())


def test_the_search_is_run_with_the_rights_on_record_and_never_with_more(desk: Desk) -> None:
    replay = desk.replay(desk.ask())
    assert {passage.title for passage in replay.passages} == {"leave.txt"}
    assert replay.found_now == ()  # the case is for others, to whom neither reader nor officer belongs


def test_an_entry_of_an_older_release_is_run_as_far_as_it_says(desk: Desk) -> None:
    def older(entry: PassagesRetrieved) -> PassagesRetrieved:
        passages = tuple(replace(passage, text_sha256="") for passage in entry.retrieved)
        return replace(entry, retrieved=passages, language="", turns=(), differing=(), state=None)

    replay = desk.replay(desk.ask(record=Altered(desk.log, recorded(older))))
    assert (replay.outcome, found(replay)) == (Outcome.REPRODUCED, {Finding.RECORD_INCOMPLETE})


def test_another_template_and_another_wording_are_told_apart_and_the_model_is_not_asked(desk: Desk) -> None:
    assert desk.model is not None
    older = Altered(desk.log, recorded(lambda it: replace(it, prompt_template="answer/1", prompt_sha256="0" * 64)))
    other = Altered(desk.log, recorded(lambda it: replace(it, prompt_sha256="0" * 64)))
    for record, finding in ((older, Finding.TEMPLATE_CHANGED), (other, Finding.PROMPT_DIFFERS)):
        query_id = desk.ask(record=record)
        asked = len(desk.model.prompts)
        replay = desk.replay(query_id)
        assert (replay.outcome, found(replay)) == (Outcome.IMPOSSIBLE, {finding})
        assert len(desk.model.prompts) == asked


def test_a_passage_with_another_text_than_on_record_is_not_put_before_the_model(desk: Desk) -> None:
    def other(entry: PassagesRetrieved) -> PassagesRetrieved:
        return replace(entry, retrieved=tuple(replace(it, text_sha256="0" * 64) for it in entry.retrieved))

    replay = desk.replay(desk.ask(record=Altered(desk.log, recorded(other))))
    assert (replay.outcome, replay.prompt_now) == (Outcome.IMPOSSIBLE, "")
    assert found(replay) == {Finding.TEXT_CHANGED}
    assert {passage.fate for passage in replay.passages} == {Fate.CHANGED}


def test_an_earlier_turn_that_cannot_be_read_any_more_is_named(desk: Desk) -> None:
    first = desk.ask()
    said = Turn(QUESTION, "It is 16 weeks [1].", first)
    assert desk.replay(desk.ask(said)).outcome is Outcome.REPRODUCED
    lost = Turn(QUESTION, "It is 16 weeks [1].", "gone")
    replay = desk.replay(desk.ask(lost))
    assert (replay.outcome, found(replay)) == (Outcome.IMPOSSIBLE, {Finding.TURN_ERASED})


def test_a_model_that_is_gone_fails_or_cannot_say_what_it_is(desk: Desk) -> None:
    query_id = desk.ask()
    for model in (None, Scripted(card_error=ModelUnavailable("Nobody answers.")), Scripted(ModelUnavailable("Down."))):
        desk.model = model
        replay = desk.replay(query_id)
        assert (replay.outcome, found(replay)) == (Outcome.IMPOSSIBLE, {Finding.MODEL_MISSING})
    desk.model = Nameless("It is 16 weeks [1].")
    replay = desk.replay(desk.ask())
    assert (replay.outcome, found(replay)) == (Outcome.REPRODUCED, {Finding.MODEL_UNPROVEN})


class Nameless(Scripted):
    def card(self, generation=None):  # type: ignore[no-untyped-def]
        return replace(super().card(generation), digest="")


def test_a_model_that_said_no_and_says_so_again_is_reproduced(desk: Desk) -> None:
    desk.model = Scripted("NOT_IN_DOCUMENTS")
    query_id = desk.ask()
    assert desk.replay(query_id).outcome is Outcome.REPRODUCED
    desk.model = Scripted("It is 16 weeks [1].")
    assert desk.replay(query_id).outcome is Outcome.DIFFERS


def test_what_is_judged_otherwise_by_the_threshold_on_record_is_not_what_is_set_now(desk: Desk) -> None:
    desk.settings = Settings(retrieval=RetrievalSettings(answerable_above=1.0))
    query_id = desk.ask()
    desk.settings = SETTINGS
    replay = desk.replay(query_id)
    assert (replay.outcome, found(replay)) == (Outcome.REPRODUCED, {Finding.SETTING_CHANGED})


def test_a_program_that_would_be_handed_something_else_is_told_apart(desk: Desk) -> None:
    query_id = desk.search()
    (chunk, *_) = desk.shop.add("new.txt", "How many weeks is parental leave? It is 18 weeks.")
    replay = desk.replay(query_id)
    assert replay.outcome is Outcome.DIFFERS
    assert [(passage.chunk_id, passage.title) for passage in replay.found_now] == [
        (chunk.id, "")
    ]  # not for the officer
    assert found(replay) == {Finding.CATALOG_CHANGED, Finding.SEARCH_DIFFERS}


def test_a_document_that_is_gone_is_named_though_nothing_else_is_known_of_it(desk: Desk) -> None:
    query_id = desk.ask()
    gone: FileOutcome = make_outcome("leave.txt", state=DocumentState.GONE)
    desk.shop.catalog.record(gone, keep_version=False)
    replay = desk.replay(query_id)
    assert replay.outcome is Outcome.IMPOSSIBLE
    assert Finding.DOCUMENT_ERASED in found(replay)
    assert "leave.txt" in replay.notes[1].words


def test_an_answer_that_ended_early_has_nothing_to_compare_with(desk: Desk) -> None:
    events = desk.answerer().ask(QUESTION, READER, Conversation("c1"), origin="test")
    for _ in range(3):
        next(events)
    events.close()
    replay = desk.replay(desk.log.queries(limit=1)[0].query_id)
    assert (replay.outcome, found(replay)) == (Outcome.IMPOSSIBLE, {Finding.ENDED_EARLY})


def test_a_question_that_never_came_to_an_answer_cannot_be_run_again(desk: Desk) -> None:
    desk.log.append(QuestionReceived("q1", "p1", "reader", ("staff",), "c1", QUESTION, "test"))
    replay = desk.replay("q1")
    assert (replay.outcome, found(replay)) == (Outcome.IMPOSSIBLE, {Finding.ENTRY_UNREADABLE})
    with pytest.raises(NotFound):
        desk.replay("q2")


def test_a_replay_that_cannot_be_put_on_record_shows_nothing(desk: Desk) -> None:
    query_id = desk.ask()
    desk.log.close()
    with pytest.raises(AuditUnavailable):
        desk.replay(query_id)


def test_what_a_replay_came_to_is_an_entry_that_holds_no_words(desk: Desk) -> None:
    query_id = desk.ask()
    desk.model = None
    desk.replay(query_id)
    assert desk.log.entry(desk.log.size() - 1).entry == QueryReplayed("o1", query_id, "impossible", ("model.missing",))
    query = desk.log.query(query_id)
    assert isinstance(query.answer, AnswerClosed)
    assert query.feedback == ()
