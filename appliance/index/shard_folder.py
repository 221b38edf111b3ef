"""The folder of the index in this process: which shard counts, and what of it is on the disk.

    meta.json                  owner, format, embedding model, dimension, names of the others; replaced whole
    shard-<hex>/               the shard
    building-<hex>/            a shard that is not finished; swept away on opening
    statistics-<hex>           in how many chunks each term stands; there while nothing is written to the index

Rules this module keeps:

1. `meta.json` is the switch: a new shard counts from the moment it is named there, and everything else is rubbish.
2. What was written is on the disk when `keep` returns, power cut or not: a withdrawn group must not come back after
   one. The vendor's flush holds the interpreter while the disk works (30 ms and more), for which every question would
   wait. So the write-ahead log is synced from here, where others go on meanwhile, and flushed at most every half a
   minute; on opening, the vendor works off what the log holds.
3. What a failed sync left out, a later one does not write, and says nothing: the kernel has let go of it. And where a
   name could not be made to last, nobody knows which shard counts after a power cut. So from then on nothing is written
   until the index is opened again.
4. A shard is loaded when both its halves are there. The vendor takes one without segments for an empty one. Without the
   write-ahead log it counts operations from the start again and silently ignores every write to a chunk that has seen
   a later one, a withdrawn group included.
5. Statistics are believed unless something was written since they were saved, which a crash does not make forgotten:
   they are forgotten before the first write.

Locks are its owner's: nothing here is called by two threads at once, but for `shard`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from zipfile import BadZipFile

from qdrant_edge import CountRequest, EdgeConfig, EdgeShard, PayloadSchemaType, UpdateOperation

from appliance.errors import IndexUnavailable
from appliance.index.layout import LABELS, SPARSE, Identity
from appliance.index.roster import write_whole
from appliance.index.statistics import TermStatistics, load_statistics, save_statistics
from appliance.read_ahead import read_through

_META = "meta.json"
_SHARD = "shard-"
_BUILDING = "building-"
_STATISTICS = "statistics-"
_LOG = "wal"  # the vendor's folder
_LABELS_STORED = "payload_storage"  # the vendor's folder
_MIN_FREE_BYTES = 64 * 1024**2  # more than a batch of entries can take
_FLUSH_EVERY_S = 30.0

IN_USE = "WouldBlock"
"""What stands in the vendor's error where another process has the shard."""

_LET_GO_S = 2.0
"""How long an index that was closed a moment ago may still be locked: a child of this process that starts just then
holds every lock until it has become another program."""


