"""Counts of a server's tokenizer: used where they can be true, over real sockets."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from appliance.inference.server_tokenizer import ServerTokenizer
from appliance.inference.token_bound import at_most_tokens
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

TEXT = "The records of Zinnober are kept for ten years. " * 20
WORDS = 180
LONGER = TEXT * 2
BOUND, BOUND_OF_LONGER = at_most_tokens(TEXT), at_most_tokens(LONGER)


def tokens(count: int) -> bytes:
    return answer(json.dumps({"count": count, "max_model_len": 900, "tokens": [7] * count}).encode())


@contextmanager
def tokenizer(
    *parts: bytes, limit_s: float = 5.0, ask_again_s: float = 300.0
) -> Iterator[tuple[ServerTokenizer, MisbehavingServer]]:
    """A tokenizer, and the server that it asks, which answers with just these bytes."""
    with misbehaving_server({"/tokenize": list(parts)}) as server:
        asks = ServerTokenizer(f"{server.url}/v1", "sesame", limit_s=limit_s, ask_again_s=ask_again_s)
        yield asks, server
        asks.close()


def test_the_server_counts_and_not_the_bound() -> None:
    with tokenizer(tokens(200)) as (asks, _):
        assert asks.count("m", TEXT) == 200 < BOUND


def test_a_real_server_of_llama_cpp_counts_what_its_tokenizer_makes_of_the_text(llama_server: str) -> None:
    asks = ServerTokenizer(llama_server, "")
    count = asks.count("tiny", TEXT)
    assert WORDS < count != BOUND
    assert asks.count("tiny", LONGER) in range(2 * count - 1, 2 * count + 2)
    asks.close()


def test_the_request_says_the_text_as_each_kind_of_server_reads_it() -> None:
    with tokenizer(tokens(200)) as (asks, server):
        asks.count("m", TEXT + "\ud83d")
    head, body = server.requests[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /tokenize ")
    assert b"authorization: bearer sesame" in head.lower()
    sent = json.loads(body)
    assert sent == {"model": "m", "prompt": f"{TEXT}?", "content": f"{TEXT}?", "add_special_tokens": False}


def test_the_tokenizer_stands_beside_the_api_also_below_a_path() -> None:
    with misbehaving_server({"/models/qwen/tokenize": [tokens(200)]}) as server:
        asks = ServerTokenizer(f"{server.url}/models/qwen/v1/", "")
        assert asks.count("m", TEXT) == 200
        asks.close()


def test_a_text_is_counted_once_and_a_short_one_never() -> None:
    with tokenizer(tokens(200)) as (asks, server):
        assert [asks.count("m", TEXT) for _ in range(3)] == [200] * 3
        assert asks.count("m", "How long?") == at_most_tokens("How long?")
        assert len(server.requests) == 1
        asks.count("another model", TEXT)
        assert len(server.requests) == 2


def test_what_was_counted_long_ago_is_counted_again() -> None:
    with tokenizer(tokens(200)) as (asks, server):
        for number in range(65):
            asks.count("m", f"{number} {TEXT}")
            asks.count("m", TEXT)  # still in use
        asked = len(server.requests)
        asks.count("m", TEXT)
        assert len(server.requests) == asked
        asks.count("m", f"0 {TEXT}")
        assert len(server.requests) == asked + 1


@pytest.mark.parametrize(
    "parts",
    [
        [answer(b"{}", status="404 Not Found")],
        [answer(b"Zinnober", status="500 Internal Server Error")],
        [answer(b'{"tokens": [1]}', status="302 Found\r\nLocation: http://127.0.0.1:1/")],
        [answer(b"<html>hello</html>", content_type="text/html")],
        [answer(b"[" * 100_000)],
        [answer(b"\xff")],
        [answer(b"[1, 2]")],
        [answer(b"{}")],
        [answer(b'{"count": 200}')],
        [answer(b'{"tokens": 200}')],
        [answer(b'{"tokens": "' + b"x" * 200 + b'"}')],
        [answer(b'{"tokens": []}')],
        [tokens(WORDS - 1)],
        [tokens(len(TEXT) + 100)],
        [chunked_head("application/json"), *[chunk(b" " * 65_536)] * 8, chunk(b'{"tokens": [' + b"7," * 199 + b"7]}")],
        [RESET],
        [chunked_head("application/json"), chunk(b'{"tokens": [7'), RESET],
        [],
    ],
    ids=[
        "has none",
        "fails",
        "redirects",
        "is something else",
        "nests",
        "is no text",
        "a list",
        "an empty object",
        "a count alone",
        "a number",
        "a string",
        "no tokens",
        "fewer than words",
        "more than bytes",
        "too long",
        "reset",
        "cut",
        "closed",
    ],
)
def test_without_a_count_that_can_be_true_the_bound_stands_in_and_the_server_is_left_alone(parts: list[bytes]) -> None:
    with tokenizer(*parts) as (asks, server):
        assert [asks.count("m", text) for text in (TEXT, TEXT, LONGER)] == [BOUND, BOUND, BOUND_OF_LONGER]
        assert len(server.requests) == 1


@pytest.mark.parametrize("parts", [[STALL], [chunked_head("application/json"), chunk(b'{"tokens": [7'), STALL]])
def test_a_server_that_hangs_is_waited_for_once(parts: list[bytes]) -> None:
    with tokenizer(*parts, limit_s=0.3) as (asks, server):
        assert [asks.count("m", text) for text in (TEXT, LONGER)] == [BOUND, BOUND_OF_LONGER]
        assert server.peer_left.wait(5)
        assert len(server.requests) == 1


class Slow(BaseHTTPRequestHandler):
    """Counts right, after a quarter of a second, and a byte at a time where `trickles` says so."""

    trickles: ClassVar[str] = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        body = json.dumps({"tokens": [7] * 200}).encode()
        with suppress(OSError):  # whoever asked has left
            time.sleep(0.25)
            self._write(head, trickling=self.trickles == "head")
            self._write(b" " * 20 + body, trickling=self.trickles == "body")

    def _write(self, data: bytes, *, trickling: bool) -> None:
        for byte in data[:20] if trickling else b"":
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)
        self.wfile.write(data[20:] if trickling else data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def slow(trickles: str = "") -> Iterator[str]:
    """The address of a server that is slow."""
    handler = type("Handler", (Slow,), {"trickles": trickles})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.mark.parametrize("trickles", ["head", "body"])
def test_an_answer_that_trickles_is_not_waited_for(trickles: str) -> None:
    with slow(trickles) as url:
        for limit_s, count in ((60.0, 200), (0.5, BOUND)):
            asks = ServerTokenizer(url, "", limit_s=limit_s)
            assert asks.count("m", TEXT) == count
            asks.close()


def test_a_server_that_is_slow_twice_is_left_alone_for_a_while() -> None:
    with slow() as url:
        asks = ServerTokenizer(url, "", limit_s=60.0)
        counted = [asks.count("m", f"{number} {TEXT}") for number in range(3)]
        assert counted[:2] == [200, 200]
        assert counted[2] == at_most_tokens(f"2 {TEXT}")
        asks.close()


def test_a_server_is_asked_again_after_a_while() -> None:
    with tokenizer(answer(b"{}", status="503 Service Unavailable"), ask_again_s=0.0) as (asks, server):
        assert asks.count("m", TEXT) == asks.count("m", TEXT) == BOUND
        assert len(server.requests) == 2


def test_nobody_listening_and_closed_connections_are_no_error() -> None:
    asks = ServerTokenizer(f"{unused_url()}/v1", "", ask_again_s=0.0)
    assert asks.count("m", TEXT) == BOUND
    asks.close()
    assert asks.count("m", TEXT) == BOUND


def test_the_text_is_not_logged_even_at_the_lowest_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), tokenizer(answer(b"Zinnober")) as (asks, _):
        asks.count("m", TEXT)
    assert caplog.records  # something is logged, so the next line means something
    assert "Zinnober" not in caplog.text
