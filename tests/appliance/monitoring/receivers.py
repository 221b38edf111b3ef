"""Small syslog receivers on real sockets, as strict about framing and form as the standards."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MESSAGE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S{1,255}) (?P<app>\S{1,48}) (?P<pid>\S{1,128}) (?P<id>\S{1,32}) "
    r"\[strongroom@32473(?P<data>(?: \w{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*)\] (?P<told>.*)"
)
_PARAM = re.compile(r' (\w+)="((?:[^"\\\]]|\\.)*)"')


def parsed(line: bytes) -> dict[str, str]:
    """The parts of a message of RFC 5424, its structured data among them."""
    found = _MESSAGE.fullmatch(line.decode("ascii"))
    assert found, line
    assert datetime.fromisoformat(found["time"]).utcoffset() == timedelta(0)
    data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAM.findall(found["data"])}
    return {**{name: value for name, value in found.groupdict().items() if name != "data"}, **data}


class Receiver:
    """Listens, and keeps every message. By TCP it can hang up and come back at the same port."""

    def __init__(self, kind: str, *, path: Path | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._kind, self._tls = kind, tls
        self.lines: list[bytes] = []
        self._open: list[socket.socket] = []
        self._address: object = str(path) if path else ("127.0.0.1", 0)
        self.listen()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert isinstance(self._address, tuple)
        return int(self._address[1])

    def listen(self) -> None:
        """Listen (again)."""
        stream = self._kind in ("tcp", "tls")
        family = socket.AF_UNIX if self._kind == "unix" else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._address)  # type: ignore[arg-type]
        if self._kind != "unix":
            self._address = self._listener.getsockname()
        if stream:
            self._listener.listen()
        threading.Thread(target=self._accept if stream else self._read_datagrams, daemon=True).start()

    def hang_up(self) -> None:
        """Close everything."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def messages(self, count: int, *, within_s: float = 20.0) -> list[dict[str, str]]:
        """At least so many messages, as soon as they are there; those that say that the feed is alive left out."""
        deadline = time.monotonic() + within_s
        while True:
            found = [message for message in map(parsed, list(self.lines)) if message["id"] != "alive"]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def _read_datagrams(self) -> None:
        while True:
            try:
                data = self._listener.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.lines.append(data)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._read_frames, args=(connection,), daemon=True).start()

    def _read_frames(self, connection: socket.socket) -> None:
        """Octet counting: the length, a space, as many bytes."""
        with connection.makefile("rb") as stream:
            while True:
                try:
                    length = b""
                    while (digit := stream.read(1)) not in (b" ", b""):
                        length += digit
                    if not length:
                        return
                    self.lines.append(stream.read(int(length)))
                except (OSError, ValueError):
                    return


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file with the certificate that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "receiver.pem", folder / "receiver.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
