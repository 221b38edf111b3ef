"""A language model from a GGUF file, run by llama.cpp (`xllamacpp`) in a process that is started for it.

Rules this module keeps:

1. The file is checked before native code reads it, and loaded on first use. Native code reads it in a process of its
   own (`llamacpp_process`): one that dies of it costs an answer, and is started anew for the next.
2. llama.cpp listens on a Unix socket that only this user can reach; no port is opened. Chat and token counts go over
   that socket, so the code that reads an answer is the one for OpenAI-compatible servers.
3. Token counts come from the model's own tokenizer and are exact.
4. One answer at a time; others wait in llama.cpp's queue. Nothing of a prompt is kept for the next one: a shared
   prefix would answer faster and so tell one reader what another has asked.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.context_window import require_room
from appliance.inference.file_digest import sha256_of
from appliance.inference.gguf_header import GgufHeader, read_gguf_header
from appliance.inference.llamacpp_process import LlamaCppProcess
from appliance.inference.openai_compatible import NO_THINKING, ChatServer
from appliance.inference.port import Generation, Message, ModelCard
from appliance.inference.wire import valid_text, wire_messages

_COUNT_TIMEOUT_S = 60.0


class LlamaCppModel:
    """A model from a GGUF file."""

    def __init__(
        self,
        gguf_path: Path,
        *,
        context_tokens: int,
        threads: int,
        load_timeout_s: float = 600.0,
        token_timeout_s: float = 600.0,
    ) -> None:
        """Load nothing yet.

        Args:
            gguf_path: The model file.
            context_tokens: The window to allocate; the length the model was trained for is respected if it is shorter.
            threads: Threads for computing; 0 leaves it to llama.cpp, which takes one per core.
            load_timeout_s: Longest wait for the model to load.
            token_timeout_s: Longest silence; the first one includes waiting for other answers and reading the prompt.
        """
        self._path = gguf_path
        self._context_tokens = context_tokens
        self._threads = threads
        self._load_timeout_s = load_timeout_s
        self._token_timeout_s = token_timeout_s
        self._lock = threading.Lock()
        self._engine: _Engine | None = None

    def card(self) -> ModelCard:
        """The model as its file describes it. The first call reads the whole file for the digest."""
        header = read_gguf_header(self._path)
        try:
            digest = f"sha256:{sha256_of(self._path)}"
        except OSError as error:
            raise ModelUnavailable(f"The model file {self._path} cannot be read. Check its owner.") from error
        return ModelCard("llamacpp", header.name or self._path.stem, digest, self._window(header), header.quantisation)

    def count_tokens(self, text: str) -> int:
        """Exact, by the model's tokenizer. Markers of the chat template inside the text count as plain text."""
        return self._loaded().count(text, special=False)

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer, without the model's thinking."""
        engine = self._loaded()
        window = min(generation.context_tokens, engine.context_tokens)
        require_room(engine.count_prompt(messages), generation, window)
        try:
            with closing(engine.chat.stream(self._path.stem, messages, generation)) as pieces:
                return (yield from pieces)
        except ContextOverflow:
            raise
        except ModelUnavailable:
            engine.process.require_alive()
            raise

    def close(self) -> None:
        """Free the memory; the next use loads again. A stream in progress breaks off with ModelUnavailable."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _loaded(self) -> _Engine:
        with self._lock:
            if self._engine is not None and self._engine.process.has_ended:
                self._engine.close()
                self._engine = None
            if self._engine is None:
                self._engine = self._started()
            engine = self._engine
        engine.process.wait_until_loaded(self._load_timeout_s)  # outside the lock, so that closing need not wait
        return engine

    def _started(self) -> _Engine:
        window = self._window(read_gguf_header(self._path))
        process = LlamaCppProcess(self._path, context_tokens=window, threads=self._threads)
        return _Engine(process, window, self._token_timeout_s)

    def _window(self, header: GgufHeader) -> int:
        return min(self._context_tokens, header.context_tokens or self._context_tokens)


class _Engine:
    """A model that loads or is loaded, and the way to it."""

    def __init__(self, process: LlamaCppProcess, context_tokens: int, token_timeout_s: float) -> None:
        self.process = process
        self.context_tokens = context_tokens
        self._http = httpx.Client(
            base_url="http://llama.cpp",
            transport=httpx.HTTPTransport(uds=str(process.socket)),
            timeout=_COUNT_TIMEOUT_S,
        )
        self.chat = ChatServer(
            "http://llama.cpp/v1",
            "",
            _COUNT_TIMEOUT_S,
            token_timeout_s,
            transport=httpx.HTTPTransport(uds=str(process.socket)),
        )

    def count(self, text: str, *, special: bool) -> int:
        """Tokens of `text`; `special` reads the chat template's markers as markers, as a prompt is read."""
        request = {"content": valid_text(text), "add_special": special, "parse_special": special}
        return len(self._post("/tokenize", request)["tokens"])

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt as the chat template makes it."""
        templated = self._post("/apply-template", {"messages": wire_messages(messages), **NO_THINKING})
        return self.count(str(templated["prompt"]), special=True)

    def close(self) -> None:
        self.process.stop()
        self.chat.close()
        self._http.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post(path, json=body)
        except (httpx.HTTPError, RuntimeError) as error:
            # RuntimeError is httpx's word for a client that was closed under the request.
            self.process.require_alive()
            raise ModelUnavailable("llama.cpp does not answer. Ask again.") from error
        if response.status_code != httpx.codes.OK:
            # The text is left out: it may quote the prompt.
            raise ModelUnavailable(
                f"llama.cpp refused a prompt (error {response.status_code}). The model's chat template may not allow "
                "such a chat."
            )
        result: dict[str, Any] = response.json()
        return result
