"""A data folder, a folder of documents, and the command line on them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from appliance.cli import main, terminal
from tests.api.conftest import write_documents

WHY = ("--reason", "Tests of the command line")
PASSWORD = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){4}")


class Room:
    """What a person at the command line works on, and what the commands print."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.first_ingestion = self.first_status = ""
        self.data = root / "data"
        self.documents = write_documents(root / "documents")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")},
            "STRONGROOM_DATA_DIR": str(self.data),
            "STRONGROOM_MODEL__PROVIDER": "none",
            "STRONGROOM_SERVER__PORT": "8671",
            "STRONGROOM_INGEST__WORKERS": "1",  # each loads the parsers for itself, and there are four files
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, ok: bool = True, status: int | None = None, **environment: str) -> str:
        """Standard output and error of a command; its status must be zero, or must not, as `ok` says, or be `status`.

        The entry point is called in this process. A process of its own takes longer to import the appliance, and to
        load the model, than most commands take: `run_apart` starts one.
        """
        printed, told = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {**self.environment, **environment}, clear=True),
            mock.patch.object(sys, "argv", ["strongroom", *arguments]),
            contextlib.chdir(self.root),
            mock.patch.object(terminal.out, "_width", None),  # else that of whoever was first to import it
            mock.patch.object(terminal.err, "_width", None),
            _as_found(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(told),
        ):
            code = _status_of_main()
        return _checked(printed.getvalue() + told.getvalue(), code, ok=ok, status=status)

    def run_apart(self, *arguments: str, ok: bool = True, status: int | None = None, **environment: str) -> str:
        """The same, by a process of its own, as a person starts it."""
        result = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *arguments],
            env={**self.environment, **environment}, capture_output=True, text=True, timeout=150, cwd=self.root, check=False,
        )  # fmt: skip
        return _checked(result.stdout + result.stderr, result.returncode, ok=ok, status=status)

    def copied(self, root: Path) -> Room:
        """A room with a copy of this one's data, and the same documents."""
        made = Room(root)
        shutil.rmtree(made.data, ignore_errors=True)
        shutil.copytree(self.data, made.data)
        made.documents = self.documents
        return made

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every file of the data folder, less the side files that come and go with a connection."""
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.data.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }


def _status_of_main() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


@contextlib.contextmanager
def _as_found() -> Iterator[None]:
    """The mask of new files and the handlers of the log, which a command sets, as they were, afterwards.

    Without handlers to begin with: what a command logs, a traceback too, is to be among what it prints.
    """
    root = logging.getLogger()
    mask, handlers, level = os.umask(0o022), root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        os.umask(mask)


def _checked(text: str, code: int, *, ok: bool, status: int | None) -> str:
    assert "Traceback" not in text
    assert code == status if status is not None else (code == 0) == ok, text
    return text
