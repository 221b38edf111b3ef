"""How much memory a process and its children hold, looked at again and again."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

_SAMPLE_S = 0.2


@dataclass(slots=True)
class Memory:
    """Resident memory of a process and its children over time, in bytes; pages that several share count for each."""

    samples: list[int] = field(default_factory=list)

    def take(self, process: psutil.Process) -> None:
        """One more sample."""
        try:
            family = (process, *process.children(recursive=True))
            self.samples.append(sum(one.memory_info().rss for one in family))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return

    @property
    def peak(self) -> int:
        """The most at one moment."""
        return max(self.samples, default=0)

    @property
    def ends(self) -> tuple[float, float]:
        """The middle of the first and of the last tenth of the samples."""
        tenth = max(1, len(self.samples) // 10)
        return statistics.median(self.samples[:tenth]), statistics.median(self.samples[-tenth:])

    def told(self) -> str:
        """The peak, and what the middle of each fifth of the run was: a leak would show as a rise to the end."""
        fifth = max(1, len(self.samples) // 5)
        parts = [statistics.median(self.samples[start : start + fifth]) for start in range(0, 5 * fifth, fifth)
                 if self.samples[start : start + fifth]]  # fmt: skip
        return f"peak {self.peak / 1e9:.2f} GB, by fifths of the run {', '.join(f'{part / 1e9:.2f}' for part in parts)}"


@contextmanager
def watched(pid: int) -> Iterator[Memory]:
    """The memory of a process, looked at by a thread until the end of the block."""
    memory, process, over = Memory(), psutil.Process(pid), threading.Event()

    def look() -> None:
        while not over.is_set():
            memory.take(process)
            time.sleep(_SAMPLE_S)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()
