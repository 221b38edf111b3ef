"""Which processes run llama.cpp, told by what the kernel shows of them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest


def llama_processes(parent: int | None = None) -> list[int]:
    """Those started by the process `parent`; by this one if it is not given."""
    wanted = f"PPid:\t{parent or os.getpid()}\n"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if b"llamacpp_server" in (process / "cmdline").read_bytes() and wanted in (process / "status").read_text():
                found.append(int(process.name))
    return found


def seen_from_inside(pid: int) -> Path:
    """The kernel's account of a process that is closed to others; skips the test where that keeps this account out."""
    account = Path(f"/proc/{pid}")
    try:
        list((account / "fd").iterdir())
    except PermissionError:
        pytest.skip("only root may look into a process that is closed to others of its account")
    return account
