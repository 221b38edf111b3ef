"""Parses every file of a folder in the sandbox and says how each ended: `python bench/hostile.py FOLDER [--all]`.

A corpus is passed when every file ends in a state with a reason, no parser crashes, nothing is left running or lying
about, and no file takes longer or more memory than `--seconds` and `--mebibytes` allow. The exit code says which.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from appliance.config import IngestSettings
from appliance.errors import DocumentEmpty, DocumentNeedsPassword, DocumentRejected, DocumentUnreadable, ParserBroken
from ingest.parse.elements import Parsed
from ingest.parse.sandbox import ParserPool

STATES: tuple[tuple[type[DocumentRejected], str], ...] = (
    (DocumentNeedsPassword, "needs password"),
    (DocumentEmpty, "empty"),
    (ParserBroken, "broken"),
    (DocumentUnreadable, "failed"),
    (DocumentRejected, "refused"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file ended, and what it took: `peak_bytes` is the most memory that one process of the parser held."""

    path: str
    state: str
    reason: str
    seconds: float
    cpu_s: float
    peak_bytes: int
    parsed: Parsed | None = None


def descendants(of: int) -> dict[int, int]:
    """The processes under one, and the parent of each."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {of}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: parents[pid] for pid in found - {of}}


class Watch:
    """What the processes below this one take while it is entered; seen every tenth of a second."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._before = {pid: _cpu_s(pid) for pid in descendants(os.getpid())}
        self._cpu: dict[int, float] = {}
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._look, daemon=True)

    @property
    def cpu_s(self) -> float:
        """Processor time of all of them."""
        return sum(spent - self._before.get(pid, 0.0) for pid, spent in self._cpu.items())

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            for pid in descendants(os.getpid()):
                self._cpu[pid] = max(_cpu_s(pid), self._cpu.get(pid, 0.0))
                with contextlib.suppress(OSError, ValueError, IndexError):
                    status = Path(f"/proc/{pid}/status").read_text()
                    self.peak_bytes = max(self.peak_bytes, int(status.split("VmHWM:")[1].split()[0]) * 1024)


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def ending(pool: ParserPool, path: Path, name: str) -> Outcome:
    """Parse one file and see how it ends. An error that is no refusal is an outcome too: "crash"."""
    start = time.perf_counter()
    parsed, state, reason = None, "read", ""
    with Watch() as watch:
        try:
            parsed = pool.parse(path, name=name)
        except DocumentRejected as error:
            state = next(word for kind, word in STATES if isinstance(error, kind))
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - that there is none is what is measured
            state, reason = "crash", f"{type(error).__name__}: {error}"
    return Outcome(name, state, reason, time.perf_counter() - start, watch.cpu_s, watch.peak_bytes, parsed)


def sweep(folder: Path, pool: ParserPool) -> Iterator[Outcome]:
    """Every regular file under `folder`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield ending(pool, path, str(path.relative_to(folder)))


def main() -> int:
    """Sweep, print a table, and return 0 when the corpus is passed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--seconds", type=float, default=30.0, help="of processor time: the same on a busy machine")
    options.add_argument("--mebibytes", type=int, default=1024)
    options.add_argument("--all", action="store_true", help="print every file, not only the totals and the worst")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tempfile.tempdir = folder
        started, outcomes = descendants(os.getpid()).keys(), []
        with ParserPool(IngestSettings(), size=1) as pool:
            for outcome in sweep(chosen.folder, pool):
                outcomes.append(outcome)
                if chosen.all or outcome.state == "crash":
                    print(_line(outcome), flush=True)
        orphans = descendants(os.getpid()).keys() - started
        left = [path.name for path in Path(folder).iterdir()]
        tempfile.tempdir = None
    return _report(outcomes, len(orphans), len(left), chosen.seconds, chosen.mebibytes)


def _report(outcomes: list[Outcome], orphans: int, left: int, seconds: float, mebibytes: int) -> int:
    kinds: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        kinds.setdefault(Path(outcome.path).suffix.lower() or "(none)", Counter())[outcome.state] += 1
    for kind, states in sorted(kinds.items()):
        print(f"{kind:8}", ", ".join(f"{count} {state}" for state, count in states.most_common()))
    print("slowest and largest:")
    worst = {outcome.path: outcome for outcome in sorted(outcomes, key=lambda item: item.cpu_s)[-5:]}
    worst |= {outcome.path: outcome for outcome in sorted(outcomes, key=lambda item: item.peak_bytes)[-5:]}
    for outcome in worst.values():
        print(" ", _line(outcome))
    crashes = sum(outcome.state == "crash" for outcome in outcomes)
    unexplained = sum(outcome.state != "read" and not outcome.reason for outcome in outcomes)
    over = sum(outcome.cpu_s > seconds or outcome.peak_bytes > mebibytes * 1024**2 for outcome in outcomes)
    print(f"{len(outcomes)} files: {crashes} crashes, {unexplained} without a reason, {over} over the limits, ", end="")
    print(f"{orphans} orphans, {left} things left behind")
    return int(bool(crashes or unexplained or over or orphans or left or not outcomes))


def _line(outcome: Outcome) -> str:
    size = outcome.peak_bytes / 1024**2
    return f"{outcome.state:14} {outcome.seconds:6.1f} s {outcome.cpu_s:6.1f} s of processor {size:6.0f} MiB  {outcome.path}  {outcome.reason}"


if __name__ == "__main__":
    sys.exit(main())
