"""The pool of parser processes: the only door through which a document is read.

Rules this module keeps:

1. A document is opened here, once, without following a link, and only if it is a regular file; its bytes go through a
   pipe and are hashed on the way. The worker opens nothing.
2. A worker that is silent too long, takes too long in all, dies, or talks nonsense is killed with everything it
   started; the document gets `ParserBroken` with the reason, the next one a fresh worker. How long it may take grows
   with the document: with its size, and with the pages it is seen to have, as far as its size makes them credible.
   By the clock it may take longer where it leaves the cores to others, with no more processor time.
3. Workers stay alive between documents (loading the parsers takes seconds); each document has a process of its own,
   forked by the worker, so that none can touch the next.
4. Closing ends the workers that are busy too. A document they had at hand was not read; nothing is said against it.
5. What a worker sends is checked (`elements.from_json`) before anybody sees it.
6. A worker's scratch folder is locked as long as its pool lives. One without a lock was left behind by an appliance
   that was killed, and is removed by the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self, TypeVar

import appliance
import ingest
from appliance.config import OFFLINE_SWITCHES, IngestSettings
from appliance.domain import Box
from appliance.errors import (
    OF_A_PARSER,
    ConfigurationError,
    DocumentRejected,
    FileUnavailable,
    InvalidRequest,
    ParserBroken,
    by_code,
)
from appliance.scratch import ScratchFolder, sweep
from ingest.folders import open_folder
from ingest.parse import frames
from ingest.parse.confine import Confinement
from ingest.parse.elements import InvalidResult, Parsed, clean_line, clean_name, from_json

START_TIMEOUT_S = 60.0
_WORKER = "ingest.parse.worker"
_NICENESS = 10  # about a tenth of a core against a process that answers questions, all of it when there is none
_PATIENCE = 10  # so much longer may a parser take that gets a tenth of a core
_GRACE_S = 5.0  # for the worker to notice by itself that OCR of a page took too long
_PNG = b"\x89PNG\r\n\x1a\n"
_Checked = TypeVar("_Checked")
_REFUSALS: Mapping[str, type[DocumentRejected | InvalidRequest]] = by_code(InvalidRequest, *OF_A_PARSER)
_SCRATCH_PREFIX = "strongroom-parse-"
_SMALL_FILE_CPU_S = 15.0
_BYTES_PER_CPU_S = 128 * 1024  # of what is larger, timeout_s is the limit
_PAGES_OF_ANY_FILE = 200
_BYTES_PER_PAGE = 16  # less is no page, however well it is compressed


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
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        sweep(_SCRATCH_PREFIX)

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
            self._lock.wait_for(lambda: not self._busy, timeout=_GRACE_S)

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
            except _Refused as refusal:
                raise refusal.kind(f"Document '{shown}' {refusal.reason}.") from None
            except _Broken as broken:
                worker.kill()
                raise ParserBroken(f"Document '{shown}' {broken.reason}.") from None
            except InvalidResult as error:
                worker.kill()
                raise ParserBroken(f"Document '{shown}' made the parser give an invalid result.") from error
            except OSError as error:
                worker.kill()
                raise FileUnavailable(f"Document '{shown}' cannot be read to its end: {error.strerror}.") from error

    @contextlib.contextmanager
    def _worker(self) -> Iterator[_Worker]:
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

    def _take(self) -> _Worker:
        """A worker that was idle, or a new one."""
        with self._lock:
            if self._closed:
                raise _was_closed()
            worker = self._idle.pop() if self._idle else None
            if worker is not None and not worker.alive():
                worker.kill()
                worker = None
            worker = worker or _Worker(self._settings, urgent=self._urgent)
            self._busy.add(worker)
            return worker

    def _put_back(self, worker: _Worker, *, keep: bool) -> None:
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


_LeftS = Callable[[], float]
"""Says how many seconds are left; raises `_Broken` when none are."""


class _Refused(Exception):
    """The worker says why it does not take the document."""

    def __init__(self, kind: type[DocumentRejected | InvalidRequest], reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class _Broken(Exception):
    """The worker cannot go on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Ended(Exception):
    """The other side closed before it had said what it had to."""


