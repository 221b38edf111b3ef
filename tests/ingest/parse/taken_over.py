"""A parser that does what the document says: what an attacker has who found a hole in a parsing library.

The document is the JSON of `Order`; it runs in the real worker, in the process of one document, in the place of the
parsers. `python -m tests.ingest.parse.taken_over free ORDERS` obeys unconfined, to see that it would work.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ingest.parse import confine, frames, worker
from ingest.parse.elements import Element, ElementKind, Parsed, to_json

INTEL = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Order:
    """What to try, and at whom."""

    probe: str
    outside: str = ""
    port: int = 0
    victim: int = 0

    def packed(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @property
    def folder(self) -> Path:
        return Path(self.outside)

    @property
    def secret(self) -> Path:
        return self.folder / "secret.txt"


def called(intel: int, arm: int, *arguments: object) -> int:
    done = int(libc.syscall(intel if INTEL else arm, *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return done


def connect(family: int, kind: int, address: object) -> None:
    with socket.socket(family, kind) as opened:
        opened.settimeout(2)
        opened.connect(address)  # type: ignore[arg-type]
        opened.send(b"x")


def in_a_child(act: Callable[[], object]) -> None:
    """Fails if the child does."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise PermissionError(f"the child ended with {os.waitstatus_to_exitcode(status)}")


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def through_a_link(order: Order) -> None:
    link = Path("link")
    link.symlink_to(order.secret)
    link.read_bytes()


def run_what_it_wrote(_: Order) -> None:
    descriptor = os.open("program", os.O_CREAT | os.O_WRONLY, 0o700)
    os.write(descriptor, Path("/usr/bin/true").read_bytes())
    os.close(descriptor)
    run(str(Path("program").absolute()))


def run_from_memory(_: Order) -> None:
    descriptor = called(319, 279, b"program", 0)
    os.write(descriptor, Path("/usr/bin/true").read_bytes())
    in_a_child(lambda: os.execve(descriptor, ["true"], {}))


def map_what_it_wrote(_: Order) -> None:
    Path("code").write_bytes(bytes(4096))
    with Path("code").open("rb") as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()


def steal_a_descriptor(order: Order) -> None:
    """The worker's connection to the pool: with it, the next document could be read and answered for."""
    opened = os.pidfd_open(order.victim or 1)
    for number in range(30):
        with contextlib.suppress(OSError):
            os.close(called(438, 438, opened, number, 0))
            return
    raise PermissionError("none could be taken")


def limit_another(order: Order) -> None:
    resource.prlimit(order.victim or 1, resource.RLIMIT_FSIZE, (1000, 1000))


def slow_another(order: Order) -> None:
    os.setpriority(os.PRIO_PROCESS, order.victim or 1, 15)


def end_another(order: Order) -> None:
    """The first process of a tree is deaf to what it does not handle, even to SIGKILL, if it comes from within."""
    number = order.victim or os.getppid()
    for deadly in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.kill(number, deadly)
    if not order.victim:
        time.sleep(0.2)
        os.kill(number, 0)
        raise PermissionError("it lives")


def open_files_of_the_worker(order: Order) -> None:
    list(Path(f"/proc/{order.victim or 1}/fd").iterdir())


