"""Reads files that searches read in here and there, once and from end to end, while there is room for them in memory.

Among a million chunks a search reads thousands of pages, others with each question. One that is not in memory costs a
walk to the disk. Beneath a hypervisor even one that is costs microseconds at the first touch since it came from there,
as if it were computed: 30 to 40 ms in each of the first questions instead of 4 (docs/performance.md, *Searching*).

Nothing hangs on it: where it cannot be done, or the system does not say how much memory there is, it is left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

_MEMORY = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_PIECE = 1024**2  # bytes
_BLOCK = 512  # bytes, in which `stat` counts what a file takes


def has_room_for(count: int) -> bool:
    """Whether so many bytes take no more than half of the memory that this process can get without any written out.

    That is what the system has, or what a limit on a group of processes leaves (cgroup v2), if that is less. Limits of
    cgroup v1 are not looked at. Where no figure is to be had there is no room.
    """
    try:
        return count <= min([_available(), *_left_by_limits()]) // 2
    except (OSError, ValueError, KeyError):  # hidden from this process, or of a kernel that writes something else
        return False


def _available() -> int:
    """Bytes that the system can give. Raises OSError, ValueError, KeyError."""
    sizes = dict(line.split(":", 1) for line in _MEMORY.read_text("ascii").splitlines())
    return int(sizes["MemAvailable"].split()[0]) * 1024


def _left_by_limits() -> Iterator[int]:
    """Bytes that each limit on this process, or on a group around its own, leaves. Raises as `_available`."""
    own = next((line[3:] for line in _OWN_GROUP.read_text("utf-8").splitlines() if line.startswith("0::")), "/")
    group = _GROUPS / own.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(_GROUPS):
            return
        if not (folder / "memory.max").exists():  # the outermost group, or one whose memory is not looked after
            continue
        limit = (folder / "memory.max").read_text("ascii").strip()
        if limit != "max":
            held = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
            files = int(held["active_file"]) + int(held["inactive_file"])  # they make way, as for the whole system
            yield int(limit) - int((folder / "memory.current").read_text("ascii")) + files


def read_through(paths: Iterable[Path]) -> None:
    """Read files, if there is room for all of them."""
    with contextlib.suppress(OSError):  # whoever opens a file that cannot be read says what is wrong with it
        _read(paths)


def _read(paths: Iterable[Path]) -> None:
    """Raises OSError."""
    sizes = {path: min(path.stat().st_size, path.stat().st_blocks * _BLOCK) for path in paths}
    if not has_room_for(sum(sizes.values())):
        return
    piece = bytearray(_PIECE)
    for path, left in sizes.items():  # of a file that is being filled, the rest is a hole
        with path.open("rb", buffering=0) as file:
            while left > 0 and (count := file.readinto(piece)):
                left -= count
