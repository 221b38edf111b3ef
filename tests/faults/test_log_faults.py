"""Every system call that the log makes on its files while it is written and signed fails once, in three ways.

As in the fault tests of Tessera: a run is traced and its calls are counted; then it is done again for every single
occurrence of every call, with that one failing (EIO, ENOSPC) or the process killed at it (SIGKILL). Whatever happens,
the log must verify with all its signed checkpoints, must hold every entry that was acknowledged, and must go on.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.audit import signatures, sqlite
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.verify import verify
from appliance.errors import ApplianceError
from tests.faults import log_writer

ROOT = Path(__file__).parents[2]
WRITER = (sys.executable, "-m", log_writer.__name__)
CALLS = (
    "openat", "mkdir", "read", "pread64", "write", "pwrite64", "lseek", "ftruncate", "fsync", "fdatasync", "rename",
    "unlink", "close", "mmap", "fcntl",
)  # fmt: skip
HOW = ("error=EIO", "error=ENOSPC", "signal=KILL")
FILES = (
    "log", "log/queries.db", "log/queries.db-wal", "log/queries.db-shm", "log/queries.db-journal", "log/checkpoints",
    "log/checkpoints/queries.txt", "log/checkpoints/queries.txt.new", "log/checkpoints/queries.signed.txt",
    "log/checkpoints/queries.signer.txt", "log/checkpoints/queries.signer.txt.new", "log/keys", "log/keys/queries.db",
    "log/keys/queries.db-journal", "log/keys/queries.kek.1", "log/keys/queries.kek.1.new", "signer",
    "signer/ed25519.key", "signer/ed25519.key.new", "signer/last-signed.txt", "signer/last-signed.txt.new",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """The nth of all calls of one kind fails, in one way."""

    call: str
    number: int
    how: str


@dataclass(frozen=True)
class Planned:
    """What a log begins with, and how often a run makes each call then."""

    start: str
    begin: Path | None
    calls: Counter[str]


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the calls fail"),
]


def write(folder: Path, trace: Path, fault: Fault | None) -> subprocess.CompletedProcess[str]:
    """Write to the log in a folder, with a fault."""
    watched = [argument for file in FILES for argument in ("-P", str(folder / file))]
    injected = ["-e", f"inject={fault.call}:{fault.how}:when={fault.number}"] if fault else []
    tracing = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}", *injected, *watched]
    command = [*tracing, *WRITER, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def calls_of_a_run(begin: Path | None, scratch: Path) -> Counter[str]:
    """How often a run without a fault makes each call on the files of the log."""
    folder, trace = laid_out(begin, scratch), scratch / "trace"
    assert write(folder, trace, None).returncode == 0
    found = Counter(re.findall(r"^\d+ +(\w+)\(", trace.read_text("utf-8", "replace"), re.MULTILINE))
    assert found["pwrite64"] > 10
    assert found["fsync"] + found["fdatasync"] > 5
    return found


def laid_out(begin: Path | None, scratch: Path) -> Path:
    """A folder with the log to begin with, or without one."""
    folder = scratch / "data"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(begin, folder) if begin else folder.mkdir()
    return folder


def check(fault: Fault, begin: Path | None, scratch: Path) -> None:
    """Do it with a fault, and see that nothing was lost by it."""
    folder = laid_out(begin, scratch)
    run = write(folder, scratch / "trace", fault)
    traced = (scratch / "trace").read_text("utf-8", "replace")
    assert "INJECTED" in traced or run.returncode == -signal.SIGKILL, (fault, run.returncode)
    assert "Traceback" not in run.stderr, (fault, run.stderr)
    path = folder / "log" / "queries.db"
    told = [line.split() for line in run.stdout.splitlines() if len(line.split()) == 2]
    acknowledged = [Checkpoint(ORIGIN, int(seq) + 1, bytes.fromhex(root)) for seq, root in told]
    if was_begun(path):
        verified = verify(path, *signatures.checked(path), *acknowledged)
        assert verified.size >= len(acknowledged), fault
    else:
        assert not acknowledged, fault
    with QueryLog(path) as log:
        size = log.size()
        assert log.append(AdminAction("writer", "test.written", "after")).seq == size
        log_writer.sign(log, folder / "signer")
    checkpoints = signatures.checked(path)
    assert checkpoints[-1].size == size + 1
    assert verify(path, *checkpoints, *acknowledged).size == size + 1


def was_begun(path: Path) -> bool:
    """Whether there is a log to verify. A first start that ended before the tables were made leaves an empty database.

    Or one with a journal of its first page, which whoever only reads cannot take back.
    """
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite.open_to_read(path)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.OperationalError:
        return False


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that was written and signed before."""
    folder = tmp_path_factory.mktemp("begun") / "data"
    folder.mkdir()
    subprocess.run([*WRITER, str(folder)], cwd=ROOT, capture_output=True, check=True)
    return folder


SAMPLE = (
    Fault("fdatasync", 2, "signal=KILL"),
    Fault("pwrite64", 9, "error=EIO"),
    Fault("fsync", 1, "error=ENOSPC"),
    Fault("rename", 2, "signal=KILL"),
)


@pytest.mark.parametrize("fault", SAMPLE, ids=str)
def test_a_fault_in_a_sample_of_the_system_calls_leaves_a_log_that_verifies(
    begun: Path, tmp_path: Path, fault: Fault
) -> None:
    check(fault, begun, tmp_path)


@pytest.fixture(scope="module", params=["a new log", "a log that was there"])
def planned(request: pytest.FixtureRequest, begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Planned:
    begin = None if request.param == "a new log" else begun
    return Planned(request.param, begin, calls_of_a_run(begin, tmp_path_factory.mktemp("counted")))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_in_any_system_call_leaves_a_log_that_verifies(planned: Planned, tmp_path: Path, call: str) -> None:
    faults = [Fault(call, number, how) for number in range(1, planned.calls[call] + 1) for how in HOW]
    wrong = []
    for fault in faults:
        try:
            check(fault, planned.begin, tmp_path)
        except (AssertionError, ApplianceError, OSError, sqlite3.Error) as error:
            wrong.append((fault, repr(error)[:500]))
    print(f"{planned.start}: {len(faults)} faults in {call}, {len(wrong)} left something wrong", flush=True)
    assert not wrong, wrong
