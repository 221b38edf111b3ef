"""A server that speaks Ollama's HTTP API over a real socket, with the texts and status codes of Ollama's source.

It serves one model, answers with the words it is given, and keeps every request. A `Mode` makes it misbehave.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "tiny:latest"
DIGEST = "ab" * 32
TRAINED_CONTEXT = 4096


class Mode(Enum):
    """How the server answers /api/chat."""

    NORMAL = auto()
    ERROR = auto()  # 500 before the first word
    BUSY = auto()  # 503, OLLAMA_MAX_QUEUE is reached
    OUT_OF_MEMORY = auto()
    OVERFLOW = auto()  # what llama-server says, handed on by Ollama as a 400
    OVERFLOW_MIDSTREAM = auto()
    GONE_MIDSTREAM = auto()  # the connection closes without the last chunk
    ENDS_EARLY = auto()  # a well-formed end without "done": Ollama stops so when a model repeats itself
    ERROR_MIDSTREAM = auto()
    GARBAGE_MIDSTREAM = auto()
    SLOW = auto()  # silence after the first word
    CUTS_PROMPT = auto()  # an old server that does not know `truncate`
    WINDOW_FULL = auto()
    REDIRECT = auto()


@dataclass
class OllamaServer:
    """What the server does, and what it was asked."""

    words: Sequence[str] = ("Ten", " years", ".")
    thinking: Sequence[str] = ()
    mode: Mode = Mode.NORMAL
    capabilities: Sequence[str] = ("completion",)
    remote_host: str = ""
    digest: str = DIGEST
    tokenizer: Mapping[str, Any] = field(default_factory=dict)  # what `verbose` shows besides
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    peer_left: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def chats(self) -> list[dict[str, Any]]:
        """The bodies of the requests to /api/chat."""
        return [body for path, body in self.requests if path == "/api/chat"]


@contextmanager
def ollama_server(**options: Any) -> Iterator[OllamaServer]:
    """A running server on a free port of loopback."""
    state = OllamaServer(**options)

    class Handler(_Handler):
        server_state = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: OllamaServer

    def do_GET(self) -> None:
        self.server_state.requests.append((self.path, {}))
        if self.path == "/api/tags":
            entry = {"name": MODEL, "model": MODEL, "digest": self.server_state.digest, "size": 1, "details": _DETAILS}
            self._json(200, {"models": [entry]})
        elif self.path == "/api/version":
            self._json(200, {"version": "0.35.0"})
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server_state.requests.append((self.path, body))
        if body.get("model") not in (MODEL, MODEL.removesuffix(":latest")):
            self._json(404, {"error": f"model '{body.get('model')}' not found"})
        elif self.path == "/api/show":
            self._show(verbose=body.get("verbose") is True)
        elif self.path == "/api/chat":
            self._chat(body)
        else:
            self._json(404, {"error": "not found"})

    def _show(self, *, verbose: bool) -> None:
        shown: dict[str, Any] = {
            "details": _DETAILS,
            "model_info": {"general.architecture": "qwen2", "qwen2.context_length": TRAINED_CONTEXT},
            "capabilities": list(self.server_state.capabilities),
        }
        if verbose:
            shown["model_info"] |= self.server_state.tokenizer
        if self.server_state.remote_host:
            shown["remote_host"] = self.server_state.remote_host
        self._json(200, shown)

    def _chat(self, body: dict[str, Any]) -> None:
        mode = self.server_state.mode
        refusals = {
            Mode.ERROR: (500, "template: executing at Zinnober"),
            Mode.BUSY: (503, "server busy, please try again.  maximum pending requests exceeded"),
            Mode.OUT_OF_MEMORY: (500, "model requires more system memory (5.6 GiB) than is available (1.9 GiB)"),
            Mode.OVERFLOW: (400, "request (900 tokens) exceeds the available context size (512 tokens)"),
        }
        if mode in refusals:
            status, text = refusals[mode]
            self._json(status, {"error": text})
        elif mode is Mode.REDIRECT:
            self.send_response(302)
            self.send_header("Location", f"{self.server_state.url}/api/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._stream(body, mode)

    def _stream(self, body: dict[str, Any], mode: Mode) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in self.server_state.thinking:
            self._part(_message("", thinking=text))
        for number, word in enumerate(self.server_state.words):
            self._part(_message(word))
            if number == 0 and not self._goes_on(mode):
                return
        self._part(_last(body, mode, len(self.server_state.words)))
        self._chunk(b"")

    def _goes_on(self, mode: Mode) -> bool:
        """Misbehave after the first word; whether to go on with the answer."""
        if mode is Mode.GONE_MIDSTREAM:
            self.close_connection = True
        elif mode is Mode.ENDS_EARLY:
            self._chunk(b"")
        elif mode is Mode.ERROR_MIDSTREAM:
            self._part({"error": "an error was encountered while running the model: Zinnober"})
            self._chunk(b"")
        elif mode is Mode.OVERFLOW_MIDSTREAM:
            self._part({"error": "the prompt is longer than the context length currently available to the model"})
            self._chunk(b"")
        elif mode is Mode.GARBAGE_MIDSTREAM:
            self._chunk(b"<html>bad gateway</html>\n")
        elif mode is Mode.SLOW:
            self._wait_for_the_peer_to_leave()
        else:
            return True
        return False

    def _wait_for_the_peer_to_leave(self) -> None:
        self.close_connection = True
        self.connection.settimeout(10)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if not self.connection.recv(4096):
                    break
            except OSError:
                break
        self.server_state.peer_left.set()

    def _part(self, value: dict[str, Any]) -> None:
        # Go's encoder leaves U+0085 as it is and escapes U+2028.
        text = json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028")
        self._chunk(text.encode() + b"\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _json(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


_DETAILS = {"format": "gguf", "family": "qwen2", "parameter_size": "0.4M", "quantization_level": "Q4_K_M"}


def _message(content: str, **more: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return {"model": MODEL, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}


def _last(body: dict[str, Any], mode: Mode, words: int) -> dict[str, Any]:
    prompt_words = sum(len(message["content"].split()) for message in body["messages"])
    return {
        **_message(""),
        "done": True,
        "done_reason": "length" if mode is Mode.WINDOW_FULL else "stop",
        "prompt_eval_count": prompt_words // 2 if mode is Mode.CUTS_PROMPT else prompt_words + 20,
        "eval_count": words,
    }
