"""The signer of checkpoints: a process of its own that vouches for a log only as long as it only grows.

    python -m appliance.audit.signer FOLDER [--until-stdin-closes]

Rules this module keeps:

1. Its key and what it signed last lie in its own folder, which the log and its database know nothing of. Give it an
   account of its own (docs/operations/query-log.md), and who owns the log cannot sign for another one.
2. It signs a checkpoint only with the proof that the last one it signed is the beginning of it. So it never signs two
   logs, nor a log that was cut.
3. What it signed is on disk before anybody gets the signature. If it is killed in between, the same is signed again.
4. It takes one line and gives one line. It reads no entries, and what it is asked is in no message.

Whoever connects to its socket gets a line of JSON with its public key and the note it signed last; they send
{"checkpoint": ..., "proof": [...]} and get {"note": ...}, or {"refused": ...} with the reason.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import checkpoint, note, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.note import VerifierKey
from appliance.errors import AuditBroken

UNTIL_STDIN_CLOSES = "--until-stdin-closes"
"""For a signer that is a child: however its parent ends, it ends too."""

MAX_LINE_BYTES = 65_536
PATIENCE_S = 2.0
"""How long one caller may keep the others waiting."""


class Signer:
    """The key, and what was signed with it last."""

    def __init__(self, folder: Path, name: str = ORIGIN) -> None:
        """Use the key in a folder; one is made if there is none.

        Raises:
            AuditBroken: What was signed last is not readable, or was not signed with this key.
            OSError: The folder cannot be read or written.
        """
        self._state = folder / "last-signed.txt"
        self._name = name
        self._private = _private_key(folder / "ed25519.key", self._state)
        self.key = VerifierKey(name, self._private.public_key().public_bytes_raw())
        self.last = self._state.read_text("utf-8") if self._state.exists() else ""
        self._known = checkpoint.parse(note.opened(self.last, self.key)) if self.last else None

    def sign(self, text: str, proof: list[bytes]) -> str:
        """The signed note of a checkpoint.

        Raises:
            AuditBroken: It is no checkpoint of this log, or not shown to contain the one that was signed last.
            OSError: It cannot be written down, so it is not signed.
        """
        wanted = checkpoint.parse(text)
        if wanted.origin != self._name:
            raise AuditBroken(f"This signer signs for '{self._name}' and for no other log.")
        if self._known is not None and not _contains(wanted, self._known, proof):
            raise AuditBroken(
                f"The log is not shown to contain the checkpoint of {self._known.size} entries that was signed last: "
                "it was cut, exchanged or altered. Keep it as it is, run the verification, and restore the latest "
                "backup."
            )
        signed = note.sign(text, self._name, self._private)
        checkpoint.put(self._state, signed.encode("utf-8"))
        self.last, self._known = signed, wanted
        return signed

    def answer(self, line: bytes) -> dict[str, Any]:
        """What to say to one request."""
        try:
            asked = json.loads(line)
            proof = [base64.b64decode(part, validate=True) for part in asked["proof"]]
            return {"note": self.sign(str(asked["checkpoint"]), proof)}
        except AuditBroken as error:
            return {"refused": str(error)}
        except OSError as error:
            return {"refused": f"The signer cannot write down what it signs: {error.strerror}. Make room for it."}
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"refused": "This is not a request for a signature."}


def socket_path(folder: Path) -> Path:
    """Where the signer that keeps its key in `folder` listens."""
    return folder / "socket"


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A name for a socket that is short enough, however long its path is."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def serve(folder: Path) -> None:
    """Sign for whoever may open the socket, one after the other, until the process is ended."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time; the next one waits until the one before has ended
        signer = Signer(folder)
        path = socket_path(folder)
        path.unlink(missing_ok=True)
        with address_of(path) as address:
            listening.bind(address)
        path.chmod(0o660)  # who gets as far as here is decided by the folder
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                _talk(signer, connection)


def _talk(signer: Signer, connection: socket.socket) -> None:
    connection.settimeout(PATIENCE_S)
    with connection.makefile("rwb") as stream:
        stream.write(_line({"key": signer.key.text(), "last": signer.last}))
        stream.flush()
        asked = stream.readline(MAX_LINE_BYTES)
        if asked:
            stream.write(_line(signer.answer(asked)))


def _contains(wanted: Checkpoint, known: Checkpoint, proof: list[bytes]) -> bool:
    return tree.verify_consistency(known.size, wanted.size, proof, known.root, wanted.root)


def _private_key(path: Path, state: Path) -> Ed25519PrivateKey:
    if not path.exists():
        if state.exists():
            raise AuditBroken(f"The key {path} of the signer is gone. Restore it, or begin with an empty folder.")
        checkpoint.put(path, os.urandom(32))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # what was signed is on disk, and nothing else is to be kept


if __name__ == "__main__":
    if UNTIL_STDIN_CLOSES in sys.argv[2:]:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        serve(Path(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(0)
    except (AuditBroken, OSError) as problem:
        sys.exit(str(problem))
