"""A table as text: its rows as `a | b | c`, every cell under its head. Pure geometry.

Rules this module keeps:

1. A row of the table is a line of text and never reads down a column. A cell without text stays, as nothing between two
   bars, so that the third cell is the third column in every line.
2. Columns are told by the rows of figures, or else by the fullest; a head over several columns does not hide them.
3. What is one cell to the eye is one cell here: a head of several lines, a label that goes on in the next line, a cell
   of several lines in a table of words.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.rows import HYPHEN, Cell, Row, Word, is_figure

_MAX_HEAD_ROWS = 6
_MAX_COLUMNS = 60
_MAX_PLACE = 3_000  # points; wider is no gap or cell on any page that is read
_HEAD_GAP = 0.45  # line heights between heads of two columns; a blank is half of it
_TIGHT = 1.3  # times the smallest step between rows: what is farther apart is another row of a table of words
_JOINERS = ("and", "or", "of", "the", "for", "to", "in", "on", "by", "with", "from", "und", "et", "e", "y")

_Extent = tuple[float, float]
"""From where to where, across the page."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a table: its text by column, and the columns each cell of it spans."""

    texts: tuple[str, ...]
    spans: bool  # it has a cell over several columns, or does not fit them
    top: float
    bottom: float

    @property
    def filled(self) -> list[str]:
        return [text for text in self.texts if text]

    @property
    def has_figures(self) -> bool:
        return any(is_figure(text) for text in self.texts[1:])

    @property
    def is_label(self) -> bool:
        return bool(self.texts[0]) and len(self.filled) == 1


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The lines of a table's text."""
    return [line for part in _parted(rows) for line in _lines(part)]


