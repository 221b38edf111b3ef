"""How the work of a function grows with its input, told from one run: no limit of seconds that a slower machine breaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

Input = TypeVar("Input")

_TIMES, _ROUNDS, _MOST = 4, 15, 10.0  # linear work takes 4 times as long, quadratic 16 times


def assert_linear(work: Callable[[Input], object], make: Callable[[int], Input], size: int) -> None:
    """Fails if four times the input takes more than ten times the processor time of this thread.

    `size` is that of the larger input; the smaller one must take about a millisecond at least, or the fixed part of the
    work hides its growth. What else the machine does can only add to a time: the smallest of up to 15 counts.
    """
    small, large = make(size // _TIMES), make(size)
    ratio = least_small = least_large = math.inf
    for number in range(_ROUNDS):
        least_small, least_large = min(least_small, _seconds(work, small)), min(least_large, _seconds(work, large))
        ratio = least_large / least_small
        if ratio < _MOST and number >= 2:  # the first ones warm up
            return
    raise AssertionError(f"{_TIMES} times the input takes {ratio:.0f} times as long")


def _seconds(work: Callable[[Input], object], given: Input) -> float:
    begun = time.thread_time()
    work(given)
    return time.thread_time() - begun
