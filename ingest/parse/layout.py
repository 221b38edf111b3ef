"""From the words of a page to its paragraphs, headings and table rows, in reading order. Pure geometry.

Coordinates are points on the page as it is shown, origin top left. How it goes:

1. words on one base line form a *row*; a wide gap cuts a row into *cells* (`rows_of`);
2. where many rows are cut at the same place with running text on both sides, that place is a gutter between columns:
   the left column is read before the right one. Cells of figures or short labels make a table instead, and its rows
   stay whole (`_in_columns`);
3. rows become *blocks*: rows of several cells a table, rows of the same size and close together a paragraph
   (`blocks_of`).
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.grid import table_lines
from ingest.parse.rows import CELL_GAP, HYPHEN, Cell, Row, Word, is_figure, rows_of

_MIN_COLUMN_ROWS = 4
_MIN_COLUMN_CHARACTERS = 18
_MAX_PARAGRAPH = 1_500
_BULLETS = "•◦▪▸‣●○■□–—*·\uf0b7\uf0a7"
_BULLET = re.compile(rf"([{_BULLETS}]|\(?\d{{1,2}}[.)]|\(?[a-z][.)])\s+\S")
_MARKER = re.compile(rf"[{_BULLETS}]|(item |note )?\(?(\d{{1,2}}|[a-z]|[ivx]+)(\.\d{{1,2}})*[.):]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (or heading), or a table when `table`; `rows` in reading order."""

    rows: tuple[Row, ...]
    table: bool

    @property
    def text(self) -> str:
        """One line per row for a table, running text for a paragraph. Has `HYPHEN` at what were line ends."""
        if self.table:
            return "\n".join(table_lines(self.rows))
        return running_text(row.text for row in self.rows)

    @property
    def height(self) -> float:
        """The usual line height, which tells the size of the type."""
        return statistics.median(row.height for row in self.rows)

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(row.bold for row in self.rows)

    @property
    def is_list_item(self) -> bool:
        """Whether it begins with a bullet or a number."""
        return not self.table and _BULLET.match(self.text) is not None


def running_text(lines: Iterable[str]) -> str:
    """Lines joined to a paragraph. A hyphen that a line end put there stays marked as such."""
    text = ""
    for line in lines:
        if text.endswith(HYPHEN):
            text += line
        elif text.endswith("-") and text[-2:-1].isalpha() and line[:1].isalpha():
            text = text[:-1] + HYPHEN + line
        else:
            text = f"{text} {line}" if text else line
    return text


def blocks_in_order(words: Sequence[Word]) -> list[Block]:
    """The blocks of a page, in reading order."""
    return [block for rows in _in_columns(rows_of(words), depth=0) for block in blocks_of(rows)]


def _rejoined(rows: Sequence[Row]) -> list[Row]:
    """The rows, with cells rejoined that are no cells: a marker and its line, a stretched blank in running text."""
    rejoined: list[Row] = []
    for number, row in enumerate(rows):
        if len(row.cells) == 2:
            first, second = row.cells
            gap = (second.left - first.right) / max(row.height, 0.1)
            marker = _MARKER.fullmatch(first.text) and second.text[:1].isalpha() and gap < 6
            around = [*rows[max(0, number - 1) : number], *rows[number + 1 : number + 2]]
            stretched = gap < 2 * CELL_GAP and all(len(other.cells) == 1 for other in around)
            letters = sum(character.isalpha() for character in second.text) > 0.5 * len(second.text)
            if marker or (stretched and letters):
                rejoined.append(Row([Cell([*first.words, *second.words])]))
                continue
        rejoined.append(row)
    return rejoined


def _in_columns(rows: list[Row], depth: int) -> Iterator[list[Row]]:
    """Runs of rows in reading order; between two runs no paragraph goes on."""
    gutter = _gutter(rows) if depth < 3 and len(rows) >= _MIN_COLUMN_ROWS else None
    if gutter is None:
        yield rows
        return
    bands = list(_bands(rows, gutter))
    if not any(not crosses and _sides(band, gutter, _MIN_COLUMN_ROWS) for band, crosses in bands):
        yield rows
        return
    plain: list[Row] = []
    for band, crosses in bands:
        sides = None if crosses else _sides(band, gutter, 1)
        if sides is None:
            plain.extend(band)
            continue
        if plain:
            yield plain
            plain = []
        for side in sides:
            yield from _in_columns(side, depth + 1)
    if plain:
        yield plain


