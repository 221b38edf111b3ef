from __future__ import annotations

from collections.abc import Sequence

from ingest.parse.grid import table_lines
from ingest.parse.layout import Block, blocks_in_order
from ingest.parse.rows import Row, Word, rows_of

WIDE = 5.0  # points a letter takes


def at(left: float, line: float, text: str, *, height: float = 10.0, raised: float = 0.0) -> list[Word]:
    """Words of a text that begins at `left` on the given line (12 points apart)."""
    words, place = [], left
    for part in text.split():
        top = line * 12 - raised
        words.append(Word(part, place, top, place + len(part) * WIDE, top + height))
        place += (len(part) + 0.6) * WIDE
    return words


def ending(right: float, line: float, text: str) -> list[Word]:
    words = at(0, line, text)
    shift = right - words[-1].right
    return [Word(w.text, w.left + shift, w.top, w.right + shift, w.bottom) for w in words]


def table_of(*words: Sequence[Word]) -> list[str]:
    return table_lines(rows_of([word for part in words for word in part]))


def texts(*words: Sequence[Word]) -> list[tuple[bool, str]]:
    return [(block.table, block.text) for block in blocks_in_order([word for part in words for word in part])]


def test_an_empty_cell_keeps_its_place() -> None:
    lines = table_of(
        at(0, 0, "Domestic"), ending(200, 0, "369"), ending(300, 0, "456"),
        at(0, 1, "Foreign"), ending(300, 1, "(78)"),
        at(0, 2, "Total"), ending(200, 2, "369"), ending(300, 2, "378"),
    )  # fmt: skip
    assert lines == ["Domestic | 369 | 456", "Foreign |  | (78)", "Total | 369 | 378"]


def test_the_lines_of_a_head_are_one_line() -> None:
    lines = table_of(
        ending(200, 0, "Average price"), ending(300, 0, "Number of"),
        at(0, 1, "Period"), ending(200, 1, "per share"), ending(300, 1, "shares"),
        at(0, 2, "March"), ending(200, 2, "64.84"), ending(300, 2, "1,081"),
        at(0, 3, "April"), ending(200, 3, "70.66"), ending(300, 3, "1,895"),
    )  # fmt: skip
    assert lines == [
        "Period | Average price per share | Number of shares",
        "March | 64.84 | 1,081",
        "April | 70.66 | 1,895",
    ]


def test_the_unit_of_one_column_belongs_to_its_head_and_the_unit_of_all_stands_by_itself() -> None:
    rows = (
        at(0, 2, "Vienna"), ending(200, 2, "144"), ending(300, 2, "9"),
        at(0, 3, "Zurich"), ending(200, 3, "190"), ending(300, 3, "12"),
    )  # fmt: skip
    head = (at(0, 0, "City"), ending(200, 0, "Highest rate"), ending(300, 0, "Nights"))
    assert table_of(*head, ending(200, 1, "(EUR)"), *rows)[0] == "City | Highest rate (EUR) | Nights"
    assert table_of(*head, ending(200, 1, "(in millions)"), *rows)[:2] == [
        "City | Highest rate | Nights",
        " | (in millions)",
    ]
    years = (at(0, 0, "City"), ending(200, 0, "2026"), ending(300, 0, "2025"))
    assert table_of(*years, ending(200, 1, "(EUR)"), *rows)[:2] == ["City | 2026 | 2025", " | (EUR)"]


def test_a_head_over_several_columns_stands_by_itself_and_the_years_under_it_over_their_figures() -> None:
    lines = table_of(
        at(140, 0, "Year ended December 31,"),
        ending(200, 1, "2026"), ending(300, 1, "2025"),
        at(0, 2, "Net sales"), ending(200, 2, "$ 32"), ending(300, 2, "$ 30"),
        at(0, 3, "Costs"), ending(200, 3, "(16)"), ending(300, 3, "(14)"),
    )  # fmt: skip
    assert [line.strip(" |") for line in lines[:1]] == ["Year ended December 31,"]
    assert lines[1:] == [" | 2026 | 2025", "Net sales | $ 32 | $ 30", "Costs | (16) | (14)"]


