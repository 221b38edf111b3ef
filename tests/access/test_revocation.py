"""Access that is taken away is gone at once, through every door, also for what is under way.

The standard allows a second. Here the very next request must find nothing, so no clock is asked.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.answering import notices
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import AdminAction, AnswerClosed
from appliance.audit.records import LogFilter
from appliance.config import IngestSettings, ModelSettings, Provider, ServerSettings, Settings
from appliance.doctor import examine
from appliance.domain import AccessFilter, Conversation, Role, Source
from appliance.ecosystem.retriever import StrongroomRetriever
from appliance.errors import AccessDenied
from appliance.labels import FileLabels
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from appliance.wiring.put_on_record import WITHHELD
from tests.api.conftest import PASSWORD, _write_pdf, events
from tests.data.embedding_model import models_loaded_once

pytestmark = pytest.mark.integration
SECRET = "The Zinnober merger closes on 1 March 2027."
QUESTION = "When does the Zinnober merger close?"
_ASKED_BY_A_PROGRAM = {"messages": [{"role": "user", "content": QUESTION}]}


class _SlowModel:
    """An OpenAI-compatible server that writes its first words at once and the rest when it is told to."""

    def __init__(self) -> None:
        self.go_on, self.began = threading.Event(), threading.Event()
        self.is_slow = False
        self.url = ""

    def pause(self) -> None:
        self.is_slow = True
        self.go_on.clear()
        self.began.clear()


@contextmanager
def _slow_model() -> Iterator[_SlowModel]:
    state = _SlowModel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._begin("application/json")
            self.wfile.write(json.dumps({"object": "list", "data": [{"id": "slow", "object": "model"}]}).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._begin("text/event-stream")
            self._say("The merger closes ")
            state.began.set()
            if state.is_slow:
                state.go_on.wait(30)
            self._say("on 1 March 2027 [1].")
            self._say("", "stop")

        def _begin(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def _say(self, text: str, finish: str | None = None) -> None:
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
            whole = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "slow", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        state.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield state
        state.go_on.set()
        server.shutdown()


@dataclass
class Room:
    """An appliance with one closed document, a reader who may see it, and an admin."""

    appliance: Appliance
    model: _SlowModel
    source: Source
    reader_id: str
    make: Callable[[str], TestClient]
    tokens: dict[str, str]

    def sign_in(self) -> None:
        self.tokens["reader"] = self.appliance.sessions.sign_in("reader", PASSWORD, "127.0.0.1").token

    @property
    def reader(self) -> TestClient:
        return self.make("reader")

    def labels(self, groups: frozenset[str], path: str = "") -> None:
        for known in self.appliance.catalog.every_file(self.source.id):
            if path in (known.path, ""):
                self.appliance.pipeline._holdings.relabel(known, FileLabels.all(groups), self.source)

    def reopen(self) -> None:
        """Let the reader see the document."""
        self.appliance.accounts.set_groups(self.reader_id, ("board",))
        self.labels(frozenset({"board"}))

    def document(self) -> str:
        return next(
            item.document_id for item in self.appliance.catalog.every_file(self.source.id) if item.path == "merger.md"
        )


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "merger.md").write_text(f"# Merger\n\n{SECRET}\n")
    _write_pdf(folder / "manual.pdf")
    with models_loaded_once(), _slow_model() as model:
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("data"),
            server=ServerSettings(allowed_hosts=("testserver",)),
            model=ModelSettings(provider=Provider.OPENAI, base_url=model.url, name="slow", context_tokens=4096),
            ingest=IngestSettings(workers=1),
        )
        with opened(settings) as built:
            reader = built.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ("board",))
            built.accounts.add("admin", PASSWORD, (Role.ADMIN,), ())
            source = Source("00000000-0000-0000-0000-000000000001", "Board", str(folder), frozenset({"board"}))
            built.catalog.add_source(source)
            run = built.runs.start(source)
            built.runs.wait(run.id, 100)
            served = create_headless_app(built)
            tokens = {"admin": built.sessions.sign_in("admin", PASSWORD, "127.0.0.1").token}

            def make(name: str) -> TestClient:
                made = TestClient(served, base_url="http://testserver", follow_redirects=False)
                made.cookies.set(SESSION_COOKIE, tokens[name], domain="testserver.local", path="/")
                return made

            yield Room(built, model, source, reader.id, make, tokens)


@pytest.fixture(autouse=True)
def _as_it_was(room: Room) -> Iterator[None]:
    room.model.is_slow = False
    room.sign_in()
    yield
    room.model.go_on.set()
    room.appliance.accounts.set_disabled(room.reader_id, disabled=False)
    room.appliance.accounts.set_roles(room.reader_id, (Role.EMPLOYEE,))
    room.appliance.accounts.set_password(room.reader_id, PASSWORD)  # who was made an officer has to choose another one
    room.reopen()


def _leave_group(room: Room) -> None:
    answer = room.make("admin").patch(f"/api/people/{room.reader_id}", json={"groups": []})
    assert answer.status_code == 200


def _relabel(room: Room) -> None:
    room.labels(frozenset({"lab"}))


def _disable(room: Room) -> None:
    answer = room.make("admin").patch(f"/api/people/{room.reader_id}", json={"disabled": True})
    assert answer.status_code == 200


def _lose_role(room: Room) -> None:
    answer = room.make("admin").patch(f"/api/people/{room.reader_id}", json={"roles": ["compliance"]})
    assert answer.status_code == 200


def _sign_out(room: Room) -> None:
    assert room.reader.delete("/api/session").status_code == 204


CLOSED_TO_THEM = [_leave_group, _relabel]
SHUT_OUT = [_disable, _lose_role, _sign_out]
Act = Callable[[Room], None]


@pytest.mark.parametrize("act", CLOSED_TO_THEM)
def test_what_was_closed_is_out_of_every_door_at_the_very_next_request(room: Room, act: Act) -> None:
    reader, document = room.reader, room.document()
    first = events(reader.post("/api/ask", json={"question": QUESTION}))
    passage = json.loads(dict(first)["passages"])["passages"][0]
    talk, chunk = json.loads(dict(first)["answer"])["conversation_id"], passage["chunk_id"]
    assert SECRET in passage["text"]
    doors: dict[str, Callable[[], str]] = {
        "ask": lambda: reader.post("/api/ask", json={"question": QUESTION}).text,
        "go on": lambda: reader.post("/api/ask", json={"question": "When exactly?", "conversation_id": talk}).text,
        "library": lambda: reader.get("/api/documents").text,
        "document": lambda: _opened(reader, f"/api/documents/{document}"),
        "passage": lambda: _opened(reader, f"/api/passages/{chunk}"),
        "picture of a passage": lambda: _opened(reader, f"/api/passages/{chunk}/page.png"),
        "picture of a page": lambda: _opened(reader, f"/api/documents/{document}/pages/1.png"),
        "conversations": lambda: reader.get("/api/conversations").text,
        "conversation": lambda: reader.get(f"/api/conversations/{talk}").text,
        "program": lambda: reader.post("/v1/chat/completions", json=_ASKED_BY_A_PROGRAM).text,
        "llama-index": lambda: _retrieved(room),
    }
    for name, door in doors.items():
        room.reopen()
        assert "March" in _retrieved(room)
        assert _opened(reader, f"/api/passages/{chunk}")
        act(room)
        told = door()
        assert "March" not in told and "merger.md" not in told, name


def _opened(reader: TestClient, address: str) -> str:
    """What a door to one thing gives; it must not so much as say that the thing is there."""
    answer = reader.get(address)
    return "" if answer.status_code == 404 else f"merger.md: {answer.status_code}"


def _retrieved(room: Room) -> str:
    retriever = StrongroomRetriever(room.appliance.searcher, person=room.appliance.reader("reader"))
    return " ".join(node.text for node in retriever.retrieve(QUESTION))


def test_an_answer_is_not_shown_again_when_a_passage_it_does_not_cite_is_closed(room: Room) -> None:
    first = dict(events(room.reader.post("/api/ask", json={"question": QUESTION})))
    answer, talk = json.loads(first["answer"]), json.loads(first["answer"])["conversation_id"]
    before = {passage["path"] for passage in json.loads(first["passages"])["passages"]}
    assert before == {"merger.md", "manual.pdf"}
    assert [citation["path"] for citation in answer["citations"]] == ["merger.md"]
    room.labels(frozenset({"lab"}), "manual.pdf")
    (turn,) = room.reader.get(f"/api/conversations/{talk}").json()["turns"]
    assert "March" not in turn["answer"]
    assert turn["withheld_passages"] == 2  # all of the manual that the model had before it


@pytest.mark.parametrize("act", [_disable, _lose_role])
def test_nothing_is_read_in_a_program_for_somebody_who_may_not_ask_any_more(room: Room, act: Act) -> None:
    retriever = StrongroomRetriever(room.appliance.searcher, person=room.appliance.reader("reader"))
    assert retriever.retrieve(QUESTION)
    act(room)
    with pytest.raises(AccessDenied, match="may not ask questions any more"):
        retriever.retrieve(QUESTION)


@pytest.mark.parametrize("act", SHUT_OUT)
def test_who_is_shut_out_gets_nothing_at_the_next_request(room: Room, act: Act) -> None:
    reader = room.reader
    assert reader.get("/api/documents").status_code == 200
    act(room)
    for answer in (
        reader.get("/api/documents"),
        reader.post("/api/ask", json={"question": QUESTION}),
        reader.get("/api/conversations"),
        reader.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": QUESTION}]}),
    ):
        assert answer.status_code in (401, 403)


@pytest.mark.parametrize("door", ["/api/ask", "/v1/chat/completions"])
@pytest.mark.parametrize("act", [*CLOSED_TO_THEM, *SHUT_OUT])
def test_an_answer_that_is_being_written_ends_when_what_it_draws_on_is_closed(room: Room, act: Act, door: str) -> None:
    room.model.pause()
    body: dict[str, Any] = {"question": QUESTION}
    if door.startswith("/v1"):
        body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(room.reader.post(door, json=body).text))
    asking.start()
    assert room.model.began.wait(30)
    time.sleep(0.6)
    act(room)
    room.model.go_on.set()
    asking.join(30)
    assert "1 March 2027 [1]" not in told[0]  # the rest of what the model wrote
    assert "event: answer" not in told[0]
    assert "access_denied" in told[0] or "not_signed_in" in told[0]
    closed = room.appliance.log.entries(LogFilter(type=AnswerClosed.type), limit=1)[0].entry
    assert isinstance(closed, AnswerClosed)
    assert closed.error in ("access_denied", "not_signed_in")


def test_an_answer_withdrawn_in_the_middle_raises_an_alarm_that_the_doctor_tells_of(room: Room) -> None:
    room.model.pause()
    told: list[str] = []
    asking = threading.Thread(
        target=lambda: told.append(room.reader.post("/api/ask", json={"question": QUESTION}).text)
    )
    asking.start()
    assert room.model.began.wait(30)
    _leave_group(room)
    room.model.go_on.set()
    asking.join(30)
    assert notices.WITHDRAWN in told[0]
    _expect_an_alarm(room)
    _expect_a_flag(room, "answer")


def test_an_erasure_knows_of_answers_that_a_model_which_was_replaced_is_still_writing(room: Room) -> None:
    appliance, person = room.appliance, room.appliance.sessions.authenticate(room.tokens["reader"], kind="session")
    is_answered = appliance.protection.erasures._is_answered
    asking = appliance.answerer.ask(QUESTION, person, Conversation("talk"), origin="test")  # type: ignore[arg-type]
    next(asking)
    serving = appliance.in_service.now
    appliance.in_service.now = replace(serving, answerer=object())  # type: ignore[arg-type]
    try:
        assert is_answered(room.reader_id)
        asking.close()
        assert not is_answered(room.reader_id)
    finally:
        appliance.in_service.now = serving


def test_an_index_that_disagrees_with_the_catalog_gives_nothing_away_and_raises_an_alarm(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    document = room.document()
    room.appliance.accounts.set_groups(room.reader_id, ())
    room.appliance.index.set_groups(document, frozenset({"everyone"}))  # as damage would, or somebody's hand
    before = len(_alarms(room))
    answer = room.reader.post("/api/ask", json={"question": QUESTION})
    assert "March" not in answer.text
    assert len(_alarms(room)) == before + 1
    _expect_an_alarm(room)
    (said,) = {record.getMessage() for record in caplog.records if "the index let" in record.getMessage()}
    assert said == f"Access: {_alarms(room)[0].detail}"  # the server's log says what the query log and Health say
    _expect_a_flag(room, "search")
    room.appliance.index.set_groups(document, frozenset({"board"}))


def test_a_label_that_the_index_has_yet_to_hear_of_is_no_alarm(room: Room) -> None:
    document, before = room.document(), len(_alarms(room))
    room.appliance.catalog.relabel(document, FileLabels.all(frozenset({"lab"})), settled=False)
    assert "March" not in room.reader.post("/api/ask", json={"question": QUESTION}).text
    assert len(_alarms(room)) == before


def _alarms(room: Room) -> list[AdminAction]:
    found = room.appliance.log.entries(LogFilter(type=AdminAction.type, text=WITHHELD), limit=100)
    return [item.entry for item in found if isinstance(item.entry, AdminAction) and item.entry.action == WITHHELD]


def _expect_a_flag(room: Room, where: str) -> None:
    closed = room.appliance.log.entries(LogFilter(type=AnswerClosed.type), limit=1)[0].entry
    assert isinstance(closed, AnswerClosed)
    assert ("access_removed", where) in [(flag.name, flag.where) for flag in closed.flags]


def _expect_an_alarm(room: Room) -> None:
    alarms = _alarms(room)
    assert alarms
    assert "Zinnober" not in repr(alarms)
    check = next(check for check in examine(room.appliance) if check.name == "access")
    assert check.status == "warning"
    assert f"{len(alarms)} times in" in check.detail or (len(alarms) == 1 and check.detail.startswith("once in"))
    assert f"the latest: {alarms[0].detail}." in check.detail
    assert room.appliance.retriever.retrieve(QUESTION, AccessFilter(frozenset())) == []
