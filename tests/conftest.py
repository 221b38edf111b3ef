"""What holds for every test: offline switches before anything is imported, a guard that refuses the network, passwords
that cost next to nothing to check, and parsers that leave the cores to nobody.

The guard works inside Python and gives the test that reached out by name. `tests/offline/trap.py` watches from outside,
system call by system call, whatever language made the call.
"""

from __future__ import annotations

import gc
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

import argon2
import pytest

from appliance.auth import passwords
from appliance.config import go_offline

go_offline()

gc.set_threshold(20_000)
"""Thousands of tests, and all that they import, stay to the end: to look through them took a tenth of the time."""

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1", "", None, b"localhost", b"127.0.0.1"}


class NetworkAttempt(AssertionError):
    """A test tried to leave the machine."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(address: Any) -> None:
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise NetworkAttempt(f"a test tried to connect to {address[0]}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in _LOOPBACK_NAMES and not _is_loopback(host):
            raise NetworkAttempt(f"a test tried to look up {host}")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield


@pytest.fixture(scope="session", autouse=True)
def cost_of_a_hash() -> Iterator[argon2.Parameters]:
    """What a password's hash costs in the product; meanwhile it costs the least there is.

    Processes of their own pay it, but for `tests.brisk`.
    """
    real = passwords.COST
    with mock.patch.object(passwords, "COST", argon2.profiles.CHEAPEST):
        yield real


@pytest.fixture(scope="session", autouse=True)
def nothing_steps_back() -> Iterator[int]:
    """How far a parser steps back in the product; no parser and no embedder that the process of the tests starts does.

    A test waits for every document, and with a tenth of a core beside other tests it would wait ten times as long.
    Appliances in processes of their own step back, but for `tests.brisk`.
    """
    from appliance.inference.openvino import embedder  # after the offline switches
    from ingest.parse import parser_process

    real = parser_process._NICENESS
    with mock.patch.object(parser_process, "_NICENESS", 0), mock.patch.object(embedder, "_NICENESS", 0):
        yield real


def _is_loopback(host: Any) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False
