"""What one version of a document changed of another: lines that came and lines that went.

A sign, a word for screen readers and the line's frame say which is which; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance.api.schemas.documents import ChangedLineOut, ChangesOut
from ui import pieces
from ui.inert import Html, text


def show_changes(changes: ChangesOut) -> None:
    """Show the lines that were added and removed."""
    if not changes.added_count and not changes.removed_count:
        pieces.show(pieces.line("The text is the same; the file itself is not."))
        return
    for words, lines, number in (
        ("Added", changes.added, changes.added_count),
        ("Removed", changes.removed, changes.removed_count),
    ):
        if number:
            pieces.show(_part(words, lines, number))


def _part(words: str, lines: Sequence[ChangedLineOut], number: int) -> Html:
    cut = f", here are the first {len(lines):,}" if len(lines) < number else ""
    head = f'<h3 class="sr-small-head">{words}: {pieces.count(number, "line")}{cut}</h3>'
    return Html(f'{head}<ul class="sr-changes">{"".join(_line(words, line) for line in lines)}</ul>')


def _line(words: str, line: ChangedLineOut) -> str:
    sign, tag, style = ("+", "ins", "sr-added") if words == "Added" else ("\N{MINUS SIGN}", "del", "sr-removed")
    page = f"<small>Page {line.page}</small>" if line.page is not None else ""
    return (
        f'<li class="{style}"><b aria-hidden="true">{sign}</b><span class="sr-hidden">{words}: </span>'
        f'<{tag} dir="auto">{text(line.text)}</{tag}>{page}</li>'
    )
