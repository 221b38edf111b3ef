"""What a parser that was taken over can do: nothing. The attempts are in `taken_over.py`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import IngestSettings
from appliance.errors import ParserBroken
from ingest.parse import confine, parser_process
from ingest.parse.confine import Confinement
from ingest.parse.sandbox import ParserPool, SandboxReport
from tests.ingest.parse.taken_over import PROBES, Order

ROOT = Path(__file__).parents[3]
HARMLESS = (
    "connect over TCP",
    "send over UDP",
    "connect to a unix socket",
    "connect to an abstract unix socket",
    "ask the kernel about the network",
    "open a socket for listening",
    "open a socket pair",
    "look up a name",
    "reach out from a program",
    "read a file",
    "read the accounts",
    "read through a link",
    "read from a program",
    "see that a file exists",
    "list a folder",
    "list the root of the machine",
    "link to a file",
    "write a file",
    "write over a file",
    "truncate a file",
    "delete a file",
    "move a file",
    "make a folder",
    "open a file to everybody",
    "change the time of a file",
    "read the environment of another process",
    "list the open files of another process",
    "take a descriptor of another process",
    "limit another process",
    "slow another process down",
    "end the worker or another process",
    "find secrets in the environment",
    "leave the process group",
    "start hundreds of processes",
    "write too large a file",
    "open hundreds of files",
    "run what it wrote",
    "run from memory",
    "map what it wrote as code",
)
"""Probes that any process may try at this test's own folder, port and process."""


@dataclasses.dataclass
class Target:
    """What the probes are aimed at: a folder with files and a socket, a port, and a process."""

    folder: Path
    port: int
    victim: subprocess.Popen[bytes]

    def order(self, probe: str, *, inside: bool) -> Order:
        return Order(probe, str(self.folder), self.port, 0 if inside else self.victim.pid)

    def state(self) -> dict[str, tuple[int, int, float, bytes]]:
        """Every file, with its mode, owner, time and content."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[path.name] = (status.st_mode, status.st_uid, status.st_mtime, content)
        return found


@contextlib.contextmanager
def target(folder: Path) -> Iterator[Target]:
    folder.mkdir()
    for name in ("secret.txt", "spare.txt", "spare2.txt"):
        (folder / name).write_text("do not touch")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as victim,
    ):
        try:
            port = server.getsockname()[1]
            local.bind(str(folder / "socket"))
            abstract.bind(f"\0probe-{port}")
            local.listen()
            abstract.listen()
            yield Target(folder, port, victim)
        finally:
            victim.kill()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("machine") / "data") as aimed_at:
        yield aimed_at


@pytest.fixture(scope="module")
def captive() -> Iterator[ParserPool]:
    """A pool whose worker obeys the documents; told that small files need two seconds.

    In one, a slow machine does not start as many processes as a document may.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser_process, "_WORKER", "tests.ingest.parse.taken_over")
        patch.setattr(parser_process, "_SMALL_FILE_CPU_S", 2.0)
        patch.setenv("STRONGROOM_SECRET", "do not read")
        with ParserPool(IngestSettings(memory_bytes=1024**3, timeout_s=20, max_pages=3), size=1) as pool:
            yield pool


def ordered(pool: ParserPool, folder: Path, order: Order) -> str:
    document = folder / "order.txt"
    document.write_bytes(order.packed())
    (element,) = pool.parse(document, name="order.txt").elements
    return element.text


@pytest.mark.integration
@pytest.mark.parametrize("probe", PROBES)
def test_a_parser_that_was_taken_over_cannot(captive: ParserPool, victim: Target, tmp_path: Path, probe: str) -> None:
    if not captive.report().holds.few_processes and probe == "start hundreds of processes":
        pytest.skip("this kernel cannot limit the processes of root; the report says so")
    before = victim.state()
    assert ordered(captive, tmp_path, victim.order(probe, inside=True)).startswith("denied: ")
    assert victim.state() == before
    assert victim.victim.poll() is None


