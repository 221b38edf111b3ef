"""How commands act on the appliance: as its operator, over HTTP, and on record where they act by themselves."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from appliance.config import Settings

if TYPE_CHECKING:
    from appliance.audit.entries import AdminAction, DeskOpened, Entry
    from appliance.audit.store import Store
    from appliance.operator import Operator

Groups = Annotated[list[str], typer.Option("--group", "-g", help="A group; may be given several times.")]


@contextlib.contextmanager
def as_operator(
    settings: Settings, groups: list[str] | None = None, *, may_make_folder: bool = False
) -> Iterator[Operator]:
    """Raises ConfigurationError when there is no data folder, and none may be made."""
    from appliance.data_folder import found_folder

    if not may_make_folder:
        found_folder(settings)
    from appliance.operator import connected

    with connected(settings, groups or ()) as operator:
        yield operator


def require_one_spelling(settings: Settings, groups: list[str]) -> None:
    """Raises InvalidRequest when a group is written otherwise than one that is in use."""
    from appliance.auth.groups import require_one_spelling
    from appliance.data_folder import DataFolder
    from appliance.personnel import known_groups

    if groups and DataFolder(settings.data_dir).database.exists():
        require_one_spelling(groups, known_groups(settings))


def admin_action(action: str, subject: str, detail: str = "") -> AdminAction:
    from appliance.audit.entries import AdminAction

    return AdminAction("operator", action, subject, detail)


@contextlib.contextmanager
def recorded(settings: Settings, act: AdminAction) -> Iterator[None]:
    """For as long as an act of the operator is done: it is on record first, and once more if it fails."""
    from appliance.audit.acts import begun

    with begun(lambda entry: record(settings, entry), act):
        yield


def record(settings: Settings, *entries: Entry) -> None:
    """Put acts of the operator on record; the log may be open in the running appliance too."""
    from appliance.audit.log import QueryLog

    if entries:
        with QueryLog(log_store(settings)) as log:
            for entry in entries:
                log.append(entry)


def log_store(settings: Settings) -> Store:
    """Where the query log is kept. Raises ConfigurationError when there is no data folder."""
    from appliance.audit.stores import store_for
    from appliance.data_folder import found_folder

    return store_for(settings.log, found_folder(settings).log)


def opened_for(reason: str) -> DeskOpened:
    """The entry that says why this command reads people's words. Raises InvalidRequest when that is no reason."""
    from appliance.audit.entries import DeskOpened
    from appliance.compliance.openings import checked_reason

    return DeskOpened("operator", checked_reason(reason), f"command line {secrets.token_hex(8)}")


def new_file(target: Path) -> BinaryIO:
    """A new file, closed to other accounts. Raises OSError."""
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
