"""Model servers that send bytes without end, and nothing in them: every call ends, with an error that says why."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.ollama import OllamaModel
from appliance.inference.openai_compatible import OpenAICompatibleModel
from appliance.inference.port import Generation, Message, MessageRole
from appliance.inference.watch import CHARACTERS_PER_TOKEN, Watch, WatchedTransport
from tests.appliance.inference.misbehaving_server import (
    STALL,
    MisbehavingServer,
    answer,
    chunk,
    chunked_head,
    endless,
    misbehaving_server,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

QUESTION = (Message(MessageRole.USER, "How long are invoices kept?"),)
GENERATION = Generation(context_tokens=2048, max_tokens=16, time_s=30)
TOKEN_TIMEOUT_S = 0.5
LONG_S = 60.0
NO_WORD = "sent nothing of an answer for 0.5 seconds"
NO_END = "4 MB without coming to the end of a line"

HEAD, EVENTS = chunked_head("application/x-ndjson"), chunked_head("text/event-stream")
TAGS = answer(b'{"models": [{"name": "tiny:latest", "digest": "00"}]}')
SHOWN, MODELS = answer(b"{}"), answer(b'{"object": "list", "data": [{"id": "tiny", "object": "model"}]}')


def line(**message: str) -> bytes:
    """A part of Ollama's answer."""
    return chunk(json.dumps({"message": message, "done": False}).encode() + b"\n")


