"""Reads files that searches read in here and there, once and from end to end, while there is room for them in memory.

Among a million chunks a search reads thousands of pages, others with each question. One that is not in memory costs a
walk to the disk. Beneath a hypervisor even one that is costs microseconds at the first touch since it came from there,
as if it were computed: 30 to 40 ms in each of the first questions instead of 4 (docs/performance.md, *Searching*).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_MEMORY = Path("/proc/meminfo")
_PIECE = 1024**2  # bytes
_BLOCK = 512  # bytes, in which `stat` counts what a file takes


def has_room_for(count: int) -> bool:
    """Whether so many bytes take no more than half of the memory that the system can give without writing any out.

    Raises OSError, ValueError: It does not say.
    """
    for line in _MEMORY.read_text("ascii").splitlines():
        name, _, size = line.partition(":")
        if name == "MemAvailable":
            return count <= int(size.split()[0]) * 1024 // 2
    raise ValueError(f"{_MEMORY} has no MemAvailable")


def read_through(paths: Iterable[Path]) -> None:
    """Read files, if there is room for all of them. Raises OSError."""
    sizes = {path: min(path.stat().st_size, path.stat().st_blocks * _BLOCK) for path in paths}
    if not has_room_for(sum(sizes.values())):
        return
    piece = bytearray(_PIECE)
    for path, left in sizes.items():  # of a file that is being filled, the rest is a hole
        with path.open("rb", buffering=0) as file:
            while left > 0 and (count := file.readinto(piece)):
                left -= count
