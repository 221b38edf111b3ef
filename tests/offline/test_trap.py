"""The trap must catch what it is there for, or every run under it is void."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.offline.trap import LEAKED, outside

TRAP = Path(__file__).with_name("trap.py")

LEAKS = {
    "tcp": "socket.create_connection(('192.0.2.1', 443), timeout=1)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "ipv6": "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(('2001:db8::1', 443))",
    "subprocess": "subprocess.run([sys.executable, '-c', 'import socket; socket.create_connection((\"192.0.2.1\", 80), 1)'])",
    "sendmsg": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], (), 0, ('192.0.2.1', 9))",
    "sendmmsg": "\n    ".join(
        [
            "address = struct.pack('=H', socket.AF_INET) + struct.pack('>H', 9) + bytes([192, 0, 2, 1]) + bytes(8)",
            "local = struct.pack('=H', socket.AF_INET) + struct.pack('>H', 9) + bytes([127, 0, 0, 1]) + bytes(8)",
            "names = [ctypes.create_string_buffer(name, 16) for name in (local, address)]",
            "headers = b''.join(struct.pack('@PIPNPNi4xI4x', ctypes.addressof(n), 16, 0, 0, 0, 0, 0, 0) for n in names)",
            "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            "ctypes.CDLL(None).sendmmsg(udp.fileno(), ctypes.c_char_p(headers), 2, 0)",
        ]
    ),
    "thread": "made = threading.Thread(target=socket.create_connection, args=(('192.0.2.1', 443), 1)); made.start(); made.join()",
    "grandchild": "os.fork() or socket.create_connection(('192.0.2.1', 443), 1); os.wait()",
    "raw address family": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::2', 53))",
}


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = f"import ctypes, os, socket, struct, subprocess, sys, threading\ntry:\n    {code}\nexcept OSError: print('blocked')"
    return subprocess.run(
        [sys.executable, TRAP, *options, "--", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.integration
@pytest.mark.parametrize("kind", LEAKS)
def test_a_planted_leak_is_caught_although_it_is_blocked(kind: str) -> None:
    result = run(LEAKS[kind])
    assert result.returncode == LEAKED, result.stderr
    assert "192.0.2.1" in result.stderr or "2001:db8::" in result.stderr


@pytest.mark.integration
def test_looking_up_a_name_is_caught() -> None:
    # A resolver of its own, so that the test does not depend on what the machine's resolv.conf says.
    query = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.53', 53))"
    result = run(query)
    assert result.returncode == LEAKED
    assert "192.0.2.53 port 53" in result.stderr


@pytest.mark.integration
def test_talking_to_oneself_is_no_attempt() -> None:
    code = (
        "server = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(server.getsockname(), 2); print('talked')"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert "talked" in result.stdout
    assert "Attempts to leave this machine: 0" in result.stderr


@pytest.mark.integration
def test_the_status_of_the_command_comes_through() -> None:
    assert run("sys.exit(3)").returncode == 3


@pytest.mark.integration
def test_a_command_that_a_signal_ends_has_the_status_that_a_shell_gives_it() -> None:
    assert run("os.kill(os.getpid(), 9)").returncode == 128 + 9


@pytest.mark.integration
def test_sigterm_reaches_the_command(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    code = "import signal, time; signal.signal(15, lambda *_: exit(7)); print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, TRAP, "--report", report, "--", sys.executable, "-c", code], stdout=subprocess.PIPE
    ) as trap:
        assert trap.stdout is not None
        assert trap.stdout.readline() == b"up\n"
        time.sleep(0.1)  # the trap itself listens to signals once its command runs
        trap.send_signal(signal.SIGTERM)
        assert trap.wait(30) == 7
    assert report.read_text("utf-8") == "Attempts to leave this machine: 0\n"


@pytest.mark.integration
def test_a_trap_under_a_trap_says_that_it_cannot_watch() -> None:
    inner = [sys.executable, str(TRAP), "--same-network", "--", "true"]
    assert "takes no filter" in run(f"sys.exit(subprocess.run({inner!r}).returncode)").stderr


@pytest.mark.integration
def test_what_connects_without_a_call_that_is_watched_is_refused() -> None:
    code = "print(ctypes.CDLL(None, use_errno=True).syscall(425, 1, bytes(120)), os.strerror(ctypes.get_errno()))"
    assert "-1 Function not implemented" in run(code).stdout


@pytest.mark.integration
def test_a_bad_pointer_or_an_address_of_another_kind_is_no_attempt() -> None:
    for call in ("connect(3, 1, 16)", "connect(3, None, 0)", "sendmsg(1, None, 0)", "connect(3, b'\\x05\\x00xx', 4)"):
        result = run(f"ctypes.CDLL(None).{call}")
        assert result.returncode == 0, result.stderr


def internet(address: str) -> bytes:
    """A struct sockaddr_in or sockaddr_in6, port 80."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed, head = socket.inet_pton(family, address), struct.pack("=H", family) + struct.pack(">H", 80)
    return head + (bytes(4) + packed + bytes(4) if ":" in address else packed + bytes(8))


def test_mapped_and_unspecified_addresses_are_told_apart() -> None:
    for here in ("127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"):
        assert outside(internet(here)) is None
    for there in ("192.0.2.1", "169.254.1.1", "10.0.0.1", "fe80::1", "::ffff:192.0.2.1"):
        assert str(outside(internet(there))).endswith(" port 80")
    assert outside(struct.pack("=H", socket.AF_UNIX) + b"/run/x") is None
    assert outside(b"") is None
    assert outside(internet("192.0.2.1")[:6]) is None  # the kernel refuses what is too short
