"""The process that llama.cpp runs in, as its parent holds it: started, waited for, seen to die, left behind never.

Rules this module keeps:

1. llama.cpp is not imported here. A GGUF file is foreign data for native code; what it breaks is a process that holds
   one model and nothing else, and not the one with the log and the index.
2. The child gets no descriptor but its three standard ones. Of our environment it gets what native libraries and GPUs
   need, and the offline switches; the rest is ours or another program's, and some of it is secret.
3. The socket lies in a folder that only this user can enter.
4. However the child ends, the next use can tell. However the parent ends, the child ends too (see `llamacpp_server`),
   and takes the folder along. If it is killed as well, the folder stays until the next model is started.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, cast

import appliance
from appliance.config import OFFLINE_SWITCHES
from appliance.errors import ModelUnavailable
from appliance.inference.llamacpp_server import LOADED, Job
from appliance.scratch import ScratchFolder, sweep

_PROGRAM = "appliance.inference.llamacpp_server"
_FOLDER_PREFIX = "strongroom-model-"
_PASSED_ON = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR"})
_PASSED_ON_PREFIXES = ("CUDA_", "GGML_", "HIP_", "HSA_", "LC_", "OMP_", "ROCR_", "VK_")
_MAX_SOCKET_PATH = 107  # bytes, Linux
_LAST_BREATH_S = 0.5
_SILENT, _STOPPED = "silent", "stopped"


class LlamaCppProcess:
    """llama.cpp with one model, listening on a Unix socket once the model is loaded."""

    def __init__(self, gguf_path: Path, *, context_tokens: int, threads: int, ranks: bool = False) -> None:
        """Start it. The thread that does so must next `wait_until_loaded`. `ranks`: it judges pairs and writes nothing.

        Raises:
            ModelUnavailable: It cannot be started.
        """
        self._gguf_path = gguf_path
        sweep(_FOLDER_PREFIX)
        self._folder = ScratchFolder(_FOLDER_PREFIX)
        self.socket = self._folder.path / "llama.sock"
        self._lock = threading.Lock()
        self._told: str | None = None
        self._was_stopped = False
        try:
            self._process = self._started()
        except ModelUnavailable:
            self._folder.remove()
            raise
        job = Job(str(gguf_path.absolute()), context_tokens, threads, str(self.socket), ranks)
        with contextlib.suppress(BrokenPipeError):  # it has died; waiting for it says so
            self._to_child.write(job.to_line())

    def wait_until_loaded(self, timeout_s: float) -> None:
        """Return when the model is there. Raises ModelUnavailable when it does not come; the process is gone then."""
        with self._lock:
            if self._told is None:
                told = _one_line(cast("IO[bytes]", self._process.stdout), timeout_s)
                self._told = _STOPPED if self._was_stopped else told
                if self._told != LOADED:
                    self._end()
        if self._told == LOADED:
            return
        if self._told == _STOPPED:
            raise _stopped()
        if self._told == _SILENT:
            raise ModelUnavailable(
                f"llama.cpp did not load {self._gguf_path} within {timeout_s:g} seconds and was stopped. Compare the "
                "file's digest; if it is sound, choose a smaller model or a faster disk."
            )
        raise ModelUnavailable(
            f"llama.cpp cannot load {self._gguf_path}: the file is damaged, of a kind it does not know, or too large "
            "for this machine's memory. Compare its digest, or choose a smaller model or a shorter context."
        ) from RuntimeError(self._told or self._manner_of_death())

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def require_alive(self) -> None:
        """Raises ModelUnavailable when the process has ended or is about to.

        It loses its connections a moment before it counts as ended. Who saw one break asks here before going on, or
        the next use would meet a process that is not quite dead.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_BREATH_S)
        if self._was_stopped:
            raise _stopped()
        if self.has_ended:
            raise ModelUnavailable(
                f"llama.cpp died at its work ({self._manner_of_death()}). Ask again: the model is loaded anew. If that "
                "does not help, compare the file's digest, or choose a smaller model or a shorter context."
            )

    def stop(self) -> None:
        """End it, whatever it is doing, and leave nothing behind. Stopping twice is no error."""
        self._was_stopped = True
        self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if len(bytes(self.socket)) > _MAX_SOCKET_PATH:
            raise ModelUnavailable("The path of the folder for temporary files is too long. Set TMPDIR to a short one.")
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", _PROGRAM],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise ModelUnavailable(f"llama.cpp cannot be started: {error.strerror}. Free memory.") from error

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._to_child.close()
        self._folder.remove()

    @property
    def _to_child(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    def _manner_of_death(self) -> str:
        status = self._process.returncode
        return str(signal.strsignal(-status)) if status < 0 else f"status {status}"


def _stopped() -> ModelUnavailable:
    return ModelUnavailable("The model was stopped. Ask again.")


def _one_line(pipe: IO[bytes], timeout_s: float) -> str:
    """What comes through the pipe, which is then closed; empty if the other end is closed first, or _SILENT."""
    with pipe:
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        if not waiting.poll(timeout_s * 1000):
            return _SILENT
        return pipe.readline().decode("utf-8", "replace").strip()


def _environment() -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    code = [str(Path(appliance.__path__[0]).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    # Without the last one, llama.cpp starts a debugger on itself when it fails, and prints what it holds.
    return {**inherited, **OFFLINE_SWITCHES, "PYTHONPATH": os.pathsep.join(code), "GGML_NO_BACKTRACE": "1"}
