"""Counts tokens with the tokenizer of a model server, where the server lets it be asked.

The API of OpenAI has no way to. vLLM, SGLang and llama.cpp's own server have the same one, `POST /tokenize` beside
their `/v1`: vLLM and SGLang take the text as `prompt`, llama.cpp as `content`, each passes over what is the other's,
and all answer with a list `tokens`.

Rules this module keeps:

1. It never counts too few, as far as can be told: fewer tokens than words, or more than bytes, are no count of a text.
   Where there is none, the bound of `token_bound` stands in.
2. Few requests: none for a text that is short by the bound, none for one that was counted a moment ago.
3. What goes wrong costs one short wait, and what is slow two: the server is then left alone for a while, and the bound
   stands in.
4. Nothing of a text is kept or passed on: a count is remembered by a hash, and what else a server says is not read.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time

import httpx

from appliance.errors import ModelUnavailable
from appliance.inference.token_bound import ASK_AGAIN_S, NOT_WORTH_ASKING, at_least_tokens, at_most_tokens
from appliance.inference.watch import Watch, WatchedTransport
from appliance.inference.wire import valid_text

_LIMIT_S = 2.0
_SLOW_S = 0.2  # packing may ask a dozen times
_SLOW_AT_MOST = 2  # on end
_REMEMBERED = 64  # texts: the rules in each language, and those of the questions that are being answered
_SPECIAL = 8  # tokens that a server may add though it was asked not to
_BYTES_A_TOKEN = 16  # of an answer
_BYTES_BESIDE = 64 * 1024


class ServerTokenizer:
    """The tokenizer of the server at `base_url`. Threads may share it."""

    def __init__(
        self, base_url: str, api_key: str, *, limit_s: float = _LIMIT_S, ask_again_s: float = ASK_AGAIN_S
    ) -> None:
        """Connect to nothing yet.

        Args:
            base_url: The address of the API, such as `http://127.0.0.1:8000/v1`.
            api_key: Sent as a bearer token; empty for none.
            limit_s: How long a count may take.
            ask_again_s: How long a server is left alone that gave none.
        """
        address = httpx.URL(base_url)
        self._url = address.copy_with(path=f"{address.path.rstrip('/').removesuffix('/v1')}/tokenize")
        self._limit_s = limit_s
        self._ask_again_s = ask_again_s
        self._not_before = time.monotonic()
        self._slow = 0
        self._counts: dict[tuple[str, bytes], int] = {}  # latest last
        self._lock = threading.Lock()
        self._client = httpx.Client(
            transport=WatchedTransport(),
            trust_env=False,
            follow_redirects=False,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )

    def count(self, model: str, text: str) -> int:
        """How many tokens of `model` a text takes at most."""
        bound = at_most_tokens(text)
        if bound <= NOT_WORTH_ASKING:
            return bound
        key = model, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            known = self._counts.pop(key, None)
            if known is not None:
                self._counts[key] = known
                return known
            if time.monotonic() < self._not_before:
                return bound
        began = time.monotonic()
        counted = self._asked(model, valid_text(text))
        now = time.monotonic()
        with self._lock:
            self._slow = self._slow + 1 if now - began > _SLOW_S else 0
            if counted is None or self._slow == _SLOW_AT_MOST:
                self._slow, self._not_before = 0, now + self._ask_again_s
            if counted is None:
                return bound
            self._counts[key] = counted
            if len(self._counts) > _REMEMBERED:
                del self._counts[next(iter(self._counts))]
        return counted

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def _asked(self, model: str, text: str) -> int | None:
        """What the server counts; None where it gives no count of this text."""
        most = len(text.encode()) + _SPECIAL
        request = {"model": model, "prompt": text, "content": text, "add_special_tokens": False}
        timeout = httpx.Timeout(self._limit_s, read=Watch(self._limit_s))
        try:
            with self._client.stream("POST", self._url, json=request, timeout=timeout) as response:
                body = self._read(response, most * _BYTES_A_TOKEN + _BYTES_BESIDE)
            tokens = json.loads(body)["tokens"]
        except (ModelUnavailable, httpx.HTTPError, httpx.StreamError, RuntimeError, ValueError, TypeError, KeyError):
            # RuntimeError is httpx's word for a client that was closed, and Python's for too many brackets.
            return None
        is_count = isinstance(tokens, list) and at_least_tokens(text) <= len(tokens) <= most
        return len(tokens) if is_count else None

    @staticmethod
    def _read(response: httpx.Response, longest_bytes: int) -> bytes:
        """The body of an answer; nothing of one that is no answer or too long."""
        body = bytearray()
        if response.status_code != httpx.codes.OK:
            return b""
        for piece in response.iter_raw():
            body += piece
            if len(body) > longest_bytes:
                return b""
        return bytes(body)
