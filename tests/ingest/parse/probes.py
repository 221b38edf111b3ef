"""Run as a confined process by `test_confine.py`: tries everything a parser must not do, prints what succeeded."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ingest.parse import confine

SCRATCH, OUTSIDE, MEMORY = Path(sys.argv[1]), Path(sys.argv[2]), 512 * 1024**2
PACKAGE = Path(confine.__file__)
libc = ctypes.CDLL(None, use_errno=True)


def connect(family: int, kind: int, address: object) -> None:
    with socket.socket(family, kind) as opened:
        opened.settimeout(2)
        opened.connect(address)  # type: ignore[arg-type]
        opened.send(b"x")


def called(*arguments: object) -> None:
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def written(path: Path) -> None:
    path.write_bytes(b"x")


def through_link() -> None:
    link = SCRATCH / "link"
    link.symlink_to(OUTSIDE / "secret.txt")
    link.read_bytes()


def ran_from_scratch() -> None:
    program = SCRATCH / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o700)
    subprocess.run([str(program)], check=True)


def too_large_a_file() -> None:
    with (SCRATCH / "large").open("wb") as file:
        file.truncate(confine.FILE_BYTES + 1)


def many_files() -> None:
    with contextlib.ExitStack() as held:
        for _ in range(2 * confine.OPEN_FILES):
            held.enter_context(Path(os.devnull).open("rb"))


PROBES: dict[str, Callable[[], object]] = {
    "tcp": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(sys.argv[3]))),
    "udp": lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
    "tcp over ipv6": lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", int(sys.argv[3]))),
    "unix socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, str(OUTSIDE / "socket")),
    "abstract unix socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0strongroom-probe"),
    "raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "socket pair": socket.socketpair,
    "names": lambda: socket.getaddrinfo("example.org", 80),
    "io_uring": lambda: called(425, 8, bytes(120)),
    "read outside": (OUTSIDE / "secret.txt").read_bytes,
    "read accounts": Path("/etc/passwd").read_bytes,
    "read through a link": through_link,
    "hard link": lambda: os.link(OUTSIDE / "secret.txt", SCRATCH / "hard"),
    "list outside": lambda: list(OUTSIDE.iterdir()),
    "list root": lambda: list(Path("/").iterdir()),
    "write outside": lambda: written(OUTSIDE / "new"),
    "overwrite outside": lambda: written(OUTSIDE / "secret.txt"),
    "truncate outside": lambda: os.truncate(OUTSIDE / "secret.txt", 0),
    "delete outside": (OUTSIDE / "secret.txt").unlink,
    "make a folder outside": (OUTSIDE / "folder").mkdir,
    "change the program": lambda: PACKAGE.open("ab").close(),
    "read another process's memory": lambda: Path(f"/proc/{sys.argv[4]}/mem").open("rb").close(),
    "read another process's environment": Path(f"/proc/{sys.argv[4]}/environ").read_bytes,
    "signal another process": lambda: os.kill(int(sys.argv[4]), signal.SIGTERM),
    "trace": lambda: called(101 if os.uname().machine == "x86_64" else 117, 0, 0, 0, 0),
    "mount": lambda: called(165 if os.uname().machine == "x86_64" else 40, b"none", bytes(SCRATCH), b"tmpfs", 0, 0),
    "new namespaces": lambda: called(272 if os.uname().machine == "x86_64" else 97, 0x10000000),
    "become root": lambda: os.setuid(0),
    "memory": lambda: bytearray(2 * MEMORY),
    "too large a file": too_large_a_file,
    "many open files": many_files,
    "run what it wrote": ran_from_scratch,
    "a child reaches out": lambda: subprocess.run(
        [sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', " + sys.argv[3] + "))"],
        check=True,
        stderr=subprocess.DEVNULL,
    ),
    "a child reads outside": lambda: subprocess.run(
        ["cat", str(OUTSIDE / "secret.txt")], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ),
}


def main() -> None:
    separate, private = confine.guard(SCRATCH)
    holds = confine.restrict(SCRATCH, MEMORY, separate=separate, private_scratch=private)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    succeeded = []
    for name, probe in PROBES.items():
        with contextlib.suppress(OSError, MemoryError, subprocess.SubprocessError):
            probe()
            succeeded.append(name)
    (SCRATCH / "allowed").write_bytes(b"scratch can be written")
    print(json.dumps({"succeeded": succeeded, "tried": len(PROBES), "landlock": holds.landlock}), flush=True)


if __name__ == "__main__":
    main()
