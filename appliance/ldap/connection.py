"""One connection to an LDAP server: TLS, bind, search, and nothing else of the protocol (RFC 4511).

Rules this module keeps:

1. Nothing is said before the server has proven itself: `ldaps`, or `ldap` with StartTLS before any bind, and always
   with the certificate and the name in it checked. Plain text is for a test server on the loopback alone.
2. A bind has a name and a password. Without a password a server takes it for anonymous, and says yes (section 5.1.2 of
   RFC 4513).
3. Every wait has an end, also for a server that accepts and then says nothing, or says it byte by byte.
4. No referral is followed: it would carry a password to a place that nobody set.
5. The only errors that leave are `DirectoryUnavailable` and `WrongPassword`, and neither holds a value of an entry.
6. No file or variable of the machine's other LDAP programs is read.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from appliance.errors import DirectoryUnavailable
from appliance.ldap import ber, messages
from appliance.ldap.filters import Filter
from appliance.ldap.messages import Entry

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_CERTIFICATES = {
    9: "its certificate is not valid yet: check the clocks of both machines",
    10: "its certificate has expired: renew it there, and check the clock of this machine",
    18: "its certificate is signed by itself: name it, or the authority that should have signed it, in ldap.ca_file",
    19: "its certificate is not from an authority that is trusted here: name that authority in ldap.ca_file",
    20: "its certificate is not from an authority that is trusted here: name that authority in ldap.ca_file",
    62: "its certificate is for another name: use that name in ldap.urls",
    64: "its certificate is for another name or address: use that one in ldap.urls",
}


class WrongPassword(Exception):
    """The server does not let this name in with this password."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a directory listens, and how long it may take for each answer."""

    url: str
    ca_file: str
    timeout_s: float
    plain: bool = False  # without TLS, on the loopback


