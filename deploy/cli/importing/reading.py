"""Checks the whole file before a row is sent, so that an unreadable file is reported at once."""

import codecs
import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.intake.importing import COLUMNS, FORMATS, NHANES_COLUMNS, Format, WrongColumns, rows

if TYPE_CHECKING:
    from services.intake.forms import ImportRow
    from services.intake.importing import RowError

MAX_LINE = 1_000_000
"""Bytes. A row has a few hundred; a longer line means that line ends are missing."""

OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SUFFIXES: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}


class Unusable(Exception):
    """The file cannot be imported as it is; the message says what to do and quotes none of its content."""


@dataclass(frozen=True)
class Source:
    """A file that was read to its end once. `rows` is the number of rows in it."""

    path: Path
    format: Format
    rows: int


def source(path: Path, format: str | None) -> Source:
    """Check the whole file. Raises `Unusable`."""
    chosen = _format(path, format)
    if not path.is_file():
        raise Unusable(f"{path} is no file")
    try:
        count = _count_objects(path) if chosen == "ndjson" else _count_table(path)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    if count < 0:
        raise Unusable(f"{path} is empty")
    found = Source(path, chosen, count)
    next(read(found), None)
    if count == 0:
        raise Unusable(f"{path} has a header and no rows")
    return found


def _count_objects(path: Path) -> int:
    """The number of objects, -1 if there are none."""
    return sum(1 for line in _checked(path) if line.strip()) or -1


def _count_table(path: Path) -> int:
    """The number of rows under the header, -1 if there is no header.

    Parsing is strict: an unclosed quote would hide the rows after it in one cell.
    """
    table, count = csv.reader((line.decode() for line in _checked(path)), strict=True), -1
    try:
        for cells in table:
            count += bool(cells)
    except csv.Error:
        raise Unusable(f"{path}, {_after(count)}") from None
    return count


def _after(row: int) -> str:
    return f"after row {max(row, 0)}: no CSV from there on; is a quote not closed, or a line broken?"


def _format(path: Path, format: str | None) -> Format:
    if format is None:
        chosen = SUFFIXES.get(path.suffix.lower())
        if chosen is None:
            raise Unusable(f"{path}: say what it is with --format {'|'.join(FORMATS)}")
        return chosen
    for known in FORMATS:
        if format == known:
            return known
    raise Unusable(f"--format {format}: choose {', '.join(FORMATS)}")


def _checked(path: Path) -> Iterator[bytes]:
    """The file's lines. Raises `Unusable` if it is not UTF-8 text or has a line over `MAX_LINE` bytes."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if number == 1 and line.startswith(OTHER_ENCODINGS):
                raise Unusable(f"{path} is UTF-16: save it as UTF-8")
            if b"\0" in line:
                raise Unusable(f"{path} is not a text file (save a spreadsheet as CSV)")
            if len(line) > MAX_LINE:
                raise Unusable(f"{path}, line {number}: longer than {MAX_LINE:,} bytes; end every row's line")
            if not _is_utf8(line):
                raise Unusable(f"{path}, line {number}: not UTF-8; save the file as UTF-8")
            yield line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def read(source: Source) -> "Iterator[tuple[int, ImportRow | RowError]]":
    """The rows, numbered. Raises `Unusable` for a header that does not fit or a quote that never ends."""
    number = 0
    with source.path.open(encoding="utf-8", newline="") as file:
        try:
            for number, row in rows(file, source.format):
                yield number, row
        except WrongColumns as wrong:
            raise Unusable(f"{source.path}: {_what_is_wrong(wrong, source.format)}") from None
        except csv.Error:
            raise Unusable(f"{source.path}, {_after(number)}") from None


def _what_is_wrong(wrong: WrongColumns, format: Format) -> str:
    """Unknown columns are counted, never shown: without a header they are the first person's data."""
    if format == "csv" and set(NHANES_COLUMNS) <= {*wrong.unknown}:
        return "these are the survey's columns: give --format nhanes"
    said = [f"missing: {', '.join(wrong.missing)}"] if wrong.missing else []
    if wrong.repeated:
        said.append(f"more than once: {', '.join(wrong.repeated)}")
    if wrong.unknown:
        known = sorted(COLUMNS) if format == "csv" else NHANES_COLUMNS
        meant = [close for name in wrong.unknown for close in difflib.get_close_matches(name, known, n=1)]
        hint = f" (meant: {', '.join(dict.fromkeys(meant))}?)" if meant else ""
        said.append(f"not known: {len(wrong.unknown)}{hint}")
    return f"the columns of the first line do not fit the format {format}; {'; '.join(said)}"
