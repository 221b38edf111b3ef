"""Syslog (RFC 5424) by UDP, by TCP and TLS with octet counting (RFC 6587, 5425), or to a socket of this machine.

Rules this module keeps:

1. A name is looked up for each connection, and only an address of a private network or of this machine is called.
2. By TCP and TLS a batch counts as delivered when the other machine's kernel has acknowledged its last byte; until then
   it is sent again, on a new connection. By UDP nobody says what arrived.
3. A line is ASCII, and as long as the standard asks every receiver to take (2048 bytes) at most.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from appliance.audit.entries import SignInFailed
from appliance.audit.outline import Outline
from appliance.audit.records import to_text
from appliance.config.monitoring import MonitoringSettings, is_local
from appliance.errors import ConfigurationError
from appliance.monitoring.alarms import Alarm

_FACILITY = 13  # log audit
_ALERT, _WARNING, _NOTICE, _INFO = 1, 4, 5, 6
_SD_ID = "strongroom@32473"
"""The name of our structured data. 32473 is the number that is set aside for whoever has none (RFC 5612)."""

_MAX_BYTES = 2048
TIMEOUT_S = 10.0
"""How long to wait for a receiver: to be reached, and to acknowledge."""

_ESCAPED = re.compile(r'(["\\\]])')
_NO_NAME = re.compile("[^\x21-\x7e]")
_UNPRINTABLE = re.compile("[^\x20-\x7e]")


class Syslog:
    """Sends lines to one receiver."""

    name = "syslog"

    def __init__(self, settings: MonitoringSettings) -> None:
        """Call nobody yet.

        Raises:
            ConfigurationError: There are no certificates in the file that says whom to believe.
        """
        self._settings = settings
        self._kind, _, self._path = settings.syslog.partition("://")
        self._trust = _trusting(settings.syslog_ca_file) if self._kind == "tls" else None
        self._connection: socket.socket | None = None
        self._host = _NO_NAME.sub("", socket.gethostname())[:255] or "-"

    def entry(self, outline: Outline) -> bytes:
        """The line about an entry."""
        severity = _NOTICE if outline.flags or outline.code else _INFO
        if outline.type == SignInFailed.type:
            severity = _WARNING
        data = {
            "seq": str(outline.seq),
            "actor": outline.actor,
            "query": outline.query_id,
            "kind": outline.kind,
            "code": outline.code,
            "act": outline.act,
            "flags": ",".join(outline.flags),
            "leaf": outline.leaf,
        }
        return self._line(severity, outline.time, outline.type, data, f"entry {outline.seq} of the query log")

    def alarm(self, alarm: Alarm) -> bytes:
        """The line about an alarm."""
        data = {"alarm": alarm.name.value, "state": "over" if alarm.is_over else "raised"}
        return self._line(_NOTICE if alarm.is_over else _ALERT, alarm.since, "alarm", data, alarm.told)

    def beat(self, size: int, root: str) -> bytes:
        """The line that says that the feed is alive."""
        return self._line(_INFO, datetime.now(UTC), "alive", {"size": str(size), "root": root}, "the log is followed")

    def examine(self) -> None:
        """Call the receiver anew if it has hung up. Raises OSError if it is not there; by UDP nobody says."""
        if self._connection is not None and self._kind in ("tcp", "tls"):
            try:
                _require_open(self._connection)
            except OSError:
                self.close()
                self._connection = None
        self._connection = self._connection or self._connected()

    def send(self, lines: Sequence[bytes]) -> None:
        """Deliver lines. Raises OSError when they may not have arrived."""
        connection = self._connection or self._connected()
        self._connection = None
        with contextlib.ExitStack() as undone:
            undone.callback(connection.close)
            if self._kind in ("udp", "unix"):
                for line in lines:
                    connection.send(line)
            else:
                _require_open(connection)
                connection.sendall(b"".join(b"%d %s" % (len(line), line) for line in lines))
                _wait_until_taken(connection)
            undone.pop_all()
        self._connection = connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _line(self, severity: int, at: datetime | None, message_id: str, data: dict[str, str], told: str) -> bytes:
        said = "".join(f' {name}="{_escaped(value)}"' for name, value in data.items() if value)
        when = to_text(at) if at else "-"
        head = f"<{_FACILITY * 8 + severity}>1 {when} {self._host} strongroom {os.getpid()} {message_id[:32] or '-'}"
        return _UNPRINTABLE.sub("?", f"{head} [{_SD_ID}{said}] {told}").encode("ascii")[:_MAX_BYTES]

    def _connected(self) -> socket.socket:
        if self._kind == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            connection.settimeout(TIMEOUT_S)
            connection.connect(self._path)
            return connection
        host, port = self._settings.syslog_address
        kind = socket.SOCK_DGRAM if self._kind == "udp" else socket.SOCK_STREAM
        family, _, _, _, address = _local(host, port, kind)
        connection = socket.socket(family, kind)
        try:
            connection.settimeout(TIMEOUT_S)
            connection.connect(address)
            return self._trust.wrap_socket(connection, server_hostname=host) if self._trust else connection
        except BaseException:
            connection.close()
            raise


def _escaped(value: str) -> str:
    return _ESCAPED.sub(r"\\\1", value)


_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]


def _local(host: str, port: int, kind: socket.SocketKind) -> _Found:
    """Where a name leads to. Raises ConfigurationError when that is outside of the house."""
    for found in socket.getaddrinfo(host, port, type=kind):
        if is_local(str(found[4][0])):
            return found  # type: ignore[return-value]  # an address of another family has other parts
    raise ConfigurationError(f"'{host}' in monitoring.syslog is not in a private network, so nothing is sent to it.")


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigurationError(
            f"There are no certificates in {ca_file}. Name a PEM file in monitoring.syslog_ca_file."
        ) from error


def _require_open(connection: socket.socket) -> None:
    """Raises ConnectionError if the other side has hung up: what is sent to it would vanish without a word."""
    connection.setblocking(False)
    try:
        if not connection.recv(4096):
            raise ConnectionResetError("the receiver has hung up")
    except (BlockingIOError, ssl.SSLWantReadError):
        pass  # nothing to read: that is how it should be
    finally:
        connection.settimeout(TIMEOUT_S)


def _wait_until_taken(connection: socket.socket) -> None:
    """Return when the other side's kernel has acknowledged all. Raises OSError if it does not in time."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        (unacknowledged,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
        if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        if not unacknowledged:
            return
        if time.monotonic() > deadline:
            raise TimeoutError("the receiver does not acknowledge what it is sent")
        time.sleep(0.002)
