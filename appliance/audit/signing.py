"""Has the checkpoints of a log signed: when it is opened, every hundred entries, every five minutes, when it is closed.

Rules this module keeps:

1. The signer is another process (`signer`): a child with its own folder, or one that runs under an account of its own.
2. Nothing waits for it, but for seconds whoever carries a checkpoint out. While it does not sign, entries are appended
   and answers given, and the `problem` says so to the doctor and, once, to the application's log. Whether it is there
   is looked at every fifteen seconds; that it refuses shows when it is asked to sign.
3. Its public key is written down when it is met first. A signer with another key is a problem, not a new start.
4. What was signed is kept, one note after the other, and verified with the log.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from appliance.audit import checkpoint, note, signatures, signer
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.log import QueryLog
from appliance.audit.note import VerifierKey
from appliance.errors import ApplianceError, AuditBroken

EVERY_S = 300.0
LOOK_EVERY_S = 15.0
STARTING_S = 10.0
_PASSED_ON = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"})

_log = logging.getLogger(__name__)


class Signing:
    """A thread that has the log signed, and the child that signs unless another signer is named."""

    def __init__(
        self,
        log: QueryLog,
        folder: Path,
        *,
        runs_elsewhere: bool = False,
        every_s: float = EVERY_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Start signing.

        Args:
            log: What is signed.
            folder: Where the signer keeps its key and listens.
            runs_elsewhere: Whether somebody else starts the signer in that folder.
            every_s: How long at most between two signatures, if there is something new.
            look_every_s: How long at most until it is noticed that nobody is there to sign, or is again.
        """
        self._log = log
        self._folder = folder
        self._every_s = every_s
        self._look_every_s = look_every_s
        self._runs_elsewhere = runs_elsewhere
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = threading.Event()
        self._tried = threading.Condition()
        self._signed = 0
        self._closed = False
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="signing", daemon=True)
        self._thread.start()
        log.on_checkpoint(self._wanted.set)

    def hurry(self) -> None:
        """Have the log signed as it is now, without waiting for it."""
        self._wanted.set()

    def wait_for_all(self, patience_s: float) -> None:
        """Have the log signed as it is now, and wait for it, but no longer than that."""
        size = self._log.size()
        self.hurry()
        with self._tried:
            self._tried.wait_for(lambda: self._signed >= size, patience_s)

    def close(self) -> None:
        """Have the last checkpoint signed, if the signer is there, and end it if it is ours."""
        self._closed = True
        self._wanted.set()
        self._thread.join()
        if self._child is not None:
            cast("Any", self._child.stdin).close()
            self._child.wait()
            signer.socket_path(self._folder).unlink(missing_ok=True)  # a folder without one is easier to copy

    def _run(self) -> None:
        while True:
            last_time = self._closed
            self._wanted.clear()
            self._try()
            if last_time:
                return
            self._wait()

    def _wait(self) -> None:
        """Until it is time to sign, or the signer is not there, or may be again."""
        due = time.monotonic() + self._every_s
        while not self._closed and not self._wanted.wait(max(0.0, min(self._look_every_s, due - time.monotonic()))):
            if self.problem or time.monotonic() >= due or not self._is_there():
                return

    def _is_there(self) -> bool:
        """Whether the signer that is known says who it is. It is asked for nothing."""
        try:
            with _connected(signer.socket_path(self._folder), lambda: False) as stream:
                self._met(stream)
        except (ApplianceError, OSError, ValueError, KeyError, TypeError):
            return False  # to be tried: that starts it again, or says what is wrong
        return True

    def _try(self) -> None:
        try:
            if not self._runs_elsewhere:
                self._keep_child()
            self._sign()
            problem = ""
        except (ApplianceError, OSError, ValueError, KeyError, TypeError) as error:
            problem = str(error) if isinstance(error, ApplianceError) else f"it cannot be reached in {self._folder}"
        if problem and problem != self.problem:
            _log.error("Checkpoints of the query log are not signed: %s", problem)
        self.problem = problem
        with self._tried:
            self._tried.notify_all()

    def _sign(self) -> None:
        with _connected(signer.socket_path(self._folder), self._is_coming) as stream:
            key, last = self._met(stream)
            known = checkpoint.parse(note.opened(last, key)) if last else None
            proof, current = self._proof(known.size if known else 0)
            asked = {"checkpoint": current.text(), "proof": [base64.b64encode(part).decode() for part in proof]}
            stream.write(json.dumps(asked).encode("ascii") + b"\n")
            stream.flush()
            told = json.loads(stream.readline(signer.MAX_LINE_BYTES))
        if "refused" in told:
            raise AuditBroken(str(told["refused"]))
        if note.opened(str(told["note"]), key) != current.text():
            raise AuditBroken("The signer signed something else than it was asked to. Find out what runs in its place.")
        signatures.keep(self._log.path, str(told["note"]))
        self._signed = current.size

    def _met(self, stream: Any) -> tuple[VerifierKey, str]:
        """The key of the signer, which is the one that is known, and what it signed last."""
        met = json.loads(stream.readline(signer.MAX_LINE_BYTES))
        return self._known_key(note.verifier_key(str(met["key"]))), str(met["last"])

    def _is_coming(self) -> bool:
        """Whether it makes sense to wait for somebody to listen."""
        return self._child is not None and self._child.poll() is None

    def _proof(self, known_size: int) -> tuple[tuple[bytes, ...], Checkpoint]:
        if known_size == 0:
            return (), self._log.checkpoint()
        return self._log.consistency_proof(known_size)

    def _known_key(self, met: VerifierKey) -> VerifierKey:
        path = signatures.key_path(self._log.path)
        if not path.exists():
            checkpoint.put(path, f"{met.text()}\n".encode())
        if note.verifier_key(path.read_text("utf-8")) != met:
            raise AuditBroken(f"The signer has another key than the one in {path}. Find out who changed which.")
        return met

    def _keep_child(self) -> None:
        if self._child is not None and self._child.poll() is None:
            return
        self._child = subprocess.Popen(
            [sys.executable, "-m", signer.__name__, str(self._folder.absolute()), signer.UNTIL_STDIN_CLOSES],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env={name: value for name, value in os.environ.items() if name in _PASSED_ON},
            start_new_session=True,  # an interrupt from the keyboard is for the parent, who says when to end
        )


@contextlib.contextmanager
def _connected(path: Path, is_coming: Callable[[], bool]) -> Iterator[Any]:
    """A conversation with whoever listens there, which may be about to."""
    deadline = time.monotonic() + STARTING_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2 * signer.PATIENCE_S)  # another caller may be before us
        while True:
            try:
                with signer.address_of(path) as address:
                    connection.connect(address)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if not is_coming() or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        with connection.makefile("rwb") as stream:
            yield stream
