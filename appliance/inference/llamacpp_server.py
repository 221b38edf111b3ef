"""llama.cpp's server as a program: `python -m appliance.inference.llamacpp_server`, started by `llamacpp_process`.

Rules this program keeps:

1. Standard input brings the job, one line, and ends when the parent lets go or dies; then the program ends too. While a
   model loads it cannot look there (llama.cpp holds the interpreter), so until then the kernel is told to kill it with
   its parent. Not for longer: the kernel would do so already when the *thread* ends that started it.
2. One line goes back: that the model is loaded, or why not. Nothing else that is printed goes anywhere, and no core
   file is left: both may hold a prompt. No other process of this account may look into this one.
3. When to stop is the parent's business. What a service manager or a terminal sends to all processes alike is ignored.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LOADED = "loaded"
"""The line that says so."""

_HTTP_THREADS = 16
"""Each answer, also one that waits, holds a thread; counting tokens needs one too."""

_BATCH_TOKENS = 512
"""A prompt is read in batches; a closed stream is noticed between two of them."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4  # linux/prctl.h

_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Job:
    """What to load, and the Unix socket to listen on, in a folder that has nothing else in it.

    `ranks`: the model judges pairs of texts of `context_tokens` together, and writes nothing.
    """

    gguf_path: str
    context_tokens: int
    threads: int
    socket: str
    ranks: bool

    def to_line(self) -> bytes:
        """The job as it goes through the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> None:
    """Serve the model that standard input names, until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # that limit does not hold where core files go to a program
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as to_parent:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nowhere
        job = Job(**json.loads(sys.stdin.buffer.readline()))
        try:
            _server = _loaded(job)
        except (RuntimeError, ImportError) as error:
            to_parent.write(f"{error}\n")
            return
        to_parent.write(f"{LOADED}\n")
    sys.stdin.buffer.read()
    # The parent is gone without having closed the model: what it would have removed is removed here.
    with contextlib.suppress(OSError):
        Path(job.socket).unlink(missing_ok=True)
        Path(job.socket).parent.rmdir()
    os._exit(0)  # an answer that is being made is waited for by nobody


def _loaded(job: Job) -> Any:
    """The server, listening. Raises RuntimeError, ImportError."""
    import xllamacpp

    _die_with_parent(True)
    if _is_at_its_end(sys.stdin.fileno()):  # the parent died before that
        sys.exit(0)
    parameters = _parameters(job, xllamacpp.CommonParams())
    if job.ranks:
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
        parameters.n_batch = parameters.n_ubatch = job.context_tokens  # a pair is read at once
    server = xllamacpp.Server(parameters)
    _die_with_parent(False)
    return server


def _parameters(job: Job, parameters: Any) -> Any:
    parameters.model.path = job.gguf_path
    parameters.n_ctx = job.context_tokens
    parameters.n_parallel = 1
    parameters.n_batch = _BATCH_TOKENS
    parameters.n_ubatch = _BATCH_TOKENS
    parameters.fit_params = False  # it would shorten the context in silence to fit the memory
    parameters.ctx_shift = False
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    parameters.offline = True
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.hostnames = [job.socket]  # an empty list crashes the process
    parameters.n_threads_http = _HTTP_THREADS
    parameters.verbosity = -1  # higher levels print prompts
    if job.threads:
        parameters.cpuparams.n_threads = job.threads
        parameters.cpuparams_batch.n_threads = job.threads
    return parameters


def _die_with_parent(wanted: bool) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if wanted else 0, 0, 0, 0)


def _is_at_its_end(descriptor: int) -> bool:
    pipe = select.poll()
    pipe.register(descriptor, 0)
    return bool(pipe.poll(0))


if __name__ == "__main__":
    main()
