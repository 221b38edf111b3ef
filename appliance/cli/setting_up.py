"""`strongroom serve` and `strongroom init`."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from appliance.cli.acting import admin_action, as_operator, recorded
from appliance.cli.ingestion import ingest_folder
from appliance.cli.terminal import new_table, out
from appliance.config import Settings, load_settings
from appliance.domain import EVERYONE, SAMPLES, DocumentState, Role

DEMO_ACCOUNTS: tuple[tuple[str, tuple[Role, ...], tuple[str, ...]], ...] = (
    ("employee", (Role.EMPLOYEE,), ("hr",)),
    ("admin", (Role.EMPLOYEE, Role.ADMIN), ()),
    ("compliance", (Role.COMPLIANCE,), ()),
)


def serve() -> None:
    """Serve the screens and the API until stopped."""
    from appliance.server import serve as serve_appliance

    def ready(address: str) -> None:
        out.print(f"Strongroom is ready at [bold]{address}[/bold]   (stop it with Ctrl+C)")

    with _stopped_in_order():
        serve_appliance(load_settings(), on_ready=ready)


class _ToldToStop(BaseException):
    """SIGTERM came, as systemd sends it."""


@contextlib.contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Have SIGTERM close what is open inside, and end the process after that.

    The web server raises the signal that ended it once more. Without this the process would end there, and the log
    would not be told. It ends by the signal all the same: threads that still load a model are not waited for.
    """

    def stop(*_: object) -> None:
        raise _ToldToStop

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _ToldToStop:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)


def init(
    samples: Annotated[Path | None, typer.Option(help="A folder of sample documents to take in.")] = None,
) -> None:
    """Make the data folder and one account per role, and take the samples in. Changes nothing that is there already."""
    settings = load_settings()
    made = _make_demo_accounts(settings)
    if made:
        # before the samples: nothing that happens to them may cost the passwords
        out.print(_demo_accounts_table(made))
    if samples is not None and not _are_taken_in(settings, samples):
        with as_operator(settings, may_make_folder=True) as operator:
            ok = ingest_folder(operator, samples, name=SAMPLES, groups=[EVERYONE])
        raise typer.Exit(0 if ok else 1)
    if not made:
        out.print(f"{settings.data_dir} is set up already; nothing was changed.")


def _make_demo_accounts(settings: Settings) -> list[tuple[str, str]]:
    """The names and passwords of the accounts made: one per role in a new data folder, none in any other."""
    from appliance.auth.passwords import generate_password
    from appliance.personnel import accounts_of

    with accounts_of(settings, may_make_folder=True) as accounts:
        if accounts.people():
            return []
        made = [(name, generate_password()) for name, _, _ in DEMO_ACCOUNTS]
        for (name, password), (_, roles, groups) in zip(made, DEMO_ACCOUNTS, strict=True):
            with recorded(settings, admin_action("person.added", name)):
                accounts.add(name, password, roles, groups)
    return made


def _demo_accounts_table(made: list[tuple[str, str]]) -> Table:
    table = new_table("account", "password", "may", title="Accounts (the passwords are shown this once)")
    for (name, password), (_, roles, groups) in zip(made, DEMO_ACCOUNTS, strict=True):
        table.add_row(
            name, password, ", ".join((*(role.value for role in roles), *(f"group {group}" for group in groups)))
        )
    return table


def _are_taken_in(settings: Settings, samples: Path) -> bool:
    """Whether a sync of the samples got to their last file.

    Every file that a sync saw has a row in the catalog, so a file without one was not reached. Asked of the catalog
    itself: with nothing to do, `init` starts no server and loads no model. A source of that name over another folder is
    left alone.
    """
    from appliance.catalog import Catalog
    from appliance.data_folder import DataFolder
    from appliance.database import Database
    from ingest.discover import FoundFile, discover

    folder = samples.expanduser().resolve()
    with contextlib.closing(Database(DataFolder(settings.data_dir).database)) as database:
        catalog = Catalog(database)
        for source in catalog.sources():
            if source.path == str(folder):
                files = catalog.files(source.id)
                reached = all(found.path in files for found in discover(folder) if isinstance(found, FoundFile))
                return reached and any(facts.state is DocumentState.INDEXED for facts in files.values())
            if source.name == SAMPLES:
                return True
    return False
