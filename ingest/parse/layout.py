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
from dataclasses import dataclass, field
from itertools import pairwise

HYPHEN = "\x02"
"""How pdfium marks a hyphen that only a line end put there."""

_CELL_GAP = 1.1  # of the height of the line (about 1.3 em): wider is a gap between cells, not words
_MIN_COLUMN_ROWS = 4
_MIN_COLUMN_CHARACTERS = 18
_MAX_PARAGRAPH = 1_500
_CURRENCY = re.compile(r"[$€£¥(]+|US\$|CHF|EUR|USD|GBP")
_CLOSING = re.compile(r"[)%]+")
_BULLETS = "•◦▪▸‣●○■□–—*·\uf0b7\uf0a7"
_BULLET = re.compile(rf"([{_BULLETS}]|\(?\d{{1,2}}[.)]|\(?[a-z][.)])\s+\S")
_MARKER = re.compile(rf"[{_BULLETS}]|(item |note )?\(?(\d{{1,2}}|[a-z]|[ivx]+)(\.\d{{1,2}})*[.):]?", re.IGNORECASE)


@dataclass(slots=True)
class Word:
    """Text without blanks, and where it stands."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    bold: bool = False

    @property
    def height(self) -> float:
        """The height of its line box."""
        return self.bottom - self.top


@dataclass(slots=True)
class Cell:
    """Words on one base line without a wide gap."""

    words: list[Word]

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.words[-1].right

    @property
    def text(self) -> str:
        """Its words, with blanks between them."""
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class Row:
    """Cells on one base line."""

    cells: list[Cell]
    left: float = field(init=False)
    top: float = field(init=False)
    right: float = field(init=False)
    bottom: float = field(init=False)

    def __post_init__(self) -> None:
        words = [word for cell in self.cells for word in cell.words]
        self.left, self.right = min(word.left for word in words), max(word.right for word in words)
        self.top, self.bottom = min(word.top for word in words), max(word.bottom for word in words)

    @property
    def height(self) -> float:
        """The usual height of its words."""
        return statistics.median(word.height for cell in self.cells for word in cell.words)

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return all(word.bold for cell in self.cells for word in cell.words)

    @property
    def text(self) -> str:
        """Its cells, separated by " | "."""
        return " | ".join(cell.text for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (or heading), or a table when `table`; `rows` in reading order."""

    rows: tuple[Row, ...]
    table: bool

    @property
    def text(self) -> str:
        """One line per row for a table; running text, hyphens at line ends undone, for a paragraph."""
        if self.table:
            return "\n".join(row.text for row in self.rows).replace(HYPHEN, "-")
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
    """Lines joined to a paragraph."""
    text = ""
    for line in lines:
        if text.endswith(HYPHEN) and "-" not in text.rsplit(" ", 1)[-1]:
            text = text[:-1] + line
        elif text.endswith(HYPHEN):  # the last hyphen of "year-on-year"
            text = text[:-1] + "-" + line
        elif text.endswith("-") and text[-2:-1].isalpha() and line[:1].isalpha():
            text += line
        else:
            text = f"{text} {line}" if text else line
    return text.replace(HYPHEN, "-")


def blocks_in_order(words: Sequence[Word]) -> list[Block]:
    """The blocks of a page, in reading order."""
    return [block for rows in _in_columns(rows_of(words), depth=0) for block in blocks_of(rows)]


def rows_of(words: Sequence[Word]) -> list[Row]:
    """Rows from top to bottom."""
    lines: list[list[Word]] = []
    centre = 0.0
    for word in sorted(words, key=lambda word: word.top + word.bottom):
        middle = (word.top + word.bottom) / 2
        if lines and abs(middle - centre) <= 0.35 * min(word.height, lines[-1][0].height):
            lines[-1].append(word)
        else:
            lines.append([word])
            centre = middle
    return [Row(_figures_joined(list(_cells(line)))) for line in lines]


def _settled(rows: Sequence[Row]) -> list[Row]:
    """The rows, with cells rejoined that are no cells: a marker and its line, a stretched blank in running text."""
    settled: list[Row] = []
    for number, row in enumerate(rows):
        if len(row.cells) == 2:
            first, second = row.cells
            gap = (second.left - first.right) / max(row.height, 0.1)
            marker = _MARKER.fullmatch(first.text) and second.text[:1].isalpha() and gap < 6
            around = [*rows[max(0, number - 1) : number], *rows[number + 1 : number + 2]]
            stretched = gap < 2 * _CELL_GAP and all(len(other.cells) == 1 for other in around)
            letters = sum(character.isalpha() for character in second.text) > 0.5 * len(second.text)
            if marker or (stretched and letters):
                settled.append(Row([Cell([*first.words, *second.words])]))
                continue
        settled.append(row)
    return settled


def _cells(line: list[Word]) -> Iterator[Cell]:
    line.sort(key=lambda word: word.left)
    cell = [line[0]]
    for word in line[1:]:
        if word.left - max(w.right for w in cell[-2:]) > _CELL_GAP * max(word.height, cell[-1].height):
            yield Cell(cell)
            cell = []
        cell.append(word)
    yield Cell(cell)


def _figures_joined(cells: Sequence[Cell]) -> list[Cell]:
    """A currency sign in a cell of its own belongs to the figure after it, a closing bracket to the one before."""
    joined: list[Cell] = []
    for cell in cells:
        previous = joined[-1] if joined else None
        if previous and (_CURRENCY.fullmatch(previous.text) or _CLOSING.fullmatch(cell.text)):
            joined[-1] = Cell([*previous.words, *cell.words])
        else:
            joined.append(cell)
    return joined


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
    texts = [row.text for row in rows]
    characters = sum(len(text) for text in texts)
    digits = sum(character.isdigit() for text in texts for character in text)
    cells = sum(len(row.cells) for row in rows)
    return characters >= _MIN_COLUMN_CHARACTERS * len(rows) and digits < 0.25 * characters and cells < 1.7 * len(rows)


def blocks_of(rows_as_cut: Sequence[Row]) -> Iterator[Block]:
    """Paragraphs and tables of rows that follow each other in one column."""
    rows = _settled(rows_as_cut)
    spacing = _line_spacing(rows)
    right_edge = max((row.right for row in rows), default=0.0)
    block: list[Row] = []
    table = False
    for number, row in enumerate(rows):
        following = rows[number + 1] if number + 1 < len(rows) else None
        tabular = _is_tabular(row) or (table and _is_label_in_table(row, following))
        if block and (tabular != table or not _continues(block, row, spacing, right_edge, table=table)):
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
