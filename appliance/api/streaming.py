"""Sends the events of an answer as they come, and closes the answer whatever happens to the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable

import anyio
from anyio import to_thread

from appliance.answering.answerer import AnswerEvent, Token
from appliance.api.problems import problem_of, unexpected_problem
from appliance.api.schemas.shapes import Problem
from appliance.errors import ApplianceError

Events = Generator[AnswerEvent, None, None]

_FAST_S = 0.05  # from one piece to the next
_TOGETHER_S = 0.1  # what comes within it is sent at once: a reader does not see the difference
_PORTIONS_PER_S = 160  # of all answers; where more are written at a time, each is sent more at a time
_WAITED_S = 0.005  # a piece that took longer was not there yet


async def streamed(
    events: Events,
    left: threading.Event,
    *,
    frames: Callable[[AnswerEvent], Iterable[str]],
    failed: Callable[[Problem], str],
) -> AsyncIterator[str]:
    """The frames of the events, several where they come fast; the frame of a problem when one is raised.

    Each answer waits for its model in a thread of its own: however many models are silent, other requests are served.
    When the reader leaves, `left` is set, which stops a model that is waited for, and `events` is closed, which puts
    the end on record.
    """
    limiter, portions = anyio.CapacityLimiter(1), _Portions(events)
    _underway.add(portions)
    try:
        while portion := await to_thread.run_sync(portions.take, limiter=limiter, abandon_on_cancel=True):
            yield "".join(frame for event in portion for frame in frames(event))
    except ApplianceError as error:
        yield failed(problem_of(error))
    except Exception as error:  # noqa: BLE001 - the edge of a request whose status is sent already
        yield failed(unexpected_problem(error))
    finally:
        _underway.discard(portions)
        left.set()
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(portions.close, limiter=limiter)


class _Portions:
    """The events in portions, so that many answers at a time are not sent word by word.

    The first piece of an answer is never kept waiting, and no piece of a slow model. Those of a fast one are left to
    gather, and taken in one go: a thread that wakes up for every word of fifty answers holds up who waits for a first.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._in_text = False
        self._pause_s = 0.0
        self._error: Exception | None = None
        self._lock = threading.Lock()  # the thread that takes is not waited for when the reader has left

    def take(self) -> list[AnswerEvent]:
        """The next event, and those that follow it fast; empty at the end. What `events` raises comes after them."""
        with self._lock:
            return self._taken()

    def close(self) -> None:
        """Close the events, once nothing is being taken of them."""
        with self._lock:
            self._events.close()

    def _taken(self) -> list[AnswerEvent]:
        if self._error is not None:
            raise self._error
        time.sleep(self._pause_s)
        self._pause_s = 0.0
        portion: list[AnswerEvent] = []
        together_s = max(_TOGETHER_S, len(_underway) / _PORTIONS_PER_S)
        ends = time.monotonic() + together_s
        while (asked := time.monotonic()) < ends:
            try:
                event = next(self._events, None)
            except Exception as error:
                if not portion:
                    raise
                self._error = error
                break
            if event is None:
                break
            portion.append(event)
            was_in_text, self._in_text = self._in_text, isinstance(event, Token)
            took = time.monotonic() - asked
            if not (was_in_text and self._in_text and took < _FAST_S):
                break
            self._pause_s = together_s
            if took > _WAITED_S:
                break
        return portion


_underway: set[_Portions] = set()
"""The answers that are being sent. They are added and taken out by the event loop alone."""
