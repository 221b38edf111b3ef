"""A language model server on a real socket that says what it was shown: whatever reaches a prompt reaches the answer."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAILS_ON = "verbatim"
"""A question with this word breaks the model, so that the passages are quoted instead."""


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, "application/json", json.dumps({"object": "list", "data": [{"id": "echo", "object": "model"}]}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if FAILS_ON in asked["messages"][-1]["content"]:
            self._send(500, "application/json", "{}")
            return
        frames = [*map(_frame, _words(asked["messages"])), _frame("", finish="stop"), "[DONE]"]
        self._send(200, "text/event-stream", "".join(f"data: {frame}\n\n" for frame in frames))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def _words(messages: list[dict[str, str]]) -> Iterator[str]:
    """The digest of everything that was sent, then the beginning of the last message, with markers good and bad."""
    yield f"{hashlib.sha256(json.dumps(messages).encode()).hexdigest()} [1]. "
    for word in messages[-1]["content"].split()[:120]:
        yield f"{word} "
    yield "[2][3] and [77]."


def _frame(text: str, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    whole = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "echo", "choices": [choice]}
    return json.dumps(whole)


@contextmanager
def echo_model() -> Iterator[str]:
    """The address of a running server, on a free port of loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
