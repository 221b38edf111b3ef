"""`strongroom serve` as a process of its own, on a free port of the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_START_S = 300
_STOP_S = 60
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Served:
    """A running appliance, and how long it took until it was ready."""

    url: str
    pid: int
    ready_s: float


@contextmanager
def serving(data: Path, environ: Mapping[str, str]) -> Iterator[Served]:
    """The appliance on a data folder, ready, with settings from `environ`."""
    port = free_port()
    variables = {"STRONGROOM_DATA_DIR": str(data.resolve()), "STRONGROOM_SERVER__PORT": str(port), **environ}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.cli", "serve"],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await_ready(f"{url}/api/ready", process, output.fileno())
            yield Served(url, process.pid, time.perf_counter() - start)
        finally:
            stop(process)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_ready(url: str, process: subprocess.Popen[bytes], output: int | None = None) -> None:
    """Return once `url` answers; end everything with what the process said if it ends or is silent for too long."""
    ends = time.monotonic() + _START_S
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < ends and process.poll() is None:
            try:
                if client.get(url).is_success:
                    return
            except httpx.TransportError:
                time.sleep(_LOOK_S)
    said = os.pread(output, 2000, 0).decode("utf-8", "replace") if output is not None else ""
    raise SystemExit(f"{url} does not answer (status {process.poll()}). {said}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it if it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
