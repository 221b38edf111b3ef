"""Tables as HTML: those that Markdown draws, and rows of cells between bars, as tables of documents are kept.

The tags are the ones written here; what stands in a cell becomes HTML by `shown`, which is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

TABLE_RULE = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?\s*)?")
CELL_BORDER = re.compile(r"(?<!\\)\|")
_ESCAPED_BORDER = "\\|"
_MAX_COLUMNS = 20
_MAX_LABEL = 90  # characters of a line between two rows
_NUMBER = re.compile(r"\d")
_PERIOD = re.compile(r"(?<![\d.,'/-])(?:\d{1,2}[./-]){0,2}(?:19|20)\d\d(?:[/-]\d{2,4})?(?![\d.,'/-])")
_SIGNS = re.compile("[\ue000\ue001]")  # around what is marked, until it is HTML (`ui.inert`)


def is_table(lines: Sequence[str], at: int) -> bool:
    """Whether a table that Markdown draws begins at a line."""
    return "|" in lines[at] and at + 1 < len(lines) and bool(TABLE_RULE.fullmatch(lines[at + 1]))


def table_of(lines: Sequence[str], at: int, shown: Callable[[str], str]) -> tuple[str, int]:
    """The table that begins at a line, and the line after it."""
    head = _row(_without_frame(lines[at]), "th", shown)
    end = at + 2
    rows = []
    while end < len(lines) and "|" in lines[end]:
        rows.append(_row(_without_frame(lines[end]), "td", shown))
        end += 1
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<div class="sr-scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
        end,
    )


def is_row(line: str) -> bool:
    """Whether a line is a row as tables of documents are kept."""
    return " | " in line or line.startswith("| ")


def rows_of(lines: Sequence[str], at: int, shown: Callable[[str], str]) -> tuple[str, int]:
    """Rows of cells, with the short lines alone between two (what a group is called), and the line after them."""
    rows = []
    while at < len(lines) and (is_row(lines[at]) or _is_between_rows(lines, at)):
        line = lines[at].strip()
        if not TABLE_RULE.fullmatch(line):
            framed = line.startswith("|") and line.endswith("|")  # else a bar at the beginning follows an empty cell
            rows.append(_without_frame(line) if framed else line)
        at += 1
    columns = max((len(_cells(row)) for row in rows), default=0)
    head = f"<thead><tr>{_row(rows.pop(0), 'th', shown, columns)}</tr></thead>" if _has_head(rows) else ""
    body = "".join(f"<tr>{_row(row, 'td', shown, columns)}</tr>" for row in rows)
    return f'<div class="sr-scroll"><table>{head}<tbody>{body}</tbody></table></div>', at


def _has_head(rows: Sequence[str]) -> bool:
    """Whether the first row names the columns: no number stands in it, but for periods, and some stand below it."""
    if len(rows) < 2:
        return False
    cells = [found for cell in CELL_BORDER.split(_SIGNS.sub("", rows[0])) if (found := cell.strip())]
    names = len(cells) > 1 and not any(_NUMBER.search(_PERIOD.sub("", cell)) for cell in cells)
    return names and any(_NUMBER.search(row) for row in rows[1:])


def _is_between_rows(lines: Sequence[str], at: int) -> bool:
    line = lines[at].strip()
    return 0 < len(line) <= _MAX_LABEL and at + 1 < len(lines) and is_row(lines[at + 1])


def _without_frame(line: str) -> str:
    return line.strip().removeprefix("|").removesuffix("|")


def _row(line: str, tag: str, shown: Callable[[str], str], columns: int = 0) -> str:
    """A row, with empty cells at its end for those that are missing: rows are kept without them."""
    cells = _cells(line)
    filled = "".join(f"<{tag}>{shown(cell.strip().replace(_ESCAPED_BORDER, '|'))}</{tag}>" for cell in cells)
    return filled + f"<{tag}></{tag}>" * (columns - len(cells))


def _cells(line: str) -> list[str]:
    return CELL_BORDER.split(line)[:_MAX_COLUMNS]
