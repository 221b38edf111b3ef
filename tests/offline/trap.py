"""Runs a command with no way out and counts its attempts to leave.

    python tests/offline/trap.py [--same-network] [--report FILE] -- COMMAND...

The command runs in a network namespace of its own with only the loopback up (unless --same-network). The kernel holds
every connect, sendto, sendmsg and sendmmsg that carries an address, of every process the command starts, until the
address was read here; then the call goes on (seccomp_unotify(2), Linux 5.5). One to an address that is not loopback is
an attempt, whether it could have worked or not: a blocked call still shows intent. Only IPv4 and IPv6 count; local
sockets do not. io_uring, which connects without any of these calls, and programs of another architecture are refused.

The exit status is the command's, or LEAKED when there was an attempt. SIGTERM is passed on to the command.

Why not strace: its children and threads stop at every single system call here (strace 6.1 with --seccomp-bpf), which
took a third of the processor time of the whole suite; and what it traces, no test can trace.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fcntl
import ipaddress
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LEAKED = 97

# linux/audit.h, and the numbers of asm/unistd.h
_MACHINES = {
    "x86_64": (0xC000003E, {"seccomp": 317, "connect": 42, "sendto": 44, "sendmsg": 46, "sendmmsg": 307}),
    "aarch64": (0xC00000B7, {"seccomp": 277, "connect": 203, "sendto": 206, "sendmsg": 211, "sendmmsg": 269}),
}
_IO_URING_SETUP, _X32 = 425, 0x40000000

# linux/seccomp.h and linux/filter.h
_SET_MODE_FILTER, _NEW_LISTENER, _CONTINUE = 1, 1 << 3, 1
_KILL, _ERRNO, _NOTIFY, _ALLOW = 0x80000000, 0x00050000, 0x7FC00000, 0x7FFF0000
_RECEIVE, _SEND, _STILL_WAITS = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION, _ANSWER = struct.Struct("=QII iIQ 6Q"), struct.Struct("=QqiI")
_LOAD, _EQUALS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_PR_SET_NO_NEW_PRIVS = 38

_MESSAGE_HEADER, _MESSAGES = struct.Struct("=QI"), 64  # what a struct msghdr begins with; bytes of a struct mmsghdr
_LONGEST_ADDRESS, _MOST_MESSAGES = 128, 1024  # sockaddr_storage; UIO_MAXIOV

Call = tuple[int, tuple[int, ...]]  # its number and its six arguments


def outside(address: bytes) -> str | None:
    """Address and port that a struct sockaddr names, unless what goes there stays on this machine."""
    if len(address) < 2:
        return None
    family, packed = struct.unpack("=H", address[:2])[0], b""
    if family == socket.AF_INET:
        packed = address[4:8]
    elif family == socket.AF_INET6:
        packed = address[8:24]
    if len(packed) not in (4, 16):
        return None
    where = ipaddress.ip_address(packed)
    # The unspecified address means this host (RFC 1122).
    inner = getattr(where, "ipv4_mapped", None) or where
    if inner.is_loopback or inner.is_unspecified:
        return None
    return f"{where} port {struct.unpack('>H', address[2:4])[0]}"


class Trap:
    """Holds the calls of this process's children and counts those that name an address outside.

    Raises `OSError` where the kernel allows no such filter: EBUSY under another trap.
    """

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        _, self._numbers = _MACHINES[platform.machine()]
        self._listener = _install(_filter())

    def watch(self) -> None:
        """Lets every held call go on once its addresses are counted. Never returns: if it fails, the run is void."""
        try:
            self._watch()
        finally:
            traceback.print_exc()
            os._exit(1)

    def _watch(self) -> None:
        while True:
            held = bytearray(_NOTIFICATION.size)
            try:
                fcntl.ioctl(self._listener, _RECEIVE, held)
            except InterruptedError:
                continue
            except FileNotFoundError:  # it was killed before we looked
                continue
            ticket, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(held)
            self._count(ticket, pid, (number, tuple(arguments)))
            answer = bytearray(_ANSWER.pack(ticket, 0, 0, _CONTINUE))
            try:
                fcntl.ioctl(self._listener, _SEND, answer)
            except FileNotFoundError:  # killed, or a signal took it out of the call
                continue

    def _count(self, ticket: int, pid: int, call: Call) -> None:
        try:
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                self.found.update(
                    where for address in self._addresses(memory.fileno(), call) if (where := outside(address))
                )
        except OSError as problem:
            if self._waits(ticket) and problem.errno not in (errno.EIO, errno.EFAULT):  # a bad pointer fails by itself
                self.found[f"an address that cannot be read ({problem.strerror})"] += 1

    def _waits(self, ticket: int) -> bool:
        """Whether the call is still held: the process was not killed meanwhile."""
        try:
            fcntl.ioctl(self._listener, _STILL_WAITS, struct.pack("=Q", ticket))
        except FileNotFoundError:
            return False
        return True

    def _addresses(self, memory: int, call: Call) -> Iterator[bytes]:
        number, arguments = call

        def read(at: int, size: int) -> bytes:
            return os.pread(memory, size, at) if at and size else b""

        def of_message(at: int) -> bytes:
            name, length = _MESSAGE_HEADER.unpack(read(at, _MESSAGE_HEADER.size).ljust(_MESSAGE_HEADER.size, b"\0"))
            return read(name, min(length, _LONGEST_ADDRESS))

        if number == self._numbers["connect"]:
            yield read(arguments[1], min(arguments[2] & 0xFFFFFFFF, _LONGEST_ADDRESS))
        elif number == self._numbers["sendto"]:
            yield read(arguments[4], min(arguments[5] & 0xFFFFFFFF, _LONGEST_ADDRESS))
        elif number == self._numbers["sendmsg"]:
            yield of_message(arguments[1])
        else:
            for place in range(min(arguments[2] & 0xFFFFFFFF, _MOST_MESSAGES)):
                yield of_message(arguments[1] + place * _MESSAGES)


def _filter() -> bytes:
    """The program that the kernel asks about each call: held are those that may carry an address.

    Offsets are those of struct seccomp_data: the number at 0, the architecture at 4, the fifth argument at 48. A jump
    counts from the next line: so many lines if true, so many if not.
    """
    architecture, numbers = _MACHINES[platform.machine()]
    lines = [
        (_LOAD, 0, 0, 4),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
        (_EQUALS, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_EQUALS, 7, 0, numbers["connect"]),
        (_EQUALS, 6, 0, numbers["sendmsg"]),
        (_EQUALS, 5, 0, numbers["sendmmsg"]),
        (_EQUALS, 0, 5, numbers["sendto"]),
        (_LOAD, 0, 0, 48),  # sendto without an address is how connected sockets send, and most calls
        (_EQUALS, 0, 2, 0),
        (_LOAD, 0, 0, 52),
        (_EQUALS, 1, 0, 0),
        (_RETURN, 0, 0, _NOTIFY),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _install(program: bytes) -> int:
    """Puts the filter over this thread and all that it starts; gives the descriptor that held calls are read from."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:  # what needs no privileges must not gain any under a filter
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    lines = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(lines))
    number = _MACHINES[platform.machine()][1]["seccomp"]
    listener = libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.c_char_p(described))
    if listener < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"The kernel takes no filter of system calls: {os.strerror(code)}")
    return int(listener)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--same-network", action="store_true", help="count only; do not take the network away")
    parser.add_argument("--report", type=Path, help="write the attempts here too")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("no command")
    if not given.same_network:
        command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    trap = Trap()
    threading.Thread(target=trap.watch, daemon=True).start()
    running = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal tells the command too; what it found is still reported
    status = running.wait()
    summary = "\n".join(f"  {count} x {address}" for address, count in trap.found.most_common())
    report = f"Attempts to leave this machine: {trap.found.total()}\n{summary}".rstrip()
    print(report, file=sys.stderr)
    if given.report:
        given.report.write_text(report + "\n", "utf-8")
    return LEAKED if trap.found else status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
