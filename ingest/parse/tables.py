"""Rows of a table as text: one row per line, cells separated by " | ", in pieces small enough to be found.

A piece of a long table repeats the head row, so that each can be understood (and searched) alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ingest.parse.elements import MAX_LABEL, Element, ElementKind, clean_line, clean_text

PIECE_ROWS = 40
PIECE_CHARACTERS = 1_500
_MAX_CELL = 20_000
_MAX_LINE = 50_000


def table_elements(rows: Iterable[Sequence[str]], *, page: int | None = None, label: str = "") -> Iterator[Element]:
    """The pieces of a table. Empty rows end a table; the next one has a head of its own."""
    head = ""
    piece: list[str] = []
    size = 0
    fresh = True
    for cells in rows:
        line = row_text(cells)
        if not line:
            if piece:
                yield _piece(head, piece, page, label)
            head, piece, size, fresh = "", [], 0, True
            continue
        if fresh and len(line) <= PIECE_CHARACTERS and _is_head(cells):
            head, fresh = line, False
            continue
        fresh = False
        if len(line) > _MAX_LINE:
            yield from (_piece("", [part], page, label) for part in _cut(line))
            continue
        if piece and (len(piece) >= PIECE_ROWS or size + len(line) > PIECE_CHARACTERS):
            yield _piece(head, piece, page, label)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece or head:
        yield _piece(head, piece, page, label)


def _cut(line: str) -> Iterator[str]:
    """A row of thousands of cells, in parts."""
    for start in range(0, len(line), _MAX_LINE):
        yield line[start : start + _MAX_LINE]


def row_text(cells: Sequence[str]) -> str:
    """One row: cells between first and last filled one; empty ones stay, so that columns keep their place."""
    texts = [clean_line(cell, _MAX_CELL).replace("|", "/") for cell in cells]
    filled = [number for number, text in enumerate(texts) if text]
    if not filled:
        return ""
    first = filled[0] if filled[0] > 12 else 0  # far to the right: the emptiness before says nothing
    return " | ".join(texts[first : filled[-1] + 1])


def _is_head(cells: Sequence[str]) -> bool:
    """A head row is made of words."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) > 1 and not any(cell.replace(",", "").replace(".", "").lstrip("-").isdigit() for cell in filled)


def _piece(head: str, lines: Sequence[str], page: int | None, label: str) -> Element:
    text = clean_text("\n".join([head, *lines] if head else lines))
    return Element(ElementKind.TABLE, text, page=page, label=label[:MAX_LABEL])
