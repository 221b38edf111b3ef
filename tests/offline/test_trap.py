"""The trap must catch what it is there for, or every run under it is void."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.offline.trap import LEAKED, attempts

TRAP = Path(__file__).with_name("trap.py")

LEAKS = {
    "tcp": "socket.create_connection(('192.0.2.1', 443), timeout=1)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "ipv6": "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(('2001:db8::1', 443))",
    "subprocess": "subprocess.run([sys.executable, '-c', 'import socket; socket.create_connection((\"192.0.2.1\", 80), 1)'])",
    "raw address family": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::2', 53))",
}


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = f"import socket, subprocess, sys\ntry:\n    {code}\nexcept OSError: print('blocked')"
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


def test_mapped_and_unspecified_addresses_are_told_apart() -> None:
    stays = [
        'connect(3, {sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::ffff:127.0.0.1", &sin6_addr)}, 28)',
        'connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("0.0.0.0")}, 16)',
        'connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 110)',
        "sendto(3, NULL, 0, MSG_NOSIGNAL, NULL, 0) = 0",
    ]
    leaves = (
        'connect(3, {sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::ffff:8.8.8.8", &sin6_addr)}, 28)'
    )
    assert not attempts(stays)
    assert attempts([leaves]) == {"::ffff:8.8.8.8 port 80": 1}
