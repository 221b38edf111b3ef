"""What commands print with: two streams, tables, and text that a terminal does not obey."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ID_CHARACTERS = 8
"""Shown of the id of a run or an evaluation; any beginning that only one has is taken."""


def new_table(*columns: str, title: str = "") -> Table:
    """A table that folds what is long: a path or a reason that is cut off helps nobody."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_entry(head: str, *about: str) -> None:
    """Something, and what is to be said of it: folded below it on a terminal, on one line with tabs between elsewhere.

    What comes from a document or a folder may be in it as it is.
    """
    told = [" ".join(printable(words).split()) for words in (head, *about)]
    if not out.is_terminal:
        out.file.write("\t".join(told) + "\n")
        return
    for number, words in enumerate(filter(None, told)):
        indent = "    " if number else ""
        lines = textwrap.wrap(words, out.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        out.print(escape("\n".join(lines)))


def printable(untrusted_text: str) -> str:
    """Text of a document or model without what a terminal would obey."""
    return "".join(character for character in untrusted_text if character.isprintable() or character in "\n\t")
