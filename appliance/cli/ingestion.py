"""`strongroom ingest`, `report` and `reconcile`: folders of documents, and what syncs did with them."""

from __future__ import annotations

import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from appliance.api.schemas.sources import Reread, rule_in
from appliance.cli.acting import as_operator
from appliance.cli.terminal import err, out, print_entry, printable
from appliance.config import load_settings
from appliance.domain import EVERYONE, TROUBLED, DocumentState
from appliance.errors import ApplianceError, InvalidRequest, NotFound
from appliance.wording import STATES, action, actions, changed, doing, moment, outcomes, standing

if TYPE_CHECKING:
    from appliance.api.schemas.runs import RunOut
    from appliance.api.schemas.sources import PreviewOut, SourceOut
    from appliance.operator import Operator


_LISTED = 500
"""Of the files in one state."""


class ReportFormat(StrEnum):
    """How a report is written."""

    CSV = "csv"
    JSON = "json"


def ingest(
    folder: Annotated[Path, typer.Argument(help="The folder to take in; given again, it is synced.")],
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="Who sees it; else everyone.")] = None,
    name: Annotated[str, typer.Option(help="What to call it; the folder's name if not given.")] = "",
    include: Annotated[list[str] | None, typer.Option(help="Take in only what matches, as '**/*.pdf'.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out what matches, as 'drafts/**'.")] = None,
    language: Annotated[str, typer.Option(help="Two letters; overrides what is detected.")] = "",
    level: Annotated[str, typer.Option(help="What readers must be cleared for.")] = "",
    rule: Annotated[list[str] | None, typer.Option(help="Who sees what, as 'hr/** => hr, board @ secret'.")] = None,
    curated: Annotated[bool, typer.Option("--curated", help="Nothing is found before a curator approved it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    reread: Annotated[
        Reread, typer.Option(help="Read files although they did not change: those in trouble, or everything.")
    ] = Reread.NOTHING,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Whatever is missing from the folder may be removed.")
    ] = False,
) -> None:
    """Take a folder of documents in, or bring one up to date."""
    more = {"include": include, "exclude": exclude, "language": language, "level": level, "curated": curated}
    given: dict[str, Any] = {key: value for key, value in more.items() if value}
    given |= {"rules": [rule_in(line) for line in rule]} if rule else {}
    path = folder.expanduser().resolve()
    with as_operator(load_settings(), may_make_folder=True) as operator:
        source = _source_at(operator, path)
        if source is not None:
            _refuse_other_settings(source, name=name, groups=group, **given)
        wanted = (name or path.name or "root", str(path), group or [EVERYONE])
        if dry_run:
            _print_preview(operator.preview(source.id, reread) if source else operator.preview_new(*wanted, **given))
            return
        if source is None and (include or exclude):
            _require_some_file(operator.preview_new(*wanted, **given), path)
        source = source or operator.add_source(*wanted, **given)
        ok = _sync(operator, source, again=reread, missing_ok=missing_ok)
    raise typer.Exit(0 if ok else 1)


def report(
    run: Annotated[
        str,
        typer.Argument(metavar="[RUN]", help="The run's id, or its beginning, as 'status' shows it."),
    ] = "",
    kind: Annotated[ReportFormat, typer.Option("--format", help="For a spreadsheet, or for a program.")] = (
        ReportFormat.CSV
    ),
) -> None:
    """Print what a sync did with each file, and why. Without RUN: the latest of any source that changed something."""
    with as_operator(load_settings()) as operator:
        found = [item for item in operator.runs() if item.id.startswith(run.lower())]
        if not found:
            raise NotFound(f"No run begins with '{run}'. 'strongroom status' shows the latest of each source.")
        if run and len(found) > 1:
            raise InvalidRequest(f"{len(found)} runs begin with '{run}'. Give more of the id.")
        told = next((item for item in found if changed(item.counts) or item.message), found[0])
        if not run and kind is ReportFormat.CSV:  # JSON names it
            err.print(f"{escape(told.source)}, the sync of {moment(told.started_at)}")
        for piece in operator.report(told.id, kind.value):
            sys.stdout.write(piece)


def reconcile(
    check: Annotated[bool, typer.Option("--check", help="Only compare; the status is 1 when they differ.")] = False,
) -> None:
    """Compare the index with the catalog, which is the truth, and repair the index."""
    with as_operator(load_settings()) as operator:
        found = operator.difference() if check else operator.reconcile()
    if not found.surplus and not found.incomplete:
        out.print("The index agrees with the catalog.")
        return
    what = f"{found.incomplete} documents were incomplete in the index, {found.surplus} in it should not be there"
    out.print(f"{what}: repaired." if found.repaired else f"{what}. Repair it with: strongroom reconcile")
    raise typer.Exit(0 if found.repaired else 1)


