"""The pool of parser processes: the only door through which a document is read.

Rules this module keeps:

1. A document is opened here, once, without following a link, and only if it is a regular file.
2. A process that breaks (`ingest.parse.parser_process`) is killed with everything it started; the document gets
   `ParserBroken` with the reason, the next one a fresh process.
3. Closing ends the processes that are busy too. A document they had at hand was not read; nothing is said against it.
4. What a process sends is checked (`elements.from_json`) before anybody sees it.
5. Scratch folders that an appliance left behind that was killed are removed by the next.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self, TypeVar

from appliance.config import IngestSettings
from appliance.domain import Box
from appliance.errors import (
    ConfigurationError,
    DocumentRejected,
    FileUnavailable,
    InvalidRequest,
    ParserBroken,
)
from appliance.scratch import sweep
from ingest.folders import open_folder
from ingest.parse import frames
from ingest.parse.confine import Confinement
from ingest.parse.elements import InvalidResult, Parsed, clean_name, from_json
from ingest.parse.parser_process import SCRATCH_PREFIX, Broken, ParserProcess, Refused

_CLOSING_S = 5.0  # for threads that have a worker at hand to find it dead
_PNG = b"\x89PNG\r\n\x1a\n"
_Checked = TypeVar("_Checked")


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """Which protections hold on this machine; `missing` says what does not, in words for the operator."""

    holds: Confinement

    @property
    def missing(self) -> tuple[str, ...]:
        """What this machine does not grant, and what that means."""
        holds = self.holds
        words = {
            "no new namespaces (unprivileged user namespaces are switched off): parsers share the process tree": (
                holds.namespaces
            ),
            "no root folder of their own (needs Linux 5.12, mounts in a namespace): parsers see the names of files": (
                holds.own_root
            ),
            "no Landlock (needs Linux 5.13): files are kept from parsers by one layer less": holds.landlock,
            "neither of these two: parsers can read the files this account can read": holds.own_root or holds.landlock,
            "no seccomp filter: parsers rely on namespaces alone to stay off the network": holds.seccomp,
            "no memory-backed scratch folder: conversions leave deleted files on the disk": holds.private_scratch,
            "no limit on processes (needs Linux 6.14 if the appliance runs as root): parsers may start any number": (
                holds.few_processes
            ),
            "the network is within reach of parsers: do not ingest documents you do not trust": holds.network,
        }
        return tuple(text for text, kept in words.items() if not kept)


class ParserPool:
    """Parses and renders documents in confined processes, at most `size` at a time. Safe to share between threads."""

    def __init__(self, settings: IngestSettings, *, size: int, urgent: bool = False) -> None:
        """Start nothing yet.

        Args:
            settings: The limits.
            size: Documents at a time.
            urgent: Whether somebody waits for the result; if not, the processes leave the cores to those who do.
        """
        self._settings = settings
        self._size = size
        self._urgent = urgent
        self._slots = threading.BoundedSemaphore(size)
        self._lock = threading.Condition()
        self._idle: list[ParserProcess] = []
        self._busy: set[ParserProcess] = set()
        self._closed = False
        sweep(SCRATCH_PREFIX)

    @property
    def size(self) -> int:
        """How many documents can be parsed at a time."""
        return self._size

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        """`parse` of the document at `path` below `root`, reached without following a link below `root`.

        Raises:
            FileUnavailable: It cannot be opened.
            DocumentRejected, ConfigurationError: As for `parse`.
        """
        place = PurePosixPath(path)
        try:
            with open_folder(root, str(place.parent)) as folder:
                return self.parse(Path(f"/proc/self/fd/{folder}") / place.name, name=path, password=password)
        except OSError as error:
            raise FileUnavailable(f"Document '{clean_name(path)}' cannot be opened: {error.strerror}.") from error

    def parse(self, path: Path, *, name: str, password: str = "") -> Parsed:
        """What the document at `path` says; `name` (its file name) helps to tell its format and appears in messages.

        `password` opens an encrypted document; it is kept nowhere.

        Raises:
            DocumentRejected: It is no regular file, too large, or of a kind that is not read.
            DocumentNeedsPassword: It is encrypted.
            DocumentUnreadable: It is damaged or has no text.
            ParserBroken: The parser died of it, took more time or memory than allowed, or gave nonsense.
            FileUnavailable: It cannot be opened or read.
            ConfigurationError: No parser can be started on this machine, or the pool was closed meanwhile.
        """
        job = {
            "job": "parse",
            "name": clean_name(name),
            "max_pages": self._settings.max_pages,
            "ocr_languages": list(self._settings.ocr_languages),
            "ocr_page_timeout_s": self._settings.ocr_page_timeout_s,
            "password": password,
        }
        parsed, digest, size = self._run(path, name, job, frames.RESULT, from_json)
        return replace(parsed, sha256=digest, size_bytes=size)

    def render(
        self, path: Path, page: int, dpi: float, boxes: Iterable[Box] = (), *, sha256: str = "", member: str = ""
    ) -> bytes:
        """A PNG of one page (counted from 1), with `boxes` marked in yellow. PDFs and images only.

        Args:
            member: The path of a file in the container that lies at `path`; empty for the file itself.
            sha256: What the file's content must hash to, if the picture is to show one version and no other.

        Raises:
            InvalidRequest: There is no such page.
            DocumentRejected: As for `parse`; or the file is not the version asked for.
            DocumentNeedsPassword, DocumentUnreadable, ConfigurationError: As for `parse`.
        """
        places = [[box.page, box.left, box.top, box.right, box.bottom] for box in boxes]
        job = {"job": "render", "name": clean_name(path.name), "page": page, "dpi": dpi, "boxes": places[:500]}
        job["member"] = member
        picture, digest, _ = self._run(path, path.name, job, frames.PICTURE, _png)
        if sha256 and digest != sha256:
            raise DocumentRejected(
                f"Document '{clean_name(path.name)}' has changed since it was read. Sync its source."
            )
        return picture

    def report(self) -> SandboxReport:
        """Which protections hold, as a worker found when it started."""
        with self._worker() as worker:
            return SandboxReport(worker.greet())

    def close(self) -> None:
        """End every worker, those that are busy included. Closing twice is no error."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.strike()
        for worker in idle:
            worker.kill()
        with self._lock:
            self._lock.wait_for(lambda: not self._busy, timeout=_CLOSING_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(
        self, path: Path, name: str, job: dict[str, object], wanted: bytes, checked: Callable[[bytes], _Checked]
    ) -> tuple[_Checked, str, int]:
        shown = clean_name(name)
        with _opened(path, shown, self._settings.max_file_bytes) as descriptor, self._worker() as worker:
            try:
                untrusted, digest, size = worker.run(descriptor, job, wanted)
                return checked(untrusted), digest, size
            except Refused as refusal:
                raise refusal.kind(f"Document '{shown}' {refusal.reason}.") from None
            except Broken as broken:
                worker.kill()
                raise ParserBroken(f"Document '{shown}' {broken.reason}.") from None
            except InvalidResult as error:
                worker.kill()
                raise ParserBroken(f"Document '{shown}' made the parser give an invalid result.") from error
            except OSError as error:
                worker.kill()
                raise FileUnavailable(f"Document '{shown}' cannot be read to its end: {error.strerror}.") from error

    @contextlib.contextmanager
    def _worker(self) -> Iterator[ParserProcess]:
        """A worker of one's own for a while; kept for the next if it is still good."""
        with self._slots:
            worker = self._take()
            kept = False
            try:
                worker.greet()
                yield worker
                kept = worker.alive()
            except (DocumentRejected, InvalidRequest, ConfigurationError) as error:
                if self._closed:
                    raise _was_closed() from error
                kept = worker.alive()
                raise
            finally:
                self._put_back(worker, keep=kept)

    def _take(self) -> ParserProcess:
        """A worker that was idle, or a new one."""
        with self._lock:
            if self._closed:
                raise _was_closed()
            worker = self._idle.pop() if self._idle else None
            if worker is not None and not worker.alive():
                worker.kill()
                worker = None
            worker = worker or ParserProcess(self._settings, urgent=self._urgent)
            self._busy.add(worker)
            return worker

    def _put_back(self, worker: ParserProcess, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed:
                self._busy.remove(worker)
                self._idle.append(worker)
                return
        worker.kill()
        with self._lock:
            self._busy.remove(worker)
            self._lock.notify_all()


def _png(untrusted_picture: bytes) -> bytes:
    if not untrusted_picture.startswith(_PNG):
        raise InvalidResult("not a PNG")
    return untrusted_picture


def _was_closed() -> ConfigurationError:
    return ConfigurationError("The document parsers were closed. Try again when the appliance is back.")


@contextlib.contextmanager
def _opened(path: Path, shown: str, max_bytes: int) -> Iterator[int]:
    """The file, open for reading: a regular one, not a link, not too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        raise FileUnavailable(f"Document '{shown}' cannot be opened: {why}. Links are not followed.") from error
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise DocumentRejected(f"Document '{shown}' is not a regular file.")
        if state.st_size > max_bytes:
            raise DocumentRejected(
                f"Document '{shown}' has {state.st_size:,} bytes; the limit is {max_bytes:,}. "
                "Split it, or raise ingest.max_file_bytes."
            )
        yield descriptor
    finally:
        os.close(descriptor)
