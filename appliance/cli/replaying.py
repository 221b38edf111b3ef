"""`strongroom log replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.log import Reason
from appliance.cli.terminal import ID_CHARACTERS, new_table, out, printable
from appliance.config import load_settings
from appliance.errors import InvalidRequest

if TYPE_CHECKING:
    from appliance.api.schemas.replays import PassageThenOut, ReplayOut

_OUTCOMES = {
    "reproduced": "[green]Reproduced:[/green] the same answer, word for word.",
    "differs": "[yellow]Another answer[/yellow] comes of it today.",
    "impossible": "[yellow]The answer could not be made again.[/yellow]",
}
_STYLES = {"same": "", "gone": "red strike", "new": "green"}


def replay(
    query_id: Annotated[str, typer.Argument(help="The question, by its query id.")],
    reason: Reason,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with a compliance officer's API token; asked for without it.")
    ] = None,
) -> None:
    """Run a question on record again: the prompt, the search and the answer, and what is not as it was.

    Status 0: the same answer; 1: another one, or none.
    """
    from appliance.data_folder import found_folder
    from appliance.operator import connected

    settings = load_settings()
    found_folder(settings)
    with connected(settings, token=_token(token_file)) as officer:
        officer.open_log(reason)
        found = officer.replay(query_id)
    _print(found)
    raise typer.Exit(0 if found.outcome == "reproduced" else 1)


def _token(path: Path | None) -> str:
    """The token of the officer: the operator of the machine is none. Raises InvalidRequest."""
    if path is None:
        return str(typer.prompt("API token of a compliance officer (scope log)", hide_input=True)).strip()
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"There is no token in {path}. Make one with 'strongroom user token'.") from error
    if not token:
        raise InvalidRequest(f"There is no token in {path}. Make one with 'strongroom user token'.")
    return token


def _print(found: ReplayOut) -> None:
    out.print(_OUTCOMES.get(found.outcome, escape(found.outcome)))
    if found.prompt_then:
        same = found.prompt_now == found.prompt_then
        out.print(f"Prompt: {'the same, by its hash' if same else 'not the same, or not to be made again'}.")
    for note in found.notes:
        out.print(f"- {escape(printable(note.words))}")
    if found.passages:
        table = new_table("rank then", "rank now", "number", "document", "now")
        for passage in found.passages:
            table.add_row(*_row(passage))
        out.print(table)
    if found.found_now:
        others = ", ".join(
            f"{escape(printable(it.title)) or it.chunk_id[:ID_CHARACTERS]} ({it.rank})" for it in found.found_now
        )
        out.print(f"Found now and not then, by title or id, and rank: {others}")
    for piece in found.pieces:
        style, text = _STYLES[piece.change], escape(printable(piece.text)) or f" ({piece.words} words not shown)"
        out.print(f"[{style}]{text}[/{style}]" if style else text, end="")
    if found.pieces:
        out.print("")


def _row(passage: PassageThenOut) -> tuple[str, ...]:
    return (
        str(passage.rank_then),
        "" if passage.rank_now is None else str(passage.rank_now),
        "" if passage.number is None else f"[{passage.number}]".replace("[", "\\["),
        escape(printable(passage.title)),
        passage.fate.replace("_", " "),
    )
