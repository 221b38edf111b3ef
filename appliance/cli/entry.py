"""Which commands there are, in the order in which the help tells them, and the entry point."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer
from rich.markup import escape

from appliance import __version__
from appliance.cli.asking import ask
from appliance.cli.directories import directory_app
from appliance.cli.evaluating import evaluate
from appliance.cli.ingestion import ingest, reconcile, report
from appliance.cli.log import log_app
from appliance.cli.papers import papers
from appliance.cli.replaying import replay
from appliance.cli.setting_up import init, serve
from appliance.cli.state import doctor, status
from appliance.cli.terminal import err, out
from appliance.cli.users import user_app
from appliance.errors import ApplianceError

app = typer.Typer(
    help="Strongroom: answers from your own documents, with proof, in your own room.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        out.print(f"strongroom {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Say which release this is, and nothing else."
        ),
    ] = False,
) -> None:
    """What holds for every command."""


app.command()(serve)
app.command()(init)
app.command()(ingest)
app.command()(report)
app.command()(reconcile)
app.command()(ask)
app.command("eval")(evaluate)
app.command()(status)
app.command()(doctor)
app.command()(papers)
log_app.command("replay")(replay)
app.add_typer(log_app, name="log")
app.add_typer(user_app, name="user")
app.add_typer(directory_app, name="directory")


def main() -> None:
    """The entry point."""
    os.umask(0o077)  # what a command writes, here or in the data folder, is its owner's alone
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except ApplianceError as error:
        err.print(f"[red]Error:[/red] {escape(str(error))}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        err.print(
            f"[red]Error:[/red] something unexpected happened ({type(error).__name__}). "
            "Run 'strongroom doctor', and report it with the command you gave."
        )
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        sys.exit(70)
