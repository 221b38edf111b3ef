"""The parsers of a cluster, as the pipeline sees them: `ParserPool.parse_in` on other machines.

Rules this module keeps:

1. What a node sends is untrusted until `elements.from_json` has checked it.
2. A result counts only if the file it is said to come from is there on this machine too: reached without following a
   link, a regular file, of the size and time that the node saw. A node that sees older content than we do would
   otherwise have it indexed under the newer time.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import ValidationError

from appliance.errors import ConfigurationError, FileUnavailable, ParserBroken
from ingest.cluster import wire
from ingest.cluster.link import Link, WorkersLost
from ingest.discover import open_folder
from ingest.parse.elements import InvalidResult, Parsed, clean_name, from_json
from ingest.parse.sandbox import SandboxReport

_SAME_TIME_NS = 2_000_000_000  # file systems round times differently, the coarsest to two seconds


class ClusterParsers:
    """Parses documents on the nodes of a cluster, each in a sandbox there. Safe to share between threads.

    A call waits until a worker is free, so no more documents are under way than threads call.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._closed = False

    @property
    def size(self) -> int:
        """How many documents can be parsed at a time. Raises ConfigurationError when the cluster cannot be reached."""
        return max(1, self._link.roster().parsers)

    def parse_in(self, root: Path, path: str, *, password: str = "") -> Parsed:
        """What the document at `path` below `root` says. Every node must have the folder, at the same place.

        Raises:
            DocumentRejected: It is no regular file, too large, or of a kind that is not read.
            DocumentNeedsPassword: It is encrypted.
            DocumentUnreadable: It is damaged or has no text.
            ParserBroken: The parser died of it, or several workers were lost while they had it.
            FileUnavailable: It cannot be opened on the node, or is another file there than here.
            ConfigurationError: The cluster cannot be reached or used, or the pool was closed.
        """
        job = wire.ParseJob(root=str(root), path=path, password=password)
        try:
            head, untrusted = self._ask(wire.Kind.PARSE, job.packed())
            reading = wire.Reading.model_validate_json(head)
            parsed = from_json(untrusted)
        except WorkersLost:
            raise ParserBroken(
                f"Document '{clean_name(path)}' was given to several workers of the cluster, and each was lost. "
                "Look at the nodes' memory; the next sync tries again."
            ) from None
        except (ValidationError, InvalidResult) as error:
            raise ParserBroken(f"Document '{clean_name(path)}' made a node give an invalid result.") from error
        _check_same_file(root, path, reading)
        return replace(parsed, sha256=reading.sha256, size_bytes=reading.size_bytes)

    def report(self) -> SandboxReport:
        """The protections that hold on every node. Raises ConfigurationError when the cluster cannot be used."""
        head, _ = self._ask(wire.Kind.SURVEY, b"")
        return SandboxReport(wire.Survey.model_validate_json(head).confinement)

    def close(self) -> None:
        """Let go of the workers, the busy ones included. Closing twice is no error."""
        if not self._closed:
            self._closed = True
            self._link.release_parsers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, kind: wire.Kind, head: bytes) -> tuple[bytes, bytes]:
        if self._closed:
            raise ConfigurationError("The parsers of the cluster were let go. Try again when the appliance is back.")
        return self._link.ask(kind, head)


def _check_same_file(root: Path, path: str, reading: wire.Reading) -> None:
    place = PurePosixPath(path)
    shown = clean_name(path)
    try:
        with open_folder(root, str(place.parent)) as folder:
            status = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise FileUnavailable(
            f"Document '{shown}' cannot be examined: {error.strerror}. Links are not followed."
        ) from error
    same_time = abs(status.st_mtime_ns - reading.modified_ns) <= _SAME_TIME_NS
    if not stat.S_ISREG(status.st_mode) or status.st_size != reading.size_bytes or not same_time:
        raise FileUnavailable(
            f"Document '{shown}' is another file on node {reading.node} than here, or changed while it was read. "
            "The next sync tries again; if this stays, check that both mount the same folder."
        )
