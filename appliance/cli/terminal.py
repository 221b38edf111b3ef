"""What commands print with: two streams, tables, and text that a terminal does not obey."""

from __future__ import annotations

from rich.console import Console
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


def printable(untrusted_text: str) -> str:
    """Text of a document or model without what a terminal would obey."""
    return "".join(character for character in untrusted_text if character.isprintable() or character in "\n\t")
