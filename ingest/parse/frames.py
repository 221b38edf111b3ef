"""How the pool and a worker talk: frames of one kind byte, a length, and that many bytes.

    pool -> job       J job (JSON)   D piece of the document   E end of the document
    job -> pool       P progress (JSON)   R result (JSON)   B picture (PNG)   X refusal (JSON)
    worker -> pool    H hello (JSON), once; then one byte per job: its exit status
    pool -> worker    one byte per job, with its pipes: J, or O when it will take the office parsers

Each job has two pipes of its own, so that one whose parser was taken over can neither read the next document nor
answer in its place. The document travels through the pipe rather than as a path or descriptor: the worker needs no
right to open anything, and the pool hashes exactly the bytes it hands over, so a file that changes meanwhile cannot be
parsed under another content's name.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">cQ")

JOB, DATA, END = b"J", b"D", b"E"
OFFICE_JOB = b"O"
HELLO, PROGRESS, RESULT, PICTURE, REFUSAL = b"H", b"P", b"R", b"B", b"X"

PIECE_BYTES = 1024**2
MAX_RESULT_BYTES = 128 * 1024**2
MAX_PICTURE_BYTES = 128 * 1024**2
MAX_NOTE_BYTES = 64 * 1024

LIMITS = {
    JOB: MAX_NOTE_BYTES,
    DATA: PIECE_BYTES,
    END: 0,
    HELLO: MAX_NOTE_BYTES,
    PROGRESS: MAX_NOTE_BYTES,
    RESULT: MAX_RESULT_BYTES,
    PICTURE: MAX_PICTURE_BYTES,
    REFUSAL: MAX_NOTE_BYTES,
}
"""The longest each kind of frame may be."""


class BadFrame(ValueError):
    """The other side sent something that is no frame of this protocol."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: bytes
    body: bytes


def header_of(untrusted_header: bytes) -> tuple[bytes, int]:
    """Kind and length of the frame that follows.

    Raises:
        BadFrame: An unknown kind, or longer than that kind may be.
    """
    kind, length = HEADER.unpack(untrusted_header)
    if kind not in LIMITS:
        raise BadFrame("unknown kind")
    if length > LIMITS[kind]:
        raise BadFrame("too long")
    return kind, length


def packed(kind: bytes, body: bytes = b"") -> bytes:
    """A frame as it goes through the pipe."""
    return HEADER.pack(kind, len(body)) + body