def _gutter(rows: Sequence[Row]) -> float | None:
    """The place with running text on both sides of it in several rows that the fewest cells cross."""
    votes: dict[int, int] = {}
    for before, after in _neighbours(rows):
        if min(len(before.text), len(after.text)) >= _MIN_COLUMN_CHARACTERS:
            for place in range(int(before.right) + 1, int(after.left) + 1):
                votes[place] = votes.get(place, 0) + 1
    candidates = [place for place, count in votes.items() if count >= 3]
    if not candidates:
        return None
    cells = [(cell.left, cell.right) for row in rows for cell in row.cells]
    crossings = {place: sum(left < place < right for left, right in cells) for place in candidates}
    fewest = min(crossings.values())
    places = sorted(place for place in candidates if crossings[place] == fewest)
    return float(places[len(places) // 2])


def _neighbours(rows: Sequence[Row]) -> Iterator[tuple[Cell, Cell]]:
    """Cells side by side: in one row, or in two whose lines overlap because the columns' base lines differ."""
    for row in rows:
        yield from pairwise(row.cells)
    for one, other in pairwise(rows):
        if len(one.cells) == len(other.cells) == 1 and other.top < one.bottom - 0.2 * one.height:
            left, right = sorted((one.cells[0], other.cells[0]), key=lambda cell: cell.left)
            if left.right < right.left:
                yield left, right


def _bands(rows: Sequence[Row], gutter: float) -> Iterator[tuple[list[Row], bool]]:
    band: list[Row] = []
    crossing = False
    for row in rows:
        crosses = any(cell.left < gutter - 1 and cell.right > gutter + 1 for cell in row.cells)
        if band and crosses != crossing:
            yield band, crossing
            band = []
        crossing = crosses
        band.append(row)
    if band:
        yield band, crossing


def _sides(band: Sequence[Row], gutter: float, min_rows: int) -> tuple[list[Row], list[Row]] | None:
    """The two columns of a band, if these are columns of running text."""
    left, right = list[Row](), list[Row]()
    for row in band:
        cells = [cell for cell in row.cells if cell.right <= gutter + 1]
        others = [cell for cell in row.cells if cell.right > gutter + 1]
        left.extend([Row(cells)] if cells else [])
        right.extend([Row(others)] if others else [])
    return (left, right) if min(len(left), len(right)) >= min_rows and _is_text(left) and _is_text(right) else None


def _is_text(rows: Sequence[Row]) -> bool:
    """Whether a column is of running text; a table that stands in it does not make it less so."""
    texts = [row.text for row in rows]
    characters = sum(len(text) for text in texts)
    digits = sum(character.isdigit() for text in texts for character in text)
    cells = sum(len(row.cells) for row in rows)
    if characters >= _MIN_COLUMN_CHARACTERS * len(rows) and digits < 0.25 * characters and cells < 1.7 * len(rows):
        return True
    running = sum(_is_running(row) for row in rows)
    return running >= max(2 * _MIN_COLUMN_ROWS, 0.3 * len(rows))


def _is_running(row: Row) -> bool:
    digits = sum(character.isdigit() for character in row.text)
    return len(row.cells) == 1 and len(row.text) >= 1.5 * _MIN_COLUMN_CHARACTERS and digits < 0.2 * len(row.text)


def blocks_of(rows_as_cut: Sequence[Row]) -> Iterator[Block]:
    """Paragraphs and tables of rows that follow each other in one column."""
    rows = _rejoined(rows_as_cut)
    spacing = _line_spacing(rows)
    right_edge = max((row.right for row in rows), default=0.0)
    left_edge = min((row.left for row in rows), default=0.0)
    block: list[Row] = []
    table = False
    for number, row in enumerate(rows):
        following = rows[number + 1] if number + 1 < len(rows) else None
        goes_on = bool(block) and _continues(block, row, spacing, right_edge, table=table)
        tabular = _is_tabular(row) or (
            _is_label_in_table(row, following) or _is_under_column(block, row)
            if table and goes_on
            else _is_head_of_table(row, following, spacing, left_edge)
        )
        if block and (tabular != table or not goes_on):
            yield Block(tuple(block), table)
            block = []
        table = tabular
        block.append(row)
    if block:
        yield Block(tuple(block), table)


def _is_tabular(row: Row) -> bool:
    return len(row.cells) > 1


def _is_label_in_table(row: Row, following: Row | None) -> bool:
    """A short line between table rows is one of them: a group of rows, or the first half of a long label."""
    return following is not None and _is_tabular(following) and len(row.text) < 90 and not row.text.endswith(".")


def _is_under_column(block: Sequence[Row], row: Row) -> bool:
    """A line of one cell that goes on below a column of the table other than the first."""
    last = next((other for other in reversed(block) if _is_tabular(other)), None)
    if last is None or row.bottom - block[-1].bottom > 1.8 * row.height:
        return False
    return any(row.left < cell.right and cell.left < row.right for cell in last.cells[1:]) and (
        row.left > last.cells[0].right
    )


def _is_head_of_table(row: Row, following: Row | None, spacing: float, left_edge: float) -> bool:
    """A short line that stands over the columns of the table it precedes: "Year ended December 31,"."""
    if following is None or not _is_tabular(following) or len(row.text) > 80:
        return False
    near = following.bottom - row.bottom < max(1.8, 1.5 * spacing) * max(row.height, 0.1)
    label_ends = left_edge if is_figure(following.cells[0].text) else following.cells[0].right
    over = max(label_ends, left_edge + 0.2 * (following.right - left_edge))
    return near and over < row.left and row.right <= following.right + 2 * row.height and row.text[-1] != ":"


def _line_spacing(rows: Sequence[Row]) -> float:
    """The usual distance of two base lines, in line heights."""
    steps = [(after.bottom - before.bottom) / max(before.height, 0.1) for before, after in pairwise(rows)]
    steps = [step for step in steps if 0.5 < step < 2.5]
    return statistics.median_low(steps) if steps else 1.2


def _continues(block: Sequence[Row], row: Row, spacing: float, right_edge: float, *, table: bool) -> bool:
    last = block[-1]
    step = (row.bottom - last.bottom) / max(last.height, 0.1)
    if table:
        return 0 < step < max(3.0, 2 * spacing) and len(block) < 60
    same_type = abs(row.height - last.height) <= 0.12 * last.height and row.bold == last.bold
    if not same_type or not 0 < step <= max(1.25 * spacing, 1.1) or step > 2.2:
        return False
    if _BULLET.match(row.text) and row.left <= block[0].left + 1:
        return False
    ends_short = last.right < right_edge - 0.25 * (right_edge - min(r.left for r in block))
    ended = last.text.endswith((".", "!", "?", ":", ";"))
    indented = row.left > last.left + 0.8 * row.height and len(block) > 1
    if ended and (ends_short or indented):
        return False
    return sum(len(r.text) for r in block) < _MAX_PARAGRAPH or not ended
