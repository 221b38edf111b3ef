"""How the events of an answer are sent: all of them, in order, and none kept back that a reader would wait for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator

import pytest

from appliance.answering.answerer import AnswerEvent, Started, Token
from appliance.api.streaming import streamed
from appliance.errors import ModelUnavailable

STARTED = Started("query", "conversation", "question")


def frames(event: AnswerEvent) -> list[str]:
    return [f"<{event.text}>" if isinstance(event, Token) else "<started>"]


def sent(events: Generator[AnswerEvent, None, None], heard: threading.Semaphore | None = None) -> list[str]:
    async def read() -> list[str]:
        pieces = []
        async for piece in streamed(
            events, threading.Event(), frames=frames, failed=lambda problem: f"<{problem.code}>"
        ):
            pieces.append(piece)
            if heard is not None:
                heard.release()
        return pieces

    return asyncio.run(read())


def test_pieces_that_come_fast_are_sent_together_and_in_order() -> None:
    def fast() -> Generator[AnswerEvent, None, None]:
        yield STARTED
        yield from (Token(str(number)) for number in range(200))

    pieces = sent(fast())
    assert "".join(pieces) == "<started>" + "".join(f"<{number}>" for number in range(200))
    assert pieces[:2] == ["<started>", "<0>"]  # the first word waits for no other
    assert len(pieces) < 100


def test_no_piece_of_a_slow_model_is_kept_until_the_next() -> None:
    heard = threading.Semaphore(0)
    kept: list[int] = []

    def slow() -> Generator[AnswerEvent, None, None]:
        yield STARTED
        for number in range(5):
            if not heard.acquire(timeout=5):  # what was made before has reached the reader
                kept.append(number)
            time.sleep(0.1)
            yield Token(str(number))

    assert "".join(sent(slow(), heard)) == "<started><0><1><2><3><4>"
    assert kept == []


def test_the_words_of_a_fast_model_are_sent_a_few_times_a_second() -> None:
    def thirty_a_second() -> Generator[AnswerEvent, None, None]:
        yield STARTED
        began = time.monotonic()
        for number in range(45):
            time.sleep(max(0.0, began + number / 30 - time.monotonic()))  # it writes on, whoever reads
            yield Token(str(number))

    pieces = sent(thirty_a_second())
    assert "".join(pieces) == "<started>" + "".join(f"<{number}>" for number in range(45))
    assert len(pieces) < 30


def test_where_many_answers_are_written_each_is_sent_more_at_a_time() -> None:
    def thirty_a_second() -> Generator[AnswerEvent, None, None]:
        yield STARTED
        began = time.monotonic()
        for number in range(45):
            time.sleep(max(0.0, began + number / 30 - time.monotonic()))
            yield Token(str(number))

    async def together(answers: int) -> list[list[str]]:
        async def one() -> list[str]:
            events = streamed(thirty_a_second(), threading.Event(), frames=frames, failed=lambda problem: problem.code)
            return [piece async for piece in events]

        return await asyncio.gather(*(one() for _ in range(answers)))

    alone, many = asyncio.run(together(1)), asyncio.run(together(80))
    assert {"".join(pieces) for pieces in many} == {"".join(alone[0])}
    assert max(map(len, many)) < len(alone[0])


def test_what_came_before_an_error_is_sent_before_it() -> None:
    def failing() -> Generator[AnswerEvent, None, None]:
        yield STARTED
        yield from (Token(str(number)) for number in range(3))
        raise ModelUnavailable("The model is gone.")

    assert "".join(sent(failing())) == f"<started><0><1><2><{ModelUnavailable.code}>"


def test_a_reader_who_leaves_stops_what_is_waited_for() -> None:
    left, waiting, closed = threading.Event(), threading.Event(), threading.Event()

    def thinking() -> Generator[AnswerEvent, None, None]:
        try:
            yield STARTED
            waiting.set()
            if left.wait(60):
                yield Token("The passages are quoted instead.")
        finally:
            closed.set()

    async def leave() -> None:
        pieces = streamed(thinking(), left, frames=frames, failed=lambda problem: problem.code)
        await anext(pieces)
        next_piece = asyncio.ensure_future(anext(pieces))  # type: ignore[arg-type]
        await asyncio.to_thread(waiting.wait, 60)
        next_piece.cancel()
        with pytest.raises(asyncio.CancelledError):
            await next_piece

    asyncio.run(leave())
    assert left.is_set()
    assert closed.is_set()


def test_the_answer_is_closed_when_its_reader_leaves() -> None:
    closed = threading.Event()

    def endless() -> Generator[AnswerEvent, None, None]:
        try:
            yield STARTED
            while True:
                yield Token("on")
        finally:
            closed.set()

    async def leave() -> None:
        pieces = streamed(endless(), threading.Event(), frames=frames, failed=lambda problem: problem.code)
        await anext(pieces)
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert closed.is_set()
