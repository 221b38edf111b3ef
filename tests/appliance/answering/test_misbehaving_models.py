"""Model servers over a real socket that return nothing, rubbish, or never stop: a clear answer each, in time."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.answering.answerer import Answered, Answerer
from appliance.audit.entries import AnswerClosed
from appliance.audit.log import QueryLog
from appliance.config import ModelSettings, RetrievalSettings
from appliance.domain import AccessFilter, Answer, AnswerKind, Conversation, Hit, Principal, Role
from appliance.inference.openai_compatible import OpenAICompatibleModel
from appliance.labels import NO_LEVEL
from tests.data.builders import ToyEmbedder, make_hit

pytestmark = pytest.mark.integration

READER = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), frozenset(), frozenset({NO_LEVEL}))
LIMIT_S = 1.0
Deltas = Callable[[], Iterator[dict[str, str] | None]]


class Found:
    """Stands for the retriever."""

    def admits(self, hits: Iterable[Hit], earlier: Collection[str], access: AccessFilter) -> bool:
        return True

    def retrieve(self, question: str, access: AccessFilter, **_: object) -> list[Hit]:
        return [make_hit("Invoices are kept for ten years.")]


@contextmanager
def server(deltas: Deltas) -> Iterator[str]:
    """An OpenAI-compatible server that streams these deltas (None: a comment), while they come and somebody listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            body = b'{"object": "list", "data": [{"id": "tiny", "object": "model"}]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for delta in deltas():
                    if delta is None:
                        self.wfile.write(b": ping\n\n")
                    else:
                        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                gone.set()

        def _event(self, body: dict[str, object]) -> None:
            self.wfile.write(
                b"data: " + json.dumps({"id": "1", "object": "chat.completion.chunk", **body}).encode() + b"\n\n"
            )
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    gone = threading.Event()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}/v1"
    finally:
        listening.shutdown()
        listening.server_close()


def answered(tmp_path: Path, deltas: Deltas) -> tuple[Answer, AnswerClosed, float]:
    """What the reader is left with, what is on record, and how long it took."""
    with server(deltas) as url, QueryLog(tmp_path / "log" / "queries.db") as log:
        model = OpenAICompatibleModel(url, "tiny", "", context_tokens=4096, connect_timeout_s=2, token_timeout_s=5)
        answerer = Answerer(
            retriever=Found(),  # type: ignore[arg-type]
            log=log,
            embedder=ToyEmbedder(),
            model=model,
            model_expected=True,
            model_settings=ModelSettings(context_tokens=4096, max_answer_tokens=256, answer_timeout_s=LIMIT_S),
            settings=RetrievalSettings(),
        )
        started = time.monotonic()
        *_, last = answerer.ask("How long are invoices kept?", READER, Conversation("c"), origin="test")
        took = time.monotonic() - started
        model.close()
        closed = log.entry(log.size() - 1).entry
    assert isinstance(last, Answered) and isinstance(closed, AnswerClosed)
    return last.answer, closed, took


def endless_text() -> Iterator[dict[str, str]]:
    for number in itertools.count():
        yield {"content": f"Sentence {number} about invoices. "}
        time.sleep(0.005)


def endless_thinking() -> Iterator[dict[str, str]]:
    for number in itertools.count():
        yield {"content": "", "reasoning_content": f"Hm {number}. "}
        time.sleep(0.005)


def endless_inner_thinking() -> Iterator[dict[str, str]]:
    yield {"content": "<think>"}
    yield from endless_text()


def endless_comments() -> Iterator[None]:
    while True:
        yield None
        time.sleep(0.005)


def silent_from_the_second_word() -> Iterator[dict[str, str]]:
    yield {"content": "Invoices "}
    time.sleep(30)


@pytest.mark.parametrize(
    "deltas", [endless_text, endless_thinking, endless_inner_thinking, endless_comments, silent_from_the_second_word]
)
def test_a_model_that_never_stops_is_ended_and_the_passages_are_quoted(tmp_path: Path, deltas: Deltas) -> None:
    answer, closed, took = answered(tmp_path, deltas)
    assert took < LIMIT_S + 60  # a busy machine is slow to notice
    assert answer.kind is AnswerKind.EXTRACTIVE
    assert "ten years" in answer.text
    assert any("The passages themselves are quoted instead." in notice for notice in answer.notices)
    if closed.withdrawn:
        assert any("is not shown" in notice for notice in answer.notices)
    assert closed.error == ""


def test_a_model_that_repeats_itself_is_ended_before_its_time(tmp_path: Path) -> None:
    answer, closed, _ = answered(tmp_path, lambda: itertools.repeat({"content": "Invoices are kept. "}))
    assert any("circles" in notice for notice in answer.notices)
    assert closed.withdrawn.startswith("Invoices are kept. Invoices are kept.")


@pytest.mark.parametrize("said", [[], [""], [" ", "\n"], ["\x00\x01"], ["🙂"]])
def test_a_model_that_says_nothing_is_replaced(tmp_path: Path, said: list[str]) -> None:
    answer, _, _ = answered(tmp_path, lambda: iter([{"content": piece} for piece in said]))
    assert answer.kind is AnswerKind.EXTRACTIVE
    assert any("nothing that can be read" in notice for notice in answer.notices)


def test_rubbish_is_shown_as_what_it_is(tmp_path: Path) -> None:
    answer, closed, _ = answered(tmp_path, lambda: iter([{"content": "qzx vrtp klmn ghjk [7] wrst"}]))
    assert answer.unknown_markers == (7,)
    assert answer.citations == ()
    assert any("names no passage" in notice for notice in answer.notices)
    assert closed.checked is not None
    assert closed.checked.score == 0.0
