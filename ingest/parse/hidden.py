"""Rows and columns that a sheet does not show: read, but never as if they stood in the table everybody sees."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from ingest.parse.elements import Element
from ingest.parse.tables import table_elements

SheetRow = tuple[bool, list[str]]
"""Whether the row is hidden, and its cells."""


def sheet_elements(
    rows: Iterable[SheetRow], hidden_columns: Container[int], *, page: int, label: str
) -> Iterator[Element]:
    """The table of a sheet as it is shown; then what is hidden in it, under labels that say so."""
    sides = _Sides(hidden_columns)
    yield from table_elements(sides.shown(rows), page=page, label=label)
    yield from table_elements(sides.rows, page=page, label=f"{label}, hidden rows")
    yield from table_elements(sides.columns, page=page, label=f"{label}, hidden columns")


@dataclass(slots=True)
class _Sides:
    """What is taken out of a table: hidden rows, under its head, and hidden columns, beside the first that is shown."""

    hidden_columns: Container[int]
    rows: list[list[str]] = field(default_factory=list)
    columns: list[list[str]] = field(default_factory=list)
    _head: list[str] = field(default_factory=list)

    def shown(self, rows: Iterable[SheetRow]) -> Iterator[list[str]]:
        for hidden, cells in rows:
            if hidden:
                self.rows += [cells] if self.rows or not self._head else [self._head, cells]
                continue
            self._head = self._head or (cells if any(cells) else [])
            seen = [cell for number, cell in enumerate(cells) if number not in self.hidden_columns]
            if len(seen) < len(cells):
                unseen = [cell for number, cell in enumerate(cells) if number in self.hidden_columns]
                self.columns += [[*seen[:1], *unseen]] if any(unseen) else []
            yield seen
