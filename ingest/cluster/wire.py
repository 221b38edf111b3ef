"""The messages between the appliance, its bridge to the cluster, and the workers there.

Rules this module keeps:

1. Everything is JSON or plain bytes, and is checked on arrival: the appliance never unpickles what a node sent.
2. A message has a number, a kind, a head (a model of this module as JSON) and a body (text or vectors). The bridge
   hands heads and bodies on unread.
3. A body travels through Ray in pieces that are small enough to stay out of Ray's object store, which may be written
   to disk. The pieces exist in the memory of the two processes alone.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from appliance.config import EmbeddingSettings, IngestSettings
from appliance.errors import ApplianceError
from ingest.parse.confine import Confinement

PIECE_BYTES = 64 * 1024
"""Ray keeps what is smaller than 100 KB (`max_direct_call_object_size`) with the call itself."""

_HEADER = struct.Struct(">QBII")
_MOST_BYTES = 2**30


class Kind(IntEnum):
    """What a message is about."""

    SETUP = 1
    PARSE = 2
    EMBED = 3
    SURVEY = 4
    RELEASE_PARSERS = 5
    ANSWER = 6
    FAILURE = 7


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def packed(self) -> bytes:
        """As it is sent."""
        return self.model_dump_json().encode()


class Setup(_Head):
    """What the bridge has to know, and passes on to the workers."""

    address: str
    workers: int
    release: str
    parser_version: str
    ingest: IngestSettings
    embedding: EmbeddingSettings
    start_timeout_s: float = 60.0
    ping_s: float = 10.0


class Roster(_Head):
    """How many workers of each kind the cluster has room for, and the names of its nodes."""

    parsers: int
    embedders: int
    nodes: tuple[str, ...]


class ParseJob(_Head):
    """A document of a source: `path` lies below `root`, on every node."""

    root: str
    path: str
    password: str


class Reading(_Head):
    """Where a document was read, and what the file was like there. The body is the result."""

    node: str
    sha256: str
    size_bytes: int
    modified_ns: int


class EmbedJob(_Head):
    """Which model the texts in the body are for."""

    model_id: str


class Rows(_Head):
    """How many vectors the body holds, one after the other, as little-endian 32-bit floats."""

    rows: int
    columns: int


class Failure(_Head):
    """Why there is no answer: the code of an error of ours, and its sentence."""

    code: str
    message: str

    @classmethod
    def of(cls, error: ApplianceError) -> Self:
        """As it crosses to another process."""
        return cls(code=error.code, message=str(error))


class Facts(_Head):
    """What a worker is, in its own words."""

    release: str
    parser_version: str
    authenticated: bool
    confinement: Confinement | None = None


class Survey(_Head):
    """The protections that hold for every parser of the cluster."""

    confinement: Confinement


LOST = "lost"
"""Code of a failure: every worker that was given the job went away."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; an answer bears the number of its question."""

    number: int
    kind: Kind
    head: bytes = b""
    body: bytes = b""


def send(connection: socket.socket, message: Message) -> None:
    """Write a message. Raises OSError when the other side is gone."""
    header = _HEADER.pack(message.number, message.kind, len(message.head), len(message.body))
    connection.sendall(header + message.head)
    connection.sendall(message.body)


def receive(connection: socket.socket) -> Message | None:
    """The next message; None when the other side has closed. Raises ValueError for nonsense."""
    header = _read(connection, _HEADER.size)
    if header is None:
        return None
    number, kind, head_bytes, body_bytes = _HEADER.unpack(header)
    if head_bytes + body_bytes > _MOST_BYTES:
        raise ValueError("a message that is too long")
    head, body = _read(connection, head_bytes), _read(connection, body_bytes)
    if head is None or body is None:
        return None
    return Message(number, Kind(kind), head, body)


def in_pieces(body: bytes) -> list[bytes]:
    """The body, cut up for Ray."""
    return [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)]


def joined(pieces: Iterable[bytes]) -> bytes:
    """The body again."""
    return b"".join(pieces)


def _read(connection: socket.socket, length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(length - len(data), 2**20))
        if not piece:
            return None
        data += piece
    return bytes(data)
