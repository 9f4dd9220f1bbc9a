"""Tables in which a stray quote made one cell of several rows."""

from collections.abc import Sequence

ROWS_IN_A_CELL = "rows_in_a_cell"
"""What stands in the field `cells` of a row that may hold others."""

WRONG_NUMBER = "wrong_number"
"""The same of a row with more or fewer cells than the header has."""


def wrong_cells(cells: Sequence[str | None], columns: int, delimiter: str = ",") -> str | None:
    """What is wrong with a row as a row, as a code, if something is.

    Two quotes that nobody meant, each in another row, swallow all between them: such a cell begins with the
    rest of the one row, ends with the beginning of the other, and whole rows stand between. Where the quotes
    stand in different columns the number of cells is wrong as well.
    """
    is_whole = len(cells) == columns and None not in cells
    for place, cell in enumerate(cells):
        found = [line.count(delimiter) for line in (cell or "").splitlines()]
        if len(found) > 1 and (not is_whole or _hides_rows(found, place, columns - 1)):
            return ROWS_IN_A_CELL
    return None if is_whole else WRONG_NUMBER


def _hides_rows(found: list[int], before: int, all: int) -> bool:
    """`found`: the delimiters in each line of a cell that has `before` of its row's `all` before it."""
    first, *between, last = found
    return all > 0 and (max(between, default=0) >= all or (first >= all - before and last >= before))
