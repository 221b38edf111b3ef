"""A server that answers with exactly the bytes it is given, then closes, stalls, cuts the connection, or never stops."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

STALL = b"\0stall"
"""In the bytes to send: say nothing until the peer goes away."""

RESET = b"\0reset"
"""In the bytes to send: cut the connection with a TCP reset."""


class MisbehavingServer:
    """`answers` maps a path to the raw HTTP answer. `requests` keeps what came in."""

    def __init__(self, answers: Mapping[str, Iterable[bytes]]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.peer_left = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            request = _read_request(connection)
            self.requests.append(request)
            path = request.split(b" ", 2)[1].decode()
            for part in self._answers[path]:
                if part == STALL:
                    connection.settimeout(60)
                    try:
                        while connection.recv(4096):
                            pass
                    except OSError:
                        pass
                    self.peer_left.set()
                elif part == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif not _is_sent(connection, part):
                    self.peer_left.set()
                    return


@contextmanager
def misbehaving_server(answers: Mapping[str, Iterable[bytes]]) -> Iterator[MisbehavingServer]:
    server = MisbehavingServer(answers)
    try:
        yield server
    finally:
        server.close()


def endless(part: bytes, *first: bytes, pause_s: float = 0.01) -> Iterator[bytes]:
    """What comes first, and then the same for ever."""
    yield from first
    while True:
        yield part
        time.sleep(pause_s)


def answer(body: bytes, *, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """A whole HTTP answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def chunked_head(content_type: str) -> bytes:
    """The head of an HTTP answer of which the end is not known yet."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head.encode()


def chunk(data: bytes) -> bytes:
    """A piece of a chunked answer; an empty one is the end."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def unused_url() -> str:
    """An address on loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _is_sent(connection: socket.socket, part: bytes) -> bool:
    try:
        connection.sendall(part)
    except OSError:
        return False
    return True


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
