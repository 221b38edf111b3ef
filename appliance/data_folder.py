"""The data folder: where the appliance keeps its state, who owns it, and the database in it.

Importing this module loads neither what answers nor what reads documents: a command that needs the folder alone starts
in half the time.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.config import Settings
from appliance.database import Database
from appliance.errors import ConfigurationError, DataFolderBusy

UPLOAD_PREFIX = ".upload-"
"""How the name of a file begins that is still being uploaded."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where the appliance keeps its state, and the names of what is in it."""

    path: Path

    @property
    def database(self) -> Path:
        """Catalog, accounts, conversations."""
        return self.path / "strongroom.db"

    @property
    def log(self) -> Path:
        """The query log."""
        return self.path / "log" / "queries.db"

    @property
    def signer(self) -> Path:
        """Where the signer of the log keeps its key, unless it runs elsewhere."""
        return self.path / "signer"

    @property
    def evidence_key(self) -> Path:
        """What evidence packages are signed with."""
        return self.path / "evidence.key"

    @property
    def embeddings(self) -> Path:
        """Vectors kept by content."""
        return self.path / "embeddings.db"

    @property
    def lock(self) -> Path:
        """Held by the process that owns the folder; holds the address it serves at."""
        return self.path / "lock"

    @property
    def uploads(self) -> Path:
        """What people uploaded, in a folder per source."""
        return self.path / "uploads"

    @property
    def operator_token(self) -> Path:
        """What lets the owner of the folder talk to the running appliance."""
        return self.path / "operator.token"


def make_folder(settings: Settings) -> DataFolder:
    """The data folder, made if it is not there, closed to other accounts of the machine."""
    folder = DataFolder(settings.data_dir)
    try:
        for path in (folder.path, folder.log.parent):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder.path} cannot be made ({error.strerror}). Set data_dir to a folder you may write."
        ) from error
    return folder


def found_folder(settings: Settings) -> DataFolder:
    """The data folder that is there already, for whoever is to read it and make none.

    Raises:
        ConfigurationError: There is none.
    """
    folder = DataFolder(settings.data_dir)
    if not folder.database.exists() and not folder.log.exists():
        raise ConfigurationError(
            f"There is no data folder of Strongroom at {folder.path.absolute()}. Run this where it was installed, or "
            "name the folder with STRONGROOM_DATA_DIR (data_dir in strongroom.toml). 'strongroom init', 'serve' and "
            "'ingest' make one."
        )
    return folder


def running_at(settings: Settings) -> str | None:
    """The address of the appliance that owns the data folder, None when nobody does."""
    folder = DataFolder(settings.data_dir)
    try:
        with folder.lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except OSError:
        return _written_address(folder)


def announce(folder: DataFolder, address: str) -> None:
    """Write where the owner of the folder serves, for those who find the lock held."""
    folder.lock.write_text(json.dumps({"pid": os.getpid(), "address": address}), "utf-8")


def _written_address(folder: DataFolder) -> str | None:
    try:
        return str(json.loads(folder.lock.read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError):
        return None


@contextmanager
def owned(folder: DataFolder) -> Iterator[None]:
    """The folder to oneself. Raises DataFolderBusy."""
    with folder.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataFolderBusy(
                f"The data folder {folder.path} is in use by a running appliance"
                f"{f' at {address}' if (address := _written_address(folder)) else ''}. "
                "Stop it first, or give this one another data_dir."
            ) from error
        file.truncate(0)
        yield
        file.truncate(0)


def forget_half_uploads(folder: DataFolder) -> None:
    """Remove what was being uploaded when the last process ended."""
    for left in folder.uploads.glob(f"*/{UPLOAD_PREFIX}*"):
        left.unlink(missing_ok=True)


def new_operator_token(folder: DataFolder) -> str:
    """A new secret for each start, readable by the owner of the data folder alone."""
    token = secrets.token_urlsafe(32)
    descriptor = os.open(folder.operator_token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token


def database_in(folder: DataFolder) -> Database:
    """The database of a folder, its schema up to date. Raises CatalogUnavailable."""
    database = Database(folder.database)
    database.migrate()
    return database