@pytest.mark.integration
def test_without_confinement_it_could(tmp_path: Path) -> None:
    """The probes are no empty words: each one that does no harm here succeeds outside of the sandbox."""
    (tmp_path / "scratch").mkdir()
    probes = sorted(HARMLESS, key="end the worker or another process".__eq__)  # nothing works on one that ended
    with target(tmp_path / "data") as aimed_at:
        orders = [dataclasses.asdict(aimed_at.order(probe, inside=False)) for probe in probes]
        done = subprocess.run(
            [sys.executable, "-m", "tests.ingest.parse.taken_over", "free", json.dumps(orders)],
            cwd=tmp_path / "scratch",
            env={**os.environ, "PYTHONPATH": str(ROOT), "STRONGROOM_SECRET": "do not read"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    said = dict(zip(probes, done.stdout.splitlines(), strict=True))
    assert {probe: how for probe, how in said.items() if how != "succeeded"} == {}


@pytest.mark.integration
def test_nothing_stays_for_the_next_document(captive: ParserPool, tmp_path: Path) -> None:
    assert ordered(captive, tmp_path, Order("leave things behind")) == "succeeded"
    assert ordered(captive, tmp_path, Order("look for things")).startswith("denied: PermissionError nothing is left")


@pytest.mark.integration
def test_a_worker_whose_scratch_folder_cannot_be_cleared_is_replaced(captive: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(ParserBroken, match="made the parser end"):
        ordered(captive, tmp_path, Order("leave what cannot be removed"))
    assert ordered(captive, tmp_path, Order("look for things")).startswith("denied: PermissionError nothing is left")


@pytest.mark.integration
def test_a_worker_does_not_run_out_of_processes_over_time(captive: ParserPool, tmp_path: Path) -> None:
    for _ in range(confine._PIDS // 60 + 1):  # more in all than the tree has numbers
        assert ordered(captive, tmp_path, Order("start one process after another")) == "succeeded"


@pytest.mark.integration
def test_what_follows_an_answer_is_no_answer(captive: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(ParserBroken, match="nonsense"):
        ordered(captive, tmp_path, Order("answer twice"))


@pytest.mark.integration
@pytest.mark.parametrize("misdeed", ["report progress for ever", "sleep for ever"])
def test_a_parser_cannot_get_itself_time_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misdeed: str
) -> None:
    monkeypatch.setattr(parser_process, "_WORKER", "tests.ingest.parse.taken_over")
    monkeypatch.setattr(parser_process, "_GRACE_S", 0.1)
    settings = IngestSettings(timeout_s=1, page_timeout_s=0.1, ocr_page_timeout_s=0.1, max_pages=5)
    with ParserPool(settings, size=1, urgent=True) as pool:
        pool.report()
        began = time.monotonic()
        with pytest.raises(ParserBroken, match="was given up"):
            ordered(pool, tmp_path, Order(misdeed))
        assert 1 <= time.monotonic() - began < 60


def test_the_budget_of_a_document_grows_with_its_size_and_no_further() -> None:
    settings = IngestSettings(timeout_s=60, max_pages=10_000)
    small, medium, large = (parser_process._Budget(settings, size) for size in (1_000, 1_000_000, 200_000_000))
    assert small.cpu_s < medium.cpu_s < large.cpu_s == 60
    assert small.pages < medium.pages == large.pages == 10_000
    assert small.pages < 300


def test_processor_time_and_file_size_are_limited_for_each_document() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        confine.limit_job(1_000_000, 20, 500)
        confine.allow_cpu(120.4)
        limits = [resource.getrlimit(kind) for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)]
        confine.allow_cpu(100_000)
        os.write(writer, json.dumps([*limits, resource.getrlimit(resource.RLIMIT_CPU)]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        processor, files, most = json.load(pipe)
    assert processor == [121, 501]
    assert files == [confine.FILE_BYTES + 4_000_000] * 2
    assert most == [501, 501]


@pytest.mark.integration
def test_the_report_tells_the_operator_what_holds_here() -> None:
    with ParserPool(IngestSettings(), size=1) as pool:
        report = pool.report()
    assert report.holds.network
    lacking = [name for name, holds in dataclasses.asdict(report.holds).items() if not holds]
    assert len(report.missing) == len(lacking)


def test_a_machine_without_any_protection_is_warned_of_each() -> None:
    nothing = Confinement(**dict.fromkeys(Confinement.__dataclass_fields__, False))
    report = SandboxReport(nothing)
    assert len(report.missing) == len(Confinement.__dataclass_fields__) + 2  # the files, and the network, twice over
    assert "do not ingest documents you do not trust" in report.missing[-1]
    everything = Confinement(**dict.fromkeys(Confinement.__dataclass_fields__, True))
    assert SandboxReport(everything).missing == ()


def test_the_filter_knows_both_architectures_and_the_same_calls_in_each() -> None:
    assert (
        confine._ARCHITECTURES.keys() == confine._DENIED.keys() == confine._PIVOT_ROOT.keys() == {"x86_64", "aarch64"}
    )
    for numbers in confine._DENIED.values():
        assert len(set(numbers)) == len(numbers)
        assert max(numbers) < confine._UNKNOWN_FROM


@pytest.mark.integration
def test_processes_are_limited_for_other_accounts_than_root_too() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can take another account; the probes cover this one")
    code = (
        "import os, select, time, pathlib\n"
        "from ingest.parse import confine\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "confine._libc.prctl(4, 1, 0, 0, 0)\n"  # as after a start under this account
        "separation = confine.guard(pathlib.Path('/tmp'))\n"
        "started = 0\n"
        "try:\n"
        "    while started < 200:\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(30); os._exit(0)\n"
        "        started += 1\n"
        "except BlockingIOError:\n"
        "    pass\n"
        "os.write(1, f'{separation.namespaces} {separation.few_processes} {started}'.encode())\n"
        "os._exit(0)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as guard:
        assert guard.stdout
        namespaces, few, started = guard.stdout.read().split()
    if namespaces == "False":
        pytest.skip("this machine grants other accounts no namespaces")
    assert few == "True"
    assert int(started) < confine.PROCESSES