@dataclass(frozen=True, slots=True)
class _Budget:
    """What a document of a size may take. It grows with the size: a bomb is small."""

    settings: IngestSettings
    size_bytes: int

    @property
    def cpu_s(self) -> float:
        """Processor time before any page is known."""
        return min(self.settings.timeout_s, _SMALL_FILE_CPU_S + self.size_bytes / _BYTES_PER_CPU_S)

    @property
    def pages(self) -> int:
        """How many pages at most count for more time."""
        return min(self.settings.max_pages, _PAGES_OF_ANY_FILE + self.size_bytes // _BYTES_PER_PAGE)

    def for_job(self) -> dict[str, object]:
        """The part of it that the worker keeps an eye on itself."""
        page_cpu_s = self.settings.page_timeout_s
        most = self.cpu_s + self.pages * page_cpu_s
        return {"size_bytes": self.size_bytes, "cpu_s": self.cpu_s, "page_cpu_s": page_cpu_s, "most_cpu_s": most}


class _Clock:
    """How long the worker may be silent, and how long it may take in all.

    Both grow with what it reports: a long book takes longer than a letter, a page to be recognised longer than one with
    text. It cannot report itself more time than the budget's pages are worth.
    """

    def __init__(self, budget: _Budget, *, patience: float) -> None:
        self._settings = budget.settings
        self._patience = patience
        self._most_pages = budget.pages
        self._start = self._heard = time.monotonic()
        self._ocr_pages = self._pages = 0
        self._ocr = False

    def progress(self, untrusted_body: bytes) -> None:
        try:
            note = json.loads(untrusted_body)
            total, ocr = int(note["total"]), bool(note["ocr"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise _Broken("made the parser talk nonsense") from error
        self._heard = time.monotonic()
        self._pages = max(self._pages, min(total, self._most_pages))
        self._ocr = ocr
        self._ocr_pages = min(self._ocr_pages + ocr, self._most_pages)

    def left_s(self) -> float:
        """Until the worker must be heard of; raises when it should have been."""
        now = time.monotonic()
        one_page_s = self._settings.ocr_page_timeout_s + _GRACE_S if self._ocr else 0.0
        silence_s = max(self._settings.timeout_s, one_page_s)
        total_s = (
            self._settings.timeout_s
            + self._pages * self._settings.page_timeout_s
            + self._ocr_pages * (self._settings.ocr_page_timeout_s + _GRACE_S)
        )
        left = min(self._heard + self._patience * silence_s, self._start + self._patience * total_s) - now
        if left <= 0:
            raise _Broken(f"was given up: the parser was stopped after {now - self._start:.0f} s")
        return left


class _Worker:
    """One parser process, seen from outside. All but `strike` is for the thread that has it at hand."""

    def __init__(self, settings: IngestSettings, *, urgent: bool) -> None:
        self._settings = settings
        self._patience = 1 if urgent else _PATIENCE
        self._scratch = ScratchFolder(_SCRATCH_PREFIX)
        self._control, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", _WORKER, str(self._scratch.path), str(settings.memory_bytes)),
                    str(0 if urgent else _NICENESS),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(self._scratch.path),
                cwd=self._scratch.path,
                start_new_session=True,
            )
        except OSError as error:
            self._control.close()
            self._scratch.remove()
            raise ConfigurationError(f"The document parser cannot be started: {error.strerror}.") from error
        finally:
            theirs.close()
        self._confinement: Confinement | None = None

    def greet(self) -> Confinement:
        """Wait until it has started; returns what holds for it. Raises ConfigurationError when it does not start."""
        if self._confinement is None:
            self._confinement = self._hello()
        return self._confinement

    def _hello(self) -> Confinement:
        limit = time.monotonic() + START_TIMEOUT_S

        def left_s() -> float:
            left = limit - time.monotonic()
            if left <= 0:
                raise _Broken("did not start in time")
            return left

        try:
            frame = _receive(self._control.fileno(), left_s)
            if frame.kind != frames.HELLO:
                raise _Broken("did not say hello")
            said = json.loads(frame.body)
            return Confinement(**{key: said[key] is True for key in Confinement.__dataclass_fields__})
        except (_Broken, _Ended, ValueError, KeyError, TypeError) as error:
            self.kill()
            raise ConfigurationError(
                "The document parser does not start on this machine; run `strongroom doctor` to see what is missing."
            ) from error

    def alive(self) -> bool:
        return self._process.poll() is None

    def strike(self) -> None:
        """End the process and all it started; whoever waits for its answer finds it dead, and tidies up."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and all it started, and remove its scratch folder. Killing twice is no error."""
        self.strike()
        self._process.wait()
        self._control.close()
        self._scratch.remove()

    def run(self, descriptor: int, job: dict[str, object], wanted: bytes) -> tuple[bytes, str, int]:
        """Hand over a document and wait. Returns the answer, and SHA-256 and size of what was handed over."""
        budget = _Budget(self._settings, os.fstat(descriptor).st_size)
        job, clock = {**job, **budget.for_job()}, _Clock(budget, patience=self._patience)
        with contextlib.ExitStack() as pipes:
            to_job, from_job = self._begin(pipes)
            try:
                digest, size = self._hand_over(descriptor, job, to_job, clock)
                while (frame := _receive(from_job, clock.left_s)).kind == frames.PROGRESS:
                    clock.progress(frame.body)
            except _Ended:
                raise self._death(clock) from None
            if _read_some(from_job, 1, clock.left_s):
                raise _Broken("made the parser talk nonsense")
        self._status(clock)
        if frame.kind == frames.REFUSAL:
            raise _refusal(frame.body)
        if frame.kind != wanted:
            raise _Broken("made the parser talk nonsense")
        return frame.body, digest, size

    def _begin(self, pipes: contextlib.ExitStack) -> tuple[int, int]:
        """Send the worker two pipes for one job, and keep our ends."""
        job_end, to_job = os.pipe()
        from_job, answer_end = os.pipe()
        for ours in (to_job, from_job):
            pipes.callback(os.close, ours)
            os.set_blocking(ours, False)
        try:
            socket.send_fds(self._control, [frames.JOB], [job_end, answer_end])
        except OSError as error:
            raise _Broken("met a parser that had just ended; try again") from error
        finally:
            os.close(job_end)
            os.close(answer_end)
        return to_job, from_job

    def _hand_over(self, descriptor: int, job: dict[str, object], to_job: int, clock: _Clock) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        _send(to_job, frames.packed(frames.JOB, json.dumps(job).encode()), clock.left_s)
        while piece := os.read(descriptor, frames.PIECE_BYTES):
            size += len(piece)
            if size > self._settings.max_file_bytes:
                raise _Broken(f"grew beyond {self._settings.max_file_bytes:,} bytes while it was read")
            digest.update(piece)
            _send(to_job, frames.packed(frames.DATA, piece), clock.left_s)
        _send(to_job, frames.packed(frames.END), clock.left_s)
        return digest.hexdigest(), size

    def _status(self, clock: _Clock) -> int:
        """The exit status of the job; when it comes, nothing of the job is left."""
        said = _read_some(self._control.fileno(), 1, clock.left_s)
        if not said:
            raise _Broken("made the parser end")
        return said[0]

    def _death(self, clock: _Clock) -> _Refused:
        """Why a job ended without an answer. The worker itself is still good."""
        status = self._status(clock)
        if status == 128 + signal.SIGXCPU:
            return _Refused(ParserBroken, "was given up: it took more processor time than its size explains")
        if status > 128:
            reason = f"made the parser crash (signal {status - 128}); it is damaged or needs more memory than "
            return _Refused(ParserBroken, f"{reason}ingest.memory_bytes allows")
        return _Refused(ParserBroken, f"made the parser stop (exit status {status})")


def _wait(descriptor: int, event: int, left_s: _LeftS) -> None:
    """Until something can be read or written; `left_s` raises when it takes too long."""
    poll = select.poll()  # not select(), which fails in a server with more than 1,024 open files
    poll.register(descriptor, event)
    while not poll.poll(left_s() * 1000):
        pass


def _send(descriptor: int, data: bytes, left_s: _LeftS) -> None:
    view = memoryview(data)
    while view:
        _wait(descriptor, select.POLLOUT, left_s)
        try:
            view = view[os.write(descriptor, view) :]
        except BrokenPipeError:
            raise _Ended from None


def _receive(descriptor: int, left_s: _LeftS) -> frames.Frame:
    try:
        kind, length = frames.header_of(_read(descriptor, frames.HEADER.size, left_s))
    except frames.BadFrame as error:
        raise _Broken("made the parser talk nonsense") from error
    return frames.Frame(kind, _read(descriptor, length, left_s))


def _read(descriptor: int, length: int, left_s: _LeftS) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = _read_some(descriptor, length - len(data), left_s)
        if not piece:
            raise _Ended
        data += piece
    return bytes(data)


def _read_some(descriptor: int, most: int, left_s: _LeftS) -> bytes:
    """At least one byte, or none when the other side has closed."""
    _wait(descriptor, select.POLLIN, left_s)
    try:
        return os.read(descriptor, min(most, frames.PIECE_BYTES))
    except ConnectionResetError:
        return b""


def _refusal(untrusted_body: bytes) -> _Refused | _Broken:
    try:
        said = json.loads(untrusted_body)
        return _Refused(_REFUSALS[said["code"]], clean_line(str(said["reason"])).rstrip("."))
    except (ValueError, TypeError, KeyError, RecursionError):
        return _Broken("made the parser talk nonsense")


def _environment(scratch: Path) -> dict[str, str]:
    """The worker's whole environment: nothing of ours but where programs are, and the offline switches."""
    code = os.pathsep.join(sorted({str(Path(str(package.__file__)).parents[1]) for package in (appliance, ingest)}))
    return {
        **OFFLINE_SWITCHES,
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "PYTHONPATH": code,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        **{name: str(scratch) for name in ("HOME", "TMPDIR", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")},
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT"), "1"),
    }
