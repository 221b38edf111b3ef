"""A llama-index LLM as the language model: streaming, counting, and errors that are ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata, MockLLM

from appliance.ecosystem.model import LlamaIndexModel
from appliance.errors import ContextOverflow, ModelUnavailable
from appliance.inference.port import Generation, Message, MessageRole
from appliance.inference.token_bound import at_most_tokens
from appliance.inference.wire import Ending

GENERATION = Generation(context_tokens=2048, max_tokens=64)
QUESTION = (Message(MessageRole.SYSTEM, "Be brief."), Message(MessageRole.USER, "How long? \udc80"))


class Speaking(CustomLLM):
    """Streams these pieces, and fails where one is an error."""

    pieces: list[Any]
    window: int = 4096
    heard: list[str] = []  # noqa: RUF012 - a pydantic field
    closed: int = 0

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="speaking", context_window=self.window, num_output=64)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise AssertionError("answers are streamed")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        self.heard.append(prompt)
        text = ""
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            text += piece
            yield CompletionResponse(text=text, delta=piece)


class Chatting(Speaking):
    """Chats itself, and notices when nobody listens any more."""

    def stream_chat(self, messages: Any, **kwargs: Any) -> Generator[ChatResponse, None, None]:
        self.heard.extend(f"{message.role.value}: {message.content}" for message in messages)
        try:
            for piece in self.pieces:
                yield ChatResponse(message=ChatMessage(role="assistant", content=piece), delta=piece)
        finally:
            self.closed += 1


def test_an_answer_is_streamed_piece_by_piece() -> None:
    llm = Speaking(pieces=["Ten ", "years", "."])
    assert list(LlamaIndexModel(llm).stream(QUESTION, GENERATION)) == ["Ten ", "years", "."]
    assert "Be brief." in llm.heard[0]
    assert "How long? ?" in llm.heard[0], "half a character cannot be sent"


def test_a_chat_model_gets_each_message_with_its_role() -> None:
    llm = Chatting(pieces=["Ten."])
    assert "".join(LlamaIndexModel(llm).stream(QUESTION, GENERATION)) == "Ten."
    assert llm.heard == ["system: Be brief.", "user: How long? ?"]


def test_the_llm_that_llama_index_brings_for_tests_works() -> None:
    text = "".join(LlamaIndexModel(MockLLM(max_tokens=5)).stream(QUESTION, GENERATION))
    assert text.strip() == " ".join(["text"] * 5)


@pytest.mark.parametrize("tokenizer", [None, str.split])
def test_an_answer_ends_after_the_tokens_it_may_have(tokenizer: Callable[[str], list[str]] | None) -> None:
    llm = Chatting(pieces=["w "] * 20)
    short = Generation(context_tokens=2048, max_tokens=4)
    ending = Ending(LlamaIndexModel(llm, tokenizer=tokenizer).stream(QUESTION, short))
    assert "".join(ending) == "w w w w "
    assert ending.is_cut
    assert llm.closed == 1


def test_an_answer_that_ends_with_the_last_token_it_may_have_is_whole() -> None:
    ending = Ending(LlamaIndexModel(Chatting(pieces=["w "] * 4)).stream(QUESTION, replace(GENERATION, max_tokens=4)))
    assert "".join(ending) == "w w w w "
    assert not ending.is_cut


def test_an_answer_that_takes_too_long_breaks_off() -> None:
    class Slow(Chatting):
        def stream_chat(self, messages: Any, **kwargs: Any) -> Generator[ChatResponse, None, None]:
            for response in super().stream_chat(messages, **kwargs):
                time.sleep(0.02)
                yield response

    llm = Slow(pieces=["w "] * 500)
    with pytest.raises(ModelUnavailable, match=r"did not finish its answer in 0\.1 seconds"):
        list(LlamaIndexModel(llm).stream(QUESTION, Generation(context_tokens=2048, max_tokens=1000, time_s=0.1)))
    assert llm.closed == 1


def test_closing_the_stream_closes_that_of_the_llm() -> None:
    llm = Chatting(pieces=["Ten ", "years", "."])
    stream = LlamaIndexModel(llm).stream(QUESTION, GENERATION)
    assert next(stream) == "Ten "
    stream.close()
    assert llm.closed == 1


def test_thinking_is_left_out_and_halves_of_characters_are_joined() -> None:
    llm = Speaking(pieces=["<think>hm", "m</think>", "\ud83d", "\ude00"])
    assert "".join(LlamaIndexModel(llm).stream(QUESTION, GENERATION)) == "\U0001f600"


@pytest.mark.parametrize("pieces", [[RuntimeError("secret words")], ["Ten ", ConnectionError("secret words")]])
def test_a_failure_is_ours_and_quotes_nothing(pieces: list[Any]) -> None:
    with pytest.raises(ModelUnavailable, match="behind Speaking could not answer") as caught:
        list(LlamaIndexModel(Speaking(pieces=pieces)).stream(QUESTION, GENERATION))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_overflow_that_the_llm_reports_is_one() -> None:
    error = ValueError("This model's maximum context length is 4096 tokens")
    with pytest.raises(ContextOverflow):
        list(LlamaIndexModel(Speaking(pieces=[error])).stream(QUESTION, GENERATION))


@pytest.mark.parametrize(("window", "asked"), [(100, 2048), (4096, 100)])
def test_a_prompt_that_does_not_fit_is_refused_before_it_is_sent(window: int, asked: int) -> None:
    llm = Speaking(pieces=["x"], window=window)
    with pytest.raises(ContextOverflow):
        LlamaIndexModel(llm).stream(QUESTION, Generation(context_tokens=asked, max_tokens=64))
    assert llm.heard == []


def test_tokens_are_counted_by_the_tokenizer_or_bounded_from_above() -> None:
    llm = Speaking(pieces=[])
    assert LlamaIndexModel(llm, tokenizer=str.split).count_tokens("ten whole years") == 3
    assert LlamaIndexModel(llm).count_tokens("ten whole years") == at_most_tokens("ten whole years") > 3


def test_what_is_known_of_the_model_is_on_its_card() -> None:
    card = LlamaIndexModel(Speaking(pieces=[])).card()
    assert not card.takes_sampling, "it is not recorded with a temperature that it was not asked with"
    assert (card.provider, card.name, card.digest, card.context_tokens) == ("llama-index", "speaking", "", 4096)


def test_a_model_that_cannot_say_what_it_is_is_unavailable() -> None:
    class Silent(Speaking):
        @property
        def metadata(self) -> LLMMetadata:
            raise OSError("no such host")

    with pytest.raises(ModelUnavailable):
        LlamaIndexModel(Silent(pieces=[])).card()
