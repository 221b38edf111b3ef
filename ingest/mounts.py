"""What is mounted on this machine (proc(5), mountinfo)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system: its device, as `os.stat` has it, where it is mounted, and its kind, such as "ext4"."""

    device: int
    point: Path
    kind: str


def mounts() -> list[Mount]:
    """Every file system that is mounted, in the order in which they were."""
    found = []
    table = _TABLE.read_bytes().decode("utf-8", "surrogateescape")
    for line in filter(None, table.split("\n")):  # not splitlines(): other controls of a name stand there as they are
        mount, _, about = line.partition(" - ")
        _, _, device, _, escaped, *_ = mount.split()
        major, minor = device.split(":")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)
        found.append(Mount(os.makedev(int(major), int(minor)), Path(point), about.split()[0]))
    return found
