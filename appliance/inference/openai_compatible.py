"""A language model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp's own server and others.

Rules this module keeps:

1. One attempt, no proxy, no redirect; no address, key or account from OPENAI_* variables of the environment.
2. A stream that ends without a finish reason is an error.
3. A server's error text is read but never passed on, and neither is the vendor's exception: both may quote the prompt.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast

import httpx
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.completion_usage import CompletionUsage

from appliance.errors import ConfigurationError, ContextOverflow, ModelUnavailable
from appliance.inference.context_window import (
    at_most_prompt_tokens,
    require_room,
    require_whole_prompt,
    tells_of_overflow,
)
from appliance.inference.port import Generation, Message, ModelCard
from appliance.inference.server_tokenizer import ServerTokenizer
from appliance.inference.thinking import strip_thinking
from appliance.inference.token_bound import at_most_tokens
from appliance.inference.watch import Watch, WatchedTransport
from appliance.inference.wire import Ending, wire_messages

NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
"""vLLM, SGLang and llama.cpp pass this to the chat template; Qwen's and others then leave thinking out."""

_THINKING = ("reasoning_content", "reasoning")  # names that servers have for it; some send it under both


class OpenAICompatibleModel:
    """A model on a server with `/v1/models` and `/v1/chat/completions`.

    The API has no way to ask for a tokenizer or to set the window. Tokens are counted by the server where it has a way
    of its own (see `server_tokenizer`), or else by an upper bound (see `token_bound`). The window is what the server
    reports (`max_model_len` of vLLM, `meta.n_ctx` of llama.cpp), or `context_tokens` if it reports none: set that to no
    more than what the server was started with.
    """

    def __init__(
        self,
        base_url: str,
        name: str,
        api_key: str,
        *,
        context_tokens: int,
        connect_timeout_s: float = 3.0,
        token_timeout_s: float = 120.0,
    ) -> None:
        """Connect to nothing yet.

        Args:
            base_url: The address with its path, such as `http://127.0.0.1:8000/v1`.
            name: A model of that server; empty for the first one it lists.
            api_key: Sent as a bearer token; empty for none.
            context_tokens: The longest window to use; the server's own is respected if it is shorter.
            connect_timeout_s: Longest wait for a connection.
            token_timeout_s: Longest silence of the server. An answer that comes in one piece takes no longer.

        Raises:
            ConfigurationError: `base_url` is no address.
        """
        self._server = ChatServer(base_url, api_key, connect_timeout_s, token_timeout_s)
        self._tokenizer = ServerTokenizer(base_url, api_key)
        self._name = name
        self._context_tokens = context_tokens
        self._card: ModelCard | None = None

    def card(self, generation: Generation | None = None) -> ModelCard:
        """The model as the server lists it now. The API tells no digest."""
        model = self._server.model(self._name, generation)
        window = _reported_window(model)
        name, tokens = str(model["id"]), min(self._context_tokens, window or self._context_tokens)
        self._card = ModelCard("openai", name, "", tokens, str(_object(model, "meta").get("ftype") or ""))
        return self._card

    def count_tokens(self, text: str) -> int:
        """By the server's tokenizer, if it can be asked; else an upper bound, about twice the number for English."""
        return self._tokenizer.count(self._card.name, text) if self._card else at_most_tokens(text)

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer, without the model's thinking."""
        card = self._card or self.card(generation)
        window = min(generation.context_tokens, card.context_tokens)
        needed = at_most_prompt_tokens(messages, generation, window, self.count_tokens)
        require_room(needed, generation, window)
        with closing(self._server.stream(card.name, messages, generation)) as pieces:
            return (yield from pieces)

    def close(self) -> None:
        """Drop the connections. A stream in progress breaks off with ModelUnavailable."""
        self._server.close()
        self._tokenizer.close()