def _parted(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows, cut where a head over several columns begins anew: what follows may have other columns."""
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    part: list[Row] = []
    for row in rows:
        anew = len(row.cells) == 1 and row.left > left + 0.25 * (right - left)
        if anew and any(_has_figures(other) and not is_figure(other.cells[0].text) for other in part):
            yield part
            part = []
        part.append(row)
    yield part


def _has_figures(row: Row) -> bool:
    return any(is_figure(cell.text) for cell in row.cells[1:])


def _lines(rows: Sequence[Row]) -> list[str]:
    body = _body_rows(rows)
    gutters = _gutters(body)
    if not gutters or len(gutters) >= _MAX_COLUMNS:
        return [row.text for row in rows]
    columns = _columns(body, gutters)
    lines = [_line(row, gutters, columns) for row in rows]
    head = _head_size(lines)
    merged = _head(lines[:head]) + _body(lines[head:])
    return [_text(line.texts) for line in merged]


def _body_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that show where the columns are: those of figures, or else the fullest."""
    figures = [row for row in rows if _has_figures(row)]
    counts = [len(row.cells) for row in figures or rows if len(row.cells) > 1]
    full = statistics.median_low(counts) if counts else 2
    return [row for row in figures or rows if len(row.cells) >= min(full, 3 if figures else full)]


def _gutters(rows: Sequence[Row]) -> list[float]:
    """Places between columns: every gap between two cells is to have one, and (almost) no cell to lie over one."""
    gaps = [(before.right, after.left) for row in rows for before, after in pairwise(row.cells)]
    gaps = [(left, right) for left, right in gaps if 0 < right - left < _MAX_PLACE]
    open_here, covered = Counter[int](), Counter[int]()
    for left, right in gaps:
        open_here.update(range(int(left) + 1, max(int(left) + 2, int(right) + 1)))
    for row in rows:
        for cell in row.cells:
            covered.update(range(int(cell.left) + 1, min(int(cell.right), int(cell.left) + _MAX_PLACE)))
    gutters: list[float] = []
    for left, right in sorted(gaps, key=lambda gap: gap[1] - gap[0]):
        if len(gutters) >= _MAX_COLUMNS:
            break
        if not any(left < gutter <= right + 1 for gutter in gutters):
            places = range(int(left) + 1, max(int(left) + 2, int(right) + 1))
            best = max(places, key=lambda place: open_here[place] - 3 * covered[place])
            if covered[best] <= 0.1 * len(rows):
                gutters.append(float(best))
    return sorted(gutters)


def _columns(rows: Sequence[Row], gutters: Sequence[float]) -> list[_Extent]:
    """How far the cells of each column reach."""
    reach: dict[int, _Extent] = {}
    for row in rows:
        for cell in row.cells:
            number = _column((cell.left + cell.right) / 2, gutters)
            left, right = reach.get(number, (cell.left, cell.right))
            reach[number] = (min(left, cell.left), max(right, cell.right))
    edges = [gutters[0], *gutters, gutters[-1]]
    return [reach.get(number, (edges[number], edges[number + 1])) for number in range(len(gutters) + 1)]


def _line(row: Row, gutters: Sequence[float], columns: Sequence[_Extent]) -> _Line:
    texts: list[list[str]] = [[] for _ in columns]
    spans = False
    figures = sum(is_figure(cell.text) for cell in row.cells) > 1
    for cell in row.cells:
        for part in _parts(cell, gutters, 0.0 if figures else _HEAD_GAP):
            shares = [_overlap((part.left, part.right), column) for column in columns]
            spans = spans or sum(share > 0.6 for share in shares) > 1
            middle = _column((part.left + part.right) / 2, gutters)
            texts[max(range(len(columns)), key=lambda n: (shares[n], n == middle))].append(part.text)
    if figures and any(len(cell) > 1 for cell in texts):  # rather out of line than two amounts in one cell
        return _Line(tuple(cell.text.replace("|", "/") for cell in row.cells), True, row.top, row.bottom)
    return _Line(tuple(" ".join(cell).replace("|", "/") for cell in texts), spans, row.top, row.bottom)


def _overlap(part: _Extent, column: _Extent) -> float:
    """The share of the column's width that lies under (or over) the part."""
    return max(0.0, min(part[1], column[1]) - max(part[0], column[0])) / max(column[1] - column[0], 1.0)


def _parts(cell: Cell, gutters: Sequence[float], gap: float) -> list[Cell]:
    """The cell, cut where a gutter lies between two of its words that are `gap` line heights or more apart."""
    parts: list[list[Word]] = [[cell.words[0]]]
    for before, word in pairwise(cell.words):
        wide = word.left - before.right >= gap * word.height
        if wide and any(before.right <= gutter <= word.left for gutter in gutters):
            parts.append([])
        parts[-1].append(word)
    return [Cell(part) for part in parts]


def _column(place: float, gutters: Sequence[float]) -> int:
    return sum(gutter < place for gutter in gutters)


def _head_size(lines: Sequence[_Line]) -> int:
    """How many lines stand over the first that has a label and figures; 0 when there is none or too many do."""
    for number, line in enumerate(lines[: _MAX_HEAD_ROWS + 1]):
        if line.texts[0] and line.has_figures and not all(map(is_figure, line.filled)):
            return number
    return 0


def _head(lines: Sequence[_Line]) -> list[_Line]:
    """The head with the lines of each of its cells joined; heads over several columns keep a line of their own."""
    joined: list[_Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is None or _stands_alone(last) or _is_apart(last, line) or not _is_of_cells(last, line):
            joined.append(line)
        else:
            joined[-1] = _merged(last, line)
    return joined


def _stands_alone(line: _Line) -> bool:
    """Whether a line of the head is more than a line of its cells: it spans columns, or says the unit."""
    return line.spans or line.is_label or (len(line.filled) == 1 and line.filled[0].startswith("("))


def _is_of_cells(above: _Line, line: _Line) -> bool:
    return not _stands_alone(line) or _is_unit_of_one(above, line)


def _is_unit_of_one(above: _Line, line: _Line) -> bool:
    """Whether a line holds no more than the unit of the one column under whose head of words it stands: "(EUR)".

    Of several words it is the unit of all columns, in the middle of them: "(in millions)"; under a year too.
    """
    if line.spans or line.is_label or len(line.filled) != 1 or " " in line.filled[0]:
        return False
    over = [head for head, text in zip(above.texts, line.texts, strict=True) if text]
    return all(head and not is_figure(head) for head in over)


def _is_apart(before: _Line, after: _Line) -> bool:
    return after.top - before.bottom > 0.6 * (after.bottom - after.top) or all(map(is_figure, after.filled))


def _body(lines: Sequence[_Line]) -> list[_Line]:
    """The rows, each as one line."""
    if not any(line.has_figures for line in lines):
        return _of_words(lines)
    joined: list[_Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is not None and _goes_on(last, line):
            joined[-1] = _merged(last, line)
        else:
            joined.append(line)
    return joined


def _goes_on(last: _Line, line: _Line) -> bool:
    """Whether a label goes on in this line: "Restructuring and impairment" over "charges | (3)"."""
    if not line.texts[0] or last.spans or line.spans or (last.has_figures and line.has_figures):
        return False
    if not (last.is_label or line.is_label) or _is_apart(last, line):
        return False
    ending = last.texts[0].rsplit(" ", 1)[-1].lower()
    open_ended = last.is_label and (ending in _JOINERS or ending[-1:] in ",/–-—&(")
    return open_ended or line.texts[0][0].islower()


def _of_words(lines: Sequence[_Line]) -> list[_Line]:
    """Rows of a table of words: the lines of a cell are closer together than rows are."""
    pairs = [(before, after) for before, after in pairwise(lines) if not before.spans and not after.spans]
    steps = [step for before, after in pairs if (step := after.bottom - before.bottom) > 1]
    if len(steps) < 2 or max(steps) < _TIGHT * min(steps):
        return list(lines)
    rows = list(lines[:1])
    for before, line in pairwise(lines):
        tight = line.bottom - before.bottom < _TIGHT * min(steps)
        whole = len(line.filled) > 2 and len(line.filled) >= len(rows[-1].filled)  # a row, however close
        if tight and not whole and not rows[-1].spans and not line.spans:
            rows[-1] = _merged(rows[-1], line)
        else:
            rows.append(line)
    return rows


def _merged(one: _Line, other: _Line) -> _Line:
    texts = tuple(_joined(above, below) for above, below in zip(one.texts, other.texts, strict=True))
    return _Line(texts, one.spans or other.spans, one.top, other.bottom)


def _joined(above: str, below: str) -> str:
    return above + below if above[-1:] in (HYPHEN, "-") and above[-2:-1].isalpha() else f"{above} {below}".strip()


def _text(texts: Iterable[str]) -> str:
    return " | ".join(texts).rstrip(" |")
