"""Measures how soon a change of access in a watched folder acts, from the change to the first search that finds nothing.

    python bench/access.py [--files NUMBER] [--beside]

A folder of made-up texts, a hundred to each folder in it, whose rights on its share are read (POSIX), is taken in and
watched. Then, one after the other, each undone before the next:

- an access file that names nobody is written beside one file;
- one file is closed to others (chmod);
- a folder of a hundred files is closed to others;
- an access file that names nobody is written into the root, which covers every file;
- an export of `icacls` that lists one file no more takes the place of the one before.

Each time a reader searches for the words of one file until they are not found, every tenth of a second; where every file
is closed, for those of the last one.

--files   In the folder (10000 is the standard).
--beside  All that while another folder of as many files is taken in.

Everything happens in temporary folders. Figures are only comparable within one run on one machine.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.config import ModelSettings, Provider, Settings, go_offline

go_offline()

from appliance.domain import EVERYONE, AccessFilter, Share, ShareKind, Source
from appliance.wiring import Appliance, opened
from ingest.share.ntfs import EXPORT

_READERS = AccessFilter(frozenset({EVERYONE}))
_EVERY_S = 0.1
_LIMIT_S = 600.0
_QUIET_S = 3.0  # until the sync that follows has begun
_FIRST = "00/note-0.txt"
_IN_A_FOLDER = 100
_OPEN, _CLOSED = "D:(A;;FA;;;WD)", "D:(A;;FA;;;BA)"


def measure(files: int, *, beside: bool) -> None:
    """Make a folder, take it in, and print how long each change takes to act."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, tempfile.TemporaryDirectory(prefix="bench-") as data:
        folder, other = Path(name) / "watched", Path(name) / "other"
        last = _make_texts(folder, files, own={0: "The sole Zinnober of all.", files - 1: "The last Kobalt of all."})
        if beside:
            _make_texts(other, files, own={})
        settings = Settings(data_dir=Path(data), model=ModelSettings(provider=Provider.NONE))
        with opened(settings) as appliance:
            source = _taken_in(appliance, folder)
            appliance.watcher.start()
            time.sleep(2.0)  # until the folder is watched
            if beside:
                appliance.runs.start(_source(appliance, other))
            _changes(appliance, source, last)


def _changes(appliance: Appliance, source: Source, last: str) -> None:
    folder = Path(source.path)
    file, below = folder / _FIRST, folder / "00"
    own, whole, export = folder / f"{_FIRST}.access.toml", folder / ".access.toml", folder / EXPORT
    nobody = "groups = []"
    first = _Asked(appliance, source.id, _FIRST, "the sole Zinnober")
    first.timed("an access file beside one file", lambda: own.write_text(nobody), own.unlink)
    first.timed("the mode of one file", lambda: file.chmod(0o640), lambda: file.chmod(0o644))
    first.timed("the mode of a folder", lambda: below.chmod(0o750), lambda: below.chmod(0o755))
    every = _Asked(appliance, source.id, last, "the last Kobalt")
    every.timed("an access file for every file", lambda: whole.write_text(nobody), whole.unlink)
    lines = {str(path.relative_to(folder)): _OPEN for path in sorted(folder.rglob("*.txt"))}
    _write_export(export, lines)
    appliance.catalog.change_source(replace(source, share=Share(ShareKind.ICACLS, (("S-1-1-0", EVERYONE),))))
    first.timed(
        "a new export of icacls",
        lambda: _write_export(export, {**lines, _FIRST: _CLOSED}),
        lambda: _write_export(export, lines),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that one file answers."""

    appliance: Appliance
    source_id: str
    path: str
    question: str

    def timed(self, what: str, close: Callable[[], object], reopen: Callable[[], object]) -> None:
        """Print how long it takes until a reader does not find the file any more, and until they find it again."""
        self._until(found=True)
        while self.appliance.runs.is_running(self.source_id):
            time.sleep(_EVERY_S)
        close()
        closed_s = self._until(found=False)
        time.sleep(_QUIET_S)
        reopen()
        opened_s = self._until(found=True)
        print(f"{what:32} closed after {closed_s:6.2f} s, open again after {opened_s:6.2f} s, "
              f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
        time.sleep(_QUIET_S)

    def _until(self, *, found: bool) -> float:
        """Seconds until a search finds the file, or does not."""
        start = time.perf_counter()
        while self._is_found() != found:
            if time.perf_counter() - start > _LIMIT_S:
                raise SystemExit("A change of access never acted.")
            time.sleep(_EVERY_S)
        return time.perf_counter() - start

    def _is_found(self) -> bool:
        return any(hit.path == self.path for hit in self.appliance.retriever.retrieve(self.question, _READERS))


def _write_export(export: Path, lines: dict[str, str]) -> None:
    """Write it beside, and put it in its place."""
    written = export.with_suffix(".new")
    written.write_text("".join(f"{path}\r\n{rights}\r\n" for path, rights in lines.items()), "utf-16")
    written.replace(export)


def _taken_in(appliance: Appliance, folder: Path) -> Source:
    source = _source(appliance, folder)
    start = time.perf_counter()
    for what in ("first ingestion", "sync of the unchanged folder"):
        start = time.perf_counter()
        run = appliance.runs.start(source)
        appliance.runs.wait(run.id)
        if run.error:
            raise SystemExit(run.error)
        print(f"{what}: {run.progress.done} files in {time.perf_counter() - start:.1f} s", flush=True)
    return source


def _source(appliance: Appliance, folder: Path) -> Source:
    share = Share(ShareKind.POSIX, (("others", EVERYONE),))
    source = Source(str(uuid.uuid4()), folder.name, str(folder.resolve()), frozenset(), share=share)
    appliance.catalog.add_source(source)
    return source


def _make_texts(folder: Path, files: int, *, own: Mapping[int, str]) -> str:
    """Make so many files, some of which say something of their own; returns the path of the last."""
    dice = random.Random(1)
    words = [f"{one}{two}" for one in ("ba", "re", "to", "li", "mu") for two in ("nd", "st", "rk", "lm", "va")]
    last = ""
    for number in range(files):
        last = f"{number // _IN_A_FOLDER:02}/note-{number}.txt"
        path = folder / last
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        said = own.get(number) or " ".join(dice.choices(words, k=12))
        path.write_text(f"Note {number}. {said}", "utf-8")
        path.chmod(0o644)
    return last


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--beside", action="store_true")
    given = parser.parse_args()
    measure(given.files, beside=given.beside)


if __name__ == "__main__":
    main()