def test_a_currency_sign_close_to_the_figure_before_belongs_to_the_one_after() -> None:
    (row,) = rows_of([*at(0, 0, "Gross profit"), *at(100, 0, "7,988 $ 9,858")])
    assert [cell.text for cell in row.cells] == ["Gross profit", "7,988", "$ 9,858"]


def test_a_label_over_two_lines_is_one_row() -> None:
    lines = table_of(
        at(0, 0, "Sales"), ending(250, 0, "10"), ending(300, 0, "11"),
        at(0, 1, "Restructuring and impairment"),
        at(0, 2, "charges"), ending(250, 2, "(3)"), ending(300, 2, "3"),
        at(0, 3, "Current liabilities:"),
        at(0, 4, "Payables"), ending(250, 4, "7"), ending(300, 4, "8"),
    )  # fmt: skip
    assert lines == [
        "Sales | 10 | 11",
        "Restructuring and impairment charges | (3) | 3",
        "Current liabilities:",
        "Payables | 7 | 8",
    ]


def test_cells_of_several_lines_in_a_table_of_words_are_joined() -> None:
    lines = table_of(
        at(0, 0, "Class"), at(100, 0, "Kept for"), at(250, 0, "By whom"),
        at(0, 2, "Trades"), at(100, 2, "seven years"), at(250, 2, "the trading"),
        at(250, 2.9, "desk"),
        at(0, 5, "Mail"), at(100, 5, "five years"), at(250, 5, "the post"),
        at(250, 5.9, "room"),
    )  # fmt: skip
    assert lines == [
        "Class | Kept for | By whom",
        "Trades | seven years | the trading desk",
        "Mail | five years | the post room",
    ]


def test_a_bar_within_a_cell_does_not_make_two_of_it() -> None:
    lines = table_of(at(0, 0, "p(y|x)"), ending(200, 0, "0.5"), at(0, 1, "p(x)"), ending(200, 1, "0.7"))
    assert lines == ["p(y/x) | 0.5", "p(x) | 0.7"]


def test_a_raised_mark_stays_in_its_row() -> None:
    (row,) = rows_of([*at(0, 1, "Core measure"), *at(120, 1, "7,975"), *at(66, 1, "(a)", height=6, raised=2)])
    assert isinstance(row, Row)
    assert "".join(cell.text for cell in row.cells).replace(" ", "") == "Coremeasure(a)7,975"


def test_two_columns_with_a_table_in_one_are_read_one_after_the_other() -> None:
    left = [at(0, n, "Records are kept on media here") for n in range(20)]
    right = [at(250, n, "Calls are kept for seven years") for n in range(10)]
    table = [at(250, n, str(n)) + at(300, n, "May 2026") + at(400, n, "3") + at(450, n, "4") for n in range(10, 20)]
    blocks = texts(*left, *right, *table)
    assert [table for table, _ in blocks] == [False, False, True]
    assert blocks[0][1].count("Records") == 20
    assert blocks[2][1].split("\n")[0] == "10 | May 2026 | 3 | 4"


def test_a_head_above_the_figures_begins_the_table() -> None:
    blocks = texts(
        at(0, 0, "The components of the provision were as stated in the following table:"),
        at(200, 2, "Year ended"),
        ending(230, 3, "2026"), ending(330, 3, "2025"),
        at(0, 4, "Federal"), ending(230, 4, "52"), ending(330, 4, "86"),
    )  # fmt: skip
    assert [table for table, _ in blocks] == [False, True]
    assert blocks[1][1].strip(" |").startswith("Year ended")


def test_a_block_of_one_row_is_a_table_only_if_it_has_cells() -> None:
    (row,) = rows_of(at(0, 0, "One line of text"))
    assert Block((row,), table=False).text == "One line of text"


def test_a_line_that_is_far_below_the_row_of_a_running_head_is_no_row_of_the_table_below_it() -> None:
    found = texts(
        at(50, 0, "Halden Instrumente AG"), at(400, 0, "Leak test bench"),
        at(50, 8, "6. Faults"),
        at(50, 10, "Code"), at(200, 10, "Meaning"),
        at(50, 11, "E-133"), at(200, 11, "Filament"),
    )  # fmt: skip
    assert found[1:] == [(False, "6. Faults"), (True, "Code | Meaning\nE-133 | Filament")]
