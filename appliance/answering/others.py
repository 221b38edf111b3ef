"""Tells the row of a table that is for what the table does not name ("Other cities"). Pure.

Rules this module keeps:

1. A cell of it begins with a word for others or for the rest, or is one for elsewhere. "Rest rooms" are no rest, and
   "Other information" is none.
2. What the others are others of is known in two ways only: by a name in the same column of which it is known that it is
   of the same kind, or by the head of the column, if the cell has its word ("City" above "Other cities") and the other
   cells below it are names. "Other assets" are no companies.
3. Whether a question by itself may be for such a row is known by the word before what it names: all of it stands right
   behind a word of place ("in Paris"). A person, a company or a rank ("for Directors") is none of the other cities, nor
   is what is known to be no place there ("in Marketing").
4. A row is a line with borders between its cells, as tables of documents are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from appliance.index.bm25 import query_terms
from appliance.inference.language import question_language
from appliance.language.words import ANY, LANGUAGES, one_of
from appliance.letter_case import without_accents

CELL_BORDER = " | "
"""What stands between the cells of a row."""

_OTHERS = re.compile(
    rf"(?:{one_of(ANY.before_others)}\s+)?(?:{one_of(ANY.others)}|(?<=\s){one_of(ANY.others_after_article)})\b"
    rf"(?!\s+{one_of(ANY.others_of_saying)})"
    rf"|{one_of(ANY.elsewhere)}\b"
    rf"|(?:{one_of(ANY.before_rest)}\s+)?{one_of(ANY.rest)}(?=\W*\Z|\s+{one_of(ANY.of_words)}\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_SAID = re.compile(r"[^\W_]+")
_NO_PLACES = frozenset(ANY.no_places)
_MAY_BE_SMALL = 3  # letters of a word in a name: "Rio de Janeiro"


def cells_of(row: str) -> list[str]:
    """The cells of a row, one by one."""
    return [cell.strip() for cell in row.split(CELL_BORDER.strip())]


def lines_of_cells(text: str) -> list[list[str]]:
    """The cells of each line of a text; none of what is no row."""
    return [cells_of(line) if CELL_BORDER in line else [] for line in text.split("\n")]


def head_rows(is_row: Sequence[bool]) -> list[int]:
    """Of each row the first one of its table (a line may stand alone between two rows); of what is none, itself."""
    heads: list[int] = []
    for number, here in enumerate(is_row):
        above = next((row for row in (number - 1, number - 2) if here and row >= 0 and is_row[row]), None)
        heads.append(number if above is None else heads[above])
    return heads


def beside(rows: Sequence[Sequence[str]], is_named: Callable[[str], bool]) -> int | None:
    """The first row for others than one that is named, which another row has in the same column.

    Args:
        rows: The cells of each line; none of what is no row.
        is_named: Whether a cell has a name of which the others are others.
    """
    found = [(row, column) for row, column, cell, _ in _for_others(rows) if not is_named(cell)]
    if not found:
        return None
    heads = head_rows(list(map(bool, rows)))
    columns = {(heads[row], column) for row, column in found}
    hold = {
        (heads[row], column)
        for row, column, cell in _each(rows)
        if row != heads[row] and (heads[row], column) in columns and is_named(cell)
    }
    return next((row for row, column in found if (heads[row], column) in hold), None)


def of_kind(rows: Sequence[Sequence[str]]) -> int | None:
    """The first row that is for all others of the kind that the head of the column names. `rows` are as in `beside`."""
    found = [(row, column, rest) for row, column, _, rest in _for_others(rows) if rest]
    if not found:
        return None
    heads = head_rows(list(map(bool, rows)))
    no_names = {
        (heads[row], column)
        for row, column, cell in _each(rows)
        if row != heads[row] and not _OTHERS.match(cell) and not _is_name(cell)
    }
    return next(
        (
            row
            for row, column, rest in found
            if row != heads[row]
            and (heads[row], column) not in no_names
            and _begin_alike(rows[heads[row]], column, rest)
        ),
        None,
    )


def are_places(question: str, names: Collection[str]) -> bool:
    """Whether all that a question names stands right behind a word of place, or behind a name that does ("New York").

    Args:
        question: By itself, no follow-up.
        names: In small letters without accents, with one blank between words.
    """
    parts = frozenset(part for name in names for part in name.split())
    before = _before_places(question_language(question))
    is_behind = False
    for said in _SAID.finditer(question):
        if said[0].casefold() in _NO_PLACES:
            is_behind = False
        if without_accents(said[0].casefold()) not in parts:
            is_behind = said[0].casefold() in before
        elif not is_behind:
            return False
    return True


def _before_places(language: str) -> frozenset[str]:
    """The words of place of a language; where it is not clear, of all, without those that may be an article ("a")."""
    if language in LANGUAGES:
        return frozenset(LANGUAGES[language].words.before_places)
    return frozenset(ANY.before_places).difference(ANY.before_doubtful_names)


def _each(rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, str]]:
    return ((row, column, cell) for row, cells in enumerate(rows) for column, cell in enumerate(cells))


def _for_others(rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, str, str]]:
    """The cells that are for others, by row and column, and what stands behind the word for it."""
    for row, column, cell in _each(rows):
        if found := _OTHERS.match(cell):
            yield row, column, cell, cell[found.end() :]


def _is_name(cell: str) -> bool:
    return not any(word.islower() and len(word) > _MAY_BE_SMALL for word in _WORD.findall(cell))


def _begin_alike(head: Sequence[str], column: int, rest: str) -> bool:
    """Whether the head of a column and the rest of a cell begin with one word, whatever its ending."""
    first, second = (_WORD.search(text) for text in (head[column] if column < len(head) else "", rest))
    if first is None or second is None:
        return False
    return not set(query_terms(first[0], "").indices).isdisjoint(query_terms(second[0], "").indices)
