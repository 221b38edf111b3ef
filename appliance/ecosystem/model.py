"""Any llama-index `LLM` as the language model of the appliance.

Rules this module keeps:

1. It keeps the rules of `inference.port`: errors are ours, a stream that breaks off raises, and closing the stream
   closes that of the LLM.
2. Nothing that an LLM's own error says is passed on: it may quote its input.
3. Token counts are those of the tokenizer it was given, or else a bound that natural text stays below.
4. How the LLM samples is set where it is made; `temperature` and `seed` of the appliance do not reach it, and its card
   says so. An answer ends after `max_tokens` and breaks off after `time_s` all the same.
5. Whether it stays inside the room is up to whoever makes it: the appliance opens no connection for it, and cannot see
   those that it opens.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.llms import LLM

from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.context_window import require_room, tells_of_overflow
from appliance.inference.port import Generation, Message, ModelCard
from appliance.inference.thinking import strip_thinking
from appliance.inference.token_bound import MESSAGE_OVERHEAD_TOKENS, PROMPT_OVERHEAD_TOKENS, at_most_tokens
from appliance.inference.watch import Watch
from appliance.inference.wire import Ending, valid_text, whole_characters


class LlamaIndexModel:
    """A `LanguageModel` that a llama-index `LLM` writes for."""

    def __init__(self, llm: LLM, *, tokenizer: Callable[[str], Sequence[object]] | None = None) -> None:
        """Ask nothing yet.

        Args:
            llm: Any LLM that can chat, or complete: llama-index makes a chat of that.
            tokenizer: The LLM's own, which gives the tokens of a text; without it a bound is used, and fewer passages
                fit into the window.
        """
        self._llm = llm
        self._tokenizer = tokenizer

    def card(self, generation: Generation | None = None) -> ModelCard:  # noqa: ARG002
        """What the LLM says of itself. It tells no digest. Raises ModelUnavailable."""
        try:
            metadata = self._llm.metadata
            return ModelCard("llama-index", metadata.model_name, "", metadata.context_window, takes_sampling=False)
        except Exception as error:  # noqa: BLE001 - any library may be behind the interface
            raise self._failure(error) from None

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes at most."""
        return at_most_tokens(text) if self._tokenizer is None else len(self._tokenizer(text))

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer as they are made. Raises ModelUnavailable or ContextOverflow, also in mid-stream."""
        content = sum(self.count_tokens(message.content) + MESSAGE_OVERHEAD_TOKENS for message in messages)
        window = min(generation.context_tokens, self.card().context_tokens)
        require_room(content + PROMPT_OVERHEAD_TOKENS, generation, window)
        return self._written(messages, generation)

    def close(self) -> None:
        """Nothing to let go of: whoever made the LLM has it."""

    def _written(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        with closing(self._pieces(messages, generation)) as pieces:
            ending = Ending(pieces)
            yield from whole_characters(strip_thinking(ending))
        return ending.is_cut

    def _pieces(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        left = generation.max_tokens
        chat = [ChatMessage(role=MessageRole(item.role.value), content=valid_text(item.content)) for item in messages]
        try:
            with closing(self._llm.stream_chat(chat)) as responses:
                watch = Watch(generation.time_s, generation)
                for response in watch.parts(responses, lambda response: response.delta or ""):
                    if response.delta:
                        if left <= 0:
                            return True
                        yield response.delta
                        left -= self._at_least_tokens(response.delta)
        except ModelUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - any library may be behind the interface
            raise self._failure(error) from None
        return False

    def _at_least_tokens(self, piece: str) -> int:
        """How many tokens a piece took; a bound from above would end answers before their time."""
        return 1 if self._tokenizer is None else max(1, len(self._tokenizer(piece)))

    def _failure(self, error: Exception) -> ModelUnavailable:
        kind = type(self._llm).__name__
        if tells_of_overflow(str(error)):
            return ContextOverflow(
                f"The prompt is longer than the window of the model behind {kind}. Use fewer passages."
            )
        return ModelUnavailable(
            f"The model behind {kind} could not answer ({type(error).__name__}). See its log, and try again."
        )