def event(finish: str | None = None, /, **delta: str | None) -> bytes:
    """A part of the answer of another server."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return chunk(b"data: " + json.dumps({"id": "1", "choices": choices}).encode() + b"\n\n")


THOUGHT, WORD = line(content="", thinking="Hm. "), line(content="on ")
OPEN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
BLOCK = chunk(b"x" * 65536)


@contextmanager
def ollama(
    paths: Mapping[str, Iterable[bytes]], *, token_timeout_s: float = TOKEN_TIMEOUT_S
) -> Iterator[tuple[OllamaModel, MisbehavingServer]]:
    """An Ollama that answers as it should, but for these paths."""
    answers = {"/api/tags": [TAGS], "/api/show": [SHOWN], **{f"/api/{path}": parts for path, parts in paths.items()}}
    with misbehaving_server(answers) as server:
        model = OllamaModel(
            server.url, "tiny", context_tokens=2048, connect_timeout_s=5, token_timeout_s=token_timeout_s
        )
        yield model, server
        model.close()


@contextmanager
def openai(
    chat: Iterable[bytes], models: Iterable[bytes] = (MODELS,), *, token_timeout_s: float = TOKEN_TIMEOUT_S
) -> Iterator[OpenAICompatibleModel]:
    """A server that speaks the other API, with this for an answer."""
    with misbehaving_server({"/v1/models": models, "/v1/chat/completions": chat}) as server:
        model = OpenAICompatibleModel(
            f"{server.url}/v1", "tiny", "", context_tokens=2048, token_timeout_s=token_timeout_s
        )
        yield model
        model.close()


@pytest.mark.parametrize(
    ("chat", "why"),
    [
        (lambda: endless(chunk(b"\n"), HEAD), NO_WORD),
        (lambda: endless(chunk(b" "), HEAD), NO_WORD),
        (lambda: endless(chunk(b"\n"), HEAD, THOUGHT), NO_WORD),
        (lambda: endless(line(content=""), HEAD, WORD), NO_WORD),
        (lambda: endless(line(content=" \n"), HEAD, WORD), NO_WORD),
        (lambda: endless(line(content="\N{ZERO WIDTH SPACE}"), HEAD, WORD), NO_WORD),
        (lambda: endless(line(content="", thinking="\n"), HEAD), NO_WORD),
        (lambda: endless(b"x", OPEN_HEAD), NO_WORD),
        (lambda: endless(b"HTTP/1.1 100 Continue\r\n\r\n"), NO_WORD),
        (lambda: endless(chunk(b"x"), HEAD.replace(b"200 OK", b"500 Oh")), NO_WORD),
    ],
    ids=[
        "blank lines",
        "blanks",
        "lines after a part",
        "empty parts",
        "parts of blanks",
        "parts that no screen shows",
        "blank thinking",
        "head",
        "heads",
        "refusal",
    ],
)
def test_an_ollama_that_never_stops_is_ended(chat: Callable[[], Iterator[bytes]], why: str) -> None:
    with ollama({"chat": chat()}) as (model, server):
        with pytest.raises(ModelUnavailable, match=why):
            list(model.stream(QUESTION, GENERATION))
        assert server.peer_left.wait(10)


@pytest.mark.parametrize(
    ("chat", "why"),
    [
        (lambda: endless(chunk(b": ping\n\n"), EVENTS), NO_WORD),
        (lambda: endless(chunk(b": ping\n"), EVENTS), NO_WORD),
        (lambda: endless(event(), EVENTS, event(content="on ")), NO_WORD),
        (lambda: endless(event(content=""), EVENTS, event(content="on ")), NO_WORD),
        (lambda: endless(event(content=" \n"), EVENTS, event(content="on ")), NO_WORD),
        (lambda: endless(event(content=" \n"), EVENTS, event(content="<think>")), NO_WORD),
        (lambda: endless(event(reasoning_content="\n"), EVENTS), NO_WORD),
        (lambda: endless(b"x", OPEN_HEAD), NO_WORD),
        (lambda: endless(chunk(b"x"), EVENTS.replace(b"200 OK", b"500 Oh")), NO_WORD),
    ],
    ids=[
        "comments",
        "comments without an end",
        "parts without a text",
        "empty parts",
        "parts of blanks",
        "blank thinking in the answer",
        "blank thinking",
        "head",
        "refusal",
    ],
)
def test_an_openai_compatible_server_that_never_stops_is_ended(chat: Callable[[], Iterator[bytes]], why: str) -> None:
    with openai(chat()) as model, pytest.raises(ModelUnavailable, match=why):
        list(model.stream(QUESTION, GENERATION))


@pytest.mark.parametrize("part", [chunk(b"\n"), THOUGHT])
def test_an_answer_has_its_time_and_no_more(part: bytes) -> None:
    """As a follow-up is rewritten: in less time than a model may be silent."""
    generation = replace(GENERATION, max_tokens=1000, time_s=0.5)
    late = pytest.raises(ModelUnavailable, match=r"did not finish its answer in 0\.5 seconds")
    with ollama({"chat": endless(part, HEAD)}, token_timeout_s=LONG_S) as (model, _), late:
        list(model.stream(QUESTION, generation))


@pytest.mark.parametrize("head", [HEAD, HEAD.replace(b"200 OK", b"500 Oh")])
@pytest.mark.parametrize("path", ["chat", "tags", "show"])
def test_a_line_without_an_end_is_not_kept(path: str, head: bytes) -> None:
    parts = {path: endless(BLOCK, head, pause_s=0)}
    with ollama(parts, token_timeout_s=LONG_S) as (model, _), pytest.raises(ModelUnavailable, match=NO_END):
        list(model.stream(QUESTION, GENERATION)) if path == "chat" else model.card()


@pytest.mark.parametrize("head", [EVENTS, EVENTS.replace(b"200 OK", b"500 Oh")])
@pytest.mark.parametrize("is_list", [False, True])
def test_an_event_or_a_list_without_an_end_is_not_kept(is_list: bool, head: bytes) -> None:
    flood = endless(BLOCK, head, pause_s=0)
    listed = flood if is_list else [MODELS]
    with openai(flood, listed, token_timeout_s=LONG_S) as model, pytest.raises(ModelUnavailable, match=NO_END):
        list(model.stream(QUESTION, GENERATION))


@pytest.mark.parametrize("path", ["tags", "show"])
def test_a_plain_request_to_ollama_has_its_time_and_no_more(path: str) -> None:
    with ollama({path: endless(chunk(b" "), HEAD)}) as (model, _), pytest.raises(ModelUnavailable, match=NO_WORD):
        model.card()


def test_a_list_of_models_has_its_time_and_no_more() -> None:
    with openai([], endless(chunk(b" "), HEAD)) as model, pytest.raises(ModelUnavailable, match=NO_WORD):
        model.card()


@pytest.mark.parametrize("part", [THOUGHT, chunk(b"\n"), STALL])
def test_a_call_for_which_nobody_waits_any_more_is_ended(part: bytes) -> None:
    left = threading.Event()
    generation = replace(GENERATION, max_tokens=1000, is_wanted=lambda: not left.is_set())
    parts = [HEAD, WORD, STALL] if part == STALL else endless(part, HEAD, WORD)
    with ollama({"chat": parts}, token_timeout_s=LONG_S) as (model, server):
        pieces = model.stream(QUESTION, generation)
        assert next(pieces) == "on "
        left.set()
        with pytest.raises(ModelUnavailable, match="was stopped before the end"):
            list(pieces)
        assert server.peer_left.wait(10)


@pytest.mark.parametrize("path", ["tags", "show"])
def test_nobody_waits_for_an_ollama_that_does_not_tell_of_its_model(path: str) -> None:
    left = threading.Event()
    generation = replace(GENERATION, time_s=LONG_S, is_wanted=lambda: not left.is_set())
    with ollama({path: [STALL]}, token_timeout_s=LONG_S) as (model, server):
        threading.Timer(0.2, left.set).start()
        with pytest.raises(ModelUnavailable, match="was stopped before the end"):
            model.card(generation)
        assert server.peer_left.wait(10)


def test_nobody_waits_for_a_list_of_models() -> None:
    left = threading.Event()
    generation = replace(GENERATION, time_s=LONG_S, is_wanted=lambda: not left.is_set())
    with openai([], [STALL], token_timeout_s=LONG_S) as model:
        threading.Timer(0.2, left.set).start()
        with pytest.raises(ModelUnavailable, match="was stopped before the end"):
            list(model.stream(QUESTION, generation))


def test_a_model_is_asked_for_no_longer_than_what_it_is_asked_for_may_take() -> None:
    late = pytest.raises(ModelUnavailable, match=r"did not finish its answer in 0\.5 seconds")
    with ollama({"show": [STALL]}, token_timeout_s=LONG_S) as (model, _), late:
        model.card(replace(GENERATION, time_s=0.5))


@pytest.mark.parametrize(("silence_s", "error"), [(LONG_S, ModelUnavailable), (0.5, httpx.WriteTimeout)])
def test_nobody_waits_for_a_server_that_does_not_read_the_request(silence_s: float, error: type[Exception]) -> None:
    left = threading.Event()
    generation = replace(GENERATION, time_s=LONG_S, is_wanted=lambda: silence_s < LONG_S or not left.is_set())
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        httpx.Client(transport=WatchedTransport(), trust_env=False) as client,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        threading.Timer(0.2, left.set).start()
        with pytest.raises(error):
            client.post(address, content=b"x" * 2**25, timeout=httpx.Timeout(Watch(silence_s, generation)))


def test_a_long_request_arrives_as_it_is() -> None:
    body = random.Random(1).randbytes(2**23)
    with (
        misbehaving_server({"/": [answer(b"{}")]}) as server,
        httpx.Client(transport=WatchedTransport(), trust_env=False) as client,
    ):
        asked = client.post(f"{server.url}/", content=body, timeout=httpx.Timeout(Watch(LONG_S)))
        assert asked.json() == {}
        assert server.requests[0].endswith(body)


@pytest.mark.parametrize("other", [False, True])
def test_a_model_may_think_for_longer_than_it_may_be_silent(other: bool) -> None:
    """Thinking that never ends is ended by the time of the answer, or by the tokens it may have."""

    def chat(head: bytes, thought: bytes, *ending: bytes) -> Iterator[bytes]:
        yield head
        for _ in range(20):
            yield thought
            time.sleep(0.3)  # 6 s in all, and never a second without a word
        yield from ending

    generation = replace(GENERATION, max_tokens=1000)
    if other:
        ending = event(content="</think>on "), event("stop"), chunk(b"")
        with openai(
            chat(EVENTS + event(content="<think>"), event(content="Hm. "), *ending), token_timeout_s=5
        ) as model:
            assert "".join(model.stream(QUESTION, generation)) == "on "
    else:
        done = chunk(b'{"message": {"content": ""}, "done": true}\n')
        with ollama({"chat": chat(HEAD, THOUGHT, WORD, done)}, token_timeout_s=5) as (thinking, _):
            assert "".join(thinking.stream(QUESTION, generation)) == "on "


@pytest.mark.parametrize("text", ["on ", "o", "\u5e74", "x" * 20_000])
def test_a_server_that_heeds_no_limit_of_tokens_is_ended(text: str) -> None:
    with ollama({"chat": endless(line(content=text), HEAD, pause_s=0)}) as (model, _):
        _require_an_end(model)
    with openai(endless(event(content=text), EVENTS, pause_s=0)) as other:
        _require_an_end(other)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_thinking_has_no_more_tokens_than_an_answer(name: str) -> None:
    if name == "thinking":
        with ollama({"chat": endless(line(thinking="Hm. "), HEAD, pause_s=0)}) as (model, _):
            _require_an_end(model)
    else:
        with openai(endless(event(**{name: "Hm. "}), EVENTS, pause_s=0)) as other:
            _require_an_end(other)


def test_thinking_that_is_sent_under_two_names_counts_once() -> None:
    thought = event(reasoning_content="Hm. ", reasoning="Hm. ") * 50  # 200 characters of the 256 for 16 tokens
    with openai(iter([EVENTS, thought, event(content="on "), event("stop"), chunk(b"")])) as model:
        assert "".join(model.stream(QUESTION, GENERATION)) == "on "


def _require_an_end(model: OllamaModel | OpenAICompatibleModel) -> None:
    shown = 0
    with pytest.raises(ModelUnavailable, match="wrote on after the 16 tokens"):
        for piece in model.stream(QUESTION, GENERATION):
            shown += len(piece)
    assert shown <= CHARACTERS_PER_TOKEN * GENERATION.max_tokens


def test_what_a_server_packs_unasked_is_not_unpacked() -> None:
    packed = answer(gzip.compress(b" " * 2**20 + b"{}"), content_type="application/json\r\nContent-Encoding: gzip")
    with ollama({"tags": [packed]}) as (model, server):
        with pytest.raises(ModelUnavailable, match="does not answer like Ollama"):
            model.card()
        assert b"accept-encoding: identity" in server.requests[0].lower()


def test_what_is_nested_without_end_is_no_answer() -> None:
    with ollama({"tags": [answer(b"[" * 200_000)]}) as (model, _), pytest.raises(ModelUnavailable, match="like Ollama"):
        model.card()
