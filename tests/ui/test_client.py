"""The client speaks to a real server on the loopback, and says what went wrong in one sentence."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

import ui
from appliance.api.app import _API
from appliance.api.schemas.asking import AnswerOut, FeedbackIn, PassagesOut, StartedOut, TokenOut
from appliance.api.schemas.people import SESSION_COOKIE, NewPassword, PersonPatch
from appliance.api.schemas.shapes import Problem
from appliance.api.schemas.sources import SourceIn
from appliance.domain import AnswerKind, Role
from tests.ui.api_standin import Standin, create_api
from ui.client import ApiProblem, Client, checked

pytestmark = pytest.mark.integration


class Served:
    """An ASGI app on a free loopback port, in a thread."""

    def __init__(self, app: FastAPI) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture(scope="module")
def state() -> Standin:
    return Standin()


@pytest.fixture(scope="module")
def base_url(state: Standin) -> Iterator[str]:
    with Served(create_api(state)) as url:
        yield url


@pytest.fixture
def employee(base_url: str) -> Client:
    return Client(base_url, "erin")


def test_the_stand_in_has_the_routes_and_statuses_of_the_api() -> None:
    real, stand_in = _operations(_API, "/api"), _operations([create_api(Standin()).router], "")
    assert {operation: real.get(operation) for operation in stand_in} == stand_in


def _operations(routers: Iterable[APIRouter], prefix: str) -> dict[tuple[str, str], set[str]]:
    """Method and path of every operation, the names of its parameters left out, with its statuses of success."""
    app = FastAPI()
    for router in routers:
        app.include_router(router, prefix=prefix)
    return {
        (method, re.sub(r"{[^}]*}", "{}", path)): {status for status in operation["responses"] if status < "3"}
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_the_session_travels_with_every_call(employee: Client) -> None:
    me = employee.me()
    assert me.name == "erin"
    assert me.roles == [Role.EMPLOYEE]


def test_without_a_session_the_problem_says_to_sign_in(base_url: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        Client(base_url, "").me()
    assert refused.value.signed_out
    assert refused.value.message == "Sign in first."


def test_a_session_that_would_end_the_header_is_not_sent(base_url: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        Client(base_url, "erin\r\nX-Evil: 1").me()
    assert refused.value.signed_out


def test_the_parts_of_an_answer_arrive_in_order(employee: Client, state: Standin) -> None:
    parts = list(employee.ask("How long?"))
    assert isinstance(parts[0], StartedOut)
    assert isinstance(parts[1], PassagesOut)
    assert isinstance(parts[-1], AnswerOut)
    tokens = [part.text for part in parts if isinstance(part, TokenOut)]
    assert "".join(tokens).strip() == state.answer.strip()
    assert parts[-1].kind is AnswerKind.GENERATED


def test_a_problem_in_the_middle_of_an_answer_is_raised(employee: Client, state: Standin) -> None:
    state.fail_ask_with = Problem(code="model_unavailable", message="The model does not answer. Start it.")
    try:
        with pytest.raises(ApiProblem) as raised:
            list(employee.ask("How long?"))
    finally:
        state.fail_ask_with = None
    assert raised.value.code == "model_unavailable"
    assert raised.value.message == "The model does not answer. Start it."


def test_an_empty_question_is_refused_before_it_is_sent(employee: Client) -> None:
    with pytest.raises(ApiProblem, match="Question must not be empty"):
        list(employee.ask("  "))


@pytest.mark.parametrize("identifier", ["../session", "..", "../", "a/b", "", "x?y=1", "x#y"])
def test_an_identifier_cannot_climb_out_of_its_path(employee: Client, identifier: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        employee.conversation(identifier)
    assert refused.value.status == 404


def test_history_feedback_and_deletion_go_round(employee: Client, state: Standin) -> None:
    answer = list(employee.ask("Round trip?"))[-1]
    assert isinstance(answer, AnswerOut)
    employee.give_feedback(answer.query_id, FeedbackIn(verdict="down", comment="thin"))
    assert state.feedback[-1] == (answer.query_id, FeedbackIn(verdict="down", comment="thin"))
    assert answer.conversation_id in [entry.id for entry in employee.conversations()]
    assert employee.conversation(answer.conversation_id).turns[0].question == "Round trip?"
    employee.delete_conversation(answer.conversation_id)
    assert answer.conversation_id not in [entry.id for entry in employee.conversations()]


def test_empty_filters_are_left_out_of_the_address(employee: Client, state: Standin) -> None:
    employee.documents(text="claims", source="", limit=5)
    assert state.requests[-1][2] == {"text": "claims", "limit": "5", "offset": "0"}


def test_a_patch_sends_only_what_it_sets(base_url: str, state: Standin) -> None:
    admin = Client(base_url, "adam")
    before = next(person for person in admin.people() if person.name == "cora")
    admin.change_person(before.id, PersonPatch(groups=["legal"]))
    after = next(person for person in admin.people() if person.name == "cora")
    assert after == before.model_copy(update={"groups": ["legal"]})


def test_every_page_of_the_admin_and_the_officer_can_be_read(base_url: str) -> None:
    admin, officer = Client(base_url, "adam"), Client(base_url, "cora")
    assert [source.name for source in admin.sources()] == ["Policies", "Handbooks", "Contracts"]
    assert admin.files(state="failed").total == 6  # of the states in turn
    assert admin.health().checks
    run = admin.sync("s-1")
    assert run.id in [item.id for item in admin.runs()]
    assert admin.set_password("p-erin", NewPassword()).password
    entries = officer.queries({"kind": "generated", "text": ""}, limit=3)
    assert len(entries.queries) == 3
    assert officer.query(entries.queries[0].query_id).passages
    assert officer.events(before=890).events[0].seq < 890
    assert officer.verify_log().ok


def test_what_is_wrong_with_an_entry_is_said_without_repeating_it() -> None:
    with pytest.raises(ApiProblem) as refused:
        checked(SourceIn, name="x", path="/srv", groups=["no/slash"])
    assert refused.value.message.startswith("Groups (number 1) must be ")
    assert "no/slash" not in refused.value.message


def _api(*, body: bytes, content_type: str = "text/event-stream", status: int = 200) -> FastAPI:
    app = FastAPI()

    @app.post("/api/ask")
    def ask() -> StreamingResponse:
        # one byte at a time: lines and characters may be cut anywhere
        return StreamingResponse((body[n : n + 1] for n in range(len(body))), status, media_type=content_type)

    @app.get("/api/session")
    def session() -> PlainTextResponse:
        return PlainTextResponse("<html>secret of a proxy</html>", 502)

    return app


def test_a_line_separator_inside_a_token_does_not_end_the_event() -> None:
    token = json.dumps({"text": "a\u2028b\u0085c\u2029d é"}, ensure_ascii=False)
    with Served(_api(body=f": comment\r\nevent: token\r\ndata: {token}\r\n\r\n".encode())) as url:
        assert list(Client(url, "x").ask("q")) == [TokenOut(text="a\u2028b\u0085c\u2029d é")]


def test_an_unreadable_answer_is_one_sentence_and_holds_nothing_of_it() -> None:
    with Served(_api(body=b'event: token\ndata: {"words": "secret"}\n\n')) as url:
        with pytest.raises(ApiProblem) as raised:
            list(Client(url, "x").ask("q"))
        assert raised.value.code == "unreadable"
        assert "secret" not in str(raised.value)
        assert raised.value.__cause__ is None
        with pytest.raises(ApiProblem) as raised:
            Client(url, "x").me()
        assert raised.value.status == 502
        assert "secret" not in raised.value.message


def test_an_appliance_that_does_not_answer_is_said_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ApiProblem) as raised:
        Client(f"http://127.0.0.1:{port}", "x").me()
    assert raised.value.code == "unreachable"


def test_the_name_of_the_cookie_is_written_once_and_not_in_the_screens() -> None:
    screens = Path(ui.__file__).parent.rglob("*.py")
    assert [file.name for file in screens if SESSION_COOKIE in file.read_text("utf-8")] == []
