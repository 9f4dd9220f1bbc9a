"""Detects tables in which a stray quote merged several rows into one cell."""

from collections.abc import Sequence

ROWS_IN_A_CELL = "rows_in_a_cell"
"""Code in the field `cells` of a row that may contain other rows."""

WRONG_NUMBER = "wrong_number"
"""The same for a row with more or fewer cells than the header."""


def wrong_cells(cells: Sequence[str | None], columns: int, delimiter: str = ",") -> str | None:
    """Return a code for a row whose cells are malformed, or `None`.

    Two stray quotes in different rows merge everything between them into one cell. That cell begins with the
    rest of the first row, ends with the beginning of the second, and holds any whole rows between. If the
    quotes are in different columns, the number of cells is wrong as well.
    """
    is_whole = len(cells) == columns and None not in cells
    for place, cell in enumerate(cells):
        found = [line.count(delimiter) for line in (cell or "").splitlines()]
        if len(found) > 1 and (not is_whole or _hides_rows(found, place, columns - 1)):
            return ROWS_IN_A_CELL
    return None if is_whole else WRONG_NUMBER


def _hides_rows(found: list[int], before: int, all: int) -> bool:
    """Whether a cell contains rows, or parts of two. `found`: delimiters per line of the cell.

    `before`: how many of the row's delimiters, `all`, come before the cell.
    """
    first, *between, last = found
    return all > 0 and (max(between, default=0) >= all or (first >= all - before and last >= before))
