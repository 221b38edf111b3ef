"""A language model behind Ollama's HTTP API (`/api/chat`, `/api/show`, `/api/tags`).

Rules this module keeps:

1. Every request says how long the context is and that nothing may be cut: `options.num_ctx`, `truncate: false` and
   `shift: false` (fields of Ollama's `ChatRequest`; without them a server drops messages from the front in silence).
2. A stream that ends without `"done": true` is an error.
3. No proxy, no redirect, no credentials from the environment, and no model that Ollama would run on another host.
4. A server's error text is read but never passed on: it may quote the prompt.

The request options are those of the `ollama` package (0.6.3). The HTTP is ours, because its `chat()` has no way to send
`truncate` and `shift`, takes a broken stream for a finished one, splits lines at U+0085 inside an answer, hides
`remote_host`, follows redirects and sends OLLAMA_API_KEY from the environment.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from ollama import Options
from tokenizers import Tokenizer

from appliance.errors import ConfigurationError, ContextOverflow, ModelUnavailable
from appliance.inference.context_window import (
    at_most_prompt_tokens,
    require_room,
    require_whole_prompt,
    tells_of_overflow,
)
from appliance.inference.gguf_tokenizer import gguf_tokenizer
from appliance.inference.port import Generation, Message, ModelCard
from appliance.inference.thinking import strip_thinking
from appliance.inference.token_bound import ASK_AGAIN_S, NOT_WORTH_ASKING, at_most_tokens
from appliance.inference.watch import Watch, WatchedTransport
from appliance.inference.wire import Ending, valid_text, wire_messages

_DEFAULT_PORT = 11434
_LAST_PORT = 65535
_THINKING = "thinking"
_VOCABULARY_S = 5.0  # longest wait for one, in which nobody who left ends the answer
_VOCABULARY_BYTES = 64 * 1024 * 1024  # of the largest, 250,000 tokens and as many merges, it takes a quarter


@dataclass(frozen=True, slots=True)
class _Shown:
    """What /api/show says of manifest `digest`, empty if not asked for. `context_tokens` is 0 if it does not say."""

    digest: str
    context_tokens: int
    quantisation: str
    thinks: bool


class OllamaModel:
    """A model on an Ollama server. Threads may share it.

    Ollama counts no tokens for others, but shows what the model's file says of its tokenizer: `count_tokens` counts
    with that (see `gguf_tokenizer`), or else by an upper bound (see `token_bound`). The prompt is refused here if it
    does not fit by that count, the server refuses it if it does not fit in truth, and the figures of the last message
    are held against the prompt for servers too old to know `truncate`.
    """

    def __init__(
        self, host: str, name: str, *, context_tokens: int, connect_timeout_s: float, token_timeout_s: float
    ) -> None:
        """Connect to nothing yet.

        Args:
            host: The server as OLLAMA_HOST has it: `http://127.0.0.1:11434`, `127.0.0.1` or `127.0.0.1:11434`.
            name: A model on that server, such as `qwen3.5:9b`.
            context_tokens: The longest window to ask for; the model's own is respected if it is shorter.
            connect_timeout_s: Longest wait for a connection.
            token_timeout_s: Longest silence of the server; the first one includes loading the model. An answer that
                comes in one piece takes no longer.

        Raises:
            ConfigurationError: `host` is no address.
        """
        self._host = _base_url(host)
        self._name = name
        self._context_tokens = context_tokens
        self._connect_timeout_s = connect_timeout_s
        self._token_timeout_s = token_timeout_s
        self._client = httpx.Client(
            base_url=self._host, transport=WatchedTransport(), trust_env=False, follow_redirects=False
        )
        self._shown: _Shown | None = None
        self._tokenizer: Tokenizer | None = None
        self._tokenizer_of: str | None = None  # the digest of the model that was asked about
        self._tokenizer_not_before = time.monotonic()
        self._reading = threading.Lock()

    def card(self, generation: Generation | None = None) -> ModelCard:
        """The model as the server has it now. `digest` is that of its manifest."""
        shown = self._known(generation)
        return ModelCard("ollama", self._name, shown.digest, self._window(shown), shown.quantisation)

    def count_tokens(self, text: str) -> int:
        """By the model's own tokenizer, if Ollama tells it; else an upper bound, about twice the number for English."""
        bound = at_most_tokens(text)
        tokenizer = self._own_tokenizer() if bound > NOT_WORTH_ASKING else None
        return len(tokenizer.encode(valid_text(text), add_special_tokens=False).ids) if tokenizer else bound

    def stream(self, messages: Sequence[Message], generation: Generation) -> Generator[str, None, bool]:
        """Pieces of the answer, without the model's thinking."""
        shown = self._shown or self._show("", generation)
        window = min(generation.context_tokens, self._window(shown))
        needed = at_most_prompt_tokens(messages, generation, window, self.count_tokens)
        require_room(needed, generation, window)
        request = self._request(messages, generation, window, shown)
        with closing(self._answer(request, messages, generation)) as pieces:
            ending = Ending(pieces)
            yield from strip_thinking(ending)
        return ending.is_cut

    def close(self) -> None:
        """Drop the connections. A stream in progress breaks off with ModelUnavailable."""
        self._client.close()

    def _request(
        self, messages: Sequence[Message], generation: Generation, window: int, shown: _Shown
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._name,
            "messages": wire_messages(messages),
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": Options(
                num_ctx=window,
                num_predict=generation.max_tokens,
                temperature=generation.temperature,
                seed=generation.seed,
            ).model_dump(exclude_none=True),
        }
        if shown.thinks:
            request["think"] = False
        return request

    def _answer(
        self, request: Mapping[str, Any], messages: Sequence[Message], generation: Generation
    ) -> Generator[str, None, bool]:
        watch = Watch(self._token_timeout_s, generation)
        with (
            self._errors(),
            self._client.stream("POST", "/api/chat", json=request, timeout=self._timeout(watch)) as response,
        ):
            if response.status_code != httpx.codes.OK:
                response.read()
                raise self._refusal(response.status_code, response.text)
            parts = map(self._json_object, _lines(response.iter_bytes()))
            for part in watch.parts(parts, _written):
                if "error" in part:
                    raise self._refusal(_integer(part.get("status")) or 500, str(part["error"]))
                # A model that was asked not to think may still do so (gpt-oss): that text is in `thinking`, unread.
                if content := _text(part, "content"):
                    yield content
                if part.get("done") is True:
                    is_cut = part.get("done_reason") == "length"
                    require_whole_prompt(
                        messages,
                        generation,
                        prompt_tokens=_integer(part.get("prompt_eval_count")),
                        answer_tokens=_integer(part.get("eval_count")),
                        stopped_by_length=is_cut,
                    )
                    return is_cut
        raise ModelUnavailable(f"Ollama at {self._host} ended its answer too soon. Ask again; see the server's log.")

    def _timeout(self, watch: Watch) -> httpx.Timeout:
        return httpx.Timeout(watch, connect=self._connect_timeout_s)

    def _known(self, generation: Generation | None) -> _Shown:
        """The model as it is now. What is shown of a manifest stays true of it, so that is asked once."""
        digest, shown = self._digest(generation), self._shown
        if shown is None or shown.digest != digest:
            shown = self._shown = self._show(digest, generation)
        return shown

    def _show(self, digest: str, generation: Generation | None) -> _Shown:
        shown = self._asked("POST", "/api/show", Watch(self._token_timeout_s, generation), json={"model": self._name})
        if shown.get("remote_host"):
            raise ModelUnavailable(
                f"Model '{self._name}' runs on another host, outside this room. Choose a local model."
            )
        lengths = [
            value
            for key, value in _object(shown, "model_info").items()
            if key.endswith(".context_length") and isinstance(value, int)
        ]
        return _Shown(
            digest,
            max(lengths, default=0),
            str(_object(shown, "details").get("quantization_level") or ""),
            _THINKING in str(shown.get("capabilities")),
        )

    def _own_tokenizer(self) -> Tokenizer | None:
        """That of the model as it was last shown, asked for once; None where Ollama tells of none that is known."""
        digest = self._shown.digest if self._shown else ""
        with self._reading:
            if self._tokenizer_of != digest and time.monotonic() >= self._tokenizer_not_before:
                try:
                    self._tokenizer, self._tokenizer_of = self._read_tokenizer(), digest
                except ModelUnavailable:  # whoever asks for an answer is told why
                    self._tokenizer_not_before = time.monotonic() + ASK_AGAIN_S
            return self._tokenizer if self._tokenizer_of == digest else None

    def _read_tokenizer(self) -> Tokenizer | None:
        watch = Watch(min(_VOCABULARY_S, self._token_timeout_s), most_bytes=_VOCABULARY_BYTES)
        shown = self._asked("POST", "/api/show", watch, json={"model": self._name, "verbose": True})
        return gguf_tokenizer(_object(shown, "model_info"))

    def _digest(self, generation: Generation | None) -> str:
        listed = self._asked("GET", "/api/tags", Watch(self._token_timeout_s, generation))
        for model in _objects(listed.get("models")):
            # A name without a tag means the tag "latest".
            if model.get("name") in (self._name, f"{self._name}:latest"):
                return f"sha256:{str(model.get('digest', '')).removeprefix('sha256:')}"
        raise self._missing()

    def _window(self, shown: _Shown) -> int:
        return min(self._context_tokens, shown.context_tokens or self._context_tokens)

    def _asked(self, method: str, path: str, watch: Watch, **request: Any) -> Mapping[str, Any]:
        with self._errors():
            response = self._client.request(method, path, timeout=self._timeout(watch), **request)
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response.status_code, response.text)
        return self._json_object(response.content)

    def _json_object(self, text: bytes) -> Mapping[str, Any]:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ModelUnavailable(f"{self._host} does not answer like Ollama. Check model.ollama_host.")
        return value

    def _refusal(self, status: int, text: str) -> ModelUnavailable:
        """The error for what the server said, in words of ours."""
        if tells_of_overflow(text):
            return ContextOverflow(
                f"The prompt is longer than the window Ollama gave model '{self._name}'. "
                "Use fewer passages, or raise model.context_tokens if the model allows it."
            )
        if status == httpx.codes.NOT_FOUND:
            return self._missing()
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            return ModelUnavailable(f"Ollama at {self._host} is busy. Wait a moment and ask again.")
        if "memory" in text:
            return ModelUnavailable(
                f"Ollama at {self._host} has too little memory for model '{self._name}'. "
                "Choose a smaller model or lower model.context_tokens."
            )
        return ModelUnavailable(
            f"Ollama at {self._host} could not answer with model '{self._name}' (error {status}). See the server's log."
        )

    def _missing(self) -> ModelUnavailable:
        return ModelUnavailable(
            f"Model '{self._name}' is not on the Ollama server at {self._host}; import it with `ollama create` "
            "from a model file, or copy it from another server's model folder."
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what httpx raises into an error that says what to do."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ModelUnavailable(
                f"Ollama does not answer at {self._host}. Start it, or set model.ollama_host."
            ) from error
        except httpx.TimeoutException as error:
            raise ModelUnavailable(
                f"Ollama at {self._host} sent nothing of an answer for {self._token_timeout_s:g} seconds. "
                "See its log, or raise model.token_timeout_s if it is loading a large model."
            ) from error
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:
            # RuntimeError is httpx's word for a client that was closed under the request.
            raise ModelUnavailable(
                f"The connection to Ollama at {self._host} broke off. Ask again; see the server's log."
            ) from error


