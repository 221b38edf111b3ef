"""The parser process: `python -m ingest.parse.worker SCRATCH MEMORY_BYTES NICENESS`.

It reads jobs, answers, and reaches nothing.

Rules this module keeps:

1. First the offline switches, then the confinement, then everything else; no document is read before both hold.
2. Every document is read in a process of its own, forked from this one, which holds the loaded parsers and never sees
   a document: one that takes its parser over cannot touch the next one's text, and leaves nothing behind.
3. Standard input is a socket to the pool, over which each job's two pipes come and its exit status goes. The job's
   process has the pipes only, and speaks `frames`. What a library prints goes nowhere: it may quote the document.
4. A refusal is a predicate ("is encrypted; ...") of fixed words and numbers, never a library's message.
5. What is not a refusal ends the process; the pool turns its death into one.
6. No parser computes with torch. spaCy, which comes with the office parsers, imports it where it is installed, for a
   second and 200 MB a process; so it is made unimportable here.
"""

from __future__ import annotations

from appliance.config import go_offline

go_offline()

import contextlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, BinaryIO  # noqa: E402

from appliance.domain import Box  # noqa: E402
from appliance.errors import ApplianceError, DocumentUnreadable, ParserBroken  # noqa: E402
from ingest.parse import confine, frames  # noqa: E402

_PROGRESS_EVERY_S = 0.5
_AUTOGROUP_TRIES, _AUTOGROUP_AGAIN_S = 50, 0.13
_OFFICE_LOADED = 3
"""Exit status of a job that loaded the office parsers, whatever the document's name: worth having them here, too."""

_ROOM_FOR_OFFICE = 1024**3
"""With less memory than this the office parsers are loaded by the documents that need them: one for which there is not
enough is refused, and the worker lives on."""
_TOO_LARGE = json.dumps(
    {"code": ParserBroken.code, "reason": "needs more memory than ingest.memory_bytes allows"}
).encode()


class _Progress:
    """Tells the pool that work goes on, a few times a second at most; pages are worth processor time."""

    def __init__(self, out: BinaryIO, cpu_s: float, page_cpu_s: float) -> None:
        self._out = out
        self._last = 0.0
        self._cpu_s, self._page_cpu_s = cpu_s, page_cpu_s
        self._pages = 0

    def __call__(self, done: int, total: int, ocr: bool) -> None:
        if total > self._pages:
            self._pages = total
            confine.allow_cpu(self._cpu_s + total * self._page_cpu_s)
        now = time.monotonic()
        if ocr or now - self._last >= _PROGRESS_EVERY_S:
            self._last = now
            note = {"done": done, "total": total, "ocr": ocr}
            _send(self._out, frames.PROGRESS, json.dumps(note).encode())


def _send(out: BinaryIO, kind: bytes, body: bytes) -> None:
    out.write(frames.packed(kind, body))
    out.flush()


def _receive(source: BinaryIO) -> frames.Frame | None:
    header = source.read(frames.HEADER.size)
    if len(header) < frames.HEADER.size:
        return None
    kind, length = frames.header_of(header)
    return frames.Frame(kind, source.read(length))


def _document(source: BinaryIO) -> bytes:
    whole = io.BytesIO()
    try:
        _to_the_end(source, whole.write)
    except MemoryError:
        whole.close()
        _to_the_end(source, len)  # or the pool, which is still handing it over, would not hear why it is refused
        raise
    return whole.getvalue()


def _to_the_end(source: BinaryIO, take: Callable[[bytes], object]) -> None:
    """Hand over what comes of a document, piece by piece."""
    while (frame := _receive(source)) is not None and frame.kind == frames.DATA:
        take(frame.body)
    if frame is None or frame.kind != frames.END:
        os._exit(0)  # the pool went away


def _answer(job: dict[str, Any], data: bytes, out: BinaryIO) -> tuple[bytes, bytes]:
    from ingest.parse import pdf, readers
    from ingest.parse.elements import to_json

    if job["job"] == "render":
        boxes = [Box(*values) for values in job["boxes"]]
        picture = readers.render(data, job["name"], job["page"], job["dpi"], boxes, member=job["member"])
        return frames.PICTURE, pdf.to_png(picture)
    limits = readers.Limits(
        job["max_pages"], tuple(job["ocr_languages"]), job["ocr_page_timeout_s"], password=job["password"]
    )
    result = to_json(readers.read(data, job["name"], limits, _Progress(out, job["cpu_s"], job["page_cpu_s"])))
    if len(result) > frames.MAX_RESULT_BYTES:
        raise DocumentUnreadable(f"gave more than {frames.MAX_RESULT_BYTES:,} bytes of text; split it")
    return frames.RESULT, result


