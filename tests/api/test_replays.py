"""A question on record is run again: the whole appliance, with a model behind a socket that says what it is told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.audit.entries import PassagesRetrieved, QueryReplayed
from appliance.compliance.evidence_report import _told as told_in_report
from appliance.config import ModelSettings, Provider, RetrievalSettings, ServerSettings, Settings
from appliance.domain import EVERYONE, Role, Source
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import BASE, PASSWORD, events, open_log, write, write_documents
from tests.appliance.inference.ollama_server import MODEL, Mode, OllamaServer, ollama_server

pytestmark = pytest.mark.integration

SOURCE = "00000000-0000-0000-0000-000000000009"
HOTEL = "What may a hotel in Zurich cost per night?"
SALARY = "What does a senior engineer earn a year?"
NOWHERE = "Which wine goes with venison?"
PEOPLE = {
    "reader": ((Role.EMPLOYEE,), ()),
    "hr": ((Role.EMPLOYEE,), ("hr",)),
    "officer": ((Role.COMPLIANCE,), ()),
}
SAID = ("At most ", "240 CHF ", "[1].")


@dataclass
class House:
    """An appliance that was opened with some settings, the folder its documents come from, and who uses it."""

    appliance: Appliance
    documents: Path
    clients: dict[str, TestClient]

    def ask(self, question: str, who: str = "reader", **more: Any) -> dict[str, Any]:
        name, data = events(self.clients[who].post("/api/ask", json={"question": question, **more}))[-1]
        assert name == "answer", data
        return dict(json.loads(data))

    def replay(self, query_id: object) -> dict[str, Any]:
        response = self.clients["officer"].post(f"/api/log/queries/{query_id}/replay")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def sync(self) -> None:
        run = self.appliance.runs.start(self.appliance.catalog.source(SOURCE))
        self.appliance.runs.wait(run.id)
        assert run.error is None


@contextmanager
def served(data: Path, documents: Path, model: ModelSettings, **settings: Any) -> Iterator[House]:
    chosen = Settings(data_dir=data, server=ServerSettings(allowed_hosts=("testserver",)), model=model, **settings)
    with opened(chosen) as appliance:
        app = create_headless_app(appliance)
        clients = {}
        for name, (roles, groups) in PEOPLE.items():
            if not any(person.name == name for person in appliance.accounts.people()):
                appliance.accounts.add(name, PASSWORD, roles, groups)
            clients[name] = TestClient(app, base_url=BASE)
            token = appliance.sessions.sign_in(name, PASSWORD, "").token
            clients[name].cookies.set("strongroom_session", token)
            if Role.COMPLIANCE in roles:
                open_log(appliance, token)
        yield House(appliance, documents, clients)


def ollama(server: OllamaServer, **more: Any) -> ModelSettings:
    return ModelSettings(provider=Provider.OLLAMA, ollama_host=server.url, name=MODEL, seed=7, **more)


@pytest.fixture(scope="module")
def server() -> Iterator[OllamaServer]:
    with ollama_server(words=SAID) as running:
        yield running


@pytest.fixture(scope="module")
def _served(server: OllamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One appliance for all of these tests: its parsers start once."""
    documents = write_documents(tmp_path_factory.mktemp("documents"))
    with served(tmp_path_factory.mktemp("data"), documents, ollama(server)) as house:
        house.appliance.catalog.add_source(Source(SOURCE, "Handbook", str(documents), frozenset({EVERYONE})))
        house.sync()
        yield house


@pytest.fixture
def house(_served: House, server: OllamaServer) -> House:
    """With the model that says `SAID`."""
    server.words, server.digest, server.mode = SAID, "ab" * 32, Mode.NORMAL
    return _served


def findings(replay: dict[str, Any]) -> set[str]:
    return {str(note["finding"]) for note in replay["notes"]}


def words_of(replay: dict[str, Any], finding: str) -> str:
    return next(str(note["words"]) for note in replay["notes"] if note["finding"] == finding)


