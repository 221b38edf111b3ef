"""Sends the events of an answer as they come, and closes the answer whatever happens to the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable

import anyio
from anyio import to_thread

from appliance.answering.answerer import AnswerEvent
from appliance.api.problems import problem_of, unexpected_problem
from appliance.api.schemas.shapes import Problem
from appliance.errors import ApplianceError

Events = Generator[AnswerEvent, None, None]


async def streamed(
    events: Events, *, frames: Callable[[AnswerEvent], Iterable[str]], failed: Callable[[Problem], str]
) -> AsyncIterator[str]:
    """The frames of each event; the frame of a problem when one is raised.

    Each answer waits for its model in a thread of its own: however many models are silent, other requests are served.
    When the reader leaves, `events` is closed, which stops the model and puts the end on record.
    """
    limiter = anyio.CapacityLimiter(1)
    try:
        while (event := await to_thread.run_sync(next, events, None, limiter=limiter)) is not None:
            for frame in frames(event):
                yield frame
    except ApplianceError as error:
        yield failed(problem_of(error))
    except Exception as error:  # noqa: BLE001 - the edge of a request whose status is sent already
        yield failed(unexpected_problem(error))
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(events.close, limiter=limiter)
