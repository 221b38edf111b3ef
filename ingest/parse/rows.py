"""Words of a page, and the rows and cells they stand in. Pure geometry.

Coordinates are points on the page as it is shown, origin top left. Words on one base line form a *row*; a wide gap cuts
a row into *cells*, and so does the sign of a currency behind a figure ("7,988 $ 9,858" is two amounts).
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HYPHEN = "\x02"
"""How pdfium marks a hyphen that only a line end put there."""

CELL_GAP = 1.1  # of the height of the line (about 1.3 em): wider is a gap between cells, not words
_FIGURE_GAP = 0.55  # between two figures; a blank within one ("1 234") is narrower
_CURRENCY = re.compile(r"[$€£¥(]+|US\$|CHF|EUR|USD|GBP")
_CLOSING = re.compile(r"[)%]+")
_FIGURE = re.compile(r"[($€£¥+-]*\d[\d.,'’]*[)%]*|[—–-]")


@dataclass(slots=True)
class Word:
    """Text without blanks (but for the address of a link behind it), and where it stands."""

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
    return [Row(_figures_joined(list(_cells(line)))) for line in _with_raised(lines)]


def _with_raised(lines: Sequence[list[Word]]) -> list[list[Word]]:
    """The lines, with note marks and the like, which stand a little higher or lower, in the line they belong to."""
    whole: list[list[Word]] = []
    for line in lines:
        last = whole[-1] if whole else None
        if last is not None and (_is_raised(line, last) or _is_raised(last, line)):
            last.extend(line)
        else:
            whole.append(line)
    return whole


def _is_raised(small: Sequence[Word], line: Sequence[Word]) -> bool:
    """Whether all of the words are smaller than the line's and stand (almost) within its height."""
    height = statistics.median(word.height for word in line)
    top, bottom = min(word.top for word in line), max(word.bottom for word in line)
    return all(
        word.height < 0.8 * height and min(bottom, word.bottom) - max(top, word.top) > 0.5 * word.height
        for word in small
    )


def is_figure(text: str) -> bool:
    """Whether a word or cell is a number, an amount or the dash that stands for none."""
    parts = text.split()
    return bool(parts) and all(any(kind.fullmatch(part) for kind in (_FIGURE, _CURRENCY, _CLOSING)) for part in parts)


def _cells(line: list[Word]) -> Iterator[Cell]:
    line.sort(key=lambda word: word.left)
    cell = [line[0]]
    for word in line[1:]:
        if _is_cut(cell, word):
            yield Cell(cell)
            cell = []
        cell.append(word)
    yield Cell(cell)


def _is_cut(cell: Sequence[Word], word: Word) -> bool:
    last, height = cell[-1], max(word.height, cell[-1].height)
    gap = word.left - max(w.right for w in cell[-2:])
    if gap > CELL_GAP * height:
        return True
    if gap <= 0 or not _FIGURE.fullmatch(last.text):
        return False
    wide = gap > _FIGURE_GAP * height and _FIGURE.fullmatch(word.text) is not None
    return wide or (last.text[-1] in "0123456789)%—" and _CURRENCY.fullmatch(word.text) is not None)


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
