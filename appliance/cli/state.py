"""`strongroom status` and `strongroom doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from appliance.cli.acting import as_operator
from appliance.cli.ingestion import print_untaken
from appliance.cli.terminal import ID_CHARACTERS, out, print_entry
from appliance.config import load_settings
from appliance.wording import standing

if TYPE_CHECKING:
    from appliance.api.schemas.runs import RunOut
    from appliance.api.schemas.sources import SourceOut
    from appliance.api.schemas.upkeep import ModelChangeOut


def status(
    files: Annotated[
        bool, typer.Option("--files", help="List files that were not taken in, or wait for a curator, with reasons.")
    ] = False,
) -> None:
    """Whether it runs, what it holds, and how the files stand."""
    from appliance.data_folder import found_folder, running_at

    settings = load_settings()
    found_folder(settings)  # before anything is said of it
    address = running_at(settings)
    out.print(f"Appliance: {'running at ' + address if address else 'not running'}, data in {settings.data_dir}")
    with as_operator(settings) as operator:
        runs: dict[str, RunOut] = {}
        for run in operator.runs():
            runs.setdefault(run.source_id, run)
        for source in operator.sources():
            counts = standing(source.states) or "not synced yet"
            latest = _state_told(source) or _run_told(runs.get(source.id))
            print_entry(source.name, source.path, f"Seen by {source.seen_by}", counts, latest)
        change = operator.model_change()
        if change is not None:
            _print_change(change)
        if files:
            print_untaken(operator)


def doctor() -> None:
    """Check every part and say what to do."""
    marks = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "error": "[red]error[/red]"}
    with as_operator(load_settings()) as operator:
        checks = operator.health().checks
    table = Table.grid("", Column(overflow="fold"), padding=(0, 2, 0, 0))
    for check in checks:
        remedy = f"\n[bold]What to do:[/bold] {escape(check.remedy)}" if check.remedy else ""
        table.add_row(marks[check.status], f"[bold]{escape(check.name)}[/bold]: {escape(check.detail)}{remedy}")
    out.print(table)
    raise typer.Exit(1 if any(check.status == "error" for check in checks) else 0)


def _state_told(source: SourceOut) -> str:
    if source.removing:
        return "Being removed"
    return "Paused" if source.paused else ""


def _run_told(run: RunOut | None) -> str:
    """When a source was synced last, how that ended, and what 'report' calls it."""
    if run is None:
        return ""
    return f"Latest sync {run.started_at:%Y-%m-%d %H:%M} UTC, {run.state.value}, run {run.id[:ID_CHARACTERS]}"


def _print_change(change: ModelChangeOut) -> None:
    """How far the change to another embedding model is."""
    if change.replaces == change.model_id:
        out.print(escape(f"Embedding model: {change.model_id} answers. {change.error}"))
        return
    done = f"{change.done:,} of {change.total:,} passages are embedded"
    out.print(
        escape(f"Embedding model: {change.replaces} answers; {change.model_id} takes over when it is ready, {done}.")
    )
    if change.error:
        out.print(escape(f"It waits: {change.error}"))
