"""llama.cpp with one model: a process that is started on first use, started anew after it died, and the way to it.

Rules this module keeps:

1. llama.cpp listens on a Unix socket that only this user can reach; no port is opened.
2. Nothing that llama.cpp says of a request it refused goes on: it may quote the prompt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import httpx

from appliance.errors import ModelUnavailable
from appliance.inference.llamacpp_process import LlamaCppProcess
from appliance.inference.wire import valid_text

BASE_URL = "http://llama.cpp"
"""A name for a socket: nothing is looked up."""

TIMEOUT_S = 60.0
"""Longest wait for an answer that comes in one piece."""


class Engine:
    """A model that loads or is loaded."""

    def __init__(self, process: LlamaCppProcess, context_tokens: int) -> None:
        self.process = process
        self.context_tokens = context_tokens
        self._http = httpx.Client(
            base_url=BASE_URL, transport=httpx.HTTPTransport(uds=str(process.socket)), timeout=TIMEOUT_S
        )

    def count(self, text: str, *, special: bool = False) -> int:
        """Tokens of `text`; `special` reads the chat template's markers as markers, as a prompt is read."""
        request = {"content": valid_text(text), "add_special": special, "parse_special": special}
        return len(self.post("/tokenize", request)["tokens"])

    def post(self, path: str, body: dict[str, Any], *, hint: str = "Ask again.") -> dict[str, Any]:
        """What it answers; `hint` says what to do where it refuses. Raises ModelUnavailable."""
        try:
            response = self._http.post(path, json=body, timeout=self._time_left_s())
        except (httpx.HTTPError, RuntimeError) as error:
            # RuntimeError is httpx's word for a client that was closed under the request.
            self.process.require_alive()
            raise ModelUnavailable("llama.cpp does not answer. Ask again.") from error
        if response.status_code != httpx.codes.OK:
            raise ModelUnavailable(f"llama.cpp refused a prompt (error {response.status_code}). {hint}")
        try:
            result: dict[str, Any] = response.json()
        except ValueError:
            raise ModelUnavailable("llama.cpp answered something that cannot be read. Ask again.") from None
        return result

    def _time_left_s(self) -> float:
        """How long an answer may take that comes in one piece."""
        return TIMEOUT_S

    def close(self) -> None:
        """End the process. What waits for it gets ModelUnavailable."""
        self.process.stop()
        self._http.close()


AnyEngine = TypeVar("AnyEngine", bound=Engine)


class EngineKeeper(Generic[AnyEngine]):
    """Keeps one engine at work. Safe to share between threads."""

    def __init__(self, start: Callable[[], AnyEngine], *, load_timeout_s: float) -> None:
        """Load nothing yet. `start` makes an engine; it may take `load_timeout_s` to load its model."""
        self._start = start
        self._load_timeout_s = load_timeout_s
        self._lock = threading.Lock()
        self._engine: AnyEngine | None = None

    def loaded(self) -> AnyEngine:
        """The engine, its model loaded. Raises ModelUnavailable."""
        with self._lock:
            if self._engine is not None and self._engine.process.has_ended:
                self._engine.close()
                self._engine = None
            if self._engine is None:
                self._engine = self._start()
            engine = self._engine
        engine.process.wait_until_loaded(self._load_timeout_s)  # outside the lock, so that closing need not wait
        return engine

    def close(self) -> None:
        """Free the memory; the next use loads again."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