def test_the_same_question_from_the_same_documents_is_reproduced(house: House, server: OllamaServer) -> None:
    asked = house.ask(HOTEL)
    replay = house.replay(asked["query_id"])
    assert (replay["outcome"], replay["notes"], replay["pieces"]) == ("reproduced", [], [])
    assert replay["prompt_now"] == replay["prompt_then"] != ""
    assert all(it["rank_now"] == it["rank_then"] and it["fate"] == "in_force" for it in replay["passages"])
    assert replay["found_now"] == []
    then, again = server.chats()[-2:]
    assert then == again


def test_a_replay_is_one_entry_and_asks_nothing_in_anybodys_name(house: House) -> None:
    query_id = house.ask(HOTEL)["query_id"]
    size, history = house.appliance.log.size(), house.clients["reader"].get("/api/conversations").json()
    house.replay(query_id)
    recorded = [house.appliance.log.entry(seq).entry for seq in range(size, house.appliance.log.size())]
    officer = next(person.id for person in house.appliance.accounts.people() if person.name == "officer")
    assert [replace(entry, session_id="") for entry in recorded if isinstance(entry, QueryReplayed)] == [
        QueryReplayed(officer, query_id, "reproduced")
    ]
    assert len(recorded) == 1
    assert house.clients["reader"].get("/api/conversations").json() == history


def test_a_follow_up_is_reproduced_with_the_turns_that_were_in_its_prompt(house: House, server: OllamaServer) -> None:
    first = house.ask(HOTEL)
    asked = house.ask("And how are trains booked?", conversation_id=first["conversation_id"])
    assert HOTEL in json.dumps(server.chats()[-1])
    retrieval = house.appliance.log.query(asked["query_id"]).retrieval
    assert retrieval is not None
    assert [(turn.query_id, turn.answer) for turn in retrieval.turns] == [(first["query_id"], "")]
    assert house.replay(asked["query_id"])["outcome"] == "reproduced"


def test_a_conversation_that_a_program_brought_is_reproduced_too(house: House) -> None:
    messages = [
        {"role": "user", "content": HOTEL},
        {"role": "assistant", "content": "240 CHF."},
        {"role": "user", "content": "And how are trains booked?"},
    ]
    response = house.clients["reader"].post("/v1/chat/completions", json={"messages": messages})
    query_id = response.json()["strongroom"]["query_id"]
    retrieval = house.appliance.log.query(query_id).retrieval
    assert retrieval is not None
    assert [(turn.query_id, turn.answer) for turn in retrieval.turns] == [("", "240 CHF.")]
    assert house.replay(query_id)["outcome"] == "reproduced"


def test_another_answer_is_compared_word_by_word(house: House, server: OllamaServer) -> None:
    asked = house.ask(HOTEL)
    server.words = ("At most ", "300 CHF ", "[1].")
    replay = house.replay(asked["query_id"])
    assert replay["outcome"] == "differs"
    assert [(it["change"], it["text"].strip()) for it in replay["pieces"]] == [
        ("same", "At most"), ("gone", "240"), ("new", "300"), ("same", "CHF [1]."),
    ]  # fmt: skip
    assert replay["is_hidden"] is False


def test_new_words_are_kept_from_an_officer_who_may_not_read_the_documents(house: House, server: OllamaServer) -> None:
    server.words = ("Between 95,000 ", "and more [1].")
    asked = house.ask(SALARY, "hr")
    assert asked["citations"][0]["path"] == "hr/salaries.md"
    server.words = ("Between 95,000 ", "and 118,000 CHF [1].")
    replay = house.replay(asked["query_id"])
    assert (replay["outcome"], replay["is_hidden"]) == ("differs", True)
    assert [(it["text"].strip(), it["words"]) for it in replay["pieces"] if it["change"] == "new"] == [("", 2)]
    assert "118,000" not in json.dumps(replay)


