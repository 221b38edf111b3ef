"""The client of OpenAI-compatible servers: against llama.cpp's own HTTP server, and against one that misbehaves."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from appliance.errors import ConfigurationError, ContextOverflow, ModelUnavailable
from appliance.inference.openai_compatible import OpenAICompatibleModel
from appliance.inference.port import Generation, Message, MessageRole
from appliance.inference.token_bound import at_most_tokens
from appliance.inference.wire import Ending
from tests.appliance.inference.misbehaving_server import (
    RESET,
    STALL,
    MisbehavingServer,
    answer,
    chunk,
    chunked_head,
    misbehaving_server,
    unused_url,
)

pytestmark = pytest.mark.integration

GENERATION = Generation(context_tokens=1024, max_tokens=16)
SECRET = "Zinnober"  # a word of the question; it may turn up in no error and no log
QUESTION = (Message(MessageRole.SYSTEM, "Answer briefly."), Message(MessageRole.USER, f"Where is {SECRET} kept?"))
MODELS = answer(json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 900}]}).encode())
EVENTS = chunked_head("text/event-stream")


@pytest.fixture(scope="module")
def model(llama_server: str) -> Iterator[OpenAICompatibleModel]:
    model = OpenAICompatibleModel(llama_server, "", "", context_tokens=8192)
    yield model
    model.close()


def test_the_answer_of_a_real_server_comes_in_pieces_and_is_the_same_every_time(model: OpenAICompatibleModel) -> None:
    pieces = list(model.stream(QUESTION, GENERATION))
    assert len(pieces) > 5
    assert "".join(pieces) == "".join(model.stream(QUESTION, GENERATION))


def test_without_a_name_the_first_model_of_the_server_is_used(model: OpenAICompatibleModel) -> None:
    card = model.card()
    assert (card.provider, card.name, card.context_tokens) == ("openai", "tiny", 1024)


def test_an_unknown_name_is_refused(llama_server: str) -> None:
    model = OpenAICompatibleModel(llama_server, "other", "", context_tokens=1024)
    with pytest.raises(ModelUnavailable, match="Model 'other' is not on the server"):
        model.card()


def test_a_prompt_that_does_not_fit_is_refused_before_it_is_sent(model: OpenAICompatibleModel) -> None:
    with pytest.raises(ContextOverflow, match="window has 1,024"):
        next(model.stream((Message(MessageRole.USER, "records " * 2000),), GENERATION))


def test_a_real_servers_word_that_the_prompt_is_too_long_is_an_overflow(model: OpenAICompatibleModel) -> None:
    # This vocabulary of 464 tokens defeats the bound, as no vocabulary of a real model does.
    message = Message(MessageRole.USER, "xqzjwkvb " * 160)
    assert at_most_tokens(message.content) < GENERATION.context_tokens - 150
    with pytest.raises(ContextOverflow, match="longer than the window"):
        list(model.stream((message,), GENERATION))


def test_closing_the_iterator_frees_the_server(model: OpenAICompatibleModel) -> None:
    for _ in range(3):
        pieces = model.stream(QUESTION, replace(GENERATION, max_tokens=800))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
    assert list(model.stream(QUESTION, GENERATION))


def test_nobody_listening_is_reported_with_what_to_do() -> None:
    model = OpenAICompatibleModel(unused_url() + "/v1", "m", "", context_tokens=1024)
    with pytest.raises(ModelUnavailable, match=r"Start it, or set model\.base_url"):
        model.card()


def _event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    part = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", **more}
    part["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return chunk(b"data: " + json.dumps(part).encode() + b"\n\n")


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _stream_from(parts: list[bytes], **options: Any) -> tuple[list[str], MisbehavingServer, BaseException | None]:
    with misbehaving_server({"/v1/models": [MODELS], "/v1/chat/completions": parts}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "m", "", context_tokens=1024, **options)
        pieces: list[str] = []
        try:
            for piece in model.stream(QUESTION, GENERATION):
                pieces.append(piece)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return pieces, server, error
        finally:
            model.close()
        return pieces, server, None


END = [chunk(b"data: [DONE]\n\n"), chunk(b"")]


@pytest.mark.parametrize(
    "ending",
    [
        [],
        [RESET],
        [chunk(b"")],
        END,
        [chunk(b"data: {not json\n\n")],
        [chunk(b'data: {"error": {"message": "Zinnober", "code": 500}}\n\n')],
        [chunk(b'data: {"choices": [7]}\n\n')],
        [chunk(b"data: [1, 2]\n\n")],
    ],
    ids=["closed", "reset", "no finish", "done without finish", "not JSON", "error", "other shape", "a list"],
)
def test_a_stream_that_does_not_end_as_it_should_is_an_error(ending: list[bytes]) -> None:
    pieces, _, error = _stream_from([EVENTS, _event({"content": "In the"}), *ending])
    assert pieces == ["In the"]
    assert type(error) is ModelUnavailable
    assert SECRET not in str(error)


def test_silence_is_an_error_after_the_time_allowed() -> None:
    pieces, _, error = _stream_from([EVENTS, _event({"content": "In"}), STALL], token_timeout_s=0.3)
    assert pieces == ["In"]
    assert type(error) is ModelUnavailable
    assert "sent nothing of an answer for 0.3 seconds" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        ("400 Bad Request", "This model's maximum context length is 900 tokens.", ContextOverflow, "longer than"),
        (
            "400 Bad Request",
            "The decoder prompt is longer than the maximum model length of 9",
            ContextOverflow,
            "longer",
        ),
        ("400 Bad Request", "input_value: Zinnober", ModelUnavailable, "error 400"),
        ("401 Unauthorized", "no", ModelUnavailable, "refuses our key"),
        ("404 Not Found", "no", ModelUnavailable, "no such model"),
        ("429 Too Many Requests", "no", ModelUnavailable, "busy"),
        ("500 Internal Server Error", "Zinnober", ModelUnavailable, "error 500"),
        ("503 Service Unavailable", "Loading model", ModelUnavailable, "busy or loading"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "", ModelUnavailable, "error 302"),
    ],
)
def test_a_refusal_is_named_and_quotes_nobody(status: str, body: str, expected: type, words: str) -> None:
    text = json.dumps({"error": {"message": body, "type": "error", "code": 1}}).encode()
    _, server, error = _stream_from([answer(text, status=status)])
    assert type(error) is expected
    assert words in str(error)
    assert SECRET not in str(error)
    assert error.__cause__ is None and error.__suppress_context__  # a traceback in the log would quote it
    assert len(server.requests) == 2  # the list of models and one attempt


def test_a_server_that_is_something_else_is_reported() -> None:
    with misbehaving_server({"/v1/models": [answer(b"<html>hello</html>", content_type="text/html")]}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "", "", context_tokens=1024)
        with pytest.raises(ModelUnavailable, match="does not answer like"):
            model.card()


def test_a_server_without_a_model_is_reported() -> None:
    with misbehaving_server({"/v1/models": [answer(b'{"object": "list", "data": []}')]}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "", "", context_tokens=1024)
        with pytest.raises(ModelUnavailable, match="serves no model"):
            model.card()


def test_a_prompt_that_the_server_cut_is_an_overflow() -> None:
    finish = _event({}, "stop", usage=_usage(3, 2))  # the question has six words
    pieces, _, error = _stream_from([EVENTS, _event({"content": "In"}), finish, *END])
    assert pieces == ["In"]
    assert type(error) is ContextOverflow
    assert "cut the prompt" in str(error)


def test_an_answer_that_ended_for_want_of_room_is_an_overflow() -> None:
    _, _, error = _stream_from([EVENTS, _event({"content": "In"}), _event({}, "length", usage=_usage(40, 5)), *END])
    assert type(error) is ContextOverflow


def test_an_answer_of_the_length_asked_for_is_whole() -> None:
    parts = [EVENTS, _event({"content": "In"}), _event({}, "length", usage=_usage(40, GENERATION.max_tokens)), *END]
    assert _stream_from(parts)[2] is None


@pytest.mark.parametrize("reason", ["length", "stop"])
def test_the_server_tells_whether_an_answer_was_cut(reason: str) -> None:
    finish = _event({}, reason, usage=_usage(40, GENERATION.max_tokens))
    parts = [EVENTS, _event({"content": "In"}), finish, *END]
    with misbehaving_server({"/v1/models": [MODELS], "/v1/chat/completions": parts}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "m", "", context_tokens=1024)
        ending = Ending(model.stream(QUESTION, GENERATION))
        assert "".join(ending) == "In"
        model.close()
    assert ending.is_cut is (reason == "length")


def test_thinking_is_never_shown() -> None:
    parts = [_event({"reasoning_content": "hm"}), _event({"content": "<thi"}), _event({"content": "nk>hm</think>\nIn"})]
    pieces, _, error = _stream_from([EVENTS, *parts, _event({"content": " A"}), _event({}, "stop"), *END])
    assert error is None
    assert "".join(pieces) == "In A"


def test_the_request_says_everything_and_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    _, server, error = _stream_from([EVENTS, _event({"content": "In"}), _event({}, "stop"), *END])
    assert error is None
    head, body = server.requests[-1].split(b"\r\n\r\n", 1)
    assert b"from-the-environment" not in head
    sent = json.loads(body)
    assert sent["messages"] == [{"role": message.role.value, "content": message.content} for message in QUESTION]
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (16, 0.0, 0)
    assert "tools" not in sent


def test_the_key_is_sent_as_a_bearer_token() -> None:
    with misbehaving_server({"/v1/models": [MODELS]}) as server:
        OpenAICompatibleModel(server.url + "/v1", "", "sesame", context_tokens=1024).card()
    assert b"authorization: bearer sesame" in server.requests[0].lower()


def test_the_question_is_not_logged_even_at_the_lowest_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert _stream_from([EVENTS, _event({"content": "In"}), _event({}, "stop"), *END])[2] is None
    assert caplog.records  # something is logged, so the next line means something
    assert SECRET not in caplog.text


def test_the_servers_window_is_respected() -> None:
    with misbehaving_server({"/v1/models": [MODELS]}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "", "", context_tokens=8192)
        assert model.card().context_tokens == 900
        with pytest.raises(ContextOverflow, match="window has 900"):
            next(model.stream(QUESTION, replace(GENERATION, context_tokens=8192, max_tokens=880)))


def _model_with_tokenizer(tokens: bytes) -> tuple[OpenAICompatibleModel, MisbehavingServer, ExitStack]:
    stack = ExitStack()
    parts = [EVENTS, _event({"content": "In"}), _event({}, "stop"), *END]
    answers = {"/v1/models": [MODELS], "/tokenize": [tokens], "/v1/chat/completions": parts}
    server = stack.enter_context(misbehaving_server(answers))
    model = OpenAICompatibleModel(server.url + "/v1", "", "", context_tokens=8192)
    stack.callback(model.close)
    return model, server, stack


def test_a_prompt_that_fits_by_the_servers_own_count_is_sent() -> None:
    content = "records " * 300
    assert at_most_tokens(content) > 900  # the window
    model, server, stack = _model_with_tokenizer(answer(json.dumps({"tokens": [7] * 310}).encode()))
    with stack:
        assert model.card().context_tokens == 900
        assert model.count_tokens(content) == 310
        assert list(model.stream((Message(MessageRole.USER, content),), GENERATION)) == ["In"]
        assert [request.split(b" ")[1] for request in server.requests] == [
            b"/v1/models",
            b"/tokenize",
            b"/v1/chat/completions",
        ]


def test_a_prompt_that_does_not_fit_by_the_servers_own_count_is_not_sent() -> None:
    content = "records " * 300
    model, server, stack = _model_with_tokenizer(answer(json.dumps({"tokens": [7] * 850}).encode()))
    with stack, pytest.raises(ContextOverflow, match="up to 958 tokens"):
        next(model.stream((Message(MessageRole.USER, content),), GENERATION))
    assert len(server.requests) == 2


def test_a_server_that_cannot_count_is_given_no_more_than_the_bound_allows() -> None:
    model, _, stack = _model_with_tokenizer(answer(b"{}", status="404 Not Found"))
    with stack:
        model.card()
        assert model.count_tokens("records " * 300) == at_most_tokens("records " * 300)
        with pytest.raises(ContextOverflow, match="window has 900"):
            next(model.stream((Message(MessageRole.USER, "records " * 300),), GENERATION))


def test_a_prompt_that_fits_by_the_bound_is_sent_without_a_count() -> None:
    model, server, stack = _model_with_tokenizer(answer(b"{}"))
    with stack:
        assert list(model.stream((Message(MessageRole.USER, "records " * 150),), GENERATION)) == ["In"]
        assert not any(request.startswith(b"POST /tokenize") for request in server.requests)


def test_closing_the_iterator_closes_the_connection() -> None:
    parts = [EVENTS, _event({"content": "In"}), STALL]
    with misbehaving_server({"/v1/models": [MODELS], "/v1/chat/completions": parts}) as server:
        model = OpenAICompatibleModel(server.url + "/v1", "", "", context_tokens=1024)
        pieces = model.stream(QUESTION, GENERATION)
        assert next(pieces) == "In"
        pieces.close()  # type: ignore[attr-defined]
        assert server.peer_left.wait(5)


def test_an_address_that_is_none_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        OpenAICompatibleModel("http://127.0.0.1:port/v1", "", "", context_tokens=1024)
