"""The appliance's end of the connection to its cluster: a child process that speaks Ray, and what is asked of it.

Rules this module keeps:

1. Nothing is started before something is asked: an appliance answers questions while its cluster is down.
2. The child may end at any time, with the cluster or by itself. What was asked is asked again of a new child, a bounded
   number of times; when there is no cluster to be reached, a sentence says so.
3. What comes back is checked by whoever asked. Of a failure, the code must be one of ours and the sentence is cleaned.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from pydantic import ValidationError

import appliance
import ingest
from appliance import __version__
from appliance.config import OFFLINE_SWITCHES, ClusterSettings, EmbeddingSettings, IngestSettings
from appliance.errors import (
    OF_A_PARSER,
    ConfigurationError,
    FileUnavailable,
    InvalidRequest,
    ModelUnavailable,
    by_code,
)
from ingest.cluster import wire
from ingest.parse.elements import PARSER_VERSION, clean_line

_ATTEMPTS = 3
_END_WITHIN_S = 20.0
_MOST_SENTENCE = 600
_FAILURES = by_code(ConfigurationError, FileUnavailable, InvalidRequest, ModelUnavailable, *OF_A_PARSER)


class WorkersLost(Exception):
    """Every worker that was given the job went away."""


class _BridgeEnded(Exception):
    """The child process is gone."""


class Link:
    """Asks the workers of a cluster. Safe to share between threads."""

    def __init__(self, cluster: ClusterSettings, *, limits: IngestSettings, embedding: EmbeddingSettings) -> None:
        """Start nothing yet."""
        self._setup = wire.Setup(
            address=cluster.address,
            workers=cluster.workers,
            release=__version__,
            parser_version=PARSER_VERSION,
            ingest=limits,
            embedding=embedding,
        )
        self._lock = threading.Lock()
        self._bridge: _Bridge | None = None
        self._closed = False

    def roster(self) -> wire.Roster:
        """How many workers the cluster had room for when it was joined. Raises ConfigurationError."""
        return self._joined().roster

    def ask(self, kind: wire.Kind, head: bytes = b"", body: bytes = b"") -> tuple[bytes, bytes]:
        """Head and body of the answer.

        Raises:
            WorkersLost: Every worker that was given the job went away.
            ConfigurationError: The cluster cannot be reached or used; the sentence says why.
            ApplianceError: What the worker says of the job.
        """
        for _ in range(_ATTEMPTS):
            try:
                answer = self._joined().ask(kind, head, body).result()
            except _BridgeEnded:
                continue
            if answer.kind is wire.Kind.ANSWER:
                return answer.head, answer.body
            raise _failure(answer.head)
        raise WorkersLost

    def release_parsers(self) -> None:
        """Let go of the parsing workers, if there are any. What they had at hand fails."""
        with self._lock:
            bridge = self._bridge
        if bridge is not None:
            with contextlib.suppress(_BridgeEnded):
                bridge.ask(wire.Kind.RELEASE_PARSERS, b"", b"").result()

    def close(self) -> None:
        """Let go of the workers and leave the cluster. Closing twice is no error."""
        with self._lock:
            self._closed = True
            bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _joined(self) -> _Bridge:
        with self._lock:
            if self._closed:
                raise ConfigurationError(
                    "The connection to the cluster was closed. Try again when the appliance is back."
                )
            if self._bridge is None or self._bridge.ended:
                self._bridge = _Bridge(self._setup)
            return self._bridge


class _Bridge:
    """The child process, seen from outside."""

    def __init__(self, setup: wire.Setup) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.cluster.bridge"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # Ray may quote what it carries
                start_new_session=True,
                cwd="/",  # Ray has the workers import from here before anywhere else
                env=_environment(),
            )
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[wire.Message]] = {}
        self.ended = False
        try:
            self.roster = self._greet(setup)
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._listen, name="cluster", daemon=True).start()

    def ask(self, kind: wire.Kind, head: bytes, body: bytes) -> Future[wire.Message]:
        """The answer to come. It fails with _BridgeEnded when the process ends before."""
        future: Future[wire.Message] = Future()
        with self._lock:
            if self.ended:
                raise _BridgeEnded
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                wire.send(self._connection, wire.Message(number, kind, head, body))
            except OSError:
                del self._waiting[number]
                raise _BridgeEnded from None
        return future

    def close(self) -> None:
        """Hang up, and wait until the process has let go of its workers."""
        self.ended = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._connection.close()

    def _greet(self, setup: wire.Setup) -> wire.Roster:
        """Tell the process what it has to know; it answers when it has joined the cluster."""
        try:
            wire.send(self._connection, wire.Message(0, wire.Kind.SETUP, setup.packed()))
            answer = wire.receive(self._connection)
        except OSError:
            answer = None
        if answer is None:
            raise ConfigurationError(
                f"Ray ended while it joined the cluster at {setup.address}. Check that the extra [cluster] is "
                "installed, and that the head node runs the same version."
            )
        if answer.kind is wire.Kind.FAILURE:
            raise _failure(answer.head)
        return wire.Roster.model_validate_json(answer.head)

    def _listen(self) -> None:
        """In a thread of its own: hand out answers until the process ends."""
        try:
            while (answer := wire.receive(self._connection)) is not None:
                with self._lock:
                    future = self._waiting.pop(answer.number, None)
                if future is not None:
                    future.set_result(answer)
        except (OSError, ValueError):
            self._process.kill()
        with self._lock:
            self.ended = True
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(_BridgeEnded())


def _failure(head: bytes) -> Exception:
    """The error that a failure stands for."""
    try:
        said = wire.Failure.model_validate_json(head)
    except ValidationError:
        return WorkersLost()
    if said.code == wire.LOST:
        return WorkersLost()
    return _FAILURES.get(said.code, ConfigurationError)(clean_line(said.message, _MOST_SENTENCE))


def _environment() -> dict[str, str]:
    """The process's environment: ours without the appliance's settings, some of them secret, and offline."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
    code = os.pathsep.join(sorted({str(Path(str(package.__file__)).parents[1]) for package in (appliance, ingest)}))
    return {**ours, **OFFLINE_SWITCHES, "PYTHONPATH": code}