def test_another_model_is_named_and_not_asked(house: House, server: OllamaServer) -> None:
    asked = house.ask(HOTEL)
    server.digest = "cd" * 32
    before = len(server.chats())
    replay = house.replay(asked["query_id"])
    assert replay["outcome"] == "impossible"
    assert findings(replay) == {"model.changed"}
    assert "ab" * 32 in words_of(replay, "model.changed")
    assert "cd" * 32 in words_of(replay, "model.changed")
    assert replay["prompt_now"] == replay["prompt_then"]
    assert len(server.chats()) == before


def test_a_document_with_a_later_version_is_named_and_the_answer_reproduced_from_the_old_one(house: House) -> None:
    file = write(house.documents / "canteen.md", "# Canteen\n\nThe canteen opens at 11 o'clock.\n")
    house.sync()
    asked = house.ask("When does the canteen open?")
    write(file, "# Canteen\n\nThe canteen opens at half past twelve o'clock, Zinnober.\n")
    house.sync()
    replay = house.replay(asked["query_id"])
    assert replay["outcome"] == "reproduced"
    assert findings(replay) == {"document.superseded", "catalog.changed", "search.differs"}
    assert "'Canteen'" in words_of(replay, "document.superseded")
    [old] = [it for it in replay["passages"] if it["title"] == "Canteen"]
    assert (old["fate"], old["rank_now"]) == ("superseded", None)
    assert replay["found_now"]
    assert set(replay["found_now"][0]) == {"chunk_id", "rank", "title"}
    assert "Canteen" in [it["title"] for it in replay["found_now"]]
    assert "Zinnober" not in json.dumps(replay)


def test_a_document_that_was_removed_is_named_and_nothing_is_asked_without_it(
    house: House, server: OllamaServer
) -> None:
    file = write(house.documents / "parking.md", "# Parking\n\nA place in the garage costs 90 CHF a month.\n")
    house.sync()
    asked = house.ask("What does a place in the garage cost?")
    file.unlink()
    house.sync()
    before = len(server.chats())
    replay = house.replay(asked["query_id"])
    assert (replay["outcome"], replay["prompt_now"]) == ("impossible", "")
    assert "'Parking'" in words_of(replay, "document.erased")
    assert next(it["fate"] for it in replay["passages"] if it["title"] == "Parking") == "erased"
    assert len(server.chats()) == before


def test_a_document_that_was_closed_since_is_named(house: House) -> None:
    write(house.documents / "board" / "plan.md", "# Plan\n\nThe new warehouse is built in Olten.\n")
    house.sync()
    asked = house.ask("Where is the new warehouse built?")
    write(house.documents / "board" / ".access.toml", 'groups = ["board"]\n')
    house.sync()
    replay = house.replay(asked["query_id"])
    assert replay["outcome"] == "reproduced"
    assert "'Plan'" in words_of(replay, "document.closed")


def test_what_the_documents_did_not_say_is_judged_again(house: House) -> None:
    asked = house.ask(NOWHERE)
    assert asked["kind"] == "abstained"
    assert house.replay(asked["query_id"])["outcome"] == "reproduced"


def test_what_was_said_to_thanks_is_said_again(house: House) -> None:
    asked = house.ask("Vielen Dank!")
    assert asked["kind"] == "courtesy"
    assert house.replay(asked["query_id"])["outcome"] == "reproduced"


def test_what_cannot_be_run_again_says_so(house: House) -> None:
    assert house.clients["officer"].post("/api/log/queries/unknown/replay").status_code == 404