def _do(job: dict[str, Any], source: BinaryIO, out: BinaryIO) -> None:
    try:
        kind, body = _answer(job, _document(source), out)
    except ApplianceError as refusal:
        kind, body = frames.REFUSAL, json.dumps({"code": refusal.code, "reason": str(refusal)}).encode()
    except MemoryError:
        kind, body = frames.REFUSAL, _TOO_LARGE  # made beforehand: there may be no memory for it here
    except Exception as error:  # noqa: BLE001 - the edge of the untrusted parsers: whatever they raise is a refusal
        reason = f"is damaged: it cannot be read ({type(error).__name__})"
        kind, body = frames.REFUSAL, json.dumps({"code": DocumentUnreadable.code, "reason": reason}).encode()
    _send(out, kind, body)


def _one_job(source: int, out: int, *, office: bool) -> int:
    """Read one job and answer it. Returns the exit status."""
    reader, writer = os.fdopen(source, "rb", closefd=False), os.fdopen(out, "wb", closefd=False)
    frame = _receive(reader)
    if frame is None or frame.kind != frames.JOB:
        return 1
    job = json.loads(frame.body)
    confine.limit_job(job["size_bytes"], job["cpu_s"], job["most_cpu_s"])
    _do(job, reader, writer)
    return _OFFICE_LOADED if "unstructured" in sys.modules and not office else 0


def _in_a_process_of_its_own(control: socket.socket, source: int, out: int, *, office: bool) -> int:
    """Let a child do one job. Returns its exit status, 128 + signal when it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            control.close()  # the child can answer its own job and nothing else
            status = _one_job(source, out, office=office)
        finally:
            os._exit(status)
    os.close(source)
    os.close(out)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _clear_up(scratch: Path) -> bool:
    """Leave nothing of the last document: no process, no file. Returns whether that worked."""
    if os.getpid() == 1:  # in a process tree of our own; anywhere else -1 would mean everybody
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:  # until none is left: orphans are children of the first process
                os.waitpid(-1, 0)
    for left in scratch.iterdir():
        if left.is_dir() and not left.is_symlink():
            with contextlib.suppress(RecursionError):
                shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    return not any(scratch.iterdir())


def _leave_the_cores_to_others(niceness: int) -> None:
    """Lower the priority of this process and its session, all the way if nobody waits for it.

    Where the kernel schedules by sessions (autogroup), the niceness of a process counts within its session only, and
    this one is alone in its own.
    """
    os.nice(niceness)
    if niceness:
        for _ in range(_AUTOGROUP_TRIES):
            try:
                Path("/proc/self/autogroup").write_text(str(niceness))
            except BlockingIOError:  # unless it is root, the kernel lets the whole machine do so ten times a second
                time.sleep(_AUTOGROUP_AGAIN_S)
            except OSError:  # it does not schedule by sessions
                return
            else:
                return


def main() -> None:
    """Confine this process, say hello, and see to jobs until standard input ends."""
    scratch, memory_bytes, niceness = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _leave_the_cores_to_others(niceness)
    separation = confine.guard(scratch)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a tree is deaf to signals it does not handle
    control = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    os.chdir(scratch)
    holds = confine.restrict(scratch, memory_bytes, separation)
    sys.modules["torch"] = None  # type: ignore[assignment]  # the import system's word for "not there"
    from ingest.parse import language, ocr, readers, unstructured  # noqa: F401 - readers: to have it loaded

    language.load()
    ocr.installed_languages()
    control.sendall(frames.packed(frames.HELLO, json.dumps(asdict(holds)).encode()))
    office, is_roomy = False, memory_bytes >= _ROOM_FOR_OFFICE
    while True:
        kind, pipes, _, _ = socket.recv_fds(control, 1, 2)
        if len(pipes) != 2:
            return  # the pool has gone
        if kind == frames.OFFICE_JOB and is_roomy and not office:
            unstructured.load()  # here rather than in the job's process, after which it would be loaded again
            office = True
        status = _in_a_process_of_its_own(control, *pipes, office=office)
        if not _clear_up(scratch):
            return  # what it left would be there for the next document; the pool starts another worker
        control.sendall(bytes([status]))
        if status == _OFFICE_LOADED and is_roomy:
            unstructured.load()
            office = True


if __name__ == "__main__":
    main()