def without_a_name(_: Order) -> None:
    """A new user namespace by way of clone, which has the flags of unshare."""
    child = called(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def many_processes(_: Order) -> None:
    started = []
    try:
        for _ in range(400):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            started.append(child)
    finally:
        for child in started:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def spin(_: Order) -> None:
    in_a_child(lambda: [None for _ in iter(lambda: time.process_time() < 3.5, False)])


def too_large_a_file(_: Order) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Path("large").open("wb") as file:
        file.truncate(confine.FILE_BYTES + 1024**2)


def fill_the_scratch(_: Order) -> None:
    for number in range(40):
        Path(f"part{number}").write_bytes(bytes(confine.FILE_BYTES // 4))


def many_small_files(_: Order) -> None:
    for number in range(2 * confine.SCRATCH_FILES):
        os.close(os.open(f"small{number}", os.O_CREAT | os.O_WRONLY))


def many_open_files(_: Order) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(2 * confine.OPEN_FILES):
            held.enter_context(Path(os.devnull).open("rb"))


def dump_core(_: Order) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise PermissionError("no core dumps")


def privileges(_: Order) -> None:
    called(157, 167, 38, 0, 0, 0, 0)  # no-new-privileges, which cannot be taken back


def find_secrets(_: Order) -> None:
    if not any("secret" in name.lower() for name in os.environ):
        raise PermissionError("none in the environment")


def find_descriptors(order: Order) -> None:
    """Anything open but nothing-devices and the two pipes of this document: files, the catalog, other documents."""
    found = 0
    for number in range(3, confine.OPEN_FILES):
        with contextlib.suppress(OSError):
            found += os.fstat(number).st_mode & 0o170000 != 0o010000 or order.victim < 0
    if not found:
        raise PermissionError("none but pipes")


def allocate(_: Order) -> None:
    for _ in range(4):
        bytearray(2 * 1024**3)


PROBES: dict[str, Callable[[Order], object]] = {
    # the network
    "connect over TCP": lambda order: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", order.port)),
    "send over UDP": lambda order: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
    "connect over IPv6": lambda order: connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", order.port)),
    "connect to a unix socket": lambda order: connect(socket.AF_UNIX, socket.SOCK_STREAM, f"{order.outside}/socket"),
    "connect to an abstract unix socket": lambda order: connect(
        socket.AF_UNIX, socket.SOCK_STREAM, f"\0probe-{order.port}"
    ),
    "open a raw socket": lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "ask the kernel about the network": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "open a socket for listening": lambda _: socket.create_server(("127.0.0.1", 0)).close(),
    "open a socket pair": lambda _: [end.close() for end in socket.socketpair()],
    "look up a name": lambda _: socket.getaddrinfo("localhost", 80),
    "reach out from a program": lambda order: run(
        sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {order.port}))"
    ),
    "use io_uring": lambda _: called(425, 425, 8, bytes(120)),
    # files
    "read a file": lambda order: order.secret.read_bytes(),
    "read the accounts": lambda _: Path("/etc/passwd").read_bytes(),
    "read through a link": through_a_link,
    "read from a program": lambda order: run("cat", str(order.secret)),
    "see that a file exists": lambda order: order.secret.stat(),
    "list a folder": lambda order: list(order.folder.iterdir()),
    "list the home folders": lambda _: list(Path("/home").iterdir()),
    "list the root of the machine": lambda _: [Path("/proc/1").stat(), list(Path("/").iterdir())],
    "link to a file": lambda order: os.link(order.secret, "hard"),
    "write a file": lambda order: (order.folder / "new").write_bytes(b"x"),
    "write over a file": lambda order: order.secret.write_bytes(b"x"),
    "truncate a file": lambda order: os.truncate(order.secret, 0),
    "delete a file": lambda order: (order.folder / "spare.txt").unlink(),
    "move a file": lambda order: (order.folder / "spare2.txt").rename(order.folder / "moved.txt"),
    "make a folder": lambda order: (order.folder / "folder").mkdir(),
    "open a file to everybody": lambda order: order.secret.chmod(0o666),
    "change the time of a file": lambda order: os.utime(order.secret, (0, 0)),
    "mark a file": lambda order: os.setxattr(order.secret, "user.mark", b"x"),
    "change a program": lambda _: Path(confine.__file__).open("ab").close(),
    "write a file beside the programs": lambda _: Path(sys.prefix, "planted").write_bytes(b"x"),
    "open a disk": lambda _: [os.open(path, os.O_RDONLY) for path in ("/dev/mem", "/dev/vda", "/dev/sda", "/dev/kmsg")],
    "open a terminal": lambda _: os.close(os.open("/dev/ptmx", os.O_RDWR)),
    "share memory under a name": lambda _: Path("/dev/shm/strongroom-probe").write_bytes(b"x"),
    "leave the folder of its root": lambda order: [os.chroot("."), order.secret.read_bytes()],
    "open a file by its handle": lambda _: called(304, 265, -100, bytes(128), 0),
    # other processes
    "read the memory of another process": lambda order: Path(f"/proc/{order.victim or 1}/mem").open("rb").close(),
    "read the environment of another process": lambda order: Path(f"/proc/{order.victim or 1}/environ").read_bytes(),
    "list the open files of another process": open_files_of_the_worker,
    "take a descriptor of another process": steal_a_descriptor,
    "limit another process": limit_another,
    "slow another process down": slow_another,
    "end the worker or another process": end_another,
    "trace": lambda _: called(101, 117, 0, 0, 0, 0),
    "find secrets in the environment": find_secrets,
    "find open files": find_descriptors,
    # the kernel
    "mount": lambda _: called(165, 40, b"none", b".", b"tmpfs", 0, 0),
    "unmount": lambda _: called(166, 39, b"/", 2),
    "make a file system": lambda _: called(430, 430, b"tmpfs", 0),
    "make a namespace": lambda _: called(272, 97, 0x10000000),
    "make a namespace by cloning": without_a_name,
    "become root": lambda _: [os.setgid(0), os.setuid(0), Path("/etc/shadow").read_bytes()],
    "take back the promise of no new privileges": privileges,
    "use the keyring": lambda _: called(250, 219, 0, -3, 1),
    "load a program into the kernel": lambda _: called(321, 280, 0, bytes(128), 128),
    "watch the processor": lambda _: called(298, 241, bytes(128), 0, -1, -1, 0),
    "share memory that stays": lambda _: called(29, 194, 0x5EC2E7, 4096, 0o1600),
    "leave the process group": lambda _: in_a_child(os.setsid),
    # limits
    "allocate more memory than allowed": allocate,
    "take more processor time than allowed": spin,
    "start hundreds of processes": many_processes,
    "write too large a file": too_large_a_file,
    "fill the scratch folder": fill_the_scratch,
    "write thousands of files": many_small_files,
    "open hundreds of files": many_open_files,
    "dump core": dump_core,
    "raise a limit": lambda _: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 1 << 19)),
    # programs of its own
    "run what it wrote": run_what_it_wrote,
    "run from memory": run_from_memory,
    "map what it wrote as code": map_what_it_wrote,
}


