"""One parser process, seen from outside: it is started, handed a document, listened to, and killed.

Rules this module keeps:

1. A process that is silent too long, takes too long in all, dies, or talks nonsense is `Broken`: nothing it says counts
   any more. How long it may take grows with the document: with its size, and with the pages it is seen to have, as far
   as its size makes them credible. By the clock it may take longer where it leaves the cores to others, with no more
   processor time.
2. It stays alive between documents (loading the parsers takes seconds); each document has a process of its own, forked
   by it, so that none can touch the next.
3. It gets the bytes of a document through a pipe, hashed on the way, and opens nothing.
4. Its scratch folder is locked as long as we live. One without a lock was left behind by an appliance that was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import appliance
import ingest
from appliance.config import OFFLINE_SWITCHES, IngestSettings
from appliance.errors import (
    OF_A_PARSER,
    ConfigurationError,
    DocumentRejected,
    InvalidRequest,
    ParserBroken,
    by_code,
)
from appliance.scratch import ScratchFolder
from ingest.parse import frames
from ingest.parse.confine import Confinement
from ingest.parse.detect import office_by_name
from ingest.parse.elements import clean_line

SCRATCH_PREFIX = "strongroom-parse-"
_START_TIMEOUT_S = 60.0
_WORKER = "ingest.parse.worker"
_NICENESS = 10  # about a tenth of a core against a process that answers questions, all of it when there is none
_PATIENCE = 10  # so much longer may a parser take that gets a tenth of a core
_REFUSALS: Mapping[str, type[DocumentRejected | InvalidRequest]] = by_code(InvalidRequest, *OF_A_PARSER)
_SMALL_FILE_CPU_S = 15.0
_BYTES_PER_CPU_S = 128 * 1024  # of what is larger, timeout_s is the limit
_PAGES_OF_ANY_FILE = 200
_BYTES_PER_PAGE = 16  # less is no page, however well it is compressed
_GRACE_S = 5.0  # for the worker to notice by itself that OCR of a page took too long

_LeftS = Callable[[], float]
"""Says how many seconds are left; raises `Broken` when none are."""


class Refused(Exception):
    """The worker says why it does not take the document."""

    def __init__(self, kind: type[DocumentRejected | InvalidRequest], reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class Broken(Exception):
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
            raise Broken("made the parser talk nonsense") from error
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
            raise Broken(f"was given up: the parser was stopped after {now - self._start:.0f} s")
        return left


class ParserProcess:
    """A worker, one document at a time. All but `strike` is for the thread that has it at hand."""

    def __init__(self, settings: IngestSettings, *, urgent: bool) -> None:
        self._settings = settings
        self._patience = 1 if urgent else _PATIENCE
        self._scratch = ScratchFolder(SCRATCH_PREFIX)
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
        limit = time.monotonic() + _START_TIMEOUT_S

        def left_s() -> float:
            left = limit - time.monotonic()
            if left <= 0:
                raise Broken("did not start in time")
            return left

        try:
            frame = _receive(self._control.fileno(), left_s)
            if frame.kind != frames.HELLO:
                raise Broken("did not say hello")
            said = json.loads(frame.body)
            return Confinement(**{key: said[key] is True for key in Confinement.__dataclass_fields__})
        except (Broken, _Ended, ValueError, KeyError, TypeError) as error:
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
            to_job, from_job = self._begin(pipes, frames.OFFICE_JOB if _takes_office(job) else frames.JOB)
            try:
                digest, size = self._hand_over(descriptor, job, to_job, clock)
                while (frame := _receive(from_job, clock.left_s)).kind == frames.PROGRESS:
                    clock.progress(frame.body)
            except _Ended:
                raise self._death(clock) from None
            if _read_some(from_job, 1, clock.left_s):
                raise Broken("made the parser talk nonsense")
        self._status(clock)
        if frame.kind == frames.REFUSAL:
            raise _refusal(frame.body)
        if frame.kind != wanted:
            raise Broken("made the parser talk nonsense")
        return frame.body, digest, size

    def _begin(self, pipes: contextlib.ExitStack, kind: bytes) -> tuple[int, int]:
        """Send the worker two pipes for one job, and keep our ends."""
        job_end, to_job = os.pipe()
        from_job, answer_end = os.pipe()
        for ours in (to_job, from_job):
            pipes.callback(os.close, ours)
            os.set_blocking(ours, False)
        try:
            socket.send_fds(self._control, [kind], [job_end, answer_end])
        except OSError as error:
            raise Broken("met a parser that had just ended; try again") from error
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
                raise Broken(f"grew beyond {self._settings.max_file_bytes:,} bytes while it was read")
            digest.update(piece)
            _send(to_job, frames.packed(frames.DATA, piece), clock.left_s)
        _send(to_job, frames.packed(frames.END), clock.left_s)
        return digest.hexdigest(), size

    def _status(self, clock: _Clock) -> int:
        """The exit status of the job; when it comes, nothing of the job is left."""
        said = _read_some(self._control.fileno(), 1, clock.left_s)
        if not said:
            raise Broken("made the parser end")
        return said[0]

    def _death(self, clock: _Clock) -> Refused:
        """Why a job ended without an answer. The worker itself is still good."""
        status = self._status(clock)
        if status == 128 + signal.SIGXCPU:
            return Refused(ParserBroken, "was given up: it took more processor time than its size explains")
        if status > 128:
            reason = f"made the parser crash (signal {status - 128}); it is damaged or needs more memory than "
            return Refused(ParserBroken, f"{reason}ingest.memory_bytes allows")
        return Refused(ParserBroken, f"made the parser stop (exit status {status})")


def _takes_office(job: Mapping[str, object]) -> bool:
    return job["job"] == "parse" and office_by_name(str(job["name"]))


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
        raise Broken("made the parser talk nonsense") from error
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


def _refusal(untrusted_body: bytes) -> Refused | Broken:
    try:
        said = json.loads(untrusted_body)
        return Refused(_REFUSALS[said["code"]], clean_line(str(said["reason"])).rstrip("."))
    except (ValueError, TypeError, KeyError, RecursionError):
        return Broken("made the parser talk nonsense")


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