def test_without_a_model_and_with_other_settings_each_is_named_and_a_quotation_is_reproduced_exactly(
    house: House, server: OllamaServer, tmp_path: Path
) -> None:
    written = house.ask(HOTEL)["query_id"]
    data = tmp_path / "data"
    shutil.copytree(house.appliance.settings.data_dir, data, ignore=shutil.ignore_patterns("socket", "lock"))
    with served(data, house.documents, ModelSettings(provider=Provider.NONE)) as without:
        quoted = without.ask(HOTEL)
        assert quoted["kind"] == "extractive"
        assert without.replay(quoted["query_id"])["outcome"] == "reproduced"
        replay = without.replay(written)
        assert replay["outcome"] == "impossible"
        assert findings(replay) == {"model.missing", "setting.changed"}
        assert "model.seed was '7'; now it is '0'" in words_of(replay, "setting.changed")
    chosen = RetrievalSettings(passages=1, answerable_above=0.9)
    with served(data, house.documents, ollama(server), retrieval=chosen) as other:
        replay = other.replay(written)
        assert replay["outcome"] == "reproduced"  # from the passages and parameters on record, whatever is set now
        told = {str(note["words"]).split(" was ")[0] for note in replay["notes"]}
        assert told == {"The setting retrieval.passages", "The setting retrieval.answerable_above"}
        assert other.replay(quoted["query_id"])["outcome"] == "reproduced"


def test_what_is_quoted_because_the_model_failed_is_quoted_again(house: House, server: OllamaServer) -> None:
    conversation = house.ask(HOTEL)["conversation_id"]
    server.mode = Mode.ERROR_MIDSTREAM
    asked = house.ask("And in Paris?", conversation_id=conversation)
    assert (asked["kind"], asked["highlights"]) == ("extractive", [])
    assert any("quoted instead" in notice for notice in asked["notices"])
    server.mode = Mode.NORMAL
    replay = house.replay(asked["query_id"])
    assert (replay["outcome"], replay["notes"]) == ("reproduced", [])