class ChatServer:
    """The client's side of an OpenAI-compatible server, wherever it listens."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        connect_timeout_s: float,
        token_timeout_s: float,
        *,
        uds: str | None = None,
    ) -> None:
        """Connect to nothing yet. `uds` is the path of the Unix socket of a server that does not listen on TCP.

        Raises:
            ConfigurationError: `base_url` is no address.
        """
        self._where = base_url
        self._connect_timeout_s = connect_timeout_s
        self._token_timeout_s = token_timeout_s
        http_client = httpx.Client(transport=WatchedTransport(uds=uds), trust_env=False, follow_redirects=False)
        try:
            self._client = openai.OpenAI(
                base_url=base_url,
                # An empty string would send the client to look for a key in the environment.
                api_key=api_key or "none",
                organization="",
                project="",
                max_retries=0,
                http_client=http_client,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigurationError(f"model.base_url '{base_url}' is not an address.") from error
        # At level DEBUG the client logs whole requests, the question and the passages with them.
        logging.getLogger("openai._base_client").setLevel(logging.INFO)

    def model(self, name: str, generation: Generation | None = None) -> Mapping[str, Any]:
        """The server's entry for the model `name`, or its first model if `name` is empty.

        Raises ModelUnavailable; also when the time of the `generation` that it is for is over, or nobody wants that.
        """
        with self._errors():
            watch = Watch(self._token_timeout_s, generation)
            listed = self._client.models.list(timeout=self._timeout(watch))
            models = [model.model_dump() for model in listed.data]
        for model in models:
            if model.get("id") and name in ("", model["id"]):
                return model
        raise ModelUnavailable(
            f"Model '{name}' is not on the server at {self._where}. Set model.name to one that it serves."
            if name
            else f"The server at {self._where} serves no model. Start it with one."
        )

    def stream(self, name: str, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer, without thinking. Raises ModelUnavailable or ContextOverflow; checks the figures."""
        with closing(self._answer(name, messages, generation)) as pieces:
            ending = Ending(pieces)
            yield from strip_thinking(ending)
        return ending.is_cut

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def _answer(self, name: str, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        finish: str | None = None
        usage: CompletionUsage | None = None
        watch = Watch(self._token_timeout_s, generation)
        with (
            self._errors(),
            self._client.chat.completions.create(
                model=name,
                messages=cast("list[ChatCompletionMessageParam]", wire_messages(messages)),
                stream=True,
                stream_options={"include_usage": True},
                max_tokens=generation.max_tokens,
                temperature=generation.temperature,
                seed=generation.seed,
                extra_body=NO_THINKING,
                timeout=self._timeout(watch),
            ) as chunks,
        ):
            for chunk in watch.parts(chunks, _written):
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    finish = choice.finish_reason or finish
                    if content := _text(choice.delta, "content"):
                        yield content
        if finish is None:
            raise ModelUnavailable(f"The server at {self._where} ended its answer too soon. Ask again; see its log.")
        require_whole_prompt(
            messages,
            generation,
            prompt_tokens=usage.prompt_tokens if usage else None,
            answer_tokens=usage.completion_tokens if usage else None,
            stopped_by_length=finish == "length",
        )
        return finish == "length"

    def _timeout(self, watch: Watch) -> httpx.Timeout:
        return httpx.Timeout(watch, connect=self._connect_timeout_s)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the client raises into an error that says what to do and quotes nobody."""
        try:
            yield
        except (openai.APITimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error) from None
        except openai.APIStatusError as error:
            raise self._refusal(error.status_code, str(error.body or error.message)) from None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, ModelUnavailable):  # the watch ended it before the head of the answer was in
                raise error.__cause__ from None
            raise ModelUnavailable(
                f"No model server answers at {self._where}. Start it, or set model.base_url."
            ) from None
        except openai.APIError as error:
            raise self._refusal(500, str(error.body or error.message)) from None
        except (openai.OpenAIError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, RuntimeError):
            # RuntimeError is httpx's word for a client that was closed under the request.
            raise ModelUnavailable(
                f"The connection to the model server at {self._where} broke off. Ask again; see its log."
            ) from None
        except (ValueError, TypeError, AttributeError):
            # The client builds its objects without checking them, so an answer of another shape fails on use.
            raise ModelUnavailable(
                f"{self._where} does not answer like an OpenAI-compatible server. Check model.base_url."
            ) from None

    def _timed_out(self, error: Exception) -> ModelUnavailable:
        if isinstance(error.__cause__, httpx.ConnectTimeout):
            return ModelUnavailable(f"No model server answers at {self._where}. Start it, or set model.base_url.")
        return ModelUnavailable(
            f"The model server at {self._where} sent nothing of an answer for {self._token_timeout_s:g} seconds. "
            "See its log, or raise model.token_timeout_s."
        )

    def _refusal(self, status: int, text: str) -> ModelUnavailable:
        if tells_of_overflow(text):
            return ContextOverflow(
                f"The prompt is longer than the window of the model at {self._where}. "
                "Use fewer passages, or start the server with a longer context."
            )
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return ModelUnavailable(f"The server at {self._where} refuses our key. Set model.api_key.")
        if status == httpx.codes.NOT_FOUND:
            return ModelUnavailable(f"The server at {self._where} knows no such model or path. Check model.base_url.")
        if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            return ModelUnavailable(
                f"The model server at {self._where} is busy or loading. Wait a moment and ask again."
            )
        return ModelUnavailable(f"The model server at {self._where} could not answer (error {status}). See its log.")


def _written(chunk: ChatCompletionChunk) -> str:
    """What the model wrote in a part of an answer, its thinking too."""
    return "".join(
        _text(choice.delta, "content") + max((_text(choice.delta, name) for name in _THINKING), key=len)
        for choice in chunk.choices
    )


def _text(delta: object, name: str) -> str:
    """One text of a part; the client does not check that it is one."""
    text = getattr(delta, name, None)
    return text if isinstance(text, str) else ""


def _reported_window(model: Mapping[str, Any]) -> int:
    for value in (model.get("max_model_len"), _object(model, "meta").get("n_ctx"), model.get("context_length")):
        if isinstance(value, int) and value > 0:
            return value
    return 0


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