def leave_things_behind(_: Order) -> None:
    """A file, a link, a deep folder, and a process that would go on."""
    Path("left.txt").write_text("of the last document")
    Path("link").symlink_to("/usr")
    Path("a/b/c").mkdir(parents=True)
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)


def leave_what_cannot_be_removed(_: Order) -> None:
    Path("closed").mkdir()
    Path("closed/inner").mkdir(0o000)
    for _ in range(3000):
        Path("d").mkdir()
        os.chdir("d")


def look_for_things(_: Order) -> None:
    """Succeeds when something of another document is there."""
    others = [number for number in range(2, confine._PIDS) if number != os.getpid() and _exists(number)]
    if not (list(Path().iterdir()) or others):
        raise PermissionError("nothing is left")


def _exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def start_one_after_another(_: Order) -> None:
    """Never two at once: what a document of many pictures does with tesseract."""
    for _ in range(60):
        in_a_child(lambda: None)


def answer_twice(_: Order) -> None:
    os.write(_pipe_out(), frames.packed(frames.RESULT, _result("forged")))


def report_progress_for_ever(_: Order) -> None:
    while True:
        os.write(_pipe_out(), frames.packed(frames.PROGRESS, b'{"done": 1, "total": 1000000, "ocr": true}'))
        time.sleep(0.01)


def sleep_for_ever(_: Order) -> None:
    time.sleep(600)


def _pipe_out() -> int:
    """The pipe that can be written to."""
    return next(number for number in range(3, 64) if _is_writable_pipe(number))


def _is_writable_pipe(number: int) -> bool:
    import fcntl

    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False


MISDEEDS: dict[str, Callable[[Order], object]] = {
    "leave things behind": leave_things_behind,
    "leave what cannot be removed": leave_what_cannot_be_removed,
    "look for things": look_for_things,
    "start one process after another": start_one_after_another,
    "answer twice": answer_twice,
    "report progress for ever": report_progress_for_ever,
    "sleep for ever": sleep_for_ever,
}


def attempt(order: Order) -> str:
    """ "succeeded", or how it was denied."""
    try:
        {**PROBES, **MISDEEDS}[order.probe](order)
    except (OSError, MemoryError, subprocess.SubprocessError, ValueError) as error:
        return f"denied: {type(error).__name__} {error}"
    return "succeeded"


def _result(said: str) -> bytes:
    return to_json(Parsed("probe", "text/plain", "", (Element(ElementKind.TEXT, said),)))


def _obey(_job: dict[str, Any], data: bytes, _out: BinaryIO) -> tuple[bytes, bytes]:
    return frames.RESULT, _result(attempt(Order(**json.loads(data))))


def _in_a_folder_of_its_own(order: Order) -> str:
    """The attempt in a process of its own, so that none changes the next one's chances."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(tempfile.mkdtemp(dir="."))
        os.write(writer, attempt(order).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def main() -> None:
    if sys.argv[1:2] == ["free"]:
        for order in json.loads(sys.argv[2]):
            print(_in_a_folder_of_its_own(Order(**order)), flush=True)
        return
    worker._answer = _obey
    worker.main()


if __name__ == "__main__":
    main()