def connect(server: Server) -> Connection:
    """A connection on which a password may be said. Raises DirectoryUnavailable."""
    address = urlsplit(server.url)
    host = address.hostname or ""
    tls = address.scheme == "ldaps"
    port = address.port or (636 if tls else 389)
    if server.plain and not _is_loopback(host):
        raise _unavailable(server, "without TLS it may only be on the loopback (ldap.plain_on_loopback)")
    with _explaining(server):
        plain = socket.create_connection((host, port), timeout=server.timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small questions, each of which is waited for
        connection = Connection(server, plain)
        try:
            if tls:
                connection.encrypt(host)
            elif not server.plain:
                connection.start_tls(host)
        except BaseException:
            plain.close()
            raise
        return connection


class Connection:
    """A connection that is open. One thread at a time; after an error it is closed."""

    def __init__(self, server: Server, stream: socket.socket) -> None:
        self._server = server
        self._stream = stream
        self._buffer = b""
        self._latest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say good-bye, if anybody listens, and close."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.settimeout(1)
            self._stream.sendall(self._message(ber.element(messages.UNBIND)))
        self._stream.close()

    def encrypt(self, host: str) -> None:
        """Speak TLS from here on, with a server that proves to be `host`."""
        try:
            context = ssl.create_default_context(cafile=self._server.ca_file or None)
        except OSError as error:
            told = f"its authority cannot be read from ldap.ca_file ({self._server.ca_file}): give a PEM file"
            raise _unavailable(self._server, told) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._stream = context.wrap_socket(self._stream, server_hostname=host)

    def start_tls(self, host: str) -> None:
        """Ask for TLS on a connection that began without."""
        with self._answering():
            self._ask(messages.start_tls())
            _, answer, _ = self._answer(self._limit(), messages.EXTENDED_DONE)
            code = messages.result(answer)
            if code != messages.OK:
                raise _unavailable(self._server, f"it does not offer TLS (result {code}): use ldaps")
            if self._buffer:  # somebody on the way spoke in its name, before it could prove itself
                raise _unavailable(self._server, "something answered in clear text after TLS was agreed")
            self.encrypt(host)

    def bind(self, dn: str, password: str) -> None:
        """Prove to be `dn`. Raises WrongPassword, DirectoryUnavailable."""
        if not dn or not password:
            raise WrongPassword
        with self._answering():
            self._ask(messages.bind(dn, password))
            _, answer, _ = self._answer(self._limit(), messages.BOUND)
            code = messages.result(answer)
        if code in messages.NOT_LET_IN:
            raise WrongPassword
        if code != messages.OK:
            raise self._refused(code)

    def search(
        self, base: str, wanted: Filter, attributes: tuple[str, ...], *, at_most: int, page: int = 500
    ) -> list[Entry]:
        """What is found below `base`, in pages where it may be many; the first `at_most` if it is more.

        A caller that wants exactly one asks for two. Raises DirectoryUnavailable, also when the server gives a part.
        """
        found: list[Entry] = []
        cookie = b""
        paged = at_most > page
        with self._answering():
            while True:
                request = messages.search(base, wanted, attributes, 0 if paged else at_most)
                self._ask(request, *((messages.paging(page, cookie),) if paged else ()))
                entries, cookie, cut = self._page()
                found += entries
                if cut and len(found) < at_most:
                    raise self._refused(messages.SIZE_LIMIT)
                if not cookie or len(found) >= at_most:
                    return found[:at_most]

    def _page(self) -> tuple[list[Entry], bytes, bool]:
        """Entries up to the end of a page, the cookie that gives the next one, and whether a limit cut it short."""
        found: list[Entry] = []
        limit = self._limit()
        while True:
            tag, answer, controls = self._answer(limit, messages.ENTRY, messages.REFERENCE, messages.DONE)
            if tag == messages.ENTRY:
                found.append(messages.entry(answer))
            elif tag == messages.DONE:
                code = messages.result(answer)
                if code not in (messages.OK, messages.SIZE_LIMIT):
                    raise self._refused(code)
                return found, messages.cookie(controls), code == messages.SIZE_LIMIT

    def _refused(self, code: int) -> DirectoryUnavailable:
        if code == messages.REFERRAL:
            return _unavailable(self._server, "it refers to another server. Name that one in ldap.urls")
        if code == messages.NO_SUCH_OBJECT:
            return _unavailable(self._server, "it has nothing at ldap.people_base or ldap.groups_base (32): correct it")
        if code == messages.SIZE_LIMIT:
            return _unavailable(self._server, "it gives less than was asked for (4): raise its limit on size")
        return _unavailable(self._server, messages.RESULTS.get(code, f"it refuses the request (result {code})"))

    def _ask(self, request: bytes, *controls: bytes) -> None:
        self._stream.settimeout(self._server.timeout_s)
        self._stream.sendall(self._message(request, *controls))

    def _message(self, request: bytes, *controls: bytes) -> bytes:
        self._latest += 1
        after = (ber.element(messages.CONTROLS, *controls),) if controls else ()
        return ber.element(ber.SEQUENCE, ber.integer(self._latest), request, *after)

    def _answer(self, limit: float, *tags: int) -> tuple[int, bytes, bytes]:
        """Tag, content and controls of the next answer to the latest request."""
        message = ber.elements(ber.take(ber.elements(self._receive(limit)), ber.SEQUENCE))
        number = ber.number(ber.take(message, ber.INTEGER))
        tag, content = next(message, (0, b""))
        if number == 0:  # section 4.4.1
            raise _unavailable(self._server, "it ended the connection")
        if number != self._latest or tag not in tags:
            raise ber.Malformed("an answer to something that was not asked")
        controls = next(message, (0, b""))
        return tag, content, controls[1] if controls[0] == messages.CONTROLS else b""

    def _receive(self, limit: float) -> bytes:
        """One whole message."""
        header, size = self._header(limit)
        if size > MAX_MESSAGE_BYTES:
            raise _unavailable(self._server, f"an answer has {size:,} bytes, the limit is {MAX_MESSAGE_BYTES:,}")
        self._fill(header + size, limit)
        message, self._buffer = self._buffer[: header + size], self._buffer[header + size :]
        return message

    def _header(self, limit: float) -> tuple[int, int]:
        self._fill(2, limit)
        if self._buffer[0] != ber.SEQUENCE:
            raise ber.Malformed("it does not begin as a message does")
        if self._buffer[1] > 0x80:
            self._fill(2 + min(self._buffer[1] & 0x7F, 4), limit)
        return ber.header_of(self._buffer)

    def _fill(self, size: int, limit: float) -> None:
        while len(self._buffer) < size:
            remaining = limit - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._stream.settimeout(remaining)
            data = self._stream.recv(65536)
            if not data:
                raise _unavailable(self._server, "it closed the connection")
            self._buffer += data

    def _limit(self) -> float:
        return time.monotonic() + self._server.timeout_s

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Closes the connection when something goes wrong: what comes next could not be told apart."""
        try:
            with _explaining(self._server):
                yield
        except DirectoryUnavailable:
            self._stream.close()
            raise


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def _explaining(server: Server) -> Iterator[None]:
    """Turns what the system, TLS and the protocol raise into words an administrator can act on."""
    try:
        yield
    except TimeoutError as error:
        raise _unavailable(server, f"it said nothing for {server.timeout_s:g} seconds") from error
    except ssl.SSLCertVerificationError as error:
        told = _CERTIFICATES.get(error.verify_code, f"its certificate is not good: {error.verify_message}")
        raise _unavailable(server, told) from error
    except ssl.SSLError as error:
        told = f"TLS could not be agreed ({error.reason or type(error).__name__}): check that this port speaks TLS"
        raise _unavailable(server, told) from error
    except socket.gaierror as error:
        raise _unavailable(server, "there is no machine of that name: check ldap.urls and the name service") from error
    except OSError as error:
        raise _unavailable(server, f"it cannot be reached ({error.strerror or type(error).__name__})") from error
    except ber.Malformed as error:
        raise _unavailable(server, f"what answers does not speak LDAP: {error}") from error


def _unavailable(server: Server, why: str) -> DirectoryUnavailable:
    return DirectoryUnavailable(f"The directory at {server.url} cannot be used: {why}.")