class ShardFolder:
    """A folder with one shard that counts. Whoever opens it owns it, until the shard is closed."""

    def __init__(self, path: Path, identity: Identity, config: EdgeConfig) -> None:
        """Load the shard in the folder at `path`, made where there is none, and remove what is left of others.

        Raises:
            IndexUnavailable: It belongs to another data folder, was built with another embedding model, has lost its
                `meta.json`, or its disk is almost full.
            OSError: It cannot be read or made.
            ValueError: What is in it is damaged.
            Exception: What the vendor raises: for one that is damaged or in use, and panics that are none.
        """
        self.path = path
        self._identity = identity
        self._config = config
        self._flushed_at = time.monotonic()
        self._saved = ""
        self._in_doubt = False
        path.mkdir(parents=True, exist_ok=True)
        self.require_writable()
        if not (path / _META).exists():
            self._create()
        self._folder, self._saved = self._read_meta()
        read_through(searched(self._folder))  # before the vendor maps them, a page at a time
        self.shard = _load(self._folder, config)
        self._sweep()

    def require_writable(self) -> None:
        """The engine maps its files, also on opening: a page that finds no room ends the process with SIGBUS.

        Raises:
            IndexUnavailable: The disk is almost full, or did not take what was written before (rule 3).
        """
        if self._in_doubt:
            raise IndexUnavailable(
                f"The disk of the vector index at {self.path} did not take what was written to it. Nothing more is "
                "written: check the disk, then restart the appliance."
            )
        if shutil.disk_usage(self.path).free < _MIN_FREE_BYTES:
            raise IndexUnavailable(
                f"The disk of the vector index at {self.path} is almost full. Nothing was written: check the "
                "disk's space, then try again."
            )

    def keep(self) -> None:
        """Put what was written on the disk (rule 2). Raises OSError; from then on nothing can be written (rule 3)."""
        is_due = time.monotonic() - self._flushed_at > _FLUSH_EVERY_S
        self._in_doubt = True
        _sync(self._folder if is_due else self._folder / _LOG)
        if is_due:  # little is left to be written by now
            self.shard.flush()
            self._flushed_at = time.monotonic()
        self._in_doubt = False

    def building(self) -> Path:
        """Where a shard may be made that does not count. What is left there is swept away on opening."""
        return self.path / f"{_BUILDING}{uuid.uuid4().hex}"

    def copy_to(self, copy: Path) -> None:
        """Copy the shard as it is. Raises OSError."""
        self.shard.flush()
        shutil.copytree(self._folder, copy)

    def prepare(self, copy: Path) -> None:
        """Have a copy in memory and on the disk before it takes a place there: both take a while. Raises OSError."""
        read_through(searched(copy))
        _sync(copy)

    def take(self, copy: Path) -> Path:
        """Go on with a copy that was prepared, and return what it replaces, which nothing needs any more.

        Where that fails, searches go on in the one that `meta.json` names. The old one is not closed: searches may be
        in it. It goes when the last of them lets go.

        Raises:
            OSError: `meta.json` could not be written.
            Exception: What the vendor raises for a shard that it cannot load.
        """
        old, folder = self._folder, self._finished(copy)
        try:
            shard = _load(folder, self._config)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._in_doubt = True
        try:
            self._write_meta(folder.name, statistics=self._saved)
        except OSError:
            if self._read_meta()[0] == folder:  # but perhaps not after a power cut: the old one stays
                self.shard, self._folder = shard, folder
            else:
                self._in_doubt = False
                shard.close()
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self._in_doubt = False
        self.shard, self._folder = shard, folder
        return old

    def statistics(self, names: Collection[str]) -> dict[str, TermStatistics] | None:
        """What was counted when the index was closed, if nothing was written since then."""
        if not self._saved:
            return None
        try:
            found = load_statistics(self.path / self._saved, names)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return found if sum(found[SPARSE].chunks) == self.shard.count(CountRequest(exact=True)) else None

    def forget_statistics(self) -> None:
        """Before a write: what was counted on closing is not true any more, whatever happens from here on."""
        if self._saved:
            self._write_meta(self._folder.name, statistics="")
            (self.path / self._saved).unlink(missing_ok=True)
            self._saved = ""

    def close(self, statistics: dict[str, TermStatistics] | None) -> None:
        """Flush the shard, keep what was counted, so that opening is fast, and let go of the shard."""
        self.shard.flush()
        if statistics is not None and not self._saved:
            self._save(statistics)
        self.shard.close()

    def _save(self, statistics: dict[str, TermStatistics]) -> None:
        """Without room for it the next opening counts again."""
        path = self.path / f"{_STATISTICS}{uuid.uuid4().hex}"
        try:
            save_statistics(path, statistics)
            self._write_meta(self._folder.name, statistics=path.name)
        except OSError:
            path.unlink(missing_ok=True)

    def _create(self) -> None:
        if any(self.path.glob(f"{_SHARD}*")):
            raise IndexUnavailable(
                f"The vector index at {self.path} has lost its {_META}: restore the backup, or move the folder away "
                "and ingest the documents again."
            )
        building = self.building()
        building.mkdir(parents=True)
        shard = EdgeShard.create(str(building), self._config)
        for label in LABELS:
            shard.update(UpdateOperation.create_field_index(label, PayloadSchemaType.Keyword))
        shard.flush()
        shard.close()
        _sync(building)
        self._write_meta(self._finished(building).name, statistics="")

    def _finished(self, building: Path) -> Path:
        """A finished shard under its own name. It counts once `meta.json` names it."""
        return building.rename(self.path / f"{_SHARD}{uuid.uuid4().hex}")

    def _write_meta(self, shard: str, *, statistics: str) -> None:
        named = {"shard": shard, "statistics": statistics}
        write_whole(self.path / _META, json.dumps({**self._identity.to_json(), **named}))

    def _read_meta(self) -> tuple[Path, str]:
        """The shard folder and the name of the saved statistics, once the rest of `meta.json` was found in order."""
        meta = json.loads((self.path / _META).read_text("utf-8"))
        if not isinstance(meta, dict) or not isinstance(meta.get("shard"), str):
            raise ValueError(_META)
        self._identity.require(
            meta, f"at {self.path}", "restore the whole backup, or move the folder away and ingest the documents again"
        )
        return self.path / str(meta["shard"]), Path(str(meta.get("statistics", ""))).name

    def _sweep(self) -> None:
        """Remove what an interrupted creation or optimisation left. Only once the shard is ours, so nobody uses it."""
        for leftover in (*self.path.glob(f"{_BUILDING}*"), *self.path.glob(f"{_SHARD}*")):
            if leftover != self._folder:
                shutil.rmtree(leftover, ignore_errors=True)
        for leftover in self.path.glob(f"{_STATISTICS}*"):
            if leftover.name != self._saved:
                leftover.unlink(missing_ok=True)


def searched(folder: Path) -> Iterator[Path]:
    """The files of a shard that every search reads in here and there.

    Words the vendor reads in order itself. Labels are read for documents that a question names; all of them in memory
    would be mapped by and by, and count as the process's: 0.25 GB among a million chunks.
    """
    for path in folder.glob("segments/*/**/*"):
        part = path.relative_to(folder).parts[2]
        if path.is_file() and part != _LABELS_STORED and not part.endswith(f"-{SPARSE}"):
            yield path


def _load(folder: Path, config: EdgeConfig) -> EdgeShard:
    """Load a shard, if both its halves are there (rule 4)."""
    for half in ("segments/*/segment.json", f"{_LOG}/*"):
        if not any(folder.glob(half)):
            raise ValueError(f"shard {folder.name} has no {half}")
    ends = time.monotonic() + _LET_GO_S
    while True:
        try:
            return EdgeShard.load(str(folder), config)
        except Exception as error:
            if IN_USE not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.05)


def _sync(folder: Path) -> None:
    """Put what is in a folder on the disk, and that it is in it. Raises OSError."""
    for path in (*folder.rglob("*"), folder):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # the vendor prepares the next file under another name
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
