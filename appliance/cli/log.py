"""`strongroom log ...`: verify, show, export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.acting import log_path, record
from appliance.cli.terminal import err, new_table, out, printable
from appliance.config import load_settings
from appliance.errors import AuditBroken, InvalidRequest

if TYPE_CHECKING:
    from appliance.audit.records import Recorded

log_app = typer.Typer(help="The query log: verify, show, export.", no_args_is_help=True)


@log_app.command("verify")
def log_verify(
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint carried out earlier, to check against.")] = None,
    export: Annotated[Path | None, typer.Option(help="Verify an exported log instead of the live one.")] = None,
) -> None:
    """Check every entry and the whole tree; names the first entry that is wrong."""
    from appliance.audit.checkpoint import read
    from appliance.audit.export import verify_export
    from appliance.audit.log import checkpoint_path
    from appliance.audit.signing import signed_checkpoints
    from appliance.audit.verify import verify
    from appliance.data_folder import DataFolder

    path = DataFolder(load_settings().data_dir).log
    if checkpoint is not None and not checkpoint.is_file():
        raise InvalidRequest(f"There is no checkpoint file at {checkpoint}.")
    known = read(checkpoint) if checkpoint else read(checkpoint_path(path))
    try:
        if export is not None:
            with export.open(encoding="utf-8") as lines:
                result = verify_export(lines, read(checkpoint) if checkpoint else None)
            out.print(f"The export verifies. {result.checkpoint.size} entries, root {result.checkpoint.root.hex()}")
            if result.without_content:
                out.print(f"{result.without_content} of them without what they hold.")
            return
        if not path.is_file():
            raise InvalidRequest(f"There is no query log at {path}. Set data_dir, or start the appliance once.")
        checked = verify(path, known, *signed_checkpoints(path))
    except OSError as error:
        raise InvalidRequest(f"{export} cannot be read ({error.strerror}).") from error
    except AuditBroken as error:
        where = "" if error.seq is None else f" First bad entry: {error.seq}."
        err.print(f"[red]The query log does NOT verify.[/red]{where} {escape(str(error))}")
        raise typer.Exit(1) from error
    out.print(f"The query log verifies. {checked.size} entries, root {checked.root.hex()}")


@log_app.command("show")
def log_show(
    limit: Annotated[int, typer.Option(help="How many queries.")] = 20,
    text: Annotated[str, typer.Option(help="Only those that hold this text.")] = "",
) -> None:
    """The latest queries on record. The reading is itself recorded."""
    from appliance.audit.entries import LogRead
    from appliance.audit.log import QueryLog
    from appliance.audit.records import LogFilter

    settings = load_settings()
    record(settings, LogRead("operator", f"the latest {limit} queries, on the command line"))
    table = new_table("entry", "time (UTC)", "who", "question", "result")
    with QueryLog(log_path(settings)) as log:
        for query in log.queries(LogFilter(text=text), limit=limit):
            question = query.question
            table.add_row(
                str(query.asked.seq),
                query.asked.time.strftime("%Y-%m-%d %H:%M:%S") if query.asked.time else "",
                escape(question.actor_name) if question else "",
                escape(printable(question.question)) if question else _unreadable(query.asked),
                query.answer.kind if query.answer and not query.answer.error else query.state.value,
            )
    out.print(table)


def _unreadable(recorded: Recorded) -> str:
    return "(its key is not there)" if recorded.sealed else "(altered)"


@log_app.command("export")
def log_export(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    proof_only: Annotated[bool, typer.Option(help="Leave out what the entries hold; the log still verifies.")] = False,
) -> None:
    """Write the whole log as JSON lines that verify without the appliance. The export is itself recorded."""
    from appliance.audit.entries import LogExported
    from appliance.audit.log import QueryLog

    settings = load_settings()
    what = "the proof of the whole log" if proof_only else "the whole log"
    record(settings, LogExported("operator", f"{what}, on the command line"))
    with QueryLog(log_path(settings)) as log:
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                for line in log.export(with_content=not proof_only):
                    file.write(line.rstrip("\n") + "\n")
        except OSError as error:
            raise InvalidRequest(f"{target} cannot be written ({error.strerror}). Name a new file.") from error
    out.print(f"Written to {target}. Check it anywhere with: strongroom log verify --export {target}")