def test_a_follow_up_that_was_not_answered_for_its_language_is_judged_again_in_it(house: House, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(house.appliance.settings.data_dir, data, ignore=shutil.ignore_patterns("socket", "lock"))
    with served(data, house.documents, ModelSettings(provider=Provider.NONE)) as without:
        conversation = without.ask("Was darf ein Hotel in Zürich pro Nacht höchstens kosten?")["conversation_id"]
        asked = without.ask("Und 2019?", conversation_id=conversation)
        assert (asked["kind"], asked["text"][:13]) == ("abstained", "Die Dokumente")
        assert without.replay(asked["query_id"])["outcome"] == "reproduced"


def test_follow_ups_without_a_model_are_told_from_the_question_before_and_judged_again_the_same(
    house: House, tmp_path: Path
) -> None:
    told = "They stand in row seven of the garage."
    text = f"# Garage of Olten\n\n## Bicycles\n\n{told}\n\n## Motorcycles\n\n{told}\n"
    write(house.documents / "garage.md", text)
    write(house.documents / "guests.md", "# Guests\n\nGuests leave theirs by the gate and ring the bell.\n")
    house.sync()
    data = tmp_path / "data"
    shutil.copytree(house.appliance.settings.data_dir, data, ignore=shutil.ignore_patterns("socket", "lock"))
    with served(data, house.documents, ModelSettings(provider=Provider.NONE)) as without:
        reader, first = without.clients["reader"], "In which row do bicycles stand in the garage of Olten?"
        conversation = without.ask(first)["conversation_id"]
        nowhere = without.ask("And in Paris?", conversation_id=conversation)  # which Olten does not make up for
        assert (nowhere["kind"], nowhere["citations"]) == ("abstained", [])
        quoted = without.ask("And motorcycles?", conversation_id=conversation)
        other = without.ask("And guests?", conversation_id=conversation)
        assert "ring the bell" in other["text"]
        assert without.ask(f"{first} And guests?")["text"] != other["text"]  # which is no follow-up
        for asked in (nowhere, quoted, other):
            assert without.replay(asked["query_id"])["outcome"] == "reproduced"
        turns = reader.get(f"/api/conversations/{conversation}").json()["turns"]
        messages = [{"role": "user", "content": first}, {"role": "assistant", "content": "In row seven."}]
        body = {"messages": [*messages, {"role": "user", "content": "And motorcycles?"}]}
        completion = reader.post("/v1/chat/completions", json=body).json()
        for citations, heading in (
            (quoted["citations"], "Motorcycles"),
            (completion["strongroom"]["citations"], "Motorcycles"),
            (turns[2]["citations"], "Motorcycles"),
            (turns[0]["citations"], "Bicycles"),
        ):
            assert citations[0]["place"]["headings"][-1] == heading
            assert citations[0]["chunk_id"] == quoted["citations"][0]["chunk_id"]  # one passage, and one sentence twice


def test_passages_that_differ_have_the_same_numbers_at_every_door(house: House, tmp_path: Path) -> None:
    question = "How long are visitor badges valid?"
    told = "Visitor badges of the site are valid for {} days."
    filler = "The site is in the valley. Its gate is painted green. Nobody waits there for long. "
    for name, text in (
        ("badges", f"How long are visitor badges valid? {told.format(30)}"),
        ("questions", "How long are badges valid? How long are visitor badges valid, and who asks?"),
        ("answers", "Ask the porter how long visitor badges are valid."),
        ("porter", "The porter knows how long visitor badges are valid here."),
        ("site", f"{filler * 4}{told.format(60)} {filler * 4}"),
    ):
        write(house.documents / f"{name}.md", f"# {name}\n\n{text}\n")
    house.sync()
    data = tmp_path / "data"
    shutil.copytree(house.appliance.settings.data_dir, data, ignore=shutil.ignore_patterns("socket", "lock"))
    with served(data, house.documents, ModelSettings(provider=Provider.NONE)) as without:
        reader, officer = without.clients["reader"], without.clients["officer"]
        streamed = dict(events(reader.post("/api/ask", json={"question": question})))
        answer = json.loads(streamed["answer"])
        cited = {it["number"]: it["chunk_id"] for it in answer["citations"]}
        assert list(cited) == list(range(1, len(cited) + 1))
        appearance = dict.fromkeys(re.findall(r"\[(\d)\]", "\n".join((answer["text"], *answer["notices"]))))
        assert list(appearance) == [str(number) for number in cited]
        [notice] = answer["notices"]
        assert "differ: “Visitor badges of the site are valid for 30 days.”" in notice
        assert f"[{len(cited)}]" not in answer["text"]  # it is told of, and not quoted
        found = {it["number"]: it["chunk_id"] for it in json.loads(streamed["passages"])["passages"]}
        assert cited.items() <= found.items()
        [turn] = reader.get(f"/api/conversations/{answer['conversation_id']}").json()["turns"]
        assert {it["number"]: it["chunk_id"] for it in turn["citations"]} == cited
        entry = officer.get(f"/api/log/queries/{answer['query_id']}").json()
        assert {it["number"]: it["chunk_id"] for it in entry["passages"] if it["cited"]} == cited
        assert without.replay(answer["query_id"])["outcome"] == "reproduced"
        body = {"messages": [{"role": "user", "content": question}]}
        completion = reader.post("/v1/chat/completions", json=body).json()
        assert {it["number"]: it["chunk_id"] for it in completion["strongroom"]["citations"]} == cited
        record = without.appliance.log.query(answer["query_id"])
        assert record.answer is not None and record.retrieval is not None
        assert {it.number: it.chunk_id for it in record.answer.citations} == cited
        evidence = "\n".join(str(told_in_report(entry)) for entry in (record.retrieval, record.answer))
        assert f"'Cited', '{', '.join(f'[{number}]' for number in cited)}'" in evidence


def test_an_entry_says_in_what_state_it_was_searched(house: House) -> None:
    retrieval = house.appliance.log.query(house.ask(HOTEL)["query_id"]).retrieval
    assert isinstance(retrieval, PassagesRetrieved)
    state = retrieval.state
    assert state is not None
    assert state.embedding_model == house.appliance.embedder.model_id
    assert state.catalog_changes == house.appliance.catalog.changes() > 0
    assert {it.name: it.value for it in state.settings}["retrieval.passages"] == "8"
    assert retrieval.language == "en"
    assert all(len(passage.text_sha256) == 64 for passage in retrieval.retrieved)
