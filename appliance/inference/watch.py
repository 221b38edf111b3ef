"""Ends a call to a model server in time, whatever the server sends.

Rules this module keeps:

1. The clock is looked at with every block of bytes, from the first of the request to the last of the answer, and every
   second in which none goes or comes. A timeout of httpx begins anew with each byte.
2. Only text that can be seen is a sign of life, thinking too, which is not shown: a model may think for longer than it
   may be silent. Comments, blank lines, lines without an end, empty parts of an answer and parts of blanks are none.
3. What is no part yet waits in memory, so it has a greatest size; and nothing is unpacked, since a few bytes may unpack
   to any number.
4. Nor has an answer more text, thinking included, than the tokens that were asked for can make.
5. A call ends when nobody waits for its answer any more, whether bytes come or not.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Self, TypeVar

import httpcore
import httpx

from appliance.errors import ModelUnavailable
from appliance.inference.port import Generation

MAX_PART_BYTES = 4 * 1024 * 1024
"""What a server may send before there is a part of an answer in it, or the whole answer to a plain request, unless the
`Watch` of the call is given another size."""

CHARACTERS_PER_TOKEN = 16
"""More than the tokens of any answer have on average: of prose they have three to five, of padded tables some more.
What counts is characters: a server may cut its parts finer than tokens, or coarser."""

_LOOK_S = 1.0
_Part = TypeVar("_Part")


class Watch(float):
    """The longest silence of a server, in seconds, for one call; to be given to httpx as the timeout of that call.

    httpx hands it on as it is to the network of a `WatchedTransport`, which asks it whether to write or read on.
    """

    _generation: Generation | None
    _ends: float
    _heard_at: float
    _unread_bytes: int
    _most_bytes: int
    _characters: int

    def __new__(
        cls, silence_s: float, generation: Generation | None = None, *, most_bytes: int = MAX_PART_BYTES
    ) -> Self:
        """Begin now. A plain request, of which no `parts` are made, has `silence_s` for the whole of its answer.

        It ends with the `generation` that it is made for, if there is one, as an answer does; and once the server has
        sent more than `most_bytes` without a part of an answer in them, of a plain request its whole answer.
        """
        watch = super().__new__(cls, silence_s)
        watch._generation = generation
        watch._heard_at = time.monotonic()
        watch._ends = watch._heard_at + (generation.time_s if generation else math.inf)
        watch._unread_bytes = 0
        watch._most_bytes = most_bytes
        watch._characters = 0
        return watch

    def parts(self, parts: Iterable[_Part], text_of: Callable[[_Part], str]) -> Iterator[_Part]:
        """What was made of the bytes of a server, part by part.

        Args:
            parts: They may come for ever.
            text_of: What the model wrote in one of them, to be shown or not.

        Raises:
            ModelUnavailable: The time of the answer is over, nobody waits for it, or it is longer than it can be.
        """
        for part in parts:
            self._require_time()
            text = text_of(part)
            self._require_end(len(text))
            given_at = time.monotonic()
            yield part
            self._unread_bytes = 0
            # For how long a reader held the part is no silence of the server.
            self._heard_at = time.monotonic() - (0 if _can_be_seen(text) else given_at - self._heard_at)

    def read(self, receive: Callable[[float], bytes]) -> bytes:
        """The next block of bytes.

        Args:
            receive: Waits so many seconds for it. Raises httpcore.ReadTimeout when none comes.

        Raises:
            ModelUnavailable: The time of the answer is over, nobody waits for it, or no part of it comes for bytes.
            httpcore.ReadTimeout: The silence is too long.
        """
        while True:
            wait_s = self._wait_s(httpcore.ReadTimeout)
            with suppress(httpcore.ReadTimeout):
                block = receive(wait_s)
                self._unread_bytes += len(block)
                return block

    def write(self, request: bytes, send: Callable[[memoryview, float], int]) -> None:
        """Send a request, or a part of one.

        Args:
            request: All of it.
            send: Waits so many seconds until some of it can go, and gives how much went. Raises httpcore.WriteTimeout
                when none does.

        Raises:
            ModelUnavailable: The time of the answer is over, or nobody waits for it.
            httpcore.WriteTimeout: It takes too long.
        """
        left = memoryview(request)
        while left:
            wait_s = self._wait_s(httpcore.WriteTimeout)
            with suppress(httpcore.WriteTimeout):
                left = left[send(left, wait_s) :]

    def _wait_s(self, too_long: type[httpcore.TimeoutException]) -> float:
        """How long to wait until it is to be looked again. Raises ModelUnavailable, or what is `too_long`."""
        self._require_time()
        left_s = self._heard_at + self - time.monotonic()
        if left_s <= 0:
            raise too_long
        return min(left_s, _LOOK_S)

    def _require_time(self) -> None:
        generation = self._generation
        if generation is not None and not generation.is_wanted():
            raise ModelUnavailable("The language model was stopped before the end of its answer.")
        if generation is not None and time.monotonic() > self._ends:
            raise ModelUnavailable(
                f"The language model did not finish its answer in {generation.time_s:g} seconds. Ask for less, choose "
                "a faster model, or raise model.answer_timeout_s."
            )
        if self._unread_bytes > self._most_bytes:
            raise ModelUnavailable(
                f"The model server sent {self._most_bytes // 2**20} MB without coming to the end of a line, or of a "
                "part of an answer. See its log, and check that it is the server meant."
            )

    def _require_end(self, characters: int) -> None:
        """A server that heeds no limit may have cut the prompt too; the figures that would tell do not come."""
        generation = self._generation
        self._characters += characters
        if generation is not None and self._characters > CHARACTERS_PER_TOKEN * generation.max_tokens:
            raise ModelUnavailable(
                f"The language model wrote on after the {generation.max_tokens:,} tokens that it was asked for. Check "
                "the version of its server; a longer answer takes a higher model.max_answer_tokens."
            )


def _can_be_seen(text: str) -> bool:
    return any(character.isprintable() and character != " " for character in text)


class WatchedTransport(httpx.HTTPTransport):
    """The way to a model server on which a `Watch` is asked."""

    def __init__(self, *, uds: str | None = None) -> None:
        """`uds` is the path of the Unix socket that a server listens on, instead of on TCP."""
        super().__init__(trust_env=False, uds=uds)
        self._pool._network_backend = _Network()  # httpcore's pool takes one; httpx has no parameter for it

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask for an answer that is not packed, and read any as if it were not."""
        request.headers["Accept-Encoding"] = "identity"
        response = super().handle_request(request)
        response.headers.pop("Content-Encoding", None)
        return response


class _Network(httpcore.SyncBackend):
    """Connections that ask the `Watch` of the call that they serve."""

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Connection(super().connect_tcp(*args, **kwargs))

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Connection(super().connect_unix_socket(*args, **kwargs))


class _Connection(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if isinstance(timeout, Watch):
            return timeout.read(lambda wait_s: self._stream.read(max_bytes, wait_s))
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if isinstance(timeout, Watch):
            timeout.write(buffer, self._send)
        else:
            self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Connection(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _send(self, block: memoryview, wait_s: float) -> int:
        """As the stream does it, which does not tell how much of a block went before the time was over."""
        connected = self.get_extra_info("socket")
        try:
            connected.settimeout(wait_s)
            sent: int = connected.send(block)
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError from error
        return sent