def _base_url(host: str) -> str:
    """`host` as a URL. As with Ollama's own client, a host without scheme or port is http on port 11434.

    Raises:
        ConfigurationError: `host` is no address.
    """
    try:
        if "://" in host:
            url = httpx.URL(host)
        else:
            url = httpx.URL(f"http://{host or '127.0.0.1'}")
            url = url.copy_with(port=url.port or _DEFAULT_PORT)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigurationError(f"model.ollama_host '{host}' is not an address.") from error
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > _LAST_PORT:
        raise ConfigurationError(f"model.ollama_host '{host}' is not an address.")
    if url.host == "0.0.0.0":  # noqa: S104 - where a server listens on all addresses, a client cannot connect
        url = url.copy_with(host="127.0.0.1")
    return str(url).rstrip("/")


def _written(part: Mapping[str, Any]) -> str:
    """What the model wrote in a part of an answer, its thinking too."""
    return _text(part, _THINKING) + _text(part, "content")


def _text(part: Mapping[str, Any], key: str) -> str:
    return str(_object(part, "message").get(key) or "")


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _objects(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a body, split at the newline byte only; an answer may hold other line separators."""
    rest = bytearray()
    for block in blocks:
        rest += block
        if b"\n" in block:
            *lines, rest = rest.split(b"\n")
            yield from (bytes(line) for line in lines if line.strip())
    if rest.strip():
        yield bytes(rest)