def ingest_folder(operator: Operator, folder: Path, *, name: str, groups: list[str]) -> bool:
    """Add the folder if it is new, sync it, and say how it ended."""
    path = folder.expanduser().resolve()
    source = _source_at(operator, path) or operator.add_source(name, str(path), groups)
    return _sync(operator, source)


def _source_at(operator: Operator, path: Path) -> SourceOut | None:
    """The source over a folder, None if there is none."""
    return next((item for item in operator.sources() if item.path == str(path)), None)


def _refuse_other_settings(source: SourceOut, *, name: str, groups: list[str] | None, **given: Any) -> None:
    """Raises InvalidRequest when options ask for other settings than a source has: they would do nothing."""
    asked = {"name": name, "group": groups, **given}
    stands = {**source.model_dump(), "group": source.groups}
    other = [option for option, value in asked.items() if value and _in_order(value) != _in_order(stands[option])]
    if other:
        options = ", ".join(f"--{option.removesuffix('s')}" for option in other)
        raise InvalidRequest(
            f"'{source.name}' is a source already, with other settings than {options} would give it. "
            "Nothing was synced. Leave them out to sync it as it is, or change it in Administration > Sources."
        )


def _in_order(value: Any) -> Any:
    ordered = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return sorted(set(value)) if ordered else value


def _require_some_file(preview: PreviewOut, folder: Path) -> None:
    """Raises InvalidRequest when the patterns leave nothing of a new folder."""
    if preview.matches_nothing:
        raise InvalidRequest(
            f"--include and --exclude leave out every file of {folder} ({preview.counts['left_out']:,}), so it was not "
            "added. Check the patterns: '**/*.pdf' stands for the PDFs in all its folders."
        )


def _sync(operator: Operator, source: SourceOut, *, again: Reread = Reread.NOTHING, missing_ok: bool = False) -> bool:
    """Sync a source, show how far it is, and say how it ended."""
    run = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("files"))
    figures = (TextColumn("{task.fields[figures]}"), TimeElapsedColumn())
    with Progress(*columns, *figures, console=err, transient=True) as bar:
        task = bar.add_task("Looking at the folder", total=None, figures="")
        for run in operator.sync(source.id, again=again, missing_ok=missing_ok):
            bar.update(
                task,
                total=run.total,
                completed=run.done,
                description=escape(printable(doing(run.current, run.done, run.total))[-40:] or "Reading"),
                figures=_figures(run),
            )
    if run is None:
        raise ApplianceError("The sync did not start. Run 'strongroom doctor'.")
    out.print(f"{escape(source.name)}, this sync: {outcomes(run.counts) or 'nothing to do: no files'}")
    if run.pages or run.chunks:
        pages = f"{run.pages:,} {'page' if run.pages == 1 else 'pages'} read, " if run.pages else ""
        out.print(f"{pages}{run.chunks:,} {'passage' if run.chunks == 1 else 'passages'} indexed.")
    if run.message:
        err.print(f"[red]Error:[/red] {escape(run.message)}")
    states = next((item.states for item in operator.sources() if item.id == source.id), {})
    out.print(f"{escape(source.name)}, all its files now: {standing(states) or 'none'}")
    print_untaken(operator, source.id)
    return not run.message


def _figures(run: RunOut) -> str:
    """How a run is getting on, in numbers."""
    parts = [f"{run.pages:,} pages", f"{run.chunks:,} chunks"]
    if run.pages_per_s is not None:
        parts.append(f"{run.pages_per_s:.1f} pages/s")
    if run.seconds_left is not None:
        parts.append(f"{timedelta(seconds=round(run.seconds_left))} left")
    if run.failures:
        parts.append(f"[yellow]{run.failures:,} to look at[/yellow]")
    return ", ".join(parts)


def _print_preview(preview: PreviewOut) -> None:
    """What a sync would do, file by file as far as the API tells."""
    counts = ", ".join(f"{count:,} {words}" for words, count in actions(preview.counts))
    out.print(f"Files: {counts or 'none'}. Nothing was changed.")
    if preview.matches_nothing:
        err.print("[yellow]The patterns leave out every file of the folder. Check them.[/yellow]")
    if preview.needs_confirmation:
        err.print("[yellow]So many files are missing that their documents are kept without --missing-ok.[/yellow]")
    for file in preview.files:
        print_entry(file.path, f"A sync would {action(file.action)}", file.reason)


def print_untaken(operator: Operator, source_id: str = "") -> None:
    """The files that were not taken in, or wait for a curator, with their reasons."""
    for state in (*TROUBLED, DocumentState.EMPTY, DocumentState.PENDING_REVIEW):
        wanted: dict[str, str | int] = {"state": state.value, "limit": _LISTED}
        if source_id:
            wanted["source_id"] = source_id
        found = operator.files(**wanted)
        for file in found.files:
            print_entry(f"{file.source}: {file.path}", STATES[state], file.reason)
        if found.total > len(found.files):
            left = found.total - len(found.files)
            out.print(f"... and {left:,} more of them. Administration > Files lists them all.")
