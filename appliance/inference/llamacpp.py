"""A language model from a GGUF file, run by llama.cpp (`xllamacpp`) in a process that is started for it.

Rules this module keeps:

1. The file is checked before native code reads it, and loaded on first use. Native code reads it in a process of its
   own (`llamacpp_process`): one that dies of it costs an answer, and is started anew for the next.
2. Chat and token counts go over llama.cpp's socket (`llamacpp_engine`), so the code that reads an answer is the one
   for OpenAI-compatible servers.
3. Token counts come from the model's own tokenizer and are exact.
4. One answer at a time; others wait in llama.cpp's queue. Nothing of a prompt is kept for the next one: a shared
   prefix would answer faster and so tell one reader what another has asked.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.context_window import require_room
from appliance.inference.gguf_header import GgufHeader, digest_of_gguf, read_gguf_header
from appliance.inference.llamacpp_engine import BASE_URL, TIMEOUT_S, Engine, EngineKeeper
from appliance.inference.llamacpp_process import LlamaCppProcess
from appliance.inference.openai_compatible import NO_THINKING, ChatServer
from appliance.inference.port import Generation, Message, ModelCard
from appliance.inference.wire import wire_messages

_TEMPLATE_HINT = "The model's chat template may not allow such a chat."


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
        self._token_timeout_s = token_timeout_s
        self._keeper = EngineKeeper(self._started, load_timeout_s=load_timeout_s)

    def card(self, generation: Generation | None = None) -> ModelCard:  # noqa: ARG002
        """The model as its file describes it. The first call reads the whole file for the digest."""
        header, digest = read_gguf_header(self._path), digest_of_gguf(self._path)
        return ModelCard("llamacpp", header.name or self._path.stem, digest, self._window(header), header.quantisation)

    def count_tokens(self, text: str) -> int:
        """Exact, by the model's tokenizer. Markers of the chat template inside the text count as plain text."""
        return self._keeper.loaded().count(text)

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer, without the model's thinking."""
        engine = self._keeper.loaded()
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
        self._keeper.close()

    def _started(self) -> _ChatEngine:
        window = self._window(read_gguf_header(self._path))
        process = LlamaCppProcess(self._path, context_tokens=window, threads=self._threads)
        return _ChatEngine(process, window, self._token_timeout_s)

    def _window(self, header: GgufHeader) -> int:
        return min(self._context_tokens, header.context_tokens or self._context_tokens)


class _ChatEngine(Engine):
    """A model that chats."""

    def __init__(self, process: LlamaCppProcess, context_tokens: int, token_timeout_s: float) -> None:
        super().__init__(process, context_tokens)
        self.chat = ChatServer(f"{BASE_URL}/v1", "", TIMEOUT_S, token_timeout_s, uds=str(process.socket))

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt as the chat template makes it."""
        request = {"messages": wire_messages(messages), **NO_THINKING}
        templated = self.post("/apply-template", request, hint=_TEMPLATE_HINT)
        return self.count(str(templated["prompt"]), special=True)

    def close(self) -> None:
        """End the process, and with it every answer."""
        self.process.stop()
        self.chat.close()
        super().close()
