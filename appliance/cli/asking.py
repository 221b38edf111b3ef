"""`strongroom ask`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from appliance.cli.acting import Groups, as_operator, require_one_spelling
from appliance.cli.terminal import err, out, printable
from appliance.config import load_settings

if TYPE_CHECKING:
    from appliance.api.schemas.asking import AnswerOut


def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    group: Groups = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print the finished answer as JSON.")] = False,
) -> None:
    """Ask the documents everybody may see, and those of the groups you name. The question goes on record."""
    from appliance.api.schemas.asking import AnswerOut, StartedOut, TokenOut

    shown, searched_for, settings = "", question, load_settings()
    require_one_spelling(settings, group)
    with as_operator(settings, group) as operator:
        for event in operator.ask(question):
            if isinstance(event, StartedOut):
                searched_for = _told(event.searched_for, searched_for)
            elif isinstance(event, TokenOut) and not as_json:
                shown += event.text
                out.print(escape(printable(event.text)), end="")
            elif isinstance(event, AnswerOut):
                _told(event.searched_for or question, searched_for)
                if as_json:
                    out.print_json(event.model_dump_json())
                else:
                    _print_answer(event, shown)


def _told(searched_for: str, before: str) -> str:
    """What was searched for, told if it is something else than before."""
    if searched_for != before:
        err.print(f"[dim]Searched for: {escape(searched_for)}[/dim]")
    return searched_for


def _print_answer(answer: AnswerOut, shown: str) -> None:
    if shown.strip() != answer.text:
        out.print(("\n\n" if shown else "") + escape(printable(answer.text)), end="")
    out.print("")
    for notice in answer.notices:
        err.print(f"[yellow]{escape(notice)}[/yellow]")
    for passage in answer.citations:
        place = passage.place.label or (f"page {passage.place.page}" if passage.place.page else "")
        out.print(
            escape(f"  [{passage.number}] {printable(passage.title)} ({passage.path}{', ' + place if place else ''})")
        )
    if answer.kind == "extractive":
        err.print("[dim]Quoted from the documents; no language model took part.[/dim]")
