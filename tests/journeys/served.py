"""Servers for the journeys, each a process of its own on a loopback port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
_START_S = 90
_STOP_S = 30
_NO_ATTEMPT = "Attempts to leave this machine: 0\n"
_PASSWORD = re.compile(r"shown this once\): (\S+)")


@dataclass(frozen=True)
class Accounts:
    """A name and a password for each role."""

    employee: tuple[str, str]
    admin: tuple[str, str]
    compliance: tuple[str, str]
    second_officer: tuple[str, str]


@dataclass(frozen=True)
class Served:
    """A running appliance."""

    base_url: str
    accounts: Accounts
    documents: Path


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    arguments: list[str], port: int, log: Path, environ: Mapping[str, str], *, report: Path | None = None
) -> Iterator[str]:
    """A Python process that serves on `port`; gives its address once the sign-in page answers.

    With a `report` it runs under the trap, and one attempt to leave the machine fails it when it stops.
    """
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *arguments]
    if report is not None:
        command = [sys.executable, "tests/offline/trap.py", "--same-network", "--report", str(report), "--", *command]
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that what does not stop can be ended whole
        )
        try:
            _wait(base_url, server, log)
            yield base_url
        finally:
            server.terminate()
            try:
                server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
    if report is not None:
        assert report.exists(), f"The trap did not report: {log.read_text()[-2000:]}"
        assert report.read_text("utf-8") == _NO_ATTEMPT, report.read_text("utf-8")


def can_trap() -> bool:
    """Whether the kernel shows us the calls of what we start."""
    trapped = [sys.executable, "tests/offline/trap.py", "--same-network", "--", "true"]
    return subprocess.run(trapped, cwd=ROOT, check=False, capture_output=True).returncode == 0


def _wait(base_url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise AssertionError(f"The server ended at its start: {log.read_text()[-2000:]}")
            try:
                if client.get(f"{base_url}/login").is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.3)
    raise AssertionError(f"The server did not answer in {_START_S} s: {log.read_text()[-2000:]}")


@contextmanager
def appliance(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """The real appliance without a language model, with an account for each role and a folder of documents.

    Where the machine allows it, it runs under the trap.
    """
    port = free_port()
    environ = {
        "STRONGROOM_DATA_DIR": str(folder / "data"),
        "STRONGROOM_SERVER__PORT": str(port),
        "STRONGROOM_MODEL__PROVIDER": "none",
        **(settings or {}),
    }
    accounts = Accounts(
        employee=("erin", _made(environ, "erin", "--role", "employee", "--group", "underwriting")),
        admin=("adam", _made(environ, "adam", "--role", "admin", "--role", "employee")),
        compliance=("cora", _made(environ, "cora", "--role", "compliance")),
        second_officer=("cleo", _made(environ, "cleo", "--role", "compliance")),
    )
    report = folder / "attempts.txt" if can_trap() else None
    with process(["-m", "tests.brisk", "serve"], port, folder / "server.log", environ, report=report) as base_url:
        yield Served(base_url, accounts, folder / "documents")


def _made(environ: Mapping[str, str], name: str, *options: str) -> str:
    """The password of a new account."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.brisk", "user", "add", name, "--may-keep", *options],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = _PASSWORD.search(done.stdout)
    assert found, f"'user add' gave no password: {done.stdout}{done.stderr}"
    return found[1]
