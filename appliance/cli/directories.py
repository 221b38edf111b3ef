"""`strongroom directory ...`: where people come from who have no account here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.acting import as_operator
from appliance.cli.terminal import new_table, out, printable
from appliance.config import load_settings
from appliance.errors import NotFound

if TYPE_CHECKING:
    from appliance.api.schemas.directories import DirectoryDetail

directory_app = typer.Typer(help="Directories that people come from: show, sync.", no_args_is_help=True)


@directory_app.command("show")
def directory_show() -> None:
    """How each directory stands, and what of it is left out."""
    with as_operator(load_settings()) as operator:
        found = operator.directories()
    table = new_table("directory", "kind", "people", "groups", "last heard from (UTC)", "")
    for directory in found:
        heard = f"{directory.synced_at:%Y-%m-%d %H:%M}" if directory.synced_at else "never"
        state = directory.problem or ("" if directory.configured else "not in the settings")
        people, groups = str(directory.people), str(directory.groups)
        table.add_row(escape(directory.name), directory.kind, people, groups, heard, escape(printable(state)))
    out.print(table)
    for directory in found:
        _print_notes(directory)


@directory_app.command("sync")
def directory_sync(
    accept_missing: Annotated[
        bool, typer.Option("--accept-missing", help="It is right that many of its people are missing.")
    ] = False,
) -> None:
    """Ask the directory now about everybody of it who is known here; the status is 1 if it could not be."""
    with as_operator(load_settings()) as operator:
        able = [directory for directory in operator.directories() if directory.can_sync]
        if not able:
            raise NotFound("There is no directory that can be synced. Set ldap.urls (docs/operations/ldap.md).")
        after = [operator.sync_directory(directory.name, accept_missing=accept_missing) for directory in able]
    for directory in after:
        told = directory.problem or f"in sync: {directory.people} people, {directory.groups} groups."
        out.print(f"{escape(directory.name)}: {escape(printable(told))}")
        _print_notes(directory)
    raise typer.Exit(1 if any(directory.problem for directory in after) else 0)


def _print_notes(directory: DirectoryDetail) -> None:
    for note in directory.notes:
        out.print(f"[yellow]{escape(printable(note))}[/yellow]")
